"""Whether a program or a person wrote a mail: a union of signals, no weak one deciding alone.

A strong signal decides by itself: standards define it for programs only (RFC 3834 section 5, the
null return path of RFC 5321 section 4.5.5, reports of RFC 6522). A weak one is also seen on mail
of people (`Precedence: bulk` from an odd client, "out of office" in a sentence, a mailing list's
fields); weights of different kinds are added and must reach 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from channels.email.addresses import read_addresses
from channels.email.automatic_words import (
    AUTO_SUBJECT,
    AWAY_PHRASE,
    CHALLENGE_PHRASE,
    MACHINE_PHRASE,
    NOTICE_SUBJECT,
    READ_PHRASE,
    READ_SUBJECT,
    RECEIVED_PHRASE,
    SPOKEN_SUBJECT,
    UNSUBSCRIBE_PHRASE,
)
from channels.email.bounces import BounceHints
from channels.email.headers import Headers
from channels.email.mail import Envelope, OwnMail
from channels.email.mime import Part
from channels.email.threading_tokens import without_token

STRONG = 1.0
FOR_SOMEBODY = "from our own address for somebody else"
ROBOT_SENDER = "from a robot's address"
DISCUSSION_LIST = "came through a discussion list"
_JUDGED_CHARS = 3000
# People ask; most automatic mail states. Wording alone must outweigh a question.
_ASKS = re.compile(r"[^\s?？=/&]\s?[?？؟](?:\s|$)|[？؟]")
_QUESTION_WEIGHT = 0.2
_AUTO_FIELD = re.compile(
    r"x-?(?:mail-?)?auto-?(?:re(?:ply|spon[ds])|answer|generat)[\w-]*|autoreply|"
    r"x-vacation|x-fc-machinegenerated|x-cron-env|x-mdsnotification|x-autoreply-[\w-]+|"
    r"x-exclaimer-autoreply|x-out-of-office"
)
_NOT = frozenset(("no", "false", "0", "off", "none", ""))
_BULK_FIELDS = re.compile(
    r"feedback-id|x-campaign(?:-?id|_id)?|x-mailchimp-.*|x-mc-user|x-mailgun-(?:sid|tag|"
    r"variables)|x-sg-eid|x-sg-id|x-mandrill-user|x-report-abuse|x-csa-complaints|"
    r"x-newsletter.*|"
    r"x-mailer-(?:recptid|sid|lid)|x-job|x-cid|x-ses-outgoing|x-pm-message-id|x-msfbl|"
    r"x-rpcampaign|x-elqsiteid|x-accounttype|x-marketo.*|x-sfmc.*|x-hubspot.*|"
    r"list-unsubscribe-post|x-mj-.*|x-klaviyo.*|x-bulkmail|x-mass.*|x-sib-id|x-cr-.*|"
    r"x-amazon-.*"
)
_NOTIFIER_FIELDS = re.compile(
    r"x-github-.*|x-gitlab-.*|x-jira-fingerprint|x-jenkins-.*|x-bugzilla-.*|x-redmine-.*|"
    r"x-pagerduty.*|x-nagios.*|x-facebook.*|x-linkedin-.*|x-twitter.*|x-trac-.*|"
    r"x-launchpad-.*|x-phabricator-.*|x-discourse-.*|x-slack.*|x-ticket.*|x-zendesk.*|"
    r"x-otrs-.*|rt-ticket|x-rt-.*|x-notification.*|x-event-.*|x-alert.*"
)
_ROBOT = re.compile(
    r"(?i)^(?:(?:.*[._+-])?(?:no[-_.]?reply|do[-_.]?not[-_.]?reply|donotreply|"
    r"nicht[-_.]?antworten|ne[-_.]?pas[-_.]?repondre|no[-_.]?responder|noresponder|"
    r"noreplies)(?:[._+-].*)?|"
    r"wordpress|auto(?:reply|mailer|responder|mated|confirm|-?confirm)?|notifications?|"
    r"notify|alerts?|newsletters?|news|bounces?(?:[+=.-].*)?|mailer|robot|bot|system|"
    r"daemon|root|cron|www-data|apache|nobody|listserv|majordomo|.*-(?:bounces|request|"
    r"noreply))$"
)
_SUBJECT_REPLY = re.compile(
    r"(?i)^\s*(?:re|aw|sv|antw|回复|答复|回覆|res|ref|rv|odp|vs|ynt|fwd?|wg|tr|"
    r"转发)\s*(?:\[\d+\])?\s*[:：]"
)
_CONFIRM = re.compile(
    r"(?i)\b(?:confirm|verif|challenge|approv|action required|authenticat|bestätig|"
    r"confirmez|确认|验证)"
)
_METHOD = re.compile(rb"(?im)^METHOD\s*:\s*([A-Z]+)\s*$")
_LIST_SERVERS = ("x-google-group-id", "mailing-list", "x-mailman-version", "x-beenthere")
_REPORTS = {
    "delivery-status": "delivery report (RFC 3464)",
    "disposition-notification": "read receipt (RFC 8098)",
    "feedback-report": "abuse report (RFC 5965)",
}
_REPORT_PARTS = {
    "message/delivery-status": "delivery-status",
    "message/global-delivery-status": "delivery-status",
    "message/disposition-notification": "disposition-notification",
    "message/global-disposition-notification": "disposition-notification",
    "message/feedback-report": "feedback-report",
}


@dataclass(frozen=True, slots=True)
class Signal:
    """One sign of a program. Signals of one `kind` count once, at the heaviest."""

    kind: str
    weight: float
    reason: str


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict; `reasons` names every signal, the weak ones as such."""

    automatic: bool
    reasons: tuple[str, ...]


def judge(
    root: Part,
    from_address: str | None,
    message_id: str,
    visible_text: str,
    hints: BounceHints,
    own: OwnMail,
    envelope: Envelope | None,
) -> Judged:
    """Whether a program wrote the mail, and every sign of it."""
    headers = root.headers
    signals = [
        *_standard(headers, envelope),
        *_reports(root),
        *_calendar(root),
        *_own(headers, from_address, message_id, own),
        *_bounce(hints),
        *_bulk(headers),
        *_sender(headers, from_address),
        *_words(headers, visible_text[:_JUDGED_CHARS]),
    ]
    heaviest: dict[str, float] = {}
    for signal in signals:
        heaviest[signal.kind] = max(heaviest.get(signal.kind, 0.0), signal.weight)
    total = sum(heaviest.values())
    is_strong = any(signal.weight >= STRONG for signal in signals)
    if not is_strong and _ASKS.search(visible_text[:_JUDGED_CHARS]):
        total -= _QUESTION_WEIGHT
    reasons = (s.reason if s.weight >= STRONG else f"weak: {s.reason}" for s in signals)
    return Judged(is_strong or total >= STRONG - 1e-9, tuple(dict.fromkeys(reasons)))


def _standard(headers: Headers, envelope: Envelope | None) -> Iterator[Signal]:
    submitted = headers.first("auto-submitted").partition(";")[0].partition("(")[0].strip().lower()
    if submitted and submitted != "no":
        yield Signal("auto-submitted", STRONG, f"Auto-Submitted: {submitted[:40]} (RFC 3834)")
    path = headers.first("return-path").strip() if headers.has("return-path") else None
    if path == "<>" or (envelope is not None and envelope.sender == ""):
        yield Signal("return-path", STRONG, "null return path (RFC 5321)")
    for name, value in headers.fields:
        if (
            _AUTO_FIELD.fullmatch(name)
            and value.strip().lower() not in _NOT
            and not name.endswith("suppress")
        ):
            yield Signal("auto-field", STRONG, f"{name} is set")
            break
    if headers.has("x-failed-recipients"):
        yield Signal("failed", STRONG, "X-Failed-Recipients is set")
    machine = headers.first("x-post-messageclass").lower() + headers.first("delivered-to").lower()
    if "autoresponder" in machine:
        yield Signal("auto-field", STRONG, "delivered to an autoresponder")
    suppress = headers.first("x-auto-response-suppress").lower()
    if suppress and suppress != "none":
        yield Signal("suppress", 0.5, "X-Auto-Response-Suppress is set")
    source = headers.first("x-ms-exchange-generated-message-source").lower()
    if source and "rules" not in source:
        yield Signal("suppress", STRONG, "generated by Exchange")
    mailer = (headers.first("x-mailer") + headers.first("user-agent")).lower()
    if any(word in mailer for word in ("autorespond", "vacation", "auto-reply", "autoreply")):
        yield Signal("auto-field", STRONG, "its mailer is an autoresponder")


def _reports(root: Part) -> Iterator[Signal]:
    kind = root.headers.parameter("content-type", "report-type").lower()
    if root.media_type == "multipart/report" and kind in _REPORTS:
        yield Signal("report", STRONG, _REPORTS[kind])
        return
    for part in [root, *root.children]:
        found = _REPORT_PARTS.get(part.media_type)
        if found and not part.is_attachment:
            yield Signal("report", STRONG, _REPORTS[found])
            return
    if root.media_type == "multipart/report":
        yield Signal("report", STRONG, "multipart/report (RFC 6522)")


def _calendar(root: Part) -> Iterator[Signal]:
    """Invitations and the answers to them (RFC 6047); a calendar file sent along is a file."""
    for part in root.walk():
        if part.media_type not in ("text/calendar", "application/ics") or part.is_attachment:
            continue
        method = part.headers.parameter("content-type", "method").upper()
        if not method and (found := _METHOD.search(part.content()[:100_000])):
            method = found[1].decode().upper()
        if method in ("REQUEST", "REPLY", "CANCEL", "COUNTER", "REFRESH", "ADD", "DECLINECOUNTER"):
            yield Signal("calendar", STRONG, f"calendar {method.lower()} (RFC 6047)")
            return


def _own(
    headers: Headers, from_address: str | None, message_id: str, own: OwnMail
) -> Iterator[Signal]:
    ours = {without_token(address) for address in own.addresses}
    if own.tokens and own.tokens.verify_message_id(message_id):
        yield Signal("own", STRONG, "our own Message-ID came back")
    if from_address and without_token(from_address) in ours:
        yield _from_ourselves(headers, ours)
    loops = {without_token(value.strip(" <>")) for value in headers.all("x-loop")}
    if loops & ours:
        yield Signal("own", STRONG, "X-Loop names our address")
    if headers.has("x-frontdesk"):
        yield Signal("own", STRONG, "sent by a Frontdesk")


def _from_ourselves(headers: Headers, ours: set[str]) -> Signal:
    """Our own mail come back; but forms and groups write in our name for somebody else."""
    meant = read_addresses([*headers.all("reply-to"), *headers.all("x-original-from")])
    if any(without_token(one.address) not in ours for one in meant):
        return Signal("own", 0.5, FOR_SOMEBODY)
    return Signal("own", STRONG, "from our own address")


def _bounce(hints: BounceHints) -> Iterator[Signal]:
    if hints.sender:
        yield Signal("sender", 0.6, "from a mail system's address")
    if hints.exact_subject:
        yield Signal("bounce-subject", 0.6, "a mail system's subject of a delivery report")
    elif hints.subject:
        yield Signal("bounce-subject", 0.4, "the subject of a delivery report")
    if hints.phrase and (hints.sender or hints.subject):
        yield Signal("bounce-phrase", 0.4, "the words of a delivery report")


def _bulk(headers: Headers) -> Iterator[Signal]:
    precedence = headers.first("precedence").strip().lower()
    if precedence in ("auto_reply", "auto-reply", "autoreply"):
        yield Signal("precedence", STRONG, f"Precedence: {precedence}")
    is_discussion = _is_discussion(headers)
    if is_discussion:
        yield Signal("list", 0.3, DISCUSSION_LIST)
    elif precedence in ("bulk", "junk", "list"):
        weight = 0.3 if precedence == "list" else 0.5
        yield Signal("precedence", weight, f"Precedence: {precedence}")
    if not is_discussion and headers.has("list-unsubscribe"):
        yield Signal("list", 0.5, "List-Unsubscribe is set (RFC 2369)")
    if not is_discussion and headers.has("list-id"):
        yield Signal("list-id", 0.4, "List-Id is set (RFC 2919)")
    names = {name for name, _ in headers.fields}
    if bulk := sorted(name for name in names if _BULK_FIELDS.fullmatch(name)):
        yield Signal("bulk", 0.4, f"{bulk[0]} of a bulk mailer")
    if notifier := sorted(name for name in names if _NOTIFIER_FIELDS.fullmatch(name)):
        yield Signal("notifier", 0.6, f"{notifier[0]} of a notifying program")


def _is_discussion(headers: Headers) -> bool:
    """A list that people write to, and a group whose address is a company's own."""
    post = headers.first("list-post").strip().lower()
    if post:
        return "mailto:" in post and not post.startswith("no")
    if any(headers.has(name) for name in _LIST_SERVERS):
        return True
    if not headers.has("list-id") or headers.has("list-unsubscribe-post"):
        return False
    # Without List-Post: what list servers add and bulk mailers do not.
    bounced_to = headers.first("sender") + headers.first("errors-to")
    return any(headers.has(name) for name in ("list-subscribe", "list-archive", "list-owner")) or (
        "-bounces@" in bounced_to or "owner-" in bounced_to
    )


def _sender(headers: Headers, from_address: str | None) -> Iterator[Signal]:
    local = (from_address or "").partition("@")[0]
    if not local or not _ROBOT.match(local):
        return
    reply_to = headers.first("reply-to").lower()
    if (
        reply_to
        and from_address
        and from_address not in reply_to
        and not _ROBOT.match(reply_to.strip(" <").partition("@")[0].rpartition("<")[2])
    ):
        yield Signal("sender", 0.2, "sent for a person by a robot's address")
    else:
        yield Signal("sender", 0.5, ROBOT_SENDER)


def _words(headers: Headers, text: str) -> Iterator[Signal]:
    subject = headers.text("subject")[:500]
    is_reply = _SUBJECT_REPLY.match(subject) is not None
    asks = _ASKS.search(text) is not None
    if auto := AUTO_SUBJECT.match(subject):
        # Programs put their words and a colon before the subject that they answer; a bare
        # "Out of office" is also how people head a mail about theirs.
        is_prefix = auto[0].rstrip().endswith((":", "："))
        weight = 0.9 if is_prefix else 0.4 if SPOKEN_SUBJECT.match(subject) else 0.5
        yield Signal("subject", weight, "the subject of an automatic reply")
        if not asks:
            yield Signal("no-question", 0.1, "asks nothing")
    elif READ_SUBJECT.match(subject):
        yield Signal("subject", 0.6, "the subject of a read receipt")
    elif CHALLENGE_PHRASE.search(text) and _CONFIRM.search(subject):
        yield Signal("subject", 0.5, "the subject of a challenge")
    elif not is_reply and NOTICE_SUBJECT.search(subject):
        yield Signal("subject", 0.2, "the subject of a notice")
    phrases: tuple[tuple[re.Pattern[str], float, str], ...] = (
        (AWAY_PHRASE, 0.4, "says somebody is away"),
        (RECEIVED_PHRASE, 0.3, "says a mail was received"),
        (MACHINE_PHRASE, 0.5, "says it is automatic"),
        (CHALLENGE_PHRASE, 0.6, "asks to confirm the sender"),
        (READ_PHRASE, 0.4, "says a mail was read"),
        (UNSUBSCRIBE_PHRASE, 0.3, "offers to unsubscribe"),
    )
    for pattern, weight, reason in phrases:
        if found := {match[0].lower() for match in pattern.finditer(text)}:
            # An absence tells when, and whom to ask instead: two phrases say more than one.
            more = 0.1 if len(found) > 1 else 0.0
            yield Signal(_KINDS.get(reason, "phrase"), weight + more, reason)


_KINDS: dict[str, Literal["phrase", "machine-phrase", "unsubscribe", "challenge"]] = {
    "says it is automatic": "machine-phrase",
    "offers to unsubscribe": "unsubscribe",
    "asks to confirm the sender": "challenge",
}
