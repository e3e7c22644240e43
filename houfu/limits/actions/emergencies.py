"""Emergency orders: a loan, settled orders within a day, then reduced limit restored by application (L3, L2)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from houfu.approvals import actions as approvals
from houfu.approvals import queries as approval_queries
from houfu.history import actions as history
from houfu.kernel import clock, db, ids
from houfu.kernel.errors import Refused
from houfu.ledger import actions as ledger
from houfu.ledger.actions import Account, Line
from houfu.limits import pool_queries, pooling, states
from houfu.limits.actions.loans import lend
from houfu.limits.actions.quota import move
from houfu.limits.models import Emergency, Loan, Recovery
from houfu.people.actor import Actor
from houfu.policies import queries as policies


@db.refuse_on("limits_emergency_one_open")
class EmergencyOpen(Refused):
    """The store has an emergency that is not over (L3)."""

    code = "limits_emergency_one_open"


class ApplicationRefused(Refused):
    """This restoration is refused; the reasons say why, all of them (L2, L3)."""

    code = "limits_restoration_refused"


@db.action
def begin_emergency(*, by: Actor, merchant_id: int, store_id: int, amount_fen: int) -> Emergency:
    """Take a temporary loan for an emergency order; orders that settle in time open the way to restoration (L3).

    Raises:
        LoanRefused, EmergencyOpen: nothing was lent.
    """
    loan, now = lend(by=by, merchant_id=merchant_id, store_id=store_id, amount_fen=amount_fen), clock.now()
    policy = policies.at(now).loans.emergency
    settle_until = now + timedelta(hours=policy.within_hours)
    emergency_id = db.rows(
        "INSERT INTO limits_emergency (merchant_id, store_id, loan_id, state, needed, begun_at, settle_until)"
        " VALUES (%s, %s, %s, 'begun', %s, %s, %s) RETURNING id",
        [merchant_id, store_id, loan.id, policy.repayments, now, settle_until],
    )[0].id
    found = Emergency.objects.get(merchant_id=merchant_id, id=emergency_id)
    _record("begun", by, found, loan_id=loan.id, settle_until=settle_until.isoformat())
    return found


def count_settled(*, by: Actor, merchant_id: int, completed: Mapping[int, int]) -> None:
    """Count orders that have just settled towards their stores' emergencies, within the action that settles them.

    Args:
        completed: how many by store.
    """
    now = clock.now()
    policy = policies.at(now).loans.emergency
    for each in pool_queries.emergencies_repaying(merchant_id, list(completed), now):
        each.settled = min(each.needed, each.settled + completed[each.store_id])
        changes: dict[str, Any] = {"settled": each.settled}
        if each.settled == each.needed:
            day = clock.business_day(now) + timedelta(days=policy.restore_after_days)
            opens_at = clock.start_of(day)
            changes |= {"opens_at": opens_at, "apply_until": opens_at + timedelta(days=policy.apply_days)}
        states.move_emergency("repay", Emergency, _key(each), **changes)
        opens = {"opens_at": changes["opens_at"].isoformat()} if "opens_at" in changes else {}
        _record("repaying", by, each, settled=each.settled, needed=each.needed, **opens)


@db.action
def tend_emergencies(*, by: Actor) -> int:
    """Open restorations whose day has come, and let emergencies lapse whose time is over; return how many."""
    now = clock.now()
    due = list(pool_queries.emergencies_due(now))
    for each in due:
        if each.state == "repaying" and each.opens_at:
            _open(by, each)
        if each.apply_until is None or each.apply_until <= now:
            states.move_emergency("lapse", Emergency, _key(each), closed_at=now)
            _record("lapsed", by, each)
    return len(due)


@db.action
def apply_restoration(*, by: Actor, merchant_id: int, id: int, amount_fen: int) -> Emergency:
    """Apply for reduced limit to be restored, in whole lots; a second person reviews it (L2, L3).

    Args:
        amount_fen: at most what is missing to the original limit, and at most the emergency's loan.

    Raises:
        ApplicationRefused: with every reason; nothing was applied for.
    """
    pool_queries.access_emergency(by, "limits:write", merchant_id, id)
    each, now = _held(merchant_id, id), clock.now()
    policy = policies.at(now)
    said = pooling.Application(
        state=each.state,
        at=now,
        opens_at=each.opens_at,
        apply_until=each.apply_until,
        amount_fen=amount_fen,
        reduced_fen=pool_queries.reduced(merchant_id, each.store_id),
        loan_fen=Loan.objects.get(merchant_id=merchant_id, id=each.loan_id).amount_fen,
        lot_fen=policy.restoration.lot_fen,
    )
    if reasons := pooling.application_refusals(said):
        raise ApplicationRefused(*reasons)
    if each.state == "repaying":
        _open(by, each)
    decide_until = now + timedelta(hours=policy.staff.approval_hours)
    states.move_emergency(
        "apply",
        Emergency,
        _key(each),
        amount_fen=amount_fen,
        applied_by=by.label,
        applied_at=now,
        decide_until=decide_until,
    )
    each.amount_fen = amount_fen
    approvals.open(
        by=by,
        merchant_id=merchant_id,
        id=ids.new(),
        subject=f"emergency/{id}",
        version=1,
        payload=pool_queries.application_document(each),
        chain=policy.loans.emergency.reviewers,
        expires_at=decide_until,
    )
    _record("in_review", by, each, amount_fen=amount_fen)
    return Emergency.objects.get(**_key(each))


@db.action
def follow_application(*, by: Actor, merchant_id: int, id: int) -> str:
    """Restore what was applied for once it is reviewed, or refuse it; return the emergency's state.

    What completed orders have earned back meanwhile is not given twice: never above the original limit (L2).
    """
    each = _held(merchant_id, id)
    request = approval_queries.latest(merchant_id, f"emergency/{id}")
    if each.state != "in_review" or request is None or request.state == "open":
        return each.state
    why = request.state if request.state != "approved" else _unproven(each)
    booked_fen = 0 if why else _bring_forward(by, each)
    if not booked_fen:
        states.move_emergency("refuse", Emergency, _key(each), closed_at=clock.now(), note=why or "nothing_reduced")
        _record("refused", by, each, reason=why or "nothing_reduced")
        return "refused"
    states.move_emergency("restore", Emergency, _key(each), closed_at=clock.now())
    _record("restored", by, each, amount_fen=booked_fen)
    return "restored"


def _unproven(each: Emergency) -> str:
    try:
        approval_queries.prove(
            each.merchant_id, f"emergency/{each.id}", 1, pool_queries.application_document(each),
            chain=policies.at(clock.now()).loans.emergency.reviewers,
        )  # fmt: skip
    except approval_queries.NotApproved as refusal:
        return ",".join(reason.code for reason in refusal.reasons)
    return ""


def _bring_forward(by: Actor, each: Emergency) -> int:
    """Restore whole lots of a store's reduced limit before its orders have earned them, and return how much."""
    lot_fen = policies.at(clock.now()).restoration.lot_fen
    key = {"merchant_id": each.merchant_id, "store_id": each.store_id}
    recovery = Recovery.objects.select_for_update().filter(**key).first()
    reduced = Account("q:reduced", each.store_id)
    reduced_fen = ledger.lock(each.merchant_id, [reduced])[reduced]
    fen = min(each.amount_fen or 0, reduced_fen // lot_fen * lot_fen)
    if recovery is None or not fen:
        return 0
    if fen == reduced_fen:
        Recovery.objects.filter(**key).delete()
    else:
        Recovery.objects.filter(**key).update(booked_fen=recovery.booked_fen + fen)
    move("limits.restore", each.merchant_id, Line(Account("q:own:free", each.store_id), reduced, fen))
    history.record(
        "limit.restored",
        by=by,
        merchant_id=each.merchant_id,
        subject=f"store/{each.store_id}",
        amount_fen=fen,
        emergency_id=each.id,
    )
    return fen


def _held(merchant_id: int, id: int) -> Emergency:
    found: Emergency = Emergency.objects.select_for_update(no_key=True).get(merchant_id=merchant_id, id=id)
    return found


def _open(by: Actor, each: Emergency) -> None:
    states.move_emergency("open", Emergency, _key(each))
    assert each.apply_until
    _record("restoration_open", by, each, apply_until=each.apply_until.isoformat())


def _key(each: Emergency) -> dict[str, int]:
    return {"merchant_id": each.merchant_id, "id": each.id}


def _record(what: str, by: Actor, each: Emergency, **more: Any) -> None:
    history.record(
        f"emergency.{what}",
        by=by,
        merchant_id=each.merchant_id,
        subject=f"emergency/{each.id}",
        store_id=each.store_id,
        **more,
    )
