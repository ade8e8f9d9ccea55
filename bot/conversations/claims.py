"""The bot's run: claim the unanswered messages, commit sentence by sentence, finish or let go.

Every commit compares owner (`epoch`) and run (`lease_token`) under the row's lock.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, exists, func, or_, select, update
from sqlalchemy.orm import Session

from bot.conversations.budgets import spend
from bot.conversations.deliveries import GROWING_CHANNELS, deliver_growing, refresh_cards
from bot.conversations.search_index import index_message, terms_of_message
from bot.conversations.steps import (
    IS_UNANSWERED,
    ConversationError,
    add_message,
    give_to_people,
    is_unanswered,
    lock,
    note_reply,
    policy_of_inbox,
    record_event,
)
from bot.conversations.writing import add_unread, write
from bot.events import Advance
from bot.messages import ChannelName, Turn, append_sentence
from bot.policy import Policy
from bot.tables import AnswerRun, Conversation, Delivery, Event, Inbox, Message, new_id, now

MAX_FAILURES = 3

MAX_DEATHS = 5

DRAFTED = "draft"
"""The reason why a conversation is with people while a draft of the bot's waits for them."""


class RunStopped(Exception):
    """The run may write no more: a person took over, or another run holds the lease."""


class BatchGrew(RunStopped):
    """New messages came before anything was shown: answer them together."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to answer the unanswered messages of one conversation, for one lease.

    `shown` are the sentences that an earlier run committed before it died; this run goes on
    after them in the same reply.
    """

    run_id: UUID
    conversation_id: UUID
    inbox_id: UUID
    channel: ChannelName
    company: str
    policy: Policy
    epoch: int
    token: int
    reply_to: UUID
    message_ids: tuple[UUID, ...]
    turns: tuple[Turn, ...]
    shown: tuple[str, ...]
    failures: int
    received_at: datetime


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run came to: `result` is sealed, `columns` are its plain measurements."""

    result: dict[str, Any]
    columns: dict[str, Any]


def claim_run(session: Session, conversation_id: UUID, lease: timedelta) -> Claim | None:
    """Claim all unanswered messages; None if there are none, or another run holds them.

    A run that ended without letting go counts as failed: what ends worker after worker must
    end with people.
    """
    conversation = lock(session, conversation_id)
    if conversation.status != "pending":
        return None
    rows = session.execute(_SAID, {"conversation_id": conversation.id}).all()
    said = [row.Message for row in rows]
    batch = [m for m in said if is_unanswered(m)]
    if not batch:
        conversation.unanswered_since = None
        return None
    current: datetime = rows[0].current
    if conversation.leased_until is not None and conversation.leased_until > current:
        return None
    if conversation.leased_until is not None:  # its run died and let go of nothing
        conversation.failures += 1
        if conversation.failures >= MAX_DEATHS:
            give_to_people(session, conversation, "repeated_failure")
            return None
    growing = next((m for m in said if m.state == "growing"), None)
    if growing is not None:
        answered = next((m.seq for m in batch if m.id == growing.reply_to), batch[-1].seq)
        batch = [m for m in batch if m.seq <= answered]
    spent = spend(session, conversation, batch)
    if spent is not None:
        give_to_people(session, conversation, spent)
        return None
    if any(m.state == "draft" for m in said):
        _replace_drafts(session, batch)
    conversation.lease_token += 1
    conversation.leased_until = current + lease
    # Nobody sees a lease, and a row whose indexed columns stay is updated in no index.
    conversation.updated_at = conversation.updated_at
    if rows[0].has_open_run:
        _abandon_open_runs(session, conversation)
    run = _begin_run(session, conversation)
    return Claim(
        run_id=run.id,
        conversation_id=conversation.id,
        inbox_id=conversation.inbox_id,
        channel=conversation.inbox.channel,
        company=conversation.inbox.company or conversation.inbox.name,
        policy=policy_of_inbox(session, conversation.inbox_id),
        epoch=conversation.epoch,
        token=conversation.lease_token,
        reply_to=batch[-1].id,
        message_ids=tuple(m.id for m in batch),
        turns=_turns_with(said, batch),
        shown=_shown(session, growing) if growing else (),
        failures=conversation.failures,
        received_at=batch[0].created_at,
    )


def renew_lease(session: Session, claim: Claim, lease: timedelta) -> bool:
    """Prolong the lease; False if the claim is lost."""
    renewed = session.execute(
        update(Conversation)
        .where(
            Conversation.id == claim.conversation_id,
            Conversation.lease_token == claim.token,
            Conversation.epoch == claim.epoch,
            Conversation.leased_until.is_not(None),
        )
        .values(leased_until=func.clock_timestamp() + lease, updated_at=Conversation.updated_at)
        .returning(Conversation.id)
    )
    return renewed.one_or_none() is not None


def commit_sentence(
    session: Session, claim: Claim, sentence: str, *, merge_new: bool = True
) -> Advance:
    """Append one checked sentence to the claim's reply, creating the reply with the first.

    Raises RunStopped if the claim is lost, BatchGrew if unshown work should start anew
    because the customer wrote more (only with `merge_new`).
    """
    conversation = _lock_claimed(session, claim)
    reply, waiting = _reply_and_waiting(session, claim)
    reply = _say(session, conversation, claim, reply, sentence, waiting if merge_new else ())
    write(session)
    if claim.channel in GROWING_CHANNELS and not reply.private:
        deliver_growing(session, conversation, reply)
    return Advance(conversation.id, conversation.last_seq)


def finish_reply(
    session: Session,
    claim: Claim,
    citations: Sequence[dict[str, Any]],
    language: str,
    *,
    last: str | None = None,
    merge_new: bool = True,
    run_result: RunResult | None = None,
) -> Advance:
    """Close the claim's reply and the run's hold; the batch is answered. Raises RunStopped.

    `last` is a sentence to append first, as `commit_sentence` does, where it came together
    with the end. `run_result` completes the claim's answer_run.
    """
    conversation = _lock_claimed(session, claim)
    reply, waiting = _reply_and_waiting(session, claim)
    has_begun = reply is not None
    if last is not None:
        reply = _say(session, conversation, claim, reply, last, waiting if merge_new else ())
    if reply is None:
        raise ConversationError("A reply without a sentence cannot be finished.")
    conversation.language = language or conversation.language
    conversation.failures = 0
    _close_reply(session, conversation, reply, citations)
    if not reply.private:
        _mark_answered(claim, reply, waiting)
        _release(conversation, claim, waiting)
    if not has_begun:
        session.add(terms_of_message(session, reply))
    if run_result is not None:
        run = AnswerRun(id=claim.run_id, contact_id=conversation.contact_id)
        add_unread(session, run)
        _complete(run, run_result.result, {**run_result.columns, "reply_id": reply.id})
    write(session)
    if has_begun:
        index_message(session, reply)
    if reply.private:  # what it answers stays unanswered until a person decides
        give_to_people(session, conversation, DRAFTED)
    else:
        note_reply(session, conversation, reply)
    session.flush()
    is_due = conversation.unanswered_since is not None
    return Advance(conversation.id, conversation.last_seq, is_due, reply.id)


def finish_handoff(
    session: Session,
    claim: Claim,
    *,
    reason: str,
    summary: str,
    citations: Sequence[dict[str, Any]],
    language: str,
    last: str | None = None,
    merge_new: bool = True,
    run_result: RunResult | None = None,
) -> Advance:
    """Give the conversation to people after the claim's reply told so. Raises RunStopped."""
    advance = finish_reply(
        session,
        claim,
        citations,
        language,
        last=last,
        merge_new=merge_new,
        run_result=run_result,
    )
    conversation = lock(session, claim.conversation_id)
    conversation.summary = summary
    if conversation.status == "pending":
        give_to_people(session, conversation, reason)
    else:  # it is with people already, who read the farewell as a draft
        conversation.handoff_reason = reason
        refresh_cards(session, conversation)
    session.flush()
    # The farewell belongs to the new owner's time: it must not be withdrawn as outdated.
    session.execute(
        update(Delivery)
        .where(Delivery.conversation_id == conversation.id, Delivery.epoch == claim.epoch)
        .values(epoch=conversation.epoch)
    )
    return Advance(conversation.id, conversation.last_seq, reply_id=advance.reply_id)


def abandon_run(session: Session, claim: Claim, *, failed: bool) -> Advance:
    """Let go of a claim without an answer, so that the next run can begin at once.

    After `failed` MAX_FAILURES times in a row the conversation goes to people.
    """
    conversation = lock(session, claim.conversation_id)
    if conversation.lease_token == claim.token and conversation.epoch == claim.epoch:
        conversation.lease_token += 1  # whatever the run still tries to write is refused
        conversation.leased_until = None
        conversation.failures += int(failed)
        if conversation.failures >= MAX_FAILURES and conversation.status == "pending":
            give_to_people(session, conversation, "repeated_failure")
    session.flush()
    due = conversation.status == "pending" and conversation.unanswered_since is not None
    return Advance(conversation.id, conversation.last_seq, due)


def store_result(session: Session, run_id: UUID, result: dict[str, Any], **columns: Any) -> None:
    """Complete an answer_run; `result` is sealed, `columns` are its plain measurements."""
    _complete(session.get_one(AnswerRun, run_id), result, columns)


def overdue(
    session: Session,
    older_than: timedelta,
    *,
    channels: Collection[ChannelName] | None = None,
    limit: int = 500,
) -> list[tuple[UUID, ChannelName]]:
    """Conversations whose answer is due and that no run holds, with their channel: ring again."""
    current = func.clock_timestamp()
    query = (
        select(Conversation.id, Inbox.channel)
        .join(Inbox, Inbox.id == Conversation.inbox_id)
        .where(
            Conversation.unanswered_since < current - older_than,
            Conversation.status == "pending",
            (Conversation.leased_until.is_(None)) | (Conversation.leased_until < current),
        )
        .order_by(Conversation.unanswered_since)
        .limit(limit)
    )
    if channels is not None:
        query = query.where(Inbox.channel.in_(channels))
    return [(row.id, row.channel) for row in session.execute(query)]


def _lock_claimed(session: Session, claim: Claim) -> Conversation:
    conversation = lock(session, claim.conversation_id)
    if conversation.epoch != claim.epoch or conversation.status != "pending":
        raise RunStopped("owner changed")
    if conversation.lease_token != claim.token:
        raise RunStopped("lease lost")
    return conversation


# What stands in the conversation is read after `lock`, never together with it: the row that a lock
# waits for is read anew, what is joined to it is not.
_SAID = (
    select(
        Message,
        func.clock_timestamp().label("current"),
        exists()
        .where(AnswerRun.conversation_id == Message.conversation_id, AnswerRun.state == "running")
        .label("has_open_run"),
    )
    .where(Message.conversation_id == bindparam("conversation_id"))
    .order_by(Message.seq)
    .execution_options(populate_existing=True)
)

_REPLY_AND_WAITING = (
    select(Message)
    .where(
        Message.conversation_id == bindparam("conversation_id"),
        or_(Message.reply_to == bindparam("reply_to"), IS_UNANSWERED),
    )
    .order_by(Message.seq)
    .execution_options(populate_existing=True)
)


def _reply_and_waiting(session: Session, claim: Claim) -> tuple[Message | None, list[Message]]:
    """The claim's reply, if there is one yet, and the unanswered messages."""
    keys = {"conversation_id": claim.conversation_id, "reply_to": claim.reply_to}
    found = session.scalars(_REPLY_AND_WAITING, keys).all()
    reply = next((m for m in found if m.reply_to == claim.reply_to), None)
    return reply, [m for m in found if m is not reply]


def _say(
    session: Session,
    conversation: Conversation,
    claim: Claim,
    reply: Message | None,
    sentence: str,
    waiting: Sequence[Message],
) -> Message:
    if reply is None:
        if len(waiting) > len(claim.message_ids):
            raise BatchGrew
        reply = add_message(
            session,
            conversation,
            "bot",
            sentence,
            state="growing",
            private=claim.policy.mode == "draft",
            kinds=("reply", "sentence"),
            reply_to=claim.reply_to,
        )
    else:
        reply.text = append_sentence(reply.text, sentence)
        record_event(session, conversation, "sentence", reply, text=sentence)
    return reply


def _shown(session: Session, reply: Message) -> tuple[str, ...]:
    query = (
        select(Event)
        .where(Event.message_id == reply.id, Event.kind == "sentence")
        .order_by(Event.seq)
    )
    return tuple(event.text for event in session.scalars(query))


def _turns_with(said: Sequence[Message], batch: Sequence[Message]) -> tuple[Turn, ...]:
    """What was said before, then the batch: its last turns, even where a reply came between."""
    before = [
        m
        for m in said
        if m not in batch
        and not m.private
        and m.state != "growing"
        and (m.seq <= batch[-1].seq or m.author != "contact")
    ]
    return tuple(Turn(m.author, m.text) for m in [*before, *batch])


def _abandon_open_runs(session: Session, conversation: Conversation) -> None:
    session.execute(
        update(AnswerRun)
        .where(AnswerRun.conversation_id == conversation.id, AnswerRun.state == "running")
        .values(state="abandoned", finished_at=now())
    )


def _begin_run(session: Session, conversation: Conversation) -> AnswerRun:
    run = AnswerRun(
        id=new_id(),
        inbox_id=conversation.inbox_id,
        conversation_id=conversation.id,
        contact_id=conversation.contact_id,
        state="running",
        started_at=now(),
    )
    session.add(run)
    write(session)
    return run


def _complete(run: AnswerRun, result: dict[str, Any], columns: dict[str, Any]) -> None:
    run.result = json.dumps(result, ensure_ascii=False)
    run.finished_at = now()
    for name, value in columns.items():
        setattr(run, name, value)


def _close_reply(
    session: Session,
    conversation: Conversation,
    reply: Message,
    citations: Sequence[dict[str, Any]],
) -> None:
    reply.state = "draft" if reply.private else "sent"
    reply.citations = list(citations)
    record_event(session, conversation, "done", reply)


def _mark_answered(claim: Claim, reply: Message, waiting: Sequence[Message]) -> None:
    for message in waiting:
        if message.id in claim.message_ids:
            message.state, message.answered_by = "answered", reply.id


def _replace_drafts(session: Session, batch: Sequence[Message]) -> None:
    """Drafts that a person left, by giving the conversation back, make room for new ones."""
    session.execute(
        update(Message)
        .where(Message.reply_to.in_([m.id for m in batch]), Message.state == "draft")
        .values(state="replaced", reply_to=None)
    )


def _release(conversation: Conversation, claim: Claim, waiting: Sequence[Message]) -> None:
    conversation.leased_until = None
    left = [m for m in waiting if m.id not in claim.message_ids]
    conversation.unanswered_since = left[0].created_at if left else None
