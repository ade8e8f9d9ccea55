"""What the staff does in Slack: answers under a card, and clicks on its buttons."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from bot import conversations
from bot.agents import MAX_NAME_CHARS
from bot.conversations import UNDER_CARD, ConversationError
from bot.events import Advance
from bot.handoff_cards import draft_of, waiting_draft
from bot.tables import Agent, AgentIdentity, Conversation, Delivery, new_id, now
from channels.slack.accounts import Account
from channels.slack.composing import NOTE_PREFIX, RESOLVE, SEND_DRAFT, TAKE_OVER
from channels.slack.files import Owner, note_files
from channels.slack.hearing import Heard
from channels.slack.payloads import Interaction

log = logging.getLogger(__name__)


class ClickRefused(Exception):
    """The click does nothing; the message tells the person why."""


@dataclass(frozen=True, slots=True)
class Card:
    """A handoff card that was posted."""

    conversation_id: UUID
    contact_id: UUID


def find_card(session: Session, account: Account, heard: Heard) -> Card | None:
    """The card in whose thread something was written."""
    query = select(Delivery).where(
        Delivery.kind == "card",
        Delivery.external_id == f"{heard.channel}/{heard.root}",
        Delivery.via_inbox_id == account.inbox_id,
    )
    found = session.scalars(query).first()
    return Card(found.conversation_id, found.contact_id) if found else None


def has_unconfirmed_card(session: Session, account: Account) -> bool:
    """Whether a card may hang in the staff's channel though nobody knows where.

    Its post's answer was lost, or is still on its way.
    """
    query = select(Delivery.id).where(*_unconfirmed(account)).limit(1)
    return session.scalar(query) is not None


def confirm_card(session: Session, account: Account, delivery: str, heard: Heard) -> bool:
    """Note that a card hangs where somebody answered; False if there is no such card.

    It is due again, so that what has changed since it was posted is shown there.
    """
    query = select(Delivery).where(Delivery.id == UUID(delivery), *_unconfirmed(account))
    card = session.scalars(query.with_for_update()).one_or_none()
    if card is None or card.destination != heard.channel:
        return False
    card.external_id = f"{heard.channel}/{heard.root}"
    if card.state == "failed":  # it did arrive
        card.state, card.attempts, card.error, card.next_attempt_at = "pending", 0, None, now()
    return True


def _unconfirmed(account: Account) -> tuple[ColumnElement[bool], ...]:
    return (
        Delivery.kind == "card",
        Delivery.via_inbox_id == account.inbox_id,
        Delivery.external_id.is_(None),
        Delivery.attempts > 0,
        Delivery.state.in_(("pending", "sending", "failed")),
    )


def knows_agent(session: Session, account: Account, user: str) -> bool:
    """Whether this Slack user has written or clicked before."""
    return _identity(session, account, user) is not None


def find_or_add_agent(session: Session, account: Account, user: str, name: str | None) -> UUID:
    """The agent who this Slack user is; a new one bears `name`, or a stand-in until it is known.

    A name that is taken is somebody else's: whoever calls themselves so in Slack does not
    become them.
    """
    found = _identity(session, account, user)
    if found is None:  # their first clicks may come at once, in several conversations
        key = f"slack-agent|{account.inbox_id}|{user}"
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
        found = _identity(session, account, user)
    if found is not None:
        return found.agent_id
    agent_id = _add_agent(session, printable(name or ""), user)
    session.add(
        AgentIdentity(
            id=new_id(),
            agent_id=agent_id,
            inbox_id=account.inbox_id,
            external_id=user,
            is_named=bool(name),
        )
    )
    session.flush()
    return agent_id


def rename_agent(session: Session, account: Account, user: str, name: str) -> None:
    """Give an agent with a stand-in name their own, unless somebody else has it."""
    found = _identity(session, account, user)
    if found is None or found.is_named:
        return
    found.is_named = True
    agent = session.get_one(Agent, found.agent_id)
    for candidate in _candidates(printable(name), user):
        if session.scalar(select(Agent.id).where(Agent.name == candidate)) is None:
            agent.name = candidate
            return


def answer_under_card(
    session: Session, account: Account, heard: Heard, name: str | None
) -> Advance | None:
    """Send what a person wrote under a card to the customer; None if it is under none.

    Redelivered, it is written once. Raises ConversationError.
    """
    card = find_card(session, account, heard)
    if card is None:
        return None
    agent_id = find_or_add_agent(session, account, heard.user, name)
    owner = Owner(account.inbox_id, card.conversation_id, card.contact_id, agent_id=agent_id)
    is_note = heard.words.lower().startswith(NOTE_PREFIX)
    if not is_note:
        note_files(session, owner, heard)
    text = heard.words[len(NOTE_PREFIX) :].strip() if is_note else heard.words
    if not text:  # files alone become messages once they are fetched
        conversation = session.get_one(Conversation, card.conversation_id)
        return Advance(conversation.id, conversation.last_seq)
    return conversations.reply_as_agent(
        session,
        card.conversation_id,
        agent_id,
        text,
        private=is_note,
        client_id=f"{UNDER_CARD}{heard.channel}/{heard.ts}",
    )


def click(
    session: Session, account: Account, interaction: Interaction, name: str | None
) -> Advance:
    """Do what a button of a card says, once. Raises ClickRefused, ConversationError."""
    action = interaction.actions[0]
    value, _, more = action.value.partition("/")
    card = _clicked_card(session, account, interaction, value)
    # The agent before the conversation, as under a card: two orders would wait for each other.
    agent_id = find_or_add_agent(session, account, interaction.user.id, name)
    conversation = session.get_one(Conversation, card.conversation_id, with_for_update=True)
    act = _ACTIONS.get(action.action_id)
    if act is None:
        raise ClickRefused("This button is not known any more.")
    return act(session, conversation, agent_id, more)


def _take_over(session: Session, conversation: Conversation, agent_id: UUID, _: str) -> Advance:
    if conversation.assignee_id == agent_id:
        return Advance(conversation.id, conversation.last_seq)
    if conversation.assignee_id is not None:
        owner = session.get_one(Agent, conversation.assignee_id).name
        raise ClickRefused(f"{owner} has this conversation already.")
    return conversations.take_over(session, conversation.id, agent_id)


def _resolve(session: Session, conversation: Conversation, _agent: UUID, _: str) -> Advance:
    return conversations.resolve(session, conversation.id)


def _send_draft(
    session: Session, conversation: Conversation, agent_id: UUID, run_id: str
) -> Advance:
    waiting = waiting_draft(session, conversation.id)
    if waiting is not None and str(waiting.id) == run_id:
        return conversations.approve_draft(session, conversation.id, agent_id)
    try:
        text = draft_of(session, conversation.id, UUID(run_id))
    except ValueError:
        text = ""
    if not text:
        raise ClickRefused("This draft is not there any more.")
    return conversations.reply_as_agent(
        session, conversation.id, agent_id, text, client_id=f"draft:{run_id}"
    )


_ACTIONS: dict[str, Callable[[Session, Conversation, UUID, str], Advance]] = {
    TAKE_OVER: _take_over,
    RESOLVE: _resolve,
    SEND_DRAFT: _send_draft,
}


def _clicked_card(
    session: Session, account: Account, interaction: Interaction, value: str
) -> Delivery:
    """The card of a click, if it hangs in this account's staff channel."""
    try:
        card = session.get(Delivery, UUID(value))
    except ValueError:
        card = None
    where = interaction.channel.id if interaction.channel else None
    if (
        card is None
        or card.kind != "card"
        or card.via_inbox_id != account.inbox_id
        or card.destination != where
    ):
        raise ClickRefused("This card is not known here.")
    return card


def _identity(session: Session, account: Account, user: str) -> AgentIdentity | None:
    query = select(AgentIdentity).where(
        AgentIdentity.inbox_id == account.inbox_id, AgentIdentity.external_id == user
    )
    return session.scalars(query).one_or_none()


def _add_agent(session: Session, name: str, user: str) -> UUID:
    for candidate in _candidates(name, user):
        agent_id = new_id()
        added = session.execute(
            insert(Agent)
            .values(id=agent_id, name=candidate)
            .on_conflict_do_nothing()
            .returning(Agent.id)
        )
        if added.one_or_none() is not None:
            return agent_id
    raise ConversationError("No free name was found for this person.")


def _candidates(name: str, user: str) -> list[str]:
    stand_in = f"Slack {user}"[:MAX_NAME_CHARS]
    return [name, f"{name} (Slack)"[:MAX_NAME_CHARS], stand_in] if name else [stand_in]


def printable(name: str) -> str:
    """A name as an agent may bear it."""
    return "".join(c for c in name if c.isprintable()).strip()[: MAX_NAME_CHARS - 8].strip()
