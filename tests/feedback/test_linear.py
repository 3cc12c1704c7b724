"""Reading a mail takes time in proportion to its length, whatever opens in it and is never closed."""

import time
from collections.abc import Callable

import pytest

from newsletter.feedback.reading import read_mail
from newsletter.feedback.reports import read_report

HEADS = {
    "plain": b"Content-Type: text/plain; charset=utf-8\n\n",
    "flowed": b"Content-Type: text/plain; format=flowed\n\n",
    "html": b"Content-Type: text/html\n\n",
    "parts": b'Content-Type: multipart/mixed; boundary="b"\n\n',
    "base64": b"Content-Transfer-Encoding: base64\n\n",
    "quoted-printable": b"Content-Transfer-Encoding: quoted-printable\n\n",
    "idna": b"Content-Type: text/plain; charset=idna\n\n",
    "from": b"From: ",
    "subject": b"Subject: ",
    "type": b"Content-Type: text/plain",
    "references": b"References: ",
    "fields": b"",
}
REPORT = b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n"
REPORT_HEADS = {
    "words": b"From: MAILER-DAEMON\nSubject: failure notice\n\n",
    "html words": b"From: MAILER-DAEMON\nContent-Type: text/html\n\n",
    "status": REPORT,
    "diagnostic": REPORT + b"Final-Recipient: rfc822; a@b\nAction: failed\nDiagnostic-Code: smtp; ",
    "feedback": b"Content-Type: message/feedback-report\n\n",
    "returned": b"From: MAILER-DAEMON\nContent-Type: message/rfc822\n\n",
    "returned, encoded": b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n",
    "recipients": b"From: MAILER-DAEMON\nX-Failed-Recipients: ",
}
PIECES = [
    *(
        b"> x\n",
        b"On 1 a\n",
        b"On 1 a wrote\n",
        b"From: x\n",
        b"From: x\nTo: y\n",
        b"-- \n",
        b"_______\n",
        b"a:\n",
    ),
    *(
        b"-----Original Message-----\n",
        b"Sent from my x\n",
        b"\n",
        b"a \n",
        b">",
        b" ",
        b"-",
        b"*",
        b"wrote ",
        b"1:\n",
    ),
    *(
        b"<",
        b"</",
        b"<!",
        b"<!--",
        b"<a ",
        b'<a x="',
        b"&#",
        b"&#9",
        b"<p>",
        b"<blockquote>",
        b"<div hidden>",
    ),
    *(
        b"<pre>\n",
        b"<td>",
        b"<script>",
        b'<a class="',
        b"--b\n",
        b"--bx\n",
        b"--b\nContent-Type: text/plain\n\n",
    ),
    *(
        b'--b\nContent-Type: multipart/mixed; boundary="b"\n\n',
        b"=?utf-8?q?a?= ",
        b"=?utf-8?q?",
        b"=?",
        b"YWFh\n",
    ),
    *(
        b'"',
        b"(",
        b"\\",
        b"a@b,",
        b"a@",
        b"a.",
        b'; a="',
        b"; a*1*=x",
        b"<a@b> ",
        b"X: y\n",
        b"X: y\n z\n",
        b":",
    ),
    *(b"=", b"=\n", b"\xc3\xa4", b"\0", b"\r", b"\r\n"),
    *(
        b"Final-Recipient: rfc822; a@b\n\n",
        b"Content-Type: message/rfc822\n\n",
        b"user ",
        b"unknown ",
        b"not delivered ",
        b"550 5.1.1 ",
        b"5.1.",
        b"+bounce.",
        b"/u/aaaa",
        b"\\x{e4}",
        b"----- copy of the ",
        b"could not ",
    ),
]
SIZES = (100_000, 400_000)
MOST = 10
"""Times as long for four times the mail: linear is 4, 6 where memory is slow, and quadratic is 16."""
LEAST_SECONDS = 0.02
"""Below this a clock says more of the machine than of the mail."""


def seconds(read: Callable[[bytes, None], object], content: bytes) -> float:
    """The best of two readings."""
    times = []
    for _ in range(2):
        began = time.process_time()
        read(content, None)
        times.append(time.process_time() - began)
    return max(min(times), LEAST_SECONDS)


def slow_pieces(read: Callable[[bytes, None], object], head: bytes) -> dict[bytes, tuple[float, float]]:
    """The pieces that take much more than four times as long where there are four times as many."""
    slow = {}
    for piece in PIECES:
        small, large = (seconds(read, head + piece * (size // len(piece))) for size in SIZES)
        if large / small > MOST:
            slow[piece] = (small, large)
    return slow


@pytest.mark.trial
@pytest.mark.parametrize("head", HEADS)
def test_four_times_the_mail_takes_four_times_as_long(head: str) -> None:
    """Each piece, repeated in each place of a mail, is read in linear time."""
    assert slow_pieces(read_mail, HEADS[head]) == {}


@pytest.mark.trial
@pytest.mark.parametrize("head", HEADS | REPORT_HEADS)
def test_four_times_the_report_takes_four_times_as_long(head: str) -> None:
    """So is what comes back, with all that may stand in it."""
    assert slow_pieces(read_report, (HEADS | REPORT_HEADS)[head]) == {}
