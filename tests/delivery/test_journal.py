"""One commit a turn of the event loop, and everyone answered after it."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from newsletter.delivery.journal import Journal
from newsletter.delivery.ledger import Recorded
from newsletter.delivery.outcome import Stage, replied
from newsletter.errors import DatabaseError


def recorded(delivery: int) -> Recorded:
    return Recorded(delivery, 1, replied(Stage.DOT, 250, "ok"), datetime(2026, 1, 1, tzinfo=UTC))


class Books:
    """Stands for the ledger and for those who wait: what happened, in its order."""

    def __init__(self) -> None:
        self.story: list[object] = []
        self.refused: set[int] = set()
        self.fails = False
        self.journal = Journal(
            self.settle,
            settled=lambda: self.story.append("settled"),
            failed=lambda error: self.story.append(type(error)),
        )

    def settle(self, sending: list[int], outcomes: list[Recorded]) -> set[int]:
        self.story.append((sending, [outcome.delivery_id for outcome in outcomes]))
        if self.fails:
            raise DatabaseError("the books are shut")
        return set(sending) - self.refused

    def ask(self, *deliveries: int) -> None:
        for delivery in deliveries:
            self.journal.ask(delivery, lambda given, delivery=delivery: self.story.append((delivery, given)))

    def record(self, *deliveries: int) -> None:
        for delivery in deliveries:
            self.journal.record(recorded(delivery))

    def play(self, *turns: Callable[[], object]) -> list[object]:
        """What happened, with each of these done in a turn of its own."""

        async def scenario() -> None:
            for turn in turns:
                turn()
                await asyncio.sleep(0)
                await asyncio.sleep(0)

        asyncio.run(scenario())
        return self.story


def test_entries_of_one_turn_share_one_commit() -> None:
    """Many connections at work cost one transaction, and each is answered after it, not before."""
    books = Books()
    asked, ended = list(range(100)), list(range(100, 200))
    story = books.play(lambda: (books.ask(*asked), books.record(*ended)))
    assert story == [(asked, ended), *((delivery, True) for delivery in asked), "settled"]


def test_an_entry_alone_is_written_at_once() -> None:
    """Nobody waits for company: each turn with an entry has its commit, and one without has none."""
    books = Books()
    story = books.play(lambda: books.ask(1), lambda: None, lambda: books.record(1), lambda: None)
    assert story == [([1], []), (1, True), "settled", ([], [1]), "settled"]


def test_leave_to_send_is_what_the_books_say() -> None:
    """A letter that the books refuse does not go, whoever asked in the same turn."""
    books = Books()
    books.refused = {2}
    assert books.play(lambda: books.ask(1, 2, 3))[1:-1] == [(1, True), (2, False), (3, True)]


def test_what_an_answer_asks_for_is_in_the_next_commit() -> None:
    """One who is answered may go on at once: nothing is lost, and nothing written twice."""
    books = Books()

    def go_on(given: bool) -> None:
        books.record(1)
        books.ask(2)

    assert books.play(lambda: books.journal.ask(1, go_on), lambda: None) == [
        ([1], []), "settled", ([2], [1]), (2, True), "settled",
    ]  # fmt: skip


def test_one_who_withdraws_is_neither_written_nor_answered() -> None:
    """A connection that is lost while it waits leaves its letter untouched, and the others alone."""
    books = Books()
    story = books.play(lambda: (books.ask(1, 2), books.journal.withdraw(1), books.journal.withdraw(3)))
    assert story == [([2], []), (2, True), "settled"]


def test_once_the_books_could_not_be_kept_nothing_goes_any_more() -> None:
    """Nobody is answered, in that turn or later; it is told once, and the books are not opened again."""
    books = Books()
    books.fails = True

    def later() -> None:
        books.fails = False
        books.ask(3)
        books.record(4)

    assert books.play(lambda: (books.ask(1), books.record(2)), later) == [([1], [2]), DatabaseError]


def test_an_answer_that_cannot_be_acted_on_takes_leave_from_nobody() -> None:
    """What is marked as on its way does go, also behind one that fails; then it is told, once."""
    books = Books()

    def fail(given: bool) -> None:
        raise DatabaseError("no edition")

    story = books.play(lambda: (books.journal.ask(1, fail), books.ask(2)), lambda: books.ask(3))
    assert story == [([1, 2], []), (2, True), DatabaseError]
