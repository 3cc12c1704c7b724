"""The listener: what is acknowledged is kept, and nothing else is; nobody gets anything else done by it."""

import re
import resource
import smtplib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import EntranceError
from newsletter.feedback import served
from newsletter.feedback.entrances import with_crlf
from newsletter.feedback.served import ServedEntrance
from newsletter.settings import InboundSection
from tests.feedback.memory import LOCKED, OURS, MemoryInbox

JOIN = "advice+join.career-advice@example.org"
PLAIN = "advice@example.org"
LARGEST = 100_000
MESSAGE = b"From: bo@example.org\r\nSubject: hello\r\n\r\n.\r\n..two\r\nbye\r\n"


class Wire:
    """A client that says what it is told, byte for byte."""

    def __init__(self, address: str) -> None:
        if address.startswith("unix:"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(address.removeprefix("unix:"))
        else:
            self.socket = socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])))
        self.socket.settimeout(30)
        self._file = self.socket.makefile("rb")

    def reply(self) -> str:
        """One reply, its lines joined."""
        lines = []
        while line := self._file.readline().decode():
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                break
        return "\n".join(lines)

    def say(self, *lines: str | bytes) -> list[str]:
        """Say lines one by one; the reply to each."""
        replies = []
        for line in lines:
            self.socket.sendall((line.encode() if isinstance(line, str) else line) + b"\r\n")
            replies.append(self.reply())
        return replies

    def begin(self, *recipients: str, hello: str = "LHLO me") -> list[str]:
        """Up to DATA."""
        self.reply()
        to = [f"RCPT TO:<{recipient}>" for recipient in recipients]
        return self.say(hello, "MAIL FROM:<bo@example.org>", *to, "DATA")

    def close(self) -> None:
        self._file.close()
        self.socket.close()


Open = Callable[..., Wire]


@pytest.fixture
def inbox() -> MemoryInbox:
    return MemoryInbox()


@pytest.fixture
def troubles() -> list[Exception]:
    """What was reported."""
    return []


@pytest.fixture
def wire(inbox: MemoryInbox, troubles: list[Exception]) -> Iterator[Open]:
    """Starts a listener, once, and connects to it: `wire(protocol="smtp")`."""
    with ExitStack() as stack:
        running: list[ServedEntrance] = []

        def connect(**settings: object) -> Wire:
            if not running:
                section = InboundSection.model_validate(
                    {"listen": "127.0.0.1:0", "max_message_bytes": LARGEST, **settings}
                )
                entrance = ServedEntrance(
                    section, inbox, OURS, hostname="example.org", report=troubles.append
                )
                running.append(stack.enter_context(entrance))
            client = Wire(running[0].address)
            stack.callback(client.close)
            return client

        yield connect


def test_a_message_is_kept_before_it_is_acknowledged(wire: Open, inbox: MemoryInbox) -> None:
    """There is no 250 while the inbox is at work; what is kept is what was sent, dots undoubled."""
    client = wire()
    assert client.begin(JOIN)[-1].startswith("354 ")
    inbox.may_keep.clear()
    client.socket.sendall(re.sub(rb"(?m)^\.", b"..", MESSAGE) + b".\r\n")
    assert inbox.asked.wait(timeout=30)
    client.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.socket.recv(1)
    client.socket.settimeout(30)
    inbox.may_keep.set()
    assert client.socket.recv(100) == b"250 2.0.0 Kept as message 1\r\n"
    (kept,) = inbox.messages
    assert (kept.content, kept.entrance, kept.recipient, kept.return_path) == (
        MESSAGE,
        "lmtp",
        JOIN,
        "bo@example.org",
    )


def test_each_recipient_of_lmtp_has_a_reply(wire: Open, inbox: MemoryInbox) -> None:
    """RFC 2033 §4.2: one for each that was accepted, in their order, none for what was refused."""
    client = wire()
    replies = client.begin(JOIN, "stranger@example.net", PLAIN)
    assert [reply[:9] for reply in replies[2:]] == ["250 2.1.5", "550 5.1.1", "250 2.1.5", "354 End w"]
    client.socket.sendall(MESSAGE[:30] + b"\r\n.\r\n")
    assert [client.reply(), client.reply()] == [
        "250 2.0.0 Kept as message 1",
        "250 2.0.0 Kept as message 2",
    ]
    assert client.say("QUIT")[0].startswith("221 ")
    assert [message.recipient for message in inbox.messages] == [JOIN, PLAIN]


def test_what_cannot_be_kept_is_not_acknowledged(
    wire: Open, inbox: MemoryInbox, troubles: list[Exception]
) -> None:
    """The sender keeps it (451), the operator is told once an outage, and the next try is taken."""
    client = wire()
    client.begin(JOIN)
    inbox.error = LOCKED
    client.socket.sendall(b"one\r\n.\r\n")
    assert client.reply().startswith("451 4.3.0 ")
    for error in (LOCKED, ZeroDivisionError("a bug")):
        inbox.error = error
        client.say("MAIL FROM:<>", f"RCPT TO:<{JOIN}>", "DATA")
        assert client.say(b"one\r\n.")[0].startswith("451 4.3.0 ")
    assert troubles == [LOCKED]
    inbox.error = None
    client.say("MAIL FROM:<>", f"RCPT TO:<{JOIN}>", "DATA")
    assert client.say(b"one\r\n.") == ["250 2.0.0 Kept as message 1"]
    assert [message.return_path for message in inbox.messages] == [""]


def test_smtp_has_one_reply_for_all(wire: Open, inbox: MemoryInbox) -> None:
    """And the plain library of everybody speaks with it."""
    port = int(wire(protocol="smtp").socket.getpeername()[1])
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.sendmail("jörg@example.net", [JOIN, PLAIN], MESSAGE, ["SMTPUTF8", "BODY=8BITMIME"])
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            client.sendmail("bo@example.org", ["advice@example.net"], MESSAGE)
        assert refused.value.recipients["advice@example.net"][0] == 550
        inbox.error = LOCKED
        with pytest.raises(smtplib.SMTPDataError) as put_off:
            client.sendmail("bo@example.org", [PLAIN], MESSAGE)
        assert put_off.value.smtp_code == 451
    assert [(message.recipient, message.return_path) for message in inbox.messages] == [
        (JOIN, "jörg@example.net"),
        (PLAIN, "jörg@example.net"),
    ]


def test_what_is_too_large_is_refused(wire: Open) -> None:
    """By what it says of itself, and by its bytes; a reply for each recipient, then."""
    client = wire()
    client.reply()
    assert f"SIZE {LARGEST}" in client.say("LHLO me")[0]
    assert client.say(f"MAIL FROM:<> SIZE={LARGEST + 1}")[0].startswith("552 5.3.4 ")
    client.say("MAIL FROM:<>", f"RCPT TO:<{JOIN}>", f"RCPT TO:<{PLAIN}>", "DATA")
    client.socket.sendall(b"x" * 70 + b"\r\n" + b"y" * LARGEST + b"\r\n.\r\n")
    assert [client.reply()[:9], client.reply()[:9]] == ["552 5.3.4", "552 5.3.4"]
    client.say("MAIL FROM:<>", f"RCPT TO:<{JOIN}>", "DATA")
    assert client.say(b"x" * (LARGEST - 2) + b"\r\n.")[0].startswith("250 ")


@pytest.mark.parametrize("ending", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r\r\n.\r\r\n"])
def test_nothing_is_smuggled_in(wire: Open, inbox: MemoryInbox, ending: bytes) -> None:
    """Only CRLF.CRLF ends a message: what others may take for an end, and the commands after it, is text."""
    client = wire()
    client.begin(PLAIN)
    smuggled = b"MAIL FROM:<editor@example.org>\r\nRCPT TO:<advice@example.org>\r\nDATA\r\nforged"
    client.socket.sendall(b"one" + ending + smuggled + b"\r\n.\r\n")
    assert client.reply() == "250 2.0.0 Kept as message 1"
    assert client.say("NOOP") == ["250 OK"]
    (kept,) = inbox.messages
    assert b"forged" in kept.content
    assert kept.content.count(b"\n") == kept.content.count(b"\r\n") == kept.content.count(b"\r")


def test_commands_may_come_all_at_once(wire: Open, inbox: MemoryInbox) -> None:
    """RFC 2920: what follows the message in the same packet is no part of it."""
    client = wire()
    assert "PIPELINING" in client.say("LHLO me")[0] + client.reply()
    mail = f"MAIL FROM:<>\r\nRCPT TO:<{PLAIN}>\r\nDATA\r\n".encode()
    client.socket.sendall(mail)
    assert [client.reply()[:3] for _ in range(3)] == ["250", "250", "354"]
    client.socket.sendall(b"one\r\n.\r\n" + mail)
    assert [client.reply()[:3] for _ in range(4)] == ["250", "250", "250", "354"]
    assert client.say(b"two\r\n.")[0][:3] == "250"
    assert [message.content for message in inbox.messages] == [b"one\r\n", b"two\r\n"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("<>", "250"),
        ("<@a.example,@b.example:bo@example.org>", "250"),
        ('<"a b>c"@example.org>', "250"),
        ("<", "553"),
        (">", "553"),
        ("<bo@example.org", "553"),
        ("<bo@exa\x00mple.org>", "553"),
        ("<bo@exa\tmple.org>", "553"),
        (b"<b\xff@example.org>", "553"),
        ("<" + "a" * 3000 + ">", "500"),
        ("<bo@example.org> SIZE=-1", "501"),
        ("<bo@example.org> BODY=9BIT", "501"),
        ("<bo@example.org> FOO=1", "555"),
        ("<bo@example.org> SIZE=" + "9" * 40, "552"),
    ],
)
def test_odd_senders(wire: Open, path: str | bytes, code: str) -> None:
    """Each is taken or refused for good, and none is the end of the session."""
    client = wire()
    client.reply()
    given = path.encode() if isinstance(path, str) else path
    replies = client.say("LHLO me", b"MAIL FROM:" + given, "NOOP")
    assert (replies[1][:3], replies[2]) == (code, "250 OK")


def test_rubbish_ends_a_session(
    wire: Open, troubles: list[Exception], capfd: pytest.CaptureFixture[str]
) -> None:
    """A web client, endless lines, commands out of order: answered, cut in the end, told to nobody."""
    client = wire()
    client.reply()
    assert client.say("DATA", f"RCPT TO:<{PLAIN}>", "HELO me", "EHLO me", b"\xff\xfe") == [
        "503 5.5.1 There is no recipient yet",
        "503 Error: send LHLO first",
        '500 Error: command "HELO" not recognized',
        '500 Error: command "EHLO" not recognized',
        "500 Error: bad syntax",
    ]
    assert client.say(b"x" * 1_000_000) == ["500 Command line too long"]
    replies = client.say("LHLO me", "DATA", "RSET", *["GET / HTTP/1.1"] * 5)
    assert (replies[1], replies[-1][:3]) == ("503 5.5.1 There is no recipient yet", "502")
    assert client.socket.recv(100) == b""
    assert troubles == []
    wire().close()
    assert capfd.readouterr() == ("", "")


def test_no_mail_is_passed_on(wire: Open) -> None:
    """Addresses that are nearly ours are not: 5.1.1, whatever one tries."""
    client = wire()
    client.reply()
    client.say("LHLO me", "MAIL FROM:<advice@example.org>")
    for stranger in (
        "advice@example.org.example.net",
        "advice%example.net@example.com",
        "advicer@example.org",
        "advice+toin.career-advice@example.org",
        '"advice@example.org"@example.net',
        "@example.org:bo@example.net",
        "advice",
        "",
    ):
        assert client.say(f"RCPT TO:<{stranger}>")[0].startswith("550 5.1.1 "), stranger


def test_a_client_that_goes_leaves_nothing_behind(
    wire: Open, inbox: MemoryInbox, troubles: list[Exception]
) -> None:
    """Half a message is none; the next one is taken all the same."""
    for half in (b"half a mess", b"half\r\n", b"half\r\n.", b"half\r\n.\r"):
        client = wire()
        client.begin(PLAIN)
        client.socket.sendall(half)
        client.close()
    client = wire()
    client.begin(PLAIN)
    assert client.say(b"whole\r\n.")[0].startswith("250 ")
    assert [message.content for message in inbox.messages] == [b"whole\r\n"]
    assert troubles == []


def test_too_many_connections_are_put_off(wire: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """421 says when to come back; room comes with who goes."""
    monkeypatch.setattr(served, "_MOST_SESSIONS", 2)
    first, second = wire(), wire()
    assert (first.reply()[:3], second.reply()[:3]) == ("220", "220")
    third = wire()
    assert third.reply().startswith("421 4.3.2 ")
    assert third.socket.recv(10) == b""
    first.say("QUIT")
    assert first.socket.recv(10) == b""
    assert wire().reply()[:3] == "220"


def test_an_idle_session_ends(wire: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that brings its message too slowly."""
    monkeypatch.setattr(served, "_IDLE_SECONDS", 0.3)
    idle = wire()
    idle.reply()
    assert idle.socket.recv(10) == b""
    slow = wire()
    slow.begin(PLAIN)
    slow.socket.sendall(b"a")
    assert slow.socket.recv(10) == b""


def test_many_large_messages_find_no_room(
    wire: Open, inbox: MemoryInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is limited for all together: who finds none is to come again, and room is given back."""
    monkeypatch.setattr(served, "_ROOM", 2)
    clients = [wire() for _ in range(3)]
    for client in clients:
        client.begin(PLAIN)
    line = b"x" * 998 + b"\r\n"
    for client in clients[:2]:
        client.socket.sendall(line * 99)
    inbox.may_keep.clear()
    clients[0].socket.sendall(b".\r\n")
    assert inbox.asked.wait(timeout=30)
    clients[1].socket.sendall(b"y\r\n.\r\n")
    assert clients[2].say(line * 50 + b".")[0].startswith("452 4.3.1 ")
    inbox.may_keep.set()
    assert clients[0].reply()[:3] == clients[1].reply()[:3] == "250"
    clients[2].say("MAIL FROM:<>", f"RCPT TO:<{PLAIN}>", "DATA")
    assert clients[2].say(line * 50 + b".")[0].startswith("250 ")


def test_room_is_given_back_once(inbox: MemoryInbox) -> None:
    """Of what is kept, of what is refused, and of half a message: no more and no less than was taken."""
    section = InboundSection(listen="127.0.0.1:0", max_message_bytes=LARGEST)
    with ServedEntrance(section, inbox, OURS, hostname="example.org", report=print) as running:
        for size in (10, LARGEST, 3 * LARGEST):
            client = Wire(running.address)
            client.begin(PLAIN)
            client.say((b"x" * 98 + b"\r\n") * (size // 100) + b".")
            client.close()
        client = Wire(running.address)
        client.begin(PLAIN)
        client.socket.sendall(b"half a message\r\n")
        client.close()
    assert running._desk._room == LARGEST * served._ROOM


def test_a_line_without_end_takes_no_memory(wire: Open) -> None:
    """100 MB of it are read and forgotten."""
    client = wire()
    client.begin(PLAIN)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(100):
        client.socket.sendall(b"x" * 1_000_000)
    assert client.say(b"\r\n.")[0].startswith("552 5.3.4 ")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_ending_lets_what_is_kept_be_acknowledged(inbox: MemoryInbox) -> None:
    """Ctrl-C while a message is being kept: it is, and its sender is told so."""
    section = InboundSection(listen="127.0.0.1:0")
    entrance = ServedEntrance(section, inbox, OURS, hostname="example.org", report=print)
    with entrance:
        client, idle = Wire(entrance.address), Wire(entrance.address)
        client.begin(PLAIN)
        inbox.may_keep.clear()
        client.socket.sendall(b"one\r\n.\r\n")
        assert inbox.asked.wait(timeout=30)
        threading.Timer(0.3, inbox.may_keep.set).start()
    assert client.reply() == "250 2.0.0 Kept as message 1"
    assert client.socket.recv(10) == b""
    client.close()
    idle.close()


def test_ending_acknowledges_nothing_that_is_not_kept(
    inbox: MemoryInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where that takes too long the sender hears nothing, and will send it again."""
    monkeypatch.setattr(served, "_GRACE_SECONDS", 0.1)
    entrance = ServedEntrance(
        InboundSection(listen="127.0.0.1:0"), inbox, OURS, hostname="example.org", report=print
    )
    with entrance:
        client = Wire(entrance.address)
        client.begin(PLAIN)
        inbox.may_keep.clear()
        client.socket.sendall(b"one\r\n.\r\n")
        assert inbox.asked.wait(timeout=30)
        threading.Timer(0.5, inbox.may_keep.set).start()
    assert client.socket.recv(100) == b""
    client.close()


def test_a_socket_file_may_be_left_over_and_is_cleared_away(tmp_path: Path, inbox: MemoryInbox) -> None:
    """Of a process that was killed; one at which somebody listens, or another file, is left alone."""
    path = tmp_path / "lmtp.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    section = InboundSection(listen=f"unix:{path}")

    def entrance() -> ServedEntrance:
        return ServedEntrance(section, inbox, OURS, hostname="example.org", report=print)

    with entrance() as running:
        client = Wire(running.address)
        assert client.begin(PLAIN)[-1].startswith("354 ")
        assert path.stat().st_mode & 0o777 == 0o666
        with pytest.raises(EntranceError, match=r"Address already in use; see listen in \[inbound\]"):
            entrance().__enter__()
        assert client.say(b"one\r\n.") == ["250 2.0.0 Kept as message 1"]
        client.close()
    assert not path.exists()
    path.write_text("a file of somebody")
    with pytest.raises(EntranceError, match="Address already in use"):
        entrance().__enter__()
    assert path.read_text() == "a file of somebody"


@given(st.lists(st.sampled_from([b"\r\n", b"\n", b"\r", b"a", b""])).map(b"".join))
def test_lines_end_in_crlf(content: bytes) -> None:
    """However they ended, their number stays, and doing it twice is doing it once."""
    made = with_crlf(content)
    assert re.split(rb"\r\n|\r|\n", content) == made.split(b"\r\n")
    assert with_crlf(made) == made
