"""One reader, one address: parsing and the form under which an address is known.

An address is kept twice: as first given (that is how we write to it) and as its key, under which it is
unique. The key folds case in both halves and writes the domain in A-labels (RFC 5890), so `Ann@` and
`ann@` are one reader. RFC 5321 §2.4 lets a host tell them apart; no mailbox provider does. It is folded to
lower case and no further, not as `str.casefold` would: `ſam@` and `sam@` may be two people's mailboxes, and
neither is to be sent the other's links.
"""

import re
import unicodedata
from dataclasses import dataclass

import email_validator

from subscribers.errors import PaperroundError

# A self-hosted publisher may well write to ann@localhost or ann@office.test: whether such a name can be
# reached is the relay's to say, not the parser's.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()

_CHARACTERS = 1000
"""What is longer is no address in any normalisation, and is refused unread."""

_PLAIN = re.compile(r"[a-zA-Z0-9_+'-]++(?:\.[a-zA-Z0-9_+'-]++)*+@[a-zA-Z0-9]++(?:[.-][a-zA-Z0-9]++)*+")
"""What nearly all addresses look like, and of which the long way only says that it is right.

Held to it by a test. Two hyphens in a row, as in A-labels, are for the long way.
"""
ERASED_DOMAIN = "erased.invalid"
"""In which stands what is left of people who were erased: nobody can have an address in it (RFC 2606)."""
_PLAIN_CHARACTERS = 64
"""In what is no longer than this, no part is too long either."""


class AddressError(PaperroundError, ValueError):
    """This is not an email address."""


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed address. `given` is what to write to (domain in A-labels); `key` is what it is known by."""

    given: str
    key: str

    @property
    def domain(self) -> str:
        """The part after the @, in A-labels and lower case."""
        return self.key.rpartition("@")[2]

    @property
    def mailbox(self) -> str:
        """The key without a tag: what `ann+letters@` and `ann+news@` have in common, as a rule a mailbox.

        For limits only. Who reads what is another matter: there, tags tell readers apart.
        """
        local, _, domain = self.key.rpartition("@")
        return f"{local.partition('+')[0] or local}@{domain}"


def spellings_of(address: Address) -> set[str]:
    """How an address may be written: as given or folded, its domain in A-labels or U-labels (RFC 5890)."""
    domain = email_validator.validate_email(
        address.given, check_deliverability=False, globally_deliverable=False, strict=True
    ).domain
    given, folded = (one.rpartition("@")[0] for one in (address.given, address.key))
    return {f"{local}@{place}" for local in (given, folded) for place in (address.domain, domain)}


def parse_address(text: str) -> Address:
    """Read one bare address (RFC 5321 §4.1.2, RFC 6531); no display name, comment, quotes or IP literal.

    Raises AddressError, quoting what was given.
    """
    stripped = text.strip()
    if len(stripped) <= _PLAIN_CHARACTERS and _PLAIN.fullmatch(stripped):
        key = stripped.lower()
        at = key.index("@")
        if key.endswith(ERASED_DOMAIN):
            return _parsed(stripped)
        return Address(given=stripped[:at] + key[at:], key=key)
    return _parsed(stripped)


def _parsed(stripped: str) -> Address:
    """The long way, which takes twenty times as long."""
    if len(stripped) > _CHARACTERS:
        raise _refusal(stripped, "It is far too long.")
    try:
        found = email_validator.validate_email(
            stripped, check_deliverability=False, globally_deliverable=False, strict=True
        )
    except email_validator.EmailNotValidError as error:
        raise _refusal(stripped, str(error)) from error
    # Not `found.local_part`: that is folded for Info@ and the like, and letters go to what was given.
    local = unicodedata.normalize("NFC", found.original.rpartition("@")[0])
    domain = (found.ascii_domain or found.domain).lower()
    if domain == ERASED_DOMAIN:
        raise _refusal(stripped, "It stands for somebody who was erased.")
    return Address(given=f"{local}@{domain}", key=f"{local.lower()}@{domain}")


def readable_address(text: str) -> Address | None:
    """The address, None where it is none: for what came from outside, and is not to be argued with."""
    try:
        return parse_address(text)
    except AddressError:
        return None


def _refusal(text: str, reason: str) -> AddressError:
    shown = text if len(text) <= 80 else text[:77] + "..."
    return AddressError(f"{shown!r} is not an email address: {reason}")
