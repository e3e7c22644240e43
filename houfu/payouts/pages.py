"""Pages of payouts: the queue, asking with a quote as one types, one payout with its trace, and automatic payouts."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import path

from houfu.approvals import queries as approvals
from houfu.console.pages import PER_PAGE, Form, chosen_store, done, fresh_id, paged, part, show
from houfu.console.words import label, t
from houfu.kernel import clock
from houfu.kernel.http import actor, after, mine
from houfu.kernel.money import yuan
from houfu.merchants import queries as merchants
from houfu.orders import queries as orders
from houfu.payouts import account_pages, actions, queries, staff
from houfu.payouts.models import Payout
from houfu.payouts.states import FINAL, PAYOUT
from houfu.people import queries as people
from houfu.people.actor import Actor
from houfu.policies import queries as policies

LISTING = "payouts"
STATES = tuple(
    dict.fromkeys(["pending_approval", "scheduled", *sorted({s for f, to in PAYOUT.values() for s in {to, *f}})])
)
SHOWN_PARTS = 100
_WAY = ("pending_approval", "scheduled", "submitting", "submitted", "paid")


def listing(request: HttpRequest) -> HttpResponse:
    """List payouts, newest first, each with its expected arrival."""
    by, merchant_id, asked = actor(request), mine(request), request.GET
    place = after(asked.get("cursor"), LISTING)
    state = asked.get("state", "")
    found = queries.payouts(
        by,
        merchant_id,
        store_id=chosen_store(request),
        state=state if state in STATES else "",
        after=(datetime.fromisoformat(place[0]), UUID(place[1])) if place else None,
        limit=PER_PAGE + 1,
    )
    return show(
        request,
        "payouts/list.html",
        t("提现"),
        page=paged(found, LISTING, lambda row: [row.requested_at, row.id]),
        stores=_store_names(by, merchant_id),
        payees={payee.id: payee for payee in queries.beneficiaries(by, merchant_id)},
        store_id=chosen_store(request),
        states=[(each, label("payout", each)) for each in STATES],
        final=FINAL,
        may_ask="payouts:write" in by.scopes,
        asked=asked,
    )


def asking(request: HttpRequest) -> HttpResponse:
    """Ask for a payout: the form, and taking it."""
    by, merchant_id = actor(request), mine(request)
    by.require("payouts:write", merchant_id)
    if request.method == "POST":
        form = Form.of(request)
        wish = _wish(form)
        id = form.uuid("id")
        form.settle()
        asked = actions.request(by=by, merchant_id=merchant_id, id=id, **wish)
        return done(_told(asked), go=f"/console/payouts/{asked.id}")
    policy = policies.at(clock.now())
    usable = [payee for payee in queries.beneficiaries(by, merchant_id) if payee.state != "revoked"]
    stores = merchants.stores(by, merchant_id)
    return show(
        request,
        "payouts/asking.html",
        t("发起提现"),
        crumbs=[(t("提现"), "/console/payouts")],
        id=fresh_id(),
        stores=[(store.id, store.name) for store in stores],
        store_id=chosen_store(request) or (stores[0].id if stores else ""),
        payees=[(p.id, f"{p.holder} · {label('beneficiary_kind', p.kind)} ****{p.account_tail}") for p in usable],
        purposes=[(each, label("purpose", each)) for each in policy.payouts.purposes],
        policy=policy,
    )


def _wish(form: Form) -> dict[str, Any]:
    """Return what somebody wants paid out, as the form says it."""
    return {
        "store_id": form.number("store_id", t("店铺"), least=1),
        "beneficiary_id": form.number("beneficiary_id", t("收款账户"), least=1),
        "amount_fen": form.fen("amount", t("金额")),
        "purpose": form.text("purpose", t("用途")),
    }


def _told(asked: Payout) -> str:
    if asked.state == "pending_approval":
        return t("已提交，资金已预留，等待审批。")
    return t("已提交，预计 {at} 前到账。", at=f"{asked.arrives_by.astimezone(clock.SHANGHAI):%m-%d %H:%M}")


def quote(request: HttpRequest) -> HttpResponse:
    """Say, as one types, what a payout would cost and bring, who must agree and every reason against it."""
    by, merchant_id = actor(request), mine(request)
    form = Form.of(request)
    wish = _wish(form)
    if form.wrong:
        return part(request, "payouts/quote.html", quote=None)
    found = queries.quote(by, merchant_id, **wish)
    waits = [reason for reason in found.reasons if reason.code != "step_up_needed"]
    return part(
        request,
        "payouts/quote.html",
        quote=found,
        reasons=waits,
        step_up=len(waits) < len(found.reasons),
        chain=[label("role", role) for role in found.chain],
        parts=found.orders[:SHOWN_PARTS],
        more=max(0, len(found.orders) - SHOWN_PARTS),
        policy=policies.at(clock.now()),
    )


def detail(request: HttpRequest, id: UUID) -> HttpResponse:
    """Show a payout: how far it is, who agreed, and every order that it pays with the evidence of its receipt."""
    by, merchant_id = actor(request), mine(request)
    payout = queries.access_payout(by, "payouts:read", merchant_id, id)
    asked = approvals.latest(merchant_id, f"payout/{id}") if payout.chain else None
    sent = queries.attempt(merchant_id, id)
    return show(
        request,
        "payouts/detail.html",
        t("提现 {yuan} 元", yuan=yuan(payout.amount_fen)),
        crumbs=[(t("提现"), "/console/payouts")],
        payout=payout,
        store=merchants.store(merchant_id, payout.store_id),
        payee=next(p for p in queries.beneficiaries(by, merchant_id) if p.id == payout.beneficiary_id),
        asker=people.staff(merchant_id, payout.staff_id) if payout.staff_id else None,
        approval=asked,
        signed=_signed(merchant_id, asked) if asked else [],
        request_no=sent.request_no if sent else "",
        way=_way(payout),
        parts=queries.parts(by, merchant_id, id, SHOWN_PARTS),
        count=queries.count_parts(merchant_id, id),
        may_cancel="payouts:write" in by.scopes and payout.state in PAYOUT["cancel"][0],
    )


def _signed(merchant_id: int, asked: Any) -> list[dict[str, Any]]:
    """Return the steps of a chain, each with who has signed it and when."""
    given = {each.step: each for each in approvals.signatures(asked)}
    names = {member.id: member.name for member in (people.staff(merchant_id, s.staff_id) for s in given.values())}
    return [
        {
            "role": label("role", role),
            "name": names[given[step].staff_id] if step in given else "",
            "at": given[step].signed_at if step in given else None,
            "turn": asked.state == "open" and step == asked.turn,
        }
        for step, role in enumerate(asked.chain)
    ]


def _way(payout: Payout) -> dict[str, Any]:
    """Return how far along its way a payout is; one that ends elsewhere, or is held, has failed there."""
    way = [state for state in _WAY if state != "pending_approval" or payout.chain]
    names = [label("payout", state) for state in way]
    if payout.state in way:
        at = way.index(payout.state)
        ended = payout.state == "paid"
        return {
            "done": names[: at + ended],
            "now": "" if ended else names[at],
            "to_come": names[at + 1 :],
            "failed": "",
        }
    return {"done": [], "now": "", "to_come": [], "failed": label("payout", payout.state)}


def cancel(request: HttpRequest, id: UUID) -> HttpResponse:
    """Call a payout off that was not sent yet."""
    actions.cancel(by=actor(request), merchant_id=mine(request), id=id)
    return done(t("已撤销，资金已退回可提现余额。"), go=f"/console/payouts/{id}")


def automatic(request: HttpRequest) -> HttpResponse:
    """Show which stores are paid out on run days, the days to come, and what became of the last."""
    by, merchant_id = actor(request), mine(request)
    by.require("payouts:read", merchant_id)
    today = clock.business_day(clock.now())
    policy = policies.at(clock.now())
    standing = {each.store_id: each for each in queries.standing_orders(merchant_id)}
    payees = {payee.id: payee for payee in queries.beneficiaries(by, merchant_id)}
    stores = merchants.stores(by, merchant_id)
    return show(
        request,
        "payouts/automatic.html",
        t("自动提现"),
        crumbs=[(t("提现"), "/console/payouts")],
        rows=[
            {
                "store": s,
                "order": standing.get(s.id),
                "payee": payees.get(getattr(standing.get(s.id), "beneficiary_id", 0)),
            }
            for s in stores
        ],
        days=queries.run_days(today, today + timedelta(days=28)),
        runs=queries.runs(by, merchant_id, 30),
        names={store.id: store.name for store in stores},
        payees=[(p.id, f"{p.holder} ****{p.account_tail}") for p in payees.values() if p.state == "verified"],
        purposes=[(each, label("purpose", each)) for each in policy.payouts.purposes],
        policy=policy,
        may_ask="payouts:write" in by.scopes,
    )


def stand(request: HttpRequest) -> HttpResponse:
    """Have a store paid out on every run day."""
    form = Form.of(request)
    store_id = form.number("store_id", t("店铺"), least=1)
    payee_id = form.number("beneficiary_id", t("收款账户"), least=1)
    purpose = form.text("purpose", t("用途"))
    form.settle()
    actions.stand(
        by=actor(request), merchant_id=mine(request), store_id=store_id, beneficiary_id=payee_id, purpose=purpose
    )
    return done(t("已开通自动提现。"), go="/console/payouts/automatic")


def stand_down(request: HttpRequest, store_id: int) -> HttpResponse:
    """Stop paying a store out on run days."""
    actions.stand_down(by=actor(request), merchant_id=mine(request), store_id=store_id)
    return done(t("已停止自动提现。"), go="/console/payouts/automatic")


def of_order(request: HttpRequest, order_id: str) -> HttpResponse:
    """Show which payouts have paid some of an order."""
    by, merchant_id = actor(request), mine(request)
    orders.access_order(by, "orders:read", merchant_id, order_id)
    return part(request, "payouts/of_order.html", payouts=queries.payouts_of(by, merchant_id, order_id))


def counts(request: HttpRequest, staff_id: int) -> HttpResponse:
    """Show what one of the staff has asked for today and this month, beside what they may."""
    by, merchant_id, now = actor(request), mine(request), clock.now()
    member = people.access_staff(by, merchant_id, staff_id)
    by.require("payouts:read", merchant_id)
    today, month_fen = staff.asked_by(merchant_id, member.person, now)
    most = min(policies.at(now).staff.daily_count[1], member.daily_count or policies.at(now).staff.daily_count[1])
    return part(request, "payouts/counts.html", today=today, most=most, month_fen=month_fen, member=member)


def _store_names(by: Actor, merchant_id: int) -> dict[int, str]:
    return {store.id: store.name for store in merchants.stores(by, merchant_id)}


urlpatterns = [
    path("payouts", listing),
    path("payouts/new", asking),
    path("payouts/quote", quote),
    path("payouts/automatic", automatic),
    path("payouts/automatic/stand", stand),
    path("payouts/automatic/<int:store_id>/stop", stand_down),
    path("payouts/<uuid:id>", detail),
    path("payouts/<uuid:id>/cancel", cancel),
    path("orders/<str:order_id>/payouts", of_order),
    path("people/<int:staff_id>/counts", counts),
    *account_pages.urlpatterns,
]
