"""Partners: parties that read the limits of named stores by a key, and are told at an endpoint that they moved (L8)."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from houfu.history import actions as history
from houfu.kernel import clock, db
from houfu.limits import queries as limits
from houfu.merchants import queries as merchants
from houfu.people import actions as people
from houfu.people.actor import Actor
from houfu.people.models import ApiKey
from houfu.policies import queries as policies
from houfu.splits import queries
from houfu.splits.actions.parties import PartyNotConfirmed
from houfu.splits.models import Party, Watch
from houfu.webhooks import actions as webhooks
from houfu.webhooks import queries as webhook_queries
from houfu.webhooks.models import Endpoint
from houfu.webhooks.signing import Signer

VERB = "limit.changed"
YEAR = timedelta(days=365)


@db.action
def create_key(
    *, by: Actor, merchant_id: int, party_id: int, name: str, store_ids: Sequence[int]
) -> tuple[ApiKey, str]:
    """Make a party's key to the limits of named stores, and return it with its token, which is shown this once.

    It lives as long as the contract, and a year at most.

    Raises:
        PartyNotConfirmed, NotFound, KeyLifeTooLong: no key was made.
    """
    party = _partner(by, "merchants:write", merchant_id, party_id, store_ids)
    ends = clock.start_of(party.valid_until + timedelta(days=1))
    return people.create_partner_key(
        by=by,
        merchant_id=merchant_id,
        partner_id=party_id,
        name=name,
        store_ids=store_ids,
        expires_at=min(ends, clock.now() + YEAR),
    )


@db.action
def add_endpoint(
    *, by: Actor, merchant_id: int, party_id: int, url: str, store_ids: Sequence[int]
) -> tuple[Endpoint, Signer]:
    """Tell a party's endpoint from now on that limits of named stores have changed, and return it with its keys.

    Raises:
        PartyNotConfirmed, NotFound, UrlRefused, NoRoom: nothing was added.
    """
    _partner(by, "webhooks:write", merchant_id, party_id, store_ids)
    added = webhooks.add(
        by=by, merchant_id=merchant_id, url=url, verbs=[VERB], partner_id=party_id, store_ids=store_ids
    )
    _look(by, merchant_id, sorted(set(store_ids)), clock.now(), tell=False)
    return added


def _partner(by: Actor, scope: str, merchant_id: int, party_id: int, store_ids: Sequence[int]) -> Party:
    party = queries.access_party(by, scope, merchant_id, party_id)
    by.require_whole()
    for store_id in store_ids:
        merchants.store(merchant_id, store_id)
    if party.state != "confirmed":
        raise PartyNotConfirmed()
    return party


@db.action
def tell_limits(*, by: Actor, merchant_id: int, store_ids: Sequence[int]) -> int:
    """Put it into the history where limits of stores that partners watch have changed, and return how many stores.

    Each is looked at once in the policy's seconds at most, so that a store's changes are told as one (decision 42).
    """
    now = clock.now()
    pause = timedelta(seconds=policies.at(now).splits.tell_seconds)
    return _look(by, merchant_id, store_ids, now, since=now - pause)


def _look(
    by: Actor,
    merchant_id: int,
    store_ids: Sequence[int],
    now: datetime,
    *,
    since: datetime | None = None,
    tell: bool = True,
) -> int:
    seen = {watch.store_id: watch for watch in _watches(merchant_id, store_ids)}
    due = [id_ for id_ in store_ids if since is None or id_ not in seen or seen[id_].looked_at <= since]
    if not due:
        return 0
    figures = {each.store_id: each for each in limits.snapshot(by, merchant_id).stores}
    changed = 0
    for store_id in due:
        text = json.dumps(asdict(figures[store_id]), sort_keys=True)
        digest = hashlib.sha256(text.encode()).digest()
        before = seen.get(store_id)
        db.rows(
            "INSERT INTO splits_watch VALUES (%s, %s, %s, %s) ON CONFLICT (merchant_id, store_id)"
            " DO UPDATE SET digest = excluded.digest, looked_at = excluded.looked_at",
            [merchant_id, store_id, digest, now],
        )
        if tell and before is not None and bytes(before.digest) != digest:
            history.record(VERB, by=by, merchant_id=merchant_id, subject=f"store/{store_id}", store_id=store_id)
            changed += 1
    return changed


def _watches(merchant_id: int, store_ids: Sequence[int]) -> list[Watch]:
    found = Watch.objects.select_for_update().filter(merchant_id=merchant_id, store_id__in=store_ids)
    return list(found.order_by("store_id"))


def watched() -> dict[int, list[int]]:
    """Return the stores whose limits partners' endpoints are told of, by merchant."""
    found: dict[int, list[int]] = {}
    for merchant_id, store_id in webhook_queries.watched_stores():
        found.setdefault(merchant_id, []).append(store_id)
    return found
