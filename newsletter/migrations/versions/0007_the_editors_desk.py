"""When a queued post may go, who approved it, and the history of the queue."""

import sqlalchemy as sa
from alembic import op

from subscribers.base import UTCDateTime
from subscribers.models import Key

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the change."""
    with op.batch_alter_table("queue_entry") as table:
        table.add_column(sa.Column("not_before", sa.Date(), nullable=True))
        table.add_column(sa.Column("not_after", sa.Date(), nullable=True))
        table.add_column(sa.Column("pinned_to", sa.String(16), nullable=True))
        table.add_column(sa.Column("approved_by", sa.String(120), nullable=True))
        table.add_column(sa.Column("approved_at", UTCDateTime(), nullable=True))
    op.create_table(
        "queue_event",
        sa.Column("id", Key, primary_key=True),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("actor", sa.String(120), nullable=False),
        sa.Column("category", sa.String(80), nullable=False),
        sa.Column("post", sa.String(200), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
    )
    op.create_index("ix_queue_event_post", "queue_event", ["post"])


def downgrade() -> None:
    """Undo the change. What waits for approval is held, as the older program knows no other way to wait."""
    op.drop_table("queue_event")
    op.execute("UPDATE queue_entry SET state = 'held' WHERE state = 'proposed'")
    with op.batch_alter_table("queue_entry") as table:
        for column in ("approved_at", "approved_by", "pinned_to", "not_after", "not_before"):
            table.drop_column(column)
