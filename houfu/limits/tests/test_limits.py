"""Limits: what a store may take, from which source, and that nothing is ever made of nothing."""

import random

import pytest

from houfu.kernel.errors import Refused
from houfu.ledger import queries as ledger
from houfu.ledger.actions import Account, InsufficientBalance
from houfu.limits import actions as limits
from houfu.limits import queries, rules
from houfu.limits.rules import Legs
from houfu.orders import actions as orders
from houfu.testing.threads import in_threads
from houfu.testing.world import OPERATOR, open_shop, pool

pytestmark = pytest.mark.usefixtures("db")


def legs(decision):
    return (decision.own_fen, decision.pool_fen, decision.temp_fen, decision.tolerance_fen)


def quota(shop):
    """The sum of all quota of a merchant, grants being below zero: it only ever moves, so it is zero."""
    return sum(fen for account, fen in ledger.balances(shop.merchant_id).items() if account.kind.startswith("q:"))


def test_sources_are_drawn_in_order_own_pool_loan_tolerance():
    """G6."""
    shop = open_shop(own_limit_fen=100_000)
    pool(shop, share=1, grant_fen=50_000)
    limits.lend(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store, amount_fen=20_000)
    limits.note_tolerance(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store, note="双十一备货")
    decided = shop.place(90_000, 30_000, 30_000, 25_000, 29_000, 1_000)
    assert [legs(each) for each in decided] == [
        (90_000, 0, 0, 0),
        (10_000, 20_000, 0, 0),
        (0, 30_000, 0, 0),
        (0, 0, 20_000, 5_000),
        (0, 0, 0, 29_000),
        (0, 0, 0, 0),  # the band is 20 % of 170,000 = 34,000, and 34,000 are in use
    ]
    assert decided[5].reasons == ("limit_exceeded",)


def test_what_is_released_goes_back_to_its_sources_last_first():
    """G6."""
    assert rules.last_first(Legs(90, 30, 20, 5), 40) == Legs(0, 15, 20, 5)
    shop = open_shop(own_limit_fen=100_000)
    pool(shop, share=1, grant_fen=50_000)
    shop.place(120_000)
    orders.ship(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps())
    orders.refund(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(ref="R1", amount_fen=15_000))
    figures = queries.figures(shop.owner, shop.merchant_id, shop.store)
    assert (figures.own_free_fen, figures.pool_used_fen) == (0, 5_000)
    orders.refund(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(ref="R2", amount_fen=10_000))
    figures = queries.figures(shop.owner, shop.merchant_id, shop.store)
    assert (figures.own_free_fen, figures.pool_used_fen) == (5_000, 0)


@pytest.mark.parametrize("share", [1, 2, 9])
@pytest.mark.parametrize(("beyond", "taken"), [(-1, True), (0, True), (1, False)])
def test_a_member_reaches_into_the_pool_up_to_its_ratio(share, beyond, taken):
    """G5: at most k × own limit, to the fen."""
    shop = open_shop(own_limit_fen=10_000)
    pool(shop, share=share, grant_fen=1_000_000)
    decision = shop.place(10_000 + share * 10_000 + beyond)[0]
    assert (decision.state == "authorised") is taken


@pytest.mark.parametrize("share", [0, 10, -1])
def test_a_ratio_outside_one_to_nine_is_refused(share):
    """G5."""
    shop = open_shop()
    with pytest.raises(limits.BadShare):
        pool(shop, share=share)


@pytest.mark.parametrize(("beyond", "fits"), [(-1, True), (0, True), (1, False)])
def test_a_pool_holds_three_million_and_no_fen_more(beyond, fits):
    """G4."""
    shop = open_shop(own_limit_fen=0)
    number = pool(shop)
    granted = 300_000_000 + beyond
    if fits:
        limits.grant_pool(by=OPERATOR, merchant_id=shop.merchant_id, pool_id=number, amount_fen=granted)
    else:
        with pytest.raises(limits.PoolCapReached):
            limits.grant_pool(by=OPERATOR, merchant_id=shop.merchant_id, pool_id=number, amount_fen=granted)
    assert shop.fen("q:pool:free", number) == (granted if fits else 0)


def test_five_stores_pool_what_they_have_and_nothing_is_made_by_it():
    """The story of five mother-and-baby stores: 150,000 own and 300,000 granted are 450,000, never more."""
    shop = open_shop(stores=5, own_limit_fen=3_000_000)
    pool(shop, share=2, grant_fen=30_000_000)
    taken = 0
    for store in shop.stores * 8:
        for fen in (2_500_000, 1_100_000, 70_001):
            taken += fen if shop.place(fen, store=store)[0].state == "authorised" else 0
    assert 44_000_000 < taken <= 45_000_000
    assert shop.books()[Account("q:grant:operator", 0)] == -45_000_000
    assert quota(shop) == 0


def test_a_contribution_moves_own_limit_into_the_pool():
    shop = open_shop(stores=2, own_limit_fen=10_000)
    number = pool(shop, contribution_fen=4_000)
    assert (shop.fen("q:own:free"), shop.fen("q:pool:free", number)) == (6_000, 8_000)
    assert quota(shop) == 0


def test_more_than_is_free_cannot_be_contributed():
    shop = open_shop(own_limit_fen=10_000)
    shop.place(9_000)
    with pytest.raises(InsufficientBalance):
        pool(shop, contribution_fen=1_001)
    assert shop.fen("q:own:free") == 1_000
    assert queries.pools(shop.owner, shop.merchant_id)[0].limit_fen == 0


def test_fifty_at_once_never_overdraw_one_pool():
    shop = open_shop(stores=5, own_limit_fen=100_000)
    number = pool(shop, share=9, grant_fen=1_000_000)
    draws = random.Random(5)
    work = [(shop.stores[n % 5], draws.randint(20_000, 60_000), f"T{n}") for n in range(50)]
    outcomes = in_threads(lambda w: shop.place(w[1], store=w[0], ids=[w[2]])[0], work)
    taken = sum(w[1] for w, decided in zip(work, outcomes, strict=True) if decided.state == "authorised")
    assert {decided.state for decided in outcomes} == {"authorised", "declined"}
    assert taken <= 1_500_000
    assert 0 <= shop.fen("q:pool:free", number) < 60_000
    assert taken == 1_500_000 - shop.fen("q:pool:free", number) - sum(shop.fen("q:own:free", s) for s in shop.stores)
    assert quota(shop) == 0


def test_a_frozen_pool_is_not_drawn_from():
    shop = open_shop(own_limit_fen=10_000)
    number = pool(shop, grant_fen=10_000)
    limits.freeze_pool(by=shop.owner, merchant_id=shop.merchant_id, id=number)
    assert shop.place(10_001)[0].state == "declined"
    limits.unfreeze_pool(by=shop.owner, merchant_id=shop.merchant_id, id=number)
    assert shop.place(10_001)[0].state == "authorised"


@pytest.mark.parametrize(("beyond", "reasons"), [(0, ()), (1, ("limit_exceeded",))])
def test_the_band_above_the_limit_ends_at_a_fifth(beyond, reasons):
    """O6."""
    shop = open_shop(own_limit_fen=100_003)
    limits.note_tolerance(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store, note="备货已到仓")
    assert shop.place(100_003 + 20_000 + beyond)[0].reasons == reasons


def test_the_band_needs_the_managers_note_and_closes_after_a_day(clock):
    """O6."""
    shop = open_shop(own_limit_fen=100_000)
    assert shop.place(100_001)[0].reasons == ("tolerance_note_missing",)
    limits.note_tolerance(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store, note="备货已到仓")
    clock.move(hours=24, microseconds=-1)
    assert shop.place(100_001)[0].state == "authorised"
    clock.move(microseconds=1)
    assert shop.place(1)[0].reasons == ("tolerance_note_missing",)


def test_a_note_says_why():
    shop = open_shop()
    for note in ("", "   ", "abc", "x" * 501):
        with pytest.raises(limits.NoteTooShort):
            limits.note_tolerance(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store, note=note)


@pytest.mark.parametrize(("fen", "lent"), [(500_000, True), (500_001, False), (1, True), (0, False)])
def test_a_loan_is_at_most_five_thousand(fen, lent):
    """L1."""
    shop = open_shop()
    loan = {"by": shop.owner, "merchant_id": shop.merchant_id, "store_id": shop.store, "amount_fen": fen}
    if lent:
        limits.lend(**loan)
    else:
        with pytest.raises(limits.LoanRefused) as refused:
            limits.lend(**loan)
        assert [reason.code for reason in refused.value.reasons] == ["loan_amount"]
    assert shop.fen("q:temp:free") == (fen if lent else 0)


def test_a_store_has_one_loan_at_a_time():
    """L1, under concurrency too."""
    shop = open_shop()
    outcomes = in_threads(
        lambda _: limits.lend(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store, amount_fen=1_000),
        range(8),
    )
    assert sum(isinstance(outcome, limits.LoanRefused) for outcome in outcomes) == 7
    assert shop.fen("q:temp:free") == 1_000


def test_an_overdue_loan_freezes_new_draws_from_the_instant_it_is_due(clock):
    """L1: due in seven days."""
    shop = open_shop()
    limits.lend(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store, amount_fen=1_000)
    clock.move(days=7)
    assert shop.place(100)[0].state == "authorised"
    clock.move(microseconds=1)
    assert shop.place(100)[0].reasons == ("loan_overdue",)
    assert limits.mark_overdue(by=OPERATOR) >= 1
    with pytest.raises(limits.LoanRefused) as refused:
        limits.lend(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store, amount_fen=1_000)
    assert [reason.code for reason in refused.value.reasons] == ["loan_overdue"]


def test_settled_orders_repay_a_loan_and_own_limit_takes_over_what_is_in_use(clock):
    """L1: limit, not cash; what was not used goes back, the rest moves to own limit that the settlement freed."""
    shop = open_shop(own_limit_fen=100_000)
    limits.lend(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store, amount_fen=50_000)
    shop.place(60_000, 40_000, 30_000)
    first, _, lent = shop.placed
    shop.receive(first)
    shop.settle({first: 60_000})
    loan = queries.loans(shop.owner, shop.merchant_id)[0]
    assert (loan.state, loan.repaid_fen) == ("repaid", 50_000)
    order = orders_row(shop, lent)
    assert (order.open_own_fen, order.open_temp_fen) == (30_000, 0)
    assert (shop.fen("q:temp:free"), shop.fen("q:temp:held"), shop.fen("q:own:free")) == (0, 0, 30_000)
    assert quota(shop) == 0


def orders_row(shop, order_id):
    from houfu.orders import queries as order_queries

    return order_queries.order(shop.merchant_id, order_id)


def test_a_small_settlement_repays_a_part():
    shop = open_shop(own_limit_fen=100_000)
    limits.lend(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store, amount_fen=50_000)
    shop.place(20_000)
    shop.receive()
    shop.settle({shop.placed[0]: 20_000})
    loan = queries.loans(shop.owner, shop.merchant_id)[0]
    assert (loan.state, loan.repaid_fen, shop.fen("q:temp:free")) == ("partly_repaid", 20_000, 30_000)


@pytest.mark.parametrize(
    ("completed", "booked_fen", "reduced_fen", "restored_fen"),
    [
        (9, 0, 100_000, 0),
        (49, 0, 100_000, 0),
        (50, 0, 100_000, 50_000),
        (99, 50_000, 50_000, 0),
        (100, 50_000, 50_000, 50_000),
        (100, 0, 100_000, 100_000),
        (500, 0, 100_000, 100_000),  # never above the original limit
        (50, 0, 49_999, 0),
        (60, 0, 100_000, 50_000),
    ],
)
def test_ten_completed_orders_restore_a_hundred_in_lots_of_five_hundred(
    completed, booked_fen, reduced_fen, restored_fen
):
    """L2."""
    assert rules.restorable(completed, booked_fen, reduced_fen, 10, 10_000, 50_000) == restored_fen


def test_fifty_settled_orders_give_back_five_hundred_of_a_reduced_limit():
    """L2."""
    shop = open_shop(own_limit_fen=1_000_000)
    limits.reduce(by=OPERATOR, merchant_id=shop.merchant_id, store_id=shop.store, amount_fen=80_000, reason="逾期")
    shop.place(*[1_000] * 50)
    ids = list(shop.placed)
    shop.receive(*ids)
    shop.settle(dict.fromkeys(ids[:49], 1_000))
    assert shop.fen("q:reduced") == 80_000
    shop.settle({ids[49]: 1_000})
    assert shop.fen("q:reduced") == 30_000
    assert shop.fen("q:own:free") == 970_000


def test_limit_in_use_cannot_be_taken_away():
    shop = open_shop(own_limit_fen=10_000)
    shop.place(8_000)
    with pytest.raises(InsufficientBalance):
        limits.reduce(by=OPERATOR, merchant_id=shop.merchant_id, store_id=shop.store, amount_fen=2_001, reason="x")
    assert (shop.fen("q:own:free"), shop.fen("q:reduced")) == (2_000, 0)


def test_nobody_but_the_platform_grants_limit():
    shop = open_shop(own_limit_fen=0)
    with pytest.raises(Refused):
        limits.grant(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store, amount_fen=1)
    assert shop.fen("q:own:free") == 0
