"""PostgreSQL is killed again and again while orders come in: what was answered is there exactly once, and nothing else
counts. `make test` kills it twice, `make chaos` five times."""

import itertools
import json
import os
import threading

import httpx2
import pytest

from houfu.demo.stage import Stage
from houfu.kernel import clock
from houfu.testing.world import new_uscc

KILLS = int(os.environ.get("HOUFU_CHAOS_KILLS", "2"))
CALLERS = 12
BETWEEN = 300  # answers between two kills
LIMIT_FEN = 1_000_000_000
LEGS = ("own_fen", "pool_fen", "temp_fen", "tolerance_fen")


class Crowd:
    """Callers who each ask for one order after another and note what they were answered, if they were."""

    def __init__(self, address, token, store_id):
        self.address, self.store_id = address, store_id
        self.headers = {"Authorization": f"Bearer {token}"}
        self.answered, self.unanswered = {}, {}
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.call, args=[number]) for number in range(CALLERS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def http(self):
        return httpx2.Client(base_url=self.address, headers=self.headers, timeout=60, trust_env=False)

    def call(self, caller):
        with self.http() as http:
            for number in itertools.count():
                body = {"id": f"C{caller}-{number}", "store_id": self.store_id, "amount_fen": 1 + number % 97}
                status, said = self.ask(http, body)
                if status in (200, 201):
                    self.answered[body["id"]] = said
                else:
                    self.unanswered[body["id"]] = body
                    self.stop.wait(0.05)
                if self.stop.is_set():
                    return

    @staticmethod
    def ask(http, body):
        try:
            answer = http.post("/v1/orders", json=body)
        except httpx2.TransportError:
            return 0, None
        assert answer.status_code in (200, 201, 503), answer.text
        return answer.status_code, answer.json()


class Listener(threading.Thread):
    """Somebody who reads the stream of limits and keeps what it said last of the store's free limit."""

    def __init__(self, crowd):
        super().__init__()
        self.crowd, self.free_fen, self.awaited_fen, self.snapshots = crowd, None, -1, 0

    def run(self):
        with self.crowd.http() as http, http.stream("GET", "/v1/limits/stream") as answer:
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    self.hear(json.loads(line.removeprefix("data: ")))
                if self.free_fen == self.awaited_fen:
                    return

    def hear(self, said):
        if "stores" in said:
            self.snapshots += 1
            self.free_fen = said["stores"][0]["own_free_fen"]
        for each in said.get("changed", []):
            if each["account"] == "q:own:free":
                self.free_fen = each["balance_fen"]


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with Stage(tmp_path_factory.mktemp("chaos") / "home", clock.shanghai(2025, 11, 10, 10)) as stage:
        yield stage


def kept(shop):
    """Return every order that is there, by its id."""
    found, cursor = [], ""
    while True:
        page = shop.api.get(f"/orders?limit=500&cursor={cursor}")
        found += page["items"]
        cursor = page["next_cursor"]
        if not cursor:
            break
    by_id = {order["id"]: order for order in found}
    assert len(by_id) == len(found)
    return by_id


@pytest.mark.slow
def test_every_answer_holds_whatever_becomes_of_the_server(stage):
    shop = stage.open_shop("混沌", new_uscc(), limit_fen=LIMIT_FEN)
    token = stage.make_key(shop.merchant_id, "c", ["orders:write", "limits:read"])
    with Crowd(stage.address, token, shop.store_id) as crowd:
        listener = Listener(crowd)
        listener.start()
        for _ in range(KILLS):
            so_far = len(crowd.answered)
            stage.until("orders are decided", lambda so_far=so_far: len(crowd.answered) >= so_far + BETWEEN)
            stage.kill("postgres")
        so_far = len(crowd.answered)
        stage.until("orders are decided again", lambda: len(crowd.answered) >= so_far + BETWEEN)

    there = kept(shop)
    for id, decision in crowd.answered.items():
        assert decision["state"] == there[id]["state"] == "authorised"
        assert [decision[leg] for leg in LEGS] == [there[id][leg] for leg in LEGS]
    assert there.keys() <= crowd.answered.keys() | crowd.unanswered.keys()
    with crowd.http() as http:
        for id, body in crowd.unanswered.items():
            status, decision = crowd.ask(http, body)
            assert status == (200 if id in there else 201)
            assert decision["own_fen"] == body["amount_fen"]
    everything = kept(shop).values()
    assert len(everything) == len(crowd.answered) + len(crowd.unanswered)
    held_fen = sum(order["own_fen"] for order in everything)
    assert shop.balance("q:own:held") == held_fen
    with crowd.http() as http:
        listener.awaited_fen = LIMIT_FEN - held_fen - 1
        crowd.ask(http, {"id": "last", "store_id": shop.store_id, "amount_fen": 1})
    listener.join(60)
    assert listener.free_fen == listener.awaited_fen
    assert listener.snapshots > KILLS
    assert stage.verify()["findings"] == []
