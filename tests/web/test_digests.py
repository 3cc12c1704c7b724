"""Digests as their readers meet them: the letter, its page, and the way out of it, over real HTTP."""

import re
from collections.abc import Iterator
from email.message import EmailMessage

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col, select

from newsletter.app import App
from newsletter.delivery.copies import unsubscribe_url
from newsletter.feedback.complained import record_complaint
from newsletter.models import Category, Delivery
from newsletter.schedule.categories import add_category, edit_category
from newsletter.states import DIGEST, Mode
from newsletter.web.server import PageServer
from subscribers.address import parse_address
from subscribers.models import Consent, ConsentAction, Frequency, Subscriber
from subscribers.subscriptions import Permission, all_subscribers, find_subscriber, leave
from tests.conftest import Clock, subscribe, write_post
from tests.web.conftest import TUESDAY, on_sqlite
from tests.web.test_archive import letter_of, queue

ANN, BO = "ann@example.org", "bo@example.org"
TITLES = {"advice": "Good advice", "books": 'B<o>oks & "more"', "עצות": "עצות"}
pytestmark = on_sqlite


@pytest.fixture
def day(site: App, clock: Clock) -> App:
    """Three categories whose slots fall due together: all are Ann's, and Bo has two of them."""
    with site.database.write() as session:
        for priority, (slug, title) in enumerate(TITLES.items(), start=1):
            name = slug if slug.isascii() else "hebrew"
            made = add_category(
                session, name, title=title, cadence="weekly tue 08:00", timezone="UTC", mode=Mode.BROADCAST,
                now=site.clock(),
            )  # fmt: skip
            edit_category(session, made, priority=priority, posts_per_issue=2, now=site.clock())
    for slug in ("advice", "books", "hebrew"):
        words = "אפשר לומר לא בנימוס, ואפשר גם לחכות יום אחד." if slug == "hebrew" else "Some words."
        for number in (1, 2):
            post = write_post(
                site.settings.folder / "posts", f"{slug}-{number}", title=f"Of {slug} {number}", text=words
            )
            queue(site, post, category=slug)
        subscribe(site, *([ANN, BO] if slug != "books" else [ANN]), category=slug)
    with site.database.write() as session:
        session.execute(update(Subscriber).values(frequency=Frequency.DAILY))
    clock.now = TUESDAY
    site.plan_due()
    return site


@pytest.fixture
def web(day: App) -> Iterator[httpx.Client]:
    """A browser."""
    with PageServer(day) as server, httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        yield client


def body(letter: EmailMessage, kind: str) -> str:
    part = letter.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def path_in(letter: EmailMessage, start: str) -> str:
    found = re.search(rf"https://news\.example\.org(/{start}/\S+)", body(letter, "plain"))
    assert found is not None
    return found[1]


def states(site: App) -> dict[str, dict[str, str]]:
    with site.database.read() as session:
        return {subscriber.address: held for subscriber, held in all_subscribers(session)}


def test_a_digest_says_what_it_is(day: App) -> None:
    """Its List-Id is the digest's, it has no archive, and its contents stand by categories."""
    letter = letter_of(day, ANN)
    assert letter["List-Id"] == f'"{day.settings.site.name}: Digest" <digest.{day.settings.list_domain}>'
    assert letter["List-Archive"] is None
    assert re.fullmatch(r"issue\d+:digest:newsletter:pr[0-9a-f]{10}", letter["Feedback-ID"])
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert letter["Archived-At"] == f"<https://news.example.org{path_in(letter, 'issues')}>"
    assert letter["Subject"] == "Of advice 1 and 5 more"
    text = body(letter, "plain")
    contents = text[text.index("In this letter:") :].splitlines()[:12]
    assert contents == [
        "In this letter:",
        "", "Good advice", "1. Of advice 1", "2. Of advice 2",
        "", 'B<o>oks & "more"', "3. Of books 1", "4. Of books 2",
        "", "עצות", "5. Of hebrew 1",
    ]  # fmt: skip
    assert 'subscribed to Good advice, B<o>oks & "more" and עצות at' in " ".join(text.split())
    html = body(letter, "html")
    for title in ("Good advice", "B&lt;o&gt;oks &amp; &#34;more&#34;", "עצות"):
        assert html.count(f"<bdi>{title}</bdi>") == 3  # in the contents, above its posts, and at the end
    assert "All letters" not in html
    assert "<o>" not in html


def test_each_digest_has_its_page(web: httpx.Client, day: App) -> None:
    """Of two that begin with the same post each leads to its own, which no archive has."""
    ann, bo = (path_in(letter_of(day, reader), "issues") for reader in (ANN, BO))
    assert ann != bo
    assert ann.rpartition("~")[0] == bo.rpartition("~")[0]
    of_ann, of_bo = web.get(ann).text, web.get(bo).text
    assert "Of books 1" in of_ann
    assert "Of books 1" not in of_bo
    for page in (of_ann, of_bo):
        assert "Of hebrew 2" in page
        assert (
            page.count('<bdi lang="en">Good advice</bdi>') == 2
        )  # in the site's language, whatever the post's
        assert "atom+xml" not in page
        assert "Other letters" not in page
    for elsewhere in (ann.rpartition("~")[0], f"{ann[:-1]}x", "/archive/digest", "/archive/digest/feed.xml"):
        assert web.get(elsewhere).status_code == 404
    assert "igest" not in web.get("/").text
    archived = re.findall(r'href="https://news.example.org(/issues/[^"]*)"', web.get("/archive/advice").text)
    assert [path.rpartition("/")[2] for path in archived] == ["advice-1"]
    assert web.get(archived[0]).status_code == 200


def test_one_click_leaves_the_categories_in_it(web: httpx.Client, day: App) -> None:
    """All of them and none else, each with its evidence; the page names them."""
    with day.database.write() as session:
        add_category(
            session, "else", title="Else", cadence="monthly 1 08:00", timezone="UTC", mode=Mode.BROADCAST,
            now=day.clock(),
        )  # fmt: skip
    subscribe(day, BO, category="else")
    way_out = path_in(letter_of(day, BO), "u")
    page = web.get(way_out).text
    assert "Unsubscribe from <bdi" in page
    assert "Good advice and עצות" in page
    assert web.post(way_out, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert states(day)[BO] == {"advice": "left", "hebrew": "left", "else": "active"}
    assert set(states(day)[ANN].values()) == {"active"}
    with day.database.read() as session:
        left = select(Consent.category, Consent.source).where(Consent.action == ConsentAction.WITHDRAWN)
        assert sorted(session.exec(left)) == [("advice", "one-click"), ("hebrew", "one-click")]
    assert "You have left" in web.get(way_out).text


def test_a_digests_way_out_leads_on_while_something_is_left(web: httpx.Client, day: App) -> None:
    """Who has left one of its categories can still leave the others by it; a removed one has its old name."""
    way_out = path_in(letter_of(day, ANN), "u")
    with day.database.write() as session:
        session.exec(select(Category).where(col(Category.slug) == "books")).one().ended_at = TUESDAY
    assert "Unsubscribe from" in web.get(way_out).text
    assert "B&lt;o&gt;oks" in web.get(way_out).text
    web.post(way_out, data={"via": "page"})
    assert set(states(day)[ANN].values()) == {"left"}


def test_the_preferences_of_a_digest_are_those_of_its_reader(web: httpx.Client, day: App) -> None:
    """Every category can be left by itself."""
    page = web.get(path_in(letter_of(day, ANN), "preferences")).text
    assert page.count('name="keep"') == 3


def test_a_digest_that_is_made_anew_is_the_same(day: App) -> None:
    """What was in it before a reader left and came back is shown as it was: one edition, two letters."""
    with day.database.write() as session:
        ann = find_subscriber(session, parse_address(ANN))
        assert ann is not None
        leave(session, ann.id, ["books"], Permission("page"), day.letters, now=day.clock())
    day.plan_due()
    with day.database.read() as session:
        found = session.exec(
            select(Subscriber.address, Delivery.state, Delivery.edition_id)
            .join(Delivery, col(Delivery.subscriber_id) == col(Subscriber.id))
            .order_by(col(Delivery.id))
        )
        letters = [tuple(row) for row in found]
    [(_, _, of_bo)] = [row for row in letters if row[0] == BO]
    [before, after] = [row for row in letters if row[0] == ANN]
    assert (before[1], after[1]) == ("cancelled", "queued")
    assert after[2] == of_bo  # the two categories that both have now
    assert before[2] != of_bo


@pytest.fixture
def pages(day: App, clock: Clock) -> list[str]:
    """The pages of the digests of two weeks."""
    first = [path_in(letter_of(day, reader), "issues") for reader in (ANN, BO)]
    for slug in ("advice", "books", "hebrew"):
        queue(day, write_post(day.settings.folder / "posts", f"{slug}-3"), category=slug)
    clock.advance(weeks=1)
    day.plan_due()
    return first + [path_in(letter_of(day, reader), "issues") for reader in (ANN, BO)]


def test_nothing_leads_on_from_a_digest(web: httpx.Client, pages: list[str]) -> None:
    """Its page has no neighbours, neither before it nor after, and is not for search engines."""
    for path in pages:
        page = web.get(path).text
        assert not re.search("/archive/|atom|Newer|Older|All letters", page)
        assert '<meta name="robots" content="noindex, follow">' in page


def test_nothing_leads_to_a_digest(web: httpx.Client, day: App, pages: list[str]) -> None:
    """Not the front page, nor archives, feeds or the neighbours of ordinary issues."""
    paths = ["/"]
    for slug in ("advice", "books", "hebrew"):
        archive = web.get(f"/archive/{slug}").text
        found = re.findall(r'href="https://news\.example\.org(/issues/[^"]+)"', archive)
        assert [path.rpartition("/")[2] for path in found] == [f"{slug}-3", f"{slug}-1"]
        paths += [f"/archive/{slug}", f"/archive/{slug}/feed.xml", *found]
    digests = {path.rpartition("/")[0] for path in pages}
    for path in paths:
        text = web.get(path).text
        assert not any(f"{digest}/" in text for digest in digests)
        assert "/archive/digest" not in text


def test_a_wrong_address_is_no_digest(web: httpx.Client, day: App) -> None:
    """Whatever differs in it; and an ordinary issue's address is what it was, with nothing after it."""
    own = path_in(letter_of(day, ANN), "issues")
    start, _, tag = own.partition("~")
    wrong = [
        *(
            start,
            f"{start}~",
            f"{start}~{tag[:-1]}",
            f"{start}~{tag}0",
            f"{start}~~{tag}",
            f"{start}~{tag}~{tag}",
        ),
        *(f"{start}~00000000", f"{start}~{tag}%00", f"{start}~%FF", f"{own}/", f"/issues/999/advice-1~{tag}"),
        *(own.replace("advice-1", name) for name in ("advice-2", "books-1", "")),
        *(f"/issues/1/advice-1~{tag}", "/issues/1/advice-1~"),
    ]
    assert {path: web.get(path).status_code for path in wrong} == dict.fromkeys(wrong, 404)
    assert web.get("/issues/1/advice-1").status_code == 200
    assert web.get(own.replace("~", "%7E")).text == web.get(own).text


def test_a_page_keeps_the_headings_it_went_out_with(day: App) -> None:
    """A category that is called otherwise since, or was removed, changes neither the page nor its address."""
    path = path_in(letter_of(day, ANN), "issues")

    def page() -> str:
        with PageServer(day) as server:
            return httpx.get(server.url.rstrip("/") + path, trust_env=False).text

    before = page()
    with day.database.write() as session:
        for category in session.exec(select(Category).where(Category.slug != DIGEST)):
            category.title, category.ended_at = "Other", TUESDAY
    assert page() == before


def test_one_click_stops_a_digest_that_waits(web: httpx.Client, day: App) -> None:
    """Before it has gone, too: nothing of it comes, and none is made anew of what was in it."""
    with day.database.read() as session:
        theirs = select(Delivery.id).join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        number = session.exec(theirs.where(Subscriber.address == BO)).one()
    assert web.post(unsubscribe_url("", day.signer, number)).status_code == 200
    assert set(states(day)[BO].values()) == {"left"}
    day.plan_due()
    letter_of(day, ANN)
    assert not (day.settings.sandbox_folder / BO).exists()


def test_a_complaint_leaves_all_that_is_in_a_digest(day: App, clock: Clock) -> None:
    """Whoever reports a letter wants none of what came in it: each is on record by itself, and once."""
    letter_of(day, BO)
    with day.database.write() as session:
        theirs = select(Delivery.id).join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        number = session.exec(theirs.where(Subscriber.address == BO)).one()
        is_news, left = record_complaint(session, number, day.suppressions, now=clock())
        assert (is_news, sorted(left)) == (True, ["advice", "hebrew"])
        assert record_complaint(session, number, day.suppressions, now=clock()) == (False, [])
    assert set(states(day)[BO].values()) == {"left"}
    assert set(states(day)[ANN].values()) == {"active"}
    with day.database.read() as session:
        consents = session.exec(select(Consent).where(Consent.action == ConsentAction.WITHDRAWN)).all()
    assert sorted((one.category, one.source, one.evidence) for one in consents) == [
        (slug, "complaint", f"delivery {number}") for slug in ("advice", "hebrew")
    ]


def said(page: str) -> str:
    """What a page says, its tags left out."""
    return " ".join(re.sub("<[^>]*>", "", page[page.index("<main") :]).split())


def test_what_was_left_before_is_not_asked_about(web: httpx.Client, day: App) -> None:
    """The page asks about what its reader still gets, in one sentence, each title as text by itself."""
    way_out = path_in(letter_of(day, ANN), "u")
    books = "B&lt;o&gt;oks &amp; &#34;more&#34;"
    listed = f"{books}, Good advice and עצות"
    asked = web.get(way_out).text
    assert f"Unsubscribe from {listed}? We will send you no more letters of {listed}, not" in said(asked)
    for title in (books, "Good advice", "עצות"):
        assert asked.count(f'<bdi lang="en">{title}</bdi>') == 2
    with day.database.write() as session:
        ann = find_subscriber(session, parse_address(ANN))
        assert ann is not None
        leave(session, ann.id, ["advice"], Permission("cli"), day.letters, now=day.clock())
    assert f"Unsubscribe from {books} and עצות?" in said(web.get(way_out).text)
    answer = web.post(way_out, data={"via": "page"})
    assert f"You have left {listed}." in said(answer.text)
    with day.database.read() as session:
        left = select(Consent.category, Consent.source).where(Consent.action == ConsentAction.WITHDRAWN)
        assert sorted(session.exec(left)) == [("advice", "cli"), ("books", "page"), ("hebrew", "page")]
    again = web.post(way_out, data={"List-Unsubscribe": "One-Click"})
    assert (again.status_code, again.text) == (200, answer.text)
