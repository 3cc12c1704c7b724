"""Which column is which: by its name, in several languages, by what stands in it, or as somebody says."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from subscribers.moving.cells import RowError, mailbox, meant
from subscribers.moving.source import CsvError, NotPeopleError


def key_of(name: str) -> str:
    """A name without what people write in this way or that: case, accents, hyphens, blanks."""
    folded = unicodedata.normalize("NFKD", meant(name)[:100]).casefold()
    return unicodedata.normalize("NFC", "".join(char for char in folded if char.isalnum()))


_NAMED = {
    "email": (
        "email emailaddress emailadress emailaddresses mail mailaddress emailid useremail contactemail "
        "subscriberemail memberemail primaryemail email1value emailadresse mailadresse adresseemail "
        "adressemail adressemel "
        "courriel adressecourriel adresseelectronique correo correoelectronico emailcorreo "
        "direcciondecorreo direcciondecorreoelectronico indirizzoemail indirizzomail postaelettronica "
        "enderecodeemail correioeletronico emailadres epost epostadress epostadresse sahkoposti "
        "sahkopostiosoite adresemail eposta почта электроннаяпочта адресэлектроннойпочты емейл мейл "
        "メールアドレス メール 电子邮件 邮箱 电子邮箱 邮件地址 電子郵件 이메일 이메일주소 דואראלקטרוני "
        "דואל البريدالإلكتروني البريدالالكتروني"
    ),
    "name": (
        "name fullname displayname contactname subscribername membername vollername vorundnachname "
        "nomcomplet nometprenom prenometnom nombrecompleto nombreyapellido nombreyapellidos nomecompleto "
        "nomeecognome volledigenaam naam namn navn nimi adsoyad фио имяифамилия полноеимя 姓名 名前 氏名 "
        "お名前 이름 שם שםמלא الاسم الاسمالكامل"
    ),
    "first_name": (
        "firstname fname givenname forename vorname prenom nombre nome voornaam fornamn fornavn etunimi imie "
        "ad имя имʼя 名 שםפרטי"
    ),
    "last_name": (
        "lastname lname surname familyname nachname familienname nom nomdefamille apellido apellidos cognome "
        "sobrenome apelido achternaam efternamn etternavn efternavn sukunimi nazwisko soyad фамилия 姓 "
        "שםמשפחה"
    ),
    "state": (
        "state status subscriptionstatus subscriptionstate subscriberstatus subscriberstate emailstatus "
        "contactstatus membershipstatus etat statut estado stato stan tila durum статус состояние 状态 状態 "
        "subscribed issubscribed subscribedtoemails optin optedin emailoptin active isactive aktiv actif "
        "activo attivo abonniert abonne inscrit suscrito iscritto acceptsmarketing acceptsemailmarketing"
    ),
    "left": (
        "unsubscribed unsubscribedat unsubscribedon unsubscribedate unsubscribetime unsubtime "
        "unsubscriptiondate isunsubscribed optout optedout optoutdate optouttime emailoptout "
        "hasoptedoutofemail donotemail donotcontact abgemeldet abgemeldetam abmeldedatum desabonne "
        "desinscrit datededesinscription baja fechadebaja disiscritto blocked blocklisted blacklisted "
        "emaildisabled deleted deletedat отписан отписался"
    ),
    "bounced": "bounced bouncedat bouncedate hardbounce hardbounced cleaned cleanedat cleantime nodelivery",
    "complained": "complained complainedat complaint complaintdate spamcomplaint markedasspam",
    "list": (
        "list lists listname mailinglist newsletter newsletters category categories kategorie kategorien "
        "categorie categoria verteiler liste listes lista listas список рассылка"
    ),
    "since": (
        "since subscribedat subscribedon subscriptiondate subscribedate signupdate signedupat optintime "
        "optindate confirmtime confirmedat confirmationdate joined joinedat joindate anmeldedatum "
        "angemeldetam datedinscription fechadealta fechadesuscripcion dataiscrizione датаподписки"
    ),
    "created_at": (
        "createdat created creationdate createdate createdon dateadded addedat adddate erstelltam erstellt "
        "datedecreation fechadecreacion datacreazione датасоздания"
    ),
    "timezone": "timezone tz zeitzone fuseauhoraire zonahoraria fusoorario часовойпояс",
}
_ROLES = {key_of(word): role for role, words in _NAMED.items() for word in words.split()}
_EVIDENCE = re.compile(
    "optin|confirm|consent|gdpr|dsgvo|rgpd|einwillig|ipaddress|signupip|^ip$|signupsource|^source$|^quelle$"
)
_MOST_EVIDENCE = 12
_ENOUGH = 0.8
"""The share of cells that must be addresses for a column to be theirs without a name that says so."""

FIELDS = tuple(_NAMED)
"""What somebody may say a column is."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Where what stands."""

    header: tuple[str, ...]
    """The columns' names as written; empty where the first row is a person's."""
    places: Mapping[str, int]
    evidence: Mapping[str, int] = field(default_factory=dict)
    """Columns that tell of consent."""

    def named(self) -> dict[str, int]:
        """The first column of each name, in lower case."""
        return {name: place for place, name in reversed([*enumerate(_plain(self.header))])}


def _plain(header: Sequence[str]) -> list[str]:
    return [name.strip().lower() for name in header]


def is_telling(cell: str) -> bool:
    """Whether a cell of a first row says by itself that it is one: a known name, or an address."""
    return key_of(cell) in _ROLES or _is_mailbox(cell)


def columns_of(sample: Sequence[Sequence[str]], shown: str, given: Mapping[str, str]) -> Columns:
    """Find the columns of a table by its first rows. Raises CsvError where there are no addresses in it.

    `given` names columns, or with numbers from 1 where there is no header; "" says that there is none.
    """
    if strange := [role for role in given if role not in FIELDS]:
        raise CsvError(f"{strange[0]!r} is nothing that a column can hold; there are {', '.join(FIELDS)}")
    first = sample[0]
    keys = [key_of(cell) for cell in first]
    with_header = "email" in map(_ROLES.get, keys) or not any("@" in cell for cell in first)
    header = tuple(cell.strip() for cell in first) if with_header else ()
    places: dict[str, int] = {}
    if with_header:
        for place, key in enumerate(keys):
            if key in _ROLES:
                places.setdefault(_ROLES[key], place)
    if "email" not in places and "email" not in given:
        places |= _by_look(sample[1:] if with_header else sample)
    if not with_header and len(first) == 1:
        places["email"] = 0
    if not with_header and len(first) == 2 and "email" in places:
        places["name"] = 1 - places["email"]
    for role, name in given.items():
        places.pop(role, None)
        if name:
            places[role] = _place(name, header, len(first), shown)
    if "email" not in places:
        among = ", ".join(header) or f"1 to {len(first)}"
        raise NotPeopleError(
            f"{shown}:1: has no column that seems to hold addresses, among {among}; say which it is "
            f'with --column email="NAME"'
        )
    taken = set(places.values())
    evidence = {
        name: place
        for place, (name, key) in enumerate(zip(header, keys, strict=False))
        if place not in taken and _EVIDENCE.search(key)
    }
    return Columns(header, places, dict([*evidence.items()][:_MOST_EVIDENCE]))


def _by_look(rows: Sequence[Sequence[str]]) -> dict[str, int]:
    """The one column in which nearly everything is an address."""
    width = max(map(len, rows), default=0)
    found = []
    for place in range(width):
        cells = [row[place] for row in rows if place < len(row) and row[place].strip()]
        if cells and sum(map(_is_mailbox, cells)) >= _ENOUGH * len(cells):
            found.append(place)
    return {"email": found[0]} if len(found) == 1 else {}


def _place(name: str, header: tuple[str, ...], width: int, shown: str) -> int:
    names = _plain(header)
    if (wanted := name.strip().lower()) in names:
        return names.index(wanted)
    if not header:
        if name.isascii() and name.isdecimal() and 1 <= int(name[:6]) <= width:
            return int(name) - 1
        raise CsvError(
            f"{shown}:1: has no header, so give a column's number, from 1 to {width}, not {name!r}"
        )
    raise CsvError(f"{shown}:1: has no column {name!r}, but {', '.join(header)}")


def _is_mailbox(cell: str) -> bool:
    if "@" not in cell or len(cell) > 400:
        return False
    try:
        mailbox(cell)
    except RowError:
        return False
    return True


def texts(columns: Mapping[str, int], cells: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What the cells of some columns say, for those that say something."""
    for name, place in columns.items():
        if text := cells[place].strip():
            yield name, meant(text)
