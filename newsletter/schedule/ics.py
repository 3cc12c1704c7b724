"""The plan as a calendar (RFC 5545): an event for each slot to come, known by its category and wall clock.

The same plan gives the same bytes, and a slot keeps its UID when its post changes, so that a calendar program
that reads the file again updates what it has.
"""

from collections.abc import Sequence
from datetime import timedelta

from newsletter.schedule.planned import PlannedIssue

_LENGTH = timedelta(minutes=15)
"""How long an event is: a program shows none that takes no time."""


def calendar_of(coming: Sequence[PlannedIssue], name: str, domain: str) -> bytes:
    """The slots of a plan. `name` is the newsletter's, `domain` the one its events' UIDs end with."""
    from icalendar import Calendar, Event

    calendar = Calendar()
    calendar.add("PRODID", "-//Paperround//Plan//EN")
    calendar.add("VERSION", "2.0")
    calendar.add("X-WR-CALNAME", name)
    for issue in coming:
        event = Event()
        event.add("UID", f"{issue.category}.{issue.slot}@{domain}")
        event.add("DTSTAMP", issue.due_at)
        event.add("DTSTART", issue.due_at)
        event.add("DURATION", _LENGTH)
        event.add("SUMMARY", f"{issue.category}: {_told(issue)}")
        readers = "1 reader" if issue.readers == 1 else f"{issue.readers} readers"
        event.add("DESCRIPTION", f"{readers}; {issue.slot} {issue.timezone}")
        event.add("TRANSP", "TRANSPARENT")
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def _told(issue: PlannedIssue) -> str:
    return "; ".join(post.title for post in issue.posts) or f"{issue.state}, {issue.reason}"
