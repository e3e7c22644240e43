"""After the money left: refunds become a deficit that comes first, every fen is traced, and all of it adds up (O7)."""

import pytest

from houfu.channels.port import Answer, Dedupe, Verdict
from houfu.kernel import clock
from houfu.kernel.errors import Forbidden, NotFound
from houfu.orders import actions as orders
from houfu.orders import queries as order_queries
from houfu.payouts import actions, queries
from houfu.payouts.actions.requests import PayoutRefused
from houfu.payouts.tests.shops import earn, state
from houfu.people.actor import Actor
from houfu.testing.world import WORKER, open_shop


def conclude(shop, payout, verdict):
    actions.begin(by=WORKER, merchant_id=shop.merchant_id, id=payout.id, worker="w")
    return actions.record(
        by=WORKER, merchant_id=shop.merchant_id, id=payout.id, answer=Answer(verdict), dedupe=Dedupe.STRICT,
        window=clock.NEVER,
    )  # fmt: skip


def pay(shop, amount_fen, **what):
    payout = shop.ask(amount_fen, **what)
    assert conclude(shop, payout, Verdict.PAID) == "paid"
    return payout


def refund(shop, order_id, amount_fen, ref="R1"):
    [outcome] = orders.refund(
        by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(order_id, ref=ref, amount_fen=amount_fen)
    )
    return outcome.outcome


def reasons(shop, amount_fen):
    with pytest.raises(PayoutRefused) as refused:
        shop.ask(amount_fen)
    return [reason.code for reason in refused.value.reasons]


def adds_up(shop):
    found = queries.equation(shop.owner, shop.merchant_id)
    return found["difference_fen"] == 0


# The deficit ---------------------------------------------------------------------------------------------------------


def test_a_refund_after_payout_is_repaid_by_the_next_maturities_before_anything_else(channel, platform):
    """O7: step by step, and payouts are blocked until the last fen. The channel refunds out of the other store's."""
    shop = open_shop(stores=2)
    shop.payee()
    earn(channel, shop, 500_000, store=shop.stores[1])
    sold = earn(channel, shop, 600_000)[0]
    earn(channel, shop, 300_000)
    pay(shop, 600_000)
    assert (shop.fen("claim:matured"), shop.fen("deficit")) == (300_000, 0)
    assert refund(shop, sold, 250_000) == "done"
    assert (shop.fen("claim:matured"), shop.fen("deficit")) == (50_000, 0)  # what was left has repaid it at once
    assert refund(shop, sold, 200_000, "R2") == "done"
    assert (shop.fen("claim:matured"), shop.fen("deficit")) == (0, 150_000)
    assert reasons(shop, 10_000) == ["cover_too_thin", "deficit_open"]
    earn(channel, shop, 100_000)
    assert (shop.fen("claim:matured"), shop.fen("deficit")) == (0, 50_000)
    assert reasons(shop, 10_000) == ["cover_too_thin", "deficit_open"]
    assert adds_up(shop)
    earn(channel, shop, 80_000)
    assert (shop.fen("claim:matured"), shop.fen("deficit")) == (30_000, 0)
    pay(shop, 20_000)
    assert queries.equation(shop.owner, shop.merchant_id)["deficit_repaid_fen"] == 450_000
    assert adds_up(shop)


def test_the_oldest_lots_repay_a_deficit_first(channel, shop):
    sold = shop.placed[0]
    pay(shop, 400_000)
    older = earn(channel, shop, 500_000)[0]
    channel.move(hours=1)
    newer = earn(channel, shop, 500_000)[0]
    assert refund(shop, sold, 600_000) == "done"
    lots = {id: order_queries.lot(shop.merchant_id, id) for id in (sold, older, newer)}
    assert {id: lot.offset_fen for id, lot in lots.items()} == {sold: 0, older: 400_000, newer: 0}
    assert (lots[sold].deficit_fen, shop.fen("deficit"), shop.fen("claim:matured")) == (400_000, 0, 600_000)


def test_a_payout_that_comes_back_repays_the_deficit_first(channel, shop):
    sold = shop.placed[0]
    payout = pay(shop, 400_000)
    shop.place(700_000)
    shop.receive()
    shop.settle({shop.placed[0]: 700_000})
    refund(shop, sold, 600_000)
    assert (shop.fen("claim:matured"), shop.fen("deficit")) == (0, 400_000)
    assert conclude(shop, payout, Verdict.RETURNED) == "returned"
    assert (shop.fen("claim:matured"), shop.fen("deficit")) == (0, 0)
    assert adds_up(shop)


def test_a_deficit_of_one_store_is_not_repaid_by_another(channel, platform):
    shop = open_shop(stores=2)
    first, second = shop.stores
    shop.payee()
    sold = earn(channel, shop, 60_000, store=first)[0]
    earn(channel, shop, 90_000, store=second)
    pay(shop, 40_000)
    refund(shop, sold, 60_000)
    assert (shop.fen("deficit"), shop.fen("claim:matured", second)) == (40_000, 90_000)
    assert reasons(shop, 10_000) == ["cover_too_thin", "deficit_open"]
    pay(shop, 50_000, store=second)


def test_a_refund_of_money_that_is_set_aside_but_not_sent_is_a_deficit_too(channel, shop):
    """W2: what a payout holds of a lot is not taken from under it."""
    sold = shop.placed[0]
    payout = shop.ask(400_000)
    refund(shop, sold, 600_000)
    assert (shop.fen("claim:matured"), shop.fen("claim:reserved"), shop.fen("deficit")) == (0, 400_000, 400_000)
    actions.cancel(by=shop.owner, merchant_id=shop.merchant_id, id=payout.id)
    assert (shop.fen("claim:matured"), shop.fen("claim:reserved"), shop.fen("deficit")) == (0, 0, 0)
    assert adds_up(shop)


# Traces --------------------------------------------------------------------------------------------------------------


def test_a_payout_is_traced_to_its_lots_orders_and_evidence_and_an_order_back_to_its_payouts(channel, platform):
    shop = open_shop()
    shop.payee()
    ids = earn(channel, shop, 60_000, 60_000, 60_000)
    channel.move(minutes=1)
    payout = pay(shop, 100_000)
    trace = queries.trace(shop.owner, shop.merchant_id, payout.id)
    assert trace["payout"]["amount_fen"] == sum(lot["amount_fen"] for lot in trace["lots"]) == 100_000
    assert [(lot["order"]["id"], lot["amount_fen"]) for lot in trace["lots"]] == [(ids[0], 60_000), (ids[1], 40_000)]
    assert trace["request_no"].startswith("HF")
    for lot in trace["lots"]:
        assert [(each["kind"], each["counted"]) for each in lot["evidence"]] == [("platform", True)]
        assert lot["lot"]["settled_by"] == "statement"
        assert {"shipped", "received", "settled", "matured"} <= {event["verb"] for event in lot["events"]}
    called_off = shop.ask(20_000)
    actions.cancel(by=shop.owner, merchant_id=shop.merchant_id, id=called_off.id)
    back = queries.trace_back(shop.owner, shop.merchant_id, ids[1])
    assert {(p["payout_id"], p["amount_fen"], p["state"], p["given_back"]) for p in back["payouts"]} == {
        (str(payout.id), 40_000, "paid", False), (str(called_off.id), 20_000, "cancelled", True),
    }  # fmt: skip
    assert queries.trace_back(shop.owner, shop.merchant_id, ids[2])["payouts"] == []


def test_a_trace_is_for_those_who_may_see_it(channel, shop):
    other = open_shop()
    payout = pay(shop, 10_000)
    with pytest.raises(NotFound):
        queries.trace(other.owner, shop.merchant_id, payout.id)
    with pytest.raises(NotFound):
        queries.trace(other.owner, other.merchant_id, payout.id)
    with pytest.raises(NotFound):
        queries.trace_back(other.owner, other.merchant_id, shop.placed[0])
    clerk = Actor("key/x", "x", shop.merchant_id, frozenset({"orders:read"}))
    with pytest.raises(Forbidden):
        queries.trace(clerk, shop.merchant_id, payout.id)
    assert queries.trace_back(clerk, shop.merchant_id, shop.placed[0])["payouts"][0]["state"] == "paid"


# The equation --------------------------------------------------------------------------------------------------------


def test_a_merchant_without_anything_has_an_equation_of_nothing(channel, platform):
    shop = open_shop()
    found = queries.equation(shop.owner, shop.merchant_id)
    assert set(found.values()) == {0}
    assert list(queries.written(found)) == ["+             0.00  settled", "=             0.00  paid out (adds up)"]


def test_all_that_was_settled_is_somewhere(channel, platform):
    """Fees, refunds early and late, a dispute, a deficit, payouts of every end: it adds up to the fen."""
    shop = open_shop(stores=2)
    shop.payee()
    shop.place(*[100_000] * 6)
    ids = list(shop.placed)
    shop.receive()
    refund(shop, ids[0], 30_000)  # before it is settled
    channel.top_up(shop.principal, 1_000_000)
    shop.settle({ids[0]: 70_000, **dict.fromkeys(ids[1:5], 100_000)}, fee_fen=600)
    shop.mature(clock.now().replace(day=20))
    shop.settle({ids[5]: 100_000}, fee_fen=600)
    [disputed] = orders.dispute(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(ids[4], ref="C1"))
    assert disputed.outcome == "done"
    paid = pay(shop, 100_000)
    failed = shop.ask(20_000)
    assert conclude(shop, failed, Verdict.DENIED) == "failed"
    unknown = shop.ask(30_000)
    conclude(shop, unknown, Verdict.UNKNOWN)
    refund(shop, ids[0], 70_000, "R2")  # after it was paid out
    found = queries.equation(shop.owner, shop.merchant_id)
    assert found == {
        "settled_fen": 600_000,
        "channel_fees_fen": 3_600,
        "refunded_fen": 100_000,
        "deficit_fen": 70_000,
        "split_fen": 0,
        "not_matured_fen": 99_400,
        "disputed_fen": 99_400,
        "deficit_repaid_fen": 70_000,
        "kept_by_coverage_fen": 167_600,
        "under_way_fen": 30_000,
        "payout_fees_fen": 800,
        "paid_out_fen": 99_200,
        "difference_fen": 0,
    }
    assert (state(shop, paid), shop.fen("claim:matured")) == ("paid", 167_600)
    lines = list(queries.written(found))
    assert lines[0].split() == ["+", "6,000.00", "settled"]
    assert lines[-1].split() == ["=", "992.00", "paid", "out", "(adds", "up)"]
    assert "off by 0.01" in list(queries.written({**found, "difference_fen": 1}))[-1]
    conclude(shop, unknown, Verdict.PAID)
