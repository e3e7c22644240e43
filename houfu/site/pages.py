"""The console put together: the overview, the style page, and every room's pages under their addresses."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path, re_path

from houfu.approvals import pages as approval_pages
from houfu.approvals.models import Request
from houfu.console import style
from houfu.console.pages import chosen_store, part, show
from houfu.console.words import label, t
from houfu.imports import pages as import_pages
from houfu.insight import pages as insight_pages
from houfu.jobs import pages as job_pages
from houfu.kernel import clock
from houfu.kernel.http import actor
from houfu.ledger import queries as ledger
from houfu.limits import dynamic_pages, pool_pages
from houfu.limits import pages as limit_pages
from houfu.limits import queries as limits
from houfu.orders import pages as order_pages
from houfu.orders import queries as orders
from houfu.payouts import pages as payout_pages
from houfu.payouts import queries as payouts
from houfu.payouts import rules as payout_rules
from houfu.people import pages as people_pages
from houfu.people import staff_pages
from houfu.people.actor import Actor
from houfu.policies import pages as policy_pages
from houfu.policies import queries as policies
from houfu.risk import pages as risk_pages
from houfu.risk import queries as risk
from houfu.site import access_pages, history_pages, pack_pages, platform_pages, run_pages, settings_pages, shell, trial
from houfu.site import risk_pages as risk_rule_pages
from houfu.site import trend as trends
from houfu.webhooks import pages as webhook_pages

STAGES = ("pending", "settled", "matured", "reserved", "disputed")
DAYS = trends.DAYS


def overview(request: HttpRequest) -> HttpResponse:
    """Show where a merchant stands: limits in use, money and when it can leave, and what waits for whom."""
    by = actor(request)
    if by.merchant_id is None:
        return platform_pages.overview(request, by)
    now = clock.now()
    policy = policies.at(now)
    around = shell.of(request)
    stores = around.stores
    chosen = chosen_store(request)
    shown = [store for store in stores if chosen in (None, store.id)]
    money = _money(by.merchant_id, [store.id for store in shown])
    largest = sum(payout_rules.largest(each["matured"], policy.payouts) for each in money.values())
    total = {stage: sum(each[stage] for each in money.values()) for stage in STAGES}
    return show(
        request,
        "site/overview.html",
        t("总览"),
        now=now,
        policy=policy,
        money=total,
        underway_fen=total["pending"] + total["settled"],
        largest_fen=largest,
        limits=_limits(by, by.merchant_id, [store.id for store in shown]),
        store_names={store.id: store.name for store in stores},
        window=payouts.window(now),
        run=next(iter(payouts.run_days(clock.business_day(now), clock.business_day(now) + timedelta(days=14))), None),
        coming=orders.maturing_by_day(by, by.merchant_id, chosen, now + timedelta(days=DAYS)),
        tasks=_tasks(around.waiting) if around.may_approve else None,
        alerts=_alerts(by, by.merchant_id),
        under_way=payouts.payouts(by, by.merchant_id, store_id=chosen, limit=6),
    )


def _money(merchant_id: int, store_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """Return what each of the stores is owed, by stage."""
    stands = ledger.balances(merchant_id, kinds=[f"claim:{stage}" for stage in STAGES])
    found = {store_id: dict.fromkeys(STAGES, 0) for store_id in store_ids}
    for account, fen in stands.items():
        if account.owner in found:
            found[account.owner][account.kind.removeprefix("claim:")] += fen
    return found


def _limits(by: Actor, merchant_id: int, store_ids: Sequence[int]) -> dict[str, Any]:
    """Return the limits of the stores shown, of the pools that they are in, and their sum."""
    snapshot = limits.snapshot(by, merchant_id)
    stores = [each for each in snapshot.stores if each.store_id in set(store_ids)]
    return {
        "stores": stores,
        "pools": [
            {"id": p.pool_id, "state": p.state, "usable_fen": p.usable_fen, "used_fen": p.limit_fen - p.free_fen}
            for p in snapshot.pools
        ],
        "used_fen": sum(each.exposure_fen for each in stores),
        "own_fen": sum(each.own_limit_fen for each in stores),
        "pool_fen": sum(each.pool_used_fen for each in stores),
        "whole_fen": sum(each.effective_fen for each in stores),
    }


def _tasks(waiting: Sequence[Request]) -> list[dict[str, Any]]:
    """Return the first of what waits for somebody to sign, by what it is about."""
    return [{"id": r.id, "noun": r.subject.partition("/")[0], "opened_at": r.opened_at} for r in waiting[:6]]


def _alerts(by: Actor, merchant_id: int) -> list[dict[str, Any]] | None:
    """Return what risk has to say: alerts to those who deal with them, holds and measures by class to the others."""
    if "risk:write" in by.scopes:
        found = risk.alerts(by, merchant_id, state="open", limit=6)
        return [
            {"tone": "warn", "kind": label("risk_rule", a.rule), "about": a.concerns, "at": a.last_at} for a in found
        ]
    if "risk:read" not in by.scopes:
        return None
    return [
        {"tone": "bad", "kind": label("reason_class", hold.reason_class), "about": hold.subject, "at": hold.placed_at}
        for hold in risk.holds(by, merchant_id, state="held", limit=6)
    ]


def trend(request: HttpRequest) -> HttpResponse:
    """Show how many orders came in over the last days, and for how much."""
    by = actor(request)
    found = trends.by_day(by, by.merchant_id or 0, chosen_store(request))
    rows = [row for _, row in found]
    option: dict[str, Any] = {
        "legend": {"data": [t("授信金额（元）"), t("订单数")]},
        "xAxis": {"type": "category", "data": [f"{day:%m-%d}" for day, _ in found]},
        "yAxis": [{"type": "value"}, {"type": "value", "splitLine": {"show": False}}],
        "series": [
            {"name": t("授信金额（元）"), "type": "bar", "data": [fen / 100 for _, fen, _ in rows], "barMaxWidth": 22},
            {"name": t("订单数"), "type": "line", "yAxisIndex": 1, "data": [count for count, _, _ in rows]},
        ],
    }
    asked, declined = sum(row[0] + row[2] for row in rows), sum(row[2] for row in rows)
    amount_fen, taken = sum(row[1] for row in rows), sum(row[0] for row in rows)
    return part(
        request, "site/trend.html", option=option, count=taken, amount_fen=amount_fen,
        average_fen=amount_fen // taken if taken else 0, approved_permille=taken * 1000 // asked if asked else None,
        declined=declined, days=DAYS,
    )  # fmt: skip


PAGES: list[URLPattern | URLResolver] = [
    path("", overview),
    path("overview/trend", trend),
    path("style", style.page),
    path("trial/passkey", trial.passkey),
    path("", include(people_pages.urlpatterns)),
    path("", include(staff_pages.urlpatterns)),
    path("", include(order_pages.urlpatterns)),
    path("", include(limit_pages.urlpatterns)),
    path("", include(dynamic_pages.urlpatterns)),
    path("", include(pool_pages.urlpatterns)),
    path("", include(payout_pages.urlpatterns)),
    path("", include(approval_pages.urlpatterns)),
    path("", include(risk_pages.urlpatterns)),
    path("", include(settings_pages.urlpatterns)),
    path("", include(history_pages.urlpatterns)),
    path("", include(access_pages.urlpatterns)),
    path("", include(platform_pages.urlpatterns)),
    path("", include(risk_rule_pages.urlpatterns)),
    path("", include(pack_pages.urlpatterns)),
    path("", include(run_pages.urlpatterns)),
    path("", include(webhook_pages.urlpatterns)),
    path("", include(policy_pages.urlpatterns)),
    path("", include(job_pages.urlpatterns)),
    path("", include(import_pages.urlpatterns)),
    path("", include(insight_pages.urlpatterns)),
    re_path("", shell.missing),
]
