"""Composing a letter: everything in it follows from edition, reader and delivery, today and at a retry."""

import re
from collections.abc import Callable
from email import message_from_bytes, policy

import pytest
from dkim import DKIM
from sqlalchemy import event

from newsletter.app import App, open_app
from newsletter.delivery.composer import Composer
from newsletter.delivery.copies import preferences_url, return_path, unsubscribe_url
from newsletter.delivery.dkim import DkimKey, DkimSigner
from newsletter.delivery.dkim_keys import make_key
from newsletter.delivery.ledger import ClaimedDelivery
from newsletter.delivery.transport import Letter
from subscribers.tokens import Purpose, TokenSigner
from tests.delivery.test_ledger import opened, plan

SIGNER = TokenSigner(b"k" * 32)


def composer(site: App) -> Composer:
    return Composer(site.database, site.signer, site.settings.media_folder)


def claimed(site: App, readers: int) -> list[ClaimedDelivery]:
    plan(site, readers)
    with opened(site) as ledger:
        return ledger.claim(readers, site.clock())


def header(letter: Letter, name: str) -> str:
    return str(message_from_bytes(letter.content, policy=policy.default)[name])


def test_a_letter_is_the_same_whenever_it_is_composed(advice: App) -> None:
    """By another process, after the settings changed, in another order: the same envelope and bytes."""
    deliveries = claimed(advice, 3)
    first = [composer(advice)(delivery) for delivery in deliveries]
    settings = advice.settings.folder / "paperround.toml"
    changed = settings.read_text("utf-8").replace("Test letters", "Another name")
    settings.write_text(changed.replace("1 Main Street", "2 Side Street"), "utf-8")
    later = open_app(advice.settings.folder, advice.clock)
    again = composer(later)
    assert [again(delivery) for delivery in reversed(deliveries)] == first[::-1]
    later.close()


def test_signed_letters_are_the_same_and_good(advice: App) -> None:
    """STANDARDS 8: with a key each letter begins with a good signature, at a retry the same to the byte."""
    key = DkimKey("a", make_key(advice.settings.folder / "dkim.pem", 1024))
    record = key.record("example.org")
    answers: dict[bytes, bytes] = {f"{record.name}.".encode(): record.value.encode()}
    deliveries = claimed(advice, 3)
    first, again = (
        [make(delivery) for delivery in deliveries] for make in (signing(advice, key), signing(advice, key))
    )
    assert first == again
    for letter, unsigned in zip(first, map(composer(advice), deliveries), strict=True):
        assert DKIM(letter.content).verify(dnsfunc=lambda name, timeout=5: answers.get(name))
        assert letter.content.endswith(b"\r\n" + unsigned.content)
        assert (letter.return_path, letter.recipient) == (unsigned.return_path, unsigned.recipient)


def signing(site: App, key: DkimKey) -> Callable[[ClaimedDelivery], Letter]:
    """A composer that signs with this key."""
    return Composer(site.database, site.signer, site.settings.media_folder, DkimSigner("example.org", [key]))


def test_every_letter_has_an_identity_of_its_own(advice: App) -> None:
    """Message-ID, return path and unsubscribe address name the delivery, and no two are alike."""
    deliveries = claimed(advice, 5)
    letters = [composer(advice)(delivery) for delivery in deliveries]
    for delivery, letter in zip(deliveries, letters, strict=True):
        message = re.fullmatch(r"<(\w+)@example\.org>", header(letter, "Message-ID"))
        bounce = re.fullmatch(r"ann\+bounce\.(\w+)@example\.org", letter.return_path)
        leaving = re.fullmatch(r"<https://news\.example\.org/u/(\w+)>", header(letter, "List-Unsubscribe"))
        assert message
        assert bounce
        assert leaving
        assert advice.signer.read(Purpose.MESSAGE, message[1]) == delivery.id
        assert advice.signer.read(Purpose.BOUNCE, bounce[1]) == delivery.id
        assert advice.signer.read(Purpose.LEAVE, leaving[1]) == delivery.id
        # What is printed in a letter that may be forwarded does not let anybody forge a bounce, or leave.
        assert advice.signer.read(Purpose.LEAVE, message[1]) is None
        assert advice.signer.read(Purpose.LEAVE, bounce[1]) is None
    for values in zip(
        *[(header(letter, "Message-ID"), letter.return_path) for letter in letters], strict=True
    ):
        assert len(set(values)) == len(letters)


def test_a_letter_goes_to_its_own_reader_alone(advice: App) -> None:
    """Recipient and To are the reader's address; no other reader's is anywhere in it."""
    for delivery in claimed(advice, 4):
        letter = composer(advice)(delivery)
        assert letter.recipient == header(letter, "To") == delivery.address
        assert set(re.findall(rb"reader\d@example\.net", letter.content)) == {delivery.address.encode()}


def test_a_letter_can_go_on_the_wire_as_it_is(advice: App) -> None:
    """What a transport asks of a letter: CRLF ends every line, and no line begins with a dot."""
    (delivery,) = claimed(advice, 1)
    content = composer(advice)(delivery).content
    lines = content.split(b"\r\n")
    assert lines[-1] == b""
    assert not any(line.startswith(b".") or b"\r" in line or b"\n" in line for line in lines)
    assert max(map(len, lines)) <= 998


def test_an_edition_is_read_once(advice: App) -> None:
    """A thousand letters of an issue cost one look into the database."""
    deliveries = claimed(advice, 3)
    statements: list[str] = []

    def look(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "FROM edition" in statement:
            statements.append(statement)

    event.listen(advice.database.engine, "before_cursor_execute", look)
    compose = composer(advice)
    for delivery in deliveries:
        compose(delivery)
    event.remove(advice.database.engine, "before_cursor_execute", look)
    assert len(statements) == 1


@pytest.mark.parametrize(
    ("bounce_address", "head", "tail"),
    [
        ("bounces@example.org", "bounces+bounce.", "@example.org"),
        ("a+b@example.org", "a+b+bounce.", "@example.org"),
        ("новости@xn--e1afmkfd.example", "новости+bounce.", "@xn--e1afmkfd.example"),
    ],
)
def test_the_return_path_names_the_letter(bounce_address: str, head: str, tail: str) -> None:
    """VERP: the bounce address with a token that only we can make, read back to the delivery."""
    path = return_path(bounce_address, SIGNER, 7)
    assert path.startswith(head)
    assert path.endswith(tail)
    assert SIGNER.read(Purpose.BOUNCE, path[len(head) : -len(tail)]) == 7


def test_the_way_out_is_below_the_base_url() -> None:
    """The unsubscribe address is the site's, and reads back to the delivery."""
    url = unsubscribe_url("https://news.example.org/letters", SIGNER, 7)
    assert url.startswith("https://news.example.org/letters/u/")
    assert SIGNER.read(Purpose.LEAVE, url.rpartition("/")[2]) == 7


def test_preferences_are_behind_a_link_of_their_own() -> None:
    """The preferences' address is the site's, reads back to the delivery, and is not the way out."""
    url = preferences_url("https://news.example.org/letters", SIGNER, 7)
    assert url.startswith("https://news.example.org/letters/preferences/")
    token = url.rpartition("/")[2]
    assert (SIGNER.read(Purpose.PREFERENCES, token), SIGNER.read(Purpose.LEAVE, token)) == (7, None)
