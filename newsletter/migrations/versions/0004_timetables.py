"""Cadences of several rules; days on which a category does not go out, and its last day."""

import sqlalchemy as sa
from alembic import op

from subscribers.models import Key

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the change."""
    with op.batch_alter_table("category") as table:
        table.alter_column(
            "cadence", type_=sa.String(200), existing_type=sa.String(100), existing_nullable=False
        )
        table.add_column(sa.Column("last_day", sa.Date(), nullable=True))
    op.create_table(
        "skipped_day",
        sa.Column("category_id", Key, sa.ForeignKey("category.id"), primary_key=True),
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("calendar", sa.String(200), nullable=False),
    )


def downgrade() -> None:
    """Undo the change. A cadence that has become too long for it is cut."""
    op.drop_table("skipped_day")
    op.execute("UPDATE category SET cadence = substr(cadence, 1, 100)")
    with op.batch_alter_table("category") as table:
        table.drop_column("last_day")
        table.alter_column(
            "cadence", type_=sa.String(100), existing_type=sa.String(200), existing_nullable=False
        )
