"""A mail that came in about a letter of ours: what it says became of it, why, and which letter it means."""

from dataclasses import dataclass
from enum import StrEnum

from newsletter.states import BounceClass


class ReportKind(StrEnum):
    """What a report says became of a letter."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"  # or handed on to a system that gives no reports
    COMPLAINT = "complaint"
    OTHER = "other"  # an automatic reply, or no report at all


@dataclass(frozen=True, slots=True)
class Traces:
    """What of ours stands in a report, most trusted first, tokens in lower case. Nothing is verified."""

    bounce_tokens: tuple[str, ...] = ()
    """Of addresses `…+bounce.TOKEN@…`."""
    message_ids: tuple[str, ...] = ()
    """`TOKEN@domain`: Message-IDs that may be ours, of the letter itself before those that refer to it."""
    leave_tokens: tuple[str, ...] = ()
    """Of `…/u/TOKEN` and `…+leave.TOKEN@…`."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says, in texts of one line."""

    kind: ReportKind
    bounce_class: BounceClass | None = None
    """Why the letter failed; None if it did not."""
    status: str = ""
    """The enhanced status code that decided; "" if there is none."""
    diagnostic: str = ""
    """What the other side said; at most 2000 characters."""
    recipient: str = ""
    """Whom the letter was for, as the report writes it; "" if it does not."""
    remote: str = ""
    """The system that refused it, or else the one that reports; "" if neither is named."""
    feedback_type: str = ""
    """Of a complaint, in lower case: `abuse`."""
    traces: Traces = Traces()


def read_report(content: bytes, return_path: str | None) -> Report:
    """Read a message. `return_path` is its envelope's sender: "" the null path, None if it is not known."""
    raise NotImplementedError
