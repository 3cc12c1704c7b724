"""Ghost: the CSV of its members page. Labels stand for lists beside the site's own."""

from subscribers.models import SubscriptionState
from subscribers.moving.cells import RowError, mailbox, meant, moment, name_of, truth
from subscribers.moving.columns import Columns
from subscribers.moving.people import Membership, Newcomer
from subscribers.moving.source import Source
from subscribers.moving.tool import ReadRow, Tool


def _reader(columns: Columns, source: Source) -> ReadRow:
    named = columns.named()
    email, subscribed = named["email"], named["subscribed_to_emails"]
    name, created, deleted, labels = (
        named.get(one) for one in ("name", "created_at", "deleted_at", "labels")
    )

    def read(line: int, cells: list[str]) -> Newcomer:
        address, called = mailbox(cells[email])
        wanted = truth(cells[subscribed])
        if wanted is None:
            raise RowError(f"subscribed_to_emails is {cells[subscribed][:40]!r}, and neither true nor false")
        gone = deleted is not None and bool(cells[deleted].strip())
        state = SubscriptionState.ACTIVE if wanted and not gone else SubscriptionState.LEFT
        joined = moment(cells[created]) if created is not None else None
        since = joined if state is SubscriptionState.ACTIVE else None
        on = meant(cells[labels]).split(",") if labels is not None else []
        lists = dict.fromkeys(" ".join(one.split())[:200] for one in ["", *on])
        return Newcomer(
            line,
            address,
            (name_of(cells[name]) if name is not None else None) or called,
            tuple(Membership(one, state, since) for one in lists),
            joined,
            file=source.part,
        )

    return read


TOOL = Tool("ghost", lambda names: {"email", "subscribed_to_emails"} <= names, _reader)
