"""The tables of posts, issues and letters, with the unique keys that carry the promises.

- one Issue a category, kind and slot: two planners make one issue;
- one Edition a key, the hash of all it shows: re-rendering is harmless;
- one Delivery a subscriber and letter key: nobody is owed a letter twice;
- one Receipt a subscriber and post: a post in two categories reaches a person once.
"""

from datetime import date, datetime

from sqlalchemy import Index, LargeBinary, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from subscribers.base import UTCDateTime
from subscribers.models import Key

REASON_LIMIT = 200
"""Characters of an issue's reason."""
NOTE_LIMIT = 500
"""Characters of what an editor says above a correction."""
NAME_LIMIT = 120
"""Characters of the name of who did something."""


class Category(SQLModel, table=True):
    """A stream one may subscribe to, and when it goes out."""

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    slug: str = Field(max_length=80, unique=True)
    title: str = Field(max_length=200)
    cadence: str = Field(max_length=200)
    timezone: str = Field(max_length=64)
    mode: str = Field(max_length=16)
    created_at: datetime = Field(sa_type=UTCDateTime)
    """Also the anchor from which `every 2 weeks` counts."""
    slots_from: datetime = Field(sa_type=UTCDateTime)
    """Slots due before this instant do not exist."""
    ended_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When it was removed: its history stays, it goes out no more."""
    last_day: date | None = None
    """Slots after this local date do not exist."""
    posts_per_issue: int = 1
    """At most so many posts go into one letter."""
    start_post_id: int | None = Field(default=None, foreign_key="post.id", sa_type=Key)
    """The post of its queue with which a sequence begins; None for the first."""
    local_time: bool = False
    """Whether each reader's letter comes at the slot's wall-clock time in their own zone."""
    welcome_post_id: int | None = Field(default=None, foreign_key="post.id", sa_type=Key)
    """The post that new readers get at once."""
    welcome_from: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """Who joined before this instant is not new."""
    priority: int = 5
    """Where readers want few letters: 1 comes before 9."""


class SkippedDay(SQLModel, table=True):
    """A local date on which a category does not go out."""

    __tablename__ = "skipped_day"

    category_id: int = Field(foreign_key="category.id", primary_key=True, sa_type=Key)
    day: date = Field(primary_key=True)
    name: str = Field(default="", max_length=120)
    """What the day is called, such as `Christmas Day`."""
    calendar: str = Field(default="", max_length=200)
    """The calendar's file that it came from; empty where somebody named the day."""


class Post(SQLModel, table=True):
    """One Markdown source as last read; editions keep what was really sent."""

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    slug: str = Field(max_length=200, unique=True)
    path: str = Field(sa_type=Text)
    """Where it was read: relative to the site when inside it, else absolute."""
    title: str = Field(max_length=300)
    source: bytes = Field(sa_type=LargeBinary)
    """The file's bytes, so that a slot never depends on a file that moved."""
    content_hash: str = Field(max_length=64)
    read_at: datetime = Field(sa_type=UTCDateTime)
    corrects: int | None = Field(default=None, foreign_key="post.id", index=True, sa_type=Key)
    """The post whose later text this is, sent to those who had it before: an erratum."""


class QueueEntry(SQLModel, table=True):
    """A post's place in one category's queue."""

    __tablename__ = "queue_entry"
    __table_args__ = (
        UniqueConstraint("category_id", "post_id"),
        Index("ix_queue_entry_order", "category_id", "state", "position", "id"),
    )

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    category_id: int = Field(foreign_key="category.id", sa_type=Key)
    post_id: int = Field(foreign_key="post.id", index=True, sa_type=Key)
    position: int
    """Ascending; ties go by id."""
    state: str = Field(max_length=16)
    issue_id: int | None = Field(default=None, foreign_key="issue.id", sa_type=Key)
    added_at: datetime = Field(sa_type=UTCDateTime)
    not_before: date | None = None
    """It does not go at slots before this local date."""
    not_after: date | None = None
    """The last local date on which it may go."""
    pinned_to: str | None = Field(default=None, max_length=16)
    """The slot that it is kept for and goes first at, as `Issue.slot`."""
    approved_by: str | None = Field(default=None, max_length=NAME_LIMIT)
    approved_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class QueueEvent(SQLModel, table=True):
    """What somebody did to a queue, by the names things had then. Rows are added and never changed."""

    __tablename__ = "queue_event"

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    at: datetime = Field(sa_type=UTCDateTime)
    actor: str = Field(max_length=NAME_LIMIT)
    category: str = Field(max_length=80)
    post: str = Field(max_length=200, index=True)
    action: str = Field(max_length=16)
    detail: str = Field(sa_type=Text)


class SyncedFolder(SQLModel, table=True):
    """A blog's folder that the queue keeps in step with."""

    __tablename__ = "synced_folder"

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    path: str = Field(max_length=1000, unique=True)
    """Relative to the site when inside it, else absolute."""
    since: date | None = None
    """Posts dated before it are known, and not queued."""
    withdrawn: str = Field(default="{}", sa_type=Text)
    """JSON: by post and category, the state of the entries that were dropped because the folder said so."""


class SyncedFile(SQLModel, table=True):
    """A file of such a folder as it was last seen: one that has not changed is not opened again."""

    __tablename__ = "synced_file"

    folder_id: int = Field(foreign_key="synced_folder.id", primary_key=True, sa_type=Key)
    path: str = Field(max_length=1000, primary_key=True)
    """Relative to the folder."""
    size: int = Field(sa_type=Key)
    mtime_ns: int | None = Field(default=None, sa_type=Key)
    """None where the file was so new that a change after the look could have left the same time."""
    digest: str = Field(max_length=64)
    """SHA-256 of its bytes."""
    slug: str = Field(sa_type=Text)
    day: date | None = None
    expires: date | None = None
    published: bool
    categories: str = Field(sa_type=Text)
    """Slugs, divided by spaces."""
    problem: str = Field(sa_type=Text)
    post: str = Field(max_length=200)
    """The slug of its post, which it keeps when the file is renamed; empty where it has none."""
    standing: str = Field(max_length=16)


class Issue(SQLModel, table=True):
    """One dated instalment of a category: the record that a slot was decided, once; or an erratum."""

    __table_args__ = (UniqueConstraint("category_id", "kind", "slot"),)

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    category_id: int = Field(foreign_key="category.id", sa_type=Key)
    slot: str = Field(max_length=16)
    """Local wall-clock time, `2026-12-01T08:00`: DST cannot make two of it. An erratum has its own minute."""
    due_at: datetime = Field(sa_type=UTCDateTime)
    state: str = Field(max_length=16)
    reason: str = Field(default="", max_length=REASON_LIMIT)
    planned_at: datetime = Field(sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime)
    """When its letters are stale: what is unsent then ends as `expired`."""
    canary_every: int | None = None
    """While set, only letters whose number it divides go out: the first share, which decides."""
    canary_done_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When the last of the first share was tried; the wait for bounces counts from here."""
    finished_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When its last letter came to an end; senders look at unfinished issues only."""
    kind: str = Field(max_length=16)
    """See `newsletter.states.IssueKind`: only those of a slot count where slots are decided."""
    corrects: int | None = Field(default=None, foreign_key="issue.id", sa_type=Key)
    """The issue that an erratum corrects."""
    note: str = Field(default="", sa_type=Text)
    """What the editor says above a correction."""


class FailedSlot(SQLModel, table=True):
    """A slot whose letters could not be made: it waits for the mend. With an issue it is history."""

    __tablename__ = "failed_slot"

    category_id: int = Field(foreign_key="category.id", primary_key=True, sa_type=Key)
    slot: str = Field(max_length=16, primary_key=True)
    failed_at: datetime = Field(sa_type=UTCDateTime)
    """When it was first tried: how long it waits counts from here."""
    error: str = Field(sa_type=Text)
    """What was wrong when it was last tried."""


class Edition(SQLModel, table=True):
    """An issue's frozen rendering of an ordered list of posts: never changed once written."""

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    key: str = Field(max_length=64, unique=True)
    issue_id: int = Field(foreign_key="issue.id", index=True, sa_type=Key)
    subject: str = Field(sa_type=Text)
    html: str = Field(sa_type=Text)
    text: str = Field(sa_type=Text)
    headers: str = Field(sa_type=Text)
    """JSON: sender, list and link settings as of rendering, so that a retry has the same bytes."""
    rendered_at: datetime = Field(sa_type=UTCDateTime)


class EditionPost(SQLModel, table=True):
    """The posts of an edition, in their order, as they were then: the web version is made from them."""

    __tablename__ = "edition_post"

    edition_id: int = Field(foreign_key="edition.id", primary_key=True, sa_type=Key)
    place: int = Field(primary_key=True)
    post_id: int = Field(foreign_key="post.id", index=True, sa_type=Key)
    path: str = Field(sa_type=Text)
    source: bytes = Field(sa_type=LargeBinary)
    section: str | None = Field(default=None, max_length=200)
    """The title of its category, which a digest shows above it."""


class Receipt(SQLModel, table=True):
    """This subscriber has been given this post (by that letter)."""

    subscriber_id: int = Field(foreign_key="subscriber.id", primary_key=True, sa_type=Key)
    post_id: int = Field(foreign_key="post.id", primary_key=True, sa_type=Key)
    letter_key: str = Field(max_length=64)


class DigestPost(SQLModel, table=True):
    """A post that a slot has given to a reader for a digest; it waits for that, or is in it."""

    __tablename__ = "digest_post"
    __table_args__ = (
        Index("ix_digest_post_letter", "subscriber_id", "letter_key"),
        Index(
            "ix_digest_post_waiting",
            "ready_at",
            sqlite_where=text("letter_key IS NULL"),
            postgresql_where=text("letter_key IS NULL"),
        ),
    )

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    subscriber_id: int = Field(foreign_key="subscriber.id", sa_type=Key)
    post_id: int = Field(foreign_key="post.id", sa_type=Key)
    issue_id: int = Field(foreign_key="issue.id", index=True, sa_type=Key)
    """The slot's issue, to whose category the post belongs here."""
    category: str = Field(max_length=80)
    place: int
    """Its place among the posts that this slot gave."""
    slot: str = Field(max_length=16)
    """When the digest is to go, as `Issue.slot`."""
    timezone: str = Field(max_length=64)
    """Where it is that time then."""
    ready_at: datetime = Field(sa_type=UTCDateTime)
    """The instant of that."""
    due_at: datetime = Field(sa_type=UTCDateTime)
    """The letter is not due before this instant: by the reader's own clock, where that counts."""
    letter_key: str | None = Field(default=None, max_length=64)
    """Of the letter that it is in; None while it waits."""


class Cohort(SQLModel, table=True):
    """Readers of a sequence who have had the same posts of its queue: they get the same letter next."""

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    category_id: int = Field(foreign_key="category.id", index=True, sa_type=Key)
    had: str = Field(default="", sa_type=Text)
    """The posts by their ids, with spaces between."""


class Displaced(SQLModel, table=True):
    """A reader whose receipts have changed otherwise than with their cohort: which is to be found again."""

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    subscriber_id: int = Field(foreign_key="subscriber.id", index=True, sa_type=Key)


class Owner(SQLModel, table=True):
    """A process that claims deliveries. It is alive while its lock cannot be taken (see `ownership`)."""

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    host: str = Field(max_length=255)
    pid: int
    started_at: datetime = Field(sa_type=UTCDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class Delivery(SQLModel, table=True):
    """The ledger row: this letter is owed to this subscriber."""

    __table_args__ = (
        UniqueConstraint("subscriber_id", "letter_key"),
        Index("ix_delivery_due", "issue_id", "state", "due_at", "id"),
    )

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    subscriber_id: int = Field(foreign_key="subscriber.id", sa_type=Key)
    issue_id: int = Field(foreign_key="issue.id", sa_type=Key)
    edition_id: int = Field(foreign_key="edition.id", sa_type=Key)
    category: str = Field(max_length=80)
    letter_key: str = Field(max_length=64)
    """What makes the letter one: `issue:7`; `issue:7:1` for a digest that was made anew."""
    state: str = Field(max_length=16)
    due_at: datetime = Field(sa_type=UTCDateTime)
    """When to try next."""
    owner_id: int | None = Field(default=None, foreign_key="owner.id", sa_type=Key)
    attempts: int = 0
    sent_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    doubted_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When a try may have reached the reader without our knowing; outlives the state `in_doubt`, but no
    report that it has not."""
    reply: str | None = Field(default=None, sa_type=Text)
    """The last reply, verbatim, or what happened instead of one."""
    fault: str | None = Field(default=None, max_length=16)
    """Whose fault the last refusal was (see `newsletter.states.Fault`), None if there was none."""
    complained_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When its reader reported it as unwanted."""


class Attempt(SQLModel, table=True):
    """One try at a delivery, with the server's reply verbatim."""

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    delivery_id: int = Field(foreign_key="delivery.id", index=True, sa_type=Key)
    owner_id: int = Field(foreign_key="owner.id", sa_type=Key)
    at: datetime = Field(sa_type=UTCDateTime)
    outcome: str = Field(max_length=16)
    """The delivery state it led to."""
    stage: str = Field(max_length=16)
    """The command that was answered: `MAIL`, `RCPT`, `DATA`, or `.` for the message itself."""
    code: int | None = None
    """The reply code (RFC 5321 §4.2), None if there was no reply."""
    enhanced_status: str | None = Field(default=None, max_length=16)
    """RFC 3463."""
    reply: str = Field(sa_type=Text)
    relay: str | None = Field(default=None, max_length=255)
    """HOST:PORT of the relay it went to; None where the process died before it could say."""


class Verdict(SQLModel, table=True):
    """What was found out about one letter, or about a probe, with its evidence: one for each piece of that.

    Evidence is the attempt (while it was sent) or the report that came in later; both are judged alike.
    """

    __table_args__ = (
        UniqueConstraint("attempt_id"),
        UniqueConstraint("inbound_id", "delivery_id"),
        Index(
            "ix_verdict_unjudged",
            "id",
            sqlite_where=text("judged_at IS NULL"),
            postgresql_where=text("judged_at IS NULL"),
        ),
        Index(
            "ix_verdict_policy",
            "at",
            sqlite_where=text("bounce_class = 'policy'"),
            postgresql_where=text("bounce_class = 'policy'"),
        ),
    )

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    subscriber_id: int = Field(foreign_key="subscriber.id", index=True, sa_type=Key)
    delivery_id: int | None = Field(default=None, foreign_key="delivery.id", index=True, sa_type=Key)
    probe_id: int | None = Field(default=None, foreign_key="probe.id", sa_type=Key)
    kind: str = Field(max_length=16)
    """See `newsletter.states.VerdictKind`."""
    bounce_class: str | None = Field(default=None, max_length=16)
    """Of a bounce: see `newsletter.states.BounceClass`."""
    at: datetime = Field(sa_type=UTCDateTime)
    attempt_id: int | None = Field(default=None, foreign_key="attempt.id", sa_type=Key)
    inbound_id: int | None = Field(default=None, foreign_key="inbound_message.id", sa_type=Key)
    status: str = Field(default="", max_length=16)
    """The enhanced status code (RFC 3463) that it was judged by."""
    diagnostic: str = Field(default="", sa_type=Text)
    """What the other side said."""
    remote: str = Field(default="", max_length=255)
    """Who said it."""
    judged_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    effect: str | None = Field(default=None, max_length=16)
    """See `newsletter.states.Effect`; None until it is judged."""


class Probe(SQLModel, table=True):
    """A short letter that asks a reader whose letters come back whether they reach them at all."""

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    subscriber_id: int = Field(foreign_key="subscriber.id", index=True, sa_type=Key)
    asked_at: datetime = Field(sa_type=UTCDateTime)
    failed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When it was refused, or the first report came that it did not arrive; None if neither."""


class Notice(SQLModel, table=True):
    """Something that the editor is told by email, once each time that it comes about."""

    __table_args__ = (UniqueConstraint("topic", "number"),)

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    topic: str = Field(max_length=160)
    """What it is about, such as `low:advice` or `halted:issue 12`."""
    number: int
    """Which time it is that this came about, from 1."""
    kind: str = Field(max_length=16)
    category: str | None = Field(default=None, max_length=80)
    issue_id: int | None = Field(default=None, foreign_key="issue.id", sa_type=Key)
    subject: str = Field(sa_type=Text)
    text: str = Field(sa_type=Text)
    noticed_at: datetime = Field(sa_type=UTCDateTime)
    over_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When it was seen to be so no more: what is over before it was mailed is not mailed."""
    retry_at: datetime = Field(sa_type=UTCDateTime)
    """When to mail it, or to try again; set ahead by who is at it."""
    attempts: int = 0
    sent_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    reply: str | None = Field(default=None, sa_type=Text)
    """What came of the last try: the relay's reply, or what happened instead."""


class InboundMessage(SQLModel, table=True):
    """A mail that came in, kept before it was acknowledged, and what became of it."""

    __tablename__ = "inbound_message"
    __table_args__ = (
        UniqueConstraint("identity", "recipient"),
        Index("ix_inbound_message_state", "state", "id"),
        Index("ix_inbound_message_received", "received_at"),
        Index("ix_inbound_message_return_path", "return_path"),
    )

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    identity: str = Field(max_length=64)
    """What its sender wrote, hashed: the same mail that comes in twice is one."""
    recipient: str = Field(default="", max_length=320)
    """Whom the envelope named (RFC 5321 §2.3.1), folded; empty where the entrance does not know."""
    return_path: str | None = Field(default=None, max_length=320)
    """The envelope's sender; empty for the null path, None where the entrance does not know."""
    entrance: str = Field(max_length=16)
    content: bytes | None = Field(default=None, sa_type=LargeBinary)
    """As it came; None once it is old, or its writer was erased."""
    octets: int
    message_id: str = Field(default="", sa_type=Text)
    sender: str = Field(default="", max_length=320, index=True)
    """The From address, folded; nobody has verified it."""
    subject: str = Field(default="", sa_type=Text)
    received_at: datetime = Field(sa_type=UTCDateTime)
    state: str = Field(max_length=16)
    attempts: int = 0
    """How often it was begun: one that breaks the process is not begun for ever."""
    taken_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """Until when whoever has begun it is left alone with it."""
    verb: str | None = Field(default=None, max_length=16)
    """What it was found to be."""
    outcome: str | None = Field(default=None, sa_type=Text)
    """What became of it, or why it was set aside."""
    handled_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class Note(SQLModel, table=True):
    """A short letter outside of any issue: a confirmation, an answer, a reader's letter for the editor."""

    __table_args__ = (
        Index(
            "ix_note_due",
            "retry_at",
            sqlite_where=text("state = 'queued'"),
            postgresql_where=text("state = 'queued'"),
        ),
        Index("ix_note_recipient", "recipient_key"),
        Index("ix_note_mailbox", "mailbox", "written_at"),
        Index("ix_note_domain", "domain", "written_at"),
    )

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    topic: str = Field(max_length=120, unique=True)
    """What it is about, such as `request 7` or `inbound 12`: nobody is answered twice."""
    kind: str = Field(max_length=16)
    recipient: str = Field(max_length=320)
    recipient_key: str = Field(max_length=320)
    mailbox: str = Field(max_length=320)
    """The recipient without a tag: what answers are counted by."""
    domain: str = Field(max_length=255)
    subject: str = Field(sa_type=Text)
    message: bytes | None = Field(default=None, sa_type=LargeBinary)
    """Header and body as they go to the relay; None once it is old."""
    message_id: str = Field(sa_type=Text)
    state: str = Field(max_length=16)
    written_at: datetime = Field(sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime)
    retry_at: datetime = Field(sa_type=UTCDateTime)
    """When to send it, or to try again; set ahead by who is at it."""
    attempts: int = 0
    sent_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    reply: str | None = Field(default=None, sa_type=Text)
    """What came of the last try: the relay's reply, or what happened instead."""
    return_path: str = Field(default="", max_length=320)
    """Where it comes back to; empty for nowhere."""
    on_wire_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """Until when its body may be on the wire, if no reply is recorded before: no longer is it waited for."""


class WatchedMailbox(SQLModel, table=True):
    """A folder of a mailbox that mail comes in from, and how far it has been looked through (RFC 9051)."""

    __tablename__ = "mailbox"
    __table_args__ = (UniqueConstraint("host", "account", "folder"),)

    id: int = Field(default=None, primary_key=True, sa_type=Key)
    host: str = Field(max_length=255)
    account: str = Field(max_length=320)
    folder: str = Field(max_length=255)
    uidvalidity: int = Field(sa_type=Key)
    """The numbering that `last_uid` belongs to: a server may number a folder's messages anew."""
    last_uid: int = Field(sa_type=Key)
    """The last message that is done with; those up to the first look are none of ours."""
    begun_at: datetime = Field(sa_type=UTCDateTime)
    """The first look."""
    looked_at: datetime = Field(sa_type=UTCDateTime)
    """The last one, to the hour."""
