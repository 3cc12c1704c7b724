"""What the DNS says of the sender's domains, as receivers of letters see it.

Each check is given the DNS to ask and raises UnseenError where nothing can be known; nothing is assumed then.
May surprise: SPF is about the domain of the return path (RFC 7208 §2.4), DMARC about that of From.
"""

import socket
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator, Sequence
from contextlib import suppress
from ipaddress import ip_address

from newsletter.delivery.dkim import DkimKey
from newsletter.delivery.dkim_keys import load_keys, signing_domain
from newsletter.doctor import dmarc, spf
from newsletter.doctor.findings import Finding, error, ok, warning
from newsletter.doctor.names import Address, Names
from newsletter.settings import RelaySection, Settings
from newsletter.settings_values import is_loopback

_GOOD_BITS = 2048
"""RFC 8301 §3.2 asks signers for no fewer."""
_ANYBODY = ip_address("192.0.2.1")
"""An address of nobody's (RFC 5737)."""


def public_addresses() -> list[Address]:
    """The public addresses this machine sends from; nothing is sent to learn them."""
    found = []
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))
            address = ip_address(probe.getsockname()[0])
            found += [address] if address.is_global else []
    return found


def domain_of(address: str) -> str:
    """The part of an address after the @."""
    return address.rpartition("@")[2].lower()


def check_spf(names: Names, settings: Settings, own: Sequence[Address]) -> Iterator[Finding]:
    """The SPF record of the return path's domain, and whether it allows the relays."""
    domain = domain_of(settings.bounce_address)
    subject = f"SPF of {domain}"
    relays = [relay for relay in settings.relays if not relay.is_sandbox]
    records = spf.records_of(names, domain)
    if len(records) != 1:
        yield _spf_missing(subject, domain, relays, own, len(records))
        return
    try:
        policy = spf.evaluate(names, domain, None)
        if policy.lookups > spf.MOST_LOOKUPS:
            yield error(
                subject,
                f"it takes {policy.lookups} DNS look-ups, and receivers give up after {spf.MOST_LOOKUPS} "
                f"(RFC 7208 §4.6.4)",
                "take out include:, a, mx and redirect= terms that are not needed, or write ip4: and ip6:",
            )
        else:
            yield ok(subject, f"one record, {policy.lookups} of {spf.MOST_LOOKUPS} DNS look-ups")
        if spf.evaluate(names, domain, _ANYBODY).result is spf.Result.PASS:
            yield warning(subject, "it allows every address there is", 'end the record with "~all"')
            return
        for relay in relays:
            yield _spf_allows(names, subject, domain, relay, own)
    except spf.SPFError as fault:
        yield error(subject, f"receivers cannot use the record: {fault}", f'mend "{records[0][:500]}"')


def _spf_missing(
    subject: str, domain: str, relays: Sequence[RelaySection], own: Sequence[Address], count: int
) -> Finding:
    if count:
        return error(subject, f"there are {count} SPF records, so none counts", "join them into one")
    terms = []
    for relay in relays:
        local = [f"ip{address.version}:{address}" for address in own] if is_loopback(relay.host) else []
        terms += local or ([] if is_loopback(relay.host) else [f"a:{relay.host}"])
    record = " ".join(["v=spf1", *(terms or ["mx"]), "~all"])
    return error(
        subject,
        "there is no SPF record; if the relay's operator names an include: term, put it in before ~all",
        f'{domain}. IN TXT "{record}"',
    )


def _spf_allows(
    names: Names, subject: str, domain: str, relay: RelaySection, own: Sequence[Address]
) -> Finding:
    addresses = _addresses(names, relay, own)
    results = {address: spf.evaluate(names, domain, address).result for address in addresses}
    if not addresses or spf.Result.UNSEEN in results.values():
        return ok(subject, f"whether it allows what {relay.name} sends from cannot be seen from here")
    refused = [address for address, result in results.items() if result is not spf.Result.PASS]
    if not refused:
        return ok(subject, f"it allows {relay.name} ({_listed(addresses)})")
    return warning(
        subject,
        f"it does not allow {relay.name} at {_listed(refused)} ({results[refused[0]]}), as far as can be "
        f"seen from here: a relay may send from other addresses than it is reached at",
        f"ask the operator of {relay.host} which include: term to add, or add "
        f"{' '.join(f'ip{address.version}:{address}' for address in refused)}",
    )


def _addresses(names: Names, relay: RelaySection, own: Sequence[Address]) -> Sequence[Address]:
    if is_loopback(relay.host):
        return own
    with suppress(ValueError):
        return [ip_address(relay.host.strip("[]"))]
    return names.addresses(relay.host)


def _listed(addresses: Sequence[Address]) -> str:
    return ", ".join(map(str, addresses))


def check_dkim(names: Names, settings: Settings) -> Iterator[Finding]:
    """Each key's record, against the key itself. Raises SettingsError for keys that cannot be used."""
    keys, domain = load_keys(settings), signing_domain(settings)
    if not keys:
        yield warning(
            f"DKIM of {domain}",
            f"letters are not signed here: unless the relay signs them for {domain}, mail providers refuse "
            f"them in bulk and show no unsubscribe button",
            "paperround dkim keygen",
        )
    for key in keys:
        yield _dkim_record(names, key, domain)


def _dkim_record(names: Names, key: DkimKey, domain: str) -> Finding:
    record = key.record(domain)
    subject = f"DKIM of {domain}, selector {key.selector}"
    texts = names.texts(record.name)
    if len(texts) != 1:
        what = f"there are {len(texts)} records, and receivers take any" if texts else "there is no record"
        return error(subject, what, record.zone_line)
    if (fault := _dkim_fault(_tags(texts[0]), _tags(record.value))) is not None:
        return error(subject, fault, record.zone_line)
    if "y" in _tags(texts[0]).get("t", "").split(":"):
        return warning(
            subject, "its record says t=y (testing): signatures count for nothing", record.zone_line
        )
    if key.kind == "rsa" and key.bits < _GOOD_BITS:
        return warning(
            subject,
            f"its key has {key.bits} bits; {_GOOD_BITS} are asked for (RFC 8301): make another, with a new "
            f"selector and file",
            "paperround dkim keygen",
        )
    return ok(subject, f"the record is the local key's ({key.kind}, {key.bits} bits)")


def _tags(record: str) -> dict[str, str]:
    """A record's tags (RFC 6376 §3.2), white space within values taken out."""
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip(): "".join(value.split()) for name, sign, value in pairs if sign}


def _dkim_fault(found: dict[str, str], expected: dict[str, str]) -> str | None:
    """What a receiver, or we, would not take of a key record (RFC 6376 §3.6.1)."""
    if found.get("v", "DKIM1") != "DKIM1" or "p" not in found:
        return "what is there is no DKIM key record"
    if not found["p"]:
        return "the key has been revoked: p= is empty"
    if found.get("k", "rsa") != expected["k"]:
        return f"the record is for a {found.get('k', 'rsa')} key, the local one is {expected['k']}"
    for tag, needed in (("h", {"sha256"}), ("s", {"*", "email"})):
        if tag in found and not needed & set(found[tag].split(":")):
            return f"{tag}={found[tag]} forbids the use for mail that is signed with SHA-256"
    try:
        public = b64decode(found["p"], validate=True)
    except (Base64Error, ValueError):
        return "p= is not base64: a character was lost or added"
    ours = b64decode(expected["p"])
    # RFC 6376 §3.6.1 says RSAPublicKey, which is how a SubjectPublicKeyInfo ends; receivers take both.
    is_inner = expected["k"] == "rsa" and len(ours) - len(public) in range(40) and ours.endswith(public)
    return None if is_inner or public == ours else "its public key is not that of the local key file"


def check_dmarc(names: Names, settings: Settings) -> Iterator[Finding]:
    """The DMARC record for From, and whether what letters prove is aligned with it. Raises SettingsError."""
    sender = settings.sender.domain.lower()
    subject = f"DMARC of {sender}"
    found = dmarc.records_at(names, sender)
    organisation, above = dmarc.organisation(names, sender)
    record = found[0] if found else above
    if len(found) > 1 or record is None:
        mend = f'_dmarc.{sender}. IN TXT "v=DMARC1; p=none; rua=mailto:{settings.editor_address}"'
        what = (
            f"there are {len(found)} DMARC records, so none counts" if found else "there is no DMARC record"
        )
        yield error(subject, what, "keep one of them" if found else mend)
        return
    tag = "p" if record.domain == sender else "sp" if "sp" in record.tags else "p"
    policy = record.tags.get(tag, "").lower()
    if policy not in ("none", "quarantine", "reject"):
        shown = f"{tag}={policy}" if policy else f"no {tag}="
        yield error(subject, f"the record at {record.domain} has {shown}", f"write {tag}=none in it")
        return
    yield ok(subject, f"{tag}={policy}, by the record at {record.domain}")
    yield _alignment(names, settings, subject, record, organisation)


def _alignment(
    names: Names, settings: Settings, subject: str, record: dmarc.Record, organisation: str
) -> Finding:
    sender, path = settings.sender.domain.lower(), domain_of(settings.bounce_address)

    def aligned(domain: str, tag: str) -> bool:
        if domain == sender:
            return True
        return not record.strict(tag) and dmarc.organisation(names, domain)[0] == organisation

    signed = signing_domain(settings).lower()
    proofs = []
    if settings.dkim.selector and aligned(signed, "adkim"):
        proofs.append(f"DKIM (d={signed})")
    if aligned(path, "aspf"):
        proofs.append(f"SPF ({path})")
    if proofs:
        return ok(subject, f"aligned with From: {' and '.join(proofs)}")
    found = f"the return path is at {path}, which is not aligned with From"
    if settings.dkim.selector:
        return error(
            subject, f"{found}, nor is the signature's {signed}", f"set bounce_address to one at {sender}"
        )
    return warning(
        subject,
        f"{found}: letters pass only with the relay's DKIM signature for {sender}",
        f"paperround dkim keygen, or set bounce_address to one at {sender}",
    )


def mail_domains(settings: Settings) -> dict[str, list[str]]:
    """The domains that must be able to get mail, each with what for."""
    uses = (
        ("answers", (settings.reply_to or settings.sender).address),
        ("readers' mail", settings.inbound_address),
        ("failure reports", settings.bounce_address),
    )
    domains: dict[str, list[str]] = {}
    for use, address in uses:
        domains.setdefault(domain_of(address), []).append(use)
    return domains


def check_mx(names: Names, domain: str, uses: Sequence[str]) -> Iterator[Finding]:
    """Whether mail can come back to a domain (RFC 5321 §5.1, RFC 7505)."""
    subject, what = f"MX of {domain}", " and ".join(uses)
    record = f"{domain}. IN MX 10 mail.{domain}."
    exchangers = names.exchangers(domain)
    hosts = [exchanger.host for exchanger in exchangers]
    if hosts == [""]:
        yield error(subject, f"the domain says it takes no mail (null MX): {what} cannot come back", record)
    elif not hosts and not names.addresses(domain):
        yield error(subject, f"there is neither MX nor address: {what} cannot come back", record)
    elif not hosts:
        yield warning(subject, f"there is no MX; {what} come to the domain's own address", record)
    else:
        lost = [host for host in hosts if not host or not names.addresses(host)]
        if lost:
            told = f"{', '.join(host or '.' for host in lost)} has no address"
            grade = error if len(lost) == len(hosts) else warning
            yield grade(
                subject, f"{told}: {what} may not come back", "name hosts that have an A or AAAA record"
            )
        else:
            yield ok(subject, f"{what} come to {', '.join(hosts)}")


def check_ptr(names: Names, settings: Settings, own: Sequence[Address]) -> Iterator[Finding]:
    """The names of the addresses letters leave from, where this machine sends them itself."""
    subject = "reverse DNS"
    if not any(is_loopback(relay.host) for relay in settings.relays):
        yield ok(subject, "the task of the relay's operator; cannot be seen from here")
        return
    if not own:
        yield ok(subject, "this machine has no public address of its own; cannot be seen from here")
    for address in own:
        back = [name for name in names.names_of(address) if address in names.addresses(name)]
        if back:
            yield ok(subject, f"{address} is {back[0]}, and {back[0]} is {address}")
        else:
            yield error(
                subject,
                f"{address} has no name that leads back to it; mail providers refuse such senders",
                f"ask who gave you {address} for a PTR record to this machine's mail name, and give that "
                f"name an address record: mail.{settings.sender.domain}. IN "
                f"{'A' if address.version == 4 else 'AAAA'} {address}",
            )
