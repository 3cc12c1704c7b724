"""Which column is which: by its name, in several languages, by what stands in it, or as somebody says."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from subscribers.moving.cells import RowError, key_of, mailbox, meant, truth
from subscribers.moving.source import CsvError, NotPeopleError
from subscribers.moving.standings import is_unclear

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
        "activo attivo abonniert abonne inscrit suscrito iscritto acceptsmarketing acceptsemailmarketing "
        "newsletterabonniert newslettersubscribed globalstatus liststatus emailsubscriberstatus optinstatus "
        "emailoptinstatus enabled ステータス 購読 订阅状态"
    ),
    "left": (
        "left leftat unsub unsubscribed unsubscribedat unsubscribedon unsubscribedate unsubscribetime "
        "unsubtime unsubscribeddate dateunsubscribed globalunsubscribe unsubscribedfromallemail "
        "unsubscriptiondate isunsubscribed optout optedout optoutdate optouttime emailoptout "
        "hasoptedoutofemail donotemail donotcontact abgemeldet abgemeldetam abmeldedatum abmeldung austritt "
        "austrittsdatum abbestellt newsletterabbestellt desabonne desabonnement desinscrit desinscription "
        "datededesinscription baja fechadebaja disiscritto blocked blocklisted emailblocklisted blacklisted "
        "suppressed banned emaildisabled deleted deletedat отписан отписался deactivated "
        "配信停止 退会 退会日 退订"
    ),
    "bounced": (
        "bounced emailbounced bouncedat bouncedate hardbounce hardbounced cleaned cleantime undeliverable"
    ),
    "complained": "complained complainedat complaint complaintdate spamcomplaint markedasspam",
    "list": (
        "list lists listname mailinglist newsletter newsletters category categories kategorie kategorien "
        "categorie categoria verteiler liste listes lista listas список рассылка"
    ),
    "since": (
        "since subscribedat subscribedon subscriptiondate subscribedate signupdate signedupat optintime "
        "optindate confirmtime confirmedat confirmationdate activated activatedat joined joinedat joindate "
        "anmeldedatum angemeldetam datedinscription fechadealta fechadesuscripcion dataiscrizione "
        "датаподписки"
    ),
    "created_at": (
        "createdat created creationdate createdate createdon dateadded addedat adddate erstelltam erstellt "
        "datedecreation fechadecreacion datacreazione датасоздания"
    ),
    "timezone": "timezone tz zeitzone fuseauhoraire zonahoraria fusoorario часовойпояс",
}
_ROLES = {key_of(word): role for role, words in _NAMED.items() for word in words.split()}
_EVIDENCE = re.compile(
    "optin|confirm|consent|verified|gdpr|dsgvo|rgpd|einwillig|ipaddress|signupip|^ip$|signupsource|^source$|^quelle$"
)
_CONFIRMING = re.compile(
    "confirm(?:ed|ation)?(?:at|on|date|time)|activated(?:at|on)?$|^doubleoptin(?:at|date|time)"
)
"""Columns that say when somebody confirmed: if they say so of some, then of the others that they did not."""
_MOST_EVIDENCE = 12
_ENOUGH = 0.8
"""The share of cells that must be addresses for a column to be theirs without a name that says so."""

STANDINGS = ("state", "left", "bounced", "complained")
FIELDS = tuple(_NAMED)
"""What somebody may say a column is."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Where what stands."""

    header: tuple[str, ...]
    """The columns' names as written; empty where the first row is a person's."""
    places: Mapping[str, int]
    """The column of each thing, the first where there are more."""
    standings: tuple[tuple[str, int], ...] = ()
    """Every column that says if somebody is to be written to, and what it holds: none may be overlooked."""
    evidence: Mapping[str, int] = field(default_factory=dict)
    """Columns that tell of consent."""
    unused: tuple[tuple[str, int], ...] = ()
    """Columns that are nothing known, without those of which somebody says so."""
    are_lists_said: bool = False
    """Whether somebody says which column holds the lists."""

    def named(self) -> dict[str, int]:
        """The first column of each name, in lower case."""
        return {name: place for place, name in reversed([*enumerate(_plain(self.header))])}

    def called(self, width: int) -> tuple[str, ...]:
        """Names for the columns of a table that has no header: what is known of them, else numbers."""
        known = {place: role for role, place in self.places.items()}
        return tuple(known.get(place, str(place + 1)) for place in range(width))


def _plain(header: Sequence[str]) -> list[str]:
    return [name.strip().lower() for name in header]


def is_telling(cell: str) -> bool:
    """Whether a cell of a first row says by itself that it is one: a known name, or an address."""
    return key_of(cell) in _ROLES or _is_mailbox(cell)


def columns_of(
    sample: Sequence[Sequence[str]],
    shown: str,
    given: Sequence[tuple[str, str]] = (),
    ignored: Collection[str] = (),
) -> Columns:
    """Find the columns of a table by its first rows. Raises CsvError where there are no addresses in it.

    `given` names what columns hold, or with numbers from 1 where there is no header; "" says that there is no
    such column. `ignored` are those that hold nothing.
    """
    said = _said(given)
    first = sample[0]
    keys = [key_of(cell) for cell in first]
    with_header = "email" in map(_ROLES.get, keys) or not any("@" in cell for cell in first)
    header = tuple(cell.strip() for cell in first) if with_header else ()
    passed_by = {_place(name, header, len(first), shown) for name in ignored}
    roles = _by_name(keys, sample[1:], passed_by) if with_header else []
    chosen = [(role, _place(name, header, len(first), shown)) for role, name in given if name]
    places = _places(roles, sample, said, with_header=with_header)
    for role, place in chosen:
        places.setdefault(role, place)
    if "email" not in places:
        among = ", ".join(header) or f"1 to {len(first)}"
        raise NotPeopleError(
            f"{shown}:1: has no column that seems to hold addresses, among {among}; say which it is "
            f'with --column email="NAME", or what stands between the cells with --delimiter; the names of '
            f"columns stand in the first line"
        )
    standings = [
        *((role, place) for role, place in chosen if role in STANDINGS),
        *((role, place) for role, place in roles if role in STANDINGS and role not in said),
    ]
    taken = {*places.values(), *(place for _, place in standings), *passed_by}
    left = [(name, place) for place, name in enumerate(header) if place not in taken]
    evidence = [one for one in left if _EVIDENCE.search(keys[one[1]])]
    confirmed = [
        place
        for place, _ in enumerate(header)
        if _CONFIRMING.fullmatch(keys[place]) and place not in passed_by and _cells(sample[1:], place)
    ]
    standings += [("consent", place) for _, place in evidence]
    standings += [("confirmed", place) for place in confirmed]
    unused = tuple(one for one in left if one not in evidence)
    return Columns(header, places, tuple(standings), dict(evidence[:_MOST_EVIDENCE]), unused, "list" in said)


def _places(
    roles: Sequence[tuple[str, int]],
    sample: Sequence[Sequence[str]],
    said: Collection[str],
    *,
    with_header: bool,
) -> dict[str, int]:
    """The first column of each thing that nobody has named one for, by its name or by what stands in it."""
    places: dict[str, int] = {}
    for role, place in roles:
        places.setdefault(role, place)
    if "email" not in places and "email" not in said:
        places |= _by_look(sample[1:] if with_header else sample)
    width = 0 if with_header else len(sample[0])
    if width == 1:
        places["email"] = 0
    if width == 2 and "email" in places:
        places["name"] = 1 - places["email"]
    return {role: place for role, place in places.items() if role not in said}


def _said(given: Sequence[tuple[str, str]]) -> set[str]:
    """What somebody has named columns for; of what says who is not to be written to there may be several."""
    roles = [role for role, _ in given]
    if strange := [role for role in roles if role not in FIELDS]:
        raise CsvError(f"{strange[0]!r} is nothing that a column can hold; there are {', '.join(FIELDS)}")
    if twice := [role for role in roles if role not in STANDINGS and roles.count(role) > 1]:
        raise CsvError(f"--column says two things about {twice[0]!r}")
    return set(roles)


def _by_name(
    keys: Sequence[str], rows: Sequence[Sequence[str]], passed_by: Collection[int]
) -> list[tuple[str, int]]:
    """What columns hold by their names. One that is called as a list is, and says yes and no, is a state."""
    found = []
    for place, key in enumerate(keys):
        role = _ROLES.get(key)
        if role is None or place in passed_by:
            continue
        cells = _cells(rows, place)
        if role == "list" and cells and all(truth(cell) is not None for cell in cells):
            role = "state"
        found.append((role, place))
    return found


def check_that_no_refusal_is_overlooked(columns: Columns, rows: Sequence[Sequence[str]], shown: str) -> None:
    """Raises CsvError if a column that is nothing known may yet say who is not to be written to."""
    unclear = [name for name, place in columns.unused if is_unclear(key_of(name), _cells(rows, place))]
    if unclear:
        names = ", ".join(f'"{name}"' for name in unclear[:5])
        raise CsvError(
            f"{shown}:1: {names} may say who is not to be written to; say what it is, as --column "
            f'left="{unclear[0]}" (or state, bounced, complained), or that it is nothing of the kind: '
            f'--ignore "{unclear[0]}"'
        )


def _by_look(rows: Sequence[Sequence[str]]) -> dict[str, int]:
    """The one column in which nearly everything is an address."""
    width = max(map(len, rows), default=0)
    found = []
    for place in range(width):
        cells = _cells(rows, place)
        if cells and sum(map(_is_mailbox, cells)) >= _ENOUGH * len(cells):
            found.append(place)
    return {"email": found[0]} if len(found) == 1 else {}


def _cells(rows: Sequence[Sequence[str]], place: int) -> list[str]:
    """What stands in a column, without the cells that hold nothing."""
    return [row[place] for row in rows if place < len(row) and row[place].strip()]


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
