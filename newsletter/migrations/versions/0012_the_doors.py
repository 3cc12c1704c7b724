"""Requests, their confirmations, mail that comes in, and a chain of consent records."""

import json
import secrets
from datetime import UTC
from hashlib import sha256

import sqlalchemy as sa
from alembic import op

from subscribers.base import UTCDateTime
from subscribers.models import Key

revision = "0012"
down_revision = "0011"

_IS_NEW = sa.text("state = 'new'")
_IS_QUEUED = sa.text("state = 'queued'")
_AT_ONCE = 1000


def upgrade() -> None:
    """Make the change."""
    op.add_column("consent", sa.Column("address", sa.String(320), nullable=False, server_default=""))
    op.add_column("consent", sa.Column("details", sa.Text(), nullable=True))
    op.add_column("consent", sa.Column("salt", sa.String(32), nullable=False, server_default=""))
    with op.batch_alter_table("consent") as table:
        table.alter_column("address", server_default=None)
        table.alter_column("salt", server_default=None)
    op.create_table(
        "consent_link",
        sa.Column("number", Key, primary_key=True, autoincrement=False),
        sa.Column("consent_id", Key, nullable=False, unique=True),
        sa.Column("commitment", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    _tell_apart_by_lower_case()
    _link_what_is_there()
    op.create_table(
        "wording",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("first_at", UTCDateTime(), nullable=False),
    )
    op.create_table(
        "suppression",
        sa.Column("address_hash", sa.String(64), primary_key=True),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
    )
    _make_requests()
    _make_inbound_messages()
    _make_notes()


def _tell_apart_by_lower_case() -> None:
    """Know addresses beyond ASCII by their lower case: case folding took `ß` and `ss` for one."""
    connection = op.get_bind()
    subscriber = sa.table("subscriber", *(sa.column(name) for name in ("id", "address", "address_key")))
    for number, address, key in connection.execute(sa.select(subscriber)).all():
        if not address.isascii() and key != address.lower():
            changed = sa.update(subscriber).where(subscriber.c.id == number)
            connection.execute(changed.values(address_key=address.lower()))


def _make_requests() -> None:
    op.create_table(
        "request",
        sa.Column("id", Key, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("address", sa.String(320), nullable=False),
        sa.Column("address_key", sa.String(320), nullable=False),
        sa.Column("mailbox", sa.String(320), nullable=False),
        sa.Column("domain", sa.String(255), nullable=False),
        sa.Column("categories", sa.Text(), nullable=False),
        sa.Column("name", sa.String(200), nullable=True),
        sa.Column("timezone", sa.String(64), nullable=True),
        sa.Column("frequency", sa.String(16), nullable=True),
        sa.Column("weeks", sa.Integer(), nullable=True),
        sa.Column("subscriber_id", Key, sa.ForeignKey("subscriber.id"), nullable=True, index=True),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("door", sa.String(16), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("wording", sa.String(64), nullable=False),
        sa.Column("in_reply_to", sa.Text(), nullable=True),
        sa.Column("thread", sa.Text(), nullable=True),
        sa.Column("asked_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("posted_at", UTCDateTime(), nullable=True),
        sa.Column("reason", sa.String(200), nullable=True),
        sa.Column("letter_id", sa.Text(), nullable=True),
        sa.Column("letter_hash", sa.String(64), nullable=True),
        sa.Column("letter_wording", sa.String(64), nullable=True),
        sa.Column("confirmed_at", UTCDateTime(), nullable=True),
    )
    op.create_index("ix_request_address", "request", ["address_key"])
    op.create_index("ix_request_mailbox", "request", ["mailbox", "posted_at"])
    op.create_index("ix_request_domain", "request", ["domain", "posted_at"])
    op.create_index("ix_request_new", "request", ["asked_at"], sqlite_where=_IS_NEW, postgresql_where=_IS_NEW)
    op.create_index("ix_request_expires", "request", ["expires_at"])


def _make_inbound_messages() -> None:
    op.create_table(
        "inbound_message",
        sa.Column("id", Key, primary_key=True),
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("recipient", sa.String(320), nullable=False),
        sa.Column("return_path", sa.String(320), nullable=True),
        sa.Column("entrance", sa.String(16), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("octets", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("sender", sa.String(320), nullable=False, index=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("taken_until", UTCDateTime(), nullable=True),
        sa.Column("verb", sa.String(16), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("handled_at", UTCDateTime(), nullable=True),
        sa.UniqueConstraint("identity", "recipient"),
    )
    op.create_index("ix_inbound_message_state", "inbound_message", ["state", "id"])
    op.create_index("ix_inbound_message_received", "inbound_message", ["received_at"])


def _make_notes() -> None:
    op.create_table(
        "note",
        sa.Column("id", Key, primary_key=True),
        sa.Column("topic", sa.String(120), nullable=False, unique=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("recipient", sa.String(320), nullable=False),
        sa.Column("recipient_key", sa.String(320), nullable=False),
        sa.Column("mailbox", sa.String(320), nullable=False),
        sa.Column("domain", sa.String(255), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("message", sa.LargeBinary(), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("written_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("retry_at", UTCDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", UTCDateTime(), nullable=True),
        sa.Column("reply", sa.Text(), nullable=True),
    )
    op.create_index("ix_note_due", "note", ["retry_at"], sqlite_where=_IS_QUEUED, postgresql_where=_IS_QUEUED)
    op.create_index("ix_note_recipient", "note", ["recipient_key"])
    op.create_index("ix_note_mailbox", "note", ["mailbox", "written_at"])
    op.create_index("ix_note_domain", "note", ["domain", "written_at"])


def _link_what_is_there() -> None:
    """Put the records of before into the chain, in order, as `subscribers.consent` does with new ones."""
    connection = op.get_bind()
    consent = sa.table(
        "consent",
        *(sa.column(name) for name in ("id", "subscriber_id", "category", "action", "source", "evidence")),
        sa.column("at", UTCDateTime()),
        *(sa.column(name) for name in ("address", "details", "salt")),
    )
    subscriber = sa.table("subscriber", sa.column("id"), sa.column("address"))
    linked = ("number", "consent_id", "commitment", "hash")
    link = sa.table("consent_link", *(sa.column(name) for name in linked))
    last, number, previous = 0, 0, ""
    while True:
        rows = connection.execute(
            sa.select(consent, subscriber.c.address.label("known_as"))
            .join(subscriber, subscriber.c.id == consent.c.subscriber_id)
            .where(consent.c.id > last)
            .order_by(consent.c.id)
            .limit(_AT_ONCE)
        ).all()
        if not rows:
            return
        changes, links = [], []
        for row in rows:
            salt = secrets.token_hex(16)
            said = [
                *(row.subscriber_id, row.known_as, row.category, row.action, row.source, row.evidence),
                row.at.astimezone(UTC).isoformat(),
                None,
            ]
            record = json.dumps(said, ensure_ascii=True, separators=(",", ":"))
            commitment = sha256(f"{salt}{record}".encode()).hexdigest()
            number += 1
            previous = sha256(f"{previous}{commitment}".encode()).hexdigest()
            changes.append({"which": row.id, "new_address": row.known_as, "new_salt": salt})
            links.append({"number": number, "consent_id": row.id, "commitment": commitment, "hash": previous})
        connection.execute(
            sa.update(consent)
            .where(consent.c.id == sa.bindparam("which"))
            .values(address=sa.bindparam("new_address"), salt=sa.bindparam("new_salt")),
            changes,
        )
        connection.execute(sa.insert(link), links)
        last = rows[-1].id


def downgrade() -> None:
    """Undo the change. What is asked for and not confirmed is forgotten, and so is the mail that came in."""
    for table in ("note", "inbound_message", "request", "suppression", "wording", "consent_link"):
        op.drop_table(table)
    op.drop_column("consent", "salt")
    op.drop_column("consent", "details")
    op.drop_column("consent", "address")
