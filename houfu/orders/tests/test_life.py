"""An order's life, from authorised to closed, and every way out of it."""

from datetime import timedelta

import pytest

from houfu.kernel import clock as clocks
from houfu.kernel.clock import shanghai
from houfu.orders import actions as orders
from houfu.orders import queries
from houfu.orders.states import ORDER
from houfu.orders.steps import InTheFuture, Step
from houfu.payouts import actions as payouts
from houfu.testing.threads import in_threads
from houfu.testing.world import WORKER, open_shop

pytestmark = pytest.mark.usefixtures("db")


def state(shop, order_id=""):
    return queries.order(shop.merchant_id, order_id or shop.placed[0]).state


def lot(shop, order_id=""):
    return queries.lot(shop.merchant_id, order_id or shop.placed[0])


def act(shop, verb, *ids, **what):
    """Take one step and return its outcome, or the code of its refusal."""
    outcome = getattr(orders, verb)(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(*ids, **what))[0]
    return outcome.code or outcome.outcome


# Authorising ---------------------------------------------------------------------------------------------------------


def test_a_declined_order_leaves_its_room_to_later_ones():
    shop = open_shop(own_limit_fen=100_000)
    decided = shop.place(60_000, 70_000, 40_000, 1)
    assert [each.state for each in decided] == ["authorised", "declined", "authorised", "declined"]
    assert shop.fen("q:own:held") == 100_000


def test_a_duplicate_gets_its_first_answer_within_a_batch_and_later():
    shop = open_shop(own_limit_fen=100_000)
    decided = shop.place(60_000, 60_000, 50_000, ids=["A", "A", "B"])
    assert [(each.state, each.repeated) for each in decided] == [
        ("authorised", False), ("authorised", True), ("declined", False),
    ]  # fmt: skip
    again = shop.place(50_000, 60_000, ids=["B", "A"])
    assert [(each.state, each.repeated) for each in again] == [("declined", True), ("authorised", True)]
    assert shop.fen("q:own:held") == 60_000


def test_the_same_id_with_other_content_is_refused_and_changes_nothing():
    shop = open_shop(own_limit_fen=100_000)
    shop.place(60_000, ids=["A"])
    again = shop.place(60_001, ids=["A"])[0]
    assert (again.state, again.reasons) == ("refused", ("order_id_reused",))
    assert queries.order(shop.merchant_id, "A").amount_fen == 60_000


def test_a_store_of_somebody_else_is_unknown_and_nothing_is_kept():
    ours, theirs = open_shop(), open_shop()
    decision = ours.place(5_000, store=theirs.store, ids=["X"])[0]
    assert (decision.state, decision.reasons) == ("refused", ("store_unknown",))
    assert queries.orders(ours.owner, ours.merchant_id) == []
    assert theirs.fen("q:own:held") == 0


def test_a_frozen_store_takes_no_orders():
    from houfu.merchants import actions as merchants
    from houfu.testing.world import OPERATOR

    shop = open_shop()
    merchants.freeze_store(by=OPERATOR, merchant_id=shop.merchant_id, id=shop.store, reason="beneficiary")
    assert shop.place(5_000)[0].reasons == ("store_frozen",)
    merchants.unfreeze_store(by=OPERATOR, merchant_id=shop.merchant_id, id=shop.store)
    assert shop.place(5_000)[0].state == "authorised"


def test_one_batch_decides_orders_of_several_merchants_and_keeps_them_apart():
    shops = [open_shop(own_limit_fen=10_000) for _ in range(3)]
    batch = [orders.NewOrder(s.merchant_id, f"M{n}", s.store, 6_000, clocks.now()) for n in range(2) for s in shops]
    decided = orders.authorise(by=WORKER, orders=batch)
    assert [each.state for each in decided] == ["authorised"] * 3 + ["declined"] * 3
    assert [shop.fen("q:own:held") for shop in shops] == [6_000] * 3


def test_the_same_order_asked_by_many_at_once_is_taken_once():
    shop = open_shop(own_limit_fen=100_000)
    outcomes = in_threads(lambda _: shop.place(60_000, ids=["ONCE"])[0], range(12))
    assert {outcome.state for outcome in outcomes} == {"authorised"}
    assert sum(not outcome.repeated for outcome in outcomes) == 1
    assert shop.fen("q:own:held") == 60_000


@pytest.mark.parametrize("bad", ["", "x" * 65, "a b", "ａ", "a|b", "a\nb", "a/b"])
def test_an_id_that_could_be_misread_is_refused(bad):
    shop = open_shop()
    with pytest.raises(orders.BadOrder):
        shop.place(5_000, ids=[bad])
    assert shop.fen("q:own:held") == 0


def test_an_order_of_tomorrow_is_not_taken(clock):
    shop = open_shop()
    late = orders.NewOrder(shop.merchant_id, "X", shop.store, 5_000, clock.now() + timedelta(minutes=11))
    with pytest.raises(InTheFuture):
        orders.authorise(by=shop.owner, orders=[late])
    with pytest.raises(InTheFuture):
        orders.ship(by=shop.owner, merchant_id=shop.merchant_id, steps=[Step("X", clock.now() + timedelta(days=1))])


# The way to money ----------------------------------------------------------------------------------------------------


def test_an_order_becomes_money_step_by_step(clock):
    """O1, and the postings of every step."""
    shop = open_shop(own_limit_fen=100_000, maturity_days=1)
    shop.place(60_000)
    assert shop.fen("q:own:held") == 60_000
    shop.receive()
    assert (shop.fen("q:own:held"), shop.fen("q:own:drawn")) == (0, 60_000)
    assert (shop.fen("ar:buyer"), shop.fen("claim:pending")) == (60_000, 60_000)
    clock.move(days=1)
    shop.settle({shop.placed[0]: 60_000}, fee_fen=360)
    assert (shop.fen("q:own:drawn"), shop.fen("q:own:free")) == (0, 100_000)
    assert (shop.fen("claim:settled"), shop.fen("claim:pending"), shop.fen("ar:buyer")) == (59_640, 0, 0)
    assert shop.fen("cash:channel", shop.account_id) == 59_640
    assert shop.mature() == 0
    clock.move(days=1)
    assert shop.mature() == 1
    assert (shop.fen("claim:settled"), shop.fen("claim:matured"), state(shop)) == (0, 59_640, "matured")


@pytest.mark.parametrize(
    ("days", "expected"), [(0, "2025-11-10"), (1, "2025-11-11"), (7, "2025-11-17"), (None, "2025-11-17")]
)
def test_money_matures_at_the_start_of_the_nth_day_after_settlement(clock, days, expected):
    """O4: T+n of the agreement with the channel, else of the policy."""
    shop = open_shop(maturity_days=days)
    shop.place(60_000)
    shop.receive()
    clock.at = shanghai(2025, 11, 10, 23, 59, 59)
    shop.settle({shop.placed[0]: 60_000})
    matures = lot(shop).matures_at.astimezone(clocks.SHANGHAI)
    assert matures.isoformat() == f"{expected}T00:00:00+08:00"
    assert shop.mature(matures - timedelta(microseconds=1)) == 0
    assert shop.mature(matures) == 1


VERBS = ("ship", "cancel", "receive", "fall_due", "dispute", "write_off", "mature")


@pytest.mark.parametrize(
    "reached", ["authorised", "shipped", "received", "settled", "matured", "cancelled", "declined"]
)
@pytest.mark.parametrize("verb", VERBS)
def test_no_step_is_taken_from_where_it_is_not_allowed(clock, reached, verb):
    """I-10: refused with a code, and nothing moves."""
    shop = open_shop(own_limit_fen=100_000)
    shop.place(200_000 if reached == "declined" else 50_000)
    if reached == "cancelled":
        act(shop, "cancel")
    if reached in ("shipped", "received", "settled", "matured"):
        act(shop, "ship")
    if reached in ("received", "settled", "matured"):
        act(shop, "receive")
    if reached in ("settled", "matured"):
        shop.settle({shop.placed[0]: 50_000})
    if reached == "matured":
        clock.move(days=2)
        shop.mature()
    assert state(shop) == reached
    if reached in ORDER[verb][0]:
        return
    before = shop.books()
    said = {"at": clock.now() + timedelta(days=9)} if verb == "mature" else {}
    assert act(shop, verb, **said) in ("illegal_move", "not_due", "same")
    assert (state(shop), shop.books()) == (reached, before)


def test_a_step_said_twice_happens_once():
    shop = open_shop()
    shop.place(50_000)
    assert [act(shop, "ship"), act(shop, "ship")] == ["done", "same"]
    assert [act(shop, "receive"), act(shop, "receive")] == ["done", "same"]
    assert shop.fen("claim:pending") == 50_000


def test_steps_of_many_at_once_happen_once():
    shop = open_shop()
    shop.place(50_000)
    act(shop, "ship")
    in_threads(lambda _: act(shop, "receive"), range(8))
    assert (shop.fen("claim:pending"), state(shop)) == (50_000, "received")


def test_one_bad_step_does_not_stop_the_others():
    shop = open_shop()
    shop.place(10_000, 10_000)
    a, b = shop.placed
    said = orders.ship(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(a, "NO-SUCH", b, a))
    assert [(each.outcome, each.code) for each in said] == [
        ("done", ""), ("refused", "order_unknown"), ("done", ""), ("same", ""),
    ]  # fmt: skip


# Evidence ------------------------------------------------------------------------------------------------------------


def test_carrier_proof_counts_after_seven_days(clock):
    """O2: medium trust."""
    shop = open_shop()
    shop.place(50_000)
    act(shop, "ship")
    assert act(shop, "receive", evidence="carrier", ref="SF1") == "waiting"
    confirm = {"by": WORKER, "merchant_id": shop.merchant_id}
    clock.move(days=7, microseconds=-1)
    assert orders.confirm_receipts(**confirm, at=clock.now()) == 0
    clock.move(microseconds=1)
    assert orders.confirm_receipts(**confirm, at=clock.now()) == 1
    assert (state(shop), lot(shop).trust) == ("received", "medium")


def test_a_manual_receipt_needs_two_persons_and_a_statement(clock):
    """O2: low trust, which a query alone never makes payable."""
    shop = open_shop()
    shop.place(50_000)
    act(shop, "ship")
    assert act(shop, "receive", evidence="manual") == "waiting"
    assert act(shop, "receive", evidence="manual") == "waiting"  # the same person again
    assert state(shop) == "shipped"
    second = orders.receive(by=shop.assistant, merchant_id=shop.merchant_id, steps=shop.steps(evidence="manual"))
    assert (second[0].outcome, lot(shop).trust) == ("done", "low")
    assert shop.settle_by_query({shop.placed[0]: 50_000})[0].code == "low_trust_needs_statement"
    assert shop.fen("claim:settled") == 0
    shop.settle({shop.placed[0]: 50_000})
    assert shop.fen("claim:settled") == 50_000


def test_receipts_of_a_batch_are_each_judged_by_their_own_evidence():
    shop = open_shop()
    shop.place(10_000, 20_000, 30_000)
    orders.ship(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps())
    a, b, c = shop.placed
    brought = [(a, "platform"), (b, "carrier"), (b, "manual"), (c, "manual"), (c, "manual")]
    steps = [Step(id, clocks.now(), evidence=kind) for id, kind in brought]
    said = orders.receive(by=shop.owner, merchant_id=shop.merchant_id, steps=steps)
    assert [each.outcome for each in said] == ["done", "waiting", "waiting", "waiting", "waiting"]
    kept = [[each.kind for each in queries.evidence(shop.merchant_id, id)] for id in (a, b, c)]
    assert [sorted(kinds) for kinds in kept] == [["platform"], ["carrier", "manual"], ["manual"]]
    steps = shop.steps(b, c, evidence="manual")
    said = orders.receive(by=shop.assistant, merchant_id=shop.merchant_id, steps=steps)
    assert [each.outcome for each in said] == ["done", "done"]
    assert [lot(shop, id).trust for id in (a, b, c)] == ["high", "low", "low"]
    assert (shop.fen("claim:pending"), shop.fen("q:own:drawn")) == (60_000, 60_000)


def test_nobody_stands_behind_a_manual_receipt_of_a_machine():
    shop = open_shop()
    shop.place(50_000)
    act(shop, "ship")
    said = orders.receive(by=WORKER, merchant_id=shop.merchant_id, steps=shop.steps(evidence="manual"))
    assert said[0].code == "evidence_without_person"
    assert act(shop, "receive", evidence="rumour") == "evidence_unknown"


@pytest.mark.parametrize(("gross", "fee", "code"), [
    (49_999, 0, "settlement_amount_differs"), (50_001, 0, "settlement_amount_differs"),
    (50_000, 50_001, "settlement_fee_invalid"), (50_000, -1, "settlement_fee_invalid"),
])  # fmt: skip
def test_a_settlement_that_does_not_fit_is_a_break(gross, fee, code):
    """O3."""
    shop = open_shop()
    shop.place(50_000)
    shop.receive()
    assert shop.settle({shop.placed[0]: gross}, fee_fen=fee)[0] == ("break", code)
    assert (shop.fen("claim:settled"), shop.fen("claim:pending")) == (0, 50_000)


def test_what_was_not_received_cannot_settle():
    """I-06: no lot without evidence."""
    shop = open_shop()
    shop.place(50_000)
    act(shop, "ship")
    assert shop.settle({shop.placed[0]: 50_000})[0] == ("break", "illegal_move")
    assert shop.settle({"NO-SUCH": 50_000})[0] == ("break", "order_unknown")
    assert shop.fen("cash:channel", shop.account_id) == 0


# Ways out ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["cancel", "expire"])
def test_what_ends_before_shipping_gives_its_limit_back(verb):
    shop = open_shop(own_limit_fen=100_000)
    shop.place(60_000)
    assert act(shop, verb) == "done"
    assert (shop.fen("q:own:free"), shop.fen("q:own:held")) == (100_000, 0)


def test_an_overdue_order_can_still_settle_or_be_written_off(clock):
    """O1, L2: what is lost reduces the store's limit."""
    shop = open_shop(own_limit_fen=100_000)
    shop.place(60_000, 30_000)
    paid, lost = shop.placed
    shop.receive()
    clock.move(days=16)
    assert act(shop, "fall_due", paid) == "done"
    assert act(shop, "fall_due", lost) == "done"
    shop.settle({paid: 60_000})
    assert act(shop, "write_off", lost) == "done"
    assert (shop.fen("ar:buyer"), shop.fen("claim:pending")) == (0, 0)
    assert (shop.fen("q:own:free"), shop.fen("q:reduced")) == (70_000, 30_000)
    assert shop.settle({lost: 30_000})[0] == ("break", "illegal_move")


def test_a_refund_before_settlement_lowers_what_the_buyer_owes():
    shop = open_shop(own_limit_fen=100_000)
    shop.place(60_000)
    shop.receive()
    assert act(shop, "refund", ref="R1", amount_fen=20_000) == "done"
    assert act(shop, "refund", ref="R1", amount_fen=20_000) == "same"
    assert act(shop, "refund", ref="R1", amount_fen=20_001) == "order_event_reused"
    assert (shop.fen("ar:buyer"), shop.fen("q:own:drawn")) == (40_000, 40_000)
    assert act(shop, "refund", ref="R2", amount_fen=40_001) == "refund_exceeds_order"
    assert act(shop, "refund", amount_fen=1) == "refund_without_ref"
    assert act(shop, "refund", ref="R2", amount_fen=40_000) == "done"
    assert (state(shop), shop.fen("ar:buyer"), shop.fen("q:own:free")) == ("refunded", 0, 100_000)


def test_a_refund_after_settlement_comes_out_of_the_lot():
    shop = open_shop()
    shop.earn(60_000)
    act(shop, "refund", ref="R1", amount_fen=20_000)
    assert (shop.fen("claim:matured"), shop.fen("deficit"), lot(shop).left_fen) == (40_000, 0, 40_000)
    assert shop.fen("cash:channel", shop.account_id) == 40_000


def test_a_refund_after_payout_is_a_deficit_that_the_next_maturity_repays(clock):
    """O7: and while it is open, nothing is paid out."""
    shop = open_shop()
    shop.earn(60_000)
    sold = shop.placed[0]
    shop.ask(40_000)
    act(shop, "refund", sold, ref="R1", amount_fen=60_000)
    assert (shop.fen("claim:matured"), shop.fen("deficit")) == (0, 40_000)
    assert "deficit_open" in refusals(shop, 10_000)
    shop.earn(30_000)
    assert (shop.fen("claim:matured"), shop.fen("deficit")) == (0, 10_000)
    shop.earn(30_000)
    assert (shop.fen("claim:matured"), shop.fen("deficit")) == (20_000, 0)
    assert "deficit_open" not in refusals(shop, 10_000)


def refusals(shop, amount_fen):
    from houfu.payouts import queries as payout_queries

    found = payout_queries.quote(
        shop.owner, shop.merchant_id, store_id=shop.store, beneficiary_id=shop.beneficiary_id,
        amount_fen=amount_fen, purpose="goods_settlement",
    )  # fmt: skip
    return [reason.code for reason in found.reasons]


@pytest.mark.parametrize("matured", [False, True])
def test_what_is_disputed_is_kept_back_until_the_dispute_ends(matured):
    shop = open_shop()
    if matured:
        shop.earn(60_000)
    else:
        shop.place(60_000)
        shop.receive()
        shop.settle({shop.placed[0]: 60_000})
    claim = "claim:matured" if matured else "claim:settled"
    assert act(shop, "dispute", ref="C1") == "done"
    assert (shop.fen(claim), shop.fen("claim:disputed"), state(shop)) == (0, 60_000, "disputed")
    assert act(shop, "resolve", ref="C1") == "done"
    assert (shop.fen(claim), shop.fen("claim:disputed")) == (60_000, 0)
    assert state(shop) == ("matured" if matured else "settled")


def test_a_dispute_that_is_lost_is_a_refund_of_what_was_kept_back():
    shop = open_shop()
    shop.earn(60_000)
    act(shop, "dispute", ref="C1")
    act(shop, "refund", ref="C1", amount_fen=60_000)
    assert (state(shop), shop.fen("claim:disputed"), shop.fen("claim:matured"), shop.fen("deficit")) == (
        "refunded", 0, 0, 0,
    )  # fmt: skip


def test_a_disputed_order_that_settles_stays_disputed():
    shop = open_shop()
    shop.place(60_000)
    shop.receive()
    act(shop, "dispute", ref="C1")
    shop.settle({shop.placed[0]: 60_000})
    assert (state(shop), shop.fen("claim:disputed"), shop.fen("claim:settled")) == ("disputed", 60_000, 0)
    act(shop, "resolve", ref="C1")
    assert (state(shop), shop.fen("claim:settled")) == ("settled", 60_000)


def test_an_order_closes_when_all_of_its_money_is_paid_out(clock):
    from houfu.channels.port import Answer, Dedupe, Verdict

    shop = open_shop()
    shop.earn(30_000, 30_000)
    first, second = shop.placed
    payout = shop.ask(40_000)
    payouts.begin(by=WORKER, merchant_id=shop.merchant_id, id=payout.id, worker="w")
    payouts.record(
        by=WORKER, merchant_id=shop.merchant_id, id=payout.id, answer=Answer(Verdict.PAID), dedupe=Dedupe.STRICT,
        window=timedelta(minutes=5),
    )  # fmt: skip
    assert (state(shop, first), state(shop, second)) == ("closed", "matured")
