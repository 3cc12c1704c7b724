"""Our addresses, LOCAL+VERB.ARGUMENT@DOMAIN: made for our letters, and read in what comes in.

Promises: what is made is read again, also where a mail system has folded case, added a display name, put the
local part in quotes or written the plus as %2B. Nothing is taken for ours that is not: another local part or
domain, or a verb that we do not know, so that two sites may share a mailbox, and a mistyped address is
refused at the door, where its sender learns of it.

May surprise: LOCAL may hold a plus itself; of several recipients one with a verb counts before our plain
address, for some mailboxes note in Delivered-To the address without what stands behind the plus.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote

from subscribers.address import AddressError, parse_address

_LONGEST = 1000
"""Characters: what is longer is no address, and is not read."""
_ARGUMENT = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_ANGLE = re.compile(r"<([^<>]*)>\s*\Z")


class RouteVerb(StrEnum):
    """What a mail to one of our addresses asks for."""

    PLAIN = ""  # whatever stands in the mail: a command, or a letter to the editor
    JOIN = "join"
    LEAVE = "leave"
    CONFIRM = "confirm"
    BOUNCE = "bounce"
    HELP = "help"


_VERBS = {verb.value: verb for verb in RouteVerb if verb} | {
    "subscribe": RouteVerb.JOIN,
    "unsubscribe": RouteVerb.LEAVE,
}


@dataclass(frozen=True, slots=True)
class Route:
    """Where a mail is to go: a verb, and what it is about (a category's slug or a token, in lower case)."""

    verb: RouteVerb
    argument: str = ""


def address_for(inbound_address: str, verb: RouteVerb, argument: str = "") -> str:
    """Our address for a verb and its argument: `advice+join.career-advice@example.org`.

    Raises ValueError where it could not be read again: the plain address has no argument, and no argument has
    other characters than letters, digits and single `.`, `-`, `_` between them.
    """
    if argument and (not verb or not _ARGUMENT.fullmatch(argument.lower())):
        raise ValueError(f"no address of ours holds the verb {verb.value!r} with {argument!r}")
    local, _, domain = inbound_address.rpartition("@")
    tag = f"+{verb}" if verb else ""
    return f"{local}{tag}{'.' if argument else ''}{argument}@{domain}"


def read_route(recipients: Sequence[str], *, inbound_address: str, bounce_address: str) -> Route | None:
    """Where a mail to these recipients is to go, most trusted first; None where none of them is ours.

    At the address for bounces there are bounces alone; without a token they have no argument.
    """
    plain = None
    for recipient in recipients:
        route = _read(recipient, inbound_address)
        if route is None or route.verb is RouteVerb.PLAIN:
            bounce = _read(recipient, bounce_address)
            if bounce is not None and bounce.verb is RouteVerb.BOUNCE:
                return bounce
            if route is None and bounce is not None and bounce.verb is RouteVerb.PLAIN:
                route = Route(RouteVerb.BOUNCE)
        if route is not None and route.verb:
            return route
        plain = plain or route
    return plain


def _read(recipient: str, own: str) -> Route | None:
    """What a recipient says, if it is `own` or an address made of it."""
    own_halves, halves = _halves(own), _halves(recipient)
    if own_halves is None or halves is None or own_halves[1] != halves[1]:
        return None
    for local in dict.fromkeys((halves[0], unquote(halves[0], errors="replace").casefold())):
        if local == own_halves[0]:
            return Route(RouteVerb.PLAIN)
        if local.startswith(f"{own_halves[0]}+"):
            name, dot, argument = local[len(own_halves[0]) + 1 :].partition(".")
            verb = _VERBS.get(name)
            if verb is not None and (_ARGUMENT.fullmatch(argument) if dot else True):
                return Route(verb, argument)
    return None


def _halves(address: str) -> tuple[str, str] | None:
    """Local part and domain, folded; None where it is no address."""
    if len(address) > _LONGEST:
        return None
    angle = _ANGLE.search(address)
    local, at, domain = (angle[1] if angle else address).strip().rpartition("@")
    if len(local) > 1 and local[0] == local[-1] == '"':
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    domain = domain.rstrip(".").casefold()
    if not domain.isascii():
        try:
            domain = parse_address(f"a@{domain}").key.rpartition("@")[2]
        except AddressError:
            return None
    return (local.casefold(), domain) if at and local and domain else None
