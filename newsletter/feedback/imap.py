"""A mailbox at a mail provider: mail to our addresses is copied from it as it arrives, nothing is taken away.

The first look only notes where the mailbox ends: what lay in it before is none of ours. From then on every
message that arrives is looked at once, by its header, and one to an address of ours is fetched and kept; only
then is its UID recorded, so that a crash in between fetches it again, which the inbox notices. One whose
address says what is wanted of us (`advice+join…`) is marked as read; nothing else in the mailbox is changed,
and nothing is ever deleted. Of mail to others no more is fetched than the header.

What can go wrong: a server that is away is asked again after growing pauses. One that numbers its messages
anew (UIDVALIDITY, RFC 9051 §2.3.1.1) says no longer which are new: all that arrived since shortly before the
last look is looked at again, by the server's date and by the message's own, for a restored mailbox may have
lost the first. A message that cannot be fetched is stepped over, after some tries, and told; it stays there.
"""

import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError, LoginError
from sqlalchemy import select, update
from sqlmodel import col

from newsletter.database import Database
from newsletter.delivery.outcome import printable
from newsletter.errors import DatabaseError, EntranceError, MessageTooLargeError
from newsletter.feedback.entrances import Entrance, Keeper, OurAddresses, Report, with_crlf
from newsletter.models import WatchedMailbox
from newsletter.settings import ImapSection, TLSMode
from subscribers.base import Clock

_SECONDS = 60.0
"""For each answer of the server."""
_IDLE_SECONDS = 120.0
"""How long a server is trusted to tell of new mail (RFC 2177 allows 29 minutes): connections die silently,
and what it tells together with its go-ahead is not heard before the next look."""
_SETTLING_SECONDS = 1.0
"""Until the next look after one that took long, or found something: what arrived meanwhile was told with some
other answer, where nobody listens, and is not told again.
"""
_GRACE_SECONDS = 5.0
"""How long a look, or a server that does not answer, may take when the program is to end."""
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 300.0
_TRIES = 5
"""For a message that cannot be fetched."""
_HEADER_OCTETS = 64 << 10
_AGAIN = timedelta(days=2)
"""How far back from the last look a mailbox that was numbered anew is looked through."""
_SKEW = timedelta(minutes=5)
"""By how much a server's clock may be behind ours."""
_HOUR = timedelta(hours=1)
_HEADER = f"BODY.PEEK[HEADER]<0.{_HEADER_OCTETS}>"


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a watched folder needs of the site."""

    database: Database
    keeper: Keeper
    ours: OurAddresses
    clock: Clock
    largest: int
    report: Report


@dataclass(frozen=True, slots=True)
class _Look:
    """One look into a folder."""

    client: IMAPClient
    validity: int
    since: datetime | None
    """With numbers that say nothing: what is older was there before."""
    is_writable: bool


class WatchedFolder:
    """One folder, and how far it has been looked through."""

    def __init__(self, section: ImapSection, password: str, wiring: Wiring) -> None:
        self._section = section
        self._password = password
        self._wiring = wiring
        self._failures: Counter[tuple[int, int]] = Counter()
        """By UIDVALIDITY and UID."""

    def opened(self) -> AbstractContextManager[IMAPClient]:
        """A connection to look by. Raises EntranceError."""
        return connected(self._section, self._password)

    def look(self, client: IMAPClient) -> bool:
        """Keep what has arrived for us since the last look; whether anything had arrived.

        Raises EntranceError and DatabaseError; what was not done then is done by the next look.
        """
        with _explained(self._section):
            return self._look(client)

    def _look(self, client: IMAPClient) -> bool:
        chosen = chosen_folder(self._section, client)
        validity, next_uid = int(chosen[b"UIDVALIDITY"]), int(chosen[b"UIDNEXT"])
        mark = self._mark(validity, next_uid)
        is_numbered_anew = mark.uidvalidity != validity
        since = max(mark.begun_at - _SKEW, mark.looked_at - _AGAIN) if is_numbered_anew else None
        one = _Look(client, validity, since, is_writable=b"READ-WRITE" in chosen)
        if since is not None:
            # SEARCH compares days, of whatever zone.
            uids = sorted(client.search(["SINCE", (since - timedelta(days=1)).date()]))
        else:
            # The last message is found whatever its number: `5:*` is `3:5` where 3 is the last (RFC 9051 §9).
            found = client.search(["UID", f"{mark.last_uid + 1}:*"])
            uids = sorted(uid for uid in found if uid > mark.last_uid)
        for uid in uids:
            if self._is_taken(one, uid) and not is_numbered_anew:
                self._record(mark, last_uid=uid)
        if is_numbered_anew:
            self._record(mark, uidvalidity=validity, last_uid=max(next_uid - 1, *uids, 0))
        elif uids:
            self._record(mark, last_uid=uids[-1])
        if self._wiring.clock() - mark.looked_at >= _HOUR:
            self._record(mark, looked_at=self._wiring.clock())
        return bool(uids)

    def _is_taken(self, one: "_Look", uid: int) -> bool:
        """Whether a message is ours, and kept by now. One that fails again and again is stepped over."""
        if self._failures[one.validity, uid] >= _TRIES:
            return False
        try:
            return self._take(one, uid)
        except DatabaseError:
            raise
        except MessageTooLargeError as error:
            self._wiring.report(error)
            return False
        except Exception as error:
            self._failures[one.validity, uid] += 1
            if self._failures[one.validity, uid] < _TRIES:
                raise
            self._wiring.report(self._stepped_over(uid, error))
            if isinstance(error, OSError | IMAPClient.AbortError):
                raise  # the connection is gone; the next one goes on behind it
            return False

    def _take(self, one: "_Look", uid: int) -> bool:
        """Keep a message if it is ours. Raises MessageTooLargeError."""
        facts = one.client.fetch([uid], ["RFC822.SIZE", "INTERNALDATE", _HEADER]).get(uid, {})
        header = facts.get(b"BODY[HEADER]<0>")
        if header is None:
            return False  # somebody has deleted it meanwhile
        addressed = self._wiring.ours.addressed(header)
        if addressed is None or (one.since and is_older(header, facts[b"INTERNALDATE"], one.since)):
            return False
        size = int(facts[b"RFC822.SIZE"])
        if size > self._wiring.largest:
            raise MessageTooLargeError(
                f"message {uid} in {_place(self._section)} has {size:,} bytes, more than max_message_bytes "
                f"in [inbound]; it is left there"
            )
        content = one.client.fetch([uid], ["BODY.PEEK[]"]).get(uid, {}).get(b"BODY[]")
        if content is None:
            return False
        self._wiring.keeper.keep(
            with_crlf(content), entrance=Entrance.IMAP, recipient=addressed.recipient, return_path=None
        )
        if addressed.verb and one.is_writable:
            one.client.add_flags([uid], [rb"\Seen"], silent=True)
        return True

    def _stepped_over(self, uid: int, error: Exception) -> EntranceError:
        return EntranceError(
            f"message {uid} in {_place(self._section)} could not be read {_TRIES} times "
            f"({printable(str(error))}); it is left there, read it yourself"
        )

    def _mark(self, validity: int, next_uid: int) -> WatchedMailbox:
        """How far the folder has been looked through; at the first look, all of it."""
        section, database, now = self._section, self._wiring.database, self._wiring.clock()
        which: dict[str, Any] = {"host": section.host, "account": section.user, "folder": section.folder}
        query = select(WatchedMailbox).filter_by(**which)
        with database.read() as session:
            found: WatchedMailbox | None = session.execute(query).scalar()
        if found is not None:
            return found
        values = {"uidvalidity": validity, "last_uid": next_uid - 1, "begun_at": now, "looked_at": now}
        with database.write() as session:
            session.execute(database.insert(WatchedMailbox).values(which | values).on_conflict_do_nothing())
            begun: WatchedMailbox = session.execute(query).scalar_one()
        return begun

    def _record(self, mark: WatchedMailbox, **values: Any) -> None:
        """Note how far we are, unless another process has gone further, or the numbers are others by now."""
        change = update(WatchedMailbox).where(
            col(WatchedMailbox.id) == mark.id, col(WatchedMailbox.uidvalidity) == mark.uidvalidity
        )
        if set(values) == {"last_uid"}:
            change = change.where(col(WatchedMailbox.last_uid) < values["last_uid"])
        with self._wiring.database.write() as session:
            session.execute(change.values(**values))


class MailboxEntrance(AbstractContextManager["MailboxEntrance"]):
    """Watches the folder from a thread of its own."""

    def __init__(self, section: ImapSection, wiring: Wiring) -> None:
        self._section = section
        self._wiring = wiring
        self._stop = Event()
        self._client: IMAPClient | None = None
        self._is_waiting = False
        self._told = ""

    def __enter__(self) -> Self:
        """Begin. Raises SettingsError if the password cannot be had; all else is reported and tried again."""
        folder = WatchedFolder(self._section, self._section.login_password(), self._wiring)
        self._thread = Thread(target=self._watch, args=[folder], name="mailbox", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if not self._is_waiting:
            self._thread.join(timeout=_GRACE_SECONDS)
        if (client := self._client) is not None:
            with suppress(OSError):  # it may be gone
                socket.socket.shutdown(client.socket(), socket.SHUT_RDWR)  # whoever waits for it wakes up
        self._thread.join(timeout=_GRACE_SECONDS)

    def _watch(self, folder: WatchedFolder) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                with folder.opened() as client:
                    self._client = client
                    seconds = _SETTLING_SECONDS
                    while not self._stop.is_set():
                        has_arrived = folder.look(client)
                        self._told, failures = "", 0
                        self._await_news(client, _SETTLING_SECONDS if has_arrived else seconds)
                        seconds = _IDLE_SECONDS
            except Exception as error:  # a thread that ends would be missed by nobody
                if self._stop.is_set():
                    return
                failures += 1
                if failures > 1:  # that a connection ends is nothing to tell, as long as the next one holds
                    self._tell(error)
                self._stop.wait(pause_after(failures))
            finally:
                self._client = None

    def _await_news(self, client: IMAPClient, seconds: float) -> None:
        """Return when there may be new mail, told of or after these seconds. Raises EntranceError."""
        with _explained(self._section):
            if client.has_capability("IDLE"):
                client.idle()
                self._is_waiting = True
                try:
                    client.idle_check(timeout=seconds)
                finally:
                    self._is_waiting = False
                client.idle_done()
            else:
                self._stop.wait(self._section.poll_seconds)

    def _tell(self, error: Exception) -> None:
        """Report what is new: a server that is away is away for long."""
        if str(error) != self._told:
            self._told = str(error)
            self._wiring.report(error)


@contextmanager
def connected(section: ImapSection, password: str) -> Iterator[IMAPClient]:
    """A connection that is secured and logged in. Raises EntranceError with what to look at."""
    context = ssl.create_default_context()
    with _explained(section):
        client = IMAPClient(
            section.host, section.port, ssl=section.is_implicit_tls, ssl_context=context, timeout=_SECONDS
        )
    client.normalise_times = False  # instants with their zone, not the wall-clock time here
    try:
        with _explained(section):
            _log_in(section, password, client, context)
        yield client
    finally:
        with suppress(OSError, IMAPClientError):
            client.shutdown()


def chosen_folder(section: ImapSection, client: IMAPClient) -> dict[bytes, Any]:
    """What the server says of the folder, once it is chosen. Raises EntranceError."""
    with _explained(section):
        try:
            chosen: dict[bytes, Any] = client.select_folder(section.folder)
        except IMAPClient.AbortError:
            raise
        except IMAPClientError as error:
            raise EntranceError(
                f"{_place(section)} cannot be opened ({printable(str(error))}); see folder in [imap]"
            ) from error
        if b"UIDNEXT" not in chosen:
            chosen |= client.folder_status(section.folder, ["UIDNEXT"])
    if b"UIDVALIDITY" not in chosen:
        raise EntranceError(f"{_place(section)} has no numbers that last (UIDVALIDITY): it cannot be watched")
    return chosen


def _log_in(section: ImapSection, password: str, client: IMAPClient, context: ssl.SSLContext) -> None:
    if not section.is_implicit_tls and section.tls is not TLSMode.NONE:
        if client.has_capability("STARTTLS"):
            if section.is_lenient:  # a certificate for "localhost" is nobody's to give
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            client.starttls(context)
        elif not section.is_lenient:
            raise IMAPClientError(
                'it offers no STARTTLS; set tls = "implicit" if it listens with TLS, or "none" to do without'
            )
    try:
        if f"{section.user}{password}".isascii():
            client.login(section.user, password)
        else:
            client.plain_login(section.user, password)  # LOGIN takes ASCII alone
    except LoginError as error:
        raise EntranceError(
            f"the mail server {section.name} refused the login of {section.user!r} "
            f"({printable(str(error))}); see user and password in [imap]"
        ) from error


def is_older(header: bytes, arrived: datetime, since: datetime) -> bool:
    """Whether a message is from before an instant, by the server's date or by its own, where it has one."""
    if _aware(arrived) < since:
        return True
    try:
        written = parsedate_to_datetime(str(BytesHeaderParser().parsebytes(header)["Date"]))
    except (ValueError, TypeError, OverflowError):
        return False
    return _aware(written) < since


def pause_after(failures: int) -> float:
    """Seconds until a server is tried again, after so many failures in a row."""
    return float(min(_FIRST_PAUSE * 2 ** min(failures - 1, 20), _LONGEST_PAUSE))


def _aware(instant: datetime) -> datetime:
    """In UTC, where nothing is said of a zone (RFC 5322 §3.3: -0000)."""
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant


def _place(section: ImapSection) -> str:
    return f"the folder {section.folder} of {section.user} at {section.name}"


@contextmanager
def _explained(section: ImapSection) -> Iterator[None]:
    """Turn what the library raises into an EntranceError."""
    try:
        yield
    except EntranceError:
        raise
    except (OSError, IMAPClientError, UnicodeError) as error:  # UnicodeError: no host can have that name
        why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)
        raise EntranceError(
            f"the mail server {section.name} cannot be used: {printable(why) or type(error).__name__}"
        ) from error
