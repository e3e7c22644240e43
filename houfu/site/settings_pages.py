"""Pages of settings: who the merchant is, what it asks of its people, whom it lets in, and one's own."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from houfu.approvals import actions as approval_actions
from houfu.approvals import queries as approvals
from houfu.console.pages import Form, done, show
from houfu.console.words import t
from houfu.kernel import clock
from houfu.kernel.http import actor, mine
from houfu.merchants import queries as merchants
from houfu.people import actions as people
from houfu.people import queries, rules
from houfu.people.sign_in.auth import require_recent
from houfu.policies import queries as policies

HOME = "/console/settings"


def page(request: HttpRequest) -> HttpResponse:
    """Show the merchant and what it asks, and the reader's own factors and sessions."""
    by, merchant_id = actor(request), mine(request)
    return show(
        request,
        "site/settings.html",
        t("设置"),
        merchant=merchants.access_merchant(by, "merchants:read", merchant_id),
        accounts=merchants.channel_accounts_of(by, merchant_id),
        profile=queries.profile(merchant_id),
        totp_allowed=approvals.totp_allowed(merchant_id),
        may_write="people:write" in by.scopes,
        is_staff=by.staff_id is not None,
        passkey_role=by.role in rules.PASSKEY_ROLES,
        policy=policies.at(clock.now()),
    )


def profile(request: HttpRequest) -> HttpResponse:
    """Set what the merchant asks of those who act for it."""
    require_recent(request)
    form = Form.of(request)
    people.set_profile(
        by=actor(request), merchant_id=mine(request), signatures_required=bool(form.values.get("signatures")),
        face_allowed=bool(form.values.get("face")),
    )  # fmt: skip
    return done(t("已保存"), go=HOME)


def codes(request: HttpRequest) -> HttpResponse:
    """Set whether codes may take a passkey's place in signing."""
    require_recent(request)
    allowed = bool(Form.of(request).values.get("totp"))
    approval_actions.allow_totp(by=actor(request), merchant_id=mine(request), allowed=allowed)
    return done(t("已保存"), go=HOME)


urlpatterns = [
    path("settings", page),
    path("settings/profile", profile),
    path("settings/codes", codes),
]
