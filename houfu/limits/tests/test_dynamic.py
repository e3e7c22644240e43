"""Pools that follow clock and weather: what may be used at an instant, who accepts it, when it ends (L4–L6, G10)."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from houfu.kernel import clock as clocks
from houfu.kernel.clock import shanghai
from houfu.kernel.errors import Forbidden, IllegalMove, NotFound, Refused
from houfu.ledger.actions import Account
from houfu.limits import actions as limits
from houfu.limits import queries, rules
from houfu.limits.models import Adjustment
from houfu.orders import actions as orders
from houfu.people.actor import WholeMerchantNeeded
from houfu.testing.world import OPERATOR, WORKER, file_pool, open_shop, pool

pytestmark = pytest.mark.usefixtures("db")
YUAN = 100
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
DAY = clocks.shanghai(2025, 11, 10).date()


class Ground:
    """A shop with hardly any own limit and a large pool, so that orders stand on the pool."""

    def __init__(self, *, grant_fen=1_000_000, own_fen=200_000, stores=1, share=9):
        self.shop = open_shop(stores=stores, own_limit_fen=own_fen)
        self.pool_id = pool(self.shop, share=share, grant_fen=grant_fen)
        self.key = {"by": self.shop.owner, "merchant_id": self.shop.merchant_id, "pool_id": self.pool_id}
        self.shop.place(*[own_fen] * 1)  # own limit is used up

    def set(self, base_fen, floating_fen=0, **more):
        return limits.set_dynamic(**self.key, base_fen=base_fen, floating_fen=floating_fen, **more)

    def propose(self, amount_fen, hours=1, *, after=0, kind="manual", by=None, **more):
        now = clocks.now()
        said = {
            "valid_from": now + after * HOUR, "valid_until": now + (after + hours) * HOUR, "reason": "降雨",
            "source": {},
            **more,
        }  # fmt: skip
        return limits.propose(**{**self.key, "by": by or self.shop.owner}, kind=kind, amount_fen=amount_fen, **said)

    def accept(self, amount_fen, hours=1, **more):
        made = self.propose(amount_fen, hours, **more)
        return limits.accept_adjustment(by=self.shop.owner, merchant_id=self.shop.merchant_id, id=made.id)

    def bands(self, *bands):
        said = [dict(zip(("name", "opens", "closes", "limit_fen"), band, strict=True)) for band in bands]
        made = limits.propose_bands(**self.key, bands=said, reason="早晚市", source={})
        return limits.accept_bands(by=self.shop.owner, merchant_id=self.shop.merchant_id, id=made.id)

    @property
    def now(self):
        return queries.pool_figures(self.shop.owner, self.shop.merchant_id, self.pool_id)

    def takes(self, fen):
        """Say whether an order of this amount is taken, on the pool alone; it is called off again."""
        (decision,) = self.shop.place(fen)
        if decision.state == "authorised":
            assert (decision.own_fen, decision.pool_fen) == (0, fen)
            orders.cancel(by=self.shop.owner, merchant_id=self.shop.merchant_id, steps=self.shop.steps(decision.id))
        return decision.state == "authorised"


@pytest.mark.parametrize(
    ("adjustments", "usable_fen"),
    [
        ((), 500), ((50,), 550), ((300,), 800), ((301,), 800), ((200, 200), 800), ((-100,), 400), ((400, -200), 700),
        ((-500,), 0), ((-501,), 0), ((-900,), 0),
    ],
)  # fmt: skip
def test_base_and_the_floating_part_of_all_adjustments_may_be_used(adjustments, usable_fen):
    """L4: base + min(floating, Σ adjustments), and never less than nothing."""
    ground = Ground()
    ground.set(500, 300)
    for fen in adjustments:
        ground.accept(fen)
    assert (ground.now.usable_fen, ground.now.room_fen) == (usable_fen, usable_fen)
    assert ground.takes(usable_fen) if usable_fen else True
    assert not ground.takes(usable_fen + 1)


def test_what_is_not_said_of_a_dynamic_pool_is_the_policys():
    """L4: base 500,000, floating 300,000."""
    ground = Ground(grant_fen=100_000_000)
    made = limits.set_dynamic(**ground.key)
    assert (made.base_fen, made.floating_fen, made.auto_fen) == (500_000 * YUAN, 300_000 * YUAN, 0)


def test_never_more_than_the_pool_holds():
    ground = Ground(grant_fen=700)
    ground.set(500, 300)
    ground.accept(300)
    assert (ground.now.limit_fen, ground.now.usable_fen) == (700, 700)
    assert not ground.takes(701)


def test_nothing_is_taken_from_open_orders_when_less_may_be_used(clock):
    """L4: never below current holds."""
    ground = Ground()
    ground.shop.place(600)
    (order_id,) = ground.shop.placed
    ground.set(500, 300)
    assert (ground.now.usable_fen, ground.now.room_fen, ground.shop.fen("q:pool:held")) == (600, 0, 600)
    assert not ground.takes(1)
    orders.ship(by=ground.shop.owner, merchant_id=ground.shop.merchant_id, steps=ground.shop.steps(order_id))
    refund = ground.shop.steps(order_id, ref="R1", amount_fen=150)
    orders.refund(by=ground.shop.owner, merchant_id=ground.shop.merchant_id, steps=refund)
    assert (ground.now.usable_fen, ground.now.room_fen) == (500, 50)
    assert (ground.takes(50), ground.takes(51)) == (True, False)


def test_an_adjustment_works_from_its_acceptance_while_it_is_valid_to_the_microsecond(clock):
    ground = Ground()
    ground.set(500, 300)
    made = ground.propose(100, 2, after=1)
    assert (made.state, made.starts_at) == ("proposed", None)
    clock.move(hours=2)
    assert ground.now.usable_fen == 500
    limits.accept_adjustment(by=ground.shop.owner, merchant_id=ground.shop.merchant_id, id=made.id)
    assert (ground.now.usable_fen, ground.takes(600)) == (600, True)
    clock.move(hours=1, microseconds=-1)
    assert (ground.now.usable_fen, ground.takes(600)) == (600, True)
    clock.move(microseconds=1)
    assert (ground.now.usable_fen, ground.takes(501)) == (500, False)
    late = orders.NewOrder(ground.shop.merchant_id, "LATE-1", ground.shop.store, 600, clock.now() - MICROSECOND)
    assert orders.authorise(by=ground.shop.owner, orders=[late])[0].pool_fen == 600  # its own instant decides
    assert Adjustment.objects.get(merchant_id=ground.shop.merchant_id, id=made.id).state == "accepted"
    assert limits.expire_adjustments(by=WORKER) >= 1
    assert Adjustment.objects.get(merchant_id=ground.shop.merchant_id, id=made.id).state == "expired"
    assert limits.expire_adjustments(by=WORKER) == 0


def test_what_is_withdrawn_ends_at_once_and_what_is_rejected_never_begins():
    ground = Ground()
    ground.set(500, 300)
    made, other = ground.accept(100), ground.propose(100)
    by, m = ground.shop.owner, ground.shop.merchant_id
    limits.withdraw_adjustment(by=by, merchant_id=m, id=made.id)
    limits.reject_adjustment(by=by, merchant_id=m, id=other.id)
    assert ground.now.usable_fen == 500
    for verb in (limits.accept_adjustment, limits.reject_adjustment, limits.withdraw_adjustment):
        for id_ in (made.id, other.id):
            with pytest.raises(IllegalMove):
                verb(by=by, merchant_id=m, id=id_)


@pytest.mark.parametrize(("kind", "amount_fen", "state"), [
    ("forecast", 50, "accepted"), ("forecast", 51, "proposed"), ("forecast", -50, "accepted"),
    ("forecast", -51, "proposed"), ("manual", 1, "proposed"), ("weather", 50, "accepted"), ("weather", 51, "proposed"),
])  # fmt: skip
def test_weather_and_forecast_are_accepted_by_rule_up_to_an_amount(kind, amount_fen, state):
    ground = Ground()
    ground.set(500, 300, auto_fen=50)
    made = ground.propose(amount_fen, kind=kind, by=WORKER, source={"observed_at": clocks.now().isoformat()})
    assert (made.state, made.decided_by) == (state, "rule" if state == "accepted" else None)
    assert ground.now.usable_fen == 500 + (amount_fen if state == "accepted" else 0)


def test_all_reasons_against_an_adjustment_come_together():
    ground = Ground()
    now = clocks.now()
    said = {"valid_from": now, "valid_until": now, "reason": " ", "source": {"observed_at": "yesterday"}}
    with pytest.raises(limits.AdjustmentRefused) as refused:
        ground.propose(0, kind="weather", **said)
    assert [reason.code for reason in refused.value.reasons] == [
        "adjustment_amount", "adjustment_window", "reason_missing", "adjustment_without_data", "pool_not_dynamic",
    ]  # fmt: skip
    ground.set(500)
    with pytest.raises(limits.AdjustmentRefused) as refused:
        ground.propose(10**13 + 1, kind="tides", valid_from=now - 2 * HOUR, valid_until=now)
    assert [reason.code for reason in refused.value.reasons] == [
        "adjustment_kind", "adjustment_amount", "adjustment_over",
    ]  # fmt: skip
    assert list(queries.adjustments(ground.shop.owner, ground.shop.merchant_id, ground.pool_id)) == []


def test_an_adjustment_accepted_too_late_is_refused(clock):
    ground = Ground()
    ground.set(500, 300)
    made = ground.propose(100)
    clock.move(hours=1)
    with pytest.raises(limits.AdjustmentRefused) as refused:
        limits.accept_adjustment(by=ground.shop.owner, merchant_id=ground.shop.merchant_id, id=made.id)
    assert [reason.code for reason in refused.value.reasons] == ["adjustment_over"]
    assert ground.now.usable_fen == 500


@pytest.mark.parametrize(("beyond", "state"), [(-1, "accepted"), (0, None), (1, None)])
def test_weather_works_until_its_data_is_too_old_to_the_second(clock, beyond, state):
    """L6: data of six hours is too old, whatever the hours of rain."""
    ground = Ground()
    ground.set(500, 300, auto_fen=50)
    observed_at = clock.now()
    source = {"observed_at": observed_at.isoformat()}
    ground.propose(50, 24, kind="weather", by=WORKER, source=source)
    clock.move(hours=6, seconds=beyond)
    assert ground.now.usable_fen == (550 if state else 500)
    assert ground.takes(550) is bool(state)
    if state:
        assert ground.propose(50, 1, kind="weather", by=WORKER, source=source).state == state
    else:
        with pytest.raises(limits.AdjustmentRefused) as refused:
            ground.propose(50, 1, kind="weather", by=WORKER, source=source)
        assert [reason.code for reason in refused.value.reasons] == ["weather_stale"]


def test_newer_data_that_says_the_same_lets_an_adjustment_stand_longer(clock):
    """L6: but what fell back to base stays so."""
    ground = Ground()
    ground.set(500, 300, auto_fen=50)
    made = ground.propose(50, 24, kind="weather", by=WORKER, source={"observed_at": clock.now().isoformat()})
    refresh = {"by": WORKER, "merchant_id": ground.shop.merchant_id, "id": made.id}
    clock.move(hours=5)
    assert limits.refresh_adjustment(**refresh, source={"observed_at": clock.now().isoformat()})
    assert limits.refresh_adjustment(**refresh, source={"observed_at": (clock.now() - HOUR).isoformat()})
    clock.move(hours=6, microseconds=-1)
    assert ground.now.usable_fen == 550
    clock.move(microseconds=1)
    assert ground.now.usable_fen == 500
    assert not limits.refresh_adjustment(**refresh, source={"observed_at": clock.now().isoformat()})
    assert ground.now.usable_fen == 500


@pytest.mark.parametrize(("at", "usable_fen"), [
    ((4, 59, 59), 1000), ((5, 0, 0), 80), ((10, 59, 59), 80), ((11, 0, 0), 1000), ((16, 59, 59), 1000),
    ((17, 0, 0), 200), ((22, 59, 59), 200), ((23, 0, 0), 90),
    ((23, 59, 59), 90), ((0, 0, 0), 90), ((1, 59, 59), 90), ((2, 0, 0), 1000),
])  # fmt: skip
def test_time_bands_cap_a_pool_between_their_times(clock, at, usable_fen):
    """L5."""
    ground = Ground(grant_fen=1000)
    ground.bands(
        ("morning_market", "05:00", "11:00", 80), ("evening", "17:00", "23:00", 200), ("night", "23:00", "02:00", 90)
    )
    clock.at = shanghai(2025, 11, 11, *at)
    assert (ground.now.usable_fen, ground.takes(usable_fen), ground.takes(usable_fen + 1)) == (usable_fen, True, False)


def test_the_policys_bands_are_80_000_in_the_morning_and_200_000_in_the_evening():
    """L5."""
    ground = Ground()
    made = limits.propose_bands(**ground.key, reason="早晚市", source={})
    assert [(b.name, b.limit_fen) for b in queries.bands_of(ground.shop.merchant_id, made.id)] == [
        ("morning_market", 80_000 * YUAN), ("evening", 200_000 * YUAN),
    ]  # fmt: skip


def test_a_table_of_bands_replaces_the_one_before_from_its_acceptance_on(clock):
    ground = Ground(grant_fen=1000)
    first = ground.bands(("all", "09:00", "18:00", 300))
    clock.move(hours=1)
    second = ground.bands(("all", "09:00", "18:00", 400))
    assert ground.now.usable_fen == 400
    (before,) = queries.usable(ground.shop.owner, ground.shop.merchant_id, ground.pool_id, [clock.now() - MICROSECOND])
    assert before.usable_fen == 300
    states = {t.id: t.state for t, _ in queries.band_tables(ground.shop.owner, ground.shop.merchant_id, ground.pool_id)}
    assert states == {first.id: "replaced", second.id: "accepted"}
    limits.withdraw_bands(by=ground.shop.owner, merchant_id=ground.shop.merchant_id, id=second.id)
    assert ground.now.usable_fen == 1000


def test_bands_of_a_forecast_that_hardly_differ_are_accepted_by_rule():
    ground = Ground(grant_fen=1000)
    ground.set(1000, auto_fen=50)
    ground.bands(("all", "09:00", "18:00", 300))

    def proposed(limit_fen, closes="18:00", by=WORKER):
        band = {"name": "all", "opens": "09:00", "closes": closes, "limit_fen": limit_fen}
        return limits.propose_bands(**{**ground.key, "by": by}, bands=[band], reason="预测", source={}).state

    assert [proposed(350), proposed(299), proposed(350, "17:00")] == ["accepted", "proposed", "proposed"]
    assert proposed(350, by=ground.shop.owner) == "proposed"  # a person decides on what a person proposed
    assert ground.now.usable_fen == 350


def test_all_reasons_against_bands_come_together():
    ground = Ground()
    bands = [
        {"name": "a", "opens": "09:00", "closes": "12:00", "limit_fen": 1},
        {"name": "a", "opens": "11:59", "closes": "13:00", "limit_fen": 1},
        {"name": "b", "opens": "14:00", "closes": "14:00", "limit_fen": 1},
        {"name": "c", "opens": "25:00", "closes": "26:00", "limit_fen": 1},
        {"name": "d", "opens": "15:00", "closes": "16:00", "limit_fen": -1},
    ]
    with pytest.raises(limits.BandsRefused) as refused:
        limits.propose_bands(**ground.key, bands=bands, reason="", source={})
    assert {reason.code for reason in refused.value.reasons} == {
        "band_window", "band_form", "band_name_twice", "bands_overlap", "reason_missing",
    }  # fmt: skip
    assert queries.band_tables(ground.shop.owner, ground.shop.merchant_id, ground.pool_id) == []


minutes = st.integers(0, 24 * 60 - 1)


@settings(max_examples=200)
@given(st.lists(st.tuples(minutes, minutes), max_size=6))
def test_bands_overlap_where_a_minute_lies_in_two(said):
    """Against a count of every minute of the day."""
    shown = [
        {"name": str(n), "opens": f"{a // 60:02}:{a % 60:02}", "closes": f"{b // 60:02}:{b % 60:02}", "limit_fen": 1}
        for n, (a, b) in enumerate(said)
    ]
    bands, reasons = rules.read_bands([each for each in shown if each["opens"] != each["closes"]])
    counts = [0] * (24 * 60)
    for band in bands:
        for start, end in band.spans():
            for minute in range(start, end):
                counts[minute] += 1
    assert ("bands_overlap" in {reason.code for reason in reasons}) is (max(counts) > 1)


@pytest.mark.parametrize(("said", "place"), [
    ("30.2741,120.1551", "30.27,120.16"), ("-33.9,18.4", "-33.90,18.40"), ("90,180", "90.00,180.00"),
    ("91,0", None), ("0,181", None), ("nan,0", None), ("Hangzhou", None), ("30.27", None), ("30.27,120.16,5", None),
])  # fmt: skip
def test_a_place_is_latitude_and_longitude(said, place):
    found, reasons = rules.read_place(said)
    assert (found, [reason.code for reason in reasons]) == (place, [] if place else ["place_unknown"])


@pytest.mark.parametrize(("beyond", "fits"), [(0, True), (1, False)])
def test_what_lies_above_the_gate_is_unusable_until_the_pool_is_filed(clock, beyond, fits):
    """G10: 500,000; from September 2023, and by each order's own instant."""
    gate_fen = 500_000 * YUAN
    ground = Ground(grant_fen=gate_fen + 1000, own_fen=60_000 * YUAN)
    assert ground.takes(gate_fen + beyond) is fits
    assert (ground.now.usable_fen, ground.now.room_fen) == (gate_fen, gate_fen)
    (before,) = queries.usable(
        ground.shop.owner, ground.shop.merchant_id, ground.pool_id, [shanghai(2023, 9, 1) - MICROSECOND]
    )
    assert (before.usable_fen, before.gate_fen) == (gate_fen + 1000, None)
    filed_at = clock.now() + HOUR
    file_pool(ground.shop, filed_at)
    clock.at = filed_at - MICROSECOND
    assert ground.takes(gate_fen + beyond) is fits
    clock.at = filed_at
    assert ground.takes(gate_fen + beyond)
    assert ground.now.room_fen == gate_fen + 1000


def test_the_schedule_says_for_each_half_hour_what_made_it():
    ground = Ground(grant_fen=1000)
    ground.set(500, 300)
    ground.accept(100, 2)  # from ten to twelve
    ground.bands(("morning_market", "05:00", "11:00", 80))
    shown = queries.schedule(ground.shop.owner, ground.shop.merchant_id, ground.pool_id, DAY)
    assert len(shown) == 48
    assert [(each.usable_fen, each.dynamic_fen, each.band) for each in shown[18:26]] == [
        (1000, None, None), (1000, None, None),  # before it was dynamic
        (80, 600, "morning_market"), (80, 600, "morning_market"), (600, 600, None), (600, 600, None),
        (500, 500, None), (500, 500, None),
    ]  # fmt: skip
    assert (shown[22].base_fen, shown[22].adjusted_fen, shown[22].floating_fen) == (500, 100, 300)


def test_the_figures_of_stores_and_usages_follow_the_cap():
    """O6, K1: what a store could carry is what its pool would give now."""
    ground = Ground(grant_fen=1000, stores=2)
    ground.set(500)
    (figures,) = [queries.figures(ground.shop.owner, ground.shop.merchant_id, s) for s in ground.shop.stores[:1]]
    assert figures.pool_reach_fen == 500
    usages = {subject: (used, limit) for subject, _, used, limit in queries.usages(OPERATOR, ground.shop.merchant_id)}
    assert usages[f"pool/{ground.pool_id}"] == (0, 500)
    assert usages[f"store/{ground.shop.store}"] == (200_000, 200_500)
    found = queries.snapshot(ground.shop.owner, ground.shop.merchant_id)
    assert found.stores[0] == figures
    assert (found.pools[0].usable_fen, found.pools[0].limit_fen) == (500, 1000)


def test_what_was_lost_stays_used():
    ground = Ground(grant_fen=1000)
    ground.set(500)
    ground.shop.place(200)
    order_ids = list(ground.shop.placed)
    ground.shop.receive(*order_ids)
    by, m = ground.shop.owner, ground.shop.merchant_id
    orders.fall_due(by=by, merchant_id=m, steps=ground.shop.steps(*order_ids))
    orders.write_off(by=by, merchant_id=m, steps=ground.shop.steps(*order_ids, note="买家失联"))
    assert ground.shop.fen("q:lost:pool", ground.pool_id) == 200
    assert (ground.now.usable_fen, ground.now.room_fen) == (500, 300)
    assert not ground.takes(301)


def test_a_pool_that_is_dynamic_no_more_gives_all_that_it_holds(clock):
    ground = Ground(grant_fen=1000)
    with pytest.raises(limits.DynamicRefused):
        limits.stop_dynamic(**ground.key)
    ground.set(500)
    clock.move(seconds=1)
    limits.stop_dynamic(**ground.key)
    assert ground.now.usable_fen == 1000
    assert queries.settings(ground.shop.merchant_id, ground.pool_id, clock.now()) is None
    with pytest.raises(limits.AdjustmentRefused):
        ground.propose(1)


def test_people_of_the_whole_merchant_decide_and_nobody_elses():
    ground = Ground(stores=2)
    ground.set(500, 300)
    made = ground.propose(100)
    shop = ground.shop
    manager, auditor = shop.hire("store_manager", stores=shop.stores[:1]), shop.hire("auditor")
    decide = {"merchant_id": shop.merchant_id, "id": made.id}
    for by, refusal in ((manager, WholeMerchantNeeded), (auditor, Forbidden), (WORKER, Forbidden)):
        with pytest.raises(refusal):
            limits.accept_adjustment(by=by, **decide)
    with pytest.raises(NotFound):
        limits.accept_adjustment(by=open_shop().owner, **decide)
    assert len(queries.schedule(manager, shop.merchant_id, ground.pool_id, DAY)) == 48
    assert ground.now.usable_fen == 500
    assert limits.accept_adjustment(by=shop.hire("regional_manager"), **decide).state == "accepted"


def test_listeners_are_told_when_a_band_turns_and_when_an_adjustment_begins(clock):
    """G7."""
    from houfu.limits.live import Live
    from houfu.limits.tests.test_live import until

    ground = Ground(grant_fen=1000)
    live = Live(lambda: "")
    account = Account("q:pool:usable", ground.pool_id)
    from houfu.limits.tests.test_live import Ear

    def told(act):
        with Ear() as ear:
            act()
            notices = ear.heard()

        async def read():
            with live.reader(ground.shop.merchant_id) as reader:
                reader._stale, reader.gather = False, 0
                for notice in notices:
                    live.hear(notice)
                if not reader._changed:
                    return None
                return (await until(reader.news(), "limit")).changed.get(account)

        return asyncio.run(read())

    assert told(lambda: ground.set(500, 300)) == 500
    assert told(lambda: ground.accept(100)) == 600
    assert told(lambda: limits.tell_turns(by=WORKER)) is None
    clock.move(hours=1)
    assert told(lambda: limits.tell_turns(by=WORKER)) == 500
    assert told(lambda: ground.bands(("noon", "12:00", "13:00", 200))) is None
    clock.move(hours=1)
    assert told(lambda: limits.tell_turns(by=WORKER)) == 200
    assert told(lambda: limits.tell_turns(by=WORKER)) is None


def test_a_refusal_changes_nothing():
    ground = Ground(grant_fen=1000)
    ground.set(500)
    before = ground.shop.books()
    for act in (
        lambda: ground.set(10**13 + 1),
        lambda: ground.set(-1),
        lambda: ground.set(1, place="nowhere"),
        lambda: ground.propose(0),
        lambda: limits.withdraw_adjustment(by=ground.shop.owner, merchant_id=ground.shop.merchant_id, id=10**9),
        lambda: limits.accept_bands(by=ground.shop.owner, merchant_id=ground.shop.merchant_id, id=10**9),
    ):
        with pytest.raises(Refused):
            act()
    assert (ground.now.usable_fen, ground.shop.books()) == (500, before)
