"""The sandbox: it takes what a real server would take, keeps it whole, and reaches nobody."""

import smtplib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.delivery.outcome import Outcome
from newsletter.delivery.sandbox import Sandbox, mailbox_name
from newsletter.delivery.smtp import SMTPTransport
from newsletter.delivery.transport import Letter, OneByOne
from newsletter.errors import RelayError
from newsletter.states import DeliveryState
from tests.contract.transport import ANOTHER, LETTER, allow, run
from tests.delivery.test_smtp import INTERNATIONAL


def send(sandbox: Sandbox, *letters: Letter) -> list[Outcome | None]:
    async def scenario() -> list[Outcome | None]:
        transport = OneByOne(SMTPTransport(sandbox.relay, helo_name="sender.test"))
        await transport.connect()
        outcomes = [await transport.send(letter, allow) for letter in letters]
        await transport.close()
        return outcomes

    return run(scenario)


def kept(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def as_kept(letter: Letter) -> bytes:
    return f"Return-Path: <{letter.return_path}>\r\n".encode() + letter.content


def test_a_letter_is_kept_as_it_came(tmp_path: Path) -> None:
    """A file a letter in a folder a reader, byte for byte after its Return-Path, and nothing else."""
    large = Letter("a@example.org", "big@example.net", LETTER.content + b"Word. " * 150 + b"\r\n" * 50_000)
    with Sandbox(tmp_path) as sandbox:
        outcomes = send(sandbox, LETTER, ANOTHER, LETTER, large)
    assert [outcome.state for outcome in outcomes if outcome] == [DeliveryState.SENT] * 4
    assert kept(tmp_path) == {
        "Reader@example.net/0001.eml": as_kept(LETTER),
        "Reader@example.net/0002.eml": as_kept(LETTER),
        "other@example.net/0001.eml": as_kept(ANOTHER),
        "big@example.net/0001.eml": as_kept(large),
    }


def test_addresses_beyond_ascii_are_kept_too(tmp_path: Path) -> None:
    """The sandbox offers SMTPUTF8, and names the mailbox as it is written."""
    with Sandbox(tmp_path) as sandbox:
        send(sandbox, INTERNATIONAL)
    assert kept(tmp_path) == {f"{INTERNATIONAL.recipient}/0001.eml": as_kept(INTERNATIONAL)}


def test_letters_that_come_at_once_do_not_overwrite_each_other(tmp_path: Path) -> None:
    """Two sandboxes on one folder, as with `tick` beside `run`, keep every letter of one reader."""
    with Sandbox(tmp_path) as one, Sandbox(tmp_path) as two, ThreadPoolExecutor(4) as pool:
        list(pool.map(send, [one, two, one, two], *[[LETTER] * 4] * 10))
    assert sorted(kept(tmp_path)) == [f"Reader@example.net/{number:04d}.eml" for number in range(1, 41)]
    assert set(kept(tmp_path).values()) == {as_kept(LETTER)}


def test_what_cannot_be_kept_is_a_passing_refusal(tmp_path: Path) -> None:
    """A disk that fails is the sandbox's 452: the letter is deferred with the reason, and not lost."""
    (tmp_path / "Reader@example.net").write_text("in the way")
    with Sandbox(tmp_path) as sandbox:
        refused, taken = send(sandbox, LETTER, ANOTHER)
    assert refused is not None
    assert taken is not None
    assert (refused.state, refused.code) == (DeliveryState.DEFERRED, 452)
    assert "cannot keep this" in refused.reply
    assert taken.state is DeliveryState.SENT


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """It says where it cannot start, and why."""
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(RelayError, match=r"the sandbox cannot start in .*file"), Sandbox(file / "sandbox"):
        pass


def test_it_is_on_this_machine_only_and_gone_when_left(tmp_path: Path) -> None:
    """It listens on loopback, and leaves neither port nor thread behind, even with a guest still there."""
    with Sandbox(tmp_path) as sandbox:
        assert sandbox.relay.host == "127.0.0.1"
        assert sandbox.relay.is_trial
        guest = smtplib.SMTP("127.0.0.1", sandbox.relay.port)
        port = sandbox.relay.port
    guest.close()
    with pytest.raises(ConnectionRefusedError):
        smtplib.SMTP("127.0.0.1", port)
    assert "sandbox" not in {thread.name for thread in threading.enumerate()}


@given(st.text(max_size=400) | st.text("語aб.", min_size=100, max_size=300))
@example("")
@example(".")
@example("..")
@example("../../etc/passwd")
@example("a/b\0c@d")
def test_a_mailbox_is_always_one_folder_of_its_own(recipient: str) -> None:
    """Whatever stands in RCPT, its folder lies in the sandbox's, unhidden, and any file system takes it."""
    name = mailbox_name(recipient)
    assert Path("box", name).parts == ("box", name)
    assert not name.startswith(".")
    assert 0 < len(name.encode()) <= 255


@given(st.text(max_size=30), st.text(max_size=30))
@example("a/b", "a%2Fb")
@example(".a", "%2Ea")
@example("o/b@a.b", "o_b@a.b")
def test_two_addresses_never_share_a_mailbox(one: str, other: str) -> None:
    """Different recipients have different folders."""
    assert (mailbox_name(one) == mailbox_name(other)) == (one == other)


@pytest.mark.parametrize(
    "address", ["ann@example.org", "Ann.Lee+n_s@example.org", "o'brien@a.b", "иван@xn--e1afmkfd.xn--p1ai"]
)
def test_an_ordinary_address_is_the_name_of_its_mailbox(address: str) -> None:
    """What people look for is what they typed."""
    assert mailbox_name(address) == address
