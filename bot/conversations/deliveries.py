"""What is to be delivered: rows of `delivery`, written with the change that they tell of.

A reply goes to the customer. Where an inbox names a channel of the staff, a conversation that
needs a person also puts a card there, and what the customer writes later is a notice under it.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, select, update
from sqlalchemy.orm import Session

from bot.messages import ChannelName, DeliveryKind
from bot.sealing import keyring_of
from bot.tables import ContactIdentity, Conversation, Delivery, Inbox, Message, new_id

# Channels whose adapters push; a chat visitor's browser reads the committed events itself.
PUSHED_CHANNELS: frozenset[ChannelName] = frozenset({"email", "slack"})
# Of those, the ones where a message that was sent can be replaced while it grows.
GROWING_CHANNELS: frozenset[ChannelName] = frozenset({"slack"})
# A person can read along at this pace, and it is well within Slack's 50 updates a minute.
REVISE_EVERY = timedelta(seconds=1.5)
# An inbox's settings: where its cards go, and of which inboxes (of all, where none is named).
STAFF_CHANNEL, STAFF_OF = "staff_channel", "staff_of"
# Marks the inboxes of `frontdesk simulate`: no handoff of theirs calls real people, nor back.
SIMULATED = "simulated"
# The staff channel that only takes notices: nothing can be revised or answered there.
NOTICES_ONLY = "webhook"
# How the client id of a message begins that was written under a card: it is there already.
UNDER_CARD = "staff:"


def deliver_growing(session: Session, conversation: Conversation, reply: Message) -> None:
    """Note that the bot's reply has grown by a sentence."""
    if not _change(session, Delivery.message_id == reply.id, Delivery.kind == "reply"):
        _add(session, conversation, reply.id, "reply", conversation.thread)


def deliver_reply(session: Session, conversation: Conversation, message: Message) -> None:
    """Note a finished reply. What a take-over cut off before it was sent is not sent now."""
    inbox = session.get_one(Inbox, conversation.inbox_id)
    if inbox.channel not in PUSHED_CHANNELS:
        return
    is_noted = _change(session, Delivery.message_id == message.id, Delivery.kind == "reply")
    if not is_noted and not message.partial:
        destination = _destination(session, inbox, conversation)
        _add(session, conversation, message.id, "reply", destination)


def call_staff(session: Session, conversation: Conversation) -> None:
    """Put a card of the conversation before the staff, unless one of them has it already."""
    if conversation.assignee_id is not None:
        return
    newest = _newest_message(session, conversation)
    for inbox in _staff_inboxes(session, conversation):
        place = str(inbox.settings[STAFF_CHANNEL])
        if newest is not None and not _has_card(session, newest, place):
            _add(session, conversation, newest, "card", place, via=inbox.id)


def refresh_cards(session: Session, conversation: Conversation) -> None:
    """Let the conversation's cards show how it stands now."""
    _change(session, Delivery.conversation_id == conversation.id, Delivery.kind == "card")


def tell_staff(session: Session, conversation: Conversation, message: Message) -> None:
    """Copy a message to under the newest card, unless it was written there."""
    if message.client_id and message.client_id.startswith(UNDER_CARD):
        return
    for card in _newest_cards(session, conversation):
        if card.destination != NOTICES_ONLY and card.message_id != message.id:
            _add(
                session,
                conversation,
                message.id,
                "notice",
                card.destination,
                via=card.via_inbox_id,
            )


def deliver_transcript(
    session: Session, conversation: Conversation, address: str, inbox_id: UUID
) -> bool:
    """Note that the conversation is to be mailed, once for what was said so far.

    False where nothing was said yet.
    """
    query = (
        select(Message.id)
        .where(Message.conversation_id == conversation.id, Message.private.is_(False))
        .order_by(Message.seq.desc())
        .limit(1)
    )
    newest = session.scalar(query)
    if newest is None:
        return False
    is_noted = select(Delivery.id).where(
        Delivery.message_id == newest,
        Delivery.kind == "transcript",
        Delivery.destination_hash == _hash(session, address),
    )
    if session.scalar(is_noted) is None:
        _add(session, conversation, newest, "transcript", address, via=inbox_id)
    return True


def _add(
    session: Session,
    conversation: Conversation,
    message_id: UUID,
    kind: DeliveryKind,
    destination: str,
    via: UUID | None = None,
) -> None:
    delivery = Delivery(
        id=new_id(),
        message_id=message_id,
        conversation_id=conversation.id,
        contact_id=conversation.contact_id,
        epoch=conversation.epoch,
        destination_hash=_hash(session, destination),
        state="pending",
        attempts=0,
        kind=kind,
        via_inbox_id=via,
    )
    delivery.destination = destination
    session.add(delivery)
    session.flush()


def _change(session: Session, *which: ColumnElement[bool]) -> bool:
    """Count a change of what is to be seen; what was sent is due again. False if there is none."""
    was_sent = Delivery.state == "sent"
    soonest = func.greatest(func.clock_timestamp(), Delivery.sent_at + REVISE_EVERY)
    changed = session.execute(
        update(Delivery)
        .where(*which)
        .values(
            version=Delivery.version + 1,
            state=case((was_sent, "pending"), else_=Delivery.state),
            attempts=case((was_sent, 0), else_=Delivery.attempts),
            next_attempt_at=case((was_sent, soonest), else_=Delivery.next_attempt_at),
        )
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    return bool(changed.all())


def _destination(session: Session, inbox: Inbox, conversation: Conversation) -> str:
    """A mail goes to the contact's address; elsewhere the thread is the place."""
    if inbox.channel != "email":
        return conversation.thread
    query = (
        select(ContactIdentity)
        .where(
            ContactIdentity.inbox_id == inbox.id,
            ContactIdentity.contact_id == conversation.contact_id,
        )
        .order_by(ContactIdentity.created_at.desc())
        .limit(1)
    )
    identity = session.scalars(query).one_or_none()
    return identity.address if identity is not None else conversation.thread


def _newest_message(session: Session, conversation: Conversation) -> UUID | None:
    query = (
        select(Message.id)
        .where(Message.conversation_id == conversation.id, Message.author == "contact")
        .order_by(Message.seq.desc())
        .limit(1)
    )
    return session.scalar(query)


def _staff_inboxes(session: Session, conversation: Conversation) -> list[Inbox]:
    own = session.get_one(Inbox, conversation.inbox_id)
    query = select(Inbox).where(Inbox.settings.has_key(STAFF_CHANNEL)).order_by(Inbox.name)
    return [
        inbox
        for inbox in session.scalars(query)
        if own.name in inbox.settings.get(STAFF_OF, [own.name])
        and bool(inbox.settings.get(SIMULATED)) == bool(own.settings.get(SIMULATED))
    ]


def _has_card(session: Session, message_id: UUID, place: str) -> bool:
    query = select(Delivery.id).where(
        Delivery.message_id == message_id,
        Delivery.kind == "card",
        Delivery.destination_hash == _hash(session, place),
    )
    return session.scalar(query) is not None


def _newest_cards(session: Session, conversation: Conversation) -> list[Delivery]:
    query = (
        select(Delivery)
        .where(
            Delivery.conversation_id == conversation.id,
            Delivery.kind == "card",
            Delivery.state.in_(("pending", "sending", "sent")),
        )
        .order_by(Delivery.created_at)
    )
    return list({card.destination_hash: card for card in session.scalars(query)}.values())


def _hash(session: Session, destination: str) -> bytes:
    return keyring_of(session).keyed_hash(session, "thread", destination)
