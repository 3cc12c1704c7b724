"""Short letters are on the wire one by one; mail is found by its return path."""

import sqlalchemy as sa
from alembic import op

from subscribers.base import UTCDateTime

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Make the change."""
    op.add_column("note", sa.Column("on_wire_until", UTCDateTime(), nullable=True))
    op.create_index("ix_inbound_message_return_path", "inbound_message", ["return_path"])


def downgrade() -> None:
    """Undo the change."""
    op.drop_index("ix_inbound_message_return_path", table_name="inbound_message")
    op.drop_column("note", "on_wire_until")
