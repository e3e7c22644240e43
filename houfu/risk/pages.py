"""Pages of risk: alerts and cases for those who deal with them, holds, measures, appeals and the score for others."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path

from houfu.console.pages import Form, done, show
from houfu.console.words import label, t
from houfu.kernel import clock
from houfu.kernel.http import actor, mine
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor
from houfu.policies import queries as policies
from houfu.risk import actions, queries, rules
from houfu.risk.models import Alert, Case, ScoreEvent
from houfu.risk.states import CASE

HOME = "/console/risk"
SHOWN = 50
KINDS = ("note", "document", "statement", "message")
OUTCOMES = ("clear", "report")  # what a merchant's own officer may decide; measures are the platform's


def overview(request: HttpRequest) -> HttpResponse:
    """Show what is held, what was decided, what may be appealed and the score; alerts and cases to compliance."""
    by, merchant_id, now = actor(request), mine(request), clock.now()
    works = "risk:write" in by.scopes
    names = {store.id: store.name for store in merchants.stores(by, merchant_id)}
    subjects = [*((f"store/{id}", name) for id, name in names.items()), (f"merchant/{merchant_id}", t("整个商户"))]
    score = queries.score(by, merchant_id)
    countered = {event.counters_id for event in score.events}
    return show(
        request,
        "risk/overview.html",
        t("风控"),
        policy=policies.at(now),
        now=now,
        works=works,
        names=names,
        alerts=queries.alerts(by, merchant_id, limit=SHOWN) if works else [],
        cases=queries.inbox(by, merchant_id, limit=SHOWN) if works else [],
        decided=[c for c in queries.cases(by, merchant_id, limit=SHOWN) if c.state in ("decided", "closed")]
        if works
        else [],
        holds=queries.holds(by, merchant_id, limit=SHOWN),
        held=len(queries.holds(by, merchant_id, state="held", limit=SHOWN)),
        measures=queries.measures(by, merchant_id, limit=SHOWN),
        appeals=queries.appeals(by, merchant_id, limit=SHOWN),
        points=score.points,
        events=[_event(each, by, countered) for each in reversed(score.events[-SHOWN:])],
        may_appeal="approvals:write" in by.scopes,
        subjects=subjects,
        called=dict(subjects),
        classes=[
            (each, label("reason_class", each)) for each in sorted({r.reason_class for r in rules.RULES.values()})
        ],
    )


def _event(each: ScoreEvent, by: Actor, countered: set[int | None]) -> dict[str, Any]:
    """Return an event of the score; which rule it was is for compliance alone."""
    open_ = each.points <= 0 and each.counters_id is None and each.id not in countered
    rule = label("risk_rule", each.rule) if "risk:write" in by.scopes else ""
    return {"of": each, "rule": rule, "may_appeal": open_ and "approvals:write" in by.scopes and by.stores is None}


def alert(request: HttpRequest, id: int) -> HttpResponse:
    """Show an alert with the numbers that it was raised on: for compliance alone."""
    by, merchant_id = actor(request), mine(request)
    found = queries.access_alert(by, merchant_id, id)
    decision = queries.access_decision(by, merchant_id, found.decision_id)
    applied = [each for each in rules.read_applied(decision.applied) if each.rule == found.rule]
    return show(
        request,
        "risk/alert.html",
        label("risk_rule", found.rule),
        crumbs=[(t("风控"), HOME)],
        alert=found,
        decision=decision,
        numbers=[(name, value) for each in applied for name, value in each.numbers.items()],
        store=_store(merchant_id, found),
    )


def _store(merchant_id: int, found: Alert | Case) -> Any:
    return merchants.store(merchant_id, found.store_id) if found.store_id else None


def acknowledge(request: HttpRequest, id: int) -> HttpResponse:
    """Take an alert up."""
    actions.acknowledge(by=actor(request), merchant_id=mine(request), id=id)
    return done(t("已接手。"), go=f"{HOME}/alerts/{id}")


def dismiss(request: HttpRequest, id: int) -> HttpResponse:
    """Put an alert away, saying why."""
    form = Form.of(request)
    note = form.text("note", t("说明"))
    form.settle()
    actions.dismiss(by=actor(request), merchant_id=mine(request), id=id, note=note)
    return done(t("已排除。"), go=HOME)


def escalate(request: HttpRequest, id: int) -> HttpResponse:
    """Make a case of an alert."""
    found = actions.escalate(by=actor(request), merchant_id=mine(request), id=id)
    return done(t("已立案。"), go=f"{HOME}/cases/{found.case_id}")


def open_case(request: HttpRequest) -> HttpResponse:
    """Open a case by hand."""
    form = Form.of(request)
    subject, reason_class = form.text("subject", t("对象")), form.text("reason_class", t("原因类别"))
    form.settle()
    made = actions.open_case(by=actor(request), merchant_id=mine(request), subject=subject, reason_class=reason_class)
    return done(t("已立案。"), go=f"{HOME}/cases/{made.id}")


def case(request: HttpRequest, id: int) -> HttpResponse:
    """Show a case: its deadline, what was found, what is held for it; and let it be worked on."""
    by, merchant_id, now = actor(request), mine(request), clock.now()
    found = queries.access_case(by, merchant_id, id)
    may = {verb: found.state in starts for verb, (starts, _) in CASE.items()}
    return show(
        request,
        "risk/case.html",
        t("案件 {id}", id=id),
        crumbs=[(t("风控"), HOME)],
        case=found,
        store=_store(merchant_id, found),
        way=_way(found),
        late=found.state in queries.UNDECIDED and found.due_at <= now,
        evidence=[
            {"at": e.at, "title": f"{label('risk_evidence', e.kind)} · {e.person}", "text": e.text}
            for e in queries.evidence(merchant_id, id)
        ],
        holds=[hold for hold in queries.holds(by, merchant_id, limit=500) if hold.case_id == id],
        may=may,
        kinds=[(kind, label("risk_evidence", kind)) for kind in KINDS],
        outcomes=[(each, label("case_outcome", each)) for each in OUTCOMES],
        policy=policies.at(now),
    )


def _way(found: Case) -> dict[str, Any]:
    way = ["open", "investigating", *(["waiting"] if found.state == "waiting" else []), "decided", "closed"]
    names, at = [label("case", state) for state in way], way.index(found.state)
    ended = found.state == "closed"
    return {"done": names[: at + ended], "now": "" if ended else names[at], "to_come": names[at + 1 :]}


def move(request: HttpRequest, id: int, verb: str) -> HttpResponse:
    """Begin to look into a case, go on with it, or close it."""
    verbs = {"investigate": actions.investigate, "resume": actions.resume, "close": actions.close}
    verbs[verb](by=actor(request), merchant_id=mine(request), id=id)
    return done(t("已保存"), go=f"{HOME}/cases/{id}")


def add_evidence(request: HttpRequest, id: int) -> HttpResponse:
    """Add what was found."""
    form = Form.of(request)
    kind, text = form.text("kind", t("类型")), form.text("text", t("内容"), longest=2000)
    form.settle()
    actions.add_evidence(by=actor(request), merchant_id=mine(request), id=id, kind=kind, text=text)
    return done(t("已记录。"), go=f"{HOME}/cases/{id}")


def wait(request: HttpRequest, id: int) -> HttpResponse:
    """Let a case wait for somebody, until a day."""
    form = Form.of(request)
    note, until = form.text("note", t("说明")), form.instant("until", t("等到"))
    form.settle()
    assert until
    actions.wait(by=actor(request), merchant_id=mine(request), id=id, note=note, until=until)
    return done(t("已保存"), go=f"{HOME}/cases/{id}")


def decide(request: HttpRequest, id: int) -> HttpResponse:
    """Decide a case, saying why."""
    form = Form.of(request)
    outcome, note = form.text("outcome", t("结论")), form.text("note", t("说明"))
    form.settle()
    actions.decide(by=actor(request), merchant_id=mine(request), id=id, outcome=outcome, note=note)
    return done(t("已作出结论。"), go=f"{HOME}/cases/{id}")


def reopen(request: HttpRequest, id: int) -> HttpResponse:
    """Look into a case again."""
    form = Form.of(request)
    note = form.text("note", t("说明"))
    form.settle()
    actions.reopen(by=actor(request), merchant_id=mine(request), id=id, note=note)
    return done(t("已保存"), go=f"{HOME}/cases/{id}")


def appeal(request: HttpRequest, kind: str, id: int) -> HttpResponse:
    """Object to a measure or to points that were lost; somebody else of the platform looks at it again."""
    form = Form.of(request)
    grounds = form.text("grounds", t("申诉理由"), longest=2000)
    form.settle()
    about = {"case_id": id} if kind == "measure" else {"score_event_id": id}
    actions.appeal(by=actor(request), merchant_id=mine(request), grounds=grounds, **about)
    return done(t("申诉已提交，由另一位人员复核。"), go=HOME)


urlpatterns = [
    path("risk", overview),
    path("risk/alerts/<int:id>", alert),
    path("risk/alerts/<int:id>/acknowledge", acknowledge),
    path("risk/alerts/<int:id>/dismiss", dismiss),
    path("risk/alerts/<int:id>/escalate", escalate),
    path("risk/cases/open", open_case),
    path("risk/cases/<int:id>", case),
    *[path(f"risk/cases/<int:id>/{verb}", move, {"verb": verb}) for verb in ("investigate", "resume", "close")],
    path("risk/cases/<int:id>/evidence", add_evidence),
    path("risk/cases/<int:id>/wait", wait),
    path("risk/cases/<int:id>/decide", decide),
    path("risk/cases/<int:id>/reopen", reopen),
    path("risk/measures/<int:id>/appeal", appeal, {"kind": "measure"}),
    path("risk/score/<int:id>/appeal", appeal, {"kind": "score"}),
]
