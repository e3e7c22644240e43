"""Orders over HTTP: decided one by one or in batches, then moved on by what happens to them."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import Field

from houfu.kernel import clock
from houfu.kernel.errors import NotFound, Refused
from houfu.kernel.http import PROBLEMS, Fen, In, Instant, Limit, Out, Page, actor, after, mine, page
from houfu.orders import actions, queries
from houfu.orders.steps import Outcome, Step

router = Router(tags=["orders"])
BATCH = 5000

STEPS: dict[str, Callable[..., list[Outcome]]] = {
    "shipped": actions.ship,
    "received": actions.receive,
    "cancelled": actions.cancel,
    "refunded": actions.refund,
    "disputed": actions.dispute,
    "resolved": actions.resolve,
    "written_off": actions.write_off,
}
Kind = Literal["shipped", "received", "cancelled", "refunded", "disputed", "resolved", "written_off"]


class OrderIdReused(Refused):
    """An order of this id exists with another store, amount or buyer."""

    code = "order_id_reused"
    status = 422


class StepRefused(Refused):
    """The order does not take this step; `details.step` says why."""

    code = "order_step_refused"


class NewOrder(In):
    id: str = Field(description="the merchant's own number: letters, digits and . _ : -")
    store_id: int
    amount_fen: Fen
    buyer: str | None = Field(
        default=None, description="the id that the store's channel has for the buyer, or a pseudonym"
    )
    at: Instant | None = Field(default=None, description="when it was placed; now if missing")


class NewOrders(In):
    orders: list[NewOrder] = Field(min_length=1, max_length=BATCH)


class NewEvent(In):
    """Something that happened to an order."""

    kind: Kind
    at: Instant | None = None
    ref: str = Field(default="", max_length=100, description="a refund's number, a tracking or proof number")
    amount_fen: int = Field(default=0, ge=0)
    evidence: Literal["platform", "carrier", "manual"] = "platform"
    note: str = Field(default="", max_length=500)


class NewEventOf(NewEvent):
    order_id: str


class NewEvents(In):
    events: list[NewEventOf] = Field(min_length=1, max_length=BATCH)


class DecisionOut(Out):
    """What was decided; `repeated` where it was decided before."""

    id: str
    state: str
    repeated: bool
    own_fen: int
    pool_fen: int
    temp_fen: int
    tolerance_fen: int
    reasons: list[str]


class OutcomeOut(Out):
    order_id: str
    outcome: str
    code: str


class OrderOut(Out):
    id: str
    store_id: int
    amount_fen: int
    buyer: str | None
    authorised_at: datetime
    state: str
    own_fen: int
    pool_fen: int
    temp_fen: int
    tolerance_fen: int
    pool_id: int | None
    reasons: list[str] | None
    refunded_fen: int


def _decide(request: HttpRequest, said: Sequence[NewOrder]) -> list[actions.Decision]:
    now, merchant_id = clock.now(), mine(request)
    wanted = [
        actions.NewOrder(merchant_id, order.id, order.store_id, order.amount_fen, order.at or now, order.buyer)
        for order in said
    ]
    return actions.authorise(by=actor(request), orders=wanted)


def _step(said: NewEvent, order_id: str) -> Step:
    return Step(
        order_id,
        said.at or clock.now(),
        ref=said.ref,
        amount_fen=said.amount_fen,
        evidence=said.evidence,
        note=said.note,
    )


@router.post("/orders", response={201: DecisionOut, 200: DecisionOut, **PROBLEMS})
def authorise(request: HttpRequest, body: NewOrder) -> Any:
    """Decide an order against the store's limits; declined ones are kept with their reasons. 200 says it was before."""
    decision = _decide(request, [body])[0]
    if decision.state == "refused":
        raise OrderIdReused(id=body.id) if "order_id_reused" in decision.reasons else NotFound(store_id=body.store_id)
    return Status(200 if decision.repeated else 201, decision)


@router.post("/orders:batch", response={200: list[DecisionOut], **PROBLEMS})
def authorise_batch(request: HttpRequest, body: NewOrders) -> Any:
    """Decide up to 5,000 orders in the order given; state "refused" marks those of which nothing was kept."""
    return _decide(request, body.orders)


@router.get("/orders", response={200: Page[OrderOut], **PROBLEMS})
def orders(
    request: HttpRequest,
    store_id: int | None = None,
    state: str = "",
    since: Instant | None = None,
    until: Instant | None = None,
    cursor: str = "",
    limit: Limit = 100,
) -> Any:
    """List orders, newest first; those placed from `since` on and before `until`, where given."""
    place = after(cursor, "orders")
    found = queries.orders(
        actor(request),
        mine(request),
        store_id=store_id,
        state=state,
        since=since,
        until=until,
        after=queries.Cursor(datetime.fromisoformat(place[0]), place[1]) if place else None,
        limit=limit + 1,
    )
    return page(found, limit, "orders", lambda row: [row.authorised_at, row.id])


@router.post("/orders/events:batch", response={200: list[OutcomeOut], **PROBLEMS})
def steps(request: HttpRequest, body: NewEvents) -> Any:
    """Say what happened to up to 5,000 orders, in the order given, with an outcome for each."""
    outcomes: list[Outcome] = []
    waiting: list[NewEventOf] = []
    for event, following in zip(body.events, [*body.events[1:], None], strict=True):
        waiting.append(event)
        if following is None or following.kind != event.kind:
            batch = [_step(each, each.order_id) for each in waiting]
            outcomes += STEPS[event.kind](by=actor(request), merchant_id=mine(request), steps=batch)
            waiting = []
    return outcomes


@router.get("/orders/{order_id}", response={200: OrderOut, **PROBLEMS})
def order(request: HttpRequest, order_id: str) -> Any:
    """Return an order."""
    return queries.access_order(actor(request), "orders:read", mine(request), order_id)


@router.post("/orders/{order_id}/events", response={200: OutcomeOut, **PROBLEMS})
def step(request: HttpRequest, order_id: str, body: NewEvent) -> Any:
    """Say what happened to an order; "waiting" means that more evidence or time is needed (O2)."""
    queries.access_order(actor(request), "orders:write", mine(request), order_id)
    outcome = STEPS[body.kind](by=actor(request), merchant_id=mine(request), steps=[_step(body, order_id)])[0]
    if outcome.outcome == "refused":
        raise StepRefused(step=outcome.code, order_id=order_id)
    return outcome
