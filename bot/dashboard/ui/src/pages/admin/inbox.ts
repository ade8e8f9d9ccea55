/** Inboxes as `/desk/api/admin/inboxes` tells them. */
export const CHANNELS: Record<string, string> = { chat: "Website chat", email: "E-mail", slack: "Slack", api: "API" };
export const MODES: Record<string, string> = {
  answer: "the bot answers",
  draft: "the bot drafts, a person sends",
  acknowledge: "a person answers",
};

export interface InboxRow {
  id: string;
  name: string;
  channel: string;
  company: string;
  mode: string;
  hours: string;
  zone: string;
  is_open: boolean;
  opens_at: string | null;
  problem: string | null;
}

export interface Budgets {
  per_thread: number;
  per_sender_10_minutes: number;
  per_sender_hour: number;
  per_sender_day: number;
  per_mailbox_hour: number;
  per_mailbox_day: number;
}

export interface Policy {
  mode: string;
  /** How sure the bot must be to answer, as a probability. */
  answer_at: number;
  acknowledgement: string;
  hours: string;
  zone: string;
  holidays: { day: string; text: string }[];
  budgets: Budgets | null;
  /** 0 is never, null what is usual for the channel. */
  remind_after_minutes: number | null;
  tell_after_minutes: number | null;
}

export interface Server {
  host: string;
  port: number;
  security: string;
}

export interface Mailbox {
  address: string;
  display_name: string;
  folder: string;
  imap: Server | null;
  smtp: Server | null;
  login: string;
  user: string;
  has_file: boolean;
  plus_addressing: boolean;
  state: string;
}

export interface InboxDetails extends InboxRow {
  policy: Policy;
  usual_waits: { remind: number; tell: number };
  collections: { name: string; articles: number; is_given: boolean }[];
  mailbox: Mailbox | null;
  /** For what is connected in the terminal. */
  steps: { state: string; commands: string[]; guide: string } | null;
}

/** A mailbox as its form sends it. */
export interface MailboxForm {
  address: string;
  display_name: string;
  folder: string;
  imap: Server | null;
  smtp: Server | null;
  login: string;
  user: string;
  password: string;
  plus_addressing: boolean;
}

export function emptyMailbox(): MailboxForm {
  return {
    address: "",
    display_name: "",
    folder: "INBOX",
    imap: { host: "", port: 993, security: "tls" },
    smtp: { host: "", port: 465, security: "tls" },
    login: "password",
    user: "",
    password: "",
    plus_addressing: false,
  };
}
