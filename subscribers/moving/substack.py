"""Substack: the ZIP of a publication's export, or the `email_list` CSV out of it.

Whoever turned its mail off has left. Those who pay are on a list `paid` as well.
"""

from subscribers.models import SubscriptionState
from subscribers.moving.cells import RowError, mailbox, moment, truth
from subscribers.moving.columns import Columns
from subscribers.moving.people import Membership, Newcomer
from subscribers.moving.source import CsvError, Source
from subscribers.moving.tool import ReadRow, Tool


def _is_it(names: frozenset[str]) -> bool:
    return {"email", "email_disabled"} <= names or _is_dashboard(names)


def _is_dashboard(names: frozenset[str]) -> bool:
    return {"email", "type", "start date", "stripe plan"} <= names


def _reader(columns: Columns, source: Source) -> ReadRow:
    named = columns.named()
    if "email_disabled" not in named:
        raise CsvError(
            f"{source.shown}: is the table of Substack's dashboard, which does not say who turned mail off; "
            f"take the export in its settings, which has an email_list"
        )
    email, disabled = named["email"], named["email_disabled"]
    paid, created = named.get("active_subscription"), named.get("created_at")

    def read(line: int, cells: list[str]) -> Newcomer:
        address, called = mailbox(cells[email])
        off = truth(cells[disabled])
        if off is None:
            raise RowError(f"email_disabled is {cells[disabled][:40]!r}, and neither true nor false")
        state = SubscriptionState.LEFT if off else SubscriptionState.ACTIVE
        joined = moment(cells[created]) if created is not None else None
        lists = ["", "paid"] if paid is not None and truth(cells[paid]) else [""]
        since = None if off else joined
        memberships = tuple(Membership(one, state, since) for one in lists)
        return Newcomer(line, address, called, memberships, joined, file=source.part)

    return read


TOOL = Tool("substack", _is_it, _reader)
