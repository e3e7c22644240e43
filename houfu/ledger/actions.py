"""The ledger: the only place where a balance moves. Other rooms post lines inside their own actions."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from houfu.kernel import db
from houfu.kernel.errors import Refused


class Account(NamedTuple):
    """Names an account within a merchant: its kind in the chart and the id of the store, pool or channel account."""

    kind: str
    owner: int


class Line(NamedTuple):
    """Takes an amount from the credit account to the debit account."""

    debit: Account
    credit: Account
    amount_fen: int


class Transfer(NamedTuple):
    """What one event moves.

    Args:
        id: id of the event, chosen by the caller.
        verb: what happened, such as "orders.settle".
        at: when it happened.
    """

    merchant_id: int
    id: UUID
    verb: str
    at: datetime
    lines: Iterable[Line]


@db.refuse_on("ledger_account_floor")
class InsufficientBalance(Refused):
    """An account would fall below zero: a limit, a claim or the channel's cash does not suffice."""

    code = "ledger_account_floor"


@db.refuse_on("ledger_entry_credit_unit")
class UnitsMayNotMeet(Refused):
    """Money and quota cannot stand in one transfer (W1)."""

    code = "ledger_units_may_not_meet"


@db.refuse_on("ledger_entry_amount", "ledger_entry_two_accounts")
class BadLine(Refused):
    """A line moves an amount above zero, of at most 10¹³ fen, between two different accounts (I-01)."""

    code = "ledger_line_invalid"
    status = 422


@db.refuse_on("HF101")
class UnknownKind(Refused):
    """The chart has no such kind of account."""

    code = "ledger_kind_unknown"


@db.refuse_on("HF102")
class TransferIdReused(Refused):
    """A transfer of this id exists with other lines."""

    code = "ledger_transfer_id_reused"


def post(merchant_id: int, transfer_id: UUID, verb: str, at: datetime, lines: Iterable[Line]) -> None:
    """Move money and quota within the current action, as `post_all` does, for one event."""
    post_all([Transfer(merchant_id, transfer_id, verb, at, lines)])


def post_all(transfers: Iterable[Transfer]) -> None:
    """Move money and quota within the current action; posting the same transfer again moves nothing.

    Lines of a transfer between the same two accounts are added up, and lines of nothing are left out. Lines in money
    and lines in quota become two transfers of the same id.

    Raises:
        InsufficientBalance, UnitsMayNotMeet, BadLine, UnknownKind, TransferIdReused: nothing moved.
    """
    moves: list[tuple[Any, ...]] = []
    for merchant_id, id, verb, at, lines in transfers:
        total: dict[tuple[Account, Account], int] = defaultdict(int)
        for debit, credit, amount_fen in lines:
            if amount_fen < 0:
                raise BadLine(amount_fen=amount_fen)
            total[debit, credit] += amount_fen
        moves += [
            (merchant_id, id, verb, at, *debit, *credit, amount_fen)
            for (debit, credit), amount_fen in total.items()
            if amount_fen
        ]
    if moves:
        db.call("ledger_post_v1", *(list(column) for column in zip(*moves, strict=True)))


def lock(merchant_id: int, accounts: Iterable[Account]) -> dict[Account, int]:
    """Lock accounts until the end of the action and return their balances as they now are.

    Accounts are opened at need; all that an action will lock is best locked at once, as later calls could cross
    with another action's.
    """
    wanted = list(dict.fromkeys(accounts))
    return dict(zip(wanted, lock_of([(merchant_id, account) for account in wanted]), strict=True))


def lock_of(accounts: Sequence[tuple[int, Account]]) -> list[int]:
    """Lock accounts of several merchants, as `lock` does those of one, and return their balances in the same order.

    Args:
        accounts: merchant and account.
    """
    locked = db.call(
        "ledger_lock_v1",
        [merchant_id for merchant_id, _ in accounts],
        [account.kind for _, account in accounts],
        [account.owner for _, account in accounts],
    )
    return [row.balance_fen for row in locked]
