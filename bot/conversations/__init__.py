"""The one place that writes in a conversation.

Functions take a sync Session inside the caller's transaction and commit nothing themselves.
Each locks the conversation's row first, so that changes of one conversation form one line.
"""

from __future__ import annotations

from bot.conversations.bounces import BounceNotice, record_bounce
from bot.conversations.claims import (
    DRAFTED,
    MAX_DEATHS,
    MAX_FAILURES,
    BatchGrew,
    Claim,
    RunStopped,
    abandon_run,
    claim_run,
    commit_sentence,
    finish_handoff,
    finish_reply,
    overdue,
    renew_lease,
    store_result,
)
from bot.conversations.deleting import delete_conversation, is_forgotten
from bot.conversations.deliveries import (
    NOTICES_ONLY,
    PUSHED_CHANNELS,
    REVISE_EVERY,
    SIMULATED,
    STAFF_CHANNEL,
    STAFF_OF,
    UNDER_CARD,
)
from bot.conversations.drafts import approve_draft, discard_draft
from bot.conversations.feedback import judge_message, rate_conversation, send_transcript
from bot.conversations.incoming import REOPEN_WITHIN, Recorded, record_incoming
from bot.conversations.people import (
    assign,
    give_back,
    hand_off,
    reply_as_agent,
    resolve,
    snooze,
    take_over,
    wake_snoozed,
)
from bot.conversations.steps import (
    ConversationError,
    channel_of,
    keyed_hash,
    note_for_staff,
    policy_of_inbox,
    store_attachments,
)

__all__ = [
    "DRAFTED",
    "MAX_DEATHS",
    "MAX_FAILURES",
    "NOTICES_ONLY",
    "PUSHED_CHANNELS",
    "REOPEN_WITHIN",
    "REVISE_EVERY",
    "SIMULATED",
    "STAFF_CHANNEL",
    "STAFF_OF",
    "UNDER_CARD",
    "BatchGrew",
    "BounceNotice",
    "Claim",
    "ConversationError",
    "Recorded",
    "RunStopped",
    "abandon_run",
    "approve_draft",
    "assign",
    "channel_of",
    "claim_run",
    "commit_sentence",
    "delete_conversation",
    "discard_draft",
    "finish_handoff",
    "finish_reply",
    "give_back",
    "hand_off",
    "is_forgotten",
    "judge_message",
    "keyed_hash",
    "note_for_staff",
    "overdue",
    "policy_of_inbox",
    "rate_conversation",
    "record_bounce",
    "record_incoming",
    "renew_lease",
    "reply_as_agent",
    "resolve",
    "send_transcript",
    "snooze",
    "store_attachments",
    "store_result",
    "take_over",
    "wake_snoozed",
]
