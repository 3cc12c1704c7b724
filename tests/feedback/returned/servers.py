"""What Postfix, sendmail, Exim and qmail send back."""
# ruff: noqa: E501 - a line of a report is as long as its system made it

from tests.feedback.returned.letter import (
    CONTENT,
    DEAD,
    DELAYED,
    DELIVERED,
    DISABLED,
    FAILED,
    FULL,
    POLICY,
    ROUTING,
    UNCLEAR,
    dsn,
    final,
    plain,
    sample,
)

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
