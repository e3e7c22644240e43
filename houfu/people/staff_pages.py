"""Pages of the staff: who works here in which role, with which stores and caps; inviting, changing, ending."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path

from houfu.console.pages import PER_PAGE, Form, done, paged, part, show
from houfu.console.words import label, t
from houfu.kernel import clock
from houfu.kernel.http import actor, after, mine
from houfu.people import actions, queries, rules
from houfu.people.models import Staff
from houfu.people.rules import Settings
from houfu.people.sign_in.auth import require_recent
from houfu.policies import queries as policies

LISTING, HOME = "people", "/console/people"
ROLES = tuple(role for role in rules.ROLES if role != "operator")


def listing(request: HttpRequest) -> HttpResponse:
    """List the staff."""
    by, merchant_id = actor(request), mine(request)
    place = after(request.GET.get("cursor"), LISTING)
    found = queries.everybody(by, merchant_id, after=int(place[0]) if place else 0, limit=PER_PAGE + 1)
    policy = policies.at(clock.now()).staff
    page = paged(found, LISTING, lambda row: [row.id])
    return show(
        request,
        "people/staff.html",
        t("员工"),
        page={**page, "items": [{"of": each, "tier": rules.tier(each.role, policy)} for each in page["items"]]},
        may_write="people:write" in by.scopes,
        roles=[(role, label("role", role)) for role in ROLES],
        policy=policies.at(clock.now()),
    )


def detail(request: HttpRequest, id: int) -> HttpResponse:
    """Show one of the staff, and let an owner change or end what they may do."""
    by, merchant_id = actor(request), mine(request)
    member = queries.access_staff(by, merchant_id, id)
    policy = policies.at(clock.now())
    return show(
        request,
        "people/member.html",
        member.name,
        crumbs=[(t("员工"), HOME)],
        member=member,
        tier=rules.tier(member.role, policy.staff),
        passkeys=[key for key in queries.passkeys(merchant_id, id) if key.removed_at is None],
        reads_payouts="payouts:read" in by.scopes,
        may_write="people:write" in by.scopes and member.person != by.person,
        roles=[(role, label("role", role)) for role in ROLES],
        policy=policy,
    )


def _settings(form: Form) -> Settings:
    """Return what an owner sets for somebody, as the form says it."""
    stores = {int(each) for each in form.many("stores[]") if each.isascii() and each.isdigit() and len(each) < 18}
    count = form.number("daily_count", t("每日次数"), most=99, needed=False)
    per_payout = form.fen("per_payout", t("单笔上限"), needed=False)
    monthly = form.fen("monthly", t("每月上限"), needed=False)
    return Settings(
        role=form.text("role", t("角色")),
        stores=frozenset(stores) or None,
        daily_count=count or None,
        per_payout_fen=per_payout or None,
        monthly_fen=monthly or None,
    )


def invite(request: HttpRequest) -> HttpResponse:
    """Invite somebody; the link is in this answer and nowhere else."""
    require_recent(request)
    form = Form.of(request)
    settings = _settings(form)
    name = form.text("name", t("姓名"), longest=100)
    identity = form.text("identity", t("证件号码"), longest=40)
    form.settle()
    made = actions.invite(by=actor(request), merchant_id=mine(request), name=name, identity=identity, settings=settings)
    return _invitation(request, *made)


def _invitation(request: HttpRequest, member: Staff, invitation: str) -> HttpResponse:
    link = request.build_absolute_uri("/console/invitation") + f"#{invitation}" if invitation else ""
    return part(request, "people/invited.html", member=member, link=link)


def change(request: HttpRequest, id: int) -> HttpResponse:
    """Set role, stores and caps anew."""
    require_recent(request)
    form = Form.of(request)
    settings = _settings(form)
    form.settle()
    actions.change(by=actor(request), merchant_id=mine(request), id=id, settings=settings)
    return done(t("已保存"), go=f"{HOME}/{id}")


def disable(request: HttpRequest, id: int) -> HttpResponse:
    """End what somebody may do, at once."""
    form = Form.of(request)
    reason = form.text("reason", t("原因"))
    form.settle()
    actions.disable(by=actor(request), merchant_id=mine(request), id=id, reason=reason)
    return done(t("已停用，其登录已全部结束。"), go=f"{HOME}/{id}")


def enable(request: HttpRequest, id: int) -> HttpResponse:
    """Let somebody work again."""
    require_recent(request)
    actions.enable(by=actor(request), merchant_id=mine(request), id=id)
    return done(t("已恢复。"), go=f"{HOME}/{id}")


def recover(request: HttpRequest, id: int) -> HttpResponse:
    """Let somebody who has lost their factors begin anew; a second person must ask for the same."""
    require_recent(request)
    return _invitation(request, *actions.recover(by=actor(request), merchant_id=mine(request), id=id))


urlpatterns: list[Any] = [
    path("people", listing),
    path("people/invite", invite),
    path("people/<int:id>", detail),
    path("people/<int:id>/change", change),
    path("people/<int:id>/disable", disable),
    path("people/<int:id>/enable", enable),
    path("people/<int:id>/recover", recover),
]
