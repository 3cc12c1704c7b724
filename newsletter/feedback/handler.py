"""What becomes of a mail that came in: a confirmation, a departure, a command, or a letter to the editor.

From is forgeable (RFC 5321 §7.1): only a token that we put into a letter proves anything. So `+leave.TOKEN`
and `+confirm.TOKEN` act; whatever else is asked for is a request, to be confirmed. Answers go to persons
alone: never to automatic mail (RFC 3834 §2), at most so many a day to one address, one for a mail. What is no
command is a letter, which the editor gets and a program does not answer.

Each mail is handled in one transaction: what it did and that it was done are on disk together, or neither is.
Reports about our letters are judged in it (`newsletter.feedback.verdicts`), to whichever address they come.
May surprise: `+leave.TOKEN` acts for automatic mail too, in silence: mail programs send it for their readers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, update
from sqlmodel import Session, col, select

from newsletter.database import Database
from newsletter.delivery.letters import LedgerLetters
from newsletter.delivery.reports import reader_of
from newsletter.errors import DatabaseError
from newsletter.feedback.doors import Doors, offered, titles_of
from newsletter.feedback.drafts import Draft, Drafter
from newsletter.feedback.inbox import blank
from newsletter.feedback.reading import Mail, read_mail
from newsletter.feedback.reports import Report, ReportKind, read_report
from newsletter.feedback.route import Route, RouteVerb, read_route
from newsletter.feedback.verdicts import Heard, Judge
from newsletter.feedback.writing import INBOUND, Thread, Writer
from newsletter.models import InboundMessage
from newsletter.render.headers import Mailbox
from newsletter.settings import Settings
from newsletter.states import InboundState, NoteKind
from subscribers.address import Address, parse_address, readable_address
from subscribers.base import Clock
from subscribers.commands import (
    Command,
    Verb,
    Vocabulary,
    is_assent,
    is_refusal,
    match_categories,
    parse_command,
)
from subscribers.models import LIVE, Frequency, RequestKind, Subscriber, SubscriptionState, SuppressionReason
from subscribers.requests import Answer, Asked, Confirmed, Door, categories_of
from subscribers.subscriptions import Permission, find_subscriber, leave, subscriptions_of
from subscribers.suppression import Suppressions
from subscribers.tokens import Purpose, TokenSigner

_MOST_ATTEMPTS = 3
_TAKEN_FOR = timedelta(minutes=2)
"""Handling a message takes a fraction of a second: who has not ended by then has died."""
_WORDS_OF_A_COMMAND = 8
"""With more of them a command that names no category of ours may as well be a letter."""
_KINDS = {
    Verb.LEAVE: RequestKind.LEAVE,
    Verb.STOP: RequestKind.STOP,
    Verb.FREQUENCY: RequestKind.FREQUENCY,
    Verb.PAUSE: RequestKind.PAUSE,
    Verb.RESUME: RequestKind.RESUME,
}


class Result(NamedTuple):
    """What became of a message, in words for whoever looks at it later."""

    state: InboundState
    verb: str
    outcome: str
    heard: Heard | None = None
    """Of a report about a letter of ours: what it led to."""


class Handled(NamedTuple):
    """A message that was handled just now."""

    id: int
    result: Result


@dataclass(frozen=True, slots=True)
class _Incoming:
    """A message as it is handled: who wrote it, if that can be written to."""

    held: InboundMessage
    mail: Mail
    route: Route
    content: bytes
    writer: Address | None
    now: datetime

    @property
    def id(self) -> int:
        """Its number."""
        return self.held.id

    @property
    def thread(self) -> Thread:
        """What an answer to it answers."""
        return Thread(self.mail.message_id, self.mail.references)

    @property
    def place(self) -> str:
        """How it is called in evidence."""
        return f"mail {self.mail.message_id or 'without a Message-ID'}, message {self.id}"


class Handler:
    """Handles what came in to one site."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        doors: Doors,
        writer: Writer,
        suppressions: Suppressions,
        signer: TokenSigner,
        judge: Judge,
        clock: Clock,
    ) -> None:
        self._database = database
        self._settings = settings
        self._doors = doors
        self._writer = writer
        self._suppressions = suppressions
        self._signer = signer
        self._judge = judge
        self._clock = clock
        self._letters = LedgerLetters()

    @property
    def _vocabularies(self) -> dict[str, Vocabulary]:
        """The words of every language that readers may write in, the site's own first."""
        return {language.tag: language.commands for language in self._writer.languages}

    def handle_new(self) -> list[Handled]:
        """Handle all that is new, oldest first. Raises DatabaseError; what breaks otherwise is set aside."""
        with self._database.read() as session:
            new = session.exec(
                select(InboundMessage.id).where(self._is_to_begin()).order_by(col(InboundMessage.id))
            ).all()
        results = ((number, self._begin_and_handle(number)) for number in new)
        return [Handled(number, result) for number, result in results if result]

    def _is_to_begin(self) -> ColumnElement[bool]:
        """That nobody has begun a message, or whoever did has died over it."""
        taken_until = col(InboundMessage.taken_until)
        is_free = taken_until.is_(None) | (taken_until <= self._clock())
        return (col(InboundMessage.state) == InboundState.NEW) & is_free

    def _begin_and_handle(self, number: int) -> Result | None:
        """Handle one; None if somebody else has. What ends the process is begun three times at most."""
        with self._database.write() as session:
            attempts = session.execute(
                update(InboundMessage)
                .where(col(InboundMessage.id) == number, self._is_to_begin())
                .values(attempts=col(InboundMessage.attempts) + 1, taken_until=self._clock() + _TAKEN_FOR)
                .returning(col(InboundMessage.attempts))
            ).scalar_one_or_none()
        if attempts is None:
            return None
        if attempts > _MOST_ATTEMPTS:
            return self._set_aside(
                number, f"it was begun {_MOST_ATTEMPTS} times, and the program ended each time"
            )
        try:
            with self._database.write() as session:
                return self._handle(session, number)
        except DatabaseError:
            with self._database.write() as session:
                session.execute(
                    update(InboundMessage)
                    .where(col(InboundMessage.id) == number)
                    .values(attempts=col(InboundMessage.attempts) - 1, taken_until=None)
                )
            raise
        except Exception as error:  # whatever a hostile message breaks, the next one is to be handled
            return self._set_aside(number, f"it could not be handled: {error} ({type(error).__name__})")

    def _set_aside(self, number: int, reason: str) -> Result:
        result = Result(InboundState.ASIDE, "", reason)
        with self._database.write() as session:
            self._settle(session, number, result)
        return result

    def _settle(self, session: Session, number: int, result: Result) -> None:
        session.execute(
            update(InboundMessage)
            .where(col(InboundMessage.id) == number, col(InboundMessage.state) == InboundState.NEW)
            .values(
                state=result.state,
                verb=result.verb or None,
                outcome=result.outcome,
                handled_at=self._clock(),
            )
        )

    def _handle(self, session: Session, number: int) -> Result | None:
        held = session.exec(
            select(InboundMessage)
            .where(InboundMessage.id == number, InboundMessage.state == InboundState.NEW)
            .with_for_update()
        ).one_or_none()
        if held is None:
            return None
        result = self._result(session, held)
        self._settle(session, number, result)
        return result

    def _result(self, session: Session, held: InboundMessage) -> Result:
        content = held.content or b""
        mail = read_mail(content, held.return_path)
        recipients = [held.recipient] if held.recipient else mail.recipients
        route = self._route(recipients)
        if route is None:
            return Result(InboundState.ASIDE, "", "it is to none of our addresses")
        came = _Incoming(held, mail, route, content, readable_address(mail.sender), self._clock())
        return self._sorted_out(session, came) or self._read(session, came)

    def _route(self, addresses: Sequence[str]) -> Route | None:
        """Which of our addresses these are, if any."""
        settings = self._settings
        return read_route(
            addresses, inbound_address=settings.inbound_address, bounce_address=settings.bounce_address
        )

    def _sorted_out(self, session: Session, came: _Incoming) -> Result | None:
        """What needs nobody's words: reports, a token that acts for whoever has it, automatic mail."""
        verb = came.route.verb
        report = read_report(came.content, came.held.return_path)
        if verb is RouteVerb.BOUNCE:
            return self._hear(session, came, report)
        if verb is RouteVerb.LEAVE and came.route.argument:
            return self._leave(session, came)
        # A complaint comes from wherever a provider's people send it; of ours it is by its tokens alone.
        if report.kind is not ReportKind.OTHER and (came.mail.automatic or self._is_ours(session, report)):
            return self._hear(session, came, report)
        if came.mail.automatic:
            return _done(verb or "mail", f"not answered: {came.mail.automatic}")
        if self._route([came.mail.sender]) is not None:
            return _done(verb or "mail", "not answered: it says to be from ourselves")
        return None

    def _is_ours(self, session: Session, report: Report) -> bool:
        """Whether a report that may as well be a person's letter is a complaint about a letter of ours."""
        return report.kind is ReportKind.COMPLAINT and self._judge.knows(session, report)

    def _hear(self, session: Session, came: _Incoming, report: Report) -> Result:
        """Keep a report, and what follows from it; what answers by itself is none."""
        verb = came.route.verb or "report"
        if report.kind is ReportKind.OTHER:
            return _done(verb, f"not a report: {came.mail.automatic or 'it tells of no letter'}")
        token = came.route.argument if came.route.verb is RouteVerb.BOUNCE else ""
        heard = self._judge.hear(session, came.held, report, token)
        if heard is None:
            self._forget_erased(session, came, report)
            told = f"kept, and nothing is done: {report.kind}, and by no token of ours does it name a letter"
            return Result(InboundState.REPORT, verb, told)
        return Result(InboundState.REPORT, verb, heard.told, heard)

    def _forget_erased(self, session: Session, came: _Incoming, report: Report) -> None:
        """Keep nothing of a report that comes late, about somebody who was erased."""
        about = readable_address(report.recipient)
        order = self._suppressions.find(session, about) if about else None
        if order is not None and order.reason == SuppressionReason.ERASED:
            blank(session, [came.id])

    def _read(self, session: Session, came: _Incoming) -> Result:
        """What a person wants who wrote."""
        if came.route.verb is RouteVerb.CONFIRM:
            return self._confirm(session, came)
        command = self._command(came)
        if command is None:
            return self._forward(session, came)
        if came.writer is None:
            return Result(InboundState.ASIDE, command.verb, "its From is not one address to write to")
        return self._obey(session, came, came.writer, command)

    def _command(self, came: _Incoming) -> Command | None:
        """What is asked for, by the address or in words."""
        said = parse_command(came.mail.subject, came.mail.text, self._vocabularies)
        verbs = {RouteVerb.JOIN: Verb.JOIN, RouteVerb.LEAVE: Verb.LEAVE, RouteVerb.HELP: Verb.HELP}
        verb = verbs.get(came.route.verb)
        if verb is None:
            return said
        language = said.language if said else self._writer.language().tag
        if came.route.argument:
            return Command(verb, (came.route.argument,), language=language)
        return said if said and said.verb is verb else Command(verb, language=language)

    def _leave(self, session: Session, came: _Incoming) -> Result:
        """Leave what a letter came by: its token says whose it was."""
        number = self._signer.read(Purpose.LEAVE, came.route.argument)
        found = reader_of(session, number) if number is not None else None
        if found is None:
            return _done("leave", "not answered: its token is none of ours")
        subscriber_id, slugs = found
        permission = Permission("email", evidence=f"{came.place}, by the token of delivery {number}"[:1000])
        left = leave(session, subscriber_id, slugs, permission, self._letters, now=came.now)
        titles = titles_of(session)
        named = [titles.get(slug, slug) for slug in slugs]
        told = f"left {', '.join(left)}" if left else f"had left {', '.join(slugs)} already"
        if came.mail.automatic or came.writer is None:
            return _done("leave", f"{told}; not answered: {came.mail.automatic or 'no address to answer'}")
        draft = self._writer.drafter().left(named, self._writer.join_address(slugs[0]))
        return self._answer(session, came, came.writer, draft, "leave", told)

    def _confirm(self, session: Session, came: _Incoming) -> Result:
        """An answer to a confirmation: yes, if it says so or nothing; programs answer with more words."""
        number = self._signer.read(Purpose.CONFIRM, came.route.argument)
        if number is None:
            return _done("confirm", "not answered: its token is none of ours")
        if is_refusal(came.mail.subject, came.mail.text, self._vocabularies):
            is_refused = self._doors.refuse(session, number)
            return _done(
                "confirm", "it says no" if is_refused else "it says no, and there was nothing to refuse"
            )
        if not is_assent(came.mail.text, self._vocabularies, called=came.mail.sender_name):
            return self._forward(session, came)  # neither yes nor no: a person is to read it
        confirmed = self._doors.confirm(session, number, by=Door.EMAIL, evidence=came.place)
        if confirmed is None:
            if came.writer is None:
                return _done("confirm", "it was asked for too long ago")
            draft = self._writer.drafter().expired()
            return self._answer(session, came, came.writer, draft, "confirm", "it was asked for too long ago")
        return self._tell_confirmed(session, came, confirmed)

    def _tell_confirmed(self, session: Session, came: _Incoming, confirmed: Confirmed) -> Result:
        request, told = confirmed.request, f"{confirmed.request.kind}: {confirmed.answer}"
        to = parse_address(request.address)
        drafter = self._writer.drafter(request.language)
        if confirmed.answer is Answer.DONE:
            draft = self._done_draft(session, confirmed, drafter, came.now)
        elif confirmed.answer is Answer.ALREADY:
            return _done("confirm", f"{told}; not answered again")
        else:
            draft = drafter.expired()
        return self._answer(session, came, to, draft, "confirm", told)

    def _done_draft(self, session: Session, confirmed: Confirmed, drafter: Drafter, now: datetime) -> Draft:
        request, reader_id = confirmed.request, confirmed.subscriber_id
        titles = titles_of(session)
        slugs = [slug for slug in categories_of(request) if slug in titles]
        kind = RequestKind(request.kind)
        if reader_id is None:
            return drafter.stranger(request.address)
        url = self._writer.preferences_url(reader_id)
        if kind is RequestKind.JOIN:
            coming = [one.next_day for one in offered(session, self._writer, now, slugs) if one.next_day]
            return drafter.joined([titles[slug] for slug in slugs], url, min(coming, default=None))
        if kind is RequestKind.LEAVE and slugs:
            return drafter.left([titles[slug] for slug in slugs], self._writer.join_address(slugs[0]))
        if kind in (RequestKind.LEAVE, RequestKind.STOP):
            return drafter.left_all()
        until = now.date() + timedelta(weeks=request.weeks or 1) if kind is RequestKind.PAUSE else None
        frequency = Frequency(request.frequency) if request.frequency else None
        return drafter.changed(kind, url, frequency=frequency, until=until)

    def _obey(self, session: Session, came: _Incoming, writer: Address, command: Command) -> Result:
        """Answer what changes nothing, and ask about the rest."""
        drafter = self._writer.drafter(command.language)
        titles = titles_of(session)
        if command.verb is Verb.HELP:
            draft = drafter.help(next(iter(titles), "career-advice"))
            return self._answer(session, came, writer, draft, "help", "told what may be written")
        if command.verb is Verb.LIST:
            draft = drafter.listed(offered(session, self._writer, came.now))
            return self._answer(session, came, writer, draft, "list", "told what letters there are")
        reader = find_subscriber(session, writer)
        if command.verb is Verb.MINE:
            return self._mine(session, came, writer, reader, drafter, titles)
        slugs, unknown = match_categories(command.categories, titles, self._vocabularies)
        if command.verb is Verb.JOIN and not slugs and not unknown and len(titles) == 1:
            slugs = list(titles)
        if unknown and not came.route.verb and len(came.mail.text.split()) > _WORDS_OF_A_COMMAND:
            return self._forward(session, came)  # the words of a command, in a letter about something else
        if unknown or (command.verb is Verb.JOIN and not slugs):
            name = unknown[0] if unknown else None
            draft = drafter.listed(offered(session, self._writer, came.now), is_unknown=name is not None)
            return self._answer(session, came, writer, draft, command.verb, f"asked for {name or 'nothing'}")
        return self._ask_back(session, came, writer, command, slugs)

    def _ask_back(
        self, session: Session, came: _Incoming, writer: Address, command: Command, slugs: list[str]
    ) -> Result:
        """Write down what changes something: it is done once the writer's address confirms it."""
        self._doors.ask(
            session,
            Asked(
                kind=_KINDS.get(command.verb, RequestKind.JOIN),
                address=writer,
                door=Door.EMAIL,
                place=came.place,
                wording="",
                language=command.language,
                categories=tuple(slugs),
                name=came.mail.sender_name[:200] or None,
                frequency=command.frequency,
                weeks=command.weeks,
                in_reply_to=came.mail.message_id or None,
                thread=came.mail.references or None,
            ),
        )
        return _done(command.verb, f"a request to be confirmed: {', '.join(slugs) or 'all'}")

    def _mine(
        self,
        session: Session,
        came: _Incoming,
        writer: Address,
        reader: Subscriber | None,
        drafter: Drafter,
        titles: dict[str, str],
    ) -> Result:
        held = subscriptions_of(session, reader.id) if reader else []
        shown = [
            (titles[one.category], one.paused_until if one.state == SubscriptionState.PAUSED else None)
            for one in held
            if one.state in LIVE and one.category in titles
        ]
        if reader is None or not shown:
            return self._answer(session, came, writer, drafter.stranger(writer.given), "mine", "is no reader")
        frequency = Frequency(reader.frequency) if reader.frequency else None
        draft = drafter.mine(writer.given, shown, self._writer.preferences_url(reader.id), frequency)
        return self._answer(session, came, writer, draft, "mine", "told what comes")

    def _answer(
        self, session: Session, came: _Incoming, to: Address, draft: Draft, verb: str, told: str
    ) -> Result:
        """Answer a mail, unless this address has had its answers for today, or is not to be written to."""
        if self._suppressions.find(session, to):
            return _done(verb, f"{told}; not answered: there is a standing order not to write")
        if reason := self._writer.has_written_enough(session, to, came.now):
            return _done(verb, f"{told}; not answered: {reason}")
        self._writer.write(
            session,
            draft,
            to,
            topic=f"{INBOUND}{came.id}",
            kind=NoteKind.ANSWER,
            now=came.now,
            answers=came.thread,
        )
        return _done(verb, f"{told}; answered")

    def _forward(self, session: Session, came: _Incoming) -> Result:
        """A letter for the editor; it waits here where the editor has no other address than ours."""
        own = {self._settings.inbound_address.casefold(), self._settings.bounce_address.casefold()}
        if self._settings.editor_address.casefold() in own:
            return Result(
                InboundState.LETTER, "letter", "waits for the editor: `[site] editor` names no other address"
            )
        sender = Mailbox(came.mail.sender_name, came.writer.given if came.writer else "")
        self._writer.forward(
            session,
            number=came.id,
            sender=sender,
            subject=came.mail.subject,
            text=came.mail.text,
            original=came.content,
            now=came.now,
        )
        return _done("letter", "passed on to the editor")


def _done(verb: str, outcome: str) -> Result:
    return Result(InboundState.DONE, verb, outcome)
