"""Reports whose words or languages are less common, by whichever system."""
# ruff: noqa: E501 - a line of a report is as long as its system made it

from tests.feedback.returned.letter import (
    COMPLAINT,
    CONTENT,
    DEAD,
    DELAYED,
    DELIVERED,
    DISABLED,
    FAILED,
    FULL,
    OTHER,
    POLICY,
    ROUTING,
    UNCLEAR,
    dsn,
    final,
    plain,
    sample,
)

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
    UNCLEAR,
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
