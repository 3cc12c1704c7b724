"""Why a letter did not arrive, by codes and words."""

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.delivery.bounces import class_of, fault_of_class
from newsletter.delivery.outcome import Stage, fault_of, replied, too_big, unreachable_address
from newsletter.feedback.dsn import codes_in
from newsletter.states import BounceClass, Fault

DEAD, DISABLED, FULL, ROUTING, UNCLEAR, POLICY, CONTENT = BounceClass
READERS = (DEAD, DISABLED, FULL, ROUTING, UNCLEAR)
"""The classes that may be held against a reader."""
CODES = st.none() | st.integers(400, 599)
STATUSES = st.from_regex(r"[45]\.[0-9]{1,3}\.[0-9]{1,3}", fullmatch=True)
SAID = st.sampled_from(
    ["", "User unknown", "mailbox full", "no such user", "5.1.1", "account disabled", "Spamhaus", "timed out"]
)


@pytest.mark.parametrize(
    ("status", "bounce_class"),
    [
        # Address dead: suppressed on the first
        ("5.1.1", DEAD),
        ("5.1.2", DEAD),
        ("5.1.3", DEAD),
        ("5.1.6", DEAD),
        ("5.1.10", DEAD),
        ("5.7.13", DEAD),
        ("5.7.17", DEAD),
        # Mailbox disabled: the second strike
        ("5.2.1", DISABLED),
        # Mailbox full: soft
        ("5.2.2", FULL),
        ("4.2.2", FULL),
        # Routing: soft
        ("5.4.1", ROUTING),
        ("5.4.4", ROUTING),
        ("5.4.6", ROUTING),
        ("5.4.14", ROUTING),
        ("5.4.310", ROUTING),
        ("4.4.7", ROUTING),
        ("5.4.7", ROUTING),
        # Policy: never scored
        ("5.7.0", POLICY),
        ("5.7.1", POLICY),
        ("5.7.26", POLICY),
        ("4.7.28", POLICY),
        ("5.7.133", POLICY),
        ("5.7.606", POLICY),
        ("5.1.7", POLICY),
        ("5.1.8", POLICY),
        # Content and size: never scored
        ("5.3.4", CONTENT),
        ("5.2.3", CONTENT),
        ("5.6.0", CONTENT),
        ("5.6.1", CONTENT),
        ("5.6.7", CONTENT),
        # Nobody says why: soft
        ("5.0.0", UNCLEAR),
        ("4.0.0", UNCLEAR),
        ("5.3.0", UNCLEAR),
        ("5.1.0", UNCLEAR),
        ("5.2.0", UNCLEAR),
        ("5.5.0", UNCLEAR),
        ("5.9.9", UNCLEAR),
        ("5.999.999", UNCLEAR),
    ],
)
def test_each_line_of_the_table(status: str, bounce_class: BounceClass) -> None:
    """The classes by their enhanced status codes, whatever the reply code beside them."""
    passing = status.startswith("4")
    for code in (None, 450) if passing else (None, 550, 554):
        assert class_of(code, status, "") is bounce_class


@given(CODES, STATUSES, st.text(max_size=200) | SAID)
def test_policy_and_content_are_never_held_against_a_reader(code: int | None, status: str, text: str) -> None:
    """Whatever is said with x.7.x, size or content, it counts against nobody (check 37)."""
    subject, detail = (int(part) for part in status.split(".")[1:])
    if (subject == 7 and detail not in (13, 17)) or subject == 6 or (subject, detail) in ((2, 3), (3, 4)):
        assert class_of(code, status, text) in (POLICY, CONTENT)


@given(CODES, st.none() | STATUSES | st.text(max_size=12), st.text() | SAID)
@example(550, "5.1.1", "\ud800")
@example(None, "5.\u0661.1", "")
@example(10**30, "5.1", "\0")
def test_nothing_raises_and_a_passing_refusal_never_makes_dead(
    code: int | None, status: str | None, text: str
) -> None:
    """Any code, any status, any words; 4yz and 4.y.z say that another try may succeed."""
    found = class_of(code, status, text)
    if str(code).startswith("4") or (status or "").startswith("4"):
        assert found is not DEAD


WORDS = {
    DEAD: """
        550 No such user here
        550 5.1.1 mailbox unavailable
        550 mailbox does not exist
        550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).
        550 <ann@reader.example>: Recipient address rejected: User unknown in virtual mailbox table
        554 delivery error: dd This user doesn't have a yahoo.example account (ann@yahoo.example) [0]
        552 1 Requested mail action aborted, mailbox not found
        550 Adresse d au moins un destinataire invalide. Invalid recipient.
        550 Message was not accepted -- invalid mailbox. Local mailbox ann is unavailable: user not found
        511 sorry, no mailbox here by that name (#5.1.1 - chkuser)
        550 unknown local-part "ann" in domain "reader.example"
        5.1.0 - Unknown address error 550-'No such recipient' (delivery attempts: 0)
        Sorry, I couldn't find any host named reader.example. (#5.1.2)
        User ann.lee (ann.lee@reader.example) not listed in Domino Directory
        550 host mx.antispam.example said: user unknown
        550 Benutzer unbekannt
        550 Utilisateur inconnu
        550 El usuario no existe
        550 Utente sconosciuto
        550 Пользователь не найден
        宛先のメールアドレスは存在しません
        550 用户不存在
        550 There is no one here by that name
        550 No record of this mailbox
        550 Unable to find recipient
        550 Bad destination mailbox address
        550 This domain is not served here
        550 RCPT user not in database
        550 <ann@reader.example> is not a valid user
        550 Kein Benutzer mit diesem Namen
        La boîte n'existe pas
        La boite n'existe pas
        Nie ma takiego konta
        Příjemce neexistuje
        A címzett nem létezik
        Böyle bir kullanıcı yok
        Adressen findes ikke
        Vastaanottajaa ei löydy
        Utilizator necunoscut
        Ο παραλήπτης δεν υπάρχει
        そのようなユーザーはいません
        查無此人
        존재하지 않는 계정입니다
        המשתמש לא קיים
        المستخدم غير موجود
    """,
    DISABLED: """
        550 5.1.1 <ann@reader.example> User status is locked.
        550 5.1.1 Account inactive
        550 The email account that you tried to reach is inactive.
        554 30 Sorry, your message cannot be delivered. This mailbox is disabled (554.30).
        550 This mailbox has been blocked due to inactivity
        550 Local mailbox ann is unavailable: account is disabled
        550 user account suspended
        550 Das Konto ist gesperrt
        550 Учетная запись пользователя заблокирована
        550 Due to extended inactivity new mail is not currently being accepted for this mailbox
        550 <ann@reader.example> has been disabled
        550 account on hold
        Questo indirizzo è bloccato per inutilizzo
        Account geblokkeerd
        Konto zawieszone
        Účet je zablokován
        A fiók felfüggesztve
        Hesap devre dışı
        Kontot är spärrat
        アカウントは停止されています
        信箱已停用
        휴면 계정입니다
    """,
    FULL: """
        552 5.2.1 <ann@reader.example>: user is over quota
        552 Requested mail action aborted: exceeded storage allocation
        550 Mailbox full
        452 4.2.2 The recipient's inbox is out of storage space
        5.4.7 Delivery expired; last: 452 over quota
        5.3.0 - Other mail system problem 552-'Mailbox full' (delivery attempts: 2)
        550 Postfach ist voll
        550 La boîte de cet utilisateur est pleine
        550 El buzón está lleno
        550 Почтовый ящик переполнен
        メールボックスがいっぱいです
        550 User has too many messages on the server
        550 Mailbox for ann@reader.example has exceeded its maximum size
        550 the user's mailbox has reached its limit
        550 does not have enough space
        550 mailbox overflow
        Benutzer hat zuviele Mails auf dem Server
        Espace de stockage insuffisant
        Vastaanottajan postilaatikko on täynnä, ei ole tilaa
        Przekroczono limit miejsca na skrzynce
        Место в ящике закончилось
        Schránka příjemce je přeplněna
        A postafiók megtelt
        Posta kutusu dolu
        Postkassen er fuld
        邮箱满
        메일함 용량이 초과되었습니다
    """,
    ROUTING: """
        Connection timed out
        lost connection with mx.reader.example[192.0.2.7] while receiving the initial server greeting
        all hosts for 'reader.example' have been failing for a long time (and retry time not reached)
        all relevant MX records point to non-existent hosts
        450 4.1.2 <ann@reader.example>: Recipient address rejected: Domain not found
        550 4.4.7 QUEUE.Expired; message expired
        554 Too many hops
        421 Service not available
        Message has exceeded maximum hop count
        The destination server for this recipient could not be found in Domain Name Service (DNS)
        The remote server did not accept the connection
        451 server busy, try later
        ошибка соединения
        Verbindung zum Server fehlgeschlagen
        tempo limite esgotado
        Nie można połączyć się z serwerem
        サーバーに接続できません
        对方服务器无响应
    """,
    POLICY: """
        550 5.1.1 Service unavailable; Client host [192.0.2.20] blocked using zen.spamhaus.org
        550 rejected because 192.0.2.20 is in a black list at all.lists.example
        554 Your access to this mail system has been rejected due to the sending MTA's poor reputation.
        554 Transaction failed: Reject due to policy restrictions.
        550 spam message rejected
        550 5.0.350 Remote server returned an error -> 550 Message rejected as spam
        550 Verification failed for <letters@news.example> No such user Sender verify failed
        550 relay not permitted
        550 Administrative prohibition
        450 4.2.1 The user you are trying to contact is receiving mail too quickly
        5.4.5 Daily user sending quota exceeded
        4.4.7 expired; last: 451 blocked using dnsbl.example
        554 5.1.0 Sender denied
        530 Authentication required
        554 5.7.1 rejected: contains the virus Eicar
        552 5.7.0 attachment type not allowed
        550 5.7.1 User unknown
        550 5.7.1 No such user! 1764000099-0hXk2T1d
        550 5.7.26 Unauthenticated mail with an attachment not allowed
        450 4.1.1 Recipient address rejected: greylisted
        550 Sender domain must exist
        550 possible forgery
        550 sender not in whitelist
        550 sender address not in list
        IP bloccato
        550 Mail from this domain is not accepted
        550 Refused due to recipient preferences
        550 this mailing list is closed to non-members
        550 You have been blocked by the recipient
        554 denied
        554 A problem occurred. Ask your postmaster for help
        Ihre IP-Adresse ist gesperrt
        Votre adresse IP est bloquée
        Il mittente non è autorizzato
        Twój adres IP jest na czarnej liście
        Gönderen engellendi
        Avsändaren är blockerad
        发件人被拒收
        스팸으로 차단되었습니다
    """,
    CONTENT: """
        550 maximum allowed line length is 998 octets, got 1204
        552 Message size exceeds fixed maximum message size
        554 rejected due to virus Eicar
        550 attachment type not allowed
        550 Message contains suspicious content
        550 Mail content denied
        550 Nachricht zu groß
        550 attachments of type .exe are not accepted
        550 rejecting banned content
        550 missing Message-ID header
        mensaje infectado
        添付ファイルが大きすぎます
        La taille du message dépasse la limite
        Wiadomość jest zbyt duża
        Az üzenet vírust tartalmaz
        Meddelandet är för stort
        郵件大小超過限制
    """,
    UNCLEAR: """
        554 Transaction failed
        550 5.0.0
        550 mailbox unavailable
        550 Mailbox is not available
        550 5.0.0 Requested action not taken: mailbox unavailable
        450 mailbox unavailable
        450 4.1.1 <ann@reader.example>: Recipient address rejected: unverified address: user unknown
        550 5.1.0 Address rejected
        550 5.0.350 Remote server returned an error
        Unknown error
        Something went wrong while delivering to this user
        host mx.reader.example said: unknown error
        Das Postfach ist zur Zeit nicht verfügbar
        ユーザーに届いていません
        받는 사람에게 메일을 보낼 수 없습니다
        收件人服务器错误
        Aucune réponse pour ce destinataire
        Unbekannter Fehler
        550 This message was scanned for viruses and could not be taken
    """,
}


@pytest.mark.parametrize(
    ("said", "bounce_class"),
    [(line.strip(), kind) for kind, lines in WORDS.items() for line in lines.strip().splitlines()],
)
def test_words_tell_where_codes_do_not(said: str, bounce_class: BounceClass) -> None:
    """What systems say without a code, with one that says nothing, or with one that is known to lie."""
    code, status = codes_in(said)
    assert class_of(code, status or None, said) is bounce_class


@pytest.mark.parametrize("bounce_class", BounceClass)
def test_the_same_knowledge_decides_faults_and_classes(bounce_class: BounceClass) -> None:
    """A status that says why has the fault of its class, at every stage after MAIL."""
    faults = {DEAD: Fault.ADDRESS, DISABLED: Fault.MAILBOX, FULL: Fault.MAILBOX, POLICY: Fault.POLICY}
    faults |= {CONTENT: Fault.MESSAGE, ROUTING: Fault.RELAY, UNCLEAR: Fault.RELAY}
    assert fault_of_class(bounce_class) is faults[bounce_class]
    for status in ("5.1.1", "5.1.8", "5.2.1", "5.2.2", "5.2.3", "5.4.4", "5.6.0", "5.7.1", "5.7.13"):
        if class_of(None, status, "") is bounce_class:
            assert fault_of(Stage.DOT, 550, status) is faults[bounce_class]


@pytest.mark.parametrize(
    ("stage", "code", "text", "bounce_class"),
    [
        (Stage.RCPT, 550, "5.1.1 User unknown", DEAD),
        (Stage.RCPT, 550, "No such user", DEAD),
        (Stage.DOT, 552, "5.2.2 Mailbox full", FULL),
        (Stage.RCPT, 451, "4.7.1 Greylisted", POLICY),
        (Stage.MAIL, 550, "5.1.1 No such user", POLICY),
        (Stage.MAIL, 552, "Mailbox full", POLICY),
        (Stage.MAIL, 552, "5.3.4 Too big", CONTENT),
        (Stage.DOT, 250, "2.0.0 Ok", None),
    ],
)
def test_a_reply_is_read_as_a_report_would_be(
    stage: Stage, code: int, text: str, bounce_class: BounceClass | None
) -> None:
    """At SMTP time too; where the sender is refused, no reader is to blame."""
    assert replied(stage, code, text).bounce_class is bounce_class


def test_what_never_left_has_a_class() -> None:
    """An address the relay cannot write and a letter too big for it are about the letter."""
    assert too_big(2, 1).bounce_class is CONTENT
    assert unreachable_address("No SMTPUTF8.").bounce_class is CONTENT


@pytest.mark.parametrize(
    "piece",
    [
        *"a. (\"'@:/-é满",
        "user ",
        "the account ",
        "no such ",
        "not enough ",
        "message ",
        "your ip ",
        "a@b ",
        "a.b ",
    ],
)
def test_no_text_takes_long(piece: str) -> None:
    """What is read of a text is bounded, and no pattern runs wild over it."""
    text = piece * (100_000 // len(piece))
    class_of(None, None, text)
    began = time.process_time()
    class_of(None, None, text)
    assert time.process_time() - began < 1


def test_a_text_is_read_as_far_as_it_is_looked_at() -> None:
    """What stands at the end of a long text decides nothing."""
    assert class_of(550, None, "x" * 10_000 + " no such user") is UNCLEAR
    assert re.search("no such user", "x" * 10_000 + " no such user")
