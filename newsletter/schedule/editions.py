"""Writing an edition: what readers are shown, and the posts it is made of as they are now."""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import zip_longest

from sqlmodel import Session, select

from newsletter.models import Edition, EditionPost, Post
from newsletter.render.edition import Occasion

MakeEdition = Callable[[Occasion, Sequence[Post], datetime], Edition]
"""`EditionMaker.make`: renders an issue's posts, in one edition."""


def write_edition(
    session: Session, make_edition: MakeEdition, occasion: Occasion, posts: Sequence[Post], now: datetime
) -> int:
    """Render posts in their order and keep that; returns the edition's id, which may be there already.

    Raises as `make_edition` does.
    """
    edition = make_edition(occasion, posts, now)
    same = session.exec(select(Edition.id).where(Edition.key == edition.key)).first()
    if same is not None:
        return same
    session.add(edition)
    session.flush()
    session.add_all(
        EditionPost(
            edition_id=edition.id,
            place=place,
            post_id=post.id,
            path=post.path,
            source=post.source,
            section=section,
        )
        for place, (post, section) in enumerate(zip_longest(posts, occasion.sections))
    )
    session.flush()
    return edition.id
