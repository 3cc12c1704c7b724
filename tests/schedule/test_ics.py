"""The plan as a calendar, read back by another program's rules."""

from icalendar import Calendar

from newsletter.schedule.ics import calendar_of
from tests.planning import MONDAY, WEEK, Town, database, shared_database, source, town

__all__ = ["database", "shared_database", "town"]


def test_a_plan_is_a_calendar(town: Town) -> None:
    """An event a slot, at its instant, with what goes out or why nothing does; the same bytes each time."""
    town.category("advice", cadence="weekly tue 08:00", timezone="Europe/Berlin")
    town.add(source("a", "advice"))
    town.subscribe("ann", "bo")
    coming = town.planner.upcoming(MONDAY, MONDAY + 2 * WEEK)
    data = calendar_of(coming, "Letters, mostly", "news.example.org")
    assert calendar_of(coming, "Letters, mostly", "news.example.org") == data
    events = Calendar.from_ical(data).walk("VEVENT")
    assert [(str(event["UID"]), event["DTSTART"].dt, str(event["SUMMARY"])) for event in events] == [
        ("advice.2026-01-06T08:00@news.example.org", coming[0].due_at, f"advice: {coming[0].posts[0].title}"),
        ("advice.2026-01-13T08:00@news.example.org", coming[1].due_at, "advice: empty, nothing is queued"),
    ]
    assert str(events[0]["DESCRIPTION"]) == "2 readers; 2026-01-06T08:00 Europe/Berlin"


def test_an_empty_plan_is_a_calendar_too() -> None:
    """Nothing to come is no error for the program that reads it."""
    assert Calendar.from_ical(calendar_of([], "Letters", "news.example.org")).walk("VEVENT") == []
