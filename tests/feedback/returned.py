"""Reports as mail systems write them, of our own writing: about one letter, to one reader.

Each sample says what is to be read in it. `{letter}` stands for the letter that comes back, whole, `{header}`
for its header alone, `{path}` for the return path it went out with.
"""
# ruff: noqa: E501 - a line of a report is as long as its system made it

from dataclasses import dataclass

from newsletter.feedback.reports import ReportKind
from newsletter.states import BounceClass
from subscribers.tokens import Purpose, TokenSigner

SIGNER = TokenSigner(b"a key for the letters that come back")
NUMBER = 4711
BOUNCE, MESSAGE, LEAVE = (
    SIGNER.sign(one, NUMBER) for one in (Purpose.BOUNCE, Purpose.MESSAGE, Purpose.LEAVE)
)
READER = "ann.lee@reader.example"
PATH = f"letters+bounce.{BOUNCE}@news.example"

HEADER = f"""\
Return-Path: <{PATH}>
Received: from relay.news.example (relay.news.example [192.0.2.20])
\tby mx.reader.example with ESMTPS id 4Q2wX1; Mon,  5 Jan 2026 09:00:03 +0000
From: Advice <advice@news.example>
To: Ann Lee <{READER}>
Subject: First steps, and why a plan may be delayed while you are out of office
Date: Mon, 05 Jan 2026 09:00:00 +0000
Message-ID: <{MESSAGE}@news.example>
List-Id: Advice <advice.news.example>
List-Unsubscribe: <https://news.example/u/{LEAVE}>,
 <mailto:advice+leave.{LEAVE}@news.example>
List-Unsubscribe-Post: List-Unsubscribe=One-Click
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
"""
LETTER = f"""\
{HEADER}
Dear Ann,

when your mailbox is full and the user unknown, this letter is spam. It says so for a reason:
what stands in a letter is no word about what became of it.

Leave: https://news.example/u/{LEAVE}
"""


@dataclass(frozen=True)
class Sample:
    """A report, and what is to be read in it."""

    content: bytes
    kind: ReportKind
    bounce_class: BounceClass | None = None
    return_path: str | None = ""
    tokens: bool = True
    """Whether it says which letter it is about."""
    recipient: str = READER
    feedback_type: str = ""


SAMPLES: dict[str, Sample] = {}
FAILED, DELAYED, DELIVERED, COMPLAINT, OTHER = ReportKind
DEAD, DISABLED, FULL, ROUTING, UNCLEAR, POLICY, CONTENT = BounceClass


def filled(text: str) -> str:
    for name, value in {"letter": LETTER, "header": HEADER, "path": PATH, "reader": READER}.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def sample(
    name: str,
    text: str,
    kind: ReportKind,
    bounce_class: BounceClass | None = None,
    *,
    return_path: str | None = "",
    tokens: bool = True,
    recipient: str = READER,
    feedback_type: str = "",
    charset: str = "utf-8",
) -> None:
    """Adds one, with the line ends of SMTP."""
    content = filled(text.lstrip("\n")).encode(charset).replace(b"\n", b"\r\n")
    assert name not in SAMPLES
    SAMPLES[name] = Sample(content, kind, bounce_class, return_path, tokens, recipient, feedback_type)


def dsn(
    fields: str,
    words: str = "Your message could not be delivered.",
    *,
    sender: str = "Mail Delivery System <MAILER-DAEMON@mx.reader.example>",
    subject: str = "Undelivered Mail Returned to Sender",
    reporting: str = "Reporting-MTA: dns; mx.reader.example",
    returned: str = "message/rfc822",
    status_type: str = "message/delivery-status",
    boundary: str = "4Q2wX1.1767603603/mx.reader.example",
) -> str:
    """A delivery status notification in three parts."""
    back = "{header}" if "headers" in returned else "{letter}"
    return f"""\
From: {sender}
To: {{path}}
Subject: {subject}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="{boundary}"

This is a MIME-encapsulated message.

--{boundary}
Content-Description: Notification
Content-Type: text/plain; charset=utf-8

{words}

--{boundary}
Content-Description: Delivery report
Content-Type: {status_type}

{reporting}
Arrival-Date: Mon,  5 Jan 2026 09:00:03 +0000 (UTC)

{fields}

--{boundary}
Content-Description: Undelivered Message
Content-Type: {returned}

{back}
--{boundary}--
"""


def plain(words: str, *, sender: str, subject: str, fields: str = "") -> str:
    """A mail of one part."""
    return f"""\
From: {sender}
To: <{{path}}>
Subject: {subject}
Date: Mon, 05 Jan 2026 09:01:00 +0000
{fields}MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

{words}
"""


def final(
    status: str, diagnostic: str = "", action: str = "failed", recipient: str = "rfc822; {reader}"
) -> str:
    lines = [f"Final-Recipient: {recipient}", f"Action: {action}", f"Status: {status}"]
    return "\n".join(lines + ([f"Diagnostic-Code: {diagnostic}"] if diagnostic else []))


# Postfix

POSTFIX = """\
This is the mail system at host mx.relay.example.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

For further assistance, please send mail to postmaster.

                   The mail system

<{reader}>: host mx.reader.example[192.0.2.7] said: %s (in reply to RCPT TO command)"""

for _name, _status, _said, _class in [
    ("unknown", "5.1.1", "550 5.1.1 <{reader}>: Recipient address rejected: User unknown in virtual mailbox table", DEAD),
    ("no such user, generic", "5.0.0", "550 No such user here", DEAD),
    ("over quota", "5.2.2", "552 5.2.2 <{reader}>: Quota exceeded (mailbox for user is full)", FULL),
    ("listed", "5.7.1", "554 5.7.1 Service unavailable; Client host [192.0.2.20] blocked using zen.spamhaus.org", POLICY),
    ("listed without a code", "5.0.0", "554 Service unavailable; Client host blocked using dnsbl.example", POLICY),
    ("too large", "5.3.4", "552 5.3.4 Message size exceeds fixed limit", CONTENT),
    ("no reason", "5.0.0", "554 Transaction failed", UNCLEAR),
    ("disabled", "5.2.1", "550 5.2.1 The email account that you tried to reach is disabled", DISABLED),
    ("handed over", "5.7.17", "550 5.7.17 Mailbox owner has changed", DEAD),
    ("rate", "4.7.28", "421 4.7.28 Our system has detected an unusual rate of mail from your IP address", POLICY),
    ("microsoft refuses the network", "5.7.606", "550 5.7.606 Access denied, banned sending IP [192.0.2.20]", POLICY),
    ("microsoft knows nobody", "5.4.1", "550 5.4.1 Recipient address rejected: Access denied. [mx.eop.example]", ROUTING),
    ("hotmail", "5.5.0", "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).", DEAD),
    ("yahoo", "5.0.0", "554 delivery error: dd This user doesn't have a yahoo.example account ({reader}) [0]", DEAD),
    ("yahoo's disabled", "5.0.0", "554 delivery error: dd This account has been disabled or discontinued [#102].", DISABLED),
    ("dmarc", "5.7.26", "550-5.7.26 Unauthenticated email from news.example is not accepted due to DMARC policy", POLICY),
    ("sender", "5.1.8", "550 5.1.8 <{path}>: Sender address rejected: Domain not found", POLICY),
    ("virus", "5.0.0", "554 rejected: virus Eicar-Test found", CONTENT),
    ("relay", "5.7.1", "554 5.7.1 <{reader}>: Relay access denied", POLICY),
]:  # fmt: skip
    sample(
        f"postfix: {_name}",
        dsn(
            f"Final-Recipient: rfc822; {{reader}}\nOriginal-Recipient: rfc822;{{reader}}\nAction: failed\n"
            f"Status: {_status}\nRemote-MTA: dns; mx.reader.example\nDiagnostic-Code: smtp; {_said}",
            POSTFIX % _said,
        ),
        FAILED,
        _class,
    )

sample(
    "postfix: expired, of a full mailbox",
    dsn(
        final("4.2.2", "smtp; 452 4.2.2 The email account that you tried to reach is over\n    quota"),
        POSTFIX % "452",
    ),
    FAILED,
    FULL,
)
sample(
    "postfix: no such domain",
    dsn(
        final(
            "5.4.4",
            "X-Postfix; Host or domain name not found. Name service\n    error for name=reader.example type=A: Host not found",
        ),
        "<{reader}>: Host or domain name not found. Name service error for name=reader.example type=A: Host not found",
    ),
    FAILED,
    ROUTING,
)
sample(
    "postfix: the header alone comes back",
    dsn(final("5.1.1", "smtp; 550 5.1.1 unknown"), returned="text/rfc822-headers"),
    FAILED,
    DEAD,
)
sample(
    "postfix: delayed",
    dsn(
        final(
            "4.4.1", "X-Postfix; connect to mx.reader.example[192.0.2.7]:25: Connection timed out", "delayed"
        ),
        "####################################################################\n# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO "
        "RESEND YOUR MESSAGE. #\n####################################################################\n\nYour message could "
        "not be delivered for more than 4 hour(s).\nIt will be retried until it is 5 day(s) old.",
        subject="Delayed Mail (still being retried)",
    ),
    DELAYED,
)
sample(
    "postfix: delivered",
    dsn(
        final("2.0.0", "smtp; 250 2.0.0 Ok: queued as 4Q2wX1", "relayed"),
        subject="Successful Mail Delivery Report",
    ),
    DELIVERED,
)
sample(
    "postfix: internationalised",
    dsn(
        final("5.1.1", "smtp; 550 5.1.1 User unknown", recipient=r"utf-8; \x{E4}nn@reader.example"),
        returned="message/global",
        status_type="message/global-delivery-status",
    ),
    FAILED,
    DEAD,
    recipient="änn@reader.example",
)

# sendmail

SENDMAIL = """\
The original message was received at Mon, 5 Jan 2026 09:00:03 GMT
from relay.news.example [192.0.2.20]

   ----- The following addresses had permanent fatal errors -----
<{reader}>
    (reason: %s)

   ----- Transcript of session follows -----
... while talking to mx.reader.example.:
>>> DATA
<<< %s
550 5.1.1 <{reader}>... User unknown
"""
_SENDMAIL = "Mail Delivery Subsystem <MAILER-DAEMON@relay.example>"
for _name, _said, _class in [
    ("unknown", "550 5.1.1 <{reader}>... User unknown", DEAD),
    # sendmail gives 5.1.1 to every 550 at RCPT
    ("a policy that became 5.1.1", "550 5.7.1 Rejected for policy reasons", POLICY),
    ("a list that became 5.1.1", "550 Rejected: 192.0.2.20 is on the Spamhaus block list", POLICY),
    ("disabled that became 5.1.1", "550 5.2.1 Mailbox inactive", DISABLED),
]:
    sample(
        f"sendmail: {_name}",
        dsn(
            final("5.1.1", f"SMTP; {_said}", recipient="RFC822; {reader}"),
            SENDMAIL % (_said, _said),
            sender=_SENDMAIL,
            subject="Returned mail: see transcript for details",
        ),
        FAILED,
        _class,
    )
sample(
    "sendmail: a warning in plain words",
    plain(
        "    **********************************************\n    **      THIS IS A WARNING MESSAGE ONLY      **\n"
        "    **  YOU DO NOT NEED TO RESEND YOUR MESSAGE  **\n    **********************************************\n\n"
        "The original message was received at Mon, 5 Jan 2026 09:00:03 GMT\n\n"
        "   ----- Transcript of session follows -----\n<{reader}>... Deferred: Connection timed out\n"
        "Warning: message still undelivered after 4 hours\nWill keep trying until message is 5 days old\n\n"
        "   ----- Original message follows -----\n\n{letter}",
        sender=_SENDMAIL,
        subject="Warning: could not send message for past 4 hours",
    ),
    DELAYED,
)
sample(
    "sendmail: of old, one part",
    plain(
        "   ----- Transcript of session follows -----\n>>> RCPT To:<{reader}>\n<<< 550 <{reader}>... User unknown\n"
        "550 {reader}... User unknown\n\n   ----- Unsent message follows -----\n{letter}",
        sender=_SENDMAIL,
        subject="Returned mail: User unknown",
    ),
    FAILED,
    DEAD,
)

# Exim

EXIM = """\
This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  {reader}
    %s

------ This is a copy of the message, including all the headers. ------

{letter}"""
_EXIM = "Mail Delivery System <Mailer-Daemon@smtp.example>"
for _name, _said, _class in [
    ("unknown", "SMTP error from remote mail server after RCPT TO:<{reader}>:\n    host mx.reader.example [192.0.2.7]: 550 5.1.1 No such user", DEAD),
    ("unrouteable", "Unrouteable address", DEAD),
    ("quota", "mailbox is full: retry timeout exceeded", FULL),
    ("timed out", "retry timeout exceeded", ROUTING),
    ("verified", "SMTP error from remote mail server after MAIL FROM:<{path}>:\n    550-Verification failed for <{path}>\n    550 Sender verify failed", POLICY),
    ("all mx", "all relevant MX records point to non-existent hosts", ROUTING),
    ("spam", "SMTP error from remote mail server after end of data:\n    host mx.reader.example: 550 This message was classified as SPAM and may not be delivered", POLICY),
    ("size", "message is too big (transport limit = 1048576)", CONTENT),
]:  # fmt: skip
    sample(
        f"exim: {_name}",
        plain(
            EXIM % _said,
            sender=_EXIM,
            subject="Mail delivery failed: returning message to sender",
            fields="X-Failed-Recipients: {reader}\nAuto-Submitted: auto-replied\n",
        ),
        FAILED,
        _class,
    )
sample(
    "exim: with a status that says nothing",
    dsn(
        final(
            "5.0.0", "smtp; 550 5.1.1 <{reader}>: Recipient address rejected: no mailbox here by that name"
        ),
        EXIM.partition("------")[0] % "550 5.1.1",
        sender=_EXIM,
    ),
    FAILED,
    DEAD,
)
sample(
    "exim: delayed",
    plain(
        "This message was created automatically by mail delivery software.\nA message that you sent has not yet been "
        "delivered to one or more of its\nrecipients after more than 24 hours on the queue on smtp.example.\n\nThe message "
        "identifier is:     1vcgAb-0007jE-00\nThe subject of the message is: First steps\n\nThe address to which the message "
        "has not yet been delivered is:\n\n  {reader}\n    Delay reason: mailbox is full\n\nNo action is required on your "
        "part. Delivery attempts will continue for\nsome time, and this warning may be repeated at intervals if the "
        "message\nremains undelivered. Eventually the mail delivery software will give up,\nand when that happens, the "
        "message will be returned to you.",
        sender=_EXIM,
        subject="Warning: message 1vcgAb-0007jE-00 delayed 24 hours",
    ),
    DELAYED,
)
sample(
    "exim: at mail.ru, in two languages",
    plain(
        "Это письмо создано автоматически сервером, отвечать на него не нужно.\n\nК сожалению, Ваше письмо не может быть "
        "доставлено одному или нескольким получателям:\n\n  {reader}\n    Пользователь не найден\n\n------ This is a copy of "
        "the message, including all the headers. ------\n\n{letter}",
        sender="mailer-daemon@corp.mail.example",
        subject="=?UTF-8?B?0JLQsNGI0LUg0YHQvtC+0LHRidC10L3QuNC1INC90LUg0LTQvtGB0YLQsNCy0LvQtdC90L4=?=",
    ),
    FAILED,
    DEAD,
)

# qmail

QMAIL = """\
Hi. This is the qmail-send program at mx.reader.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<{reader}>:
%s

--- Below this line is a copy of the message.

{letter}"""
for _name, _said, _class in [
    ("no mailbox", "Sorry, no mailbox here by that name. (#5.1.1)", DEAD),
    ("no host", "Sorry, I couldn't find any host named reader.example. (#5.1.2)", DEAD),
    ("remote", "192.0.2.7 does not like recipient.\nRemote host said: 550 sorry, no such user\nGiving up on 192.0.2.7.", DEAD),
    ("full", "The users mailfolder is over the allowed quota (size). (#5.2.2)", FULL),
    ("connection", "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\nI'm not going to try again; this message has been in the queue too long.", ROUTING),
    ("rcpthosts", "192.0.2.7 does not like recipient.\nRemote host said: 553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", POLICY),
    ("nothing said", "", UNCLEAR),
]:  # fmt: skip
    sample(
        f"qmail: {_name}",
        plain(QMAIL % _said, sender="MAILER-DAEMON@mx.reader.example", subject="failure notice"),
        FAILED,
        _class,
    )

# Exchange, Office 365, Outlook.com

OFFICE = "Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@news.example>"
sample(
    "office 365: unknown",
    dsn(
        final(
            "5.1.10",
            "smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
        ),
        "Your message to {reader} couldn't be delivered.\n\nann.lee wasn't found at reader.example.\n\nUnknown To address",
        sender=OFFICE,
        subject="Undeliverable: First steps",
    ),
    FAILED,
    DEAD,
)
sample(
    "office 365: restricted group",
    dsn(
        final(
            "5.7.133", "smtp;550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required"
        ),
        "Your message couldn't be delivered. The group only accepts messages from people in its organization.",
        sender=OFFICE,
        subject="Undeliverable: First steps",
    ),
    FAILED,
    POLICY,
)
sample(
    "office 365: the remote server's words under a number of its own",
    dsn(
        final(
            "5.0.350",
            "smtp;550 5.0.350 Remote server returned an error -> 550 Message rejected as spam by filter",
        ),
        "Delivery has failed to these recipients or groups: {reader}",
        sender=OFFICE,
        subject="Undeliverable: First steps",
    ),
    FAILED,
    POLICY,
)
sample(
    "exchange: in German, without a diagnostic",
    dsn(
        final("5.1.1"),
        "Fehler bei der Nachrichtenzustellung an folgende Empfänger oder Verteilerlisten:\n\n{reader}\nDie eingegebene "
        "E-Mail-Adresse konnte nicht gefunden werden.",
        sender="Microsoft Exchange <postmaster@reader.example>",
        subject="Unzustellbar: First steps",
    ),
    FAILED,
    DEAD,
)
sample(
    "exchange: delayed",
    dsn(
        final("4.4.7", action="delayed"),
        "Delivery is delayed to these recipients or distribution lists:\n\n{reader}\n\nThis message hasn't been delivered "
        "yet. Delivery will continue to be attempted.",
        sender="Microsoft Exchange <postmaster@reader.example>",
        subject="Delivery delayed: First steps",
    ),
    DELAYED,
)
sample(
    "exchange: expired",
    dsn(
        final("4.4.7", "smtp;400 4.4.7 Message delayed"),
        "Delivery has failed to these recipients: {reader}. The server has tried to deliver this message, without "
        "success, and has stopped trying.",
        sender="Microsoft Exchange <postmaster@reader.example>",
        subject="Undeliverable: First steps",
    ),
    FAILED,
    ROUTING,
)
sample(
    "exchange 5.5: in plain words",
    plain(
        "Your message\n\n  To:      {reader}\n  Subject: First steps\n  Sent:    Mon, 5 Jan 2026 09:00:00 -0000\n\ndid not "
        "reach the following recipient(s):\n\n{reader} on Mon, 5 Jan 2026 09:00:09 -0000\n    The recipient name is not "
        "recognized\n\tThe MTS-ID of the original message is: c=us;a= ;p=reader;l=MX-260105090009Z-1\n    MSEXCH:IMS:READER:"
        "MX 0 (000C05A6) Unknown Recipient\n",
        sender="System Administrator <postmaster@reader.example>",
        subject="Undeliverable: First steps",
        fields="X-Mailer: Internet Mail Service (5.5.2653.19)\n",
    ),
    FAILED,
    DEAD,
)

# Gmail

sample(
    "gmail: unknown, in two versions",
    dsn(
        "Final-Recipient: rfc822; {reader}\nAction: failed\nStatus: 5.1.1\nRemote-MTA: dns; mx.reader.example. (192.0.2.7, the "
        "server for the domain.)\nDiagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist. "
        "Please try\n 550-5.1.1 double-checking the recipient's email address for typos or\n 550 5.1.1 unnecessary spaces. "
        "Learn more at https://support.example/mail/?p=NoSuchUser",
        "** Address not found **\n\nYour message wasn't delivered to {reader} because the address couldn't be found, or is "
        "unable to receive mail.",
        sender="Mail Delivery Subsystem <mailer-daemon@googlemail.example>",
        subject="Delivery Status Notification (Failure)",
        boundary="000000000000a1b2c3",
    ),
    FAILED,
    DEAD,
)
sample(
    "gmail: delayed",
    dsn(
        final("4.4.1", "smtp; The recipient server did not accept our requests to connect.", "delayed")
        + "\nWill-Retry-Until: Thu, 08 Jan 2026 01:00:00 -0800 (PST)",
        "** Delivery incomplete **\n\nThere was a temporary problem delivering your message to {reader}. Gmail will retry for "
        "46 more hours. You'll be notified if the delivery fails permanently.",
        sender="Mail Delivery Subsystem <mailer-daemon@googlemail.example>",
        subject="Delivery Status Notification (Delay)",
    ),
    DELAYED,
)
sample(
    "gmail: of old, in plain words",
    plain(
        "Delivery to the following recipient failed permanently:\n\n     {reader}\n\nTechnical details of permanent failure:\n"
        "Google tried to deliver your message, but it was rejected by the server for the recipient domain reader.example by "
        "mx.reader.example. [192.0.2.7].\n\nThe error that the other server returned was:\n550 5.1.1 <{reader}>: Recipient "
        "address rejected: User unknown\n\n----- Original message -----\n\n{letter}",
        sender="Mail Delivery Subsystem <mailer-daemon@googlemail.example>",
        subject="Delivery Status Notification (Failure)",
        fields="X-Failed-Recipients: {reader}\n",
    ),
    FAILED,
    DEAD,
)
sample(
    "gmail: of old, delayed",
    plain(
        "This is an automatically generated Delivery Status Notification\n\nTHIS IS A WARNING MESSAGE ONLY.\n\nYOU DO NOT NEED "
        "TO RESEND YOUR MESSAGE.\n\nDelivery to the following recipient has been delayed:\n\n     {reader}\n\nMessage will be "
        "retried for 2 more day(s)\n\nTechnical details of temporary failure:\nThe recipient server did not accept our "
        "requests to connect.\n\n----- Original message -----\n\n{letter}",
        sender="Mail Delivery Subsystem <mailer-daemon@googlemail.example>",
        subject="Delivery Status Notification (Delay)",
    ),
    DELAYED,
)

# Yahoo, Courier, Domino, Zimbra, gateways, and others

sample(
    "yahoo: in its own words",
    plain(
        "Sorry, we were unable to deliver your message to the following address.\n\n<{reader}>:\nRemote host said: 554 "
        "delivery error: dd Sorry your message to {reader} cannot be delivered. This account has been disabled or discontinued "
        "[#102]. - mta1.yahoo.example [BODY]\n\n--- Below this line is a copy of the message.\n\n{letter}",
        sender="MAILER-DAEMON@yahoo.example",
        subject="Failure Notice",
    ),
    FAILED,
    DISABLED,
)
sample(
    "courier",
    dsn(
        final("5.0.0", "smtp; 550 User unknown."),
        "This is a delivery status notification from mx.reader.example,\nrunning the Courier mail server, version 1.3.\n\n"
        "                           UNDELIVERABLE MAIL\n\nYour message to the following recipients cannot be delivered:\n\n"
        "<{reader}>:\n    mx.reader.example [192.0.2.7]:\n>>> RCPT TO:<{reader}>\n<<< 550 User unknown.",
        sender='"Courier mail server at mx.reader.example" <@>',
        subject="NOTICE: mail delivery status.",
    ),
    FAILED,
    DEAD,
)
sample(
    "domino",
    dsn(
        final(
            "5.0.0",
            "X-Notes; User ann.lee ({reader}) not\n listed in Domino Directory",
            recipient="rfc822;{reader}",
        ),
        "Your message\n\n  Subject: First steps\n\nwas not delivered to:\n\n  {reader}\n\nbecause:\n\n  User ann.lee ({reader}) "
        "not listed in Domino Directory",
        sender="Postmaster <postmaster@reader.example>",
        subject="DELIVERY FAILURE: User ann.lee ({reader}) not listed in Domino Directory",
    ),
    FAILED,
    DEAD,
)
sample(
    "zimbra: full",
    dsn(
        final("5.2.2", "smtp; 552 5.2.2 Over quota"),
        POSTFIX % "552 5.2.2 Over quota",
    ),
    FAILED,
    FULL,
)
sample(
    "barracuda",
    dsn(final("5.0.0", "smtp; 550 permanent failure for one or more recipients ({reader}:blocked)")),
    FAILED,
    POLICY,
)
sample(
    "proofpoint",
    dsn(final("5.0.0", "smtp; 554 Blocked - see https://ipcheck.proofpoint.example/?ip=192.0.2.20")),
    FAILED,
    POLICY,
)
sample(
    "opensmtpd",
    dsn(
        final("5.0.0", "smtp; 550 5.1.1 <{reader}>: No such user", action="error"),
        "    Hi!\n\n    This is the MAILER-DAEMON, please DO NOT REPLY to this email.\n\n    An error has occurred while "
        "attempting to deliver a message for\n    the following list of recipients:\n\n{reader}: 550 5.1.1 No such user",
    ),
    FAILED,
    DEAD,
)
sample(
    "several recipients, one of whom failed",
    dsn(
        final("2.0.0", action="delivered", recipient="rfc822; team-a@reader.example")
        + "\n\n"
        + final("5.1.1", "smtp; 550 5.1.1 unknown user"),
    ),
    FAILED,
    DEAD,
)
sample(
    "fields in one text",
    plain(
        "This report relates to a message you sent.\n\nYour message was not delivered to the following recipients.\n\n"
        "Reporting-MTA: dns; gateway.reader.example\n\nFinal-Recipient: rfc822; {reader}\nAction: failed\nStatus: 5.1.1\n"
        "Diagnostic-Code: smtp; 550 5.1.1 unknown user\n\n{header}",
        sender="MAILER-DAEMON@gateway.reader.example",
        subject="Delivery report",
    ),
    FAILED,
    DEAD,
)
for _name, _subject, _words, _class in [
    ("French", "Échec de la remise de votre message", "Votre message n'a pas pu être remis à {reader} :\nUtilisateur inconnu.", DEAD),
    ("French, full", "Message non distribué", "La boîte aux lettres de {reader} est pleine. Votre message n'a pas pu être délivré.", FULL),
    ("German", "Unzustellbare Nachricht", "Ihre Nachricht an {reader} konnte nicht zugestellt werden: Empfänger unbekannt.", DEAD),
    ("German, full", "Unzustellbar", "Die Nachricht an {reader} wurde nicht zugestellt. Das Postfach des Empfängers ist voll.", FULL),
    ("Spanish", "Mensaje no entregado", "Su mensaje a {reader} no se pudo entregar. El usuario no existe.", DEAD),
    ("Italian", "Mancato recapito", "Il messaggio a {reader} non è stato recapitato: utente sconosciuto", DEAD),
    ("Portuguese", "Falha na entrega", "A mensagem não foi entregue a {reader}: a caixa postal está cheia.", FULL),
    ("Russian", "Недоставленное сообщение", "Ваше письмо не доставлено: {reader}\nПочтовый ящик переполнен", FULL),
    ("Japanese", "配信エラー", "次の宛先へのメールは配信できませんでした。\n{reader}\n宛先のメールアドレスは存在しません。", DEAD),
    ("Chinese", "退信", "您的邮件未能送达 {reader}\n收件人不存在", DEAD),
]:  # fmt: skip
    sample(
        f"plain words: {_name}",
        plain(f"{_words}\n\n{{header}}", sender="postmaster@reader.example", subject=_subject),
        FAILED,
        _class,
    )

# Complaints


def arf(
    feedback_type: str,
    *,
    returned: str = "{letter}",
    fields: str = "",
    sender: str = "feedback@arf.provider.example",
) -> str:
    """A feedback report."""
    return f"""\
From: <{sender}>
To: fbl@news.example
Subject: FW: First steps
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="arf_1"

--arf_1
Content-Type: text/plain; charset="US-ASCII"

This is an email abuse report for an email message received from IP 192.0.2.20.

--arf_1
Content-Type: message/feedback-report

Feedback-Type: {feedback_type}
User-Agent: Provider-Feedback/1.0
Version: 1
{fields}Source-IP: 192.0.2.20

--arf_1
Content-Type: message/rfc822
Content-Disposition: inline

{returned}
--arf_1--
"""


sample("arf: abuse", arf("abuse", fields="Original-Rcpt-To: <{reader}>\n"), COMPLAINT, return_path="b@arf.provider.example", feedback_type="abuse")  # fmt: skip
sample(
    "arf: redacted",
    arf(
        "abuse",
        fields="Original-Mail-From: <letters+bounce.hidden@news.example>\nOriginal-Rcpt-To: <8f3a91c2@reader.example>\n",
        returned=LETTER.replace(READER, "8f3a91c2@reader.example").replace(PATH, "redacted@news.example"),
    ),
    COMPLAINT,
    tokens=False,
    recipient="8f3a91c2@reader.example",
    feedback_type="abuse",
)
sample("arf: opt-out", arf("opt-out"), COMPLAINT, feedback_type="opt-out")
sample("arf: not spam", arf("not-spam"), OTHER, feedback_type="not-spam")
sample("arf: authentication", arf("auth-failure"), OTHER, feedback_type="auth-failure")
sample(
    "jmrp: the message alone",
    """\
From: staff@hotmail.example
To: fbl@news.example
Subject: complaint about message from 192.0.2.20
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="jmrp"

--jmrp
Content-Type: message/rfc822

X-HmXmrOriginalRecipient: <{reader}>
{letter}
--jmrp--
""",
    COMPLAINT,
    return_path="staff@hotmail.example",
    feedback_type="abuse",
)

# What is no report

for _name, _subject, _words, _fields, _path in [
    ("out of office", "Automatic reply: First steps", "I am out of the office until 12 January and will answer then.", "Auto-Submitted: auto-generated\n", ""),
    ("vacation", "Out of Office: First steps", "Thank you for your mail. I am on vacation.", "Auto-Submitted: auto-replied\n", ""),
    ("vacation without marks", "Re: First steps", "I'm currently away and will not read your mail before Monday.", "", ""),
    ("German", "Abwesenheitsnotiz: First steps", "Ich bin bis 12.1. nicht im Büro. Ihre Nachricht wird nicht weitergeleitet.", "", ""),
    ("French", "Réponse automatique : First steps", "Je suis absent jusqu'au 12 janvier.", "", ""),
    ("Russian", "Автоматический ответ: First steps", "Я в отпуске до 12 января.", "", ""),
    ("Japanese", "自動応答: First steps", "ただいま休暇をいただいております。", "", ""),
    ("new address", "My address has changed", "I have changed my address. Mail to {reader} is no longer read and could not be delivered to me. Please use ann@new.example.", "Auto-Submitted: auto-replied\n", ""),
    ("left", "Re: First steps", "Ann Lee has left the company; your message was not delivered. Please write to office@reader.example.", "Auto-Submitted: auto-replied\n", ""),
    ("challenge", "Please confirm your message", "Your message has not been delivered yet. Please confirm that you are a person by following this link, and your message will be delivered.", "Auto-Submitted: auto-replied\n", ""),
    ("ticket", "[Ticket#20260105] First steps", "We have received your request and created a ticket.", "Precedence: bulk\n", ""),
    ("quoting a failure", "Automatic reply: First steps", "I am on holiday.\n\n> <{reader}>: host mx said: 550 5.1.1 User unknown\n> Mail delivery failed", "", ""),
    ("to the path, with a path of its own", "Autoreply", "Mailbox is full of work. I will be back on Monday.", "", "ann.lee@reader.example"),
    ("a person on failures", "Your letters bounce", "Hello, your letter could not be delivered to my other address: 550 5.1.1 User unknown.", "", "ann.lee@reader.example"),
    ("a person quoting", "Re: Undelivered Mail Returned to Sender", "What is this?\n\n> This is the mail system at host mx.reader.example.\n> <ann@x.example>: 550 5.1.1 User unknown", "", "ann.lee@reader.example"),
    ("a reader's answer", "Re: First steps", "Thank you, this helped.", "", "ann.lee@reader.example"),
]:  # fmt: skip
    sample(
        f"no report: {_name}",
        plain(_words, sender="Ann Lee <{reader}>", subject=_subject, fields=_fields),
        OTHER,
        return_path=_path,
        recipient="",
    )
sample(
    "no report: a receipt",
    """\
From: Ann Lee <{reader}>
To: <{path}>
Subject: Read: First steps
MIME-Version: 1.0
Content-Type: multipart/report; report-type=disposition-notification; boundary="mdn"

--mdn
Content-Type: text/plain

Your message was read on Monday.

--mdn
Content-Type: message/disposition-notification

Final-Recipient: rfc822;{reader}
Original-Message-ID: <x@y>
Disposition: manual-action/MDN-sent-manually; displayed

--mdn--
""",
    OTHER,
    recipient="",
)
sample(
    "no report: a person forwards one",
    f"""\
From: Ann Lee <{{reader}}>
To: <{{path}}>
Subject: Fwd: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="fw"

--fw
Content-Type: text/plain

Look what I get when I write to Bo: could not be delivered, 550 5.1.1 User unknown

--fw
Content-Type: message/rfc822

{dsn(final("5.1.1", "smtp; 550 5.1.1 User unknown"))}
--fw--
""",
    OTHER,
    return_path=READER,
    recipient="",
)

# More of them, in words of other kinds

_DAEMON = "MAILER-DAEMON@mx.reader.example"
_POSTMASTER = "postmaster@reader.example"
sample(
    "office 365: in French",
    dsn(
        final(
            "5.1.10",
            "smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient {reader} not found by SMTP address lookup",
        ),
        "Échec de la remise pour ces destinataires ou groupes :\n\n{reader}\nL’adresse de messagerie que vous avez entrée est introuvable.",
        sender="Microsoft Outlook <postmaster@reader.example>",
        subject="Non remis : First steps",
    ),
    FAILED,
    DEAD,
)
sample(
    "office 365: full",
    dsn(
        final(
            "5.2.2",
            "smtp;554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded",
        ),
        "La boîte de réception du destinataire est pleine",
    ),
    FAILED,
    FULL,
)
sample(
    "office 365: no such domain",
    dsn(
        final(
            "5.4.310",
            "smtp;550 5.4.310 DNS domain reader.example does not exist [Message=InfoDomainNonexistent]",
        )
    ),
    FAILED,
    ROUTING,
)
sample(
    "office 365: refused network",
    dsn(
        final(
            "5.7.1",
            "smtp;550 5.7.1 Unfortunately, messages from [192.0.2.20] weren't sent. part of their network is on our block list (S3150).",
        )
    ),
    FAILED,
    POLICY,
)
sample(
    "smail",
    plain(
        "|------------------------- Message log follows: -------------------------|\n no valid recipients were found for this message\n|------------------------- Failed addresses follow: ---------------------|\n <{reader}> ... unknown user\n|------------------------- Message text follows: ------------------------|\n{letter}",
        sender="<>",
        subject="mail failed, returning to sender",
    ),
    FAILED,
    DEAD,
)
sample(
    "notes, of old",
    plain(
        "------- Failure Reasons  --------\n\nUser not listed in public Name & Address Book\n{reader}\n\n------- Returned Message --------\n{letter}",
        sender=_POSTMASTER,
        subject="Undeliverable message",
    ),
    FAILED,
    DEAD,
)
sample(
    "zoho",
    plain(
        "This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its recipients. This is a permanent error.\n\n{reader} Invalid Address, ERROR_CODE :550, ERROR_CODE :550 5.1.1 User unknown\n\n{letter}",
        sender="mailer-daemon@mail.zoho.example",
        subject="Undelivered Mail Returned to Sender",
    ),
    FAILED,
    DEAD,
)
sample(
    "hmailserver",
    plain(
        "Your message did not reach some or all of the intended recipients.\n\n   Sent: Mon, 5 Jan 2026 09:00:00\n   Subject: First steps\n\nThe following recipient(s) could not be reached:\n\n{reader}\n   Error Type: SMTP\n   Remote server (192.0.2.7) issued an error.\n   hMailServer sent: RCPT TO:<{reader}>\n   Remote server replied: 550 5.1.1 unknown\n\nhMailServer",
        sender=_DAEMON,
        subject="Message undeliverable: First steps",
    ),
    FAILED,
    DEAD,
)
sample(
    "groupwise",
    plain(
        "The message that you sent was undeliverable to the following:\n\t{reader} (user not found)\n\n{header}",
        sender='"Mail Delivery System" <Mailer-Daemon@reader.example>',
        subject="Message status - undeliverable",
    ),
    FAILED,
    DEAD,
)
sample(
    "communigate",
    plain(
        "Failed to deliver to '{reader}'\nSMTP module(domain reader.example) reports:\n host mx.reader.example says:\n 550 5.1.1 <{reader}>: Recipient address rejected\n\n{header}",
        sender=_DAEMON,
        subject="Undeliverable mail: First steps",
    ),
    FAILED,
    DEAD,
)
sample(
    "xmail",
    plain(
        "[00] XMail bounce: Rcpt=[{reader}];Error=[550 Mailbox unavailable]\n\n[01] Error sending message [17.mx] from [news.example].\n\nMail From: <{path}>\nRcpt To: <{reader}>\nServer: <mx>\n\n[05] Here is listed the initial part of the message:\n\n{header}",
        sender=_POSTMASTER,
        subject="Error sending message [17.mx] to [{reader}]",
    ),
    FAILED,
    DEAD,
)
sample(
    "powermta",
    dsn(
        final("5.2.1", "smtp;550 5.2.1 mailbox disabled"),
        "Hello, this is the mail server on mx.\n\nI am sending you this message to inform you on the delivery status of a\nmessage you previously sent.\n\n  <{reader}>\n  delivery failed; will not continue trying",
        sender="postmaster@relay.example",
        subject="Delivery report",
    ),
    FAILED,
    DISABLED,
)
sample(
    "powermta: delayed",
    plain(
        "Hello, this is the mail server on mx.\n\n  <{reader}>\n  delivery delayed; will continue trying\n\n{header}",
        sender=_POSTMASTER,
        subject="Delivery report",
    ),
    DELAYED,
)
sample(
    "ecelerity",
    plain(
        "This message was created automatically by the mail system (ecelerity).\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n>>> {reader} (after RCPT TO): 552 5.2.2 Mailbox over quota\n\n------ This is a copy of the headers of the original message. ------\n\n{header}",
        sender="Mail Delivery System <mailer-daemon@x.example>",
        subject="Mail Delivery Failure",
    ),
    FAILED,
    FULL,
)
sample(
    "ironport: unknown",
    dsn(
        final(
            "5.0.0",
            "smtp; 5.1.0 - Unknown address error 550-'5.1.1 <{reader}>: no such user' (delivery attempts: 0)",
        ),
        "The following message to <{reader}> was undeliverable.\nThe reason for the problem:\n5.1.0 - Unknown address error 550-'...'",
        subject="Delivery Status Notification (Failure)",
    ),
    FAILED,
    DEAD,
)
sample(
    "ironport: full",
    dsn(
        final(
            "5.0.0",
            "smtp; 5.3.0 - Other mail system problem 552-'5.2.2 quota exceeded' (delivery attempts: 0)",
        )
    ),
    FAILED,
    FULL,
)
sample(
    "ironport: expired",
    dsn(final("5.4.7", "smtp; 5.4.7 - Delivery expired (message too old) 'timeout' (delivery attempts: 9)")),
    FAILED,
    ROUTING,
)
sample(
    "ironport: expired of a greylist",
    dsn(
        final(
            "5.4.7",
            "smtp; 5.4.7 - Delivery expired (message too old) 451-'4.7.1 Greylisted' (delivery attempts: 9)",
        )
    ),
    FAILED,
    POLICY,
)
sample(
    "mailmarshal",
    plain(
        "Your message:\n   From:    advice@news.example\n   Subject: First steps\n\nCould not be delivered because of\n\n550 5.1.1 User unknown\n\nThe following recipients were affected: \n    {reader}\n",
        sender=_POSTMASTER,
        subject='Undeliverable Mail: "First steps"',
    ),
    FAILED,
    DEAD,
)
sample(
    "biglobe: full",
    plain(
        "   ----- The following addresses had delivery problems -----\n{reader}\n\n   ----- Non-delivered information -----\nThe number of messages in recipient's mailbox exceeded the local limit.\n\n{header}",
        sender="postmaster@biglobe.example",
        subject="Returned mail: Service unavailable",
    ),
    FAILED,
    FULL,
)
sample(
    "ezweb: unknown",
    plain(
        "次のあて先へのメッセージはエラーのため送信できませんでした。\n\n送信先メールアドレスが見つかりませんでした。\nメールアドレスをご確認の上、再送信してください。\n\n<{reader}>\n\n{header}",
        sender="Mail Administrator <Postmaster@ezweb.example>",
        subject="Mail System Error - Returned Mail",
    ),
    FAILED,
    DEAD,
)
sample(
    "plain words: Japanese, full",
    plain(
        "お客様のメールは以下の理由により配送できませんでした。\n<{reader}>: メールボックスの容量が超過しています\n\n{header}",
        sender=_DAEMON,
        subject="配信不能通知",
    ),
    FAILED,
    FULL,
)
sample(
    "amavis: spam",
    dsn(
        final("5.7.0", "smtp; 554 5.7.0 Reject, id=02022-08 - SPAM"),
        "Your message was considered unsolicited",
        sender='"Content-filter at mx" <postmaster@mx.example>',
        subject="Considered UNSOLICITED BULK EMAIL, apparently from you",
    ),
    FAILED,
    POLICY,
)
sample(
    "amavis: a virus",
    plain(
        "VIRUS ALERT\n\nOur content checker found\n    virus: Eicar-Test-Signature\nin an email to the following recipient: {reader}\n\nDelivery of the email was stopped!\n\n{header}",
        sender='"Content-filter at mx" <postmaster@mx.example>',
        subject="VIRUS (Eicar) in mail FROM YOU",
    ),
    FAILED,
    CONTENT,
)
sample(
    "mimecast",
    dsn(
        final(
            "5.0.0",
            "smtp; 550 Invalid Recipient - https://community.mimecast.example/docs/DOC-1369#550 [abc.de1]",
        )
    ),
    FAILED,
    DEAD,
)
sample(
    "imail: invalid",
    plain(
        "Invalid final delivery userid: {reader}\n\n\nOriginal message follows.\n\n{letter}",
        sender='"Postmaster" <postmaster@reader.example>',
        subject="Undeliverable Mail",
        fields="X-Mailer: <SMTP32 v8.12>\n",
    ),
    FAILED,
    DEAD,
)
sample(
    "imail: unknown",
    plain(
        "Unknown user: {reader}\n\n\nOriginal message follows.\n\n{letter}",
        sender='"Postmaster" <postmaster@reader.example>',
        subject="Undeliverable Mail",
        fields="X-Mailer: <SMTP32 v8.12>\n",
    ),
    FAILED,
    DEAD,
)
sample(
    "exchange 2003: in plain words",
    plain(
        "Your message did not reach some or all of the intended recipients.\n\n      Subject:\tFirst steps\n      Sent:\t1/5/2026 9:00 AM\n\nThe following recipient(s) could not be reached:\n\n      {reader} on 1/5/2026 9:00 AM\n            The e-mail account does not exist at the organization this message was sent to.  Check the e-mail address, or contact the recipient directly to find out the correct address.\n            <mx.reader.example #5.1.1>\n",
        sender="System Administrator <postmaster@reader.example>",
        subject="Undeliverable: First steps",
    ),
    FAILED,
    DEAD,
)
sample(
    "exchange: delayed, in German",
    plain(
        "Dies ist eine automatisch erstellte Benachrichtigung.\n\nDies ist nur eine Warnung. Sie müssen Ihre Nachricht nicht erneut senden.\n\nDie Übermittlung an folgende Empfänger wurde verzögert:\n\n  {reader}\n",
        sender=_POSTMASTER,
        subject="Benachrichtigung zum Übermittlungsstatus (Verzögerung)",
    ),
    DELAYED,
)
sample(
    "delayed, in Spanish",
    plain(
        "El mensaje a {reader} aún no se ha entregado. Se seguirá intentando.\n",
        sender=_DAEMON,
        subject="Aviso: entrega retrasada",
    ),
    DELAYED,
)
sample(
    "delayed, in French",
    plain(
        "Votre message à {reader} est retardé. De nouvelles tentatives seront effectuées.\n",
        sender=_DAEMON,
        subject="Retard de livraison",
    ),
    DELAYED,
)
sample(
    "delayed, in Russian",
    plain(
        "Ваше письмо пока не доставлено: {reader}\nПопытки доставки будут продолжены.\n",
        sender=_DAEMON,
        subject="Задержка доставки",
    ),
    DELAYED,
)
sample(
    "delayed, in Japanese",
    plain(
        "メールの配送が遅れています。{reader}\n再送を試みます。\n",
        sender=_DAEMON,
        subject="配送遅延のお知らせ",
    ),
    DELAYED,
)
sample(
    "yahoo: unreachable",
    plain(
        'Sorry, we were unable to deliver your message to the following address.\n\n<{reader}>:\nMail server for "reader.example" unreachable for too long\n\n--- Below this line is a copy of the message.\n\n{letter}',
        sender="mailer-daemon@yahoo.example",
        subject="Failure Notice",
    ),
    FAILED,
    ROUTING,
)
sample(
    "domino: full",
    dsn(
        final(
            "5.0.0",
            "X-Notes; Error delivering to CN=Ann Lee/O=Reader mail\\alee.nsf; Database disk quota exceeded",
        ),
        sender=_POSTMASTER,
        subject="DELIVERY FAILURE: Error delivering to ann.lee; quota",
    ),
    FAILED,
    FULL,
)
sample(
    "several recipients, the reader reached",
    dsn(
        final("5.1.1", "smtp; 550 5.1.1 no", recipient="rfc822; other@far.example")
        + "\n\n"
        + final("2.1.5", action="delivered")
    ),
    DELIVERED,
)
sample(
    "several recipients, none of them ours",
    dsn(
        final("4.4.1", action="delayed", recipient="rfc822; b@far.example")
        + "\n\n"
        + final("5.2.2", "smtp; 552 5.2.2 full", recipient="rfc822; c@far.example")
    ),
    FAILED,
    FULL,
    recipient="c@far.example",
)
sample("handed on to a list", dsn(final("2.1.5", action="handed on to a list")), DELIVERED)
sample(
    "qmail: refused for what it looks like",
    plain(
        "Hi. This is the qmail-send program at mx.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<{reader}>:\n192.0.2.7 failed after I sent the message.\nRemote host said: 554 5.7.1 Message rejected: content looks like spam\n\n--- Below this line is a copy of the message.\n\n{letter}",
        sender=_DAEMON,
        subject="failure notice",
    ),
    FAILED,
    POLICY,
)
sample(
    "qmail: closed",
    plain(
        "Hi. This is the qmail-send program at mx.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<{reader}>:\nThis address no longer accepts mail.\n\n--- Below this line is a copy of the message.\n\n{letter}",
        sender=_DAEMON,
        subject="failure notice",
    ),
    FAILED,
    DEAD,
)
sample(
    "plain words: German, of a provider",
    plain(
        "Ihre E-Mail konnte nicht zugestellt werden:\n\n{reader}\n   Die Empfängeradresse existiert nicht.\n\n{header}",
        sender=_DAEMON,
        subject="Unzustellbar: First steps",
    ),
    FAILED,
    DEAD,
)
sample(
    "plain words: Spanish, full",
    plain(
        "No se ha podido entregar su mensaje a:\n\n{reader}\n\nEl buzón del destinatario está lleno.\n\n{header}",
        sender=_POSTMASTER,
        subject="No se puede entregar: First steps",
    ),
    FAILED,
    FULL,
)
sample(
    "plain words: French, disabled",
    plain(
        "Votre message n'a pas pu être distribué à {reader}.\nLe compte du destinataire est désactivé.\n\n{header}",
        sender=_POSTMASTER,
        subject="Message non délivré",
    ),
    FAILED,
    DISABLED,
)
sample(
    "no report: a postmaster writes",
    plain(
        "Hello,\n\nwe see that your newsletter to {reader} could not be delivered: 550 5.1.1. Please remove her from your list.\n\nBest regards, Bob (postmaster)",
        sender="Bob <postmaster@reader.example>",
        subject="Problem with your newsletter",
    ),
    OTHER,
    return_path="postmaster@reader.example",
    recipient="",
)
sample(
    "no report: Finnish",
    plain(
        "En ole töissä. Palaan maanantaina.",
        sender="Ann <{reader}>",
        subject="Re: First steps",
        fields="Auto-Submitted: auto-replied\n",
    ),
    OTHER,
    recipient="",
)
sample(
    "no report: a list of guests",
    plain(
        "Your message about First steps was waitlisted. Please add yourself to my Guest List so your messages will be delivered to my Inbox.",
        sender="Ann <noreply@boxbe.example>",
        subject="First steps (Action Required)",
        fields="Auto-Submitted: auto-replied\n",
    ),
    OTHER,
    recipient="",
)
sample(
    "no report: closed",
    plain(
        "This email address is no longer in use. Your message has not been delivered.",
        sender="Ann <{reader}>",
        subject="Undeliverable: address closed",
        fields="Auto-Submitted: auto-replied\n",
    ),
    OTHER,
    recipient="",
)
sample(
    "no report: a ticket system",
    plain(
        "Thanks for your email. Your request has been received and ticket #4711 was opened. Delivery problems? call us.",
        sender="Support <support@reader.example>",
        subject="[#4711] First steps",
        fields="Auto-Submitted: auto-replied\nX-Auto-Response-Suppress: All\n",
    ),
    OTHER,
    recipient="",
)
sample(
    "no report: Hebrew",
    plain("אני בחופשה", sender="Ann <{reader}>", subject="מענה אוטומטי: First steps"),
    OTHER,
    recipient="",
)
sample(
    "no report: a person asks",
    plain(
        "Dear editor, I tried to reply and got 'Undelivered Mail Returned to Sender: <advice@news.example>: host mx said: 550 5.1.1 User unknown'. What is wrong?",
        sender="Ann <{reader}>",
        subject="Mail delivery failed?",
    ),
    OTHER,
    return_path="{reader}",
    recipient="",
)
sample(
    "spamcop",
    plain(
        "[ SpamCop V5.2 ]\nThis message is brief for your comfort.  Please use links below for details.\n\nEmail from 192.0.2.20 / Mon, 5 Jan 2026\nhttps://www.spamcop.example/w3m?i=z1\n\n[ Offending message ]\n{letter}",
        sender='"SpamCop" <7654321@reports.spamcop.net>',
        subject="[SpamCop (192.0.2.20) id:7654321]First steps",
    ),
    COMPLAINT,
    recipient="",
    feedback_type="abuse",
)
sample(
    "fields in one text, delayed",
    plain(
        "Your message could not be delivered.\n\nReporting-MTA: dns; gateway.reader.example\n\nFinal-Recipient: rfc822; {reader}\n"
        "Action: delayed\nStatus: 4.4.1\n",
        sender=_DAEMON,
        subject="Delivery report",
    ),
    DELAYED,
)
sample(
    "only the subject says why",
    plain(
        "Your message to {reader} was rejected.", sender=_DAEMON, subject="Rejected: 550 5.1.1 User unknown"
    ),
    FAILED,
    DEAD,
)
sample(
    "passed on by a filter",
    f"""\
From: Postmaster <postmaster@filter.example>
To: <{{path}}>
Subject: Suspicious: Undelivered Mail Returned to Sender
Content-Type: multipart/mixed; boundary="filter"

--filter
Content-Type: text/plain

This mail looks like spam.

--filter
Content-Type: message/rfc822

{dsn(final("5.1.1", "smtp; 550 5.1.1 User unknown"))}
--filter--
""",
    FAILED,
    DEAD,
)
sample(
    "no report: a postmaster is away",
    plain(
        "Mail to me is not delivered this week.",
        sender=_POSTMASTER,
        subject="Out of office: Undelivered mail",
    ),
    OTHER,
    recipient="",
)
sample(
    "no report: a filter wants to know who writes",
    plain(
        "Your message could not be delivered. Please confirm that you are a person: follow this link.",
        sender=_DAEMON,
        subject="Your message",
    ),
    OTHER,
    recipient="",
)
sample(
    "no report: an answer that attaches one",
    f"""\
From: Ann Lee <{{reader}}>
To: <{{path}}>
Subject: Re: First steps
Auto-Submitted: auto-replied
Content-Type: multipart/mixed; boundary="away"

--away
Content-Type: text/plain

I am on leave until Monday.

--away
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.reader.example

{final("5.1.1")}

--away
Content-Type: message/rfc822

{dsn(final("5.1.1", "smtp; 550 5.1.1 User unknown"))}
--away--
""",
    OTHER,
    recipient="",
)
