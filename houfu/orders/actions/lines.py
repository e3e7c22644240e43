"""Buyers' lines that orders hold: let go of where an order never came to be (O5, I-23)."""

from datetime import timedelta

from houfu.buyers import queries as buyers
from houfu.kernel import clock, db
from houfu.people.actor import Actor
from houfu.policies import queries as policies


@db.action
def free_lines(*, by: Actor) -> int:
    """Let go of what was held for orders that were refused, or of which nobody has heard, and return how many.

    On one server a line is held in the transaction that decides the order, and there is nothing to do.
    """
    by.require("platform:write")
    now = clock.now()
    unknown = buyers.unknown(now - timedelta(minutes=policies.at(now).buyers.unknown_minutes))
    if not unknown:
        return 0
    merchants, orders = (list(column) for column in zip(*unknown, strict=True))
    return int(db.call("orders_free_lines_v1", merchants, orders)[0].freed)
