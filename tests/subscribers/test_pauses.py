"""Pauses: letters stop for a while, and come again by themselves; consent is not touched."""

from datetime import date

import pytest
from sqlmodel import select

from newsletter.states import Mode
from subscribers.models import Consent, Subscription
from tests.planning import TUESDAY, WEEK, Town, database, shared_database, town

__all__ = ["database", "shared_database", "town"]


@pytest.mark.parametrize("mode", Mode)
def test_who_pauses_gets_nothing_until_it_is_over(town: Town, mode: Mode) -> None:
    """The slot of the day on which it ends is the first again: a sequence goes on, a broadcast was missed."""
    town.category(mode=mode)
    town.queue("a", "b", "c", "d")
    town.subscribe("ann", "bo")
    town.plan(TUESDAY)
    town.pause("ann", until=(TUESDAY + 3 * WEEK).date())
    assert town.given_to("ann") == ["a"]  # it had not gone: it is cancelled, and its receipt given back
    for week in (1, 2, 3):
        town.plan(TUESDAY + week * WEEK)
    assert town.given_to("bo") == ["a", "b", "c", "d"]
    assert town.given_to("ann")[-1] == ("d" if mode is Mode.BROADCAST else "a")
    with town.database.read() as session:
        assert {one.state for one in session.exec(select(Subscription))} == {"active"}
        assert {one.action for one in session.exec(select(Consent))} == {"granted"}


def test_who_leaves_in_a_pause_has_left(town: Town) -> None:
    """A pause that ends brings nobody back."""
    town.category()
    town.queue("a", "b")
    town.subscribe("ann")
    town.pause("ann", until=date(2026, 1, 10))
    town.leave("ann")
    town.plan(TUESDAY + WEEK)
    assert town.letters() == []


def test_who_asks_anew_in_a_pause_gets_letters_again(town: Town) -> None:
    """To subscribe is to want letters."""
    town.category()
    town.queue("a")
    town.subscribe("ann")
    town.pause("ann", until=date(2027, 1, 1))
    town.subscribe("ann")
    town.plan(TUESDAY)
    assert town.given_to("ann") == ["a"]
