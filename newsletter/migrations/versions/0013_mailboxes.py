"""Mailboxes that mail comes in from."""

import sqlalchemy as sa
from alembic import op

from subscribers.base import UTCDateTime
from subscribers.models import Key

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "mailbox",
        sa.Column("id", Key, primary_key=True),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("account", sa.String(320), nullable=False),
        sa.Column("folder", sa.String(255), nullable=False),
        sa.Column("uidvalidity", Key, nullable=False),
        sa.Column("last_uid", Key, nullable=False),
        sa.Column("begun_at", UTCDateTime(), nullable=False),
        sa.Column("looked_at", UTCDateTime(), nullable=False),
        sa.UniqueConstraint("host", "account", "folder"),
    )


def downgrade() -> None:
    """Undo the change. Mailboxes will be seen for the first time again: what lies in them then is let be."""
    op.drop_table("mailbox")
