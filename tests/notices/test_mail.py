"""The editor's email: what is in it, and how relays, passwords and processes that fail are borne."""

import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import dkim
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from hypothesis import given
from hypothesis import strategies as st

import newsletter.app
from newsletter.app import App, Mailed, open_app
from newsletter.models import Notice
from newsletter.notices.book import all_notices
from newsletter.notices.mail import compose
from newsletter.settings import Settings
from tests.conftest import GIVEN, Cli, Clock, subscribe
from tests.mailserver import MailServer
from tests.planning import TUESDAY, WEEK
from tests.running import ON_SQLITE

SETTINGS = Settings.model_validate({"site": GIVEN | {"editor": "editor@example.net"}})
NOW = datetime(2026, 12, 3, 8, tzinfo=UTC)
"""For what has nothing to do with the kind of database."""


def a_notice(subject: str = "Advice has run dry", text: str = "It has no post.", **values: Any) -> Notice:
    defaults = {"topic": "low:advice", "number": 1, "kind": "low", "noticed_at": NOW, "retry_at": NOW}
    return Notice(subject=subject, text=text, **defaults | values)


def parsed(content: bytes) -> EmailMessage:
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def body(message: EmailMessage) -> str:
    return str(message.get_content()).replace("\r\n", "\n")


# What is in it.


def test_an_email_says_who_writes_and_that_no_person_does() -> None:
    """From the site's sender to its editor, with a date, a Message-ID and RFC 3834's mark, in plain text."""
    message = parsed(compose(SETTINGS, [a_notice()], NOW))
    assert message["From"] == "Ann Lee <ann@example.org>"
    assert message["To"] == "editor@example.net"
    assert message["Subject"] == "[Test letters] Advice has run dry"
    assert message["Date"] == "Thu, 03 Dec 2026 08:00:00 +0000"
    assert re.fullmatch(r"<notice-[0-9a-f]{32}@example\.org>", message["Message-ID"])
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "text/plain"
    assert body(message) == (
        "Hello,\n\nIt has no post.\n\n-- \nTest letters writes this to its editor, as paperround.toml has "
        "it.\n`paperround notices` lists all that you were told.\n"
    )


def test_one_email_gathers_all_and_is_called_by_the_first() -> None:
    """Not a flood of them."""
    notices = [a_notice(f"Subject {n}", f"Text {n}.", topic=f"low:{n}") for n in range(3)]
    message = parsed(compose(SETTINGS, notices, NOW))
    assert message["Subject"] == "[Test letters] Subject 0 and 2 more"
    text = body(message)
    assert "Text 0.\n\n* * *\n\nText 1.\n\n* * *\n\nText 2.\n\n-- \n" in text
    two = parsed(compose(SETTINGS, notices[:2], NOW))
    assert two["Subject"] == "[Test letters] Subject 0 and 1 more"


def test_the_same_notices_have_the_same_message_id() -> None:
    """So a second copy, sent after a crash, is known as one; other notices, and other sites, have others."""
    other_site = Settings.model_validate({"site": GIVEN | {"base_url": "https://b.example.org"}})
    later, again = a_notice(noticed_at=NOW + WEEK), a_notice(number=2)
    mails = [
        compose(SETTINGS, [a_notice()], NOW),
        compose(SETTINGS, [a_notice()], NOW + WEEK),
        compose(SETTINGS, [later], NOW),
        compose(SETTINGS, [again], NOW),
        compose(SETTINGS, [a_notice(), again], NOW),
        compose(other_site, [a_notice()], NOW),
    ]
    first, second, *others = [parsed(mail)["Message-ID"] for mail in mails]
    assert first == second
    assert len({first, *others}) == 5


HOSTILE = st.text(st.characters(codec="utf-8"), max_size=600) | st.text(
    st.sampled_from("a\0\r\n\t.=\x85\u2028\u202eא🙂 "), max_size=600
)


@given(st.lists(st.tuples(HOSTILE, HOSTILE), min_size=1, max_size=3), HOSTILE)
def test_whatever_is_in_it_is_sound_mail(words: list[tuple[str, str]], name: str) -> None:
    """No header gets out of its field, no line is too long, nothing needs a relay to know more than ASCII."""
    site = GIVEN | {"name": "".join(filter(str.isprintable, name)).strip() or "x"}
    settings = Settings.model_validate({"site": site})
    content = compose(settings, [a_notice(subject, text) for subject, text in words], NOW)
    plain = parsed(compose(SETTINGS, [a_notice()], NOW))
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert b"\r" not in content.replace(b"\r\n", b"")
    message = parsed(content)
    assert message.keys() == plain.keys()
    assert not message.defects
    assert "lists all that you were told" in body(message).replace("\n", " ")


def test_commands_and_errors_are_not_broken_into_lines() -> None:
    """They are to be copied; what we say is wrapped as letters are."""
    command = "    paperround queue add " + "posts/a-very-long-name-of-a-file.md " * 5
    text = f"{'Some words of ours. ' * 20}\n\n{command.rstrip()}"
    lines = body(parsed(compose(SETTINGS, [a_notice(text=text)], NOW))).split("\n")
    assert command.rstrip() in lines
    assert max(len(line) for line in lines if not line.startswith(" ")) <= 78


# How it goes.


class Choosy(MailServer):
    """A relay that answers as it is told to."""

    answer = "250 2.0.0 Accepted"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        if self.answer.startswith("2"):
            return await super().handle_DATA(server, session, envelope)
        return self.answer


@pytest.fixture
def relay(monkeypatch: pytest.MonkeyPatch) -> Iterator[Choosy]:
    """The site's relay."""
    with Choosy() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def dry(advice: App, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> App:
    """A site whose only category had nothing to send to its reader."""
    monkeypatch.setenv("PAPERROUND_SITE__EDITOR", "editor@example.net")
    subscribe(advice, "bo@example.org")
    clock.now = TUESDAY
    return advice


def tell(site: App, clock: Clock) -> Mailed | None:
    """What another process tells the editor now, with the settings as they are by then."""
    app = open_app(site.settings.folder, clock)
    try:
        app.plan_due()
        with app.open_relays() as relays:
            return app.tell_editor(relays)
    finally:
        app.close()


def notices(site: App) -> list[Notice]:
    with site.database.read() as session:
        return all_notices(session)


def test_a_relay_takes_it_once(dry: App, clock: Clock, relay: Choosy) -> None:
    """Over a real SMTP conversation, to the editor alone; what was told is not told again by anybody."""
    mailed = tell(dry, clock)
    subject = "[Test letters] Good advice had nothing to send on 6 January"
    assert mailed == Mailed(subject, is_sent=True, reply="250 2.0.0 Accepted")
    clock.advance(days=3)
    assert tell(dry, clock) is None
    (letter,) = relay.accepted
    assert (letter.mail_from, letter.recipient) == ("ann@example.org", "editor@example.net")
    assert letter.message["Subject"] == subject
    (notice,) = notices(dry)
    assert (notice.sent_at, notice.attempts, notice.reply) == (TUESDAY, 1, "250 2.0.0 Accepted")


def test_a_relay_that_refuses_is_asked_again_later(dry: App, clock: Clock, relay: Choosy) -> None:
    """Not at every pass; what it said is on record, and what came about meanwhile goes with it."""
    relay.answer = "451 4.3.0 Not now"
    mailed = tell(dry, clock)
    assert mailed is not None
    assert (mailed.is_sent, mailed.reply) == (False, "451 4.3.0 Not now")
    assert tell(dry, clock) is None
    clock.advance(minutes=4)
    assert tell(dry, clock) is None
    relay.answer = "250 2.0.0 Ok"
    clock.advance(minutes=1)
    mailed = tell(dry, clock)
    assert mailed is not None
    assert mailed.is_sent
    assert len(relay.accepted) == 1
    assert notices(dry)[0].attempts == 2


def test_a_process_that_dies_before_it_could_record_tells_once_more(
    dry: App, clock: Clock, relay: Choosy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at the next pass, but after a while, as the same message: at least once, and known as one."""

    class KilledError(BaseException):
        pass

    def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(newsletter.app.book, "record", killed)
        with pytest.raises(KilledError):
            tell(dry, clock)
    assert tell(dry, clock) is None
    clock.advance(minutes=5)
    mailed = tell(dry, clock)
    assert mailed is not None
    assert mailed.is_sent
    first, second = relay.accepted
    assert first.message["Message-ID"] == second.message["Message-ID"]


@ON_SQLITE
def test_another_relay_takes_what_one_that_is_down_does_not(
    dry: App, clock: Clock, relay: Choosy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As letters go by the others while one is down."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    toml = dry.settings.folder / "paperround.toml"
    further = f'\n[[further_relays]]\nhost = "127.0.0.1"\nport = {relay.port}\n'
    toml.write_text(toml.read_text("utf-8") + further, "utf-8")
    monkeypatch.setenv("PAPERROUND_RELAY__PORT", str(port))
    mailed = tell(dry, clock)
    assert mailed is not None
    assert mailed.is_sent
    assert len(relay.accepted) == 1


@ON_SQLITE
def test_what_keeps_it_from_going_is_said_and_stops_nothing(
    dry: App, clock: Clock, relay: Choosy, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay that is down, a password or a key that cannot be had: a pass ends as without it."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for settings, said in [
        ({"PAPERROUND_RELAY__PORT": str(port)}, f"the relay 127.0.0.1:{port} cannot be used: "),
        (
            {"PAPERROUND_RELAY__USER": "u", "PAPERROUND_RELAY__PASSWORD_COMMAND": "false"},
            "password_command of 127.0.0.1:",
        ),
        ({"PAPERROUND_DKIM__SELECTOR": "s"}, "dkim.pem"),
    ]:
        clock.advance(hours=12)
        with monkeypatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(name, value)
            done = cli("--site", dry.settings.folder, "tick", "--at", clock.now.isoformat())
        assert done.returncode == 0, done.stderr
        assert "the editor could not be told (" in done.stderr
        assert said in done.stderr
        assert "it is tried again later" in done.stderr
    assert relay.accepted == []
    assert notices(dry)[0].attempts == 3


@ON_SQLITE
def test_it_is_signed_as_letters_are(dry: App, clock: Clock, relay: Choosy, cli: Cli) -> None:
    """A provider that asks for DKIM takes it."""
    folder = dry.settings.folder
    assert cli("--site", folder, "dkim", "keygen").returncode == 0
    toml = folder / "paperround.toml"
    toml.write_text(toml.read_text("utf-8").replace('selector = ""', 'selector = "s"', 1), "utf-8")
    mailed = tell(dry, clock)
    assert mailed is not None
    assert mailed.is_sent
    shown = cli("--site", folder, "dkim", "show").stdout
    key = re.search(r"p=([A-Za-z0-9+/=\" ]+)", shown)
    assert key is not None
    record = b"v=DKIM1; k=rsa; p=" + re.sub(r"[\" ]", "", key[1]).encode()
    assert dkim.verify(relay.accepted[0].content, dnsfunc=lambda *_, **__: record)


def test_the_listing_says_what_became_of_each(dry: App, clock: Clock, relay: Choosy, cli: Cli) -> None:
    """`paperround notices`: a row each for people, all of it for programs, and a word where there is none."""
    folder = dry.settings.folder
    assert cli("--site", folder, "notices").stderr == "Nothing yet that the editor had to be told\n"
    relay.answer = "550 5.7.1 No"
    tell(dry, clock)
    listed = cli("--site", folder, "notices").stdout
    assert re.search(
        r"2026-01-06T08:00:00Z  Good advice had nothing to send on 6 January  to be tried again\n", listed
    )
    relay.answer = "250 2.0.0 Ok"
    clock.advance(minutes=5)
    tell(dry, clock)
    assert cli("--site", folder, "notices").stdout.endswith("  sent\n")


def test_a_log_has_what_is_told_by_number_only(
    dry: App, clock: Clock, relay: Choosy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came about as a warning, what was mailed or could not be; no words of anybody."""
    log = tmp_path / "log.jsonl"
    monkeypatch.setenv("PAPERROUND_LOG__TO", str(log))
    relay.answer = "451 4.3.0 secret words"
    tell(dry, clock)
    relay.answer = "250 2.0.0 Ok"
    clock.advance(minutes=5)
    tell(dry, clock)
    lines = [line for line in log.read_text("utf-8").splitlines() if '"notice.' in line]
    assert [re.sub(r'"(time|issue)": [^,}]+,? ?', "", line) for line in lines] == [
        '{"level": "warning", "event": "notice.made", "notice": 1, "kind": "empty", "category": "advice", }',
        '{"level": "warning", "event": "notice.failed", "notice": 1}',
        '{"level": "info", "event": "notice.mailed", "notice": 1}',
    ]
    assert "secret" not in log.read_text("utf-8")


@ON_SQLITE
def test_a_relay_that_never_answers_is_given_up(
    dry: App, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a minute at most: neither a pass nor the end of one waits for longer."""
    monkeypatch.setattr("newsletter.delivery.postman._SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("PAPERROUND_RELAY__HOST", "127.0.0.1")
        monkeypatch.setenv("PAPERROUND_RELAY__PORT", str(silent.getsockname()[1]))
        mailed = tell(dry, clock)
    assert mailed is not None
    assert not mailed.is_sent
    assert "did not answer within" in mailed.reply
