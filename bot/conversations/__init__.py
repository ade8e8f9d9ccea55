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
    RunResult,
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
from bot.conversations.contacts import (
    block_contact,
    family_of,
    merge_contacts,
    part_contacts,
    rename_contact,
    unblock_contact,
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
from bot.conversations.notes import see_mentions, write_note
from bot.conversations.people import (
    assign,
    give_back,
    hand_off,
    reopen,
    reply_as_agent,
    resolve,
    snooze,
    take_over,
    wake_snoozed,
)
from bot.conversations.reminders import remind
from bot.conversations.search_index import (
    contacts_with,
    index_contact,
    index_older_contacts,
    index_older_messages,
    messages_with,
)
from bot.conversations.steps import (
    ConversationError,
    channel_of,
    keyed_hash,
    note_for_staff,
    policy_of_inbox,
    store_attachments,
)
from bot.conversations.tagging import mark_spam, tag, tags_of, unmark_spam

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
    "RunResult",
    "RunStopped",
    "abandon_run",
    "approve_draft",
    "assign",
    "block_contact",
    "channel_of",
    "claim_run",
    "commit_sentence",
    "contacts_with",
    "delete_conversation",
    "discard_draft",
    "family_of",
    "finish_handoff",
    "finish_reply",
    "give_back",
    "hand_off",
    "index_contact",
    "index_older_contacts",
    "index_older_messages",
    "is_forgotten",
    "judge_message",
    "keyed_hash",
    "mark_spam",
    "merge_contacts",
    "messages_with",
    "note_for_staff",
    "overdue",
    "part_contacts",
    "policy_of_inbox",
    "rate_conversation",
    "record_bounce",
    "record_incoming",
    "remind",
    "rename_contact",
    "renew_lease",
    "reopen",
    "reply_as_agent",
    "resolve",
    "see_mentions",
    "send_transcript",
    "snooze",
    "store_attachments",
    "store_result",
    "tag",
    "tags_of",
    "take_over",
    "unblock_contact",
    "unmark_spam",
    "wake_snoozed",
    "write_note",
]
