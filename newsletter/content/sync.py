"""What a blog's folder asks of the queue: decided from what its files say and what the site knows.

Promises: `make_plan` is pure. What it plans, once done, leaves nothing to plan: the same folder asks for no
more. The editor's word stands: a post that was dropped or held by hand stays so, and what has gone out is
never touched. Only what was withdrawn because the folder said so comes back when it says otherwise.

Fails with `problems`, values that each name a file: whoever finds any is to do nothing at all.

May surprise: a post keeps the slug under which it was queued when its file gets another name, so that nobody
is sent it twice and the addresses in letters hold.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from pathlib import PurePath

from newsletter.content.adding import LONGEST_SLUG, long_slug, slug_taken
from newsletter.content.post import PostHead
from newsletter.states import WAITING, EntryState


class Standing(StrEnum):
    """What a folder says of a post."""

    DUE = "due"  # it may go out
    OLD = "old"  # dated before the day from which posts are queued
    FUTURE = "future"  # its day is yet to come
    EXPIRED = "expired"  # its last day is over
    DRAFT = "draft"  # it says so, or lies among the drafts
    ELSEWHERE = "elsewhere"  # it names no category of this site
    GONE = "gone"  # there is no such file any more


_KEPT_HOME = (Standing.DRAFT, Standing.ELSEWHERE)
"""Posts that nobody reads to the end: their text may be unfinished, or no concern of ours."""


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was seen, and what it said when it was opened last."""

    size: int
    mtime_ns: int | None
    """None where it is to be opened again even if its size and time stay the same."""
    digest: str
    head: PostHead


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as the last run left it."""

    file: File
    post: str
    """The slug of its post in the queue; empty where it has none."""
    standing: Standing


@dataclass(frozen=True, slots=True)
class Stored:
    """A post that the site has."""

    path: str
    states: Mapping[str, EntryState]
    """Where it stands, by category."""


Withdrawn = Mapping[str, Mapping[str, EntryState]]
"""By post and category: how an entry stood when it was dropped because the folder said so."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the site knows."""

    folder: str
    """Where the folder lies: relative to the site when inside it, else absolute."""
    today: Mapping[str, date]
    """By category of the site: the day it is there."""
    since: date | None
    seen: Mapping[str, Seen]
    """By path within the folder."""
    withdrawn: Withdrawn
    posts: Mapping[str, Stored]
    """By slug: all there are."""

    def stored_path(self, path: str) -> str:
        """How a post remembers a file of the folder."""
        return str(PurePath(self.folder, path))

    def shown_path(self, stored_path: str) -> str:
        """The same the other way round, where the file lies within the folder."""
        path = PurePath(stored_path)
        return str(path.relative_to(self.folder)) if path.is_relative_to(self.folder) else stored_path


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one post."""

    path: str
    """Its file, within the folder."""
    slug: str
    standing: Standing
    day: date | None = None
    queued: tuple[str, ...] = ()
    """Categories whose queue it enters."""
    state: EntryState = EntryState.QUEUED
    """How it stands where it enters."""
    terms: str = ""
    """When it may go where it enters, in words."""
    held: tuple[str, ...] = ()
    """Those among them where it was held when it was withdrawn, and is again."""
    dropped: tuple[str, ...] = ()
    """Categories where it waited."""
    issued: tuple[str, ...] = ()
    """Categories where it has gone out."""
    moved_from: str | None = None
    """The path it had: within the folder, or as a post remembers it if that was elsewhere."""
    is_to_be_read: bool = False
    """Whether all of the file is needed: its post is made of it, or renewed."""
    is_updated: bool = False
    """Whether its letters would show something else than before."""
    withdrawn: tuple[str, ...] = ()
    """Categories where it waits and has to be approved anew."""
    dated: tuple[str, ...] = ()
    """Categories where it waits, and now goes at other times."""
    is_newcomer: bool = False
    """Whether it enters a queue that it has never been in."""
    is_news: bool = False
    """Whether it is to be told that it is not queued, and why."""

    @property
    def is_worth_telling(self) -> bool:
        """Whether an editor wants to hear of it."""
        return bool(
            self.queued or self.dropped or self.moved_from or self.is_updated or self.dated or self.is_news
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What a folder asks for."""

    changes: tuple[Change, ...]
    """In the order of their days, what has none last; then of their paths. What is gone comes at the end."""
    seen: Mapping[str, Seen]
    """What is to be remembered of its files."""
    withdrawn: Withdrawn
    since: date | None
    problems: tuple[str, ...]

    def is_idle(self, known: Known) -> bool:
        """Whether there is nothing to do, not even to remember."""
        return not self.changes and (self.seen, self.withdrawn, self.since) == (
            known.seen,
            known.withdrawn,
            known.since,
        )


@dataclass(frozen=True, slots=True)
class _Subject:
    """A file, and all that bears on what becomes of it."""

    path: str
    file: File
    standing: Standing
    last: Seen | None
    slug: str
    stored: Stored | None
    """The post that is made of it, if there is one."""
    rival: str | None = None
    """The file that has its slug instead."""
    is_copy: bool = False
    """Whether that file has the same words."""


def make_plan(
    known: Known, files: Mapping[str, File], others: Mapping[str, bool], since: date | None
) -> Plan:
    """Compare a folder with what is known.

    Args:
        known: what the site knows.
        files: what the folder has, by path.
        others: files that are `disputed` with another one which is there: whether that has the same words.
        since: posts dated before this day are not queued.
    """
    back = _still_withdrawn(known)
    changes, seen, problems = [], {}, []
    before = _matched(known.seen, files)
    subjects = [_subject(known, path, files, before, others, since) for path in _in_order(files)]
    for subject in _claimed(known, subjects):
        if problem := _problem(known, subject):
            problems.append(problem)
        change = _change(known, subject, back.get(subject.slug, {}))
        has_post = subject.rival is None and (subject.stored is not None or change.queued)
        seen[subject.path] = Seen(subject.file, subject.slug if has_post else "", subject.standing)
        if change.is_to_be_read or change.is_worth_telling:
            changes.append(change)
    missing = sorted(set(known.seen) - set(before.values()))
    changes += [gone for path in missing if (gone := _gone(known, path))]
    return Plan(tuple(changes), seen, _withdrawn(known, back, changes), since, tuple(problems))


def _in_order(files: Mapping[str, File]) -> list[str]:
    return sorted(files, key=lambda path: (files[path].head.day or date.max, path))


def _matched(seen: Mapping[str, Seen], files: Mapping[str, File]) -> dict[str, str]:
    """At which path each file was seen last: known by its slug, else its place, else its content."""
    here = {path for path in files if path in seen}
    found = {path: path for path in here if seen[path].file.head.slug == files[path].head.slug}
    missing = {path: last.file for path, last in sorted(seen.items()) if path not in here}
    _follow(found, missing, files, lambda file: file.head.slug)
    found |= {path: path for path in here if path not in found}
    _follow(found, missing, files, lambda file: file.digest)
    return found


def _follow(
    found: dict[str, str],
    missing: dict[str, File],
    files: Mapping[str, File],
    likeness: Callable[[File], str],
) -> None:
    """Find files that are like one that is missing, each missing one once."""
    places: dict[str, list[str]] = {}
    for path, file in missing.items():
        places.setdefault(likeness(file), []).append(path)
    for path in _in_order(files):
        if path not in found and (same := places.get(likeness(files[path]))):
            found[path] = same.pop(0)
            del missing[found[path]]


def disputed(known: Known, files: Mapping[str, File]) -> dict[str, str]:
    """Files whose post is remembered as that of another, elsewhere, which may still be there: its path."""
    matched = _matched(known.seen, files)
    here = {known.stored_path(path) for path in files}
    subjects = (_subject(known, path, files, matched, {path: False}, None) for path in files)
    return {one.path: one.rival for one in subjects if one.rival is not None and one.rival not in here}


def _subject(
    known: Known,
    path: str,
    files: Mapping[str, File],
    matched: Mapping[str, str],
    others: Mapping[str, bool],
    since: date | None,
) -> _Subject:
    file, before = files[path], matched.get(path)
    last = known.seen[before] if before is not None else None
    slug = (last.post if last else "") or file.head.slug
    stored = known.posts.get(slug)
    rival = None
    if stored is not None and stored.path not in (known.stored_path(path), known.stored_path(before or path)):
        is_copy = others.get(path)
        # A copy that is seen for the first time is the post itself, as for `queue add`. Afterwards it belongs
        # to who took it last, lest two folders pull at it for ever.
        if is_copy is False or (is_copy and last is not None):
            rival = stored.path
    standing = _standing(path, file.head, known.today, since)
    mine = stored if rival is None else None
    return _Subject(path, file, standing, last, slug, mine, rival, is_copy=others.get(path, False))


def _standing(path: str, head: PostHead, today: Mapping[str, date], since: date | None) -> Standing:
    days = [today[name] for name in head.categories if name in today]
    if not days:
        return Standing.ELSEWHERE
    if not head.published or _is_among_drafts(path):
        return Standing.DRAFT
    if head.day is not None and max(days) < head.day:
        return Standing.FUTURE
    if head.expires is not None and head.expires < min(days):
        return Standing.EXPIRED
    return Standing.OLD if since and head.day and head.day < since else Standing.DUE


def _is_among_drafts(path: str) -> bool:
    return "_drafts" in PurePath(path).parts[:-1]


def _claimed(known: Known, subjects: Sequence[_Subject]) -> list[_Subject]:
    """The same in their order, each post left to one file: the one that had it before, else the first."""

    def claim(subject: _Subject) -> tuple[bool, bool]:
        is_there = subject.stored is not None and subject.stored.path == known.stored_path(subject.path)
        return not (subject.last and subject.last.post), not is_there

    owners: dict[str, str] = {}
    for subject in sorted(subjects, key=claim):
        if subject.rival is None and (subject.stored or subject.standing is Standing.DUE):
            owners.setdefault(subject.slug, subject.path)
    return [
        subject
        if owners.get(subject.slug, subject.path) == subject.path
        else replace(subject, stored=None, rival=known.stored_path(owners[subject.slug]), is_copy=False)
        for subject in subjects
    ]


def _problem(known: Known, subject: _Subject) -> str | None:
    """Why a post that is to go out cannot be taken."""
    path, head = known.stored_path(subject.path), subject.file.head
    if subject.standing not in (Standing.DUE, Standing.FUTURE):
        return None
    if head.problem:
        return head.problem
    if len(head.slug) > LONGEST_SLUG:
        return long_slug(path, head.slug)
    if subject.rival is None or subject.is_copy or subject.standing is Standing.FUTURE:
        return None
    return slug_taken(path, subject.slug, subject.rival)


def _change(known: Known, subject: _Subject, back: Mapping[str, EntryState]) -> Change:
    """What becomes of a file's post; `back` says where it stood when it was withdrawn."""
    standing, stored, last, head = subject.standing, subject.stored, subject.last, subject.file.head
    change = Change(subject.path, subject.slug, standing, head.day)
    if subject.rival is not None:
        return change
    states = stored.states if stored else {}
    dropped = _dropped(head, standing, last, states)
    queued: tuple[str, ...] = ()
    if standing in (Standing.DUE, Standing.OLD):
        queued = tuple(
            name
            for name in head.categories
            if name in known.today
            and (head.day is None or head.day <= known.today[name])
            and (head.expires is None or known.today[name] <= head.expires)
            and (name in back or (standing is Standing.DUE and name not in states))
        )
    is_moved = stored is not None and stored.path != known.stored_path(subject.path)
    is_renewed = stored is not None and (last is None or last.file.digest != subject.file.digest or is_moved)
    return replace(
        change,
        queued=queued,
        held=tuple(name for name in queued if back.get(name) is EntryState.HELD),
        dropped=dropped,
        issued=tuple(name for name, state in states.items() if state is EntryState.ISSUED),
        moved_from=known.shown_path(stored.path) if stored and is_moved else None,
        is_to_be_read=bool(queued) or (is_renewed and standing not in _KEPT_HOME),
        is_newcomer=any(name not in states for name in queued),
        is_news=stored is None
        and standing is not Standing.DUE
        and (last is None or last.standing is not standing),
    )


def _dropped(
    head: PostHead, standing: Standing, last: Seen | None, states: Mapping[str, EntryState]
) -> tuple[str, ...]:
    """Where a post waits that is to wait no longer."""
    waiting = [name for name, state in states.items() if state in WAITING]
    if standing is Standing.DRAFT:
        return tuple(waiting)
    if last is None:  # what was queued by hand is the editor's affair
        return ()
    if standing is Standing.FUTURE and last.file.head.day != head.day:
        return tuple(waiting)
    named = set(last.file.head.categories) - set(head.categories)
    return tuple(name for name in waiting if name in named)


def _gone(known: Known, path: str) -> Change | None:
    """What becomes of a post whose file is gone."""
    last = known.seen[path]
    stored = known.posts.get(last.post)
    if stored is None or stored.path != known.stored_path(path):
        return None
    waiting = tuple(name for name, state in stored.states.items() if state in WAITING)
    if not waiting:
        return None
    return Change(path, last.post, Standing.GONE, last.file.head.day, dropped=waiting)


def _still_withdrawn(known: Known) -> dict[str, dict[str, EntryState]]:
    """What was withdrawn and nobody has touched since."""
    return {
        slug: left
        for slug, names in known.withdrawn.items()
        if slug in known.posts
        and (
            left := {
                name: state
                for name, state in names.items()
                if known.posts[slug].states.get(name) is EntryState.DROPPED
            }
        )
    }


def _withdrawn(
    known: Known, back: Mapping[str, Mapping[str, EntryState]], changes: Sequence[Change]
) -> Withdrawn:
    """What is withdrawn once the changes are made."""
    after = {slug: dict(names) for slug, names in back.items()}
    for change in changes:
        names = after.setdefault(change.slug, {})
        for name in change.queued:
            names.pop(name, None)
        for name in change.dropped:
            names[name] = known.posts[change.slug].states[name]
    return {slug: names for slug, names in after.items() if names}
