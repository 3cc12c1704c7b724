"""What Exchange, Gmail, Yahoo and others send back, and systems that stand before mailboxes."""
# ruff: noqa: E501 - a line of a report is as long as its system made it

from tests.feedback.returned.letter import (
    DEAD,
    DELAYED,
    DISABLED,
    FAILED,
    FULL,
    POLICY,
    ROUTING,
    dsn,
    final,
    plain,
    sample,
)
from tests.feedback.returned.servers import POSTFIX

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
