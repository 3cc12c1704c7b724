"""Any CSV: which column is which, and who may be written to."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from subscribers.models import SubscriptionState, SuppressionReason
from subscribers.moving.cells import moment, truth, zone
from subscribers.moving.look import open_export
from subscribers.moving.source import CsvError
from tests.subscribers.moving.reading import lists, person, read, standing, write


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a test puts its file."""
    return tmp_path / "people.csv"


@pytest.mark.parametrize(
    "header",
    [
        "email,name",
        "E-Mail,Name",
        "E-Mail-Adresse,Voller Name",
        "Adresse e-mail,Nom complet",
        "Adresse électronique,Nom et prénom",
        "Correo electrónico,Nombre y apellidos",
        "Indirizzo e-mail,Nome e cognome",
        "Endereço de e-mail,Nome completo",
        "E-postadress,Namn",
        "Sähköposti,Nimi",
        "Электронная почта,ФИО",
        "メールアドレス,氏名",
        "电子邮件,姓名",
        "דואר אלקטרוני,שם מלא",
        "البريد الإلكتروني,الاسم الكامل",
        "EMAIL_ADDRESS,display_name",
        "Primary Email,Full Name",
    ],
)
def test_columns_are_known_in_many_languages(file: Path, header: str) -> None:
    """Whatever case, accents and hyphens they are written with."""
    one = person(write(file, f"{header}\nann@example.org,Ann Lee\n"))
    assert (one.address.given, one.name) == ("ann@example.org", "Ann Lee")


@pytest.mark.parametrize(
    ("header", "row", "name"),
    [
        ("First Name,Last Name,Email", "Ann,Lee,ann@example.org", "Ann Lee"),
        ("Vorname;Nachname;E-Mail", "Jürgen;Müller;ann@example.org", "Jürgen Müller"),
        ("Prénom,Nom,Courriel", "Zoë,,ann@example.org", "Zoë"),
        ("Nombre,Apellidos,Correo", ",García Márquez,ann@example.org", "García Márquez"),
        ("名,姓,邮箱", "安,李,ann@example.org", "李安"),
        ("Имя,Фамилия,Почта", "Юлия,Щукина,ann@example.org", "Юлия Щукина"),
        ("email,name,first name", "ann@example.org,Dr. Ann Lee,Ann", "Dr. Ann Lee"),
        ("email,name", '"Bo <ann@example.org>",', "Bo"),
        ("email,name", '"Bo <ann@example.org>",Ann', "Ann"),
    ],
)
def test_names_are_put_together(file: Path, header: str, row: str, name: str) -> None:
    """First and last name become one, in the order of the script; a full name goes before both."""
    assert person(write(file, f"{header}\n{row}\n")).name == name


def test_a_column_of_addresses_needs_no_name(file: Path) -> None:
    """It is found by what stands in it, whatever it is called, if there is one only."""
    rows = "".join(f"{n},r{n}@example.org\n" for n in range(9))
    people, bad = read(write(file, f"nr,Zustellort\n{rows}9,none\n"))
    assert (len(people), len(bad)) == (9, 1)
    with pytest.raises(
        CsvError, match=r":1: has no column that seems to hold addresses, among home, work; say"
    ):
        read(write(file, "home,work\nann@example.org,ann@office.example\n"))


def test_columns_may_be_named(file: Path) -> None:
    """By name, whatever its case, and with numbers where there is no header; "" leaves one out."""
    write(file, "home,work,who,state\nann@example.org,ann@office.example,Ann,NY\n")
    given = [("email", "Work"), ("name", "who"), ("state", "")]
    one = person(file, columns=given)
    assert (one.address.given, one.name, standing(one)) == ("ann@office.example", "Ann", {"": "active"})
    write(file, "7,Ann,ann@example.org,x\n")
    assert person(file, columns=[("name", "2")]).name == "Ann"


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ([("email", "mail")], "has no column 'mail', but home, work"),
        ([("phone", "home")], "'phone' is nothing that a column can hold; there are email, name"),
    ],
)
def test_a_column_that_is_not_there_is_an_error(
    file: Path, columns: list[tuple[str, str]], told: str
) -> None:
    """It lists those that are."""
    with pytest.raises(CsvError, match=told):
        read(write(file, "home,work\nann@example.org,x\n"), columns=columns)
    with pytest.raises(CsvError, match="give a column's number, from 1 to 2, not 'mail'"):
        read(write(file, "ann@example.org,x\n"), columns=[("email", "mail")])


@pytest.mark.parametrize(
    ("word", "state", "reason"),
    [
        ("", "active", None),
        ("Subscribed", "active", None),
        ("yes", "active", None),
        ("TRUE", "active", None),
        ("bestätigt", "active", None),
        ("Unconfirmed", "pending", None),
        ("en attente", "pending", None),
        ("paused", "paused", None),
        ("left", "left", None),
        ("LEFT", "left", None),
        ("Unsubscribed", "left", None),
        ("abgemeldet", "left", None),
        ("désabonné", "left", None),
        ("отписан", "left", None),
        ("non-subscribed", "left", None),
        ("0", "left", None),
        ("Hard bounce", "left", SuppressionReason.BOUNCED),
        ("cleaned", "left", SuppressionReason.BOUNCED),
        ("complained", "left", SuppressionReason.COMPLAINED),
        ("Blacklisted", "left", SuppressionReason.ASKED),
    ],
)
def test_words_for_states(file: Path, word: str, state: str, reason: SuppressionReason | None) -> None:
    """In several languages; whoever must not be written to is told with the reason."""
    one = person(write(file, f"email,status\nann@example.org,{word}\n"))
    assert (standing(one), one.suppress) == ({"": state}, reason)


def test_a_word_that_is_not_known_is_a_bad_row(file: Path) -> None:
    """Nobody is subscribed by a guess."""
    people, bad = read(write(file, "email,state\nann@example.org,NY\nbo@example.org,activ\n"))
    assert people == []
    assert ["is no state that is known here" in row.problem for row in bad] == [True, True]


@pytest.mark.parametrize(
    ("header", "cell", "state"),
    [
        ("unsubscribed_at", "2024-05-06 07:08:09", "left"),
        ("Unsubscribed", "true", "left"),
        ("Unsubscribed", "false", "active"),
        ("Unsubscribed", "", "active"),
        ("Abgemeldet am", "06.05.2024", "left"),
        ("Email Opt Out", "1", "left"),
        ("HasOptedOutOfEmail", "0", "active"),
        ("UNSUB_TIME", "2024-05-06", "left"),
        ("bounced", "2024-05-06", "left"),
        ("CLEAN_TIME", "2024-05-06", "left"),
        ("complained_at", "2024-05-06", "left"),
        ("deleted_at", "2024-05-06", "left"),
        ("unsubscribed_at", "NULL", "active"),
        ("unsubscribed_at", "\\N", "active"),
        ("unsubscribed_at", "0000-00-00 00:00:00", "active"),
        ("blocked,unsubscribed_at", "0,2024-05-06", "left"),
        ("unsubscribed_at,blocked", ",1", "left"),
        ("left", "yes", "left"),
        ("Austritt", "2024-05-06", "left"),
        ("Newsletter abonniert", "nein", "left"),
        ("Désabonnement", "oui", "left"),
        ("配信停止", "1", "left"),
        ("購読", "いいえ", "left"),
        ("Global Status", "Unsubscribed", "left"),
        ("Unsubscribed from all email", "true", "left"),
        ("EMAIL_BLOCKLISTED", "true", "left"),
        ("Newsletter", "no", "left"),
        ("Newsletter", "0", "left"),
        ("Newsletter", "ja", "active"),
        ("Marketing consent", "No", "pending"),
        ("Confirmed", "false", "pending"),
        ("Double opt-in", "nein", "pending"),
        ("Opt-in status", "unsubscribed", "left"),
        ("Consent", "I do", "active"),
        ("subscribed", "no", "left"),
        ("subscribed,opt-in", "yes,no", "left"),
    ],
)
def test_columns_that_say_who_is_not_to_be_written_to(file: Path, header: str, cell: str, state: str) -> None:
    """They count against whatever the state's column says."""
    assert standing(person(write(file, f"email,status,{header}\nann@example.org,active,{cell}\n"))) == {
        "": state
    }


@pytest.mark.parametrize(
    ("header", "cell"),
    [
        ("Opted out of email: Marketing", "Yes"),
        ("Unsubscribe reason", "too many"),
        ("Do not mail me", ""),
        ("Wann abgemeldet?", ""),
        ("Email bounces", "3"),
        ("Verstorben / Austritt", ""),
        ("Order status", "unsubscribed"),
        ("Newsletter wanted", "no"),
        ("Member status", "inactive"),
        ("Bemerkung", "abgemeldet"),
    ],
)
def test_what_may_be_a_refusal_is_asked_about(file: Path, header: str, cell: str) -> None:
    """Nobody is subscribed by a guess: the column is named, and what to say of it."""
    write(file, f"email,{header}\nann@example.org,{cell}\n")
    told = f':1: "{header}" may say who is not to be written to; say what it is, as --column left="{header}"'
    with pytest.raises(CsvError, match=re.escape(told)):
        read(file)
    assert standing(person(file, ignored=[header])) == {"": "active"}
    assert standing(person(file, columns=[("left", header)])) == {
        "": "left" if cell not in ("", "no") else "active"
    }


@pytest.mark.parametrize(
    ("header", "cell"),
    [
        ("Unterlagen", "abgemeldet"),
        ("Order status", "unsubscribed"),
        ("Newsletter wanted", "no"),
        ("Newsletter", "no"),
    ],
)
def test_a_refusal_in_a_later_row_is_a_bad_row(file: Path, header: str, cell: str) -> None:
    """Also where the first rows of a column say nothing of the kind."""
    write(file, f"email,{header}\n" + "r@example.org,sent\n" * 60 + f"ann@example.org,{cell}\n")
    people, bad = read(file)
    assert (len(people), [(row.line, row.cells[0]) for row in bad]) == (60, [(62, "ann@example.org")])
    assert "--column" in bad[0].problem


def test_columns_about_other_things_are_let_be(file: Path) -> None:
    """A status of orders, a campaign, a plan: as long as nothing in them says no."""
    header = "email,Order status,Active campaign,Subscription plan,Newsletter name,Phone"
    row = "ann@example.org,shipped,spring,gold,Weekly,0"
    assert standing(person(write(file, f"{header}\n{row}\n"))) == {"": "active"}


def test_several_columns_may_say_who_left(file: Path) -> None:
    """Each that is named counts, and of other things there is one."""
    write(file, "email,A,B\nann@example.org,,x\nbo@example.org,x,\ncy@example.org,,\n")
    people, _ = read(file, columns=[("left", "A"), ("left", "B")])
    assert [standing(one)[""] for one in people] == ["left", "left", "active"]
    with pytest.raises(CsvError, match="--column says two things about 'name'"):
        read(file, columns=[("name", "A"), ("name", "B")])


def test_a_list_may_be_called_anything_if_somebody_says_so(file: Path) -> None:
    """A yes, or a number, is a list's name only then."""
    write(file, "email,Lists\nann@example.org,1\nbo@example.org,news\n")
    people, bad = read(file)
    assert ([standing(one) for one in people], len(bad)) == ([{"news": "active"}], 1)
    people, bad = read(file, columns=[("list", "Lists")])
    assert ([standing(one) for one in people], bad) == ([{"1": "active"}, {"news": "active"}], [])


def test_what_is_read_otherwise_is_another_import(file: Path) -> None:
    """An import that was stopped goes on only where the file is read as before."""
    write(file, "email,who,Wann\nann@example.org,Ann,x\n")
    readings: list[dict[str, Any]] = [
        {},
        {"columns": [("left", "Wann")]},
        {"columns": [("name", "who")]},
        {"ignored": ["who"]},
        {"encoding": "cp1252"},
        {"delimiter": ";", "columns": [("email", "email,who,Wann")]},
    ]
    found = {open_export(file, **reading).fingerprint() for reading in readings}
    assert len(found) == len(readings)


def test_what_else_is_known_comes_along(file: Path) -> None:
    """Lists, dates, zones and what tells of consent; a date that cannot be read is kept as it stands."""
    write(
        file,
        "email,Lists,Subscribed At,Created,Timezone,OPTIN_IP,consent text\n"
        'ann@example.org,"News; Tips , News",2024-05-06T07:08:09+02:00,3/4/2020,Europe/Berlin,::1,I do\n'
        "bo@example.org,,,,Mars/Base,,\n",
    )
    (ann, bo), bad = read(file)
    assert bad == []
    at = datetime(2024, 5, 6, 5, 8, 9, tzinfo=UTC)
    assert [(held.list, held.state, held.since) for held in ann.memberships] == [
        ("News", SubscriptionState.ACTIVE, at),
        ("Tips", SubscriptionState.ACTIVE, at),
    ]
    assert (ann.created_at, ann.timezone) == (None, "Europe/Berlin")
    assert ann.evidence == {"Created": "3/4/2020", "OPTIN_IP": "::1", "consent text": "I do"}
    assert (standing(bo), bo.timezone, bo.evidence) == ({"": "active"}, None, {})
    assert lists(open_export(file)) == {"News": 1, "Tips": 1, "": 1}


def test_a_column_that_is_none_of_lists_is_told(file: Path) -> None:
    """A list for everybody would fill the memory, and mean nothing."""
    rows = "".join(f"r{n}@example.org,list {n}\n" for n in range(10_001))
    export = open_export(write(file, "email,list\n" + rows))
    with pytest.raises(CsvError, match=r"names more than 10,000 lists"):
        lists(export)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2024-05-06", datetime(2024, 5, 6, tzinfo=UTC)),
        ("2018-02-12 10:54:27", datetime(2018, 2, 12, 10, 54, 27, tzinfo=UTC)),
        ("2026-01-01T00:00:00.000Z", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2020-02-10T23:07:16+01:00", datetime(2020, 2, 10, 22, 7, 16, tzinfo=UTC)),
        ("2020-02-10 23:07:16.5 +0530 IST", datetime(2020, 2, 10, 17, 37, 16, 500000, tzinfo=UTC)),
        ("2020-02-10 23:07:16 +0000 UTC m=+0.1", datetime(2020, 2, 10, 23, 7, 16, tzinfo=UTC)),
        ("6.5.2024", datetime(2024, 5, 6, tzinfo=UTC)),
        ("06.05.2024 07:08", datetime(2024, 5, 6, 7, 8, tzinfo=UTC)),
        ("2024-05-06 07:08:09 UTC", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("2024/5/6 07:08", datetime(2024, 5, 6, 7, 8, tzinfo=UTC)),
        ("16/05/2024", datetime(2024, 5, 16, tzinfo=UTC)),
        ("1714979289", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("1714979289000", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("May 6, 2024", datetime(2024, 5, 6, tzinfo=UTC)),
        ("6 May 2024", datetime(2024, 5, 6, tzinfo=UTC)),
        ("06-May-2024 07:08", datetime(2024, 5, 6, 7, 8, tzinfo=UTC)),
        ("Mon, 06 May 2024 07:08:09 +0200", datetime(2024, 5, 6, 5, 8, 9, tzinfo=UTC)),
        ("Mon, 06 May 2024 07:08:09 GMT", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("1970-01-01T00:00:00+14:00", None),
        ("1969-12-31T23:00:00-02:00", datetime(1970, 1, 1, 1, tzinfo=UTC)),
        ("Nix 6, 2024", None),
        ("May 6, 2024 7:08 PM", None),
        ("05/16/2024", datetime(2024, 5, 16, tzinfo=UTC)),
        ("0001-01-01 00:00:00 +0000 UTC", None),
        ("05/06/2024", None),
        ("31.02.2024", None),
        ("yesterday", None),
        ("9999-12-31T23:59:59-23:59", None),
        ("", None),
    ],
)
def test_moments(text: str, at: datetime | None) -> None:
    """UTC where no zone is named; what may be read in two ways is not read."""
    assert moment(text) == at


def test_yes_and_no() -> None:
    """And neither."""
    assert (truth(" Ja "), truth("НЕТ"), truth("perhaps")) == (True, False, None)
    assert (zone("Asia/Tokyo"), zone("../../etc/passwd"), zone("")) == ("Asia/Tokyo", None, None)
