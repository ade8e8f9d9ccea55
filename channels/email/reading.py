"""The front door of e-mail reading: any byte string becomes a MailMessage, purely."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from channels.email.addresses import read_addresses, read_sender
from channels.email.attachments import take_attachments
from channels.email.automatic import judge
from channels.email.body import full_text, new_words, read_body
from channels.email.bounces import find_hints, read_loose_report, read_report
from channels.email.forwards import is_the_forwarded_mail_meant
from channels.email.headers import Headers, read_date, read_ids
from channels.email.mail import (
    Bounce,
    Envelope,
    MailAttachment,
    MailMessage,
    OwnMail,
    ThreadMatch,
)
from channels.email.mime import read_parts
from channels.email.quotes import SplitText
from channels.email.threading_tokens import without_token

__all__ = [
    "Bounce",
    "Envelope",
    "MailAttachment",
    "MailMessage",
    "OwnMail",
    "ThreadMatch",
    "read_mail",
]

NO_MESSAGE_ID = "no Message-ID"
MAX_MAIL_BYTES = 50 * 1024 * 1024
# Where a mail system notes the address that a mail was delivered to, plus part and all.
_RECIPIENT_FIELDS = (
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "x-envelope-to",
    "x-forwarded-to",
    "x-rcpt-to",
    "x-delivered-to",
    "original-recipient",
    "apparently-to",
    "resent-to",
    "to",
    "cc",
)


def read_mail(raw: bytes, own: OwnMail, envelope: Envelope | None = None) -> MailMessage:
    """Read a mail; never raises, whatever the bytes are.

    Bytes beyond MAX_MAIL_BYTES are left out of the reading. `envelope` adds what SMTP knew: the
    null sender, and the recipient as it was before forwarding.
    """
    root, defects = read_parts(raw[:MAX_MAIL_BYTES])
    headers = root.headers
    sender = read_sender(headers)
    message_id = read_message_id(headers, raw)
    body = read_body(root)
    whole = full_text(body)
    words = new_words(body)
    subject = " ".join(headers.text("subject").split())[:1000]
    thread = match_thread(headers, own, envelope)
    hints = find_hints(headers, sender.address, whole)
    judged = judge(root, sender.address, message_id, words.visible, hints, own, envelope)
    report = read_report(root, own.tokens)
    bounce = report.bounce if report else None
    if report is None and judged.automatic and _is_loose_report(hints.count, headers):
        known = {*(without_token(a) for a in own.addresses), *own.addresses, sender.address or ""}
        bounce = read_loose_report(root, whole, own.tokens, known)
    # What stands below an answer to us is ours, and known.
    if thread.match is None and is_the_forwarded_mail_meant(words.visible, whole, subject):
        words = SplitText(whole, 0)
    return MailMessage(
        message_id=message_id,
        from_address=sender.address,
        from_name=sender.name,
        from_doubt=sender.doubt,
        to=_addresses(headers, "to"),
        cc=_addresses(headers, "cc"),
        reply_to=_addresses(headers, "reply-to"),
        subject=subject,
        date=read_date(headers.first("date")),
        in_reply_to=read_ids(" ".join(headers.all("in-reply-to"))),
        references=read_ids(" ".join(headers.all("references"))),
        thread=thread,
        automatic=judged.automatic,
        reasons=judged.reasons,
        bounce=bounce,
        visible_text=words.visible,
        full_text=whole,
        quoted_chars=words.quoted_chars,
        attachments=take_attachments(body.files),
        defects=(*defects, *_more_defects(headers, raw, body.is_encrypted)),
    )


def read_message_id(headers: Headers, raw: bytes) -> str:
    """The Message-ID without brackets; where there is none, one made from the mail's bytes.

    Of several the first counts: relays append theirs. Transport fields differ between two
    deliveries of one mail, so a made id hashes what the sender wrote.
    """
    ids = read_ids(headers.first("message-id")) or read_ids(" ".join(headers.all("message-id")))
    if ids:
        return ids[0][:500]
    kept = [f"{n}:{headers.first(n)}" for n in ("from", "to", "date", "subject")]
    body = raw.partition(b"\r\n\r\n")[2] or raw.partition(b"\n\n")[2] or raw
    digest = hashlib.sha256("\n".join(kept).encode("utf-8", "replace") + b"\n" + body)
    return f"{digest.hexdigest()[:40]}@no-message-id.invalid"


def match_thread(headers: Headers, own: OwnMail, envelope: Envelope | None = None) -> ThreadMatch:
    """The conversation that a signature of ours names: in an address, else in the ids.

    Subjects, Thread-Topic and numbers in the text are never looked at: anyone can write them.
    """
    if own.tokens is None:
        return ThreadMatch(None, "none")
    for address in _recipients(headers, envelope):
        if token := own.tokens.verify_plus_address(address):
            return ThreadMatch(token, "plus-address")
    for message_id in read_ids(" ".join(headers.all("in-reply-to"))):
        if token := own.tokens.verify_message_id(message_id):
            return ThreadMatch(token, "in-reply-to")
    for message_id in reversed(read_ids(" ".join(headers.all("references")))):
        if token := own.tokens.verify_message_id(message_id):
            return ThreadMatch(token, "references")
    return ThreadMatch(None, "none")


def _recipients(headers: Headers, envelope: Envelope | None) -> Iterable[str]:
    yield from envelope.recipients if envelope else ()
    for name in _RECIPIENT_FIELDS:
        for one in read_addresses(headers.all(name)):
            yield one.address


def _addresses(headers: Headers, name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.address for one in read_addresses(headers.all(name))))


def _is_loose_report(hints: int, headers: Headers) -> bool:
    return hints >= 2 or headers.has("x-failed-recipients")


def _more_defects(headers: Headers, raw: bytes, is_encrypted: bool) -> tuple[str, ...]:
    found = {
        "encrypted": is_encrypted,
        "larger than is read": len(raw) > MAX_MAIL_BYTES,
        "no header": not headers.fields,
        "several Message-IDs": len(headers.all("message-id")) > 1,
        NO_MESSAGE_ID: not headers.has("message-id"),
        "several From fields": len(headers.all("from")) > 1,
    }
    return tuple(name for name, is_so in found.items() if is_so)
