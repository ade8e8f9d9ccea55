"""The copilot's runs, what people made of them, drafts of articles, settled questions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007_copilot"
down_revision = "0006_desk"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _create_runs()
    _create_feedback()
    _create_drafts()
    _create_settled()


def downgrade() -> None:
    for table in ("settled_question", "article_draft", "copilot_feedback", "copilot_run"):
        op.drop_table(table)


def _create_runs() -> None:
    op.create_table(
        "copilot_run",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=True),
        sa.Column("conversation_id", sa.Uuid(), nullable=True),
        sa.Column("contact_id", sa.Uuid(), nullable=True),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("request_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("result_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("output_tokens", sa.Integer(), nullable=False),
        sa.Column("ttft_ms", sa.Float(), nullable=True),
        sa.Column("total_ms", sa.Float(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("started_at", TIME, nullable=True),
        sa.Column("finished_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["inbox_id"], ["inbox.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversation.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"]),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"]),
    )
    op.create_index("ix_copilot_run_kind", "copilot_run", ["kind", "created_at"])
    op.create_index(op.f("ix_copilot_run_conversation_id"), "copilot_run", ["conversation_id"])


def _create_feedback() -> None:
    op.create_table(
        "copilot_feedback",
        sa.Column("run_id", sa.Uuid(), primary_key=True),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("offered_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("sent_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("verdict in ('as_is', 'edited', 'discarded')", name="verdict"),
        sa.ForeignKeyConstraint(["run_id"], ["copilot_run.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"]),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"]),
    )
    op.create_index(op.f("ix_copilot_feedback_created_at"), "copilot_feedback", ["created_at"])


def _create_drafts() -> None:
    op.create_table(
        "article_draft",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("article_id", sa.Uuid(), nullable=True),
        sa.Column("conversation_id", sa.Uuid(), nullable=True),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("contact_id", sa.Uuid(), nullable=True),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("title_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("body_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("note_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint("origin in ('message', 'correction', 'gap', 'editor')", name="origin"),
        sa.CheckConstraint("state in ('open', 'published', 'discarded')", name="state"),
        sa.ForeignKeyConstraint(["article_id"], ["article.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversation.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"]),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"]),
    )
    op.create_index("ix_article_draft_state", "article_draft", ["state", "created_at"])
    op.create_index(op.f("ix_article_draft_conversation_id"), "article_draft", ["conversation_id"])


def _create_settled() -> None:
    op.create_table(
        "settled_question",
        sa.Column("run_id", sa.Uuid(), primary_key=True),
        sa.Column("draft_id", sa.Uuid(), nullable=True),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["answer_run.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["draft_id"], ["article_draft.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"]),
    )
    op.create_index(op.f("ix_settled_question_draft_id"), "settled_question", ["draft_id"])
