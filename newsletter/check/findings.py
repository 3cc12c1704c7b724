"""A finding: one place in a file, what is wrong there, and how to mend it."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any


class Severity(StrEnum):
    """How bad a finding is: only an error fails a gate."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend. `line` counts from 1 in the file; `why` and `mend` are a sentence each, with
    no full stop. `rule` is a short name in kebab case that stays the same from version to version.
    """

    path: Path
    line: int
    rule: str
    severity: Severity
    why: str
    mend: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.severity} {self.rule}: {self.why}; {self.mend}"

    def as_json(self) -> dict[str, Any]:
        """The finding as `check --json` shows it."""
        values = asdict(self)
        return {"file": str(values.pop("path")), **values}
