"""A notice's email: composed from the rows alone, and given to the first relay that takes it.

Plain text from the site's sender to its editor, marked as written by no person (RFC 3834), signed as letters
are. It is outside the ledger and its pace, on a connection of its own, with little patience: readers' letters
never wait for it.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from newsletter.delivery.dkim_keys import load_signer
from newsletter.delivery.outcome import Outcome, printable
from newsletter.delivery.relays import Relay
from newsletter.delivery.smtp import SMTPTransport
from newsletter.delivery.transport import Letter, OneByOne
from newsletter.errors import RelayError, SettingsError
from newsletter.models import Notice
from newsletter.render.headers import Mailbox, date_field, mailbox_field, plain_field, text_field
from newsletter.render.quoted_printable import encode
from newsletter.render.text import wrap
from newsletter.settings import Settings
from newsletter.states import DeliveryState

_SECONDS = 60.0
"""For one relay, from connecting to its answer."""
_COLUMNS = 72
"""So that no line is broken once more as it is encoded."""
_BETWEEN = "\n\n* * *\n\n"


def subject_of(site: str, notices: Sequence[Notice]) -> str:
    """One email for all: it is called by the first of them."""
    others = f" and {len(notices) - 1} more" if len(notices) > 1 else ""
    return f"[{site}] {notices[0].subject}{others}"


def compose(settings: Settings, notices: Sequence[Notice], now: datetime) -> bytes:
    """The message: CRLF throughout, no line over 998 octets. The same notices have the same Message-ID."""
    told = ",".join(f"{one.topic} {one.number} {one.noticed_at.isoformat()}" for one in notices)
    identity = sha256(f"{settings.site.base_url} {told}".encode()).hexdigest()[:32]
    farewell = (
        f"{settings.site.name} writes this to its editor, as paperround.toml has it. "
        f"`paperround notices` lists all that you were told."
    )
    texts = [_wrapped(notice.text) for notice in notices]
    text = f"Hello,\n\n{_BETWEEN.join(texts)}\n\n-- \n{_wrapped(farewell)}\n"
    fields = [
        mailbox_field("From", settings.sender),
        mailbox_field("To", Mailbox("", settings.editor_address)),
        text_field("Subject", subject_of(settings.site.name, notices)),
        date_field(now),
        plain_field("Message-ID", f"<notice-{identity}@{settings.sender.domain}>"),
        plain_field("Auto-Submitted", "auto-generated"),
        plain_field("MIME-Version", "1.0"),
        plain_field("Content-Type", "text/plain; charset=utf-8"),
        plain_field("Content-Transfer-Encoding", "quoted-printable"),
    ]
    return "".join(fields).encode() + b"\r\n" + encode(text)


def _wrapped(text: str) -> str:
    """Paragraphs broken into lines; those that begin with spaces are commands, or somebody else's words."""
    lines = [line if line.startswith(" ") else "\n".join(wrap(line, _COLUMNS)) for line in text.split("\n")]
    return "\n".join(lines)


def send(settings: Settings, relays: Sequence[Relay], message: bytes) -> tuple[bool, str]:
    """Give a message to the first relay that takes it; whether one did, and what was said. Never raises
    because of a relay, a password or a key: all that is an answer.
    """
    try:
        signer = load_signer(settings)
        content = signer.signed(message) if signer else message
    except SettingsError as error:
        return False, printable(str(error))
    letter = Letter(settings.bounce_address, settings.editor_address, content)
    said = "every relay is down and left alone for a while"
    for relay in relays:
        if relay.breaker.is_open(time.monotonic()):
            continue
        try:
            outcome = asyncio.run(_try(settings, relay, letter))
        except TimeoutError:
            said = f"the relay {relay.name} did not answer within {_SECONDS:.0f} seconds"
        except (RelayError, SettingsError) as error:
            said = printable(str(error))
        else:
            said = outcome.words
            if outcome.state is DeliveryState.SENT:
                return True, said
    return False, said


async def _try(settings: Settings, relay: Relay, letter: Letter) -> Outcome:
    """Try it once on a connection of its own. Raises RelayError, SettingsError and TimeoutError."""

    async def commit() -> bool:
        return True  # the books say already that it is tried

    section = relay.section
    password = section.login_password() if section.user else ""
    transport = OneByOne(SMTPTransport(section, password=password, helo_name=settings.sender.domain))
    async with asyncio.timeout(_SECONDS):
        try:
            await transport.connect()
            outcome = await transport.send(letter, commit)
        finally:
            await transport.close()
    assert outcome is not None  # noqa: S101  # commit() never refuses
    return outcome
