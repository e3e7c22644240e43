"""Parts on their way: what every answer allows to conclude, and where the money is meanwhile (I-08, I-09, I-10)."""

from datetime import timedelta

import pytest

from houfu.channels.port import Verdict
from houfu.kernel import clock as clocks
from houfu.ledger.actions import InsufficientBalance
from houfu.merchants import actions as merchants
from houfu.splits import actions as splits
from houfu.splits import queries
from houfu.splits.rules import Wanted
from houfu.testing.world import OPERATOR, WORKER

PAID, DENIED, PROCESSING, UNKNOWN = Verdict.PAID, Verdict.DENIED, Verdict.PROCESSING, Verdict.UNKNOWN


@pytest.fixture
def sold(chain):
    """An order of 100,000 fen of which a mill is to get 60,000 and a carrier 10,000."""
    chain.mill, chain.sf = chain.party(), chain.party("carrier")
    chain.rule(Wanted(chain.mill.id, permille=600), Wanted(chain.sf.id, permille=100))
    chain.order = chain.sell(100_000)
    return chain


def stands(chain):
    """Return what is settled, owed to both, and at the channel, sent or not."""
    owed = chain.fen("payable:party", chain.mill.id) + chain.fen("payable:party", chain.sf.id)
    cash = sum(chain.fen(kind, chain.shop.account_id) for kind in ("cash:channel", "cash:transit"))
    return chain.fen("claim:settled"), owed, cash


def test_both_are_paid(sold):
    assert stands(sold) == (30_000, 70_000, 100_000)
    assert sold.send(sold.order, PAID, PAID) == "done"
    assert stands(sold) == (30_000, 0, 30_000)
    assert sold.unsound() == []


def test_what_is_denied_is_the_stores_again(sold):
    assert sold.send(sold.order, whole=DENIED) == "failed"
    assert stands(sold) == (100_000, 0, 100_000)
    assert sold.lot(sold.order).left_fen == 100_000
    assert sold.unsound() == []


def test_one_is_paid_and_the_other_denied(sold):
    assert sold.send(sold.order, PAID, DENIED) == "done"
    assert stands(sold) == (40_000, 0, 40_000)
    assert sold.split(sold.order).code == "denied_by_receiver"
    assert sold.unsound() == []


def test_what_is_denied_after_the_order_was_closed_can_be_paid_out(sold):
    sold.mature()
    sold.shop.ask(20_000)
    assert sold.send(sold.order, DENIED, PAID) == "done"
    assert (sold.fen("claim:matured"), sold.lot(sold.order).left_fen) == (70_000, 70_000)
    assert sold.unsound() == []


@pytest.mark.parametrize(
    ("whole", "state"), [(UNKNOWN, "unknown"), (Verdict.NOT_FOUND, "unknown"), (PROCESSING, "submitted")]
)
def test_what_is_not_known_moves_nothing(sold, whole, state):
    assert sold.send(sold.order, whole=whole) == state
    assert stands(sold) == (30_000, 70_000, 100_000)
    assert sold.answer(sold.order, PAID, PAID) == "done"
    assert stands(sold) == (30_000, 0, 30_000)


def test_a_part_that_is_judged_stays_so_whatever_is_said_later(sold):
    assert sold.send(sold.order, PAID, PROCESSING, whole=PROCESSING) == "submitted"
    assert stands(sold) == (30_000, 10_000, 40_000)
    assert sold.answer(sold.order, DENIED, DENIED, whole=DENIED) == "done"
    assert stands(sold) == (40_000, 0, 40_000)
    for verdicts in ([PAID, PAID], [DENIED, DENIED]):
        assert sold.answer(sold.order, *verdicts) == "done"
    assert stands(sold) == (40_000, 0, 40_000)


def test_a_split_is_begun_once_and_its_number_is_made_of_its_content(sold):
    split = sold.split(sold.order)
    begin = {"by": WORKER, "merchant_id": sold.m, "id": split.id}
    assert splits.begin(**begin, worker="one") is True
    assert splits.begin(**begin, worker="two") is False
    sent = queries.attempt(sold.m, split_id=split.id)
    assert sent.worker == "one"
    assert sent.request_no.startswith("HS")
    assert len(sent.request_no) == 32


def test_a_store_that_is_frozen_meanwhile_waits(sold):
    merchants.freeze_store(by=OPERATOR, merchant_id=sold.m, id=sold.shop.store, reason="disputes")
    split = sold.split(sold.order)
    assert not splits.begin(by=WORKER, merchant_id=sold.m, id=split.id, worker="w")
    assert (sold.split(sold.order).state, stands(sold)) == ("scheduled", (30_000, 70_000, 100_000))
    assert sold.split(sold.order).next_action_at > clocks.now()


def test_a_party_that_is_revoked_meanwhile_gets_nothing(sold):
    splits.revoke(by=sold.finance, merchant_id=sold.m, id=sold.mill.id)
    assert sold.send(sold.order, PAID) == "done"
    assert stands(sold) == (90_000, 0, 90_000)
    assert sold.parts(sold.order) == [(sold.mill.id, 0, "denied"), (sold.sf.id, 10_000, "paid")]
    assert sold.unsound() == []


def test_where_all_are_released_meanwhile_nothing_is_sent(sold):
    for party in (sold.mill, sold.sf):
        splits.release(by=sold.finance, merchant_id=sold.m, id=party.id, channel_account_id=sold.shop.account_id)
    split = sold.split(sold.order)
    assert not splits.begin(by=WORKER, merchant_id=sold.m, id=split.id, worker="w")
    assert (sold.split(sold.order).state, stands(sold)) == ("cancelled", (100_000, 0, 100_000))
    assert queries.attempt(sold.m, split_id=split.id) is None
    assert sold.unsound() == []


# Refunds after splitting -------------------------------------------------------------------------------------------


def test_a_refund_before_sending_is_taken_off(sold):
    sold.refund(sold.order, 50_000)
    assert [(r.state, r.amount_fen) for r in sold.recall(sold.order)] == [("taken_off", 30_000), ("taken_off", 5_000)]
    assert stands(sold) == (15_000, 35_000, 50_000)
    assert sold.send(sold.order, PAID, PAID) == "done"
    assert stands(sold) == (15_000, 0, 15_000)
    assert sold.unsound() == []


def test_a_whole_refund_before_sending_leaves_nothing_to_send(sold):
    sold.refund(sold.order, 100_000)
    split = sold.split(sold.order)
    assert not splits.begin(by=WORKER, merchant_id=sold.m, id=split.id, worker="w")
    assert sold.split(sold.order).state == "cancelled"
    assert sold.shop.books().keys() & {("claim:settled", sold.shop.store), ("recall", sold.shop.store)} == set()
    assert sold.unsound() == []


def test_a_refund_afterwards_is_asked_back_and_comes(sold):
    sold.send(sold.order, PAID, PAID)
    sold.sell(100_000)  # so that the channel has what it refunds
    before = sold.fen("cash:channel", sold.shop.account_id)
    sold.refund(sold.order, 50_000)
    assert (sold.fen("recall"), sold.fen("deficit"), sold.lot(sold.order).left_fen) == (35_000, 0, 15_000)
    backs = sold.recall(sold.order)
    assert [(b.state, b.amount_fen) for b in backs] == [("scheduled", 30_000), ("scheduled", 5_000)]
    assert [sold.come_back(b, PAID) for b in backs] == ["returned", "returned"]
    assert sold.fen("recall") == 0
    assert sold.fen("cash:channel", sold.shop.account_id) == before - 15_000
    assert sold.lot(sold.order).left_fen == 15_000
    assert sold.unsound() == []


def test_what_a_party_keeps_becomes_the_stores_deficit_and_is_repaid_first(sold):
    """O7: the next maturities repay it, and payouts are blocked until then."""
    sold.send(sold.order, PAID, PAID)
    other = sold.sell(100_000)
    sold.refund(sold.order, 100_000)
    mill, sf = sold.recall(sold.order)
    assert sold.come_back(mill, PAID) == "returned"
    assert sold.come_back(sf, DENIED) == "failed"
    assert (sold.fen("recall"), sold.fen("deficit")) == (0, 10_000)
    assert sold.come_back(sf, PAID) == "failed"
    sold.send(other, PAID, PAID)
    sold.mature()
    assert (sold.fen("deficit"), sold.fen("claim:matured")) == (0, 20_000)
    assert sold.unsound() == []


def test_while_its_return_is_unknown_nothing_is_booked(sold):
    sold.send(sold.order, PAID, PAID)
    sold.sell(100_000)
    sold.refund(sold.order, 100_000)
    back = sold.recall(sold.order)[0]
    assert sold.come_back(back, UNKNOWN) == "unknown"
    assert (sold.fen("recall"), sold.fen("deficit")) == (70_000, 0)
    assert sold.come_back(back, PAID) == "returned"
    assert sold.fen("recall") == 10_000


def test_a_refund_while_a_part_is_under_way_waits_for_it(sold):
    sold.send(sold.order, whole=UNKNOWN)
    with pytest.raises(InsufficientBalance):
        sold.refund(sold.order, 50_000)  # the channel may have given the parties their parts
    sold.sell(100_000)
    sold.refund(sold.order, 50_000)
    backs = sold.recall(sold.order)
    assert [b.state for b in backs] == ["waiting", "waiting"]
    assert sold.answer(sold.order, PAID, DENIED) == "done"
    assert [b.state for b in queries.returns_of(sold.m, sold.order)] == ["scheduled", "taken_off"]
    assert (sold.fen("recall"), sold.fen("payable:party", sold.sf.id)) == (30_000, 10_000)  # of the other order
    assert sold.lot(sold.order).left_fen == 20_000
    assert sold.unsound() == []


def test_a_refund_that_nobody_has_spread_yet_is_spread_before_anything_is_concluded(sold):
    sold.send(sold.order, whole=UNKNOWN)
    sold.sell(100_000)
    sold.refund(sold.order, 100_000)
    assert sold.answer(sold.order, whole=DENIED) == "failed"
    assert {b.state for b in queries.returns_of(sold.m, sold.order)} == {"taken_off"}
    assert sold.fen("recall") == 0
    assert sold.unsound() == []


def test_several_refunds_add_up_to_the_whole_part(sold):
    sold.send(sold.order, PAID, PAID)
    sold.sell(200_000)
    for ref, fen in (("R1", 33_333), ("R2", 33_333), ("R3", 33_334)):
        sold.refund(sold.order, fen, ref)
        for back in sold.recall(sold.order):
            if back.refund_ref == ref:
                assert sold.come_back(back, PAID if ref != "R2" else DENIED) in ("returned", "failed")
    assert sum(b.amount_fen for b in queries.returns_of(sold.m, sold.order)) == 70_000
    assert sold.lot(sold.order).left_fen == 0
    assert sold.unsound() == []


def test_a_split_that_is_not_final_says_when_it_is_looked_at_next(sold):
    sold.send(sold.order, whole=UNKNOWN)
    first = sold.split(sold.order).next_action_at
    sold.answer(sold.order, whole=UNKNOWN)
    assert first - clocks.now() == timedelta(seconds=10)
    assert sold.split(sold.order).next_action_at > first
