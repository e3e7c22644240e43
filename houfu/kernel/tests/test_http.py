"""Pages and their cursors: a listing continues where it stopped, and takes no cursor that it did not give out."""

import base64

import pytest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st
from ninja import Router

from houfu.kernel.errors import Invalid
from houfu.kernel.http import PROBLEMS, BadCursor, after, page, refuse_nul


def listing(name, rows, limit):
    """Read a listing page by page to its end."""
    read, cursor = [], None
    while True:
        place = after(cursor, name)
        left = [row for row in rows if place is None or row > int(place[0])]
        answer = page(left[: limit + 1], limit, name, lambda row: [row])
        read.append(answer["items"])
        cursor = answer["next_cursor"]
        if cursor is None:
            return read


def cursor_of(name, *place):
    return page([place, ()], 1, name, lambda row: row)["next_cursor"]


@given(st.sets(st.integers(0, 10**6), max_size=30), st.integers(1, 12))
def test_page_by_page_every_row_is_read_once_and_in_order(numbers, limit):
    rows = sorted(numbers)
    pages = listing("numbers", rows, limit)
    assert [row for items in pages for row in items] == rows
    assert all(len(items) == limit for items in pages[:-1])
    assert len(pages) == max(1, -(-len(rows) // limit))


def test_a_cursor_names_the_place_it_was_given_out_for():
    assert after(cursor_of("payouts", "2025-11-10T02:00:00+00:00", 7), "payouts") == ["2025-11-10T02:00:00+00:00", "7"]
    assert after(cursor_of("payouts", "店,\n"), "payouts") == ["店,\n"]


@pytest.mark.parametrize("nothing", [None, ""])
def test_without_a_cursor_a_listing_begins_at_its_beginning(nothing):
    assert after(nothing, "payouts") is None


def test_a_cursor_opens_no_other_listing():
    cursor = cursor_of("payouts", 7)
    for other in ("orders", "payout", "payouts ", "payouts\n", ""):
        with pytest.raises(BadCursor):
            after(cursor, other)


def test_a_listings_name_and_its_place_cannot_flow_into_each_other():
    with pytest.raises(BadCursor):
        after(cursor_of("a", 7), 'a\n["7"]')


@given(st.data())
def test_a_cursor_with_one_bit_altered_is_refused(data):
    raw = bytearray(base64.urlsafe_b64decode(cursor_of("payouts", 7)))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(BadCursor):
        after(base64.urlsafe_b64encode(bytes(raw)).decode(), "payouts")


@given(st.text(min_size=1))
def test_whatever_else_is_sent_as_a_cursor_is_refused(text):
    with pytest.raises(BadCursor):
        after(text, "payouts")


@pytest.mark.parametrize("length", [1, 11, 16, 17, 20])
def test_a_cursor_that_was_cut_short_is_refused(length):
    with pytest.raises(BadCursor):
        after(cursor_of("payouts", 7)[:length], "payouts")


@pytest.mark.parametrize("asked", ["?id=%00", "?%00=1", "?a=1&a=%00"])
def test_no_text_goes_to_the_database_that_it_could_not_hold(asked):
    request = RequestFactory().get(f"/v1/orders{asked}")
    with pytest.raises(Invalid):
        refuse_nul(request, {})
    with pytest.raises(Invalid):
        refuse_nul(RequestFactory().get("/v1/orders"), {"id": "a\x00"})
    refuse_nul(RequestFactory().get("/v1/orders?id=店"), {"id": "a", "store_id": 1})


def test_what_is_answered_alike_has_one_model():
    """Thousands of models alike would be half of what a start takes."""
    routers = [Router(), Router()]
    for router in routers:
        router.get("/thing", response={200: str, **PROBLEMS})(lambda request: "")
    one, other = (router.path_operations["/thing"].operations[0].response_models for router in routers)
    assert (one[400], one[404]) == (other[400], other[503])
    assert one[200] is not one[400]
