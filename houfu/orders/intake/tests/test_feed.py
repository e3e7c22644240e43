"""GET /v1/limits/stream as a client meets it."""

import asyncio
import json
from contextlib import contextmanager

import httpx2
import pytest

from houfu.kernel import db
from houfu.limits import queries
from houfu.limits.live import Live
from houfu.orders.intake import feed
from houfu.orders.intake.keys import Keys
from houfu.orders.intake.tests.house import SOON, Caller
from houfu.orders.intake.threads import Threads
from houfu.people import actions as people
from houfu.people.actor import KEY_SCOPES
from houfu.testing.world import open_shop, pool

pytestmark = pytest.mark.usefixtures("clock")


@contextmanager
def stream(caller):
    """Read events, as (name, data) and comments as (None, text)."""
    with caller.http() as http, http.stream("GET", "/v1/limits/stream") as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"] == "text/event-stream"
        yield events(answer.iter_lines())


def events(lines):
    name = None
    for line in lines:
        if line.startswith(":"):
            yield None, line
        elif line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def balances(told):
    assert told[0] == "limit"
    return {(each["account"], each["owner"]): each["balance_fen"] for each in told[1]["changed"]}


def test_what_stands_comes_first_then_what_changes_and_nothing_of_another_merchant(door):
    ours, theirs = open_shop(stores=2, own_limit_fen=100_000), open_shop(own_limit_fen=100_000)
    pool_id = pool(ours, grant_fen=50_000)
    with stream(Caller(door, ours.merchant_id)) as told:
        name, snapshot = next(told)
        assert name == "snapshot"
        assert [store["store_id"] for store in snapshot["stores"]] == ours.stores
        assert snapshot["stores"][0]["effective_fen"] == queries.figures(
            ours.owner, ours.merchant_id, ours.store
        ).effective_fen  # fmt: skip
        fen = dict.fromkeys(("limit_fen", "free_fen", "usable_fen", "room_fen"), 50_000)
        assert snapshot["pools"] == [{"pool_id": pool_id, "state": "active", **fen}]
        theirs.place(1_000)
        Caller(door, ours.merchant_id)(
            "POST", "/orders", {"id": "D1", "store_id": ours.store, "amount_fen": 120_000}
        )  # fmt: skip
        assert balances(next(told)) == {
            ("q:own:free", ours.store): 0, ("q:own:held", ours.store): 100_000,
            ("q:pool:free", pool_id): 30_000, ("q:pool:held", ours.store): 20_000,
        }  # fmt: skip


def test_two_readers_of_a_merchant_are_told_the_same(door):
    shop = open_shop(own_limit_fen=100_000)
    erp = Caller(door, shop.merchant_id)
    with stream(erp) as one, stream(erp) as other:
        assert next(one)[0] == next(other)[0] == "snapshot"
        shop.place(40_000)
        assert balances(next(one)) == balances(next(other))
        assert shop.fen("q:own:free") == 60_000


@pytest.mark.parametrize(
    ("merchant", "scopes", "path", "status", "code"),
    [
        ("theirs", {"orders:read"}, "/limits/stream", 403, "forbidden"),
        ("platform", set(KEY_SCOPES), "/limits/stream", 403, "merchant_key_needed"),
        ("theirs", {"limits:read"}, "/limits/stream?merchant_id=1", 422, "invalid"),
    ],
)
def test_who_may_not_read_is_told_so(door, merchant, scopes, path, status, code):
    merchant_id = 0 if merchant == "platform" else open_shop().merchant_id
    answer = Caller(door, merchant_id, scopes)("GET", path)
    assert (answer[0], answer[1]["code"]) == (status, code)


def test_without_a_key_there_is_no_stream(door):
    answer = httpx2.get(f"{door}/v1/limits/stream", trust_env=False)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_a_stream_ends_when_its_key_is_revoked(door):
    shop = open_shop(own_limit_fen=100_000)
    erp = Caller(door, shop.merchant_id)
    with stream(erp) as told:
        assert next(told)[0] == "snapshot"
        people.revoke_key(by=shop.owner, merchant_id=shop.merchant_id, id=erp.key.id)
        shop.place(1)
        for number, _ in enumerate(told):
            assert number < 100
            shop.place(1)


def test_a_reader_who_leaves_everything_unread_is_dropped(house, monkeypatch):
    monkeypatch.setattr(feed, "PATIENCE", 0.01)
    erp = Caller("", open_shop().merchant_id)
    scope = {"headers": [(b"authorization", f"Bearer {erp.token}".encode())], "query_string": b""}
    sent = []

    async def send(message):
        sent.append(message["type"])
        if len(sent) > 1:
            await asyncio.Event().wait()  # the wire takes no more

    async def steps():
        live, threads = Live(db.conninfo), Threads(1, "look")
        async with asyncio.timeout(SOON):
            await feed.serve(live, Keys(threads), threads, scope, asyncio.Event().wait, send)
        threads.close()

    asyncio.run(steps())
    assert sent == ["http.response.start", "http.response.body"]


def test_a_stream_ends_when_the_door_does(house):
    shop = open_shop()
    with house.process("intake", "--web-url", house.web_url) as (process, address):
        with stream(Caller(address, shop.merchant_id)) as told:
            assert next(told)[0] == "snapshot"
            process.terminate()
            assert [name for name, _ in told if name] == []
        assert process.wait(SOON) == 0
