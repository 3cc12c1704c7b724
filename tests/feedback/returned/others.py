"""What is no report: answers by machines and by people."""
# ruff: noqa: E501 - a line of a report is as long as its system made it

from tests.feedback.returned.letter import OTHER, READER, dsn, final, plain, sample

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
