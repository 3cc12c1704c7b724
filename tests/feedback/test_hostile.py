"""Any octets at the door: the handler neither breaks nor answers twice, and writes nothing unconfirmed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, func
from sqlmodel import select

from newsletter.app import App
from newsletter.feedback.inbox import messages
from newsletter.models import InboundMessage, Note
from newsletter.states import InboundState
from subscribers.models import Consent, Request, Subscriber, Subscription
from subscribers.tokens import Purpose, TokenSigner
from tests.conftest import subscribe
from tests.feedback.conftest import Correspondence
from tests.properties import tried

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ADDRESSES = st.sampled_from(
    [
        "news@example.org",
        "news+join.advice@example.org",
        "news+join@example.org",
        "news+help@example.org",
        "news+confirm.aaaa@example.org",
        "news+leave.aaaa@example.org",
        "NEWS+JOIN.ADVICE@EXAMPLE.ORG",
        "news+bounce@example.org",
        "else@example.org",
        "",
        "@",
        "news+join.\udcff@example.org",
    ]
)
WORDS = st.sampled_from(
    ["subscribe advice", "help", "list", "stop everything", "pause", "no", "yes", "Hello"]
)
FIELDS = st.sampled_from(
    [
        b"From: ann@example.org",
        b"From: =?utf-8?q?=00=FF?= <ann@example.org>",
        b"From: ann@example.org, bo@example.org",
        b"From: a" + b"x" * 400 + b"@example.org",
        b"Reply-To: mallory@example.org",
        b"Subject: =?koi8-r?b?////?=",
        b"Message-ID: <1@x>\r\nMessage-ID: <2@x>",
        b"Content-Type: multipart/mixed; boundary=a",
        b"Content-Type: text/html; charset=utf-7",
        b"Content-Transfer-Encoding: base64",
        b"Precedence: bulk",
        b"In-Reply-To: <a@b>\r\n <c@d>",
        b"References: " + b"<a@b> " * 300,
        b"Date: yesterday",
    ]
)
MAIL = st.binary(max_size=300) | st.builds(
    lambda fields, subject, body, tail: (
        b"\r\n".join([*fields, b"Subject: " + subject.encode()]) + b"\r\n\r\n" + body.encode() + tail
    ),
    st.lists(FIELDS, max_size=5),
    WORDS | st.text(max_size=40).map(lambda text: "".join(filter(str.isprintable, text))),
    WORDS | st.text(st.characters(codec="utf-8"), max_size=80),
    st.binary(max_size=60),
)


def counts(site: App) -> dict[str, Any]:
    """How many rows there are of what only a confirmation may change."""
    with site.database.read() as session:
        tables = (Subscriber, Subscription, Consent)
        return {table.__name__: session.scalar(select(func.count()).select_from(table)) for table in tables}


INCOMING = st.tuples(MAIL, ADDRESSES, st.sampled_from([None, "", "ann@example.org"]))


@tried(400, quickly=25)
@given(st.lists(INCOMING, min_size=1, max_size=4))
def test_nothing_that_comes_in_changes_anything(
    post: Correspondence, incoming: list[tuple[bytes, str, str | None]]
) -> None:
    """Whatever is sent: each mail is handled once, answered once at most, and nobody is subscribed."""
    site = post.site
    subscribe(site, "ann@example.org")
    before = counts(site)
    for content, recipient, return_path in incoming:
        post.receive(content, recipient or None, return_path)
        post.receive(content, recipient or None, return_path)
    site.handle_inbound()
    assert site.handle_inbound() == []
    assert counts(site) == before
    with site.database.read() as session:
        kept = list(messages(session))
        assert {one.state for one in kept} <= set(InboundState) - {InboundState.NEW}
        assert not [one.outcome for one in kept if (one.outcome or "").startswith("it could not be handled")]
        requests = session.scalar(select(func.count()).select_from(Request)) or 0
        notes = session.scalar(select(func.count()).select_from(Note)) or 0
        assert notes <= len(kept)
        assert requests <= len(kept)
    with site.database.write() as session:
        for table in (InboundMessage, Note, Request):
            session.execute(delete(table))


@tried(200, quickly=15)
@given(st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=30, max_size=40), st.sampled_from(list(Purpose)))
def test_no_token_but_its_own_opens_a_door(post: Correspondence, guess: str, purpose: Purpose) -> None:
    """Neither a guessed token nor one for another purpose confirms a request."""
    site = post.site
    with site.database.write() as session:
        session.execute(delete(Request))
    post.write("news+join.advice@example.org")
    with site.database.read() as session:
        (number,) = session.exec(select(Request.id)).all()
    tokens = [guess] if purpose is Purpose.CONFIRM else [guess, site.signer.sign(purpose, number)]
    for token in tokens:
        post.write(f"news+confirm.{token}@example.org", "yes")
    assert post.subscriptions() == {}


def test_another_sites_token_is_none(post: Correspondence) -> None:
    """A token is good for the site whose key made it."""
    post.write("news+join.advice@example.org")
    with post.site.database.read() as session:
        (number,) = session.exec(select(Request.id)).all()
    token = TokenSigner(b"another key of thirty-two characters").sign(Purpose.CONFIRM, number)
    post.write(f"news+confirm.{token}@example.org", "yes")
    assert post.subscriptions() == {}
