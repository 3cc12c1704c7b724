"""What a reply means for the letter it answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.outcome import (
    REPLY_LIMIT,
    Outcome,
    Stage,
    broken,
    fault_of,
    replied,
    too_big,
    unreachable_address,
)
from newsletter.states import DeliveryState, Fault

COMMANDS = st.sampled_from([Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.DOT])
CODES = st.integers(200, 599)


@pytest.mark.parametrize(
    ("stage", "code", "state"),
    [
        (Stage.DOT, 250, "sent"),
        (Stage.DOT, 251, "sent"),
        (Stage.DOT, 354, "in_doubt"),  # neither yes nor no, and the body is out
        (Stage.DOT, 421, "deferred"),
        (Stage.DOT, 452, "deferred"),
        (Stage.DOT, 552, "bounced"),
        (Stage.DOT, 554, "bounced"),
        (Stage.DATA, 250, "deferred"),  # only a dot can be answered with yes
        (Stage.DATA, 451, "deferred"),
        (Stage.DATA, 554, "bounced"),
        (Stage.RCPT, 450, "deferred"),
        (Stage.RCPT, 452, "deferred"),
        (Stage.RCPT, 550, "bounced"),
        (Stage.RCPT, 552, "deferred"),  # RFC 5321 §4.5.3.1.10: too many recipients, to be read as 452
        (Stage.RCPT, 553, "bounced"),
        (Stage.MAIL, 421, "deferred"),
        (Stage.MAIL, 530, "deferred"),  # a refusal of the sender is not held against the reader
        (Stage.MAIL, 552, "deferred"),
    ],
)
def test_each_reply_leads_to_its_state(stage: Stage, code: int, state: str) -> None:
    """The table of the module's docstring, reply by reply."""
    assert replied(stage, code, "text").state == state


@given(COMMANDS, CODES, st.text())
def test_only_a_yes_to_the_message_itself_is_sent(stage: Stage, code: int, text: str) -> None:
    """A letter is sent if and only if its final dot was answered with 2yz."""
    assert (replied(stage, code, text).state is DeliveryState.SENT) == (stage is Stage.DOT and code < 300)


@given(COMMANDS, CODES, st.text())
def test_a_passing_refusal_never_ends_a_letter(stage: Stage, code: int, text: str) -> None:
    """4yz puts a letter off, at every stage; nothing but 5yz bounces it."""
    state = replied(stage, code, text).state
    if 400 <= code < 500:
        assert state is DeliveryState.DEFERRED
    if state is DeliveryState.BOUNCED:
        assert code >= 500


@pytest.mark.parametrize("stage", [Stage.CONNECT, Stage.MAIL, Stage.RCPT, Stage.DATA])
def test_a_connection_lost_before_the_body_only_defers(stage: Stage) -> None:
    """Without a body on the wire nothing can have arrived."""
    assert broken(stage, "lost") == Outcome(DeliveryState.DEFERRED, stage, None, "lost")


def test_a_connection_lost_after_the_body_leaves_a_doubt() -> None:
    """A reply that never came is neither a yes nor a no (RFC 1047)."""
    assert broken(Stage.DOT, "lost") == Outcome(DeliveryState.IN_DOUBT, Stage.DOT, None, "lost")


def test_an_address_the_relay_cannot_write_bounces_with_its_status() -> None:
    """RFC 6531 gives 5.6.7 to a relay without SMTPUTF8."""
    outcome = unreachable_address("No SMTPUTF8.")
    assert (outcome.state, outcome.enhanced_status) == (DeliveryState.BOUNCED, "5.6.7")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("2.0.0 Ok: queued as 4F2A", "2.0.0"),
        ("4.2.2", "4.2.2"),
        ("5.7.509 Access denied\n5.7.509 really", "5.7.509"),
        ("Ok 2.0.0", None),
        ("3.0.0 no such class", None),
        ("5.1.1x", None),
        ("5.1", None),
        ("5.1.1.1", None),
        ("5.1.1234", None),
        ("5.١.1 digits, but not SMTP's", None),
        ("", None),
    ],
)
def test_the_enhanced_status_is_read_only_where_rfc_2034_puts_it(text: str, status: str | None) -> None:
    """At the start of the text, complete, and of a known class; else there is none."""
    assert replied(Stage.RCPT, 550, text).enhanced_status == status


@given(COMMANDS, CODES, st.text())
def test_a_reply_is_kept_in_a_form_any_database_and_terminal_takes(
    stage: Stage, code: int, text: str
) -> None:
    """No control characters but line breaks, no surrogates, and a bounded length."""
    kept = replied(stage, code, text).reply
    assert all(char.isprintable() or char == "\n" for char in kept)
    assert len(kept) <= REPLY_LIMIT + 1
    kept.encode()
    if text.isprintable() and len(text) <= REPLY_LIMIT:
        assert kept == text


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        # STANDARDS: address dead
        ("5.1.1", Fault.ADDRESS),
        ("5.1.2", Fault.ADDRESS),
        ("5.1.3", Fault.ADDRESS),
        ("5.1.6", Fault.ADDRESS),
        ("5.1.10", Fault.ADDRESS),
        ("5.7.13", Fault.ADDRESS),
        ("5.7.17", Fault.ADDRESS),
        # mailbox disabled; mailbox full
        ("5.2.1", Fault.MAILBOX),
        ("4.2.2", Fault.MAILBOX),
        ("5.2.2", Fault.MAILBOX),
        # routing
        ("5.4.1", Fault.RELAY),
        ("5.4.4", Fault.RELAY),
        ("4.4.7", Fault.RELAY),
        ("5.4.14", Fault.RELAY),
        # policy
        ("5.7.0", Fault.POLICY),
        ("5.7.1", Fault.POLICY),
        ("4.7.28", Fault.POLICY),
        ("5.7.26", Fault.POLICY),
        ("5.7.509", Fault.POLICY),
        ("5.1.7", Fault.POLICY),
        ("5.1.8", Fault.POLICY),
        # content and size
        ("5.2.3", Fault.MESSAGE),
        ("5.3.4", Fault.MESSAGE),
        ("5.6.0", Fault.MESSAGE),
        ("5.6.1", Fault.MESSAGE),
        ("5.6.7", Fault.MESSAGE),
        # the relay itself
        ("5.0.0", Fault.RELAY),
        ("4.3.0", Fault.RELAY),
        ("4.3.2", Fault.RELAY),
        ("5.3.0", Fault.RELAY),
        ("5.5.1", Fault.RELAY),
        ("5.9.9", Fault.RELAY),
        ("5.999.999", Fault.RELAY),
        # written with zeros that RFC 3463 §2 forbids
        ("5.01.001", Fault.ADDRESS),
        ("5.07.013", Fault.ADDRESS),
    ],
)
@pytest.mark.parametrize("stage", [Stage.RCPT, Stage.DATA, Stage.DOT])
def test_the_enhanced_status_says_whose_fault_it_is(stage: Stage, status: str, fault: Fault) -> None:
    """STANDARDS §3 "Class", and the IANA registry of enhanced status codes; the basic code adds nothing."""
    for code in (421, 450, 550, 552, 554):
        assert fault_of(stage, code, status) is fault


@pytest.mark.parametrize("status", ["5.1.1", "5.1.8", "5.2.1", "5.2.2", "5.7.1", "5.7.13"])
def test_a_refusal_of_the_sender_is_never_the_readers_fault(status: str) -> None:
    """At MAIL no reader has been named yet."""
    assert fault_of(Stage.MAIL, 550, status) is Fault.POLICY


@pytest.mark.parametrize(
    ("code", "mail", "rcpt", "data"),
    [
        (None, Fault.RELAY, Fault.RELAY, Fault.RELAY),
        (354, Fault.RELAY, Fault.RELAY, Fault.RELAY),
        (421, Fault.RELAY, Fault.RELAY, Fault.RELAY),
        (450, Fault.RELAY, Fault.RELAY, Fault.RELAY),
        (451, Fault.RELAY, Fault.RELAY, Fault.RELAY),
        (452, Fault.RELAY, Fault.MAILBOX, Fault.RELAY),
        (500, Fault.POLICY, Fault.RELAY, Fault.RELAY),
        (501, Fault.POLICY, Fault.ADDRESS, Fault.MESSAGE),
        (502, Fault.POLICY, Fault.RELAY, Fault.RELAY),
        (503, Fault.POLICY, Fault.RELAY, Fault.RELAY),
        (504, Fault.POLICY, Fault.RELAY, Fault.MESSAGE),
        (521, Fault.POLICY, Fault.RELAY, Fault.RELAY),
        (530, Fault.POLICY, Fault.POLICY, Fault.MESSAGE),
        (550, Fault.POLICY, Fault.ADDRESS, Fault.MESSAGE),
        (551, Fault.POLICY, Fault.ADDRESS, Fault.MESSAGE),
        (552, Fault.POLICY, Fault.MAILBOX, Fault.MESSAGE),
        (553, Fault.POLICY, Fault.ADDRESS, Fault.MESSAGE),
        (554, Fault.POLICY, Fault.POLICY, Fault.MESSAGE),
        (555, Fault.POLICY, Fault.RELAY, Fault.RELAY),
        (556, Fault.POLICY, Fault.ADDRESS, Fault.MESSAGE),
        (571, Fault.POLICY, Fault.POLICY, Fault.MESSAGE),
    ],
)
def test_without_a_reason_the_code_and_its_stage_say_it(
    code: int | None, mail: Fault, rcpt: Fault, data: Fault
) -> None:
    """To RCPT 501, 550, 551, 553 and 556 are about the address, 452 and 552 about its room (RFC 5321, 7504).

    What the relay does not understand, or takes from nobody, is about the relay.
    """
    found = [fault_of(stage, code, None) for stage in (Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.DOT)]
    assert found == [mail, rcpt, data, data]


@given(COMMANDS, CODES, st.from_regex(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", fullmatch=True) | st.text())
def test_every_refusal_has_a_fault_and_no_yes_has_one(stage: Stage, code: int, text: str) -> None:
    """Whatever is written there; and policy and the message never count against a reader (check 37)."""
    outcome = replied(stage, code, text)
    assert (outcome.fault is None) == (outcome.state is DeliveryState.SENT)
    if outcome.enhanced_status and outcome.fault in (Fault.ADDRESS, Fault.MAILBOX):
        _, subject, detail = (int(part) for part in outcome.enhanced_status.split("."))
        assert subject in (1, 2) or (subject, detail) in ((7, 13), (7, 17))
        assert (subject, detail) not in ((1, 7), (1, 8), (2, 3))


def test_a_letter_beyond_the_announced_size_is_its_own_fault() -> None:
    """RFC 1870 §6.1 gives 5.3.4; the reader is not to blame, and the relay has said nothing."""
    outcome = too_big(2000, 1000)
    assert (outcome.state, outcome.code, outcome.enhanced_status) == (DeliveryState.BOUNCED, None, "5.3.4")
    assert outcome.fault is Fault.MESSAGE
    assert "2000" in outcome.reply
    assert "1000" in outcome.reply


@pytest.mark.parametrize(
    ("code", "text", "eases_off"),
    [
        (421, "Later", True),
        (421, "4.3.2 Later", True),
        (450, "4.7.1 Too fast", True),
        (451, "4.7.28 Too fast", True),
        (450, "4.2.1 Too fast for this reader", False),
        (451, "4.3.0 Trouble", False),
        (550, "5.7.1 No", False),
        (450, "No 4.7.1", False),
    ],
)
def test_only_421_and_a_passing_policy_refusal_ask_for_less(code: int, text: str, eases_off: bool) -> None:
    """421 is about the session, 4.7.x about how much is sent; a full mailbox is no reason to slow down."""
    assert replied(Stage.RCPT, code, text).eases_off is eases_off


@pytest.mark.parametrize(
    ("stage", "code", "text", "is_distrust"),
    [
        (Stage.RCPT, 451, "4.7.1 Greylisted, come back later", False),
        (Stage.RCPT, 450, "4.2.0 Greylisted", False),
        (Stage.DOT, 451, "4.7.0 Try again", False),
        (Stage.RCPT, 421, "4.7.0 Unusual rate", True),
        (Stage.DOT, 421, "4.7.28 Rate of mail from your address", True),
        (Stage.RCPT, 451, "4.7.500 Server busy", True),
        (Stage.RCPT, 550, "5.7.1 Not you", True),
        (Stage.RCPT, 550, "5.1.1 Nobody", False),
        (Stage.RCPT, 501, "Syntax error in the address", False),
        (Stage.RCPT, 504, "5.5.2 Need a fully-qualified address", False),
        (Stage.RCPT, 556, "That domain takes no mail", False),
        (Stage.RCPT, 521, "This host takes no mail", True),
        (Stage.RCPT, 503, "5.5.1 Bad sequence of commands", True),
        (Stage.RCPT, 555, "No such parameter", True),
        (Stage.DOT, 250, "2.7.0 Taken", False),
    ],
)
def test_what_would_be_said_to_other_letters_too_is_distrust(
    stage: Stage, code: int, text: str, is_distrust: bool
) -> None:
    """A domain that greylists each newcomer is not left alone for it; one that names the sender's rate is.

    Bad addresses are no reason to leave a relay alone; that it takes nothing at all is.
    """
    assert replied(stage, code, text).is_distrust is is_distrust
