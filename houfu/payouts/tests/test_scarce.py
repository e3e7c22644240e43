"""The fee waivers of the platform: never one more than there are, given back exactly once (P7, I-21)."""

import pytest

from houfu.channels.port import Answer, Dedupe, Verdict
from houfu.kernel import clock, db
from houfu.payouts import actions, queries
from houfu.payouts.tests.shops import state
from houfu.policies import queries as policies
from houfu.testing.threads import in_threads
from houfu.testing.world import WORKER, open_shop
from houfu.verify import queries as verify

LARGE = 5_000_000


def left():
    return queries.waivers_left(policies.at(clock.now()))


def give_all_but(number):
    """Let the platform have that many waivers left."""
    count = policies.at(clock.now()).payouts.waiver.count
    assert count == 1_000_000
    db.rows("UPDATE payouts_waiver SET claimed = %s", [count - number])
    return count - number


def rich_shop(stores):
    """A shop with enough in every store for one payout that is free of charge."""
    shop = open_shop(stores=stores, own_limit_fen=10_000_000)
    shop.payee()
    for store in shop.stores:
        shop.earn(7_500_000, store=store)
    return shop


def test_twenty_at_once_get_the_last_three_waivers_and_no_more(fresh_db):
    shop = rich_shop(20)
    before = give_all_but(3)
    payouts = in_threads(lambda store: shop.ask(LARGE, store=store), shop.stores)
    waived = [payout for payout in payouts if payout.waived]
    assert (len(waived), left()) == (3, 0)
    assert sorted(payout.fee_fen for payout in payouts) == [0] * 3 + [40_000] * 17
    _every_end_gives_back_once(shop, waived)
    assert left() == 2
    db.rows("UPDATE payouts_waiver SET claimed = claimed - %s", [before])
    assert verify.run().findings == []


def _every_end_gives_back_once(shop, waived):
    """One is called off and one comes back, each by eight at once; the third is paid and keeps its waiver."""
    cancelled, returned, paid = waived
    for payout in (returned, paid):
        actions.begin(by=WORKER, merchant_id=shop.merchant_id, id=payout.id, worker="w")
    in_threads(lambda _: actions.cancel(by=shop.owner, merchant_id=shop.merchant_id, id=cancelled.id), range(8))
    assert left() == 1
    for verdict, many in ((Verdict.RETURNED, [returned] * 8), (Verdict.PAID, [paid] * 8)):
        in_threads(lambda payout, verdict=verdict: _record(shop, payout, verdict), many)
    assert [state(shop, payout) for payout in waived] == ["cancelled", "returned", "paid"]


def _record(shop, payout, verdict):
    return actions.record(
        by=WORKER, merchant_id=shop.merchant_id, id=payout.id, answer=Answer(verdict), dedupe=Dedupe.STRICT,
        window=clock.NEVER,
    )  # fmt: skip


@pytest.mark.parametrize("verdict", [Verdict.DENIED, Verdict.RETURNED])
def test_a_waiver_given_back_is_the_next_ones(fresh_db, verdict):
    shop = rich_shop(2)
    give_all_but(1)
    first = shop.ask(LARGE)
    assert (first.waived, shop.ask(LARGE, store=shop.stores[1]).waived) == (True, False)
    actions.begin(by=WORKER, merchant_id=shop.merchant_id, id=first.id, worker="w")
    assert [_record(shop, first, Verdict.UNKNOWN), left()] == ["unknown", 0]
    _record(shop, first, verdict)
    _record(shop, first, verdict)
    assert left() == 1
    shop.payee()
    assert (shop.ask(LARGE).waived, left()) == (True, 0)


def test_a_payout_that_paid_its_fee_gives_no_waiver_back(fresh_db):
    shop = rich_shop(2)
    give_all_but(0)
    for amount_fen, store in zip((LARGE, LARGE - 1), shop.stores, strict=True):
        payout = shop.ask(amount_fen, store=store)
        assert payout.fee_fen == 40_000
        actions.cancel(by=shop.owner, merchant_id=shop.merchant_id, id=payout.id)
    assert left() == 0
