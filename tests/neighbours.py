"""Real mail programs as a test's neighbours: where they may live."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534, 65534
"""The user and group that own what daemons write there."""


@contextmanager
def public_folder(name: str) -> Iterator[Path]:
    """A new folder that other users may enter, which pytest's are closed to: daemons run as them."""
    made = subprocess.check_output(["mktemp", "-d", "--tmpdir", f"paperround-{name}-XXXX"], text=True)
    folder = Path(made.strip())
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
