"""Gathers what a reply needs to become a mail: the thread, the parent, the sender, the sources."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any
from urllib.parse import urljoin

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.messages import Citation, Reply
from bot.tables import Contact, Conversation, Message, Original
from channels.email.compose import OutgoingMail, Quoted
from channels.email.mailboxes import Mailbox, thread_tokens
from channels.email.placing import without_reply_prefix
from channels.email.threading_tokens import ThreadTokens

# Ids that reading made up for mails without one: no program knows them.
MADE_UP = ("@no-message-id", "@unread")
SUBJECTS = {
    "en": "Your message to us", "zh": "您的来信", "de": "Ihre Nachricht an uns",
    "fr": "Votre message", "es": "Su mensaje", "ja": "お問い合わせ",
}  # fmt: skip

TRANSCRIPTS = {
    "en": "Your chat with {company}", "zh": "您与 {company} 的聊天记录",
    "de": "Ihr Chat mit {company}", "fr": "Votre chat avec {company}",
    "es": "Su chat con {company}", "ja": "{company} とのチャット",
    "ar": "محادثتك مع {company}",
}  # fmt: skip


def gather(session: Session, mailbox: Mailbox, reply: Reply, public_url: str) -> OutgoingMail:
    """Everything of a reply's mail; the same at every attempt, Message-ID included."""
    conversation = session.get_one(Conversation, reply.conversation_id)
    message = session.get_one(Message, reply.message_id)
    tokens = thread_tokens(session)
    if reply.kind == "transcript":
        return _transcript(mailbox, reply, conversation, message, tokens)
    parent, original = _parent(session, message)
    headers: dict[str, Any] = json.loads(original.headers) if original is not None else {}
    subject = without_reply_prefix(str(headers.get("subject") or ""))
    return OutgoingMail(
        from_address=mailbox.setting.address,
        from_name=_from_name(mailbox, reply),
        to_address=reply.destination,
        reply_to=_reply_to(mailbox, tokens, conversation.thread),
        subject=subject or SUBJECTS.get(conversation.language, SUBJECTS["en"]),
        message_id=tokens.sign_message_id(conversation.thread, message.id, mailbox.domain),
        in_reply_to=_known_id(headers),
        references=(
            tokens.sign_root_id(conversation.thread, mailbox.domain),
            *headers.get("references", ()),
        ),
        sent_at=message.created_at.astimezone(UTC),
        text=reply.text,
        is_automatic=reply.author != "agent",
        language=conversation.language,
        sources=_sources(reply.citations, public_url),
        quoted=_quoted(session, conversation, parent, original),
        list_unsubscribe=mailbox.setting.list_unsubscribe,
    )


def _transcript(
    mailbox: Mailbox,
    reply: Reply,
    conversation: Conversation,
    message: Message,
    tokens: ThreadTokens,
) -> OutgoingMail:
    """A conversation of another channel, as a mail of its own: who answers it begins anew here."""
    subject = TRANSCRIPTS.get(conversation.language, TRANSCRIPTS["en"])
    return OutgoingMail(
        from_address=mailbox.setting.address,
        from_name=mailbox.sender_name,
        to_address=reply.destination,
        reply_to=mailbox.setting.address,
        subject=subject.format(company=mailbox.company or mailbox.sender_name),
        message_id=tokens.sign_message_id(
            tokens.make_thread(f"transcript:{reply.delivery_id}"), message.id, mailbox.domain
        ),
        in_reply_to=None,
        references=(),
        sent_at=(reply.queued_at or message.created_at).astimezone(UTC),
        text=reply.text,
        is_automatic=True,
        language=conversation.language,
        is_reply=False,
    )


def _parent(session: Session, message: Message) -> tuple[Message | None, Original | None]:
    """The customer's mail that the reply answers: the last one before it."""
    query = (
        select(Message, Original)
        .outerjoin(Original, Original.message_id == Message.id)
        .where(
            Message.conversation_id == message.conversation_id,
            Message.author == "contact",
            Message.seq < message.seq,
        )
        .order_by(Message.is_automatic, Message.seq.desc())
        .limit(1)
    )
    found = session.execute(query).one_or_none()
    return (found[0], found[1]) if found is not None else (None, None)


def _known_id(headers: dict[str, Any]) -> str | None:
    message_id = str(headers.get("message_id") or "")
    return None if not message_id or message_id.endswith(MADE_UP) else message_id


def _reply_to(mailbox: Mailbox, tokens: ThreadTokens, thread: str) -> str:
    address = mailbox.setting.address
    return tokens.sign_plus_address(thread, address) if mailbox.setting.plus_addressing else address


def _from_name(mailbox: Mailbox, reply: Reply) -> str:
    if reply.author == "agent" and reply.author_name:
        return f"{reply.author_name} ({mailbox.sender_name})"
    return mailbox.sender_name


def _sources(citations: tuple[Citation, ...], public_url: str) -> tuple[tuple[str, str], ...]:
    """The articles that carry the reply or may help, once each, with whole addresses."""
    found: dict[str, str] = {}
    for citation in citations:
        if citation.is_shown:
            url = urljoin(f"{public_url}/", citation.url) if citation.url else ""
            found.setdefault(citation.label, url if url.startswith(("http:", "https:")) else "")
    return tuple(found.items())


def _quoted(
    session: Session,
    conversation: Conversation,
    parent: Message | None,
    original: Original | None,
) -> Quoted | None:
    if parent is None:
        return None
    contact = session.get_one(Contact, conversation.contact_id)
    text = original.full_text if original is not None else parent.text
    return Quoted(contact.name, parent.sent_at.astimezone(UTC), text or parent.text)
