"""Partners read the limits of named stores and nothing else, and are told when they move (L8, decision 42)."""

import json
from datetime import timedelta

import pytest
from django.test import Client

from houfu.history.models import Link
from houfu.kernel import clock as clocks
from houfu.kernel.errors import Forbidden, NotFound
from houfu.limits import actions as limits
from houfu.limits import queries as limit_queries
from houfu.people import queries as people
from houfu.people.actions import create_key
from houfu.people.actions.keys import KeyIncomplete, UnknownScope
from houfu.people.models import ApiKey
from houfu.splits import actions as splits
from houfu.splits import tasks
from houfu.splits.actions.parties import PartyNotConfirmed
from houfu.splits.tests.ground import UNTIL, Chain
from houfu.testing.world import OPERATOR, WORKER, pool
from houfu.webhooks import actions as webhooks
from houfu.webhooks import queries as webhook_queries
from houfu.webhooks.actions import PartnersVerbs
from houfu.webhooks.models import Endpoint

URL = "https://mill.example.com/limits"


@pytest.fixture
def watched(db):
    """Two stores, a supplier, and its key to the first."""
    chain = Chain(stores=2)
    chain.mill = chain.confirm(chain.register())
    made, token = splits.create_key(
        by=chain.shop.owner, merchant_id=chain.m, party_id=chain.mill.id, name="mill", store_ids=[chain.shop.store]
    )
    chain.key, chain.token = made, token
    return chain


def get(chain, path):
    http = Client(
        raise_request_exception=False, SERVER_NAME="localhost", headers={"Authorization": f"Bearer {chain.token}"}
    )
    said = http.get(f"/v1{path}")
    return said.status_code, json.loads(said.content)


def test_a_partners_key_reads_the_limit_of_its_store_and_nothing_else(watched):
    status, said = get(watched, f"/stores/{watched.shop.store}/limit")
    assert (status, said["own_limit_fen"]) == (200, 10_000_000)
    assert get(watched, f"/stores/{watched.shop.stores[1]}/limit")[0] == 404
    for path in ("/people/me", "/approvals", "/loans", "/pools", "/stores", f"/stores/{watched.shop.store}", "/splits"):
        assert get(watched, path)[1]["code"] == "forbidden", path


def test_a_partner_is_shown_no_pool(watched):
    pool(watched.shop, grant_fen=50_000)
    by = people.actor_of(watched.token)
    snapshot = limit_queries.snapshot(by, watched.m)
    assert ([store.store_id for store in snapshot.stores], snapshot.pools) == ([watched.shop.store], [])
    with pytest.raises(Forbidden):
        limit_queries.pools(by, watched.m)


def test_a_key_lives_as_long_as_the_contract(watched, clock):
    assert watched.key.expires_at == clocks.start_of(UNTIL + timedelta(days=1))
    clock.move(days=60)
    assert get(watched, f"/stores/{watched.shop.store}/limit")[0] == 401


def test_keys_and_endpoints_end_with_their_party(watched):
    splits.add_endpoint(
        by=watched.shop.owner, merchant_id=watched.m, party_id=watched.mill.id, url=URL, store_ids=[watched.shop.store]
    )
    splits.revoke(by=watched.shop.owner, merchant_id=watched.m, id=watched.mill.id)
    assert get(watched, f"/stores/{watched.shop.store}/limit")[0] == 401
    assert webhook_queries.endpoints(watched.shop.owner, watched.m) == []


def test_whoever_is_no_confirmed_party_gets_no_key(watched):
    raw = watched.register("carrier", "raw@road.example")
    asked = {"by": watched.shop.owner, "merchant_id": watched.m, "name": "x"}
    with pytest.raises(PartyNotConfirmed):
        splits.create_key(**asked, party_id=raw.id, store_ids=[watched.shop.store])
    with pytest.raises(NotFound):
        splits.create_key(**asked, party_id=watched.mill.id, store_ids=[10**9])
    with pytest.raises(KeyIncomplete):
        splits.create_key(**asked, party_id=watched.mill.id, store_ids=[])
    assert ApiKey.objects.filter(merchant_id=watched.m).count() == 1


def test_no_other_key_can_carry_the_partners_scope(watched):
    with pytest.raises(UnknownScope):
        create_key(by=OPERATOR, merchant_id=watched.m, name="x", person="x", scopes=["limits:watch"])


# Told by webhook -----------------------------------------------------------------------------------------------------


@pytest.fixture
def told(watched):
    """The supplier's endpoint is told of the first store, another of everything."""
    asked = {"by": watched.shop.owner, "merchant_id": watched.m}
    watched.endpoint, _ = splits.add_endpoint(
        **asked, party_id=watched.mill.id, url=URL, store_ids=[watched.shop.store]
    )
    return watched


def look():
    return tasks.tell_partners(WORKER)


def links(chain):
    return [link.subject for link in Link.objects.filter(merchant_id=chain.m, verb="limit.changed").order_by("seq")]


def test_a_limit_that_moved_is_told_once_and_one_that_did_not_is_not(told, clock):
    look()
    clock.move(seconds=5)
    look()
    assert links(told) == []
    told.shop.place(10_000, store=told.shop.store)
    clock.move(seconds=5)
    look()
    assert links(told) == [f"store/{told.shop.store}"]
    clock.move(seconds=5)
    look()
    assert len(links(told)) == 1


def test_many_changes_within_seconds_are_told_as_one(told, clock):
    clock.move(seconds=5)
    for _ in range(20):
        told.shop.place(1_000)
        look()
        clock.move(milliseconds=200)
    clock.move(seconds=5)
    look()
    assert 1 <= len(links(told)) <= 2


def test_another_stores_limits_are_nothing_to_a_partner(told, clock):
    clock.move(seconds=5)
    told.shop.place(1_000, store=told.shop.stores[1])
    limits.grant(by=OPERATOR, merchant_id=told.m, store_id=told.shop.stores[1], amount_fen=1)
    look()
    assert links(told) == []


def test_the_message_is_thin_and_of_nothing_else(told, clock):
    everything, _ = webhooks.add(by=told.shop.owner, merchant_id=told.m, url="https://erp.example.com/h", verbs=["*"])
    clock.move(seconds=5)
    told.shop.place(1_000)
    look()
    webhooks.follow()
    bodies = [json.loads(message.body) for message in webhook_queries.messages(told.m, told.endpoint.id, 100)]
    assert [body["type"] for body in bodies] == ["limit.changed"]
    assert bodies[0]["data"].keys() == {"merchant_id", "seq", "subject", "store_id"}
    assert bodies[0]["data"]["store_id"] == told.shop.store
    assert len(webhook_queries.messages(told.m, everything.id, 100)) > 1
    for endpoint in (told.endpoint, everything):  # nobody is there to be told
        webhooks.remove(by=told.shop.owner, merchant_id=told.m, id=endpoint.id)


def test_a_partners_endpoint_cannot_be_made_to_tell_more(told):
    with pytest.raises(PartnersVerbs):
        webhooks.change(by=told.shop.owner, merchant_id=told.m, id=told.endpoint.id, verbs=["*"])
    assert Endpoint.objects.get(merchant_id=told.m, id=told.endpoint.id).verbs == ["limit.changed"]


def test_where_nobody_watches_nothing_is_looked_at(watched, clock):
    clock.move(seconds=60)
    watched.shop.place(1_000)
    look()
    assert links(watched) == []
