/** What the audit log's actions mean, in words. */
const ACTIONS: Record<string, string> = {
  "log-in": "logged in",
  "log-in.failed": "failed to log in",
  "log-out": "logged out",
  "session.revoke": "signed out one of their browsers",
  "session.revoke-others": "signed out all their other browsers",
  "account.password": "changed their password",
  "account.totp-on": "turned their codes on",
  "account.totp-off": "turned their codes off",
  "account.recovery-codes": "made new recovery codes",
  "staff.join": "joined the staff",
  "staff.invite": "invited somebody",
  "staff.invite-again": "renewed an invitation",
  "staff.withdraw-invitation": "withdrew an invitation",
  "staff.role": "changed a role",
  "staff.link": "made a log-in link",
  "staff.totp-off": "turned somebody's codes off",
  "staff.sign-out": "signed somebody out everywhere",
  "staff.remove": "removed somebody",
  "inbox.make": "made an inbox",
  "inbox.change": "changed an inbox",
  "inbox.policy": "changed how an inbox answers",
  "inbox.mailbox": "changed a mailbox",
  "inbox.slack": "connected Slack",
  "inbox.widget": "changed a widget",
  "key.make": "made an API key",
  "key.revoke": "revoked an API key",
  "keys.rotate": "rotated the master key",
  "keys.rewrap": "went on with a rotation of the master key",
  "keys.renew": "renewed a data key",
  "keys.retire": "retired old master keys",
  "contact.name": "named a contact",
  "contact.block": "blocked a contact",
  "contact.unblock": "unblocked a contact",
  "contact.merge": "merged two contacts",
  "contact.part": "parted two contacts",
  "macro.add": "wrote a macro",
  "macro.change": "changed a macro",
  "macro.delete": "deleted a macro",
  "tag.delete": "deleted a tag",
  "delivery.send-again": "sent a reply again",
  "task.run-again": "ran a task again",
};

export function actionWords(action: string): string {
  return ACTIONS[action] ?? action;
}

/** Details as `name: value` pairs. */
export function detailWords(details: Record<string, unknown>): string {
  return Object.entries(details)
    .map(([name, value]) => `${name.replaceAll("_", " ")}: ${Array.isArray(value) ? value.join(", ") : String(value)}`)
    .join(" · ");
}
