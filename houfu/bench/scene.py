"""Scenes for benchmarks, set through the actions that people use; many small ones share a transaction."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from houfu.approvals import queries as approvals
from houfu.kernel import clock, db
from houfu.limits import actions as limits
from houfu.merchants import actions as merchants
from houfu.merchants.models import ChannelAccount
from houfu.orders import actions as orders
from houfu.orders.actions import Asked, NewOrder
from houfu.orders.steps import Step
from houfu.people import actions as people
from houfu.people.actor import Actor, operator
from houfu.testing.signing import give_passkey, sign
from houfu.testing.world import at_work

T = TypeVar("T")
BY = operator("bench")
OWN_FEN = 10_000_000
TOGETHER = 50  # merchants that are opened in one transaction
SHARE = 9  # the largest that the policy allows: nine times ten own limits are more than a pool may hold
POOL_FEN = 300_000_000
AGO = timedelta(hours=1)  # how old the first order of a load is
_DIGITS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_STRIDE = 2654435761  # coprime to every number of stores: visits them in an order that looks like none


@dataclass(frozen=True)
class Place:
    """A store that orders are placed in, and whoever asks for them."""

    merchant_id: int
    store_id: int
    asker: Actor
    pool_id: int | None = None


@dataclass(frozen=True)
class Shop:
    """A merchant with its account at the channel and its stores."""

    merchant_id: int
    account: ChannelAccount
    stores: list[int]
    asker: Actor


@db.action
def open_shops(numbers: Sequence[int], stores: int, own_fen: int = OWN_FEN) -> list[Shop]:
    """Open merchants with stores that have own limit, all in one transaction.

    Args:
        numbers: one for each merchant; its unified social credit code is made of it.
    """
    return [_open_shop(number, stores, own_fen) for number in numbers]


def _open_shop(number: int, stores: int, own_fen: int) -> Shop:
    merchant_id = merchants.register(by=BY, name=f"压测商户{number}", uscc=uscc(number)).merchant_id
    merchants.verify(by=BY, merchant_id=merchant_id, document="营业执照")
    account = merchants.open_channel_account(
        by=BY, merchant_id=merchant_id, channel="simulator", principal=f"2088{number:012d}", maturity_days=1
    )
    opened = []
    for no in range(1, stores + 1):
        store_id = merchants.open_store(
            by=BY, merchant_id=merchant_id, code=f"S{no}", name=f"{no}号店", channel_account_id=account.id
        ).id
        limits.grant(by=BY, merchant_id=merchant_id, store_id=store_id, amount_fen=own_fen)
        opened.append(store_id)
    asker = Actor(f"key/{merchant_id}", "bench", merchant_id, BY.scopes - {"platform:write"})
    return Shop(merchant_id, account, opened, asker)


def uscc(number: int) -> str:
    """Return a unified social credit code of a merchant's number, its check character right."""
    body = f"91{number:015d}"
    total = sum(_DIGITS.index(char) * pow(3, place, 31) for place, char in enumerate(body))
    return body + _DIGITS[-total % 31]


def hot(stores: int) -> list[Place]:
    """Open one merchant whose stores share a pool and have used up their own limits: every order draws on the pool."""
    shop = open_shops([0], stores)[0]
    group = merchants.form_group(
        by=BY, merchant_id=shop.merchant_id, name="压测", channel_account_id=shop.account.id, store_ids=shop.stores
    )
    pool = limits.open_pool(by=BY, merchant_id=shop.merchant_id, group_id=group.id, share=SHARE)
    for store_id in shop.stores:
        merchants.set_sharing(by=BY, merchant_id=shop.merchant_id, id=store_id, sharing=True)
        limits.join_pool(by=BY, merchant_id=shop.merchant_id, pool_id=pool.id, store_id=store_id)
    _sign_for(shop.merchant_id, pool.id)
    limits.grant_pool(by=BY, merchant_id=shop.merchant_id, pool_id=pool.id, amount_fen=POOL_FEN)
    at = clock.now()
    first = [NewOrder(shop.merchant_id, f"own-{store_id}", store_id, OWN_FEN, at) for store_id in shop.stores]
    orders.authorise(by=shop.asker, orders=first)
    return [Place(shop.merchant_id, store_id, shop.asker, pool.id) for store_id in shop.stores]


def _sign_for(merchant_id: int, pool_id: int) -> None:
    """Let the merchant's legal representative sign for a pool."""
    limits.ask_signature(by=BY, merchant_id=merchant_id, pool_id=pool_id)
    owner, _ = people.create_owner(by=BY, merchant_id=merchant_id, name="王芳", identity=f"BENCH{merchant_id:013d}")
    by = at_work(owner)
    request = approvals.latest(merchant_id, f"pool/{pool_id}")
    assert request
    sign(by, give_passkey(by, merchant_id), request)
    limits.follow_signature(by=BY, merchant_id=merchant_id, pool_id=pool_id)


def spread(merchants_: int, stores: int = 1) -> list[Place]:
    """Open merchants whose stores have own limit each."""
    places = []
    for first in range(1, merchants_ + 1, TOGETHER):
        for shop in open_shops(range(first, min(first + TOGETHER, merchants_ + 1)), stores):
            places += [Place(shop.merchant_id, store_id, shop.asker) for store_id in shop.stores]
    return places


def load(places: Sequence[Place], label: str, count: int) -> Iterator[Asked]:
    """Yield orders of 1 to 4 fen over all places, each placed a microsecond after the one before.

    Millions of them stay below the filing gate of a pool.

    Args:
        label: begins every id, so that no two loads share one.
    """
    at = clock.now() - AGO
    step = timedelta(microseconds=1)
    buyers = [f"buyer{number}" for number in range(9973)]
    for number in range(count):
        place = places[number * _STRIDE % (1 << 32) % len(places)]
        at += step
        order = NewOrder(
            place.merchant_id, f"{label}-{number:09d}", place.store_id, 1 + number % 4, at, buyers[number % 9973]
        )
        yield Asked(place.asker, order)


def batched(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield things in lists of `size`, the last as long as it comes out."""
    rest = iter(things)
    while batch := list(islice(rest, size)):
        yield batch


@db.action
def receive(shop: Shop, ids: Sequence[str], amount_fen: int, at: datetime) -> None:
    """Place orders in the stores of a shop, one after another, and let them be shipped and received at once."""
    placed = [
        NewOrder(shop.merchant_id, id, shop.stores[no % len(shop.stores)], amount_fen, at) for no, id in enumerate(ids)
    ]
    decisions = orders.authorise(by=shop.asker, orders=placed)
    assert all(decision.state == "authorised" for decision in decisions)
    steps = [Step(id, at) for id in ids]
    orders.ship(by=shop.asker, merchant_id=shop.merchant_id, steps=steps)
    orders.receive(by=shop.asker, merchant_id=shop.merchant_id, steps=steps)
