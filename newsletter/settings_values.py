"""The values that settings may have, as types: each says what is wrong with a text that is none.

A mailbox, a cadence, a zone are read here by what reads them anywhere else, so that a setting is refused as
soon as the file is read, and in the same words.
"""

import ipaddress
import os
import re
from collections import Counter
from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StrictInt, WrapValidator

from newsletter.errors import CadenceError
from newsletter.render.headers import parse_mailbox
from newsletter.schedule.cadence import parse_cadence, parse_zone
from subscribers.address import AddressError, parse_address

MOST_PER_MINUTE = 1_000_000
"""Letters: more than any relay takes, so that a slip of the finger is found out."""


_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
"""What may stand between two dots of a host's name (RFC 1035 §2.3.1, RFC 1123 §2.1)."""
UNIX = "unix:"
"""What an address to listen at begins with where it is a socket's file."""
_LONGEST_SOCKET = 100
"""Bytes of a socket's path: sockaddr_un has room for 104 to 108 (unix(7))."""


def _no_control(value: str) -> str:
    if any(ord(char) < 32 or ord(char) == 127 for char in value):
        raise ValueError("has a line break or control character in it")
    return value.strip()


def _required(value: str) -> str:
    if not value:
        raise ValueError("must not be empty")
    return value


def _mailbox(value: str) -> str:
    if value:
        try:
            parse_mailbox(value)
        except AddressError as error:
            raise ValueError(str(error)) from error
    return value


def _bare_address(value: str) -> str:
    if value:
        try:
            parse_address(value)
        except AddressError as error:
            raise ValueError(str(error)) from error
    return value


def _web_url(value: str) -> str:
    if not value:
        return value
    if not value.isascii():
        raise ValueError("must be ASCII: write the host as xn--… and escape the path")
    try:
        parts = urlsplit(value)
        is_sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_sound = False
    if not is_sound or re.search(r"[\s?#@]", value):
        raise ValueError("is not a web address like https://news.example.org")
    return value.rstrip("/")


def _served_url(value: str) -> str:
    if value.startswith("http://") and not is_loopback(urlsplit(value).hostname or ""):
        raise ValueError("must begin with https:// (RFC 8058); http:// is for trials on this machine")
    return value


def _language(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", value):
        raise ValueError("is not a language tag (BCP 47), such as en or pt-BR")
    return value


def _database(value: str) -> str:
    if value.startswith("sqlite:///"):
        if value in ("sqlite:///", "sqlite:////"):
            raise ValueError("names no file: write it as sqlite:///paperround.db")
        return value
    if not value.startswith("postgresql://"):
        raise ValueError("must begin with sqlite:/// or postgresql://")
    try:
        parts = urlsplit(value)
        is_sound = parts.port != 0 and "@" not in f"{parts.username}{parts.password}"
    except ValueError:
        is_sound = False
    if not is_sound:
        raise ValueError(
            "is not postgresql://USER:PASSWORD@HOST:PORT/DATABASE; in the password, @ is written %40, "
            "/ is %2F and : is %3A"
        ) from None
    return value


def _listen(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise ValueError("is not HOST:PORT, such as 127.0.0.1:8025")
    return value


def _entrance(value: str) -> str:
    if value.startswith(UNIX):
        if len(os.fsencode(value.removeprefix(UNIX))) > _LONGEST_SOCKET:
            raise ValueError(
                f"names a socket with more than {_LONGEST_SOCKET} bytes, which systems do not take"
            )
        if value == UNIX:
            raise ValueError("names no socket: write it as unix:/run/paperround/lmtp.sock")
        return value
    try:
        return _listen(value) if value else value
    except ValueError:
        raise ValueError("is neither HOST:PORT, such as 127.0.0.1:8024, nor unix:SOCKET") from None


def _cadence(value: str) -> str:
    try:
        return str(parse_cadence(value))
    except CadenceError as error:
        raise ValueError(str(error)) from error


def _zone(value: str) -> str:
    try:
        return parse_zone(value).key
    except CadenceError as error:
        raise ValueError(str(error)) from error


def _domain(value: str) -> str:
    if not value:
        return value
    try:
        return parse_address(f"a@{value}").given.rpartition("@")[2].lower()
    except AddressError:
        raise ValueError(f"is not a domain: {value!r}") from None


def _domain_or_star(value: str) -> str:
    return value if value == "*" else _required(_domain(value))


def _each_once(given: object, read: Callable[[object], dict[str, int]]) -> dict[str, int]:
    """The rates of domains; one that is named in two spellings has none that could be called its own."""
    rates = read(given)
    if isinstance(given, dict) and len(rates) < len(given):
        spellings = Counter(_domain_or_star(name) for name in given)
        twice = next(name for name, number in spellings.items() if number > 1)
        raise ValueError(f"names {twice} in more than one spelling: keep one of them")
    return rates


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise ValueError(f"is not an address or a network of addresses: {value!r}") from None


def _selector(value: str) -> str:
    if value and not re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", value):
        raise ValueError(
            "is not a selector (RFC 6376 §3.1): letters, digits and hyphens within, such as 2026a, at most "
            "63 of them between dots (RFC 1035)"
        )
    return value


Line = Annotated[str, AfterValidator(_no_control)]
RequiredLine = Annotated[Line, AfterValidator(_required)]
MailboxText = Annotated[Line, AfterValidator(_mailbox)]
AddressText = Annotated[Line, AfterValidator(_bare_address)]
DomainName = Annotated[str, AfterValidator(_domain_or_star)]
Rate = Annotated[StrictInt, Field(ge=1, le=MOST_PER_MINUTE)]
DomainRates = Annotated[dict[DomainName, Rate], WrapValidator(_each_once)]
WebUrl = Annotated[Line, AfterValidator(_web_url)]
ServedUrl = Annotated[WebUrl, AfterValidator(_required), AfterValidator(_served_url)]
LanguageTag = Annotated[Line, AfterValidator(_language)]
DatabaseUrl = Annotated[Line, AfterValidator(_database)]
ListenAddress = Annotated[Line, AfterValidator(_listen)]
EntranceAddress = Annotated[Line, AfterValidator(_entrance)]
CadenceText = Annotated[Line, AfterValidator(_cadence)]
ZoneName = Annotated[Line, AfterValidator(_zone)]
OptionalDomain = Annotated[Line, AfterValidator(_domain)]
Network = Annotated[str, AfterValidator(_network)]
Selector = Annotated[Line, AfterValidator(_selector)]
RequiredMailbox = Annotated[MailboxText, AfterValidator(_required)]


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
