"""E-mail: originals, watermarks, forgotten mails, budgets, bounced addresses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002_mail"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("contact_identity", sa.Column("bounced_at", TIME, nullable=True))
    op.add_column("contact_identity", sa.Column("bounce_status", sa.Text(), nullable=True))
    op.add_column("attachment", sa.Column("warning", sa.Text(), nullable=True))
    op.create_index("ix_delivery_external_id", "delivery", ["external_id"])
    op.create_table(
        "original",
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("topic_hash", sa.LargeBinary(), nullable=True),
        sa.Column("raw_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("full_text_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("headers_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["message.id"],
            name=op.f("fk_original_message_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_original_contact_id")
        ),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_original")),
    )
    op.create_index("ix_original_contact_id", "original", ["contact_id"])
    op.create_table(
        "automatic_reply",
        sa.Column("reply_to", sa.Uuid(), nullable=False),
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("sender_hash", sa.LargeBinary(), nullable=False),
        sa.Column("topic_hash", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["reply_to"],
            ["message.id"],
            name=op.f("fk_automatic_reply_reply_to"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["inbox_id"], ["inbox.id"], name=op.f("fk_automatic_reply_inbox_id")
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversation.id"],
            name=op.f("fk_automatic_reply_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("reply_to", name=op.f("pk_automatic_reply")),
    )
    op.create_index("ix_automatic_reply_conversation_id", "automatic_reply", ["conversation_id"])
    op.create_index("ix_automatic_reply_sender", "automatic_reply", ["sender_hash", "created_at"])
    op.create_index("ix_automatic_reply_inbox", "automatic_reply", ["inbox_id", "created_at"])
    op.create_index("ix_automatic_reply_topic", "automatic_reply", ["topic_hash", "created_at"])
    op.create_table(
        "mailbox_watermark",
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("uid_validity", sa.BigInteger(), nullable=False),
        sa.Column("last_uid", sa.BigInteger(), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("leased_until", TIME, nullable=True),
        sa.Column("read_at", TIME, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("error_since", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["inbox_id"],
            ["inbox.id"],
            name=op.f("fk_mailbox_watermark_inbox_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("inbox_id", "folder", name=op.f("pk_mailbox_watermark")),
    )
    op.create_table(
        "forgotten_mail",
        sa.Column("inbox_id", sa.Uuid(), nullable=False),
        sa.Column("mail_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["inbox_id"],
            ["inbox.id"],
            name=op.f("fk_forgotten_mail_inbox_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("inbox_id", "mail_hash", name=op.f("pk_forgotten_mail")),
    )


def downgrade() -> None:
    op.drop_table("forgotten_mail")
    op.drop_table("mailbox_watermark")
    op.drop_table("automatic_reply")
    op.drop_table("original")
    op.drop_index("ix_delivery_external_id", "delivery")
    op.drop_column("attachment", "warning")
    op.drop_column("contact_identity", "bounce_status")
    op.drop_column("contact_identity", "bounced_at")
