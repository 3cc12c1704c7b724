"""What a slot offers, and which of it a reader gets: both modes' rule, for planning and foretelling alike.

Pure. Posts go by their ids.
"""

from collections.abc import Iterable, Set

from newsletter.content.readiness import Waiting, ready
from newsletter.models import Category
from newsletter.states import EntryState, Mode

PostIds = tuple[int, ...]
"""The posts of a letter or of an issue, in the order in which they go."""


def offered(category: Category, waiting: Waiting, slot_key: str) -> PostIds:
    """What a slot has for readers, of what waits in the category's queue.

    A broadcast has the next posts that may go, a sequence all of them from its start on, if that waits.
    """
    if category.mode == Mode.BROADCAST:
        return tuple(post.id for _, post in ready(waiting, slot_key)[: category.posts_per_issue])
    places = (place for place, (_, post) in enumerate(waiting) if post.id == category.start_post_id)
    return tuple(post.id for _, post in ready(waiting[next(places, 0) :], slot_key))


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


def why_empty(category: Category, waiting: Waiting, offer: PostIds) -> str:
    """Why nobody gets anything at a slot with this offer."""
    if category.mode == Mode.SEQUENCE and offer:
        return "nothing is queued that a reader lacks"
    if any(entry.state == EntryState.QUEUED for entry, _ in waiting):
        return "nothing that is queued may go yet, or any more"
    return "nothing is queued"
