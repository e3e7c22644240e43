"""Imports from file to books: what a marketplace's files say, every bad line told, nothing done twice."""

from collections import Counter
from datetime import date

import pytest

from houfu.imports import actions, queries
from houfu.imports.actions import TablesMissing
from houfu.imports.files import FileUnreadable
from houfu.imports.mapping import MappingInvalid
from houfu.imports.models import Import
from houfu.imports.tests.files import (
    EVENT,
    EVENTS,
    ITEMS,
    MARKETPLACE,
    ORDERS,
    begin,
    event,
    item,
    order,
    put,
    table,
    take_in,
    work,
)  # fmt: skip
from houfu.kernel.errors import NotFound
from houfu.orders import queries as orders
from houfu.testing.world import open_shop

pytestmark = pytest.mark.usefixtures("db")

# Two sellers, parts, an order called off early and one late, one whose times contradict each other, one on its way.
A_MARKET = {
    "orders": table(
        ORDERS,
        order("A"), order("B"), order("C"),
        order("EARLY", "canceled", carried="", delivered=""),
        order("LATE", "canceled", delivered=""),
        order("BENT", delivered="2025-11-01 09:00:00"),
        order("GOING", "shipped", delivered=""),
    ),
    "items": table(
        ITEMS,
        item("A", "120.00", "10.00"),
        item("B", "50.00", "5.00"), item("B", "70.00", "7.00", seller="S2", no=2),
        item("C", "1.01"), item("C", "2.02", "0.97", no=2),
        item("EARLY", "30.00"), item("LATE", "40.00"), item("BENT", "80.00"), item("GOING", "90.00"),
    ),
}  # fmt: skip


def states(shop):
    """Return state and amount of every order of a shop."""
    return {each.id: (each.state, each.amount_fen) for each in orders.orders(shop.owner, shop.merchant_id, limit=500)}


def outcomes(shop, found):
    """Return how many steps of an import came to what."""
    report = queries.report(shop.owner, found)
    return {(row["kind"], row["outcome"], row["code"]): row["steps"] for row in report["steps"]}


def remarks(found):
    """Return what an import remarks on, by file, line and code."""
    return [(each["file"], each["line"], each["code"]) for each in queries.remarks(found)]


def test_a_marketplaces_files_become_orders_of_its_sellers(tmp_path):
    shop = open_shop(stores=2)
    found = take_in(shop, put(tmp_path, **A_MARKET))
    assert states(shop) == {
        "A.S1": ("received", 13_000),
        "B.S1": ("received", 5_500),
        "B.S2": ("received", 7_700),
        "C.S1": ("received", 400),
        "EARLY.S1": ("cancelled", 3_000),
        "LATE.S1": ("refunded", 4_000),
        "BENT.S1": ("received", 8_000),
        "GOING.S1": ("shipped", 9_000),
    }
    assert shop.fen("claim:pending") == 13_000 + 5_500 + 400 + 8_000
    assert shop.fen("claim:pending", shop.stores[1]) == 7_700
    assert outcomes(shop, found) == {
        ("authorised", "done", ""): 8,
        ("shipped", "done", ""): 7,
        ("received", "done", ""): 5,
        ("cancelled", "done", ""): 1,
        ("refunded", "done", ""): 1,
    }
    [bent] = queries.remarks(found)
    assert (bent["file"], bent["code"], bent["bad"]) == ("items.csv", "time_moved_up", False)
    steps = {each.verb: each.at for each in orders.events(shop.merchant_id, "BENT.S1")}
    assert steps["received"] == steps["shipped"]
    assert orders.order(shop.merchant_id, "A.S1").buyer == "buyer-A"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_our_own_layout_in_every_encoding(tmp_path, encoding):
    shop = open_shop()
    rows = (
        event("authorised", "D1", "2025-11-01T10:00:00", store="S1", amount="1,280.00", buyer="b-1"),
        event("shipped", "D1", "2025-11-01T15:00:00+08:00", ref="顺丰 SF1"),
        event("received", "D1", "2025-11-03T10:00:00+08:00", evidence="platform", ref="签收"),
        event("refunded", "D1", "2025-11-04T10:00:00+08:00", amount="30", ref="退-1"),
        event("authorised", "D2", "2025-11-01T10:00:00", store="S1", amount="0.01"),
        event("cancelled", "D2", "2025-11-02T10:00:00"),
    )
    take_in(shop, put(tmp_path, encoding, events=table(EVENT, *rows)), EVENTS)
    assert states(shop) == {"D1": ("received", 128_000), "D2": ("cancelled", 1)}
    assert shop.fen("claim:pending") == 125_000
    assert [each.ref for each in orders.events(shop.merchant_id, "D1") if each.verb == "refunded"] == ["退-1"]


def test_objects_line_by_line_in_our_own_layout(tmp_path):
    shop = open_shop()
    text = (
        '{"kind": "authorised", "order_id": "D1", "at": "2025-11-01T10:00:00", "store": "S1", "amount": "12.50"}\n'
        '{"kind": "shipped", "order_id": "D1", "at": "2025-11-02T10:00:00"}\n'
        '{"kind": "authorised", "order_id": "D2", "at": "2025-11-01T10:00:00", "store": "S1", "amount": 12.5}\n'
    )
    found = take_in(shop, put(tmp_path, events=text), EVENTS)
    assert states(shop) == {"D1": ("shipped", 1_250)}
    assert remarks(found) == [("events.csv", 3, "json_broken")]


# Lines that cannot be used -------------------------------------------------------------------------------------------


def test_every_bad_line_of_events_is_told_with_file_line_and_reason(tmp_path):
    shop, at = open_shop(), "2025-11-01T10:00:00"
    good = event("authorised", "D1", at, store="S1", amount="10")
    rows = [
        good,
        "authorised,D2,S1",
        'authorised,D3,S1,"10"0,2025-11-01,,,',
        event("sold", "D4", at, store="S1", amount="10"),
        event("authorised", "订单", at, store="S1", amount="10"),
        event("authorised", "D6", "yesterday", store="S1", amount="10"),
        event("authorised", "D7", at, store="S1", amount="ten"),
        event("authorised", "D8", at, store="S1", amount="0"),
        event("authorised", "D9", at, store="S1", amount="10", buyer="张 三"),
        event("received", "D1", at, evidence="hearsay"),
        event("refunded", "D1", at, ref="R1"),
        event("authorised", "D12\x00", at, store="S1", amount="10"),
    ]
    found = take_in(shop, put(tmp_path, events=table(EVENT, *rows)), EVENTS)
    codes = [
        "column_count", "csv_broken", "kind_unknown", "id_unusable", "time_unreadable", "amount_unreadable",
        "amount_unreadable", "buyer_unusable", "evidence_unknown", "amount_unreadable", "text_unreadable",
    ]  # fmt: skip
    assert remarks(found) == [("events.csv", line, code) for line, code in enumerate(codes, start=3)]
    assert states(shop) == {"D1": ("authorised", 1_000)}
    assert queries.report(shop.owner, found)["bad_lines"] == len(codes)


def test_every_bad_line_of_a_marketplace_is_told_with_file_line_and_reason(tmp_path):
    shop = open_shop()
    orders_file = table(
        ORDERS, order("A"), order("WHEN", bought="soon"), order("NEVER", bought=""), order("BARE"), "CUT,b,c",
        order("TWICE"), order("A\nB"), order("MUCH"), order("B" * 201),
    )  # fmt: skip
    items_file = table(
        ITEMS, item("A", "10.00"), item("NOBODYS", "10.00"), item("WHEN", "10.00"), item("NEVER", "10.00"),
        item("TWICE", "10.00"), item("TWICE", "ten", no=2), item("NO WAY", "10.00"), item("A", "10.00", seller="?"),
        item("MUCH", "60000000000.00"), item("MUCH", "60000000000.00", no=2),
    )  # fmt: skip
    found = take_in(shop, put(tmp_path, orders=orders_file, items=items_file))
    assert remarks(found) == [
        ("orders.csv", 5, "row_without_parts"),
        ("orders.csv", 6, "column_count"),
        ("orders.csv", 8, "id_unusable"),
        ("orders.csv", 12, "id_unusable"),
        ("items.csv", 3, "row_without_its_order"),
        ("items.csv", 4, "time_unreadable"),
        ("items.csv", 5, "no_authorisation"),
        ("items.csv", 6, "amount_unreadable"),
        ("items.csv", 8, "id_unusable"),
        ("items.csv", 9, "id_unusable"),
        ("items.csv", 10, "amount_unreadable"),
    ]
    assert states(shop) == {"A.S1": ("received", 1_000)}


@pytest.mark.parametrize(("texts", "refusal"), [
    ({"orders": A_MARKET["orders"]}, TablesMissing),
    ({"items": A_MARKET["items"]}, TablesMissing),
    ({"orders": A_MARKET["orders"], "more": "colour,size\nred,1\n"}, FileUnreadable),
    ({"orders": A_MARKET["orders"], "items": ",".join(ITEMS) + "\n"}, FileUnreadable),
    ({"orders": ""}, FileUnreadable),
])  # fmt: skip
def test_files_that_do_not_belong_together_are_refused_and_touch_no_order(tmp_path, texts, refusal):
    shop, paths = open_shop(), put(tmp_path, **texts)
    with pytest.raises(refusal):
        begin(shop, paths)
    assert states(shop) == {}
    assert [each.state for each in queries.imports(shop.owner, shop.merchant_id)] == ["reading"]


def test_what_is_no_mapping_is_refused_before_a_file_is_read(tmp_path):
    shop = open_shop()
    with pytest.raises(MappingInvalid):
        begin(shop, put(tmp_path, **A_MARKET), "title = 7")
    assert queries.imports(shop.owner, shop.merchant_id) == []


# Declined, refused ---------------------------------------------------------------------------------------------------


def test_every_order_is_accounted_for_the_declined_and_the_refused_too(tmp_path):
    shop = open_shop(own_limit_fen=20_000)
    texts = {
        "orders": table(ORDERS, *(order(name, bought=f"2025-11-01 1{n}:00:00") for n, name in enumerate("ABCDE"))),
        "items": table(
            ITEMS, item("A", "150.00"), item("B", "100.00"), item("C", "50.00"), item("D", "5.00", seller="S9"),
            item("E", "0.10"),
        ),
    }  # fmt: skip
    found = take_in(shop, put(tmp_path, **texts))
    assert states(shop) == {"A.S1": ("received", 15_000), "B.S1": ("declined", 10_000), "C.S1": ("received", 5_000),
                            "E.S1": ("declined", 10)}  # fmt: skip
    assert outcomes(shop, found) == {
        ("authorised", "done", ""): 2,
        ("authorised", "declined", "limit_exceeded"): 1,
        ("authorised", "declined", "tolerance_note_missing"): 1,
        ("authorised", "refused", "store_unknown"): 1,
        ("shipped", "done", ""): 2,
        ("shipped", "refused", "illegal_move"): 2,
        ("shipped", "refused", "order_unknown"): 1,
        ("received", "done", ""): 2,
        ("received", "refused", "illegal_move"): 2,
        ("received", "refused", "order_unknown"): 1,
    }
    amounts = Counter()
    for row in queries.report(shop.owner, found)["steps"]:
        if row["kind"] == "authorised":
            amounts[row["outcome"]] += row["fen"]
    assert amounts == {"done": 20_000, "declined": 10_010, "refused": 500}
    assert queries.stores_named(found) == ["S1", "S9"]


def test_an_order_that_says_something_else_the_second_time_is_refused(tmp_path):
    shop, at = open_shop(), "2025-11-01T10:00:00"
    rows = [event("authorised", "D1", at, store="S1", amount=amount) for amount in ("10", "10", "11")]
    found = take_in(shop, put(tmp_path, events=table(EVENT, *rows)), EVENTS)
    assert outcomes(shop, found) == {
        ("authorised", "done", ""): 1, ("authorised", "same", ""): 1, ("authorised", "refused", "order_id_reused"): 1,
    }  # fmt: skip
    assert states(shop) == {"D1": ("authorised", 1_000)}


# Once, and day by day ------------------------------------------------------------------------------------------------


def test_the_same_files_again_change_nothing(tmp_path):
    shop = open_shop(stores=2)
    paths = put(tmp_path, **A_MARKET)
    found = take_in(shop, paths)
    before = states(shop), shop.books(), outcomes(shop, found), remarks(found)
    again = take_in(shop, paths)
    assert (again.id, again.state) == (found.id, "done")
    assert (states(shop), shop.books(), outcomes(shop, found), remarks(found)) == before
    assert [each.id for each in queries.imports(shop.owner, shop.merchant_id)] == [found.id]


def test_the_same_rows_in_other_files_are_another_import_that_finds_all_done(tmp_path):
    shop = open_shop(stores=2)
    take_in(shop, put(tmp_path, **A_MARKET))
    before = states(shop), shop.books()
    later = {name: text + "\n" for name, text in A_MARKET.items()}
    found = take_in(shop, put(tmp_path, **later))
    assert (states(shop), shop.books()) == before
    assert {outcome for _, outcome, _ in outcomes(shop, found)} == {"same"}


def test_the_same_files_of_two_merchants_are_two_imports(tmp_path):
    first, second = open_shop(stores=2), open_shop(stores=2)
    paths = put(tmp_path, **A_MARKET)
    take_in(first, paths)
    found = take_in(second, paths)
    assert states(first) == states(second)
    with pytest.raises(NotFound):
        queries.access_import(first.owner, second.merchant_id, found.id)
    with pytest.raises(NotFound):
        queries.access_import(first.owner, first.merchant_id, found.id)
    with pytest.raises(NotFound):
        actions.begin(
            by=first.owner, merchant_id=second.merchant_id, paths=paths, mapping_text=MARKETPLACE, progress=print
        )


def test_steps_are_done_day_by_day_as_far_as_they_are_due(tmp_path):
    shop = open_shop(stores=2)
    found = begin(shop, put(tmp_path, **A_MARKET))
    assert queries.days(found) == (date(2025, 11, 1), date(2025, 11, 5))
    assert queries.last_day(found) == date(2025, 11, 5)  # 16:30 in São Paulo is after midnight in Shanghai
    assert queries.steps_left(found) == 22
    while actions.work(by=shop.owner, found=found, until=date(2025, 11, 1)):
        pass
    assert {state for state, _ in states(shop).values()} == {"authorised", "cancelled"}
    assert Import.objects.get(merchant_id=shop.merchant_id, id=found.id).state == "working"
    work(shop, found)
    assert queries.steps_left(found) == 0
    assert queries.days(found) is None
    assert Import.objects.get(merchant_id=shop.merchant_id, id=found.id).state == "done"


def test_reading_tells_how_far_it_is(tmp_path):
    shop, told = open_shop(stores=2), []
    paths = put(tmp_path, **A_MARKET)
    actions.begin(
        by=shop.owner, merchant_id=shop.merchant_id, paths=paths, mapping_text=MARKETPLACE,
        progress=lambda *said: told.append(said),
    )  # fmt: skip
    for path in paths:
        size = path.stat().st_size
        assert [said for said in told if said[0] == path.name][-1] == (path.name, size, size)
