"""Adding posts to the queue.

Adding is all or nothing and safe to repeat: a post is known by its slug, the same file again changes
nothing, a changed file updates the post wherever it has not gone out, and a file that moved is followed.
Where a post is there already, what its file says otherwise than before of when it may go is taken over too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import exists, func, update
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from newsletter.content.approval import withdraw
from newsletter.content.dates import Dates, check_dates, date_entry, local_time, said_anew, said_by
from newsletter.content.history import Action, Editor, record
from newsletter.content.post import PostSource, parse_post
from newsletter.content.queue import Ahead, places_of, put_ahead
from newsletter.content.readiness import terms
from newsletter.errors import ContentError, QueueError
from newsletter.models import Category, EditionPost, Post, QueueEntry, Receipt
from newsletter.receipts import displace
from newsletter.states import WAITING, EntryState, Mode
from subscribers.models import Subscription

LONGEST_SLUG = 200


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A post as read from disk: its bytes, what they say, and the path to remember."""

    source: PostSource
    data: bytes
    stored_path: str
    warnings: tuple[str, ...] = ()
    """What its editor should know, each one sentence."""


@dataclass(slots=True)
class Added:
    """What adding one file did."""

    slug: str
    title: str
    queued: list[str] = field(default_factory=list)
    """Categories whose queue it entered."""
    state: EntryState = EntryState.QUEUED
    """How it stands where it entered."""
    terms: str = ""
    """When it may go where it entered, in words."""
    already: dict[str, EntryState] = field(default_factory=dict)
    """Categories that had it, and where it stands there."""
    unknown: list[str] = field(default_factory=list)
    """Categories in its front matter that the site does not have."""
    is_updated: bool = False
    """Whether the stored post was changed by this file."""
    withdrawn: list[str] = field(default_factory=list)
    """Categories where it has to be approved anew."""
    dated: list[str] = field(default_factory=list)
    """Categories that had it, where it now goes at other times."""


def add_posts(
    session: Session,
    files: Sequence[SourceFile],
    categories: Sequence[Category],
    *,
    only: Category | None,
    site: Path,
    editor: Editor,
    ahead_of: Ahead | None = None,
    dates: Dates | None = None,
    needs_approval: bool = False,
) -> list[Added]:
    """Queue posts, in the order given: at the end, or `ahead_of` what waits there.

    `only` puts them all into one category. What waited before keeps its place. `dates` say when they may go,
    over what they say themselves. Raises QueueError naming every post that fits no category or cannot go as
    said, or the one that does not wait; nothing is kept then.
    """
    adder = Adder(
        session, categories, site, editor, only=only, dates=dates or {}, needs_approval=needs_approval
    )
    problems: list[str] = []
    added = []
    named: dict[str, str] = {}
    for file in files:
        try:
            other = named.setdefault(file.source.slug, file.stored_path)
            if other != file.stored_path:
                raise QueueError(slug_taken(file.stored_path, file.source.slug, other))
            added.append(adder.add(file))
        except QueueError as error:
            problems.append(str(error))
    if problems:
        raise QueueError("\n".join([*problems, "nothing was queued"]))
    if ahead_of is not None:
        for category in [only] if only else categories:
            put_ahead(session, category, [one.slug for one in added if category.slug in one.queued], ahead_of)
    return added


def follow_post(session: Session, slug: str, path: str) -> None:
    """Remember where a post's file lies now, without reading it."""
    session.execute(update(Post).where(col(Post.slug) == slug).values(path=path))


@dataclass(frozen=True)
class Adder:
    """What all files of one adding have in common: as for `add_posts`."""

    session: Session
    categories: Sequence[Category]
    site: Path
    editor: Editor
    only: Category | None = None
    dates: Dates = field(default_factory=Dates)
    needs_approval: bool = False

    def add(self, file: SourceFile) -> Added:
        """Store one post, and put it into its queues. Raises QueueError."""
        _check(file)
        report = Added(slug=file.source.slug, title=file.source.title)
        wanted = self._wanted(file, report)
        post = self._store(file, report)
        for category in wanted:
            entry = self.session.exec(
                select(QueueEntry).where(QueueEntry.category_id == category.id, QueueEntry.post_id == post.id)
            ).one_or_none()
            if entry is None or entry.state == EntryState.DROPPED:
                self._enter(entry, category, post, said_by(file.source), report)
                continue
            report.already[category.slug] = EntryState(entry.state)
            if entry.state in WAITING:
                self._date(entry, category, self.dates, report)
        return report

    def renew(self, file: SourceFile) -> Added:
        """Store one post as its file is now, and queue it nowhere it does not wait yet. Raises QueueError."""
        _check(file)
        report = Added(slug=file.source.slug, title=file.source.title)
        self._store(file, report)
        return report

    def _wanted(self, file: SourceFile, report: Added) -> Sequence[Category]:
        """The categories that it is for. Raises QueueError if there are none."""
        if self.only is not None:
            return [self.only]
        names, by_slug = file.source.categories, {category.slug: category for category in self.categories}
        report.unknown = [name for name in names if name not in by_slug]
        wanted = [by_slug[name] for name in names if name in by_slug]
        if not wanted:
            raise QueueError(_no_category(file, by_slug))
        return wanted

    def _store(self, file: SourceFile, report: Added) -> Post:
        source = file.source
        post = self.session.exec(select(Post).where(Post.slug == source.slug)).one_or_none()
        if post is None:
            post = Post(
                slug=source.slug,
                path=file.stored_path,
                title=source.title,
                source=file.data,
                content_hash=source.content_hash,
                read_at=self.editor.now,
            )
            self.session.add(post)
            self.session.flush()
            return post
        if _is_another(post, file, self.site):
            raise QueueError(slug_taken(file.stored_path, source.slug, post.path))
        if (post.path, post.source, post.content_hash) != (file.stored_path, file.data, source.content_hash):
            anew = _dates_anew(post, source)
            report.is_updated = post.content_hash != source.content_hash
            post.path, post.source, post.read_at = file.stored_path, file.data, self.editor.now
            # Not from the bytes alone: a title and a date may come from the file's name.
            post.title, post.content_hash = source.title, source.content_hash
            self.session.flush()
            self._follow(post, anew, report)
        return post

    def _follow(self, post: Post, anew: Dates, report: Added) -> None:
        """Have what a changed file says hold wherever the post waits."""
        for entry, category in places_of(self.session, post.slug):
            if entry.state not in WAITING:
                continue
            if report.is_updated:
                record(self.session, self.editor, Action.UPDATED, category.slug, post.slug)
                if self.needs_approval and withdraw(self.session, entry, category, post.slug, self.editor):
                    report.withdrawn.append(category.slug)
            self._date(entry, category, anew, report)

    def _date(self, entry: QueueEntry, category: Category, dates: Dates, report: Added) -> None:
        is_new = date_entry(self.session, entry, category, report.slug, dates, self.editor)
        if is_new and category.slug not in report.dated:
            report.dated.append(category.slug)

    def _enter(
        self, entry: QueueEntry | None, category: Category, post: Post, said: Dates, report: Added
    ) -> None:
        """Put a post at the end of a queue, as if it had never been there."""
        dates = said | self.dates
        check_dates(self.session, category, post.slug, dates, self.editor.now)
        report.state = EntryState.PROPOSED if self.needs_approval else EntryState.QUEUED
        if entry is None:
            entry = QueueEntry(
                category_id=category.id, post_id=post.id, position=0, state="", added_at=self.editor.now
            )
            _displace_who_had(self.session, category, post)
        entry.state, entry.position = report.state, _end_of_queue(self.session, category)
        entry.not_before, entry.not_after = dates.get("not_before"), dates.get("not_after")
        entry.pinned_to = dates.get("pinned_to")
        entry.approved_by = entry.approved_at = None
        self.session.add(entry)
        self.session.flush()
        action = Action.PROPOSED if self.needs_approval else Action.ADDED
        record(self.session, self.editor, action, category.slug, post.slug, terms(entry))
        report.terms = terms(entry, local_time(category, self.editor.now))
        report.queued.append(category.slug)


def _check(file: SourceFile) -> None:
    """Refuse names that a file may have and a database may not, and what is not published."""
    if len(file.source.slug) > LONGEST_SLUG:
        raise QueueError(long_slug(file.stored_path, file.source.slug))
    try:
        file.stored_path.encode()
    except UnicodeEncodeError:
        raise QueueError(not_utf8(file.stored_path)) from None
    if not file.source.published:
        raise QueueError(
            f"{file.stored_path}: this post says that it is not published; take `published: false` or "
            f"`draft: true` out of its front matter first, or `paperround queue drop` it"
        )


def slug_taken(path: str, slug: str, other: str) -> str:
    """Why a file cannot be a post: another one has its slug."""
    return f"{path}: {other} is called {slug!r} too; give one of them another `slug:` in its front matter"


def long_slug(path: str, slug: str) -> str:
    """Why a file cannot be a post: its slug has more than LONGEST_SLUG characters."""
    return (
        f"{path}: its slug has {len(slug)} characters, more than the {LONGEST_SLUG} allowed; give it a "
        f"shorter `slug:` in its front matter"
    )


def not_utf8(path: str) -> str:
    """Why a file cannot be a post: no database keeps its name."""
    return f"{path!a}: the file's name is not UTF-8; rename it"


def _no_category(file: SourceFile, known: Iterable[str]) -> str:
    names = ", ".join(file.source.categories) or "none"
    here = ", ".join(known)
    advice = (
        f"this site has: {here}. Name one with --category, or in the front matter"
        if here
        else "this site has no category yet: `paperround category add`"
    )
    return f"{file.stored_path}: fits no category here (it names: {names}); {advice}"


def _is_another(post: Post, file: SourceFile, site: Path) -> bool:
    """Whether this is another post of the same slug, and not the same one, changed, moved or copied."""
    if post.corrects is not None:
        return True  # an erratum, whatever became of the file it was read from
    if post.path == file.stored_path or post.content_hash == file.source.content_hash:
        return False
    try:
        return (site / post.path).exists()
    except OSError:  # a folder that this user may not look into
        return False


def _displace_who_had(session: Session, category: Category, post: Post) -> None:
    """Have the cohorts of a sequence found anew for readers who have had a post by another category."""
    has_gone_out = select(EditionPost.post_id).where(EditionPost.post_id == post.id).limit(1)
    if category.mode != Mode.SEQUENCE or session.exec(has_gone_out).first() is None:
        return
    had = exists().where(
        col(Receipt.subscriber_id) == col(Subscription.subscriber_id), col(Receipt.post_id) == post.id
    )
    readers = sql_select(col(Subscription.subscriber_id)).where(
        col(Subscription.category) == category.slug, had
    )
    displace(session.connection(), readers)


def _dates_anew(post: Post, source: PostSource) -> Dates:
    try:
        return said_anew(source, parse_post(post.source, Path(post.path)))
    except ContentError:  # an older program took what this one refuses
        return {}


def _end_of_queue(session: Session, category: Category) -> int:
    last = session.exec(
        select(func.max(QueueEntry.position)).where(QueueEntry.category_id == category.id)
    ).one()
    return (last or 0) + 1
