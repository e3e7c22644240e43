"""Automatic runs: on which days and when, once also after downtime, how much is swept, for whom (P1, P5, I-19)."""

from datetime import date

import pytest

from houfu.kernel.clock import SHANGHAI, shanghai
from houfu.kernel.errors import NotFound
from houfu.merchants import actions as merchants
from houfu.orders import actions as orders
from houfu.payouts import actions, queries, tasks
from houfu.payouts.models import StandingOrder
from houfu.payouts.tests.shops import earn, state
from houfu.testing.threads import in_threads
from houfu.testing.world import OPERATOR, WORKER, open_shop


def stand(shop, *stores, beneficiary_id=0, purpose="goods_settlement"):
    """Have stores paid out on every run day."""
    for store in stores or shop.stores:
        actions.stand(
            by=shop.owner, merchant_id=shop.merchant_id, store_id=store,
            beneficiary_id=beneficiary_id or shop.beneficiary_id, purpose=purpose,
        )  # fmt: skip


def standing_shop(*, stores=1, fen=60_000):
    """Open a shop with money in each store, all of which stand to be paid out from now on."""
    shop = open_shop(stores=stores, own_limit_fen=100_000_000)
    shop.payee()
    for store in shop.stores:
        shop.earn(fen, store=store)
    stand(shop)
    return shop


def runs(shop):
    """Return the days that were run for a shop's first store, oldest first."""
    return [run.run_day for run in reversed(queries.runs(shop.owner, shop.merchant_id)) if run.store_id == shop.store]


def reasons(shop):
    """Return why the stores of a shop were not paid out by its last run; none for those that were."""
    found = queries.runs(shop.owner, shop.merchant_id)
    return [run.reasons for run in found if run.run_day == found[0].run_day]


@pytest.fixture
def alone(platform, clock):
    """A platform on which no other store is paid out on run days."""
    StandingOrder.objects.all().delete()


# When ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("now", "ran"), [
    (shanghai(2025, 11, 11, 23, 59, 59), []),
    (shanghai(2025, 11, 12, 9, 59, 59, 999_999), []),
    (shanghai(2025, 11, 12, 10), [date(2025, 11, 12)]),  # Wednesday
    (shanghai(2025, 11, 12, 23), [date(2025, 11, 12)]),
    (shanghai(2025, 11, 14, 9, 59, 59, 999_999), [date(2025, 11, 12)]),
    (shanghai(2025, 11, 14, 10), [date(2025, 11, 14)]),  # Friday
    (shanghai(2025, 11, 16, 12), [date(2025, 11, 14)]),
    (shanghai(2025, 11, 19, 10), [date(2025, 11, 19)]),
])  # fmt: skip
def test_runs_are_on_wednesdays_and_fridays_at_ten(alone, clock, now, ran):
    shop = standing_shop()
    clock.at = now
    tasks.run_due(WORKER)
    assert runs(shop) == ran


@pytest.mark.parametrize(("first", "last", "days"), [
    # National Day: Wednesday the 1st, Friday the 3rd and Wednesday the 8th are all made up for on Thursday the 9th.
    (date(2025, 9, 29), date(2025, 10, 12), {date(2025, 10, 9): 3, date(2025, 10, 10): 1}),
    # Labour Day: Friday the 2nd moves to Tuesday the 6th.
    (date(2025, 5, 1), date(2025, 5, 7), {date(2025, 5, 6): 1, date(2025, 5, 7): 1}),
    # Spring Festival lasts until Monday the 23rd; the Saturday before it is worked, but no run day.
    (date(2026, 2, 13), date(2026, 2, 25), {date(2026, 2, 13): 1, date(2026, 2, 24): 2, date(2026, 2, 25): 1}),
])  # fmt: skip
def test_a_run_day_that_is_no_workday_moves_to_the_next_one(db, clock, first, last, days):
    found = queries.run_days(first, last)
    assert {run.day: len(run.nominal) for run in found} == days
    assert {run.at.astimezone(SHANGHAI).hour for run in found} == {10}


def test_a_store_is_paid_out_once_after_the_holidays_for_all_the_run_days_in_them(alone, clock):
    clock.at = shanghai(2025, 9, 29, 10)
    shop = standing_shop(fen=600_000)
    made = {}
    for _ in range(13 * 24):
        clock.move(hours=1)
        if count := tasks.run_due(WORKER):
            made[clock.at.astimezone(SHANGHAI).isoformat()] = count
    assert made == {"2025-10-09T10:00:00+08:00": 1, "2025-10-10T10:00:00+08:00": 1}
    assert runs(shop) == [date(2025, 10, 9), date(2025, 10, 10)]


# Downtime ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("back_at", "day"), [
    (shanghai(2025, 11, 13, 3), date(2025, 11, 12)),
    (shanghai(2025, 11, 15, 22), date(2025, 11, 14)),  # over Wednesday and Friday: the latest, once
    (shanghai(2025, 12, 1, 8), date(2025, 11, 28)),
])  # fmt: skip
def test_after_downtime_the_latest_run_is_caught_up_once_however_many_workers_come_back(alone, clock, back_at, day):
    shop = standing_shop(stores=3)
    clock.at = back_at
    outcomes = in_threads(lambda _: tasks.run_due(WORKER), range(4))
    assert sum(count for count in outcomes if isinstance(count, int)) == 3
    assert runs(shop) == [day]
    for _ in range(3):
        clock.move(minutes=10)
        assert tasks.run_due(WORKER) == 0
    assert [shop.fen("claim:reserved", store) for store in shop.stores] == [40_000] * 3


def test_a_run_that_was_broken_off_between_merchants_goes_on_with_the_others(alone, clock):
    shops = [standing_shop() for _ in range(3)]
    clock.at = shanghai(2025, 11, 12, 10)
    stores = [(shops[1].merchant_id, shops[1].store)]
    assert len(actions.run(by=WORKER, run_day=date(2025, 11, 12), stores=stores)) == 1
    clock.move(hours=2)
    assert tasks.run_due(WORKER) == 2
    assert [runs(shop) for shop in shops] == [[date(2025, 11, 12)]] * 3
    assert [shop.fen("claim:reserved") for shop in shops] == [40_000] * 3


def test_a_store_that_stands_since_after_the_run_does_not_keep_the_others_from_being_run_once(alone, clock):
    shop = standing_shop()
    clock.at = shanghai(2025, 11, 12, 10)
    assert tasks.run_due(WORKER) == 1
    late = merchants.open_store(
        by=OPERATOR, merchant_id=shop.merchant_id, code="LATE", name="新店", channel_account_id=shop.account_id
    ).id
    clock.move(minutes=1)
    stand(shop, late)
    assert tasks.run_due(WORKER) == 0
    assert {run.store_id for run in queries.runs(shop.owner, shop.merchant_id)} == {shop.store}


# How much ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("available_fen", "swept_fen", "fee_fen"), [
    (15_000, 10_000, 60), (15_001, 10_000, 60), (15_002, 10_001, 60), (100_000, 66_666, 400), (100_001, 66_667, 400),
    (7_499_999, 4_999_999, 30_000), (7_500_000, 5_000_000, 0),
])  # fmt: skip
def test_a_run_sweeps_what_is_covered_rounded_down(alone, clock, available_fen, swept_fen, fee_fen):
    """P5, P1: 0.6 %; P7: free from 50,000 on."""
    shop = standing_shop(fen=available_fen)
    clock.at = shanghai(2025, 11, 12, 10)
    tasks.run_due(WORKER)
    [payout] = queries.payouts(shop.owner, shop.merchant_id)
    assert (payout.amount_fen, payout.fee_fen, payout.kind) == (swept_fen, fee_fen, "automatic")
    assert (shop.fen("claim:matured"), shop.fen("claim:reserved")) == (available_fen - swept_fen, swept_fen)
    assert payout.arrives_by == shanghai(2025, 11, 18)  # by the end of the third workday


def test_the_next_run_sweeps_from_what_the_last_has_left(alone, clock):
    shop = standing_shop(fen=90_000)
    for day, left in ((12, 30_000), (14, 10_000), (19, 10_000)):
        clock.at = shanghai(2025, 11, day, 10)
        tasks.run_due(WORKER)
        assert shop.fen("claim:matured") == left
    assert reasons(shop) == [["below_minimum"]]


def test_what_has_not_matured_is_not_swept(alone, clock):
    """O4."""
    shop = standing_shop()
    shop.place(90_000)
    shop.receive()
    clock.at = shanghai(2025, 11, 12, 9)
    shop.settle({shop.placed[0]: 90_000})
    clock.at = shanghai(2025, 11, 12, 10)
    tasks.run_due(WORKER)
    [payout] = queries.payouts(shop.owner, shop.merchant_id)
    assert payout.amount_fen == 40_000


def test_a_payout_of_a_run_goes_out_at_once_and_is_paid(proven_db, channel):
    shop = open_shop()
    shop.payee()
    earn(channel, shop, 60_000)
    stand(shop)
    channel.hands.set(shanghai(2025, 11, 16, 23))  # late on a Sunday: Friday's run is caught up
    assert tasks.run_due(WORKER) == 1
    tasks.work_off("worker")
    [payout] = queries.payouts(shop.owner, shop.merchant_id)
    assert (state(shop, payout), channel.executions(shop.principal)) == ("paid", 1)


# For whom ------------------------------------------------------------------------------------------------------------


def test_a_store_is_paid_to_whom_its_latest_standing_order_names(alone, clock):
    shop = standing_shop()
    other = shop.payee(purpose_class="freight").id
    stand(shop, beneficiary_id=other, purpose="freight")
    clock.at = shanghai(2025, 11, 12, 10)
    tasks.run_due(WORKER)
    [payout] = queries.payouts(shop.owner, shop.merchant_id)
    assert (payout.beneficiary_id, payout.purpose) == (other, "freight")
    assert [order.beneficiary_id for order in queries.standing_orders(shop.merchant_id)] == [other]


def test_a_store_without_a_standing_order_is_not_run(alone, clock):
    shop = standing_shop(stores=2)
    actions.stand_down(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store)
    actions.stand_down(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store)
    clock.at = shanghai(2025, 11, 12, 10)
    assert tasks.run_due(WORKER) == 1
    assert [payout.store_id for payout in queries.payouts(shop.owner, shop.merchant_id)] == [shop.stores[1]]


def _frozen(shop):
    merchants.freeze_store(by=OPERATOR, merchant_id=shop.merchant_id, id=shop.store, reason="frequency")


def _revoked(shop):
    actions.revoke(by=shop.owner, merchant_id=shop.merchant_id, id=shop.beneficiary_id)


def _in_deficit(shop):
    payout = shop.ask(40_000)
    assert actions.begin(by=WORKER, merchant_id=shop.merchant_id, id=payout.id, worker="w")
    sold = shop.placed[0]
    shop.place(90_000)  # what the channel has to refund out of
    shop.receive()
    shop.settle({shop.placed[0]: 90_000})
    orders.refund(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(sold, ref="R1", amount_fen=60_000))


def _emptied(shop):
    shop.ask(40_000)


def _wages(shop):
    stand(shop, purpose="wages")


@pytest.mark.parametrize(("what", "codes"), [
    (_frozen, ["store_frozen"]), (_revoked, ["beneficiary_not_verified"]), (_emptied, []),
    (_in_deficit, ["below_minimum", "deficit_open"]), (_wages, ["purpose_denied"]),
])  # fmt: skip
def test_what_stands_against_a_payout_is_noted_and_the_day_is_done(alone, clock, what, codes):
    """P10, and the next run tries again."""
    shop = standing_shop()
    what(shop)
    before = shop.books()
    clock.at = shanghai(2025, 11, 12, 10)
    made = tasks.run_due(WORKER)
    assert (made, reasons(shop)) == (0 if codes else 1, [codes])
    if codes:
        assert shop.books() == before
    assert tasks.run_due(WORKER) == 0
    clock.at = shanghai(2025, 11, 14, 10)
    tasks.run_due(WORKER)
    assert runs(shop) == [date(2025, 11, 12), date(2025, 11, 14)]


def test_one_store_that_cannot_be_paid_does_not_stop_the_others(alone, clock):
    shop = standing_shop(stores=3)
    _frozen(shop)
    clock.at = shanghai(2025, 11, 12, 10)
    assert tasks.run_due(WORKER) == 2
    assert sorted(reasons(shop)) == [[], [], ["store_frozen"]]


def test_standing_orders_are_for_ones_own_stores_and_accounts(db):
    shop, other = standing_shop(), standing_shop()
    for store, account in ((other.store, shop.beneficiary_id), (shop.store, other.beneficiary_id)):
        with pytest.raises(NotFound):
            stand(shop, store, beneficiary_id=account)
    with pytest.raises(NotFound):
        actions.stand_down(by=shop.owner, merchant_id=other.merchant_id, store_id=other.store)
    assert len(queries.standing_orders(other.merchant_id)) == 1
