"""A PostgreSQL of one's own, by pgserver: `postgres.py FOLDER` prints its URL and runs until its input ends.

It listens on a socket in FOLDER and on no network. It is a process of its own because pgserver tidies up when
the process that uses it leaves; and it ends with the one that started it, however that one ends.
"""

import sys
from pathlib import Path


def main() -> None:
    """Start, wait, stop."""
    try:
        from pgserver import get_server  # type: ignore[attr-defined]
    except ImportError:
        sys.exit("pgserver is not installed: pip install pgserver (Python 3.12 or older)")
    server = get_server(Path(sys.argv[1]))
    print(server.get_uri(), flush=True)
    sys.stdin.read()
    server.cleanup()


if __name__ == "__main__":
    main()
