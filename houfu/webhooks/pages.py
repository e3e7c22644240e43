"""Pages of integrations: API keys, endpoints that are told what happens, and their deliveries sent again."""

import base64
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path

from houfu.console.pages import PER_PAGE, Form, done, paged, part, show
from houfu.console.words import label, t
from houfu.kernel import clock
from houfu.kernel.errors import NotFound
from houfu.kernel.http import actor, after, mine
from houfu.people import actions as people
from houfu.people import queries as staff
from houfu.people.actor import PERSONAL, PLATFORM, SCOPES
from houfu.people.models import ApiKey
from houfu.people.sign_in.auth import require_recent
from houfu.webhooks import actions, queries
from houfu.webhooks.models import Endpoint

LISTING, HOME = "deliveries", "/console/integrations"
STATES = ("pending", "delivered", "given_up")


def home(request: HttpRequest) -> HttpResponse:
    """Show the merchant's keys and endpoints."""
    by, merchant_id = actor(request), mine(request)
    may_read = "webhooks:read" in by.scopes and by.stores is None
    may_key = "merchants:write" in by.scopes
    keys = staff.keys(merchant_id) if may_key else []
    scopes = [each for each in SCOPES if each in by.scopes - PERSONAL - PLATFORM]
    return show(
        request,
        "webhooks/integrations.html",
        t("集成"),
        keys=[_key(key, clock.now()) for key in keys],
        may_key=may_key,
        may_read=may_read,
        may_write="webhooks:write" in by.scopes,
        endpoints=queries.endpoints(by, merchant_id) if may_read else [],
        scopes=[(each, label("scope", each)) for each in scopes],
        lives=[(days, t("{n} 天", n=days)) for days in (30, 90, 180, 365)],
    )


def _key(key: ApiKey, now: datetime) -> dict[str, Any]:
    state = "revoked" if key.revoked_at else "expired" if key.expires_at <= now else "active"
    public = base64.b64encode(bytes(key.public_key)).decode() if key.public_key else ""
    return {
        "id": key.id, "name": key.name, "state": state, "scopes": [label("scope", each) for each in key.scopes],
        "created_at": key.created_at, "expires_at": key.expires_at, "networks": key.networks or [], "public": public,
        "partner": key.partner_id, "soon": state == "active" and key.expires_at - now < timedelta(days=14),
    }  # fmt: skip


def create_key(request: HttpRequest) -> HttpResponse:
    """Make a key; its token is in this answer and nowhere else."""
    require_recent(request)
    form = Form.of(request)
    name = form.text("name", t("名称"), longest=100)
    days = form.number("days", t("有效期"), least=1, most=366)
    networks = form.text("networks", t("来源网络"), needed=False).replace(",", " ").split()
    public = form.text("public_key", t("公钥"), needed=False, longest=100)
    form.settle()
    key, token = people.create_key(
        by=actor(request),
        merchant_id=mine(request),
        name=name,
        scopes=form.many("scopes[]"),
        days=days,
        networks=networks or None,
        public_key=public or None,
    )
    return part(request, "webhooks/token.html", name=key.name, token=token)


def revoke_key(request: HttpRequest, id: int) -> HttpResponse:
    """Revoke a key; it opens nothing from now on."""
    people.revoke_key(by=actor(request), merchant_id=mine(request), id=id)
    return done(t("密钥已撤销，立即失效。"), go=HOME)


def _verbs(form: Form) -> list[str]:
    return form.text("verbs", t("事件"), longest=2000).replace(",", " ").split()


def add(request: HttpRequest) -> HttpResponse:
    """Tell an endpoint what happens from now on; its secret is in this answer and nowhere else."""
    require_recent(request)
    form = Form.of(request)
    url, verbs = form.text("url", t("地址"), longest=2000), _verbs(form)
    form.settle()
    endpoint, signer = actions.add(by=actor(request), merchant_id=mine(request), url=url, verbs=verbs)
    return part(request, "webhooks/secret.html", endpoint=endpoint, signer=signer)


def endpoint(request: HttpRequest, id: int) -> HttpResponse:
    """Show an endpoint, how it takes what it is told, and its deliveries."""
    by, merchant_id = actor(request), mine(request)
    found = queries.access_endpoint(by, "webhooks:read", merchant_id, id)
    if found.state == "removed":
        raise NotFound()
    place = after(request.GET.get("cursor"), LISTING)
    state = request.GET.get("state", "")
    rows = queries.deliveries(
        by,
        merchant_id,
        endpoint_id=id,
        state=state if state in STATES else "",
        before=int(place[0]) if place else None,
        limit=PER_PAGE + 1,
    )
    return show(
        request,
        "webhooks/endpoint.html",
        t("端点 {id}", id=id),
        crumbs=[(t("集成"), HOME)],
        endpoint=found,
        health=_health(found),
        public_keys=queries.public_keys(merchant_id, id),
        page=paged(rows, LISTING, lambda row: [row.id]),
        states=[(each, label("delivery", each)) for each in STATES],
        final=("delivered", "given_up"),
        may_write="webhooks:write" in by.scopes,
        now=clock.now(),
        asked=request.GET,
    )


def _health(endpoint: Endpoint) -> str:
    """Say in a word how an endpoint does."""
    if endpoint.state != "active":
        return "disabled"
    if endpoint.failures:
        return "failing"
    return "well" if endpoint.delivered_at else "untold"


def attempts(request: HttpRequest, id: int) -> HttpResponse:
    """Show every attempt at a delivery."""
    found = queries.attempts(actor(request), mine(request), id)
    entries = [
        {
            "at": each.at,
            "title": label("attempt", each.outcome),
            "text": t("HTTP {status} · {ms} 毫秒", status=each.status or "—", ms=each.latency_ms),
            "tone": "" if each.outcome == "delivered" else "bad",
        }
        for each in found
    ]
    return show(request, "webhooks/attempts.html", t("投递 {id}", id=id), crumbs=[(t("集成"), HOME)], entries=entries)


def change(request: HttpRequest, id: int) -> HttpResponse:
    """Give an endpoint another address or other events."""
    require_recent(request)
    form = Form.of(request)
    url, verbs = form.text("url", t("地址"), longest=2000), _verbs(form)
    form.settle()
    actions.change(by=actor(request), merchant_id=mine(request), id=id, url=url, verbs=verbs)
    return done(t("已保存"), go=_at(id))


def remove(request: HttpRequest, id: int) -> HttpResponse:
    """Take an endpoint away for good."""
    require_recent(request)
    actions.remove(by=actor(request), merchant_id=mine(request), id=id)
    return done(t("端点已移除，日志保留。"), go=HOME)


def rotate(request: HttpRequest, id: int) -> HttpResponse:
    """Make new keys; those before sign too for a day."""
    require_recent(request)
    signer = actions.rotate(by=actor(request), merchant_id=mine(request), id=id)
    shown = queries.access_endpoint(actor(request), "webhooks:read", mine(request), id)
    return part(request, "webhooks/secret.html", endpoint=shown, signer=signer)


def test(request: HttpRequest, id: int) -> HttpResponse:
    """Have an endpoint told that it is being tested."""
    actions.test(by=actor(request), merchant_id=mine(request), id=id)
    return done(t("测试事件已排队发送。"), go=_at(id))


def disable(request: HttpRequest, id: int) -> HttpResponse:
    """Tell an endpoint nothing for now."""
    actions.disable(by=actor(request), merchant_id=mine(request), id=id)
    return done(t("已停用，未送达的事件会保留。"), go=_at(id))


def enable(request: HttpRequest, id: int) -> HttpResponse:
    """Tell an endpoint again."""
    skip = Form.of(request).values.get("skip") == "yes"
    actions.enable(by=actor(request), merchant_id=mine(request), id=id, skip=skip)
    return done(t("已恢复推送。"), go=_at(id))


def replay_range(request: HttpRequest, id: int) -> HttpResponse:
    """Tell an endpoint again what happened between two days."""
    form = Form.of(request)
    first, last = (form.day(name, t("日期")) for name in ("from", "to"))
    form.settle()
    assert first
    assert last
    begins, ends = clock.start_of(first), clock.start_of(last)
    again = actions.replay_range(
        by=actor(request), merchant_id=mine(request), id=id, from_=begins, to=ends + timedelta(days=1)
    )
    return done(t("{n} 条已重新排队。", n=again), go=_at(id))


def replay(request: HttpRequest, id: int) -> HttpResponse:
    """Send one delivery again, under the same id."""
    found = actions.replay(by=actor(request), merchant_id=mine(request), delivery_id=id)
    return done(t("已重新排队，编号不变。"), go=_at(found.endpoint_id))


def _at(id: int) -> str:
    return f"{HOME}/webhooks/{id}"


urlpatterns: list[Any] = [
    path("integrations", home),
    path("integrations/keys", create_key),
    path("integrations/keys/<int:id>/revoke", revoke_key),
    path("integrations/webhooks", add),
    path("integrations/webhooks/<int:id>", endpoint),
    path("integrations/webhooks/<int:id>/change", change),
    path("integrations/webhooks/<int:id>/remove", remove),
    path("integrations/webhooks/<int:id>/rotate", rotate),
    path("integrations/webhooks/<int:id>/test", test),
    path("integrations/webhooks/<int:id>/disable", disable),
    path("integrations/webhooks/<int:id>/enable", enable),
    path("integrations/webhooks/<int:id>/replay", replay_range),
    path("integrations/deliveries/<int:id>", attempts),
    path("integrations/deliveries/<int:id>/replay", replay),
]
