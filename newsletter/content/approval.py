"""Approval: where a site asks for it, what is added waits as proposed until somebody says that it may go.

Who approved a post and when stands in its entry, and is about the text it had then: with another text it is
proposed again, wherever it has not gone out, also where it was held.
"""

from collections.abc import Sequence

from sqlmodel import Session

from newsletter.content.history import Action, Editor, record
from newsletter.content.queue import change_entry, change_places, entries
from newsletter.errors import QueueError
from newsletter.models import Category, QueueEntry
from newsletter.states import WAITING, EntryState


def proposed(session: Session, categories: Sequence[Category]) -> list[str]:
    """The slugs of what waits for approval in these categories, each once, in their order."""
    found = [
        post.slug for category in categories for _, post in entries(session, category, (EntryState.PROPOSED,))
    ]
    return list(dict.fromkeys(found))


def approve(
    session: Session, slugs: Sequence[str], category: Category | None, *, editor: Editor
) -> dict[str, list[str]]:
    """Let proposed posts go, in one category or wherever they are proposed: each post's categories.

    Raises QueueError naming every post that waits for no approval; none is approved then.
    """
    approved: dict[str, list[str]] = {}
    problems = []
    for slug in dict.fromkeys(slugs):
        try:
            approved[slug] = change_places(
                session,
                slug,
                category,
                now_in=(EntryState.PROPOSED,),
                action=Action.APPROVED,
                editor=editor,
                state=EntryState.QUEUED,
                approved_by=editor.name,
                approved_at=editor.now,
            )
        except QueueError as error:
            problems.append(str(error))
    if problems and approved:
        problems.append("nothing was approved")
    if problems:
        raise QueueError("\n".join(problems))
    return approved


def withdraw(session: Session, entry: QueueEntry, category: Category, slug: str, editor: Editor) -> bool:
    """Have a post whose text has changed approved anew; whether it could have gone until now.

    One that is held stays held: it is proposed when it is released.
    """
    # What is proposed is touched too: whoever approves the old text at this moment has to wait.
    change_entry(session, entry, WAITING, approved_by=None, approved_at=None)
    is_withdrawn = change_entry(session, entry, (EntryState.QUEUED,), state=EntryState.PROPOSED)
    if is_withdrawn:
        record(session, editor, Action.PROPOSED, category.slug, slug, "its text has changed")
    return is_withdrawn
