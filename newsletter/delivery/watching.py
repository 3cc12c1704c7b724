"""How an issue is getting on: what it stands at now, and how fast that changes.

Reading costs one walk along the ledger's index, and the domains one along the issue's letters that were
tried; whoever asks again and again waits in proportion to what the last answer cost (see
`newsletter.cli.watch`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

from sqlalchemy import func, select
from sqlmodel import Session, col

from newsletter.delivery.issues import is_halted, letters_by_state
from newsletter.delivery.letters import UNTRIED
from newsletter.errors import NotFoundError
from newsletter.models import Category, Delivery, Issue
from newsletter.states import DeliveryState, IssueState
from subscribers.models import Subscriber

_WINDOW_SECONDS = 15.0
"""How far back the rate looks: long enough to be steady, short enough to be of now."""
_DOMAINS = 10


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An issue at one moment."""

    issue_id: int
    category: str
    state: IssueState
    reason: str
    is_over: bool
    """No letter of it will go unless a person asks for it."""
    is_halted: bool
    """Its first share was not taken well."""
    letters: Mapping[str, int]
    """How many are in each state."""

    @property
    def total(self) -> int:
        """How many letters it has."""
        return sum(self.letters.values())

    @property
    def waiting(self) -> int:
        """How many have not been tried yet."""
        return sum(self.letters.get(state, 0) for state in UNTRIED)


class DomainRow(NamedTuple):
    """What the letters to the readers of one domain came to."""

    domain: str
    sent: int
    deferred: int
    bounced: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast letters go, over the last seconds: a fold of what was seen when."""

    seen: tuple[tuple[float, int], ...] = ()
    """(time in seconds, letters tried so far), oldest first."""

    def after(self, at: float, tried: int) -> Self:
        """With one more observation; forgets what is too old, but for the last before the window."""
        if self.seen and tried < self.seen[-1][1]:
            return type(self)(((at, tried),))  # letters were queued anew: it begins again
        seen = (*self.seen, (at, tried))
        oldest = max(
            (place for place, (time, _) in enumerate(seen) if time <= at - _WINDOW_SECONDS), default=0
        )
        return type(self)(seen[oldest:])

    @property
    def rate(self) -> float:
        """Letters a second; 0 while nothing is known."""
        if len(self.seen) < 2:
            return 0.0
        (began, before), (ended, now) = self.seen[0], self.seen[-1]
        return (now - before) / (ended - began) if ended > began else 0.0

    def seconds_for(self, waiting: int) -> float | None:
        """How long that many letters take at this rate, None if that cannot be said."""
        if not waiting:
            return 0.0
        return waiting / self.rate if self.rate else None


def look(session: Session, issue_id: int) -> Snapshot:
    """An issue now. Raises NotFoundError."""
    row = session.execute(
        select(Issue, col(Category.slug))
        .join(Category, col(Category.id) == col(Issue.category_id))
        .where(col(Issue.id) == issue_id)
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no issue {issue_id}; `paperround issue list` shows those there are")
    issue: Issue = row[0]
    return Snapshot(
        issue_id,
        row[1],
        IssueState(issue.state),
        issue.reason,
        is_over=issue.finished_at is not None or issue.state != IssueState.PLANNED,
        is_halted=is_halted(issue),
        letters=letters_by_state(session, issue_id),
    )


def domains(session: Session, issue_id: int) -> list[DomainRow]:
    """The domains with the most letters tried, most first."""
    address = col(Subscriber.address)
    # What is left when all but @ is trimmed from the end: in every dialect, and right for a quoted @.
    before = func.rtrim(address, func.replace(address, "@", ""))
    domain = func.lower(func.substr(address, func.length(before) + 1))
    states = (DeliveryState.SENT, DeliveryState.DEFERRED, DeliveryState.BOUNCED)
    tried = (
        select(
            domain.label("domain"),
            *(func.count().filter(col(Delivery.state) == state).label(state.value) for state in states),
        )
        .select_from(Delivery)
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(col(Delivery.issue_id) == issue_id, col(Delivery.state).in_(states))
        .group_by(domain)
        .order_by(func.count().desc(), domain)
        .limit(_DOMAINS)
    )
    return [DomainRow(*row) for row in session.execute(tried)]
