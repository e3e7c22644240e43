"""A pool that follows clock and weather: its settings, adjustments and time bands, proposed and accepted (L4–L6).

Nothing moves here: what of a pool may be used at an instant is looked up by whoever draws (limits_pool_usable_v1). What
changes it holds the pool's account first and reads the clock then, so no draw falls between the two.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from houfu.history import actions as history
from houfu.kernel import clock, db
from houfu.kernel.errors import NotFound, Refused
from houfu.ledger import actions as ledger
from houfu.ledger.actions import Account
from houfu.limits import queries, rules, states
from houfu.limits.models import Adjustment, Bands, Dynamic, Pool
from houfu.people.actor import Actor
from houfu.policies import queries as policies

BY_RULE = "rule"


class DynamicRefused(Refused):
    """This pool cannot be dynamic in this way; the reasons say why."""

    code = "limits_dynamic_refused"


class AdjustmentRefused(Refused):
    """This adjustment is refused; the reasons say why."""

    code = "limits_adjustment_refused"


class BandsRefused(Refused):
    """This table of time bands is refused; the reasons say why."""

    code = "limits_bands_refused"


@db.refuse_on("limits_bands_one_in_force")
class BandsInForce(Refused):
    """Another table of bands was accepted for this pool at the same time; look again."""

    code = "limits_bands_one_in_force"


@db.action
def set_dynamic(
    *,
    by: Actor,
    merchant_id: int,
    pool_id: int,
    base_fen: int | None = None,
    floating_fen: int | None = None,
    auto_fen: int = 0,
    place: str | None = None,
) -> Dynamic:
    """Let a pool be dynamic from now on: base + min(floating, Σ adjustments) of it may be used (L4).

    Args:
        base_fen, floating_fen: the policy's unless given.
        auto_fen: proposals of weather and forecast of up to this much are accepted by rule.
        place: where its weather is looked at, as "30.27,120.16" (latitude, longitude); nowhere unless given.

    Raises:
        DynamicRefused: with every reason at once; everything is as it was.
    """
    pool = queries.access_pool(by, "limits:write", merchant_id, pool_id)
    where, reasons = rules.read_place(place)
    reasons += rules.amount_refusals(base_fen=base_fen, floating_fen=floating_fen, auto_fen=auto_fen)
    if pool.state == "closed":
        reasons.append(rules.closed())
    if reasons:
        raise DynamicRefused(*reasons)
    now = _hold(merchant_id, pool_id)
    policy = policies.at(now).dynamic
    base = policy.base_fen if base_fen is None else base_fen
    floating = policy.floating_fen if floating_fen is None else floating_fen
    _set(by, merchant_id, pool_id, now, is_on=True, fen=(base, floating, auto_fen), place=where)
    history.record(
        "pool.dynamic_set",
        by=by,
        merchant_id=merchant_id,
        subject=f"pool/{pool_id}",
        base_fen=base,
        floating_fen=floating,
        auto_fen=auto_fen,
        place=where or "",
    )
    return _settings(merchant_id, pool_id, now)


@db.action
def stop_dynamic(*, by: Actor, merchant_id: int, pool_id: int) -> None:
    """Let all that a pool holds be used again, as far as its bands and its filing allow; adjustments have no effect.

    Raises:
        DynamicRefused: it is not dynamic.
    """
    queries.access_pool(by, "limits:write", merchant_id, pool_id)
    now = _hold(merchant_id, pool_id)
    before = queries.settings(merchant_id, pool_id, now)
    if before is None:
        raise DynamicRefused(rules.not_dynamic())
    amounts = (before.base_fen, before.floating_fen, before.auto_fen)
    _set(by, merchant_id, pool_id, now, is_on=False, fen=amounts, place=before.place)
    history.record("pool.dynamic_stopped", by=by, merchant_id=merchant_id, subject=f"pool/{pool_id}")


@db.action
def propose(
    *,
    by: Actor,
    merchant_id: int,
    pool_id: int,
    kind: str,
    amount_fen: int,
    valid_from: datetime,
    valid_until: datetime,
    reason: str,
    source: Mapping[str, Any],
) -> Adjustment:
    """Propose that more or less of a dynamic pool may be used for a while (L4).

    Args:
        kind: "weather", "forecast" or "manual".
        amount_fen: below zero where less may be used; together they never add more than the floating part.
        source: what it was computed from; of the weather, the instant of its data as "observed_at", which it never
            outlives by more than the policy allows (L6).

    Raises:
        AdjustmentRefused: with every reason at once; nothing was proposed.
    """
    pool = queries.access_pool(by, "limits:write", merchant_id, pool_id)
    now = clock.now()
    settings = queries.settings(merchant_id, pool_id, now)
    facts = rules.AdjustmentFacts(
        kind=kind, amount_fen=amount_fen, valid_from=valid_from, valid_until=valid_until, reason=reason,
        observed_at=rules.observed_at(source), is_dynamic=settings is not None, is_closed=pool.state == "closed",
    )  # fmt: skip
    stale = timedelta(hours=policies.at(now).dynamic.weather_stale_hours)
    if reasons := rules.adjustment_refusals(facts, now, stale):
        raise AdjustmentRefused(*reasons)
    assert settings is not None
    data_until = facts.observed_at + stale if kind == "weather" and facts.observed_at else None
    made = db.rows(
        "INSERT INTO limits_adjustment (merchant_id, pool_id, kind, amount_fen, valid_from, valid_until, data_until,"
        " reason, source, state, proposed_by, proposed_at, ends_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'proposed', %s, %s, %s) RETURNING id",
        [
            merchant_id, pool_id, kind, amount_fen, valid_from, valid_until, data_until, reason, _written(source),
            by.label, now, min(valid_until, data_until or valid_until),
        ],
    )[0].id  # fmt: skip
    history.record(
        "adjustment.proposed",
        by=by,
        merchant_id=merchant_id,
        subject=f"adjustment/{made}",
        pool_id=pool_id,
        kind=kind,
        amount_fen=amount_fen,
        valid_from=valid_from.isoformat(),
        valid_until=valid_until.isoformat(),
        reason=reason,
    )
    if rules.accepted_by_rule(kind, amount_fen, settings.auto_fen):
        _accept(by, merchant_id, pool_id, made, valid_from, BY_RULE)
    return Adjustment.objects.get(merchant_id=merchant_id, id=made)


@db.action
def accept_adjustment(*, by: Actor, merchant_id: int, id: int) -> Adjustment:
    """Accept a proposed adjustment; it works from now on, while it is valid.

    Raises:
        AdjustmentRefused: its time is over.
        IllegalMove: somebody has decided already.
    """
    found = _decided_by_a_person(by, merchant_id, id)
    _accept(by, merchant_id, found.pool_id, id, found.valid_from, by.label)
    return Adjustment.objects.get(merchant_id=merchant_id, id=id)


@db.action
def reject_adjustment(*, by: Actor, merchant_id: int, id: int) -> None:
    """Decide against a proposed adjustment."""
    _decided_by_a_person(by, merchant_id, id)
    states.move_adjustment("reject", Adjustment, {"merchant_id": merchant_id, "id": id}, decided_by=by.label)
    history.record("adjustment.rejected", by=by, merchant_id=merchant_id, subject=f"adjustment/{id}")


@db.action
def withdraw_adjustment(*, by: Actor, merchant_id: int, id: int, reason: str = "") -> None:
    """End an adjustment, proposed or accepted, before its time."""
    found = access_adjustment(by, "limits:write", merchant_id, id)
    now = _hold(merchant_id, found.pool_id)
    key = {"merchant_id": merchant_id, "id": id}
    states.move_adjustment("withdraw", Adjustment, key, ended_by=by.label, ends_at=min(now, found.ends_at))
    history.record("adjustment.withdrawn", by=by, merchant_id=merchant_id, subject=f"adjustment/{id}", reason=reason)
    _tell(now, merchant_id, found.pool_id)


@db.action
def refresh_adjustment(*, by: Actor, merchant_id: int, id: int, source: Mapping[str, Any]) -> bool:
    """Let an adjustment of the weather stand on newer data that says the same, and say whether it still could (L6).

    One whose data was too old in the meantime is over: what fell back to base stays so.
    """
    by.require("platform:write")
    found = Adjustment.objects.select_for_update().get(merchant_id=merchant_id, id=id)
    now = clock.now()
    observed_at = rules.observed_at(source)
    if observed_at is None or found.state not in ("proposed", "accepted") or found.ends_at <= now:
        return False
    data_until = observed_at + timedelta(hours=policies.at(now).dynamic.weather_stale_hours)
    if found.data_until is None or data_until <= found.data_until:
        return True
    Adjustment.objects.filter(merchant_id=merchant_id, id=id).update(
        data_until=data_until, ends_at=min(found.valid_until, data_until), source=_written(source)
    )
    history.record(
        "adjustment.refreshed", by=by, merchant_id=merchant_id, subject=f"adjustment/{id}",
        data_until=data_until.isoformat(),
    )  # fmt: skip
    return True


@db.action
def expire_adjustments(*, by: Actor) -> int:
    """Write down that adjustments' time is over, and return of how many; they had no effect any more."""
    over = list(queries.adjustments_over(clock.now()))
    for each in over:
        states.move_adjustment("expire", Adjustment, {"merchant_id": each.merchant_id, "id": each.id})
        history.record(
            "adjustment.expired",
            by=by,
            merchant_id=each.merchant_id,
            subject=f"adjustment/{each.id}",
            ended_at=each.ends_at.isoformat(),
        )
    return len(over)


@db.action
def propose_bands(
    *,
    by: Actor,
    merchant_id: int,
    pool_id: int,
    bands: Sequence[Mapping[str, Any]] | None = None,
    reason: str,
    source: Mapping[str, Any],
) -> Bands:
    """Propose a table of time bands for a pool, which replaces the one before once it is accepted (L5).

    Args:
        bands: each with `name`, `opens`, `closes` (as "05:00", in Shanghai) and `limit_fen`; the policy's unless given,
            and none where the list is empty.

    Raises:
        BandsRefused: with every reason at once; nothing was proposed.
    """
    pool = queries.access_pool(by, "limits:write", merchant_id, pool_id)
    now = clock.now()
    said = [rules.of_policy(band) for band in policies.at(now).dynamic.bands] if bands is None else bands
    table, reasons = rules.read_bands(said)
    if not 2 <= len(reason.strip()) <= 500:
        reasons.append(rules.no_reason())
    if pool.state == "closed":
        reasons.append(rules.closed())
    if reasons:
        raise BandsRefused(*reasons)
    made = db.rows(
        "INSERT INTO limits_bands (merchant_id, pool_id, reason, source, state, proposed_by, proposed_at)"
        " VALUES (%s, %s, %s, %s, 'proposed', %s, %s) RETURNING id",
        [merchant_id, pool_id, reason, _written(source), by.label, now],
    )[0].id
    for band in table:
        db.rows("INSERT INTO limits_band VALUES (%s, %s, %s, %s, %s, %s)", [merchant_id, made, *band])
    history.record(
        "bands.proposed",
        by=by,
        merchant_id=merchant_id,
        subject=f"bands/{made}",
        pool_id=pool_id,
        reason=reason,
        bands=[rules.said(band) for band in table],
    )
    settings = queries.settings(merchant_id, pool_id, now)
    before = queries.bands_in_force(merchant_id, pool_id, now)
    if settings and by.kind == "system" and rules.bands_accepted_by_rule(before, table, settings.auto_fen):
        _accept_bands(by, merchant_id, pool_id, made, BY_RULE)
    return Bands.objects.get(merchant_id=merchant_id, id=made)


@db.action
def accept_bands(*, by: Actor, merchant_id: int, id: int) -> Bands:
    """Accept a proposed table of bands; it holds from now on, in the place of the one before.

    Raises:
        IllegalMove: somebody has decided already.
    """
    found = _bands_of_a_person(by, merchant_id, id)
    _accept_bands(by, merchant_id, found.pool_id, id, by.label)
    return Bands.objects.get(merchant_id=merchant_id, id=id)


@db.action
def reject_bands(*, by: Actor, merchant_id: int, id: int) -> None:
    """Decide against a proposed table of bands."""
    _bands_of_a_person(by, merchant_id, id)
    states.move_bands("reject", Bands, {"merchant_id": merchant_id, "id": id}, decided_by=by.label)
    history.record("bands.rejected", by=by, merchant_id=merchant_id, subject=f"bands/{id}")


@db.action
def withdraw_bands(*, by: Actor, merchant_id: int, id: int) -> None:
    """Take a table of bands back; where it was in force, no band caps the pool from now on."""
    found = access_bands(by, "limits:write", merchant_id, id)
    now = _hold(merchant_id, found.pool_id)
    ends = {"ends_at": now} if found.state == "accepted" else {}
    states.move_bands("withdraw", Bands, {"merchant_id": merchant_id, "id": id}, **ends)
    history.record("bands.withdrawn", by=by, merchant_id=merchant_id, subject=f"bands/{id}")
    _tell(now, merchant_id, found.pool_id)


@db.action
def tell_turns(*, by: Actor) -> int:
    """Tell those who listen of pools of which more or less may be used by now than when they were told last (G7)."""
    by.require("platform:write")
    return _tell(clock.now())


def access_adjustment(by: Actor, scope: str, merchant_id: int, id: int) -> Adjustment:
    """Return an adjustment, if the actor may do `scope` to its pool."""
    by.require(scope, merchant_id)
    found = Adjustment.objects.filter(merchant_id=merchant_id, id=id).first()
    if found is None:
        raise NotFound()
    queries.access_pool(by, scope, merchant_id, found.pool_id)
    return found


def access_bands(by: Actor, scope: str, merchant_id: int, id: int) -> Bands:
    """Return a table of bands, if the actor may do `scope` to its pool."""
    by.require(scope, merchant_id)
    found = Bands.objects.filter(merchant_id=merchant_id, id=id).first()
    if found is None:
        raise NotFound()
    queries.access_pool(by, scope, merchant_id, found.pool_id)
    return found


def _decided_by_a_person(by: Actor, merchant_id: int, id: int) -> Adjustment:
    by.require("limits:write", merchant_id)
    by.require_person()
    return access_adjustment(by, "limits:write", merchant_id, id)


def _bands_of_a_person(by: Actor, merchant_id: int, id: int) -> Bands:
    by.require("limits:write", merchant_id)
    by.require_person()
    return access_bands(by, "limits:write", merchant_id, id)


def _hold(merchant_id: int, pool_id: int) -> datetime:
    """Let no draw from a pool be decided until the action ends, and return the instant from which on that is so."""
    Pool.objects.filter(merchant_id=merchant_id, id=pool_id, dynamic=False).update(dynamic=True)
    ledger.lock(merchant_id, [Account("q:pool:free", pool_id)])
    return clock.now()


def _set(
    by: Actor, merchant_id: int, pool_id: int, now: datetime, *, is_on: bool, fen: tuple[int, int, int],
    place: str | None,
) -> None:  # fmt: skip
    db.rows(
        "INSERT INTO limits_dynamic"
        " (merchant_id, pool_id, valid_from, is_on, base_fen, floating_fen, auto_fen, place, set_by)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [merchant_id, pool_id, now, is_on, *fen, place, by.label],
    )
    _tell(now, merchant_id, pool_id)


def _settings(merchant_id: int, pool_id: int, at: datetime) -> Dynamic:
    found = queries.settings(merchant_id, pool_id, at)
    assert found is not None
    return found


def _accept(by: Actor, merchant_id: int, pool_id: int, id: int, valid_from: datetime, decided_by: str) -> None:
    now = _hold(merchant_id, pool_id)
    if Adjustment.objects.filter(merchant_id=merchant_id, id=id, state="proposed", ends_at__lte=now).exists():
        raise AdjustmentRefused(rules.over())
    starts_at = max(valid_from, now)
    key = {"merchant_id": merchant_id, "id": id}
    states.move_adjustment("accept", Adjustment, key, decided_by=decided_by, starts_at=starts_at)
    history.record(
        "adjustment.accepted",
        by=by,
        merchant_id=merchant_id,
        subject=f"adjustment/{id}",
        pool_id=pool_id,
        decided_by=decided_by,
        starts_at=starts_at.isoformat(),
    )
    _tell(now, merchant_id, pool_id)


def _accept_bands(by: Actor, merchant_id: int, pool_id: int, id: int, decided_by: str) -> None:
    now = _hold(merchant_id, pool_id)
    for before in Bands.objects.filter(merchant_id=merchant_id, pool_id=pool_id, state="accepted"):
        states.move_bands("replace", Bands, {"merchant_id": merchant_id, "id": before.id}, ends_at=now)
    key = {"merchant_id": merchant_id, "id": id}
    states.move_bands("accept", Bands, key, decided_by=decided_by, starts_at=now)
    history.record(
        "bands.accepted", by=by, merchant_id=merchant_id, subject=f"bands/{id}", pool_id=pool_id, decided_by=decided_by
    )
    _tell(now, merchant_id, pool_id)


def _written(source: Mapping[str, Any]) -> str:
    return json.dumps(source, ensure_ascii=False, sort_keys=True, default=str)


def _tell(at: datetime, merchant_id: int | None = None, pool_id: int | None = None) -> int:
    """Publish what may be used of pools, of all or of one, where that is not what was told last."""
    told = db.rows(
        "WITH stands AS (SELECT p.merchant_id, p.id, greatest(u.usable_fen, p.limit_fen - coalesce(a.balance_fen, 0))"
        " AS usable_fen FROM limits_pool p"
        " CROSS JOIN LATERAL limits_pool_usable_v1(p.merchant_id, p.id, %(at)s, %(gate)s::bigint) u"
        " LEFT JOIN ledger_account a ON (a.merchant_id, a.kind, a.owner) = (p.merchant_id, 'q:pool:free', p.id)"
        " WHERE (p.dynamic OR p.limit_fen > %(gate)s::bigint) AND p.state <> 'closed'"
        " AND (%(merchant)s::bigint IS NULL OR (p.merchant_id, p.id) = (%(merchant)s::bigint, %(pool)s::bigint))),"
        " told AS (UPDATE limits_pool p SET told_fen = s.usable_fen FROM stands s"
        " WHERE (p.merchant_id, p.id) = (s.merchant_id, s.id) AND p.told_fen IS DISTINCT FROM s.usable_fen"
        " RETURNING p.merchant_id, p.id, p.told_fen)"
        " SELECT pg_notify('houfu_limits',"
        " json_build_array(json_build_array(merchant_id, 'q:pool:usable', id, told_fen))::text) FROM told",
        {"at": at, "gate": policies.at(at).pools.filing_above_fen, "merchant": merchant_id, "pool": pool_id},
    )
    return len(told)
