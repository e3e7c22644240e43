"""Sending: one attempt under one number, and what every answer allows to conclude (I-08, I-09, I-10, I-12)."""

from datetime import timedelta
from itertools import permutations

import pytest

from houfu.channels import rules as channel_rules
from houfu.channels.port import Dedupe, Verdict
from houfu.history.models import Link
from houfu.kernel import clock, crash
from houfu.kernel.errors import IllegalMove
from houfu.orders import queries as order_queries
from houfu.payouts import actions, queries, rules, tasks
from houfu.payouts.actions.requests import PayoutRefused
from houfu.payouts.models import Attempt, Beneficiary, Payout
from houfu.payouts.tests.shops import (
    FAILED,
    NOT_DONE,
    PAID,
    WINDOW,
    again,
    begun,
    earn,
    number,
    record,
    send,
    stands,
    state,
)
from houfu.testing.threads import in_threads
from houfu.testing.world import OPERATOR, WORKER


class Died(BaseException):
    """The process is gone; nothing catches it."""


# Answers and states --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", [
    "ok", "paid_then_returned", "denied", "processing_then_paid", "processing_then_denied", "ok_then_timeout",
    "timeout_not_done", "error_500_done", "not_found_while_in_flight", "wrong_amount", "bad_signature", "maintenance",
])  # fmt: skip
def test_an_answer_leads_to_the_state_that_it_proves_and_then_to_the_truth(channel, shop, behaviour):
    channel.script(transfers=[{"name": behaviour, "seconds": 60}])
    payout = send(shop)
    first = {
        "ok": "paid", "paid_then_returned": "paid", "denied": "failed",
        "processing_then_paid": "submitted", "processing_then_denied": "submitted",
    }.get(behaviour, "unknown")  # fmt: skip
    assert state(shop, payout) == first
    assert stands(shop) == {"paid": PAID, "failed": FAILED}.get(first, NOT_DONE)
    again(channel, seconds=61)
    denied = behaviour in ("denied", "processing_then_denied")
    assert (state(shop, payout), stands(shop)) == (("failed", FAILED) if denied else ("paid", PAID))
    assert channel.executions(shop.principal) == (0 if denied else 1)
    assert Attempt.objects.filter(merchant_id=shop.merchant_id).count() == 1


@pytest.mark.parametrize("query", ["wrong_payee", "bad_signature", "broken_json", "maintenance", "reset_mid_body"])
def test_a_question_whose_answer_cannot_be_believed_concludes_nothing(channel, shop, query):
    """I-09, I-12: not even where the channel has executed."""
    channel.script(transfers=["error_500_done"], queries=[query])
    payout = send(shop)
    again(channel, seconds=10)
    assert (state(shop, payout), stands(shop)) == ("unknown", NOT_DONE)
    again(channel, seconds=30)
    assert (state(shop, payout), channel.executions(shop.principal)) == ("paid", 1)


def test_what_is_unknown_is_asked_about_with_growing_patience_and_never_given_up(channel, shop):
    """I-23."""
    channel.script(transfers=[{"name": "processing_then_paid", "seconds": 10**6}])
    payout = send(shop)
    asked = channel.calls("get_transfer")
    waits = []
    for _ in range(9):
        due = Payout.objects.get(merchant_id=shop.merchant_id, id=payout.id).next_action_at
        waits.append((due - clock.now()).total_seconds())
        again(channel, seconds=waits[-1] - 1)
        assert channel.calls("get_transfer") == asked
        again(channel, seconds=1)
        asked += 1
        assert channel.calls("get_transfer") == asked
    assert waits == [10, 30, 60, 120, 300, 600, 600, 600, 600]
    assert (state(shop, payout), stands(shop)) == ("submitted", NOT_DONE)
    again(channel, days=12)
    assert state(shop, payout) == "paid"


# Not found -----------------------------------------------------------------------------------------------------------


def test_a_strict_channel_that_has_not_got_it_is_sent_the_same_number_again(channel, shop):
    channel.script(transfers=["timeout_not_done"])
    payout = send(shop)
    assert state(shop, payout) == "unknown"
    sent = channel.calls("post_transfer")
    again(channel, seconds=10)
    assert (state(shop, payout), stands(shop)) == ("paid", PAID)
    assert (channel.calls("post_transfer"), channel.executions(shop.principal)) == (sent + 1, 1)
    assert Attempt.objects.filter(merchant_id=shop.merchant_id).count() == 1


def test_a_strict_channel_is_sent_it_again_after_the_window_too(channel, shop):
    channel.script(transfers=["error_500_not_done"], queries=["maintenance"])
    payout = send(shop)
    again(channel, seconds=10)
    again(channel, hours=3)
    assert (state(shop, payout), channel.executions(shop.principal)) == ("paid", 1)


@pytest.mark.parametrize("dedupe", ["racy", "none"])
def test_any_other_channel_is_never_sent_it_again_and_not_found_denies_once_it_can_arrive_no_more(
    channel, shop, dedupe
):
    """I-09: five minutes are the channel's window, one more is for its clock."""
    channel.script(transfers=["error_500_not_done"], dedupe=dedupe)
    channel.connect(dedupe, timeout=1)
    payout = send(shop)
    sent = channel.calls("post_transfer")
    for pause in (10, 30, 60, 120):
        again(channel, seconds=pause)
        assert (state(shop, payout), stands(shop)) == ("unknown", NOT_DONE)
    again(channel, seconds=300)
    assert (state(shop, payout), stands(shop)) == ("failed", FAILED)
    assert queries.access_payout(shop.owner, "payouts:read", shop.merchant_id, payout.id).code == "not_found"
    assert (channel.calls("post_transfer"), channel.executions(shop.principal)) == (sent, 0)


@pytest.mark.parametrize(("dedupe", "seconds", "verdict"), [
    (Dedupe.STRICT, 1, Verdict.UNKNOWN), (Dedupe.STRICT, 361, Verdict.UNKNOWN), (Dedupe.STRICT, 10**6, Verdict.UNKNOWN),
    (Dedupe.RACY, 1, Verdict.UNKNOWN), (Dedupe.RACY, 360, Verdict.UNKNOWN), (Dedupe.RACY, 360.000001, Verdict.DENIED),
    (Dedupe.NONE, 300, Verdict.UNKNOWN), (Dedupe.NONE, 360, Verdict.UNKNOWN), (Dedupe.NONE, 360.000001, Verdict.DENIED),
])  # fmt: skip
def test_not_found_is_a_denial_only_after_the_window_and_never_where_numbers_are_sent_again(dedupe, seconds, verdict):
    signed_at = clock.shanghai(2025, 11, 10, 10)
    at = signed_at + timedelta(seconds=seconds)
    assert channel_rules.conclude(Verdict.NOT_FOUND, dedupe, signed_at, WINDOW, at) is verdict
    for other in set(Verdict) - {Verdict.NOT_FOUND}:
        assert channel_rules.conclude(other, dedupe, signed_at, WINDOW, at) is other


@pytest.mark.parametrize(("dedupe", "end"), [(Dedupe.STRICT, "unknown"), (Dedupe.RACY, "failed")])
def test_what_not_found_means_is_decided_by_when_the_request_was_signed(channel, shop, dedupe, end):
    payout = begun(shop)
    channel.move(seconds=360)
    assert record(shop, payout, Verdict.NOT_FOUND, dedupe=dedupe) == "unknown"
    channel.move(microseconds=1)
    assert record(shop, payout, Verdict.NOT_FOUND, dedupe=dedupe) == end
    assert stands(shop) == (FAILED if end == "failed" else NOT_DONE)
    record(shop, payout, Verdict.PAID)


def test_only_a_strict_channel_is_sent_a_number_again_and_only_where_it_has_not_got_it():
    for dedupe in Dedupe:
        for verdict in Verdict:
            may = channel_rules.may_repeat(verdict, dedupe)
            assert may is (dedupe is Dedupe.STRICT and verdict is Verdict.NOT_FOUND)


# One number ----------------------------------------------------------------------------------------------------------


def test_the_number_is_made_of_what_is_paid_to_whom_and_committed_before_the_first_byte(channel, shop, monkeypatch):
    """I-08."""
    payout, seen = shop.ask(100_000), []
    sent = channel.calls("post_transfer")

    def point(name):
        if name == "send.after_begin":
            seen.extend(in_threads(lambda _: number(shop, payout), [1]))  # another connection sees it
            seen.append(channel.calls("post_transfer") - sent)

    monkeypatch.setattr(crash, "point", point)
    tasks.work_off("worker")
    parts = [(a.order_id, a.amount_fen, a.generation) for a in queries.allocations(shop.merchant_id, payout.id)]
    assert parts == [(shop.placed[0], 100_000, 0)]
    expected = rules.request_no(shop.merchant_id, shop.store, shop.beneficiary_id, parts)
    assert seen == [expected, 0]
    assert channel.http.get("/control/executions").json()[-1]["request_no"] == expected


def test_whoever_begins_first_sends_and_nobody_else(channel, shop):
    payout = shop.ask(100_000)
    outcomes = in_threads(
        lambda n: actions.begin(by=WORKER, merchant_id=shop.merchant_id, id=payout.id, worker=f"w{n}"), range(8)
    )
    assert sorted(outcomes) == [False] * 7 + [True]
    assert (state(shop, payout), stands(shop)) == ("submitting", NOT_DONE)
    record(shop, payout, Verdict.PAID)


def test_workers_side_by_side_send_every_payout_once(channel, shop):
    payouts = [shop.ask(10_000 + n) for n in range(6)]
    in_threads(lambda n: tasks.work_off(f"w{n}"), range(4))
    again(channel, seconds=61)
    assert {state(shop, payout) for payout in payouts} == {"paid"}
    assert channel.executions(shop.principal) == 6


def test_a_worker_that_dies_after_it_began_is_left_alone_for_a_minute_and_then_asked_for(channel, shop, monkeypatch):
    def point(name):
        if name == "send.after_begin":
            raise Died

    payout = shop.ask(100_000)
    monkeypatch.setattr(crash, "point", point)
    with pytest.raises(Died):
        tasks.work_off("first")
    monkeypatch.undo()
    asked = channel.calls("get_transfer")
    again(channel, seconds=59)
    assert (state(shop, payout), channel.calls("get_transfer")) == ("submitting", asked)
    again(channel, seconds=1)
    assert (state(shop, payout), channel.calls("get_transfer")) == ("paid", asked + 1)
    assert channel.executions(shop.principal) == 1


def test_equal_parts_of_one_lot_are_payouts_of_their_own(channel, shop):
    """The same amount of the same lot to the same account again is other money, and has another number."""
    payouts = [shop.ask(50_000) for _ in range(4)]
    tasks.work_off("worker")
    assert {state(shop, payout) for payout in payouts} == {"paid"}
    assert len({number(shop, payout) for payout in payouts}) == 4
    assert (channel.executions(shop.principal), stands(shop)) == (4, (400_000, 0, 0))


def test_equal_parts_that_are_begun_at_once_get_numbers_of_their_own(channel, shop):
    payouts = [shop.ask(50_000) for _ in range(5)]

    def begin(payout):
        return actions.begin(by=WORKER, merchant_id=shop.merchant_id, id=payout.id, worker="w")

    assert in_threads(begin, payouts) == [True] * 5
    assert len({number(shop, payout) for payout in payouts}) == 5
    for payout in payouts:
        record(shop, payout, Verdict.PAID)


def test_money_that_came_back_goes_out_under_another_number(channel, shop):
    """I-08: generation counts how often a lot's money came back."""
    channel.script(transfers=["denied", "ok"])
    first, second = send(shop), send(shop)
    assert [state(shop, first), state(shop, second)] == ["failed", "paid"]
    assert number(shop, first) != number(shop, second)
    generations = [queries.allocations(shop.merchant_id, p.id)[0].generation for p in (first, second)]
    assert (generations, order_queries.lot(shop.merchant_id, shop.placed[0]).generation) == ([0, 1], 1)
    assert channel.executions(shop.principal) == 1


def test_money_that_was_never_sent_keeps_its_number(channel, shop):
    """A payout that was called off has no number; the next one of the same money gets the one it would have had."""
    first = shop.ask(100_000)
    actions.cancel(by=shop.owner, merchant_id=shop.merchant_id, id=first.id)
    second = send(shop)
    expected = rules.request_no(shop.merchant_id, shop.store, shop.beneficiary_id, [(shop.placed[0], 100_000, 0)])
    assert (number(shop, first), number(shop, second)) == (None, expected)
    assert order_queries.lot(shop.merchant_id, shop.placed[0]).generation == 0


# Returned ------------------------------------------------------------------------------------------------------------


def test_a_payout_that_comes_back_is_the_stores_again_and_its_account_must_be_verified_anew(channel, shop):
    channel.script(transfers=[{"name": "paid_then_returned", "days": 1}])
    first = send(shop, 400_000)
    assert (state(shop, first), stands(shop)) == ("paid", (200_000, 0, 0))
    channel.move(days=1)
    channel.work()
    assert tasks.ask_about(shop.merchant_id, number(shop, first)) == "returned"
    assert stands(shop) == FAILED
    assert shop.fen("fee:recovered") == 0
    assert Beneficiary.objects.get(merchant_id=shop.merchant_id, id=shop.beneficiary_id).state == "confirmed"
    with pytest.raises(PayoutRefused) as refused:
        shop.ask(400_000)
    assert [reason.code for reason in refused.value.reasons] == ["beneficiary_not_verified"]
    actions.verify(by=OPERATOR, merchant_id=shop.merchant_id, id=shop.beneficiary_id, document="回单")
    channel.move(days=1)
    second = send(shop, 400_000)
    assert (state(shop, second), channel.executions(shop.principal)) == ("paid", 2)
    assert number(shop, first) != number(shop, second)
    assert [queries.allocations(shop.merchant_id, p.id)[0].generation for p in (first, second)] == [0, 1]
    assert channel.balance(shop.principal) == 600_000 - 400_000


def test_a_closed_order_whose_payout_comes_back_is_open_again(channel, shop):
    """O1: an order is closed once all of its money has left."""
    order_id = shop.placed[0]
    earn(channel, shop, 300_000)

    def order_state():
        return order_queries.order(shop.merchant_id, order_id).state

    payout = begun(shop, 600_000)
    assert order_state() == "matured"
    record(shop, payout, Verdict.PAID)
    assert order_state() == "closed"
    record(shop, payout, Verdict.RETURNED)
    assert order_state() == "matured"
    assert order_queries.lot(shop.merchant_id, order_id).left_fen == 600_000


def test_an_order_is_closed_by_the_last_of_the_payouts_that_take_from_it(channel, shop):
    order_id = shop.placed[0]
    earn(channel, shop, 300_000)
    first, second = begun(shop, 500_000), begun(shop, 150_000)
    record(shop, first, Verdict.PAID)
    assert order_queries.order(shop.merchant_id, order_id).state == "matured"
    record(shop, second, Verdict.PAID)
    assert order_queries.order(shop.merchant_id, order_id).state == "closed"


# The same end whatever the order -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("final", "repeated"), [
    (Verdict.PAID, "paid"), (Verdict.DENIED, "failed"), (Verdict.RETURNED, "returned"),
])  # fmt: skip
def test_what_is_final_stays_so_whatever_is_said_later(channel, shop, final, repeated):
    """I-10: only what was paid may still come back."""
    payout = begun(shop)
    assert record(shop, payout, final) == repeated
    before = shop.books()
    for verdict in set(Verdict) - ({Verdict.RETURNED} if final is Verdict.PAID else set()):
        channel.move(hours=1)
        assert record(shop, payout, verdict, dedupe=Dedupe.NONE) == repeated
    assert shop.books() == before
    with pytest.raises(IllegalMove):
        actions.cancel(by=shop.owner, merchant_id=shop.merchant_id, id=payout.id)


def test_the_same_answers_in_any_order_end_in_the_same_state(channel, shop):
    """I-10."""
    ends = set()
    for said in permutations([Verdict.PROCESSING, Verdict.UNKNOWN, Verdict.PAID, Verdict.NOT_FOUND]):
        payout = begun(shop, 10_000)
        for verdict in said:
            end = record(shop, payout, verdict)
        ends.add(end)
    assert ends == {"paid"}
    assert stands(shop) == (600_000 - 24 * 10_000, 0, 0)


@pytest.mark.parametrize(("verdict", "end", "after"), [
    (Verdict.PAID, "paid", PAID), (Verdict.DENIED, "failed", FAILED), (Verdict.RETURNED, "returned", FAILED),
])  # fmt: skip
def test_the_same_answer_told_by_many_at_once_is_booked_once(channel, shop, verdict, end, after):
    payout = begun(shop)
    assert in_threads(lambda _: record(shop, payout, verdict), range(8)) == [end] * 8
    assert stands(shop) == after
    word = {"paid": "payout.paid", "failed": "payout.failed", "returned": "payout.returned"}[end]
    assert Link.objects.filter(merchant_id=shop.merchant_id, verb=word).count() == 1


def test_an_answer_about_a_payout_that_was_never_sent_concludes_nothing(channel, shop):
    payout, before = shop.ask(100_000), shop.books()
    for verdict in Verdict:
        assert record(shop, payout, verdict) == "scheduled"
    assert shop.books() == before
    tasks.work_off("worker")
