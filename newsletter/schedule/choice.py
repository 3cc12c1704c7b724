"""What a slot offers, and which of it a reader gets: both modes' rule, for planning and foretelling alike.

Pure. Posts go by their ids.
"""

from collections.abc import Iterable, Sequence, Set

from newsletter.models import Category
from newsletter.states import Mode

PostIds = tuple[int, ...]
"""The posts of a letter or of an issue, in the order of their queue."""


def offered(category: Category, ready: Sequence[int]) -> PostIds:
    """What a slot has for readers, of the posts that may go at it, in the order of their queue.

    A broadcast has its next ones, a sequence all from its start on; a start that is not among them is none.
    """
    if category.mode == Mode.BROADCAST:
        return tuple(ready[: category.posts_per_issue])
    first = ready.index(category.start_post_id) if category.start_post_id in ready else 0
    return tuple(ready[first:])


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
    """The posts that go out at a slot, in the order of their queue.

    A broadcast takes what it offers, also where nobody is there to get it.
    """
    if category.mode == Mode.BROADCAST:
        return offer
    given = {post for posts in letters for post in posts}
    return tuple(post for post in offer if post in given)
