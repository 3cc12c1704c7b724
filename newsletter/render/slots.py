"""The slots of a letter's body: the one place that says what differs from reader to reader there."""

from dataclasses import dataclass
from enum import StrEnum


class Slot(StrEnum):
    """A place in the body that differs from reader to reader."""

    ADDRESS = "address"
    UNSUBSCRIBE_URL = "unsubscribeurl"
    PREFERENCES_URL = "preferencesurl"


@dataclass(frozen=True, slots=True)
class Slots:
    """What stands in the reader's places of a template.

    When an edition is compiled these are sentinels (ASCII letters and digits), later replaced reader by
    reader; `paperround render` fills in examples instead.
    """

    address: str
    unsubscribe_url: str
    preferences_url: str
