"""Reports as other mail systems write them, that the code which reads them was not written against.

Each `.eml` is a message as it arrives, written in UTF-8 with LF; `expected.toml` says what is to be read out
of it. Names stand in for what is ours (`PLACEHOLDERS`), and blocks for what is encoded on the wire:

    {{BASE64 utf-8}}            {{QP iso-8859-1}}           {{AS iso-2022-jp}}
    text                        text                        text
    {{END}}                     {{END}}                     {{END}}

The forms and standard phrases are the real systems'; people, hosts and ids are made up.
"""

import base64
import quopri
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from newsletter.delivery.copies import leave_address, return_path, unsubscribe_url
from subscribers.tokens import Purpose, TokenSigner

FOLDER = Path(__file__).parent
SIGNER = TokenSigner(b"the key that the letters of this set were signed with")
NUMBER = 4711
"""The delivery whose letter all these reports are about."""

OURS = "ann@advice.example"
VERP = return_path(OURS, SIGNER, NUMBER)
PLACEHOLDERS = {
    "VERP": VERP,  # our letter's return path
    "VERP_TOKEN": SIGNER.sign(Purpose.BOUNCE, NUMBER),
    "VERP_SHOUTED": VERP.upper(),
    "MESSAGE_ID": f"<{SIGNER.sign(Purpose.MESSAGE, NUMBER)}@advice.example>",
    "MESSAGE_ID_ESCAPED": f"&lt;{SIGNER.sign(Purpose.MESSAGE, NUMBER)}@advice.example&gt;",  # in HTML
    "LEAVE_URL": unsubscribe_url("https://advice.example", SIGNER, NUMBER),
    "LEAVE_ADDRESS": leave_address(OURS, SIGNER, NUMBER),
    "RECIPIENT": "dana.reed@reader.example",  # whom we wrote to
    "OTHER": "k.olsen@elsewhere.example",  # somebody else
    "OURS": OURS,  # the address that our letters are from, without a token
    "LOCAL": OURS.partition("@")[0],
    "DOMAIN": OURS.partition("@")[2],
    "FORGED": return_path(OURS, TokenSigner(b"somebody else's key"), NUMBER),
}
PLACEHOLDER = re.compile(r"\{\{([A-Z_]+)\}\}")
_BLOCK = re.compile(r"^\{\{(BASE64|QP|AS) ([\w-]+)\}\}\n(.*?)^\{\{END\}\}\n", re.DOTALL | re.MULTILINE)
_ENCODINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "BASE64": base64.encodebytes,
    "QP": quopri.encodestring,
    "AS": bytes,
}


@dataclass(frozen=True)
class Sample:
    """One message, and what is to be read out of it."""

    name: str
    system: str
    kind: str  # of ReportKind, in lower case
    bounce_class: str | None  # of BounceClass, for what failed
    trace: str  # the most trusted trace of our letter: verp | message-id | leave | none
    arrives: str = "verp"  # at which address: verp | ours
    return_path: str = ""  # its own
    line_ends: str = "crlf"
    round: int = 1  # 2 to 6: written after the code had been mended by those before, without a look at it
    note: str = ""

    @property
    def template(self) -> str:
        return (FOLDER / self.name).read_text("utf-8")

    @property
    def content(self) -> bytes:
        """The message as it is on the wire."""
        text = PLACEHOLDER.sub(lambda found: PLACEHOLDERS.get(found[1], found[0]), self.template)
        made, end = b"", 0
        for block in _BLOCK.finditer(text):
            encode = _ENCODINGS[block[1]]
            made += text[end : block.start()].encode() + encode(block[3].encode(block[2]))
            end = block.end()
        made += text[end:].encode()
        return made if self.line_ends == "lf" else made.replace(b"\n", b"\r\n")


def expected() -> dict[str, dict[str, Any]]:
    """`expected.toml`, by file."""
    return tomllib.loads((FOLDER / "expected.toml").read_text("utf-8"))


def samples() -> list[Sample]:
    """The whole set."""
    return [
        Sample(name, bounce_class=entry.pop("class", None), **entry) for name, entry in expected().items()
    ]
