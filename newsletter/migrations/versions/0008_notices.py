"""Slots whose letters could not be made, and what the editor is told."""

import sqlalchemy as sa
from alembic import op

from subscribers.base import UTCDateTime
from subscribers.models import Key

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "failed_slot",
        sa.Column("category_id", Key, sa.ForeignKey("category.id"), primary_key=True),
        sa.Column("slot", sa.String(16), primary_key=True),
        sa.Column("failed_at", UTCDateTime(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
    )
    op.create_table(
        "notice",
        sa.Column("id", Key, primary_key=True),
        sa.Column("topic", sa.String(160), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("category", sa.String(80), nullable=True),
        sa.Column("issue_id", Key, sa.ForeignKey("issue.id"), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("noticed_at", UTCDateTime(), nullable=False),
        sa.Column("over_at", UTCDateTime(), nullable=True),
        sa.Column("retry_at", UTCDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", UTCDateTime(), nullable=True),
        sa.Column("reply", sa.Text(), nullable=True),
        sa.UniqueConstraint("topic", "number"),
    )


def downgrade() -> None:
    """Undo the change."""
    op.drop_table("notice")
    op.drop_table("failed_slot")
