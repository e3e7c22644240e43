"""Forecasts from a merchant's own orders, and what is proposed from them."""

import importlib.util
from datetime import timedelta
from types import SimpleNamespace

import pytest

from houfu.calendars import rules as calendar_rules
from houfu.insight import actions, boosted, queries, rules
from houfu.kernel import clock as clocks
from houfu.kernel.errors import NotFound
from houfu.limits import actions as limits
from houfu.limits.actions import freeze_pool
from houfu.orders import actions as orders
from houfu.orders import queries as order_queries
from houfu.orders.actions import NewOrder
from houfu.people.actor import WholeMerchantNeeded
from houfu.testing.world import OPERATOR, open_shop, pool

pytestmark = pytest.mark.usefixtures("db")
BEGINS = clocks.shanghai(2025, 9, 1)  # a Monday, ten weeks before the tests' day


def sell(shop, counts, *, store=None, fen=1_000, begins=BEGINS, prefix="D"):
    """Let a store be asked for so many orders in each hour."""
    wanted = [
        NewOrder(
            shop.merchant_id, f"{prefix}{hour}-{n}", store or shop.store, fen, begins + timedelta(hours=hour, minutes=n)
        )
        for hour, count in enumerate(counts)
        for n in range(count)
    ]
    for place in range(0, len(wanted), 2000):
        orders.authorise(by=OPERATOR, orders=wanted[place : place + 2000])


def daily(days, *busy, count=2):
    """Return counts of hours: some in the busy hours of each day, none in the others."""
    return [count if hour in busy else 0 for _ in range(days) for hour in range(24)]


def test_demand_counts_what_was_declined_too(clock):
    shop = open_shop(own_limit_fen=1_500)
    shop.place(1_000, 1_000)
    clock.move(hours=1)
    shop.place(300)
    rows = order_queries.demand(OPERATOR, shop.merchant_id, since=BEGINS, until=clocks.now() + timedelta(seconds=1))
    hour = rules.hour_of(clocks.now())
    assert [(r.store_id, r.hour, r.orders, r.fen, r.square_fen) for r in rows] == [
        (shop.store, hour - 1, 2, 2_000, 2_000_000.0),
        (shop.store, hour, 1, 300, 90_000.0),
    ]


def test_demand_is_the_actor_s_own(clock):
    shop, other = open_shop(stores=2), open_shop()
    sell(shop, daily(20, 9))
    sell(shop, daily(20, 9), store=shop.stores[1], prefix="E")
    clerk = shop.hire("clerk", stores=[shop.stores[1]])
    seen = queries.forecast(clerk, shop.merchant_id, grain="day")
    assert {period.store_id for period in seen.periods} == {None, shop.stores[1]}
    with pytest.raises(NotFound):
        queries.forecast(clerk, shop.merchant_id, store_id=shop.store)
    with pytest.raises(NotFound):
        queries.forecast(other.owner, shop.merchant_id)
    with pytest.raises(queries.TooLittlePast):
        queries.forecast(other.owner, other.merchant_id)


def test_a_shop_that_sells_alike_every_day_is_forecast_to_go_on(clock):
    shop = open_shop(own_limit_fen=10**9)
    sell(shop, daily(70, 9, 20), fen=5_000)
    found = queries.forecast(shop.owner, shop.merchant_id, grain="hour", ahead_hours=24)
    by_hour = {period.period: period for period in found.periods if period.store_id is None}
    assert found.model == "profile_1"
    assert by_hour["20:00"].mean_orders == pytest.approx(2, abs=0.1)
    assert by_hour["20:00"].mean_fen == pytest.approx(10_000, rel=0.05)
    assert by_hour["03:00"].mean_orders < 0.05
    assert by_hour["20:00"].q90_fen % 5_000 == 0
    assert by_hour["10:00"].begins == clocks.now().replace(minute=0)
    again = queries.forecast(shop.owner, shop.merchant_id, grain="hour", ahead_hours=24)
    assert again == found
    shop.place(5_000)
    clock.move(hours=1)
    assert queries.forecast(shop.owner, shop.merchant_id).inputs_digest != found.inputs_digest


def test_bands_are_those_of_the_policy(clock):
    shop = open_shop(own_limit_fen=10**9)
    sell(shop, daily(70, 9, 20))
    found = queries.forecast(shop.owner, shop.merchant_id, grain="band", ahead_hours=48)
    whole = [(p.period, p.begins, p.hours) for p in found.periods if p.store_id is None]
    assert whole == [
        ("evening", clocks.shanghai(2025, 11, 10, 17), 6),
        ("morning_market", clocks.shanghai(2025, 11, 11, 5), 6),
        ("evening", clocks.shanghai(2025, 11, 11, 17), 6),
    ]


def test_the_calendar_knows_what_is_a_workday_and_an_unknown_year_is_its_weekdays():
    kind_of = queries.kinds(clocks.shanghai(2025, 9, 1), clocks.shanghai(2025, 12, 1))
    day = rules.hour_of(clocks.shanghai(2025, 10, 1)) // 24
    assert (kind_of(day).weekday, kind_of(day).workday, kind_of(day).plain) == (2, False, False)
    make_up = rules.hour_of(clocks.shanghai(2025, 9, 28)) // 24  # a Sunday on which people work
    assert (kind_of(make_up).weekday, kind_of(make_up).workday) == (6, True)
    far = rules.hour_of(clocks.shanghai(2090, 1, 2)) // 24
    assert kind_of(far).workday is True
    with pytest.raises(calendar_rules.YearUnknown):
        queries.calendars.between(2090, 2090).is_workday(rules.day_of(far))


def test_a_back_test_says_how_much_better_than_the_week_before(clock):
    shop = open_shop(own_limit_fen=10**9)
    uneven = [(hour * 7919 % 5) for hour in range(70 * 24)]
    sell(shop, uneven)
    told = []
    found = queries.back_test(
        shop.owner, shop.merchant_id, plan=rules.Plan(days=14), progress=lambda *at: told.append(at)
    )
    assert (found["origins"], told[-1], found["stores"]) == (7, (7, 7), 1)
    scores = {(s["of"], s["grain"], s["model"]): s for s in found["scores"]}
    assert len(scores) == 2 * 3 * 2
    naive, ours = (scores["stores", "hour", model] for model in ("seasonal_naive_168", "profile_1"))
    assert naive["against_naive"]["wape"] == 1.0
    assert ours["against_naive"]["wape"] == pytest.approx(ours["wape"] / naive["wape"], abs=1e-3)
    assert ours["against_naive"]["wape"] < 1
    assert naive["orders"] == ours["orders"] == sum(uneven[-14 * 24 :])


@pytest.mark.skipif(importlib.util.find_spec("lightgbm") is None, reason="the extra ml is not installed")
def test_the_stronger_model_is_compared_in_the_same_back_test(clock):
    shop = open_shop(own_limit_fen=10**9)
    sell(shop, [(hour * 7919 % 5) for hour in range(70 * 24)])
    found = queries.back_test(shop.owner, shop.merchant_id, models=["profile", "boosted"], plan=rules.Plan(days=4))
    scores = {s["model"]: s for s in found["scores"] if (s["of"], s["grain"]) == ("stores", "hour")}
    assert set(scores) == {"seasonal_naive_168", "profile_1", "boosted_1"}
    assert scores["boosted_1"]["against_naive"]["wape"] < 1
    shown = queries.forecast(shop.owner, shop.merchant_id, model="boosted", grain="day")
    assert shown.model == "boosted_1"
    assert shown.periods[0].mean_orders > 0


@pytest.mark.skipif(importlib.util.find_spec("lightgbm") is None, reason="the extra ml is not installed")
def test_trees_learn_that_rain_brings_orders():
    first = rules.hour_of(BEGINS)
    wet = {first + hour: 5.0 for hour in range(60 * 24) if hour // 24 % 3 == 0}
    cells = {first + hour: rules.Cell(*([9] * 2), 81.0) for hour in range(56 * 24) if first + hour in wet}
    past = rules.Demand(first, first + 56 * 24, {1: cells})

    def kind_of(day):
        weekday = rules.day_of(day).weekday()
        return rules.DayKind(weekday, weekday < 5)

    hours = range(past.last, past.last + 48)
    means = boosted.Boosted(wet).fit(past, kind_of).means(1, hours)
    rainy = [mean for hour, mean in zip(hours, means, strict=True) if hour in wet]
    dry = [mean for hour, mean in zip(hours, means, strict=True) if hour not in wet]
    assert rainy
    assert min(rainy) > 3 * max(dry)


def test_without_the_extra_it_says_so(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lightgbm", None)
    with pytest.raises(boosted.ModelMissing):
        queries.model_named("boosted")
    with pytest.raises(queries.ModelUnknown):
        queries.model_named("prophet")


# Proposals


@pytest.fixture
def proposed(monkeypatch):
    """Return what limits were asked to take in."""
    asked = []

    def take(**what):
        asked.append(what)
        return SimpleNamespace(id=len(asked))

    monkeypatch.setattr(limits, "propose", take)
    monkeypatch.setattr(limits, "propose_bands", take)
    return asked


def a_pool_in_use(days=30, *, fen=9_000):
    """A pool that is drawn on every day from nine to ten for 9 orders, and at twenty for 18."""
    shop = open_shop(own_limit_fen=1)
    pool_id = pool(shop, share=9, grant_fen=100_000_000)
    # The ratio would bind: the store's own limit is raised, and used up for good.
    limits.grant(by=OPERATOR, merchant_id=shop.merchant_id, store_id=shop.store, amount_fen=99_999_999)
    begins = clocks.shanghai(2025, 11, 10) - timedelta(days=days)
    orders.authorise(by=OPERATOR, orders=[NewOrder(shop.merchant_id, "ALL", shop.store, 100_000_000, begins)])
    for day in range(days):
        for hour, count in ((9, 9), (20, 18)):
            at = begins + timedelta(days=day, hours=hour)
            names = [f"B{day}-{hour}-{n}" for n in range(count)]
            placed = [NewOrder(shop.merchant_id, name, shop.store, fen, at) for name in names]
            assert all(answer.pool_fen == fen for answer in orders.authorise(by=OPERATOR, orders=placed))
            gone = at + timedelta(minutes=50)
            orders.cancel(by=OPERATOR, merchant_id=shop.merchant_id, steps=[orders_step(name, gone) for name in names])
    return shop, pool_id


def orders_step(name, at):
    from houfu.orders.steps import Step

    return Step(name, at)


def test_bands_are_proposed_from_what_stood_on_the_pool(clock, proposed):
    shop, pool_id = a_pool_in_use()
    made = actions.propose_bands(by=shop.owner, merchant_id=shop.merchant_id, pool_id=pool_id)
    assert made.amounts_fen == {"morning_market": 100_000, "evening": 200_000}  # 81,000 and 162,000, rounded up
    assert [(b["name"], b["opens"], b["closes"], b["limit_fen"]) for b in proposed[0]["bands"]] == [
        ("morning_market", "05:00", "11:00", 100_000),
        ("evening", "17:00", "23:00", 200_000),
    ]
    assert (proposed[0]["pool_id"], proposed[0]["source"]["days"]) == (pool_id, 30)
    assert made.source["back_test"] == {band: {"days": 23, "kept": 23} for band in made.amounts_fen}


def test_what_a_day_lacks_is_proposed_by_days_like_it(clock, proposed, monkeypatch):
    shop, pool_id = a_pool_in_use()
    day = clocks.business_day(clocks.now()) + timedelta(days=1)
    monkeypatch.setattr(actions, "_may_use", lambda *_: (50_000, 30_000_000))
    made = actions.propose_day(by=shop.owner, merchant_id=shop.merchant_id, pool_id=pool_id, day=day)
    growth = made.source["growth_permille"] / 1000
    assert growth == pytest.approx(1, abs=0.1)
    assert made.source["needed_fen"] == 200_000
    assert made.amounts_fen == {day.isoformat(): 150_000}
    asked = proposed[0]
    assert (asked["kind"], asked["amount_fen"], asked["valid_until"] - asked["valid_from"]) == (
        "forecast", 150_000, timedelta(days=1),
    )  # fmt: skip
    assert asked["valid_from"] == clocks.start_of(day)


def test_where_the_base_suffices_nothing_is_proposed(clock, proposed):
    shop, pool_id = a_pool_in_use()
    day = clocks.business_day(clocks.now()) + timedelta(days=1)
    made = actions.propose_day(by=shop.owner, merchant_id=shop.merchant_id, pool_id=pool_id, day=day)
    assert (made.proposed, made.amounts_fen, proposed) == (None, {day.isoformat(): 0}, [])
    for wrong in (day - timedelta(days=1), day + timedelta(days=7)):
        with pytest.raises(actions.DayNotAhead):
            actions.propose_day(by=shop.owner, merchant_id=shop.merchant_id, pool_id=pool_id, day=wrong)


def test_a_pool_that_is_hardly_known_gets_no_proposal(clock, proposed):
    shop = open_shop(stores=2)
    pool_id = pool(shop, grant_fen=10_000)
    with pytest.raises(queries.TooLittlePast):
        actions.propose_bands(by=shop.owner, merchant_id=shop.merchant_id, pool_id=pool_id)
    with pytest.raises(NotFound):
        actions.propose_bands(by=open_shop().owner, merchant_id=shop.merchant_id, pool_id=pool_id)
    with pytest.raises(WholeMerchantNeeded):
        actions.propose_bands(by=shop.hire("store_manager"), merchant_id=shop.merchant_id, pool_id=pool_id)
    freeze_pool(by=shop.owner, merchant_id=shop.merchant_id, id=pool_id)
    assert proposed == []
