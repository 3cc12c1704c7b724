"""SMTP replies out of a stream of octets (RFC 5321 §4.2), however they are cut up.

Pure but for its buffer. What is no reply, or does not end, raises NotSMTPError with words for people: from
there on nothing that comes can be trusted.
"""

from collections.abc import Iterator

_MARKS = (b" ", b"\r", b"-", b"")
_CODES = {b"%d" % code: code for code in range(200, 600)}
REPLY_OCTETS = 64 * 1024
"""A reply longer than this is not SMTP; RFC 5321 §4.5.3.1.5 allows 512 a line."""


class NotSMTPError(Exception):
    """The other side does not speak SMTP, or has stopped to. Never leaves the transport."""


class ReplyParser:
    """Collects octets, and gives the replies that are complete."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[bytes] = []
        self._octets = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The replies that these octets complete, as code and text; the lines of one are joined by \\n.

        Raises NotSMTPError, after the replies that came before the trouble.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            code, mark = _CODES.get(line[:3]), line[3:4]
            self._octets += len(line) + 1
            if code is None or mark not in _MARKS:
                raise NotSMTPError(f"the relay answered {line[:60]!r}, which is not an SMTP reply")
            if self._octets > REPLY_OCTETS:
                raise NotSMTPError("the relay's answer does not end")
            text = line[4:].rstrip()
            if mark == b"-":
                self._lines.append(text)
                continue
            if self._lines:
                text = b"\n".join([*self._lines, text])
                self._lines = []
            self._octets = 0
            yield code, text
        if self._octets + len(self._rest) > REPLY_OCTETS:
            raise NotSMTPError("the relay's answer does not end")
