"""The quick way says what the slow way says, and keeps to what holds for a connection."""

import json
import socket

import pytest

from houfu.orders.intake import app, keys
from houfu.orders.intake.tests.house import SOON, Caller, eventually, held, someone_waits_for_a_lock
from houfu.orders.intake.tests.test_door import BODIES, wanted
from houfu.orders.models import Order
from houfu.people import actions as people
from houfu.testing.world import open_shop

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def shop(house, clock):
    return open_shop()


@pytest.fixture
def trusting(monkeypatch):
    """Let a key that was looked up stay known, however slow the machine is."""
    monkeypatch.setattr(keys, "TRUST", 600)


@pytest.fixture
def only_quick(monkeypatch, trusting):
    """Let the slow way take no order from the call of this fixture on."""

    async def refuse(*_):
        raise AssertionError("this went the slow way")

    return lambda: monkeypatch.setattr(app.Door, "_one", refuse)


def warm(erp, shop):
    """Make the door look the key up."""
    assert erp("POST", "/orders", wanted(shop, "W", 1))[0] == 201


def ask(erp, content):
    """Ask for an order with these bytes; return the status, and headers and body as a client has them."""
    with erp.http() as http:
        answer = http.post("/v1/orders", content=content, headers={"Content-Type": "application/json"})
    return answer.status_code, sorted(name for name in answer.headers), answer.headers["content-type"], answer.json()


@pytest.mark.parametrize("body", [*BODIES, b'{"id": "X", "store_id": 1, "amount_fen": 5, "buyer": "a", "buyer": "a"}'])
def test_a_body_is_answered_alike_on_both_ways(house, only_quick, body):
    """Two merchants alike ask the same: one with a key that must be looked up, one with a key that is known."""
    with house.door() as door:
        slow, quick = open_shop(), open_shop()
        unknown, known = Caller(door.address, slow.merchant_id), Caller(door.address, quick.merchant_id)
        said = ask(unknown, body.replace(b'_id": 1,', b'_id": %d,' % slow.store))
        warm(known, quick)
        only_quick()
        assert ask(known, body.replace(b'_id": 1,', b'_id": %d,' % quick.store)) == said
        assert quick.fen("q:own:held") == slow.fen("q:own:held") + 1


def test_a_key_that_was_revoked_goes_the_quick_way_for_a_second_at_most(door, shop):
    erp = Caller(door, shop.merchant_id)
    with erp.http() as http:
        assert http.post("/v1/orders", json=wanted(shop, "D0")).status_code == 201
        people.revoke_key(by=shop.owner, merchant_id=shop.merchant_id, id=erp.key.id)
        eventually(lambda: http.post("/v1/orders", json=wanted(shop, "D0")).status_code == 401)


def request(erp, body, *more):
    said = json.dumps(body).encode()
    lines = ["POST /v1/orders HTTP/1.1", "Host: here", f"Authorization: Bearer {erp.token}", *more]
    return "\r\n".join([*lines, f"Content-Length: {len(said)}", "", ""]).encode() + said


def test_requests_that_come_in_one_piece_are_answered_in_their_order(door, shop):
    erp = Caller(door, shop.merchant_id)
    warm(erp, shop)
    host, _, port = door.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=SOON) as wire:
        pieces = [request(erp, wanted(shop, f"D{n}")) for n in range(5)]
        wire.sendall(b"".join([*pieces, request(erp, wanted(shop, "D5"), "Connection: close")]))
        said = b""
        while piece := wire.recv(65_536):
            said += piece
    assert [json.loads(part[: part.index(b"}") + 1])["id"] for part in said.split(b"\r\n\r\n")[1:]] == [
        f"D{n}" for n in range(6)
    ]
    assert shop.fen("q:own:held") == 601


@pytest.mark.usefixtures("trusting")
def test_an_order_whose_asker_hung_up_before_its_turn_is_not_decided(house, shop):
    with house.door(lanes=1) as door, held(shop) as let_go:
        other = open_shop()
        first, erp = Caller(door.address, shop.merchant_id), Caller(door.address, other.merchant_id)
        host, _, port = door.address.removeprefix("http://").partition(":")
        with erp.http() as http:  # makes the key known
            assert http.post("/v1/orders", json=wanted(other, "W", 0)).status_code == 422
        with socket.create_connection((host, int(port)), timeout=SOON) as one:
            one.sendall(request(first, wanted(shop, "D1")))
            eventually(someone_waits_for_a_lock)
            with socket.create_connection((host, int(port)), timeout=SOON) as gone:
                gone.sendall(request(erp, wanted(other, "D2")))
                eventually(lambda: door.app.coalescer.waiting == 1)
            let_go()
            assert b"201 Created" in one.recv(65_536)
        eventually(lambda: door.app.coalescer.idle)
    assert Order.objects.filter(merchant_id=other.merchant_id).count() == 0
