"""The plan: slots and digests to come, in the order in which they will be decided."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from math import inf

from newsletter.schedule.apart import departures_of
from newsletter.schedule.categories import Stream
from newsletter.schedule.future import Future, Given, Passing
from newsletter.schedule.planned import PlannedIssue, decided, of_digest
from newsletter.schedule.timetable import Slot
from newsletter.schedule.wishes import HORIZON, Coming

_MOMENT = timedelta(microseconds=1)
_LAST = "\U0010ffff"
"""What comes after every word."""


def foretold(
    future: Future,
    agenda: Sequence[tuple[Slot, Stream]],
    coming: Sequence[Coming],
    now: datetime,
    until: datetime,
) -> Iterator[PlannedIssue]:
    """What slots will come to, and the digests between them, in the order in which they are decided."""

    def later(at: datetime, slug: str = _LAST, key: str = "") -> Sequence[Coming]:
        """The slots after one, or after all of an instant."""
        first = bisect_right(coming, (at, slug, key, inf))
        return coming[first : bisect_right(coming, (max(at, now) + HORIZON, _LAST))]

    def digests(by: datetime) -> Iterator[PlannedIssue]:
        """Those that are ready by an instant."""
        while (ready := future.next_ready()) is not None and ready <= by:
            at = max(ready, now)
            for digest in future.digests(at, later(at)):
                yield of_digest(digest)

    for at, together in groupby(agenda, lambda item: max(item[0].due_at, now)):
        if at > now:  # what is due already is decided before any digest is made
            yield from digests(min(at - _MOMENT, until))
        if at > until:
            return
        for slot, stream in together:
            given = Given()
            if not slot.left_out:
                rest = later(slot.due_at, stream.category.slug, slot.key)
                days = departures_of(*stream, slot) if future.has_wishes else []
                given = future.pass_slot(Passing(stream.category, slot, rest, days))
            yield decided(stream.category, slot, given)
        yield from digests(at)
    yield from digests(until)
