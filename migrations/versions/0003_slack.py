"""Slack: deliveries that grow, cards and notices for the staff, who an agent is, files to fetch."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003_slack"
down_revision = "0002_mail"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _widen_deliveries()
    op.create_table(
        "agent_identity",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("is_named", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["inbox_id"], ["inbox.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("inbox_id", "external_id"),
    )
    op.create_index(op.f("ix_agent_identity_agent_id"), "agent_identity", ["agent_id"])
    op.create_table(
        "remote_file",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("agent_id", sa.Uuid(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("source_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["inbox_id"], ["inbox.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversation.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"]),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("conversation_id", "external_id"),
    )
    op.create_index(
        "ix_remote_file_due",
        "remote_file",
        ["next_attempt_at"],
        postgresql_where=sa.text("state = 'pending'"),
    )


def downgrade() -> None:
    op.drop_table("remote_file")
    op.drop_table("agent_identity")
    op.execute("delete from delivery where kind <> 'reply'")
    op.drop_index("ix_delivery_card", table_name="delivery")
    op.drop_constraint("uq_delivery_message_id_destination_hash_kind", "delivery")
    op.create_unique_constraint(
        "uq_delivery_message_id_destination_hash", "delivery", ["message_id", "destination_hash"]
    )
    for name in ("sent_version", "version", "via_inbox_id", "kind"):
        op.drop_column("delivery", name)


def _widen_deliveries() -> None:
    """What the version before this one writes stays right: its rows are replies, seen once."""
    op.add_column("delivery", sa.Column("kind", sa.Text(), server_default="reply", nullable=False))
    op.add_column("delivery", sa.Column("via_inbox_id", sa.Uuid(), nullable=True))
    for name, default in (("version", "1"), ("sent_version", "0")):
        op.add_column(
            "delivery", sa.Column(name, sa.Integer(), server_default=default, nullable=False)
        )
    op.create_foreign_key(
        op.f("fk_delivery_via_inbox_id"),
        "delivery",
        "inbox",
        ["via_inbox_id"],
        ["id"],
        ondelete="CASCADE",
    )
    op.create_check_constraint(
        op.f("ck_delivery_kind"), "delivery", "kind in ('reply', 'card', 'notice')"
    )
    op.drop_constraint("uq_delivery_message_id_destination_hash", "delivery")
    op.create_unique_constraint(
        "uq_delivery_message_id_destination_hash_kind",
        "delivery",
        ["message_id", "destination_hash", "kind"],
    )
    op.create_index(
        "ix_delivery_card", "delivery", ["external_id"], postgresql_where=sa.text("kind = 'card'")
    )
