"""The states of a delivery and of everything else that has one, and which changes are legal.

Every change of a delivery is an UPDATE that names the state it comes from, so a change that is not in
`LEGAL` cannot happen by a race. Sent means the relay said 250: it has taken responsibility
(RFC 5321 §4.2.5). Delivered is a word for what a later report says, and no state here.
"""

from enum import StrEnum

GONE = "(erased)"
"""What stands where words were that named somebody who was erased."""


class DeliveryState(StrEnum):
    """Where one letter to one reader stands."""

    QUEUED = "queued"  # owed, nobody is at it
    CLAIMED = "claimed"  # a process has taken it, its body is not on the wire
    SENDING = "sending"  # its body may be on the wire, its reply is not recorded
    SENT = "sent"  # the relay's 250
    DEFERRED = "deferred"  # a passing refusal; due again later
    BOUNCED = "bounced"  # a lasting refusal
    SUPPRESSED = "suppressed"  # a standing order forbids it
    IN_DOUBT = "in_doubt"  # its body may have arrived; nobody can know (RFC 1047)
    HELD = "held"  # a person holds it back; nothing writes it yet
    EXPIRED = "expired"  # deferred for so long that the letter is stale
    CANCELLED = "cancelled"  # the reader left, or the issue was cancelled, before it went


OPEN = (DeliveryState.QUEUED, DeliveryState.CLAIMED, DeliveryState.DEFERRED, DeliveryState.HELD)
"""States in which nothing is on the wire and a letter can still be stopped."""

UNSENT = (
    DeliveryState.BOUNCED,
    DeliveryState.SUPPRESSED,
    DeliveryState.EXPIRED,
    DeliveryState.CANCELLED,
)
"""Ends at which the reader does not have the post, so the receipt is released."""

LEGAL: dict[DeliveryState, frozenset[DeliveryState]] = {
    DeliveryState.QUEUED: frozenset(
        {DeliveryState.CLAIMED, DeliveryState.HELD, DeliveryState.SUPPRESSED, DeliveryState.EXPIRED}
        | {DeliveryState.CANCELLED}
    ),
    DeliveryState.CLAIMED: frozenset(
        {DeliveryState.SENDING, DeliveryState.QUEUED, DeliveryState.DEFERRED, DeliveryState.BOUNCED}
        | {DeliveryState.SUPPRESSED, DeliveryState.EXPIRED, DeliveryState.CANCELLED}
        # Given back untried, where an earlier try has left a doubt: claiming it has not resolved that.
        | {DeliveryState.IN_DOUBT}
    ),
    DeliveryState.SENDING: frozenset(
        {DeliveryState.SENT, DeliveryState.DEFERRED, DeliveryState.BOUNCED, DeliveryState.IN_DOUBT}
        | {DeliveryState.EXPIRED}
    ),
    DeliveryState.DEFERRED: frozenset(
        {DeliveryState.CLAIMED, DeliveryState.HELD, DeliveryState.SUPPRESSED, DeliveryState.EXPIRED}
        | {DeliveryState.CANCELLED}
    ),
    DeliveryState.IN_DOUBT: frozenset(
        {DeliveryState.CLAIMED, DeliveryState.SENT, DeliveryState.QUEUED, DeliveryState.CANCELLED}
        | {DeliveryState.SUPPRESSED}
        # A report that came back for it shows that it had been taken.
        | {DeliveryState.BOUNCED}
    ),
    DeliveryState.HELD: frozenset({DeliveryState.QUEUED, DeliveryState.CANCELLED, DeliveryState.SUPPRESSED}),
    DeliveryState.SENT: frozenset({DeliveryState.BOUNCED}),
    DeliveryState.BOUNCED: frozenset({DeliveryState.QUEUED}),
    DeliveryState.SUPPRESSED: frozenset(),
    DeliveryState.EXPIRED: frozenset({DeliveryState.QUEUED}),
    DeliveryState.CANCELLED: frozenset(),
}
"""From a state to those that may follow it. Only a person queues again what has bounced or expired."""


class Fault(StrEnum):
    """Whose fault a refusal is; only the first two may ever count against a reader."""

    ADDRESS = "address"  # nobody is there
    MAILBOX = "mailbox"  # somebody is, and cannot take it: full, disabled, too slow
    POLICY = "policy"  # the sender is not trusted: authentication, reputation, rate (x.7.x)
    MESSAGE = "message"  # this letter: its size, its content
    RELAY = "relay"  # the way there: routing, the relay itself


class BounceClass(StrEnum):
    """Why a letter did not arrive; policy and content are never held against its reader."""

    DEAD = "dead"  # nobody is there, and nobody will be
    DISABLED = "disabled"  # the mailbox is switched off, perhaps for a while
    FULL = "full"  # the mailbox has no room
    ROUTING = "routing"  # the way there: names, hosts, time that ran out
    UNCLEAR = "unclear"  # it failed, and nobody says why
    POLICY = "policy"  # the sender is not trusted: lists, authentication, reputation, rate
    CONTENT = "content"  # this letter: its size, what it holds


class VerdictKind(StrEnum):
    """What was found out about a letter after, or as, it was sent."""

    BOUNCE = "bounce"  # it did not arrive
    DELAY = "delay"  # it has not arrived yet
    DELIVERED = "delivered"  # it has arrived, a report says
    COMPLAINT = "complaint"  # its reader reported it as unwanted


class Effect(StrEnum):
    """What a verdict did to its reader."""

    NONE = "none"  # nothing: it says nothing against them
    STRIKE = "strike"  # it counts, together with others
    PROBE = "probe"  # it was one too many: they were asked whether letters reach them
    SUPPRESSED = "suppressed"  # they are written to no more


class EntryState(StrEnum):
    """Where a post stands in a category's queue."""

    QUEUED = "queued"
    HELD = "held"
    ISSUED = "issued"
    DROPPED = "dropped"
    PROPOSED = "proposed"  # waits for somebody's approval


WAITING = (EntryState.QUEUED, EntryState.HELD, EntryState.PROPOSED)
"""States in which a post has a place in the queue; only what is queued goes out."""


class IssueKind(StrEnum):
    """What an issue is for."""

    SLOT = "slot"  # a slot of the category's cadence
    WELCOME = "welcome"  # to those who have just joined
    ERRATUM = "erratum"  # a post that changed after it was sent, for those who got it
    DIGEST = "digest"  # the posts of several slots, for those who want one letter of them


DIGEST = "digest"
"""What stands for a category in digests and their letters; no category is called so."""


class IssueState(StrEnum):
    """What became of a slot."""

    PLANNED = "planned"  # deliveries are written, and go out
    PAUSED = "paused"  # a person, or its first share, stopped it; its letters wait
    CANCELLED = "cancelled"  # a person ended it; what was unsent stays unsent
    EMPTY = "empty"  # the queue had nothing
    SKIPPED = "skipped"  # a day that is left out; found too late to be caught up; broken for too long


class Mode(StrEnum):
    """How a category chooses at a slot."""

    BROADCAST = "broadcast"  # everyone gets the next queued post
    SEQUENCE = "sequence"  # each reader gets the first queued post they have not had


class PicturePolicy(StrEnum):
    """How the pictures of a post reach its reader."""

    LINK = "link"  # where the blog has them
    HOST = "host"  # made fit for mail, and served by this site
    EMBED = "embed"  # made fit for mail, and within the message


class NoticeKind(StrEnum):
    """What the editor is told of, the most urgent first."""

    FAILED = "failed"  # a slot's letters cannot be made
    HALTED = "halted"  # an issue's letters go no further
    DISTRUSTED = "distrusted"  # mail systems refuse letters for the sender's sake
    EMPTY = "empty"  # a slot at which nothing was queued
    LOW = "low"  # a queue with few posts left
    ASIDE = "aside"  # mail that came in and waits for a person


class NoteState(StrEnum):
    """Where a short letter stands."""

    QUEUED = "queued"
    SENT = "sent"
    BOUNCED = "bounced"
    EXPIRED = "expired"  # refused for so long that nobody waits for it any more


class NoteKind(StrEnum):
    """What a short letter is for."""

    CONFIRMATION = "confirmation"
    ANSWER = "answer"
    FORWARD = "forward"  # a reader's letter, to the editor
    PROBE = "probe"  # asks a reader whether letters reach them


class InboundState(StrEnum):
    """Where a mail that came in stands."""

    NEW = "new"  # kept, and not looked at yet
    DONE = "done"
    LETTER = "letter"  # a letter that waits here for the editor, who cannot be sent it
    REPORT = "report"  # about a letter of ours, kept for evidence
    ASIDE = "aside"  # nobody could tell what to do with it: a person is to look
