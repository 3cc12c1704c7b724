"""What answers by itself: absences, receipts of tickets, challenges, new addresses, in many languages.

May surprise: these are words that people write too. They tell an automatic reply from a failure report, and
say nothing of a mail that is neither.
"""

import re

from newsletter.delivery.phrases import any_of, sentences

AWAY = re.compile(
    r"""\s*(?: automatic\ (?:e-?mail\ )?reply | auto(?:matic)?[- ]?(?:reply|response|matisch) | autosvar
      | (?:i\ am\ |i'm\ )?out[- ]of[- ](?:the[- ])?office | ooo\b
      | (?:on\ )?vacation\ (?:reply|response|message|notice|auto) | away\ from\ (?:the\ office|my\ )
      | absen[ct]e?
      | automatische?\ (?:antwort|r[ée]ponse) | abwesen
      | urlaubs(?:abw|ben|not|mel) | réponse\ automatique | respuesta\ autom
      | fuera\ de\ la\ oficina | risposta\ automatica | fuori\ ufficio | automatisch\ antwoord | afwezig
      | resposta\ autom | fora\ do\ escritório | ausência | автоматический\ ответ | автоответ | нет\ на\ месте
      | autom(?:atická|atyczna)\ odpowied | odpowiedź\ automatyczna | automaattinen | frånvaro | fravær
      | 自動応答 | 自動返信 | 不在 | 自动回复 | 自動回覆 | 자동
      | מענה\ אוטומטי | תשובה\ אוטומטית | رد\ تلقائي )""",
    re.IGNORECASE | re.VERBOSE,
)
"""What the subject of an absence begins with."""

AUTOREPLY_FIELDS = (
    "x-autoreply", "x-auto-reply", "x-autoreply-from", "x-mail-autoreply", "x-autorespond", "x-autoresponder",
)  # fmt: skip
"""Fields that only automatic replies have."""
_CHALLENGES = any_of(
    r"""
    (?:confirm|verify|prove|validate) (?:that )?(?:you are|you sent|yourself|your (?:message|identity))
    challenge ?response | approved senders? | sender verification | one time verif | prove you
    to (?:complete|release|allow) (?:the )?delivery of your
    """
)
_REPLIES = any_of(
    r"""
    out of (?:the )?office | on (?:\w+ )?(?:vacation|holidays?|leave)\b
    i ?a?m (?:currently |now )?(?:away|out)\b
    (?:will|shall) (?:\w+ )?(?:respond|reply|answer|get back|read your) | auto ?(?:reply|respon|acknowl)
    automatic(?:ally)? (?:generated )?(?:reply|respon|acknowl|answer)
    thank(?:s| you) for (?:your|contacting|writing) | (?:have|has|we) received your
    your (?:request|ticket|inquiry|enquiry|case|query) | \bticket\b | support team
    (?:changed|change of|new|updated) (?:my |our |the )?(?:e ?mail )?address\b | \bmoved to a new address
    no longer (?:\w+ )?(?:work|employ|with|at|monitor|in use|read|check)\w* | left the (?:company|organi)
    (?:confirm|verify|prove|authenticate) (?:\w+ )?(?:you|your|that) | challenge | approved senders?
    to (?:complete|release|allow) (?:the )?delivery | sender verification | one time | nicht im (?:büro|haus)
    abwesen | urlaubs(?:abw|ben|not|mel) | elternzeit | nicht mehr (?:für|bei|im) | vielen dank für ihre
    neue (?:e ?mail ?)?adresse | en congés? | absente? (?:du|jusqu) | de retour | nouvelle adresse
    votre demande | bien reçu | de vacaciones | fuera de la oficina | nueva dirección | hemos recibido
    gracias por | in ferie | fuori ufficio | assente | nuovo indirizzo | de férias | fora do escritório
    novo endereço | op vakantie | afwezig | nieuw e ?mail ?adres | в отпуске | отсутствую | автоответ
    новый адрес | ваш запрос | urlop | nieobecn | nowy adres | på semester | på ferie | lomalla | 不在 | 休暇
    自動(?:返信|応答) | 新しいアドレス | 外出 | 休假 | 自动回复 | 휴가 | 부재
    """
)


def is_reply(text: str) -> bool:
    """Whether these are words of an automatic reply."""
    return re.search(_REPLIES, sentences(text)) is not None


def is_challenge(text: str) -> bool:
    """Whether these words ask the sender to show that they are a person."""
    return re.search(_CHALLENGES, sentences(text)) is not None
