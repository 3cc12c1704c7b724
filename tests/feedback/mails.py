"""Mails as programs write them: what people send, and what machines send. Written for these tests.

A `Sample` says what is to be read out of its mail. All are replies to one letter, where they quote something.
"""
# ruff: noqa: E501 - a line of a mail is as long as its program made it

import base64
import quopri
from dataclasses import dataclass

LETTER = (
    "Dear reader,\n"
    "\n"
    "this is a letter about first steps. Write join or unsubscribe to us\n"
    "whenever you like.\n"
    "\n"
    "Ann Lee\n"
)


@dataclass(frozen=True)
class Sample:
    """A mail, and what is to be read out of it."""

    name: str
    content: bytes
    text: str
    sender: str = "dana@reader.example"
    sender_name: str = "Dana Reed"
    subject: str = "Re: First steps"


def quoted(mark: str = "> ") -> str:
    """The letter, quoted by marks."""
    return "".join(f"{mark}{line}".rstrip() + "\n" for line in LETTER.splitlines())


def header(
    *fields: str, sender: str = "Dana Reed <dana@reader.example>", subject: str = "Re: First steps"
) -> str:
    """The header of a mail from a person, ended by its empty line."""
    lines = [
        "Return-Path: <dana@reader.example>",
        "Delivered-To: advice@news.example",
        "Received: from mail.reader.example (mail.reader.example [192.0.2.7])",
        "\tby mx.news.example (Postfix) with ESMTPS id 4XyZ12; Mon,  5 Jan 2026 10:00:02 +0000 (UTC)",
        f"From: {sender}",
        "To: Advice <advice@news.example>",
        f"Subject: {subject}",
        "Date: Mon, 5 Jan 2026 11:00:00 +0100",
        "Message-ID: <reply-1@reader.example>",
        "In-Reply-To: <letter-1@news.example>",
        "References: <letter-1@news.example>",
        "MIME-Version: 1.0",
        *fields,
    ]
    return "\n".join(lines) + "\n\n"


def plain(body: str, *fields: str, charset: str = "utf-8", **also: str) -> bytes:
    """A text/plain mail as it is on the wire."""
    head = header(f"Content-Type: text/plain; charset={charset}", *fields, **also)
    return on_the_wire(head.encode() + body.encode(charset))


def on_the_wire(content: bytes) -> bytes:
    """With the line ends of SMTP."""
    return content.replace(b"\n", b"\r\n")


def alternative(text: str, markup: str, *, boundary: str = "0000000000001a2b3c") -> bytes:
    """A mail in two versions, each in quoted-printable."""
    head = header(f'Content-Type: multipart/alternative; boundary="{boundary}"')
    parts = [
        f"--{boundary}\nContent-Type: text/{kind}; charset=UTF-8\nContent-Transfer-Encoding: quoted-printable\n\n"
        f"{quopri.encodestring(body.encode()).decode()}\n"
        for kind, body in (("plain", text), ("html", markup))
    ]
    return on_the_wire(f"{head}{''.join(parts)}--{boundary}--\n".encode())


def of_html(markup: str, *, charset: str = "utf-8") -> bytes:
    """A mail that is HTML alone, in base64."""
    head = header(f"Content-Type: text/html; charset={charset}", "Content-Transfer-Encoding: base64")
    return on_the_wire(head.encode() + base64.encodebytes(markup.encode(charset)))


def mixed(kind: str, *parts: str, boundary: str = "----=_Part_7_1234.5678") -> bytes:
    """A multipart of parts given with their headers."""
    body = "".join(f"--{boundary}\n{part}\n" for part in parts)
    preamble = "This is a multi-part message in MIME format.\n"
    return on_the_wire(
        f'{header(f"Content-Type: multipart/{kind};", f""" boundary="{boundary}" """.rstrip())}'
        f"{preamble}{body}--{boundary}--\nAn epilogue that nobody is to read: unsubscribe\n".encode()
    )


GMAIL_HTML = (
    '<div dir="ltr">Please unsubscribe me.<br></div><br><div class="gmail_quote gmail_quote_container">'
    '<div dir="ltr" class="gmail_attr">On Mon, 5 Jan 2026 at 09:00, Advice &lt;<a href="mailto:advice@news.example">'
    'advice@news.example</a>&gt; wrote:<br></div><blockquote class="gmail_quote" style="margin:0 0 0 .8ex">'
    "<div>Dear reader,<br>this is a letter</div></blockquote></div>"
)
OUTLOOK_HTML = (
    '<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><meta http-equiv="Content-Type" content="text/html; '
    'charset=utf-8"><style><!-- p.MsoNormal {margin:0cm;} --></style><!--[if gte mso 9]><xml><o:shapedefaults/></xml>'
    '<![endif]--></head><body lang="EN-GB"><div class="WordSection1"><p class="MsoNormal">Please unsubscribe me.'
    '<o:p></o:p></p><p class="MsoNormal"><o:p>&nbsp;</o:p></p><div><div style="border:none;border-top:solid #E1E1E1 '
    '1.0pt;padding:3.0pt 0cm 0cm 0cm"><p class="MsoNormal"><b><span lang="EN-US">From:</span></b> Advice '
    "&lt;advice@news.example&gt; <br><b>Sent:</b> 05 January 2026 09:00<br><b>To:</b> Dana Reed &lt;dana@reader.example"
    '&gt;<br><b>Subject:</b> First steps<o:p></o:p></p></div></div><p class="MsoNormal">Dear reader,</p></div></body>'
    "</html>"
)
OUTLOOK_WEB_HTML = (
    '<html><body><div style="font-family: Aptos">Please unsubscribe me.</div><div id="appendonsend"></div>'
    '<div id="Signature"><p>Dana Reed, Big Company</p></div>'
    '<hr style="display:inline-block;width:98%" tabindex="-1"><div id="divRplyFwdMsg" dir="ltr"><font face="Calibri">'
    "<b>From:</b> Advice &lt;advice@news.example&gt;<br><b>Sent:</b> Monday, January 5, 2026 9:00 AM<br><b>To:</b> Dana"
    "<br><b>Subject:</b> First steps</font><div>&nbsp;</div></div><div>Dear reader, unsubscribe as you like</div></body>"
)
MARKED = (
    "<html><body><div style='display:none;max-height:0'>Preview: join join join<div>nested</div></div>"
    "<p>Hello&nbsp;Ann,</p><p>please <b>unsubscribe</b> me,<br>I&#39;m &lt;away&gt;.</p>"
    "<script>if (a < b) { unsubscribe() }</script><table><tr><td>one</td><td>two</td></tr></table>"
    "<!-- hidden > comment --><ul><li>first</li><li>second</li></ul></body></html>"
)

PEOPLE = [
    Sample(
        "Gmail, web",
        alternative(
            "Please unsubscribe me.\n\nOn Mon, 5 Jan 2026 at 09:00, Advice <advice@news.example> wrote:\n\n"
            + quoted(),
            GMAIL_HTML,
        ),
        "Please unsubscribe me.",
    ),
    Sample(
        "Gmail, folded attribution",
        plain(
            "Please unsubscribe me.\n\nOn Mon, Jan 5, 2026 at 9:00 AM Advice of the Week for Everybody <\n"
            "advice@news.example> wrote:\n\n" + quoted()
        ),
        "Please unsubscribe me.",
    ),
    Sample("Gmail, HTML alone", of_html(GMAIL_HTML), "Please unsubscribe me."),
    Sample(
        "Gmail, answer below",
        plain(
            "On Mon, 5 Jan 2026 at 09:00, Advice <advice@news.example> wrote:\n\n"
            + quoted()
            + "\nyes please\n"
        ),
        "yes please",
    ),
    Sample(
        "Gmail, answers between",
        plain(
            "On Mon, 5 Jan 2026 at 09:00, Advice <advice@news.example> wrote:\n> Do you like it?\n\nI do.\n\n"
            "> Shall it come weekly?\n\nMonthly, please.\n\n> Bye\n"
        ),
        "I do.\n\nMonthly, please.",
    ),
    Sample(
        "a signature above the quote, and an answer below it",
        plain("Hello,\n\n-- \nDana Reed\nHauptstraße 1\n\n" + quoted() + "\nyes please\n"),
        "Hello,\n\nyes please",
    ),
    Sample(
        "a line that begins like an attribution, right above one",
        plain(
            "On Monday I am away\nOn Mon, 5 Jan 2026 at 09:00, Advice <advice@news.example> wrote:\n"
            + quoted()
        ),
        "On Monday I am away",
    ),
    Sample(
        "Gmail, forwarded",
        plain(
            "Is this yours?\n\n---------- Forwarded message ---------\nFrom: Advice <advice@news.example>\n"
            "Date: Mon, 5 Jan 2026 at 09:00\nSubject: First steps\nTo: <dana@reader.example>\n\n\n" + LETTER,
            subject="Fwd: First steps",
        ),
        "Is this yours?",
        subject="Fwd: First steps",
    ),
    Sample(
        "Gmail, Hebrew",
        plain(
            "הסירו אותי בבקשה\n\n\u202bבתאריך יום ב׳, 5 בינו׳ 2026 ב-9:00 מאת \u202aAdvice\u202c\u200f <\u202aadvice@news.example\u202c\u200f>:\u202c\n\n"
            + quoted()
        ),
        "הסירו אותי בבקשה",
    ),
    Sample("Outlook, desktop, HTML alone", of_html(OUTLOOK_HTML), "Please unsubscribe me."),
    Sample(
        "Outlook, desktop, plain",
        plain(
            "Please unsubscribe me.\n\n-----Original Message-----\nFrom: Advice <advice@news.example> \n"
            "Sent: 05 January 2026 09:00\nTo: Dana Reed <dana@reader.example>\nSubject: First steps\n\n"
            + LETTER
        ),
        "Please unsubscribe me.",
    ),
    Sample(
        "Outlook, desktop, German",
        plain(
            "Bitte abmelden.\n\nVon: Advice <advice@news.example> \nGesendet: Montag, 5. Januar 2026 09:00\n"
            "An: Dana Reed <dana@reader.example>\nBetreff: First steps\n\n" + LETTER
        ),
        "Bitte abmelden.",
    ),
    Sample(
        "Outlook, desktop, French",
        plain(
            "Merci de me désabonner.\n\n-----Message d'origine-----\nDe : Advice <advice@news.example>\n"
            "Envoyé : lundi 5 janvier 2026 09:00\nÀ : Dana Reed <dana@reader.example>\nObjet : First steps\n\n"
            + LETTER
        ),
        "Merci de me désabonner.",
    ),
    Sample("Outlook, web, HTML alone", of_html(OUTLOOK_WEB_HTML), "Please unsubscribe me."),
    Sample(
        "Outlook, web, plain",
        plain(
            "Please unsubscribe me.\n\n________________________________\nFrom: Advice <advice@news.example>\n"
            "Sent: Monday, January 5, 2026 9:00 AM\nTo: Dana Reed <dana@reader.example>\nSubject: First steps\n\n"
            + LETTER
        ),
        "Please unsubscribe me.",
    ),
    Sample(
        "Outlook, iOS",
        plain(
            "Please unsubscribe me.\n\nGet Outlook for iOS<https://aka.ms/o0ukef>\n________________________________\n"
            "From: Advice <advice@news.example>\nSent: Monday, January 5, 2026 9:00:00 AM\n"
            "To: Dana Reed <dana@reader.example>\nSubject: First steps\n\n" + LETTER
        ),
        "Please unsubscribe me.",
    ),
    Sample(
        "Apple Mail, Mac",
        plain(
            "Please unsubscribe me.\n\n> On 5. Jan 2026, at 09:00, Advice <advice@news.example> wrote:\n> \n"
            + quoted(),
            "Mime-Version: 1.0 (Mac OS X Mail 16.0 \\(3826.300.87\\))",
            charset="us-ascii",
        ),
        "Please unsubscribe me.",
    ),
    Sample(
        "Apple Mail, iPhone, German",
        plain(
            "Abmelden\n\nVon meinem iPhone gesendet\n\n> Am 05.01.2026 um 09:00 schrieb Advice <advice@news.example>:\n"
            "> \n> \ufeff" + quoted()[2:]
        ),
        "Abmelden",
    ),
    Sample(
        "Apple Mail, pictures between texts",
        mixed(
            "mixed",
            "Content-Type: text/plain; charset=us-ascii\n\nunsubscribe",
            "Content-Type: image/png; name=a.png\nContent-Disposition: inline; filename=a.png\n"
            "Content-Transfer-Encoding: base64\n\niVBORw0KGgo=",
            "Content-Type: text/plain; charset=us-ascii\n\n\nSent from my iPad",
        ),
        "unsubscribe",
    ),
    Sample(
        "Thunderbird, German, answer below, flowed",
        plain(
            "Am 05.01.26 um 09:00 schrieb Advice:\n" + quoted() + "\nBitte melden Sie mich von diesem \n"
            "Rundbrief ab.\n\n-- \nDana Reed\nHauptstraße 1\n",
        ).replace(b"charset=utf-8", b"charset=UTF-8; format=flowed"),
        "Bitte melden Sie mich von diesem Rundbrief ab.",
    ),
    Sample(
        "Thunderbird, French",
        plain("Le 05/01/2026 à 09:00, Advice a écrit :\n" + quoted("> ") + "\nNon merci\n"),
        "Non merci",
    ),
    Sample(
        "Thunderbird, Spanish",
        plain("Quiero darme de baja\n\nEl 5/1/26 a las 9:00, Advice escribió:\n" + quoted()),
        "Quiero darme de baja",
    ),
    Sample(
        "Yahoo, plain without marks",
        plain(
            " Please unsubscribe me.\n\n    On Monday, January 5, 2026 at 09:00:00 AM GMT+1, Advice "
            "<advice@news.example> wrote:  \n \n " + LETTER.replace("\n", "\n ")
        ),
        " Please unsubscribe me.",
    ),
    Sample(
        "Yahoo, iPhone",
        plain(
            "Unsubscribe\n\n\nSent from Yahoo Mail for iPhone\n\n\nOn Monday, January 5, 2026, 9:00 AM, Advice "
            "<advice@news.example> wrote:\n\n" + LETTER
        ),
        "Unsubscribe",
    ),
    Sample(
        "GMX, web",
        plain(
            'Bitte abmelden\n \n \n\nGesendet: Montag, 05. Januar 2026 um 09:00 Uhr\nVon: "Advice" '
            "<advice@news.example>\nAn: dana@reader.example\nBetreff: First steps\n\n" + LETTER
        ),
        "Bitte abmelden",
    ),
    Sample(
        "Web.de, app",
        plain(
            "Abmelden bitte\n-- \nDiese Nachricht wurde von meinem Android Mobiltelefon mit WEB.DE Mail gesendet.\n"
            "Am 05.01.26, 09:00 schrieb Advice <advice@news.example>:\n\n" + quoted()
        ),
        "Abmelden bitte",
    ),
    Sample(
        "K-9",
        plain(
            "unsubscribe\n\n\n-------- Original Message --------\nFrom: Advice <advice@news.example>\n"
            "Sent: January 5, 2026 9:00:00 AM GMT+01:00\nTo: dana@reader.example\nSubject: First steps\n\n"
            + LETTER
            + "\n\n-- \nSent from my Android device with K-9 Mail. Please excuse my brevity.\n"
        ),
        "unsubscribe",
    ),
    Sample(
        "K-9, German, marked",
        plain(
            "abmelden\n\nAm 5. Januar 2026 09:00:00 MEZ schrieb Advice <advice@news.example>:\n"
            + quoted(">")
            + "\n-- \nDiese Nachricht wurde von meinem Android-Gerät mit K-9 Mail gesendet.\n"
        ),
        "abmelden",
    ),
    Sample(
        "Proton",
        plain(
            "Please unsubscribe me.\n\nSent with [Proton Mail](https://proton.me/) secure email.\n\n"
            "On Monday, January 5th, 2026 at 9:00 AM, Advice <advice@news.example> wrote:\n\n" + quoted()
        ),
        "Please unsubscribe me.",
    ),
    Sample(
        "Proton, older",
        plain(
            "Please unsubscribe me.\n\nSent with ProtonMail Secure Email.\n\n‐‐‐‐‐‐‐ Original Message ‐‐‐‐‐‐‐\n"
            "On Monday, January 5th, 2026 at 9:00 AM, Advice <advice@news.example> wrote:\n\n" + quoted()
        ),
        "Please unsubscribe me.",
    ),
    Sample(
        "mutt, attribution in no known language",
        plain(
            "* Advice <advice@news.example> [2026-01-05 09:00 +0100]:\n\n" + quoted("> ") + "\nunsubscribe\n"
        ),
        "unsubscribe",
    ),
    Sample(
        "HTML alone, with all that is in HTML",
        of_html(MARKED),
        "Hello Ann,\n\nplease unsubscribe me,\nI'm <away>.\n\none two\n\nfirst\nsecond",
    ),
    Sample(
        "HTML alone, windows-1252",
        of_html("<p>Café – “désabonner”</p>", charset="cp1252"),
        "Café – “désabonner”",
    ),
    Sample(
        "ISO-8859-1",
        plain("Bitte abmelden, schöne Grüße\n", charset="iso-8859-1"),
        "Bitte abmelden, schöne Grüße",
    ),
    Sample("KOI8-R", plain("Отпишите меня\n", charset="koi8-r"), "Отпишите меня"),
    Sample("ISO-8859-8-I", plain("הסר\n", charset="iso-8859-8").replace(b"8859-8\r", b"8859-8-I\r"), "הסר"),
    Sample("GB2312", plain("退订\n", charset="gb2312"), "退订"),
    Sample("UTF-16 that is UTF-8", plain("schöne Grüße\n").replace(b"=utf-8", b"=utf-16"), "schöne Grüße"),
    Sample("ASCII that is UTF-8", plain("schöne Grüße\n").replace(b"=utf-8", b"=us-ascii"), "schöne Grüße"),
    Sample(
        "UTF-8 that is Latin-1",
        plain("schöne Grüße\n", charset="latin-1").replace(b"=latin-1", b"=utf-8"),
        "schöne Grüße",
    ),
    Sample(
        "a charset that is none",
        plain("schöne Grüße\n").replace(b"=utf-8", b"=no-such-thing"),
        "schöne Grüße",
    ),
    Sample(
        "no MIME at all",
        plain("unsubscribe\n").replace(
            b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n", b""
        ),
        "unsubscribe",
    ),
    Sample(
        "multiparts within multiparts",
        mixed(
            "mixed",
            'Content-Type: multipart/related; boundary="inner"\n\n--inner\nContent-Type: multipart/alternative;\n\t'
            'boundary="innermost"\n\n--innermost\nContent-Type: text/plain\n\nunsubscribe\n--innermost\n'
            "Content-Type: text/html\n\n<p>unsubscribe</p>\n--innermost--\n\n--inner\nContent-Type: image/gif\n"
            "Content-ID: <a>\nContent-Transfer-Encoding: base64\n\nR0lGODlhAQ==\n--inner--\n",
            "Content-Type: text/plain; name=notes.txt\nContent-Disposition: attachment; filename=notes.txt\n\njoin letters",
            "Content-Type: message/rfc822\n\nFrom: a@b.example\nSubject: x\n\njoin letters",
        ),
        "unsubscribe",
    ),
    Sample(
        "an empty plain version",
        alternative("\n", "<p>unsubscribe</p>"),
        "unsubscribe",
    ),
    Sample(
        "S/MIME signed",
        mixed(
            'signed; protocol="application/pkcs7-signature"; micalg=sha-256',
            "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
            + base64.encodebytes("unsubscribe, schöne Grüße\n".encode()).decode(),
            "Content-Type: application/pkcs7-signature; name=smime.p7s\nContent-Transfer-Encoding: base64\n"
            "Content-Disposition: attachment; filename=smime.p7s\n\nMIAGCSqGSIb3DQEHAqCA",
        ),
        "unsubscribe, schöne Grüße",
    ),
    Sample(
        "PGP signed inline",
        plain(
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nunsubscribe\n-----BEGIN PGP SIGNATURE-----\n\n"
            "iQIzBAEBCgAdFiEE\n=AbCd\n-----END PGP SIGNATURE-----\n"
        ),
        "unsubscribe",
    ),
    Sample(
        "encoded names and subjects",
        plain(
            "oui\n",
            sender="=?utf-8?B?w4lsb2RpZSBEdXBvbnQ=?= <elodie@reader.example>",
            subject="=?iso-8859-1?Q?Re:_Premiers?=\n =?iso-8859-1?Q?_pas_=E0_deux?= =?utf-8?q?_=C3?=\n\t=?utf-8?q?=A9t=C3=A9?=",
        ),
        "oui",
        sender="elodie@reader.example",
        sender_name="Élodie Dupont",
        subject="Re: Premiers pas à deux été",
    ),
    Sample(
        "a name that poses as an address",
        plain("oui\n", sender='"victim@bank.example" (really) <dana@reader.example>'),
        "oui",
        sender_name="victim@bank.example",
    ),
    Sample(
        "two authors",
        plain("oui\n", sender="a@reader.example, b@reader.example"),
        "oui",
        sender="",
        sender_name="",
    ),
    Sample("no author", plain("oui\n", sender="nobody at all"), "oui", sender="", sender_name=""),
    Sample(
        "an unknown encoded word", plain("oui\n", subject="=?x-no?q?a?= b"), "oui", subject="=?x-no?q?a?= b"
    ),
    Sample(
        "a boundary in pieces",
        on_the_wire(
            (
                header('Content-Type: multipart/mixed; boundary*0="aa";', ' boundary*1="bb"')
                + "--aabb\nContent-Type: text/plain; charset*=us-ascii'en'utf%2D8\n\nschöne Grüße\n--aabb--\n"
            ).encode()
        ),
        "schöne Grüße",
    ),
    Sample(
        "a letter that speaks of letters",
        plain(
            "Dear Ann,\n\non Monday you wrote:\nthat work is half of life. Here is what I think.\n\n"
            "From: the beginning, I was lost.\nTo: this day I am.\n\n--- and now ---\n\nWhat do you say?\n"
        ),
        "Dear Ann,\n\non Monday you wrote:\nthat work is half of life. Here is what I think.\n\n"
        "From: the beginning, I was lost.\nTo: this day I am.\n\n--- and now ---\n\nWhat do you say?",
    ),
]


def machine(
    body: str, *fields: str, sender: str = "Dana Reed <dana@reader.example>", kind: str = "text/plain"
) -> bytes:
    """A mail that nobody wrote, with the fields by which it is known."""
    lines = [
        f"From: {sender}",
        "To: advice@news.example",
        "Date: Mon, 5 Jan 2026 09:00:05 +0000",
        "Message-ID: <auto-1@reader.example>",
        "MIME-Version: 1.0",
        f"Content-Type: {kind}",
        *fields,
    ]
    return on_the_wire(("\n".join(lines) + f"\n\n{body}").encode())


def report(kind: str, *parts: str, sender: str, fields: tuple[str, ...] = ()) -> bytes:
    """A multipart/report (RFC 6522)."""
    body = "".join(f"--BOUND\n{part}\n" for part in parts) + "--BOUND--\n"
    return machine(
        body, *fields, sender=sender, kind=f'multipart/report; report-type={kind};\n boundary="BOUND"'
    )


FAILED = (
    "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.reader.example\n\n"
    "Final-Recipient: rfc822; dana@reader.example\nAction: failed\nStatus: 5.1.1\n"
    "Diagnostic-Code: smtp; 550 5.1.1 unknown user\n"
)

MACHINES = {
    "Exchange, out of office": machine(
        "I am away.",
        "Subject: Automatic reply: First steps",
        "X-Auto-Response-Suppress: All",
        "auto-submitted: auto-generated",
        "X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent",
    ),
    "Exchange, out of office, through a gateway": machine(
        "Ich bin nicht da.",
        "Subject: Automatische Antwort: First steps",
        "X-Auto-Response-Suppress: DR, OOF, AutoReply",
    ),
    "Gmail, vacation": machine(
        "I am away.",
        "Subject: Out of office Re: First steps",
        "Auto-Submitted: auto-replied",
        "Precedence: bulk",
        "X-Autoreply: yes",
    ),
    "Sieve, vacation": machine(
        "I am away.",
        "Subject: Auto: First steps",
        "Auto-Submitted: auto-replied (vacation)",
        "X-Sieve: Pigeonhole Sieve 0.5",
    ),
    "old vacation program": machine("I am away.", "Subject: away", "Precedence: junk"),
    "cPanel, autoresponder": machine("Thanks!", "Subject: Thanks", "X-Autorespond: First steps"),
    "Postfix, failure": report(
        "delivery-status",
        "Content-Description: Notification\nContent-Type: text/plain; charset=us-ascii\n\nThis is the mail system.",
        FAILED,
        "Content-Type: message/rfc822\n\nFrom: advice@news.example\nSubject: First steps\n\nunsubscribe",
        sender="MAILER-DAEMON@mx.reader.example (Mail Delivery System)",
        fields=("Subject: Undelivered Mail Returned to Sender", "Auto-Submitted: auto-replied"),
    ),
    "Exchange, failure": report(
        "delivery-status",
        "Content-Type: text/html\n\n<p>Your message could not be delivered.</p>",
        FAILED,
        sender="Microsoft Outlook <postmaster@reader.example>",
        fields=("Subject: Undeliverable: First steps",),
    ),
    "Exim, failure": machine(
        "This message was created automatically by mail delivery software.",
        "Subject: Mail delivery failed: returning message to sender",
        "X-Failed-Recipients: dana@reader.example",
        sender="Mail Delivery System <Mailer-Daemon@mx.reader.example>",
    ),
    "qmail, failure": machine(
        "Hi. This is the qmail-send program.",
        "Subject: failure notice",
        sender="MAILER-DAEMON@mx.reader.example",
    ),
    "a receipt of reading": report(
        "disposition-notification",
        "Content-Type: text/plain\n\nYour message was read.",
        "Content-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; dana@reader.example\n"
        "Disposition: manual-action/MDN-sent-manually; displayed",
        sender="dana@reader.example",
    ),
    "a complaint (ARF)": report(
        "feedback-report",
        "Content-Type: text/plain\n\nThis is an email abuse report.",
        "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: X/1\nVersion: 1",
        sender="complaints@reader.example",
    ),
    "a mailing list": machine(
        "Hello all", "Subject: [list] hello", "List-Id: <talk.lists.example>", "Precedence: list"
    ),
    "another newsletter": machine("News!", "Subject: News", "List-Unsubscribe: <https://shop.example/u>"),
    "an owner of a list": machine("Hello", "Subject: x", sender="owner-talk@lists.example"),
    "the commands of a list": machine("Hello", "Subject: x", sender="talk-request@lists.example"),
    "a shop": machine("Your order", "Subject: Order 7", sender="Shop <no-reply@shop.example>"),
    "a calendar": machine(
        "--C\nContent-Type: text/plain\n\nDana has accepted\n--C\nContent-Type: text/calendar; method=REPLY; charset=utf-8\n\n"
        "BEGIN:VCALENDAR\nMETHOD:REPLY\nEND:VCALENDAR\n--C--\n",
        "Subject: Accepted: dinner",
        kind='multipart/alternative; boundary="C"',
    ),
    "a null return path": machine("Hello", "Subject: x", "Return-Path: <>"),
}
