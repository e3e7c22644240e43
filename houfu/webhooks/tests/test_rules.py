"""When a delivery is tried again, when an endpoint rests, and what a message says."""

import json
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from houfu.kernel.clock import shanghai
from houfu.webhooks import rules

NOON = shanghai(2025, 11, 10, 12)
CHANCE = st.floats(0, 1, exclude_max=True)


@settings(max_examples=100, deadline=None)
@given(st.lists(CHANCE, min_size=60, max_size=60), st.integers(0, 5000))
def test_a_delivery_is_tried_for_three_days_and_not_a_moment_longer(dice, latency_ms):
    now, tries, last_pause = NOON, 1, timedelta(0)
    while again := rules.next_try(tries, NOON, now, dice[tries]):
        assert again > now
        pause = again - now
        assert pause >= last_pause * 0.6 or again == NOON + rules.PATIENCE  # pauses grow, give or take their spread
        last_pause = pause
        now, tries = again + timedelta(milliseconds=latency_ms), tries + 1
    assert NOON + rules.PATIENCE <= now <= NOON + rules.PATIENCE + timedelta(milliseconds=latency_ms)
    assert 12 <= tries <= 18


def test_the_first_pauses_are_seconds_the_last_hours():
    firm = [rules.next_try(tries, NOON, NOON, 0.5) - NOON for tries in (1, 2, 3, 11)]
    assert firm == [timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2), timedelta(hours=20)]
    spread = [rules.next_try(3, NOON, NOON, dice) - NOON for dice in (0, 1)]
    assert spread == [timedelta(seconds=96), timedelta(seconds=144)]


@given(CHANCE)
def test_an_endpoint_rests_after_the_third_failure_in_a_row_and_never_much_longer_than_an_hour(dice):
    rests = [rules.rest(failures, NOON, dice) for failures in (0, 1, 2, 3, 4, 12, 10_000)]
    assert rests[:3] == [None, None, None]
    assert timedelta(seconds=8) <= rests[3] - NOON <= timedelta(seconds=12)
    assert rests[3] < rests[4] < rests[5] == rests[6] <= NOON + timedelta(minutes=72)


def test_an_endpoint_is_hopeless_where_nothing_got_through_since():
    assert rules.hopeless(NOON, None)
    assert rules.hopeless(NOON, NOON - timedelta(seconds=1))
    assert not rules.hopeless(NOON, NOON)


def said(**detail):
    at = datetime(2025, 11, 10, 4, 0, 0, 123, tzinfo=UTC)
    text = rules.body(merchant_id=3, seq=17, at=at, verb="payout.paid", subject="payout/x", detail=detail)
    return json.loads(text)


def test_a_message_says_what_happened_when_and_to_which_thing():
    assert said() == {
        "type": "payout.paid",
        "timestamp": "2025-11-10T04:00:00.000123Z",
        "data": {"merchant_id": 3, "seq": 17, "subject": "payout/x"},
    }


def test_of_the_details_only_ids_leave_the_house():
    told = said(
        store_id=7, payout_id="0193", holder="王芳", person="wang", note="双十一", amount_fen=100, tail="0001",
        staff_id=4, request_id=["x"], group_id={"name": "王芳"}, order_id=None,
    )  # fmt: skip
    assert told["data"] == {"merchant_id": 3, "seq": 17, "subject": "payout/x", "store_id": 7, "payout_id": "0193"}


def test_the_same_link_is_the_same_message_and_another_link_another():
    assert rules.message_id(bytes(range(32))) == "msg_000102030405060708090a0b0c0d0e0f"
    assert len({rules.message_id(bytes([n]) * 32) for n in range(256)}) == 256
