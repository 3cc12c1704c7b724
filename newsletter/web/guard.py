"""Against those who have letters sent to people who did not ask: a cap for each network address.

A reader's address is theirs to give, once or twice; a machine that gives thousands is slowed down to what
a household or an office needs. How often one mailbox or one domain is written to is decided where letters are
written, for there all doors meet.

Promises: what is counted is bounded, whoever asks and however many; who passes a visitor on is believed only
if the operator named it. May surprise: the visitors of a proxy that is not named count as one.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from threading import Lock

Network = IPv4Network | IPv6Network

_PEOPLE_ARE_SLOWER = 2
_FORMS_LAST = 24 * 3600
_SITE_OF_IPV6 = 64
"""The bits that name a household: it chooses the others as it likes (RFC 4291 §2.5.4)."""


def is_of_a_person(age: float | None) -> bool:
    """Whether a form that was shown so many seconds ago was filled in by hand; None: it never was."""
    return age is not None and _PEOPLE_ARE_SLOWER <= age <= _FORMS_LAST


class Cap:
    """At most so many in any window of so many seconds, for each key. The time is passed in.

    The keys kept are so many at most: of more, those that were quiet longest are forgotten.
    """

    def __init__(self, limit: int, seconds: float, keys: int = 10_000) -> None:
        self._limit = limit
        self._seconds = seconds
        self._keys = keys
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = Lock()

    def wait(self, key: str, now: float) -> int:
        """0 and one more is counted; or the seconds after which there is room again, and it is not."""
        with self._lock:
            times = self._seen.setdefault(key, deque())
            self._seen.move_to_end(key)
            if len(self._seen) > self._keys:
                self._seen.popitem(last=False)
            while times and times[0] <= now - self._seconds:
                times.popleft()
            if len(times) < self._limit:
                times.append(now)
                return 0
            return math.ceil(times[0] + self._seconds - now)

    def __len__(self) -> int:
        return len(self._seen)


def client_of(peer: str, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """Who asks: the peer, or whom trusted proxies say they ask for, as a key to count by.

    `forwarded` are the values of X-Forwarded-For. Each proxy adds whom it serves at the right: read from
    there, the first that is no proxy of ours is the visitor, and what stands left of it is a mere claim.
    """
    client = peer
    for claimed in reversed([part.strip() for value in forwarded for part in value.split(",")]):
        if not _is_among(client, trusted) or _address(claimed) is None:
            break
        client = claimed
    return _household(client)


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Addresses and networks (CIDR) as they stand in settings. Raises ValueError."""
    return tuple(ip_network(text, strict=False) for text in texts)


def _address(text: str) -> IPv6Address | None:
    """An address in one form: IPv4 as IPv6 has it (RFC 4291 §2.5.5.2); with a port or in brackets, too."""
    bare = text.removeprefix("[").partition("]")[0] if text.startswith("[") else text
    bare = bare.partition(":")[0] if bare.count(":") == 1 else bare
    try:
        found = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return found if isinstance(found, IPv6Address) else IPv6Address(f"::ffff:{found}")


def _is_among(text: str, trusted: Sequence[Network]) -> bool:
    found = _address(text)
    if found is None:
        return False
    plain = found.ipv4_mapped or found
    return any(plain.version == network.version and plain in network for network in trusted)


def _household(text: str) -> str:
    found = _address(text)
    if found is None:
        return text
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ip_network((int(found), _SITE_OF_IPV6), strict=False))
