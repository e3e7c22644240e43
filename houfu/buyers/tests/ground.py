"""Buyers with lines, and shops of several merchants that sell to them."""

import itertools
from datetime import timedelta

from houfu.buyers import actions as buyers
from houfu.buyers import queries
from houfu.kernel import clock
from houfu.merchants import actions as merchants
from houfu.orders import actions as orders
from houfu.testing.world import OPERATOR, Shop, open_shop

CHANNEL = "simulator"
_numbers = itertools.count(1)
LINE_FEN = {700: 500_000, 650: 300_000, 600: 150_000, 550: 50_000, 0: 0}  # the table of the packs


def new_buyer(score: int | None = 550, **what) -> str:
    """Return the id of a buyer whom nobody else has, with a line by this score, if any."""
    name = f"buyer{next(_numbers)}"
    if score is not None:
        score_(name, score, **what)
    return name


def score_(buyer: str, score: int, *, later: int = 0, **what):
    """Score a buyer, as of so many seconds after now was first asked."""
    what.setdefault("scored_at", clock.now() - timedelta(days=1) + timedelta(seconds=later))
    return buyers.score(by=OPERATOR, channel=CHANNEL, buyer=buyer, score=score, **what)


def line(buyer: str):
    return queries.line(OPERATOR, CHANNEL, buyer)


def held(buyer: str) -> int:
    return line(buyer).held_fen


def open_sharing(stores: int = 1, **what) -> Shop:
    """Open a shop all of whose stores share."""
    shop = open_shop(stores=stores, **what)
    for store in shop.stores:
        merchants.set_sharing(by=OPERATOR, merchant_id=shop.merchant_id, id=store, sharing=True)
    return shop


def sell(shop: Shop, *rows, ids=()):
    """Ask for orders of (buyer, amount) or (buyer, amount, store), one after another in one batch."""
    names = list(ids) or [f"B{next(_numbers):07d}" for _ in rows]
    shop.placed = names
    batch = [
        orders.NewOrder(shop.merchant_id, id, (store or [shop.store])[0], fen, clock.now(), buyer)
        for id, (buyer, fen, *store) in zip(names, rows, strict=True)
    ]
    return orders.authorise(by=shop.owner, orders=batch)


def reasons(decisions) -> list[str]:
    return [",".join(decision.reasons) for decision in decisions]
