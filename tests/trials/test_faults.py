"""Relays that refuse, break off, talk nonsense, dawdle or fall silent, at each stage of a letter.

Each trial is two ticks of the real command line: one by the faulty relay, with time limits of seconds, and
one an hour later by a healthy one, which gets exactly what is still owed. The servers say what they took.
"""

import os
import re
import shutil
import socket
import ssl
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
import trustme
from sqlalchemy import select
from sqlmodel import col

from newsletter.app import App
from newsletter.models import Delivery
from newsletter.states import DeliveryState
from subscribers.models import Subscriber
from tests.delivery.bigissue import SLOT, Ended, doubtful_attempts, make_readers, paperround, states
from tests.delivery.recorder import Received, Recorder
from tests.trials.faultserver import Act, Fault, FaultServer

pytestmark = [pytest.mark.trial, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

LATER = (datetime.fromisoformat(SLOT) + timedelta(hours=1)).isoformat()
"""When everything put off by the first tick is due again."""
READERS = 60
STAGES = ("MAIL", "RCPT", "DATA", ".")
QUEUED, SENT, DEFERRED = DeliveryState.QUEUED, DeliveryState.SENT, DeliveryState.DEFERRED
BOUNCED, IN_DOUBT = DeliveryState.BOUNCED, DeliveryState.IN_DOUBT


def hasty_tick(site: App, at: str = SLOT, **environment: str) -> Ended:
    """`tick` with small time limits."""
    return paperround(site, "tick", "--at", at, module="tests.trials.hasty", **environment)


def by_address(site: App, *states: DeliveryState) -> set[str]:
    """Whose letters are in one of these states."""
    with site.database.read() as session:
        found = (
            select(col(Subscriber.address))
            .join(Delivery, col(Delivery.subscriber_id) == col(Subscriber.id))
            .where(col(Delivery.state).in_(states))
        )
        return set(session.execute(found).scalars())


def tries(site: App) -> int:
    """How many attempts count against anybody."""
    with site.database.read() as session:
        return sum(session.execute(select(col(Delivery.attempts))).scalars())


def the_rest_goes_well(site: App) -> list[Received]:
    """A healthy relay an hour later gets what is owed, each letter once, and nothing else; returns it."""
    owed = by_address(site, QUEUED, DEFERRED, IN_DOUBT)
    bounced = by_address(site, BOUNCED)
    with Recorder() as relay:
        ended = hasty_tick(site, LATER, **relay.environment)
        assert (ended.code, ended.err) == (0, "")
        assert sorted(one.recipient for one in relay.received) == sorted(owed)
    assert by_address(site, BOUNCED) == bounced
    assert by_address(site, QUEUED, DEFERRED, IN_DOUBT) == set()
    return relay.received


REPLIES = {
    (stage, code): DEFERRED if code < 500 or stage == "MAIL" or (stage, code) == ("RCPT", 552) else BOUNCED
    for stage in STAGES
    for code in (450, 451, 452, 550, 552, 554)
}
"""What a refusal leads to: MAIL is about the sender, and 552 to RCPT means 452 (RFC 5321 §4.5.3.1.10)."""


def test_each_refusal_leads_where_it_should(advice: App) -> None:
    """450, 451, 452, 550, 552, 554 at each stage: put off or bounced, its words on record."""
    make_readers(advice, READERS)
    faults = {2 * place + 5: case for place, case in enumerate(REPLIES)}
    script = [Fault(stage, (b"%d No\r\n" % code,), place) for place, (stage, code) in faults.items()]
    with FaultServer(script) as relay:
        ended = hasty_tick(advice, **relay.environment)
    assert ended.code == 0
    expected = {
        relay.recipients[place]: (REPLIES[stage, code], f"{code} No")
        for place, (stage, code) in faults.items()
    }
    with advice.database.read() as session:
        found = (
            select(col(Subscriber.address), col(Delivery.state), col(Delivery.reply))
            .join(Delivery, col(Delivery.subscriber_id) == col(Subscriber.id))
            .where(col(Delivery.state) != SENT)
        )
        assert {row.address: (row.state, row.reply) for row in session.execute(found)} == expected
    assert len(relay.received) == READERS - len(expected)
    assert tries(advice) == READERS
    assert len(the_rest_goes_well(advice)) == list(REPLIES.values()).count(DEFERRED)


ENDS: dict[str, tuple[bytes | Act, ...]] = {
    "421": (b"421 4.3.2 Closing\r\n", Act.CLOSE),
    "no reply": (Act.CLOSE,),
    "half a reply": (b"25", Act.CLOSE),
    "half of a long reply": (b"250-Yes\r\n", Act.CLOSE),
    "garbage": (b"\x00\xff\x1b[2J garbage\r\n" * 5,),
    "a line of 2 MB": (b"250 " + b"x" * 2_000_000, Act.SILENCE),
    "a reply of 2 MB": (b"250-" + b"x" * 500 + b"\r\n" + (b"250-x\r\n" * 300_000), Act.SILENCE),
    "silence": (Act.SILENCE,),
    "an octet at a time": (Act.DRIP,),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_conversation_that_ends_at_each_stage(advice: App, end: str) -> None:
    """Before RCPT nobody is concerned; then one reader is put off; after the dot one is in doubt. No more.

    421 in reply to the dot is a refusal, and no doubt. The letter in doubt goes again as the same message.
    """
    make_readers(advice, READERS)
    script = [Fault(stage, ENDS[end], 12 * place + 5) for place, stage in enumerate(STAGES)]
    with FaultServer(script) as relay:
        ended = hasty_tick(advice, **relay.environment)
    assert (ended.code, ended.out.count("\n")) == (0, 2), ended
    stood = Counter(states(advice))
    assert stood[IN_DOUBT] == (end != "421")
    if Act.CLOSE in ENDS[end]:
        assert stood[DEFERRED] == (3 if end == "421" else 2)
    else:  # some may have been asked again at once, a command at a time
        assert stood[DEFERRED] <= 2
    assert stood.total() == stood[SENT] + stood[DEFERRED] + stood[IN_DOUBT] == READERS
    assert tries(advice) == READERS
    doubtful = doubtful_attempts(advice)
    received = relay.received + the_rest_goes_well(advice)
    assert len({one.message_id for one in received}) == READERS
    assert len(received) == READERS + len(doubtful)
    assert by_address(advice, SENT) == {one.recipient for one in received}


ALWAYS: dict[str, tuple[str, tuple[bytes | Act, ...]]] = {
    "421 for a greeting": ("", (b"421 4.3.2 Not now\r\n", Act.CLOSE)),
    "554 for a greeting": ("", (b"554 5.3.2 No mail here\r\n",)),
    "no greeting": ("", (Act.SILENCE,)),
    "another protocol": ("", (b"SSH-2.0-OpenSSH_9.2\r\n",)),
    "a greeting of 2 MB": ("", (b"220-x" * 400_000, Act.SILENCE)),
    "a slow greeting": ("", (Act.DRIP,)),
    "half an EHLO": ("EHLO", (b"250-faults.te", Act.CLOSE)),
    "silence after EHLO": ("EHLO", (Act.SILENCE,)),
    "421 to MAIL": ("MAIL", (b"421 4.3.2 Not now\r\n", Act.CLOSE)),
    "an end at MAIL": ("MAIL", (Act.CLOSE,)),
    "silence after MAIL": ("MAIL", (Act.SILENCE,)),
}


@pytest.mark.parametrize("fault", ALWAYS)
def test_a_relay_that_never_gets_as_far_as_a_reader(advice: App, fault: str) -> None:
    """One message, exit code 1, every letter queued and untried; none is lost or counted."""
    make_readers(advice, READERS)
    with FaultServer([Fault(*ALWAYS[fault])]) as relay:
        ended = hasty_tick(advice, **relay.environment)
    assert ended.code == 1
    assert ended.err.startswith(f"paperround: the relay 127.0.0.1:{relay.port} ")
    assert ended.err.endswith("Every letter that was not tried stays queued\n")
    assert ended.err.count("\n") == 1, ended.err
    assert len(ended.err) < 3000
    assert states(advice) == {QUEUED: READERS}
    assert tries(advice) == 0
    assert len(the_rest_goes_well(advice)) == READERS


@pytest.mark.parametrize("fault", ["no offer", "454", "garbage", "certificate"])
def test_tls_that_fails(advice: App, fault: str) -> None:
    """With tls = "starttls" nothing goes unprotected: one message, every letter queued."""
    make_readers(advice, READERS)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)  # an authority nobody knows
    script = {
        "454": [Fault("STARTTLS", (b"454 4.7.0 TLS not available\r\n",))],
        "garbage": [Fault("STARTTLS", (b"220 2.0.0 Ready\r\nthis is no handshake\r\n" * 3,))],
    }.get(fault, [])
    with FaultServer(script, tls=None if fault == "no offer" else context) as relay:
        ended = hasty_tick(advice, **relay.environment, PAPERROUND_RELAY__TLS="starttls")
    assert ended.code == 1
    assert ended.err.startswith(f"paperround: the relay 127.0.0.1:{relay.port} cannot be used: ")
    assert ended.err.count("\n") == 1
    assert relay.received == []
    assert states(advice) == {QUEUED: READERS}
    assert len(the_rest_goes_well(advice)) == READERS


def test_pipelining_announced_but_broken(advice: App) -> None:
    """A relay that forgets what stands behind a command: one at a time all get theirs, in two ticks."""
    readers = make_readers(advice, READERS)
    script = [Fault(stage, (said, Act.FORGET)) for stage, said in _SAYS.items()]
    with FaultServer(script) as relay:
        first = hasty_tick(advice, **relay.environment)
        assert first.code in (0, 1)
        assert set(states(advice)) <= {SENT, QUEUED, DEFERRED}
        assert hasty_tick(advice, LATER, **relay.environment).code == 0
    assert sorted(one.recipient for one in relay.received) == sorted(readers)
    assert states(advice) == {SENT: READERS}


_SAYS = {"MAIL": b"250 2.1.0 Ok\r\n", "RCPT": b"250 2.1.5 Ok\r\n", "DATA": b"354 Go on\r\n"}


@contextmanager
def smtp_sink(*switches: str) -> Iterator[dict[str, str]]:
    """Postfix's test server with its switches; gives what makes a site use it."""
    program = shutil.which("smtp-sink", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("needs smtp-sink, of Debian's postfix")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    sink = subprocess.Popen([program, *user, *switches, f"127.0.0.1:{port}", "100"])
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except ConnectionRefusedError:
                assert sink.poll() is None, "smtp-sink did not start"
            else:
                break
        yield {"PAPERROUND_RELAY__HOST": "127.0.0.1", "PAPERROUND_RELAY__PORT": str(port)}
    finally:
        sink.kill()
        sink.wait()


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("switch", ["-f", "-r"])
def test_a_sink_that_refuses_everything(advice: App, switch: str, stage: str) -> None:
    """A hard refusal bounces, but for one of MAIL; a soft one puts off. No connection is lost for it."""
    make_readers(advice, READERS)
    with smtp_sink(switch, stage) as environment:
        ended = hasty_tick(advice, **environment)
    is_final = switch == "-f" and stage != "MAIL"
    assert ended.code == 0
    assert states(advice) == {BOUNCED if is_final else DEFERRED: READERS}
    assert tries(advice) == READERS
    assert len(the_rest_goes_well(advice)) == (0 if is_final else READERS)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("switch", ["-q", "-Q"])
def test_a_sink_that_ends_every_connection(advice: App, switch: str, stage: str) -> None:
    """It counts as down at once: exit code 1, and only letters that may have caused it are concerned."""
    make_readers(advice, READERS)
    with smtp_sink(switch, stage) as environment:
        ended = hasty_tick(advice, **environment)
    assert ended.code == 1
    assert re.search(r"^paperround: the relay \S+ ends every connection", ended.err, re.MULTILINE), ended.err
    stood = states(advice)
    concerned = READERS - stood.pop(QUEUED)
    comes_to = IN_DOUBT if (switch, stage) == ("-q", ".") else DEFERRED
    assert stood == ({} if stage == "MAIL" else {comes_to: concerned})
    assert concerned <= advice.settings.relay.connections
    assert len(the_rest_goes_well(advice)) == READERS


def test_a_sink_that_refuses_while_the_message_is_on_its_way(advice: App) -> None:
    """550 while it does not read the content: bounced where that is heard, else in doubt, and never lost."""
    make_readers(advice, READERS)
    with smtp_sink("-A", "0") as environment:
        ended = hasty_tick(advice, **environment)
    assert ended.code in (0, 1)
    assert set(states(advice)) <= {BOUNCED, IN_DOUBT, QUEUED}
    the_rest_goes_well(advice)
