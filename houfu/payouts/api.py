"""Beneficiaries and payouts over HTTP."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import Field

from houfu.kernel import clock
from houfu.kernel.http import (
    PROBLEMS,
    Fen,
    Id,
    In,
    Instant,
    Limit,
    Out,
    Page,
    ReasonOut,
    actor,
    after,
    mine,
    page,
)
from houfu.payouts import actions, queries
from houfu.people.actor import Actor
from houfu.people.sign_in.auth import require_recent

router = Router(tags=["payouts"])


class NewBeneficiary(In):
    kind: str = Field(description="alipay or bank_corporate")
    purpose_class: str
    holder: str
    account: str = Field(description="the full number or login; kept encrypted, shown by its tail")


class BeneficiaryOut(Out):
    id: int
    kind: str
    purpose_class: str
    holder: str
    account_tail: str
    state: str
    channel_state: str
    usable_from: datetime | None


class Document(In):
    document: str = Field(min_length=1, max_length=500)


class Asked(In):
    store_id: int
    beneficiary_id: int
    amount_fen: Fen
    purpose: str


class NewPayout(Asked):
    id: Id = Field(description="chosen by the caller; the same id never asks twice")


class PartOut(Out):
    order_id: str
    amount_fen: int


class QuoteOut(Out):
    """What a payout would cost and bring, and every reason against it."""

    amount_fen: int
    fee_fen: int
    net_fen: int
    fee_waived: bool
    available_fen: int
    largest_fen: int
    goes_at: datetime | None
    arrives_by: datetime | None
    orders: list[PartOut]
    chain: list[str] = Field(description="roles whose holders must agree, one after the other")
    reasons: list[ReasonOut]
    policy: str


class CheckOut(Out):
    allowed: bool
    reasons: list[ReasonOut]


class PayoutOut(Out):
    id: UUID
    store_id: int
    beneficiary_id: int
    kind: str
    purpose: str
    tax_category: str
    amount_fen: int
    fee_fen: int
    net_fen: int
    waived: bool
    state: str
    code: str
    chain: list[str] = Field(description="roles whose holders must agree; the approval has the payout's id")
    aggregated_fen: int = Field(description="the amount with all that is judged as one with it (P9)")
    hold_class: str = Field(
        description="the class of the reason for which risk looks at it first; empty if it does not"
    )
    requested_by: str
    requested_at: datetime
    due_at: datetime
    arrives_by: datetime
    final_at: datetime | None
    policy: str


class JoinedOut(Out):
    """An earlier payout that one was judged as one with, and what the two share."""

    joined_id: UUID
    amount_fen: int
    shares: list[str]


class NewStandingOrder(In):
    beneficiary_id: int
    purpose: str


class StandingOrderOut(Out):
    store_id: int
    beneficiary_id: int
    purpose: str
    since: datetime


class WindowOut(Out):
    """Whether manual payouts are sent at once, and otherwise when; `opens_at` is null where the calendar ends."""

    open: bool
    opens_at: datetime | None


class RunDayOut(Out):
    day: date
    nominal: list[date]
    at: datetime


class RunOut(Out):
    store_id: int
    run_day: date
    payout_id: UUID | None
    reasons: list[str]
    ran_at: datetime


@router.get("/payout-window", response={200: WindowOut, **PROBLEMS})
def window(request: HttpRequest, at: Instant | None = None) -> Any:
    """Say whether manual payouts are sent at once, now or at an instant (P2)."""
    actor(request).require("policies:read")
    return queries.window(at or clock.now())._asdict()


@router.get("/payout-run-days", response={200: list[RunDayOut], **PROBLEMS})
def run_days(request: HttpRequest, first: date, last: date) -> Any:
    """List the days on which automatic payouts run, at most those of the first day's year (P1)."""
    actor(request).require("policies:read")
    return [run._asdict() for run in queries.run_days(first, min(last, date(first.year, 12, 31)))]


@router.post("/beneficiaries", response={201: BeneficiaryOut, **PROBLEMS})
def register(request: HttpRequest, body: NewBeneficiary) -> Any:
    """Register an account; it may be paid out to once it is verified and has cooled (P6)."""
    require_recent(request)
    return Status(201, actions.register(by=actor(request), merchant_id=mine(request), **body.dict()))


@router.get("/beneficiaries", response={200: list[BeneficiaryOut], **PROBLEMS})
def beneficiaries(request: HttpRequest) -> Any:
    """List the merchant's beneficiaries."""
    return queries.beneficiaries(actor(request), mine(request))


@router.delete("/beneficiaries/{beneficiary_id}", response={204: None, **PROBLEMS})
def revoke(request: HttpRequest, beneficiary_id: int) -> Any:
    """Take an account out of use."""
    actions.revoke(by=actor(request), merchant_id=mine(request), id=beneficiary_id)
    return Status(204, None)


@router.post(
    "/merchants/{merchant_id}/beneficiaries/{beneficiary_id}/verification", response={200: BeneficiaryOut, **PROBLEMS}
)
def verify(request: HttpRequest, merchant_id: int, beneficiary_id: int, body: Document) -> Any:
    """Say that an account was checked against a document; for the platform's keys."""
    return actions.verify(by=actor(request), merchant_id=merchant_id, id=beneficiary_id, document=body.document)


def _quote(by: Actor, merchant_id: int, body: Asked) -> queries.Quote:
    return queries.quote(
        by,
        merchant_id,
        store_id=body.store_id,
        beneficiary_id=body.beneficiary_id,
        amount_fen=body.amount_fen,
        purpose=body.purpose,
    )


@router.post("/payouts:quote", response={200: QuoteOut, **PROBLEMS})
def quote(request: HttpRequest, body: Asked) -> Any:
    """Say what a payout would cost and bring, when it would arrive and which orders it would pay out (P3)."""
    found = _quote(actor(request), mine(request), body)
    parts = [PartOut(order_id=order_id, amount_fen=fen) for order_id, fen in found.orders]
    return {**vars(found), "orders": parts}


@router.post("/payouts:check", response={200: CheckOut, **PROBLEMS})
def check(request: HttpRequest, body: Asked) -> Any:
    """Return every reason against a payout at once, and create nothing (P10, P11)."""
    reasons = _quote(actor(request), mine(request), body).reasons
    return {"allowed": not reasons, "reasons": reasons}


@router.post("/payouts", response={201: PayoutOut, **PROBLEMS})
def ask(request: HttpRequest, body: NewPayout) -> Any:
    """Ask for a payout; its money is set aside at once, and it is sent when the window is open (P2)."""
    return Status(201, actions.request(by=actor(request), merchant_id=mine(request), **body.dict()))


@router.get("/payouts", response={200: Page[PayoutOut], **PROBLEMS})
def payouts(
    request: HttpRequest,
    store_id: int | None = None,
    state: str = "",
    since: Instant | None = None,
    until: Instant | None = None,
    cursor: str = "",
    limit: Limit = 100,
) -> Any:
    """List payouts, newest first; those asked for from `since` on and before `until`, where given."""
    place = after(cursor, "payouts")
    found = queries.payouts(
        actor(request),
        mine(request),
        store_id=store_id,
        state=state,
        since=since,
        until=until,
        after=(datetime.fromisoformat(place[0]), UUID(place[1])) if place else None,
        limit=limit + 1,
    )
    return page(found, limit, "payouts", lambda row: [row.requested_at, row.id])


@router.get("/payouts/{uuid:payout_id}", response={200: PayoutOut, **PROBLEMS})
def payout(request: HttpRequest, payout_id: UUID) -> Any:
    """Return a payout."""
    return queries.access_payout(actor(request), "payouts:read", mine(request), payout_id)


@router.post("/payouts/{uuid:payout_id}:cancel", response={200: PayoutOut, **PROBLEMS})
def cancel(request: HttpRequest, payout_id: UUID) -> Any:
    """Call off a payout that has not been sent."""
    return actions.cancel(by=actor(request), merchant_id=mine(request), id=payout_id)


@router.get("/payouts/{uuid:payout_id}/joined", response={200: list[JoinedOut], **PROBLEMS})
def joined(request: HttpRequest, payout_id: UUID) -> Any:
    """List the earlier payouts with which one was judged as one (P9); for compliance alone."""
    return queries.joined(actor(request), mine(request), payout_id)


@router.get("/payouts/{uuid:payout_id}/trace", response={200: dict[str, Any], **PROBLEMS})
def trace(request: HttpRequest, payout_id: UUID) -> Any:
    """Follow a payout to its lots, their orders and the evidence of their receipt."""
    return queries.trace(actor(request), mine(request), payout_id)


@router.get("/orders/{order_id}/trace", response={200: dict[str, Any], **PROBLEMS})
def trace_back(request: HttpRequest, order_id: str) -> Any:
    """Follow an order to its lot and to every payout that paid some of it."""
    return queries.trace_back(actor(request), mine(request), order_id)


@router.put("/stores/{store_id}/standing-order", response={200: StandingOrderOut, **PROBLEMS})
def stand(request: HttpRequest, store_id: int, body: NewStandingOrder) -> Any:
    """Have a store paid out on every run day (P1)."""
    return actions.stand(
        by=actor(request),
        merchant_id=mine(request),
        store_id=store_id,
        beneficiary_id=body.beneficiary_id,
        purpose=body.purpose,
    )


@router.delete("/stores/{store_id}/standing-order", response={204: None, **PROBLEMS})
def stand_down(request: HttpRequest, store_id: int) -> Any:
    """Stop paying a store out on run days."""
    actions.stand_down(by=actor(request), merchant_id=mine(request), store_id=store_id)
    return Status(204, None)


@router.get("/runs", response={200: list[RunOut], **PROBLEMS})
def runs(request: HttpRequest, limit: Limit = 100) -> Any:
    """List what became of run days, newest first."""
    return queries.runs(actor(request), mine(request), limit)
