"""Which accounts each step of a split moves. Pure; amounts in fen."""

from collections.abc import Iterator

from houfu.ledger.actions import Account, Line


def divide(store_id: int, party_id: int, fen: int) -> Line:
    """A party is owed its part of what was settled."""
    return Line(Account("claim:settled", store_id), Account("payable:party", party_id), fen)


def send(channel_id: int, fen: int) -> Line:
    """The money leaves the channel's balance before the request does, so that what is concluded later always fits."""
    return Line(Account("cash:transit", channel_id), Account("cash:channel", channel_id), fen)


def unsend(channel_id: int, fen: int) -> Line:
    """The channel has not given it."""
    return Line(Account("cash:channel", channel_id), Account("cash:transit", channel_id), fen)


def pay(channel_id: int, party_id: int, fen: int) -> Line:
    """The channel has given it."""
    return Line(Account("payable:party", party_id), Account("cash:transit", channel_id), fen)


def deny(store_id: int, party_id: int, claim: str, fen: int, recalled_fen: int) -> Iterator[Line]:
    """The party gets nothing: the store's again, less what was refunded of it already."""
    yield Line(Account("payable:party", party_id), Account(claim, store_id), fen)
    yield take_off(store_id, party_id, recalled_fen)


def take_off(store_id: int, party_id: int, fen: int) -> Line:
    """What was refunded comes off what the party is owed."""
    return Line(Account("payable:party", party_id), Account("recall", store_id), fen)


def bring_back(store_id: int, channel_id: int, fen: int) -> Line:
    """The party gave back what was refunded."""
    return Line(Account("cash:channel", channel_id), Account("recall", store_id), fen)


def keep(store_id: int, fen: int) -> Line:
    """The party keeps what was refunded, so the store owes it (O7)."""
    return Line(Account("deficit", store_id), Account("recall", store_id), fen)
