"""Limits as they move: what is published at a commit, who hears it, and what is told after a lost connection (G7)."""

import asyncio
import json
import os
from uuid import uuid4

import psycopg
import pytest
from django.db import connection

from houfu.kernel import clock, db
from houfu.kernel.errors import NotFound, Refused
from houfu.ledger import actions as ledger
from houfu.ledger.actions import Account, Line
from houfu.limits import actions as limits
from houfu.limits import queries
from houfu.limits.live import CHANNEL, Live, Reader
from houfu.testing.world import OPERATOR, open_shop, pool

pytestmark = pytest.mark.usefixtures("db")
GRANT = Account("q:grant:operator", 0)


def own(store):
    return Account("q:own:free", store)


class Ear:
    """Somebody who listens while the block runs, and what was said to it."""

    def __enter__(self):
        self.wire = psycopg.connect(db.conninfo(), autocommit=True)
        self.wire.execute(f"LISTEN {CHANNEL}")
        return self

    def __exit__(self, *_):
        self.wire.close()

    def heard(self):
        """Return the notices of everything that was committed before."""
        self.wire.execute("SELECT pg_notify(%s, 'the end')", [CHANNEL])
        notices = []
        for notice in self.wire.notifies(timeout=10):
            if notice.payload == "the end":
                return notices
            notices.append(notice.payload)
        raise AssertionError("not even the end was heard")


def of(merchant_id, notices):
    return {(kind, owner): fen for n in notices for m, kind, owner, fen in json.loads(n) if m == merchant_id}


def test_the_new_balances_of_quota_are_published_once_a_call_and_money_is_not():
    shop = open_shop(own_limit_fen=100_000)
    with Ear() as ear:
        shop.place(30_000, 20_000)
        told = [notice for notice in ear.heard() if of(shop.merchant_id, [notice])]
        assert len(told) == 1
        assert of(shop.merchant_id, told) == {("q:own:free", shop.store): 50_000, ("q:own:held", shop.store): 50_000}
        shop.receive()
        told = of(shop.merchant_id, ear.heard())
        assert told == {("q:own:held", shop.store): 0, ("q:own:drawn", shop.store): 50_000}
    assert shop.fen("ar:buyer") == 50_000


def test_a_refusal_publishes_nothing():
    shop = open_shop(own_limit_fen=100)
    with Ear() as ear:
        shop.place(101)
        with pytest.raises(Refused):
            limits.reduce(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store, amount_fen=101, reason="x")
        assert of(shop.merchant_id, ear.heard()) == {}


@db.action
def post(merchant_id, lines):
    ledger.post(merchant_id, uuid4(), "test.moved", clock.now(), lines)


def test_many_accounts_are_published_in_notices_that_postgresql_takes(fresh_db):
    shop = open_shop(own_limit_fen=0)
    longest, most = 2**62, 10**13
    with Ear() as ear:
        post(shop.merchant_id, [Line(Account("q:tolerance:drawn", longest + n), GRANT, most) for n in range(300)])
        notices = ear.heard()
    assert max(len(notice) for notice in notices) < 7_900
    assert len(of(shop.merchant_id, notices)) == 301


def listening(steps):
    """Run the steps of a test with somebody who listens, within ten seconds."""

    async def run():
        live = Live(db.conninfo)
        task = asyncio.create_task(live.listen())
        async with asyncio.timeout(10):
            await live.listening.wait()
            try:
                await steps(live)
            finally:
                task.cancel()

    asyncio.run(run())


async def until(news, kind):
    """Return the next news of a kind."""
    async for each in news:
        if each.kind == kind:
            return each
    raise AssertionError("the news ended")


def test_a_reader_hears_of_its_own_merchant_alone():
    ours, theirs = open_shop(own_limit_fen=100_000), open_shop(own_limit_fen=100_000)

    async def steps(live):
        with live.reader(ours.merchant_id) as reader:
            news = reader.news()
            assert (await until(news, "snapshot")).changed == {}
            await asyncio.to_thread(lambda: (theirs.place(1_000), ours.place(2_000), connection.close()))
            told = await until(news, "limit")
            assert told.changed == {own(ours.store): 98_000, Account("q:own:held", ours.store): 2_000}

    listening(steps)


def test_of_an_account_that_moves_often_the_latest_balance_is_told():
    async def steps():
        reader = Reader(1, gather=0)
        news = reader.news()
        await until(news, "snapshot")
        for fen in range(1_000):
            reader.tell(own(1), fen)
        assert (await until(news, "limit")).changed == {own(1): 999}
        reader.close()
        assert [each async for each in news] == []

    asyncio.run(steps())


def test_silence_is_broken_by_a_heartbeat():
    async def steps():
        news = Reader(1, gather=0, heartbeat=0.001).news()
        await until(news, "snapshot")
        assert (await until(news, "nothing")).changed == {}

    asyncio.run(steps())


def test_after_a_lost_connection_everything_is_looked_at_anew(monkeypatch):
    monkeypatch.setattr("houfu.limits.live.AGAIN", 0)
    shop = open_shop(own_limit_fen=100_000)

    async def steps(live):
        with live.reader(shop.merchant_id) as reader:
            news = reader.news()
            await until(news, "snapshot")
            await asyncio.to_thread(cut_off)
            assert (await until(news, "snapshot")).kind == "snapshot"
            await asyncio.to_thread(lambda: (shop.place(2_000), connection.close()))
            assert own(shop.store) in (await until(news, "limit")).changed

    listening(steps)


def cut_off():
    """End the connection on which somebody listens in this database."""
    listeners = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND query LIKE 'LISTEN%%'"
    with psycopg.connect(os.environ["HOUFU_TEST_ADMIN"]) as admin:
        assert admin.execute(listeners, [connection.settings_dict["NAME"]]).rowcount == 1


def test_a_snapshot_has_the_figures_of_every_store_and_pool():
    shop = open_shop(stores=2, own_limit_fen=100_000)
    pool_id = pool(shop, grant_fen=50_000, contribution_fen=10_000)
    shop.place(120_000)
    found = queries.snapshot(shop.owner, shop.merchant_id)
    assert found.stores == [queries.figures(shop.owner, shop.merchant_id, store) for store in shop.stores]
    assert found.stores[0].pool_used_fen == 30_000
    assert found.pools == [queries.PoolFigures(pool_id, "active", 70_000, 40_000, 70_000, 40_000)]
    with pytest.raises(NotFound):
        queries.snapshot(open_shop().owner, shop.merchant_id)
    assert queries.snapshot(OPERATOR, shop.merchant_id) == found
