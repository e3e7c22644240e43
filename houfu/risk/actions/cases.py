"""Alerts and cases: what people make of what the rules have found (K3, K4)."""

from datetime import datetime, timedelta

from houfu.history import actions as history
from houfu.kernel import clock, db
from houfu.kernel.errors import Invalid, Refused
from houfu.merchants import actions as merchants
from houfu.merchants import queries as merchant_queries
from houfu.people.actor import Actor
from houfu.policies import queries as policies
from houfu.risk import queries, states
from houfu.risk.actions.judging import open_case_row
from houfu.risk.models import Alert, Case, Evidence, Hold

MEASURES = ("restrict", "freeze")  # what bears on a store, and is the platform's to order and to take back


@db.refuse_on("risk_alert_dismissed_says_why", "risk_case_says_why", "risk_evidence_text", "risk_evidence_kind")
class SaysTooLittle(Invalid):
    """A decision, a dismissal and an entry of evidence say in a sentence what they rest on."""

    code = "risk_says_why"


@db.refuse_on("risk_case_other_person")
class OwnRequest(Refused):
    """Whoever asked for what is held does not decide about it, as a natural person (K4)."""

    code = "risk_case_other_person"


@db.refuse_on("risk_case_measure_needs_store", "risk_case_outcome")
class OutcomeInvalid(Invalid):
    """A case is decided to clear, restrict, freeze or report; to restrict or freeze it needs a store."""

    code = "risk_case_outcome"


@db.refuse_on("risk_case_one_open")
class CaseOpen(Refused):
    """A case about this waits for its decision already."""

    code = "risk_case_one_open"


@db.action
def acknowledge(*, by: Actor, merchant_id: int, id: int) -> Alert:
    """Say that somebody looks at an alert."""
    return _move_alert(by, "acknowledge", merchant_id, id)


@db.action
def dismiss(*, by: Actor, merchant_id: int, id: int, note: str) -> Alert:
    """End an alert with the reason why nothing follows from it; the next of its kind is raised anew."""
    return _move_alert(by, "dismiss", merchant_id, id, note=note)


@db.action
def escalate(*, by: Actor, merchant_id: int, id: int) -> Alert:
    """Make an alert a case about its store or, where it has none, the merchant."""
    alert = queries.access_alert(by, merchant_id, id)
    subject = f"store/{alert.store_id}" if alert.store_id else f"merchant/{merchant_id}"
    now = clock.now()
    case_id = open_case_row(
        by,
        merchant_id,
        now,
        policies.at(now),
        subject=subject,
        store_id=alert.store_id,
        person="",
        reason_class=alert.reason_class,
    )
    return _move_alert(by, "escalate", merchant_id, id, case_id=case_id)


def _move_alert(by: Actor, verb: str, merchant_id: int, id: int, **changes: object) -> Alert:
    queries.access_alert(by, merchant_id, id)
    by.require_person()
    states.move_alert(verb, Alert, {"merchant_id": merchant_id, "id": id}, handled_by=by.person, **changes)
    history.record(f"alert.{states.ALERT[verb][1]}", by=by, merchant_id=merchant_id, subject=f"alert/{id}")
    return queries.access_alert(by, merchant_id, id)


@db.action
def open_case(*, by: Actor, merchant_id: int, subject: str, reason_class: str) -> Case:
    """Open a case about a store or about the merchant itself.

    Args:
        subject: "store/<id>" or "merchant/<id>".
        reason_class: what staff may know of it.

    Raises:
        CaseOpen: one about this is open; NotFound: the merchant has no such thing.
    """
    by.require("risk:write", merchant_id)
    by.require_person()
    store_id = queries.store_of(merchant_id, subject)
    now = clock.now()
    if Case.objects.filter(merchant_id=merchant_id, subject=subject, state__in=queries.UNDECIDED).exists():
        raise CaseOpen()
    case_id = open_case_row(
        by, merchant_id, now, policies.at(now), subject=subject, store_id=store_id, person="", reason_class=reason_class
    )
    return queries.access_case(by, merchant_id, case_id)


@db.action
def investigate(*, by: Actor, merchant_id: int, id: int) -> Case:
    """Take a case up: from now on it is this person's."""
    return _move_case(by, "investigate", merchant_id, id, assignee=by.person)


@db.action
def wait(*, by: Actor, merchant_id: int, id: int, note: str, until: datetime) -> Case:
    """Let a case wait for something, such as a document that was asked for; its deadline moves to `until`."""
    add_evidence(by=by, merchant_id=merchant_id, id=id, kind="note", text=note)
    return _move_case(by, "wait", merchant_id, id, due_at=until, reminded_at=None, overdue_at=None)


@db.action
def resume(*, by: Actor, merchant_id: int, id: int) -> Case:
    """Go on with a case that waited."""
    return _move_case(by, "resume", merchant_id, id)


@db.action
def add_evidence(*, by: Actor, merchant_id: int, id: int, kind: str, text: str) -> Evidence:
    """Add an entry to what was found in a case; entries are never changed.

    Args:
        kind: note, document, statement or message.
    """
    case = queries.access_case(by, merchant_id, id, lock=True)
    by.require_person()
    no = Evidence.objects.filter(merchant_id=merchant_id, case_id=case.id).count() + 1
    db.rows(
        "INSERT INTO risk_evidence (merchant_id, case_id, no, kind, text, person, at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [merchant_id, id, no, kind, text, by.person, clock.now()],
    )
    history.record("case.evidence_added", by=by, merchant_id=merchant_id, subject=f"case/{id}", no=no, kind=kind)
    return Evidence.objects.get(merchant_id=merchant_id, case_id=id, no=no)


@db.action
def decide(*, by: Actor, merchant_id: int, id: int, outcome: str, note: str) -> Case:
    """Decide a case: what it holds goes on where it clears, and nowhere otherwise; a measure bears on its store.

    What was decided before, of a case that was reopened, is taken back where it is not decided again.

    Args:
        outcome: "clear", "restrict" (each payout of the store is held), "freeze" (K4) or "report" (K7).

    Raises:
        OwnRequest: the person asked for what is held.
        Forbidden: measures are ordered and taken back by the platform alone.
    """
    case = queries.access_case(by, merchant_id, id, lock=True)
    by.require_person()
    if outcome in MEASURES or case.outcome in MEASURES:
        by.require("platform:write")
    changed = _move_case(
        by, "decide", merchant_id, id, outcome=outcome, note=note, decided_by=by.person, decided_at=clock.now()
    )
    for hold in Hold.objects.select_for_update().filter(merchant_id=merchant_id, case_id=id, state="held"):
        verb = "release" if outcome == "clear" else "confirm"
        states.move_hold(verb, Hold, {"merchant_id": merchant_id, "id": hold.id}, ended_at=clock.now())
        history.record(f"hold.{states.HOLD[verb][1]}", by=by, merchant_id=merchant_id, subject=hold.subject)
        db.rows("SELECT pg_notify('houfu_work', 'hold')")
    bear_on_store(by, case, outcome)
    return changed


def bear_on_store(by: Actor, case: Case, outcome: str) -> None:
    """Freeze or unfreeze the case's store as a new outcome asks for, within the current action."""
    if case.store_id is None:
        return
    store = merchant_queries.store(case.merchant_id, case.store_id)
    if outcome == "freeze" and store.state == "active":
        merchants.freeze_store(by=by, merchant_id=case.merchant_id, id=case.store_id, reason=case.reason_class)
    if case.outcome == "freeze" and outcome != "freeze" and store.state == "frozen" and not _frozen_elsewhere(case):
        merchants.unfreeze_store(by=by, merchant_id=case.merchant_id, id=case.store_id)


def _frozen_elsewhere(case: Case) -> bool:
    others = Case.objects.filter(merchant_id=case.merchant_id, store_id=case.store_id, outcome="freeze")
    return others.exclude(id=case.id).exists()


@db.action
def close(*, by: Actor, merchant_id: int, id: int) -> Case:
    """Put a decided case away; what was decided stays in force."""
    return _move_case(by, "close", merchant_id, id)


@db.action
def reopen(*, by: Actor, merchant_id: int, id: int, note: str) -> Case:
    """Look into a decided case anew; what was decided stays in force until another decision."""
    add_evidence(by=by, merchant_id=merchant_id, id=id, kind="note", text=note)
    now = clock.now()
    due_at = now + timedelta(hours=policies.at(now).risk.case_hours)
    return _move_case(
        by, "reopen", merchant_id, id, assignee=by.person, due_at=due_at, reminded_at=None, overdue_at=None
    )


def _move_case(by: Actor, verb: str, merchant_id: int, id: int, **changes: object) -> Case:
    queries.access_case(by, merchant_id, id)
    by.require_person()
    states.move_case(verb, Case, {"merchant_id": merchant_id, "id": id}, **changes)
    history.record(f"case.{states.CASE[verb][1]}", by=by, merchant_id=merchant_id, subject=f"case/{id}", step=verb)
    return queries.access_case(by, merchant_id, id)


@db.action
def remind(*, by: Actor) -> int:
    """Say once of every case that its deadline comes near, and once that it has passed; return how many."""
    now = clock.now()
    soon = now + timedelta(hours=policies.at(now).risk.reminder_hours)
    waiting = Case.objects.select_for_update(no_key=True).filter(state__in=queries.UNDECIDED, due_at__lte=soon)
    done = 0
    for case in waiting.order_by("merchant_id", "id"):
        late = case.due_at <= now
        if (case.overdue_at if late else case.reminded_at) is not None:
            continue
        noted = {"overdue_at": now} if late else {"reminded_at": now}
        Case.objects.filter(merchant_id=case.merchant_id, id=case.id).update(**noted)
        history.record(
            "case.overdue" if late else "case.reminded",
            by=by,
            merchant_id=case.merchant_id,
            subject=f"case/{case.id}",
            due_at=case.due_at.isoformat(),
            assignee=case.assignee,
        )
        done += 1
    return done
