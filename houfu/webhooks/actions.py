"""Webhooks: endpoints that are told a merchant's history, their keys, and what becomes of each delivery."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from houfu.history import actions as history
from houfu.kernel import clock, db, vault
from houfu.kernel.errors import Invalid, NotFound, Refused
from houfu.kernel.models import Instance
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor
from houfu.webhooks import addresses, queries, rules, signing, states
from houfu.webhooks.models import Delivery, Endpoint, Key
from houfu.webhooks.wire import DELIVERED, Answer

MOST = 20  # endpoints of a merchant, as webhooks_endpoint_room has it
OVERLAP_HOURS = 24
ENDPOINTS, LINKS = 500, 1000  # that one call makes deliveries for

db.retry_on("webhooks_endpoint_place")  # somebody else took the place; the next try takes another


@db.refuse_on("webhooks_endpoint_room")
class NoRoom(Refused):
    """A merchant has twenty endpoints at most."""

    code = "webhooks_endpoint_room"


@db.refuse_on("webhooks_endpoint_verbs")
class BadVerbs(Invalid):
    """An endpoint names 1 to 50 verbs, each as payout.paid, payout.* or *."""

    code = "webhooks_endpoint_verbs"


@db.refuse_on("webhooks_key_one_retiring")
class RotationUnderWay(Refused):
    """The key before this one still signs; wait until it retires, or retire it at once."""

    code = "webhooks_key_one_retiring"


class NotActive(Refused):
    """This endpoint is disabled or removed, and told nothing."""

    code = "webhooks_endpoint_not_active"


def url_of(url: str) -> addresses.Target:
    """Return where a URL leads, by the rules of this instance.

    Raises:
        UrlRefused: nowhere that may be told anything.
    """
    return addresses.target(url, ports=settings.WEBHOOK_PORTS, trial=Instance.objects.get().kind == "trial")


@db.action
def add(*, by: Actor, merchant_id: int, url: str, verbs: Sequence[str]) -> tuple[Endpoint, signing.Signer]:
    """Tell an endpoint what happens from now on, and return it with its keys, whose secret is shown this once.

    Args:
        verbs: of history, each as "payout.paid", "payout.*" or "*".

    Raises:
        UrlRefused, BadVerbs, NoRoom: nothing was added.
    """
    merchants.access_merchant(by, "webhooks:write", merchant_id)
    by.require_person()
    by.require_whole()
    target = url_of(url)
    taken = set(
        Endpoint.objects.filter(merchant_id=merchant_id).exclude(state="removed").values_list("place", flat=True)
    )
    place = min(set(range(1, MOST + 2)) - taken)
    endpoint_id = db.rows(
        "INSERT INTO webhooks_endpoint (merchant_id, place, url, verbs, state, told_from, cursor, added_at)"
        " SELECT %(merchant_id)s, %(place)s, %(url)s, %(verbs)s, 'active', seq, seq, %(now)s FROM ("
        " SELECT coalesce((SELECT seq FROM history_head WHERE merchant_id = %(merchant_id)s), 0) AS seq) h"
        " RETURNING id",
        {
            "merchant_id": merchant_id,
            "place": place,
            "url": target.url,
            "verbs": _sorted(verbs),
            "now": clock.now(),
        },
    )[0].id
    signer = _new_key(merchant_id, endpoint_id)
    _note("added", by, merchant_id, endpoint_id, host=target.host, verbs=_sorted(verbs))
    return queries.endpoint(merchant_id, endpoint_id), signer


@db.action
def change(*, by: Actor, merchant_id: int, id: int, url: str = "", verbs: Sequence[str] = ()) -> Endpoint:
    """Give an endpoint another URL or other verbs; other verbs hold for the links after its cursor.

    Raises:
        UrlRefused, BadVerbs, NotFound: it is as it was.
    """
    endpoint = _held(by, merchant_id, id)
    changes = {}
    if url:
        target = url_of(url)
        changes = {"url": target.url, "failures": 0, "rests_until": None, "latency_ms": None}
    if verbs:
        changes |= {"verbs": _sorted(verbs), "told_from": endpoint.cursor}
    if changes:
        Endpoint.objects.filter(merchant_id=merchant_id, id=id).update(**changes)
        said = {"host": target.host} if url else {}
        _note("changed", by, merchant_id, id, **said, **({"verbs": _sorted(verbs)} if verbs else {}))
    return queries.endpoint(merchant_id, id)


@db.action
def rotate(*, by: Actor, merchant_id: int, id: int, overlap_hours: int = OVERLAP_HOURS) -> signing.Signer:
    """Make an endpoint new keys and return them; the ones before sign too until the overlap is over.

    Args:
        overlap_hours: 0 retires the ones before at once, as after a leak.

    Raises:
        RotationUnderWay: two sign already.
    """
    _held(by, merchant_id, id)
    now = clock.now()
    keys = Key.objects.filter(merchant_id=merchant_id, endpoint_id=id)
    (keys.filter(retires_at__lte=now) if overlap_hours else keys).delete()
    keys.filter(retires_at=None).update(retires_at=now + timedelta(hours=overlap_hours))
    signer = _new_key(merchant_id, id)
    _note("rotated", by, merchant_id, id, overlap_hours=overlap_hours)
    return signer


@db.action
def test(*, by: Actor, merchant_id: int, id: int) -> None:
    """Tell an endpoint something whatever its verbs are: that it was tested.

    Raises:
        NotActive: it is told nothing.
    """
    if _held(by, merchant_id, id).state != "active":
        raise NotActive()
    _note("tested", by, merchant_id, id)


@db.action
def disable(*, by: Actor, merchant_id: int, id: int) -> Endpoint:
    """Tell an endpoint nothing until it is enabled; what it is owed is kept."""
    _held(by, merchant_id, id)
    _disable(by, merchant_id, id, "asked")
    return queries.endpoint(merchant_id, id)


@db.action
def enable(*, by: Actor, merchant_id: int, id: int, skip: bool = False) -> Endpoint:
    """Tell an endpoint again: all that has happened meanwhile, unless it is skipped.

    Args:
        skip: whether to go on at the end of the chain; what was pending is given up.

    Raises:
        IllegalMove: it is not disabled.
    """
    _held(by, merchant_id, id)
    key = {"merchant_id": merchant_id, "id": id}
    states.move_endpoint("enable", Endpoint, key, disabled_for=None, failures=0, rests_until=None)
    now = clock.now()
    pending = Delivery.objects.filter(merchant_id=merchant_id, endpoint_id=id, state="pending")
    if skip:
        pending.update(state="given_up", next_at=None, ended_at=now)
        db.rows(
            "UPDATE webhooks_endpoint e SET told_from = h.seq, cursor = h.seq FROM history_head h"
            " WHERE h.merchant_id = e.merchant_id AND (e.merchant_id, e.id) = (%s, %s)",
            [merchant_id, id],
        )
    else:
        pending.update(tries=0, since=None, next_at=now)
    _note("enabled", by, merchant_id, id, skip=skip)
    return queries.endpoint(merchant_id, id)


@db.action
def remove(*, by: Actor, merchant_id: int, id: int) -> None:
    """Take an endpoint away for good, with its keys; its log stays."""
    _held(by, merchant_id, id)
    states.move_endpoint("remove", Endpoint, {"merchant_id": merchant_id, "id": id}, disabled_for=None)
    Key.objects.filter(merchant_id=merchant_id, endpoint_id=id).delete()
    pending = Delivery.objects.filter(merchant_id=merchant_id, endpoint_id=id, state="pending")
    pending.update(state="given_up", next_at=None, ended_at=clock.now())
    _note("removed", by, merchant_id, id)


@db.action
def replay(*, by: Actor, merchant_id: int, delivery_id: int) -> Delivery:
    """Send one delivery again, under the same webhook-id.

    Raises:
        NotActive: its endpoint is told nothing.
        IllegalMove: it is pending already.
    """
    delivery = queries.access_delivery(by, "webhooks:write", merchant_id, delivery_id)
    if _held(by, merchant_id, delivery.endpoint_id).state != "active":
        raise NotActive()
    states.move_delivery(
        "replay",
        Delivery,
        {"merchant_id": merchant_id, "id": delivery_id},
        tries=0,
        since=None,
        next_at=clock.now(),
        ended_at=None,
    )
    _note("replayed", by, merchant_id, delivery.endpoint_id, deliveries=1, seq=delivery.seq)
    return Delivery.objects.get(merchant_id=merchant_id, id=delivery_id)


@db.action
def replay_range(*, by: Actor, merchant_id: int, id: int, from_: datetime, to: datetime) -> int:
    """Tell an endpoint again what its verbs name of [from_, to), also what it was never told; return how much that is.

    Raises:
        NotActive: it is told nothing.
    """
    if _held(by, merchant_id, id).state != "active":
        raise NotActive()
    again = int(db.call("webhooks_replay_v1", merchant_id, id, from_, to, clock.now())[0][0])
    if again:
        said = {"from": from_.isoformat(), "to": to.isoformat()}
        _note("replayed", by, merchant_id, id, deliveries=again, **said)
    return again


@db.action
def follow() -> int:
    """Make deliveries of what active endpoints have not been told yet; return how many links were looked at."""
    return int(db.call("webhooks_follow_v1", clock.now(), ENDPOINTS, LINKS)[0][0])


@db.action
def conclude(*, by: Actor, merchant_id: int, delivery_id: int, answer: Answer) -> None:
    """Keep how an attempt ended, and say what comes next: nothing, another attempt, or the end of trying.

    A delivery that ended meanwhile, or whose endpoint was removed, stays as it is; the attempt is kept all the same.
    """
    found = Delivery.objects.filter(merchant_id=merchant_id, id=delivery_id).first()
    if found is None:
        raise NotFound()
    endpoint = queries.lock_endpoint(merchant_id, found.endpoint_id)
    delivery = Delivery.objects.select_for_update().get(merchant_id=merchant_id, id=delivery_id)
    now = clock.now()
    db.rows(
        "INSERT INTO webhooks_attempt VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [merchant_id, delivery_id, delivery.attempts + 1, now, answer.outcome, answer.status, answer.latency_ms],
    )
    row = Delivery.objects.filter(merchant_id=merchant_id, id=delivery_id)
    row.update(attempts=delivery.attempts + 1, tries=delivery.tries + 1, since=delivery.since or now)
    if delivery.state != "pending":
        return
    if answer.outcome == DELIVERED:
        _ended("deliver", delivery, now)
        _met(endpoint, now, failures=0, rests_until=None, delivered_at=now, latency_ms=answer.latency_ms)
        return
    failures = endpoint.failures + 1
    _met(endpoint, now, failures=failures, rests_until=rules.rest(failures, now, _dice()))
    since = delivery.since or now
    again = None if answer.outcome == "gone" else rules.next_try(delivery.tries + 1, since, now, _dice())
    if again:
        row.update(next_at=again)
    else:
        _give_up(by, endpoint, delivery, since, now, answer)


def _give_up(by: Actor, endpoint: Endpoint, delivery: Delivery, since: datetime, now: datetime, answer: Answer) -> None:
    """End a delivery that nobody took; where nothing else got through either, its endpoint is told no more."""
    _ended("give_up", delivery, now)
    gone = answer.outcome == "gone"
    if endpoint.state == "active" and (gone or rules.hopeless(since, endpoint.delivered_at)):
        _disable(
            by, endpoint.merchant_id, endpoint.id, "gone" if gone else "unreachable", outcome=answer.outcome,
            delivery=delivery.id,
        )  # fmt: skip
    else:
        history.record(
            "delivery.given_up",
            by=by,
            merchant_id=endpoint.merchant_id,
            subject=f"delivery/{delivery.id}",
            endpoint=endpoint.id,
            outcome=answer.outcome,
        )


def _held(by: Actor, merchant_id: int, id: int) -> Endpoint:
    """Return an endpoint that the actor may change, held until the action ends; a removed one is not there.

    Where a merchant's history goes is decided by people, and by such as are of the whole merchant.
    """
    by.require("webhooks:write", merchant_id)
    by.require_person()
    by.require_whole()
    return queries.lock_endpoint(merchant_id, id, removed=False)


def _disable(by: Actor, merchant_id: int, id: int, reason: str, **detail: Any) -> None:
    states.move_endpoint("disable", Endpoint, {"merchant_id": merchant_id, "id": id}, disabled_for=reason)
    _note("disabled", by, merchant_id, id, reason=reason, **detail)


def _ended(verb: str, delivery: Delivery, now: datetime) -> None:
    key = {"merchant_id": delivery.merchant_id, "id": delivery.id}
    states.move_delivery(verb, Delivery, key, next_at=None, ended_at=now)


def _met(endpoint: Endpoint, now: datetime, **changes: object) -> None:
    Endpoint.objects.filter(merchant_id=endpoint.merchant_id, id=endpoint.id).update(tried_at=now, **changes)


def _new_key(merchant_id: int, endpoint_id: int) -> signing.Signer:
    signer = signing.new_signer()
    place = queries.place_of(merchant_id, endpoint_id, signer.public_text)
    db.rows(
        "INSERT INTO webhooks_key (merchant_id, endpoint_id, public_key, secret_sealed, private_sealed, made_at)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        [
            merchant_id,
            endpoint_id,
            signer.public_text,
            vault.seal(signer.secret.hex(), f"{place}/secret", ring=queries.RING),
            vault.seal(signer.private.hex(), f"{place}/private", ring=queries.RING),
            clock.now(),
        ],
    )
    return signer


def _note(verb: str, by: Actor, merchant_id: int, endpoint_id: int, **detail: Any) -> None:
    history.record(f"endpoint.{verb}", by=by, merchant_id=merchant_id, subject=f"endpoint/{endpoint_id}", **detail)


def _sorted(verbs: Sequence[str]) -> list[str]:
    if any(" " in verb for verb in verbs):  # the database reads them as one text
        raise BadVerbs()
    return sorted(set(verbs))


def _dice() -> float:
    return random.random()  # noqa: S311  jitter is no secret
