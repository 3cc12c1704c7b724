"""What `benchmarks/send.py` measures: a real tick that sends, and each of the yardsticks.

Every function starts the relay it needs and ends it. A sender whose messages did not all arrive raises
BenchmarkError: a rate is worth nothing then.
"""

import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sending.processes import HERE, HOST, BenchmarkError, Ended, find_tool, proxy, run, sink

_RIVAL_MESSAGES = 5_000
_SIGNING_SECONDS = 2


@dataclass(frozen=True)
class Site:
    """A filled site, and how to run something with its settings."""

    folder: Path
    readers: int
    message_bytes: int
    connections: int
    environment: Mapping[str, str]

    @property
    def limit(self) -> float:
        """Seconds that one step may take: at a rate at which nothing more is to be learnt."""
        return 120 + self.readers / 50


@dataclass(frozen=True)
class Sending:
    """One tick that sent everything, and the empty one after it."""

    tick: Ended
    empty: Ended
    readers: int
    sessions: int

    @property
    def seconds(self) -> float:
        """From the start of sending to its end."""
        return max(self.tick.seconds - self.empty.seconds, 1e-3)

    @property
    def rate(self) -> float:
        """Letters a second."""
        return self.readers / self.seconds

    def figures(self) -> dict[str, Any]:
        """What there is to say about it."""
        return {
            "rate": round(self.rate, 1),
            "rate_with_start": round(self.readers / self.tick.seconds, 1),
            "seconds": round(self.seconds, 3),
            "start_seconds": round(self.empty.seconds, 3),
            "cpu_seconds": round(self.tick.cpu_seconds, 3),
            "peak_rss_mb": round(self.tick.peak_rss_mb, 1),
            "sessions": self.sessions,
        }


@dataclass(frozen=True)
class Route:
    """What stands between a sender and the sink."""

    tls: bool = False
    delay_ms: float = 0

    @property
    def is_direct(self) -> bool:
        """Nothing does."""
        return not self.tls and not self.delay_ms

    @contextmanager
    def to(self, port: int) -> Iterator[tuple[int, dict[str, str]]]:
        """The port to send to, and the environment to do it in."""
        if self.is_direct:
            yield port, {}
            return
        with tempfile.TemporaryDirectory(prefix="paperround-ca-") as folder:
            authority = Path(folder, "ca.pem") if self.tls else None
            with proxy(port, delay_ms=self.delay_ms, authority=authority) as outer:
                yield outer, {"SSL_CERT_FILE": str(authority)} if authority else {}


def note(words: str) -> None:
    """Say on a terminal what is going on."""
    if sys.stderr.isatty():
        print(words, file=sys.stderr)


def fill(
    what: str, folder: Path, *numbers: int, environment: Mapping[str, str], limit: float
) -> dict[str, int]:
    """One of the commands of `sending/fill.py`."""
    command = [sys.executable, HERE / "fill.py", what, folder, *numbers]
    answer: dict[str, int] = json.loads(run(command, limit=limit, environment=environment).output)
    return answer


def make_site(folder: Path, readers: int, size: int, environment: Mapping[str, str]) -> Site:
    """A site whose issue is planned, in a new folder."""
    note(f"making a site for {readers:,} readers")
    folder.mkdir()
    made = fill("make", folder, readers, size, environment=environment, limit=300 + readers / 500)
    return Site(folder, readers, made["message_bytes"], made["connections"], environment)


def send(site: Site, route: Route) -> Sending:
    """Send the issue, and compare all counts. Raises BenchmarkError if they do not agree."""
    fill("restore", site.folder, environment=site.environment, limit=site.limit)
    command = [sys.executable, "-m", "newsletter", "--site", site.folder / "site", "tick"]
    with sink() as relay, route.to(relay.port) as (port, trust):
        environment = {
            **site.environment,
            **trust,
            "PAPERROUND_RELAY__HOST": HOST,
            "PAPERROUND_RELAY__PORT": str(port),
            "PAPERROUND_RELAY__TLS": "implicit" if route.tls else "none",
        }
        note(f"paperround sends to {site.readers:,} readers")
        tick = run(command, limit=site.limit, environment=environment)
        accepted, sessions = relay.accepted()
        empty = run(command, limit=site.limit, environment=environment)
        again, _ = relay.accepted()
    ledger = fill("count", site.folder, environment=site.environment, limit=site.limit)
    if not accepted == again == ledger["sent"] == ledger["total"] == site.readers:
        raise BenchmarkError(
            f"the counts do not agree: {site.readers} readers; the relay took {accepted} messages and "
            f"{again - accepted} more from a second tick; the ledger has {ledger['sent']} of "
            f"{ledger['total']} sent"
        )
    return Sending(tick, empty, site.readers, sessions)


def smtp_source(site: Site) -> float:
    """Messages a second of `smtp-source -d`, which keeps its connections open."""
    note("smtp-source sends as many")
    program = find_tool("smtp-source", "postfix")
    content = ["-F", site.folder / "message.txt", "-f", "news@example.org", "-t", "reader@example.net"]
    number = ["-d", "-s", site.connections, "-m", site.readers]
    with sink() as relay:
        ended = run([program, *number, *content, f"{HOST}:{relay.port}"], limit=site.limit)
        _all_arrived(relay.accepted()[0], site.readers, "smtp-source")
    return site.readers / ended.seconds


def rival(site: Site, route: Route, how: str) -> float:
    """Messages a second of a library that people use."""
    messages = min(site.readers, _RIVAL_MESSAGES // 5 if route.delay_ms else _RIVAL_MESSAGES)
    note(f"{how} sends {messages:,}")
    with sink() as relay, route.to(relay.port) as (port, trust):
        words = [how, port, site.connections, messages, site.folder / "message.eml"]
        command = [sys.executable, HERE / "rivals.py", *words, *(["--tls"] if route.tls else [])]
        ended = run(command, limit=site.limit, environment=trust)
        _all_arrived(relay.accepted()[0], messages, how)
    return messages / float(ended.output)


def _all_arrived(accepted: int, sent: int, who: str) -> None:
    if accepted != sent:
        raise BenchmarkError(f"{who} sent {sent} messages, and the relay took {accepted}")


def signing() -> float:
    """RSA-2048 signatures a second of OpenSSL alone, in one process."""
    note("openssl signs")
    command = [find_tool("openssl", "openssl"), "speed", "-seconds", _SIGNING_SECONDS, "-mr", "rsa2048"]
    ended = run(command, limit=60)
    if not (found := re.search(r"^\+F2:\d+:2048:([\d.]+):", ended.output, re.MULTILINE)):
        raise BenchmarkError(f"openssl speed -mr printed something new: {ended.output.strip()[-100:]!r}")
    return float(found[1])
