"""The ledger: the only place where a balance moves. Other rooms post lines inside their own actions."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
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
    """Move money and quota within the current action; posting the same transfer again moves nothing.

    Lines between the same two accounts are added up, and lines of nothing are left out. Lines in money and lines in
    quota become two transfers of the same id.

    Args:
        transfer_id: id of the event that moves them, chosen by the caller.
        verb: what happened, such as "orders.settle".
        at: when it happened.

    Raises:
        InsufficientBalance, UnitsMayNotMeet, BadLine, UnknownKind, TransferIdReused: nothing moved.
    """
    post_all(merchant_id, verb, at, {transfer_id: lines})


def post_all(merchant_id: int, verb: str, at: datetime, transfers: Mapping[UUID, Iterable[Line]]) -> None:
    """Post several transfers of one kind as `post` does, under one locking of all their accounts."""
    total: dict[tuple[UUID, Account, Account], int] = defaultdict(int)
    for transfer_id, lines in transfers.items():
        for debit, credit, amount_fen in lines:
            if amount_fen < 0:
                raise BadLine(amount_fen=amount_fen)
            total[transfer_id, debit, credit] += amount_fen
    moves = [(*between, amount_fen) for between, amount_fen in total.items() if amount_fen]
    if moves:
        count = len(moves)
        db.call(
            "ledger_post_v1",
            [merchant_id] * count,
            [transfer_id for transfer_id, _, _, _ in moves],
            [verb] * count,
            [at] * count,
            [debit.kind for _, debit, _, _ in moves],
            [debit.owner for _, debit, _, _ in moves],
            [credit.kind for _, _, credit, _ in moves],
            [credit.owner for _, _, credit, _ in moves],
            [amount_fen for _, _, _, amount_fen in moves],
        )


def lock(merchant_id: int, accounts: Iterable[Account]) -> dict[Account, int]:
    """Lock accounts until the end of the action and return their balances as they now are.

    Accounts are opened at need; all that an action will lock is best locked at once, as later calls could cross
    with another action's.
    """
    wanted = list(dict.fromkeys(accounts))
    locked = db.call(
        "ledger_lock_v1",
        [merchant_id] * len(wanted),
        [account.kind for account in wanted],
        [account.owner for account in wanted],
    )
    return {wanted[row.no - 1]: row.balance_fen for row in locked}
