"""The operator's pages of runs: what became of each day of automatic payouts, for all merchants; no money is shown."""

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path

from houfu.console.pages import PER_PAGE, day_of, paged, show
from houfu.console.words import label, t
from houfu.kernel import clock
from houfu.kernel.errors import NotFound
from houfu.kernel.http import actor, after
from houfu.payouts import queries, run_queries
from houfu.policies import queries as policies

HERE, LISTING = "/console/platform/runs", "runs"
LOOKED_BACK = timedelta(days=92)


def listing(request: HttpRequest) -> HttpResponse:
    """List the days of automatic payouts of the last three months, the newest first, and those to come."""
    today = clock.business_day(clock.now())
    return show(
        request,
        "site/runs.html",
        t("提现批次"),
        days=run_queries.days_run(actor(request), today - LOOKED_BACK),
        coming=queries.run_days(today, today + timedelta(days=14)),
        policy=policies.at(clock.now()),
    )


def day(request: HttpRequest, day: str) -> HttpResponse:
    """Show what became of one day: how many stores were passed over and why, and which."""
    by, asked = actor(request), request.GET
    run_day = day_of(day)
    if run_day is None:
        raise NotFound(day=day)
    outcome = asked.get("outcome", "")
    place = after(asked.get("cursor"), LISTING)
    found = run_queries.stores_run(
        by,
        run_day,
        outcome=outcome,
        after=(int(place[0]), int(place[1])) if place else None,
        limit=PER_PAGE + 1,
    )
    reasons = run_queries.reasons_of_run(by, run_day)
    return show(
        request,
        "site/run.html",
        t("{day} 的提现批次", day=run_day.isoformat()),
        crumbs=[(t("提现批次"), HERE)],
        run_day=run_day,
        page=paged(found, LISTING, lambda row: [row.merchant_id, row.store_id]),
        reasons=[(code, label("reason_short", code), count) for code, count in reasons],
        option=_chart(reasons),
        outcome=outcome,
        policy=policies.at(clock.now()),
    )


def _chart(reasons: list[tuple[str, int]]) -> dict[str, Any] | None:
    """Return why stores were passed over as bars, the most frequent reason on top."""
    if not reasons:
        return None
    names = [label("reason_short", code) for code, _ in reversed(reasons)]
    counts = [count for _, count in reversed(reasons)]
    return {
        "grid": {"left": 8, "right": 24, "top": 8, "bottom": 8, "containLabel": True},
        "xAxis": {"type": "value"},
        "yAxis": {"type": "category", "data": names},
        "series": [{"name": t("店铺"), "type": "bar", "data": counts, "barMaxWidth": 22}],
    }


urlpatterns: list[Any] = [path("platform/runs", listing), path("platform/runs/<str:day>", day)]
