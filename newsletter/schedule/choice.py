"""What a slot offers, and which of it a reader gets: both modes' rule, for planning and foretelling alike.

Pure. Posts go by their ids.
"""

from collections import Counter
from collections.abc import Iterable, Set

from newsletter.content.readiness import Waiting, ready
from newsletter.models import Category
from newsletter.states import EntryState, Mode

PostIds = tuple[int, ...]
"""The posts of a letter or of an issue, in the order in which they go."""


def offered(category: Category, waiting: Waiting, slot_key: str) -> PostIds:
    """What a slot has for readers, of what waits in the category's queue.

    A broadcast has the next posts that may go, a sequence all of them.
    """
    able = tuple(post.id for _, post in ready(waiting, slot_key))
    return able[: category.posts_per_issue] if category.mode == Mode.BROADCAST else able


def letter_for(had: Set[int], offer: PostIds, most: int) -> PostIds:
    """The posts of a reader's letter: the first on offer that they have not had, at most so many."""
    lacked: list[int] = []
    for post in offer:
        if post not in had:
            lacked.append(post)
            if len(lacked) == most:
                break
    return tuple(lacked)


def posts_of_issue(category: Category, offer: PostIds, letters: Iterable[PostIds]) -> PostIds:
    """The posts that go out at a slot, in their order.

    A broadcast takes what it offers, also where nobody is there to get it.
    """
    if category.mode == Mode.BROADCAST:
        return offer
    given = {post for posts in letters for post in posts}
    return tuple(post for post in offer if post in given)


def goes_on(category: Category, waiting: Waiting, next_key: str, offer: PostIds, letter: PostIds) -> bool:
    """Whether the readers of a letter have something to expect at the next slot, as far as is known now."""
    if category.mode == Mode.BROADCAST:
        rest = [(entry, post) for entry, post in waiting if post.id not in offer]
        return bool(offered(category, rest, next_key))
    had = set(offer[: offer.index(letter[-1]) + 1])
    return not had.issuperset(offered(category, waiting, next_key))


def why_empty(waiting: Waiting, offer: PostIds, *, has_readers: bool) -> str:
    """Why nothing goes at a slot with this offer."""
    if offer:
        return "nothing is queued that a reader lacks" if has_readers else "nobody is there to get it"
    counts = Counter(entry.state for entry, _ in waiting)
    kinds = {
        EntryState.QUEUED: "not yet or no more allowed",
        EntryState.HELD: "held",
        EntryState.PROPOSED: "to be approved",
    }
    said = ", ".join(f"{counts[state]} {words}" for state, words in kinds.items() if counts[state])
    return f"nothing that waits may go: {said}" if said else "nothing is queued"
