"""The widget: what customers think of answers and conversations, and transcripts by mail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004_widget"
down_revision = "0003_slack"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "feedback",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("reason_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint(
            "case when message_id is null then score between 1 and 5 else score in (-1, 1) end",
            name=op.f("ck_feedback_score"),
        ),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversation.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("conversation_id", "message_id", postgresql_nulls_not_distinct=True),
    )
    for column in ("message_id", "contact_id", "created_at"):
        op.create_index(op.f(f"ix_feedback_{column}"), "feedback", [column])
    _allow_kinds("'reply', 'card', 'notice', 'transcript'")


def downgrade() -> None:
    op.execute("delete from delivery where kind = 'transcript'")
    _allow_kinds("'reply', 'card', 'notice'")
    op.drop_table("feedback")


def _allow_kinds(kinds: str) -> None:
    op.drop_constraint(op.f("ck_delivery_kind"), "delivery")
    op.create_check_constraint(op.f("ck_delivery_kind"), "delivery", f"kind in ({kinds})")
