"""Folders, archives and pipes."""

import os
import threading
import zipfile
from pathlib import Path

import pytest

from subscribers.moving import source
from subscribers.moving.look import open_export
from subscribers.moving.people import Newcomer
from subscribers.moving.source import CsvError
from tests.subscribers.moving.reading import lists, read, standing, write

LIST = "email,name\n{0}@example.org,{0}\n"


def test_a_folder_is_the_files_in_it(tmp_path: Path) -> None:
    """Each file is a list by its name; what is none of people, or is hidden, is left alone and named."""
    write(tmp_path / "news.csv", LIST.format("ann"))
    write(tmp_path / "tips.csv", LIST.format("bo"))
    write(tmp_path / "empty.csv", "")
    write(tmp_path / "numbers.csv", "a,b\n1,2\n")
    write(tmp_path / ".hidden.csv", LIST.format("cy"))
    write(tmp_path / "notes.md", "ann@example.org")
    (tmp_path / "sub.csv").mkdir()
    with pytest.raises(
        CsvError, match=r"several files with addresses, .* \(news\.csv, tips\.csv\); name one"
    ):
        open_export(tmp_path)
    export = open_export(tmp_path, tool="csv")
    assert (export.files, export.skipped) == (("news.csv", "tips.csv"), ("empty.csv", "numbers.csv"))
    people = [row for row in export.rows() if isinstance(row, Newcomer)]
    assert [(one.file, one.line, standing(one)) for one in people] == [
        ("news.csv", 2, {"news": "active"}),
        ("tips.csv", 2, {"tips": "active"}),
    ]


def test_a_folder_without_people(tmp_path: Path) -> None:
    """Is told as such, with what it holds."""
    write(tmp_path / "numbers.csv", "a,b\n1,2\n")
    with pytest.raises(CsvError, match=r"holds no file of people, only numbers\.csv"):
        read(tmp_path)


def test_files_of_two_tools_are_not_mixed(tmp_path: Path) -> None:
    """Whose are meant must be said."""
    write(tmp_path / "a.csv", "email,email_disabled\nann@example.org,false\n")
    write(tmp_path / "b.csv", "email,subscribed_to_emails\nbo@example.org,true\n")
    with pytest.raises(CsvError, match=r"holds files of ghost and substack; .* --from"):
        read(tmp_path)
    people, bad = read(tmp_path, tool="ghost")
    assert [one.address.given for one in people] == ["bo@example.org"]
    assert bad == []


def test_a_sound_file_beside_one_in_another_encoding(tmp_path: Path) -> None:
    """A file that might hold people and cannot be read is an error, not left out."""
    write(tmp_path / "a.csv", LIST.format("ann"))
    write(tmp_path / "b.csv", "email,name\nbo@example.org,Müller\n".encode("cp1252"))
    with pytest.raises(CsvError, match=r"b\.csv:2: is not UTF-8"):
        read(tmp_path)


def test_an_archive_is_read_where_it_is(tmp_path: Path) -> None:
    """Nothing is unpacked to disk; what a Mac adds is no file of people."""
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("export/people.csv", LIST.format("ann"))
        archive.writestr("__MACOSX/export/._people.csv", b"\0\0\0")
        archive.writestr("../../evil.html", "x")
    people, bad = read(path)
    assert [(one.file, one.name) for one in people] == [("export/people.csv", "ann")]
    assert bad == []
    assert os.listdir(tmp_path) == ["export.zip"]  # noqa: PTH208


@pytest.mark.parametrize(
    ("members", "told"),
    [
        (
            {"[Content_Types].xml": "", "xl/workbook.xml": ""},
            "is a spreadsheet program's own file; save it there",
        ),
        ({"content.xml": "", "mimetype": ""}, "is a spreadsheet program's own file"),
        ({"a.html": "", "b.pdf": ""}, r"holds no file that ends in \.csv, .*but a\.html, b\.pdf"),
    ],
)
def test_archives_without_a_table(tmp_path: Path, members: dict[str, str], told: str) -> None:
    """Each is told for what it is."""
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(CsvError, match=told):
        read(tmp_path / "x.zip")


def test_a_bomb_is_refused_unread(tmp_path: Path) -> None:
    """What would unpack to a thousand times its size is no list of people."""
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.csv", "w") as out:
        for _ in range(70):
            out.write(b"a" * 2**20)
    assert path.stat().st_size < 200_000
    with pytest.raises(CsvError, match=r"a\.csv: would be 73,400,320 bytes, from .*into a folder"):
        read(path)


def test_an_archive_with_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is refused by their number."""
    monkeypatch.setattr(source, "_MOST_MEMBERS", 2)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for number in range(3):
            archive.writestr(f"{number}.csv", LIST.format("ann"))
    with pytest.raises(CsvError, match="holds 3 files"):
        read(tmp_path / "x.zip")


def test_a_damaged_archive_is_told(tmp_path: Path) -> None:
    """Wherever the damage is: in its end, or in a file."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", LIST.format("ann") * 50)
    whole = path.read_bytes()
    write(path, whole[:-30])
    with pytest.raises(CsvError, match="is a damaged archive"):
        read(path)
    write(path, whole.replace(b"ann@example.org", b"bob@example.org", 1))
    with pytest.raises(CsvError, match=r"a\.csv: cannot be unpacked"):
        read(path)


def test_a_locked_archive_is_told(tmp_path: Path) -> None:
    """With what to do."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", LIST.format("ann"))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    write(path, bytes(content))
    with pytest.raises(CsvError, match="is locked by a password; unpack"):
        read(path)


def test_what_comes_through_a_pipe_can_be_read_twice(tmp_path: Path) -> None:
    """As a file can, for lists and people."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text("email\nann@example.org\n", encoding="utf-8"))
    writer.start()
    export = open_export(pipe)
    writer.join()
    assert lists(export) == {"": 1}
    assert len(list(export.rows())) == 1
