"""Reading the ledger for people: what an issue came to, and how one letter fared."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from newsletter.delivery.digests import categories_of
from newsletter.delivery.issues import is_halted
from newsletter.delivery.letters import UNFINISHED
from newsletter.errors import NotFoundError
from newsletter.models import (
    Attempt,
    Category,
    Delivery,
    DigestPost,
    Edition,
    EditionPost,
    InboundMessage,
    Issue,
    Post,
    Verdict,
)
from newsletter.states import DeliveryState, IssueState
from subscribers.models import Subscriber


@dataclass(frozen=True, slots=True)
class IssueReport:
    """An issue, its posts in order, and how many of its letters are in each state."""

    issue: Issue
    category: str
    posts: tuple[str, ...]
    """Their slugs."""
    deliveries: dict[str, int]
    for_digests: int
    """How many readers have its posts waiting for a digest."""

    @property
    def canary(self) -> str | None:
        """Where its first share stands, None if it never had one."""
        if self.issue.canary_every is None:
            return None if self.issue.canary_done_at is None else "over"
        if self.issue.canary_done_at is None:
            return "first share"
        return "halted" if is_halted(self.issue) else "waiting"


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """A delivery and whom it is for."""

    delivery: Delivery
    address: str
    subject: str


def issues(session: Session, category: str | None = None) -> list[IssueReport]:
    """Every issue, oldest slot first."""
    return _reports(session, None if category is None else col(Category.slug) == category)


def issue(session: Session, issue_id: int) -> IssueReport:
    """One issue. Raises NotFoundError."""
    if found := _reports(session, col(Issue.id) == issue_id):
        return found[0]
    raise NotFoundError(f"there is no issue {issue_id}; `paperround issue list` shows those there are")


def _reports(session: Session, which: ColumnElement[bool] | None) -> list[IssueReport]:
    statement = (
        select(Issue, col(Category.slug))
        .join(Category, col(Category.id) == col(Issue.category_id))
        .order_by(col(Issue.due_at), col(Category.slug))
    )
    rows = session.exec(statement if which is None else statement.where(which)).all()
    ids = None if which is None else [issue.id for issue, _ in rows]
    counts, posts, waiting = _counts(session, ids), _posts(session, ids), _waiting(session)
    return [
        IssueReport(
            issue, slug, tuple(posts.get(issue.id, ())), counts.get(issue.id, {}), waiting.get(issue.id, 0)
        )
        for issue, slug in rows
    ]


def _waiting(session: Session) -> dict[int, int]:
    """How many readers wait for a digest with posts of each issue."""
    statement = (
        sql_select(col(DigestPost.issue_id), func.count(col(DigestPost.subscriber_id).distinct()))
        .where(col(DigestPost.letter_key).is_(None))
        .group_by(col(DigestPost.issue_id))
    )
    return {row[0]: row[1] for row in session.execute(statement)}


def _counts(session: Session, issue_ids: Sequence[int] | None) -> dict[int, dict[str, int]]:
    statement = (
        sql_select(col(Delivery.issue_id), col(Delivery.state), func.count())
        .group_by(col(Delivery.issue_id), col(Delivery.state))
        .order_by(col(Delivery.state))
    )
    if issue_ids is not None:
        statement = statement.where(col(Delivery.issue_id).in_(issue_ids))
    counts: dict[int, dict[str, int]] = {}
    for issue_id, state, count in session.execute(statement):
        counts.setdefault(issue_id, {})[state] = count
    return counts


def _posts(session: Session, issue_ids: Sequence[int] | None) -> dict[int, list[str]]:
    # Slugs alone: a post's row holds its whole source.
    statement = (
        select(col(Edition.issue_id), col(Post.slug))
        .join(EditionPost, col(EditionPost.edition_id) == col(Edition.id))
        .join(Post, col(Post.id) == col(EditionPost.post_id))
        .order_by(col(Edition.id), col(EditionPost.place))
    )
    if issue_ids is not None:
        statement = statement.where(col(Edition.issue_id).in_(issue_ids))
    posts: dict[int, dict[str, None]] = {}
    for issue_id, slug in session.exec(statement):
        posts.setdefault(issue_id, {})[slug] = None  # once, however many of its editions have it
    return {issue_id: list(slugs) for issue_id, slugs in posts.items()}


def standing(session: Session) -> list[tuple[int, str, dict[str, int]]]:
    """(issue id, category, letters by state) of every issue that is going out."""
    statement = (
        sql_select(col(Delivery.issue_id), col(Delivery.category), col(Delivery.state), func.count())
        .join(Issue, col(Issue.id) == col(Delivery.issue_id))
        .where(
            col(Issue.finished_at).is_(None),
            col(Issue.state) == IssueState.PLANNED,
            col(Delivery.state).in_(UNFINISHED),
        )
        .group_by(col(Delivery.issue_id), col(Delivery.category), col(Delivery.state))
        .order_by(col(Delivery.issue_id), col(Delivery.state))
    )
    found: dict[tuple[int, str], dict[str, int]] = {}
    for issue_id, category, state, count in session.execute(statement):
        found.setdefault((issue_id, category), {})[state] = count
    return [(issue_id, category, counts) for (issue_id, category), counts in found.items()]


def deliveries(
    session: Session,
    *,
    state: DeliveryState | None = None,
    issue_id: int | None = None,
    were_doubted: bool = False,
) -> Iterator[DeliveryReport]:
    """Deliveries in the order they were planned, one at a time: the ledger may be large."""
    statement = (
        sql_select(Delivery, col(Subscriber.address), col(Edition.subject))
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .join(Edition, col(Edition.id) == col(Delivery.edition_id))
        .order_by(col(Delivery.id))
        .execution_options(yield_per=500)
    )
    if state is not None:
        statement = statement.where(col(Delivery.state) == state)
    if issue_id is not None:
        statement = statement.where(col(Delivery.issue_id) == issue_id)
    if were_doubted:
        statement = statement.where(col(Delivery.doubted_at).is_not(None))
    for row in session.execute(statement):
        yield DeliveryReport(*row)


def delivery(session: Session, delivery_id: int) -> tuple[DeliveryReport, Sequence[Attempt]]:
    """One delivery with its attempts, oldest first. Raises NotFoundError."""
    row = session.execute(
        sql_select(Delivery, col(Subscriber.address), col(Edition.subject))
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .join(Edition, col(Edition.id) == col(Delivery.edition_id))
        .where(col(Delivery.id) == delivery_id)
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no delivery {delivery_id}; `paperround delivery list` shows them")
    attempts = session.exec(
        select(Attempt).where(Attempt.delivery_id == delivery_id).order_by(col(Attempt.id))
    ).all()
    return DeliveryReport(*row), attempts


def letters_of(session: Session, subscriber_id: int) -> dict[str, int]:
    """How many of a reader's letters are in each state."""
    counted = (
        sql_select(col(Delivery.state), func.count())
        .where(col(Delivery.subscriber_id) == subscriber_id)
        .group_by(col(Delivery.state))
        .order_by(col(Delivery.state))
    )
    return {row[0]: row[1] for row in session.execute(counted)}


def verdicts_about(session: Session, delivery_id: int) -> list[tuple[Verdict, bytes | None]]:
    """What was found out about a letter, oldest first; each with the report that says so, as it came.

    None where it was found out otherwise, or where the report is kept no more.
    """
    rows = session.execute(
        sql_select(Verdict, col(InboundMessage.content))
        .outerjoin(InboundMessage, col(InboundMessage.id) == col(Verdict.inbound_id))
        .where(col(Verdict.delivery_id) == delivery_id)
        .order_by(col(Verdict.id))
    )
    return [(row[0], row[1]) for row in rows]


def verdicts_of(session: Session, subscriber_id: int) -> list[Verdict]:
    """What was found out about a reader's letters, and about their probes, oldest first."""
    theirs = select(Verdict).where(Verdict.subscriber_id == subscriber_id)
    return list(session.exec(theirs.order_by(col(Verdict.id))))


def verdict_by(session: Session, message_id: int) -> Verdict | None:
    """What a message that came in says about a letter, if it does."""
    found = select(Verdict).where(Verdict.inbound_id == message_id).order_by(col(Verdict.id))
    return session.exec(found.limit(1)).first()


def reader_of(session: Session, delivery_id: int) -> tuple[int, list[str]] | None:
    """(subscriber id, the categories it came by) of a delivery, None if there is none."""
    found = session.get(Delivery, delivery_id)
    return (found.subscriber_id, categories_of(session, found)) if found else None
