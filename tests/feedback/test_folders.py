"""Maildir and mbox: every message there once, whatever stands in it, and nothing else happens."""

import mailbox
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.feedback.folders import Found, read_folder

LARGEST = 100_000
BEGINNING = b"From bo@example.net Mon Jan  5 10:00:00 2026\n"
LINES = st.lists(
    st.sampled_from(
        [
            b"",
            b"hello",
            b"From here on",
            b">From there",
            b">>From",
            b"From bo 10:00",
            b"x" * 70_000,
            b"\xff\x00",
        ]
    ),
    min_size=1,
)


def contents(path: Path) -> list[bytes | None]:
    return [found.content for found in read_folder(path, largest=LARGEST)]


def quoted(lines: list[bytes]) -> bytes:
    """A message as mboxrd has it."""
    return b"".join(
        (b">" if line.lstrip(b">").startswith(b"From ") else b"") + line + b"\n" for line in lines
    )


@given(messages=st.lists(LINES, min_size=1, max_size=4))
def test_an_mbox_gives_what_was_put_in(
    tmp_path_factory: pytest.TempPathFactory, messages: list[list[bytes]]
) -> None:
    """Every message, byte for byte, with lines `From` in it, long lines and lines that are no text."""
    path = tmp_path_factory.mktemp("mbox") / "box"
    path.write_bytes(b"".join(BEGINNING + b"To: me\n\n" + quoted(lines) + b"\n" for lines in messages))
    expected = [b"To: me\n\n" + b"\n".join(lines) + b"\n" for lines in messages]
    assert contents(path) == [one if len(one) <= LARGEST else None for one in expected]


def test_an_mbox_of_the_standard_library(tmp_path: Path) -> None:
    """What Python writes is read, and its place is named by file and line."""
    box = mailbox.mbox(tmp_path / "box")
    box.add(b"Subject: one\n\nFrom here on\nhello\n")
    box.add(b"Subject: two\n\nbye")
    box.close()
    found = list(read_folder(tmp_path / "box", largest=LARGEST))
    assert [(one.entrance, one.place, one.content) for one in found] == [
        ("mbox", f"{tmp_path / 'box'}:1", b"Subject: one\n\nFrom here on\nhello\n"),
        ("mbox", f"{tmp_path / 'box'}:7", b"Subject: two\n\nbye\n"),
    ]


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (b"", []),
        (BEGINNING, [b""]),
        (BEGINNING.rstrip(b"\n"), [b""]),
        (BEGINNING + b"\nno end", [b"\nno end"]),
        (
            BEGINNING.replace(b"\n", b"\r\n") + b"A: b\r\n\r\nc\r\n\r\n" + BEGINNING,
            [b"A: b\r\n\r\nc\r\n", b""],
        ),
        (BEGINNING + b"A: b\n" + BEGINNING + b"\nc\n", [b"A: b\n" + BEGINNING + b"\nc\n"]),
        (BEGINNING + b"A: b\n\nFrom the heart\n", [b"A: b\n\nFrom the heart\n"]),
        (b"From " + b"x" * 200_000 + b" 10:00\n", None),
        (b"Subject: a message\n\nand no mbox\n", None),
        (b"\n" + BEGINNING, None),
    ],
)
def test_odd_mboxes(tmp_path: Path, text: bytes, messages: list[bytes] | None) -> None:
    """Cut short, of another system, with a line in it that looks like a beginning; and what is no mbox."""
    path = tmp_path / "box"
    path.write_bytes(text)
    if messages is None:
        with pytest.raises(OSError, match="is no mbox"):
            contents(path)
    else:
        assert contents(path) == messages


def test_a_huge_message_takes_no_memory(tmp_path: Path) -> None:
    """It is passed over, whether its lines are short or it is one; what is behind it is read."""
    path = tmp_path / "box"
    for line in (b"x" * 1000 + b"\n", b"x" * 1000):
        with path.open("wb") as file:
            file.write(BEGINNING)
            file.writelines([line] * 20_000)
            file.write(b"\n\n" + BEGINNING + b"behind\n")
        tracemalloc.start()
        try:
            assert contents(path) == [None, b"behind\n"]
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 2_000_000


def test_a_maildir(tmp_path: Path) -> None:
    """By age, new or not; what is being delivered, what is no file, and subfolders are let be."""
    for name in ("cur", "new", "tmp", ".Sent/cur"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "new" / "3.a").write_bytes(b"three")
    (tmp_path / "cur" / "1.b:2,S").write_bytes(b"one")
    (tmp_path / "cur" / "2.c:2,").write_bytes(b"x" * (LARGEST + 1))
    (tmp_path / "tmp" / "4.d").write_bytes(b"half")
    (tmp_path / ".Sent" / "cur" / "0.e").write_bytes(b"sent")
    os.mkfifo(tmp_path / "new" / "5.f")
    (tmp_path / "new" / "6.g").symlink_to("/dev/zero")
    found = list(read_folder(tmp_path, largest=LARGEST))
    assert [one.content for one in found] == [b"one", None, b"three", None, None]
    assert [one.problem for one in found if one.content is None] == [
        "it is larger than 100,000 bytes (max_message_bytes)",
        "not a regular file",
        "not a regular file",
    ]
    assert found[0] == Found(found[0].entrance, str(tmp_path / "cur" / "1.b:2,S"), b"one")
    assert (tmp_path / "new" / "3.a").exists()


def test_what_is_no_folder_of_mail(tmp_path: Path) -> None:
    """A folder of something else, nothing at all, and a pipe that nobody writes to."""
    with pytest.raises(OSError, match="is no Maildir"):
        contents(tmp_path)
    with pytest.raises(FileNotFoundError):
        contents(tmp_path / "missing")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        contents(tmp_path / "pipe")
    assert not (tmp_path / "missing").exists()
