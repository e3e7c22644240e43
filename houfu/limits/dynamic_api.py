"""Dynamic pools over HTTP: settings, adjustments, time bands, and what may be used over a day."""

import json
from datetime import date, datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import Field

from houfu.kernel import clock, db
from houfu.kernel.http import PROBLEMS, In, Instant, Limit, Out, Page, actor, after, mine, page
from houfu.kernel.money import FEN_MAX
from houfu.limits import actions, queries, rules
from houfu.limits.models import Adjustment, Bands

router = Router(tags=["limits"])

UpTo = Annotated[int, Field(ge=0, le=FEN_MAX, description="an amount in fen")]
Why = Annotated[str, Field(min_length=2, max_length=500)]


class DynamicIn(In):
    base_fen: UpTo | None = Field(default=None, description="the policy's where it is not said")
    floating_fen: UpTo | None = Field(default=None, description="the policy's where it is not said")
    auto_fen: UpTo = Field(default=0, description="proposals of weather and forecast up to it are accepted by rule")
    place: str | None = Field(default=None, max_length=40, description="latitude and longitude, as 30.27,120.16")


class DynamicOut(Out):
    """How a pool is dynamic since an instant."""

    pool_id: int
    valid_from: datetime
    base_fen: int
    floating_fen: int
    auto_fen: int
    place: str | None
    set_by: str


class UsableOut(Out):
    """What of a pool may be used at an instant, and what made it so; null is what plays no part then."""

    at: datetime
    usable_fen: int
    holds_fen: int
    gate_fen: int | None
    base_fen: int | None
    floating_fen: int | None
    adjusted_fen: int | None
    dynamic_fen: int | None
    band: str | None
    band_fen: int | None


class PoolNowOut(Out):
    """What a pool holds, and what of it may be used now: never less than is in use."""

    pool_id: int
    state: str
    limit_fen: int
    free_fen: int
    usable_fen: int
    room_fen: int
    settings: DynamicOut | None


class Proposal(In):
    kind: Literal["weather", "forecast", "manual"] = "manual"
    amount_fen: int = Field(ge=-FEN_MAX, le=FEN_MAX, description="below zero where less may be used")
    valid_from: Instant
    valid_until: Instant
    reason: Why
    source: dict[str, Any] = Field(default={}, description="what it was computed from")


class AdjustmentOut(Out):
    id: int
    pool_id: int
    kind: str
    amount_fen: int
    valid_from: datetime
    valid_until: datetime
    data_until: datetime | None
    reason: str
    source: dict[str, Any]
    state: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    ended_by: str | None
    starts_at: datetime | None
    ends_at: datetime

    @staticmethod
    def resolve_source(row: Adjustment) -> Any:
        return json.loads(row.source)


class BandIn(In):
    name: str = Field(min_length=1, max_length=60)
    opens: str = Field(description="as 05:00, in Shanghai")
    closes: str = Field(description="as 11:00; past midnight where it comes before `opens`")
    limit_fen: UpTo


class BandsIn(In):
    bands: list[BandIn] | None = Field(default=None, description="the policy's where it is not said; [] for none")
    reason: Why
    source: dict[str, Any] = Field(default={}, description="what it was computed from")


class BandOut(Out):
    name: str
    opens: str
    closes: str
    limit_fen: int


class BandsOut(Out):
    id: int
    pool_id: int
    reason: str
    source: dict[str, Any]
    state: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    starts_at: datetime | None
    ends_at: datetime | None
    bands: list[BandOut]


@router.put("/pools/{int:pool_id}/dynamic", response={200: DynamicOut, **PROBLEMS})
def set_dynamic(request: HttpRequest, pool_id: int, body: DynamicIn) -> Any:
    """Let a pool be dynamic from now on: base + min(floating, adjustments) of it may be used (L4)."""
    return actions.set_dynamic(by=actor(request), merchant_id=mine(request), pool_id=pool_id, **body.dict())


@router.delete("/pools/{int:pool_id}/dynamic", response={204: None, **PROBLEMS})
def stop_dynamic(request: HttpRequest, pool_id: int) -> Any:
    """Let all that a pool holds be used again, as far as its bands and its filing allow."""
    actions.stop_dynamic(by=actor(request), merchant_id=mine(request), pool_id=pool_id)
    return Status(204, None)


@router.get("/pools/{int:pool_id}/dynamic", response={200: PoolNowOut, **PROBLEMS})
def dynamic(request: HttpRequest, pool_id: int) -> Any:
    """Return what may be used of a pool now, and how it is dynamic, if it is."""
    found = queries.pool_figures(actor(request), mine(request), pool_id)
    return {**vars(found), "settings": queries.settings(mine(request), pool_id, clock.now())}


@router.get("/pools/{int:pool_id}/schedule", response={200: list[UsableOut], **PROBLEMS})
def schedule(request: HttpRequest, pool_id: int, day: date | None = None) -> Any:
    """Return what may be used of a pool at each half hour of a business day (today's unless said), as known now."""
    asked = day or clock.business_day(clock.now())
    return queries.schedule(actor(request), mine(request), pool_id, asked)


@router.post("/pools/{int:pool_id}/adjustments", response={201: AdjustmentOut, **PROBLEMS})
def propose(request: HttpRequest, pool_id: int, body: Proposal) -> Any:
    """Propose that more or less of a dynamic pool may be used for a while (L4)."""
    return Status(201, actions.propose(by=actor(request), merchant_id=mine(request), pool_id=pool_id, **body.dict()))


@router.get("/pools/{int:pool_id}/adjustments", response={200: Page[AdjustmentOut], **PROBLEMS})
def adjustments(request: HttpRequest, pool_id: int, limit: Limit = 100, cursor: str | None = None) -> Any:
    """List a pool's adjustments, newest first."""
    place = after(cursor, "adjustments")
    found = queries.adjustments(actor(request), mine(request), pool_id, before=int(place[0]) if place else None)
    return page(db.page(found, limit + 1), limit, "adjustments", lambda row: [row.id])


@router.post("/adjustments/{int:adjustment_id}:accept", response={200: AdjustmentOut, **PROBLEMS})
def accept(request: HttpRequest, adjustment_id: int) -> Any:
    """Accept a proposed adjustment; it works from now on, while it is valid."""
    return actions.accept_adjustment(by=actor(request), merchant_id=mine(request), id=adjustment_id)


@router.post("/adjustments/{int:adjustment_id}:reject", response={204: None, **PROBLEMS})
def reject(request: HttpRequest, adjustment_id: int) -> Any:
    """Decide against a proposed adjustment."""
    actions.reject_adjustment(by=actor(request), merchant_id=mine(request), id=adjustment_id)
    return Status(204, None)


@router.post("/adjustments/{int:adjustment_id}:withdraw", response={204: None, **PROBLEMS})
def withdraw(request: HttpRequest, adjustment_id: int) -> Any:
    """End an adjustment before its time."""
    actions.withdraw_adjustment(by=actor(request), merchant_id=mine(request), id=adjustment_id)
    return Status(204, None)


@router.post("/pools/{int:pool_id}/bands", response={201: BandsOut, **PROBLEMS})
def propose_bands(request: HttpRequest, pool_id: int, body: BandsIn) -> Any:
    """Propose a table of time bands, which replaces the one before once it is accepted (L5)."""
    bands = None if body.bands is None else [band.dict() for band in body.bands]
    made = actions.propose_bands(
        by=actor(request), merchant_id=mine(request), pool_id=pool_id, bands=bands, reason=body.reason,
        source=body.source,
    )  # fmt: skip
    return Status(201, _table(made, queries.bands_of(made.merchant_id, made.id)))


@router.get("/pools/{int:pool_id}/bands", response={200: list[BandsOut], **PROBLEMS})
def bands(request: HttpRequest, pool_id: int) -> Any:
    """List a pool's latest tables of time bands, newest first."""
    return [_table(*each) for each in queries.band_tables(actor(request), mine(request), pool_id)]


@router.post("/bands/{int:bands_id}:accept", response={200: BandsOut, **PROBLEMS})
def accept_bands(request: HttpRequest, bands_id: int) -> Any:
    """Accept a proposed table of time bands; it holds from now on, in the place of the one before."""
    found = actions.accept_bands(by=actor(request), merchant_id=mine(request), id=bands_id)
    return _table(found, queries.bands_of(found.merchant_id, found.id))


@router.post("/bands/{int:bands_id}:reject", response={204: None, **PROBLEMS})
def reject_bands(request: HttpRequest, bands_id: int) -> Any:
    """Decide against a proposed table of time bands."""
    actions.reject_bands(by=actor(request), merchant_id=mine(request), id=bands_id)
    return Status(204, None)


@router.post("/bands/{int:bands_id}:withdraw", response={204: None, **PROBLEMS})
def withdraw_bands(request: HttpRequest, bands_id: int) -> Any:
    """Take a table of time bands back; where it was in force, no band caps the pool from now on."""
    actions.withdraw_bands(by=actor(request), merchant_id=mine(request), id=bands_id)
    return Status(204, None)


def _table(table: Bands, bands: list[rules.Band]) -> dict[str, Any]:
    names = [name for name in BandsOut.model_fields if name not in ("source", "bands")]
    return {
        **{name: getattr(table, name) for name in names},
        "source": json.loads(table.source),
        "bands": [rules.said(band) for band in bands],
    }
