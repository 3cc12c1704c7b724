"""Looking names up in the DNS, as the checks need it: short, cached, and with one way to fail.

What is not there is an empty answer. What cannot be known (no answer in time, SERVFAIL, no network) is
`UnseenError`, which says why. Safe to use from several threads.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, NamedTuple

import dns.exception
import dns.name
import dns.resolver
import dns.reversename

Address = IPv4Address | IPv6Address

_SECONDS = 2.5
"""For one look-up, all servers and tries together."""
_TEXT_LIMIT = 16_384
"""Characters of a TXT record that are looked at; a DNS message holds four times as many."""


class UnseenError(Exception):
    """What a name has cannot be known at the moment."""


class Exchanger(NamedTuple):
    """An MX record; the host of a null MX (RFC 7505) is empty."""

    preference: int
    host: str


class Names:
    """The DNS as one resolver sees it."""

    def __init__(self, resolver: dns.resolver.Resolver, seconds: float = _SECONDS) -> None:
        self._resolver = resolver
        self._seconds = seconds
        self._resolver.cache = dns.resolver.LRUCache()

    @classmethod
    def of_this_machine(cls) -> "Names":
        """By the servers that this machine uses. Raises UnseenError if it names none."""
        try:
            return cls(dns.resolver.get_default_resolver())
        except dns.exception.DNSException as error:
            raise UnseenError(f"this machine names no DNS server: {error}") from error

    def texts(self, name: str) -> list[str]:
        """The TXT records of a name, each with its strings joined (RFC 7208 §3.3)."""
        found = (b"".join(record.strings) for record in self._records(name, "TXT"))
        return [octets[:_TEXT_LIMIT].decode("ascii", "replace") for octets in found]

    def addresses(self, name: str) -> list[Address]:
        """The A and AAAA records of a name."""
        records = (record for kind in ("A", "AAAA") for record in self._records(name, kind))
        return [ip_address(record.address) for record in records]

    def exchangers(self, name: str) -> list[Exchanger]:
        """The MX records of a name, the preferred first."""
        return sorted(
            Exchanger(record.preference, record.exchange.to_text(omit_final_dot=True).strip(".").lower())
            for record in self._records(name, "MX")
        )

    def names_of(self, address: Address) -> list[str]:
        """The names in an address's PTR records."""
        reverse = dns.reversename.from_address(str(address)).to_text()
        return [
            record.target.to_text(omit_final_dot=True).lower() for record in self._records(reverse, "PTR")
        ]

    def _records(self, name: str, kind: str) -> Iterable[Any]:
        try:
            return self._resolver.resolve(name.rstrip(".") + ".", kind, lifetime=self._seconds, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return ()
        except (dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel, UnicodeError):
            return ()  # no name, so nothing has it
        except dns.exception.Timeout:
            raise UnseenError(f"no DNS server answered for {name} ({kind}) in time") from None
        except (dns.exception.DNSException, OSError) as error:
            said = " ".join(str(error).split())[:300]
            raise UnseenError(f"{name} ({kind}) cannot be looked up: {said}") from error
