"""Insights: daily tallies, and indexes by which the present is counted without reading the past."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008_insights"
down_revision = "0007_copilot"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "tally",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["inbox_id"], ["inbox.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("day", "inbox_id", "measure", "label"),
    )
    op.create_table(
        "tally_mark",
        sa.Column("source", sa.Text(), primary_key=True),
        sa.Column("until", TIME, nullable=False),
    )
    op.create_index(op.f("ix_conversation_created_at"), "conversation", ["created_at"])
    op.create_index(op.f("ix_conversation_status"), "conversation", ["status"])


def downgrade() -> None:
    op.drop_index(op.f("ix_conversation_status"), table_name="conversation")
    op.drop_index(op.f("ix_conversation_created_at"), table_name="conversation")
    op.drop_table("tally_mark")
    op.drop_table("tally")
