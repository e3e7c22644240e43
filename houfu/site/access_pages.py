"""Pages of access grants: the merchant's owner lets the platform's people in, and those come in and leave (4.6)."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path

from houfu.console.pages import PER_PAGE, Form, done, paged, show
from houfu.console.words import label, t
from houfu.kernel.errors import NotFound
from houfu.kernel.http import actor, after, mine
from houfu.people import actions, queries
from houfu.people.models import AccessGrant
from houfu.people.sign_in.auth import require_recent
from houfu.site.shell import GRANT_COOKIE

HOME, LISTING = "/console/access", "access"


def grants(request: HttpRequest) -> HttpResponse:
    """List who of the platform has asked to be let in, the newest first."""
    place = after(request.GET.get("cursor"), LISTING)
    before = int(place[0]) if place else None
    found = queries.access_grants(actor(request), mine(request), before=before, limit=PER_PAGE + 1)
    page = paged(found, LISTING, lambda row: [row.id])
    return show(
        request,
        "site/access.html",
        t("访问授权"),
        page={**page, "items": [shown(each) for each in page["items"]]},
        home=HOME,
        may_decide="people:write" in actor(request).scopes,
    )


def shown(grant: AccessGrant) -> dict[str, Any]:
    """Return an access grant as it is read."""
    state = "in_force" if grant.in_force else "run_out" if grant.state == "given" else grant.state
    return {
        "id": grant.id, "state": state, "reason": grant.reason, "hours": grant.hours, "asked_by": grant.asked_by,
        "asked_at": grant.asked_at, "expires_at": grant.expires_at,
        "scopes": [label("scope", scope) for scope in grant.scopes],
    }  # fmt: skip


def give(request: HttpRequest, id: int) -> HttpResponse:
    """Let somebody of the platform in."""
    require_recent(request)
    actions.give_access(by=actor(request), merchant_id=mine(request), id=id)
    return done(t("已准许，到时自动结束。"), go=HOME)


def refuse(request: HttpRequest, id: int) -> HttpResponse:
    """Do not let somebody in."""
    actions.refuse_access(by=actor(request), merchant_id=mine(request), id=id)
    return done(t("已拒绝。"), go=HOME)


def revoke(request: HttpRequest, id: int) -> HttpResponse:
    """End an access at once."""
    actions.revoke_access(by=actor(request), merchant_id=mine(request), id=id)
    return done(t("已结束，立即失效。"), go=HOME)


def ask(request: HttpRequest, merchant_id: int) -> HttpResponse:
    """Ask a merchant to be let in, as one of the platform's people."""
    require_recent(request)
    form = Form.of(request)
    reason, hours = form.text("reason", t("原因")), form.number("hours", t("时长"), least=1, most=72)
    form.settle()
    actions.ask_access(
        by=actor(request), merchant_id=merchant_id, reason=reason, hours=hours, scopes=form.many("scopes[]")
    )
    return done(t("已提出，等待商户老板准许。"), go=f"/console/platform/merchants/{merchant_id}")


def enter(request: HttpRequest, merchant_id: int, id: int) -> HttpResponse:
    """Go in where a grant holds; until it ends or one leaves, the merchant's own pages are shown."""
    by = actor(request)
    grant = queries.access_grant(merchant_id, id)
    if grant is None or grant.staff_id != by.staff_id or not grant.in_force:
        raise NotFound()
    response = done(t("已进入，页面上方一直提示。"), go="/console/orders")
    response.set_cookie(GRANT_COOKIE, str(id), secure=True, httponly=True, samesite="Strict", path="/")
    return response


def leave(request: HttpRequest) -> HttpResponse:
    """Leave the merchant's pages."""
    response = done(t("已离开。"), go="/console/platform/merchants")
    response.delete_cookie(GRANT_COOKIE)
    return response


def end(request: HttpRequest, merchant_id: int, id: int) -> HttpResponse:
    """Give an access back, or take back the asking."""
    actions.revoke_access(by=actor(request), merchant_id=merchant_id, id=id)
    return done(t("已结束，立即失效。"), go=f"/console/platform/merchants/{merchant_id}")


urlpatterns: list[Any] = [
    path("access", grants),
    path("access/<int:id>/give", give),
    path("access/<int:id>/refuse", refuse),
    path("access/<int:id>/revoke", revoke),
    path("platform/leave", leave),
    path("platform/merchants/<int:merchant_id>/access", ask),
    path("platform/merchants/<int:merchant_id>/access/<int:id>/enter", enter),
    path("platform/merchants/<int:merchant_id>/access/<int:id>/end", end),
]
