"""The tables. Text of customers stands in sealed columns only (`bot.sealing`)."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from pgvector.sqlalchemy import Vector
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    Text,
    UniqueConstraint,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from bot.messages import Author, ChannelName, ConversationStatus, DeliveryKind
from bot.sealing import Envelope, KeyStore, SealedBytes, SealedText, Sealing, WrappedKey

EMBEDDING_DIMENSION = 384
# Held shared while a new data key is wrapped, alone while a master key is retired.
MASTER_KEYS_LOCK = 0x6D6173746572  # "master"


def new_id() -> UUID:
    """A time-ordered UUID (RFC 9562 version 7), so that new rows land together in an index."""
    random = int.from_bytes(os.urandom(10), "big")
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (2**48 - 1)) << 80 | 0x7 << 76 | (random >> 64 & 0xFFF) << 64
    return UUID(int=value | 0x2 << 62 | random & (2**62 - 1))


def now() -> datetime:
    """The present, aware, in UTC."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """What all tables share: constraint names that Alembic can find again, aware times."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[dict[str, Any]]: JSONB,
        list[str]: ARRAY(Text),
        str: Text,
        Author: Text,
        ChannelName: Text,
        ConversationStatus: Text,
        DeliveryKind: Text,
    }


class DataKey(Base):
    """A contact's data key (or the system's), wrapped by a master key."""

    __tablename__ = "data_key"
    __table_args__ = (UniqueConstraint("scope", "generation"), {"schema": "vault"})

    id: Mapped[UUID] = mapped_column(primary_key=True)
    scope: Mapped[str]
    generation: Mapped[int] = mapped_column(default=1)
    master_id: Mapped[str]
    wrapped: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Inbox(Base):
    """A door of the company: one channel, with the article collections it may answer from."""

    __tablename__ = "inbox"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    channel: Mapped[ChannelName]
    company: Mapped[str] = mapped_column(default="")
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Collection(Base):
    """A group of articles; an inbox sees the collections given to it and no others."""

    __tablename__ = "collection"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)


class InboxCollection(Base):
    """Which inbox answers from which collection."""

    __tablename__ = "inbox_collection"

    inbox_id: Mapped[UUID] = mapped_column(
        ForeignKey("inbox.id", ondelete="CASCADE"), primary_key=True
    )
    collection_id: Mapped[UUID] = mapped_column(
        ForeignKey("collection.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class Article(Base):
    """One of the company's articles, as it was imported."""

    __tablename__ = "article"
    __table_args__ = (UniqueConstraint("collection_id", "external_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collection.id", ondelete="CASCADE"))
    external_id: Mapped[str]
    title: Mapped[str]
    language: Mapped[str] = mapped_column(default="")
    url: Mapped[str | None]
    source: Mapped[str] = mapped_column(default="")
    tags: Mapped[list[str]] = mapped_column(default=list)
    body: Mapped[str]
    content_hash: Mapped[str]
    indexed_hash: Mapped[str | None]
    index_error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class Passage(Base):
    """A part of an article under one heading: what is searched and quoted."""

    __tablename__ = "passage"
    __table_args__ = (
        UniqueConstraint("article_id", "ordinal"),
        Index("ix_passage_terms", "terms", postgresql_using="gin"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    article_id: Mapped[UUID] = mapped_column(ForeignKey("article.id", ondelete="CASCADE"))
    ordinal: Mapped[int]
    heading: Mapped[str] = mapped_column(default="")
    text: Mapped[str]
    terms: Mapped[Any] = mapped_column(TSVECTOR)
    term_count: Mapped[int] = mapped_column(default=0)
    embedding: Mapped[Any | None] = mapped_column(Vector(EMBEDDING_DIMENSION))
    sentence_vectors: Mapped[bytes | None]  # bot.knowledge.sentence_vectors packs and reads them
    embedder: Mapped[str | None]


class Contact(Sealing, Base):
    """A person who writes to the company.

    `merged_into_id` is the contact that stands for the person, where two were found to be one.
    What a contact with `blocked_at` writes is kept and answered by nobody.
    """

    __tablename__ = "contact"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name_sealed: Mapped[bytes | None] = mapped_column(Envelope)
    blocked_at: Mapped[datetime | None]
    merged_into_id: Mapped[UUID | None] = mapped_column(ForeignKey("contact.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    name = SealedText("name_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.id)


class ContactIdentity(Sealing, Base):
    """How a channel knows a contact: a chat visitor, an address, a Slack user."""

    __tablename__ = "contact_identity"
    __table_args__ = (UniqueConstraint("inbox_id", "address_hash"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    contact_id: Mapped[UUID] = mapped_column(
        ForeignKey("contact.id", ondelete="CASCADE"), index=True
    )
    inbox_id: Mapped[UUID] = mapped_column(ForeignKey("inbox.id", ondelete="CASCADE"))
    address_hash: Mapped[bytes]
    address_sealed: Mapped[bytes] = mapped_column(Envelope)
    bounced_at: Mapped[datetime | None]
    bounce_status: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    address = SealedText("address_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.contact_id)


class VisitorSession(Sealing, Base):
    """A browser on the web chat. Only the keyed hash of its token is stored.

    `customer` is the identity that the shop signed, as JSON; "" for an anonymous visitor.
    """

    __tablename__ = "visitor_session"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    inbox_id: Mapped[UUID] = mapped_column(ForeignKey("inbox.id", ondelete="CASCADE"))
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    origin: Mapped[str] = mapped_column(default="")
    customer_sealed: Mapped[bytes | None] = mapped_column(Envelope)
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    customer = SealedText("customer_sealed")


class Agent(Base):
    """A person of the staff."""

    __tablename__ = "agent"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


class AgentIdentity(Base):
    """How a channel knows a person of the staff: a Slack user.

    `is_named` is false while the agent bears a stand-in name, because the channel was not asked.
    """

    __tablename__ = "agent_identity"
    __table_args__ = (UniqueConstraint("inbox_id", "external_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    agent_id: Mapped[UUID] = mapped_column(ForeignKey("agent.id", ondelete="CASCADE"), index=True)
    inbox_id: Mapped[UUID] = mapped_column(ForeignKey("inbox.id", ondelete="CASCADE"))
    external_id: Mapped[str]
    is_named: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)


class ApiToken(Base):
    """A bearer token of the HTTP API. Only its keyed hash is stored."""

    __tablename__ = "api_token"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    revoked_at: Mapped[datetime | None]


class Conversation(Sealing, Base):
    """What a contact and the company said to each other about one matter.

    `epoch` counts changes of the owner (take-over, give-back, resolve, handoff): a run that
    began in another epoch writes nothing. `lease_token` fences runs of the same epoch.
    """

    __tablename__ = "conversation"
    __table_args__ = (
        CheckConstraint("status in ('pending', 'open', 'snoozed', 'resolved')", name="status"),
        Index(
            "ix_conversation_unanswered",
            "unanswered_since",
            postgresql_where=text("unanswered_since is not null"),
        ),
        Index("ix_conversation_thread", "inbox_id", "thread_hash"),
        Index("ix_conversation_updated", "updated_at"),
        Index(
            "ix_conversation_waiting",
            "waiting_since",
            postgresql_where=text("status = 'open'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[int] = mapped_column(BigInteger, Identity(), unique=True)
    inbox_id: Mapped[UUID] = mapped_column(ForeignKey("inbox.id"), index=True)
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contact.id"), index=True)
    thread_hash: Mapped[bytes]
    thread_sealed: Mapped[bytes] = mapped_column(Envelope)
    previous_id: Mapped[UUID | None] = mapped_column(ForeignKey("conversation.id"))
    status: Mapped[ConversationStatus] = mapped_column(default="pending")
    epoch: Mapped[int] = mapped_column(default=0)
    assignee_id: Mapped[UUID | None] = mapped_column(ForeignKey("agent.id"))
    language: Mapped[str] = mapped_column(default="")
    summary_sealed: Mapped[bytes | None] = mapped_column(Envelope)
    handoff_reason: Mapped[str | None]
    failures: Mapped[int] = mapped_column(default=0)
    last_seq: Mapped[int] = mapped_column(default=0)
    lease_token: Mapped[int] = mapped_column(default=0)
    leased_until: Mapped[datetime | None]
    unanswered_since: Mapped[datetime | None]
    waiting_since: Mapped[datetime | None]
    first_reply_at: Mapped[datetime | None]
    snoozed_until: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    spam_at: Mapped[datetime | None]
    reminded_at: Mapped[datetime | None]
    told_waiting_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
    # Comes along where a conversation is locked; whoever then asks the session for it, has it.
    inbox: Mapped[Inbox] = relationship(lazy="raise", viewonly=True)
    thread = SealedText("thread_sealed")
    summary = SealedText("summary_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.contact_id)


class Message(Sealing, Base):
    """One message. `reply_to` is unique: a message has at most one reply by the bot."""

    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("inbox_id", "external_id"),
        UniqueConstraint("conversation_id", "client_id"),
        UniqueConstraint("conversation_id", "seq"),
        UniqueConstraint("reply_to"),
        CheckConstraint("author in ('contact', 'bot', 'agent', 'system')", name="author"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversation.id", ondelete="CASCADE"))
    inbox_id: Mapped[UUID] = mapped_column(ForeignKey("inbox.id"))
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contact.id"), index=True)
    seq: Mapped[int]
    author: Mapped[Author]
    agent_id: Mapped[UUID | None] = mapped_column(ForeignKey("agent.id"))
    private: Mapped[bool] = mapped_column(default=False)
    is_automatic: Mapped[bool] = mapped_column(default=False)
    external_id: Mapped[str | None]
    client_id: Mapped[str | None]
    text_sealed: Mapped[bytes] = mapped_column(Envelope)
    state: Mapped[str] = mapped_column(default="sent")
    partial: Mapped[bool] = mapped_column(default=False)
    reply_to: Mapped[UUID | None] = mapped_column(ForeignKey("message.id"))
    answered_by: Mapped[UUID | None] = mapped_column(ForeignKey("message.id"))
    citations: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    sent_at: Mapped[datetime] = mapped_column(default=now)
    created_at: Mapped[datetime] = mapped_column(default=now)
    text = SealedText("text_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.contact_id)


class Event(Sealing, Base):
    """A committed change of a conversation that somebody watches, in the order of `seq`.

    Its `seq` is the id of the server-sent event; a sentence's text stands here so that what
    was missed can be told again exactly.
    """

    __tablename__ = "event"

    conversation_id: Mapped[UUID] = mapped_column(
        ForeignKey("conversation.id", ondelete="CASCADE"), primary_key=True
    )
    seq: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contact.id"))
    kind: Mapped[str]
    message_id: Mapped[UUID | None] = mapped_column(ForeignKey("message.id", ondelete="CASCADE"))
    private: Mapped[bool] = mapped_column(default=False)
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    text_sealed: Mapped[bytes | None] = mapped_column(Envelope)
    created_at: Mapped[datetime] = mapped_column(default=now)
    text = SealedText("text_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.contact_id)

    @property
    def sealing_id(self) -> str:
        return f"{self.conversation_id}:{self.seq}"


class Attachment(Sealing, Base):
    """A file of a message; content is base64 inside the envelope.

    `warning` says why staff should not open it without thought.
    """

    __tablename__ = "attachment"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    message_id: Mapped[UUID] = mapped_column(
        ForeignKey("message.id", ondelete="CASCADE"), index=True
    )
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contact.id"))
    media_type: Mapped[str]
    size_bytes: Mapped[int]
    warning: Mapped[str | None]
    name_sealed: Mapped[bytes] = mapped_column(Envelope)
    content_sealed: Mapped[bytes] = mapped_column(Envelope)
    name = SealedText("name_sealed")
    content = SealedText("content_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.contact_id)


class Delivery(Sealing, Base):
    """One message on its way to one destination of a channel that is written to.

    `kind` is `reply` (to the customer), `card` (a handoff, to the staff), `notice` (what came
    after, under the card) or `transcript` (all of it, to where the customer asked for it).
    `version` counts the changes of what is to be seen there and `sent_version` is the one that
    is seen; what has an `external_id` is revised, not sent. `via_inbox_id` is the inbox it goes
    out through, where that is not the conversation's.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("message_id", "destination_hash", "kind"),
        CheckConstraint("kind in ('reply', 'card', 'notice', 'transcript')", name="kind"),
        Index("ix_delivery_card", "external_id", postgresql_where=text("kind = 'card'")),
        Index(
            "ix_delivery_due",
            "next_attempt_at",
            postgresql_where=text("state in ('pending', 'sending')"),
        ),
        Index("ix_delivery_external_id", "external_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    message_id: Mapped[UUID] = mapped_column(ForeignKey("message.id", ondelete="CASCADE"))
    conversation_id: Mapped[UUID] = mapped_column(
        ForeignKey("conversation.id", ondelete="CASCADE"), index=True
    )
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contact.id"))
    epoch: Mapped[int]
    destination_hash: Mapped[bytes]
    destination_sealed: Mapped[bytes] = mapped_column(Envelope)
    state: Mapped[str] = mapped_column(default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(default=now)
    external_id: Mapped[str | None]
    error: Mapped[str | None]
    sent_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    kind: Mapped[DeliveryKind] = mapped_column(default="reply", server_default="reply")
    via_inbox_id: Mapped[UUID | None] = mapped_column(ForeignKey("inbox.id", ondelete="CASCADE"))
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    sent_version: Mapped[int] = mapped_column(default=0, server_default="0")
    destination = SealedText("destination_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.contact_id)


class RemoteFile(Sealing, Base):
    """A file that a message named and that is still to be fetched from its channel.

    `source` is sealed JSON of the channel's own: where it is and what it is called. What a
    contact sent is stored beside `message_id`; what an agent sent becomes a message of theirs.
    """

    __tablename__ = "remote_file"
    __table_args__ = (
        UniqueConstraint("conversation_id", "external_id"),
        Index(
            "ix_remote_file_due",
            "next_attempt_at",
            postgresql_where=text("state = 'pending'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    inbox_id: Mapped[UUID] = mapped_column(ForeignKey("inbox.id", ondelete="CASCADE"))
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversation.id", ondelete="CASCADE"))
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contact.id"))
    message_id: Mapped[UUID | None] = mapped_column(ForeignKey("message.id", ondelete="CASCADE"))
    agent_id: Mapped[UUID | None] = mapped_column(ForeignKey("agent.id", ondelete="CASCADE"))
    external_id: Mapped[str]
    source_sealed: Mapped[bytes] = mapped_column(Envelope)
    state: Mapped[str] = mapped_column(default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(default=now)
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    source = SealedText("source_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.contact_id)


class Original(Sealing, Base):
    """A message as it came, before it was read: `raw`, its `full_text`, `headers` as JSON.

    `topic_hash` names sender and subject, for budgets alone; it joins nothing.
    """

    __tablename__ = "original"

    message_id: Mapped[UUID] = mapped_column(
        ForeignKey("message.id", ondelete="CASCADE"), primary_key=True
    )
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contact.id"), index=True)
    media_type: Mapped[str]
    size_bytes: Mapped[int]
    topic_hash: Mapped[bytes | None]
    raw_sealed: Mapped[bytes] = mapped_column(Envelope)
    full_text_sealed: Mapped[bytes] = mapped_column(Envelope)
    headers_sealed: Mapped[bytes] = mapped_column(Envelope)
    created_at: Mapped[datetime] = mapped_column(default=now)
    raw = SealedBytes("raw_sealed")
    full_text = SealedText("full_text_sealed")
    headers = SealedText("headers_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.contact_id)

    @property
    def sealing_id(self) -> str:
        return str(self.message_id)


class AutomaticReply(Base):
    """The ledger of the budgets: one row for each message that the bot answered, or began to."""

    __tablename__ = "automatic_reply"
    __table_args__ = (
        Index("ix_automatic_reply_sender", "sender_hash", "created_at"),
        Index("ix_automatic_reply_inbox", "inbox_id", "created_at"),
        Index("ix_automatic_reply_topic", "topic_hash", "created_at"),
    )

    reply_to: Mapped[UUID] = mapped_column(
        ForeignKey("message.id", ondelete="CASCADE"), primary_key=True
    )
    inbox_id: Mapped[UUID] = mapped_column(ForeignKey("inbox.id"))
    conversation_id: Mapped[UUID] = mapped_column(
        ForeignKey("conversation.id", ondelete="CASCADE"), index=True
    )
    sender_hash: Mapped[bytes]
    topic_hash: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class MailboxWatermark(Base):
    """How far a mailbox was read (RFC 9051 section 2.3.1.1), and which process reads it now.

    Mails that the server received before `since` are older than the connection and are not read.
    """

    __tablename__ = "mailbox_watermark"

    inbox_id: Mapped[UUID] = mapped_column(
        ForeignKey("inbox.id", ondelete="CASCADE"), primary_key=True
    )
    folder: Mapped[str] = mapped_column(primary_key=True)
    uid_validity: Mapped[int] = mapped_column(BigInteger, default=0)
    last_uid: Mapped[int] = mapped_column(BigInteger, default=0)
    since: Mapped[datetime] = mapped_column(default=now)
    holder: Mapped[str | None]
    leased_until: Mapped[datetime | None]
    read_at: Mapped[datetime | None]
    error: Mapped[str | None]
    error_since: Mapped[datetime | None]


class ForgottenMail(Base):
    """The keyed hash of a mail whose conversation was deleted: it is not taken in again."""

    __tablename__ = "forgotten_mail"

    inbox_id: Mapped[UUID] = mapped_column(
        ForeignKey("inbox.id", ondelete="CASCADE"), primary_key=True
    )
    mail_hash: Mapped[bytes] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


class AnswerRun(Sealing, Base):
    """One run of the answer's logic: what it read, decided, cost and why.

    A run of `ask` has no conversation; its request stands sealed in `request`. Times are
    milliseconds from `created_at`.
    """

    __tablename__ = "answer_run"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    inbox_id: Mapped[UUID] = mapped_column(ForeignKey("inbox.id"))
    conversation_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("conversation.id", ondelete="CASCADE"), index=True
    )
    contact_id: Mapped[UUID | None] = mapped_column(ForeignKey("contact.id"))
    reply_id: Mapped[UUID | None] = mapped_column(ForeignKey("message.id", ondelete="SET NULL"))
    state: Mapped[str] = mapped_column(default="queued")
    request_sealed: Mapped[bytes | None] = mapped_column(Envelope)
    result_sealed: Mapped[bytes | None] = mapped_column(Envelope)
    action: Mapped[str | None]
    reason: Mapped[str | None]
    confidence: Mapped[float | None]
    language: Mapped[str | None]
    model: Mapped[str | None]
    prompt_tokens: Mapped[int] = mapped_column(default=0)
    cached_tokens: Mapped[int] = mapped_column(default=0)
    output_tokens: Mapped[int] = mapped_column(default=0)
    queue_ms: Mapped[float | None]
    retrieval_ms: Mapped[float | None]
    ttft_ms: Mapped[float | None]
    first_sentence_ms: Mapped[float | None]
    total_ms: Mapped[float | None]
    evidence: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    request = SealedText("request_sealed")
    result = SealedText("result_sealed")

    @property
    def key_scope(self) -> str:
        return str(self.contact_id) if self.contact_id else super().key_scope


class VaultKeys(KeyStore):
    """The keyring's store: `vault.data_key`."""

    def newest(self, session: Session, scope: str) -> WrappedKey | None:
        query = select(DataKey).where(DataKey.scope == scope).order_by(DataKey.generation.desc())
        with session.no_autoflush:
            return _wrapped(session.scalars(query.limit(1)).first())

    def find(self, session: Session, key_id: UUID) -> WrappedKey | None:
        with session.no_autoflush:
            return _wrapped(session.get(DataKey, key_id))

    def add(self, session: Session, scope: str, key: WrappedKey) -> WrappedKey:
        row = {"id": key.id, "scope": scope, "master_id": key.master_id, "wrapped": key.wrapped}
        with session.no_autoflush:
            session.execute(upsert(DataKey).values(**row).on_conflict_do_nothing())
        stored = self.newest(session, scope)
        assert stored is not None, "the row was just written, or another process wrote it"
        return stored

    def keep_masters(self, session: Session) -> None:
        with session.no_autoflush:
            session.execute(select(func.pg_advisory_xact_lock_shared(MASTER_KEYS_LOCK)))


def _wrapped(row: DataKey | None) -> WrappedKey | None:
    return WrappedKey(row.id, row.wrapped, row.master_id) if row else None
