"""Authorising: whether pay-later orders may be taken, decided a batch at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from houfu.kernel import clock, db, ids, isolation
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


@dataclass(frozen=True, slots=True)
class Asked:
    """An order, and who asks for it."""

    by: Actor
    order: NewOrder


def authorise(*, by: Actor, orders: Sequence[NewOrder]) -> list[Decision]:
    """Decide orders of one asker in the order given; see `decide`."""
    return decide(asked=[Asked(by, order) for order in orders])


def decide(*, asked: Sequence[Asked]) -> list[Decision]:
    """Decide orders in the order given, each in full or not at all, and record every decision (G5, G6, O6).

    They may be of several merchants and askers. A duplicate gets its first answer. A declined order leaves its room
    to those after it.

    Raises:
        BadOrder, InTheFuture, Forbidden: one of them is not well formed, or not its asker's to ask; none was decided.
    """
    if not asked:
        return []
    merchants = {each.by.merchant_id for each in asked}
    with isolation.acting(isolation.Party("orders", merchants.pop() if len(merchants) == 1 else None)):
        return _decide(asked)


@db.action
def _decide(asked: Sequence[Asked]) -> list[Decision]:
    refuse_future(max(each.order.at for each in asked))
    in_force = policies.at_each(each.order.at for each in asked)
    batches: dict[tuple[int, Actor, str], int] = {}
    permille: list[int] = []
    places: list[int] = []
    for each, policy in zip(asked, in_force, strict=True):
        key = (each.order.merchant_id, each.by, policy.version)
        place = batches.get(key)
        if place is None:
            each.by.require("orders:write", each.order.merchant_id)
            place = batches[key] = len(batches) + 1
            permille.append(policy.orders.tolerance_permille)
        places.append(place)
    found = db.call(
        "orders_authorise_v1",
        clock.now(),
        [ids.new() for _ in batches],
        [merchant_id for merchant_id, _, _ in batches],
        [by.label for _, by, _ in batches],
        [version for _, _, version in batches],
        permille,
        places,
        [each.order.id for each in asked],
        [each.order.store_id for each in asked],
        [each.order.amount_fen for each in asked],
        [each.order.buyer for each in asked],
        [each.order.at for each in asked],
    )[0]
    return [
        Decision(each.order.id, state, repeated, own, pool, temp, tolerance, tuple(why.split(",")) if why else ())
        for each, state, repeated, own, pool, temp, tolerance, why in zip(asked, *found, strict=True)
    ]
