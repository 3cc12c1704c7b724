"""What this package needs from outside, as protocols; `newsletter.app` supplies them."""

from typing import Protocol

from sqlmodel import Session


class OpenLetters(Protocol):
    """The letters on their way to a reader."""

    def withdraw(self, session: Session, subscriber_id: int, category: str, reason: str) -> int:
        """Stop every letter of `category` that is not yet on the wire, for a reason; return how many.

        Called in the transaction that ends or pauses the subscription, so that row locks put leaving and
        sending in order.
        """
        ...

    def suppress(self, session: Session, subscriber_id: int, reason: str) -> int:
        """Stop every letter to a reader that is not yet on the wire, by a standing order; return how many.

        Called as `withdraw` is, in the transaction that gives the order.
        """
        ...
