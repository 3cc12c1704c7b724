"""Quoted-printable (RFC 2045 §6.7) in a form that no mail system needs to touch again.

Stricter than the RFC asks: a dot at the start of a line is written =2E, and a space =20 unless it stands
alone between two visible characters. So DATA needs no dot-stuffing (RFC 5321 §4.5.2), relaxed DKIM
canonicalisation changes nothing, and pieces encoded apart can be joined at soft line breaks.
"""

import re

SOFT_BREAK = b"=\r\n"
_LIMIT = 75  # 76 with the "=" of a soft break

_ESCAPED = [f"={octet:02X}" for octet in range(256)]
_LINES_AS_THEY_ARE = re.compile(r"(?:[!-\-/-<>-~][!-<>-~]{74})*+(?:[!-\-/-<>-~][!-<>-~]{0,73})?+")
"""Visible ASCII but "=", with no dot where a line of output begins."""
_OCTETS = [chr(octet) if 33 <= octet <= 126 and octet != 61 else _ESCAPED[octet] for octet in range(256)]


def _encode_line(line: bytes) -> list[str]:
    """One line of text as output lines, to be joined by soft breaks."""
    lines: list[str] = []
    pieces: list[str] = []
    width = 0
    last = len(line) - 1
    for index, octet in enumerate(line):
        piece = _OCTETS[octet]
        # A space is bare only between two visible characters that are sure to follow on the same line.
        stands_alone = 0 < index < last and line[index - 1] != 32 and line[index + 1] != 32
        if octet == 32 and stands_alone and 0 < width <= _LIMIT - 4:
            piece = " "
        if width + len(piece) > _LIMIT:
            lines.append("".join(pieces))
            pieces, width = [], 0
        if not pieces and piece == ".":
            piece = _ESCAPED[octet]
        pieces.append(piece)
        width += len(piece)
    return [*lines, "".join(pieces)]


def encode(text: str) -> bytes:
    """Text as quoted-printable with CRLF line ends; every output line is at most 76 octets.

    The last line has no line end, so a soft break may follow it.
    """
    if _LINES_AS_THEY_ARE.fullmatch(text):  # an address, a URL: what is spliced into every letter
        if len(text) <= _LIMIT:
            return text.encode("ascii")
        return "=\r\n".join([text[at : at + _LIMIT] for at in range(0, len(text), _LIMIT)]).encode("ascii")
    return encode_any(text)


def encode_any(text: str) -> bytes:
    """What `encode` does, octet by octet, for any text."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\r\n".join("=\r\n".join(_encode_line(line.encode("utf-8", "replace"))) for line in lines).encode(
        "ascii"
    )
