"""Keeping a folder and the queue in step: looking, and doing what `newsletter.content.sync` plans.

Promises: all is done in one transaction, or nothing is. A file whose size and time are those of the last look
is not opened. Two runs at once do together what one would have done: the second waits, looks again and finds
the rest. No lock is held while files and pictures are read.

Fails with `problems` in what it returns, each naming its file or post, with nothing changed; with
ContentError for a folder that is none or has lost all its posts; with QueueError for a flood, and where all
keeps changing.

May surprise: a file as new as the look at it is opened again next time, since a change within the same tick
of the clock would leave its time as it is.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, delete
from sqlmodel import Session, col, select

from newsletter.content.adding import Added, Adder, SourceFile, follow_post, not_utf8
from newsletter.content.folder import posts_in
from newsletter.content.history import Editor
from newsletter.content.post import PostHead, parse_head, read_bytes, read_post
from newsletter.content.queue import change_state
from newsletter.content.sync import (
    Change,
    File,
    Known,
    Plan,
    Seen,
    Standing,
    Stored,
    disputed,
    make_plan,
)
from newsletter.database import Database
from newsletter.errors import ContentError, QueueError
from newsletter.models import Category, Post, QueueEntry, SyncedFile, SyncedFolder
from newsletter.states import WAITING, EntryState
from subscribers.base import Clock

FLOOD = 20
"""Posts that may enter a queue at once before it is asked whether that is meant."""

_SETTLED_NS = 2_000_000_000
"""How much older than the look at it a file is, so that no later change can leave it the same time: FAT
counts in steps of two seconds."""
_LONGEST_PATH = 1000
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Orders:
    """How a folder is to be kept in step."""

    since: date | None = None
    """Queue nothing dated before this day, now and later; None leaves that as it was."""
    takes_all: bool = False
    """However old, and however many."""
    may_be_empty: bool = False
    """Also if every post the folder had is gone."""
    is_dry: bool = False
    """Change nothing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done, or would be, or why nothing was."""

    changes: tuple[Change, ...] = ()
    sources: Mapping[str, SourceFile] = field(default_factory=dict)
    """By path within the folder: the files that were read to the end."""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Syncer:
    """Keeps one folder in step. `site` is the site's folder, `stored` how the site remembers the other.

    `read` gives a post whole, its pictures taken, or raises ContentError. `file_clock` gives the nanoseconds
    that the times of files are compared with. What is done is on record as the `actor`'s doing.
    """

    database: Database
    site: Path
    folder: Path
    stored: str
    read: Callable[[Path], SourceFile]
    clock: Clock
    file_clock: Callable[[], int]
    actor: str
    needs_approval: bool = False

    def sync(self, orders: Orders) -> Outcome:
        """Look, decide, and do it unless that is not wanted."""
        for _ in range(_ATTEMPTS):
            with self.database.read() as session:
                known = read_known(session, self.stored, self.clock())
            planned = self._planned(known, orders)
            if planned is None:
                continue
            plan, outcome = planned
            if outcome.problems or plan.is_idle(known):
                return outcome
            if (done := self._do(known, plan, outcome, is_dry=orders.is_dry)) is not None:
                return done
        raise QueueError(
            f"{self.folder}: the folder or the queue changed again and again meanwhile; nothing was done. "
            f"Try again"
        )

    def _planned(self, known: Known, orders: Orders) -> tuple[Plan, Outcome] | None:
        """What there is to do; None where a file changed between two looks at it."""
        files, problems = look(self.folder, known.seen, self.file_clock())
        if not files and not problems and known.seen and not orders.may_be_empty:
            raise ContentError(
                f"there is no post in this folder any more, where there were {len(known.seen)}; nothing was "
                f"changed. If they are deleted, and no disk is missing, say --really",
                path=self.folder,
            )
        since = None if orders.takes_all else orders.since or known.since
        plan = make_plan(known, files, self._others(known, files), since)
        newcomers = [change for change in plan.changes if change.is_newcomer]
        if len(newcomers) > FLOOD and not orders.takes_all and orders.since is None:
            raise QueueError(_flood(self.folder, newcomers))
        problems += plan.problems
        sources = {}
        for change in plan.changes:
            if not change.is_to_be_read:
                continue
            try:
                file = self.read(self.folder / change.path)
            except ContentError as error:
                problems.append(str(error))
                continue
            if _digest(file.data) != files[change.path].digest:
                return None
            stored_path = known.stored_path(change.path)
            sources[change.path] = replace(
                file, stored_path=stored_path, source=replace(file.source, slug=change.slug)
            )
        return plan, Outcome(plan.changes, sources, tuple(sorted(set(problems))))

    def _others(self, known: Known, files: Mapping[str, File]) -> dict[str, bool]:
        """Files whose post is still read from another one: whether that has the same words."""
        found = {}
        for path, other in disputed(known, files).items():
            try:
                if (self.site / other).exists():
                    mine, theirs = read_post(self.folder / path), read_post(self.site / other)
                    found[path] = mine.content_hash == theirs.content_hash
            except ContentError:
                found[path] = False
            except OSError:  # a folder that this user may not look into
                continue
        return found

    def _do(self, known: Known, plan: Plan, outcome: Outcome, *, is_dry: bool) -> Outcome | None:
        """Make the changes, and tell what came of them; None where what is known has changed since.

        Nothing is kept then, nor of a dry run, nor where a queue takes one of the changes amiss.
        """
        editor = Editor(self.actor, self.clock())
        with self.database.write() as session:
            session.execute(
                self.database.insert(SyncedFolder)
                .values(path=self.stored, withdrawn="{}")
                .on_conflict_do_nothing()
            )
            folder = session.exec(
                select(SyncedFolder).where(SyncedFolder.path == self.stored).with_for_update()
            ).one()
            # Nor may the planner issue meanwhile what is to be dropped.
            categories = {
                category.slug: category
                for category in session.exec(
                    select(Category)
                    .where(col(Category.ended_at).is_(None))
                    .order_by(col(Category.slug))
                    .with_for_update(key_share=True)
                )
            }
            if read_known(session, self.stored, editor.now) != known:
                session.rollback()
                return None
            changes, problems = [], []
            for change in outcome.changes:
                if change.moved_from is not None:
                    follow_post(session, change.slug, known.stored_path(change.path))
                wanted = [categories[name] for name in change.queued]
                adder = Adder(session, wanted, self.site, editor, needs_approval=self.needs_approval)
                try:
                    changes.append(_apply(adder, change, outcome.sources.get(change.path), categories))
                except QueueError as error:
                    problems.append(str(error))
            if is_dry or problems:
                session.rollback()
            else:
                _remember(session, folder, known, plan)
            return replace(outcome, changes=tuple(changes), problems=tuple(problems))


def _apply(
    adder: Adder, change: Change, file: SourceFile | None, categories: Mapping[str, Category]
) -> Change:
    """Do to the queues what a change says: the change as it came to be. Raises QueueError."""

    def put(names: Sequence[str], now_in: Sequence[EntryState], to: EntryState) -> None:
        for name in names:
            place = categories[name]
            change_state(adder.session, change.slug, place, now_in=now_in, to=to, editor=adder.editor)

    put(change.dropped, WAITING, EntryState.DROPPED)
    if file is None:
        return change
    done = _told(change, adder.add(file) if change.queued else adder.renew(file))
    put(done.held, (EntryState.QUEUED,), EntryState.HELD)
    return done


def _told(change: Change, report: Added) -> Change:
    """A change with what adding or renewing its post has shown."""
    return replace(
        change,
        state=report.state,
        terms=report.terms,
        # What is proposed does not go anyway; whoever approves it decides anew.
        held=change.held if report.state is EntryState.QUEUED else (),
        is_updated=report.is_updated,
        withdrawn=tuple(report.withdrawn),
        dated=tuple(report.dated),
    )


def _flood(folder: Path, newcomers: Sequence[Change]) -> str:
    days = [change.day for change in newcomers if change.day is not None]
    dated = f", dated {days[0]} to {days[-1]}" if days else ""
    return (
        f"{folder}: {len(newcomers)} posts would enter the queue at once{dated}; nothing was changed. Say "
        f"--since DAY to queue those dated that day or later, or --all"
    )


def look(folder: Path, seen: Mapping[str, Seen], at_ns: int) -> tuple[dict[str, File], list[str]]:
    """What the folder has; only files that have changed are opened. And what keeps it from being known.

    Raises ContentError if there is no such folder.
    """
    if not folder.is_dir():
        raise ContentError(
            "is a file: name the folder it lies in" if folder.exists() else "there is no such folder",
            path=folder,
        )
    files: dict[str, File] = {}
    problems: list[str] = []

    def note_error(error: OSError) -> None:
        problems.append(f"{error.filename}: cannot be looked into: {error.strerror}")

    for path in sorted(posts_in(folder, note_error)):
        name = path.relative_to(folder).as_posix()
        try:
            size = len(name.encode())
        except UnicodeEncodeError:
            problems.append(not_utf8(str(path)))
            continue
        if size > _LONGEST_PATH:
            problems.append(f"{path}: its name has {size:,} bytes, more than the {_LONGEST_PATH:,} allowed")
            continue
        try:
            files[name] = _file(path, seen.get(name), at_ns)
        except ContentError as error:
            problems.append(str(error))
    return files, problems


def _file(path: Path, seen: Seen | None, at_ns: int) -> File:
    try:
        status = path.stat()
    except OSError as error:
        raise ContentError(f"cannot be read: {error.strerror}", path=path) from error
    if seen is not None and (status.st_size, status.st_mtime_ns) == (seen.file.size, seen.file.mtime_ns):
        return seen.file
    data = read_bytes(path)
    is_settled = status.st_mtime_ns < at_ns - _SETTLED_NS
    return File(
        status.st_size, status.st_mtime_ns if is_settled else None, _digest(data), parse_head(data, path)
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def read_known(session: Session, stored: str, now: datetime) -> Known:
    """What the site knows of a folder, and of everything a folder may bear on."""
    folder = session.exec(select(SyncedFolder).where(SyncedFolder.path == stored)).one_or_none()
    rows = session.exec(select(SyncedFile).where(SyncedFile.folder_id == folder.id)) if folder else ()
    categories = session.exec(
        select(Category.slug, Category.timezone).where(col(Category.ended_at).is_(None))
    )
    states: dict[str, dict[str, EntryState]] = {}
    statement = (
        select(Post.slug, Category.slug, QueueEntry.state)
        .join(QueueEntry, col(QueueEntry.post_id) == col(Post.id))
        .join(Category, col(Category.id) == col(QueueEntry.category_id))
        .where(col(Category.ended_at).is_(None), col(Post.corrects).is_(None))
        .order_by(col(Category.slug))
    )
    for post, category, state in session.exec(statement):
        states.setdefault(post, {})[category] = EntryState(state)
    posts = session.exec(select(Post.slug, Post.path).where(col(Post.corrects).is_(None)))
    withdrawn = json.loads(folder.withdrawn) if folder else {}
    return Known(
        folder=stored,
        today={slug: now.astimezone(ZoneInfo(zone)).date() for slug, zone in categories},
        since=folder.since if folder else None,
        seen={row.path: _seen(row) for row in rows},
        withdrawn={
            slug: {name: EntryState(state) for name, state in names.items()}
            for slug, names in withdrawn.items()
        },
        posts={slug: Stored(path, states.get(slug, {})) for slug, path in posts},
    )


def _remember(session: Session, folder: SyncedFolder, known: Known, plan: Plan) -> None:
    folder.since, folder.withdrawn = plan.since, json.dumps(plan.withdrawn)
    session.add(folder)
    stale = [path for path, seen in known.seen.items() if plan.seen.get(path) != seen]
    if stale:
        theirs = (col(SyncedFile.folder_id) == folder.id) & (col(SyncedFile.path) == bindparam("stale"))
        session.connection().execute(delete(SyncedFile).where(theirs), [{"stale": path} for path in stale])
    session.add_all(
        _row(folder.id, path, seen) for path, seen in plan.seen.items() if known.seen.get(path) != seen
    )


def _row(folder_id: int, path: str, seen: Seen) -> SyncedFile:
    file, head = seen.file, seen.file.head
    return SyncedFile(
        folder_id=folder_id,
        path=path,
        size=file.size,
        mtime_ns=file.mtime_ns,
        digest=file.digest,
        slug=head.slug,
        day=head.day,
        expires=head.expires,
        published=head.published,
        categories=" ".join(head.categories),
        problem=head.problem,
        post=seen.post,
        standing=seen.standing,
    )


def _seen(row: SyncedFile) -> Seen:
    head = PostHead(row.slug, row.day, row.expires, row.published, tuple(row.categories.split()), row.problem)
    return Seen(File(row.size, row.mtime_ns, row.digest, head), row.post, Standing(row.standing))
