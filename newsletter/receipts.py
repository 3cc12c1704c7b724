"""Receipts that change outside of a category's own slots, as when a letter ends unsent and gives them back.

A receipt says that a subscriber has been given a post. Readers of a sequence are planned for in cohorts of
the same receipts (`newsletter.schedule.cohorts`); whoever changes one otherwise displaces its reader, whose
cohort is found anew when a letter is next due. Displacing only adds rows: it waits for nobody.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, insert, select, tuple_
from sqlmodel import col

from newsletter.database import batched
from newsletter.models import Delivery, Displaced, Receipt
from newsletter.states import UNSENT

WAITING_KEY = "digest"
"""The letter key of a post that waits for its digest: no letter has it."""

_BATCH = 500
"""Ids in one IN list: below every driver's limit of parameters."""


def displace(connection: Connection, readers: Select[*tuple[Any, ...]]) -> None:
    """Have the cohorts of these readers found anew; `readers` selects the ids of subscribers."""
    connection.execute(insert(Displaced).from_select(["subscriber_id"], readers))


def release_receipts(connection: Connection, deliveries: Sequence[int]) -> None:
    """`give_back_receipts` of letters by their ids, however many."""
    for ids in batched(deliveries, _BATCH):
        give_back_receipts(connection, col(Delivery.id).in_(ids))


def give_back_receipts(connection: Connection, which: ColumnElement[bool]) -> None:
    """Give back the receipts of those of these letters that have ended unsent."""
    letter = tuple_(col(Receipt.subscriber_id), col(Receipt.letter_key))
    ended = select(col(Delivery.subscriber_id), col(Delivery.letter_key)).where(
        which, col(Delivery.state).in_(UNSENT), col(Delivery.doubted_at).is_(None)
    )
    given_back = letter.in_(ended)
    displace(connection, select(col(Receipt.subscriber_id)).where(given_back).distinct())
    connection.execute(delete(Receipt).where(given_back))
