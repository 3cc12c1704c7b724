"""Readers in cohorts, with zones and pauses; several posts in a letter; a sequence's start; local time."""

import sqlalchemy as sa
from alembic import op

from subscribers.models import Key

revision = "0005"
down_revision = "0004"

_INDEX = "ix_subscription_category_state"


def upgrade() -> None:
    """Make the change; in which cohort a reader is, is found when a letter is next due."""
    with op.batch_alter_table("category") as table:
        table.add_column(sa.Column("posts_per_issue", sa.Integer(), nullable=True))
        table.add_column(sa.Column("start_post_id", Key, nullable=True))
        table.add_column(sa.Column("local_time", sa.Boolean(), nullable=True))
        table.create_foreign_key("fk_category_start_post", "post", ["start_post_id"], ["id"])
    op.execute("UPDATE category SET posts_per_issue = 1, local_time = false")
    with op.batch_alter_table("category") as table:
        table.alter_column("posts_per_issue", existing_type=sa.Integer(), nullable=False)
        table.alter_column("local_time", existing_type=sa.Boolean(), nullable=False)
    op.create_table(
        "cohort",
        sa.Column("id", Key, primary_key=True),
        sa.Column("category_id", Key, sa.ForeignKey("category.id"), nullable=False),
        sa.Column("had", sa.Text(), nullable=False),
    )
    op.create_index("ix_cohort_category_id", "cohort", ["category_id"])
    op.create_table(
        "displaced",
        sa.Column("id", Key, primary_key=True),
        sa.Column("subscriber_id", Key, sa.ForeignKey("subscriber.id"), nullable=False),
    )
    op.create_index("ix_displaced_subscriber_id", "displaced", ["subscriber_id"])
    op.drop_index(_INDEX, "subscription")
    op.add_column("subscription", sa.Column("cohort_id", Key, nullable=True))
    op.add_column("subscription", sa.Column("paused_until", sa.Date(), nullable=True))
    op.add_column("subscriber", sa.Column("timezone", sa.String(64), nullable=True))
    op.create_index(_INDEX, "subscription", ["category", "state", "subscriber_id", "cohort_id"])


def downgrade() -> None:
    """Undo the change. Who has paused gets letters again."""
    op.execute("UPDATE subscription SET state = 'active' WHERE state = 'paused'")
    op.drop_column("subscriber", "timezone")
    op.drop_index(_INDEX, "subscription")
    op.drop_column("subscription", "paused_until")
    op.drop_column("subscription", "cohort_id")
    op.create_index(_INDEX, "subscription", ["category", "state", "subscriber_id"])
    op.drop_table("displaced")
    op.drop_table("cohort")
    with op.batch_alter_table("category") as table:
        table.drop_constraint("fk_category_start_post", type_="foreignkey")
        table.drop_column("local_time")
        table.drop_column("start_post_id")
        table.drop_column("posts_per_issue")
