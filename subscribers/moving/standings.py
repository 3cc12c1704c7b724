"""What a file without a known form says of whether somebody is to be written to: words, marks, yes and no.

Nobody is subscribed by a guess. A word for a state that is not known makes a bad row, and a column that is
nothing known, but may well say who left, is asked about.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from subscribers.models import SubscriptionState, SuppressionReason
from subscribers.moving.cells import RowError, key_of, meant, truth

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
_PENDING: Standing = (SubscriptionState.PENDING, None)
_LEFT: Standing = (SubscriptionState.LEFT, None)
_BY_MARK: Mapping[str, Standing] = {
    "left": _LEFT,
    "bounced": (SubscriptionState.LEFT, SuppressionReason.BOUNCED),
    "complained": (SubscriptionState.LEFT, SuppressionReason.COMPLAINED),
}
SEVERITY = (
    SubscriptionState.ACTIVE,
    SubscriptionState.PENDING,
    SubscriptionState.PAUSED,
    SubscriptionState.LEFT,
)
"""Where columns disagree, the last of these holds."""
_NOTHING = frozenset(
    ("", "null", "\\n", "none", "nan", "n/a", "-", "never", "0000-00-00", "0000-00-00 00:00:00")
)
"""What databases and people write into a cell that says nothing."""


def standing(role: str, cell: str) -> Standing:
    """What a cell says of whether somebody is to be written to; an empty one says nothing against it.

    A state is a word, in several languages, or yes and no. Of consent anything is told, a no among it, and an
    empty cell is one where it was confirmed. Else whatever is not a no is a mark or a date. Raises RowError
    for a word that is no state.
    """
    text = meant(cell).strip()
    if role == "confirmed" and text.lower() in _NOTHING:
        return _PENDING
    if role in ("consent", "confirmed"):
        told = _STANDINGS.get(key_of(text), _ACTIVE) if len(text) < _WORD else _ACTIVE
        return _PENDING if told == _ACTIVE and truth(text) is False else told
    if role != "state":
        return _ACTIVE if text.lower() in _NOTHING or truth(text) is False else _BY_MARK[role]
    if not text:
        return _ACTIVE
    if found := _STANDINGS.get(key_of(text)):
        return found
    answer = truth(text)
    if answer is None:
        raise RowError(
            f"{text[:40]!r} is no state that is known here, so nobody is subscribed by it; if the column "
            f'holds something else, say --column state=""'
        )
    return _ACTIVE if answer else _LEFT


_REFUSING = re.compile(
    "unsub|optout|optedout|emailout|donot(?:e?mail|contact|send)|suppress|bl(?:ock|ack)list|blocked|banned"
    "|bounce|complain|undeliver|abmeld|abgemeld|abbestell|austritt|ausgetragen|gekundigt|desinscri|desabon"
    "|desuscri|dedebaja|^baja|disiscri|cancelad|descadastr|uitschrij|uitgeschr|afmeld|afgemeld|wypis|odhlas"
    "|leirat|avregistr|avslut|отпис|退会|退订|退訂|解約|配信停止|停止|解除|수신거부|해지|הוסר|الغاءالاشتراك"
)
"""What a name or a word has in it that may be about whoever is not to be written to."""
_SUBSCRIBING = re.compile(
    "status|statut|estado|stato$|subscri|suscri|inscri|iscrit|abonn|prenumer|newsletter|mailing|marketing|rundbrief"
    "|enabled|active|aktiv|actif|подпис|рассыл|статус|ステータス|購読|配信|订阅|訂閱|状态|状態|구독"
)
"""What the name of a column has in it that may say yes and no to being written to."""
_WORD = 40
"""Characters of a cell that is a word at most, and no text."""


def is_unclear(name: str, cells: Iterable[str]) -> bool:
    """Whether a column that is nothing known may yet say who is not to be written to.

    `name` as `key_of` leaves it, `cells` are some of the column's.
    """
    if _REFUSING.search(name):
        return True
    says_no = is_subscribing(name)
    return any(is_refusal(cell, says_no=says_no) for cell in cells)


def is_subscribing(name: str) -> bool:
    """Whether a no in a column of this name may mean that somebody is not to be written to."""
    return _SUBSCRIBING.search(name) is not None


@lru_cache(4096)
def is_refusal(cell: str, *, says_no: bool) -> bool:
    """Whether a cell of a column that is nothing known says that somebody is not to be written to.

    `says_no` is whether a no does, and words that elsewhere are about other things.
    """
    text = meant(cell).strip()
    if not text or len(text) >= _WORD:
        return False
    key = key_of(text)
    if _STANDINGS.get(key, _ACTIVE) != _ACTIVE:
        return says_no or _REFUSING.search(key) is not None
    return says_no and truth(text) is False
