"""Issues that can be paused and have an end of their own; whose fault a refusal is; which relay was used."""

import sqlalchemy as sa
from alembic import op

from subscribers.base import UTCDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the change; an issue ends when the last of its letters did."""
    with op.batch_alter_table("issue") as table:
        table.add_column(sa.Column("expires_at", UTCDateTime(), nullable=True))
        table.add_column(sa.Column("canary_every", sa.Integer(), nullable=True))
        table.add_column(sa.Column("canary_done_at", UTCDateTime(), nullable=True))
        table.add_column(sa.Column("finished_at", UTCDateTime(), nullable=True))
    op.execute(
        "UPDATE issue SET expires_at = coalesce("
        "(SELECT max(delivery.expires_at) FROM delivery WHERE delivery.issue_id = issue.id), due_at)"
    )
    op.execute("UPDATE issue SET finished_at = planned_at WHERE state <> 'planned'")
    with op.batch_alter_table("issue") as table:
        table.alter_column("expires_at", nullable=False)
    op.drop_index("ix_delivery_due", "delivery")
    op.drop_index("ix_delivery_issue_state", "delivery")
    with op.batch_alter_table("delivery") as table:
        table.drop_column("expires_at")
        table.add_column(sa.Column("fault", sa.String(16), nullable=True))
        table.add_column(sa.Column("complained_at", UTCDateTime(), nullable=True))
    op.create_index("ix_delivery_due", "delivery", ["issue_id", "state", "due_at", "id"])
    with op.batch_alter_table("attempt") as table:
        table.add_column(sa.Column("relay", sa.String(255), nullable=True))


def downgrade() -> None:
    """Undo the change."""
    with op.batch_alter_table("attempt") as table:
        table.drop_column("relay")
    op.drop_index("ix_delivery_due", "delivery")
    with op.batch_alter_table("delivery") as table:
        table.drop_column("complained_at")
        table.drop_column("fault")
        table.add_column(sa.Column("expires_at", UTCDateTime(), nullable=True))
    op.execute(
        "UPDATE delivery SET expires_at = "
        "(SELECT issue.expires_at FROM issue WHERE issue.id = delivery.issue_id)"
    )
    with op.batch_alter_table("delivery") as table:
        table.alter_column("expires_at", nullable=False)
    op.create_index("ix_delivery_due", "delivery", ["state", "due_at", "id"])
    op.create_index("ix_delivery_issue_state", "delivery", ["issue_id", "state"])
    with op.batch_alter_table("issue") as table:
        table.drop_column("finished_at")
        table.drop_column("canary_done_at")
        table.drop_column("canary_every")
        table.drop_column("expires_at")
