"""Which accounts each step of a payout moves. Pure; amounts in fen."""

from collections.abc import Iterator

from houfu.ledger.actions import Account, Line


def reserve(store_id: int, amount_fen: int) -> Line:
    """The store's matured money is set aside."""
    return Line(Account("claim:matured", store_id), Account("claim:reserved", store_id), amount_fen)


def release(store_id: int, amount_fen: int) -> Line:
    """What was set aside is the store's again."""
    return Line(Account("claim:reserved", store_id), Account("claim:matured", store_id), amount_fen)


def send(channel_id: int, net_fen: int, fee_fen: int) -> Iterator[Line]:
    """The money leaves the channel's balance before the request does; its fee is spent."""
    yield Line(Account("cash:transit", channel_id), Account("cash:channel", channel_id), net_fen)
    yield Line(Account("fee:expense:payout", channel_id), Account("cash:channel", channel_id), fee_fen)


def unsend(channel_id: int, net_fen: int, fee_fen: int) -> Iterator[Line]:
    """The channel has not sent it and keeps no fee."""
    yield Line(Account("cash:channel", channel_id), Account("cash:transit", channel_id), net_fen)
    yield Line(Account("cash:channel", channel_id), Account("fee:expense:payout", channel_id), fee_fen)


def pay(store_id: int, channel_id: int, net_fen: int, fee_fen: int) -> Iterator[Line]:
    """The beneficiary has it; the store bore the fee."""
    yield Line(Account("claim:reserved", store_id), Account("cash:transit", channel_id), net_fen)
    yield Line(Account("claim:reserved", store_id), Account("fee:recovered", store_id), fee_fen)


def give_back(store_id: int, channel_id: int, net_fen: int, fee_fen: int) -> Iterator[Line]:
    """The beneficiary's bank sent it back; the channel returns its fee too."""
    yield Line(Account("cash:channel", channel_id), Account("claim:matured", store_id), net_fen)
    yield Line(Account("cash:channel", channel_id), Account("fee:expense:payout", channel_id), fee_fen)
    yield Line(Account("fee:recovered", store_id), Account("claim:matured", store_id), fee_fen)
