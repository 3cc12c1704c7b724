"""Errata: issues of a kind of their own, beside those of slots, and the posts they bring."""

import sqlalchemy as sa
from alembic import op

from subscribers.models import Key

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the change; every issue so far is a slot's."""
    with op.batch_alter_table("post") as table:
        table.add_column(_reference("post"))
    op.create_index("ix_post_corrects", "post", ["corrects"])
    with op.batch_alter_table("issue") as table:
        table.add_column(sa.Column("kind", sa.String(16), nullable=True))
        table.add_column(_reference("issue"))
        table.add_column(sa.Column("note", sa.Text(), nullable=True))
    op.execute("UPDATE issue SET kind = 'slot', note = ''")
    with op.batch_alter_table("issue") as table:
        table.alter_column("kind", nullable=False)
        table.alter_column("note", nullable=False)
    _drop_key("category_id", "slot")
    _add_key("category_id", "kind", "slot")


def downgrade() -> None:
    """Undo the change. What is no slot's stays as an issue, with a blank where a slot has its T."""
    op.execute("UPDATE issue SET slot = replace(slot, 'T', ' ') WHERE kind <> 'slot'")
    _drop_key("category_id", "kind", "slot")
    with op.batch_alter_table("issue") as table:
        table.drop_column("note")
        table.drop_column("corrects")
        table.drop_column("kind")
    _add_key("category_id", "slot")
    op.drop_index("ix_post_corrects", "post")
    with op.batch_alter_table("post") as table:
        table.drop_column("corrects")


def _reference(table: str) -> sa.Column[int]:
    """`corrects`, another row of the same table: named as PostgreSQL would, for SQLite takes none unnamed."""
    return sa.Column(
        "corrects", Key, sa.ForeignKey(f"{table}.id", name=f"{table}_corrects_fkey"), nullable=True
    )


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _drop_key(*columns: str) -> None:
    """Drop the unique key of issues. SQLite gave it no name: it has one while it is dropped."""
    name = f"issue_{'_'.join(columns)}_key"
    names = {"uq": name} if _is_sqlite() else None
    with op.batch_alter_table("issue", naming_convention=names) as table:
        table.drop_constraint(name, type_="unique")


def _add_key(*columns: str) -> None:
    """Give issues a unique key without a name, as the model has it."""
    if _is_sqlite():
        with op.batch_alter_table("issue", recreate="always", table_args=(sa.UniqueConstraint(*columns),)):
            return
    op.create_unique_constraint(None, "issue", columns)
