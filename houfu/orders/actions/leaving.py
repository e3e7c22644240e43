"""What payouts and splits do to lots: money taken and given back, orders closed once all has left (W2, L8)."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from houfu.kernel import db
from houfu.kernel.errors import Refused
from houfu.orders.states import ORDER
from houfu.orders.work import Work
from houfu.people.actor import Actor


@db.refuse_on("orders_lot_allocated_within_net")
class NotThatMuchLeft(Refused):
    """The store's matured lots hold less than that (W2)."""

    code = "orders_lot_allocated_within_net"


# Whoever asks has seen that there is enough; if there is not, somebody else was quicker, and it must look again.
db.retry_on("HF301")


class Part(NamedTuple):
    """An amount taken from one lot; `generation` counts how often money of the lot came back."""

    order_id: str
    amount_fen: int
    generation: int


def allocate(amounts: Sequence[tuple[int, int, int]]) -> list[list[Part]]:
    """Take amounts from stores' lots within the current action, oldest first, and return the parts of each.

    Args:
        amounts: merchant, store and amount in fen; each store once, held by the caller.

    Raises:
        Busy: a store has less, however often the action looked again; nothing was taken.
    """
    rows = db.call("orders_allocate_v1", *(list(column) for column in zip(*amounts, strict=True)))
    parts: list[list[Part]] = [[] for _ in amounts]
    for row in rows:
        parts[row.no - 1].append(Part(row.id, row.amount_fen, row.generation))
    return parts


def free(*, merchant_id: int, parts: Sequence[Part], sent: bool) -> None:
    """Give parts back to their lots within the current action, before it books them: lots are locked before accounts.

    Args:
        sent: whether the channel has ever heard of them; then their generation rises, so that the same parts asked
            for again become another request (I-08).
    """
    db.call(
        "orders_free_v1", merchant_id, [part.order_id for part in parts], [part.amount_fen for part in parts], int(sent)
    )


def split(*, merchant_id: int, parts: Sequence[tuple[str, int]]) -> None:
    """Give parts of settled orders to parties within the current action, before it books them (L8).

    Args:
        parts: order id and amount in fen, each order once.

    Raises:
        NotThatMuchLeft: nothing was given.
    """
    db.call("orders_split_v1", merchant_id, [order_id for order_id, _ in parts], [fen for _, fen in parts])


def unsplit(*, by: Actor, merchant_id: int, order_id: str, amount_fen: int, at: datetime) -> str:
    """Take a part in again that its party does not get, within the current action, before it books it.

    Returns:
        The account of the order's store that holds what is left of the order: settled or matured.
    """
    reopen(by=by, merchant_id=merchant_id, order_ids=[order_id], at=at)
    return str(db.call("orders_split_v1", merchant_id, [order_id], [-amount_fen])[0].claim)


def close(*, by: Actor, merchant_id: int, order_ids: Sequence[str], at: datetime) -> None:
    """Close those of the orders of whose money nothing is left, within the current action.

    Args:
        order_ids: orders all of whose allocated money has been paid.
    """
    _move(by, merchant_id, order_ids, at, "closed", "close")


def reopen(*, by: Actor, merchant_id: int, order_ids: Sequence[str], at: datetime) -> None:
    """Open closed orders again whose payout came back, within the current action, before their parts are free."""
    _move(by, merchant_id, order_ids, at, "reopened", "reopen")


def _move(by: Actor, merchant_id: int, order_ids: Sequence[str], at: datetime, verb: str, move: str) -> None:
    work = Work(by=by, merchant_id=merchant_id, verb=verb, at=at)
    work.hold(order_ids)
    sources, target = ORDER[move]
    for order in work.orders.values():
        if order.state in sources and work.lots[order.id].left_fen == 0:
            order.state = target
            work.step(order, at, ref=str(work.id))
    work.write()
