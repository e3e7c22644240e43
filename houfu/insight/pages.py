"""Pages of insight: what is to come with how far forecasts hold, and what other rules or limits would have meant."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import path

from houfu.console.pages import Form, chosen_store, done, fresh_id, show
from houfu.console.words import label, t
from houfu.insight import actions, queries, rules, work
from houfu.jobs import actions as jobs
from houfu.jobs import queries as job_queries
from houfu.jobs.models import Job
from houfu.jobs.states import OPEN
from houfu.kernel import clock
from houfu.kernel.http import actor, mine
from houfu.kernel.kept import Kept
from houfu.kernel.money import BadAmount, parse_yuan
from houfu.limits import queries as limits
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor
from houfu.policies import queries as policies

AHEAD = {"hour": 48, "band": 168, "day": 336}  # hours that are shown of each grain
FORECASTS, WHAT_IFS = "/console/forecasts", "/console/whatifs"
RECENT = 20
LASTS = 300.0  # seconds for which a forecast is not made again, which reads half a year of orders
KEPT = Kept()


def forecast(request: HttpRequest) -> HttpResponse:
    """Show what stores may expect, from which model, and how far it has held."""
    by, merchant_id = actor(request), mine(request)
    grain = request.GET.get("grain", "band")
    grain = grain if grain in rules.GRAINS else "band"
    store_id = chosen_store(request)
    stores = {store.id: store.name for store in merchants.stores(by, merchant_id)}
    found = _forecast(by, merchant_id, grain, store_id)
    whole = [each for each in found.periods if each.store_id is None] if found else []
    tests = job_queries.jobs(by, merchant_id, kind=work.BACK_TEST.name, limit=1) if "orders:read" in by.scopes else []
    may_propose = "limits:write" in by.scopes and by.stores is None
    tomorrow = clock.business_day(clock.now()) + timedelta(days=1)
    return show(
        request,
        "insight/forecast.html",
        t("预测"),
        found=found,
        whole=whole,
        by_store=_by_store(found, stores) if found else [],
        option=_chart(grain, whole),
        grain=grain,
        grains=[(each, label("grain", each)) for each in rules.GRAINS],
        stores=stores,
        store_id=store_id,
        test=_shown(by, tests[0]) if tests else None,
        new_id=fresh_id(),
        pools=[(p.id, t("共享池 {id}", id=p.id)) for p in limits.pools(by, merchant_id)] if may_propose else [],
        days=[("", t("时段额度表")), *(
            (each.isoformat(), t("{day} 的临时上调", day=each.isoformat()))
            for each in (tomorrow + timedelta(days=n) for n in range(7))
        )],
    )  # fmt: skip


def _forecast(by: Actor, merchant_id: int, grain: str, store_id: int | None) -> queries.Forecast | None:
    """Return a forecast, the same for a while: what it is made from are hours that are over."""
    by.require("orders:read", merchant_id, store_id)
    hour = clock.now().replace(minute=0, second=0, microsecond=0)
    asked = (merchant_id, by.stores, grain, store_id, hour)
    try:
        return KEPT.get(
            asked, LASTS,
            lambda: queries.forecast(by, merchant_id, grain=grain, ahead_hours=AHEAD[grain], store_id=store_id),
        )  # fmt: skip
    except queries.TooLittlePast:
        return None


def _by_store(found: queries.Forecast, names: Mapping[int, str]) -> list[dict[str, Any]]:
    """Return the first periods of every store as rows of a table."""
    return [
        {"store": names.get(each.store_id, each.store_id), "of": each}
        for each in found.periods
        if each.store_id is not None
    ][:200]


def _chart(grain: str, periods: list[queries.Period]) -> dict[str, Any]:
    """Return the option of the chart: the middle, and what is not exceeded in nine cases of ten."""
    return {
        "legend": {"data": [t("九成不超过（单）"), t("中位数（单）"), t("预计金额（元）")]},
        "xAxis": {"type": "category", "data": [_called(grain, each) for each in periods]},
        "yAxis": [{"type": "value"}, {"type": "value", "splitLine": {"show": False}}],
        "series": [
            {"name": t("九成不超过（单）"), "type": "line", "data": [each.q90_orders for each in periods]},
            {
                "name": t("中位数（单）"), "type": "bar", "barMaxWidth": 22,
                "data": [each.q50_orders for each in periods],
            },
            {
                "name": t("预计金额（元）"), "type": "line", "yAxisIndex": 1,
                "data": [each.mean_fen / 100 for each in periods],
            },
        ],
    }  # fmt: skip


def _called(grain: str, period: queries.Period) -> str:
    day = f"{clock.business_day(period.begins):%m-%d}"
    return day if grain == "day" else f"{day} {label('band', period.period)}"


def propose(request: HttpRequest) -> HttpResponse:
    """Propose time bands, or what a day lacks; it is decided on where limits are."""
    by, merchant_id = actor(request), mine(request)
    form = Form.of(request)
    pool_id = form.number("pool_id", t("共享池"), least=1)
    reason = form.text("reason", t("说明"), longest=200)
    day = form.day("day", t("内容"), needed=False)
    form.settle()
    said: dict[str, Any] = {"by": by, "merchant_id": merchant_id, "pool_id": pool_id, "reason": reason}
    made = actions.propose_day(**said, day=day) if day else actions.propose_bands(**said)
    return done(
        t("已提出，等待额度负责人确认。") if made.proposed else t("这一天的基础额度已经够用，无需上调。"),
        go=f"/console/limits/dynamic/{pool_id}" if made.proposed else FORECASTS,
    )


def back_test(request: HttpRequest) -> HttpResponse:
    """Ask for a back-test."""
    form = Form.of(request)
    id_ = form.uuid("id")
    form.settle()
    work.ask_back_test(by=actor(request), merchant_id=mine(request), id=id_)
    return done(t("回测已开始，可以离开本页。"), go=FORECASTS)


def what_ifs(request: HttpRequest) -> HttpResponse:
    """Show the form that asks for a what-if, and those that were asked for."""
    by, merchant_id = actor(request), mine(request)
    may_ask = by.stores is None
    return show(
        request,
        "insight/whatifs.html",
        t("推演"),
        rows=[_shown(by, job) for job in job_queries.jobs(by, merchant_id, kind=work.WHAT_IF.name, limit=RECENT)],
        may_ask=may_ask,
        new_id=fresh_id(),
        stores=merchants.stores(by, merchant_id) if may_ask else [],
        packs=[("", t("当时有效的规则")), *((p.version, f"{p.version} {p.title}") for p in policies.packs())],
        chosen=request.GET.get("policy", ""),
    )


def ask(request: HttpRequest) -> HttpResponse:
    """Ask for a what-if."""
    by, merchant_id = actor(request), mine(request)
    form = Form.of(request)
    id_ = form.uuid("id")
    begins = form.day("from", t("开始日期"), needed=False)
    ends = form.day("to", t("结束日期"), needed=False)
    changes = {store.id: _change(form, store.id, store.name) for store in merchants.stores(by, merchant_id)}
    draft = form.text("draft", t("未发布的规则包（TOML）"), needed=False, longest=8000)
    form.settle()
    job = work.ask_what_if(
        by=by,
        merchant_id=merchant_id,
        policy=form.text("policy", t("规则版本"), needed=False),
        draft=draft,
        changes_fen=changes,
        begins=clock.start_of(begins) if begins else None,
        ends=clock.start_of(ends + timedelta(days=1)) if ends else None,
        reason=form.text("reason", t("说明"), needed=False, longest=200),
        id=id_,
    )
    return done(t("推演已开始，可以离开本页。"), go=f"{WHAT_IFS}/{job.id}")


def _change(form: Form, store_id: int, called: str) -> int:
    """Return by how much a store's limit is supposed to differ, in fen; written in yuan, below zero for less."""
    said = form.text(f"change-{store_id}", called, needed=False)
    sign = -1 if said.startswith("-") else 1
    try:
        return sign * parse_yuan(said.lstrip("+-")) if said else 0
    except BadAmount:
        form.fen(f"change-{store_id}", called)
        return 0


def what_if(request: HttpRequest, id: UUID) -> HttpResponse:
    """Show a what-if: how far it is, or what came of it."""
    by, merchant_id = actor(request), mine(request)
    job = job_queries.access_job(by, merchant_id, id)
    found = job.outcome or {}
    names = {store.id: store.name for store in merchants.stores(by, merchant_id)}
    return show(
        request,
        "insight/whatif.html",
        t("推演结果"),
        crumbs=[(t("推演"), WHAT_IFS)],
        job=_shown(by, job),
        found=found,
        names=names,
        changes=[(names.get(int(k), k), fen) for k, fen in job.asked["changes_fen"].items()],
        reasons=_by_reason(found),
        sides=_sides(found),
        may_cancel=job.state in OPEN and job_queries.is_own(by, job),
    )


def _by_reason(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not found:
        return []
    then, now = (found[side]["refused_by_reason"] for side in ("then", "now"))
    return [
        {"name": label("order_reason", code), "then": then.get(code, 0), "now": now.get(code, 0)}
        for code in sorted({*then, *now})
    ]


def _sides(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the figures of both lives side by side; fen-hours become yuan-days, rounded down."""
    if not found:
        return []
    names = ("orders_taken", "taken_fen", "orders_refused", "refused_fen", "peak_exposure_fen", "peak_tolerance_fen")
    rows = [
        {
            "name": label("whatif", name), "fen": name.endswith("_fen"), "then": found["then"][name],
            "now": found["now"][name],
        }
        for name in names
    ]  # fmt: skip
    days = {side: found[side]["exposure_fen_hours"] // 2400 for side in ("then", "now")}
    return [*rows, {"name": label("whatif", "exposure_yuan_days"), "fen": False, **days}]


def cancel(request: HttpRequest, id: UUID) -> HttpResponse:
    """Call a what-if off."""
    jobs.cancel(by=actor(request), merchant_id=mine(request), id=id)
    return done(t("推演已取消。"), go=f"{WHAT_IFS}/{id}")


def _shown(by: Actor, job: Job) -> dict[str, Any]:
    """Return a job as it is read."""
    return {
        "of": job,
        "open": job.state in OPEN,
        "asked": job.asked,
        "found": job.outcome,
        "own": job_queries.is_own(by, job),
    }


urlpatterns: list[Any] = [
    path("forecasts", forecast),
    path("forecasts/propose", propose),
    path("forecasts/backtest", back_test),
    path("whatifs", what_ifs),
    path("whatifs/ask", ask),
    path("whatifs/<uuid:id>", what_if),
    path("whatifs/<uuid:id>/cancel", cancel),
]
