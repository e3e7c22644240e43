"""Risk over HTTP. Staff are told the class of a reason; rules, figures and alerts are for those who may `risk:write`.

A platform's key names the merchant with `merchant_id`; a merchant's own need not.
"""

import json
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import Field

from houfu.kernel.http import PROBLEMS, Id, In, Instant, Limit, Out, Page, actor, after, mine, page
from houfu.risk import actions, queries

router = Router(tags=["risk"])


class HoldOut(Out):
    """What is held, as staff may know it."""

    subject: str
    store_id: int
    reason_class: str
    state: str
    placed_at: datetime
    ended_at: datetime | None


class MeasureOut(Out):
    """What was decided about a store, as its staff may know it."""

    case_id: int = Field(validation_alias="id")
    store_id: int | None
    reason_class: str
    outcome: str
    decided_at: datetime


class ScoreEventOut(Out):
    id: int
    reason_class: str
    points: int
    month: date | None
    counters_id: int | None
    at: datetime


class ScoreOut(Out):
    points: int
    events: list[ScoreEventOut]


class NewAppeal(In):
    grounds: str
    case_id: int | None = None
    score_event_id: int | None = None


class AppealOut(Out):
    id: int
    subject: str
    case_id: int | None
    score_event_id: int | None
    month: date
    state: str
    grounds: str
    submitted_at: datetime
    reviewed_at: datetime | None
    note: str


class Note(In):
    note: str = Field(min_length=4, max_length=500)


class AlertOut(Out):
    id: int
    rule: str
    version: int
    concerns: str
    store_id: int | None
    reason_class: str
    decision_id: UUID
    case_id: int | None
    state: str
    times: int
    raised_at: datetime
    last_at: datetime
    handled_by: str
    note: str


class NewCase(In):
    subject: str = Field(description='"store/<id>" or "merchant/<id>"')
    reason_class: str = Field(pattern="^[a-z_]{1,40}$", description="what staff may know of it")


class CaseOut(Out):
    merchant_id: int
    id: int
    subject: str
    store_id: int | None
    reason_class: str
    state: str
    outcome: str | None
    assignee: str
    opened_at: datetime
    due_at: datetime
    overdue_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    note: str


class NewEvidence(In):
    kind: str = Field(description="note, document, statement or message")
    text: str


class EvidenceOut(Out):
    no: int
    kind: str
    text: str
    person: str
    at: datetime


class CaseWithEvidence(CaseOut):
    evidence: list[EvidenceOut]


class Waiting(In):
    note: str
    until: Instant


class Deciding(In):
    outcome: str = Field(description="clear, restrict, freeze or report")
    note: str


class DecisionOut(Out):
    id: UUID
    kind: str
    subject: str
    at: datetime
    policy: str
    facts: dict[str, Any]
    applied: list[dict[str, Any]]
    outcome: str
    reason_class: str

    @staticmethod
    def resolve_facts(row: Any) -> Any:
        return json.loads(row.facts)

    @staticmethod
    def resolve_applied(row: Any) -> Any:
        return json.loads(row.applied)


class ReplayOut(Out):
    outcome: str
    reason_class: str
    same: bool


class PackageOut(Out):
    id: int
    case_id: int
    state: str
    digest: str
    made_by: str
    made_at: datetime
    reviewed_by: str | None
    reviewed_at: datetime | None
    document: dict[str, Any]

    @staticmethod
    def resolve_digest(row: Any) -> str:
        return bytes(row.digest).hex()

    @staticmethod
    def resolve_document(row: Any) -> Any:
        return json.loads(row.document)


def whose(request: HttpRequest, merchant_id: int | None) -> int:
    """Return the merchant that a request is about; actions and queries refuse another's."""
    return mine(request) if merchant_id is None else merchant_id


def before(cursor: str, listing: str) -> int | None:
    place = after(cursor, listing)
    return int(place[0]) if place else None


@router.get("/risk/holds", response={200: Page[HoldOut], **PROBLEMS})
def holds(
    request: HttpRequest, merchant_id: int | None = None, state: str = "", cursor: str = "", limit: Limit = 100
) -> Any:
    """List what is held of the stores that the caller may see, with the class of the reason alone (K3)."""
    found = queries.holds(
        actor(request), whose(request, merchant_id), state=state, before=before(cursor, "holds"), limit=limit + 1
    )
    return page(found, limit, "holds", lambda row: [row.id])


@router.get("/risk/measures", response={200: Page[MeasureOut], **PROBLEMS})
def measures(request: HttpRequest, merchant_id: int | None = None, cursor: str = "", limit: Limit = 100) -> Any:
    """List what was decided about stores and can be appealed, newest first (K4)."""
    found = queries.measures(
        actor(request), whose(request, merchant_id), before=before(cursor, "measures"), limit=limit + 1
    )
    return page(found, limit, "measures", lambda row: [row.id])


@router.get("/risk/score", response={200: ScoreOut, **PROBLEMS})
def score(request: HttpRequest, merchant_id: int | None = None) -> Any:
    """Return the merchant's internal score and its events (K5, K6)."""
    return queries.score(actor(request), whose(request, merchant_id))


@router.post("/risk/appeals", response={201: AppealOut, **PROBLEMS})
def appeal(request: HttpRequest, body: NewAppeal, merchant_id: int | None = None) -> Any:
    """Object to a measure or to lost points, once a month for each store and for the merchant (K4)."""
    return Status(201, actions.appeal(by=actor(request), merchant_id=whose(request, merchant_id), **body.dict()))


@router.get("/risk/appeals", response={200: Page[AppealOut], **PROBLEMS})
def appeals(request: HttpRequest, merchant_id: int | None = None, cursor: str = "", limit: Limit = 100) -> Any:
    """List appeals, newest first."""
    found = queries.appeals(
        actor(request), whose(request, merchant_id), before=before(cursor, "appeals"), limit=limit + 1
    )
    return page(found, limit, "appeals", lambda row: [row.id])


@router.post("/risk/appeals/{int:appeal_id}:take-up", response={200: AppealOut, **PROBLEMS})
def take_up(request: HttpRequest, appeal_id: int, merchant_id: int) -> Any:
    """Begin to review an appeal; for the platform's people."""
    return actions.take_up(by=actor(request), merchant_id=merchant_id, id=appeal_id)


@router.post("/risk/appeals/{int:appeal_id}:uphold", response={200: AppealOut, **PROBLEMS})
def uphold(request: HttpRequest, appeal_id: int, merchant_id: int, body: Note) -> Any:
    """Leave what was decided as it is."""
    return actions.uphold(by=actor(request), merchant_id=merchant_id, id=appeal_id, note=body.note)


@router.post("/risk/appeals/{int:appeal_id}:overturn", response={200: AppealOut, **PROBLEMS})
def overturn(request: HttpRequest, appeal_id: int, merchant_id: int, body: Note) -> Any:
    """Undo what was decided: the measure ends, or the points are given back."""
    return actions.overturn(by=actor(request), merchant_id=merchant_id, id=appeal_id, note=body.note)


@router.post("/risk/appeals/{int:appeal_id}:rule-out", response={200: AppealOut, **PROBLEMS})
def rule_out(request: HttpRequest, appeal_id: int, merchant_id: int, body: Note) -> Any:
    """Say that an appeal is inadmissible for its form."""
    return actions.rule_out(by=actor(request), merchant_id=merchant_id, id=appeal_id, note=body.note)


@router.get("/risk/alerts", response={200: Page[AlertOut], **PROBLEMS})
def alerts(
    request: HttpRequest, merchant_id: int | None = None, state: str = "", cursor: str = "", limit: Limit = 100
) -> Any:
    """List alerts, newest first; for compliance."""
    found = queries.alerts(
        actor(request), whose(request, merchant_id), state=state, before=before(cursor, "alerts"), limit=limit + 1
    )
    return page(found, limit, "alerts", lambda row: [row.id])


@router.post("/risk/alerts/{int:alert_id}:acknowledge", response={200: AlertOut, **PROBLEMS})
def acknowledge(request: HttpRequest, alert_id: int, merchant_id: int | None = None) -> Any:
    """Say that somebody looks at an alert."""
    return actions.acknowledge(by=actor(request), merchant_id=whose(request, merchant_id), id=alert_id)


@router.post("/risk/alerts/{int:alert_id}:dismiss", response={200: AlertOut, **PROBLEMS})
def dismiss(request: HttpRequest, alert_id: int, body: Note, merchant_id: int | None = None) -> Any:
    """End an alert with the reason why nothing follows."""
    return actions.dismiss(by=actor(request), merchant_id=whose(request, merchant_id), id=alert_id, note=body.note)


@router.post("/risk/alerts/{int:alert_id}:escalate", response={200: AlertOut, **PROBLEMS})
def escalate(request: HttpRequest, alert_id: int, merchant_id: int | None = None) -> Any:
    """Make an alert a case."""
    return actions.escalate(by=actor(request), merchant_id=whose(request, merchant_id), id=alert_id)


@router.get("/risk/inbox", response={200: list[CaseOut], **PROBLEMS})
def inbox(request: HttpRequest, merchant_id: int | None = None, limit: Limit = 100) -> Any:
    """List the cases that wait for a decision, the most pressing first; all merchants' for the platform."""
    return queries.inbox(actor(request), merchant_id, limit=limit)


@router.get("/risk/cases", response={200: Page[CaseOut], **PROBLEMS})
def cases(
    request: HttpRequest, merchant_id: int | None = None, state: str = "", cursor: str = "", limit: Limit = 100
) -> Any:
    """List cases, newest first."""
    found = queries.cases(
        actor(request), whose(request, merchant_id), state=state, before=before(cursor, "cases"), limit=limit + 1
    )
    return page(found, limit, "cases", lambda row: [row.id])


@router.post("/risk/cases", response={201: CaseOut, **PROBLEMS})
def open_case(request: HttpRequest, body: NewCase, merchant_id: int | None = None) -> Any:
    """Open a case about a store or the merchant."""
    return Status(201, actions.open_case(by=actor(request), merchant_id=whose(request, merchant_id), **body.dict()))


@router.get("/risk/cases/{int:case_id}", response={200: CaseWithEvidence, **PROBLEMS})
def case(request: HttpRequest, case_id: int, merchant_id: int | None = None) -> Any:
    """Return a case with what was found in it."""
    merchant = whose(request, merchant_id)
    found = queries.access_case(actor(request), merchant, case_id)
    return {**CaseOut.from_orm(found).dict(), "evidence": queries.evidence(merchant, case_id)}


@router.post("/risk/cases/{int:case_id}:investigate", response={200: CaseOut, **PROBLEMS})
def investigate(request: HttpRequest, case_id: int, merchant_id: int | None = None) -> Any:
    """Take a case up."""
    return actions.investigate(by=actor(request), merchant_id=whose(request, merchant_id), id=case_id)


@router.post("/risk/cases/{int:case_id}:wait", response={200: CaseOut, **PROBLEMS})
def wait(request: HttpRequest, case_id: int, body: Waiting, merchant_id: int | None = None) -> Any:
    """Let a case wait for something until an instant."""
    return actions.wait(
        by=actor(request), merchant_id=whose(request, merchant_id), id=case_id, note=body.note, until=body.until
    )


@router.post("/risk/cases/{int:case_id}:resume", response={200: CaseOut, **PROBLEMS})
def resume(request: HttpRequest, case_id: int, merchant_id: int | None = None) -> Any:
    """Go on with a case that waited."""
    return actions.resume(by=actor(request), merchant_id=whose(request, merchant_id), id=case_id)


@router.post("/risk/cases/{int:case_id}/evidence", response={201: EvidenceOut, **PROBLEMS})
def add_evidence(request: HttpRequest, case_id: int, body: NewEvidence, merchant_id: int | None = None) -> Any:
    """Add an entry to what was found; entries are never changed."""
    by = actor(request)
    return Status(201, actions.add_evidence(by=by, merchant_id=whose(request, merchant_id), id=case_id, **body.dict()))


@router.post("/risk/cases/{int:case_id}:decide", response={200: CaseOut, **PROBLEMS})
def decide(request: HttpRequest, case_id: int, body: Deciding, merchant_id: int | None = None) -> Any:
    """Decide a case; what it holds goes on where it clears (K4)."""
    return actions.decide(by=actor(request), merchant_id=whose(request, merchant_id), id=case_id, **body.dict())


@router.post("/risk/cases/{int:case_id}:close", response={200: CaseOut, **PROBLEMS})
def close(request: HttpRequest, case_id: int, merchant_id: int | None = None) -> Any:
    """Put a decided case away."""
    return actions.close(by=actor(request), merchant_id=whose(request, merchant_id), id=case_id)


@router.post("/risk/cases/{int:case_id}:reopen", response={200: CaseOut, **PROBLEMS})
def reopen(request: HttpRequest, case_id: int, body: Note, merchant_id: int | None = None) -> Any:
    """Look into a decided case anew."""
    return actions.reopen(by=actor(request), merchant_id=whose(request, merchant_id), id=case_id, note=body.note)


@router.get("/risk/cases/{int:case_id}/packages", response={200: list[PackageOut], **PROBLEMS})
def packages(request: HttpRequest, case_id: int, merchant_id: int | None = None) -> Any:
    """List the evidence packages of a case, newest first."""
    return queries.packages(actor(request), whose(request, merchant_id), case_id)


@router.post("/risk/cases/{int:case_id}/packages", response={201: PackageOut, **PROBLEMS})
def make_package(request: HttpRequest, case_id: int, merchant_id: int | None = None) -> Any:
    """Put together what is known of a case, for a second person to review (K7)."""
    made = actions.make_package(by=actor(request), merchant_id=whose(request, merchant_id), case_id=case_id)
    return Status(201, made)


@router.post("/risk/packages/{int:package_id}:release", response={200: PackageOut, **PROBLEMS})
def release_package(request: HttpRequest, package_id: int, body: Note, merchant_id: int | None = None) -> Any:
    """Say as a second person that a package may be given to the reporter; nothing is sent (K7)."""
    return actions.release_package(
        by=actor(request), merchant_id=whose(request, merchant_id), id=package_id, note=body.note
    )


@router.post("/risk/packages/{int:package_id}:reject", response={200: PackageOut, **PROBLEMS})
def reject_package(request: HttpRequest, package_id: int, body: Note, merchant_id: int | None = None) -> Any:
    """Say as a second person that a package does not do."""
    return actions.reject_package(
        by=actor(request), merchant_id=whose(request, merchant_id), id=package_id, note=body.note
    )


@router.get("/risk/decisions", response={200: Page[DecisionOut], **PROBLEMS})
def decisions(
    request: HttpRequest, merchant_id: int | None = None, subject: str = "", cursor: str = "", limit: Limit = 100
) -> Any:
    """List decisions with all that they were made on, newest first; for compliance."""
    place = after(cursor, "decisions")
    found = queries.decisions(
        actor(request),
        whose(request, merchant_id),
        subject=subject,
        after=(datetime.fromisoformat(place[0]), UUID(place[1])) if place else None,
        limit=limit + 1,
    )
    return page(found, limit, "decisions", lambda row: [row.at, row.id])


@router.get("/risk/decisions/{decision_id}", response={200: DecisionOut, **PROBLEMS})
def decision(request: HttpRequest, decision_id: Id, merchant_id: int | None = None) -> Any:
    """Return a decision with all that it was made on; for compliance."""
    return queries.access_decision(actor(request), whose(request, merchant_id), decision_id)


@router.get("/risk/decisions/{decision_id}/replay", response={200: ReplayOut, **PROBLEMS})
def replay(request: HttpRequest, decision_id: Id, merchant_id: int | None = None) -> Any:
    """Make a decision again from its record (I-20)."""
    return queries.replay(queries.access_decision(actor(request), whose(request, merchant_id), decision_id))
