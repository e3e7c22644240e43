"""People at the door: a session is looked at by the web process where it writes, and reads the stream itself."""

import pytest

from houfu.people import actions as people
from houfu.people.actions import Settings
from houfu.people.sign_in.passwords import Argon2id
from houfu.testing.web import COOKIE, running_web, signed_in
from houfu.testing.world import new_identity, open_shop

pytestmark = pytest.mark.usefixtures("clock")
PASSWORD = "korrekt-pferd-batterie"


@pytest.fixture
def manager(house, clock, monkeypatch):
    """A store manager of the first of two stores, signed in through a door."""
    monkeypatch.setattr(Argon2id, "memory_cost", 64)
    shop = open_shop(stores=2, own_limit_fen=100_000)
    settings = Settings("store_manager", frozenset({shop.store}))
    member, invitation = people.invite(
        by=shop.owner, merchant_id=shop.merchant_id, name="x", identity=new_identity(), settings=settings
    )
    with running_web() as web, house.door(web_url=web.replace("localhost", "127.0.0.1")) as door:
        address = door.address.replace("127.0.0.1", "localhost")
        browser, _ = signed_in(address, invitation, f"m-{member.id}@x", PASSWORD)
        yield shop, browser


def test_a_person_asks_for_orders_of_their_own_store_through_the_door(manager):
    shop, browser = manager
    ours, theirs = shop.stores
    assert browser("POST", "/v1/orders", {"id": "P1", "store_id": ours, "amount_fen": 5})[0] == 201
    assert browser("POST", "/v1/orders", {"id": "P2", "store_id": theirs, "amount_fen": 5})[0] == 404
    status, said = browser("POST", "/v1/orders", {"id": "P3", "store_id": ours, "amount_fen": 5}, X_CSRFToken=None)
    assert (status, said["code"]) == (403, "cross_site")
    assert shop.fen("q:own:held") == 5


def test_the_stream_shows_a_person_their_own_store_alone(manager):
    shop, browser = manager
    ours, theirs = shop.stores
    with browser.stream("/v1/limits/stream") as events:
        assert [store["store_id"] for store in next(events)["stores"]] == [ours]
        shop.place(700, store=theirs)
        shop.place(300, store=ours)
        told = next(events)
        while told["stores"][0]["exposure_fen"] != 300:
            told = next(events)
        assert [store["store_id"] for store in told["stores"]] == [ours]
    browser.cookies.pop(COOKIE)
    assert browser("GET", "/v1/limits/stream")[0] == 401


def test_the_web_process_is_told_by_the_door_who_is_connected(manager):
    _, browser = manager
    listed = browser.auth("GET", "auth/sessions", None, **{"X-Forwarded-For": "6.6.6.6", "X-Houfu-Peer": "6.6.6.6 x"})
    assert [each["ip"] for each in listed[1]["data"]] == ["127.0.0.1"]
