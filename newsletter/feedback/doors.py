"""The doors: what people ask for by page or email, and the confirmations that follow.

A door only writes a request down. Whether a letter goes is decided here, later and apart, so that whoever
asks learns nothing of the address: one letter at a time to an address and all its tags (`ann+news@`), so many
an hour to a domain, none to an address with a standing order. Nothing that was asked for happens before it is
confirmed.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import func
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from newsletter.database import Database, batched
from newsletter.delivery.letters import LedgerLetters
from newsletter.feedback.drafts import Draft, Drafter, Offered
from newsletter.feedback.writing import Thread, Writer, forget_notes, topics_of
from newsletter.models import Note
from newsletter.schedule.categories import all_categories, streams_of
from newsletter.settings import DoorsSection
from newsletter.states import NoteKind
from subscribers.address import Address, parse_address
from subscribers.base import Clock
from subscribers.consent import wording_hash
from subscribers.models import (
    LIVE,
    Frequency,
    Request,
    RequestKind,
    RequestState,
    Subscriber,
    Wording,
)
from subscribers.requests import (
    Answer,
    Asked,
    Confirmed,
    Door,
    ask,
    categories_of,
    confirm,
    find_request,
    purge,
    refuse,
)
from subscribers.subscriptions import find_subscriber, subscriptions_of
from subscribers.suppression import Suppressions

_AT_ONCE = 50
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


class Doors:
    """What both doors of one site do."""

    def __init__(
        self,
        database: Database,
        section: DoorsSection,
        writer: Writer,
        suppressions: Suppressions,
        clock: Clock,
    ) -> None:
        self._database = database
        self._section = section
        self._writer = writer
        self._suppressions = suppressions
        self._clock = clock
        self._letters = LedgerLetters()
        self._kept: set[str] = set()

    def keep_wording(self, session: Session, text: str) -> str:
        """Keep a text that people agree to, word by word; returns its version."""
        version = wording_hash(text)
        if version not in self._kept:
            row = self._database.insert(Wording).values(hash=version, text=text, first_at=self._clock())
            session.execute(row.on_conflict_do_nothing(index_elements=["hash"]))
        return version

    def remember(self, version: str) -> None:
        """Once it is on disk, that a wording need not be kept again."""
        self._kept.add(version)

    def ask(self, session: Session, asked: Asked) -> Request:
        """Write down what was asked for."""
        return ask(session, asked, now=self._clock(), days=self._section.confirm_days)

    def confirm(
        self, session: Session, number: int, *, by: Door, evidence: str, shown: str | None = None
    ) -> Confirmed | None:
        """Do what was asked for: whoever has the address said yes. None if there is no such request.

        An order not to write that was given since stands.
        """
        request = find_request(session, number)
        if request and self._suppressions.find(session, parse_address(request.address)):
            return Confirmed(request, Answer.REFUSED, None)
        return confirm(
            session,
            number,
            self._letters,
            self._suppressions,
            by=by,
            evidence=evidence,
            now=self._clock(),
            shown=shown,
            only=list(titles_of(session)),
        )

    def refuse(self, session: Session, number: int) -> bool:
        """Whoever has the address said no; False if there was nothing to refuse."""
        return refuse(session, number, now=self._clock())

    def purge(self, session: Session) -> int:
        """Delete requests that nobody confirmed in time, and their letters' words; returns how many."""
        gone = purge(session, self._clock(), keep_days=self._section.keep_days)
        for numbers in batched(gone, _AT_ONCE):
            forget_notes(session, col(Note.topic).in_(topic for one in numbers for topic in topics_of(one)))
        return len(gone)

    def post(self) -> int:
        """Decide what becomes of new requests, and write the confirmations; returns how many were decided.

        Raises DatabaseError and TemplateError.
        """
        decided = 0
        while True:
            with self._database.read() as session:
                if session.exec(self._new().limit(1)).first() is None:
                    return decided
            with self._database.write() as session:
                requests = session.exec(self._new().limit(_AT_ONCE).with_for_update(skip_locked=True)).all()
                for request in requests:
                    self._decide(session, request)
                    session.add(request)
                    session.flush()
            if not requests:  # another process is at them
                return decided
            decided += len(requests)

    def _new(self) -> SelectOfScalar[Request]:
        """Requests that nobody has decided, but those to domains that have had their share this hour."""
        crowded = (
            select(Request.domain)
            .where(col(Request.posted_at) > self._clock() - _HOUR)
            .group_by(col(Request.domain))
            .having(func.count() >= self._section.domain_per_hour)
        )
        return (
            select(Request)
            .where(Request.state == RequestState.NEW, col(Request.domain).not_in(crowded))
            .order_by(col(Request.asked_at), col(Request.id))
        )

    def _decide(self, session: Session, request: Request) -> None:
        """Write to whoever has the address, or say in the request why not."""
        now, address = self._clock(), parse_address(request.address)
        if request.expires_at <= now:
            request.state, request.reason = RequestState.WITHHELD, "It has expired."
        elif self._suppressions.find(session, address):
            request.state, request.reason = RequestState.WITHHELD, "There is a standing order not to write."
        elif self._has_had_enough(session, request, now):
            request.state, request.reason = RequestState.WITHHELD, "This address has just been written to."
        else:
            request.posted_at = now
            self._write(session, request, address, now)

    def _has_had_enough(self, session: Session, request: Request, now: datetime) -> bool:
        written = select(func.count()).where(Request.mailbox == request.mailbox)
        window = timedelta(minutes=self._section.confirmation_window_minutes)
        lately = session.exec(written.where(col(Request.posted_at) > now - window)).one()
        today = session.exec(written.where(col(Request.posted_at) > now - _DAY)).one()
        return lately > 0 or today >= self._section.confirmations_per_day

    def _write(self, session: Session, request: Request, address: Address, now: datetime) -> None:
        titles = titles_of(session)
        reader = find_subscriber(session, address)
        held = subscriptions_of(session, reader.id) if reader else []
        live = {found.category for found in held if found.state in LIVE} & titles.keys()
        wanted = [slug for slug in categories_of(request) if slug in titles]
        drafter = self._writer.drafter(request.language)
        if request.kind == RequestKind.ADDRESS:
            self._tell_old_address(session, request, drafter)
        elif request.kind == RequestKind.JOIN and not wanted:
            request.state, request.reason = RequestState.WITHHELD, "There are no such letters any more."
            return
        elif request.kind == RequestKind.JOIN and reader and live.issuperset(wanted):
            request.state, request.reason = RequestState.WITHHELD, "These letters come already."
            url = self._writer.preferences_url(reader.id)
            draft = drafter.known([titles[slug] for slug in wanted], address.given, url)
            self._post(session, request, address, draft)
            return
        elif request.kind != RequestKind.JOIN and not live:
            request.state, request.reason = RequestState.WITHHELD, "No letters go to this address."
            self._post(session, request, address, drafter.stranger(address.given))
            return
        named = wanted or sorted(live, key=titles.__getitem__)
        self._ask_to_confirm(session, request, address, [titles[slug] for slug in named], drafter)

    def _tell_old_address(self, session: Session, request: Request, drafter: Drafter) -> None:
        """Whoever has the old address hears of it before anything changes."""
        reader = session.get(Subscriber, request.subscriber_id)
        old = parse_address(reader.address) if reader else None
        if old is None or self._suppressions.find(session, old):
            return
        kind, now = NoteKind.ANSWER, self._clock()
        if not self._writer.has_written_enough(session, old, now):
            topic = topics_of(request.id)[1]
            self._writer.write(session, drafter.address_old(), old, topic=topic, kind=kind, now=now)

    def _ask_to_confirm(
        self, session: Session, request: Request, address: Address, titles: list[str], drafter: Drafter
    ) -> None:
        reply_to = self._writer.confirm_address(request.id)

        def draft(shown: str) -> Draft:
            return drafter.confirmation(
                RequestKind(request.kind),
                address=shown,
                titles=titles,
                url=self._writer.confirm_url(request.id),
                days=self._section.confirm_days,
                frequency=Frequency(request.frequency) if request.frequency else None,
                weeks=request.weeks,
                is_answerable=reply_to is not None,
            )

        request.state = RequestState.ASKED
        request.letter_wording = self.keep_wording(session, draft("{address}").wording)
        self._post(session, request, address, draft(address.given), reply_to=reply_to)

    def _post(
        self,
        session: Session,
        request: Request,
        address: Address,
        draft: Draft,
        *,
        reply_to: str | None = None,
    ) -> None:
        answers = Thread(request.in_reply_to, request.thread or "") if request.in_reply_to else None
        written = self._writer.write(
            session,
            draft,
            address,
            topic=topics_of(request.id)[0],
            kind=NoteKind.CONFIRMATION,
            now=self._clock(),
            answers=answers,
            reply_to=reply_to,
        )
        if written:
            request.letter_id = written.message_id
            request.letter_hash = sha256(written.message).hexdigest()


def titles_of(session: Session) -> dict[str, str]:
    """The categories that go out: slug to title."""
    return {category.slug: category.title for category in all_categories(session)}


def offered(
    session: Session, writer: Writer, now: datetime, only: Sequence[str] | None = None
) -> list[Offered]:
    """The categories that go out, or some of them, as letters name them."""
    return [
        Offered(stream.category.title, writer.join_address(stream.category.slug), stream.next_day(now))
        for stream in streams_of(session)
        if only is None or stream.category.slug in only
    ]
