"""One person's data: all of it in their dossier, and nothing of it left after they were erased."""

import json

import pytest
from sqlmodel import Session, SQLModel

from newsletter.cli.output import plain
from newsletter.errors import NotFoundError
from newsletter.privacy.dossier import dossier
from subscribers.address import parse_address
from subscribers.consent import verify
from subscribers.models import RequestKind, Subscriber, SuppressionReason
from subscribers.requests import Asked, Door
from subscribers.subscriptions import find_subscriber
from tests.conftest import subscribe
from tests.feedback.conftest import Correspondence, post
from tests.orders import erase, suppress
from tests.web.conftest import Issue, issue

__all__ = ["issue", "post"]

ANN, BO, NEWS = "ann@example.org", "bo@example.org", "news@example.org"


def reader(session: Session, address: str = ANN) -> Subscriber:
    found = find_subscriber(session, parse_address(address))
    assert found
    return found


def everything(session: Session) -> str:
    """Every text and every octet of the database."""
    found = []
    for table in SQLModel.metadata.sorted_tables:
        for row in session.connection().execute(table.select()):
            found += [repr(value) for value in row if isinstance(value, str | bytes)]
    return "\n".join(found)


def test_an_erased_reader_is_nowhere(issue: Issue) -> None:
    """Not in a row, a reply, a letter or a consent record; who is left in the ledger has no name."""
    site = issue.site
    issue.send()
    with site.database.write() as session:
        assert "bo@" in everything(session)
        reader(session, BO).name = "Bo Erasable"
        suppress(site, session, "x@y.org", SuppressionReason.ASKED)
    erase(site, BO)
    with site.database.read() as session:
        left = everything(session)
        assert "bo@" not in left.casefold()
        assert "Erasable" not in left
        assert find_subscriber(session, parse_address(BO)) is None
        order = site.suppressions.find(session, parse_address("BO@EXAMPLE.ORG"))
        assert order is not None
        assert order.reason == SuppressionReason.ERASED
        assert verify(session).flaws == ()


def test_who_is_erased_gets_nothing_more(issue: Issue) -> None:
    """Letters that waited are stopped in the same transaction."""
    site = issue.site
    erase(site, ANN)
    assert issue.send() == ["bo@example.org"]


def test_mail_and_answers_are_erased_too(post: Correspondence) -> None:
    """What they wrote to us, what was answered, what the editor got of it; a later request gets no letter."""
    subscribe(post.site, ANN)
    post.write(NEWS, "Dear editor, I am Ann Erasable of 5 Main Street.", sender=f"Ann Erasable <{ANN}>")
    post.write(NEWS, "pause", sender=f"Ann Erasable <{ANN}>")
    post.write(NEWS, "help", sender=f"Ann Erasable <{ANN}>")
    erase(post.site, ANN)
    post.new_mail()
    with post.site.database.read() as session:
        left = everything(session)
    assert ANN not in left
    assert "Erasable" not in left
    post.write("news+join.advice@example.org")
    assert post.new_mail() == []


def test_what_they_wrote_from_an_address_before_is_theirs(post: Correspondence) -> None:
    """It is in their dossier and erased with them; also from a domain beyond ASCII."""
    old, new = "ann@bücher.example", "ann@new.example"
    subscribe(post.site, old)
    for text in ("Dear editor, I am Ann Erasable of 5 Main Street.", "help", "pause"):
        mail = f"From: {old}\r\nTo: {NEWS}\r\nMessage-ID: <{len(text)}@x>\r\n\r\n{text}\r\n"
        post.receive(mail.encode(), NEWS, old)
    post.run()
    with post.site.database.write() as session:
        asked = Asked(
            kind=RequestKind.ADDRESS,
            address=parse_address(new),
            door=Door.PAGE,
            place="the preferences page",
            wording="",
            language="en",
            subscriber_id=reader(session, old).id,
        )
        request = post.site.doors.ask(session, asked).id
    with post.site.database.write() as session:
        post.site.doors.confirm(session, request, by=Door.PAGE, evidence="the button")
    post.run()
    with post.site.database.read() as session:
        held = dossier(session, reader(session, new), post.site.suppressions)
    assert len(held["messages_from_you"]) == 3
    assert len(held["answers_to_you"]) >= 2
    erase(post.site, new)
    with post.site.database.read() as session:
        left = everything(session)
    assert all(word not in left for word in ("Erasable", "bücher", "xn--bcher-kva", "new.example"))


def test_erasing_twice_is_harmless(issue: Issue) -> None:
    """Whoever had the address is nobody then, the row that is left is no reader, and all is as it was."""
    site = issue.site
    number = erase(site, ANN).subscriber_id
    assert number is not None
    assert erase(site, ANN) == (None, 0)
    with pytest.raises(NotFoundError):
        erase(site, number)
    with site.database.read() as session:
        assert verify(session).flaws == ()
        assert session.get_one(Subscriber, number).address == f"erased-{number}@erased.invalid"


def test_a_dossier_has_all_and_nothing_of_others(post: Correspondence) -> None:
    """Person, subscriptions, consent with its words, mail and answers, as JSON; no token, nobody else."""
    subscribe(post.site, ANN, "bo@example.org")
    post.write("news+join.advice@example.org", sender="bo@example.org")
    post.write(NEWS, "help")
    post.write(NEWS, "stop everything")
    asked = post.new_mail()[-1]
    post.write(str(asked["Reply-To"].addresses[0].addr_spec))
    with post.site.database.read() as session:
        held = dossier(session, reader(session), post.site.suppressions)
    told = json.loads(json.dumps(held, default=plain))
    assert told["person"]["address"] == ANN
    assert [one["state"] for one in told["subscriptions"]] == ["left"]
    assert [one["action"] for one in told["consents"]] == ["granted", "withdrawn"]
    version = told["consents"][1]["details"]["confirmation"]["wording"]
    assert "no more letters" in told["wordings"][version]
    assert [one["verb"] for one in told["messages_from_you"]] == ["help", "stop", "confirm"]
    assert [one["kind"] for one in told["answers_to_you"]] == ["answer", "confirmation", "answer"]
    text = json.dumps(told)
    assert "bo@example.org" not in text
    assert "/confirm/" not in text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_letters_are_in_the_dossier_with_their_attempts(issue: Issue) -> None:
    """What was sent, when, and what the relay said."""
    issue.send()
    with issue.site.database.read() as session:
        told = dossier(session, reader(session), issue.site.suppressions)
    (letter,) = told["letters"]
    assert (letter["subject"], letter["state"]) == ("A title", "sent")
    assert letter["attempts"][0]["code"] == 250
