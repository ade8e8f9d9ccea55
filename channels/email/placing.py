"""Where a read mail belongs: which conversation, as whose message, and what the staff is told.

Only a signature of ours with the sender that it was given to joins a conversation (promise 14).
A sender that does not match gets a conversation of their own, and people look at it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversations import BounceNotice, is_forgotten, keyed_hash
from bot.file_types import warning_of
from bot.letters import find_letter
from bot.messages import MAX_TEXT_CHARS, Attachment, IncomingMessage, OriginalMessage
from bot.tables import ContactIdentity, Conversation, Delivery, now
from channels.email.mail import MailAttachment, MailMessage
from channels.email.mailboxes import Mailbox, thread_tokens

CUT = "\n[…] The rest of this mail is in its original."
NO_TEXT = "(a mail without text)"
SENDER_MISMATCH = "sender-mismatch"

_REPLY_PREFIX = re.compile(
    r"^\s*(?:(?:re|aw|antw|sv|vs|fwd?|wg|tr|rv|res|ynt|回复|答复|回覆|转发|轉寄|返信)"
    r"(?:\[\d+\])?\s*[:：]\s*)+",
    re.IGNORECASE,
)


_STAFF_LINK = re.compile(r"/desk/(?:invitation|link)#")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The mail's conversation was deleted: it is not taken in again."""


@dataclass(frozen=True, slots=True)
class ReportOf:
    """A delivery report about a mail of this conversation."""

    conversation_id: UUID
    notice: BounceNotice
    message: IncomingMessage


@dataclass(frozen=True, slots=True)
class ReturnedLetter:
    """A delivery report about a link that was mailed to the staff. It is not stored: it may hold
    the link, and everybody of the staff reads conversations."""

    letter_id: UUID
    notice: BounceNotice


Placed = IncomingMessage | ReportOf | ReturnedLetter | Forgotten


def place(session: Session, mailbox: Mailbox, mail: MailMessage, raw: bytes) -> Placed:
    """Say where the mail belongs. Nothing is written."""
    external_id = external_id_of(session, mail)
    if is_forgotten(session, mailbox.inbox_id, external_id):
        return Forgotten()
    letter_id = _returned(session, mail)
    if letter_id is not None:
        return ReturnedLetter(letter_id, _notice(mail))
    reported = _reported(session, mailbox, mail)
    if reported is not None:
        message = make_message(session, mailbox, mail, raw, external_id, None)
        return ReportOf(reported, _notice(mail), message)
    named = _named_conversation(session, mailbox, mail)
    return make_message(session, mailbox, mail, raw, external_id, named)


def explain_thread(
    session: Session, mailboxes: Sequence[Mailbox], mail: MailMessage
) -> tuple[str | None, str]:
    """The thread that a mail would join in any of these mailboxes, and by what; writes nothing.

    What joins is a name that we signed or sent together with the sender it was given to, for
    instance `in-reply-to+sender`. `sender-mismatch` is put apart, `unknown-conversation` is one
    that was deleted or is another installation's, and `none` begins a new one.
    """
    for mailbox in mailboxes:
        named = _named_conversation(session, mailbox, mail)
        if named is None:
            continue
        sender, _ = _sender(mailbox, mail)
        if sender is None or not _is_contact_of(session, mailbox, named, sender):
            return None, SENDER_MISMATCH
        by = mail.thread.by if mail.thread.match is not None else "sent-id"
        return named.thread, f"{by}+sender"
    return None, "unknown-conversation" if mail.thread.match is not None else "none"


def external_id_of(session: Session, mail: MailMessage) -> str:
    """The same for every copy of a mail, and another sender's mail never has it.

    The date is part of it, since some programs give all their mails one Message-ID.
    """
    date = mail.date.isoformat() if mail.date else ""
    named = f"{mail.message_id}|{mail.from_address or ''}|{date}"
    return f"mail:{keyed_hash(session, 'mail-id', named).hex()[:40]}"


def make_message(
    session: Session,
    mailbox: Mailbox,
    mail: MailMessage,
    raw: bytes,
    external_id: str,
    named: Conversation | None,
) -> IncomingMessage:
    """The mail as intake takes it; `named` is the conversation that a signature of ours names."""
    sender, name = _sender(mailbox, mail)
    contact = sender or f"unknown sender of {external_id}"
    joins = named is not None and _is_contact_of(session, mailbox, named, contact)
    thread = named.thread if named is not None and joins else None
    if named is None:  # its conversation was deleted, or is another inbox's: begin anew under it
        thread = mail.thread.match
    note, reason = _told(mail, sender, named if not joins else None)
    return IncomingMessage(
        inbox_id=mailbox.inbox_id,
        channel="email",
        external_id=external_id,
        thread=thread or _own_thread(session, mailbox, external_id),
        contact=contact,
        contact_name=_one_line(name or "")[:200] or None,
        text=text_of(mail),
        sent_at=min(mail.date or now(), now()),
        attachments=tuple(_attachment(each) for each in mail.attachments),
        is_automatic=mail.automatic,
        original=_original(mail, raw),
        staff_note=note,
        for_people=None if mail.automatic else reason,
        begins_thread=thread is None,
    )


def _own_thread(session: Session, mailbox: Mailbox, external_id: str) -> str:
    """The thread that a mail begins: the same for each of its copies, and nobody else's."""
    return thread_tokens(session).make_thread(f"{mailbox.inbox_id}|{external_id}")


def text_of(mail: MailMessage) -> str:
    """What the sender wrote; the subject where they wrote nothing else."""
    text = mail.visible_text.replace("\x00", "").strip() or _one_line(mail.subject) or NO_TEXT
    return text if len(text) <= MAX_TEXT_CHARS else text[: MAX_TEXT_CHARS - len(CUT)] + CUT


def topic_of(subject: str) -> str:
    """A subject without reply marks, numbers and punctuation, for budgets alone."""
    return "".join(c for c in _REPLY_PREFIX.sub("", subject).casefold() if c.isalpha())[:200]


def without_reply_prefix(subject: str) -> str:
    """A subject without `Re:`, `AW:` and their kind before it."""
    return _REPLY_PREFIX.sub("", _one_line(subject)).strip()


def _sender(mailbox: Mailbox, mail: MailMessage) -> tuple[str | None, str | None]:
    """Who wrote. Of a form mailer that the operator named, the customer in its Reply-To."""
    gateways = {address.lower() for address in mailbox.setting.gateways}
    if mail.from_address in gateways and len(mail.reply_to) == 1:
        return mail.reply_to[0].lower(), None
    return mail.from_address, mail.from_name


def _named_conversation(
    session: Session, mailbox: Mailbox, mail: MailMessage
) -> Conversation | None:
    if mail.thread.match is not None:
        return _conversation_of(session, mailbox, mail.thread.match)
    return _of_sent_ids(session, mailbox, (*mail.in_reply_to, *reversed(mail.references)))


def _conversation_of(session: Session, mailbox: Mailbox, thread: str) -> Conversation | None:
    query = (
        select(Conversation)
        .where(
            Conversation.inbox_id == mailbox.inbox_id,
            Conversation.thread_hash == keyed_hash(session, "thread", thread),
        )
        .order_by(Conversation.number.desc())
        .limit(1)
    )
    return session.scalars(query).one_or_none()


def _of_sent_ids(
    session: Session, mailbox: Mailbox, message_ids: tuple[str, ...]
) -> Conversation | None:
    """The conversation of a mail that we sent under one of these ids."""
    if not message_ids:
        return None
    query = (
        select(Conversation)
        .join(Delivery, Delivery.conversation_id == Conversation.id)
        .where(
            Conversation.inbox_id == mailbox.inbox_id,
            Delivery.external_id.in_(list(message_ids[:100])),
        )
        .order_by(Conversation.number.desc())
        .limit(1)
    )
    return session.scalars(query).one_or_none()


def _is_contact_of(
    session: Session, mailbox: Mailbox, conversation: Conversation, sender: str
) -> bool:
    query = select(ContactIdentity.id).where(
        ContactIdentity.inbox_id == mailbox.inbox_id,
        ContactIdentity.contact_id == conversation.contact_id,
        ContactIdentity.address_hash == keyed_hash(session, "address", sender),
    )
    return session.scalar(query) is not None


def _told(
    mail: MailMessage, sender: str | None, other: Conversation | None
) -> tuple[str | None, str | None]:
    """A note for the staff, and the reason why the bot must not answer."""
    if sender is None:
        doubt = mail.from_doubt or "the mail names no sender"
        return f"Nobody knows for sure who wrote this mail: {doubt}.", "unknown_sender"
    if other is not None:
        return (
            f"This mail answers conversation {other.number}, but another sender wrote that one. "
            "It was put apart; nothing of that conversation was shown to this sender.",
            "sender_mismatch",
        )
    return None, None


def _returned(session: Session, mail: MailMessage) -> UUID | None:
    """The letter to the staff that a delivery report is about."""
    if mail.bounce is None or not mail.bounce.original_message_id:
        return None
    return find_letter(session, [mail.bounce.original_message_id.strip().strip("<>")])


def quoted_letter(session: Session, mail: MailMessage) -> UUID | None:
    """The letter to the staff that a mail answers and whose link it quotes."""
    if mail.bounce is not None or _STAFF_LINK.search(mail.full_text) is None:
        return None
    answered = (*mail.in_reply_to, *mail.references)
    return find_letter(session, [each.strip().strip("<>") for each in answered])


def _reported(session: Session, mailbox: Mailbox, mail: MailMessage) -> UUID | None:
    """The conversation of the mail that a delivery report is about."""
    if mail.bounce is None:
        return None
    found = None
    if mail.bounce.thread is not None:
        found = _conversation_of(session, mailbox, mail.bounce.thread)
    if found is None and mail.bounce.original_message_id:
        found = _of_sent_ids(session, mailbox, (mail.bounce.original_message_id,))
    return found.id if found is not None else None


def _notice(mail: MailMessage) -> BounceNotice:
    assert mail.bounce is not None, "the mail was found to be a report"
    return BounceNotice(
        mail.bounce.status, mail.bounce.kind == "permanent", mail.bounce.original_message_id
    )


def _original(mail: MailMessage, raw: bytes) -> OriginalMessage:
    headers: dict[str, Any] = {
        "message_id": mail.message_id,
        "in_reply_to": list(mail.in_reply_to[-20:]),
        "references": list(mail.references[-20:]),
        "subject": _one_line(mail.subject)[:1000],
        "from": mail.from_address,
        "to": list(mail.to[:50]),
        "cc": list(mail.cc[:50]),
        "reply_to": list(mail.reply_to[:5]),
        "date": mail.date.astimezone(UTC).isoformat() if mail.date else None,
        "reasons": list(mail.reasons),
        "defects": list(mail.defects[:20]),
    }
    return OriginalMessage(
        "message/rfc822", raw, mail.full_text.replace("\x00", ""), headers, topic_of(mail.subject)
    )


def _attachment(found: MailAttachment) -> Attachment:
    return Attachment(
        _one_line(found.name)[:255] or "file",
        found.media_type[:200],
        found.content,
        found.refused or warning_of(found.name),
    )


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
