"""Errata: a post that changed after it was sent, corrected to exactly those who got the text it had.

An erratum is an issue of its own kind, whose one post is the changed text as a post of its own; so receipts,
editions, the archive and the ledger hold for it as for any issue. Whoever got the post at any slot of the
category is meant, by whichever issue or digest: in a sequence a post goes out in many. One transaction writes
it all, and holds the category and the post meanwhile, so that two at once make one.

Asked for again with the same text, it goes to those who got the earlier text since; with another text there
is another erratum. Raises NotFoundError and QueueError, which say what to do.

May surprise: a letter that may have arrived counts as one that has; a reader who left gets nothing; one whose
correction bounced or expired is left to `issue retry-failed`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, exists, func, or_, tuple_, union_all, update
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from newsletter.content.post import parse_post
from newsletter.database import Database
from newsletter.delivery.digests import is_in_letter
from newsletter.delivery.letters import UNFINISHED, at_least
from newsletter.errors import NotFoundError, QueueError
from newsletter.models import Category, Delivery, DigestPost, Edition, EditionPost, Issue, Post, Receipt
from newsletter.render.edition import Occasion
from newsletter.render.letter import Erratum
from newsletter.schedule.cadence import parse_zone
from newsletter.schedule.categories import locked
from newsletter.schedule.editions import MakeEdition, write_edition
from newsletter.schedule.picker import SCRATCH, GroupLetter, MovedError, give_to, letter_key
from newsletter.schedule.readers import Rows
from newsletter.schedule.scratch import scratch_tables
from newsletter.schedule.timetable import SLOT_FORMAT
from newsletter.states import DeliveryState, IssueKind, IssueState, Mode
from subscribers.models import Subscription, SubscriptionState

_SLUG_LIMIT = 200
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Correction:
    """What correcting a post comes to, or would: `issue_id` is None before there is an issue of it."""

    issue_id: int | None
    category: str
    slug: str
    """Of the post that is corrected."""
    readers: int
    """Who get the correction by this."""
    coming: int
    """Whose letter with the earlier text is still to go."""
    going: tuple[int, ...] = ()
    """Corrections with a text between, of which letters are still to go."""


class Outdated(NamedTuple):
    """How many readers of a category have an earlier text of a post, and the last issue that brought it."""

    issue_id: int
    readers: int


@dataclass(frozen=True)
class _Case:
    """A post of a category with all that was sent of it."""

    category: Category
    post: Post
    issues: dict[int, str]
    """The slots at which it went out, by their issues."""
    digests: tuple[str, ...]
    """The times of the digests that brought what these gave."""
    outdated: tuple[tuple[str, bytes], ...]
    """The paths and sources that it went out with whose text is not what it has now."""
    between: tuple[int, ...]
    """Posts that corrected it with yet another text."""
    erratum: Post | None
    """The post that corrects it with the text it has now."""
    issue: Issue | None
    """The issue that brings this to the category's readers."""


def correct(
    database: Database,
    session: Session,
    make_edition: MakeEdition,
    issue_id: int,
    *,
    slug: str | None = None,
    note: str = "",
    now: datetime,
    expiry: timedelta,
    canary_every: int | None = None,
) -> Correction:
    """Owe the text that a post of an issue has now to all who got another one; `slug` names the post.

    Part of the caller's transaction. Raises NotFoundError and QueueError, and what `make_edition` does.
    """
    corrected, category = _issue(session, issue_id)
    if locked(session, category) is None:
        raise _removed(category)
    post = _post(session, corrected, slug)
    # Another category's erratum of the same post waits here, and then takes the same post.
    session.refresh(post, with_for_update={"key_share": True})
    case = _case(session, category, post)
    came_to = _checked(session, case, issue_id)
    if case.issue is not None and note and note != case.issue.note:
        raise QueueError(
            f"issue {case.issue.id} is this correction, and keeps what it says: ask again without a note"
        )
    if not came_to.readers:
        return came_to
    if case.issue is not None and case.erratum is not None:
        issue, erratum = _reopened(session, case.issue, now + expiry), case.erratum
    else:
        first = min(canary_every, came_to.readers) if canary_every else None
        erratum = case.erratum or _new_post(session, case, now)
        issue = _new_issue(session, case.category, now, expiry, corrects=issue_id, note=note, canary=first)
    with scratch_tables(session, *SCRATCH):
        readers = _write(database, session, make_edition, case, erratum, issue, now)
    return replace(came_to, issue_id=issue.id, readers=readers)


def foresee(session: Session, issue_id: int, *, slug: str | None = None) -> Correction:
    """What `correct` would come to; changes nothing. Raises NotFoundError, QueueError."""
    corrected, category = _issue(session, issue_id)
    return _checked(session, _case(session, category, _post(session, corrected, slug)), issue_id)


def outdated(session: Session, slug: str) -> list[Outdated]:
    """Where readers have an earlier text of a post than it has now, by issue."""
    post = session.exec(select(Post).where(Post.slug == slug)).one()
    categories = session.exec(
        select(Category)
        .where(
            col(Category.ended_at).is_(None),
            exists()
            .where(
                col(EditionPost.post_id) == post.id,
                col(Edition.id) == col(EditionPost.edition_id),
                col(Issue.id) == col(Edition.issue_id),
                col(Issue.category_id) == col(Category.id),
            )
            .correlate(Category),
        )
        .order_by(col(Category.slug))
    )
    cases = [_case(session, category, post) for category in categories]
    counted = [(case, _count(session, _lacking(case))) for case in cases if case.outdated or case.between]
    return sorted(Outdated(max(case.issues), readers) for case, readers in counted if readers)


def _issue(session: Session, issue_id: int) -> tuple[Issue, Category]:
    issue = session.get(Issue, issue_id)
    if issue is None:
        raise NotFoundError(f"there is no issue {issue_id}; `paperround issue list` shows those there are")
    if issue.corrects is not None:
        raise QueueError(
            f"issue {issue_id} is a correction itself: `paperround issue erratum {issue.corrects}` is about "
            f"the letter it corrects"
        )
    if issue.kind == IssueKind.DIGEST:
        raise QueueError(
            f"issue {issue_id} is a digest: name the issue of the post's own category, which reaches them too"
        )
    category = session.get_one(Category, issue.category_id)
    if category.ended_at is not None:
        raise _removed(category)
    return issue, category


def _removed(category: Category) -> QueueError:
    return QueueError(f"the category {category.slug} was removed: nothing of it goes out any more")


def _post(session: Session, issue: Issue, slug: str | None) -> Post:
    """The post of an issue that is meant: by its name, the only one, or the only one that has changed."""
    rows = session.execute(
        sql_select(Post, col(EditionPost.path), col(EditionPost.source))
        .join(EditionPost, col(EditionPost.post_id) == col(Post.id))
        .join(Edition, col(Edition.id) == col(EditionPost.edition_id))
        .where(col(Edition.issue_id) == issue.id)
        .order_by(col(Edition.id), col(EditionPost.place))
    ).all()
    posts: dict[str, Post] = {post.slug: post for post, _, _ in rows}
    if not posts:
        raise QueueError(f"issue {issue.id} brought no post: there is nothing to correct")
    if slug is not None and slug not in posts:
        raise NotFoundError(f"issue {issue.id} has no post {slug!r}; it has: {', '.join(posts)}")
    if slug is not None:
        return posts[slug]
    if len(posts) == 1:
        return next(iter(posts.values()))
    differing = (post.slug for post, path, source in rows if _text(path, source) != _text_of(post))
    changed = list(dict.fromkeys(differing))
    if len(changed) != 1:
        which = "several posts" if changed else "no post"
        raise QueueError(
            f"{which} of issue {issue.id} changed since: name one with --post: {', '.join(changed or posts)}"
        )
    return posts[changed[0]]


def _text(path: str, source: bytes) -> str:
    """What a letter shows of a source, as a hash: by today's reading, whichever program stored it."""
    return parse_post(source, Path(path)).content_hash


def _text_of(post: Post) -> str:
    return _text(post.path, post.source)


def _case(session: Session, category: Category, post: Post) -> _Case:
    text = _text_of(post)
    at_slot = and_(col(Issue.category_id) == category.id, col(Issue.kind) == IssueKind.SLOT)
    issues = dict(session.execute(_sent(post, Issue.id, Issue.slot).where(at_slot)).all())
    shown = or_(at_slot, col(Issue.kind) == IssueKind.DIGEST)
    sources = session.execute(_sent(post, EditionPost.path, EditionPost.source).where(shown)).all()
    outdated = tuple((path, source) for path, source in sources if _text(path, source) != text)
    digests = session.execute(
        sql_select(col(Issue.slot))
        .join(Delivery, col(Delivery.issue_id) == col(Issue.id))
        .join(DigestPost, is_in_letter())
        .where(col(DigestPost.issue_id).in_(issues), col(DigestPost.post_id) == post.id)
        .distinct()
    ).scalars()
    errata = session.exec(select(Post).where(col(Post.corrects) == post.id).order_by(col(Post.id))).all()
    erratum = errata[-1] if errata and _text_of(errata[-1]) == text else None
    between = tuple(one.id for one in errata if one is not erratum)
    issue = _issue_of(session, category, erratum) if erratum else None
    return _Case(category, post, issues, tuple(digests), outdated, between, erratum, issue)


def _sent(post: Post, *columns: Any) -> Rows:
    """Where and how a post went out, each once."""
    return (
        sql_select(*columns)
        .select_from(EditionPost)
        .join(Edition, col(Edition.id) == col(EditionPost.edition_id))
        .join(Issue, col(Issue.id) == col(Edition.issue_id))
        .where(col(EditionPost.post_id) == post.id)
        .distinct()
    )


def _issue_of(session: Session, category: Category, erratum: Post) -> Issue | None:
    """The category's issue of an erratum; one that was cancelled is none."""
    return session.exec(
        select(Issue)
        .join(Edition, col(Edition.issue_id) == col(Issue.id))
        .join(EditionPost, col(EditionPost.edition_id) == col(Edition.id))
        .where(
            col(EditionPost.post_id) == erratum.id,
            col(Issue.category_id) == category.id,
            col(Issue.state) != IssueState.CANCELLED,
        )
        .order_by(col(Issue.id).desc())
        .limit(1)
    ).first()


def _checked(session: Session, case: _Case, issue_id: int) -> Correction:
    """Whom it goes to and who are left. Raises QueueError where there is nothing to correct."""
    slug, post = case.category.slug, case.post.slug
    if not case.outdated and not case.between:
        raise QueueError(
            f"the readers of issue {issue_id} have {post} as it is stored: change {case.post.path}, then "
            f"`paperround queue add` it, and ask again"
        )
    readers, coming = _count(session, _lacking(case)), _count(session, _coming(case))
    if not readers and case.issue is None:
        if coming:
            raise QueueError(
                f"nobody has had the earlier text of {post} yet, but {coming} will: cancel its issue, or ask "
                f"again when their letters have gone"
            )
        raise QueueError(f"nobody who got the earlier text of {post} is subscribed to {slug}")
    going = _still_going(session, case)
    return Correction(case.issue.id if case.issue else None, slug, post, readers, coming, going)


def _count(session: Session, rows: Rows) -> int:
    return int(session.execute(sql_select(func.count()).select_from(rows.subquery())).scalar_one())


def _letters(case: _Case) -> Rows:
    """The category's active readers with a letter of the post whose text is not the last that they had."""
    had = _shows_another_text(case)
    if case.between:
        given = exists().where(
            col(Receipt.subscriber_id) == col(Delivery.subscriber_id), col(Receipt.post_id).in_(case.between)
        )
        had = or_(had, given)
    by_slot = sql_select(col(Delivery.id)).where(col(Delivery.issue_id).in_(case.issues))
    by_digest = (
        sql_select(col(Delivery.id))
        .join(DigestPost, is_in_letter())
        .where(col(DigestPost.issue_id).in_(case.issues), col(DigestPost.post_id) == case.post.id)
    )
    return (
        sql_select(col(Delivery.subscriber_id))
        .join(Subscription, col(Subscription.subscriber_id) == col(Delivery.subscriber_id))
        .where(
            col(Delivery.id).in_(union_all(by_slot, by_digest)),
            col(Delivery.edition_id).in_(
                sql_select(col(EditionPost.edition_id)).where(col(EditionPost.post_id) == case.post.id)
            ),
            had,
            col(Subscription.category) == case.category.slug,
            col(Subscription.state) == SubscriptionState.ACTIVE,
        )
        .distinct()
    )


def _shows_another_text(case: _Case) -> ColumnElement[bool]:
    """That a letter shows the post with another text than it has now."""
    earlier = tuple_(col(EditionPost.path), col(EditionPost.source)).in_(case.outdated)
    shown = sql_select(col(EditionPost.edition_id)).where(col(EditionPost.post_id) == case.post.id, earlier)
    return col(Delivery.edition_id).in_(shown)


def _may_have_arrived() -> ColumnElement[bool]:
    return or_(
        col(Delivery.state).in_([DeliveryState.SENT, DeliveryState.IN_DOUBT]),
        col(Delivery.doubted_at).is_not(None),
    )


def _lacking(case: _Case) -> Rows:
    """Who got another text than there is now, and are not owed this one."""
    return _letters(case).where(_may_have_arrived(), *_not_yet(case))


def _not_yet(case: _Case) -> Iterator[ColumnElement[bool]]:
    if case.erratum is not None:
        yield ~exists().where(
            col(Receipt.subscriber_id) == col(Subscription.subscriber_id),
            col(Receipt.post_id) == case.erratum.id,
        )
    if case.issue is not None:
        theirs = Delivery.__table__.alias()  # type: ignore[attr-defined]  # every table's model has one
        yield ~exists().where(
            theirs.c.subscriber_id == col(Subscription.subscriber_id),
            theirs.c.letter_key == letter_key(case.issue.id),
        )


def _coming(case: _Case) -> Rows:
    """Whose letter with an earlier text is still to go."""
    to_go = [state for state in UNFINISHED if state is not DeliveryState.IN_DOUBT]
    return _letters(case).where(
        _shows_another_text(case), col(Delivery.state).in_(to_go), ~_may_have_arrived()
    )


def _still_going(session: Session, case: _Case) -> tuple[int, ...]:
    """The issues of corrections between that have not come to their end."""
    found = session.exec(
        select(Issue.id)
        .join(Edition, col(Edition.issue_id) == col(Issue.id))
        .join(EditionPost, col(EditionPost.edition_id) == col(Edition.id))
        .where(
            col(EditionPost.post_id).in_(case.between),
            col(Issue.category_id) == case.category.id,
            col(Issue.finished_at).is_(None),
        )
        .order_by(col(Issue.id))
    )
    return tuple(found)


def _reopened(session: Session, issue: Issue, expires_at: datetime) -> Issue:
    """The issue of a correction, to go out to more readers, also where it had come to its end."""
    changed = session.execute(
        update(Issue)
        .where(col(Issue.id) == issue.id, col(Issue.state) != IssueState.CANCELLED)
        .values(expires_at=at_least(expires_at), finished_at=None)
        .returning(col(Issue.id))
    )
    if changed.first() is None:
        raise QueueError(f"issue {issue.id} has just been cancelled; nothing changed")
    return issue


def _new_post(session: Session, case: _Case, now: datetime) -> Post:
    post = case.post
    erratum = Post(
        slug=_free_slug(session, post.slug, len(case.between) + 1),
        path=post.path,
        title=post.title,
        source=post.source,
        content_hash=post.content_hash,
        read_at=now,
        corrects=post.id,
    )
    session.add(erratum)
    session.flush()
    return erratum


def _new_issue(
    session: Session,
    category: Category,
    now: datetime,
    expiry: timedelta,
    *,
    corrects: int,
    note: str,
    canary: int | None,
) -> Issue:
    issue = Issue(
        category_id=category.id,
        kind=IssueKind.ERRATUM,
        slot=_free_slot(session, category, now),
        due_at=now,
        state=IssueState.PLANNED,
        planned_at=now,
        expires_at=now + expiry,
        canary_every=canary,
        corrects=corrects,
        note=note,
    )
    session.add(issue)
    session.flush()
    return issue


def _free_slug(session: Session, slug: str, number: int) -> str:
    """`SLUG-erratum-1`, or the next that no post has."""
    while True:
        ending = f"-erratum-{number}"
        wanted = slug[: _SLUG_LIMIT - len(ending)] + ending
        if session.exec(select(Post.id).where(Post.slug == wanted)).first() is None:
            return wanted
        number += 1


def _free_slot(session: Session, category: Category, now: datetime) -> str:
    """The minute on the category's wall clock, moved on while another erratum has it."""
    minute = now.astimezone(parse_zone(category.timezone)).replace(tzinfo=None)
    taken = set(
        session.exec(
            select(Issue.slot).where(
                Issue.category_id == category.id,
                Issue.kind == IssueKind.ERRATUM,
                Issue.slot >= minute.strftime(SLOT_FORMAT),
            )
        )
    )
    while minute.strftime(SLOT_FORMAT) in taken:
        minute += _MINUTE
    return minute.strftime(SLOT_FORMAT)


def _write(
    database: Database,
    session: Session,
    make_edition: MakeEdition,
    case: _Case,
    erratum: Post,
    issue: Issue,
    now: datetime,
) -> int:
    """Write the edition unless it is there, receipts and deliveries; returns how many readers get it."""
    edition_id = session.exec(select(Edition.id).where(Edition.issue_id == issue.id)).first()
    if edition_id is None:
        edition_id = write_edition(session, make_edition, _occasion(case, issue), [erratum], now)
    letter = GroupLetter((erratum.id,), edition_id)
    try:
        return give_to(session, database, case.category, _lacking(case), letter, issue_id=issue.id, now=now)
    except MovedError:
        raise QueueError(
            f"the readers of {case.post.slug} have changed at this very moment; ask again"
        ) from None


def _occasion(case: _Case, issue: Issue) -> Occasion:
    """What the letter is made for. It names the day of the one before where all its readers had that then."""
    days = {datetime.fromisoformat(slot).date() for slot in (*case.issues.values(), *case.digests)}
    is_one_day = len(days) == 1 and case.category.mode == Mode.BROADCAST
    return Occasion(
        category=case.category.slug,
        title=case.category.title,
        slot=datetime.fromisoformat(issue.slot),
        issue_id=issue.id,
        erratum=Erratum(min(days) if is_one_day else None, issue.note),
    )
