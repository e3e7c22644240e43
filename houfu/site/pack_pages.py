"""The operator's page of a new policy pack: what it would change, what that would have meant, and its publication."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path

from houfu.console.pages import Form, done, part, show
from houfu.console.words import t
from houfu.kernel import clock
from houfu.kernel.http import actor
from houfu.people.sign_in.auth import require_recent
from houfu.policies import actions, pages, queries

LONGEST = 100_000
EXAMPLE = """version = "2027-01-01"
effective_from = 2027-01-01T00:00:00+08:00
title = "……"
source = "……"

[payouts]
minimum_fen = 5_000
"""


def new(request: HttpRequest) -> HttpResponse:
    """Show the form that a pack's TOML is put into."""
    _writer(request)
    last = queries.packs()[-1]
    return show(
        request, "site/packs.html", t("新规则包"), crumbs=[(t("规则一览"), pages.HOME)], last=last, example=EXAMPLE
    )


def check(request: HttpRequest) -> HttpResponse:
    """Show what a pack would change; nothing is kept."""
    by, text = _writer(request), _text(request)
    draft = actions.check(text)
    changes = pages.differing_at(draft.changes, by)
    soon = draft.policy.effective_from <= clock.now()
    return part(request, "site/packs_checked.html", draft=draft, changes=changes, text=text, soon=soon)


def publish(request: HttpRequest) -> HttpResponse:
    """Publish a pack."""
    by, text = _writer(request), _text(request)
    by.require_person()
    require_recent(request)
    loaded = actions.publish(by=by, text=text)
    return done(t("规则包已发布，到时自动生效。"), go=f"{pages.HOME}?version={loaded.version}")


def _writer(request: HttpRequest) -> Any:
    by = actor(request)
    by.require("platform:write")
    return by


def _text(request: HttpRequest) -> str:
    form = Form.of(request)
    text = form.text("text", t("规则包（TOML）"), longest=LONGEST)
    form.settle()
    return text


urlpatterns: list[Any] = [
    path("rules/new", new),
    path("rules/new/check", check),
    path("rules/new/publish", publish),
]
