"""A finding: what was looked at, what was found, and how to mend it."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is: only an error fails the command."""

    ERROR = "error"
    WARNING = "warning"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `mend` is a command to run, a record to add or a sentence, each as it is
    to be typed; empty where there is nothing to mend.
    """

    level: Level
    subject: str
    found: str
    mend: str = ""


def ok(subject: str, found: str) -> Finding:
    """All is well, or nothing can be said."""
    return Finding(Level.OK, subject, found)


def warning(subject: str, found: str, mend: str = "") -> Finding:
    """Letters go out, and some may not arrive, or something will go wrong one day."""
    return Finding(Level.WARNING, subject, found, mend)


def error(subject: str, found: str, mend: str = "") -> Finding:
    """Letters do not go out, or are refused."""
    return Finding(Level.ERROR, subject, found, mend)
