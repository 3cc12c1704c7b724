"""`benchmarks/render.py` says how the promise stands."""

import json
import subprocess
import sys
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]


def bench(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, ROOT / "benchmarks" / "render.py", "--runs", "1", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=100)


def test_the_benchmark_says_how_the_promise_stands() -> None:
    """One object: the promise, each of the demo's posts, and the median ratio, which decides the exit."""
    done = bench("--json")
    result = json.loads(done.stdout)
    assert result["promised"] == 4
    assert len(result["posts"]) == 8
    assert result["ratio"] == round(median(row["ratio"] for row in result["posts"]), 2)
    assert all(row["ms"] > 0 < row["yardstick_ms"] for row in result["posts"])
    assert done.returncode == int(result["ratio"] > 4)


def test_what_cannot_be_measured_is_named(tmp_path: Path) -> None:
    """What is no post is left out by name; nothing left is an error."""
    (tmp_path / "empty.md").write_text("")
    done = bench("--posts", tmp_path)
    assert done.returncode == 2
    assert "empty.md" in done.stderr
    assert "no post there" in done.stderr
