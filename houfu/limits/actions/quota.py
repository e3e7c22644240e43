"""How limits move in the ledger."""

from houfu.kernel import clock, ids
from houfu.ledger import actions as ledger
from houfu.ledger.actions import Account, Line

OPERATOR = Account("q:grant:operator", 0)


def move(verb: str, merchant_id: int, *lines: Line) -> None:
    """Move quota as an event of its own."""
    ledger.post(merchant_id, ids.new(), verb, clock.now(), lines)
