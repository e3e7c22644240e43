"""Whoever is bound to stores sees and moves what is of these stores; anything else looks as if it were not there."""

import pytest

from houfu.kernel.errors import NotFound
from houfu.limits import actions as limits
from houfu.limits import queries as limit_queries
from houfu.merchants import queries as merchants
from houfu.orders import actions as orders
from houfu.orders import queries
from houfu.payouts import queries as payouts
from houfu.people.actor import WholeMerchantNeeded
from houfu.testing.world import open_shop, pool

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def shop():
    return open_shop(stores=2, own_limit_fen=1_000_000)


@pytest.fixture
def clerk(shop):
    return shop.hire("clerk", stores=[shop.store])


def test_stores_orders_and_limits_are_those_of_the_own_store(shop, clerk):
    ours, theirs = shop.stores
    mine = shop.place(1_000, store=ours)[0].id
    other = shop.place(1_000, store=theirs)[0].id
    m = shop.merchant_id
    assert [store.id for store in merchants.stores(clerk, m)] == [ours]
    assert [order.id for order in queries.orders(clerk, m)] == [mine]
    assert queries.orders(clerk, m, store_id=theirs) == []
    assert [each.store_id for each in limit_queries.snapshot(clerk, m).stores] == [ours]
    assert queries.access_order(clerk, "orders:read", m, mine)
    for look in (
        lambda: merchants.access_store(clerk, "merchants:read", m, theirs),
        lambda: merchants.lock_store(clerk, "payouts:write", m, theirs),
        lambda: queries.access_order(clerk, "orders:read", m, other),
        lambda: limit_queries.figures(clerk, m, theirs),
        lambda: payouts.quote(clerk, m, store_id=theirs, beneficiary_id=1, amount_fen=10_000, purpose="x"),
        lambda: payouts.trace_back(clerk, m, other),
    ):
        with pytest.raises(NotFound):
            look()


def test_another_stores_order_cannot_be_asked_for_or_moved(shop, clerk):
    ours, theirs = shop.stores
    shop.place(1_000, store=theirs)
    (other,) = shop.placed
    before = shop.books()
    at = queries.order(shop.merchant_id, other).authorised_at
    wanted = [orders.NewOrder(shop.merchant_id, f"{other}-{store}", store, 1_000, at) for store in (theirs, ours)]
    refused, taken = orders.authorise(by=clerk, orders=wanted)
    assert (refused.state, refused.reasons) == ("refused", ("store_unknown",))
    assert taken.state == "authorised"
    unknown = orders.ship(by=clerk, merchant_id=shop.merchant_id, steps=shop.steps("no-such-order"))
    for verb in (orders.ship, orders.cancel, orders.receive):
        (outcome,) = verb(by=clerk, merchant_id=shop.merchant_id, steps=shop.steps(other))
        assert (outcome.outcome, outcome.code) == (unknown[0].outcome, unknown[0].code) == ("refused", "order_unknown")
    orders.cancel(by=clerk, merchant_id=shop.merchant_id, steps=shop.steps(taken.id))
    assert shop.books() == before
    orders.ship(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(other))
    (again,) = orders.ship(by=clerk, merchant_id=shop.merchant_id, steps=shop.steps(other))
    assert again.code == "order_unknown"


def test_payouts_of_another_store_are_not_there(shop, clerk):
    ours, theirs = shop.stores
    for store in shop.stores:
        shop.earn(300_000, store=store)
    mine, other = (shop.ask(100_000, store=store) for store in (ours, theirs))
    assert [payout.id for payout in payouts.payouts(clerk, shop.merchant_id)] == [mine.id]
    for look in (payouts.trace, lambda by, m, id: payouts.access_payout(by, "payouts:write", m, id)):
        assert look(clerk, shop.merchant_id, mine.id)
        with pytest.raises(NotFound):
            look(clerk, shop.merchant_id, other.id)


def test_a_pool_is_seen_by_its_members_and_changed_by_the_whole_merchants_people(shop):
    manager = shop.hire("store_manager", stores=[shop.store])
    outside = open_shop()
    opened = pool(shop, grant_fen=1_000)
    assert [each.id for each in limit_queries.pools(manager, shop.merchant_id)] == [opened]
    assert limit_queries.access_pool(manager, "limits:read", shop.merchant_id, opened)
    with pytest.raises(WholeMerchantNeeded):
        limits.freeze_pool(by=manager, merchant_id=shop.merchant_id, id=opened)
    with pytest.raises(NotFound):
        limit_queries.access_pool(outside.owner, "limits:read", outside.merchant_id, opened)
    with pytest.raises(WholeMerchantNeeded):
        payouts.equation(manager, shop.merchant_id)


def test_a_pool_of_other_stores_is_not_there():
    shop = open_shop(stores=3)
    left_out = shop.stores.pop()
    opened = pool(shop)
    manager = shop.hire("store_manager", stores=[left_out])
    assert limit_queries.pools(manager, shop.merchant_id) == []
    assert limit_queries.snapshot(manager, shop.merchant_id).pools == []
    with pytest.raises(NotFound):
        limit_queries.access_pool(manager, "limits:read", shop.merchant_id, opened)


def test_loans_of_another_store_are_not_listed(shop, clerk):
    for store in shop.stores:
        limits.lend(by=shop.owner, merchant_id=shop.merchant_id, store_id=store, amount_fen=1_000)
    assert [loan.store_id for loan in limit_queries.loans(clerk, shop.merchant_id)] == [shop.store]
    assert len(limit_queries.loans(shop.owner, shop.merchant_id)) == 2
