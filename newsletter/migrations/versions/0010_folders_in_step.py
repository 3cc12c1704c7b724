"""Folders that the queue keeps in step with, and their files as they were last seen."""

import sqlalchemy as sa
from alembic import op

from subscribers.models import Key

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "synced_folder",
        sa.Column("id", Key, primary_key=True),
        sa.Column("path", sa.String(1000), nullable=False, unique=True),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("withdrawn", sa.Text(), nullable=False),
    )
    op.create_table(
        "synced_file",
        sa.Column("folder_id", Key, sa.ForeignKey("synced_folder.id"), primary_key=True),
        sa.Column("path", sa.String(1000), primary_key=True),
        sa.Column("size", Key, nullable=False),
        sa.Column("mtime_ns", Key, nullable=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("expires", sa.Date(), nullable=True),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.Column("categories", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("post", sa.String(200), nullable=False),
        sa.Column("standing", sa.String(16), nullable=False),
    )


def downgrade() -> None:
    """Undo the change. The next sync of a folder is its first again."""
    op.drop_table("synced_file")
    op.drop_table("synced_folder")
