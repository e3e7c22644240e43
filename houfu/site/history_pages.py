"""Pages of the history: what happened, by whom and to what, one link with its seal, and the chain recomputed."""

import json
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path

from houfu.console import words
from houfu.console.pages import PER_PAGE, day_of, done, paged, show
from houfu.console.words import label, t
from houfu.history import queries
from houfu.history.models import Link
from houfu.jobs import actions as jobs
from houfu.kernel import clock
from houfu.kernel.errors import NotFound
from houfu.kernel.http import actor, after, mine
from houfu.kernel.money import yuan
from houfu.people import queries as people
from houfu.people.actor import Actor

LISTING, HOME = "history", "/console/history"
PAGES_OF = {  # where a subject's own page is
    "payout": "/console/payouts/", "staff": "/console/people/", "job": "/console/jobs/",
    "key": "/console/integrations#",
    "endpoint": "/console/integrations/webhooks/", "approval": "/console/approvals/",
}  # fmt: skip
CHAIN = "history.verify"


def event(verb: str) -> str:
    """Call something that happened by its name, such as payout.paid."""
    noun, _, what = verb.partition(".")
    return f"{label('history_noun', noun)} · {label('history_done', what)}"


def listing(request: HttpRequest) -> HttpResponse:
    """List what happened, newest first."""
    by, merchant_id, asked = actor(request), mine(request), request.GET
    _require(by)
    begins, ends = day_of(asked.get("from", "")), day_of(asked.get("to", ""))
    place = after(asked.get("cursor"), LISTING)
    found = queries.links(
        merchant_id,
        subject=asked.get("subject", "").strip(),
        noun=asked.get("noun", ""),
        since=clock.start_of(begins) if begins else None,
        until=clock.start_of(ends) + timedelta(days=1) if ends else None,
        before_seq=int(place[0]) if place else None,
        limit=PER_PAGE + 1,
        confidential="risk:write" in by.scopes,
    )
    page = paged(found, LISTING, lambda row: [row.seq])
    names = _names(by, merchant_id, page["items"])
    return show(
        request,
        "site/history.html",
        t("操作记录"),
        page={**page, "items": [_shown(link, names) for link in page["items"]]},
        nouns=[(noun, label("history_noun", noun)) for noun in words.labels()["history_noun"]],
        asked=asked,
    )


def detail(request: HttpRequest, seq: int) -> HttpResponse:
    """Show one link of the chain: what it says in full, and what seals it to the link before."""
    by, merchant_id = actor(request), mine(request)
    _require(by)
    link = queries.link(merchant_id, seq)
    if link is None or ("risk:write" not in by.scopes and link.verb.startswith(queries.CONFIDENTIAL)):
        raise NotFound()
    before = queries.link(merchant_id, seq - 1)
    noun, _, id_ = link.subject.partition("/")
    return show(
        request,
        "site/history_link.html",
        t("第 {seq} 条", seq=seq),
        crumbs=[(t("操作记录"), HOME)],
        link=_shown(link, _names(by, merchant_id, [link])),
        facts=[(name.removesuffix("_fen"), _value(name, value)) for name, value in sorted(link.detail.items())],
        goes=PAGES_OF[noun] + id_ if noun in PAGES_OF else "",
        hash=bytes(link.hash).hex(),
        before=bytes(before.hash).hex() if before else "",
        rows_digest=bytes(link.rows_digest).hex() if link.rows_digest else "",
    )


def verify(request: HttpRequest) -> HttpResponse:
    """Have the whole chain recomputed; a job does it, and says what does not hold."""
    by, merchant_id = actor(request), mine(request)
    job = jobs.ask(by=by, merchant_id=merchant_id, kind=CHAIN, arguments={"asked_at": clock.now().isoformat()})
    return done(t("已开始校验，可以离开此页。"), go=f"/console/jobs/{job.id}")


def _require(by: Actor) -> None:
    by.require("history:read")
    by.require_whole()


def _names(by: Actor, merchant_id: int, links: list[Link]) -> dict[str, str]:
    """Return what the staff are called who did something, by their names in the history."""
    wanted = {link.actor for link in links if link.actor.startswith("staff/")}
    if not wanted or "people:read" not in by.scopes:
        return {}
    return people.names(by, merchant_id, [int(each.partition("/")[2]) for each in wanted])


def _shown(link: Link, names: dict[str, str]) -> dict[str, Any]:
    kind, _, who = link.actor.partition("/")
    said = "，".join(f"{name.removesuffix('_fen')}: {_value(name, v)}" for name, v in sorted(link.detail.items()))
    return {
        "seq": link.seq, "at": link.at, "verb": link.verb, "title": event(link.verb), "subject": link.subject,
        "actor": names.get(link.actor) or f"{label('actor_kind', kind)} {who}", "label": link.actor,
        "said": said if len(said) < 90 else said[:88] + "…",
    }  # fmt: skip


def _value(name: str, value: Any) -> str:
    if name.endswith("_fen") and isinstance(value, int):
        return t("{yuan} 元", yuan=yuan(value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


urlpatterns: list[Any] = [
    path("history", listing),
    path("history/verify", verify),
    path("history/<int:seq>", detail),
]
