"""What starting the command line costs, as a multiple of starting Python at all.

    python benchmarks/start.py [--runs N] [--json]

Runs `python -c pass`, `paperround --help` and a few usage errors in turn, so that whatever else the machine
does falls on all of them alike, and prints the ratio of the medians. Promised is at most 15; beyond that the
exit code is 1.
"""

import argparse
import json
import subprocess
import sys
import time
from statistics import median

PROMISED = 15
PASS = ("-c", "pass")
COMMANDS = {
    "help": ("--help",),
    "unknown command": ("quueue",),
    "missing argument": ("queue", "add"),
    "impossible value": ("category", "add", "advice", "--cadence", "sometimes"),
}


def seconds(arguments: tuple[str, ...]) -> float:
    """How long one process took, from its start to its end."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=False)
    return time.perf_counter() - began


def measure(runs: int) -> tuple[float, dict[str, float]]:
    """Python's own median start in seconds, and each command's as a multiple of it."""
    programs = {"pass": PASS} | {name: ("-m", "newsletter", *words) for name, words in COMMANDS.items()}
    times: dict[str, list[float]] = {name: [] for name in programs}
    for run in range(runs + 1):
        for name, arguments in programs.items():
            took = seconds(arguments)
            if run:  # the first one only warms the caches
                times[name].append(took)
    bare = median(times["pass"])
    return bare, {name: round(median(times[name]) / bare, 1) for name in COMMANDS}


def main() -> None:
    """Measure, print, and leave with 0 if the promise is kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    options = parser.parse_args()
    bare, ratios = measure(options.runs)
    worst = max(ratios.values())
    if options.json:
        result = {"promised": PROMISED, "worst": worst, "ratios": ratios}
        print(json.dumps(result | {"pass_ms": round(bare * 1000, 1), "runs": options.runs}, indent=2))
    else:
        print(f"python -c pass: {bare * 1000:.1f} ms, the median of {options.runs} runs")
        for name, ratio in ratios.items():
            print(f"{name}: {ratio} × that, promised at most {PROMISED}")
    sys.exit(worst > PROMISED)


if __name__ == "__main__":
    main()
