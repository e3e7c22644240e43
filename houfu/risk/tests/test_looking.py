"""What time and trade bring up: usage that crosses its line, days and months that are judged once."""

from datetime import timedelta

import pytest

from houfu.kernel import clock as clocks
from houfu.limits import actions as limits
from houfu.orders import actions as orders
from houfu.orders.actions import NewOrder
from houfu.orders.steps import Step
from houfu.risk import actions as risk
from houfu.risk import queries, rules
from houfu.risk.models import Alert, Decision
from houfu.risk.tests.people import LI
from houfu.site import worker
from houfu.testing.threads import in_threads
from houfu.testing.world import OPERATOR, WORKER, open_shop, pool

pytestmark = pytest.mark.usefixtures("db")


def look(shop):
    return risk.look(by=WORKER, merchant_id=shop.merchant_id)


def alerts(shop, **which):
    return list(Alert.objects.filter(merchant_id=shop.merchant_id, **which).order_by("id"))


def cancel(shop, *ids):
    orders.cancel(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(*ids))


@pytest.mark.parametrize(("used_fen", "found"), [(699_999, 0), (700_000, 1), (700_001, 1)])
def test_a_store_alerts_at_seven_tenths_of_its_limit(used_fen, found):
    shop = open_shop(own_limit_fen=1_000_000)
    shop.place(used_fen)
    assert look(shop) == found
    assert [(a.concerns, a.reason_class) for a in alerts(shop)] == [(f"store/{shop.store}", "usage")] * found


def test_it_alerts_once_until_usage_has_fallen_below_the_lower_line():
    shop = open_shop(own_limit_fen=1_000_000)
    shop.place(640_000, 50_000, 60_000, ids=[f"{shop.merchant_id}-{n}" for n in "ABC"])
    _, b, c = shop.placed
    assert [look(shop), look(shop)] == [1, 0]
    cancel(shop, c)  # 69 %
    assert look(shop) == 0
    shop.place(60_000, ids=[c + "2"])  # 75 % again, never below 65 %
    assert look(shop) == 0
    cancel(shop, b, c + "2")  # 64 %
    assert look(shop) == 0
    shop.place(70_000, ids=[b + "2"])
    assert look(shop) == 1
    [waiting] = alerts(shop)
    assert waiting.times == 2


def test_a_pool_alerts_by_itself():
    shop = open_shop(stores=2, own_limit_fen=100_000)
    pool_id = pool(shop, share=9, grant_fen=1_000_000)
    shop.place_in([(shop.stores[0], 450_000), (shop.stores[1], 450_000)], ["P1", "P2"])
    assert look(shop) == 1
    assert [a.concerns for a in alerts(shop)] == [f"pool/{pool_id}"]


def test_eight_workers_that_look_at_once_alert_once():
    shop = open_shop(own_limit_fen=1_000_000)
    look(shop)
    shop.place(900_000)
    assert sorted(in_threads(lambda _: look(shop), range(8))) == [0] * 7 + [1]
    assert [a.times for a in alerts(shop)] == [1]


def test_who_had_nothing_happen_is_not_looked_at(clock):
    shop = open_shop(own_limit_fen=1_000_000)
    while shop.merchant_id in queries.to_look_at(clock.now()):
        look(shop)
    shop.place(1000)
    assert shop.merchant_id in queries.to_look_at(clock.now())
    look(shop)
    assert shop.merchant_id not in queries.to_look_at(clock.now())
    clock.at = clocks.start_of(clocks.business_day(clock.now()) + timedelta(days=1)) - timedelta(microseconds=1)
    assert shop.merchant_id not in queries.to_look_at(clock.now())
    clock.move(microseconds=1)
    assert shop.merchant_id in queries.to_look_at(clock.now())


def place_for(shop, buyers, amount_fen=10_000, store=None, prefix=""):
    """Place an order for each buyer, and return the ids."""
    ids = [f"{prefix}{clocks.now():%m%d%H%M}-{n}" for n in range(len(buyers))]
    wanted = [
        NewOrder(shop.merchant_id, id, store or shop.store, amount_fen, clocks.now(), buyer=buyer)
        for id, buyer in zip(ids, buyers, strict=True)
    ]
    decided = orders.authorise(by=shop.owner, orders=wanted)
    assert {decision.state for decision in decided} == {"authorised"}
    return ids


@pytest.mark.parametrize(("refunded", "found"), [(4, 0), (5, 1)])
def test_a_store_whose_orders_come_back_is_alerted_at_the_days_end(clock, refunded, found):
    shop = open_shop(own_limit_fen=100_000_000)
    ids = place_for(shop, [f"B{n}" for n in range(20)])
    for id in ids[:refunded]:
        orders.refund(
            by=shop.owner, merchant_id=shop.merchant_id, steps=[Step(id, clock.now(), amount_fen=10_000, ref="R1")]
        )
    assert look(shop) == 0
    clock.move(days=1)
    assert look(shop) == found
    assert [a.rule for a in alerts(shop)] == ["return_rate"] * found
    assert look(shop) == 0
    [decision] = Decision.objects.filter(merchant_id=shop.merchant_id, kind="orders")
    assert decision.subject == f"store/{shop.store}/2025-11-10"
    assert queries.replay(decision).same


def test_rules_in_shadow_are_recorded_and_do_nothing(clock):
    shop = open_shop(own_limit_fen=100_000_000)
    place_for(shop, ["B1"] * 11, amount_fen=5_000)
    clock.move(days=1)
    assert look(shop) == 0
    assert alerts(shop) == []
    [decision] = Decision.objects.filter(merchant_id=shop.merchant_id, kind="orders")
    hits = {each.rule: (each.hit, each.mode) for each in rules.read_applied(decision.applied)}
    assert hits["small_orders"] == (True, "shadow")
    assert decision.outcome == "allow"


def test_days_that_were_missed_are_each_judged(clock):
    shop = open_shop(own_limit_fen=100_000_000)
    place_for(shop, ["B1"])
    look(shop)
    clock.move(days=2)
    place_for(shop, ["B1"])
    clock.move(days=40)
    while shop.merchant_id in queries.to_look_at(clock.now()):
        look(shop)
    days = Decision.objects.filter(merchant_id=shop.merchant_id, kind="orders").values_list("subject", flat=True)
    assert sorted(days) == [f"store/{shop.store}/2025-11-10", f"store/{shop.store}/2025-11-12"]


def shared_month(clock, shared_fen, own_fen):
    """A November in which orders stood on a pool, and others did not; stop at the first instant of December."""
    shop = open_shop(stores=2, own_limit_fen=10_000)
    pool(shop, share=9, grant_fen=100_000_000)
    shop.place_in([(shop.stores[0], 10_000)], ["FULL"])
    for n in range(shared_fen // 10_000):
        clock.move(minutes=1)
        shop.place_in([(shop.stores[0], 10_000)], [f"S{n}"])
    limits.grant(by=OPERATOR, merchant_id=shop.merchant_id, store_id=shop.stores[1], amount_fen=own_fen)
    shop.place_in([(shop.stores[1], own_fen - 10_000)], ["OWN"])
    return shop


@pytest.mark.parametrize(("own_fen", "points"), [(70_000, 0), (69_999, -5)])
def test_a_month_with_much_sharing_alerts_and_costs_points(clock, own_fen, points):
    shop = shared_month(clock, 30_000, own_fen)  # shared 30,000 of 30,000 + 10,000 + own − 10,000
    clock.at = clocks.shanghai(2025, 12, 1) - timedelta(microseconds=1)
    look(shop)
    assert queries.score(LI, shop.merchant_id).points == 0
    clock.move(microseconds=1)
    look(shop)
    look(shop)
    score = queries.score(LI, shop.merchant_id)
    assert score.points == points
    assert [a.rule for a in alerts(shop, reason_class="sharing")] == ["shared_volume"] * bool(points)
    [decision] = Decision.objects.filter(merchant_id=shop.merchant_id, kind="month")
    assert (decision.subject, queries.replay(decision).same) == ("month/2025-11", True)


@pytest.mark.parametrize(("disputed", "points"), [(1, 0), (2, -15)])
def test_disputes_of_shared_orders_cost_fifteen_points_a_month(clock, disputed, points):
    shop = open_shop(stores=2, own_limit_fen=10_000)
    pool(shop, share=9, grant_fen=100_000_000)
    shop.place_in([(shop.store, 10_000)], ["FULL"])
    ids = [f"S{n}" for n in range(20)]
    shop.place_in([(shop.store, 1_000)] * 20, ids)
    shop.receive("FULL", *ids)
    limits.grant(by=OPERATOR, merchant_id=shop.merchant_id, store_id=shop.stores[1], amount_fen=1_000_000)
    shop.place_in([(shop.stores[1], 900_000)], ["OWN"])  # so that sharing itself is no matter
    for id in ["FULL", *ids[:disputed]]:
        orders.dispute(by=shop.owner, merchant_id=shop.merchant_id, steps=[Step(id, clock.now(), ref="D1")])
    clock.at = clocks.shanghai(2025, 12, 1)
    look(shop)
    assert queries.score(LI, shop.merchant_id).points == points
    clock.at = clocks.shanghai(2026, 1, 1)
    look(shop)
    assert queries.score(LI, shop.merchant_id).points == points


def test_the_worker_looks_around(fresh_db):
    shop = open_shop(own_limit_fen=1_000_000)
    shop.place(900_000)
    assert worker.look_around() == 1
    assert worker.look_around() == 0
    assert [a.rule for a in alerts(shop)] == ["usage_line"]
