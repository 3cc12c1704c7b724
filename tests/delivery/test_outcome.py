"""What a reply means for the letter it answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.outcome import REPLY_LIMIT, Outcome, Stage, broken, replied, unreachable_address
from newsletter.states import DeliveryState

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
