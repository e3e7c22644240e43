"""Limits, pools and loans over HTTP."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import Field

from houfu.kernel.http import PROBLEMS, Fen, In, Out, actor, mine
from houfu.limits import actions, queries
from houfu.people.sign_in.auth import require_recent

router = Router(tags=["limits"])


class Amount(In):
    amount_fen: Fen


class Reduction(In):
    amount_fen: Fen
    reason: str = Field(min_length=1, max_length=500)


class Note(In):
    note: str = Field(description="why, in the store manager's words")


class NewPool(In):
    group_id: int
    share: int = Field(description="the k of own : shared = 1 : k")


class NewMember(In):
    store_id: int
    contribution_fen: int = Field(default=0, ge=0)


class LimitOut(Out):
    """A store's limits as the next order would meet them."""

    store_id: int
    own_limit_fen: int
    own_free_fen: int
    reduced_fen: int
    pool_id: int | None
    pool_used_fen: int
    pool_reach_fen: int
    loan_fen: int
    loan_free_fen: int
    tolerance_used_fen: int
    tolerance_band_fen: int
    effective_fen: int
    exposure_fen: int


class LoanOut(Out):
    id: int
    store_id: int
    amount_fen: int
    repaid_fen: int
    state: str
    opened_at: datetime
    due_at: datetime


class MemberOut(Out):
    store_id: int
    state: str
    contributed_fen: int
    probation_share: int | None
    probation_until: datetime | None
    extra_fen: int
    extra_until: datetime | None
    joined_at: datetime


class PoolOut(Out):
    id: int
    group_id: int
    share: int
    limit_fen: int
    granted_fen: int
    state: str
    signed_at: datetime | None
    filed_at: datetime | None


class PoolWithMembers(PoolOut):
    members: list[MemberOut]


# The platform's own operations ---------------------------------------------------------------------------------------


@router.post("/merchants/{merchant_id}/stores/{store_id}/grants", response={200: LimitOut, **PROBLEMS})
def grant(request: HttpRequest, merchant_id: int, store_id: int, body: Amount) -> Any:
    """Give a store own limit."""
    actions.grant(by=actor(request), merchant_id=merchant_id, store_id=store_id, amount_fen=body.amount_fen)
    return queries.figures(actor(request), merchant_id, store_id)


@router.post("/merchants/{merchant_id}/stores/{store_id}/reductions", response={200: LimitOut, **PROBLEMS})
def reduce(request: HttpRequest, merchant_id: int, store_id: int, body: Reduction) -> Any:
    """Take own limit that is not in use; completed orders will earn it back (L2)."""
    actions.reduce(
        by=actor(request), merchant_id=merchant_id, store_id=store_id, amount_fen=body.amount_fen, reason=body.reason
    )
    return queries.figures(actor(request), merchant_id, store_id)


@router.post("/merchants/{merchant_id}/pools/{pool_id}/grants", response={200: PoolOut, **PROBLEMS})
def grant_pool(request: HttpRequest, merchant_id: int, pool_id: int, body: Amount) -> Any:
    """Give a pool limit of the operator's own (G4)."""
    actions.grant_pool(by=actor(request), merchant_id=merchant_id, pool_id=pool_id, amount_fen=body.amount_fen)
    return queries.access_pool(actor(request), "limits:read", merchant_id, pool_id)


# A merchant's own operations -----------------------------------------------------------------------------------------


@router.get("/stores/{store_id}/limit", response={200: LimitOut, **PROBLEMS})
def limit(request: HttpRequest, store_id: int) -> Any:
    """Return a store's limits as the next order would meet them."""
    return queries.figures(actor(request), mine(request), store_id)


@router.post("/stores/{store_id}/loans", response={201: LoanOut, **PROBLEMS})
def lend(request: HttpRequest, store_id: int, body: Amount) -> Any:
    """Lend a store limit for a few days, to be repaid by its settled orders (L1)."""
    return Status(
        201, actions.lend(by=actor(request), merchant_id=mine(request), store_id=store_id, amount_fen=body.amount_fen)
    )


@router.get("/loans", response={200: list[LoanOut], **PROBLEMS})
def loans(request: HttpRequest) -> Any:
    """List the merchant's loans, newest first."""
    return queries.loans(actor(request), mine(request))


@router.post("/stores/{store_id}/tolerance-notes", response={204: None, **PROBLEMS})
def note_tolerance(request: HttpRequest, store_id: int, body: Note) -> Any:
    """Open the band above a store's limit for a while (O6)."""
    actions.note_tolerance(by=actor(request), merchant_id=mine(request), store_id=store_id, note=body.note)
    return Status(204, None)


@router.post("/pools", response={201: PoolOut, **PROBLEMS})
def open_pool(request: HttpRequest, body: NewPool) -> Any:
    """Draw up the shared limit of a group; it runs once its legal representative has signed (G2, G5)."""
    return Status(
        201, actions.open_pool(by=actor(request), merchant_id=mine(request), group_id=body.group_id, share=body.share)
    )


@router.get("/pools", response={200: list[PoolOut], **PROBLEMS})
def pools(request: HttpRequest) -> Any:
    """List the merchant's pools."""
    return queries.pools(actor(request), mine(request))


@router.get("/pools/{int:pool_id}", response={200: PoolWithMembers, **PROBLEMS})
def pool(request: HttpRequest, pool_id: int) -> Any:
    """Return a pool with its members."""
    found = queries.access_pool(actor(request), "limits:read", mine(request), pool_id)
    return {**PoolOut.from_orm(found).dict(), "members": queries.members(mine(request), pool_id)}


@router.post("/pools/{int:pool_id}/members", response={204: None, **PROBLEMS})
def join_pool(request: HttpRequest, pool_id: int, body: NewMember) -> Any:
    """Make a store a member of its group's pool, and move part of its own limit there."""
    actions.join_pool(
        by=actor(request),
        merchant_id=mine(request),
        pool_id=pool_id,
        store_id=body.store_id,
        contribution_fen=body.contribution_fen,
    )
    return Status(204, None)


@router.post("/pools/{int:pool_id}:freeze", response={200: PoolOut, **PROBLEMS})
def freeze_pool(request: HttpRequest, pool_id: int) -> Any:
    """Stop new draws from a pool."""
    actions.freeze_pool(by=actor(request), merchant_id=mine(request), id=pool_id)
    return queries.access_pool(actor(request), "limits:read", mine(request), pool_id)


@router.post("/pools/{int:pool_id}:unfreeze", response={200: PoolOut, **PROBLEMS})
def unfreeze_pool(request: HttpRequest, pool_id: int) -> Any:
    """Let a frozen pool be drawn from again; the platform alone, where it was the platform that froze it."""
    require_recent(request)
    actions.unfreeze_pool(by=actor(request), merchant_id=mine(request), id=pool_id)
    return queries.access_pool(actor(request), "limits:read", mine(request), pool_id)
