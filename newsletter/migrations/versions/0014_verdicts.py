"""What is found out about letters, with its evidence, and probes."""

import sqlalchemy as sa
from alembic import op

from subscribers.base import UTCDateTime
from subscribers.models import Key

revision = "0014"
down_revision = "0013"

_IS_UNJUDGED = sa.text("judged_at IS NULL")
_IS_POLICY = sa.text("bounce_class = 'policy'")


def upgrade() -> None:
    """Make the change. What bounced before is not judged: it will bounce again."""
    op.create_table(
        "probe",
        sa.Column("id", Key, primary_key=True),
        sa.Column("subscriber_id", Key, sa.ForeignKey("subscriber.id"), nullable=False, index=True),
        sa.Column("asked_at", UTCDateTime(), nullable=False),
        sa.Column("failed_at", UTCDateTime(), nullable=True),
    )
    op.create_table(
        "verdict",
        sa.Column("id", Key, primary_key=True),
        sa.Column("subscriber_id", Key, sa.ForeignKey("subscriber.id"), nullable=False, index=True),
        sa.Column("delivery_id", Key, sa.ForeignKey("delivery.id"), nullable=True, index=True),
        sa.Column("probe_id", Key, sa.ForeignKey("probe.id"), nullable=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("bounce_class", sa.String(16), nullable=True),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("attempt_id", Key, sa.ForeignKey("attempt.id"), nullable=True, unique=True),
        sa.Column("inbound_id", Key, sa.ForeignKey("inbound_message.id"), nullable=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("diagnostic", sa.Text(), nullable=False),
        sa.Column("remote", sa.String(255), nullable=False),
        sa.Column("judged_at", UTCDateTime(), nullable=True),
        sa.Column("effect", sa.String(16), nullable=True),
        sa.UniqueConstraint("inbound_id", "delivery_id"),
    )
    op.create_index(
        "ix_verdict_unjudged",
        "verdict",
        ["id"],
        sqlite_where=_IS_UNJUDGED,
        postgresql_where=_IS_UNJUDGED,
    )
    op.create_index(
        "ix_verdict_policy",
        "verdict",
        ["at"],
        sqlite_where=_IS_POLICY,
        postgresql_where=_IS_POLICY,
    )
    op.add_column("note", sa.Column("return_path", sa.String(320), nullable=False, server_default=""))
    with op.batch_alter_table("note") as table:
        table.alter_column("return_path", server_default=None)


def downgrade() -> None:
    """Undo the change. Who was suppressed stays so; why, and on what evidence, is lost."""
    with op.batch_alter_table("note") as table:
        table.drop_column("return_path")
    op.drop_table("verdict")
    op.drop_table("probe")
    op.execute("UPDATE subscription SET state = 'left' WHERE state = 'suppressed'")
    op.execute("UPDATE delivery SET state = 'cancelled' WHERE state = 'suppressed'")
