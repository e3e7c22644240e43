"""Pages of orders: the listing with its filters, and one order with what happened, its evidence and its money."""

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path

from houfu.console import words
from houfu.console.pages import PER_PAGE, chosen_store, day_of, paged, show
from houfu.console.words import label, t
from houfu.kernel import clock
from houfu.kernel.http import actor, after, mine
from houfu.kernel.money import yuan
from houfu.merchants import queries as merchants
from houfu.orders import queries
from houfu.orders.models import Event, Order
from houfu.orders.states import PAIRS
from houfu.policies import queries as policies

STATES = sorted({state for pair in PAIRS for state in pair} | {"declined"}, key=list(words.labels()["order"]).index)
LISTING = "orders"
_TONES = {"cancelled": "calm", "expired": "calm", "refunded": "warn", "disputed": "bad", "written_off": "bad"}


def listing(request: HttpRequest) -> HttpResponse:
    """List orders, newest first."""
    by, merchant_id, asked = actor(request), mine(request), request.GET
    begins, ends = day_of(asked.get("from", "")), day_of(asked.get("to", ""))
    place = after(asked.get("cursor"), LISTING)
    state = asked.get("state", "")
    found = queries.orders(
        by,
        merchant_id,
        store_id=chosen_store(request),
        state=state if state in STATES else "",
        id=asked.get("id", "").strip(),
        since=clock.start_of(begins) if begins else None,
        until=clock.start_of(ends) + timedelta(days=1) if ends else None,
        after=queries.Cursor(datetime.fromisoformat(place[0]), place[1]) if place else None,
        limit=PER_PAGE + 1,
    )
    return show(
        request,
        "orders/list.html",
        t("订单"),
        page=paged(found, LISTING, lambda row: [row.authorised_at, row.id]),
        stores={store.id: store.name for store in merchants.stores(by, merchant_id)},
        store_id=chosen_store(request),
        states=[(each, label("order", each)) for each in STATES],
        may_import="orders:write" in by.scopes and by.stores is None,
        asked=asked,
    )


def detail(request: HttpRequest, order_id: str) -> HttpResponse:
    """Show an order: its sources, what happened, the evidence of its receipt and its money."""
    by, merchant_id = actor(request), mine(request)
    order = queries.access_order(by, "orders:read", merchant_id, order_id)
    return show(
        request,
        "orders/detail.html",
        order.id,
        crumbs=[(t("订单"), "/console/orders")],
        order=order,
        store=merchants.store(merchant_id, order.store_id),
        lot=queries.lot(merchant_id, order.id),
        evidence=queries.evidence(merchant_id, order.id),
        entries=_entries(order, queries.events(merchant_id, order.id)),
        sources=[
            (label("source", name), getattr(order, f"{name}_fen"), getattr(order, f"open_{name}_fen"))
            for name in ("own", "pool", "temp", "tolerance")
            if getattr(order, f"{name}_fen")
        ],
        reasons=[label("order_reason", code) for code in order.reasons or ()],
        policy=policies.at(order.authorised_at).version,
        way=_way(order),
    )


def _entries(order: Order, events: list[Event]) -> list[dict[str, Any]]:
    """Return what happened to an order, as the timeline shows it."""
    first = "declined" if order.state == "declined" else "authorised"
    told = [
        {
            "at": order.authorised_at,
            "title": label("order", first),
            "text": t("金额 {yuan} 元", yuan=yuan(order.amount_fen)),
        }
    ]
    for event in events:
        parts = [t("金额 {yuan} 元", yuan=yuan(event.fen))] if event.fen else []
        parts += [t("渠道手续费 {yuan} 元", yuan=yuan(event.fee_fen))] if event.fee_fen else []
        parts += [t("编号 {ref}", ref=event.ref)] if event.ref else []
        parts += [_note(event.note)] if event.note else []
        title = label("order_step", event.verb)
        told.append({"at": event.at, "title": title, "text": " · ".join(parts), "tone": _TONES.get(event.verb, "")})
    return told


def _note(said: str) -> str:
    """Return a step's note; one that names the kind of its evidence or of its settlement does so in words."""
    kind, _, rest = said.partition(":")
    known = label("evidence", kind) if kind in words.labels()["evidence"] else label("settled_by", kind)
    return f"{known} {rest}".strip() if known != kind else said


_WAY = ("authorised", "shipped", "received", "settled", "matured", "closed")


def _way(order: Order) -> dict[str, Any]:
    """Return how far along the usual way an order is; one that has left it has failed there."""
    names = [label("order", state) for state in _WAY]
    if order.state in _WAY:
        at = _WAY.index(order.state)
        return {"done": names[:at], "now": names[at], "to_come": names[at + 1 :], "failed": ""}
    return {"done": [], "now": "", "to_come": [], "failed": label("order", order.state)}


urlpatterns = [path("orders", listing), path("orders/<str:order_id>", detail)]
