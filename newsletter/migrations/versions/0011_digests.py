"""Digests: posts of several slots in one letter, for readers who want few of them."""

import sqlalchemy as sa
from alembic import op

from subscribers.base import UTCDateTime
from subscribers.models import Key

revision = "0011"
down_revision = "0010"

_HAS_A_WISH = sa.text("frequency IS NOT NULL OR weekly_cap IS NOT NULL")
_WAITS = sa.text("letter_key IS NULL")


def upgrade() -> None:
    """Make the change."""
    op.add_column("category", sa.Column("priority", sa.Integer, nullable=False, server_default="5"))
    with op.batch_alter_table("category") as table:
        table.alter_column("priority", server_default=None)
    op.add_column("subscriber", sa.Column("frequency", sa.String(16), nullable=True))
    op.add_column("subscriber", sa.Column("weekly_cap", sa.Integer, nullable=True))
    op.create_index(
        "ix_subscriber_with_a_wish",
        "subscriber",
        ["id"],
        sqlite_where=_HAS_A_WISH,
        postgresql_where=_HAS_A_WISH,
    )
    op.add_column("edition_post", sa.Column("section", sa.String(200), nullable=True))
    op.create_table(
        "digest_post",
        sa.Column("id", Key, primary_key=True),
        sa.Column("subscriber_id", Key, sa.ForeignKey("subscriber.id"), nullable=False),
        sa.Column("post_id", Key, sa.ForeignKey("post.id"), nullable=False),
        sa.Column("issue_id", Key, sa.ForeignKey("issue.id"), nullable=False, index=True),
        sa.Column("category", sa.String(80), nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("slot", sa.String(16), nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("ready_at", UTCDateTime(), nullable=False),
        sa.Column("due_at", UTCDateTime(), nullable=False),
        sa.Column("letter_key", sa.String(64), nullable=True),
    )
    op.create_index("ix_digest_post_letter", "digest_post", ["subscriber_id", "letter_key"])
    op.create_index(
        "ix_digest_post_waiting", "digest_post", ["ready_at"], sqlite_where=_WAITS, postgresql_where=_WAITS
    )


def downgrade() -> None:
    """Undo the change. What waits for a digest is forgotten, and its readers may be given it again."""
    op.execute("DELETE FROM receipt WHERE letter_key = 'digest'")
    op.drop_table("digest_post")
    op.drop_index("ix_subscriber_with_a_wish", "subscriber")
    op.drop_column("edition_post", "section")
    op.drop_column("subscriber", "weekly_cap")
    op.drop_column("subscriber", "frequency")
    op.drop_column("category", "priority")
