"""Readers as CSV, in and out, and files that are no such thing."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.address import parse_address
from subscribers.csvfile import BadRow, CsvError, read_people, write_subscriptions
from subscribers.models import Subscriber
from subscribers.subscriptions import Person

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def people(path: Path, content: str | bytes) -> list[tuple[str, str | None] | BadRow]:
    """What a file of this content holds, each person as (address, name)."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    rows = read_people(path)
    return [(row.address.given, row.name) if isinstance(row, Person) else row for row in rows]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a test puts its file."""
    return tmp_path / "readers.csv"


@pytest.mark.parametrize(
    "content",
    [
        "email,name\nAnn@example.org,Ann Lee\n",
        "email,name\r\nAnn@example.org,Ann Lee\r\n",
        "email,name\rAnn@example.org,Ann Lee\r",
        "email,name\nAnn@example.org,Ann Lee",
        "\ufeffemail,name\nAnn@example.org,Ann Lee\n",
        " Email , NAME \n Ann@example.org , Ann  Lee \n",
        "name,email\nAnn Lee,Ann@example.org\n",
        "id,email,city,name\n7,Ann@example.org,Bonn,Ann Lee\n",
        'email,name\n"Ann@example.org","Ann\nLee"\n',
        "email,name\n\n,\nAnn@example.org,Ann\tLee\n\n",
        "email,name\nAnn@example.org,Ann\x00\x1b\u2028Lee\n",
        "email,name,state\nAnn@example.org,Ann Lee,active\n",
        "email,name,state\nAnn@example.org,Ann Lee,\n",
        "email,name,state\nAnn@example.org,Ann Lee\n",
    ],
)
def test_forms_that_are_read(file: Path, content: str) -> None:
    """Any line ending, a BOM, columns in any order and more of them, blank rows, quotes, untidy cells."""
    assert people(file, content) == [("Ann@example.org", "Ann Lee")]


def test_a_name_is_optional(file: Path) -> None:
    """Without a column, with a short row, or with an empty cell, a person has no name."""
    assert people(file, "email\nann@example.org\n") == [("ann@example.org", None)]
    assert people(file, "email,name\nann@example.org\n") == [("ann@example.org", None)]
    assert people(file, "email,name\nann@example.org, \n") == [("ann@example.org", None)]


def test_names_keep_their_spelling(file: Path) -> None:
    """The joiners inside Persian names, accents and quotation marks stay; the length is limited."""
    for name in ("علی\u200cرضا", "Étienne", "O'Brien", 'Ann "Q" Lee', "李安"):
        quoted = name.replace('"', '""')
        assert people(file, f'email,name\nann@example.org,"{quoted}"\n') == [("ann@example.org", name)]
    [(_, long)] = people(file, f"email,name\nann@example.org,{'x' * 1000}\n")  # type: ignore[misc]
    assert long == "x" * 200


def test_bad_rows_are_told_by_line(file: Path) -> None:
    """A row that names nobody is reported with its first line, and the rows around it are read."""
    rows = people(
        file,
        'email,name\nann@example.org,"Ann\nLee"\nno address,"Two\nlines"\n,Nobody\nbo@example.org,Bo\n',
    )
    assert [row[0] for row in rows if isinstance(row, tuple)] == ["ann@example.org", "bo@example.org"]
    bad = [row for row in rows if isinstance(row, BadRow)]
    assert [row.line for row in bad] == [4, 6]
    assert all("is not an email address" in row.problem for row in bad)


def test_a_short_row_has_no_address(file: Path) -> None:
    """A row that ends before its email is a bad row."""
    [row] = people(file, "name,email\nAnn\n")
    assert isinstance(row, BadRow)


@pytest.mark.parametrize("state", ["left", "pending", " LEFT ", "'=left", "bounced"])
def test_who_is_not_active_elsewhere_is_not_subscribed_here(file: Path, state: str) -> None:
    """A file that says that somebody left or never confirmed does not make a reader of them."""
    [row] = people(file, f"email,state\nann@example.org,{state}\n")
    assert isinstance(row, BadRow)
    assert "not active" in row.problem


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", ":1: needs a header"),
        (b"\n\nemail\n", ":1: needs a header"),
        (b"ann@example.org\n", ":1: needs a header"),
        (b"email;name\n", ":1: needs a header"),
        (b"email\nann@example.org\n\xff\n", ":3: is not UTF-8"),
        ("email\nann@example.org\n".encode("utf-16"), ":1: is not UTF-8"),
        ("email,name\nann@example.org,רות\n".encode("windows-1255"), ":2: is not UTF-8"),
        (b'email\n"ann@example.org"x\n', ":2: is not CSV"),
        (b'email\nbo@example.org\n"ann@example.org\n\n\n', ":3: is not CSV"),
        (b"email\n" + b"x" * 200_000 + b"\n", ":2: is not CSV"),
        (b"email\n" + b"," * 2_000_000 + b"\n", ":2: is not CSV"),
        (bytes(2_000_000), ":1: is not CSV"),
    ],
    ids=lambda value: value[:20],
)
def test_files_that_are_no_such_csv(file: Path, content: bytes, told: str) -> None:
    """A file that cannot be read is one error that names the file and the line where that begins."""
    with pytest.raises(CsvError) as refusal:
        people(file, content)
    assert str(refusal.value).startswith(f"{file}{told}")


def test_nul_bytes_are_a_bad_row(file: Path) -> None:
    """A NUL in an address is a bad row like any other."""
    [row] = people(file, b"email\nan\x00n@example.org\n")
    assert isinstance(row, BadRow)


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    """A missing file and a folder are errors that name them."""
    for path in (tmp_path / "missing.csv", tmp_path):
        with pytest.raises(CsvError, match="cannot be read"):
            list(read_people(path))


def written(*subscribers: Subscriber) -> str:
    """Our export of these people, all active in `advice`."""
    out = io.StringIO()
    write_subscriptions(out, [(subscriber, {"advice": "active"}) for subscriber in subscribers])
    return out.getvalue()


def subscriber(address: str, name: str | None) -> Subscriber:
    """A reader as stored."""
    parsed = parse_address(address)
    return Subscriber(address=parsed.given, address_key=parsed.key, name=name, created_at=NOW)


def test_export_has_a_row_a_subscription() -> None:
    """Each subscription is a row, with its state."""
    out = io.StringIO()
    write_subscriptions(
        out, [(subscriber("ann@example.org", "Ann"), {"advice": "active", "letters": "left"})]
    )
    assert out.getvalue().splitlines() == [
        "email,name,category,state",
        "ann@example.org,Ann,advice,active",
        "ann@example.org,Ann,letters,left",
    ]


_words = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp")), max_size=200)
_awkward = st.sampled_from(["=1", "'=1", "''=1", "@SUM(A1)", "'quoted'", "-5", "+49 30", "a,b", 'a "x"', "'"])
_names = st.one_of(_awkward, _words.map(lambda text: " ".join(text.split())))
_locals = st.from_regex(r"[ab'=+_-]{1,9}(\.[ab'=+_-]{1,9})?", fullmatch=True)


@given(st.lists(st.tuples(_locals, _names), max_size=10))
def test_what_goes_out_comes_in_again(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    """Export and import give the same people, in order, whatever their addresses and names are made of."""
    file = tmp_path_factory.getbasetemp() / "round-trip.csv"
    stored = [subscriber(f"{local}@example.org", name or None) for local, name in rows]
    found = people(file, written(*stored))
    assert found == [(one.address, one.name) for one in stored]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1))
def test_no_cell_is_a_formula(name: str) -> None:
    """No cell of an export begins with what a spreadsheet would run (OWASP, CSV injection)."""
    for row in csv.reader(io.StringIO(written(subscriber("=cmd@example.org", name)), newline="")):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)
