"""The front door of e-mail reading: any byte string becomes a MailMessage, purely."""

from __future__ import annotations

import email
import email.policy
import hashlib
from email.utils import getaddresses, parseaddr

from channels.email.mail import (
    Bounce,
    Envelope,
    MailAttachment,
    MailMessage,
    OwnMail,
    ThreadMatch,
)

__all__ = [
    "Bounce",
    "Envelope",
    "MailAttachment",
    "MailMessage",
    "OwnMail",
    "ThreadMatch",
    "read_mail",
]


def read_mail(raw: bytes, own: OwnMail, envelope: Envelope | None = None) -> MailMessage:
    """Read a mail; never raises, whatever the bytes are. (First version: the happy path.)"""
    parsed = email.message_from_bytes(raw)
    name, address = parseaddr(str(parsed.get("From", "")))
    ids = str(parsed.get("In-Reply-To", "")).split()
    references = str(parsed.get("References", "")).split()
    body = next((p for p in parsed.walk() if p.get_content_type() == "text/plain"), None)
    payload = body.get_payload(decode=True) if body is not None else b""
    text = (payload if isinstance(payload, bytes) else b"").decode("utf-8", "replace").strip()
    recipients = [pair[1] for pair in getaddresses([str(v) for v in parsed.get_all("To", [])])]
    everyone = [*(envelope.recipients if envelope else ()), *recipients]
    return MailMessage(
        message_id=str(parsed.get("Message-ID", "")).strip(" <>\r\n\t")
        or f"{hashlib.sha256(raw).hexdigest()[:40]}@no-message-id",
        from_address=address.lower() or None,
        from_name=name or None,
        from_doubt=None,
        to=tuple(recipients),
        cc=(),
        reply_to=(),
        subject=str(parsed.get("Subject", "")),
        date=None,
        in_reply_to=tuple(i.strip("<>") for i in ids),
        references=tuple(i.strip("<>") for i in references),
        thread=_match(own, everyone, ids, references),
        automatic=str(parsed.get("Auto-Submitted", "no")).lower() != "no",
        reasons=(),
        bounce=None,
        visible_text=text,
        full_text=text,
        quoted_chars=0,
        attachments=(),
    )


def _match(own: OwnMail, everyone: list[str], ids: list[str], references: list[str]) -> ThreadMatch:
    if own.tokens is None:
        return ThreadMatch(None, "none")
    for address in everyone:
        if token := own.tokens.verify_plus_address(address):
            return ThreadMatch(token, "plus-address")
    for message_id in ids:
        if token := own.tokens.verify_message_id(message_id):
            return ThreadMatch(token, "in-reply-to")
    for message_id in reversed(references):
        if token := own.tokens.verify_message_id(message_id):
            return ThreadMatch(token, "references")
    return ThreadMatch(None, "none")
