"""An emergency order: a loan, three settled orders within a day, restoration by application the next day (L3, L2)."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from houfu.approvals import actions as approvals
from houfu.approvals import queries as approval_queries
from houfu.history import queries as history
from houfu.kernel.clock import shanghai
from houfu.kernel.errors import NotFound
from houfu.limits import actions as limits
from houfu.limits import pooling, tasks
from houfu.limits.models import Emergency, Recovery
from houfu.testing.threads import in_threads
from houfu.testing.world import OPERATOR, WORKER, open_shop

pytestmark = pytest.mark.usefixtures("db")
REDUCED_FEN = 180_000


@pytest.fixture
def shop(clock):
    opened = open_shop(own_limit_fen=1_000_000)
    limits.reduce(
        by=OPERATOR, merchant_id=opened.merchant_id, store_id=opened.store, amount_fen=REDUCED_FEN, reason="逾期"
    )
    return opened


def begin(shop, fen=300_000):
    return limits.begin_emergency(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store, amount_fen=fen)


def settle(shop, count=1):
    shop.place(*[1_000] * count)
    ids = list(shop.placed)
    shop.receive(*ids)
    shop.settle(dict.fromkeys(ids, 1_000))


def seen(shop):
    return Emergency.objects.filter(merchant_id=shop.merchant_id).order_by("-id")[0]


def steps(shop):
    return {step.name: (step.state, step.missing) for step in pooling.emergency_steps(seen(shop))}


def apply(shop, fen, by=None):
    return limits.apply_restoration(
        by=by or shop.assistant, merchant_id=shop.merchant_id, id=seen(shop).id, amount_fen=fen
    )


def opened(shop, clock):
    """An emergency of which restoration may be applied for."""
    found = begin(shop)
    settle(shop, 3)
    clock.at = seen(shop).opens_at
    tasks.tend(WORKER)
    return found


def codes(refusal):
    return sorted(reason.code for reason in refusal.value.reasons)


def test_the_whole_way_is_one_flow_of_steps(shop, clock):
    """L3."""
    emergency = begin(shop)
    assert steps(shop) == {
        "loan": ("done", {}),
        "repayments": ("now", {"orders": 3}),
        "application": ("ahead", {"applications": 1}),
        "review": ("ahead", {"signatures": 1}),
    }
    settle(shop)
    assert (seen(shop).state, steps(shop)["repayments"]) == ("repaying", ("now", {"orders": 2}))
    clock.move(hours=13, minutes=59)
    settle(shop, 2)  # 23:59 of the same day
    assert (steps(shop)["repayments"], seen(shop).opens_at) == (("done", {}), shanghai(2025, 11, 11))
    with pytest.raises(limits.ApplicationRefused) as early:
        apply(shop, 50_000)
    assert codes(early) == ["restoration_not_open"]
    clock.move(minutes=1)
    tasks.tend(WORKER)
    assert (seen(shop).state, steps(shop)["application"][0]) == ("restoration_open", "now")
    apply(shop, 150_000)
    assert steps(shop)["review"] == ("now", {"signatures": 1})
    shop.agree(f"emergency/{emergency.id}")
    tasks.tend(WORKER)
    assert (seen(shop).state, shop.fen("q:reduced")) == ("restored", 30_000)
    assert steps(shop)["review"][0] == "done"
    told = [link.verb for link in history.links(shop.merchant_id, subject=f"emergency/{emergency.id}")]
    assert told == [
        "emergency.restored", "emergency.in_review", "emergency.restoration_open", "emergency.repaying",
        "emergency.repaying", "emergency.begun",
    ]  # fmt: skip


def test_an_order_that_settles_after_the_day_is_over_does_not_count(shop, clock):
    begin(shop)
    settle(shop, 2)
    clock.move(hours=24)
    settle(shop)
    assert seen(shop).settled == 2
    tasks.tend(WORKER)
    assert (seen(shop).state, steps(shop)["repayments"]) == ("lapsed", ("missed", {"orders": 1}))
    with pytest.raises(limits.ApplicationRefused):
        apply(shop, 50_000)
    assert shop.fen("q:reduced") == REDUCED_FEN


def test_a_restoration_that_nobody_applies_for_lapses(shop, clock):
    opened(shop, clock)
    clock.at = seen(shop).apply_until
    with pytest.raises(limits.ApplicationRefused) as late:
        apply(shop, 50_000)
    assert codes(late) == ["application_too_late"]
    tasks.tend(WORKER)
    assert (seen(shop).state, steps(shop)["application"][0]) == ("lapsed", "missed")


def test_an_application_is_for_whole_lots_and_no_more_than_is_missing(shop, clock):
    """L2."""
    opened(shop, clock)
    books = shop.books()
    for fen, why in (
        (50_001, ["not_whole_lots"]),
        (200_000, ["beyond_original"]),
        (200_001, ["beyond_original", "not_whole_lots"]),
    ):
        with pytest.raises(limits.ApplicationRefused) as refused:
            apply(shop, fen)
        assert codes(refused) == why
    assert (seen(shop).state, shop.books()) == ("restoration_open", books)


def test_an_application_is_for_no_more_than_the_loan(shop, clock):
    begin(shop, 60_000)
    settle(shop, 3)
    clock.at = seen(shop).opens_at
    with pytest.raises(limits.ApplicationRefused) as refused:
        apply(shop, 100_000)
    assert codes(refused) == ["beyond_original"]
    apply(shop, 50_000)
    assert seen(shop).state == "in_review"


def test_a_second_person_refuses_and_nothing_is_restored(shop, clock):
    emergency = opened(shop, clock)
    supervisor, _ = shop.signer("supervisor")
    apply(shop, 50_000)
    request = approval_queries.latest(shop.merchant_id, f"emergency/{emergency.id}")
    assert (request.chain, request.person) == (["supervisor"], shop.assistant.person)
    approvals.reject(by=supervisor, merchant_id=shop.merchant_id, id=request.id, note="订单可疑")
    tasks.tend(WORKER)
    assert (seen(shop).state, seen(shop).note, shop.fen("q:reduced")) == ("refused", "rejected", REDUCED_FEN)


def test_what_is_brought_forward_is_earned_first_before_more_is(shop, clock):
    """L2: an application adds nothing to what completed orders earn; it brings it forward."""
    emergency = opened(shop, clock)
    apply(shop, 50_000)
    shop.agree(f"emergency/{emergency.id}")
    tasks.tend(WORKER)
    assert shop.fen("q:reduced") == REDUCED_FEN - 50_000
    settle(shop, 96)  # 99 in all earn 900 yuan, 500 of which were brought forward
    assert shop.fen("q:reduced") == REDUCED_FEN - 50_000
    settle(shop)
    assert shop.fen("q:reduced") == REDUCED_FEN - 100_000


def test_what_was_earned_meanwhile_is_not_given_twice(shop, clock):
    """L2: never above the original limit."""
    emergency = opened(shop, clock)
    apply(shop, 150_000)
    settle(shop, 97)
    assert shop.fen("q:reduced") == REDUCED_FEN - 100_000
    shop.agree(f"emergency/{emergency.id}")
    tasks.tend(WORKER)
    assert (seen(shop).state, shop.fen("q:reduced")) == ("restored", 30_000)
    assert Recovery.objects.get(merchant_id=shop.merchant_id, store_id=shop.store).booked_fen == 150_000


def test_a_store_has_one_emergency_at_a_time(shop, clock):
    begin(shop, 3_000)
    settle(shop, 3)  # the loan is repaid, and restoration may be applied for tomorrow
    before = shop.books()
    with pytest.raises(limits.EmergencyOpen):
        begin(shop)
    assert shop.books() == before
    other = open_shop()
    with pytest.raises(NotFound):
        apply(shop, 50_000, by=other.owner)


def test_two_begin_at_once_and_one_has_the_loan(shop):
    outcomes = in_threads(lambda _: begin(shop), range(4))
    assert sorted(type(each).__name__ for each in outcomes) == [
        "Emergency",
        "LoanRefused",
        "LoanRefused",
        "LoanRefused",
    ]
    assert shop.fen("q:temp:free") == 300_000


def test_two_workers_restore_once(shop, clock):
    emergency = opened(shop, clock)
    apply(shop, 50_000)
    shop.agree(f"emergency/{emergency.id}")
    outcomes = in_threads(
        lambda _: limits.follow_application(by=WORKER, merchant_id=shop.merchant_id, id=emergency.id), range(4)
    )
    assert outcomes == ["restored"] * 4
    assert shop.fen("q:reduced") == REDUCED_FEN - 50_000


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(1, 30), st.integers(0, 4), st.lists(st.integers(1, 60), max_size=4))
def test_applied_for_or_earned_never_more_than_was_reduced(clock, loan_lots, lots, settled):
    """L2, I-03."""
    shop = open_shop(own_limit_fen=500_000)
    limits.reduce(by=OPERATOR, merchant_id=shop.merchant_id, store_id=shop.store, amount_fen=170_000, reason="逾期")
    begin(shop, loan_lots * 10_000)
    settle(shop, 3)
    clock.at = seen(shop).opens_at
    try:
        apply(shop, lots * 50_000 or 50_000)
        shop.agree(f"emergency/{seen(shop).id}")
    except limits.ApplicationRefused:
        pass
    for count in settled:
        settle(shop, count)
        tasks.tend(WORKER)
    assert 0 <= shop.fen("q:reduced") <= 170_000
    assert (170_000 - shop.fen("q:reduced")) % 50_000 == 0
    whole = sum(fen for account, fen in shop.books().items() if account.kind.startswith("q:own:"))
    assert whole + shop.fen("q:reduced") == 500_000
