"""The tables of people: who they are, what they subscribe to, and the evidence of their consent.

A subscription names its category by slug: this package does not know the categories' table.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Index, Integer, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from subscribers.base import UTCDateTime

Key: Any = BigInteger().with_variant(Integer, "sqlite")
"""The type of every primary key: 64 bits, also on SQLite, where only INTEGER counts up by itself.

A row's `id` is typed as always there; it really is once the row has been flushed.
"""


class SubscriptionState(StrEnum):
    """Where a subscription stands. Only `active` ones are planned for."""

    PENDING = "pending"  # asked for, not confirmed
    ACTIVE = "active"
    PAUSED = "paused"  # the reader wants no letters for a while
    LEFT = "left"
    SUPPRESSED = "suppressed"  # agreed to, but there is a standing order not to write


LIVE = (SubscriptionState.ACTIVE, SubscriptionState.PAUSED)
"""The states of subscriptions that have been agreed to and not ended."""


class Frequency(StrEnum):
    """Which letters a reader wants."""

    ISSUE = "issue"  # one of each issue
    DAILY = "daily"  # one a day, with all that is theirs on it
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class ConsentAction(StrEnum):
    """What a consent record is evidence of."""

    REQUESTED = "requested"
    GRANTED = "granted"
    WITHDRAWN = "withdrawn"
    ERASED = (
        "erased"  # that a person's earlier records were erased, which it names by their numbers in the chain
    )


class RequestKind(StrEnum):
    """What somebody asks for who has not yet proved that an address is theirs."""

    JOIN = "join"
    LEAVE = "leave"
    STOP = "stop"  # leave everything
    FREQUENCY = "frequency"
    PAUSE = "pause"
    RESUME = "resume"
    ADDRESS = "address"  # that a reader's letters go to this address from now on


class RequestState(StrEnum):
    """Where a request stands."""

    NEW = "new"  # nobody has been written to yet
    ASKED = "asked"  # a confirmation is on its way
    WITHHELD = "withheld"  # and none will be: a cap, or a standing order not to write
    CONFIRMED = "confirmed"
    REFUSED = "refused"  # by whoever has the address


class SuppressionReason(StrEnum):
    """Why an address is not to be written to."""

    BOUNCED = "bounced"
    COMPLAINED = "complained"
    ASKED = "asked"
    ERASED = "erased"


class Subscriber(SQLModel, table=True):
    """A person, by their address."""

    __table_args__ = (
        Index(
            "ix_subscriber_with_a_wish",
            "id",
            sqlite_where=text("frequency IS NOT NULL OR weekly_cap IS NOT NULL"),
            postgresql_where=text("frequency IS NOT NULL OR weekly_cap IS NOT NULL"),
        ),
    )

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    address: str = Field(max_length=320)
    """As first given, domain in A-labels: what letters are sent to."""
    address_key: str = Field(max_length=320, unique=True)
    """The folded form (see `subscribers.address`): one row a reader."""
    name: str | None = Field(default=None, max_length=200)
    created_at: datetime = Field(sa_type=UTCDateTime)
    timezone: str | None = Field(default=None, max_length=64)
    """Their IANA zone, None where it is not known."""
    frequency: str | None = Field(default=None, max_length=16)
    """Which letters they want (see `Frequency`); None for what is usual on the site."""
    weekly_cap: int | None = None
    """How many letters a week they want at most, 0 for any number; None for what is usual on the site."""


class Subscription(SQLModel, table=True):
    """A person's tie to one category."""

    __table_args__ = (
        UniqueConstraint("subscriber_id", "category"),
        Index("ix_subscription_category_state", "category", "state", "subscriber_id", "cohort_id"),
        Index("ix_subscription_category_since", "category", "since"),
    )

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    subscriber_id: int = Field(foreign_key="subscriber.id", sa_type=Key)
    category: str = Field(max_length=80)
    state: str = Field(max_length=16)
    since: datetime = Field(sa_type=UTCDateTime)
    """When it came into its present state."""
    cohort_id: int | None = Field(default=None, sa_type=Key)
    """Whose letters are theirs too, where readers go at their own place; None until somebody has looked.

    Whoever plans letters keeps it; a subscription that begins anew has none.
    """
    paused_until: date | None = None
    """The day from which a paused one has letters again."""


class Consent(SQLModel, table=True):
    """Append-only evidence that a person gave or withdrew permission. Rows are never changed.

    Each is a link of a chain (`ConsentLink`) that shows if one was; erasing a person deletes theirs.
    """

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    subscriber_id: int = Field(foreign_key="subscriber.id", index=True, sa_type=Key)
    category: str = Field(max_length=80)
    action: str = Field(max_length=16)
    source: str = Field(max_length=40)
    """The door it came through: `cli`, `import`, `one-click`, `page`, `email`."""
    evidence: str = Field(default="", max_length=1000)
    """What was shown or said, as far as the door knows it."""
    at: datetime = Field(sa_type=UTCDateTime)
    address: str = Field(default="", max_length=320)
    """Whose permission it was, as they were known then."""
    details: str | None = Field(default=None, sa_type=Text)
    """A JSON object: when and where they were asked, by which words and letter, and how they confirmed."""
    salt: str = Field(default="", max_length=32)
    """Hides the record behind its commitment: without it nobody can guess what an erased one said."""


class ConsentLink(SQLModel, table=True):
    """A link of the chain of consent records (see `subscribers.consent`). Rows are only ever added."""

    __tablename__ = "consent_link"

    number: int = Field(primary_key=True, sa_type=Key, sa_column_kwargs={"autoincrement": False})
    """From 1, without a gap."""
    consent_id: int = Field(unique=True, sa_type=Key)
    """No foreign key: a record that is erased leaves its link."""
    commitment: str = Field(max_length=64)
    """SHA-256 of the record and its salt."""
    hash: str = Field(max_length=64)
    """SHA-256 of the link before and the commitment."""


class Wording(SQLModel, table=True):
    """A text that people agreed to, word by word. Its version is its hash."""

    hash: str = Field(primary_key=True, max_length=64)
    """SHA-256 of the text in UTF-8."""
    text: str = Field(sa_type=Text)
    first_at: datetime = Field(sa_type=UTCDateTime)


class Request(SQLModel, table=True):
    """Something that was asked for by whoever may not have the address: nothing is changed by it.

    What it asks for happens when the confirmation that is sent to the address is answered; else it expires
    and is deleted.
    """

    __table_args__ = (
        Index("ix_request_address", "address_key"),
        Index("ix_request_mailbox", "mailbox", "posted_at"),
        Index("ix_request_domain", "domain", "posted_at"),
        Index(
            "ix_request_new",
            "asked_at",
            sqlite_where=text("state = 'new'"),
            postgresql_where=text("state = 'new'"),
        ),
        Index("ix_request_expires", "expires_at"),
    )

    id: int = Field(primary_key=True, sa_type=Key, sa_column_kwargs={"autoincrement": False})
    """Drawn at random and in the link that confirms: one that was deleted never comes again."""
    kind: str = Field(max_length=16)
    address: str = Field(max_length=320)
    address_key: str = Field(max_length=320)
    mailbox: str = Field(max_length=320)
    """The key without a tag: what confirmations are counted by."""
    domain: str = Field(max_length=255)
    categories: str = Field(sa_type=Text)
    """Slugs with spaces between them."""
    name: str | None = Field(default=None, max_length=200)
    timezone: str | None = Field(default=None, max_length=64)
    frequency: str | None = Field(default=None, max_length=16)
    weeks: int | None = None
    """How long a pause is to be."""
    subscriber_id: int | None = Field(default=None, foreign_key="subscriber.id", index=True, sa_type=Key)
    """Whose address is to change."""
    language: str = Field(max_length=35)
    door: str = Field(max_length=16)
    place: str = Field(sa_type=Text)
    """Where it was asked: the page's address, or the address written to and the Message-ID."""
    wording: str = Field(max_length=64)
    """What was shown or said when it was asked, by hash."""
    in_reply_to: str | None = Field(default=None, sa_type=Text)
    """The Message-ID of the mail that asked."""
    thread: str | None = Field(default=None, sa_type=Text)
    """The References of an answer to it."""
    asked_at: datetime = Field(sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime)
    state: str = Field(max_length=16)
    posted_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When its confirmation was written."""
    reason: str | None = Field(default=None, max_length=200)
    """Why none was."""
    letter_id: str | None = Field(default=None, sa_type=Text)
    """The confirmation's Message-ID."""
    letter_hash: str | None = Field(default=None, max_length=64)
    """SHA-256 of the confirmation, header and body, as it was given to the relay."""
    letter_wording: str | None = Field(default=None, max_length=64)
    """What it said, by hash."""
    confirmed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class Suppression(SQLModel, table=True):
    """A standing order not to write to an address, of which only a keyed hash is kept."""

    address_hash: str = Field(primary_key=True, max_length=64)
    reason: str = Field(max_length=16)
    at: datetime = Field(sa_type=UTCDateTime)


class ImportRun(SQLModel, table=True):
    """How far an import of a file has come, and what came of it: one that is killed goes on from here."""

    __tablename__ = "import_run"
    __table_args__ = (
        Index(
            "ix_import_run_open",
            "fingerprint",
            unique=True,
            sqlite_where=text("finished_at IS NULL"),
            postgresql_where=text("finished_at IS NULL"),
        ),
    )

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    fingerprint: str = Field(max_length=64)
    """SHA-256 of the file and of how it is to be understood."""
    file: str = Field(sa_type=Text)
    """Its name."""
    tool: str = Field(max_length=16)
    begun_at: datetime = Field(sa_type=UTCDateTime)
    stage: str = Field(max_length=16)
    """See `subscribers.moving.importing.Stage`."""
    done: int = Field(sa_type=Key)
    """How many rows of the file have been seen to in this stage."""
    counts: str = Field(sa_type=Text)
    """A JSON object: what came of the rows so far."""
    finished_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
