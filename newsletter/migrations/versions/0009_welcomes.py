"""A letter that new readers get at once."""

import sqlalchemy as sa
from alembic import op

from subscribers.base import UTCDateTime
from subscribers.models import Key

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the change."""
    with op.batch_alter_table("category") as table:
        table.add_column(sa.Column("welcome_post_id", Key, nullable=True))
        table.add_column(sa.Column("welcome_from", UTCDateTime(), nullable=True))
        table.create_foreign_key("fk_category_welcome_post", "post", ["welcome_post_id"], ["id"])
    op.create_index("ix_subscription_category_since", "subscription", ["category", "since"])


def downgrade() -> None:
    """Undo the change."""
    op.drop_index("ix_subscription_category_since", "subscription")
    with op.batch_alter_table("category") as table:
        table.drop_constraint("fk_category_welcome_post", type_="foreignkey")
        table.drop_column("welcome_from")
        table.drop_column("welcome_post_id")
