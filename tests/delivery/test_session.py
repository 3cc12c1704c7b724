"""The SMTP session without a network: octet by octet, reply by reply, minute by minute."""

import asyncio
import re
import selectors
from collections import deque
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.delivery.outcome import Stage
from newsletter.delivery.session import TIME_LIMITS, Offers, Session, Unsuitable, envelope
from newsletter.delivery.transport import Letter
from newsletter.states import DeliveryState
from tests.delivery.sender import Sender

LETTERS = [
    Letter(f"bounce+{number}@example.org", f"r{number}@example.net", b"Subject: %d\r\n\r\n.Hi\r\n" % number)
    for number in range(3)
]
EVERYTHING = Offers(pipelining=True, size=0, eight_bit_mime=True, smtputf8=True, dsn=True)
MODES = [EVERYTHING, Offers()]
STAGES = [Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.DOT]
TAKEN = {Stage.MAIL: 250, Stage.RCPT: 250, Stage.DATA: 354, Stage.DOT: 250}
both_modes = pytest.mark.parametrize("offers", MODES, ids=["pipelined", "one at a time"])


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose time passes when the test says so."""

    def __init__(self) -> None:
        super().__init__(selectors.SelectSelector())
        self.now = 0.0

    def time(self) -> float:
        return self.now


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: deque[bytes] = deque()
        self.is_cut = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_cut, "nothing is written to a connection that was cut"
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.is_cut

    def abort(self) -> None:
        self.is_cut = True


class StrictRelay:
    """Takes writes apart as RFC 5321 and RFC 2920 have them, and stumbles over everything else."""

    _ENVELOPE = re.compile(rb"(MAIL FROM|RCPT TO):<([^>]*)>((?: [^ ]+)*)\Z")
    _NEEDS = ({b"SIZE": "size", b"BODY": "eight_bit_mime", b"SMTPUTF8": "smtputf8"}) | dict.fromkeys(
        (b"RET", b"ENVID", b"NOTIFY", b"ORCPT"), "dsn"
    )

    def __init__(self, offers: Offers) -> None:
        self.offers = offers
        self.accepted: list[Letter] = []
        self.commands: list[bytes] = []
        self.refuses: dict[Stage, int] = {}
        self._expected = Stage.MAIL
        self._path = {b"MAIL FROM": "", b"RCPT TO": ""}
        self._is_refused = False

    def take(self, octets: bytes) -> list[tuple[Stage, bytes]]:
        """The replies to one write, and what each answers."""
        replies = []
        if self._expected is Stage.DOT:
            content, octets = self._content(octets)
            replies.append(self._reply(Stage.DOT))
            if replies[0][1].startswith(b"2"):
                paths = self._path
                self.accepted.append(Letter(paths[b"MAIL FROM"], paths[b"RCPT TO"], content))
            self._expected = Stage.MAIL
        *commands, rest = octets.split(b"\r\n")
        assert rest == b"", "a command ends with CRLF"
        for place, command in enumerate(commands, 1):
            replies.append(self._command(command))
            if command in (b"DATA", b"QUIT"):
                assert place == len(commands), "DATA and QUIT end their group (RFC 2920 §3.1)"
        assert self.offers.pipelining or len(replies) == 1, "without PIPELINING, one at a time"
        return replies

    def _content(self, octets: bytes) -> tuple[bytes, bytes]:
        lines, rest = [], octets
        while True:
            line, end, rest = rest.partition(b"\r\n")
            assert end, "the content is complete in its write"
            if line == b".":
                return b"".join(lines), rest
            lines.append(line.removeprefix(b".") + end)

    def _command(self, command: bytes) -> tuple[Stage, bytes]:
        self.commands.append(command)
        if command in (b"RSET", b"QUIT"):
            self._expected, self._is_refused = Stage.MAIL, False
            return Stage.CONNECT, b"250 Ok\r\n"
        if command == b"DATA":
            assert self._expected is Stage.DATA
            reply = self._reply(Stage.DATA)
            self._expected = Stage.DOT if reply[1].startswith(b"3") else Stage.MAIL
            return reply
        found = self._ENVELOPE.match(command)
        assert found, command
        stage = Stage.MAIL if found[1] == b"MAIL FROM" else Stage.RCPT
        assert stage is self._expected
        assert stage is Stage.RCPT or not self._is_refused, "RSET after a refusal"
        self._path[found[1]] = found[2].decode()
        for parameter in found[3].split():
            offer = getattr(self.offers, self._NEEDS[parameter.partition(b"=")[0]])
            assert offer is not None, "only what the last EHLO offered"
            assert offer is not False, "only what the last EHLO offered"
        self._expected = Stage.RCPT if stage is Stage.MAIL else Stage.DATA
        return self._reply(stage)

    def _reply(self, stage: Stage) -> tuple[Stage, bytes]:
        code = self.refuses.get(stage, TAKEN[stage])
        if stage is Stage.DOT and self._is_refused:
            code = 554
        self._is_refused |= code >= 400 and stage is not Stage.DOT
        return stage, b"%d Some words\r\n" % code


class Scene:
    """A session, its user, and a relay; `replies` are those under way."""

    def __init__(self, offers: Offers, letters: list[Letter] = LETTERS) -> None:
        self.wire = Wire()
        self.relay = StrictRelay(offers)
        self.sender = Sender(letters)
        self.session = Session(offers, self.sender)
        self.session.connection_made(self.wire)
        self.replies: deque[tuple[Stage, bytes]] = deque()
        self.groups: list[bytes] = []
        self.sender.begin(self.session)

    def play(self, most: int = 1000) -> int:
        """Let the relay give its replies, this many at most; returns how many it gave."""
        count = 0
        while True:
            while self.wire.writes:
                self.groups.append(self.wire.writes[0])
                self.replies.extend(self.relay.take(self.wire.writes.popleft()))
            if not self.replies or count == most:
                return count
            count += 1
            self.session.data_received(self.replies.popleft()[1])


def timeless(scenario: Callable[[], None]) -> None:
    """Run a scenario that never waits, in an event loop that stands still."""

    async def main() -> None:
        scenario()

    with asyncio.Runner(loop_factory=Clock) as runner:
        runner.run(main())


# The transcript


@both_modes
def test_a_strict_relay_has_nothing_to_object_to(offers: Offers) -> None:
    """STANDARDS checks 22, 23, 24: offered extensions only, groups end at DATA, dots are stuffed."""

    def scenario() -> None:
        scene = Scene(offers)
        scene.play()
        assert scene.sender.states == ["sent"] * 3
        assert scene.relay.accepted == LETTERS

    timeless(scenario)


def test_a_letter_costs_one_round_trip() -> None:
    """Check 23: a letter's content, its dot and the next one's MAIL, RCPT and DATA are one write."""

    def scenario() -> None:
        scene = Scene(EVERYTHING)
        scene.play()
        first, *contents = scene.groups
        assert [line.split()[0] for line in first.splitlines()] == [b"MAIL", b"RCPT", b"DATA"]
        assert len(contents) == len(LETTERS)
        for place, group in enumerate(contents):
            content, dot, following = group.partition(b"\r\n.\r\n")
            assert content.startswith(b"Subject: %d\r\n" % place)
            assert dot
            verbs = [line.split()[0] for line in following.splitlines()]
            assert verbs == ([b"MAIL", b"RCPT", b"DATA"] if place < 2 else [])

    timeless(scenario)


@both_modes
@pytest.mark.parametrize("code", [451, 550])
@pytest.mark.parametrize("refused", STAGES)
@pytest.mark.parametrize("after", [{}, {Stage.DATA: 503}, {Stage.DATA: 451, Stage.RCPT: 503}])
def test_replies_are_matched_one_by_one_and_all_of_them(
    refused: Stage, code: int, after: dict[Stage, int], offers: Offers
) -> None:
    """Check 23: the first refusal counts, whatever the others say; a 354 all the same gets a lone dot."""

    def scenario() -> None:
        scene = Scene(offers)
        scene.relay.refuses = {
            stage: reply for stage, reply in after.items() if STAGES.index(stage) > STAGES.index(refused)
        } | {refused: code}
        scene.play()
        assert scene.relay.accepted == []
        assert [letter for letter, _ in scene.sender.outcomes] == LETTERS
        assert {(outcome.stage, outcome.code) for _, outcome in scene.sender.outcomes} == {(refused, code)}
        asked = offers.pipelining and refused in (Stage.MAIL, Stage.RCPT) and Stage.DATA not in after
        assert any(group == b".\r\n" for group in scene.groups) == asked
        assert scene.relay.commands.count(b"RSET") == (0 if refused is Stage.DOT else len(LETTERS) - 1)

    timeless(scenario)


@given(
    st.lists(
        st.text("ab.\t é", max_size=6).map(str.encode) | st.sampled_from([b".", b"..", b"...", b""]),
        max_size=9,
    )
)
@example([b"."])
@example([b".", b"QUIT", b"."])
def test_any_content_arrives_as_it_is(lines: list[bytes]) -> None:
    """Check 24: dots are stuffed and nothing else is touched (RFC 5321 §4.5.2)."""
    letter = Letter("bounce@example.org", "r@example.net", b"".join(line + b"\r\n" for line in lines))

    def scenario() -> None:
        scene = Scene(EVERYTHING, [letter, LETTERS[0]])
        scene.play()
        assert scene.relay.accepted == [letter, LETTERS[0]]

    timeless(scenario)


# Ends of a connection


def _end_of_file(session: Session) -> None:
    session.connection_lost(None)


def _reset(session: Session) -> None:
    session.connection_lost(ConnectionResetError("reset by peer"))


def _garbage(session: Session) -> None:
    session.data_received(b"\x16\x03\x01\x02\r\n")


def _half_a_reply(session: Session) -> None:
    session.data_received(b"250-Half")
    session.connection_lost(None)


def _endless(session: Session) -> None:
    session.data_received(b"250 " + b"x" * 2_000_000)


@both_modes
@pytest.mark.parametrize("end", [_end_of_file, _reset, _garbage, _half_a_reply, _endless])
@pytest.mark.parametrize("replies", range(13))
def test_a_lost_connection_keeps_what_is_settled(
    replies: int, end: Callable[[Session], None], offers: Offers
) -> None:
    """Check 28, at each of the twelve replies of three letters, and behind them.

    What was answered stays. The letter whose content is out is in doubt, and no other; the one that was
    about to be asked for counts as a 451, unless what came makes its whole group suspect; the one proposed
    behind is untried.
    """
    is_suspect = offers.pipelining and end in (_garbage, _endless)

    def scenario() -> None:
        scene = Scene(offers)
        assert scene.play(replies) == replies
        place, stage = replies // 4, STAGES[replies % 4]
        end(scene.session)
        put_off = [] if is_suspect else ["deferred"]
        ends = {Stage.MAIL: [], Stage.RCPT: put_off, Stage.DATA: put_off, Stage.DOT: ["in_doubt"]}
        is_under_way = place < len(LETTERS)
        expected = ["sent"] * place + (ends[stage] if is_under_way else [])
        assert scene.sender.states == expected
        assert [letter for letter, _ in scene.sender.outcomes] == LETTERS[: len(expected)]
        is_untried = is_suspect or stage in (Stage.MAIL, Stage.DOT)
        assert scene.sender.untried == (LETTERS[len(expected) : len(expected) + 1] if is_untried else [])
        if is_under_way and ends[stage]:
            assert scene.sender.outcomes[-1][1].stage is stage
        assert len(scene.sender.losses) == 1
        assert scene.wire.is_cut
        assert not scene.session.is_usable
        assert not scene.wire.writes

    timeless(scenario)


@both_modes
@pytest.mark.parametrize("replies", range(13))
def test_421_may_come_at_any_point(replies: int, offers: Offers) -> None:
    """Check 28: 421 for a letter's RCPT, DATA or content puts it off; for MAIL it is about the session.

    Between letters it ends the session without harm. No command follows it.
    """

    def scenario() -> None:
        scene = Scene(offers)
        scene.play(replies)
        place, stage = replies // 4, STAGES[replies % 4]
        scene.session.data_received(b"421 4.3.2 Shutting down\r\n250 more\r\nand more\r\n")
        is_told = place < len(LETTERS) and stage is not Stage.MAIL
        assert scene.sender.states == ["sent"] * place + ["deferred"] * is_told
        if is_told:
            last = scene.sender.outcomes[-1][1]
            assert (last.stage, last.code, last.eases_off) == (stage, 421, True)
        [loss] = scene.sender.losses
        assert loss.eases_off == (stage is Stage.MAIL and place < len(LETTERS))
        told = len(scene.sender.outcomes)
        is_untried = stage in (Stage.MAIL, Stage.DOT)
        assert scene.sender.untried == (LETTERS[told : told + 1] if is_untried else [])
        assert not scene.wire.writes
        assert not scene.session.lost_track

    timeless(scenario)


@both_modes
@pytest.mark.parametrize("refused", [Stage.MAIL, Stage.RCPT])
def test_421_after_a_refusal_leaves_the_refusal(refused: Stage, offers: Offers) -> None:
    """The word on the letter is the first; 421 in place of a later reply, or of RSET's, ends the session."""

    def scenario() -> None:
        scene = Scene(offers)
        scene.relay.refuses = {refused: 550}
        scene.play(STAGES.index(refused) + 1)
        scene.session.data_received(b"421 4.3.2 Shutting down\r\n")
        assert [outcome.code for _, outcome in scene.sender.outcomes] == [550]
        assert len(scene.sender.losses) == 1
        assert not scene.wire.writes

    timeless(scenario)


def test_421_to_a_lone_dot_leaves_the_refusal() -> None:
    """The same where the relay had asked for content all the same."""

    def scenario() -> None:
        scene = Scene(EVERYTHING)
        scene.relay.refuses = {Stage.RCPT: 550}
        scene.play(3)
        assert scene.replies.popleft()[0] is Stage.DOT
        scene.session.data_received(b"421 4.3.2 Shutting down\r\n")
        assert [(outcome.stage, outcome.code) for _, outcome in scene.sender.outcomes] == [(Stage.RCPT, 550)]
        assert len(scene.sender.losses) == 1
        assert not scene.wire.writes

    timeless(scenario)


@both_modes
def test_more_than_was_asked_is_no_answer(offers: Offers) -> None:
    """A reply too many ends the connection before it can be taken for the word on another letter."""

    def scenario() -> None:
        scene = Scene(offers)
        scene.play()
        scene.session.data_received(b"250 2.0.0 And another one\r\n")
        assert scene.sender.states == ["sent"] * 3
        assert "unasked" in scene.sender.losses[0].reply
        assert scene.session.lost_track

    timeless(scenario)


@both_modes
@pytest.mark.parametrize("code", [354, 399])
def test_an_answer_that_is_none_leaves_a_doubt(code: int, offers: Offers) -> None:
    """3yz to the content is neither yes nor no: the connection is given up with one letter in doubt."""

    def scenario() -> None:
        scene = Scene(offers)
        scene.play(3)
        scene.session.data_received(b"%d What?\r\n" % code)
        [(letter, outcome)] = scene.sender.outcomes
        assert (letter, outcome.state, outcome.code) == (LETTERS[0], DeliveryState.IN_DOUBT, code)
        assert scene.sender.untried == [LETTERS[1]]
        assert scene.session.lost_track

    timeless(scenario)


@both_modes
def test_after_abandon_nothing_is_told_or_written(offers: Offers) -> None:
    """Cut by its user, the session is silent, whatever the relay still says, garbage included."""

    def scenario() -> None:
        scene = Scene(offers)
        scene.play(2)
        scene.session.abandon()
        scene.session.data_received(b"354 Go on\r\n250 Ok\r\n")
        scene.session.data_received(b"garbage\r\n")
        scene.session.connection_lost(None)
        assert (scene.sender.outcomes, scene.sender.losses, scene.session.lost_track) == ([], [], False)

    timeless(scenario)


# Time


async def _turn() -> None:
    """Let everything happen that is due."""
    for _ in range(3):
        await asyncio.sleep(0)


@both_modes
@pytest.mark.parametrize("dribbled", [b"", b"2", b"250-One line\r\n250"])
@pytest.mark.parametrize(("replies", "minutes"), [(0, 5), (1, 5), (2, 2), (3, 10), (4, 5), (7, 10)])
def test_each_reply_has_its_time(replies: int, minutes: float, dribbled: bytes, offers: Offers) -> None:
    """Check 25: the dot's reply has ten minutes, each other what RFC 5321 §4.5.3.2 gives it.

    A part of a reply gains a relay no time.
    """

    async def main() -> None:
        clock = asyncio.get_running_loop()
        assert isinstance(clock, Clock)
        scene = Scene(offers)
        if replies:
            scene.play(replies - 1)
            clock.now += 60
            scene.play(1)
        clock.now += minutes * 60 - 1
        await _turn()
        assert scene.sender.losses == []
        scene.session.data_received(dribbled)
        clock.now += 2
        await _turn()
        assert [loss.reply for loss in scene.sender.losses] == ["the relay did not answer in time."]
        in_doubt = [state for state in scene.sender.states if state == "in_doubt"]
        assert len(in_doubt) == (1 if minutes == 10 else 0)
        assert scene.session.lost_track

    with asyncio.Runner(loop_factory=Clock) as runner:
        runner.run(main())


def test_rset_has_the_time_of_a_command() -> None:
    """A relay that thinks long after a refusal is not taken for dead."""

    async def main() -> None:
        clock = asyncio.get_running_loop()
        assert isinstance(clock, Clock)
        scene = Scene(Offers(pipelining=True), LETTERS[:2])
        scene.relay.refuses = {Stage.DATA: 550}
        scene.play(2)
        scene.relay.refuses.clear()
        scene.play(1)
        clock.now += 299
        await _turn()
        assert scene.sender.losses == []
        scene.play()
        assert scene.sender.states == ["bounced", "sent"]

    with asyncio.Runner(loop_factory=Clock) as runner:
        runner.run(main())


def test_an_idle_session_has_all_the_time() -> None:
    """Nothing is asked, nothing is late."""

    async def main() -> None:
        clock = asyncio.get_running_loop()
        assert isinstance(clock, Clock)
        scene = Scene(EVERYTHING)
        scene.play()
        clock.now += 86400
        await _turn()
        assert scene.session.is_usable
        scene.sender.waiting.append(LETTERS[0])
        scene.sender.begin(scene.session)
        clock.now += 299
        await _turn()
        scene.play()
        assert scene.sender.states == ["sent"] * 4

    with asyncio.Runner(loop_factory=Clock) as runner:
        runner.run(main())


@pytest.mark.parametrize("answer", [b"221 Bye\r\n", b"421 Bye\r\n", b"nonsense\r\n", None, b""])
def test_taking_leave_is_no_loss(answer: bytes | None) -> None:
    """Whatever the relay makes of QUIT, or makes nothing of it, this side has ended the session."""

    async def main() -> None:
        clock = asyncio.get_running_loop()
        assert isinstance(clock, Clock)
        scene = Scene(EVERYTHING)
        scene.play()
        leaving = asyncio.create_task(scene.session.quit())
        await _turn()
        assert scene.wire.writes == deque([b"QUIT\r\n"])
        if answer is None:
            scene.session.connection_lost(None)
        else:
            scene.session.data_received(answer)
        if not answer:
            clock.now += 6
        await _turn()
        assert leaving.done()
        assert scene.wire.is_cut
        assert scene.sender.losses == []

    with asyncio.Runner(loop_factory=Clock) as runner:
        runner.run(main())


# Letters that a relay has said it can not take


def test_a_letter_that_cannot_be_taken_costs_no_word() -> None:
    """It is answered on its own, between letters that go; the relay never hears of it."""
    large = LETTERS[1]._replace(content=b"x\r\n" * 100)

    async def main() -> None:
        scene = Scene(Offers(pipelining=True, size=200), [LETTERS[0], large, LETTERS[2]])
        for _ in range(3):
            scene.play()
            await _turn()
        assert scene.relay.accepted == [LETTERS[0], LETTERS[2]]
        outcome = dict(scene.sender.outcomes)[large]
        assert (outcome.state, outcome.enhanced_status) == (DeliveryState.BOUNCED, "5.3.4")
        assert not any(large.recipient.encode() in command for command in scene.relay.commands)
        assert b"RSET" not in scene.relay.commands

    with asyncio.Runner(loop_factory=Clock) as runner:
        runner.run(main())


@pytest.mark.parametrize("ending", ["lost", "abandoned"])
def test_a_letter_that_cannot_be_taken_is_told_before_a_loss_or_never(ending: str) -> None:
    """The loss comes last; after `abandon()` comes nothing."""

    async def main() -> None:
        scene = Scene(Offers(size=10))
        if ending == "lost":
            scene.session.connection_lost(None)
            assert scene.sender.states == ["bounced"]
            assert scene.sender.untried == []
        else:
            scene.session.abandon()
        told = list(scene.sender.outcomes)
        await _turn()
        assert scene.sender.outcomes == told

    with asyncio.Runner(loop_factory=Clock) as runner:
        runner.run(main())


# MAIL and RCPT

ADDRESSES = st.builds(
    "{}@{}".format,
    st.text(
        st.characters(min_codepoint=33, max_codepoint=127, exclude_characters="<>@"), min_size=1, max_size=64
    ),
    st.sampled_from(["example.org", "a" * 63 + ".example", "xn--e1afmkfd.example"]),
)
WORDS = [b"Hi\r\n", b"Subject: \xc3\xa9\r\n\r\n"]


def xtext(text: str) -> str:
    """RFC 3461 §4, octet by octet: "!" to "~" but "+" and "=" stand for themselves, all else is hexchar."""
    return "".join(
        chr(octet) if 33 <= octet <= 126 and chr(octet) not in "+=" else f"+{octet:02X}"
        for octet in text.encode()
    )


@given(
    st.builds(
        Letter,
        ADDRESSES | st.just("новости@example.org") | st.just(""),
        ADDRESSES | st.just("иван@example.net"),
        st.sampled_from(WORDS),
    ),
    st.builds(
        Offers,
        st.booleans(),
        st.sampled_from([None, 0, 1, 4, 5, 10**9]),
        st.booleans(),
        st.booleans(),
        st.booleans(),
    ),
)
@example(LETTERS[0]._replace(return_path=""), EVERYTHING)
@example(LETTERS[0]._replace(return_path="a" * 96 + "@b.c"), EVERYTHING)
@example(LETTERS[0]._replace(return_path="a" * 97 + "@b.c"), EVERYTHING)
@example(LETTERS[0]._replace(return_path="a" * 90 + "+===@b.c"), EVERYTHING)
def test_parameters_are_those_offered_and_needed(letter: Letter, offers: Offers) -> None:
    """Check 22, against a slow definition: SIZE, BODY, SMTPUTF8 and DSN as their RFCs have them."""
    size = len(letter.content)
    beyond = not (letter.return_path + letter.recipient).isascii() or not letter.content.isascii()
    try:
        mail, rcpt = envelope(letter, offers)
    except Unsuitable as refusal:
        outcome = refusal.outcome
    else:
        outcome = None
    if outcome is not None:
        too_big = bool(offers.size) and size > (offers.size or 0)
        assert outcome.state is DeliveryState.BOUNCED
        assert outcome.enhanced_status == ("5.3.4" if too_big else "5.6.7")
        assert too_big or (beyond and not offers.smtputf8)
        return
    assert not offers.size or size <= offers.size
    mails = [f"SIZE={size}"] if offers.size is not None else []
    rcpts = []
    if beyond:
        assert offers.smtputf8
        mails += ["SMTPUTF8"] + ["BODY=8BITMIME"] * offers.eight_bit_mime
    elif offers.dsn:
        envid = xtext(letter.return_path)
        mails += ["RET=HDRS"] + [f"ENVID={envid}"] * (0 < len(envid) <= 100)
        rcpts += ["NOTIFY=FAILURE", f"ORCPT=rfc822;{xtext(letter.recipient)}"]
    assert mail.decode() == " ".join([f"MAIL FROM:<{letter.return_path}>", *mails]) + "\r\n"
    assert rcpt.decode() == " ".join([f"RCPT TO:<{letter.recipient}>", *rcpts]) + "\r\n"


@pytest.mark.parametrize(
    ("size", "understood"),
    [
        ("", 0),
        ("0", 0),
        ("1000", 1000),
        ("9" * 20, 10**20 - 1),
        ("9" * 5000, 0),
        ("many", 0),
        ("-1", 0),
        ("٣", 0),
    ],
)
def test_size_is_read_whatever_stands_there(size: str, understood: int) -> None:
    """RFC 1870 §3: up to twenty digits; what is no such number sets no limit."""
    assert Offers.of({"size": size}).size == understood


def test_offers_are_read_by_their_keywords() -> None:
    """What is not offered is not there."""
    assert Offers.of({}) == Offers()
    keywords = {"pipelining": "", "size": "0", "8bitmime": "", "smtputf8": "", "dsn": "", "chunking": ""}
    assert Offers.of(keywords) == EVERYTHING


def test_the_time_limits_are_those_of_the_standard() -> None:
    """RFC 5321 §4.5.3.2: greeting, MAIL and RCPT 5 minutes, DATA 2 minutes, the message's end 10 minutes."""
    assert dict(zip((Stage.CONNECT, *STAGES), (300, 300, 300, 120, 600), strict=True)) == TIME_LIMITS


@both_modes
def test_a_relay_that_is_tired_of_waiting_closes(offers: Offers) -> None:
    """An idle connection ended in other words than 421, as qmail does, says nothing of pipelining."""

    def scenario() -> None:
        scene = Scene(offers)
        scene.play()
        scene.session.data_received(b"451 timeout (#4.4.2)\r\n")
        assert "timeout" in scene.sender.losses[0].reply
        assert not scene.session.lost_track

    timeless(scenario)


@both_modes
def test_a_letter_by_itself_waits_for_every_answer(offers: Offers) -> None:
    """Behind another letter and first of all: one command at a time, and nothing else is out meanwhile."""

    def scenario() -> None:
        letters = [LETTERS[0], LETTERS[1]._replace(is_alone=True), LETTERS[2]._replace(is_alone=True)]
        scene = Scene(offers, letters)
        scene.play()
        assert scene.sender.states == ["sent"] * 3
        alone = [group for group in scene.groups if LETTERS[1].recipient.encode() in group]
        assert [group.split(b" ")[0] for group in alone][:1] == [b"RCPT"]
        assert all(group.count(b"\r\n") == 1 for group in alone)

    timeless(scenario)
