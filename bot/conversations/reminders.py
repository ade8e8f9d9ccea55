"""Conversations that wait and nobody answers: the staff is reminded, then the customer is told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload

from bot.conversations.deliveries import tell_staff
from bot.conversations.steps import append, schedule_delivery, unanswered
from bot.events import Advance
from bot.policy import PolicyError, policy_of
from bot.tables import Conversation, Inbox, now

AT_ONCE = 50

_TOLD = {
    "en": "We have not forgotten you: everybody is busy right now, and somebody will answer here "
    "as soon as possible.",
    "zh": "我们没有忘记您：同事们现在都很忙，会尽快在这里回复您。",
    "de": "Wir haben Sie nicht vergessen: Gerade sind alle beschäftigt, und jemand antwortet Ihnen "
    "hier so bald wie möglich.",
    "es": "No le hemos olvidado: ahora mismo todos están ocupados y alguien le responderá aquí lo "
    "antes posible.",
    "fr": "Nous ne vous avons pas oublié : tout le monde est occupé en ce moment, et quelqu'un "
    "vous répondra ici dès que possible.",
    "ja": "お待たせしており申し訳ございません。ただいま担当者の手がふさがっております。順次こちらで"
    "ご返信いたします。",
    "ar": "لم ننسَك: الجميع مشغولون الآن، وسيرد عليك أحدنا هنا في أقرب وقت ممكن.",
}


def remind(session: Session) -> list[Advance]:
    """Remind of some conversations that wait too long, each once; nothing while it is closed."""
    advances: dict[UUID, Advance] = {}
    for inbox in session.scalars(select(Inbox)).all():
        try:
            policy = policy_of(inbox.settings, inbox.channel)
        except PolicyError:
            continue  # an inbox that cannot be used is told of where its messages come in
        if policy.opening_after(now()) is not None:
            continue
        for conversation in _due(session, inbox, policy.remind_after, Conversation.reminded_at):
            _remind_staff(session, conversation)
            advances[conversation.id] = Advance(conversation.id, conversation.last_seq)
        for conversation in _due(session, inbox, policy.tell_after, Conversation.told_waiting_at):
            conversation.told_waiting_at = now()
            if unanswered(session, conversation):  # else it waits for us alone, after a snooze
                _tell_customer(session, conversation)
            advances[conversation.id] = Advance(conversation.id, conversation.last_seq)
    session.flush()
    return list(advances.values())


def _due(
    session: Session,
    inbox: Inbox,
    after: timedelta | None,
    done_at: InstrumentedAttribute[datetime | None],
) -> Sequence[Conversation]:
    """Those that wait for so long and were not spoken of yet: once for each time of waiting."""
    if after is None:
        return ()
    since = Conversation.waiting_since
    query = (
        select(Conversation)
        .where(
            Conversation.inbox_id == inbox.id,
            Conversation.status == "open",
            since < now() - after,
            or_(done_at.is_(None), done_at < since),
        )
        .order_by(since)
        .options(joinedload(Conversation.inbox, innerjoin=True))
        .with_for_update(of=Conversation, skip_locked=True)
        .limit(AT_ONCE)
        .execution_options(populate_existing=True)
    )
    return session.scalars(query).all()


def _remind_staff(session: Session, conversation: Conversation) -> None:
    assert conversation.waiting_since is not None, "only what waits is due"
    minutes = int((now() - conversation.waiting_since).total_seconds() // 60)
    text = f"Nobody has answered for {_span(minutes)}."
    note = append(session, conversation, "system", text, private=True)
    conversation.reminded_at = now()
    session.flush()
    tell_staff(session, conversation, note)


def _tell_customer(session: Session, conversation: Conversation) -> None:
    text = _TOLD.get(conversation.language, _TOLD["en"])
    message = append(session, conversation, "system", text)
    session.flush()
    schedule_delivery(session, conversation, message)


def _span(minutes: int) -> str:
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours"
