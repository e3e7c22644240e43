"""Authorising: whether pay-later orders may be taken, decided a batch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from houfu.kernel import clock, db, ids
from houfu.kernel.errors import Invalid
from houfu.orders.steps import refuse_future
from houfu.people.actor import Actor
from houfu.policies import queries as policies


@db.refuse_on("orders_order_id_form", "orders_order_amount", "orders_order_buyer_form")
class BadOrder(Invalid):
    """An order has an id of up to 64 plain characters, an amount of 1 to 10¹³ fen, and a buyer written like the id."""

    code = "order_invalid"


db.retry_on("orders_order_once")


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to be decided.

    Args:
        id: the caller's own number, unique within the merchant.
        buyer: the caller's pseudonym for the buyer, if there is one.
        at: when it was placed; the policy of that instant decides.
    """

    merchant_id: int
    id: str
    store_id: int
    amount_fen: int
    at: datetime
    buyer: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer about an order.

    Args:
        state: "authorised", "declined", a later state of an order that was decided before, or "refused" where
            nothing was recorded.
        repeated: whether this is the answer given earlier.
        own_fen, pool_fen, temp_fen, tolerance_fen: the sources it stands on (G6).
        reasons: every reason against it, as stable codes.
    """

    id: str
    state: str
    repeated: bool
    own_fen: int
    pool_fen: int
    temp_fen: int
    tolerance_fen: int
    reasons: tuple[str, ...]


@db.action
def authorise(*, by: Actor, orders: Sequence[NewOrder]) -> list[Decision]:
    """Decide orders in the order given, each in full or not at all, and record every decision (G5, G6, O6).

    A duplicate gets its first answer. A declined order leaves its room to those after it.

    Raises:
        BadOrder, InTheFuture: one of them is not well formed; none was decided.
    """
    if orders:
        refuse_future(max(order.at for order in orders))
    for merchant_id in {order.merchant_id for order in orders}:
        by.require("orders:write", merchant_id)
    decisions: list[Decision] = []
    for policy, run in groupby(orders, key=lambda order: policies.at(order.at)):
        batch = list(run)
        rows = db.call(
            "orders_authorise_v1",
            ids.new(),
            by.label,
            policy.version,
            policy.orders.tolerance_permille,
            clock.now(),
            [order.merchant_id for order in batch],
            [order.id for order in batch],
            [order.store_id for order in batch],
            [order.amount_fen for order in batch],
            [order.buyer for order in batch],
            [order.at for order in batch],
        )
        decisions.extend(
            Decision(
                order.id,
                row.state,
                row.repeated,
                row.own_fen or 0,
                row.pool_fen or 0,
                row.temp_fen or 0,
                row.tolerance_fen or 0,
                tuple(row.reasons or ()),
            )
            for order, row in zip(batch, rows, strict=True)
        )
    return decisions
