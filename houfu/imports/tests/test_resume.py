"""An import that dies on its way goes on where it stopped, and ends where an undisturbed one does."""

import signal
import subprocess
import sys

import pytest

from houfu.imports import actions, queries
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
)
from houfu.kernel import crash
from houfu.ledger import queries as ledger
from houfu.orders.models import Event, Order
from houfu.testing.world import open_shop

pytestmark = pytest.mark.usefixtures("db")

NAMES = [f"N{n:02d}" for n in range(12)]
MARKET = {
    "orders": table(
        ORDERS,
        *(order(name, bought=f"2025-11-0{1 + n % 3} 1{n % 10}:00:00") for n, name in enumerate(NAMES)),
        order("LATE", "canceled", delivered=""), order("EARLY", "canceled", carried="", delivered=""), "bad,line",
    ),
    "items": table(
        ITEMS,
        *(item(name, f"{100 + n}.00", seller=f"S{1 + n % 2}") for n, name in enumerate(NAMES)),
        item("LATE", "5.00"), item("EARLY", "6.00"), item("NOBODYS", "7.00"), item("N00", "400.00", seller="S2", no=2),
    ),
}  # fmt: skip


class Died(BaseException):
    """The process is gone; nothing catches it."""


def portrait(shop, found):
    """Return everything that an import leaves behind, in words that do not depend on the merchant."""
    stores = {id: f"S{n}" for n, id in enumerate(shop.stores, start=1)}
    key = {"merchant_id": shop.merchant_id}
    report, balances = queries.report(shop.owner, found), ledger.balances(shop.merchant_id)
    return {
        "orders": sorted(
            (o.id, stores[o.store_id], o.amount_fen, o.state, o.own_fen, o.open_own_fen, o.refunded_fen, o.buyer)
            for o in Order.objects.filter(**key)
        ),
        "events": sorted((e.order_id, e.verb, e.ref, e.at, e.fen, e.own_fen) for e in Event.objects.filter(**key)),
        "balances": sorted((a.kind, stores.get(a.owner, ""), fen) for a, fen in balances.items()),
        "report": {name: value for name, value in report.items() if name != "import"},
        "remarks": queries.remarks(found),
    }  # fmt: skip


def undisturbed(paths, mapping_text):
    """Take files in without any trouble and return what that leaves behind."""
    shop = open_shop(stores=2, own_limit_fen=60_000)
    return portrait(shop, take_in(shop, paths, mapping_text))


def dying(monkeypatch, name, times):
    """Let whoever comes to a point die there, at every `times`-th coming."""
    come = [0]

    def point(here):
        if here == name:
            come[0] += 1
            if come[0] % times == 0:
                raise Died(here)

    monkeypatch.setattr(crash, "point", point)
    return come


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(actions, "BATCH", 3)


@pytest.mark.parametrize("times", [1, 4])
def test_a_batch_that_dies_before_its_commit_is_done_again_and_once(tmp_path, monkeypatch, small_batches, times):
    paths = put(tmp_path, **MARKET)
    wanted = undisturbed(paths, MARKETPLACE)
    assert {step["outcome"] for step in wanted["report"]["steps"]} == {"done", "declined", "refused"}
    shop = open_shop(stores=2, own_limit_fen=60_000)
    come, deaths = dying(monkeypatch, "import.before_commit", times), 0
    while deaths < 4:
        found = begin(shop, paths)
        left = queries.steps_left(found)
        try:
            work(shop, found)
        except Died:
            deaths += 1
            assert left - queries.steps_left(found) <= 3 * (times - 1)
            continue
        break
    assert deaths > 0
    assert come[0] >= times
    monkeypatch.undo()
    found = take_in(shop, paths)
    assert portrait(shop, found) == wanted
    assert len(queries.imports(shop.owner, shop.merchant_id)) == 1


def test_a_reading_that_dies_is_begun_anew_and_has_touched_no_order(tmp_path, monkeypatch, small_batches):
    paths = put(tmp_path, **MARKET)
    wanted = undisturbed(paths, MARKETPLACE)
    shop = open_shop(stores=2, own_limit_fen=60_000)
    for times in (1, 4, 7):
        dying(monkeypatch, "import.after_read_batch", times)
        with pytest.raises(Died):
            begin(shop, paths)
        found = Import.objects.get(merchant_id=shop.merchant_id)
        assert (found.state, Order.objects.filter(merchant_id=shop.merchant_id).count()) == ("reading", 0)
    monkeypatch.undo()
    assert portrait(shop, take_in(shop, paths)) == wanted


KILLED = """
import os, signal, sys
from houfu.kernel import crash
from houfu.cli.main import main

left = int(sys.argv.pop(1))

def point(name):
    global left
    left -= name == "import.before_commit"
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

crash.point = point
main()
"""


def test_a_process_that_is_killed_outright_leaves_an_import_that_goes_on(tmp_path):
    days = [f"2025-11-0{n}" for n in range(1, 8)]
    rows = [
        event(kind, f"D{n}{day}", f"{day}T{10 + hour}:0{n}:00", store="S1", amount="10")
        for day in days
        for hour, kind in enumerate(("authorised", "shipped", "received"))
        for n in range(3)
    ]
    paths = put(tmp_path, events=table(EVENT, *rows))
    wanted = undisturbed(paths, EVENTS)
    shop = open_shop(stores=2, own_limit_fen=60_000)
    command = ["import", "orders", str(paths[0]), "--merchant", str(shop.merchant_id)]
    killed = subprocess.run([sys.executable, "-c", KILLED, "10", *command], capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    found = Import.objects.get(merchant_id=shop.merchant_id)
    assert (found.state, queries.steps_left(found)) == ("working", len(rows) - 9 * 3)
    on = subprocess.run(
        [sys.executable, "-m", "houfu", *command, "--json"], capture_output=True, text=True, check=False
    )
    assert on.returncode == 0, on.stderr
    assert portrait(shop, found) == wanted
    assert wanted["report"]["state"] == "done"
