"""What mail systems say when they refuse a letter: words, and the class of bounce they mean.

Patterns are for text as `sentences` leaves it. Where several are met the first class of `_WORDINGS` counts:
what may pass stands before what may not. Languages are those of systems that answer in them.

May surprise: patterns are strings, which `re` compiles and keeps when they are first needed: all of them take
longer than the rest of a command's start.
"""

import re
import unicodedata

from newsletter.states import BounceClass

TEXT_LIMIT = 4000
"""Characters of a text that are looked at."""

_PIECE = re.compile(r"""[\s<>()\[\],:"]+""")
_PLACE = re.compile(r"(?<![\w-])[\w-]++(?:\.[\w-]++)++")
_STOP = re.compile(r"[.;!?。]+(?=\s|\Z)")
_NO_WORD = re.compile(r"[^\w.]+")


def sentences(text: str) -> str:
    """The words, single-spaced and in one case, a full stop behind each sentence.

    Without apostrophes, addresses, host names and codes: a server called `antispam.example` says nothing by
    its name.
    """
    folded = unicodedata.normalize("NFKC", text[:TEXT_LIMIT]).casefold()
    folded = folded.replace("’", "").replace("'", "")
    kept = " ".join(word for word in folded.split() if "://" not in word)
    kept = " ".join(piece for piece in _PIECE.split(kept) if "@" not in piece)
    kept = _STOP.sub(" . ", _PLACE.sub(" ", kept))
    return " ".join(_NO_WORD.sub(" ", kept).split())


def any_of(phrases: str) -> str:
    """One pattern for phrases that stand in lines, or between strokes with spaces around them."""
    return "|".join(phrase.strip() for phrase in re.split(r"\n| \| ", phrases) if phrase.strip())


def _near(who: str, what: str) -> str:
    """Who and what of them, in either order, in one sentence."""
    return f"(?:{who})[\\w ]{{0,60}}?(?:{what})|(?:{what})[\\w ]{{0,25}}?(?:{who})"


_WHO = any_of(
    r"""
    user | recipient | mail ?box | inbox | account | address | alias | person | customer | subscriber
    member | local part | rcpt | benutzer | empfänger | postfach | konto | teilnehmer | utilisateur
    destinataire | bo[iî]te | compte | usu[aá]rio | destinat[aá]ri | direcci[oó]n | buz[oó]n | cuenta
    casilla | casella | utente | indirizzo | endereço | caixa | conta | gebruiker | ontvanger | adres
    postbus | użytkownik | odbiorc | skrzynk | användare | mottag | mottaker | bruker | bruger | modtager
    пользовател | получател | адрес | ящик | абонент | аккаунт | ユーザ | 宛先 | あて先 | アドレス | 受信者
    メールボックス | 用户 | 收件人 | 邮箱 | 帐户 | 账户 | 地址 | 사용자 | 수신자 | 메일함
    """
)
"""The one a letter is for."""
_WHERE = any_of(r"domain | domäne | host\b | domaine | dominio | domínio | домен | ドメイン | 域名")
_IS_ABSENT = any_of(
    r"""
    unknown | not ?found | no such | (?:not|nt) exist | non ?exist | invalid | no longer | undeliverable
    unrout | unresolv | illegal | incorrect
    not (?:a )?(?:listed|known|valid|recogni|local|registered|defined) | nt valid | (?:not|nt) be found
    nt find | (?:been|was) (?:deleted|removed) | rejected access denied | has moved | unbekannt
    existiert nicht | nicht gefunden | gibt es nicht | nicht vorhanden | ungültig | inconnu | existe p
    introuvable | inexist | pas été trouvé | desconoc | no existe | no se encontr | no se ha encontr
    no encontrad | inv[aá]lid | sconosciut | non esist | non trovat | desconhec | n[aã]o exist
    não encontrad | onbekend | bestaat niet | не существ | не найден | неизвест | удал[её]н | не зарегистр
    отсутств | нет такого | такого нет | nieznan | nie istnieje | nie znalez | okänd | finns inte | ukjent
    ukendt | findes ikke | finnes ikke | 存在し | 見つかりま | 見つから | 不明 | 不存在 | 找不到 | 존재하지
    찾을 수
    """
)
_IS_NOWHERE = any_of(
    r"""
    unknown | not ?found | (?:not|nt) find | unrout | no such | (?:not|nt) exist | non ?exist | invalid
    nt be found | existiert nicht | nicht gefunden | existe p | no existe | не существ | не найден | 存在し
    """
)
_IS_OFF = any_of(
    r"""
    disabled | inactive | not active | not (?:been )?used\b | suspended | deactivated | \blocked\b
    \bfrozen | discontinued
    dormant | bloque\b | not accepting(?! \w+ from) | blocked due to inactivity | deaktiviert
    gesperrt | inaktiv
    stillgelegt | désactiv | suspendu | bloqué | inactif | clôtur | desactiv | deshabilit | suspendid
    inactiv | bloquead | disabilitat | disattivat | sospes | inattiv | desativad | inativ | отключ | заблокир
    неактив | приостан | zablokowan | nieaktywn | archived | archivée? | 停止 | 無効 | 停用 | 禁用 | 冻结
    凍結
    """
)
_HAS_NO_ROOM = any_of(
    r"""
    \b(?:over)?full\b | \bvoll\b | überfüllt | pleine?\b | saturée? | llen[oa]\b | pien[oa]\b | chei[oa]\b
    \bvol\b
    """
)
_RATE = any_of(
    r"""
    rate ?limit | max defers | throttl | too many invalid recipients
    too many (?:messages|connections|e?mails|recipients|errors|concurrent|sessions)
    (?:sending|daily|hourly|message|outbound) (?:\w+ ){0,2}(?:rate|quota|limit) (?:\w+ ){0,2}exce
    exceed\w* (?:\w+ ){0,3}(?:sending|daily|hourly)\b | (?:unusual|high) (?:rate|volume)
    too (?:fast|quickly) | receiving (?:e?mail|messages) at a rate | gr[ea]y ?list | frequency limited
    slow down
    """
)
_FULL = any_of(
    rf"""
    {_near(_WHO, _HAS_NO_ROOM)} | quota | kontingent | \bcuota | disk full
    space (?:is )?(?:not enough|insufficient) | no space left | storage (?:allocation|limit)
    over (?:the|his|her|its|their) [\w ]{{0,30}}(?:limit|size) | mail ?box size limit
    (?:out of|insufficient|not enough|no more|exceeded|low on) (?:\w+ ){{0,2}}(?:storage|disk|space)
    exceeded (?:\w+ ){{0,3}}mail ?box | mail ?box (?:has )?exceed | speicherplatz | przepełnion | переполн
    квот | 容量 | いっぱい | 満杯 | 已满 | 已滿 | 空间不足 | 가득
    """
)
_CONTENT = any_of(
    r"""
    (?:message|mail|letter|size|attachment) (?:\w+ ){0,4}(?:too (?:big|large)|exceeds?|larger)
    (?:message|line|letter) (?:is |was )?too long | (?:size|length) (?:\w+ ){0,2}(?:exceed|limit)
    maximum (?:\w+ ){0,3}size | exceed\w* (?:\w+ ){0,4}size
    (?<!for )(?<!anti )\bvirus\b(?! scan| check| protect| wall) | malware | phish | infected | trojan
    rfc complian | malformed (?:message|mail|header|mime) | invalid header | \bbare lf | smtputf8 | rfc ?5322
    attachments? (?:\w+ ){0,3}(?:allow|reject|block|denied|forbid|prohibit) | executable
    (?:blocked|forbidden|banned|prohibited|dangerous) (?:\w+ )?(?:attachment|file)
    conversion (?:is )?(?:required|prohibit|fail|not)
    (?:message|mail|body|header|subject|link|url)s? content
    (?:forbidden|bad|banned|suspicious|malicious|prohibited|offensive) (?:content|word|url|link)
    content (?:\w+ ){0,3}(?:reject|denied|not accept|filter|refused|block|restrict) | zu gross
    trop (?:volumineux|gros|grand) | demasiado grande | troppo grande | слишком больш | вирус | サイズ
    ウイルス | 太大 | 病毒
    """
)
_DISABLED = any_of(
    rf"""
    {_near(_WHO, _IS_OFF)}
    account (?:is |has been |was |has )?(?:closed|terminated|blocked|cancell?ed|expired)
    """
)
_DEAD = any_of(
    rf"""
    {_near(_WHO, _IS_ABSENT)} | {_near(_WHERE, _IS_NOWHERE)}
    no (?:mail ?box|account|user|recipient)s? (?:\w+ )?(?:here|by that name|with that name|at this)
    no such \w | (?:not|nt) have an? (?:\w+ ){{0,4}}account | not our customer | recipient ?not ?found
    nxdomain | no longer valid | null ?mx | account (?:is )?(?:not available|unavailable)
    not listed in [\w ]{{0,40}}directory
    doesnt like recipient | mail ?box (?:is )?(?:not available|unavailable)
    """
)
_NAMES = any_of("name service error | mx records? | not found try again")
"""Trouble with names that says "not found" too, and is no word about the address."""
_ROUTING = any_of(
    r"""
    time(?:d )?out | timed ?out | requests to connect | unreachable | not reachable | no route
    \bexpired\b | retry time
    hop count | failing for a long time | (?:lost|dropped|broken) connection | closed connection
    too many hops | loop | connection (?:was |has been )?(?:refused|lost|dropped|reset|failed|closed)
    routing
    (?:unable|failed|could ?nt|could not|cannot|cant) (?:to )?(?:route|connect|resolve|look ?up|contact|reach)
    network error | lookup fail | \bmx (?:record|lookup|host) | \bno mx | \bdns\b | name ?server
    mail exchanger | \bstarttls | \btls\b | not responding | too long in queue | in the queue too long
    (?:host|server|destination) (?:\w+ ){0,3}(?:down|refused to talk|not respond|unavailable)
    nicht erreichbar | zeitüberschreitung | tiempo de espera | tempo scaduto | время ожидания | タイムアウト
    超时
    """
)
_POLICY = any_of(
    r"""
    polic(?:y|ies) | relay | not permitted | access denied | denied by | prohibited | not allowed
    restricted | un?authori[sz]ed | authentication required | security | administrative
    (?:rejected|refused|blocked) by | \bblocked\b | rcpthosts | \bspam\b | abuse | suspicious | permission
    forbidden | only accepts | not accept\w* (?:mail|messages|email) from | richtlinie | politique
    directiva | pol[ií]tica | политик | запрещ | ポリシー | 拒否 | 拒绝
    """
)
_DISTRUST = any_of(
    r"""
    \bdnsbl | \brbls?\b | black ?list | block ?list | deny ?list | (?<!not )\blisted (?:in|at|on|by)\b
    \bbanned\b | blocked using | reputation | \b(?:spf|dkim|dmarc)\b | unauthenticated | sender id\b
    (?:nt|not) authenticated | unsolicited | \bu[bc]e\b | \bspm\b | authenticat\w+ (?:fail|check)
    client host | reverse dns
    \bptr\b | \brdns\b | \b(?:ehlo|helo) (?:\w+ ){0,3}(?:reject|invalid|refus|denied|not )
    (?:invalid|bad) (?:ehlo|helo)
    \b(?:as|is|be|like|contains?|considered|suspected|possible|due to|for|of) (?:\w+ )?spam\b
    \bspam (?:content|detect|score|filter|message|mail|policy|reject|block|source|probab|abuse|like|point)
    anti ?spam policy | ^ ?spam\b | \bspam (?:\.|$) | spam ?verdacht | als spam | comme (?:du )?spam
    como spam | pourriel | спам | 迷惑メール | スパム | 垃圾 | sender (?:callout|verif)
    verification failed for | no valid sender | domain of sender
    senders? (?:e?mail |address |domain )?(?:is |was |has been |not )?(?:rej|den|bloc|ref|allow|inv|unk)
    \b(?:invalid|unknown|blocked|unverified|bad) sender | sender has no | mail from command failed
    messages from [\w ]{0,30}werent sent
    \b(?:your|client|sending|connecting) (?:\w+ )?(?:ip|host|server)\b[\w ]{0,60}(?:block|reject|denied|bad)
    """
)

_NAMES_A_LIST = "spamhaus|spamcop|sorbs|uceprotect|barracudacentral|senderscore|invaluement|abusix|cloudmark"
"""Whose names stand in addresses rather than in sentences."""
_WORDINGS = (
    (BounceClass.POLICY, _RATE),
    (BounceClass.FULL, _FULL),
    (BounceClass.CONTENT, _CONTENT),
    (BounceClass.DISABLED, _DISABLED),
    (BounceClass.ROUTING, _NAMES),
    (BounceClass.DEAD, _DEAD),
    (BounceClass.ROUTING, _ROUTING),
    (BounceClass.POLICY, _POLICY),
)


def class_of_words(text: str) -> tuple[BounceClass, bool]:
    """What words mean, and whether they say beyond doubt that the sender is refused."""
    said = sentences(text)
    if re.search(_DISTRUST, said) or re.search(_NAMES_A_LIST, text[:TEXT_LIMIT].lower()):
        return BounceClass.POLICY, True
    found = (bounce_class for bounce_class, pattern in _WORDINGS if re.search(pattern, said))
    return next(found, BounceClass.UNCLEAR), False
