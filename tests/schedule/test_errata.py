"""Errata: who gets a correction, and that it is an issue like others which no slot ever notices."""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import delete, text
from sqlmodel import Session, col, select

from newsletter.app import App
from newsletter.database import Database
from newsletter.delivery.audit import audit
from newsletter.delivery.issues import cancel, clear, finish
from newsletter.errors import NotFoundError, QueueError
from newsletter.models import Category, Delivery, Edition, Issue, Post, Receipt
from newsletter.schedule.archive import before_post, entries_of, find_shown
from newsletter.schedule.categories import edit_category, find_category
from newsletter.schedule.errata import Correction, Outdated, correct, foresee, outdated
from newsletter.schedule.wishes import Wish
from newsletter.states import DIGEST, DeliveryState, IssueState, Mode
from subscribers.models import Frequency, Subscriber
from tests.conftest import Cli, Done
from tests.issues import bounce, letters_of, plan_issue, put
from tests.planning import (
    TUESDAY,
    WEEK,
    Town,
    another,
    database,
    empty,
    plain_edition,
    shared_database,
    source,
)
from tests.properties import tried

__all__ = ["database", "shared_database"]

State = DeliveryState


@pytest.fixture
def town(database: Database) -> Town:
    """Nobody and nothing yet; the first issue will be number 1 on either database."""
    if not database.is_sqlite:
        with database.write() as session:
            session.execute(text("TRUNCATE category, post, issue RESTART IDENTITY CASCADE"))
    return Town(database)


NOON = TUESDAY + timedelta(hours=4)
EXPIRY = timedelta(hours=120)


def change(town: Town, words: str, slug: str = "post-advice", category: str = "advice") -> None:
    """Store another text of a post."""
    town.add(source(slug, category, words=words), only=category)


def ask(town: Town, issue_id: int = 1, *, at: datetime = NOON, **given: Any) -> Correction:
    """`paperround issue erratum`."""
    with town.database.write() as session:
        return correct(town.database, session, town.make_edition, issue_id, now=at, expiry=EXPIRY, **given)


def readers_of(town: Town, issue_id: int | None) -> list[str]:
    with town.database.read() as session:
        found = session.exec(
            select(Subscriber.address)
            .join(Delivery, col(Delivery.subscriber_id) == col(Subscriber.id))
            .where(Delivery.issue_id == issue_id, Delivery.state != State.CANCELLED)
        )
        return sorted(address.partition("@")[0] for address in found)


def issues(town: Town) -> list[tuple[int, str, int | None, str]]:
    with town.database.read() as session:
        found = session.exec(select(Issue).order_by(col(Issue.id)))
        return [(one.id, one.kind, one.corrects, one.slot) for one in found]


LETTERS = (
    # (state, whether a try of it may have arrived): whoever has got the text, so far as anybody knows
    *((State.SENT, True), (State.IN_DOUBT, True), (State.QUEUED, True), (State.BOUNCED, True)),
    *((State.CANCELLED, True), (State.QUEUED, False), (State.DEFERRED, False), (State.HELD, False)),
    *((State.BOUNCED, False), (State.EXPIRED, False), (State.CANCELLED, False), (State.SUPPRESSED, False)),
)
WAITING = (State.QUEUED, State.DEFERRED, State.HELD)
readers = st.lists(st.tuples(st.sampled_from(LETTERS), st.booleans()), min_size=1, max_size=8)


def plan_digest(town: Town, readers: int) -> tuple[int, int]:
    """An issue of one post, whose readers have it in a digest of two slots; returns the numbers of both."""
    town.usual = Wish(Frequency.DAILY)
    town.category("news", cadence="weekly tue 10:00")
    town.queue("post-news", category="news")
    town.subscribe(*(f"reader{place}" for place in range(readers)), category="news")
    first = plan_issue(town, readers)
    _, digest = town.plan(TUESDAY + timedelta(hours=2))
    return first, int(getattr(digest, "issue_id", None) or 0)


@pytest.mark.parametrize("is_digest", [False, True], ids=["letters", "digests"])
@tried(30, quickly=5)
@given(stand=readers)
@example(stand=[(letter, False) for letter in LETTERS])
def test_exactly_those_who_got_it_are_sent_a_correction_once(
    database: Database, is_digest: bool, stand: list[tuple[tuple[DeliveryState, bool], bool]]
) -> None:
    """Whatever became of each letter, and whoever has left; asked twice it is the same as once.

    Those whose letters go later get it when it is asked for again; and the next text is another erratum.
    """
    empty(database)
    town = Town(database)
    if is_digest:
        first, brought = plan_digest(town, len(stand))
    else:
        first = brought = plan_issue(town, len(stand))
    for letter, ((state, is_doubted), _) in zip(letters_of(database, brought), stand, strict=True):
        doubted_at = TUESDAY if is_doubted and state is not State.SENT else None
        put(database, [letter], state, doubted_at=doubted_at, sent_at=TUESDAY)
    gone = {f"reader{place}" for place, (_, has_left) in enumerate(stand) if has_left}
    with database.write() as session:  # receipts as a sender would have left them
        unsent = select(Delivery.subscriber_id).where(
            col(Delivery.state).in_(["bounced", "expired", "cancelled", "suppressed"]),
            col(Delivery.doubted_at).is_(None),
        )
        session.execute(delete(Receipt).where(col(Receipt.subscriber_id).in_(unsent)))
    for name in gone:
        town.leave(name)
    change(town, "Put right.")
    names = {f"reader{place}": letter for place, (letter, _) in enumerate(stand)}
    got = {name for name, (_, has_it) in names.items() if has_it} - gone
    coming = {name for name, (state, has_it) in names.items() if state in WAITING and not has_it} - gone
    if not got:
        with pytest.raises(QueueError, match="nobody"):
            ask(town, first)
        return
    with database.read() as session:
        foreseen = foresee(session, first)
    made = ask(town, first)
    assert (foreseen.readers, foreseen.coming) == (made.readers, made.coming) == (len(got), len(coming))
    assert readers_of(town, made.issue_id) == sorted(got)
    assert ask(town, first).readers == 0
    assert readers_of(town, made.issue_id) == sorted(got)
    with database.read() as session:
        assert audit(session) == []

    later = [number for number, (letter, left) in zip(letters_of(database, brought), stand, strict=True)
             if letter[0] in WAITING and not letter[1] and not left]  # fmt: skip
    put(database, later, State.SENT, sent_at=TUESDAY)
    again = ask(town, first)
    assert (again.issue_id, again.readers, again.coming) == (made.issue_id, len(coming), 0)
    assert readers_of(town, made.issue_id) == sorted(got | coming)

    change(town, "Put right again.")
    second = ask(town, first)
    assert second.issue_id != made.issue_id
    assert second.going == (made.issue_id,)
    assert readers_of(town, second.issue_id) == sorted(got | coming)


def send_all(town: Town) -> None:
    with town.database.read() as session:
        letters = session.exec(select(Delivery.id)).all()
    put(town.database, letters, State.SENT, sent_at=TUESDAY)


def sent_issue(town: Town, readers: int = 2) -> int:
    """An issue all of whose letters were sent."""
    issue_id = plan_issue(town, readers)
    put(town.database, letters_of(town.database, issue_id), State.SENT, sent_at=TUESDAY)
    with town.database.write() as session:
        finish(session.connection(), TUESDAY)
    return issue_id


def test_an_erratum_is_an_issue_and_a_post_of_its_own(town: Town) -> None:
    """It says what it corrects, in the category's own time, and carries the changed file's bytes."""
    town.category("advice", timezone="Asia/Tokyo")
    town.queue("post-advice")
    town.subscribe("ann", "bo")
    town.plan(TUESDAY)
    put(town.database, letters_of(town.database, 1), State.SENT, sent_at=TUESDAY)
    change(town, "Put right.")
    ask(town, note="A wrong date.", canary_every=100)
    assert issues(town)[1] == (2, "erratum", 1, "2026-01-06T21:00")
    with town.database.read() as session:
        issue = session.get_one(Issue, 2)
        assert (issue.state, issue.due_at, issue.expires_at, issue.note, issue.canary_every) == (
            "planned", NOON, NOON + EXPIRY, "A wrong date.", 2,
        )  # fmt: skip
        post, erratum = session.exec(select(Post).order_by(col(Post.id)))
        assert (erratum.slug, erratum.corrects) == ("post-advice-erratum-1", post.id)
        assert erratum.source == post.source
        assert {one.letter_key for one in session.exec(select(Receipt).where(Receipt.post_id == erratum.id))}
        assert outdated(session, "post-advice") == []


def test_what_did_not_change_is_not_corrected(town: Town) -> None:
    """It says what to do, whatever else of the file changed that no letter shows."""
    sent_issue(town)
    with pytest.raises(QueueError, match=r"have post-advice as it is stored: change posts/post-advice\.md"):
        ask(town)
    town.add(source("post-advice", "advice", extra="layout: post\n"), only="advice")
    with pytest.raises(QueueError, match="as it is stored"):
        ask(town)
    assert len(issues(town)) == 1


def test_a_text_that_comes_back_is_a_correction_too(town: Town) -> None:
    """Who was sent a correction and now is to have the first text again gets another one."""
    first = sent_issue(town, 3)
    town.leave("reader2")
    change(town, "Put right.")
    made = ask(town, first)
    put(town.database, letters_of(town.database, made.issue_id or 0), State.SENT, sent_at=NOON)
    town.subscribe("reader2")
    change(town, "Some words.")
    with town.database.read() as session:
        assert outdated(session, "post-advice") == [Outdated(first, 2)]
    back = ask(town, first)
    assert readers_of(town, back.issue_id) == ["reader0", "reader1"]
    with pytest.raises(QueueError, match="keeps what it says"):
        ask(town, first, note="Another word.")


def test_errata_of_one_minute_follow_each_other(town: Town) -> None:
    """The wall clock's minute is moved on while another erratum of the category has it."""
    sent_issue(town)
    for words in ("one", "two", "three"):
        change(town, words)
        ask(town)
    assert [slot for *_, slot in issues(town)[1:]] == [f"2026-01-06T12:0{place}" for place in range(3)]


def test_a_cancelled_erratum_can_be_asked_for_anew(town: Town) -> None:
    """Who has it keeps it; the others get it by another issue, which has the same post."""
    sent_issue(town, 2)
    change(town, "Put right.")
    made = ask(town).issue_id
    assert made is not None
    put(town.database, letters_of(town.database, made)[:1], State.SENT, sent_at=NOON)
    with town.database.write() as session:
        cancel(session, made, "by hand")
    with town.database.write() as session:
        clear(session.connection())
    again = ask(town)
    assert again.issue_id not in (None, made)
    assert readers_of(town, again.issue_id) == ["reader1"]
    with town.database.read() as session:
        assert len(session.exec(select(Post).where(col(Post.corrects).is_not(None))).all()) == 1


def test_in_a_sequence_everybody_with_the_earlier_text_is_meant(town: Town) -> None:
    """Whichever of the issues is named, and not those who got the post with the text it has now."""
    town.category("course", mode=Mode.SEQUENCE)
    town.queue("one", "two", category="course")
    town.subscribe("ann", category="course")
    town.plan(TUESDAY)  # ann: one
    town.subscribe("bo", category="course")
    town.plan(TUESDAY + WEEK)  # ann: two, bo: one
    change(town, "Put right.", "one", "course")
    town.subscribe("cleo", category="course")
    town.plan(TUESDAY + 2 * WEEK)  # bo: two, cleo: one as it is now
    send_all(town)
    with town.database.read() as session:
        assert outdated(session, "one") == [Outdated(3, 2)]
    shown: list[Any] = []
    make, town.make_edition = town.make_edition, lambda *made: (shown.append(made), make(*made))[1]
    late = TUESDAY + 2 * WEEK + timedelta(hours=1)
    with pytest.raises(QueueError, match="no post of issue 3 changed since: name one with --post: one, two"):
        ask(town, 3, at=late)
    with pytest.raises(NotFoundError, match="issue 1 has no post 'two'; it has: one"):
        ask(town, 1, slug="two", at=late)
    made = ask(town, 2, at=late)  # the only one of its posts that changed
    assert readers_of(town, made.issue_id) == ["ann", "bo"]
    assert ask(town, 1, at=late).readers == 0
    assert shown[0][0].erratum.of is None  # they had it on different days
    town.plan(TUESDAY + 3 * WEEK)
    assert [kind for _, kind, _, _ in issues(town)] == ["slot", "slot", "slot", "erratum", "slot"]


def test_a_reader_of_two_categories_is_corrected_by_the_one_that_brought_it(town: Town) -> None:
    """Each category corrects its own letters, with one post: nobody gets the correction twice."""
    town.category("advice")
    town.category("letters")
    town.add(source("both", "advice", "letters"))
    town.subscribe("ann", "bo", category="advice")
    town.subscribe("bo", "cleo", category="letters")
    town.plan(TUESDAY)
    send_all(town)
    town.add(source("both", "advice", "letters", words="Put right."))
    with town.database.read() as session:
        assert outdated(session, "both") == [Outdated(1, 2), Outdated(2, 1)]
    assert readers_of(town, ask(town, 1).issue_id) == ["ann", "bo"]
    assert readers_of(town, ask(town, 2).issue_id) == ["cleo"]
    with town.database.read() as session:
        slugs = session.exec(select(Post.slug).where(col(Post.corrects).is_not(None))).all()
    assert slugs == ["both-erratum-1"]


def test_who_had_it_by_a_digest_is_meant_too(town: Town) -> None:
    """With the text that the digest had: one that is made of the new text needs no correction."""
    town.category("advice")
    town.category("news", cadence="weekly tue 10:00")
    town.queue("a", category="advice")
    town.queue("n", category="news")
    town.subscribe("ann", "bo", "cy", category="advice")
    town.subscribe("ann", "cy", category="news")
    town.wish("ann", "daily")
    town.wish("cy", "monthly")
    town.plan(TUESDAY)
    town.plan(TUESDAY + 2 * timedelta(hours=1))
    with town.database.read() as session:
        assert session.exec(select(Issue.kind).order_by(col(Issue.id))).all() == ["slot", "slot", "digest"]
    send_all(town)
    change(town, "Other words.", "a")
    with town.database.read() as session:
        assert outdated(session, "a") == [Outdated(1, 2)]
    corrected = ask(town)
    assert readers_of(town, corrected.issue_id) == ["ann", "bo"]
    town.plan(TUESDAY + 3 * WEEK)
    town.plan(TUESDAY + 3 * WEEK + timedelta(hours=2))
    send_all(town)
    assert [row.post for row in town.letters() if row.reader == "cy"] == ["a", "n"]
    assert ask(town, at=NOON + 4 * WEEK).readers == 0
    with pytest.raises(QueueError, match="issue 3 is a digest: name the issue of the post's own category"):
        ask(town, 3)


def test_digests_with_the_text_it_has_now_are_not_corrected(town: Town) -> None:
    """Ann had the earlier text in Tuesday's digest; Thursday's, Cy's, was made after it was put right.

    Dee's had the earlier text and was sent later: she gets the correction when it is asked for again.
    """
    town.category("advice")
    town.category("news", cadence="weekly tue 18:00")
    town.category("late", cadence="weekly thu 18:00")
    for slug in ("advice", "news", "late"):
        town.queue(f"post-{slug}", category=slug)
        town.subscribe("ann", "bo", "cy", "dee", category=slug)
    for name, frequency in (("ann", "daily"), ("cy", "weekly"), ("dee", "daily")):
        town.wish(name, frequency)
    town.plan(TUESDAY)
    evening, thursday = TUESDAY + timedelta(hours=10), TUESDAY + timedelta(days=2, hours=10)
    town.plan(evening)
    send_all(town)
    with town.database.read() as session:
        dees = select(Delivery.id).join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        waits = session.exec(
            dees.where(Subscriber.address == "dee@example.org", Delivery.category == DIGEST)
        ).all()
    put(town.database, waits, State.QUEUED, sent_at=None)
    change(town, "Put right.")
    shown: list[Any] = []
    make, town.make_edition = town.make_edition, lambda *made: (shown.append(made), make(*made))[1]
    town.plan(thursday)
    cys = [edition[0] for edition in shown if edition[0].category == DIGEST]
    assert [occasion.sections for occasion in cys] == [("advice", "late", "news")]
    with town.database.read() as session:
        assert outdated(session, "post-advice") == [Outdated(1, 2)]
    later = thursday + timedelta(hours=1)
    made = ask(town, 1, at=later)
    assert (made.readers, made.coming) == (2, 1)
    assert readers_of(town, made.issue_id) == ["ann", "bo"]
    assert shown[-1][0].erratum.of is None  # they had it on different days
    put(town.database, waits, State.SENT, sent_at=later)
    assert ask(town, 1, at=later).readers == 1
    assert readers_of(town, made.issue_id) == ["ann", "bo", "dee"]
    with town.database.read() as session:
        assert audit(session) == []
    send_all(town)
    change(town, "Put right again.")  # of which Cy has had an earlier text, too
    assert readers_of(town, ask(town, 1, at=later).issue_id) == ["ann", "bo", "cy", "dee"]


def test_a_post_of_a_digest_is_corrected_by_the_category_it_came_by(town: Town) -> None:
    """Ann has it by advice and Bo by news, from which Ann's digest has another post."""
    for slug, cadence in (("advice", "tue 08:00"), ("news", "tue 09:00"), ("late", "tue 18:00")):
        town.category(slug, cadence=f"weekly {cadence}", posts=2)
    town.usual = Wish(Frequency.DAILY)
    town.add(source("both", "advice", "news"))
    town.queue("post-news", category="news")
    town.queue("post-late", category="late")
    town.subscribe("ann", category="advice")
    town.subscribe("ann", "bo", category="news")
    town.subscribe("ann", "bo", category="late")
    for hours in (0, 1, 10):
        town.plan(TUESDAY + timedelta(hours=hours))
    assert {(row.category, row.reader, row.post) for row in town.letters()} == {
        (DIGEST, reader, post) for reader in ("ann", "bo") for post in ("both", "post-news", "post-late")
    }
    send_all(town)
    town.add(source("both", "advice", "news", words="Put right."))
    with town.database.read() as session:
        assert outdated(session, "both") == [Outdated(1, 1), Outdated(2, 1)]
    evening = TUESDAY + timedelta(hours=12)
    assert readers_of(town, ask(town, 2, slug="both", at=evening).issue_id) == ["bo"]
    assert readers_of(town, ask(town, 1, at=evening).issue_id) == ["ann"]
    assert [ask(town, number, slug="both", at=evening).readers for number in (1, 2)] == [0, 0]


def test_no_slot_notices_an_erratum(town: Town) -> None:
    """Not even one in the slot's own minute, or after it: plans, changes, `Last time` stay as they were."""
    sent_issue(town)
    town.queue("next-post", "last-post")
    change(town, "Put right.")
    ask(town, at=TUESDAY + WEEK)  # in the minute of the slot that was not decided yet
    planned = town.plan(TUESDAY + WEEK)
    assert [getattr(one, "readers", None) for one in planned] == [2]
    change(town, "Put right again.")
    later = TUESDAY + WEEK + timedelta(days=8)  # a slot was missed since: the period of the last one is over
    ask(town, at=later)
    with town.database.write() as session:
        category = find_category(session, "advice")
        edit_category(session, category, cadence="weekly thu 09:00", now=later)
        assert category.slots_from == later
        previous = before_post(session, category, [])
        assert previous is not None
        assert previous.slug == "next-post"
        listed = [entry.slug for entry in entries_of(session, category, limit=9)]
        assert listed == ["post-advice-erratum-2", "next-post", "post-advice-erratum-1", "post-advice"]


def test_two_at_once_make_one(town: Town) -> None:
    """Both are told of one erratum, and no reader is owed it twice."""
    sent_issue(town, 5)
    change(town, "Put right.")
    made: list[Correction] = []

    def run(own: Database) -> None:
        made.append(ask(Town(own)))
        own.close()

    threads = [Thread(target=run, args=(another(town.database),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.readers for one in made) == [0, 5]
    assert {one.issue_id for one in made} == {2}
    assert len(letters_of(town.database, 2)) == 5


def a_post_of_two_categories(town: Town) -> None:
    town.category("advice")
    town.category("letters")
    town.add(source("both", "advice", "letters"))
    town.subscribe("ann", category="advice")
    town.subscribe("bo", category="letters")
    town.plan(TUESDAY)
    town.add(source("both", "advice", "letters", words="Put right."))


def two_posts_of_a_category(town: Town) -> None:
    town.category("advice")
    town.queue("one", "two")
    town.subscribe("ann")
    town.plan(TUESDAY)
    town.plan(TUESDAY + WEEK)
    for slug in ("one", "two"):
        change(town, "Put right.", slug)


@pytest.mark.parametrize("build", [a_post_of_two_categories, two_posts_of_a_category])
def test_errata_that_touch_wait_for_each_other(town: Town, build: Callable[[Town], None]) -> None:
    """Those of one post share its text, and those of a category have each its minute, also when they meet."""
    build(town)
    send_all(town)
    second, made = Town(another(town.database)), list[Correction]()
    thread = Thread(target=lambda: made.append(ask(second, 2)))

    def and_meanwhile(*arguments: Any) -> Edition:
        if not second.database.is_sqlite:  # which has one writer at a time
            with second.database.read() as session:
                for held, row in ((Category, 1), (Post, 1)):
                    free = select(held.id).with_for_update(key_share=True, skip_locked=True)
                    assert row not in session.exec(free).all()
        thread.start()
        return plain_edition(*arguments)

    town.make_edition = and_meanwhile
    first = ask(town, 1)
    thread.join()
    second.database.close()
    assert [first.readers, *(one.readers for one in made)] == [1, 1]
    with town.database.read() as session:
        assert audit(session) == []


def test_a_correction_that_bounced_is_not_sent_by_asking_again(town: Town) -> None:
    """Its reader's mailbox refused it: `issue retry-failed` is for that."""
    sent_issue(town)
    change(town, "Put right.")
    made = ask(town).issue_id
    assert made is not None
    bounce(town.database, letters_of(town.database, made)[0])
    assert ask(town) == Correction(made, "advice", "post-advice", 0, 0)


def test_what_cannot_be_corrected_says_why(town: Town) -> None:
    """An issue that is not there, that brought nothing, is a correction itself, or whose category ended."""
    sent_issue(town)
    change(town, "Put right.")
    made = ask(town).issue_id
    assert made is not None
    with pytest.raises(NotFoundError, match="there is no issue 77"):
        ask(town, 77)
    with pytest.raises(QueueError, match="issue 2 is a correction itself: `paperround issue erratum 1`"):
        ask(town, made)
    town.plan(TUESDAY + WEEK)
    with pytest.raises(QueueError, match="brought no post"):
        ask(town, 3)
    with town.database.write() as session:
        session.get_one(Category, 1).ended_at = NOON
    with pytest.raises(QueueError, match="was removed"):
        ask(town)


def test_a_file_cannot_take_the_name_of_an_erratum(town: Town) -> None:
    """Its text is what was sent, for good, even where the file it was read from is gone."""
    sent_issue(town)
    change(town, "Put right.")
    ask(town)
    with pytest.raises(QueueError, match="another `slug:`"):
        town.queue("post-advice-erratum-1")
    long = "x" * 200
    town.queue(long)
    town.plan(TUESDAY + WEEK)
    put(town.database, letters_of(town.database, 3), State.SENT, sent_at=TUESDAY + WEEK)
    change(town, "Put right.", long)
    ask(town, 3)
    with town.database.read() as session:
        slugs = session.exec(select(Post.slug).where(Post.slug != long)).all()
    assert "x" * 190 + "-erratum-1" in slugs


def corrected_edition(session: Session) -> Edition:
    return session.exec(select(Edition).order_by(col(Edition.id).desc())).first() or Edition()


def test_the_letter_says_that_it_is_a_correction(advice: App, cli: Cli) -> None:
    """The whole way: a post goes out, is changed, and its readers get it again with a word on top."""
    folder = advice.settings.folder
    (folder / "posts").mkdir(exist_ok=True)
    path = folder / "posts/2026-01-01-rain.md"
    path.write_text("# Rain\n\nIt falls up.\n")

    def run(*arguments: object) -> Done:
        return cli("--site", folder, *arguments)

    for arguments in (
        ("queue", "add", path, "--category", "advice"),
        ("subscriber", "add", "ann@example.org", "--category", "advice", "--confirmed"),
        ("tick", "--at", "2026-01-06T08:00:00Z"),
    ):
        assert run(*arguments).returncode == 0
    path.write_text("# Rain\n\nIt falls down.\n")
    said = run("queue", "add", path, "--category", "advice").stderr
    assert "1 reader has the earlier text: `paperround issue erratum 1` sends them a correction.\n" in said
    dry = run("issue", "erratum", 1, "--dry-run")
    assert dry.stderr == "1 reader would get the correction of rain. Nothing was changed.\n"
    note = "A <b>wrong</b> word;\nsorry."
    made = run("issue", "erratum", 1, "--note", note)
    assert made.stderr == "1 reader gets the correction of rain with the next `tick` or `run`: issue 2.\n"
    assert "rain-erratum-1 (corrects issue 1)" in run("issue", "list").stdout
    assert run("tick").returncode == 0
    assert run("issue", "erratum", 1).stderr == (
        "Everybody who got the earlier text of rain is sent the correction: issue 2.\n"
    )
    with advice.database.read() as session:
        edition = corrected_edition(session)
        assert session.get_one(Issue, 2).state == IssueState.PLANNED
        assert session.exec(select(Delivery.state).where(Delivery.issue_id == 2)).all() == [State.SENT]
        shown = find_shown(session, 2, "rain-erratum-1")
        assert shown is not None
        assert shown.erratum is not None
        assert shown.sources[0][0] == "rain-erratum-1"
        assert audit(session) == []
    assert edition.subject == "Correction: Rain"
    assert "You had this letter on Tuesday, 6 January 2026. This is the corrected text." in edition.text
    assert "A <b>wrong</b> word; sorry." in edition.text
    assert "A &lt;b&gt;wrong&lt;/b&gt; word; sorry." in edition.html
    assert "<b>wrong" not in edition.html
    assert "/issues/2/rain-erratum-1" in edition.html
