"""A whole conversation as the text of one mail, for the customer who asked for it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from bot.tables import Contact, Conversation
from bot.transcripts import MessageView, messages_of

MAX_CHARS = 200_000
CUT = "[…]"
# Who speaks, where no name is known: the customer, the bot, the staff, the system.
_AUTHORS = {
    "en": ("You", "Assistant", "Team", "Notice"),
    "zh": ("您", "助手", "客服", "通知"),
    "de": ("Sie", "Assistent", "Team", "Hinweis"),
    "fr": ("Vous", "Assistant", "Équipe", "Avis"),
    "es": ("Usted", "Asistente", "Equipo", "Aviso"),
    "ja": ("お客様", "アシスタント", "担当者", "お知らせ"),
    "ar": ("أنت", "المساعد", "الفريق", "إشعار"),
}


def mailed_transcript(session: Session, conversation_id: UUID) -> str:
    """All that the customer could see, oldest first, as Markdown; notes are left out."""
    conversation = session.get_one(Conversation, conversation_id)
    contact = session.get_one(Contact, conversation.contact_id)
    told = [
        _entry(message, conversation.language, contact.name)
        for message in messages_of(session, conversation_id)
        if message.state != "draft" and (message.text.strip() or message.attachments)
    ]
    text = "\n\n".join(told)
    # The end of a conversation says more than its beginning.
    return text if len(text) <= MAX_CHARS else f"{CUT}\n\n{text[-MAX_CHARS:]}"


def _entry(message: MessageView, language: str, contact_name: str) -> str:
    names = dict(
        zip(
            ("contact", "bot", "agent", "system"),
            _AUTHORS.get(language, _AUTHORS["en"]),
            strict=True,
        )
    )
    known = contact_name if message.author == "contact" else message.author_name
    name = _plain(known or names[message.author])
    lines = [
        *message.text.strip().splitlines(),
        *(f"[{_plain(a.name)}]" for a in message.attachments),
    ]
    # A quote of its own: what one message opens in Markdown ends with that message.
    quoted = "\n".join(f"> {line}" for line in lines)
    return f"**{name}**, {message.created_at:%Y-%m-%d %H:%M} UTC\n\n{quoted}"


def _plain(name: str) -> str:
    return "".join(c for c in name if c not in "*_[]`<>\\").strip()
