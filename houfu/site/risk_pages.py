"""The operator's pages of risk: the queue of cases, one case to its decision, the rules and what they would say."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import path

from houfu.console.pages import Form, done, fresh_id, part, show
from houfu.console.words import label, t
from houfu.history.actions import PLATFORM
from houfu.jobs import actions as jobs
from houfu.jobs.states import OPEN
from houfu.kernel import clock
from houfu.kernel.http import actor
from houfu.policies import queries as policies
from houfu.risk import actions, queries, rules, work
from houfu.risk.models import Backtest, RuleVersion

CASES, RULES = "/console/platform/cases", "/console/platform/risk-rules"
OUTCOMES = ("clear", "restrict", "freeze", "report")
KINDS = ("note", "document", "statement", "message")


def inbox(request: HttpRequest) -> HttpResponse:
    """List the cases that wait for a decision, the most pressing first."""
    now = clock.now()
    found = queries.inbox(actor(request), limit=200)
    return show(request, "site/cases.html", t("案件"), cases=found, now=now, policy=policies.at(now))


def case(request: HttpRequest, merchant_id: int, id: int) -> HttpResponse:
    """Show a case: what it is about, what was found, and what may be done now."""
    by = actor(request)
    found = queries.access_case(by, merchant_id, id)
    return show(
        request,
        "site/case.html",
        t("案件 {id}", id=id),
        crumbs=[(t("案件"), CASES)],
        case=found,
        now=clock.now(),
        entries=[
            {"at": each.at, "title": label("evidence_kind", each.kind), "text": f"{each.text} — {each.person}"}
            for each in queries.evidence(merchant_id, id)
        ],
        outcomes=[(each, label("case_outcome", each)) for each in OUTCOMES],
        kinds=[(each, label("evidence_kind", each)) for each in KINDS],
        policy=policies.at(clock.now()),
    )


def step(request: HttpRequest, merchant_id: int, id: int, verb: str) -> HttpResponse:
    """Take a case a step on: take it up, go on with it, put it away or look into it anew."""
    by, form = actor(request), Form.of(request)
    if verb == "reopen":
        note = form.text("note", t("说明"))
        form.settle()
        actions.reopen(by=by, merchant_id=merchant_id, id=id, note=note)
    else:
        {"investigate": actions.investigate, "resume": actions.resume, "close": actions.close}[verb](
            by=by, merchant_id=merchant_id, id=id
        )
    return done(t("已更新。"), go=f"{CASES}/{merchant_id}/{id}")


def add_evidence(request: HttpRequest, merchant_id: int, id: int) -> HttpResponse:
    """Add an entry to what was found."""
    form = Form.of(request)
    text, kind = form.text("text", t("内容"), longest=2000), form.text("kind", t("类别"))
    form.settle()
    actions.add_evidence(by=actor(request), merchant_id=merchant_id, id=id, kind=kind, text=text)
    return done(t("已补充。"), go=f"{CASES}/{merchant_id}/{id}")


def decide(request: HttpRequest, merchant_id: int, id: int) -> HttpResponse:
    """Decide a case."""
    form = Form.of(request)
    outcome, note = form.text("outcome", t("裁定")), form.text("note", t("说明"))
    form.settle()
    actions.decide(by=actor(request), merchant_id=merchant_id, id=id, outcome=outcome, note=note)
    return done(t("已裁定。"), go=f"{CASES}/{merchant_id}/{id}")


def rule_book(request: HttpRequest) -> HttpResponse:
    """List every version of every rule, with the numbers that it decides by."""
    by = actor(request)
    policy = policies.at(clock.now())
    return show(
        request,
        "site/risk_rules.html",
        t("风控规则"),
        versions=[_version(each, policy) for each in queries.rule_versions(by)],
        rules=[(name, label("risk_rule", name)) for name in rules.ORDER],
        may_write="platform:write" in by.scopes,
        policy=policy,
    )


def _version(row: RuleVersion, policy: Any) -> dict[str, Any]:
    numbers = queries.resolved(row, policy).numbers
    own = queries.parameters(row)
    said = [(label("policy", f"risk.{name}"), value, name in own) for name, value in numbers.items()]
    return {"of": row, "spec": rules.RULES[row.rule].rule, "numbers": said}


def version(request: HttpRequest, rule: str, version: int) -> HttpResponse:
    """Show a version of a rule with its back-tests."""
    by = actor(request)
    tests = [each for each in queries.backtests(by, rule) if each.version == version]
    return show(
        request,
        "site/risk_rule.html",
        t("{rule} 第 {version} 版", rule=label("risk_rule", rule), version=version),
        crumbs=[(t("风控规则"), RULES)],
        version=_version(queries.access_version(rule, version), policies.at(clock.now())),
        job=next((job for job in work.asked(by, rule, version) if job.state in OPEN or job.code), None),
        new_id=fresh_id(),
        tests=[_tested(each) for each in tests[:10]],
        yesterday=(clock.business_day(clock.now()) - timedelta(days=1)).isoformat(),
        month_ago=(clock.business_day(clock.now()) - timedelta(days=30)).isoformat(),
        may_write="platform:write" in by.scopes,
    )


def _tested(row: Backtest) -> dict[str, Any]:
    """Return a back-test as it is read: hits by day as a chart, and beside the version that acts now."""
    result = json.loads(row.result)
    days = sorted(result["by_day"])
    option = {
        "xAxis": {"type": "category", "data": days},
        "yAxis": {"type": "value"},
        "series": [
            {"name": t("命中"), "type": "bar", "data": [result["by_day"][d]["hits"] for d in days], "barMaxWidth": 22}
        ],
    }
    return {"of": row, "result": result, "option": option if days else None}


def lately(request: HttpRequest) -> HttpResponse:
    """Show how often each version has hit lately, those in shadow too."""
    counts = queries.applied_lately(actor(request), clock.now() - timedelta(days=7))
    rows = [
        {"rule": rule, "version": version, "asked": asked, "hits": hits, "acted": acted}
        for (rule, version), (asked, hits, acted) in sorted(counts.items())
    ]
    return part(request, "site/risk_lately.html", rows=rows)


def draft(request: HttpRequest) -> HttpResponse:
    """Propose a version of a rule."""
    form = Form.of(request)
    rule, why = form.text("rule", t("规则")), form.text("why", t("理由"))
    said = form.text("parameters", t("参数"), needed=False)
    form.settle()
    pairs = [each.partition("=") for each in said.replace(",", " ").split()]
    numbers = {name: int(value) if value.isascii() and value.isdigit() else -1 for name, _, value in pairs}
    made = actions.draft(by=actor(request), rule=rule, parameters=numbers, why=why)
    return done(t("已起草，先影子运行并回测。"), go=f"{RULES}/{rule}/{made.version}")


def move(request: HttpRequest, rule: str, version: int, verb: str) -> HttpResponse:
    """Let a version look in shadow, act, or end."""
    verbs = {"watch": actions.watch, "promote": actions.promote, "retire": actions.retire}
    verbs[verb](by=actor(request), rule=rule, version=version)
    return done(t("已更新。"), go=f"{RULES}/{rule}/{version}")


def backtest(request: HttpRequest, rule: str, version: int) -> HttpResponse:
    """Ask a version about what was recorded."""
    form = Form.of(request)
    first, last = (form.day(name, t("日期")) for name in ("first", "last"))
    id_ = form.uuid("id")
    form.settle()
    assert first
    assert last
    work.ask(by=actor(request), rule=rule, version=version, first=first, last=last, id=id_)
    return done(t("回测已开始，可以离开本页。"), go=f"{RULES}/{rule}/{version}")


def cancel(request: HttpRequest, rule: str, version: int, id: UUID) -> HttpResponse:
    """Call a back-test off."""
    jobs.cancel(by=actor(request), merchant_id=PLATFORM, id=id)
    return done(t("已取消。"), go=f"{RULES}/{rule}/{version}")


ONE = "platform/cases/<int:merchant_id>/<int:id>"
VERSION = "platform/risk-rules/<str:rule>/<int:version>"
urlpatterns: list[Any] = [
    path("platform/cases", inbox),
    path(ONE, case),
    path(f"{ONE}/evidence", add_evidence),
    path(f"{ONE}/decide", decide),
    *(path(f"{ONE}/{verb}", step, {"verb": verb}) for verb in ("investigate", "resume", "close", "reopen")),
    path("platform/risk-rules", rule_book),
    path("platform/risk-rules/lately", lately),
    path("platform/risk-rules/draft", draft),
    path(VERSION, version),
    path(f"{VERSION}/backtest", backtest),
    path(f"{VERSION}/backtest/<uuid:id>/cancel", cancel),
    *(path(f"{VERSION}/{verb}", move, {"verb": verb}) for verb in ("watch", "promote", "retire")),
]
