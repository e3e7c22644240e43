"""Listings as files: what is in them is what the listing shows to whoever asked, page by page."""

from datetime import timedelta

import pytest

from houfu.history import queries as history
from houfu.jobs import actions, exports, kinds, queries, runner
from houfu.jobs.models import Job, Piece
from houfu.jobs.tests.ground import REASON, ask, content, finish, open_shop, records, sell, sheets
from houfu.kernel.clock import SHANGHAI
from houfu.kernel.errors import Forbidden, Invalid
from houfu.ledger.models import Entry
from houfu.orders import queries as orders
from houfu.people.actor import operator
from houfu.risk import actions as risk
from houfu.testing.world import OPERATOR

pytestmark = pytest.mark.usefixtures("db")


def said(shop, by=None, **asked):
    job = finish(ask(shop, by, **asked))
    assert job.state == "done", job.code
    return job, content(job, by or shop.owner)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    monkeypatch.setattr(exports, "PAGE", 3)


def test_orders_are_those_of_the_list_with_amounts_in_yuan_and_fen():
    shop = open_shop()
    shop.place(123_45, 67_800, 1)
    shop.place(99_999_999)  # declined
    job, file = said(shop)
    rows = records(file)
    listed = orders.orders(shop.owner, shop.merchant_id)
    assert [row["id"] for row in rows] == [order.id for order in listed]
    assert {row["amount_yuan"] for row in rows} == {"123.45", "678.00", "0.01", "999999.99"}
    assert [int(row["amount_fen"]) for row in rows] == [order.amount_fen for order in listed]
    at = listed[0].authorised_at.astimezone(SHANGHAI)
    assert rows[0]["authorised_at"] == f"{at:%Y-%m-%d %H:%M:%S}" == "2025-11-10 10:00:00"
    assert [row["reasons"] for row in rows if row["state"] == "declined"] == ["limit_exceeded"]
    assert (job.done, job.total, job.outcome) == (4, 4, {"rows": 4})


def test_a_book_has_the_same_rows_with_chinese_heads():
    shop = sell(4)
    _, file = said(shop, format="xlsx", language="zh-Hans")
    head, *rows = sheets(file)[0]
    assert head[:3] == ["订单号", "店铺编号", "下单时间"]
    assert {"订单金额（元）", "订单金额（分）"} <= set(head)
    assert [row[0] for row in rows] == [order.id for order in orders.orders(shop.owner, shop.merchant_id)]
    assert [row[head.index("订单金额（元）")] for row in rows] == [10] * 4


def test_the_filters_are_those_of_the_list(clock):
    shop = sell(2)
    begun = clock.now()
    clock.move(hours=1)
    later = [decision.id for decision in shop.place(1_000, 1_000)]
    other = shop.place(1_000, store=shop.stores[1])[0].id
    hour = timedelta(hours=1)
    assert {row["id"] for row in records(said(shop, since=(begun + hour).isoformat())[1])} == {*later, other}
    assert len(records(said(shop, until=(begun + hour).isoformat())[1])) == 2
    assert [row["id"] for row in records(said(shop, store_id=shop.stores[1])[1])] == [other]
    assert records(said(shop, state="settled")[1]) == []


@pytest.mark.parametrize(
    "filters", [{"stat": "settled"}, {"since": "2025-11-11T10:00:00"}, {"store_id": "1"}, {"since": "gestern"}]
)
def test_a_filter_that_is_none_is_refused_and_nothing_waits(filters):
    shop = open_shop()
    with pytest.raises(Invalid):
        ask(shop, **filters)
    assert not Job.objects.filter(merchant_id=shop.merchant_id).exists()


def test_a_file_needs_a_listing_that_there_is_and_a_reason():
    shop = open_shop()
    with pytest.raises(exports.UnknownExport):
        ask(shop, what="secrets")
    with pytest.raises(exports.ReasonMissing):
        exports.ask(
            by=shop.owner, merchant_id=shop.merchant_id, what="orders", format="csv", filters={}, reason=" \n"
        )  # fmt: skip
    with pytest.raises(kinds.UnknownKind):
        actions.ask(by=shop.owner, merchant_id=shop.merchant_id, kind="export.secrets", arguments={})
    assert not Job.objects.filter(merchant_id=shop.merchant_id).exists()


def test_payouts_are_exported():
    shop = open_shop()
    shop.earn(500_000)
    shop.payee()
    asked = shop.request(10_000)
    (row,) = records(said(shop, what="payouts")[1])
    assert (row["id"], row["amount_fen"], row["state"]) == (str(asked.id), "10000", asked.state)
    assert int(row["net_fen"]) == asked.amount_fen - asked.fee_fen


def test_entries_are_exported_whole_and_by_account():
    shop = open_shop()
    shop.earn(500_000)
    rows = records(said(shop, what="entries")[1])
    there = Entry.objects.filter(merchant_id=shop.merchant_id)
    assert len(rows) == there.count()
    assert {(row["transfer_id"], row["unit"], int(row["no"]), int(row["amount_fen"])) for row in rows} == {
        (str(entry.transfer_id), entry.unit, entry.no, entry.amount_fen) for entry in there
    }
    matured = records(said(shop, what="entries", kind="claim:matured", owner=shop.store)[1])
    assert matured
    assert all("claim:matured" in (row["debit_kind"], row["credit_kind"]) for row in matured)
    clerk = shop.hire("clerk")
    with pytest.raises(Forbidden):
        ask(shop, clerk, what="entries")


def test_the_history_is_exported_and_what_is_confidential_only_to_who_deals_with_risk():
    shop = open_shop()
    officer = shop.hire("risk_officer")
    shop.place(9_000_000)
    risk.open_case(by=OPERATOR, merchant_id=shop.merchant_id, subject=f"store/{shop.store}", reason_class="disputes")
    verbs = {row["verb"] for row in records(said(shop, what="history")[1])}
    assert "store.opened" in verbs
    assert not {verb for verb in verbs if verb.startswith(history.CONFIDENTIAL)}
    with pytest.raises(Forbidden):
        ask(shop, what="history", confidential=True)
    job, file = said(shop, officer, what="history", confidential=True)
    assert "case.opened" in {row["verb"] for row in records(file)}
    assert job.id not in {seen.id for seen in queries.jobs(shop.owner, shop.merchant_id)}


def test_why_a_file_was_asked_for_and_who_has_had_it_stays_in_the_history():
    shop = sell(1)
    job, _ = said(shop)
    auditor = shop.hire("auditor")
    actions.hand_over(by=auditor, merchant_id=shop.merchant_id, id=job.id)
    links = history.links(shop.merchant_id, subject=f"job/{job.id}")
    assert [(link.verb, link.actor) for link in links] == [
        ("job.handed_over", auditor.label), ("job.done", shop.owner.label), ("job.asked", shop.owner.label),
    ]  # fmt: skip
    assert links[0].detail["reason"] == links[2].detail["reason"] == REASON
    assert links[2].detail["arguments"]["filters"] == {}


def test_a_page_is_all_that_is_held_at_a_time(monkeypatch):
    """Counted, not timed: no step reads more than a page, and no piece of the file is larger than one."""
    shop, held = sell(20), []
    read = orders.orders

    def watched(*args, **how):
        held.append(how["limit"])
        return read(*args, **how)

    monkeypatch.setattr(orders, "orders", watched)
    for format_ in ("csv", "xlsx"):
        held.clear()
        job = ask(shop, format=format_)
        steps = 0
        while runner.take_turn(job.merchant_id, job.id):
            steps += 1
            mark = queries.job(job.merchant_id, job.id).mark
            assert len(mark) < 2000, "what is carried on is a few numbers, however long the file"
        assert held == [exports.PAGE] * 7
        assert steps == 6
        pieces = Piece.objects.filter(job_id=job.id).order_by("no")
        assert [piece.no for piece in pieces] == list(range(7))
        assert max(len(piece.content) for piece in pieces) < 5_000
        reading = queries.pieces(shop.owner, queries.job(job.merchant_id, job.id))
        assert next(reading) == bytes(pieces[0].content)


def test_the_operators_export_is_of_the_merchant_that_is_named():
    shop, other = sell(1), sell(1)
    _, file = said(shop, operator("li"))
    assert [row["id"] for row in records(file)] == [order.id for order in orders.orders(shop.owner, shop.merchant_id)]
    assert other.placed[0] not in file.decode()
