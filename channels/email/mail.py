"""What a mail is once it is read: frozen values, free of MIME."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from channels.email.threading_tokens import ThreadTokens

MatchedBy = Literal["plus-address", "in-reply-to", "references", "none"]
BounceKind = Literal["permanent", "temporary"]


@dataclass(frozen=True, slots=True)
class OwnMail:
    """What this desk knows of itself: its addresses, and the key of its signed tokens.

    Without `tokens` nothing is recognised as an answer to us. `addresses` are compared without
    their plus part and without regard to case.
    """

    addresses: tuple[str, ...] = ()
    tokens: ThreadTokens | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """What SMTP or LMTP said apart from the mail; `sender` is "" for the null return path."""

    sender: str | None = None
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ThreadMatch:
    """Which conversation a valid signature of ours names; `match` is its thread token, or None."""

    match: str | None
    by: MatchedBy


@dataclass(frozen=True, slots=True)
class Bounce:
    """A delivery report about a mail of ours (RFC 3464, or the habits of servers before it).

    `status` is an enhanced status code (RFC 3463) such as "5.1.1"; `thread` is the token of the
    conversation whose mail bounced, where the returned Message-ID carries our signature.
    """

    status: str | None
    recipient: str | None
    kind: BounceKind
    original_message_id: str | None
    thread: str | None = None


@dataclass(frozen=True, slots=True)
class MailAttachment:
    """A file of a mail; `media_type` is judged by its content.

    `refused` says in one sentence why `content` is empty: over a limit, or unreadable.
    `size_bytes` is the size in the mail all the same.
    """

    name: str
    media_type: str
    size_bytes: int
    content: bytes
    content_id: str | None = None
    is_inline: bool = False
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class MailMessage:
    """One mail, read. Every field has a value for every byte string.

    `message_id` is without angle brackets, and made from the bytes where the mail has none, so
    that it is the same on every redelivery. `from_address` is lower-cased; it is None where the
    mail names no sender or more than one (`from_doubt` says which): such a mail belongs to
    nobody. `date` is aware UTC. `visible_text` holds the sender's new words, `full_text` all.
    """

    message_id: str
    from_address: str | None
    from_name: str | None
    from_doubt: str | None
    to: tuple[str, ...]
    cc: tuple[str, ...]
    reply_to: tuple[str, ...]
    subject: str
    date: datetime | None
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    thread: ThreadMatch
    automatic: bool
    reasons: tuple[str, ...]
    bounce: Bounce | None
    visible_text: str
    full_text: str
    quoted_chars: int
    attachments: tuple[MailAttachment, ...]
    defects: tuple[str, ...] = ()
