"""L7: limit from one platform to another, 1 : 0.8, where both recognise each other; what is unused returns."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from houfu.kernel import clock as clocks
from houfu.kernel import db as door
from houfu.kernel.errors import Forbidden, IllegalMove, NotFound
from houfu.limits import actions as limits
from houfu.limits import conversion_queries as queries
from houfu.limits import conversions as rules
from houfu.limits.actions import BadConversion, ConversionRefused
from houfu.limits.models import Conversion
from houfu.merchants import actions as merchants
from houfu.orders import actions as orders
from houfu.people.actor import operator, system
from houfu.policies import queries as policies
from houfu.site import worker
from houfu.testing.platforms import open_platforms
from houfu.testing.threads import in_threads
from houfu.testing.world import OPERATOR, WORKER, open_shop
from houfu.verify import queries as verify

pytestmark = pytest.mark.usefixtures("platform", "clock")
POLICY = policies.pack.CrossPlatform(conversion_permille=800, abnormal_hold_hours=48)


@pytest.fixture
def both():
    return open_platforms()


def refused(call, *args, **what):
    with pytest.raises(ConversionRefused) as error:
        call(*args, **what)
    return [reason.code for reason in error.value.reasons]


def test_a_hundred_gives_eighty_and_twenty_are_kept(both):
    asked = both.ask(10_000)
    assert (asked.state, asked.given_fen, asked.haircut_fen) == ("asked", 8_000, 2_000)
    assert (both.free(), both.shop.fen("q:conv", asked.id)) == ((990_000, 0), 10_000)
    made = both.confirm(asked)
    assert (made.state, both.free()) == ("active", (990_000, 8_000))
    assert [both.shop.fen(kind, asked.id) for kind in ("q:conv", "q:haircut")] == [0, 2_000]
    assert [d.state for d in both.shop.place(8_000, store=both.taking)] == ["authorised"]


@pytest.mark.parametrize(("amount", "given_fen"), [(2, 1), (3, 2), (4, 3), (5, 4), (99, 79), (101, 80)])
def test_what_is_given_is_rounded_down(both, amount, given_fen):
    asked = both.ask(amount)
    assert (asked.given_fen, asked.haircut_fen) == (given_fen, amount - given_fen)


def test_every_reason_comes_at_once_and_nothing_moves():
    both = open_platforms(recognised=False, giving_fen=0)
    before = both.shop.books()
    assert refused(both.ask, 1) == ["conversion_not_recognised", "conversion_exceeds_free", "conversion_gives_nothing"]
    two = open_shop(stores=2)
    at = {"by": two.owner, "merchant_id": two.merchant_id, "from_store_id": two.stores[0]}
    assert refused(limits.convert, **at, to_store_id=two.stores[1], amount_fen=10) == ["conversion_same_principal"]
    for wrong in ({"to_store_id": two.store, "amount_fen": 5}, {"to_store_id": two.stores[1], "amount_fen": 0}):
        with pytest.raises(BadConversion):
            limits.convert(**at, **wrong)
    with pytest.raises(NotFound):
        limits.convert(**at, to_store_id=both.taking, amount_fen=10)
    assert both.shop.books() == before
    assert not Conversion.objects.filter(merchant_id__in=[both.m, two.merchant_id]).exists()


def test_what_is_in_use_cannot_be_converted():
    both = open_platforms(giving_fen=100_000)
    both.shop.place(60_000)
    assert refused(both.ask, 40_001) == ["conversion_exceeds_free"]
    assert both.ask(40_000).state == "asked"
    assert both.free() == (0, 0)


# A second person, and the hours ---------------------------------------------------------------------------------------


def test_nobody_confirms_their_own_and_no_key_or_job_confirms_at_all(both):
    asked = both.ask(10_000)
    at = {"merchant_id": both.m, "id": asked.id}
    assert refused(limits.confirm_conversion, by=both.asker, **at) == ["conversion_second_person"]
    with pytest.raises(Forbidden):
        limits.confirm_conversion(by=system("worker"), **at)
    assert both.conversion(asked.id).state == "asked"
    assert refused(lambda: both.confirm(both.confirm(asked))) == ["conversion_decided"]
    assert both.free() == (990_000, 8_000)


def test_what_is_abnormal_is_held_for_two_days_to_the_instant(both, clock):
    asked = both.ask(500_001)  # more than half of its own limit
    assert (asked.state, asked.abnormal) == ("held", ["large_share"])
    assert asked.held_until == clocks.now() + timedelta(hours=48)
    assert refused(both.confirm, asked) == ["conversion_held"]
    clock.move(hours=48, microseconds=-1)
    assert refused(both.confirm, asked) == ["conversion_held"]
    assert both.free() == (499_999, 0)
    clock.move(microseconds=1)
    assert both.confirm(asked).state == "active"
    assert both.free() == (499_999, 400_000)


def test_what_is_abnormal():
    """A pure function: at the limit, and one fen or one conversion beyond."""
    calm = rules.Facts(500, 1_000, 1_000, True, False, "active", "active", 1)
    assert rules.abnormal(calm, POLICY) == []
    for change, code in (
        ({"amount_fen": 501}, "large_share"), ({"lately": 2}, "many_in_a_day"),
        ({"from_state": "frozen"}, "store_frozen"), ({"to_state": "frozen"}, "store_frozen"),
    ):  # fmt: skip
        assert rules.abnormal(calm._replace(**change), POLICY) == [code]
    everything = calm._replace(amount_fen=501, lately=9, to_state="frozen")
    assert rules.abnormal(everything, POLICY) == ["many_in_a_day", "large_share", "store_frozen"]


def test_the_third_within_a_day_is_held_refused_ones_counted(both, clock):
    first = both.ask(10)
    limits.refuse_conversion(by=both.asker, merchant_id=both.m, id=first.id, note="金额有误")
    assert (both.ask(10).state, both.ask(10).state) == ("asked", "held")
    clock.move(hours=24)
    assert both.ask(10).state == "asked"


def test_a_frozen_store_converts_only_what_is_held(both):
    merchants.freeze_store(by=OPERATOR, merchant_id=both.m, id=both.taking, reason="disputes")
    assert both.ask(10).abnormal == ["store_frozen"]


def test_what_is_refused_or_lapses_goes_home_whole(both, clock):
    before = both.shop.books()
    held, asked = both.ask(500_001), both.ask(10)
    with pytest.raises(BadConversion):
        limits.refuse_conversion(by=both.shop.owner, merchant_id=both.m, id=held.id, note="不")
    done = limits.refuse_conversion(by=both.shop.owner, merchant_id=both.m, id=held.id, note="不予互通")
    assert (done.state, done.note) == ("refused", "不予互通")
    with pytest.raises(IllegalMove):
        limits.refuse_conversion(by=both.shop.owner, merchant_id=both.m, id=held.id, note="不予互通")
    clock.move(hours=72, microseconds=-1)
    assert both.tend() == 0
    clock.move(microseconds=1)
    assert (both.tend(), both.conversion(asked.id).state) == (1, "lapsed")
    assert both.shop.books() == before


@pytest.mark.parametrize(
    ("law", "change"),
    [
        ("second_person", "state = 'active', decided_person = person, decided_at = held_until"),
        ("second_person", "state = 'active', decided_at = held_until"),
        ("held_long_enough", "state = 'active', decided_person = 'x', decided_at = held_until - interval '1 s'"),
        ("back", "state = 'returning', decided_person = 'x', decided_at = held_until, returned_fen = given_fen + 1"),
        ("all_back", "haircut_back_fen = 1"),
    ],
)  # fmt: skip
def test_the_law_stands_in_the_database(both, law, change):
    asked = both.ask(500_001)
    with pytest.raises(DatabaseError, match=f"limits_conversion_{law}"), transaction.atomic():
        door.rows(f"UPDATE limits_conversion SET {change} WHERE merchant_id = %s AND id = %s", [both.m, asked.id])


# Months ---------------------------------------------------------------------------------------------------------------


def test_at_the_end_of_the_month_what_was_unused_goes_back_with_its_haircut(both, clock):
    made = both.convert(10_000)
    clock.at = clocks.shanghai(2025, 11, 30, 23, 59, 59)
    assert both.tend() == 0
    clock.at = clocks.shanghai(2025, 12, 1)
    assert worker.tend_conversions() >= 1
    assert both.tend() == 0
    assert (both.conversion(made.id).state, both.free()) == ("returned", (1_000_000, 0))
    assert [both.shop.fen(kind, made.id) for kind in ("q:conv", "q:haircut")] == [0, 0]
    found = door.rows(
        "SELECT month, unused_fen, in_use_fen, haircut_fen FROM limits_true_up WHERE merchant_id = %s", [both.m]
    )
    assert [tuple(row) for row in found] == [(clocks.shanghai(2025, 11, 1).date(), 8_000, 0, 2_000)]


def test_what_is_in_use_stays_until_it_is_released_and_then_goes_back(both, clock):
    made = both.convert(10_001)  # 8,000 given, 2,001 kept
    [order] = both.shop.place(3_000, store=both.taking)
    clock.at = clocks.shanghai(2025, 12, 1)
    assert both.tend() == 1
    trued = both.conversion(made.id)
    assert (trued.state, trued.returned_fen, trued.haircut_back_fen) == ("returning", 5_000, 1_250)
    assert both.free() == (996_249, 0)
    assert [both.tend() for _ in range(2)] == [0, 0]
    orders.refund(by=both.shop.owner, merchant_id=both.m, steps=both.shop.steps(order.id, ref="R", amount_fen=1))
    assert both.tend() == 1
    assert both.free() == (996_250, 0)  # the haircut of one fen is none yet
    clock.at = clocks.shanghai(2026, 1, 1)
    assert both.tend() == 0
    orders.cancel(by=both.shop.owner, merchant_id=both.m, steps=both.shop.steps(order.id))
    assert both.tend() == 1
    assert (both.conversion(made.id).state, both.free()) == ("returned", (1_000_000, 0))


def test_of_two_conversions_the_earlier_comes_back_first_and_no_fen_comes_back_twice(both, clock):
    first, second = both.convert(10_000), both.convert(10_000)
    [order] = both.shop.place(10_000, store=both.taking)
    clock.at = clocks.shanghai(2025, 12, 1)
    assert both.tend() == 2
    assert [both.conversion(each.id).returned_fen for each in (first, second)] == [6_000, 0]
    assert both.free() == (987_500, 0)
    orders.cancel(by=both.shop.owner, merchant_id=both.m, steps=both.shop.steps(order.id))
    assert both.tend() == 2
    assert {both.conversion(each.id).state for each in (first, second)} == {"returned"}
    assert both.free() == (1_000_000, 0)


def test_a_stores_own_limit_comes_into_use_before_what_it_was_given(clock):
    both = open_platforms(taking_fen=5_000)
    made = both.convert(10_000)
    both.shop.place(6_000, store=both.taking)
    clock.at = clocks.shanghai(2025, 12, 1)
    both.tend()
    assert (both.conversion(made.id).returned_fen, both.free()) == (7_000, (998_750, 0))


def test_a_true_up_missed_for_months_happens_once(both, clock):
    made = both.convert(10_000)
    both.shop.place(8_000, store=both.taking)
    clock.at = clocks.shanghai(2026, 3, 5)
    outcomes = in_threads(lambda _: both.tend(), range(4))
    assert sorted(outcomes) == [0, 0, 0, 1]
    assert both.conversion(made.id).state == "returning"
    found = door.rows("SELECT month FROM limits_true_up WHERE merchant_id = %s", [both.m])
    assert [row.month for row in found] == [clocks.shanghai(2026, 2, 1).date()]


def test_what_was_made_this_month_is_not_trued_up_yet(both, clock):
    clock.at = clocks.shanghai(2025, 11, 30, 23)
    asked = both.ask(10_000)
    clock.at = clocks.shanghai(2025, 12, 1, 1)
    both.confirm(asked)
    assert both.tend() == 0
    clock.at = clocks.shanghai(2026, 1, 1)
    assert both.tend() == 1


ROUND = st.lists(st.tuples(st.booleans(), st.integers(2, 60_000)), min_size=1, max_size=5)


@settings(max_examples=20, deadline=None)
@given(rounds=ROUND, used=st.integers(0, 60_000))
def test_no_way_round_gains_and_all_comes_home_in_the_end(rounds, used):
    """I-04: whatever is converted there and back, both stores together never have more than before."""
    with clocks.standing_at(clocks.SteppedClock(clocks.shanghai(2025, 11, 10, 10))) as clock:
        both = open_platforms(giving_fen=100_000, taking_fen=20_000)
        for back, fen in rounds:
            try:
                asked = both.ask(fen, back=back)
            except ConversionRefused:
                continue
            clock.at = max(clocks.now(), asked.held_until)
            both.confirm(asked)
            assert sum(both.free()) <= 120_000
        [order] = both.shop.place(max(1, min(used, both.free()[1])), store=both.taking)
        for month in (12, 13):
            clock.at = clocks.shanghai(2025 + month // 13, month % 12 or 12, 1)
            both.tend()
            assert sum(both.free()) <= 120_000 - (order.own_fen if order.state == "authorised" else 0)
        if order.state == "authorised":
            orders.cancel(by=both.shop.owner, merchant_id=both.m, steps=both.shop.steps(order.id))
        for _ in range(len(rounds) + 1):  # what went on from store to store comes back step by step
            both.tend()
        assert both.free() == (100_000, 20_000)
        assert not Conversion.objects.filter(merchant_id=both.m).exclude(state="returned").exists()
    assert verify.run("i07").findings == []


@given(
    amount=st.integers(2, 10**13), permille=st.integers(500, 1000),
    parts=st.lists(st.integers(0, 10**13), max_size=8),
)  # fmt: skip
def test_the_haircut_comes_back_in_proportion_and_never_more_than_was_kept(amount, permille, parts):
    given_fen = amount * permille // 1000
    haircut_fen, returned, back_fen = amount - given_fen, 0, 0
    for free_fen in [*parts, 10**14]:
        part = rules.back(given_fen, haircut_fen, returned, back_fen, free_fen)
        assert 0 <= part.fen <= free_fen
        assert part.haircut_fen >= 0
        returned, back_fen = returned + part.fen, back_fen + part.haircut_fen
        assert back_fen * given_fen <= haircut_fen * returned
    assert (returned, back_fen) == (given_fen, haircut_fen)


@pytest.mark.slow
def test_many_at_once_convert_no_more_than_is_free_and_each_is_handed_on_once(clock):
    both = open_platforms(giving_fen=100_000)
    asked = [a for a in in_threads(lambda _: both.ask(30_000), range(8)) if isinstance(a, Conversion)]
    assert (len(asked), both.free()) == (3, (10_000, 0))
    clock.move(hours=48)
    in_threads(lambda n: both.confirm(asked[n % 3]), range(9))
    assert both.free() == (10_000, 72_000)


# Recognition ----------------------------------------------------------------------------------------------------------


def test_a_recognition_needs_both_sides_signed_for_and_accepted():
    both = open_platforms(recognised=False)
    both.propose()
    first, second = both.accounts
    assert both.sign(first) == "proposed"
    assert both.accept(first) == "recognised_by_one"
    assert refused(both.ask, 10) == ["conversion_not_recognised"]
    assert both.accept(second) == "recognised_by_one"
    assert both.sign(second) == "recognised"
    assert both.ask(10).state == "asked"
    seen = queries.recognition(both.shop.owner, both.m, both.recognition_id)
    assert [(bool(s.signed_at), s.accepted_by) for s in seen.sides] == [(True, OPERATOR.label)] * 2


def test_the_worker_takes_what_was_signed():
    both = open_platforms(recognised=False)
    both.propose()
    for account in both.accounts:
        both.accept(account)
        both.shop.agree(queries.subject(both.recognition_id, account))
    worker.tend_conversions()
    assert queries.recognition(both.shop.owner, both.m, both.recognition_id).state == "recognised"


def test_a_no_of_the_owner_or_the_platform_refuses_it_and_both_may_be_asked_anew():
    from houfu.approvals import actions as approvals
    from houfu.approvals import queries as approval_queries

    both = open_platforms(recognised=False)
    id = both.propose()
    asked = approval_queries.latest(both.m, queries.subject(id, both.accounts[0]))
    owner, _ = both.shop.signer("owner")
    approvals.reject(by=owner, merchant_id=both.m, id=asked.id, note="资料不对")
    assert limits.follow_recognition(by=WORKER, merchant_id=both.m, id=id) == "refused"
    other = approval_queries.latest(both.m, queries.subject(id, both.accounts[1]))
    assert other.state == "void"
    again = both.propose()
    with pytest.raises(limits.BadRecognition):
        limits.refuse_recognition(by=OPERATOR, merchant_id=both.m, id=again, note="不")
    limits.refuse_recognition(by=OPERATOR, merchant_id=both.m, id=again, note="资质已过期")
    with pytest.raises(IllegalMove):
        both.accept(both.accounts[0])


def test_one_recognition_at_a_time_and_never_ones_own_document():
    both = open_platforms(recognised=False)
    made = limits.propose_recognition(by=OPERATOR, merchant_id=both.m, documents=both.documents())
    both.recognition_id = made.id
    with pytest.raises(limits.RecognitionExists):
        both.propose()
    at = {"merchant_id": both.m, "id": made.id, "channel_account_id": both.accounts[0]}
    with pytest.raises(limits.RecognitionOwnDocument):
        limits.accept_document(by=OPERATOR, **at)
    limits.accept_document(by=operator("chen"), **at)
    with pytest.raises(limits.DocumentAccepted):
        limits.accept_document(by=operator("chen"), **at)
    with pytest.raises(Forbidden):
        limits.accept_document(by=both.shop.owner, **at)


@pytest.mark.parametrize(
    "change",
    [{"title": "短"}, {"sha256": "x"}, {"channel_account_id": "same"}, {"count": 1}, {"channel_account_id": 10**9}],
)
def test_documents_that_cannot_be_are_refused(change):
    both = open_platforms(recognised=False)
    first, second = both.documents()
    documents = [first, second][: change.pop("count", 2)]
    if change.get("channel_account_id") == "same":
        change["channel_account_id"] = second.channel_account_id
    documents[0] = first._replace(**change)
    with pytest.raises((limits.BadRecognition, NotFound)):
        limits.propose_recognition(by=both.asker, merchant_id=both.m, documents=documents)
    assert queries.recognitions(both.shop.owner, both.m) == []


def test_a_recognition_taken_back_stops_new_conversions_and_leaves_the_old_to_their_true_up(both, clock):
    made, asked = both.convert(10_000), both.ask(10_000)
    limits.withdraw_recognition(by=both.asker, merchant_id=both.m, id=both.recognition_id)
    assert refused(both.ask, 10) == ["conversion_not_recognised"]
    assert refused(both.confirm, asked) == ["conversion_not_recognised"]
    assert both.conversion(made.id).state == "active"
    clock.at = clocks.shanghai(2025, 12, 1)
    both.tend()
    assert both.free() == (1_000_000, 0)


def test_a_store_manager_sees_conversions_of_the_own_store_and_asks_for_none(both):
    made, other = both.ask(10_000), open_platforms()
    bound = both.shop.hire("store_manager", stores=[both.taking])
    stranger = both.shop.hire("store_manager", stores=[merchants.open_store(
        by=OPERATOR, merchant_id=both.m, code="X", name="X", channel_account_id=both.accounts[0]).id])  # fmt: skip
    assert [row.id for row in queries.conversions(bound, both.m)] == [made.id]
    assert queries.conversions(stranger, both.m) == []
    for by in (stranger, other.shop.owner):
        with pytest.raises(NotFound):
            queries.access_conversion(by, "limits:read", both.m, made.id)
    with pytest.raises((Forbidden, NotFound)):
        limits.convert(by=bound, merchant_id=both.m, from_store_id=both.giving, to_store_id=both.taking, amount_fen=10)
