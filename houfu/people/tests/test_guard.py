"""Who is at the other end, what is remembered of attempts, and from where a key opens anything."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import RequestFactory

from houfu.kernel import clock as clocks
from houfu.kernel import db
from houfu.kernel.errors import Unauthenticated
from houfu.orders.intake import front
from houfu.people import actions as people
from houfu.people import queries
from houfu.people.actions.keys import NetworkUnreadable
from houfu.people.sign_in import guard, memory
from houfu.testing.threads import in_threads
from houfu.testing.world import OPERATOR, open_shop

pytestmark = pytest.mark.usefixtures("db")


@pytest.mark.parametrize(
    ("connected", "forwarded", "proxies", "found"),
    [
        ("203.0.113.9", "", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "", "203.0.113.9"),              # nobody may forward
        ("203.0.113.9", "198.51.100.1", "10.0.0.0/8", "203.0.113.9"),    # nor may this one
        ("10.0.0.1", "198.51.100.1", "10.0.0.0/8", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", "10.0.0.0/8", "198.51.100.1"),  # what the client made up comes first
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "10.0.0.0/8", "198.51.100.1"),
        ("10.0.0.1", "", "10.0.0.0/8", "10.0.0.1"),
        ("10.0.0.1", "nonsense", "10.0.0.0/8", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.0/8", "10.0.0.3"),
        ("::1", "2001:db8::1", "::1/128, 10.0.0.0/8", "2001:db8::1"),
    ],
)  # fmt: skip
def test_a_forwarded_address_counts_as_far_as_it_is_trusted(connected, forwarded, proxies, found):
    assert guard.trusted_hop(connected, forwarded, proxies) == found


def test_nobody_but_the_front_says_where_a_request_comes_from(monkeypatch):
    asked = RequestFactory().get
    sealed = guard.seal_peer("198.51.100.7")
    assert guard.peer(asked("/")) == "127.0.0.1"
    assert guard.peer(asked("/", headers={guard.PEER: sealed})) == "198.51.100.7"
    for forged in ("198.51.100.7", "198.51.100.7 ", f"198.51.100.8 {sealed.split()[1]}", f"x {sealed}", " "):
        assert guard.peer(asked("/", headers={guard.PEER: forged})) == "127.0.0.1"
    scope = {"client": ("10.0.0.1", 5), "headers": [(b"x-forwarded-for", b"198.51.100.1")]}
    assert front.peer(scope) == "10.0.0.1"
    monkeypatch.setenv("HOUFU_PROXIES", "10.0.0.0/8")
    assert front.peer(scope) == "198.51.100.1"


def test_a_device_is_known_again_and_not_by_what_it_says():
    asked = RequestFactory().get
    first = guard.device(asked("/", headers={guard.DEVICE_HEADER: "a" * 22}))
    assert guard.device(asked("/", headers={"Cookie": f"{guard.DEVICE_COOKIE}={'a' * 22}"})) == first
    assert guard.device(asked("/", headers={guard.DEVICE_HEADER: "b" * 22})) != first
    assert "a" * 22 not in first
    assert guard.device(asked("/")) == ""


@pytest.mark.parametrize(
    ("origin", "host", "own"),
    [
        ("http://localhost", "localhost", True),
        ("http://localhost:8900", "localhost:8900", True),
        ("http://127.0.0.1:8900", "127.0.0.1:8900", True),
        ("http://localhost:8901", "localhost:8900", False),
        ("https://localhost", "localhost", True),
        ("ftp://localhost", "localhost", False),
        ("http://localhost.evil.example", "localhost", False),
        ("null", "localhost", False),
        ("", "localhost", False),
    ],
)
def test_only_our_own_pages_are_ours(origin, host, own):
    request = RequestFactory().post("/v1/x", headers={"Origin": origin, "Host": host})
    assert guard._own(request.headers.get("Origin"), request) == own


def test_what_is_remembered_is_forgotten_in_its_time(monkeypatch):
    gone = [timedelta()]
    monkeypatch.setattr(clocks, "machine_now", lambda: clocks.SystemClock().now() + gone[0])
    key = f"test-{clocks.machine_now().isoformat()}"
    assert cache.get(key) is None
    assert cache.add(key, [1.5, True, "x"], timeout=60)
    assert not cache.add(key, "other", timeout=60)
    assert cache.get(key) == [1.5, True, "x"]
    cache.set(key, "other", timeout=60)
    assert cache.get(key) == "other"
    gone[0] += timedelta(seconds=61)
    assert cache.get(key, "gone") == "gone"
    assert cache.add(key, "again", timeout=60)
    assert cache.delete(key)
    assert not cache.delete(key)
    cache.set(key, "x", timeout=1)
    gone[0] += timedelta(seconds=2)
    assert memory.forget() >= 1
    assert db.rows("SELECT key FROM people_memory WHERE key = %s", [cache.make_key(key)]) == []


def test_of_many_who_come_at_once_one_is_the_first():
    key = f"test-once-{clocks.machine_now().isoformat()}"
    assert sum(in_threads(lambda n: cache.add(key, n, timeout=60), range(8))) == 1


@pytest.mark.parametrize(
    ("networks", "ip", "opens"),
    [
        (None, "", True),
        (None, "203.0.113.9", True),
        (["203.0.113.0/24"], "203.0.113.9", True),
        (["203.0.113.0/24"], "203.0.114.9", False),
        (["203.0.113.0/24"], "", False),
        (["198.51.100.7", "2001:db8::/32"], "198.51.100.7", True),
        (["198.51.100.7", "2001:db8::/32"], "2001:db8::5", True),
        (["198.51.100.7"], "198.51.100.8", False),
        (["198.51.100.7"], "::ffff:198.51.100.8", False),
    ],
)
def test_a_key_opens_something_from_its_networks_alone(networks, ip, opens):
    shop = open_shop(own_limit_fen=0)
    _, token = people.create_key(
        by=OPERATOR, merchant_id=shop.merchant_id, name="e", person="w", scopes=["orders:read"], networks=networks
    )
    if opens:
        assert queries.actor_of(token, ip).ip == ip
    else:
        with pytest.raises(Unauthenticated):
            queries.actor_of(token, ip)


@pytest.mark.parametrize("networks", [[], ["x"], ["203.0.113.9/24"], ["300.0.0.1"], ["10.0.0.0/8"] * 101])
def test_networks_that_are_none_are_refused(networks):
    shop = open_shop(own_limit_fen=0)
    before = queries.keys(shop.merchant_id)
    with pytest.raises(NetworkUnreadable):
        people.create_key(
            by=OPERATOR, merchant_id=shop.merchant_id, name="e", person="w", scopes=["orders:read"], networks=networks
        )
    assert queries.keys(shop.merchant_id) == before
