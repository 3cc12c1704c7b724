"""How fast letters leave, beside what Postfix's own load generator makes of the same relay at the same time.

    python benchmarks/send.py [--readers N] [--size BYTES] [--rounds R] [VARIANT] [--json]

A site with N readers sends one real issue by `paperround tick`, with default settings but for the relay's
address, to Postfix's `smtp-sink`. In turn with it, so that whatever else the machine does falls on both
alike, the yardstick sends as many messages of the same size over as many connections. Printed are the
medians of R rounds; of the peak memory, the highest. After each tick three counts must agree: the readers,
the messages that the sink says it took, and the letters that the ledger says are `sent`; if they do not,
there are no figures and the exit code is 1.

What is timed. The issue is planned beforehand, so that the tick only sends. After it a second tick finds
nothing due: that is the start-up, and `rate` is N / (time of the tick - time of the empty one). So all that
sending needs counts: claiming, compiling the edition, connecting, the books, the last commit.
`rate_with_start` counts the start-up too. The yardstick's whole time counts; it starts within milliseconds.
CPU and peak memory are those of the tick's process, as the kernel reports them.

Variants, one at a time, and what stands beside each:

    (none)            `smtp-source -d`: one constant message again and again, no books
    --rivals          also aiosmtplib and smtplib, as people use them today, with the same connections
    --tls             aiosmtplib, both over TLS: a proxy of ours takes it off, since smtp-sink speaks none
    --delay-ms 25     aiosmtplib, both through a proxy that delays each way by so much
    --dkim            OpenSSL's bare RSA-2048 signatures a second, by `openssl speed`
    --postgres        the same on SQLite
    --memory          the same for a hundredth of the readers: peak memory and cost a reader, as ratios

`--connections` sets [relay] connections; otherwise they are the default. Needs Debian's `postfix` for
smtp-sink and smtp-source (nothing of it has to run). The site lies below TMPDIR: that must be a real disk,
since each turn of the sender waits for it.
"""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import FrameType
from typing import Any

from sending.measures import (
    Route,
    Sending,
    Site,
    make_site,
    rival,
    send,
    signing,
    smtp_source,
)
from sending.processes import BenchmarkError, find_tool, postgres

VARIANTS = ("tls", "dkim", "postgres", "rivals", "memory")
_RIVALS = {
    "aiosmtplib sendmail": "aiosmtplib",
    "aiosmtplib send_message": "aiosmtplib-message",
    "smtplib in threads": "smtplib",
}
_SHORT_SENDINGS = 5


@dataclass(frozen=True)
class Comparison:
    """What is measured in turn, each time anew."""

    yardstick: str
    ours: Callable[[], Sending]
    other: Callable[[], float | Sending]
    further: Mapping[str, Callable[[], float]] = field(default_factory=dict)

    def measure(self, rounds: int) -> tuple[list[Sending], list[float | Sending], dict[str, list[float]]]:
        """So many rounds; the order within a round changes, so that going first is nobody's advantage."""
        sendings: list[Sending] = []
        others: list[float | Sending] = []
        more: dict[str, list[float]] = {name: [] for name in self.further}
        for number in range(rounds):
            if number % 2:
                others.append(self.other())
            sendings.append(self.ours())
            if not number % 2:
                others.append(self.other())
            for name, measured in self.further.items():
                more[name].append(measured())
        return sendings, others, more


def compare(given: argparse.Namespace, folder: Path, stack: ExitStack) -> tuple[Site, Comparison]:
    """Make what the variant needs."""
    # The editor is told of nothing: what is counted is letters.
    common = {"PAPERROUND_QUEUE__LOW": "0"}
    if given.connections:
        common["PAPERROUND_RELAY__CONNECTIONS"] = str(given.connections)
    route = Route(given.variant == "tls", given.delay_ms)
    environment = dict(common)
    if given.variant == "postgres":
        environment["PAPERROUND_DATABASE__URL"] = stack.enter_context(postgres(folder))
    if given.variant == "dkim":
        environment["PAPERROUND_DKIM__SELECTOR"] = "bench"
    site = make_site(folder / "site", given.readers, given.size, environment)

    def ours() -> Sending:
        return send(site, route)

    if given.variant == "dkim":
        return site, Comparison("openssl speed rsa2048", ours, signing)
    if given.variant == "postgres":
        plain = make_site(folder / "sqlite", given.readers, given.size, common)
        return site, Comparison("the same on SQLite", ours, lambda: send(plain, route))
    if given.variant == "memory":
        few = make_site(folder / "few", max(1, given.readers // 100), given.size, common)
        return site, Comparison(f"the same for {few.readers} readers", ours, lambda: send_often(few, route))
    if not route.is_direct:
        return site, Comparison("aiosmtplib sendmail", ours, lambda: rival(site, route, "aiosmtplib"))
    further = {
        name: (lambda how=how: rival(site, route, how))
        for name, how in (_RIVALS if given.variant == "rivals" else {}).items()
    }
    return site, Comparison("smtp-source -d", ours, lambda: smtp_source(site), further)


def send_often(site: Site, route: Route) -> Sending:
    """The one in the middle of several: a short sending is easily disturbed."""
    sendings = [send(site, route) for _ in range(_SHORT_SENDINGS)]
    return sorted(sendings, key=lambda sending: sending.seconds)[_SHORT_SENDINGS // 2]


def report(given: argparse.Namespace, site: Site, comparison: Comparison) -> dict[str, Any]:
    """Measure, and sum up by medians."""
    sendings, others, further = comparison.measure(given.rounds)
    rates = [other.rate if isinstance(other, Sending) else other for other in others]
    rate, yardstick_rate = median(sending.rate for sending in sendings), median(rates)
    figures = [sending.figures() for sending in sendings]
    summary: dict[str, Any] = {name: round(median(each[name] for each in figures), 3) for name in figures[0]}
    summary["peak_rss_mb"] = max(each["peak_rss_mb"] for each in figures)
    result = {
        "variant": given.variant or "plain",
        "readers": site.readers,
        "size": given.size,
        "message_bytes": site.message_bytes,
        "connections": site.connections,
        "delay_ms": given.delay_ms,
        **summary,
        "yardstick": comparison.yardstick,
        "yardstick_rate": round(yardstick_rate, 1),
        "ratio": round(rate / yardstick_rate, 3),
        "rounds": [
            each | {"yardstick_rate": round(other, 1)} for each, other in zip(figures, rates, strict=True)
        ],
    }
    if further:
        result["rivals"] = {name: round(median(each), 1) for name, each in further.items()}
    if compared := [other for other in others if isinstance(other, Sending)]:
        result |= _beside(sendings, compared)
    return result


def _beside(ours: list[Sending], others: list[Sending]) -> dict[str, Any]:
    """Memory and cost a reader, as multiples of the other site's."""

    def cost(sending: Sending) -> float:
        return max(sending.tick.cpu_seconds - sending.empty.cpu_seconds, 1e-3) / sending.readers

    peak = max(sending.tick.peak_rss_mb for sending in others)
    return {
        "yardstick_peak_rss_mb": round(peak, 1),
        "peak_rss_ratio": round(max(sending.tick.peak_rss_mb for sending in ours) / peak, 3),
        "seconds_a_reader_ratio": round(
            median(sending.seconds / sending.readers for sending in ours)
            / median(sending.seconds / sending.readers for sending in others),
            3,
        ),
        "cpu_a_reader_ratio": round(median(map(cost, ours)) / median(map(cost, others)), 3),
    }


def _whole(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _milliseconds(text: str) -> float:
    if not 0 < (number := float(text)) <= 10_000:
        raise argparse.ArgumentTypeError("must be above 0 and at most 10000")
    return number


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--readers", type=_whole, metavar="N", help="default 20000; with --memory 1000000")
    parser.add_argument("--size", type=_whole, default=30_000, metavar="BYTES", help="of a whole message")
    parser.add_argument("--rounds", type=_whole, default=3, metavar="R")
    parser.add_argument("--connections", type=_whole, metavar="N", help="instead of the default")
    variants = parser.add_mutually_exclusive_group()
    for name in VARIANTS:
        variants.add_argument(f"--{name}", action="store_const", const=name, dest="variant")
    variants.add_argument(
        "--delay-ms", type=_milliseconds, default=0, metavar="MS", help="each way: 25 is 50 there and back"
    )
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    given = parser.parse_args()
    given.readers = given.readers or (1_000_000 if given.variant == "memory" else 20_000)
    given.variant = "delay" if given.delay_ms else given.variant
    return given


def show(result: dict[str, Any]) -> None:
    """The figures for people."""
    print(
        f"{result['rate']:,.0f} letters/s = {result['ratio']} × {result['yardstick_rate']:,.0f} "
        f"({result['yardstick']}); {result['readers']:,} readers, {result['message_bytes']:,} octets, "
        f"{result['connections']} connections"
    )
    print(
        f"CPU {result['cpu_seconds']} s, peak memory {result['peak_rss_mb']} MB, "
        f"start-up {result['start_seconds']} s"
    )
    for name, rate in result.get("rivals", {}).items():
        print(f"{name}: {rate:,.0f}/s")
    if "peak_rss_ratio" in result:
        print(
            f"beside {result['yardstick']}: peak memory {result['peak_rss_ratio']} ×, a reader costs "
            f"{result['seconds_a_reader_ratio']} × the time and {result['cpu_a_reader_ratio']} × the CPU"
        )


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)  # what was started is ended on the way out


def main() -> None:
    """Measure and print; 1 if the counts do not agree or there are no figures for another reason."""
    given = options()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        find_tool("smtp-sink", "postfix")
        with tempfile.TemporaryDirectory(prefix="paperround-bench-") as folder, ExitStack() as stack:
            result = report(given, *compare(given, Path(folder), stack))
    except BenchmarkError as error:
        sys.exit(f"send.py: {error}")
    if given.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)


if __name__ == "__main__":
    main()
