"""Holidays from calendar files: which days they are, and an answer to any file at once."""

from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.errors import CalendarError
from newsletter.schedule.holidays import read_holidays

FIRST, LAST = date(2026, 11, 1), date(2028, 10, 31)
NEW_YORK = ZoneInfo("America/New_York")
_WORDS = (
    "DTSTART;VALUE=DATE:2027 0101 DTEND: RRULE:FREQ= YEARLY DAILY ;COUNT= -1 é T000000Z EXDATE: ;TZID=No:"
)
PIECES = st.sampled_from([*_WORDS.split(), "\r\n"])
"""What hypothesis makes events of."""


def calendar(folder: Path, *events: str) -> Path:
    """A calendar of events, each given as its lines."""
    body = "".join(
        f"BEGIN:VEVENT\r\nUID:{number}@example.org\r\n{event}\r\nEND:VEVENT\r\n"
        for number, event in enumerate(events)
    ).replace("|", "\r\n")
    path = folder / "holidays.ics"
    text = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n{body}END:VCALENDAR\r\n"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("DTSTART;VALUE=DATE:20261225|SUMMARY:Feiertag für alle", {"2026-12-25": "Feiertag für alle"}),
        (
            "DTSTART;VALUE=DATE:20201225|DTEND;VALUE=DATE:20201227|RRULE:FREQ=YEARLY|SUMMARY:Yule",
            dict.fromkeys(["2026-12-25", "2026-12-26", "2027-12-25", "2027-12-26"], "Yule"),
        ),
        (  # the fourth Thursday of November
            "DTSTART;VALUE=DATE:20201126|RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH|SUMMARY:T",
            {"2026-11-26": "T", "2027-11-25": "T"},
        ),
        (
            "DTSTART;VALUE=DATE:20261225|RRULE:FREQ=YEARLY|EXDATE;VALUE=DATE:20271225|SUMMARY:X",
            {"2026-12-25": "X"},
        ),
        # The evening before, for New York.
        ("DTSTART:20270101T020000Z|DTEND:20270101T030000Z|SUMMARY:Eve", {"2026-12-31": "Eve"}),
        ("DTSTART;VALUE=DATE:20261030|DTEND;VALUE=DATE:20261103", {"2026-11-01": "", "2026-11-02": ""}),
        ("DTSTART;VALUE=DATE:20270101|DURATION:P2D|SUMMARY:D", {"2027-01-01": "D", "2027-01-02": "D"}),
    ],
)
def test_the_days_of_an_event(tmp_path: Path, event: str, expected: dict[str, str]) -> None:
    """Each date that it touches within the span, each time that it recurs."""
    found = read_holidays(calendar(tmp_path, event), NEW_YORK, FIRST, LAST)
    assert {str(day): name for day, name in found.items()} == expected


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("DTSTART:20200101T000000Z|RRULE:FREQ=SECONDLY", "recurs within a day"),
        ("DTSTART:20200101T000000Z|RRULE:FREQ=WEEKLY;BYHOUR=1,2;BYSECOND=1,2,3", "recurs within a day"),
        ("DTSTART;VALUE=DATE:19990101|SUMMARY:Long ago", "no event in it from 2026-11-01 to 2028-10-31"),
        ("SUMMARY:Never", "no event in it|cannot be read"),
    ],
)
def test_a_calendar_that_is_of_no_use(tmp_path: Path, event: str, said: str) -> None:
    """What it lacks is said, with the file's name, and no rule keeps anybody waiting."""
    with pytest.raises(CalendarError, match=said) as caught:
        read_holidays(calendar(tmp_path, event), NEW_YORK, FIRST, LAST)
    assert "holidays.ics" in str(caught.value)


def test_what_is_no_calendar(tmp_path: Path) -> None:
    """A missing file, a folder, a device, a page and a flood are each refused for what they are."""
    page, flood = tmp_path / "page.html", tmp_path / "flood.ics"
    page.write_text("<!doctype html>", "utf-8")
    flood.write_bytes(b"BEGIN:VCALENDAR\n" * 200_000)
    for path, said in (
        (tmp_path / "none.ics", "No such file"),
        (tmp_path, "Is a directory"),
        (Path("/dev/zero"), "not a regular file"),
        (page, "is not a calendar's file"),
        (flood, "is larger than 2 MB"),
    ):
        with pytest.raises(CalendarError, match=said):
            read_holidays(path, NEW_YORK, FIRST, LAST)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES))
def test_any_event_is_days_or_an_error(tmp_path: Path, pieces: list[str]) -> None:
    """Whatever stands in an event, the answer is days within the span, or CalendarError."""
    try:
        found = read_holidays(calendar(tmp_path, "".join(pieces)), NEW_YORK, FIRST, LAST)
    except CalendarError:
        return
    assert all(FIRST <= day <= LAST for day in found)
