"""Authorising: whether pay-later orders may be taken, decided a batch at a time."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from django.db import Error

from houfu.buyers import queries as buyers
from houfu.kernel import clock, db, ids, isolation
from houfu.kernel.errors import Invalid
from houfu.orders.steps import refuse_future
from houfu.people.actor import Actor
from houfu.policies import queries as policies
from houfu.policies.pack import Policy


@db.refuse_on("orders_order_id_form", "orders_order_amount", "orders_order_buyer_form")
class BadOrder(Invalid):
    """An order has an id of up to 64 plain characters, an amount of 1 to 10¹³ fen, and a buyer written like the id."""

    code = "order_invalid"


db.retry_on("orders_order_once", "HF204", "HF205")
NO_STORE = 0  # the id that no store has: what another store's order is decided as, for those who do not see it


class NewOrder(msgspec.Struct, frozen=True, gc=False):
    """An order to be decided.

    Args:
        id: the caller's own number, unique within the merchant.
        buyer: the id by which the store's channel knows the buyer, or the caller's own pseudonym, if there is one (O5).
        at: when it was placed; the policy of that instant decides.
    """

    merchant_id: int
    id: str
    store_id: int
    amount_fen: int
    at: datetime
    buyer: str | None = None


class Decision(msgspec.Struct, frozen=True, gc=False):
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


class Asked(msgspec.Struct, frozen=True, gc=False):
    """An order, and who asks for it."""

    by: Actor
    order: NewOrder


def authorise(*, by: Actor, orders: Sequence[NewOrder]) -> list[Decision]:
    """Decide orders of one asker in the order given; see `decide`."""
    return decide(asked=[Asked(by, order) for order in orders])


def decide(*, asked: Sequence[Asked]) -> list[Decision]:
    """Decide orders in the order given, each in full or not at all, and record every decision (O5, O6, G5, G6).

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


@db.one_call
def _decide(asked: Sequence[Asked]) -> list[Decision]:
    orders = [each.order for each in asked]
    instants = [order.at for order in orders]
    refuse_future(max(instants))
    packs = policies.known_packs()
    batches, places = _batches(asked, packs.at_each(instants))
    try:
        (found,) = db.call(
            "orders_authorise_v1",
            clock.now(),
            packs.digests,
            ids.several(len(batches)),
            [merchant_id for merchant_id, _, _ in batches],
            [by.label for _, by, _ in batches],
            [policy.version for _, _, policy in batches],
            [policy.orders.tolerance_permille for _, _, policy in batches],
            [policy.pools.filing_above_fen for _, _, policy in batches],
            places,
            [order.id for order in orders],
            [each.order.store_id if each.by.sees(each.order.store_id) else NO_STORE for each in asked],
            [order.amount_fen for order in orders],
            [order.buyer for order in orders],
            instants,
            buyers.keys([order.buyer for order in orders]),
        )
    except Error as error:
        policies.forget_packs()  # one may have been added
        if getattr(error.__cause__, "sqlstate", None) == "HF205":
            buyers.expect_lines()
        raise
    states, repeated, own, pool, temp, tolerance, reasons = found
    if states is None:
        return [
            Decision(order.id, "authorised", False, own_fen, pool_fen, temp_fen, 0, ())
            for order, own_fen, pool_fen, temp_fen in zip(orders, own, pool, temp, strict=True)
        ]
    return [
        Decision(order.id, state, again, own_fen, pool_fen, temp_fen, over_fen, tuple(why.split(",")) if why else ())
        for order, state, again, own_fen, pool_fen, temp_fen, over_fen, why in zip(
            orders, states, repeated, own, pool, temp, tolerance, reasons, strict=True
        )
    ]


def _batches(asked: Sequence[Asked], in_force: Sequence[Policy]) -> tuple[list[tuple[int, Actor, Policy]], list[int]]:
    """Sort orders by merchant, asker and policy; return these batches, and of each order the number of its batch."""
    batches: list[tuple[int, Actor, Policy]] = []
    numbers: dict[tuple[int, Actor, str], int] = {}
    seen: dict[tuple[int, int, int], int] = {}  # by identity: askers are the same few objects, and slow to hash
    places = []
    for each, policy in zip(asked, in_force, strict=True):
        merchant_id, by = each.order.merchant_id, each.by
        same = (merchant_id, id(by), id(policy))
        place = seen.get(same)
        if place is None:
            by.require("orders:write", merchant_id)
            place = seen[same] = numbers.setdefault((merchant_id, by, policy.version), len(numbers) + 1)
            if place > len(batches):
                batches.append((merchant_id, by, policy))
        places.append(place)
    return batches, places
