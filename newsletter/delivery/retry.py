"""When a deferred letter is tried again.

RFC 5321 §4.5.4.1 asks for two tries in the first hour and then one every two or three hours; greylisting
(RFC 6647) lets a second try in after minutes. Jitter keeps a whole issue from coming back at one moment.
"""

from datetime import datetime, timedelta

_DELAYS = (timedelta(minutes=5), timedelta(minutes=20), timedelta(minutes=45), timedelta(minutes=90))
_LAST_DELAY = timedelta(hours=3)
_JITTER = 0.2


def next_attempt(attempts: int, now: datetime, *, luck: float) -> datetime:
    """When to try again after `attempts` tries; `luck` in [0, 1) spreads it over a fifth of the delay."""
    delay = _DELAYS[attempts - 1] if attempts <= len(_DELAYS) else _LAST_DELAY
    return now + delay * (1 + _JITTER * luck)
