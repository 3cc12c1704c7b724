"""Reading SPF records as receivers do (RFC 7208): syntax, the limit of look-ups, and one address's result.

May surprise: every term is walked, also behind one that matches, because a receiver that asks about another
address walks them; so the count is the most that any receiver needs. Macros, `exists` and `ptr` depend on the
letter or on the asking side: what they say is unseen here, not guessed.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_network

from newsletter.doctor.names import Address, Names

MOST_LOOKUPS = 10
"""RFC 7208 §4.6.4; beyond it a receiver gives up with a permanent error."""
_MOST_HOSTS = 10
"""Names of one `mx` that may be looked up (§4.6.4)."""

_TERM = re.compile(
    r"(?P<qualifier>[+?~-])?(?P<name>all|include|a|mx|ptr|ip4|ip6|exists)"
    r"(?::(?P<value>[^\s/]+|[0-9A-Fa-f:.]+))?(?P<prefix>/\d{1,3})?(?P<prefix6>//\d{1,3})?",
    re.IGNORECASE,
)
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9._-]*)=(\S*)")


class Result(StrEnum):
    """What a record says of an address (RFC 7208 §2.6), or that it cannot be seen from here."""

    PASS = "pass"  # noqa: S105  # RFC 7208's word
    FAIL = "fail"
    SOFTFAIL = "softfail"
    NEUTRAL = "neutral"
    UNSEEN = "unseen"


_RESULTS = {"+": Result.PASS, "-": Result.FAIL, "~": Result.SOFTFAIL, "?": Result.NEUTRAL}


class SPFError(Exception):
    """A receiver would call this a permanent error (RFC 7208 §2.6.7)."""


@dataclass(slots=True)
class _Walk:
    names: Names
    address: Address | None
    lookups: int = 0
    path: list[str] = field(default_factory=list)

    def count(self) -> None:
        self.lookups += 1
        if self.lookups > 5 * MOST_LOOKUPS:
            raise SPFError(f"it needs more than {5 * MOST_LOOKUPS} DNS look-ups, {MOST_LOOKUPS} are allowed")


@dataclass(frozen=True, slots=True)
class Policy:
    """What the whole record says of one address, and how many look-ups it takes."""

    result: Result
    lookups: int


def records_of(names: Names, domain: str) -> list[str]:
    """The TXT records of a domain that are SPF records (RFC 7208 §4.5). Raises UnseenError."""
    return [text for text in names.texts(domain) if re.match(r"v=spf1( |$)", text, re.IGNORECASE)]


def evaluate(names: Names, domain: str, address: Address | None) -> Policy:
    """What a domain's record says of an address, or of none in particular. Raises SPFError, UnseenError."""
    walk = _Walk(names, address)
    result = _check(walk, domain)
    return Policy(result or Result.NEUTRAL, walk.lookups)


def _check(walk: _Walk, domain: str) -> Result | None:
    """The result of one domain's record; None where no term matches (RFC 7208 §4.7)."""
    domain = domain.lower().rstrip(".")
    if domain in walk.path:
        raise SPFError(f"it includes itself: {' → '.join([*walk.path, domain])}")
    records = records_of(walk.names, domain)
    if len(records) != 1:
        raise SPFError(f"{domain} has {len(records) or 'no'} SPF record{'s' * (len(records) > 1)}")
    walk.path.append(domain)
    result, redirect = None, None
    for term in records[0].split()[1:]:
        if found := _TERM.fullmatch(term):
            matched = _matches(walk, domain, found)
            if result is None and matched is not False:
                result = Result.UNSEEN if matched is None else _RESULTS[found["qualifier"] or "+"]
        elif found := _MODIFIER.fullmatch(term):
            redirect = found[2] if found[1].lower() == "redirect" else redirect
        else:
            raise SPFError(f"the record of {domain} has {term[:80]!r}, which is no term of SPF")
    has_all = re.search(r"(?i)(?:^|\s)[+?~-]?all(?:\s|$)", records[0])
    if redirect is not None and not has_all:
        walk.count()
        inner = Result.UNSEEN if "%" in redirect else _check(walk, redirect)
        result = result or inner
    walk.path.pop()
    return result


def _matches(walk: _Walk, domain: str, term: re.Match[str]) -> bool | None:
    """Whether a term is about the walk's address; None if that cannot be seen."""
    name, value = term["name"].lower(), term["value"] or ""
    if name == "all":
        return True
    if name in ("ip4", "ip6"):
        return _in_network(walk.address, name, value, term["prefix"] or "")
    if name in ("include", "exists") and not value:
        raise SPFError(f"the record of {domain} has {name!r} without a domain")
    walk.count()
    if "%" in value or name in ("exists", "ptr"):
        return None
    if name == "include":
        inner = _check(walk, value)
        return None if inner is Result.UNSEEN else inner is Result.PASS
    hosts = [value or domain]
    if name == "mx":
        hosts = [exchanger.host for exchanger in walk.names.exchangers(hosts[0]) if exchanger.host]
        if len(hosts) > _MOST_HOSTS:
            raise SPFError(f"{term[0]!r} has {len(hosts)} mail exchangers, {_MOST_HOSTS} are allowed")
    if walk.address is None:
        return False
    prefix = term["prefix"] if walk.address.version == 4 else (term["prefix6"] or "")[1:]
    found = [at for host in hosts for at in walk.names.addresses(host) if at.version == walk.address.version]
    return any(_in_network(walk.address, f"ip{at.version}", str(at), prefix or "") for at in found)


def _in_network(address: Address | None, name: str, value: str, prefix: str) -> bool:
    try:
        network = ip_network(f"{value}{prefix}", strict=False)
    except ValueError:
        raise SPFError(f"{value}{prefix} is no network of addresses") from None
    if f"ip{network.version}" != name:
        raise SPFError(f"{name} names {value}, an address of the other kind")
    return address is not None and address.version == network.version and address in network
