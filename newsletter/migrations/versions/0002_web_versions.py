"""Posts as they were when an issue went out, so that its web version lasts."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the change; issues that went out before it show their posts as they are now."""
    with op.batch_alter_table("edition_post") as table:
        table.add_column(sa.Column("path", sa.Text(), nullable=False, server_default=""))
        table.add_column(sa.Column("source", sa.LargeBinary(), nullable=False, server_default=""))
    post = sa.table("post", sa.column("id"), sa.column("path"), sa.column("source"))
    row = sa.table("edition_post", sa.column("post_id"), sa.column("path"), sa.column("source"))
    op.execute(
        row.update().values(
            path=sa.select(post.c.path).where(post.c.id == row.c.post_id).scalar_subquery(),
            source=sa.select(post.c.source).where(post.c.id == row.c.post_id).scalar_subquery(),
        )
    )
    with op.batch_alter_table("edition_post") as table:
        table.alter_column("path", server_default=None)
        table.alter_column("source", server_default=None)


def downgrade() -> None:
    """Undo the change."""
    with op.batch_alter_table("edition_post") as table:
        table.drop_column("source")
        table.drop_column("path")
