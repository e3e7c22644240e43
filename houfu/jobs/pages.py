"""Pages of long work: asking for an export, all jobs with how far they are, one of them until it has ended."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import path

from houfu.console.pages import PER_PAGE, Form, chosen_store, day_of, done, fresh_id, paged, part, show
from houfu.console.words import in_english, label, t
from houfu.jobs import actions, exports, queries
from houfu.jobs.api import handed_over
from houfu.jobs.models import Job
from houfu.jobs.states import OPEN
from houfu.kernel import clock
from houfu.kernel.http import actor, after, mine, writes
from houfu.people.actor import Actor
from houfu.people.sign_in.auth import require_recent

LISTING, HOME = "jobs", "/console/jobs"
STATES = ("waiting", "running", "done", "failed", "cancelled")


def _filters(request: HttpRequest, what: str) -> dict[str, Any]:
    """Return the filters of a listing as its page has them, in the words of its export."""
    asked, by = request.GET, actor(request)
    begins, ends = day_of(asked.get("from", "")), day_of(asked.get("to", ""))
    said: dict[str, Any] = {name: asked.get(name, "").strip() for name in ("state", "subject", "noun")}
    said["store_id"] = chosen_store(request)
    said["since"] = clock.start_of(begins).isoformat() if begins else None
    said["until"] = (clock.start_of(ends) + timedelta(days=1)).isoformat() if ends else None
    said["confidential"] = "risk:write" in by.scopes
    return {name: said[name] for name in exports.filters_of(what) if said.get(name)}


def export(request: HttpRequest, what: str) -> HttpResponse:
    """Ask what a listing's file is to be, and what for; then have it made."""
    if request.method == "POST":
        return _ask(request, what)
    filters = _filters(request, what)
    chosen = request.GET.get("format", "xlsx")
    return show(
        request,
        "jobs/export.html",
        t("导出{what}", what=label("export", what)),
        what=what,
        filters=json.dumps(filters),
        shown=[(label("filter", name), value) for name, value in filters.items() if name != "confidential"],
        format=chosen if chosen in ("csv", "xlsx") else "xlsx",
        formats=[("xlsx", "Excel (XLSX)"), ("csv", "CSV")],
        languages=[("zh-Hans", "中文"), ("en", "English")],
        language="en" if in_english() else "zh-Hans",
        id=fresh_id(),
    )


def _ask(request: HttpRequest, what: str) -> HttpResponse:
    require_recent(request)
    form = Form.of(request)
    reason = form.text("reason", t("用途说明"), longest=200)
    id_ = form.uuid("id")
    form.settle()
    job = exports.ask(
        by=actor(request),
        merchant_id=mine(request),
        what=what,
        format="csv" if form.values.get("format") == "csv" else "xlsx",
        filters=json.loads(str(form.values.get("filters") or "{}")),
        reason=reason,
        language="en" if form.values.get("language") == "en" else "zh-Hans",
        id=id_,
    )
    return part(request, "jobs/progress.html", job=shown(actor(request), job), asked=True)


def listing(request: HttpRequest) -> HttpResponse:
    """List the jobs that one may see, the latest asked for first."""
    by, merchant_id = actor(request), mine(request)
    state = request.GET.get("state", "")
    place = after(request.GET.get("cursor"), LISTING)
    found = queries.jobs(
        by,
        merchant_id,
        state=state if state in STATES else "",
        after=(datetime.fromisoformat(place[0]), UUID(place[1])) if place else None,
        limit=PER_PAGE + 1,
    )
    page = paged(found, LISTING, lambda job: [job.asked_at.isoformat(), job.id])
    return show(
        request,
        "jobs/list.html",
        t("任务"),
        page={**page, "items": [shown(by, job) for job in page["items"]]},
        busy=any(job.state in OPEN for job in page["items"]),
        states=[(each, label("job", each)) for each in STATES],
        asked=request.GET,
    )


def detail(request: HttpRequest, id: UUID) -> HttpResponse:
    """Show a job: how far it is, or what came of it."""
    by = actor(request)
    job = queries.access_job(by, mine(request), id)
    return show(request, "jobs/detail.html", _title(job), crumbs=[(t("任务"), HOME)], job=shown(by, job))


def progress(request: HttpRequest, id: UUID) -> HttpResponse:
    """Show how far a job is now; asked for again and again until it has ended."""
    by = actor(request)
    return part(request, "jobs/progress.html", job=shown(by, queries.access_job(by, mine(request), id)))


def cancel(request: HttpRequest, id: UUID) -> HttpResponse:
    """Call a job off."""
    actions.cancel(by=actor(request), merchant_id=mine(request), id=id)
    return done(t("已取消。"), go=f"{HOME}/{id}")


def ready(request: HttpRequest, id: UUID) -> HttpResponse:
    """Lead to a job's file, after whoever wants it has proven that it is them."""
    require_recent(request)
    queries.access_job(actor(request), mine(request), id)
    return done("", go=f"{HOME}/{id}/file")


@writes
def file(request: HttpRequest, id: UUID) -> Any:
    """Hand over the file; the history keeps who has had it, and what for."""
    require_recent(request)
    return handed_over(actor(request), mine(request), id)


def _title(job: Job) -> str:
    kind, _, what = job.kind.partition(".")
    return t("导出{what}", what=label("export", what)) if kind == "export" else label("job_kind", job.kind)


def shown(by: Actor, job: Job) -> dict[str, Any]:
    """Return a job as it is read."""
    asked = job.asked
    filters = asked.get("filters", {})
    return {
        "id": job.id, "title": _title(job), "kind": job.kind, "state": job.state, "reason": job.reason,
        "asked_at": job.asked_at, "asked_by": job.asked_by, "own": queries.is_own(by, job), "ended_at": job.ended_at,
        "done": job.done, "of": job.total or 0, "open": job.state in OPEN, "bytes": job.file_bytes,
        "known": job.total is not None, "makes_file": job.file_name is not None, "of_import": asked.get("import"),
        "file": job.expires_at and job.expires_at > clock.now() and job.state == "done" and job.file_name,
        "expires_at": job.expires_at, "code": job.code, "result": job.outcome,
        "format": asked.get("format", "").upper(),
        "filters": [(label("filter", name), value) for name, value in filters.items() if name != "confidential"],
    }  # fmt: skip


urlpatterns: list[Any] = [
    path("exports/<str:what>", export),
    path("jobs", listing),
    path("jobs/<uuid:id>", detail),
    path("jobs/<uuid:id>/progress", progress),
    path("jobs/<uuid:id>/cancel", cancel),
    path("jobs/<uuid:id>/ready", ready),
    path("jobs/<uuid:id>/file", file),
]
