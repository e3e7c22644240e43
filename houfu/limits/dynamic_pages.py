"""Pages of what moves by itself: what of a pool may be used over a day, proposals with their source, time bands."""

import json
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path

from houfu.console.pages import Form, day_of, done, show
from houfu.console.templatetags.kit import when
from houfu.console.words import label, t
from houfu.kernel import clock, db
from houfu.kernel.http import actor, mine
from houfu.kernel.money import yuan
from houfu.limits import actions, queries, rules
from houfu.limits.models import Adjustment, Dynamic
from houfu.limits.pool_pages import may_change
from houfu.policies import queries as policies

HOME = "/console/limits/dynamic"
SHOWN = 50


def detail(request: HttpRequest, pool_id: int) -> HttpResponse:
    """Show what of a pool may be used at each half hour of a day and why, and what is proposed for it."""
    by, merchant_id, now = actor(request), mine(request), clock.now()
    day = day_of(request.GET.get("day", "")) or clock.business_day(now)
    pool = queries.access_pool(by, "limits:read", merchant_id, pool_id)
    room = queries.pool_figures(by, merchant_id, pool_id)
    policy, settings = policies.at(now), queries.settings(merchant_id, pool_id, now)
    return show(
        request,
        "limits/dynamic.html",
        t("共享池 {id} 一天的可用额度", id=pool_id),
        crumbs=[(t("额度"), "/console/limits")],
        pool=pool,
        room=room,
        used_fen=pool.limit_fen - room.free_fen,
        now_at=queries.usable(by, merchant_id, pool_id, [now])[0],
        settings=settings,
        set=_set(settings),
        option=_chart(queries.schedule(by, merchant_id, pool_id, day), pool.limit_fen - room.free_fen),
        day=day,
        before=day - timedelta(days=1),
        following=day + timedelta(days=1),
        adjustments=[_row(each) for each in db.page(queries.adjustments(by, merchant_id, pool_id), SHOWN)],
        tables=[
            {"of": table, "bands": [rules.said(b) for b in bands], "source": _source(table.source)}
            for table, bands in queries.band_tables(by, merchant_id, pool_id)
        ],
        kinds=[("more", t("增加")), ("less", t("减少"))],
        policy=policy,
        may_write=may_change(by),
    )


def _set(settings: Dynamic | None) -> dict[str, str]:
    """Return the settings in force as the form says them; nothing where it is not dynamic."""
    if settings is None:
        return {}
    names = ("base", "floating", "auto")
    amounts = {name: yuan(getattr(settings, f"{name}_fen")) for name in names if getattr(settings, f"{name}_fen")}
    return {**amounts, "place": settings.place or ""}


def _chart(found: list[queries.Usable], used_fen: int) -> dict[str, Any]:
    """Return a day of a pool: a step where what may be used changes, beside what is in use now and what caps it."""

    def line(name: str, values: list[int | None], **more: Any) -> dict[str, Any]:
        data = [None if fen is None else fen / 100 for fen in values]
        return {"name": name, "type": "line", "step": "end", "symbol": "none", "data": data, **more}

    series = [
        line(t("可用上限（元）"), [each.usable_fen for each in found], areaStyle={"opacity": 0.15}),
        line(t("现在已用"), [used_fen] * len(found), lineStyle={"type": "dashed"}),
    ]
    if any(each.dynamic_fen is not None for each in found):
        series.append(line(t("基础加调整"), [each.dynamic_fen for each in found], lineStyle={"type": "dotted"}))
    if any(each.band_fen is not None for each in found):
        series.append(line(t("时段上限"), [each.band_fen for each in found], lineStyle={"type": "dotted"}))
    if any(each.gate_fen is not None and each.gate_fen < each.holds_fen for each in found):
        series.append(line(t("备案线"), [each.gate_fen for each in found], lineStyle={"type": "dotted"}))
    return {
        "legend": {"data": [each["name"] for each in series]},
        "xAxis": {"type": "category", "data": [f"{each.at.astimezone(clock.SHANGHAI):%H:%M}" for each in found]},
        "yAxis": {"type": "value"},
        "series": series,
    }


def _row(each: Adjustment) -> dict[str, Any]:
    return {"of": each, "source": _source(each.source), "open": each.state in ("proposed", "accepted")}


def _source(text: str) -> list[tuple[str, str]]:
    """Return what something was computed from, flat, each under its name."""
    found = []
    for name, value in json.loads(text or "{}").items():
        if isinstance(value, dict):
            found += [(f"{label('source_fact', name)} · {label('source_fact', k)}", str(v)) for k, v in value.items()]
        else:
            shown = "、".join(map(str, value)) if isinstance(value, list) else str(value)
            shown = when(shown) if name.endswith("_at") else shown
            found.append((label("source_fact", name), shown))
    return found


def set_dynamic(request: HttpRequest, pool_id: int) -> HttpResponse:
    """Let a pool be dynamic from now on."""
    form = Form.of(request)
    said = {name: form.fen(name, called, needed=False) for name, called in (
        ("base", t("基础额度")), ("floating", t("浮动上限")), ("auto", t("自动采纳上限")),
    )}  # fmt: skip
    place = form.text("place", t("地点"), needed=False, longest=40)
    form.settle()
    actions.set_dynamic(
        by=actor(request), merchant_id=mine(request), pool_id=pool_id, base_fen=said["base"] or None,
        floating_fen=said["floating"] or None, auto_fen=said["auto"], place=place or None,
    )  # fmt: skip
    return done(t("已保存"), go=f"{HOME}/{pool_id}")


def stop(request: HttpRequest, pool_id: int) -> HttpResponse:
    """Let all that a pool holds be used again."""
    actions.stop_dynamic(by=actor(request), merchant_id=mine(request), pool_id=pool_id)
    return done(t("已停止动态调整。"), go=f"{HOME}/{pool_id}")


def propose(request: HttpRequest, pool_id: int) -> HttpResponse:
    """Propose, by hand, that more or less may be used for a while."""
    form = Form.of(request)
    amount_fen = form.fen("amount", t("金额"))
    amount_fen = -amount_fen if form.text("way", t("方向")) == "less" else amount_fen
    starts, ends = form.instant("valid_from", t("自")), form.instant("valid_until", t("至"))
    reason = form.text("reason", t("理由"))
    form.settle()
    assert starts
    assert ends
    actions.propose(
        by=actor(request), merchant_id=mine(request), pool_id=pool_id, kind="manual", amount_fen=amount_fen,
        valid_from=starts, valid_until=ends, reason=reason, source={},
    )  # fmt: skip
    return done(t("已提出，采纳后生效。"), go=f"{HOME}/{pool_id}")


def decide(request: HttpRequest, pool_id: int, id: int, verb: str) -> HttpResponse:
    """Accept, reject or withdraw an adjustment."""
    verbs = {
        "accept": actions.accept_adjustment, "reject": actions.reject_adjustment,
        "withdraw": actions.withdraw_adjustment,
    }  # fmt: skip
    verbs[verb](by=actor(request), merchant_id=mine(request), id=id)
    return done(t("已保存"), go=f"{HOME}/{pool_id}")


def propose_bands(request: HttpRequest, pool_id: int) -> HttpResponse:
    """Propose a table of time bands: one line each, or the policy's where nothing is said."""
    form = Form.of(request)
    reason = form.text("reason", t("理由"))
    lines = [line.split() for line in form.text("bands", t("时段"), needed=False, longest=2000).splitlines()]
    bands: list[dict[str, Any]] = []
    for line in filter(None, lines):
        name, opens, closes, yuan = (*line, "", "", "", "")[:4]
        amount = Form({"limit": yuan})
        bands.append({"name": name, "opens": opens, "closes": closes, "limit_fen": amount.fen("limit", t("时段上限"))})
        form.wrong += amount.wrong
    form.settle()
    actions.propose_bands(
        by=actor(request), merchant_id=mine(request), pool_id=pool_id, bands=bands or None, reason=reason, source={}
    )
    return done(t("已提出，采纳后生效。"), go=f"{HOME}/{pool_id}")


def decide_bands(request: HttpRequest, pool_id: int, id: int, verb: str) -> HttpResponse:
    """Accept, reject or withdraw a table of time bands."""
    verbs = {"accept": actions.accept_bands, "reject": actions.reject_bands, "withdraw": actions.withdraw_bands}
    verbs[verb](by=actor(request), merchant_id=mine(request), id=id)
    return done(t("已保存"), go=f"{HOME}/{pool_id}")


_ONE = "limits/dynamic/<int:pool_id>"
urlpatterns = [
    path(_ONE, detail),
    path(f"{_ONE}/set", set_dynamic),
    path(f"{_ONE}/stop", stop),
    path(f"{_ONE}/propose", propose),
    path(f"{_ONE}/bands", propose_bands),
    *[path(f"{_ONE}/adjustments/<int:id>/{verb}", decide, {"verb": verb}) for verb in ("accept", "reject", "withdraw")],
    *[path(f"{_ONE}/bands/<int:id>/{verb}", decide_bands, {"verb": verb}) for verb in ("accept", "reject", "withdraw")],
]
