"""A run decides many stores at once, each as it would be decided alone, and all of them or none (P1, P5, P7, I-19)."""

from datetime import date

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from houfu.kernel import crash, db
from houfu.kernel.clock import shanghai
from houfu.kernel.errors import Busy
from houfu.merchants import actions as merchants
from houfu.payouts import actions, queries, tasks
from houfu.payouts.models import Payout, Run, StandingOrder
from houfu.payouts.tests.test_scarce import give_all_but
from houfu.testing.world import OPERATOR, WORKER, open_shop, proved

DAY = date(2025, 11, 12)
EVE, MORNING = shanghai(2025, 11, 11, 10), shanghai(2025, 11, 12, 10)


class Died(BaseException):
    """The worker is gone."""


class Undone(Exception):
    """Nothing of it may stand."""


@pytest.fixture
def alone(platform, clock):
    """A platform on which no other store is paid out on run days, the day before one."""
    StandingOrder.objects.all().delete()
    clock.at = EVE
    return clock


def open_standing(stores):
    """Open a shop of stores that stand to be paid out, each of matured lots and with its trouble."""
    shop = open_shop(stores=len(stores), own_limit_fen=100_000_000)
    shop.payee()
    for store, (lots_fen, trouble) in zip(shop.stores, stores, strict=True):
        shop.earn(*lots_fen, store=store)
        actions.stand(
            by=shop.owner, merchant_id=shop.merchant_id, store_id=store, beneficiary_id=shop.beneficiary_id,
            purpose="wages" if trouble == "wages" else "goods_settlement",
        )  # fmt: skip
        if trouble == "frozen":
            merchants.freeze_store(by=OPERATOR, merchant_id=shop.merchant_id, id=store, reason="frequency")
    return shop


def stores_of(shops):
    return [(shop.merchant_id, store) for shop in shops for store in shop.stores]


def became(shops):
    """Return what became of the day for each store: why not, or the amount, the fee and the lots that were paid out."""
    found = Run.objects.filter(run_day=DAY, merchant_id__in=[shop.merchant_id for shop in shops])
    return {(run.merchant_id, run.store_id): run.reasons or _paid(run) for run in found}


def _paid(run):
    payout = Payout.objects.get(merchant_id=run.merchant_id, id=run.payout_id)
    lots = [(part.order_id, part.amount_fen) for part in queries.allocations(run.merchant_id, payout.id)]
    return payout.amount_fen, payout.fee_fen, payout.waived, lots


def undone(shops, waivers, *batches):
    """Return what would become of the day if the stores were run in these batches while so many waivers are left."""
    outcome = {}

    @db.action
    def attempt():
        give_all_but(waivers)
        for stores in batches:
            actions.run(by=WORKER, run_day=DAY, stores=stores)
        outcome.update(became(shops))
        raise Undone

    with pytest.raises(Undone):
        attempt()
    return outcome


def quoted(shop, store):
    """Return what a quote says of sweeping a store: why not, or the amount and the lots."""
    asked = {"store_id": store, "beneficiary_id": shop.beneficiary_id, "amount_fen": 0}
    purpose = StandingOrder.objects.get(merchant_id=shop.merchant_id, store_id=store).purpose
    asked["amount_fen"] = queries.quote(proved(shop.owner), shop.merchant_id, purpose=purpose, **asked).largest_fen
    quote = queries.quote(proved(shop.owner), shop.merchant_id, purpose=purpose, **asked)
    return [reason.code for reason in quote.reasons] or (quote.amount_fen, sorted(quote.orders))


LOTS = st.lists(st.integers(1, 40_000) | st.just(4_000_000), min_size=1, max_size=4)
STORE = st.tuples(LOTS, st.sampled_from(["", "", "", "frozen", "wages"]))
RICH = ([4_000_000, 4_000_000], "")


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shops=st.lists(st.lists(STORE, min_size=1, max_size=3), min_size=1, max_size=3), waivers=st.integers(0, 3),
       revoked=st.booleans())  # fmt: skip
@example(shops=[[RICH, RICH], [RICH]], waivers=2, revoked=False)
def test_many_stores_are_decided_as_each_alone_and_as_a_quote_says(alone, shops, waivers, revoked):
    alone.at = EVE
    opened = [open_standing(stores) for stores in shops]
    if revoked:
        shop = opened[-1]
        actions.revoke(by=shop.owner, merchant_id=shop.merchant_id, id=shop.beneficiary_id)
    alone.at = MORNING
    stores = stores_of(opened)
    quotes = {(shop.merchant_id, store): quoted(shop, store) for shop in opened for store in shop.stores}
    together = undone(opened, waivers, stores)
    assert together == undone(opened, waivers, *([store] for store in stores))
    assert sorted(together) == stores
    for store, outcome in together.items():
        assert quotes[store] == (outcome if isinstance(outcome, list) else (outcome[0], outcome[3]))


def test_a_worker_that_dies_in_a_run_leaves_whole_parts_of_it_and_the_next_one_goes_on(alone, monkeypatch):
    """I-19: what was decided together stands, or nothing of it does."""
    opened = [open_standing([([60_000], ""), ([60_000], "frozen")]) for _ in range(3)]
    alone.at = MORNING
    monkeypatch.setattr(tasks, "TOGETHER", 2)
    met = []

    def point(name):
        met.append(name)
        if met.count("run.before_commit") == 2:
            raise Died

    with monkeypatch.context() as dying:
        dying.setattr(crash, "point", point)
        with pytest.raises(Died):
            tasks.run_due(WORKER)
    assert [len(became([shop])) for shop in opened] == [2, 0, 0]
    assert [shop.fen("claim:reserved") for shop in opened] == [40_000, 0, 0]
    assert (tasks.run_due(WORKER), tasks.run_due(WORKER)) == (2, 0)
    assert [shop.fen("claim:reserved") for shop in opened] == [40_000] * 3
    assert [len(queries.payouts(shop.owner, shop.merchant_id)) for shop in opened] == [1] * 3


def test_a_merchant_that_cannot_be_run_now_does_not_keep_the_others_from_it(alone, monkeypatch):
    opened = [open_standing([([60_000], "")]) for _ in range(3)]
    alone.at = MORNING
    run = actions.run

    def busy(*, stores, **rest):
        if (opened[1].merchant_id, opened[1].store) in stores:
            raise Busy()
        return run(stores=stores, **rest)

    with monkeypatch.context() as held:
        held.setattr(actions, "run", busy)
        assert tasks.run_due(WORKER) == 2
    assert [shop.fen("claim:reserved") for shop in opened] == [40_000, 0, 40_000]
    assert tasks.run_due(WORKER) == 1
    assert opened[1].fen("claim:reserved") == 40_000
