"""How far imports have come."""

import sqlalchemy as sa
from alembic import op

from subscribers.base import UTCDateTime
from subscribers.models import Key

revision = "0015"
down_revision = "0014"

_IS_OPEN = sa.text("finished_at IS NULL")


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "import_run",
        sa.Column("id", Key, primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("tool", sa.String(16), nullable=False),
        sa.Column("begun_at", UTCDateTime(), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("done", Key, nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("finished_at", UTCDateTime(), nullable=True),
    )
    op.create_index(
        "ix_import_run_open",
        "import_run",
        ["fingerprint"],
        unique=True,
        sqlite_where=_IS_OPEN,
        postgresql_where=_IS_OPEN,
    )


def downgrade() -> None:
    """Undo the change. An import that was stopped begins anew, which is harmless."""
    op.drop_table("import_run")
