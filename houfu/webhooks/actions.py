"""Webhooks: endpoints that are told a merchant's history, their keys, and what becomes of each delivery."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings

from houfu.history import actions as history
from houfu.kernel import clock, data_keys, db
from houfu.kernel.errors import Invalid, Refused
from houfu.kernel.models import Instance
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor
from houfu.webhooks import addresses, queries, rules, signing, states
from houfu.webhooks.models import Delivery, Endpoint, Key
from houfu.webhooks.wire import Answer

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


@db.refuse_on("webhooks_endpoint_partner")
class PartnersVerbs(Invalid):
    """A partner's endpoint is told limit.changed of named stores, and nothing else (L8)."""

    code = "webhooks_endpoint_partner"


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
def add(
    *,
    by: Actor,
    merchant_id: int,
    url: str,
    verbs: Sequence[str],
    partner_id: int | None = None,
    store_ids: Sequence[int] | None = None,
) -> tuple[Endpoint, signing.Signer]:
    """Tell an endpoint what happens from now on, and return it with its keys, whose secret is shown this once.

    Args:
        verbs: of history, each as "payout.paid", "payout.*" or "*".
        partner_id, store_ids: the party whose endpoint it is and the stores of which it is told that their limits have
            changed (L8); whoever calls knows them to be the merchant's.

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
        "INSERT INTO webhooks_endpoint (merchant_id, place, url, verbs, state, told_from, cursor, added_at,"
        " partner_id, store_ids)"
        " SELECT %(merchant_id)s, %(place)s, %(url)s, %(verbs)s, 'active', seq, seq, %(now)s, %(partner_id)s,"
        " %(store_ids)s::bigint[] FROM ("
        " SELECT coalesce((SELECT seq FROM history_head WHERE merchant_id = %(merchant_id)s), 0) AS seq) h"
        " RETURNING id",
        {
            "merchant_id": merchant_id,
            "place": place,
            "url": target.url,
            "verbs": _sorted(verbs),
            "now": clock.now(),
            "partner_id": partner_id,
            "store_ids": None if store_ids is None else sorted(set(store_ids)),
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
    _remove(by, merchant_id, id)


def _remove(by: Actor, merchant_id: int, id: int) -> None:
    states.move_endpoint("remove", Endpoint, {"merchant_id": merchant_id, "id": id}, disabled_for=None)
    Key.objects.filter(merchant_id=merchant_id, endpoint_id=id).delete()
    pending = Delivery.objects.filter(merchant_id=merchant_id, endpoint_id=id, state="pending")
    pending.update(state="given_up", next_at=None, ended_at=clock.now())
    _note("removed", by, merchant_id, id)


@db.action
def remove_partners(*, by: Actor, merchant_id: int, partner_id: int) -> None:
    """Take all endpoints of a partner away for good; whoever calls may decide about it."""
    theirs = Endpoint.objects.filter(merchant_id=merchant_id, partner_id=partner_id).exclude(state="removed")
    for endpoint_id in sorted(theirs.values_list("id", flat=True)):
        queries.lock_endpoint(merchant_id, endpoint_id, removed=False)
        _remove(by, merchant_id, endpoint_id)


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


class Ended(NamedTuple):
    """How an attempt at a delivery ended."""

    merchant_id: int
    delivery_id: int
    answer: Answer


@db.action
def conclude(*, by: Actor, ended: Sequence[Ended]) -> None:
    """Keep how attempts ended, and say what comes next: nothing, another attempt, or the end of trying.

    A delivery that ended meanwhile, or whose endpoint was removed, stays as it is; the attempt is kept all the same.

    Args:
        ended: attempts at different deliveries, those at one endpoint's in the order in which they were made.
    """
    now = clock.now()
    columns = ([each.merchant_id for each in ended], [each.delivery_id for each in ended])
    outcomes = [each.answer.outcome for each in ended]
    statuses, latencies = [each.answer.status for each in ended], [each.answer.latency_ms for each in ended]
    for failed in db.call("webhooks_conclude_v1", *columns, outcomes, statuses, latencies, now):
        _failed(by, failed, now)


def _failed(by: Actor, failed: Any, now: datetime) -> None:
    """Let an endpoint rest after failures in a row, and say when a delivery is tried again, if ever."""
    endpoint = queries.endpoint(failed.merchant_id, failed.endpoint_id)
    failures = endpoint.failures + 1
    Endpoint.objects.filter(merchant_id=endpoint.merchant_id, id=endpoint.id).update(
        tried_at=now, failures=failures, rests_until=rules.rest(failures, now, _dice())
    )
    again = None if failed.outcome == "gone" else rules.next_try(failed.tries, failed.since, now, _dice())
    if again:
        Delivery.objects.filter(merchant_id=failed.merchant_id, id=failed.delivery_id).update(next_at=again)
    else:
        _give_up(by, endpoint, failed, now)


def _give_up(by: Actor, endpoint: Endpoint, failed: Any, now: datetime) -> None:
    """End a delivery that nobody took; where nothing else got through either, its endpoint is told no more."""
    key = {"merchant_id": failed.merchant_id, "id": failed.delivery_id}
    states.move_delivery("give_up", Delivery, key, next_at=None, ended_at=now)
    gone = failed.outcome == "gone"
    said = {"delivery": failed.delivery_id, "outcome": failed.outcome}
    if endpoint.state == "active" and (gone or rules.hopeless(failed.since, endpoint.delivered_at)):
        _disable(by, endpoint.merchant_id, endpoint.id, "gone" if gone else "unreachable", **said)
    else:
        subject = f"delivery/{failed.delivery_id}"
        said = {"endpoint": endpoint.id, "outcome": failed.outcome}
        history.record("delivery.given_up", by=by, merchant_id=endpoint.merchant_id, subject=subject, **said)


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
            data_keys.seal(signer.secret.hex(), f"{place}/secret", merchant_id, ring=queries.RING),
            data_keys.seal(signer.private.hex(), f"{place}/private", merchant_id, ring=queries.RING),
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
