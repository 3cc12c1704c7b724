"""Short letters as messages: a draft laid out in the site's look, and a reader's letter for the editor.

What is written is a row of `note`, in the caller's transaction: `newsletter.delivery.postman` sends it. A
topic is written about once: whoever handles the same mail or request again writes nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from jinja2 import Environment
from sqlalchemy import ColumnElement, func, update
from sqlmodel import Session, col, select

from newsletter.database import Database
from newsletter.feedback.drafts import Draft, Drafter
from newsletter.feedback.route import RouteVerb, address_for
from newsletter.models import Note
from newsletter.render import note as notes
from newsletter.render.edition import EditionMaker
from newsletter.render.headers import Mailbox, clean
from newsletter.render.languages import Language, Languages
from newsletter.render.mjml import compile_mjml
from newsletter.render.templates import render_template
from newsletter.render.theme import Theme
from newsletter.settings import Settings, SiteSection
from newsletter.states import GONE, NoteKind, NoteState
from subscribers.address import Address, parse_address
from subscribers.tokens import Purpose, TokenSigner

REQUEST, INBOUND = "request ", "inbound "
"""What topics of short letters begin with; then comes the number of what they are about."""
OLD_ADDRESS = ", the old address"
"""What the topic of the one ends with that goes to the address which a request is to replace."""
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
_PATIENCE = timedelta(days=3)
"""How long it is tried to deliver one."""
_LONGEST_LOCAL = 64
_LARGEST_ATTACHED = 5 * 2**20


@dataclass(frozen=True, slots=True)
class Thread:
    """The mail that a note answers: its Message-ID, and the References of an answer to it."""

    message_id: str = ""
    references: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """A note that was written down."""

    message_id: str
    message: bytes


def lay_out(draft: Draft, site: SiteSection, theme: Theme, environment: Environment) -> tuple[str, str]:
    """A draft as plain text and as HTML, in a site's look. Raises TemplateError."""
    values = {"note": draft, "site": site, "theme": theme}
    text, mjml = (
        render_template(environment, f"notes/{name}", values) for name in ("note.txt.j2", "note.mjml.j2")
    )
    return text, compile_mjml(mjml)


class Writer:
    """Writes notes for one site."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        editions: EditionMaker,
        languages: Languages,
        signer: TokenSigner,
    ) -> None:
        self._database = database
        self._settings = settings
        self._editions = editions
        self._languages = languages
        self._signer = signer

    def language(self, *tags: str | None) -> Language:
        """The first of these languages that there is, or the site's, or English."""
        return self._languages.best(*tags, self._settings.site.language)

    @property
    def languages(self) -> list[Language]:
        """All that readers may write in, the site's first."""
        own = self.language()
        return [own, *(language for language in self._languages.all.values() if language is not own)]

    def drafter(self, *tags: str | None) -> Drafter:
        """Drafts in the first of these languages that there is."""
        return Drafter(self.language(*tags), site=self._settings.site.name)

    def confirm_url(self, request_id: int) -> str:
        """The page that confirms a request."""
        return f"{self._settings.site.base_url}/confirm/{self._signer.sign(Purpose.CONFIRM, request_id)}"

    def preferences_url(self, subscriber_id: int) -> str:
        """The page of a reader's preferences, for letters that are none of an issue."""
        token = self._signer.sign(Purpose.READER, subscriber_id)
        return f"{self._settings.site.base_url}/preferences/{token}"

    def probe_path(self, probe_id: int) -> str:
        """Where a probe comes back to, which names it."""
        token = self._signer.sign(Purpose.PROBE, probe_id)
        return address_for(self._settings.bounce_address, RouteVerb.BOUNCE, token)

    def confirm_address(self, request_id: int) -> str | None:
        """The address that confirms a request by an answer, None where mail does not come in here."""
        if not self._settings.doors.by_email:
            return None
        token = self._signer.sign(Purpose.CONFIRM, request_id)
        return address_for(self._settings.inbound_address, RouteVerb.CONFIRM, token)

    def join_address(self, category: str) -> str:
        """The address that asks for a category; where it would be too long (RFC 5321 §4.5.3.1.1), for any."""
        address = address_for(self._settings.inbound_address, RouteVerb.JOIN, category)
        if len(address.rpartition("@")[0]) <= _LONGEST_LOCAL:
            return address
        return address_for(self._settings.inbound_address, RouteVerb.JOIN)

    def write(
        self,
        session: Session,
        draft: Draft,
        to: Address,
        *,
        topic: str,
        kind: NoteKind,
        now: datetime,
        answers: Thread | None = None,
        reply_to: str | None = None,
        return_path: str = "",
    ) -> Written | None:
        """Write a draft to somebody; None if this topic was written about before.

        What cannot be delivered comes back to `return_path`, or to nobody.
        """
        text, html = lay_out(draft, self._settings.site, self._editions.theme, self._editions.environment)
        thread = answers or Thread()
        note = notes.Note(
            sender=self._settings.sender,
            recipient=Mailbox("", to.given),
            subject=draft.subject,
            date=now,
            message_id=notes.note_id(
                kind, f"{self._settings.site.base_url} {topic}", self._settings.sender.domain
            ),
            text=text,
            html=html,
            reply_to=Mailbox(self._settings.sender.name, reply_to) if reply_to else self._settings.reply_to,
            in_reply_to=thread.message_id,
            references=thread.references,
            auto_submitted="auto-replied" if answers else "auto-generated",
        )
        return self._keep(session, note, to, topic=topic, kind=kind, now=now, return_path=return_path)

    def has_written_enough(self, session: Session, to: Address, now: datetime) -> str | None:
        """Why no more answers go to a mailbox today, or to its domain this hour; None if they may.

        With whatever tag, `ann+x@` or `ann+y@`, it is one mailbox.
        """
        answers = select(func.count()).where(col(Note.kind).not_in([NoteKind.FORWARD, NoteKind.PROBE]))
        lately = answers.where(Note.mailbox == to.mailbox, col(Note.written_at) > now - _DAY)
        if session.exec(lately).one() >= self._settings.doors.answers_per_day:
            return "this address has had its answers for today"
        there = answers.where(Note.domain == to.domain, col(Note.written_at) > now - _HOUR)
        if session.exec(there).one() >= self._settings.doors.domain_per_hour:
            return "its domain has had its answers for this hour"
        return None

    def forward(
        self,
        session: Session,
        *,
        number: int,
        sender: Mailbox,
        subject: str,
        text: str,
        original: bytes,
        now: datetime,
    ) -> Written | None:
        """Pass a reader's letter on to the editor, whose answer then goes to the reader."""
        settings, say = self._settings, self.language().say
        is_attached = len(original) <= _LARGEST_ATTACHED
        values = {"site": settings.site.name, "sender": str(sender), "number": number}
        end = say(f"letters.editor.{'attached' if is_attached else 'too_large'}", **values)
        written = text.strip() or say("letters.editor.empty")
        name = clean(f"{sender.name or sender.address.rpartition('@')[0]} via {settings.site.name}")
        editor = parse_address(settings.editor_address)
        note = notes.Note(
            sender=Mailbox(name, settings.sender.address),
            recipient=Mailbox("", settings.editor_address),
            subject=clean(subject) or say("letters.editor.subject", **values),
            date=now,
            message_id=notes.note_id(
                NoteKind.FORWARD, f"{settings.site.base_url} inbound {number}", settings.sender.domain
            ),
            text=f"{say('letters.editor.intro', **values)}\n\n{written}\n\n-- \n{end}\n",
            reply_to=sender if sender.address else None,
            attachment=original if is_attached else None,
        )
        return self._keep(session, note, editor, topic=f"{INBOUND}{number}", kind=NoteKind.FORWARD, now=now)

    def _keep(
        self,
        session: Session,
        note: notes.Note,
        to: Address,
        *,
        topic: str,
        kind: NoteKind,
        now: datetime,
        return_path: str = "",
    ) -> Written | None:
        message = notes.compose(note)
        row = self._database.insert(Note).values(
            topic=topic,
            kind=kind,
            recipient=to.given,
            recipient_key=to.key,
            mailbox=to.mailbox,
            domain=to.domain,
            subject=clean(note.subject),
            message=message,
            message_id=f"<{note.message_id}>",
            state=NoteState.QUEUED,
            written_at=now,
            expires_at=now + _PATIENCE,
            retry_at=now,
            attempts=0,
            return_path=return_path,
        )
        once = row.on_conflict_do_nothing(index_elements=["topic"]).returning(col(Note.id))
        if session.execute(once).scalar_one_or_none() is None:
            return None
        return Written(f"<{note.message_id}>", message)


def topics_of(request_id: int) -> tuple[str, str]:
    """The topics of the letters about a request: to its address, and to the one that it is to replace."""
    return f"{REQUEST}{request_id}", f"{REQUEST}{request_id}{OLD_ADDRESS}"


def forget_notes(session: Session, which: ColumnElement[bool]) -> None:
    """Keep nothing of short letters but that they were, and what became of them; what waits goes no more."""
    waits = which & (col(Note.state) == NoteState.QUEUED)
    session.execute(update(Note).where(waits).values(state=NoteState.EXPIRED))
    nobody = {
        "recipient": "",
        "recipient_key": "",
        "mailbox": "",
        "domain": "",
        "subject": GONE,
        "message": None,
        "reply": None,
        "return_path": "",
        "on_wire_until": None,
    }
    session.execute(update(Note).where(which).values(**nobody))
