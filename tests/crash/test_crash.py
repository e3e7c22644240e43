"""A worker dies at every point of a payout's way, the channel behaves in every way: it executes at most once.

What was executed is counted in the channel's own store. Three recoveries are tried: the same worker comes back,
another takes over, or the first was only held up and wakes when the other has gone on. `make test` tries every point
under every behaviour with one recovery each, in turn; `make crash` tries all three.
"""

import os
import threading
from datetime import timedelta
from itertools import product

import pytest
from django.db import connections

from houfu.channels import actions as channels
from houfu.channels.simulator.server.behaviours import DONE
from houfu.kernel import clock, crash, db, isolation
from houfu.ledger import queries as ledger
from houfu.merchants import queries as merchants
from houfu.payouts import queries as payouts
from houfu.payouts import tasks
from houfu.payouts.states import FINAL
from houfu.site import worker
from houfu.testing.plugin import own_database
from houfu.testing.world import WORKER, open_shop
from houfu.verify import queries as verify

POINTS = (
    "send.before_begin", "begin.before_commit", "send.after_begin", "wire.answer_begins", "send.after_answer",
    "record.before", "record.before_commit", "send.after_record", "ask.before_query", "ask.after_query",
    "ask.before_repeat", "ask.after_repeat", "notice.before", "notice.after", "statement.before_commit",
    "statement.after_batch",
)  # fmt: skip
RECOVERIES = ("returns", "taken_over", "wakes_up")
DEDUPES = ("strict", "racy", "none")
ALL = list(product(POINTS, sorted(DONE), RECOVERIES))
CASES = ALL if os.environ.get("HOUFU_CRASH_ALL") else [ALL[n * 3 + (n + n // 24) % 3] for n in range(len(ALL) // 3)]
PAUSES = (11, 31, 61, 61, 121, 301, 601, 601, 3700)
ALWAYS_MET = ("send.", "begin.", "record.", "notice.", "statement.")  # on the way of every payout


class Died(BaseException):
    """The process is gone; nothing catches it."""


@pytest.fixture(scope="module")
def books():
    with own_database():
        yield


class Life:
    """One payout and whoever works on it."""

    def __init__(self, channel, behaviour, dedupe):
        self.channel = channel
        channel.script(transfers=[{"name": behaviour, "seconds": 120, "notice": "never"}], dedupe=dedupe)
        channel.connect(dedupe, timeout=0.15)
        self.shop = open_shop()
        channel.top_up(self.shop.principal, 60_000)
        self.shop.earn(60_000)
        self.payout = self.shop.ask(30_000)

    def state(self):
        return payouts.access_payout(WORKER, "payouts:read", self.shop.merchant_id, self.payout.id).state

    def work(self, name):
        """Do what a worker does for this payout: its notices, its statement, sending and asking."""
        sent = payouts.attempt(self.shop.merchant_id, self.payout.id)
        if sent and not self.noticed:
            account = merchants.channel_account(self.shop.merchant_id, self.shop.account_id)
            channels._keep_notice(account=account, id=f"N-{sent.request_no}", kind="transfer", ref=sent.request_no)
            self.noticed = True
        for chore in (worker.follow_notices, worker.take_statements, lambda: tasks.work_off(name)):
            chore()

    noticed = False

    def go_on(self, name):
        """Let time pass and the channel work, as long as it takes to conclude a payout without its statement."""
        for pause in PAUSES:
            self.work(name)
            self.channel.move(seconds=pause)
            self.channel.work()

    def end_the_day(self):
        """Let the days of all that has happened be over, so that their statements can be had."""
        self.channel.move(days=2)
        self.channel.work()

    def finish(self, name):
        """Go on until the payout has an end and the statements are in, that of a late return too."""
        self.go_on(name)
        for _ in range(2):
            self.end_the_day()
            self.work(name)


def dying_at(monkeypatch, name):
    """Let the first who comes to a point die there."""
    left = [name]

    def point(here):
        if here in left:
            left.remove(here)
            raise Died(here)

    monkeypatch.setattr(crash, "point", point)
    return left


@pytest.mark.parametrize(("point", "behaviour", "recovery"), CASES)
def test_the_channel_executes_at_most_once(books, channel, monkeypatch, point, behaviour, recovery):
    dedupe = DEDUPES[CASES.index((point, behaviour, recovery)) % 3]
    life = Life(channel, behaviour, dedupe)
    if point.startswith("statement."):
        life.go_on("first")
        life.end_the_day()
    met = (_held_up if recovery == "wakes_up" else _dies)(life, monkeypatch, point)
    nothing_to_state = point.startswith("statement.") and not channel.executions(life.shop.principal)
    assert met or nothing_to_state or not point.startswith(ALWAYS_MET)
    life.finish("first" if recovery == "returns" else "second")
    _judge(life)


def _dies(life, monkeypatch, point):
    """Let the first worker die at a point, and say whether it came there."""
    left = dying_at(monkeypatch, point)
    for _ in range(3):
        try:
            life.work("first")
            life.channel.move(seconds=61)
        except Died:
            connections.close_all()
            break
    return not left


def _held_up(life, monkeypatch, point):
    """Hold the first worker up at a point, let another go on, then let the first wake and do the rest of its work.

    Says whether it came to the point.
    """
    arrived, wake = threading.Event(), threading.Event()
    first = threading.local()
    left = [point]

    def stop_there(here):
        if getattr(first, "here", False) and here in left:
            left.remove(here)
            arrived.set()
            wake.wait(20)

    monkeypatch.setattr(crash, "point", stop_there)

    def work():
        first.here = True
        isolation.enter(WORKER)
        try:
            life.work("first")
            life.work("first")
        finally:
            arrived.set()
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    arrived.wait(20)
    db.rows("SET lock_timeout = '20ms'")
    life.channel.move(seconds=61)
    life.work("second")
    wake.set()
    thread.join(20)
    assert not thread.is_alive()
    db.rows("SET lock_timeout = '2s'")
    return not left


def _judge(life):
    """Whatever happened: at most once, an end that agrees with the channel, nothing between the books."""
    shop, executed, state = life.shop, life.channel.executions(life.shop.principal), life.state()
    assert executed <= 1
    assert state in FINAL, state
    assert (executed == 1) == (state in ("paid", "returned"))
    balances = {account.kind: fen for account, fen in ledger.balances(shop.merchant_id).items()}
    assert balances.get("cash:transit", 0) == 0
    assert balances.get("claim:reserved", 0) == 0
    assert balances["claim:matured"] == (30_000 if state == "paid" else 60_000)
    assert life.channel.balance(shop.principal) == balances["cash:channel"]


def test_the_points_are_those_of_the_code(books):
    """A point that the code does not pass any more would be tried in vain."""
    from pathlib import Path

    import houfu

    text = "\n".join(path.read_text() for path in Path(houfu.__file__).parent.rglob("*.py"))
    assert len(POINTS) >= 14
    for name in POINTS:
        assert f'crash.point("{name}")' in text, name


def test_the_hook_does_nothing_in_the_product(books):
    assert crash.point("send.after_begin") is None
    assert "HOUFU" not in " ".join(crash.point.__code__.co_names)


def test_after_all_of_it_the_books_hold(books):
    report = verify.run()
    assert report.findings == []
    assert clock.now() - timedelta(days=400) < clock.now()
