"""Asking for money out: what stands against it, what it costs, when it goes, and what is set aside."""

from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from houfu.channels.port import PayeeState
from houfu.kernel import clock as clocks
from houfu.kernel import db, money
from houfu.kernel.clock import shanghai
from houfu.kernel.errors import Refused
from houfu.merchants import actions as merchants
from houfu.payouts import actions, queries, rules, run_queries
from houfu.payouts.actions.requests import PayoutIdReused, PayoutRefused
from houfu.policies import queries as policies
from houfu.testing.threads import in_threads
from houfu.testing.world import OPERATOR, WORKER, open_shop, proved

pytestmark = pytest.mark.usefixtures("db")


def quote(shop, amount_fen, purpose="goods_settlement", beneficiary_id=None):
    return queries.quote(
        proved(shop.owner),
        shop.merchant_id,
        store_id=shop.store,
        beneficiary_id=beneficiary_id or shop.beneficiary_id,
        amount_fen=amount_fen,
        purpose=purpose,
    )


def reasons(shop, amount_fen, **what):
    return [reason.code for reason in quote(shop, amount_fen, **what).reasons]


@pytest.fixture
def shop(db):
    """A shop with 150,000.00 yuan to pay out."""
    shop = open_shop(own_limit_fen=30_000_000)
    shop.earn(15_000_000)
    shop.payee()
    return shop


@pytest.mark.parametrize(("fen", "allowed"), [(9_999, False), (10_000, True), (10_001, True)])
def test_a_payout_is_at_least_a_hundred(shop, fen, allowed):
    """P4."""
    assert (reasons(shop, fen) == []) is allowed


@pytest.mark.parametrize(("fen", "allowed"), [(9_999_999, True), (10_000_000, True), (10_000_001, False)])
def test_the_balance_covers_it_one_and_a_half_times(shop, fen, allowed):
    """P5."""
    found = reasons(shop, fen)
    assert (found == []) is allowed
    assert allowed or found == ["cover_too_thin"]


@pytest.mark.parametrize(("available", "largest"), [(150, 100), (151, 100), (152, 101), (149, 99), (0, 0), (1, 0)])
def test_a_run_sweeps_what_is_covered_rounded_down(clock, available, largest):
    """P5."""
    assert rules.largest(available, policies.at(clock.now()).payouts) == largest


@pytest.mark.parametrize(
    ("amount", "permille", "fee"),
    [(10_000, 8, 80), (10_062, 8, 80), (10_063, 8, 81), (10_000, 6, 60), (10_083, 6, 60), (10_084, 6, 61)],
)
def test_the_fee_is_rounded_half_up_to_the_fen(amount, permille, fee):
    """P3: 80.496 → 80, 80.504 → 81."""
    assert rules.fee(amount, permille) == fee


@given(st.integers(1, 10**13), st.integers(0, 1000))
def test_no_fee_differs_from_its_exact_value_by_more_than_half_a_fen(amount, permille):
    assert abs(2000 * rules.fee(amount, permille) - 2 * amount * permille) <= 1000


def test_a_quote_says_what_it_costs_and_which_orders_it_pays(shop):
    """P3."""
    found = quote(shop, 5_000_000)
    assert (found.fee_fen, found.net_fen, found.fee_waived) == (0, 5_000_000, True)
    found = quote(shop, 4_999_999)
    assert (found.fee_fen, found.net_fen, found.fee_waived) == (40_000, 4_959_999, False)
    assert found.orders == [(shop.placed[0], 4_999_999)]
    assert found.largest_fen == 10_000_000


def test_all_reasons_come_at_once_each_with_its_rule_figures_and_cure(shop):
    """P10, P11: and nothing is created by asking."""
    merchants.freeze_store(by=OPERATOR, merchant_id=shop.merchant_id, id=shop.store, reason="frequency")
    before = shop.books()
    found = quote(shop, 99_999_999, purpose="wages", beneficiary_id=10**9).reasons
    assert [(reason.code, reason.rule) for reason in found] == [
        ("cover_too_thin", "P5"), ("store_frozen", "K4"), ("purpose_denied", "P8"), ("beneficiary_unknown", "P6"),
    ]  # fmt: skip
    assert all(reason.cure for reason in found)
    assert found[0].figures["largest_fen"] == 10_000_000
    assert (queries.payouts(shop.owner, shop.merchant_id), shop.books()) == ([], before)


def test_a_refused_request_moves_nothing_and_says_what_the_check_said(shop):
    before = shop.books()
    with pytest.raises(PayoutRefused) as refused:
        shop.ask(10_000_001)
    assert [reason.code for reason in refused.value.reasons] == ["cover_too_thin"]
    assert (queries.payouts(shop.owner, shop.merchant_id), shop.books()) == ([], before)


@pytest.mark.parametrize("purpose", ["platform_service_fee", "wages", "third_party_profit_share"])
def test_denied_purposes_are_denied_to_payouts_and_to_beneficiaries(shop, purpose):
    """P8."""
    assert reasons(shop, 10_000, purpose=purpose) == ["purpose_denied"]
    with pytest.raises(Refused) as refused:
        shop.payee(purpose_class=purpose)
    assert refused.value.code == "beneficiary_denied"


def test_a_purpose_must_be_one_of_those_there_are(shop):
    assert reasons(shop, 10_000, purpose="holiday") == ["purpose_unknown"]


def test_a_new_beneficiary_is_verified_and_cools_for_a_day(shop, clock):
    """P6."""
    new = actions.register(
        by=shop.owner, merchant_id=shop.merchant_id, kind="alipay", purpose_class="freight", holder="某某物流",
        account="freight@example.test",
    )  # fmt: skip
    assert reasons(shop, 10_000, beneficiary_id=new.id) == ["beneficiary_not_verified"]
    shop.agree(f"beneficiary/{new.id}")
    assert actions.follow_confirmation(by=WORKER, merchant_id=shop.merchant_id, id=new.id) == "confirmed"
    actions.verify(by=OPERATOR, merchant_id=shop.merchant_id, id=new.id, document="合同")
    clock.move(hours=24, microseconds=-1)
    assert reasons(shop, 10_000, beneficiary_id=new.id) == ["beneficiary_cooling"]
    clock.move(microseconds=1)
    assert reasons(shop, 10_000, beneficiary_id=new.id) == []
    actions.revoke(by=shop.owner, merchant_id=shop.merchant_id, id=new.id)
    assert reasons(shop, 10_000, beneficiary_id=new.id) == ["beneficiary_not_verified"]


@pytest.mark.parametrize("state", [PayeeState.RESTRICTED, PayeeState.CLOSED])
def test_an_account_that_the_channel_restricts_is_not_paid(shop, state):
    """P6."""
    actions.note_channel_state(by=WORKER, merchant_id=shop.merchant_id, id=shop.beneficiary_id, state=state)
    assert reasons(shop, 10_000) == [f"beneficiary_{state.value}"]


def test_an_account_number_is_never_stored_in_clear(shop):
    secret = "6222020200112233445"
    shop.payee(account=secret)
    for table in ("payouts_beneficiary", "history_link"):
        rows = db.rows(f"SELECT t::text AS row FROM {table} t WHERE merchant_id = %s", [shop.merchant_id])
        assert not any(secret in row.row or secret.encode().hex() in row.row for row in rows)
    with pytest.raises(Refused) as refused:
        shop.payee(account=secret)
    assert refused.value.code == "payouts_beneficiary_once"


# The window ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "goes_at"),
    [
        (shanghai(2025, 11, 11, 9), "2025-11-11T09:00:00+08:00"),
        (shanghai(2025, 11, 10, 20, 59, 59), "2025-11-10T20:59:59+08:00"),
        (shanghai(2025, 11, 10, 21), "2025-11-11T09:00:00+08:00"),
        (shanghai(2025, 11, 11, 8, 59, 59), "2025-11-11T09:00:00+08:00"),
        (shanghai(2025, 11, 14, 21), "2025-11-17T09:00:00+08:00"),  # Friday evening → Monday
        (shanghai(2026, 2, 14, 10), "2026-02-14T10:00:00+08:00"),  # a Saturday worked before Spring Festival
        (shanghai(2026, 2, 14, 21), "2026-02-24T09:00:00+08:00"),  # the festival lies between
    ],
)
def test_outside_the_window_a_payout_waits_for_its_opening(shop, clock, at, goes_at):
    """P2: workdays from nine to nine, make-up days in."""
    clock.at = at
    payout = shop.ask(10_000)
    assert payout.due_at.astimezone(clocks.SHANGHAI).isoformat() == goes_at
    assert payout.arrives_by - payout.due_at == timedelta(hours=2)


def test_without_a_calendar_nothing_goes_out_and_that_is_said(shop, clock):
    """I-19."""
    clock.at = shanghai(2031, 3, 3, 10)
    assert reasons(shop, 10_000) == ["calendar_year_unknown"]


# The waiver ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("at", "waived"), [
    (shanghai(2023, 10, 31, 20, 59, 59), False), (shanghai(2023, 11, 1, 9), True),
])  # fmt: skip
def test_the_fee_waiver_begins_with_november_2023(clock, at, waived):
    """P7, at the instant."""
    clock.at = at - timedelta(days=30)
    shop = open_shop(own_limit_fen=30_000_000)
    shop.earn(7_500_000)
    shop.payee()
    clock.at = at
    payout = shop.ask(5_000_000)
    assert (payout.waived, payout.fee_fen) == (waived, 0 if waived else 40_000)


def test_waivers_are_claimed_at_submission_and_given_back_on_failure(shop):
    """P7, I-21."""
    before = queries.waivers_left(policies.at(clocks.now()))
    payout = shop.ask(5_000_000)
    assert queries.waivers_left(policies.at(clocks.now())) == before - 1
    actions.cancel(by=shop.owner, merchant_id=shop.merchant_id, id=payout.id)
    assert queries.waivers_left(policies.at(clocks.now())) == before


def test_the_last_waivers_are_not_given_twice(fresh_db, clock, monkeypatch):
    """P7, I-21: a million, and not one more, under concurrency."""
    shop = open_shop(stores=6, own_limit_fen=30_000_000)
    shop.payee()
    for store in shop.stores:
        shop.earn(7_500_000, store=store)
    limit = policies.at(clock.now()).payouts.waiver.count
    assert limit == 1_000_000
    db.rows("UPDATE payouts_waiver SET claimed = %s", [limit - 2])
    payouts = in_threads(lambda store: shop.ask(5_000_000, store=store), shop.stores)
    assert sorted(payout.waived for payout in payouts) == [False] * 4 + [True] * 2
    assert [payout.fee_fen for payout in payouts if not payout.waived] == [40_000] * 4


# What is set aside ---------------------------------------------------------------------------------------------------


def test_a_payout_takes_the_oldest_lots_first(clock):
    """W2."""
    shop = open_shop()
    first = shop.earn(30_000)[0]
    clock.move(hours=1)
    second = shop.earn(30_000)[0]
    clock.move(hours=1)
    shop.earn(30_000)
    payout = shop.ask(40_000)
    parts = queries.allocations(shop.merchant_id, payout.id)
    assert {part.order_id: part.amount_fen for part in parts} == {first: 30_000, second: 10_000}
    assert (shop.fen("claim:matured"), shop.fen("claim:reserved")) == (50_000, 40_000)


def test_the_same_request_again_is_the_same_payout(shop):
    id_ = uuid4()
    asked = {
        "by": shop.asker(), "id": id_, "merchant_id": shop.merchant_id, "store_id": shop.store,
        "beneficiary_id": shop.beneficiary_id, "amount_fen": 20_000, "purpose": "goods_settlement",
    }  # fmt: skip
    outcomes = in_threads(lambda _: actions.request(**asked), range(8))
    assert {outcome.id for outcome in outcomes} == {id_}
    assert shop.fen("claim:reserved") == 20_000
    with pytest.raises(PayoutIdReused):
        actions.request(**{**asked, "amount_fen": 20_001})
    assert shop.fen("claim:reserved") == 20_000


def test_many_at_once_never_take_more_than_is_covered():
    """P5 and W2 under concurrency: the last one covered leaves at least a third."""
    shop = open_shop()
    shop.earn(*[10_000] * 15)
    shop.payee()
    askers = [shop.asker() for _ in range(30)]
    outcomes = in_threads(lambda by: shop.request(10_000, by=by), askers)
    taken = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
    assert {type(outcome) for outcome in outcomes if isinstance(outcome, Exception)} == {PayoutRefused}
    assert 10_000 * len(taken) == shop.fen("claim:reserved")
    assert len(taken) == 14  # 150,000 → … → 20,000 covers one more of 10,000; 10,000 covers none


def test_a_cancelled_payout_gives_its_money_back_once(shop):
    before = shop.books()
    payout = shop.ask(20_000)
    outcomes = in_threads(lambda _: actions.cancel(by=shop.owner, merchant_id=shop.merchant_id, id=payout.id), range(8))
    assert sum(not isinstance(outcome, Exception) for outcome in outcomes) == 1
    assert {outcome.code for outcome in outcomes if isinstance(outcome, Exception)} == {"illegal_move"}
    assert shop.books() == before


def test_limit_never_becomes_money():
    """W1: a store with limit and loan, but nothing settled, has nothing to pay out."""
    shop = open_shop(own_limit_fen=100_000_000)
    shop.payee()
    assert quote(shop, 10_000).available_fen == 0
    assert reasons(shop, 10_000) == ["cover_too_thin"]


# Runs ----------------------------------------------------------------------------------------------------------------


def standing(shop, *stores):
    for store in stores or shop.stores:
        actions.stand(
            by=shop.owner, merchant_id=shop.merchant_id, store_id=store, beneficiary_id=shop.beneficiary_id,
            purpose="goods_settlement",
        )  # fmt: skip


def run(shop):
    """Run all stores of a shop for today."""
    stores = [(shop.merchant_id, store) for store in shop.stores]
    return actions.run(by=WORKER, run_day=clocks.business_day(clocks.now()), stores=stores)


def test_a_run_pays_out_what_is_covered_at_the_lower_fee(clock):
    """P1, P5: ⌊available ÷ 1.5⌋ at 0.6 %."""
    shop = open_shop(stores=2)
    shop.payee()
    shop.earn(100_000)
    shop.earn(100_001, store=shop.stores[1])
    standing(shop)
    clock.at = shanghai(2025, 11, 12, 10)
    payouts = run(shop)
    assert sorted((p.amount_fen, p.fee_fen, p.kind) for p in payouts) == [
        (66_666, 400, "automatic"), (66_667, 400, "automatic"),
    ]  # fmt: skip
    assert payouts[0].arrives_by == shanghai(2025, 11, 18)  # three workdays: Thursday, Friday, Monday


def test_a_store_that_cannot_be_paid_is_noted_with_every_reason(clock):
    shop = open_shop(stores=2)
    shop.payee()
    shop.earn(14_999)
    standing(shop)
    clock.at = shanghai(2025, 11, 12, 10)
    assert run(shop) == []
    assert {run.store_id: run.reasons for run in queries.runs(shop.owner, shop.merchant_id)} == {
        shop.stores[0]: ["below_minimum"],
        shop.stores[1]: ["below_minimum"],
    }


def test_the_platform_sees_each_day_and_why_stores_were_passed_over(fresh_db, clock):
    """P1: counts and reasons of all merchants; what was paid stays each merchant's own."""
    one, other = open_shop(stores=2), open_shop()
    for shop in (one, other):
        shop.payee()
        standing(shop)
    one.earn(90_000)
    clock.at = shanghai(2025, 11, 12, 10)
    today = clocks.business_day(clock.at)
    for shop in (one, other):
        run(shop)
    (day,) = run_queries.days_run(OPERATOR, today)
    assert (day.run_day, day.merchants, day.stores, day.paid, day.passed) == (today, 2, 3, 1, 2)
    assert run_queries.days_run(OPERATOR, today + timedelta(days=1)) == []
    assert run_queries.reasons_of_run(OPERATOR, today) == [("below_minimum", 2)]
    key = [(each.merchant_id, each.store_id) for each in run_queries.stores_run(OPERATOR, today)]
    assert key == [(one.merchant_id, store) for store in one.stores] + [(other.merchant_id, other.store)]
    found = {
        outcome: [each.store_id for each in run_queries.stores_run(OPERATOR, today, outcome=outcome)]
        for outcome in ("paid", "passed", "below_minimum", "store_frozen")
    }
    assert found == {
        "paid": [one.store], "passed": [one.stores[1], other.store], "below_minimum": [one.stores[1], other.store],
        "store_frozen": [],
    }  # fmt: skip
    assert [each.store_id for each in run_queries.stores_run(OPERATOR, today, after=key[1])] == [other.store]
    for look in (run_queries.days_run, run_queries.reasons_of_run, run_queries.stores_run):
        with pytest.raises(Refused):
            look(one.owner, today)


def test_a_run_day_is_run_once_however_many_workers_try(clock):
    """I-19."""
    shop = open_shop(stores=3)
    shop.payee()
    for store in shop.stores:
        shop.earn(60_000, store=store)
    standing(shop)
    clock.at = shanghai(2025, 11, 12, 10)
    outcomes = in_threads(lambda _: run(shop), range(6))
    assert sorted(len(made) for made in outcomes) == [0, 0, 0, 0, 0, 3]
    assert shop.fen("claim:reserved", shop.stores[2]) == 40_000


def test_a_missed_run_is_caught_up_once_and_earlier_ones_are_not(clock):
    """P1."""
    from houfu.payouts import tasks

    shop = open_shop()
    shop.payee()
    shop.earn(60_000)
    standing(shop)
    clock.at = shanghai(2025, 11, 20, 15)  # Wednesday and Friday last week and yesterday's Wednesday were missed
    assert tasks.run_due(WORKER) >= 1
    runs = queries.runs(shop.owner, shop.merchant_id)
    assert [str(run.run_day) for run in runs] == ["2025-11-19"]
    tasks.run_due(WORKER)
    assert len(queries.runs(shop.owner, shop.merchant_id)) == 1


def test_a_standing_order_made_after_the_run_waits_for_the_next(clock):
    from houfu.payouts import tasks

    shop = open_shop()
    shop.payee()
    shop.earn(60_000)
    clock.at = shanghai(2025, 11, 12, 10, 0, 1)
    standing(shop)
    tasks.run_due(WORKER)
    assert queries.runs(shop.owner, shop.merchant_id) == []
    clock.at = shanghai(2025, 11, 14, 10)
    tasks.run_due(WORKER)
    assert len(queries.runs(shop.owner, shop.merchant_id)) == 1
    actions.stand_down(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store)
    clock.at = shanghai(2025, 11, 19, 10)
    tasks.run_due(WORKER)
    assert len(queries.runs(shop.owner, shop.merchant_id)) == 1


def test_a_request_number_names_what_is_paid_to_whom():
    """I-08: the same money has one number; money that came back has another."""
    parts = [("A", 100, 0), ("B", 200, 0)]
    number = rules.request_no(1, 2, 3, parts)
    assert number == rules.request_no(1, 2, 3, reversed(parts))
    others = [
        rules.request_no(1, 2, 4, parts), rules.request_no(1, 3, 3, parts), rules.request_no(2, 2, 3, parts),
        rules.request_no(1, 2, 3, [("A", 100, 1), ("B", 200, 0)]), rules.request_no(1, 2, 3, [("A", 300, 0)]),
    ]  # fmt: skip
    assert len({number, *others}) == 6
    assert len(number) == 32
    assert number.isalnum()


def test_yuan_are_written_with_separators():
    assert [money.yuan(fen) for fen in (0, 5, 123_450, -1)] == ["0.00", "0.05", "1,234.50", "-0.01"]
