"""Files as tables: however they are written, and whatever is wrong with them."""

import csv
import io
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.moving.people import BadRow
from subscribers.moving.source import CsvError
from tests.subscribers.moving.reading import lists, person, read, write


def shown(path: Path, **options: object) -> list[tuple[str, str | None] | BadRow]:
    """Each person as (address, name)."""
    people, bad = read(path, **options)
    assert not bad
    return [(one.address.given, one.name) for one in people]


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
        'email, name\nAnn@example.org, "Ann Lee"\n',
        "\n\n,\nemail,name\n\n,\nAnn@example.org,Ann\tLee\n\n",
        "email,name\nAnn@example.org,Ann\x00\x1b\u2028Lee\n",
        "email,name,\nAnn@example.org,Ann Lee,\n",
        "email,name,city,zip\nAnn@example.org,Ann Lee\n",
        "email;name\nAnn@example.org;Ann Lee\n",
        "name;email\n'+Ann Lee;Ann@example.org\n".replace("'+", ""),
        "email\tname\nAnn@example.org\tAnn Lee\n",
        "email|name\nAnn@example.org|Ann Lee\n",
        'email;name\nAnn@example.org;"Ann Lee"\n',
        "sep=;\r\nemail;name\r\nAnn@example.org;Ann Lee\r\n",
        "Ann@example.org,Ann Lee\n",
        "Ann Lee;Ann@example.org\n",
        "Ann Lee <Ann@example.org>\n",
        '"Ann Lee" <Ann@example.org>\n',
        "email\nAnn Lee <Ann@example.org>\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_forms_that_are_read(file: Path, content: str, encoding: str) -> None:
    """Any line ends, mark, delimiter and order of columns, with a header or without, are found by look."""
    write(file, content.encode(encoding))
    assert shown(file) == [("Ann@example.org", "Ann Lee")]


def test_a_list_of_bare_addresses_is_a_file_of_people(file: Path) -> None:
    """One a line, blank lines between them; what is none is told, wherever it stands."""
    people, bad = read(write(file, "ann@example.org\n\n  bo@example.org \nann@@example.org\n"))
    assert [(one.line, one.address.given) for one in people] == [
        (1, "ann@example.org"),
        (3, "bo@example.org"),
    ]
    assert [(row.line, row.cells) for row in bad] == [(4, ("ann@@example.org",))]
    people, bad = read(write(file, "ann@@example.org\nbo@example.org\n"))
    assert [row.line for row in bad] == [1]
    assert len(people) == 1


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("cp1252", "Jürgen Müller €"),
        ("latin-1", "Åsa Ängström"),
        ("cp1251", "Юлия Щукина"),
        ("koi8-r", "Юлия"),
        ("cp1255", "רות"),
        ("shift_jis", "表 太郎"),
        ("gb18030", "李安"),
        ("utf-16-le", "Zoë"),
    ],
)
def test_an_encoding_that_cannot_be_proved_is_asked_for(file: Path, encoding: str, name: str) -> None:
    """Where a file is no UTF-8, the error says where and what to do; with the encoding it is read."""
    write(file, f"email,name\nann@example.org,Ann\nbo@example.org,{name}\n".encode(encoding))
    if encoding != "utf-16-le":
        with pytest.raises(CsvError) as refusal:
            read(file)
        assert str(refusal.value).startswith(
            f"{file}:3: is not UTF-8; say what it is with --encoding (as cp1252"
        )
        assert str(refusal.value).endswith("or save the file as UTF-8")
    else:
        with pytest.raises(CsvError, match=r"is no text; .* --encoding utf-16-le"):
            read(file)
    assert shown(file, encoding=encoding) == [("ann@example.org", "Ann"), ("bo@example.org", name)]


def test_the_error_shows_what_the_text_would_say(file: Path) -> None:
    """So that whoever reads it knows the right encoding when they see it."""
    write(file, "email,name\nann@example.org,Привет\n".encode("cp1251"))
    with pytest.raises(CsvError, match=r"as cp1251 it says '[^']*Привет'"):
        read(file)


def test_an_encoding_is_checked_to_the_end_before_anybody_is_read(file: Path) -> None:
    """A wrong byte in the last line of a long file is found as it is opened, and its line counted."""
    write(file, b"email\r\n" + b"ann@example.org\r\n" * 200_000 + b"b\xff@example.org\r\n")
    with pytest.raises(CsvError, match=r":200002: is not UTF-8"):
        read(file)
    write(file, b"email\nann@example.org\n\xd0")
    with pytest.raises(CsvError, match=r":3: is not UTF-8"):
        read(file)


@pytest.mark.parametrize("encoding", ["klingon", "hex", "rot13", ""])
def test_what_is_no_encoding(file: Path, encoding: str) -> None:
    """A wrong flag is told as such."""
    with pytest.raises(CsvError, match="is no encoding; try"):
        read(write(file, "email\nann@example.org\n"), encoding=encoding)


@pytest.mark.parametrize(("delimiter", "character"), [("tab", "\t"), ("\\t", "\t"), ("#", "#"), (";", ";")])
def test_a_delimiter_may_be_given(file: Path, delimiter: str, character: str) -> None:
    """Also one that is never guessed."""
    write(file, f"email{character}name\nann@example.org{character}Lee, Ann\n")
    assert shown(file, delimiter=delimiter) == [("ann@example.org", "Lee, Ann")]


@pytest.mark.parametrize("delimiter", ["", ";;", '"', "\n"])
def test_what_is_no_delimiter(file: Path, delimiter: str) -> None:
    """A wrong flag is told as such."""
    with pytest.raises(CsvError, match="is no delimiter"):
        read(write(file, "email\nann@example.org\n"), delimiter=delimiter)


def test_the_delimiter_is_the_one_that_makes_columns(file: Path) -> None:
    """Commas in names and semicolons in notes mislead nobody."""
    rows = "".join(f"r{n}@example.org;Lee, Ann{n}\n" for n in range(30))
    people, bad = read(write(file, "email;name\n" + rows))
    assert bad == []
    assert people[3].name == "Lee, Ann3"
    rows = "".join(f'r{n}@example.org,Ann,"a;b;c|d"\n' for n in range(30))
    assert read(write(file, "email,name,note\n" + rows))[0][3].name == "Ann"


@pytest.mark.parametrize(
    ("rows", "bad_lines", "kept"),
    [
        ('ann@example.org,"Ann\nbo@example.org,Bo\n', {2: "never closed"}, ["bo"]),
        ('ann@example.org,"Ann\nbo@example.org,"Bo"\n', {2: "text behind it"}, ["bo"]),
        ('ann@example.org,"Ann"x\nbo@example.org,Bo\n', {2: "text behind it"}, ["bo"]),
        ("ann@example.org,Lee, Ann\nbo@example.org,Bo\n", {2: "has 3 cells, and the first row 2"}, ["bo"]),
        ("ann@example.org,Ann,,,\n", {}, ["ann"]),
        ("ann@example.org\n", {}, ["ann"]),
        ("ann@example.org", {2: "breaks off"}, []),
        ("an\x00n@example.org,Ann\nbo@example.org,Bo\n", {2: "not an email address"}, ["bo"]),
        (f"ann@example.org,{'x' * 200_000}\nbo@example.org,Bo\n", {2: "more than 131,072"}, ["bo"]),
        ('ann@example.org,"' + "x\n" * 90_000 + '"\nbo@example.org,Bo\n', {2: "more than 131,072"}, ["bo"]),
        (f"{'x' * 3_000_000}\nbo@example.org,Bo\n", {2: "more than 1,000,000 characters"}, ["bo"]),
        (f"{'x' * 3_000_000}\r\nbo@example.org,Bo\r\n", {2: "more than 1,000,000 characters"}, ["bo"]),
        ("," * 2_000_000 + "\nbo@example.org,Bo\n", {2: "more than 1,000,000 characters"}, ["bo"]),
        ('no address,"Two\nlines"\nbo@example.org,Bo\n,Cy\n', {2: "not an email", 5: "not an email"}, ["bo"]),
        ('ann@example.org,"Ann\nbo@example.org,Bo\n"\n', {2: "is a quotation mark missing"}, ["bo"]),
        (
            'ann@example.org,"Ann\nbo@example.org,Bo\ncy@example.org,Cy"\n',
            {2: "other people's rows"},
            ["bo", "cy"],
        ),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_bad_row_costs_no_other(file: Path, rows: str, bad_lines: dict[int, str], kept: list[str]) -> None:
    """It is told with its first line, why, and what stood in it; the rows around it are read."""
    people, bad = read(write(file, "email,name\n" + rows))
    assert [one.address.given.partition("@")[0] for one in people] == kept
    first = {row.line: row.problem for row in bad if row.line in bad_lines}
    assert first.keys() == bad_lines.keys()
    assert all(why in first[line] for line, why in bad_lines.items())
    assert all(row.cells for row in bad)


_letters = st.characters(codec="utf-8", exclude_categories=("Cc",))
_cells = st.text(st.one_of(_letters, st.sampled_from('\n\r\t,;"')), max_size=12)
_hostile = st.text(st.sampled_from('a@b.c,;"\n\r\t '), max_size=60)


@given(st.lists(st.lists(_cells, min_size=2, max_size=2), max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_cells_of_any_text_are_kept(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], ending: str
) -> None:
    """Whatever csv writes, quotes and line breaks included, comes back in the bad rows' cells as it was."""
    out = io.StringIO()
    csv.writer(out, lineterminator=ending, quoting=csv.QUOTE_ALL).writerows([["email", "note"], *rows])
    path = write(tmp_path_factory.getbasetemp() / "any.csv", out.getvalue())
    people, bad = read(path)
    told = sorted([(row.line, list(row.cells)) for row in bad] + [(one.line, []) for one in people])
    wanted = [row for row in rows if any(cell.strip() for cell in row)]
    assert len(told) == len(wanted)
    assert all(cells in ([], row) for (_, cells), row in zip(told, wanted, strict=True))


@given(_hostile, st.integers(1, 9))
def test_blocks_do_not_show(tmp_path_factory: pytest.TempPathFactory, text: str, size: int) -> None:
    """A file read in blocks of a few bytes gives what it gives when it is read as one."""
    from subscribers.moving import table

    path = write(tmp_path_factory.getbasetemp() / "blocks.csv", "email,name\n" + text)
    whole = read(path)
    usual = table._BLOCK
    table._BLOCK = size  # type: ignore[misc]
    try:
        assert read(path) == whole
    finally:
        table._BLOCK = usual  # type: ignore[misc]


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """No file makes the reader fail in another way."""
    path = write(tmp_path_factory.getbasetemp() / "bytes.csv", content)
    for options in ({}, {"encoding": "latin-1"}):
        try:
            read(path, **options)
        except CsvError as error:
            assert str(error).startswith(str(path))  # noqa: PT017


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (bytes(2_000_000), "is no text"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "is no text"),
        (b"\x1f\x8b\x08\x00abc", "is compressed; unpack it first: gunzip"),
        (b"name,phone\nAnn,555\n", ":1: has no column that seems to hold addresses, among name, phone; say"),
        (b'"email\nann@example.org\n', ":1: is not CSV"),
        (b"x" * 3_000_000, ":1: is a line of more than"),
        (b"PK\x03\x04 and then nothing", "is a damaged archive"),
    ],
    ids=lambda value: value[:20],
)
def test_files_that_are_no_such_thing(file: Path, content: bytes, told: str) -> None:
    """Each is one error that names the file, and says what to do."""
    with pytest.raises(CsvError) as refusal:
        read(write(file, content))
    assert str(refusal.value).startswith(str(file))
    assert told in str(refusal.value)


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    """A missing file, an empty folder and a device are errors that name them."""
    with pytest.raises(CsvError, match="cannot be read: No such file"):
        read(tmp_path / "missing.csv")
    with pytest.raises(CsvError, match=r"holds no file that ends in \.csv"):
        read(tmp_path)
    with pytest.raises(CsvError, match="is neither a file nor a folder"):
        read(Path("/dev/null"))


def test_a_header_alone_names_nobody(file: Path) -> None:
    """That is no mistake: a list may be empty."""
    assert read(write(file, "email,name\n")) == ([], [])


def test_memory_stays_flat(file: Path) -> None:
    """Rows without end, a line without end: neither is held."""
    with file.open("w", encoding="utf-8") as out:
        out.write("email,name\n")
        out.writelines(f"r{n}@example.org,Ann\n" for n in range(40_000))
        out.writelines("x" * 1_000_000 for _ in range(30))
        out.write("\nlast@example.org,Ann\n")
    from subscribers.moving.look import open_export

    export = open_export(file)
    tracemalloc.start()
    last = None
    for row in export.rows():
        last = row
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert last is not None
    assert last.line == 40_003
    assert peak < 12_000_000


def test_rows_can_be_read_again(file: Path) -> None:
    """A dry run and the real one see the same."""
    from subscribers.moving.look import open_export

    export = open_export(write(file, "email\nann@example.org\nnone\n"))
    assert list(export.rows()) == list(export.rows())
    assert lists(export) == {"": 1}


def test_a_spreadsheets_apostrophe_is_no_part_of_a_cell(file: Path) -> None:
    """What keeps a spreadsheet from running a cell is taken off; other apostrophes stay."""
    one = person(write(file, "email,name\n'=ann@example.org,'+49 Ann\n"))
    assert (one.address.given, one.name) == ("=ann@example.org", "+49 Ann")
    assert person(write(file, "email,name\nann@example.org,'quoted'\n")).name == "'quoted'"
