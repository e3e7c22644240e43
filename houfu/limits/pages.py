"""Pages of limits: every store's own, shared, lent and tolerated limit, the loans and the emergencies."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path

from houfu.approvals import queries as approvals
from houfu.console.pages import Form, chosen_store, done, show
from houfu.console.words import label, t
from houfu.kernel import clock
from houfu.kernel.http import actor, mine
from houfu.limits import actions, pool_queries, pooling, queries
from houfu.limits.models import Emergency, Loan
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor
from houfu.policies import queries as policies

HOME = "/console/limits"
SUMS = ("own_limit_fen", "pool_used_fen", "pool_reach_fen", "loan_fen", "tolerance_used_fen")
SHOWN = 20


def listing(request: HttpRequest) -> HttpResponse:
    """Show what every store has of each kind of limit, what is in use, and what else bears on it."""
    by, merchant_id = actor(request), mine(request)
    snapshot = queries.snapshot(by, merchant_id)
    chosen = chosen_store(request)
    stores = [each for each in snapshot.stores if chosen in (None, each.store_id)]
    sums = {name: sum(getattr(each, name) for each in stores) for name in SUMS}
    emergencies = pool_queries.emergencies(by, merchant_id, limit=SHOWN)
    return show(
        request,
        "limits/list.html",
        t("额度"),
        policy=policies.at(clock.now()),
        stores=stores,
        names=_names(by, merchant_id),
        sums=sums,
        used_fen=sum(each.exposure_fen for each in stores),
        whole_fen=sum(each.effective_fen for each in stores),
        band_fen=sum(each.tolerance_band_fen for each in stores),
        pools=[{"of": each, "used_fen": each.limit_fen - each.free_fen} for each in snapshot.pools],
        loans=[each for each in queries.loans(by, merchant_id) if chosen in (None, each.store_id)][:SHOWN],
        emergencies=[each for each in emergencies if chosen in (None, each.store_id)],
    )


def detail(request: HttpRequest, store_id: int) -> HttpResponse:
    """Show one store's limits with what each is made of, and let who may borrow, note or begin an emergency."""
    by, merchant_id = actor(request), mine(request)
    store = merchants.access_store(by, "limits:read", merchant_id, store_id)
    loan = queries.open_loan(merchant_id, store_id)
    emergencies = pool_queries.emergencies(by, merchant_id, limit=SHOWN)
    figures = queries.figures(by, merchant_id, store_id)
    return show(
        request,
        "limits/store.html",
        store.name,
        crumbs=[(t("额度"), HOME)],
        store=store,
        figures=figures,
        own_used_fen=figures.own_limit_fen - figures.own_free_fen,
        pool_whole_fen=figures.pool_used_fen + figures.pool_reach_fen,
        lent_used_fen=figures.loan_fen - figures.loan_free_fen,
        loan=loan,
        left_fen=loan.amount_fen - loan.repaid_fen if loan else 0,
        emergencies=[each for each in emergencies if each.store_id == store_id],
        policy=policies.at(clock.now()),
        may_write="limits:write" in by.scopes,
    )


def lend(request: HttpRequest, store_id: int) -> HttpResponse:
    """Lend a store limit for a few days."""
    form = Form.of(request)
    amount_fen = form.fen("amount", t("金额"))
    form.settle()
    made: Loan = actions.lend(by=actor(request), merchant_id=mine(request), store_id=store_id, amount_fen=amount_fen)
    return done(t("已借额，{day} 前由结算的订单归还。", day=_day(made.due_at)), go=f"{HOME}/{store_id}")


def note(request: HttpRequest, store_id: int) -> HttpResponse:
    """Open the band above a store's limit for a while."""
    form = Form.of(request)
    said = form.text("note", t("说明"))
    form.settle()
    actions.note_tolerance(by=actor(request), merchant_id=mine(request), store_id=store_id, note=said)
    hours = policies.at(clock.now()).orders.tolerance_note_hours
    return done(t("容忍区间已打开 {hours} 小时。", hours=hours), go=f"{HOME}/{store_id}")


def begin(request: HttpRequest, store_id: int) -> HttpResponse:
    """Begin an emergency: a loan first."""
    form = Form.of(request)
    amount_fen = form.fen("amount", t("金额"))
    form.settle()
    made = actions.begin_emergency(
        by=actor(request), merchant_id=mine(request), store_id=store_id, amount_fen=amount_fen
    )
    return done(t("应急已开始，额度已借出。"), go=f"{HOME}/emergencies/{made.id}")


def emergency(request: HttpRequest, id: int) -> HttpResponse:
    """Show how far an emergency is: each step, what is missing, and until when."""
    by, merchant_id = actor(request), mine(request)
    found = pool_queries.access_emergency(by, "limits:read", merchant_id, id)
    store = merchants.access_store(by, "limits:read", merchant_id, found.store_id)
    policy = policies.at(clock.now())
    loan = next(each for each in queries.loans(by, merchant_id) if each.id == found.loan_id)
    reduced_fen = queries.figures(by, merchant_id, found.store_id).reduced_fen
    lot_fen = policy.restoration.lot_fen
    return show(
        request,
        "limits/emergency.html",
        t("应急 {id}", id=id),
        crumbs=[(t("额度"), HOME), (store.name, f"{HOME}/{store.id}")],
        emergency=found,
        store=store,
        loan=loan,
        reduced_fen=reduced_fen,
        most_fen=min(reduced_fen, loan.amount_fen) // lot_fen * lot_fen,
        steps=[_step(each) for each in pooling.emergency_steps(found)],
        way=_way(found),
        approval=approvals.latest(merchant_id, f"emergency/{id}"),
        policy=policy,
        may_apply=found.state == "restoration_open" and "limits:write" in by.scopes,
    )


def _step(step: pooling.Step) -> dict[str, Any]:
    missing = [t("还差 {n} {what}", n=n, what=label("emergency_missing", what)) for what, n in step.missing.items()]
    return {**step._asdict(), "missing": missing if step.state != "missed" else []}


def _way(found: Emergency) -> dict[str, Any]:
    """Return how far along its four steps an emergency is; where one was missed, that is where it failed."""
    steps = pooling.emergency_steps(found)
    of = {
        s: [label("emergency_step", e.name) for e in steps if e.state == s] for s in ("done", "now", "ahead", "missed")
    }
    if found.state == "refused":
        return {"done": of["done"][:-1], "now": "", "to_come": [], "failed": of["done"][-1]}
    if of["missed"]:
        return {"done": of["done"], "now": "", "to_come": [], "failed": of["missed"][0]}
    return {"done": of["done"], "now": "".join(of["now"]), "to_come": of["ahead"], "failed": ""}


def apply(request: HttpRequest, id: int) -> HttpResponse:
    """Apply for reduced limit to be restored."""
    form = Form.of(request)
    amount_fen = form.fen("amount", t("金额"))
    form.settle()
    actions.apply_restoration(by=actor(request), merchant_id=mine(request), id=id, amount_fen=amount_fen)
    return done(t("已申请，等待第二人审核。"), go=f"{HOME}/emergencies/{id}")


def _names(by: Actor, merchant_id: int) -> dict[int, str]:
    return {store.id: store.name for store in merchants.stores(by, merchant_id)}


def _day(at: datetime) -> str:
    return f"{at.astimezone(clock.SHANGHAI):%m-%d %H:%M}"


urlpatterns = [
    path("limits", listing),
    path("limits/emergencies/<int:id>", emergency),
    path("limits/emergencies/<int:id>/apply", apply),
    path("limits/<int:store_id>", detail),
    path("limits/<int:store_id>/lend", lend),
    path("limits/<int:store_id>/note", note),
    path("limits/<int:store_id>/emergency", begin),
]
