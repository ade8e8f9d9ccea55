"""The desk: tags, macros, mentions, a blind index, spam, blocked and merged contacts, reminders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006_desk"
down_revision = "0005_staff"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _widen_conversations()
    _create_tags()
    _create_macros_and_mentions()
    _create_blind_index()


def downgrade() -> None:
    for table in (
        "contact_terms",
        "message_terms",
        "mention",
        "macro",
        "conversation_tag",
        "tag",
    ):
        op.drop_table(table)
    for name in ("ix_conversation_waiting", "ix_conversation_updated"):
        op.drop_index(name, table_name="conversation")
    for name in ("told_waiting_at", "reminded_at", "spam_at"):
        op.drop_column("conversation", name)
    for name in ("merged_into_id", "blocked_at"):
        op.drop_column("contact", name)


def _widen_conversations() -> None:
    """The version before this one leaves the new columns empty, which means: no such thing."""
    for name in ("spam_at", "reminded_at", "told_waiting_at"):
        op.add_column("conversation", sa.Column(name, TIME, nullable=True))
    op.create_index("ix_conversation_updated", "conversation", ["updated_at"])
    op.create_index(
        "ix_conversation_waiting",
        "conversation",
        ["waiting_since"],
        postgresql_where=sa.text("status = 'open'"),
    )
    op.add_column("contact", sa.Column("blocked_at", TIME, nullable=True))
    op.add_column("contact", sa.Column("merged_into_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_contact_merged_into_id"), "contact", "contact", ["merged_into_id"], ["id"]
    )
    op.create_index(op.f("ix_contact_merged_into_id"), "contact", ["merged_into_id"])


def _create_tags() -> None:
    op.create_table(
        "tag",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "conversation_tag",
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("tag_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversation.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tag_id"], ["tag.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("conversation_id", "tag_id"),
    )
    op.create_index(op.f("ix_conversation_tag_tag_id"), "conversation_tag", ["tag_id"])


def _create_macros_and_mentions() -> None:
    op.create_table(
        "macro",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "mention",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("seen_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversation.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("message_id", "agent_id"),
    )
    op.create_index("ix_mention_agent", "mention", ["agent_id", "seen_at"])
    op.create_index(op.f("ix_mention_conversation_id"), "mention", ["conversation_id"])


def _create_blind_index() -> None:
    terms = postgresql.ARRAY(sa.BigInteger())
    op.create_table(
        "message_terms",
        sa.Column("message_id", sa.Uuid(), primary_key=True),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("terms", terms, nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversation.id"], ondelete="CASCADE"),
    )
    op.create_index(op.f("ix_message_terms_conversation_id"), "message_terms", ["conversation_id"])
    op.create_index("ix_message_terms_terms", "message_terms", ["terms"], postgresql_using="gin")
    op.create_table(
        "contact_terms",
        sa.Column("contact_id", sa.Uuid(), primary_key=True),
        sa.Column("terms", terms, nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_contact_terms_terms", "contact_terms", ["terms"], postgresql_using="gin")
