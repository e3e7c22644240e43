"""Which accounts each step of an order moves: the table of the domain, as lines. Pure."""

from collections.abc import Iterator

from houfu.ledger.actions import Account, Line


def receive(store_id: int, gross_fen: int) -> Iterator[Line]:
    """The buyer owes, and the store will be owed."""
    yield Line(Account("ar:buyer", store_id), Account("claim:pending", store_id), gross_fen)


def settle(store_id: int, channel_id: int, gross_fen: int, fee_fen: int) -> Iterator[Line]:
    """The channel has the buyer's money and kept its fee, which the store bears."""
    yield Line(Account("cash:channel", channel_id), Account("ar:buyer", store_id), gross_fen - fee_fen)
    yield Line(Account("fee:expense:channel", channel_id), Account("ar:buyer", store_id), fee_fen)
    yield Line(Account("claim:pending", store_id), Account("claim:settled", store_id), gross_fen - fee_fen)
    yield Line(Account("claim:pending", store_id), Account("fee:recovered", store_id), fee_fen)


def mature(store_id: int, net_fen: int) -> Iterator[Line]:
    """What was settled may be paid out."""
    yield Line(Account("claim:settled", store_id), Account("claim:matured", store_id), net_fen)


def refund_unsettled(store_id: int, fen: int) -> Iterator[Line]:
    """The buyer owes less, and so will the store be owed."""
    yield Line(Account("claim:pending", store_id), Account("ar:buyer", store_id), fen)


def refund_settled(store_id: int, channel_id: int, claim: str, claim_fen: int, deficit_fen: int) -> Iterator[Line]:
    """The channel gave money back: out of the lot while it lasts, the rest is the store's deficit (O7)."""
    yield Line(Account(claim, store_id), Account("cash:channel", channel_id), claim_fen)
    yield Line(Account("deficit", store_id), Account("cash:channel", channel_id), deficit_fen)


def recall(store_id: int, channel_id: int, fen: int) -> Line:
    """The channel gave money back that parties of the order are to bring (L8)."""
    return Line(Account("recall", store_id), Account("cash:channel", channel_id), fen)


def offset(store_id: int, fen: int) -> Iterator[Line]:
    """Matured money repays the deficit before anything else (O7)."""
    yield Line(Account("claim:matured", store_id), Account("deficit", store_id), fen)


def dispute(store_id: int, claim: str, fen: int) -> Iterator[Line]:
    """What is disputed is kept back."""
    yield Line(Account(claim, store_id), Account("claim:disputed", store_id), fen)


def end_dispute(store_id: int, claim: str, fen: int) -> Iterator[Line]:
    """What is no longer disputed goes back to where it was."""
    yield Line(Account("claim:disputed", store_id), Account(claim, store_id), fen)


def write_off(store_id: int, fen: int) -> Iterator[Line]:
    """The buyer will not pay; the store bears it."""
    yield Line(Account("claim:pending", store_id), Account("ar:buyer", store_id), fen)
