"""Appeals and points: a merchant objects, somebody else reviews (K4, K6)."""

from datetime import date, datetime
from uuid import UUID

from houfu.history import actions as history
from houfu.kernel import clock, db
from houfu.kernel.errors import Invalid, NotFound, Refused
from houfu.people.actor import Actor
from houfu.policies import queries as policies
from houfu.risk import queries, states
from houfu.risk.actions.cases import MEASURES, bear_on_store
from houfu.risk.models import Appeal, Case, ScoreEvent


@db.refuse_on("risk_appeal_one_a_month")
class AppealedThisMonth(Refused):
    """There was an appeal about this in this calendar month already (K4)."""

    code = "risk_appeal_one_a_month"


@db.refuse_on("risk_appeal_grounds")
class GroundsMissing(Invalid):
    """An appeal says on what grounds it stands."""

    code = "risk_appeal_grounds"


@db.refuse_on("risk_appeal_other_person")
class ReviewedBySame(Refused):
    """An appeal is reviewed by neither the person who decided nor the one who objects (K4)."""

    code = "risk_appeal_other_person"


@db.refuse_on("risk_score_countered_once")
class NothingToAppeal(Refused):
    """There is nothing here that an appeal could change: no measure is in force, no points are lost."""

    code = "risk_nothing_to_appeal"


@db.action
def appeal(
    *, by: Actor, merchant_id: int, grounds: str, case_id: int | None = None, score_event_id: int | None = None
) -> Appeal:
    """Object to the measure of a case or to lost points, once a month for each store, and for the merchant itself (K4).

    Args:
        case_id, score_event_id: what it is about; one of them.

    Raises:
        AppealedThisMonth, NothingToAppeal: there is no new appeal.
    """
    by.require("approvals:write", merchant_id)
    by.require_person()
    subject, decided_by = _what(by, merchant_id, case_id, score_event_id)
    queries.lock_keys(merchant_id, [f"appeal/{subject}"])
    now = clock.now()
    month = clock.business_day(now).replace(day=1)
    filed = Appeal.objects.filter(merchant_id=merchant_id, subject=subject, month=month).count()
    if filed >= policies.at(now).risk.appeals_per_month:
        raise AppealedThisMonth(subject=subject, month=month.isoformat())
    appeal_id = db.rows(
        "INSERT INTO risk_appeal (merchant_id, subject, case_id, score_event_id, month, no, state, grounds,"
        " submitted_by, submitted_at, decided_by)"
        " VALUES (%s, %s, %s, %s, %s, %s, 'submitted', %s, %s, %s, %s) RETURNING id",
        [merchant_id, subject, case_id, score_event_id, month, filed + 1, grounds, by.person, now, decided_by],
    )[0].id
    history.record("appeal.submitted", by=by, merchant_id=merchant_id, subject=f"appeal/{appeal_id}", about=subject)
    return queries.access_appeal(by, merchant_id, appeal_id)


def _what(by: Actor, merchant_id: int, case_id: int | None, score_event_id: int | None) -> tuple[str, str]:
    """Return the subject of an appeal, and the person whose decision it is about."""
    if case_id is not None and score_event_id is None:
        case = Case.objects.filter(merchant_id=merchant_id, id=case_id).first()
        if case is None or not (case.store_id is None or by.sees(case.store_id)):
            raise NotFound()
        if case.outcome not in MEASURES:
            raise NothingToAppeal()
        return f"store/{case.store_id}", case.decided_by or ""
    if score_event_id is not None and case_id is None:
        by.require_whole()
        event = ScoreEvent.objects.filter(merchant_id=merchant_id, id=score_event_id).first()
        if event is None:
            raise NotFound()
        if event.points > 0 or ScoreEvent.objects.filter(merchant_id=merchant_id, counters_id=event.id).exists():
            raise NothingToAppeal()
        return f"merchant/{merchant_id}", ""
    raise Invalid(said="an appeal is about one case or one score event")


@db.action
def take_up(*, by: Actor, merchant_id: int, id: int) -> Appeal:
    """Begin to review an appeal."""
    return _move(by, "take_up", merchant_id, id)


@db.action
def uphold(*, by: Actor, merchant_id: int, id: int, note: str) -> Appeal:
    """Leave what was decided as it is."""
    return _end(by, "uphold", merchant_id, id, note)


@db.action
def rule_out(*, by: Actor, merchant_id: int, id: int, note: str) -> Appeal:
    """Say that an appeal is inadmissible, for its form and not for its matter."""
    return _end(by, "rule_out", merchant_id, id, note)


@db.action
def overturn(*, by: Actor, merchant_id: int, id: int, note: str) -> Appeal:
    """Undo what was decided: the measure ends, or the points are given back."""
    moved = _end(by, "overturn", merchant_id, id, note)
    if moved.case_id is not None:
        case = queries.access_case(by, merchant_id, moved.case_id, lock=True)
        Case.objects.filter(merchant_id=merchant_id, id=case.id).update(
            outcome="clear", note=note, decided_by=by.person, decided_at=clock.now()
        )
        bear_on_store(by, case, "clear")
    else:
        assert moved.score_event_id is not None
        event = ScoreEvent.objects.get(merchant_id=merchant_id, id=moved.score_event_id)
        add_points(by, merchant_id, clock.now(), event.rule, event.reason_class, -event.points, counters_id=event.id)
    return moved


def _end(by: Actor, verb: str, merchant_id: int, id: int, note: str) -> Appeal:
    return _move(by, verb, merchant_id, id, note=note, reviewed_at=clock.now())


def _move(by: Actor, verb: str, merchant_id: int, id: int, **changes: object) -> Appeal:
    by.require("platform:write")
    by.require_person()
    queries.access_appeal(by, merchant_id, id, lock=True)
    states.move_appeal(verb, Appeal, {"merchant_id": merchant_id, "id": id}, reviewer=by.person, **changes)
    history.record(f"appeal.{states.APPEAL[verb][1]}", by=by, merchant_id=merchant_id, subject=f"appeal/{id}")
    return queries.access_appeal(by, merchant_id, id)


def add_points(
    by: Actor,
    merchant_id: int,
    now: datetime,
    rule: str,
    reason_class: str,
    points: int,
    *,
    month: date | None = None,
    decision_id: UUID | None = None,
    counters_id: int | None = None,
) -> None:
    """Add an event to a merchant's internal score, and its points to the sum, within the current action.

    Args:
        points: below zero where they are lost.
        counters_id: the event that this one undoes.
    """
    event_id = db.rows(
        "INSERT INTO risk_score_event (merchant_id, rule, reason_class, points, month, decision_id, counters_id, at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [merchant_id, rule, reason_class, points, month, decision_id, counters_id, now],
    )[0].id
    db.rows(
        "INSERT INTO risk_score VALUES (%s, %s) ON CONFLICT (merchant_id)"
        " DO UPDATE SET points = risk_score.points + excluded.points",
        [merchant_id, points],
    )
    history.record(
        "score.moved",
        by=by,
        merchant_id=merchant_id,
        subject=f"score/{event_id}",
        points=points,
        reason_class=reason_class,
    )
