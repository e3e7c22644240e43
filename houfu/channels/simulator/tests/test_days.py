"""A day that the simulated channel has called over is over: nothing is booked on it afterwards."""

import asyncio
from datetime import timedelta

from starlette.requests import Request

from houfu.channels.port import Report
from houfu.channels.simulator.server import app, work
from houfu.channels.simulator.tests.conftest import adapter
from houfu.kernel import clock


def test_a_receipt_told_of_late_is_credited_when_it_is_told(channel):
    ours, today = adapter(channel), clock.business_day(clock.now())
    long_ago = clock.now() - timedelta(days=5)
    ours.report("P-LATE", [Report("receipt", "D1", "", 50_000, long_ago)])
    channel.work()
    assert ours.settlement("P-LATE", "D1").at == clock.now()
    for days_ago in range(1, 6):
        assert ours.statement("P-LATE", today - timedelta(days=days_ago)).lines == []
    assert [line.ref for line in ours.statement("P-LATE", today).lines] == ["D1"]
    ours.close()


def test_a_day_is_stated_with_all_that_was_due_on_it(tmp_path):
    hands = clock.FileClock(tmp_path / "clock.json")
    hands.set(clock.shanghai(2025, 11, 10, 10))
    channel = app.Channel(tmp_path, tmp_path / "clients", "", hands.path, seed=0, by_hand=False)
    said = {"kind": "receipt", "order_id": "D1", "ref": "", "amount_fen": 50_000, "at": hands.now().isoformat()}
    assert work.report(channel.store, "P1", said, channel.now())
    hands.set(clock.shanghai(2025, 11, 13, 10))
    asked = Request({"type": "http", "path_params": {"day": "2025-11-11"}, "headers": []})
    status, text, _ = asyncio.run(app.get_statement(channel, asked, "P1", b""))
    channel.store.db.close()
    head, _, *lines = text.decode().splitlines()
    assert (status, head) == (200, "#final,0,49700")
    assert [line.split(",")[1:5] for line in lines] == [["settlement", "D1", "50000", "300"]]
