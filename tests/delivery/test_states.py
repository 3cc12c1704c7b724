"""The states of a delivery, and which may follow which."""

from newsletter.states import LEGAL, OPEN, UNSENT, DeliveryState

State = DeliveryState


def reachable(start: State) -> set[State]:
    """Every state that may come after `start`, sooner or later."""
    found: set[State] = set()
    unexplored = [start]
    while unexplored:
        new = LEGAL[unexplored.pop()] - found
        found |= new
        unexplored += new
    return found


def test_the_map_is_closed() -> None:
    """Every state has its entry, and leads only to states."""
    assert set(LEGAL) == set(State)
    assert all(after <= set(State) for after in LEGAL.values())
    assert all(state not in after for state, after in LEGAL.items())


def test_every_state_can_come_about() -> None:
    """The table leads to each from queued, though no code takes the ways to `held` and `suppressed` yet."""
    assert reachable(State.QUEUED) >= set(State) - {State.QUEUED}


def test_what_ends_unsent_stays_so_unless_a_person_asks_again() -> None:
    """The ends that give the receipt back have nothing after them but being queued anew."""
    assert {state for state, after in LEGAL.items() if not after - {State.QUEUED}} == set(UNSENT)


def test_what_is_not_on_the_wire_can_be_stopped() -> None:
    """An open letter may be cancelled; one whose body is out may not, nor be given back as untried."""
    assert all(State.CANCELLED in LEGAL[state] for state in OPEN)
    assert not LEGAL[State.SENDING] & {State.CANCELLED, State.QUEUED, State.CLAIMED, State.HELD}


def test_nothing_is_sent_that_was_not_on_the_wire() -> None:
    """Only a letter whose body was written can come to be sent or in doubt; a claim may keep a doubt."""
    doubtful = {state for state, after in LEGAL.items() if State.IN_DOUBT in after}
    assert doubtful == {State.SENDING, State.CLAIMED}
    assert State.CLAIMED in LEGAL[State.IN_DOUBT], "where it came from"
    assert {state for state, after in LEGAL.items() if State.SENT in after} == {State.SENDING, State.IN_DOUBT}


def test_every_way_to_the_wire_leads_through_a_claim() -> None:
    """Only a claimed letter is sent, so that two processes cannot send one."""
    assert {state for state, after in LEGAL.items() if State.SENDING in after} == {State.CLAIMED}
