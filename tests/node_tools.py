"""Instruments that are not Python: npm's mjml, and axe in Chromium. The programs are in `tests/node/`.

Their packages are installed once into `tests/node/node_modules`, whoever of several workers comes first, and
again when `package.json` changes. Where node, npm, Chromium or the npm registry is missing the test skips,
and with `CI` set it fails: see `pytest_runtest_makereport` in `tests/conftest.py`.
"""

import atexit
import fcntl
import functools
import itertools
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "node"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

_INSTALL = ("install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
_RETRY = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000")  # without a network, say so soon


@dataclass(frozen=True)
class Compiled:
    """What npm's mjml made of a source in strict mode, and in how many milliseconds; or its complaints."""

    html: str = ""
    ms: float = 0.0
    errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class View:
    """How a page is looked at: `scheme` is `light` or `dark`, `width` is in CSS pixels."""

    scheme: str
    width: int


VIEWS = tuple(itertools.starmap(View, itertools.product(("light", "dark"), (375, 700))))
EACH_ONCE = (View("light", 375), View("dark", 700))
"""Both schemes and both widths in half as many looks."""


def compile_strictly(sources: Iterable[str]) -> list[Compiled]:
    """Each MJML source as npm's mjml takes it in strict mode, one process for all of them."""
    answers = _run("mjml.mjs", ({"mjml": source} for source in sources))
    return [Compiled(**{**answer, "errors": tuple(answer.get("errors", ()))}) for answer in answers]


def axe_violations(
    pages: Mapping[str, str], *, disabled: Iterable[str] = (), views: Iterable[View] = VIEWS
) -> list[str]:
    """What axe finds wrong with pages (name to HTML) in Chromium: a line for each view and rule.

    Axe's default rules run and `target-size` (WCAG 2.2, 2.5.8), but for those in `disabled`. Nothing is
    fetched from any host.
    """
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    views, disabled = tuple(views), tuple(disabled)
    request = {"views": [vars(view) for view in views], "disabled": disabled}
    _installed()
    answers = [_judged({"html": html, **request}) for html in pages.values()]
    return [
        f"{name}, {view.scheme}, {view.width} px: {found['rule']}: {found['help']}: {found['nodes']}"
        for name, judged in zip(pages, answers, strict=True)
        for view, violations in zip(views, judged, strict=True)
        for found in violations
    ]


def _judged(request: Any) -> Any:
    """What axe says of one page."""
    judge = _judge()
    try:
        judge.stdin.write(f"{json.dumps(request)}\n")
        judge.stdin.flush()
        return json.loads(judge.stdout.readline())
    except BaseException:  # also a test's time that is up: the next one is to read no answer of this one
        judge.kill()
        _judge.cache_clear()
        raise


@functools.cache
def _judge() -> Any:
    """The one browser of all tests of a process: to start it costs more than to judge a page."""
    profile = tempfile.mkdtemp()
    judge = subprocess.Popen(
        ["node", FOLDER / "axe.mjs", str(CHROMIUM), profile],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def end() -> None:
        judge.communicate()
        shutil.rmtree(profile, ignore_errors=True)

    atexit.register(end)
    return judge


def _run(program: str, requests: Iterator[Any]) -> list[Any]:
    """One process of a program of ours: JSON lines in, as many JSON lines out."""
    _installed()
    lines = [json.dumps(request) for request in requests]
    ran = subprocess.run(
        ["node", FOLDER / program],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.returncode == 0 and len(answers) == len(lines), ran.stderr  # noqa: PT018  one cause, one message
    return answers


def _installed() -> None:
    if reason := _missing():
        pytest.skip(reason)


@functools.cache
def _missing() -> str | None:
    """Install the packages if they are not there as `package.json` names them; why they cannot be, if so."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "needs node and npm"
    wanted = FOLDER / "package.json"
    stamp = FOLDER / "node_modules" / ".installed"
    with wanted.open(encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed: other workers wait here
        if stamp.exists() and stamp.read_text(encoding="utf-8") == file.read():
            return None
        ran = subprocess.run(
            ["npm", *_INSTALL, *_RETRY], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=100
        )
        if ran.returncode != 0:
            return f"needs the npm registry: {ran.stderr.strip()[:300]}"
        stamp.write_text(wanted.read_text(encoding="utf-8"), encoding="utf-8")
    return None
