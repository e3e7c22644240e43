"""The operator's pages: merchants with what the platform decides on, and how the instance is."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path

from houfu import __version__
from houfu.channels import probe, registry
from houfu.channels import queries as channels
from houfu.console.pages import PER_PAGE, Form, done, paged, part, show
from houfu.console.words import t
from houfu.jobs import queries as jobs
from houfu.kernel import clock, fence
from houfu.kernel.errors import Refused
from houfu.kernel.http import actor, after
from houfu.kernel.models import Instance
from houfu.limits import actions as limits
from houfu.limits import pool_queries, queries
from houfu.merchants import actions
from houfu.merchants import queries as merchants
from houfu.people import queries as people
from houfu.people.actor import Actor
from houfu.people.rules import GRANTABLE
from houfu.people.sign_in.auth import require_recent
from houfu.policies import queries as policies
from houfu.reconciliation import queries as reconciliation
from houfu.risk import queries as risk
from houfu.site import access_pages

HOME, LISTING = "/console/platform/merchants", "merchants"


def overview(request: HttpRequest, by: Actor) -> HttpResponse:
    """Show the operator what waits for the platform."""
    now = clock.now()
    return show(
        request,
        "site/platform.html",
        t("总览"),
        merchants=merchants.merchants(by, limit=8),
        cases=risk.inbox(by, limit=8) if "risk:write" in by.scopes else [],
        now=now,
        policy=policies.at(now),
        health=_health(),
    )


def listing(request: HttpRequest) -> HttpResponse:
    """List the merchants."""
    by = _operator(request)
    if request.method == "POST":
        return _register(request, by)
    place = after(request.GET.get("cursor"), LISTING)
    search = request.GET.get("q", "").strip()
    found = merchants.merchants(by, after=int(place[0]) if place else 0, limit=PER_PAGE + 1, search=search)
    page = paged(found, LISTING, lambda row: [row.merchant_id])
    return show(request, "site/merchants.html", t("商户"), page=page, search=search)


def _register(request: HttpRequest, by: Actor) -> HttpResponse:
    require_recent(request)
    form = Form.of(request)
    name = form.text("name", t("商户名称"), longest=200)
    uscc = form.text("uscc", t("统一社会信用代码"), longest=18)
    form.settle()
    made = actions.register(by=by, name=name, uscc=uscc)
    return done(t("已登记。"), go=f"{HOME}/{made.merchant_id}")


def merchant(request: HttpRequest, merchant_id: int) -> HttpResponse:
    """Show a merchant as far as the platform decides on it: identity, stores, limits, pools, filings, access."""
    by = _operator(request)
    found = merchants.access_merchant(by, "merchants:read", merchant_id)
    snapshot = queries.snapshot(by, merchant_id)
    figures = {each.store_id: each for each in snapshot.stores}
    stores = merchants.stores(by, merchant_id)
    grants = people.access_grants(by, merchant_id, limit=20)
    return show(
        request,
        "site/merchant.html",
        found.name,
        crumbs=[(t("商户"), HOME)],
        merchant=found,
        stores=[{"of": store, "limit": figures.get(store.id)} for store in stores],
        store_options=[(store.id, f"{store.id} · {store.name}") for store in stores],
        pools=[{"of": pool, "held_fen": pool.limit_fen} for pool in queries.pools(by, merchant_id)],
        filings=[each for each in pool_queries.filings(by, merchant_id, limit=20) if each.submitted_at],
        grants=[{**access_pages.shown(each), "mine": each.staff_id == by.staff_id} for each in grants],
        scopes=[(scope, scope) for scope in sorted(GRANTABLE)],
        policy=policies.at(clock.now()),
    )


def verify(request: HttpRequest, merchant_id: int) -> HttpResponse:
    """Say that the code was checked against a document."""
    form = Form.of(request)
    document = form.text("document", t("核对的文件"), longest=200)
    form.settle()
    actions.verify(by=_operator(request), merchant_id=merchant_id, document=document)
    return done(t("已核验。"), go=f"{HOME}/{merchant_id}")


def grant(request: HttpRequest, merchant_id: int) -> HttpResponse:
    """Give a store own limit, or take some away."""
    require_recent(request)
    by, form = _operator(request), Form.of(request)
    store_id = form.number("store", t("店铺"), least=1)
    amount_fen = form.fen("amount", t("金额"))
    less = form.values.get("way") == "reduce"
    reason = form.text("reason", t("原因"), needed=less, longest=200)
    form.settle()
    if less:
        limits.reduce(by=by, merchant_id=merchant_id, store_id=store_id, amount_fen=amount_fen, reason=reason)
    else:
        limits.grant(by=by, merchant_id=merchant_id, store_id=store_id, amount_fen=amount_fen)
    return done(t("额度已调整。"), go=f"{HOME}/{merchant_id}")


def grant_pool(request: HttpRequest, merchant_id: int, pool_id: int) -> HttpResponse:
    """Give a pool limit of the platform's own."""
    require_recent(request)
    form = Form.of(request)
    amount_fen = form.fen("amount", t("金额"))
    form.settle()
    limits.grant_pool(by=_operator(request), merchant_id=merchant_id, pool_id=pool_id, amount_fen=amount_fen)
    return done(t("额度已调整。"), go=f"{HOME}/{merchant_id}")


def freeze(request: HttpRequest, merchant_id: int, store_id: int) -> HttpResponse:
    """Stop a store's new orders and payouts."""
    form = Form.of(request)
    reason = form.text("reason", t("原因"), longest=40)
    form.settle()
    actions.freeze_store(by=_operator(request), merchant_id=merchant_id, id=store_id, reason=reason)
    return done(t("店铺已冻结。"), go=f"{HOME}/{merchant_id}")


def unfreeze(request: HttpRequest, merchant_id: int, store_id: int) -> HttpResponse:
    """Let a frozen store work again."""
    actions.unfreeze_store(by=_operator(request), merchant_id=merchant_id, id=store_id)
    return done(t("店铺已解冻。"), go=f"{HOME}/{merchant_id}")


def file(request: HttpRequest, merchant_id: int, id: int) -> HttpResponse:
    """Say that a filing was accepted, or came back."""
    by, form = _operator(request), Form.of(request)
    accepts = form.values.get("way") != "return"
    said = form.text("said", t("受理编号或退回原因"), longest=200)
    form.settle()
    if accepts:
        limits.accept_filing(by=by, merchant_id=merchant_id, id=id, acceptance=said)
    else:
        limits.return_filing(by=by, merchant_id=merchant_id, id=id, note=said)
    return done(t("已登记。"), go=f"{HOME}/{merchant_id}")


def health(request: HttpRequest) -> HttpResponse:
    """Show how the instance and its channels are: what waits, and for how long."""
    _operator(request)
    behind = reconciliation.accounts_behind()
    return show(
        request,
        "site/health.html",
        t("运行状况"),
        now=clock.now(),
        health=_health(),
        instance=Instance.objects.get(),
        product=__version__,
        policy=policies.at(clock.now()),
        notices=channels.waiting_notices(20),
        untold=channels.accounts_untold()[:50],
        behind=[{"of": each, "days": len(reconciliation.days_to_fetch(each))} for each in behind[:50]],
        jobs=jobs.turns()[:50],
        channels=registry.names(),
    )


def probed(request: HttpRequest) -> HttpResponse:
    """Ask the channels whether they answer."""
    return part(request, "site/probed.html", found=probe.probe(_operator(request)))


def _health() -> dict[str, Any]:
    """Say in figures how the instance is."""
    try:
        fence.check()
        sends = True
    except Refused:
        sends = False
    notices = channels.waiting_notices(100)
    return {
        "sends": sends,
        "notices": len(notices),
        "oldest": notices[0].received_at if notices else None,
        "untold": len(channels.accounts_untold()),
        "behind": len(reconciliation.accounts_behind()),
        "jobs": len(jobs.turns()),
    }


def _operator(request: HttpRequest) -> Actor:
    by: Actor = actor(request)
    by.require("platform:write")
    return by


ONE = "platform/merchants/<int:merchant_id>"
urlpatterns: list[Any] = [
    path("platform/merchants", listing),
    path("platform/health", health),
    path("platform/health/probe", probed),
    path(ONE, merchant),
    path(f"{ONE}/verify", verify),
    path(f"{ONE}/grant", grant),
    path(f"{ONE}/pools/<int:pool_id>/grant", grant_pool),
    path(f"{ONE}/stores/<int:store_id>/freeze", freeze),
    path(f"{ONE}/stores/<int:store_id>/unfreeze", unfreeze),
    path(f"{ONE}/filings/<int:id>", file),
]
