"""A notice's email: composed from the rows alone, and given to the first relay that takes it.

Plain text from the site's sender to its editor, marked as written by no person (RFC 3834), signed as letters
are. It is outside the ledger and its pace, on a connection of its own, with little patience: readers' letters
never wait for it.
"""

from collections.abc import Sequence
from datetime import datetime

from newsletter.delivery.postman import send_one
from newsletter.delivery.relays import Relay
from newsletter.delivery.transport import Letter
from newsletter.models import Notice
from newsletter.render.headers import Mailbox
from newsletter.render.note import COLUMNS, Note, note_id
from newsletter.render.note import compose as compose_note
from newsletter.render.text import wrap
from newsletter.settings import Settings

_BETWEEN = "\n\n* * *\n\n"


def subject_of(site: str, notices: Sequence[Notice]) -> str:
    """One email for all: it is called by the first of them."""
    others = f" and {len(notices) - 1} more" if len(notices) > 1 else ""
    return f"[{site}] {notices[0].subject}{others}"


def compose(settings: Settings, notices: Sequence[Notice], now: datetime) -> bytes:
    """The message: CRLF throughout, no line over 998 octets. The same notices have the same Message-ID."""
    told = ",".join(f"{one.topic} {one.number} {one.noticed_at.isoformat()}" for one in notices)
    farewell = (
        f"{settings.site.name} writes this to its editor, as paperround.toml has it. "
        f"`paperround notices` lists all that you were told."
    )
    texts = [_wrapped(notice.text) for notice in notices]
    return compose_note(
        Note(
            sender=settings.sender,
            recipient=Mailbox("", settings.editor_address),
            subject=subject_of(settings.site.name, notices),
            date=now,
            message_id=note_id("notice", f"{settings.site.base_url} {told}", settings.sender.domain),
            text=f"Hello,\n\n{_BETWEEN.join(texts)}\n\n-- \n{_wrapped(farewell)}\n",
        )
    )


def _wrapped(text: str) -> str:
    """Paragraphs broken into lines; those that begin with spaces are commands, or somebody else's words."""
    lines = [line if line.startswith(" ") else "\n".join(wrap(line, COLUMNS)) for line in text.split("\n")]
    return "\n".join(lines)


def send(settings: Settings, relays: Sequence[Relay], message: bytes) -> tuple[bool, str]:
    """Give a message to the first relay that takes it; whether one did, and what was said. Never raises
    because of a relay, a password or a key: all that is an answer.
    """
    return send_one(settings, relays, Letter(settings.bounce_address, settings.editor_address, message))
