"""Refresh `caniemail.json`: `python -m newsletter.check.refresh [URL]`.

Promises: the file is replaced whole or not at all, and only by data that was understood. Fails with exit code
1 and one line where the data cannot be fetched, is too large, or has another shape.

Of the data, collected by caniemail.com under the MIT licence (see CANIEMAIL-LICENSE.txt), it keeps for every
feature its title and the newest verdict for each client that a reader is likely to use, one letter each:
`y` supported, `a` partly, `n` not at all, `u` unknown.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from newsletter.errors import PaperroundError

URL = "https://www.caniemail.com/api/data.json"
DATA = Path(__file__).parent / "caniemail.json"
MAX_BYTES = 20_000_000
TIMEOUT = 30  # seconds

CLIENTS = (
    *("apple-mail.macos", "apple-mail.ios"),
    *("gmail.desktop-webmail", "gmail.mobile-webmail", "gmail.ios", "gmail.android"),
    *("outlook.windows", "outlook.windows-mail", "outlook.outlook-com", "outlook.macos"),
    *("outlook.ios", "outlook.android"),
    *("yahoo.desktop-webmail", "yahoo.ios", "yahoo.android"),
    *("aol.desktop-webmail", "aol.ios", "aol.android"),
    *("samsung-email.android", "thunderbird.macos"),
    *("protonmail.desktop-webmail", "protonmail.ios", "protonmail.android"),
    *("fastmail.desktop-webmail", "hey.desktop-webmail"),
)
"""The clients that are kept, as `family.platform` in the data's own words."""


def distil(data: bytes) -> str:
    """What is kept of the site's data, as JSON with one feature a line.

    Raises:
        PaperroundError: the data has another shape than expected.
    """
    try:
        whole = json.loads(data)
        names, features = whole["nicenames"], whole["data"]
        kept = {
            "source": URL,
            "date": whole["last_update_date"][:10],
            "clients": {client: _name(client, names) for client in CLIENTS},
        }
        rows = [
            f"    {json.dumps(feature['slug'])}: "
            + json.dumps([feature["title"].strip(), _verdicts(feature["stats"])], ensure_ascii=False)
            for feature in sorted(features, key=lambda feature: str(feature["slug"]))
            if feature["category"] in ("html", "css", "image")
        ]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise PaperroundError(f"this is not the data of caniemail.com: {error!r}") from error
    if not rows:
        raise PaperroundError("this is not the data of caniemail.com: it has no features")
    head = json.dumps(kept, ensure_ascii=False, indent=2).removesuffix("\n}")
    return head + ',\n  "features": {\n' + ",\n".join(rows) + "\n  }\n}\n"


def _name(client: str, names: Mapping[str, Any]) -> list[str]:
    family, _, platform = client.partition(".")
    return [names["family"][family], names["platform"][platform]]


def _verdicts(stats: Mapping[str, Any]) -> str:
    """One letter for each client; of its versions the data names the newest last."""
    letters = []
    for client in CLIENTS:
        family, _, platform = client.partition(".")
        versions = list(stats.get(family, {}).get(platform, {}).values())
        verdict = versions[-1][0] if versions else "u"
        if verdict not in "yanu":
            raise ValueError(verdict)
        letters.append(verdict)
    return "".join(letters)


def refresh(url: str, target: Path) -> None:
    """Fetch the data and put what is kept of it at `target`.

    Raises:
        PaperroundError: it cannot be fetched, is larger than `MAX_BYTES`, or has another shape.
        OSError: `target` cannot be written.
    """
    if not url.startswith(("https://", "http://")):
        raise PaperroundError(f"{url} is not a web address")
    try:
        with urlopen(url, timeout=TIMEOUT) as response:  # noqa: S310  checked above
            data = response.read(MAX_BYTES + 1)
    except OSError as error:
        raise PaperroundError(f"{url} cannot be fetched: {error}") from error
    if len(data) > MAX_BYTES:
        raise PaperroundError(f"{url} has more than {MAX_BYTES:,} bytes")
    made = target.with_suffix(".new")
    made.write_text(distil(data), encoding="utf-8")
    made.replace(target)


def main() -> None:
    """Refresh the file that came with Paperround."""
    try:
        refresh(sys.argv[1] if len(sys.argv) > 1 else URL, DATA)
    except (PaperroundError, OSError) as error:
        sys.exit(f"refresh: {error}")


if __name__ == "__main__":
    main()
