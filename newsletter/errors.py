"""Surprises, in one lattice below `PaperroundError`.

Expected failure is a value (`Outcome`, `PlanFailure`); these are for what should not have happened or what
only a person can mend. Each says what is wrong, where, and what to do.
"""

from pathlib import Path

from subscribers.errors import PaperroundError

__all__ = [
    "CadenceError",
    "CalendarError",
    "ContentError",
    "DatabaseError",
    "EntranceError",
    "MessageTooLargeError",
    "NotFoundError",
    "PaperroundError",
    "QueueError",
    "RelayError",
    "SettingsError",
    "SiteError",
    "SuppressedError",
    "TemplateError",
    "ThemeError",
]


class _LocatedError(PaperroundError):
    """An error at a place in a file, shown as `file:line: message`."""

    def __init__(self, message: str, *, path: Path | str | None = None, line: int | None = None) -> None:
        self.path = path
        self.line = line
        place = "" if path is None else f"{path}: " if line is None else f"{path}:{line}: "
        super().__init__(place + message)


class SiteError(PaperroundError):
    """There is no site here, or it cannot be made or used."""


class SettingsError(_LocatedError):
    """paperround.toml, or an environment variable that overrides it, cannot be used."""


class ContentError(_LocatedError, ValueError):
    """A post cannot be read."""


class CadenceError(PaperroundError, ValueError):
    """A cadence or time zone that cannot be understood."""


class CalendarError(PaperroundError, ValueError):
    """A calendar's file cannot be read, or days cannot be skipped as asked."""


class QueueError(PaperroundError):
    """The queue or a category cannot be changed as asked."""


class NotFoundError(PaperroundError, LookupError):
    """Nothing here has the name that was given."""


class SuppressedError(PaperroundError):
    """There is a standing order not to write to an address."""


class TemplateError(_LocatedError, ValueError):
    """A template cannot be read, filled or compiled."""


class ThemeError(TemplateError):
    """A theme file cannot be read or used."""


class DatabaseError(PaperroundError):
    """The database cannot be reached, is locked, is full, or has another version's tables."""


class RelayError(PaperroundError, ConnectionError):
    """The relay cannot be used at all: nothing is counted against any reader."""


class EntranceError(PaperroundError, ConnectionError):
    """Mail cannot come in here: a listener or a mailbox that cannot be used. Where it is, it stays."""


class MessageTooLargeError(PaperroundError, ValueError):
    """A message is larger than `max_message_bytes` in [inbound]."""
