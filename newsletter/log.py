"""The record for machines: what was done, one JSON object a line (JSON Lines), deliveries by their number.

A line has `time` (RFC 3339, UTC), `level` (`info` or `warning`), `event` (one of `Event`) and fields. At
level info only the fields in `PUBLIC` are written, so no slip brings an address or a reply there; debug
writes all that is given. A record that cannot be written (a full disk, a folder that is gone) never stops
what is recorded: it is dropped, and standard error is told once an outage. A file that logrotate moved away
is made anew. Several threads and processes may share it, a batch being one write.
"""

import json
import os
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from subscribers.base import Clock

if TYPE_CHECKING:
    from newsletter.settings import Settings


class Event(StrEnum):
    """All that can be recorded."""

    ISSUE_PLANNED = "issue.planned"
    ISSUE_PAUSED = "issue.paused"
    ISSUE_RESUMED = "issue.resumed"
    ISSUE_CANCELLED = "issue.cancelled"
    ISSUE_RETRIED = "issue.retried"
    ISSUE_PASSED = "issue.passed"  # its first share was taken well
    ISSUE_HALTED = "issue.halted"  # it was not, or its letters cannot be made
    ISSUE_FINISHED = "issue.finished"
    LETTER_SENT = "letter.sent"
    LETTER_DEFERRED = "letter.deferred"
    LETTER_BOUNCED = "letter.bounced"
    LETTER_IN_DOUBT = "letter.in_doubt"
    LETTER_COMPLAINED = "letter.complained"
    LETTER_JUDGED = "letter.judged"  # what came back of it, and what that did to its reader
    RELAY_DOWN = "relay.down"
    RELAY_UP = "relay.up"
    NOTICE_MADE = "notice.made"  # there is something to tell the editor
    NOTICE_MAILED = "notice.mailed"  # and that has gone out
    NOTICE_FAILED = "notice.failed"  # or could not
    INBOUND_HANDLED = "inbound.handled"
    NOTE_POSTED = "note.posted"  # an answer or a confirmation was tried
    PASS_ENDED = "pass.ended"  # noqa: S105  # no password


_WARNINGS = frozenset(
    {
        Event.ISSUE_HALTED,
        Event.LETTER_IN_DOUBT,
        Event.NOTICE_FAILED,
        Event.NOTICE_MADE,
        Event.RELAY_DOWN,
    }
)

PUBLIC = frozenset(
    {
        "attempts",
        "bounce_class",
        "bounced",
        "cancelled",
        "category",
        "code",
        "deferred",
        "delivery",
        "effect",
        "enhanced_status",
        "expired",
        "fault",
        "in_doubt",
        "inbound",
        "issue",
        "kind",
        "left_out",
        "letters",
        "note",
        "notice",
        "owner",
        "probe",
        "readers",
        "relay",
        "retry_at",
        "seconds",
        "sent",
        "slot",
        "stage",
        "state",
    }
)
"""Fields that say nothing of a person; what is not named here is for level debug."""


class Log:
    """Writes records to a file, or to standard error."""

    def __init__(self, path: Path | None, clock: Clock, *, is_debug: bool) -> None:
        """`path` None is standard error. Nothing is opened before the first record."""
        self._path = path
        self._clock = clock
        self.is_debug = is_debug
        """Whether fields that are not in `PUBLIC` are written: who asks first need not gather them."""
        self._file: int | None = None
        self._is_out_of_order = False
        self._ends_in_half_a_line = False
        self._one_at_a_time = Lock()

    def write(self, event: Event, **fields: Any) -> None:
        """Record one thing."""
        self.write_all([{"event": event, **fields}])

    def write_all(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Record many things, each with its `event`, in one write. Fields that are None are left out."""
        time = _rfc3339(self._clock())
        lines = "".join([self._line(time, record) for record in records])
        if not lines:
            return
        with self._one_at_a_time:
            try:
                if self._path is None:
                    sys.stderr.write(lines)
                    sys.stderr.flush()
                else:
                    self._append(self._path, lines.encode("ascii"))
            except (OSError, ValueError) as error:
                self._complain(error)
            else:
                self._is_out_of_order = False

    def close(self) -> None:
        """Close the file. The next record would open it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _line(self, time: str, record: Mapping[str, Any]) -> str:
        event = record["event"]
        line = {"time": time, "level": "warning" if event in _WARNINGS else "info", "event": event}
        line |= {
            name: value
            for name, value in record.items()
            if value is not None and (self.is_debug or name in PUBLIC)
        }
        return json.dumps(line, default=_as_json) + "\n"

    def _append(self, path: Path, data: bytes) -> None:
        file = self._opened(path)
        if self._ends_in_half_a_line:
            data = b"\n" + data
        written = os.write(file, data)
        self._ends_in_half_a_line = written < len(data)
        if self._ends_in_half_a_line:
            written += os.write(file, data[written:])  # which says why, as a rule
            self._ends_in_half_a_line = written < len(data)

    def _opened(self, path: Path) -> int:
        """The file that has this name now."""
        if self._file is not None:
            try:
                is_same = os.path.samestat(os.fstat(self._file), path.stat())
            except OSError:
                is_same = False
            if is_same:
                return self._file
            self.close()
        # Not to wait where it is a pipe that nobody reads.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        self._file = os.open(path, flags, 0o640)
        self._ends_in_half_a_line = False
        return self._file

    def _complain(self, error: Exception) -> None:
        if self._is_out_of_order:
            return
        self._is_out_of_order = True
        why = error.strerror if isinstance(error, OSError) else str(error)
        try:
            sys.stderr.write(
                f"paperround: the log {self._path or 'on standard error'} cannot be written ({why}): "
                f"records are lost until it can; letters go on, and the ledger has them all\n"
            )
            sys.stderr.flush()
        except (OSError, ValueError):
            return  # nobody is left to tell


def open_log(settings: "Settings", clock: Clock) -> Log | None:
    """The log that `[log]` asks for, None if it asks for none."""
    to = settings.log.to
    if not to:
        return None
    path = None if to == "stderr" else settings.folder / to
    return Log(path, clock, is_debug=settings.log.level == "debug")


def _rfc3339(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _as_json(value: Any) -> str:
    return _rfc3339(value) if isinstance(value, datetime) else str(value)
