"""Readers erased while an issue is going out, by a real sending process, judged by the relay's record."""

from datetime import datetime

import pytest
from sqlalchemy import select
from sqlmodel import col

from newsletter.app import App
from newsletter.models import Delivery
from newsletter.privacy.erasure import Erased
from newsletter.states import DeliveryState
from tests.conftest import Clock
from tests.delivery.bigissue import SLOT, end_of, make_readers, start_paperround
from tests.delivery.claimer import Claimer
from tests.delivery.recorder import Recorder
from tests.orders import erase

PACE = {"PAPERROUND_DELIVERY__PER_MINUTE": "18000"}
"""Slowly enough that there is a middle."""


def letters_to(relay: Recorder, address: str) -> int:
    return sum(one.recipient == address for one in relay.received)


@pytest.mark.parametrize(
    ("readers", "erased"), [(600, 20), pytest.param(6000, 200, marks=pytest.mark.trial)], ids=["few", "many"]
)
def test_nothing_comes_once_the_erasure_is_acknowledged(advice: App, readers: int, erased: int) -> None:
    """Whoever is erased in the middle of a send has had their letter by then, or never has it."""
    make_readers(advice, readers)
    chosen = [f"reader{place}@example.net" for place in range(readers - 1, 0, -readers // erased)]
    at_the_end = {}
    with Recorder() as relay:
        sender = start_paperround(advice, "tick", "--at", SLOT, **PACE, **relay.environment)
        for place, address in enumerate(chosen):
            relay.wait_for((place + 1) * readers // len(chosen) // 2)
            erased = erase(advice, address, seconds=60)
            assert erased.subscriber_id is not None
            assert erased.on_the_wire == 0
            at_the_end[address] = letters_to(relay, address)
        assert end_of(sender).code == 0
        assert {address: letters_to(relay, address) for address in chosen} == at_the_end
        assert 0 in at_the_end.values(), "erased too late to prove anything"
        assert len(relay.received) == readers - sum(not count for count in at_the_end.values())
    with advice.database.read() as session:
        found = set(session.execute(select(col(Delivery.state)).distinct()).scalars())
        said = session.execute(select(col(Delivery.reply)).where(col(Delivery.reply) == "(erased)")).all()
    assert found == {DeliveryState.SENT, DeliveryState.SUPPRESSED}
    assert len(said) == len(chosen)


def test_a_letter_on_the_wire_is_waited_for(advice: App, clock: Clock) -> None:
    """While its process lives, but not for ever; whoever is interrupted in that time asks again."""
    make_readers(advice, 1)
    clock.now = datetime.fromisoformat(SLOT)
    advice.plan_due()
    waited: list[float] = []

    def erased() -> Erased:
        return erase(advice, "reader0@example.net", seconds=5, wait=wait, ticks=lambda: sum(waited))

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if not is_patient and len(waited) > 3:
            raise KeyboardInterrupt

    with Claimer(advice.settings.database_url, clock.now, 1):
        is_patient = False
        with pytest.raises(KeyboardInterrupt):
            erased()
        is_patient = True
        waited.clear()
        assert erased().on_the_wire == 1  # who was interrupted is found again
        assert 5 <= sum(waited) < 6


def test_one_whose_process_has_died_is_not_waited_for(advice: App, clock: Clock) -> None:
    """Nobody will answer any more, and it may still arrive: that is said."""
    make_readers(advice, 1)
    clock.now = datetime.fromisoformat(SLOT)
    advice.plan_due()
    waited: list[float] = []
    with Claimer(advice.settings.database_url, clock.now, 1) as sender:
        sender.kill()
        erased = erase(
            advice, "reader0@example.net", seconds=5, wait=waited.append, ticks=lambda: sum(waited)
        )
    assert erased.on_the_wire == 1  # the relay may have had it all
    assert sum(waited) < 5  # PostgreSQL may need a moment to see it gone
