"""Any CSV of people, with whatever columns can be found in it.

Somebody is active if nothing in the row says otherwise. A word for a state that is not known makes a bad row:
who had left there must not be written to because we did not know the word.
"""

from collections.abc import Mapping
from pathlib import PurePath

from subscribers.models import SubscriptionState, SuppressionReason
from subscribers.moving.cells import RowError, full_name, mailbox, meant, moment, name_of, truth, zone
from subscribers.moving.columns import Columns, key_of, texts
from subscribers.moving.people import Membership, Newcomer
from subscribers.moving.source import Source
from subscribers.moving.tool import ReadRow, Tool

Standing = tuple[SubscriptionState, SuppressionReason | None]

_WORDS: dict[Standing, str] = {
    (SubscriptionState.ACTIVE, None): (
        "active subscribed subscriber confirmed enabled regular opted-in opt-in verified aktiv abonniert "
        "angemeldet bestätigt actif abonné inscrit confirmé activo activado suscrito confirmado attivo "
        "iscritto confermato ativo inscrito actief ingeschreven bevestigd aktywny zapisany aktiverad "
        "prenumererar aktivní активен активный подписан подтвержден подтверждён 有効 活跃 已订阅"
    ),
    (SubscriptionState.PENDING, None): (
        "pending unconfirmed not_confirmed unactivated unverified waiting ausstehend unbestätigt "
        "nicht_bestätigt en_attente non_confirmé pendiente sin_confirmar in_attesa non_confermato pendente "
        "oczekujący väntande ожидает не_подтвержден не_подтверждён"
    ),
    (SubscriptionState.PAUSED, None): "paused pausiert en_pause pausado in_pausa gepauzeerd приостановлен",
    (SubscriptionState.LEFT, None): (
        "left unsubscribed unsubscriber removed inactive disabled cancelled canceled deleted archived "
        "opted-out opt-out nonsubscribed transactional abgemeldet ausgetragen inaktiv gelöscht "
        "désabonné désinscrit inactif baja dado_de_baja "
        "desuscrito cancelado inactivo disiscritto cancellato inattivo "
        "inativo uitgeschreven afgemeld wypisany avslutad отписан отписался неактивен 無効 已退订"
    ),
    (SubscriptionState.LEFT, SuppressionReason.BOUNCED): (
        "bounced bounce cleaned hard_bounce hard_bounced undeliverable invalid unzustellbar rebotado"
    ),
    (SubscriptionState.LEFT, SuppressionReason.COMPLAINED): (
        "complained complaint complainer spam spam_complaint marked_as_spam reported_as_spam abuse"
    ),
    (SubscriptionState.LEFT, SuppressionReason.ASKED): (
        "blocklisted blacklisted blocked banned suppressed gesperrt bloqué bloqueado bloccato"
    ),
}
_STANDINGS = {key_of(word): standing for standing, words in _WORDS.items() for word in words.split()}
_ACTIVE: Standing = (SubscriptionState.ACTIVE, None)
_LEFT: Standing = (SubscriptionState.LEFT, None)


def standing_of(cell: str) -> Standing:
    """What a word for a state means, in several languages; an empty one means nothing against somebody."""
    text = meant(cell).strip()
    if not text:
        return _ACTIVE
    if found := _STANDINGS.get(key_of(text)):
        return found
    answer = truth(text)
    if answer is None:
        raise RowError(f"{text[:40]!r} is no state that is known here, so nobody is subscribed by it")
    return _ACTIVE if answer else _LEFT


def _reader(columns: Columns, source: Source) -> ReadRow:
    places = columns.places
    email = places["email"]
    name, first, last = (places.get(role) for role in ("name", "first_name", "last_name"))
    state, lists, since = (places.get(role) for role in ("state", "list", "since"))
    created, timezone = places.get("created_at"), places.get("timezone")
    against = [
        (places[role], reason)
        for role, reason in (
            ("left", None),
            ("bounced", SuppressionReason.BOUNCED),
            ("complained", SuppressionReason.COMPLAINED),
        )
        if role in places
    ]
    dated = {role: places[role] for role in ("since", "created_at") if role in places}
    told = columns.evidence
    usual = PurePath(source.part).stem
    plainly = (Membership(usual, SubscriptionState.ACTIVE),)

    def read(line: int, cells: list[str]) -> Newcomer:
        address, called = mailbox(cells[email])
        if name is not None:
            called = name_of(cells[name]) or called
        if first is not None or last is not None:
            parts = ("" if place is None else cells[place] for place in (first, last))
            called = called or full_name(*parts)
        standing = _ACTIVE if state is None else standing_of(cells[state])
        at = moment(cells[since]) if since is not None else None
        for place, reason in against:
            if cells[place].strip() and truth(cells[place]) is not False:
                standing, at = (SubscriptionState.LEFT, reason or standing[1]), moment(cells[place])
        if standing is _ACTIVE and at is None and lists is None:
            memberships: tuple[Membership, ...] = plainly
        else:
            on = _names(cells[lists]) if lists is not None else []
            memberships = tuple(Membership(one, standing[0], at) for one in on or [usual])
        return Newcomer(
            line,
            address,
            called,
            memberships,
            moment(cells[created]) if created is not None else None,
            zone(cells[timezone]) if timezone is not None else None,
            suppress=standing[1],
            evidence=_evidence(columns, told, dated, cells) if told or dated else {},
            file=source.part,
        )

    return read


def _names(cell: str) -> list[str]:
    """The lists that a cell names, each once."""
    text = meant(cell).replace(";", ",").replace("|", ",")
    return list(dict.fromkeys(one for part in text.split(",") if (one := " ".join(part.split())[:200])))


def _evidence(
    columns: Columns, told: Mapping[str, int], dated: Mapping[str, int], cells: list[str]
) -> dict[str, str]:
    """What is told of consent, and the dates that nobody could read, so that they are not lost."""
    found = dict(texts(told, cells))
    for role, place in dated.items():
        if (text := cells[place].strip()) and moment(text) is None:
            found[columns.header[place] if columns.header else role] = meant(text)
    return found


TOOL = Tool("csv", lambda names: True, _reader)
