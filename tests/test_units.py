"""The systemd units shown in docs/operating.md are ones that systemd takes."""

import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

TEXT = (Path(__file__).parent.parent / "docs" / "operating.md").read_text(encoding="utf-8")
NAMES = ["paperround.service", "paperround-tick.service", "paperround-tick.timer"]
UNITS = dict(zip(NAMES, re.findall(r"^```ini\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL), strict=True))


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say, once they name a user and a program of this machine."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    for name, unit in UNITS.items():
        here = re.sub(r"^ExecStart=\S+", f"ExecStart={sys.executable}", unit, flags=re.MULTILINE)
        (tmp_path / name).write_text(here.replace("User=paperround", "User=root"), encoding="utf-8")
    done = subprocess.run(
        [analyze, "verify", *(str(tmp_path / name) for name in UNITS)],
        capture_output=True,
        text=True,
        check=False,
    )
    told = [
        line for line in done.stderr.splitlines() if str(tmp_path) in line or line.startswith(tuple(NAMES))
    ]
    assert told == []


def service(name: str) -> dict[str, str]:
    """The lines of a unit's [Service]."""
    unit = ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # keys as they are written
    unit.read_string(UNITS[name])
    return dict(unit["Service"])


def test_a_tick_may_do_no_more_than_a_run() -> None:
    """The two services differ in when they start and end, and in nothing that hardens them."""
    run, tick = (service(name).items() for name in ("paperround.service", "paperround-tick.service"))
    of_their_own = {"Type", "ExecStart", "Restart", "RestartSec", "TimeoutStartSec"}
    assert {name for name, _ in run ^ tick} == of_their_own


@pytest.mark.parametrize("name", ["paperround.service", "paperround-tick.service"])
def test_letters_in_flight_may_finish(name: str) -> None:
    """A stop waits longer than a relay may take for its answer to a whole message (RFC 5321 §4.5.3.2.6)."""
    unit = service(name)
    minutes = re.fullmatch(r"(\d+)min", unit["TimeoutStopSec"])
    assert minutes is not None
    assert int(minutes[1]) > 10
    assert unit["KillSignal"] == "SIGTERM"
