"""Probes: a short letter to a reader whose letters come back, to see whether that one comes back, too.

It has a return path of its own, whose token names the probe: whatever comes back to it is about this letter
and none of an issue. Nothing asks the reader to answer; a letter that does not come back has come through.
"""

from datetime import datetime

from sqlmodel import Session

from newsletter.delivery.evidence import probe_topic
from newsletter.feedback.writing import Writer
from newsletter.models import Probe
from newsletter.states import NoteKind
from subscribers.address import parse_address
from subscribers.models import Subscriber


def ask(session: Session, writer: Writer, reader: Subscriber, now: datetime) -> Probe:
    """Write a probe to a reader. Raises TemplateError."""
    probe = Probe(subscriber_id=reader.id, asked_at=now)
    session.add(probe)
    session.flush()
    writer.write(
        session,
        writer.drafter().probe(reader.address, writer.preferences_url(reader.id)),
        parse_address(reader.address),
        topic=probe_topic(probe.id),
        kind=NoteKind.PROBE,
        now=now,
        return_path=writer.probe_path(probe.id),
    )
    return probe
