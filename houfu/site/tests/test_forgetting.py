"""What proves nothing is forgotten after a while: addresses, and that somebody was told."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection

from houfu.kernel import clock as clocks
from houfu.kernel import db
from houfu.people.actor import Actor
from houfu.policies import queries as policies
from houfu.risk import actions as risk
from houfu.risk.actions.forgetting import forget_addresses
from houfu.risk.models import Decision
from houfu.site import worker
from houfu.testing.world import WORKER, open_shop
from houfu.webhooks import actions as webhooks
from houfu.webhooks.forgetting import forget_deliveries
from houfu.webhooks.models import Delivery, Endpoint

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def shop():
    return open_shop()


def observe(shop, days_ago):
    at = clocks.now() - timedelta(days=days_ago)
    db.rows(
        "INSERT INTO risk_observation (merchant_id, subject, store_id, beneficiary_id, person, device, ip, country,"
        " network, amount_fen, at) VALUES (%s, %s, %s, 1, 'p', 'd', '203.0.113.9', 'CN', '203.0.113.0/24', 100, %s)",
        [shop.merchant_id, f"payout/{days_ago}", shop.store, at],
    )


def test_what_was_decided_bears_no_address(shop):
    facts = risk.PayoutFacts(store_id=shop.store, beneficiary_id=1, amount_fen=5, person="wang", ip="203.0.113.77")
    risk.judge(by=WORKER, merchant_id=shop.merchant_id, subject="payout/1", facts=facts)
    (decision,) = Decision.objects.filter(merchant_id=shop.merchant_id)
    assert "203.0.113.77" not in decision.facts
    assert addresses(shop)[0][1] == "203.0.113.77"


def addresses(shop):
    found = db.rows(
        "SELECT subject, ip, network FROM risk_observation WHERE merchant_id = %s ORDER BY at", [shop.merchant_id]
    )
    return [(row.subject, row.ip, row.network) for row in found]


def test_addresses_are_forgotten_when_their_time_is_over_and_nothing_else_of_them(shop):
    kept = policies.at(clocks.now()).retention.address_days
    before = clocks.now() - timedelta(days=kept)
    observe(shop, kept + 1)
    observe(shop, kept - 1)
    assert forget_addresses(by=WORKER, before=before) >= 1
    assert addresses(shop) == [
        (f"payout/{kept + 1}", "", "203.0.113.0/24"),
        (f"payout/{kept - 1}", "203.0.113.9", "203.0.113.0/24"),
    ]
    assert forget_addresses(by=WORKER, before=before) == 0


@pytest.mark.parametrize("change", ["ip = '198.51.100.1'", "ip = '', network = ''", "ip = '', amount_fen = 1"])
def test_of_an_observation_nothing_but_the_address_goes(shop, change):
    observe(shop, 1)
    before = addresses(shop)
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute(f"UPDATE risk_observation SET {change} WHERE merchant_id = {shop.merchant_id}")
    assert addresses(shop) == before


def listen(shop):
    return webhooks.add(
        by=shop.owner, merchant_id=shop.merchant_id, url="https://hooks.example.com/a", verbs=["payout.*"]
    )[0]


def end(shop, endpoint, *, days_ago, state="delivered"):
    """Let an endpoint be told of something, and let that have ended so long ago."""
    webhooks.test(by=shop.owner, merchant_id=shop.merchant_id, id=endpoint.id)
    webhooks.follow()
    delivery = Delivery.objects.filter(merchant_id=shop.merchant_id, endpoint_id=endpoint.id, state="pending").first()
    if state == "pending":
        return delivery.id
    webhooks.conclude(by=WORKER, ended=[webhooks.Ended(shop.merchant_id, delivery.id, webhooks.Answer(state, 204, 5))])
    at = clocks.now() - timedelta(days=days_ago)
    Delivery.objects.filter(merchant_id=shop.merchant_id, id=delivery.id).update(ended_at=at)
    return delivery.id


def deliveries(shop):
    return list(Delivery.objects.filter(merchant_id=shop.merchant_id).order_by("id").values_list("id", flat=True))


def attempts(shop):
    return db.rows("SELECT count(*) AS n FROM webhooks_attempt WHERE merchant_id = %s", [shop.merchant_id])[0].n


def test_deliveries_that_ended_long_ago_go_with_their_attempts(shop):
    endpoint = listen(shop)
    old, young = end(shop, endpoint, days_ago=181), end(shop, endpoint, days_ago=1)
    assert attempts(shop) == 2
    forget_deliveries(by=WORKER, before=clocks.now() - timedelta(days=180))
    assert (deliveries(shop), attempts(shop)) == ([young], 1)
    told_from = Endpoint.objects.get(merchant_id=shop.merchant_id, id=endpoint.id).told_from
    assert told_from < Delivery.objects.get(merchant_id=shop.merchant_id, id=young).seq
    assert old not in deliveries(shop)


def test_nothing_goes_before_what_is_still_to_be_told(shop):
    endpoint = listen(shop)
    waiting = end(shop, endpoint, days_ago=0, state="pending")
    webhooks.test(by=shop.owner, merchant_id=shop.merchant_id, id=endpoint.id)
    webhooks.follow()
    later = Delivery.objects.filter(merchant_id=shop.merchant_id).exclude(id=waiting).get()
    webhooks.conclude(
        by=WORKER, ended=[webhooks.Ended(shop.merchant_id, later.id, webhooks.Answer("delivered", 204, 5))]
    )
    before = deliveries(shop)
    forget_deliveries(by=WORKER, before=clocks.now() + timedelta(days=1))
    assert deliveries(shop) == before


def test_a_delivery_that_is_told_of_cannot_be_removed(shop):
    end(shop, listen(shop), days_ago=500)
    before = deliveries(shop), attempts(shop)
    for table in ("webhooks_delivery", "webhooks_attempt"):
        with pytest.raises(DatabaseError), connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table} WHERE merchant_id = {shop.merchant_id}")
    assert (deliveries(shop), attempts(shop)) == before


def test_the_worker_looks_for_it_once_an_hour(shop, clock, monkeypatch):
    asked: list[Actor] = []
    monkeypatch.setattr(worker, "_forgot", {})
    monkeypatch.setattr(worker, "forget_addresses", lambda by, before: asked.append(by) or 0)
    worker.forget_the_old()
    worker.forget_the_old()
    assert len(asked) == 1
    clock.move(hours=1)
    worker.forget_the_old()
    assert len(asked) == 2
