"""Reading webhooks; `access_*` is the only way to a single thing."""

import json
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Q

from houfu.kernel import clock, data_keys, db
from houfu.kernel.errors import NotFound
from houfu.people.actor import Actor
from houfu.webhooks import rules
from houfu.webhooks.models import Attempt, Delivery, Endpoint, Key
from houfu.webhooks.signing import Signer

RING = "webhooks"  # the key of the data folder that the sender needs, and no other


class Told(NamedTuple):
    """A delivery with what it tells, as a log shows it."""

    id: int
    endpoint_id: int
    seq: int
    verb: str
    subject: str
    at: datetime
    webhook_id: str
    state: str
    attempts: int
    next_at: datetime | None
    ended_at: datetime | None
    outcome: str | None
    status: int | None
    latency_ms: int | None


class Message(NamedTuple):
    """What is sent for a delivery."""

    delivery_id: int
    webhook_id: str
    body: bytes


def access_endpoint(by: Actor, scope: str, merchant_id: int, id: int) -> Endpoint:
    """Return an endpoint, if the actor may do `scope` to it."""
    by.require(scope, merchant_id)
    by.require_whole()
    return endpoint(merchant_id, id)


def access_delivery(by: Actor, scope: str, merchant_id: int, id: int) -> Delivery:
    """Return a delivery, if the actor may do `scope` to its merchant's things."""
    by.require(scope, merchant_id)
    by.require_whole()
    found = Delivery.objects.filter(merchant_id=merchant_id, id=id).first()
    if found is None:
        raise NotFound()
    return found


def endpoint(merchant_id: int, id: int) -> Endpoint:
    """Return an endpoint that the caller may see."""
    found = Endpoint.objects.filter(merchant_id=merchant_id, id=id).first()
    if found is None:
        raise NotFound()
    return found


def lock_endpoint(merchant_id: int, id: int, *, removed: bool = True) -> Endpoint:
    """Return an endpoint and hold it until the action ends.

    Args:
        removed: whether one that was removed counts as there.
    """
    found = Endpoint.objects.select_for_update(no_key=True).filter(merchant_id=merchant_id, id=id).first()
    if found is None or (found.state == "removed" and not removed):
        raise NotFound()
    return found


def endpoints(by: Actor, merchant_id: int) -> list[Endpoint]:
    """Return a merchant's endpoints, the removed ones left out."""
    by.require("webhooks:read", merchant_id)
    by.require_whole()
    return list(Endpoint.objects.filter(merchant_id=merchant_id).exclude(state="removed").order_by("id"))


def watched_stores() -> list[tuple[int, int]]:
    """Return the stores, by merchant and id, whose limits some partner's active endpoint is told of (L8)."""
    found = db.rows(
        "SELECT DISTINCT e.merchant_id, s.store_id FROM webhooks_endpoint e, unnest(e.store_ids) s (store_id)"
        " WHERE e.partner_id IS NOT NULL AND e.state = 'active' ORDER BY 1, 2"
    )
    return [(row.merchant_id, row.store_id) for row in found]


def public_keys(merchant_id: int, endpoint_id: int) -> list[str]:
    """Return the public keys that verify what an endpoint is told now, the current one first."""
    return [key.public_key for key in _active_keys(merchant_id, endpoint_id)]


def signers(merchant_id: int, endpoint_id: int) -> list[Signer]:
    """Return what signs for an endpoint now, in clear.

    Raises:
        VaultClosed: the key that sealed it is not here.
    """
    opened = []
    for key in _active_keys(merchant_id, endpoint_id):
        place = place_of(merchant_id, endpoint_id, key.public_key)
        secret = data_keys.unseal(bytes(key.secret_sealed), f"{place}/secret", merchant_id, ring=RING)
        private = data_keys.unseal(bytes(key.private_sealed), f"{place}/private", merchant_id, ring=RING)
        opened.append(Signer(bytes.fromhex(secret), bytes.fromhex(private)))
    return opened


def place_of(merchant_id: int, endpoint_id: int, public_key: str) -> str:
    """Return the place to which the halves of a key are bound."""
    return f"webhooks_key/{merchant_id}/{endpoint_id}/{public_key}"


RESEALING = data_keys.resealing(
    "webhooks_key",
    {
        "secret_sealed": lambda row: f"{place_of(row.merchant_id, row.endpoint_id, row.public_key)}/secret",
        "private_sealed": lambda row: f"{place_of(row.merchant_id, row.endpoint_id, row.public_key)}/private",
    },
    needs="endpoint_id public_key",
    ring=RING,
)


def _active_keys(merchant_id: int, endpoint_id: int) -> list[Key]:
    now = clock.now()
    found = Key.objects.filter(merchant_id=merchant_id, endpoint_id=endpoint_id)
    return list(found.filter(Q(retires_at=None) | Q(retires_at__gt=now)).order_by("-id"))


def deliveries(
    by: Actor, merchant_id: int, *, endpoint_id: int, state: str = "", before: int | None = None, limit: int = 100
) -> list[Told]:
    """Return an endpoint's deliveries with their last attempts, the newest first.

    Args:
        before: the id of the delivery after which the page begins.
    """
    access_endpoint(by, "webhooks:read", merchant_id, endpoint_id)
    return db.rows(
        "SELECT d.id, d.endpoint_id, d.seq, l.verb, l.subject, l.at, l.hash, d.state, d.attempts, d.next_at,"
        " d.ended_at, a.outcome, a.status, a.latency_ms"
        " FROM webhooks_delivery d JOIN history_link l USING (merchant_id, seq)"
        " LEFT JOIN webhooks_attempt a ON (a.merchant_id, a.delivery_id, a.no) = (d.merchant_id, d.id, d.attempts)"
        " WHERE (d.merchant_id, d.endpoint_id) = (%(merchant_id)s, %(endpoint_id)s)"
        " AND (%(state)s = '' OR d.state = %(state)s) AND (%(before)s::bigint IS NULL OR d.id < %(before)s)"
        " ORDER BY d.id DESC LIMIT %(limit)s",
        {
            "merchant_id": merchant_id,
            "endpoint_id": endpoint_id,
            "state": state,
            "before": before,
            "limit": limit,
        },
        _told,
    )


def attempts(by: Actor, merchant_id: int, delivery_id: int) -> list[Attempt]:
    """Return every attempt at a delivery, the first first."""
    access_delivery(by, "webhooks:read", merchant_id, delivery_id)
    return list(Attempt.objects.filter(merchant_id=merchant_id, delivery_id=delivery_id).order_by("no"))


def due(busy: list[tuple[int, int]], *, doubtful: bool, limit: int) -> list[tuple[int, int]]:
    """Return the endpoints, of all merchants, whose turn it is: merchant and id, the longest waiting first.

    Args:
        busy: whose turn it is already.
        doubtful: those that failed last, are slow or never took anything yet; else the others.
    """
    asked: list[Any] = [clock.now(), doubtful, rules.SLOW_MS, [m for m, _ in busy], [e for _, e in busy], limit]
    found = db.rows("SELECT * FROM webhooks_due_v1(%s, %s, %s, %s::bigint[], %s::bigint[], %s)", asked)
    return [(row.merchant_id, row.endpoint_id) for row in found]


def messages(merchant_id: int, endpoint_id: int, limit: int) -> list[Message]:
    """Return what is due to an endpoint, in the order of its merchant's chain."""
    found = db.rows(
        "SELECT d.id, d.seq, l.verb, l.subject, l.at, l.detail, l.hash"
        " FROM webhooks_delivery d JOIN history_link l USING (merchant_id, seq)"
        " WHERE (d.merchant_id, d.endpoint_id) = (%s, %s) AND d.state = 'pending' AND d.next_at <= %s"
        " ORDER BY d.seq LIMIT %s",
        [merchant_id, endpoint_id, clock.now(), limit],
    )
    return [
        Message(
            row.id,
            rules.message_id(row.hash),
            rules.body(
                merchant_id=merchant_id,
                seq=row.seq,
                at=row.at,
                verb=row.verb,
                subject=row.subject,
                detail=json.loads(row.detail),
            ),
        )
        for row in found
    ]


def _told(*columns: Any) -> Told:
    id_, endpoint_id, seq, verb, subject, at, digest, *rest = columns
    return Told(id_, endpoint_id, seq, verb, subject, at, rules.message_id(bytes(digest)), *rest)
