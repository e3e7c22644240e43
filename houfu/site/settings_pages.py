"""Pages of settings: who the merchant is, what it asks of its people, whom it lets in, and one's own."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path

from houfu.approvals import actions as approval_actions
from houfu.approvals import queries as approvals
from houfu.console.pages import Form, done, show
from houfu.console.words import label, t
from houfu.kernel import clock
from houfu.kernel.http import actor, mine
from houfu.merchants import queries as merchants
from houfu.people import actions as people
from houfu.people import queries, rules
from houfu.people.actor import Actor
from houfu.people.models import AccessGrant
from houfu.people.sign_in.auth import require_recent
from houfu.policies import queries as policies

HOME = "/console/settings"


def page(request: HttpRequest) -> HttpResponse:
    """Show the merchant and what it asks, access grants, and the reader's own factors and sessions."""
    by, merchant_id = actor(request), mine(request)
    return show(
        request,
        "site/settings.html",
        t("设置"),
        merchant=merchants.access_merchant(by, "merchants:read", merchant_id),
        accounts=merchants.channel_accounts_of(by, merchant_id),
        profile=queries.profile(merchant_id),
        totp_allowed=approvals.totp_allowed(merchant_id),
        grants=_grants(by, merchant_id),
        may_write="people:write" in by.scopes,
        is_staff=by.staff_id is not None,
        passkey_role=by.role in rules.PASSKEY_ROLES,
        policy=policies.at(clock.now()),
    )


def _grants(by: Actor, merchant_id: int) -> list[dict[str, Any]] | None:
    """Return who of the platform has asked to be let in; None where this role does not see people."""
    if "people:read" not in by.scopes:
        return None
    found = queries.access_grants(by, merchant_id, limit=50)
    return [{"of": each, "state": _state(each), "scopes": [label("scope", s) for s in each.scopes]} for each in found]


def _state(grant: AccessGrant) -> str:
    """Return the state of a grant as it is shown: one that was given and has run out is over."""
    return "over" if grant.state == "given" and not grant.in_force else grant.state


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


def decide(request: HttpRequest, id: int, verb: str) -> HttpResponse:
    """Let somebody of the platform in, refuse them, or end their access at once."""
    if verb == "give":
        require_recent(request)
    verbs = {"give": people.give_access, "refuse": people.refuse_access, "revoke": people.revoke_access}
    verbs[verb](by=actor(request), merchant_id=mine(request), id=id)
    return done(t("已保存"), go=HOME)


urlpatterns = [
    path("settings", page),
    path("settings/profile", profile),
    path("settings/codes", codes),
    *[path(f"settings/access/<int:id>/{verb}", decide, {"verb": verb}) for verb in ("give", "refuse", "revoke")],
]
