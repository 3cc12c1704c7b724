"""How fast letters may go: one at a time against a rate, with a second's worth at most in one burst.

Pure; instants are seconds on any clock that only goes forward.
"""


class Pace:
    """At most so many letters in any minute (the generic cell rate algorithm of ATM Forum TM 4.0)."""

    __slots__ = ("_allowance", "_booked", "_due", "_interval", "_per_minute", "_spacing")

    def __init__(self, per_minute: int, senders: int = 1) -> None:
        self._per_minute = per_minute
        self._due = 0.0
        """When the next letter would go if all went evenly."""
        self._booked = 0.0
        self.share_among(senders)

    def share_among(self, senders: int) -> None:
        """From now on take an even share of it, as one of so many senders."""
        # A minute may begin with a burst of a second's worth: letters that can come in one share 61 seconds.
        seconds = 61.0 if self._per_minute > 60 * senders else 60.0
        self._interval = seconds * senders / self._per_minute
        self._spacing = seconds / self._per_minute
        """That of all senders together: bookings outlive the others, so they are not shared."""
        self._allowance = max(1.0 - self._interval, 0.0)

    def ready_at(self) -> float:
        """From when on the next letter may go."""
        return self._due - self._allowance

    def book(self, letters_before: int, now: float) -> float:
        """When a letter may go that has so many others in hand before it, and all that were booked before."""
        slot = max(self._booked, max(self._due, now) + letters_before * self._spacing)
        self._booked = slot + self._spacing
        return slot

    def take(self, now: float) -> bool:
        """Let one letter go, if it may go now."""
        if now < self.ready_at():
            return False
        self._due = max(self._due, now) + self._interval
        return True


class DomainPaces:
    """The paces of recipients' domains, and which domains are to be left alone for a while."""

    _PATIENCE = 3
    """Readers of one domain whose letters it refuses for policy in a row, until it is left alone."""
    _REST_SECONDS = 600.0
    """For how long: what Google asks for after 4.7.28."""

    def __init__(self, per_minute: dict[str, int]) -> None:
        self._rates = per_minute
        self._senders = 1
        self._paces: dict[str, Pace] = {}
        self._refusals: dict[str, set[str]] = {}
        self._resting: dict[str, float] = {}

    @property
    def are_idle(self) -> bool:
        """Whether every letter may go, whatever its domain."""
        return not self._rates and not self._resting

    def _pace(self, domain: str) -> Pace | None:
        pace = self._paces.get(domain)
        if pace is None and (rate := self._rates.get(domain, self._rates.get("*"))):
            pace = self._paces[domain] = Pace(rate, self._senders)
        return pace

    def share_among(self, senders: int) -> None:
        """From now on take an even share of each domain's pace."""
        self._senders = senders
        for pace in self._paces.values():
            pace.share_among(senders)

    def resting_until(self, domain: str, now: float) -> float | None:
        """Until when a domain that refuses us is left alone, None if it is not."""
        until = self._resting.get(domain)
        if until is not None and until <= now:
            del self._resting[domain]
            return None
        return until

    def take(self, domain: str, now: float) -> bool:
        """Let one letter go to a domain, if one may go now."""
        pace = self._pace(domain)
        return pace is None or pace.take(now)

    def ready_at(self, domain: str) -> float:
        """From when on the next letter may go to a domain."""
        pace = self._pace(domain)
        return pace.ready_at() if pace else 0.0

    def book(self, domain: str, letters_before: int, now: float) -> float:
        """When a letter to a domain may go, behind those that wait in hand and all that were booked."""
        pace = self._pace(domain)
        return pace.book(letters_before, now) if pace else now

    def taken_well(self, domain: str) -> None:
        """The domain took a letter: what it refused before is forgotten."""
        if self._refusals:
            self._refusals.pop(domain, None)

    def refused_for_policy(self, domain: str, address: str, now: float) -> bool:
        """The domain refused a letter to a reader for policy (x.7.x); True if it is left alone from now on.

        What one reader's letters meet, however often, may be that reader's own rule.
        """
        readers = self._refusals.setdefault(domain, set())
        readers.add(address)
        if len(readers) < self._PATIENCE:
            return False
        del self._refusals[domain]
        self._resting[domain] = now + self._REST_SECONDS
        return True


class Limits:
    """All that keeps a sender from going too fast. Made once: it remembers from one pass to the next."""

    def __init__(self, per_minute: int = 0, domain_per_minute: dict[str, int] | None = None) -> None:
        """Letters a minute, in all and to each domain; 0 is no limit, and `"*"` each domain not named."""
        self.pace = Pace(per_minute) if per_minute else None
        self.domains = DomainPaces(domain_per_minute or {})
        self._senders = 1

    def share_among(self, senders: int) -> None:
        """So many processes send: together they are not to go faster than one alone."""
        if senders == self._senders:
            return
        self._senders = senders
        self.domains.share_among(senders)
        if self.pace is not None:
            self.pace.share_among(senders)
