"""The door as a client meets it: the API's own contract, and what the door adds to it."""

import json
import signal
import socket
import threading
from contextlib import contextmanager

import httpx2
import pytest

from houfu.kernel.http import BODY_MAX
from houfu.orders.intake.tests.house import SOON, Caller, eventually, held, someone_waits_for_a_lock
from houfu.orders.models import Order
from houfu.people import actions as people
from houfu.people.actor import KEY_SCOPES
from houfu.site import processes
from houfu.testing.bodies import BAD_ORDERS
from houfu.testing.threads import in_threads
from houfu.testing.world import open_shop

pytestmark = pytest.mark.usefixtures("clock")
NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.fixture
def shop(house, clock):
    return open_shop()


def wanted(shop, id, amount_fen=100, **more):
    return {"id": id, "store_id": shop.store, "amount_fen": amount_fen, **more}


BODIES = [
    *BAD_ORDERS,
    b'{"id": "G1", "store_id": 1, "amount_fen": 5}',
    b'{"id": "G2", "store_id": 1, "amount_fen": 5, "buyer": "b-1", "at": "2025-11-10T10:00:00+08:00"}',
    b'{"id": "G3", "store_id": 1, "amount_fen": 5, "buyer": null, "at": null}',
    b'{"id": "G4", "store_id": 1, "amount_fen": 10000000000000}',
    b'{"id": "G\\u0035", "store_id": 1, "amount_fen": 5}',
    b"null",
    b'{"id": "X", "store_id": 1}',
    b'{"id": "", "store_id": 1, "amount_fen": 5}',
    b'{"id": "a b", "store_id": 1, "amount_fen": 5}',
    b'{"id": "X\\n", "store_id": 1, "amount_fen": 5}',
    b'{"id": "%b", "store_id": 1, "amount_fen": 5}' % (b"x" * 65),
    b'{"id": 5, "store_id": 1, "amount_fen": 5}',
    b'{"id": "X", "store_id": 1, "amount_fen": 5, "buyer": ""}',
    b'{"id": "X", "store_id": 1, "amount_fen": 5, "buyer": "a b"}',
    b'{"id": "X", "store_id": 1, "amount_fen": 5, "at": ""}',
    b'{"id": "X", "store_id": 1, "amount_fen": 5, "at": "1999-11-11T10:00:00+08:00"}',
    b'{"id": "X", "store_id": 1, "amount_fen": 5, "at": "0001-01-01T00:00:00+08:00"}',
    b'{"id": "X", "store_id": 0, "amount_fen": 5}',
    b'\xff{"id": "X", "store_id": 1, "amount_fen": 5}',
]


@pytest.mark.parametrize("body", BODIES)
def test_what_the_api_says_to_a_body_the_door_says_too(house, door, body):
    """Two merchants alike ask the same, one at the web process and one at the door."""
    answers = []
    for address in (house.web_url, door):
        shop = open_shop()
        asked = body.replace(b'_id": 1,', b'_id": %d,' % shop.store)
        status, said = Caller(address, shop.merchant_id)("POST", "/orders", asked)
        answers.append((status, said.get("code"), said.get("state"), said.get("own_fen"), said.get("reasons")))
        assert shop.fen("q:own:held") == (said.get("own_fen") or 0)
    assert answers[1] == answers[0]
    assert answers[0][0] != 500


def test_an_answer_has_the_same_fields_as_the_apis(house, door, shop):
    there, here = Caller(house.web_url, shop.merchant_id), Caller(door, shop.merchant_id)
    first = here("POST", "/orders", wanted(shop, "D1"))
    assert first[0] == 201
    assert there("POST", "/orders", wanted(shop, "D1")) == (200, {**first[1], "repeated": True})
    assert here("POST", "/orders", wanted(shop, "D1")) == (200, {**first[1], "repeated": True})
    for body in (wanted(shop, "D1", 101), wanted(shop, "D2", 0), {**wanted(shop, "D3"), "store_id": 0}):
        ours, theirs = here("POST", "/orders", body), there("POST", "/orders", body)
        assert ours[1].keys() == theirs[1].keys()
        (
            ours[1]["details"].pop("fields", None),
            theirs[1]["details"].pop("fields", None),
        )  # what was read, in other words
        assert ours == theirs
    assert shop.fen("q:own:held") == 100


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer hf_1_1_nothing", "Bearer hf_x_1_y", "Basic abc", "hf_1_1_x"],
)
def test_without_a_valid_key_the_door_is_as_closed_as_the_api(house, door, shop, authorization):
    headers = {} if authorization is None else {"Authorization": authorization}
    for address in (house.web_url, door):
        answer = httpx2.post(f"{address}/v1/orders", json=wanted(shop, "D1"), headers=headers, trust_env=False)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert answer.headers["content-type"] == "application/problem+json"


def test_scopes_and_merchants_are_kept_apart_as_by_the_api(house, door, shop):
    theirs = open_shop()
    for address in (house.web_url, door):
        reader = Caller(address, shop.merchant_id, {"orders:read"})
        status, said = reader("POST", "/orders", wanted(shop, "D1"))
        assert (status, said["code"], said["details"]) == (403, "forbidden", {"scope": "orders:write"})
        status, said = Caller(address, 0, set(KEY_SCOPES))("POST", "/orders", wanted(shop, "D1"))
        assert (status, said["code"]) == (403, "merchant_key_needed")
        status, said = Caller(address, shop.merchant_id)("POST", "/orders", wanted(theirs, "D1"))
        assert (status, said["code"]) == (404, "not_found")
    assert shop.fen("q:own:held") == theirs.fen("q:own:held") == 0


def test_a_revoked_key_opens_nothing_after_a_second(door, shop):
    erp = Caller(door, shop.merchant_id)
    assert erp("POST", "/orders", wanted(shop, "D0"))[0] == 201
    people.revoke_key(by=shop.owner, merchant_id=shop.merchant_id, id=erp.key.id)
    eventually(lambda: erp("POST", "/orders", wanted(shop, "D0"))[0] == 401)


def test_a_body_beyond_what_an_order_can_say_is_refused(door, shop):
    status, said = Caller(door, shop.merchant_id)("POST", "/orders", wanted(shop, "x" * 70_000))
    assert (status, said["code"]) == (413, "body_too_large")


def test_many_callers_at_once_each_get_their_own_answer(door, shop):
    erp = Caller(door, shop.merchant_id)
    answers = in_threads(lambda n: erp("POST", "/orders", wanted(shop, f"D{n // 2}", 100 + n // 2)), range(24))
    assert sorted(status for status, _ in answers) == [200] * 12 + [201] * 12
    assert [said["id"] for _, said in answers] == [f"D{n // 2}" for n in range(24)]
    assert shop.fen("q:own:held") == sum(range(100, 112))


class Asking:
    """Orders asked for at the same time, each by a thread."""

    def __init__(self, caller):
        self.caller, self.answers, self.threads = caller, {}, []

    def __call__(self, body):
        def ask():
            self.answers[body["id"]] = self.caller("POST", "/orders", body)

        self.threads.append(threading.Thread(target=ask))
        self.threads[-1].start()

    def end(self):
        for thread in self.threads:
            thread.join()
        return self.answers


def test_an_order_that_spoils_its_batch_is_refused_and_its_neighbours_are_decided(house, shop):
    with house.door(lanes=1) as door, held(shop) as let_go:
        asking = Asking(Caller(door.address, shop.merchant_id))
        asking(wanted(shop, "first"))
        eventually(someone_waits_for_a_lock)
        for n in range(6):
            asking(wanted(shop, f"D{n}", at="1999-01-01T00:00:00+08:00" if n == 2 else "2025-11-10T10:00:00+08:00"))
        eventually(lambda: door.app.coalescer.waiting == 6)
        let_go()
        answers = asking.end()
    assert answers["D2"][1]["code"] == "policy_none_in_force"
    assert [answers[f"D{n}"][0] for n in (0, 1, 3, 4, 5)] == [201] * 5
    assert shop.fen("q:own:held") == 600


def test_when_too_many_wait_the_door_says_when_to_come_again(house, shop):
    with house.door(lanes=1, queue=1) as door, held(shop) as let_go:
        erp = Caller(door.address, shop.merchant_id)
        asking = Asking(erp)
        asking(wanted(shop, "D1"))
        eventually(someone_waits_for_a_lock)
        asking(wanted(shop, "D2"))
        eventually(lambda: door.app.coalescer.waiting == 1)
        with erp.http() as http:
            full = http.post("/v1/orders", json=wanted(shop, "D3"))
        assert (full.status_code, full.json()["code"], full.headers["retry-after"]) == (429, "intake_full", "1")
        let_go()
        assert sorted(status for status, _ in asking.end().values()) == [201, 201]
        assert erp("POST", "/orders", wanted(shop, "D3"))[0] == 201


def test_an_order_that_was_late_is_found_by_asking_again(house, shop):
    with house.door(patience=0.3) as door, held(shop) as let_go:
        erp = Caller(door.address, shop.merchant_id)
        status, said = erp("POST", "/orders", wanted(shop, "D1"))
        assert (status, said["code"], said["details"]) == (503, "intake_deadline", {"id": "D1"})
        let_go()
        eventually(lambda: door.app.coalescer.idle)
        status, said = erp("POST", "/orders", wanted(shop, "D1"))
        assert (status, said["state"], said["repeated"]) == (200, "authorised", True)
    assert shop.fen("q:own:held") == 100


def test_a_door_that_is_told_to_end_answers_what_it_has_taken(house, shop):
    with house.process("intake", "--web-url", house.web_url) as (process, address), held(shop) as let_go:
        asking = Asking(Caller(address, shop.merchant_id))
        asking(wanted(shop, "D1"))
        eventually(someone_waits_for_a_lock)
        process.send_signal(signal.SIGTERM)
        eventually(lambda: not processes.answers(int(address.rpartition(":")[2])))
        let_go()
        assert asking.end()["D1"][0] == 201
        assert process.wait(SOON) == 0
    assert shop.fen("q:own:held") == 100


def lines(answer):
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.content.splitlines()]


def test_a_stream_is_answered_line_by_line_in_its_order(door, shop):
    count = 3_000
    body = b"".join(json.dumps(wanted(shop, f"D{n:04d}", 1 + n)).encode() + b"\n" for n in range(count))
    pieces = [body[at : at + 7_001] for at in range(0, len(body), 7_001)]
    with Caller(door, shop.merchant_id).http() as http:
        answers = lines(http.post("/v1/orders:batch", content=iter(pieces), headers=NDJSON))
    assert [said["id"] for said in answers] == [f"D{n:04d}" for n in range(count)]
    assert {said["state"] for said in answers} == {"authorised"}
    assert shop.fen("q:own:held") == sum(range(1, count + 1))


def test_bad_lines_of_a_stream_are_refused_where_they_stand(door, shop):
    body = b"\n".join(
        [
            json.dumps(wanted(shop, "D1")).encode(),
            b"nonsense",
            json.dumps(wanted(shop, "D2", at="1999-01-01T00:00:00+08:00")).encode(),
            b"",
            json.dumps({**wanted(shop, "D3"), "store_id": 0}).encode(),
            b'{"id": "%b"}' % (b"x" * 70_000),
            json.dumps(wanted(shop, "D1", 101)).encode(),
            json.dumps(wanted(shop, "D4")).encode(),
        ]
    )
    with Caller(door, shop.merchant_id).http() as http:
        answers = lines(http.post("/v1/orders:batch", content=body, headers=NDJSON))
    assert [said.get("code") or said["state"] for said in answers] == [
        "authorised", "invalid", "policy_none_in_force", "not_found", "body_too_large", "order_id_reused", "authorised",
    ]  # fmt: skip
    assert shop.fen("q:own:held") == 200


def test_a_line_without_an_end_ends_the_stream(door, shop):
    body = json.dumps(wanted(shop, "D1")).encode() + b"\n" + b"x" * 200_000
    with Caller(door, shop.merchant_id).http() as http:
        answers = lines(http.post("/v1/orders:batch", content=body, headers=NDJSON))
    assert [said.get("code") for said in answers] == [None, "body_too_large"]


def test_a_stream_is_answered_while_it_is_still_being_sent(door, shop):
    """A client that waits for each answer before its next line is not kept waiting."""
    erp = Caller(door, shop.merchant_id)
    host, _, port = door.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=SOON) as wire:
        reading = wire.makefile("rb")
        head = f"POST /v1/orders:batch HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {erp.token}\r\n"
        wire.sendall(f"{head}Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for n in range(3):
            line = json.dumps(wanted(shop, f"D{n}")).encode() + b"\n"
            wire.sendall(b"%x\r\n%b\r\n" % (len(line), line))
            while not (said := reading.readline()).startswith(b"{"):
                assert said
            assert json.loads(said)["id"] == f"D{n}"
        wire.sendall(b"0\r\n\r\n")
    assert shop.fen("q:own:held") == 300


def test_a_stream_waits_where_one_request_would_be_refused(house, shop):
    body = b"".join(json.dumps(wanted(shop, f"D{n}")).encode() + b"\n" for n in range(4_000))
    with house.door(lanes=1, queue=10, batch=500) as door, Caller(door.address, shop.merchant_id).http() as http:
        answers = lines(http.post("/v1/orders:batch", content=body, headers=NDJSON))
    assert {said["state"] for said in answers} == {"authorised"}
    assert len(answers) == 4_000


def test_whatever_else_is_asked_goes_on_to_the_web_process(door, shop):
    erp = Caller(door, shop.merchant_id)
    assert erp("GET", "/health")[1]["status"] == "ok"
    batch = {"orders": [wanted(shop, "D1"), wanted(shop, "D2")]}
    assert [said["id"] for said in erp("POST", "/orders:batch", batch)[1]] == ["D1", "D2"]
    assert erp("POST", "/orders/D1/events", {"kind": "shipped"}) == (
        200, {"order_id": "D1", "outcome": "done", "code": ""},
    )  # fmt: skip
    assert erp("GET", "/orders/D1")[1]["state"] == "shipped"
    assert erp("POST", "/orders?at=1", wanted(shop, "D3"))[1]["details"]["fields"][0]["field"] == "query.at"
    assert erp("GET", "/nothing")[0] == 404
    with erp.http() as http:
        assert http.head("/v1/orders").content == b""
    assert Order.objects.filter(merchant_id=shop.merchant_id).count() == 2


def test_a_body_that_is_too_large_is_told_so_to_its_end(door, house, shop):
    erp = Caller(door, shop.merchant_id)
    for address in (door, house.web_url):
        with httpx2.Client(base_url=address, timeout=30, trust_env=False) as http:
            said = http.post(
                "/v1/imports", content=b" " * (BODY_MAX + 1),
                headers={"Authorization": f"Bearer {erp.token}", "Content-Type": "application/json"},
            )  # fmt: skip
        assert (said.status_code, said.json()["code"]) == (413, "request_too_large")
    assert erp("GET", "/health")[0] == 200


def test_a_request_with_an_idempotency_key_gets_its_first_answer(door, shop):
    erp, key = Caller(door, shop.merchant_id), {"Idempotency-Key": "K1"}
    first = erp("POST", "/orders", wanted(shop, "D1"), **key)
    assert first[0] == 201
    assert erp("POST", "/orders", wanted(shop, "D1"), **key) == first
    assert erp("POST", "/orders", wanted(shop, "D2"), **key)[1]["code"] == "idempotency_key_reused"
    assert shop.fen("q:own:held") == 100


@contextmanager
def overheard():
    """A web process that answers one request, and the bytes that reached it."""
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer():
            wire, _ = listening.accept()
            with wire:
                while b"the end" not in b"".join(heard):
                    heard.append(wire.recv(65_536))
                wire.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Ours: 1\r\nX-Hop: 1\r\nConnection: X-Hop\r\n\r\nok"
                )

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", heard
        thread.join()


def test_the_front_believes_no_forwarding_header_and_drops_those_of_a_connection(house):
    with overheard() as (web_url, heard), house.door(web_url) as door:
        headers = {
            "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Host": "evil.example", "Forwarded": "for=1.2.3.4",
            "X-Hop": "1", "Connection": "X-Hop, keep-alive", "X-Kept": "1",
        }  # fmt: skip
        answer = httpx2.put(f"{door.address}/v1/x%2Fy?a=%20b", content=b"the end", headers=headers, trust_env=False)
    head = b"".join(heard).lower()
    assert head.startswith(b"put /v1/x%2fy?a=%20b http/1.1\r\n")
    assert b"x-kept: 1" in head
    for dropped in (b"forwarded", b"x-hop"):
        assert dropped not in head
    assert (answer.text, answer.headers["x-ours"], answer.headers.get("x-hop")) == ("ok", "1", None)


def test_orders_are_decided_while_the_web_process_is_away(house, shop):
    with house.door(f"http://127.0.0.1:{processes.free_port()}") as door:
        erp = Caller(door.address, shop.merchant_id)
        status, said = erp("GET", "/orders")
        assert (status, said["code"]) == (502, "web_away")
        assert erp("POST", "/orders", wanted(shop, "D1"))[0] == 201
