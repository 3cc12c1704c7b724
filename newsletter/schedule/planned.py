"""What planning came to, or will come to: slots and digests, for whoever is told."""

from dataclasses import dataclass
from datetime import datetime

from newsletter.errors import PaperroundError
from newsletter.models import Category, Post
from newsletter.schedule.digests import Digest
from newsletter.schedule.future import Given
from newsletter.schedule.timetable import Slot
from newsletter.states import DIGEST, IssueState


@dataclass(frozen=True, slots=True)
class PlannedIssue:
    """What a slot came to, or will come to."""

    category: str
    slot: str
    timezone: str
    due_at: datetime
    state: IssueState
    posts: tuple[Post, ...]
    readers: int
    """Who is given the posts, by letters of the issue or by digests."""
    reason: str = ""
    issue_id: int | None = None
    in_digests: int = 0
    """How many of them have the posts by a digest."""


@dataclass(frozen=True, slots=True)
class PlanFailure:
    """A slot that could not be written, and why; it stays due."""

    category: str
    slot: str
    error: PaperroundError


def of_written(digest: Digest) -> PlannedIssue | PlanFailure:
    """Digests as they were written, or why they could not be."""
    return PlanFailure(DIGEST, digest.slot, digest.error) if digest.error else of_digest(digest)


def of_digest(digest: Digest) -> PlannedIssue:
    """Digests of one time."""
    return PlannedIssue(
        DIGEST, digest.slot, digest.timezone, digest.due_at, IssueState.PLANNED, digest.posts,
        digest.readers, issue_id=digest.issue_id, in_digests=digest.readers,
    )  # fmt: skip


def decided(category: Category, slot: Slot, given: Given, issue_id: int | None = None) -> PlannedIssue:
    """A slot with what it gave."""
    reason = given.reason
    if slot.left_out:
        state, reason = IssueState.SKIPPED, slot.left_out
    elif given.posts:
        state, reason = IssueState.PLANNED, ""
    else:
        state = IssueState.EMPTY
    return PlannedIssue(
        category.slug, slot.key, category.timezone, slot.due_at, state, given.posts,
        given.readers, reason, issue_id, given.in_digests,
    )  # fmt: skip
