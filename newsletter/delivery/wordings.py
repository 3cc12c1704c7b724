"""What mail systems say when they refuse a letter, and the class of bounce it means.

English, in which most systems answer, stands here; the words of other languages, which are put together in
the same ways, in `newsletter.delivery.languages`. Where several wordings are met the first class of
`_wordings` counts: what may pass stands before what may not.
"""

import re
from functools import cache

from newsletter.delivery.languages import LANGUAGES, words_for
from newsletter.delivery.phrases import TEXT_LIMIT, any_of, near, sentences
from newsletter.states import BounceClass

_WHO = any_of(
    r"""
    user | recipient | mail ?box | mail ?folder | inbox | account | address | alias | person | customer
    subscriber | member | employee | local part | rcpt | e ?mail name | \b5\d\d (?=(?:is|was|has|does|not)\b)
    """
)
"""The one a letter is for; an address itself is left out, so that a verb follows the reply code."""
_ANYWHERE = {"reader": "mail ?box | account | inbox | e ?mail address", "sender": r"\bip\b"}
"""English words that other languages use, too, by the idea they stand for."""
_WHERE = any_of(r"domain | host\b")
_IS_ABSENT = any_of(
    r"""
    unknown(?! (?:error|reason|problem)) | not ?found | no such | (?:not|nt) exist | non ?exist | invalid
    no longer | undeliverable | unrout | unresolv | illegal | incorrect | \bgone\b | \bleft (?:the|our|us)\b
    has left\b | not (?:a )?(?:listed|known|valid|recogni|local|registered|defined) | nt valid
    (?:not|nt) be found
    (?:not|nt|cannot|cant|unable to) find(?! (?:\w+ ){0,3}(?:server|host|mx|route|record|name)) | unrecogni
    no record of | not (?:\w+ )?in (?:\w+ )?(?:database|directory|list) | not know this | obsolete | unexist
    no (?:local|matching) (?=user|recip|mail|acc|addr) | not resolve to
    (?:been|was) (?:\w+ )?(?:deleted|removed|purged) | rejected access denied | has moved
    (?:is not|isnt|not) here\b | missing home
    """
)
_IS_NOWHERE = any_of(
    r"""
    unknown(?! (?:error|reason|problem)) | not ?found | (?:not|nt) find | unrout | no such | (?:not|nt) exist
    non ?exist | invalid | (?:not|nt) be found | (?:not|nt) (?:hosted|handled|served) here
    unable to find (?:the )?(?:domain|host)
    """
)
_IS_OFF = any_of(
    r"""
    disabled | inactiv | not active | not (?:been )?used\b | suspend | deactivated | \blocked\b | \bfrozen
    discontinued | dormant | not accepting(?! \w+ from) | archived | (?:not|nt) (?:currently )?being accepted
    closed for | on hold\b | (?:not|nt) enabled
    """
)
_HAS_NO_ROOM = any_of(
    r"""
    \b(?:over)?full\b | overflow | maximum size | size exceeded | \bover (?:\w+ )?(?:limit|size|allocation)\b
    too many messages | no (?:more )?room | enough (?:\w+ )?room | capacity | limit (?:\w+ )?reached
    reached (?:\w+ ){0,2}limit | (?:has|have|would|will|is|be|been) (?:\w+ )?exceed
    """
)
_RATE = any_of(
    r"""
    rate ?limit | max defers | throttl | too many invalid recipients | too much (?:e ?)?mail\b(?! data)
    too many (?:connections|recipients|errors|concurrent|sessions)
    too many (?:messages|e?mails)(?! (?:on|in)\b)
    (?:sending|daily|hourly|messag\w+|outbound|outgoing) (?:\w+ ){0,2}(?:rate|quota|limit)s? (?:\w+ ){0,2}exce
    exceed\w* (?:\w+ ){0,3}(?:sending|daily|hourly|messaging)\b | (?:daily|hourly|sending) limit
    \brate (?:\w+ )?exceeded | (?:unusual|high) (?:rate|volume)
    (?:exceed\w* (?:\w+ ){0,3})?(?:number|amount) of (?:\w+ )?(?:messages|e ?mails|recipients)(?! (?:on|in)\b)
    too (?:fast|quickly) | receiving (?:e?mail|messages) at a rate | gr[ea]y ?list | frequency limited
    \bfrequency | slow down | (?:mails|messages) per (?:hour|day|minute)
    """
)
_FULL_ROOM = any_of(r"storage | disk | space | allocation | capacity")
_IS_SPENT = any_of(
    r"""
    exceed | exhausted | used up | out of | insufficient | (?:not|nt) (?:have )?enough | no more | low on
    \bfull\b | reached
    """
)
_FULL = any_of(
    rf"""
    {near(_WHO, _HAS_NO_ROOM)} | quota | disk full | {near(_FULL_ROOM, _IS_SPENT)} | \bno space
    storage limit | over (?:the|his|her|its|their) [\w ]{{0,30}}(?:limit|size) | mail ?box size limit
    exceed\w* (?:\w+ ){{0,3}}mail ?box | mail ?box (?:has )?exceed
    """
)
_CONTENT = any_of(
    r"""
    (?:message|mail|letter|size|attachment) (?:\w+ ){0,4}(?:too (?:big|large)|larger)
    (?:message|mail|letter|size|attachment) (?:\w+ ){0,4}exceed(?!\w* (?:\w+ ){0,3}(?:hop|time|age\b|retr))
    (?:message|lines?|letter) (?:is |was |are )?too long | (?:size|length) (?:\w+ ){0,2}(?:exceed|limit)
    maximum (?:\w+ ){0,3}(?:size|length) | exceed\w* (?:\w+ ){0,4}size | too much (?:\w+ )?data
    ^(?:\d+ )?too (?:big|large) | bigger than | (?<!for )(?<!anti )\bvirus\b(?! scan| check| protect| wall)
    malware | phish | infected | trojan | rfc complian | malformed (?:message|mail|header|mime) | \bbare lf
    smtputf8 | rfc ?5322
    (?:invalid|missing|multiple|duplicate|bad|malformed|illegal) (?:\w+ ){0,2}headers?\b
    headers? (?:\w+ )?(?:invalid|missing|malformed|not valid|too long)
    missing (?:an? )?(?:from|date|message id)\b | size of (?:the|your) (?:message|mail) | message format
    header error | (?:not|nt) conform | (?:due to|because of) (?:\w+ )?content\b
    \bmime (?:error|structure|format) | \bnull? char | \b8 ?bit\b | empty (?:message|body) | body is empty
    (?:attachments?|extension|file types?) (?:\w+ ){0,3}(?:allow|permit|rejec|block|deni|forbid|prohib|refus)
    (?:attachments?|extension|file types?) [\w ]{0,30}not accept | executable
    (?:block|forbid|bann|prohibit|disallow|reject)\w* (?:\w+ ){0,3}(?:attachment|file|exten)
    (?:dangerous|unsafe|illegal) (?:\w+ )?(?:attachment|file|exten)
    conversion (?:is )?(?:required|prohibit|fail|not)
    (?:message|mail|body|header|subject|link|url)s? content
    (?:forbidden|bad|banned|suspicious|prohibited|offensive|invalid|unacceptable|dangerous) (?:content|word)
    malicious | \bworm\b | message malformed | \bno (?:from|date|subject)\b
    (?:forbidden|bad|banned|suspicious|malicious|prohibited) (?:url|link)
    contents? (?:\w+ ){0,3}(?:reject|denied|not accept|filter|refused|block|restrict)
    """
)
_DISABLED = any_of(
    rf"""
    {near(_WHO, _IS_OFF)} | blocked due to inactivity
    (?:account|user|mail ?box) (?:is |has been |was |has )?(?:closed|terminated|blocked|cancell?ed|expired)
    """
)
_DEAD = any_of(
    rf"""
    {near(_WHO, _IS_ABSENT)} | {near(_WHERE, _IS_NOWHERE)}
    no (?:mail ?box|account|user|recipient)s? (?:\w+ )?(?:here|by that name|with that name|at this)
    \bno ?(?:one|body) (?:\w+ ){{0,4}}(?:here|name|address)\b | not have (?:any )?such
    (?:address|recipient) (?:is |was )?wrong\b
    \b(?:bad|wrong) (?:(?:destination|rcpt|recipient|e ?mail) ){{0,2}}(?:address|recipient|mail ?box|user)
    no such \w | (?:not|nt) have an? (?:\w+ ){{0,4}}account | not our customer | recipient ?not ?found
    nxdomain | no longer valid | null ?mx | account (?:is )?(?:not available|unavailable)
    not listed in [\w ]{{0,40}}directory | doesnt like recipient
    mail ?box unavailable s20\d{{8}}\b
    """
)
_NAMES = any_of("name service error | mx records? | not found try again | domain name service")
"""Trouble with names that says "not found" too, and is no word about the address."""
_ROUTING = any_of(
    r"""
    time(?:d )?out | timed ?out | service not known | getaddrinfo | points to localhost
    (?:server|host|connection|network|mx) [\w ]{0,40}(?:reached|offline|busy|congest|not answer)
    no answer from | bad connection | time limit exceeded | too old\b | retries
    delivery attempts\b(?! will) | hops exceeded | requests to connect | unreachable | not reachable
    no route | \bexpired\b | retry time | lookup (?:did not|didnt) complete | hop count
    failing for a long time | (?:lost|dropped|broken) connection | closed connection
    connection (?:\w+ ){0,3}(?:refused|aborted|failed|could not)
    (?:accept the|establish an?|open an?) connection | socket error | \bgave up\b | queue (?:for )?too long
    maximum (?:time|retry) | queue lifetime | \bno mail servers? | \bno a records? | too many received
    certificate | name resolution | too many hops | loop
    connection (?:was |has been )?(?:refused|lost|dropped|reset|failed|closed) | routing | broken pipe
    \bhandshake | servfail | not accepting network
    (?:unable|failed|could ?nt|could not|cannot|cant) (?:to )?(?:route|connect|resolve|look ?up|contact|reach)
    network error | lookup fail | \bmx (?:record|lookup|host) | \bno mx | \bdns\b | name ?server
    mail exchanger | \bstarttls | \btls\b | not responding | too long in queue | in the queue too long
    (?:host|server|destination) (?:\w+ ){0,3}(?:down|refused to talk|not respond|unavailable)
    \be(?:connrefused|connreset|timedout|hostunreach|netunreach|notfound|pipe)\b | service interruption
    too many failures
    """
)
_POLICY = any_of(
    r"""
    polic(?:y|ies) | \baup\b | relay | (?:not|nt) (?:been )?(?:permitted|allowed|authori[sz]ed|entitled)
    access denied | denied\b | prohibited | restricted | unauthori[sz]ed | authentication required | security
    administrative | (?:rejected|refused|blocked) by | \bblocked\b | rcpthosts | spam(?!assassin) | abuse
    suspicious | permission | forbidden | only (?:\w+ )?accept | only authenticated
    (?:not|nt) accept\w* (?:mail|messages|e ?mail|connections) from | refuses to accept
    (?:nt|not) accept\w* external | unwanted | mass mail | not welcome | preferences | service refused
    go away | suspected | attack | captcha | compliance | misconfigured
    (?:nt|not) want (?:mail|messages|e ?mail) | your (?:access|address)
    (?:mail|messages?|e ?mail) from [\w ]{0,40}(?:not|nt) (?:be )?accept | non ?members?
    only (?:\w+ )?members | not subscribed | mail [\w ]{0,30}server is refused
    (?:ask|contact) your (?:\w+ )?(?:postmaster|isp|internet service|service provider|provider)
    """
)
_IS = r"(?: is| was| are| has| been| must| does| do| could| can| cannot| not| nt| pre){0,3}"
_REFUSED = "(?:rej|den|bloc|ref|allow|inv|unk|exist|resolv|permit|author|approv|accept|bann|fail|verif)"
_DISTRUST = any_of(
    rf"""
    \bdnsbl | \brbls?\b | black ?list | block ?list | deny ?list | (?<!not )\blisted (?:in|at|on|by)\b
    \bbanned\b(?! (?:\w+ )?(?:content|attach|file|exten|word|url|link)) | blocked using | reputation
    \b(?:spf|dkim|dmarc|domainkeys)\b | unauthenticated | sender id\b | (?:nt|not) authenticated
    unsolicited | \bu[bc]e\b | \bspm\b | authenticat\w+ (?:fail|check) | client host | reverse dns
    (?:because of|due to) (?:\w+ ){{0,3}}complaints | \bptr\b | \brdns\b
    \b(?:ehlo|helo) (?:\w+ ){{0,3}}(?:reject|invalid|refus|denied|not )
    (?:invalid|bad|bogus) (?:\w+ ){{0,2}}(?:ehlo|helo) | generic (?:host|rdns|ptr)
    dynamic(?:ally)? (?:\w+ )?(?:ip|address|host)
    (?:resolve|find) your (?:\w+ )?(?:address|host ?name|ip|domain)
    \b(?:as|is|be|like|contains?|considered|suspected|possible|due to|for|of) (?:\w+ )?spam\b
    \bspam (?:content|detect|score|filter|message|mail|policy|reject|block|source|probab|abuse|like|point)
    anti ?spam policy | ^ ?spam\b | \bspam (?:\.|$) | spammer | \bjunk\b | spoof | forger | \bforged
    impersonat | white ?list | allow(?:ed)? list | as bulk\b
    \bip (?:address )?(?:is |was |has been )?(?:reject|block|ban|refus|denied) | without reverse
    (?:unable to|could not|cannot) verify (?:the )?sender | \bbulk (?:e ?)?(?:mail|messag|send)
    \b(?:dt|hl|mi|rp) [a-z]{{3}} 1(?:63|26)\b | sender (?:callout|verif) | verification failed for
    no valid sender | domain of sender
    (?<!to )\bsenders?(?: e ?mail| address| domain| ip| host| name)*{_IS} ?{_REFUSED}
    \b(?:your|client|sending|connecting) (?:\w+ )?(?:ip|host|server)\b[\w ]{{0,60}}(?:block|reject|denied|bad)
    \b(?:invalid|unknown|blocked|unverified|bad|unauthori[sz]ed) sender | sender has no
    senders? (?:\w+ )?not in\b | mail from (?:command )?(?:rejected|refused|denied|failed)
    messages from [\w ]{{0,30}}werent sent
    """
)

_NAMES_A_LIST = "spamhaus|spamcop|sorbs|uceprotect|barracudacentral|senderscore|invaluement|abusix|cloudmark"
"""Whose names stand in addresses rather than in sentences."""


@cache
def _wordings() -> tuple[tuple[BounceClass, str], ...]:
    """The pattern of each class, in all languages."""
    return (
        (BounceClass.POLICY, _RATE),
        (BounceClass.FULL, any_of(_FULL, _told("reader", "full"), _told("room", "spent"))),
        (
            BounceClass.CONTENT,
            any_of(
                _CONTENT,
                words_for("harmful"),
                _told("letter", "too_large"),
                _told("attachment", "refused"),
                _told("attachment", "too_large"),
            ),
        ),
        (BounceClass.DISABLED, any_of(_DISABLED, _told("reader", "off"))),
        (BounceClass.ROUTING, _NAMES),
        (BounceClass.DEAD, any_of(_DEAD, _told("reader", "absent"))),
        (BounceClass.ROUTING, any_of(_ROUTING, _told("server", "cut_off"))),
        (BounceClass.POLICY, any_of(_POLICY, words_for("denied"))),
    )


@cache
def _distrust() -> str:
    """What says beyond doubt that the sender is refused, in all languages."""
    return any_of(_DISTRUST, words_for("distrust"), _told("sender", "refused"))


def _told(who: str, what: str) -> str:
    """The words of two ideas in one sentence, in each language that has words for both."""
    pairs = []
    for language in LANGUAGES.values():
        whos, whats = getattr(language, who), getattr(language, what)
        if whos and whats:
            pairs.append(near(any_of(whos, _ANYWHERE.get(who, "")), any_of(whats)))
    return "\n".join(pairs)


def class_of_words(text: str) -> tuple[BounceClass, bool]:
    """What words mean, and whether they say beyond doubt that the sender is refused."""
    said = sentences(text)
    if re.search(_distrust(), said) or re.search(_NAMES_A_LIST, text[:TEXT_LIMIT].lower()):
        return BounceClass.POLICY, True
    found = (bounce_class for bounce_class, pattern in _wordings() if re.search(pattern, said))
    return next(found, BounceClass.UNCLEAR), False
