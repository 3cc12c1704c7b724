"""The tables of people: who they are, what they subscribe to, and the evidence of their consent.

A subscription names its category by slug: this package does not know the categories' table.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Index, Integer, UniqueConstraint, text
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
    """Append-only evidence that a person gave or withdrew permission. Rows are never changed."""

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    subscriber_id: int = Field(foreign_key="subscriber.id", index=True, sa_type=Key)
    category: str = Field(max_length=80)
    action: str = Field(max_length=16)
    source: str = Field(max_length=40)
    """The door it came through: `cli`, `import`, `one-click`, `page`."""
    evidence: str = Field(default="", max_length=1000)
    """What was shown or said, as far as the door knows it."""
    at: datetime = Field(sa_type=UTCDateTime)
