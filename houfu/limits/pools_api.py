"""Pools signed for and changed by signature, filings of large ones, emergencies: over HTTP."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import Field

from houfu.kernel.http import PROBLEMS, Fen, In, Instant, Limit, Out, Page, actor, after, mine, page
from houfu.limits import actions, pool_queries, pooling, queries
from houfu.limits.api import MemberOut, PoolOut

router = Router(tags=["limits"])


class NewShare(In):
    share: int = Field(description="the k of own : shared = 1 : k")
    effective_at: Instant | None = Field(default=None, description="from the signature on unless given")
    reason: str


class NewReach(In):
    store_id: int
    amount_fen: Fen
    ends_at: Instant
    reason: str


class NewMove(In):
    store_id: int = Field(description="the store that gives")
    to_store_id: int
    amount_fen: Fen
    reason: str


class Why(In):
    reason: str = Field(min_length=1, max_length=500)


class Form(In):
    purpose: str = Field(min_length=4, max_length=500, description="what the pool is for")
    contact: str = Field(min_length=1, max_length=200, description="who answers for it")


class Reference(In):
    reference: str


class Acceptance(In):
    acceptance: str = Field(description="the number under which it was accepted")


class Returned(In):
    note: str = Field(min_length=1, max_length=500)


class Amount(In):
    amount_fen: Fen


class PaperOut(Out):
    """What the legal representative signs for, and its SHA-256."""

    version: int
    document: dict[str, Any] | None
    digest: str | None
    signed_at: datetime | None


class ChangeOut(Out):
    id: int
    pool_id: int
    kind: str
    store_id: int | None
    to_store_id: int | None
    amount_fen: int | None
    share_before: int | None
    share: int | None
    effective_at: datetime
    ends_at: datetime | None
    reason: str
    digest: str
    chain: list[str]
    state: str
    proposed_by: str
    proposed_at: datetime
    signed_at: datetime | None
    took_effect_at: datetime | None
    note: str


class FilingOut(Out):
    id: int
    pool_id: int
    state: str
    policy: str
    limit_fen: int
    figure_fen: int
    triggered_at: datetime
    form: dict[str, Any] | None
    reference: str | None
    submitted_at: datetime | None
    accepted_at: datetime | None
    acceptance: str | None
    note: str

    @staticmethod
    def resolve_form(filing: Any) -> dict[str, Any] | None:
        return pool_queries.read(filing.form) if filing.form else None


class StepOut(Out):
    name: str
    state: str
    missing: dict[str, int]
    since: datetime | None
    until: datetime | None


class EmergencyOut(Out):
    id: int
    store_id: int
    loan_id: int
    state: str
    amount_fen: int | None
    begun_at: datetime
    closed_at: datetime | None
    note: str
    steps: list[StepOut]

    @staticmethod
    def resolve_steps(emergency: Any) -> list[Any]:
        return pooling.emergency_steps(emergency)


def _before(cursor: str, listing: str) -> int | None:
    place = after(cursor, listing)
    return int(place[0]) if place else None


def _page(found: list[Any], limit: int, listing: str) -> Any:
    return page(found, limit, listing, lambda row: [row.id])


# Pools ---------------------------------------------------------------------------------------------------------------


@router.get("/pools/{int:pool_id}/paper", response={200: PaperOut, **PROBLEMS})
def paper(request: HttpRequest, pool_id: int) -> Any:
    """Return what is signed for of a pool, as it was asked for last."""
    pool = queries.access_pool(actor(request), "limits:read", mine(request), pool_id)
    document = pool_queries.read(pool.document) if pool.document else None
    return {"version": pool.version, "document": document, "digest": pool.digest, "signed_at": pool.signed_at}


@router.post("/pools/{int:pool_id}:ask-signature", response={200: PoolOut, **PROBLEMS})
def ask_signature(request: HttpRequest, pool_id: int) -> Any:
    """Ask the legal representative to sign for a pool as it is drawn up (G2)."""
    return actions.ask_signature(by=actor(request), merchant_id=mine(request), pool_id=pool_id)


@router.post("/pools/{int:pool_id}:wind-down", response={200: PoolOut, **PROBLEMS})
def wind_down(request: HttpRequest, pool_id: int) -> Any:
    """End a pool; once nothing is drawn, all that it holds goes back to where it came from."""
    return actions.wind_down(by=actor(request), merchant_id=mine(request), pool_id=pool_id)


@router.delete("/pools/{int:pool_id}/members/{int:store_id}", response={204: None, **PROBLEMS})
def leave_pool(request: HttpRequest, pool_id: int, store_id: int) -> Any:
    """Let a store leave a pool of which it draws nothing any more."""
    actions.leave_pool(by=actor(request), merchant_id=mine(request), pool_id=pool_id, store_id=store_id)
    return Status(204, None)


@router.post("/pools/{int:pool_id}/members/{int:store_id}:suspend", response={200: list[MemberOut], **PROBLEMS})
def suspend_member(request: HttpRequest, pool_id: int, store_id: int, body: Why) -> Any:
    """Stop one member's new draws from a pool."""
    actions.suspend_member(
        by=actor(request), merchant_id=mine(request), pool_id=pool_id, store_id=store_id, reason=body.reason
    )
    return queries.members(mine(request), pool_id)


@router.post("/pools/{int:pool_id}/members/{int:store_id}:resume", response={200: list[MemberOut], **PROBLEMS})
def resume_member(request: HttpRequest, pool_id: int, store_id: int) -> Any:
    """Let a suspended member draw again."""
    actions.resume_member(by=actor(request), merchant_id=mine(request), pool_id=pool_id, store_id=store_id)
    return queries.members(mine(request), pool_id)


# Changes that somebody else signs ------------------------------------------------------------------------------------


@router.post("/pools/{int:pool_id}/shares", response={201: ChangeOut, **PROBLEMS})
def propose_share(request: HttpRequest, pool_id: int, body: NewShare) -> Any:
    """Propose another ratio, for the legal representative to sign (G8)."""
    said = body.dict()
    return Status(201, actions.propose_share(by=actor(request), merchant_id=mine(request), pool_id=pool_id, **said))


@router.post("/pools/{int:pool_id}/reaches", response={201: ChangeOut, **PROBLEMS})
def propose_reach(request: HttpRequest, pool_id: int, body: NewReach) -> Any:
    """Propose to let a member draw beyond the ratio for a while, for a second person to confirm (G9)."""
    said = body.dict()
    return Status(201, actions.propose_reach(by=actor(request), merchant_id=mine(request), pool_id=pool_id, **said))


@router.post("/pools/{int:pool_id}/moves", response={201: ChangeOut, **PROBLEMS})
def propose_move(request: HttpRequest, pool_id: int, body: NewMove) -> Any:
    """Propose to move own limit between two stores of the group, for a second person to confirm (G9)."""
    said = body.dict()
    return Status(201, actions.propose_move(by=actor(request), merchant_id=mine(request), pool_id=pool_id, **said))


@router.get("/pool-changes", response={200: Page[ChangeOut], **PROBLEMS})
def changes(request: HttpRequest, cursor: str = "", limit: Limit = 100) -> Any:
    """List changes of pools, newest first."""
    before = _before(cursor, "pool-changes")
    found = pool_queries.changes(actor(request), mine(request), before=before, limit=limit + 1)
    return _page(found, limit, "pool-changes")


@router.get("/pool-changes/{int:change_id}", response={200: ChangeOut, **PROBLEMS})
def change(request: HttpRequest, change_id: int) -> Any:
    """Return a change; it is signed as `limit_change/{id}` under /approvals."""
    return pool_queries.access_change(actor(request), mine(request), change_id)


# Filings -------------------------------------------------------------------------------------------------------------


@router.get("/filings", response={200: Page[FilingOut], **PROBLEMS})
def filings(request: HttpRequest, cursor: str = "", limit: Limit = 100) -> Any:
    """List the filings of large pools, newest first (G10)."""
    before = _before(cursor, "filings")
    found = pool_queries.filings(actor(request), mine(request), before=before, limit=limit + 1)
    return _page(found, limit, "filings")


@router.get("/filings/{int:filing_id}", response={200: FilingOut, **PROBLEMS})
def filing(request: HttpRequest, filing_id: int) -> Any:
    """Return a filing with its form."""
    return pool_queries.access_filing(actor(request), "limits:read", mine(request), filing_id)


@router.post("/filings/{int:filing_id}:draft", response={200: FilingOut, **PROBLEMS})
def draft_filing(request: HttpRequest, filing_id: int) -> Any:
    """Begin to write the form, or begin anew after it came back."""
    return actions.draft_filing(by=actor(request), merchant_id=mine(request), id=filing_id)


@router.post("/filings/{int:filing_id}:review", response={200: FilingOut, **PROBLEMS})
def review_filing(request: HttpRequest, filing_id: int, body: Form) -> Any:
    """Write the form with the pool's facts as they are, and ask its reviewers to sign it."""
    return actions.review_filing(by=actor(request), merchant_id=mine(request), id=filing_id, **body.dict())


@router.post("/filings/{int:filing_id}:submit", response={200: FilingOut, **PROBLEMS})
def submit_filing(request: HttpRequest, filing_id: int, body: Reference) -> Any:
    """Say that the reviewed form was handed in, and under which number."""
    return actions.submit_filing(by=actor(request), merchant_id=mine(request), id=filing_id, reference=body.reference)


@router.post("/merchants/{merchant_id}/filings/{int:filing_id}:accept", response={200: FilingOut, **PROBLEMS})
def accept_filing(request: HttpRequest, merchant_id: int, filing_id: int, body: Acceptance) -> Any:
    """Say that a filing was accepted: what the pool holds above the figure is usable from now on."""
    return actions.accept_filing(by=actor(request), merchant_id=merchant_id, id=filing_id, acceptance=body.acceptance)


@router.post("/merchants/{merchant_id}/filings/{int:filing_id}:return", response={200: FilingOut, **PROBLEMS})
def return_filing(request: HttpRequest, merchant_id: int, filing_id: int, body: Returned) -> Any:
    """Say that a filing came back, and why."""
    return actions.return_filing(by=actor(request), merchant_id=merchant_id, id=filing_id, note=body.note)


# Emergencies ---------------------------------------------------------------------------------------------------------


@router.post("/stores/{store_id}/emergencies", response={201: EmergencyOut, **PROBLEMS})
def begin_emergency(request: HttpRequest, store_id: int, body: Amount) -> Any:
    """Take a temporary loan for an emergency order; orders that settle in time open the way to restoration (L3)."""
    begun = actions.begin_emergency(
        by=actor(request), merchant_id=mine(request), store_id=store_id, amount_fen=body.amount_fen
    )
    return Status(201, begun)


@router.get("/emergencies", response={200: Page[EmergencyOut], **PROBLEMS})
def emergencies(request: HttpRequest, cursor: str = "", limit: Limit = 100) -> Any:
    """List emergencies, newest first, each with its steps."""
    before = _before(cursor, "emergencies")
    found = pool_queries.emergencies(actor(request), mine(request), before=before, limit=limit + 1)
    return _page(found, limit, "emergencies")


@router.get("/emergencies/{int:emergency_id}", response={200: EmergencyOut, **PROBLEMS})
def emergency(request: HttpRequest, emergency_id: int) -> Any:
    """Return an emergency: each step, what is missing, and until when."""
    return pool_queries.access_emergency(actor(request), "limits:read", mine(request), emergency_id)


@router.post("/emergencies/{int:emergency_id}:apply", response={200: EmergencyOut, **PROBLEMS})
def apply_restoration(request: HttpRequest, emergency_id: int, body: Amount) -> Any:
    """Apply for reduced limit to be restored, in whole lots; a second person reviews it (L2, L3)."""
    return actions.apply_restoration(
        by=actor(request), merchant_id=mine(request), id=emergency_id, amount_fen=body.amount_fen
    )
