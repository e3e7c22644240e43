"""Pages of imports: files handed in, what they would do, how far it is, and every line that was not used."""

from base64 import b64decode
from binascii import Error as Base64Error
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path

from houfu.console.pages import Form, done, fresh_id, show
from houfu.console.words import label, t
from houfu.imports import mapping, queries, work
from houfu.jobs.pages import shown as shown_job
from houfu.kernel.http import actor, mine

HOME = "/console/imports"
REMARKS = 200


def listing(request: HttpRequest) -> HttpResponse:
    """List imports, and take files in."""
    by, merchant_id = actor(request), mine(request)
    return show(
        request,
        "imports/list.html",
        t("导入"),
        crumbs=[(t("订单"), "/console/orders")],
        rows=queries.imports(by, merchant_id),
        may_write="orders:write" in by.scopes,
        mappings=[(name, f"{label('mapping', name)}（{name}）") for name in mapping.shipped()],
    )


def take(request: HttpRequest) -> HttpResponse:
    """Read the files that a form holds."""
    form = Form.of(request)
    text = form.text("mapping_text", t("映射（TOML）"), needed=False, longest=20_000)
    names, contents = form.many("file_name[]"), form.many("file_content[]")
    if not names or len(names) != len(contents):
        form.text("file", t("文件"))
    form.settle()
    found = work.take(
        by=actor(request),
        merchant_id=mine(request),
        uploads=[work.Upload(name, _bytes(each)) for name, each in zip(names, contents, strict=True)],
        mapping_text=work.mapping_text(form.text("mapping", t("映射"), needed=False), text),
    )
    return done(t("文件已读入，请核对后开始。"), go=f"{HOME}/{found.id}")


def _bytes(said: str) -> bytes:
    """Read what the page has made of a file."""
    try:
        return b64decode(said, validate=True)
    except Base64Error:
        return b""  # which no table reads as one


def detail(request: HttpRequest, id: int) -> HttpResponse:
    """Show an import: what waits to be done, how far it is, what became of each step."""
    by, merchant_id = actor(request), mine(request)
    found = queries.access_import(by, merchant_id, id)
    job = work.latest(by, found)
    shown = shown_job(by, job) if job else None
    report = queries.report(by, found)
    rows = [{**row, "why": "、".join(_why(code) for code in row["code"].split(",") if code)} for row in report["steps"]]
    waits = sum(row["steps"] for row in report["steps"] if row["outcome"] == "waits")
    return show(
        request,
        "imports/detail.html",
        t("导入 {id}", id=id),
        crumbs=[(t("订单"), "/console/orders"), (t("导入"), HOME)],
        found=found,
        report=report,
        rows=rows,
        waits=waits,
        done=sum(row["steps"] for row in report["steps"]) - waits,
        unknown=queries.stores_unknown(found) if found.state == "working" else [],
        remarks=queries.remarks(found, REMARKS + 1),
        most=REMARKS,
        job=shown,
        may_start="orders:write" in by.scopes and found.state == "working" and not (shown and shown["open"]),
        id=fresh_id(),
    )


def _why(code: str) -> str:
    """Return what a code of an order or of a step says."""
    found = label("order_reason", code)
    return found if found != code else label("import_step_code", code)


def start(request: HttpRequest, id: int) -> HttpResponse:
    """Have an import's steps done."""
    form = Form.of(request)
    job_id = form.uuid("id")
    form.settle()
    work.ask(by=actor(request), merchant_id=mine(request), import_id=id, id=job_id)
    return done(t("导入已开始，可以离开本页。"), go=f"{HOME}/{id}")


urlpatterns: list[Any] = [
    path("imports", listing),
    path("imports/take", take),
    path("imports/<int:id>", detail),
    path("imports/<int:id>/start", start),
]
