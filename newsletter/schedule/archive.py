"""What has gone out in a category, as its readers may find it again: one entry a post, the newest first.

In a sequence the same post goes out in many issues; the archive shows it as it went out last. The address of
every issue lasts all the same (see `newsletter.render.edition.issue_path`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func
from sqlalchemy import select as sql_select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from newsletter.models import Category, Edition, EditionPost, Issue, Post
from newsletter.render.edition import digest_place, issue_path
from newsletter.render.letter import Erratum, Neighbour
from newsletter.states import IssueKind, Mode


@dataclass(frozen=True, slots=True)
class Entry:
    """One edition of the archive: its subject, its issue and slot, and its first post."""

    edition_id: int
    issue_id: int
    title: str
    slug: str
    slot: datetime
    planned_at: datetime

    @property
    def path(self) -> str:
        """Where its web version is, below the base URL."""
        return issue_path(self.issue_id, self.slug)

    def neighbour(self, base_url: str) -> Neighbour:
        """As others link to it."""
        return Neighbour(self.title, f"{base_url}{self.path}")


@dataclass(frozen=True, slots=True)
class Shown:
    """An edition that is asked for, and the sources of its posts as they were then: (slug, path, bytes)."""

    entry: Entry
    category: Category
    sources: tuple[tuple[str, str, bytes], ...]
    erratum: Erratum | None = None
    sections: tuple[str, ...] = ()
    """Of a digest: the titles of the categories of its posts."""


def entries_of(
    session: Session, category: Category, *, limit: int, before: int | None = None, after: int | None = None
) -> list[Entry]:
    """The archive of a category, the newest first; `before` and `after` are edition ids to begin beside.

    With `after` the entries are the next newer ones, the oldest first.
    """
    statement = _entries().where(*_is_archived(category))
    if category.mode == Mode.SEQUENCE:
        statement = _last_of_each(statement, category)
    else:
        statement = _whole_ones(statement)
    if before is not None:
        statement = statement.where(col(Edition.id) < before)
    if after is not None:
        statement = statement.where(col(Edition.id) > after).order_by(col(Edition.id))
    else:
        statement = statement.order_by(col(Edition.id).desc())
    return [_entry(row) for row in session.execute(statement.limit(limit))]


def _is_archived(category: Category) -> Iterator[ColumnElement[bool]]:
    """What holds of issues that its archive has."""
    yield col(Issue.category_id) == category.id
    yield col(Issue.kind) != IssueKind.WELCOME  # the same letter many times


def _last_of_each(statement: Select[*tuple[Any, ...]], category: Category) -> Select[*tuple[Any, ...]]:
    """Only the editions in which each post went out last; in a broadcast a post goes out once."""
    newest = (
        select(func.max(col(EditionPost.edition_id)).label("edition_id"))
        .join(Edition, col(Edition.id) == col(EditionPost.edition_id))
        .join(Issue, col(Issue.id) == col(Edition.issue_id))
        .where(*_is_archived(category), col(EditionPost.place) == 0)
        .group_by(col(EditionPost.post_id))
        .subquery()
    )
    return statement.join(newest, newest.c.edition_id == col(Edition.id))


def _whole_ones(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Only the first edition of each issue: others leave out what their readers had by another category."""
    earlier = aliased(Edition)
    theirs = exists().where(col(earlier.issue_id) == col(Edition.issue_id), col(earlier.id) < col(Edition.id))
    return statement.where(~theirs)


def last_of_post(session: Session, category: Category, post: Post) -> Entry | None:
    """How a post went out last in a category."""
    shown = aliased(EditionPost)
    shows = exists().where(col(shown.edition_id) == col(Edition.id), col(shown.post_id) == post.id)
    return _last(session, category, shows)


def _last(session: Session, category: Category, which: ColumnElement[bool]) -> Entry | None:
    """The last of a category's entries of which this holds."""
    statement = _entries().where(col(Issue.category_id) == category.id, which)
    row = session.execute(statement.order_by(col(Edition.id).desc()).limit(1)).first()
    return _entry(row) if row else None


def before_post(session: Session, category: Category, above: Post | None) -> Entry | None:
    """What a post's readers had before it: in a sequence the post right above it, else the last slot's."""
    if category.mode == Mode.BROADCAST:
        return _last(session, category, col(Issue.kind) == IssueKind.SLOT)
    return last_of_post(session, category, above) if above else None


def find_shown(session: Session, issue_id: int, place: str) -> Shown | None:
    """The edition of an issue at a place below it: its first post's slug, of a digest with a tag."""
    beginning = (
        select(EditionPost.edition_id)
        .join(Edition, col(Edition.id) == col(EditionPost.edition_id))
        .join(Post, col(Post.id) == col(EditionPost.post_id))
        .where(Edition.issue_id == issue_id, EditionPost.place == 0, Post.slug == place.partition("~")[0])
    )
    # By their names alone: a digest may have thousands of editions, and each post holds a whole source.
    rows = session.exec(
        select(EditionPost.edition_id, Post.slug, EditionPost.section)
        .join(Post, col(Post.id) == col(EditionPost.post_id))
        .where(col(EditionPost.edition_id).in_(beginning))
        .order_by(col(EditionPost.edition_id), col(EditionPost.place))
    )
    for edition_id, posts in groupby(rows, key=lambda row: row[0]):
        named = [(slug, section) for _, slug, section in posts]
        slugs, sections = [slug for slug, _ in named], [section for _, section in named if section]
        if place == (digest_place(slugs, sections) if sections else slugs[0]):
            [row] = session.execute(_entries().where(col(Edition.id) == edition_id))
            return _shown(session, _entry(row))
    return None


def _shown(session: Session, entry: Entry) -> Shown:
    issue = session.get_one(Issue, entry.issue_id)
    rows = session.exec(
        select(Post.slug, EditionPost.path, EditionPost.source, EditionPost.section)
        .join(Post, col(Post.id) == col(EditionPost.post_id))
        .where(EditionPost.edition_id == entry.edition_id)
        .order_by(col(EditionPost.place))
    ).all()
    return Shown(
        entry,
        session.get_one(Category, issue.category_id),
        tuple((slug, path, source) for slug, path, source, _ in rows),
        _erratum(session, issue),
        tuple(section for *_, section in rows if section),
    )


def _erratum(session: Session, issue: Issue) -> Erratum | None:
    """What an issue says that it corrects, if it does."""
    if issue.corrects is None:
        return None
    corrected = session.get_one(Issue, issue.corrects)
    return Erratum(datetime.fromisoformat(corrected.slot).date(), issue.note)


def _entries() -> Select[*tuple[Any, ...]]:
    columns = (Edition.id, Edition.issue_id, Edition.subject, Post.slug, Issue.slot, Issue.planned_at)
    return (
        sql_select(*map(col, columns))
        .join(Issue, col(Issue.id) == col(Edition.issue_id))
        .join(EditionPost, (col(EditionPost.edition_id) == col(Edition.id)) & (col(EditionPost.place) == 0))
        .join(Post, col(Post.id) == col(EditionPost.post_id))
    )


def _entry(row: Sequence[Any]) -> Entry:
    edition_id, issue_id, title, slug, slot, planned_at = row
    return Entry(edition_id, issue_id, title, slug, datetime.fromisoformat(slot), planned_at)
