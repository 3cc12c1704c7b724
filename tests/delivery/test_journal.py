"""One commit a turn of the event loop, and everyone answered after it."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from newsletter.delivery.journal import Journal
from newsletter.delivery.ledger import Recorded
from newsletter.delivery.outcome import Stage, replied
from newsletter.errors import DatabaseError


def recorded(delivery: int) -> Recorded:
    return Recorded(delivery, replied(Stage.DOT, 250, "ok"), datetime(2026, 1, 1, tzinfo=UTC))


class Books:
    """Stands for the ledger: remembers each transaction, and can be made to fail."""

    def __init__(self) -> None:
        self.commits: list[tuple[list[int], list[int]]] = []
        self.refused: set[int] = set()
        self.fails = False

    def settle(self, sending: list[int], outcomes: list[Recorded]) -> set[int]:
        self.commits.append((sending, [outcome.delivery_id for outcome in outcomes]))
        if self.fails:
            raise DatabaseError("the books are shut")
        return set(sending) - self.refused


async def together(*entries: Coroutine[Any, Any, object]) -> list[object]:
    return await asyncio.gather(*entries, return_exceptions=True)


def test_entries_of_one_turn_share_one_commit() -> None:
    """Many connections at work cost one transaction, however many they are."""
    books = Books()

    async def scenario() -> list[object]:
        journal = Journal(books.settle)
        return await together(
            *(journal.sending(number) for number in range(100)),
            *(journal.record(recorded(number)) for number in range(100, 200)),
        )

    assert asyncio.run(scenario()) == [True] * 100 + [None] * 100
    assert books.commits == [(list(range(100)), list(range(100, 200)))]


def test_an_entry_alone_is_written_at_once() -> None:
    """Nobody waits for company: each turn with an entry has its commit."""
    books = Books()

    async def scenario() -> None:
        journal = Journal(books.settle)
        for number in range(3):
            assert await journal.sending(number)
            await journal.record(recorded(number))

    asyncio.run(scenario())
    assert books.commits == [([0], []), ([], [0]), ([1], []), ([], [1]), ([2], []), ([], [2])]


def test_leave_to_send_is_what_the_books_say() -> None:
    """A letter that the books refuse does not go, whoever asked in the same turn."""
    books = Books()
    books.refused = {2}

    async def scenario() -> list[object]:
        journal = Journal(books.settle)
        return await together(*(journal.sending(number) for number in (1, 2, 3)))

    assert asyncio.run(scenario()) == [True, False, True]


def test_once_the_books_could_not_be_kept_nothing_goes_any_more() -> None:
    """Everyone of the failed turn hears of it, later ones too, and the books are not opened again."""
    books = Books()
    books.fails = True

    async def scenario() -> list[object]:
        journal = Journal(books.settle)
        first = await together(journal.sending(1), journal.record(recorded(2)))
        books.fails = False
        return first + await together(journal.sending(3), journal.record(recorded(4)))

    answers = asyncio.run(scenario())
    assert [type(answer) for answer in answers] == [DatabaseError] * 4
    assert len(books.commits) == 1


@pytest.mark.parametrize("fails", [False, True])
def test_one_who_no_longer_waits_is_no_trouble_to_the_others(fails: bool) -> None:
    """A connection cut off while it waits leaves its entry in the books and the others their answer."""
    books = Books()
    books.fails = fails

    async def scenario() -> tuple[list[object], bool]:
        journal = Journal(books.settle)
        gone = asyncio.create_task(journal.sending(1))
        stays = asyncio.create_task(journal.sending(2))
        await asyncio.sleep(0)  # both have asked, and are not answered yet
        gone.cancel()
        answers = await together(stays, journal.record(recorded(3)))
        await asyncio.wait([gone])
        return answers, gone.cancelled()

    answers, cancelled = asyncio.run(scenario())
    assert cancelled
    assert [type(answer) for answer in answers] == ([DatabaseError] * 2 if fails else [bool, type(None)])
    assert books.commits[0][0] == [1, 2]
