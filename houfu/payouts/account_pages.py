"""Pages of beneficiaries: the accounts that may be paid out to, and registering one."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from houfu.approvals import queries as approvals
from houfu.console.pages import Form, done, show
from houfu.console.words import label, t
from houfu.kernel import clock
from houfu.kernel.http import actor, mine
from houfu.payouts import actions, queries
from houfu.people.sign_in.auth import require_recent
from houfu.policies import queries as policies

HOME = "/console/beneficiaries"
KINDS = ("bank_corporate", "alipay")


def listing(request: HttpRequest) -> HttpResponse:
    """List a merchant's beneficiaries, and how far each is from being usable."""
    by, merchant_id = actor(request), mine(request)
    now = clock.now()
    policy = policies.at(now)
    found = queries.beneficiaries(by, merchant_id)
    waiting = [payee for payee in found if payee.state == "registered"]
    asked = {payee.id: approvals.latest(merchant_id, f"beneficiary/{payee.id}") for payee in waiting}
    return show(
        request,
        "payouts/beneficiaries.html",
        t("收款账户"),
        payees=found,
        asked=asked,
        now=now,
        policy=policy,
        may_write="beneficiaries:write" in by.scopes,
        kinds=[(each, label("beneficiary_kind", each)) for each in KINDS],
        purposes=[(each, label("purpose", each)) for each in policy.payouts.purposes],
    )


def register(request: HttpRequest) -> HttpResponse:
    """Register an account."""
    require_recent(request)
    form = Form.of(request)
    said = {
        "kind": form.text("kind", t("账户类型")),
        "purpose_class": form.text("purpose_class", t("用途类别")),
        "holder": form.text("holder", t("户名"), longest=200),
        "account": form.text("account", t("账号"), longest=200),
    }
    form.settle()
    actions.register(by=actor(request), merchant_id=mine(request), **said)
    return done(t("已登记，等待第二人确认。"), go=HOME)


def revoke(request: HttpRequest, id: int) -> HttpResponse:
    """Take an account out of use."""
    actions.revoke(by=actor(request), merchant_id=mine(request), id=id)
    return done(t("账户已停用。"), go=HOME)


urlpatterns = [
    path("beneficiaries", listing),
    path("beneficiaries/new", register),
    path("beneficiaries/<int:id>/revoke", revoke),
]
