"""Letters to the staff: invitations and log-in links on their way by mail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009_staff_letters"
down_revision = "0008_insights"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "staff_letter",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("invitation_id", sa.Uuid(), nullable=True),
        sa.Column("log_in_link_id", sa.Uuid(), nullable=True),
        sa.Column("link_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", TIME, nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("sent_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["inbox_id"], ["inbox.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["invitation_id"], ["invitation.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["log_in_link_id"], ["log_in_link.id"], ondelete="CASCADE"),
        sa.CheckConstraint(
            "num_nonnulls(invitation_id, log_in_link_id) = 1",
            name=op.f("ck_staff_letter_about_one"),
        ),
        sa.CheckConstraint(
            "state in ('pending', 'sending', 'sent', 'failed', 'withdrawn')",
            name=op.f("ck_staff_letter_state"),
        ),
        sa.CheckConstraint(
            "state in ('pending', 'sending') or link_sealed is null",
            name=op.f("ck_staff_letter_secret_ends"),
        ),
    )
    for column in ("invitation_id", "log_in_link_id", "external_id"):
        op.create_index(op.f(f"ix_staff_letter_{column}"), "staff_letter", [column])
    op.create_index(
        "ix_staff_letter_due",
        "staff_letter",
        ["next_attempt_at"],
        postgresql_where=sa.text("state in ('pending', 'sending')"),
    )


def downgrade() -> None:
    op.drop_table("staff_letter")
