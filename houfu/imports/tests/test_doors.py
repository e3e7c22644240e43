"""Imports at their doors: read and shown first, done by a job that can be called off and asked for again."""

from base64 import b64encode

import pytest

from houfu.imports import queries, work
from houfu.imports.files import FileUnreadable
from houfu.imports.mapping import MappingInvalid
from houfu.imports.models import Import
from houfu.imports.tests.files import EVENT, EVENTS, event, table
from houfu.insight.tests.test_doors import call  # noqa: F401  a fixture
from houfu.jobs import actions as jobs
from houfu.jobs import runner
from houfu.merchants import queries as merchants
from houfu.orders.models import Order
from houfu.people.actor import WholeMerchantNeeded
from houfu.testing.world import open_shop

pytestmark = pytest.mark.usefixtures("db")
DAYS = [f"2025-11-0{n}T10:00:00+08:00" for n in range(1, 8)]


def events(*rows) -> bytes:
    return table(EVENT, *rows).encode("gb18030")


@pytest.fixture
def shop():
    return open_shop(own_limit_fen=100_000_00)


def a_day(shop, *more):
    """Three orders of a day, one of a store that is not there."""
    code = merchants.store(shop.merchant_id, shop.store).code
    return events(
        event("authorised", "D1", DAYS[0], store=code, amount="280.00"),
        event("shipped", "D1", DAYS[1], ref="SF1"),
        event("authorised", "D2", DAYS[0], store=code, amount="20.00"),
        event("authorised", "D3", DAYS[0], store="上海", amount="20.00"),
        *more,
    )


def take(shop, content, name="十一月.csv"):
    uploads = [work.Upload(name, content)]
    return work.take(by=shop.owner, merchant_id=shop.merchant_id, uploads=uploads, mapping_text=EVENTS)


def outcomes(shop, found):
    rows = queries.report(shop.owner, found)["steps"]
    return {(row["kind"], row["outcome"], row["code"]): row["steps"] for row in rows}


def test_nothing_is_done_before_somebody_says_so(shop):
    found = take(shop, a_day(shop, "kaputt"))
    assert (found.state, found.files) == ("working", ["十一月.csv"])
    assert outcomes(shop, found) == {("authorised", "waits", ""): 3, ("shipped", "waits", ""): 1}
    assert queries.stores_unknown(found) == ["上海"]
    assert queries.report(shop.owner, found)["bad_lines"] == 1
    assert not Order.objects.filter(merchant_id=shop.merchant_id).exists()


def test_a_job_does_what_files_say_and_the_same_files_again_are_the_same_import(shop):
    content = a_day(shop)
    found = take(shop, content)
    asked = work.ask(by=shop.owner, merchant_id=shop.merchant_id, import_id=found.id)
    assert work.ask(by=shop.owner, merchant_id=shop.merchant_id, import_id=found.id).id == asked.id
    ended = runner.finish(shop.merchant_id, asked.id)
    assert (ended.state, ended.done, ended.outcome) == ("done", 4, {"import": found.id, "steps": 4})
    assert outcomes(shop, found) == {
        ("authorised", "done", ""): 2,
        ("authorised", "refused", "store_unknown"): 1,
        ("shipped", "done", ""): 1,
    }
    again = take(shop, content)
    assert (again.id, again.state) == (found.id, "done")
    with pytest.raises(work.NothingLeft):
        work.ask(by=shop.owner, merchant_id=shop.merchant_id, import_id=found.id)


def test_a_job_that_was_called_off_keeps_what_it_did_and_the_next_one_goes_on(shop, monkeypatch):
    monkeypatch.setattr("houfu.imports.actions.BATCH", 2)
    found = take(shop, a_day(shop))
    asked = work.ask(by=shop.owner, merchant_id=shop.merchant_id, import_id=found.id)
    assert runner.take_turn(shop.merchant_id, asked.id)
    jobs.cancel(by=shop.owner, merchant_id=shop.merchant_id, id=asked.id)
    assert queries.steps_left(found) == 2
    second = work.ask(by=shop.owner, merchant_id=shop.merchant_id, import_id=found.id)
    assert second.id != asked.id
    assert runner.finish(shop.merchant_id, second.id).outcome == {"import": found.id, "steps": 2}
    assert Import.objects.get(merchant_id=shop.merchant_id, id=found.id).state == "done"


@pytest.mark.parametrize("name", ["", "..", "a/b.csv", "a\\b.csv", "店" * 67, "a\n.csv", "\ud800.csv"])
def test_a_name_that_leads_elsewhere_is_refused(shop, name):
    with pytest.raises(FileUnreadable):
        take(shop, a_day(shop), name)
    assert not Import.objects.filter(merchant_id=shop.merchant_id).exists()


def test_two_files_may_have_one_name(shop):
    code = merchants.store(shop.merchant_id, shop.store).code
    files = [events(event("authorised", f"D{n}", DAYS[0], store=code, amount="1.00")) for n in range(2)]
    uploads = [work.Upload("orders.csv", each) for each in files]
    found = work.take(by=shop.owner, merchant_id=shop.merchant_id, uploads=uploads, mapping_text=EVENTS)
    assert (found.files, queries.steps_left(found)) == (["orders.csv"] * 2, 2)


def test_a_mapping_is_shipped_or_ones_own():
    assert work.mapping_text("events", " ") == EVENTS
    assert work.mapping_text("events", "title = 1") == "title = 1"
    for name in ("", "../events", "unknown"):
        with pytest.raises(MappingInvalid):
            work.mapping_text(name, "")


def test_who_is_bound_to_a_store_takes_no_files_in(shop):
    bound = shop.owner.__class__("staff/9", "x", shop.merchant_id, shop.owner.scopes, stores=frozenset({shop.store}))
    with pytest.raises(WholeMerchantNeeded):
        work.take(by=bound, merchant_id=shop.merchant_id, uploads=[work.Upload("a.csv", b"x")], mapping_text=EVENTS)
    assert not Import.objects.filter(merchant_id=shop.merchant_id).exists()


def test_files_are_taken_in_over_http(shop, call):  # noqa: F811
    body = {"files": [{"name": "a.csv", "content": b64encode(a_day(shop, "kaputt")).decode()}]}
    status, found = call(shop.owner, "POST", "/imports", body)
    assert (status, found["state"], found["files"]) == (201, "working", ["a.csv"])
    address = f"/imports/{found['id']}"
    status, report = call(shop.owner, "GET", address)
    assert (status, report["stores_unknown"], report["bad_lines"], report["job"]) == (200, ["上海"], 1, None)
    status, job = call(shop.owner, "POST", f"{address}:start", {})
    assert (status, job["kind"], job["state"]) == (201, "import.orders", "waiting")
    assert call(shop.owner, "GET", address)[1]["job"]["id"] == job["id"]
    status, remarks = call(shop.owner, "GET", f"{address}/remarks")
    assert [(each["line"], each["code"]) for each in remarks] == [(6, "column_count")]
    assert [each["id"] for each in call(shop.owner, "GET", "/imports")[1]] == [found["id"]]
    for wrong in ({"files": []}, {"files": [{"name": "a.csv", "content": "%"}]}, {**body, "mapping": "nothing"}):
        assert call(shop.owner, "POST", "/imports", wrong)[0] == 422
