"""What the DNS says, read as receivers read it, from a real server with a fixed zone."""

from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.delivery.dkim_keys import load_keys, make_key
from newsletter.doctor import dmarc, spf
from newsletter.doctor.domain import check_dkim, check_dmarc, check_mx, check_ptr, check_spf, mail_domains
from newsletter.doctor.findings import Finding, Level
from newsletter.doctor.names import Address, UnseenError
from newsletter.settings import Settings
from tests.conftest import GIVEN
from tests.doctor.dnsserver import DnsServer, Zone, quoted

OWN: list[Address] = [ip_address("203.0.114.5"), ip_address("2001:db9::5")]


def site(folder: Path = Path(), **sections: dict[str, Any]) -> Settings:
    sections["site"] = dict(GIVEN) | sections.get("site", {})
    return Settings.model_validate(sections).in_folder(folder)


def levels(findings: Iterable[Finding]) -> list[Level]:
    return [finding.level for finding in findings]


def txt(*records: str) -> dict[str, list[str]]:
    return {"TXT": [quoted(record) for record in records]}


SPF_ZONE: Zone = {
    "all.example": txt("v=spf1 +all"),
    "plain.example": txt("some words", "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all"),
    "relay.example": txt("v=spf1 a:smtp.relay.example mx ~all")
    | {"MX": ["10 in.relay.example."], "A": ["192.0.2.9"]},
    "smtp.relay.example": {"A": ["198.51.100.7"], "AAAA": ["2001:db8::7"]},
    "in.relay.example": {"A": ["198.51.100.8"]},
    "includes.example": txt("v=spf1 include:plain.example include:relay.example ?all"),
    "redirects.example": txt("v=spf1 redirect=plain.example"),
    "ignores.example": txt("v=spf1 redirect=plain.example ~all"),
    "macro.example": txt("v=spf1 exists:%{i}.list.example -all"),
    "twice.example": txt("v=spf1 -all", "v=spf1 ~all"),
    "circle.example": txt("v=spf1 include:circle2.example -all"),
    "circle2.example": txt("v=spf1 include:circle.example -all"),
    "wrong.example": txt("v=spf1 ipv4:192.0.2.1 -all"),
    "network.example": txt("v=spf1 ip4:192.0.2.300 -all"),
    "swapped.example": txt("v=spf1 ip4:2001:db8::1 -all"),
    "nowhere.example": txt("v=spf1 include:missing.example -all"),
    "prefix.example": txt("v=spf1 a:smtp.relay.example/24//64 -all"),
    "servfail.example": {"SERVFAIL": []},
    "like.example": txt("v=spf10 -all"),
    **{f"n{number}.example": txt(f"v=spf1 include:n{number + 1}.example -all") for number in range(11)},
    "n11.example": txt("v=spf1 -all"),
    **{
        f"w{number}.example": txt(f"v=spf1 {f'include:w{number + 1}.example ' * 9}-all")
        for number in range(9)
    },
    "w9.example": txt("v=spf1 -all"),
}


@pytest.mark.parametrize(
    ("domain", "address", "result", "lookups"),
    [
        ("plain.example", "192.0.2.77", "pass", 0),
        ("plain.example", "192.0.3.1", "fail", 0),
        ("plain.example", "2001:db8:1::1", "pass", 0),
        ("relay.example", "198.51.100.7", "pass", 2),
        ("relay.example", "2001:db8::7", "pass", 2),
        ("relay.example", "198.51.100.8", "pass", 2),
        ("relay.example", "192.0.2.9", "softfail", 2),
        ("includes.example", "198.51.100.8", "pass", 4),
        ("includes.example", "192.0.2.1", "pass", 4),
        ("includes.example", "203.0.113.1", "neutral", 4),
        ("redirects.example", "192.0.2.1", "pass", 1),
        ("redirects.example", "203.0.113.1", "fail", 1),
        ("ignores.example", "192.0.2.1", "softfail", 0),
        ("macro.example", "192.0.2.1", "unseen", 1),
        ("prefix.example", "198.51.100.200", "pass", 1),
        ("prefix.example", "2001:db8::ffff", "pass", 1),
        ("prefix.example", "2001:db8:0:1::", "fail", 1),
        ("n0.example", "192.0.2.1", "fail", 11),
    ],
)
def test_spf_says_of_an_address_what_a_receiver_would(
    domain: str, address: str, result: str, lookups: int
) -> None:
    """Mechanisms, qualifiers, prefixes, include and redirect are RFC 7208's, and so is the count."""
    with DnsServer(SPF_ZONE) as server:
        found = spf.evaluate(server.names, domain, ip_address(address))
    assert (found.result, found.lookups) == (result, lookups)


@pytest.mark.parametrize(
    ("domain", "told"),
    [
        ("twice.example", "2 SPF records"),
        ("circle.example", "includes itself"),
        ("wrong.example", "'ipv4:192.0.2.1', which is no term"),
        ("network.example", "192.0.2.300 is no network"),
        ("swapped.example", "an address of the other kind"),
        ("nowhere.example", "missing.example has no SPF record"),
        ("like.example", "no SPF record"),
        ("w0.example", "more than 50 DNS look-ups"),
    ],
)
def test_a_broken_spf_record_is_named(domain: str, told: str) -> None:
    """What a receiver would call a permanent error says where it is, however the records branch out."""
    with DnsServer(SPF_ZONE) as server, pytest.raises(spf.SPFError, match=told):
        spf.evaluate(server.names, domain, None)


@settings(max_examples=60)
@given(st.lists(st.text("aimx:/4.%{}=-+?~ ncludep0129", max_size=12), max_size=8))
def test_any_spf_record_is_read_or_refused(terms: list[str]) -> None:
    """Whatever stands in a record, reading it ends with a result or a clear error."""
    record = " ".join(["v=spf1", *terms]).replace('"', "")
    with DnsServer({"any.example": txt(record)}) as server:
        try:
            found = spf.evaluate(server.names, "any.example", ip_address("192.0.2.1"))
        except (spf.SPFError, UnseenError):
            return
    assert found.result in list(spf.Result)


@pytest.mark.parametrize(
    ("record", "relay", "expected", "told"),
    [
        (None, "smtp.relay.example", [Level.ERROR], "v=spf1 a:smtp.relay.example ~all"),
        (None, "localhost", [Level.ERROR], "ip4:203.0.114.5 ip6:2001:db9::5"),
        ("v=spf1 ip4:198.51.100.7 ip6:2001:db8::7 -all", "smtp.relay.example", [Level.OK, Level.OK], ""),
        (
            "v=spf1 ip4:198.51.100.7 -all",
            "smtp.relay.example",
            [Level.OK, Level.WARNING],
            "add ip6:2001:db8::7",
        ),
        ("v=spf1 ip4:198.51.100.7 -all", "198.51.100.7", [Level.OK, Level.OK], ""),
        ("v=spf1 ip4:203.0.114.5 ip6:2001:db9::5 -all", "localhost", [Level.OK, Level.OK], ""),
        ("v=spf1 exists:%{i}.x.example -all", "smtp.relay.example", [Level.OK, Level.OK], ""),
        ("v=spf1 +all", "smtp.relay.example", [Level.OK, Level.WARNING], "~all"),
        ("v=spf1 include:n0.example -all", "smtp.relay.example", [Level.ERROR, Level.WARNING], "take out"),
        ("v=spf1 nonsense", "smtp.relay.example", [Level.ERROR], "mend"),
    ],
)
def test_the_spf_of_a_site_is_judged_for_its_relay(
    record: str | None, relay: str, expected: list[Level], told: str
) -> None:
    """The record is asked for each relay's address; what to add stands in the mend."""
    own = {} if record is None else {"example.org": txt(record)}
    with DnsServer({**SPF_ZONE, **own}) as server:
        findings = list(check_spf(server.names, site(relay={"host": relay}), OWN))
    assert levels(findings) == expected
    assert told in " ".join(finding.mend for finding in findings)


def dkim_site(folder: Path) -> Settings:
    return site(folder, dkim={"selector": "s1", "ed25519_selector": "s2"})


def dkim_zone(given: Settings, change: dict[str, str]) -> Zone:
    """The right records, one with something replaced by something else."""
    zone = {}
    for key in load_keys(given):
        record = key.record("example.org")
        value = record.value
        for old, new in change.items():
            value = value.replace(old, new)
        zone[record.name] = txt(value)
    return zone


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both kinds of key."""
    folder = tmp_path_factory.mktemp("keys")
    make_key(folder / "dkim.pem", 2048)
    make_key(folder / "dkim-ed25519.pem", None)
    return folder


@pytest.mark.parametrize(
    ("change", "expected", "told"),
    [
        ({}, [Level.OK, Level.OK], "is the local key's"),
        ({"p=": "p= "}, [Level.OK, Level.OK], "is the local key's"),
        ({"v=DKIM1; k=rsa; ": ""}, [Level.OK, Level.OK], "is the local key's"),
        ({"v=DKIM1;": "v=DKIM1; t=y;"}, [Level.WARNING, Level.WARNING], "testing"),
        ({"DKIM1": "DKIM2"}, [Level.ERROR, Level.ERROR], "no DKIM key record"),
        ({"; p=": "; p=;"}, [Level.ERROR, Level.ERROR], "revoked"),
        ({"k=": "h=sha1; k="}, [Level.ERROR, Level.ERROR], "SHA-256"),
        ({"k=rsa": "k=ed25519"}, [Level.ERROR, Level.OK], "the local one is rsa"),
        ({"p=": "p=*"}, [Level.ERROR, Level.ERROR], "not base64"),
        ({"p=": "p=AAAA"}, [Level.ERROR, Level.ERROR], "not that of the local key file"),
    ],
)
def test_each_key_record_is_compared_with_its_key(
    keys: Path, change: dict[str, str], expected: list[Level], told: str
) -> None:
    """The record must be one that receivers use, and the local key's; else the right one is shown."""
    given = dkim_site(keys)
    with DnsServer(dkim_zone(given, change)) as server:
        findings = list(check_dkim(server.names, given))
    assert levels(findings) == expected
    assert told in findings[0].found
    for finding, key in zip(findings, load_keys(given), strict=True):
        assert finding.mend in ("", key.record("example.org").zone_line)


def test_missing_and_doubled_key_records_are_errors(keys: Path) -> None:
    """No record is no signature; of two, receivers take any."""
    given = dkim_site(keys)
    with DnsServer({}) as server:
        assert levels(check_dkim(server.names, given)) == [Level.ERROR, Level.ERROR]
    value = load_keys(given)[0].record("example.org").value
    with DnsServer({"s1._domainkey.example.org": txt(value, "v=DKIM1; p=AAAA")}) as server:
        assert "there are 2 records" in next(check_dkim(server.names, given)).found


def test_without_keys_the_relay_must_sign() -> None:
    """With [dkim] off that is said, with the command that makes a key."""
    with DnsServer({}) as server:
        (finding,) = check_dkim(server.names, site())
    assert (finding.level, finding.mend) == (Level.WARNING, "paperround dkim keygen")


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("example.org", ["example.org", "org"]),
        ("org", ["org"]),
        (
            "a.b.c.d.e.f.g.h.i.example.com",
            [
                "a.b.c.d.e.f.g.h.i.example.com",
                "e.f.g.h.i.example.com",
                "f.g.h.i.example.com",
                "g.h.i.example.com",
                "h.i.example.com",
                "i.example.com",
                "example.com",
                "com",
            ],
        ),
    ],
)
def test_the_tree_is_walked_as_the_standard_says(domain: str, expected: list[str]) -> None:
    """From the domain to its top, in eight steps at most (RFC 9989 §4.10)."""
    assert dmarc.tree(domain) == expected


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ({}, "news.shop.example.org"),
        ({"_dmarc.example.org": "p=none"}, "example.org"),
        ({"_dmarc.news.shop.example.org": "p=none", "_dmarc.example.org": "p=none"}, "example.org"),
        ({"_dmarc.shop.example.org": "p=none; psd=n", "_dmarc.example.org": "p=none"}, "shop.example.org"),
        ({"_dmarc.example.org": "p=none; psd=y"}, "shop.example.org"),
    ],
)
def test_the_organisational_domain_is_found(zone: dict[str, str], expected: str) -> None:
    """The uppermost with a record, the one that says psd=n, or the one below a public suffix."""
    with DnsServer({name: txt(f"v=DMARC1; {tags}") for name, tags in zone.items()}) as server:
        assert dmarc.organisation(server.names, "news.shop.example.org")[0] == expected


@pytest.mark.parametrize(
    ("records", "given", "expected", "told"),
    [
        ({}, {}, [Level.ERROR], "no DMARC record"),
        ({"example.org": ["p=none"]}, {}, [Level.OK, Level.OK], "p=none, by the record at example.org"),
        ({"example.org": ["p=none", "p=reject"]}, {}, [Level.ERROR], "2 DMARC records"),
        ({"example.org": ["p=maybe"]}, {}, [Level.ERROR], "p=maybe"),
        ({"example.org": ["rua=mailto:a@b.c"]}, {}, [Level.ERROR], "no p="),
        ({"org": ["p=none; sp=reject; psd=y"]}, {}, [Level.ERROR], "no DMARC record"),
        (
            {"example.org": ["p=reject"]},
            {"bounce_address": "b@other.example"},
            [Level.OK, Level.WARNING],
            "p=reject",
        ),
        (
            {"example.org": ["p=reject"]},
            {"bounce_address": "b@bounces.example.org"},
            [Level.OK, Level.OK],
            "p=reject",
        ),
        (
            {"example.org": ["p=reject; aspf=s"]},
            {"bounce_address": "b@bounces.example.org"},
            [Level.OK, Level.WARNING],
            "p=reject",
        ),
        (
            {"example.org": ["p=none; sp=quarantine"]},
            {"from": "a@news.example.org"},
            [Level.OK, Level.OK],
            "sp=quarantine, by the record at example.org",
        ),
    ],
)
def test_the_dmarc_of_a_site(
    records: dict[str, list[str]], given: dict[str, str], expected: list[Level], told: str
) -> None:
    """One usable record, its own or its organisation's, and something aligned with From."""
    zone = {
        f"_dmarc.{name}": txt(*(f"v=DMARC1; {tags}" for tags in found)) for name, found in records.items()
    }
    with DnsServer(zone) as server:
        findings = list(check_dmarc(server.names, site(site=given)))
    assert levels(findings) == expected
    assert told in findings[0].found


def test_a_strict_alignment_that_nothing_meets_is_an_error(keys: Path) -> None:
    """A signature of the parent domain and a foreign return path prove nothing for a strict record."""
    given = site(
        keys,
        site={"from": "a@news.example.org", "bounce_address": "b@other.example"},
        dkim={"selector": "s1", "domain": "example.org"},
    )
    with DnsServer({"_dmarc.news.example.org": txt("v=DMARC1; p=reject; adkim=s")}) as server:
        assert levels(check_dmarc(server.names, given)) == [Level.OK, Level.ERROR]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ({"example.org": {"MX": ["10 mx.example.org."]}, "mx.example.org": {"A": ["192.0.2.1"]}}, Level.OK),
        ({"example.org": {"MX": ["0 ."]}}, Level.ERROR),
        ({}, Level.ERROR),
        ({"example.org": {"AAAA": ["2001:db8::1"]}}, Level.WARNING),
        ({"example.org": {"MX": ["10 mx.example.org."]}}, Level.ERROR),
        (
            {
                "example.org": {"MX": ["10 mx.example.org.", "20 gone.example.org."]},
                "mx.example.org": {"A": ["192.0.2.1"]},
            },
            Level.WARNING,
        ),
    ],
)
def test_mail_must_be_able_to_come_back(zone: Zone, expected: Level) -> None:
    """MX records, an address instead of one, a null MX, and hosts that are not there."""
    with DnsServer(zone) as server:
        assert levels(check_mx(server.names, "example.org", ["answers"])) == [expected]


def test_every_domain_that_gets_mail_is_looked_at() -> None:
    """Answers, readers' mail and failure reports may come to three domains."""
    given = site(site={"reply_to": "a@x.example", "bounce_address": "b@y.example"})
    assert mail_domains(given) == {
        "x.example": ["answers"],
        "example.org": ["readers' mail"],
        "y.example": ["failure reports"],
    }


def test_the_names_of_this_machines_addresses_must_lead_back() -> None:
    """Where this machine sends by itself, each address needs a PTR whose name has that address."""
    zone: Zone = {
        "5.114.0.203.in-addr.arpa": {"PTR": ["mail.example.org.", "old.example.org."]},
        "mail.example.org": {"A": ["203.0.114.5"]},
    }
    with DnsServer(zone) as server:
        findings = list(check_ptr(server.names, site(relay={"host": "127.0.0.1"}), OWN))
        elsewhere = list(check_ptr(server.names, site(relay={"host": "smtp.example.net"}), OWN))
    assert levels(findings) == [Level.OK, Level.ERROR]
    assert "PTR" in findings[1].mend
    assert levels(elsewhere) == [Level.OK]
    assert "cannot be seen from here" in elsewhere[0].found


@pytest.mark.parametrize("trouble", ["SERVFAIL", "SILENCE"])
def test_what_cannot_be_known_is_not_judged(trouble: str) -> None:
    """A server that fails, or says nothing, is UnseenError with the name in it, and no finding about it."""
    with (
        DnsServer({"example.org": {trouble: []}}) as server,
        pytest.raises(UnseenError, match=r"example\.org"),
    ):
        list(check_spf(server.names, site(), OWN))
