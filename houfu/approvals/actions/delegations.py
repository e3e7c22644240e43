"""Delegations: a role lent to a colleague for a while, and taken back."""

from datetime import datetime, timedelta

from houfu.approvals import queries
from houfu.approvals.models import Delegation
from houfu.history import actions as history
from houfu.kernel import clock, db
from houfu.kernel.errors import Forbidden, NotFound, Reason, Refused
from houfu.people import queries as people
from houfu.people.actor import Actor
from houfu.people.rules import ROLES
from houfu.policies import queries as policies


@db.refuse_on("approvals_delegate_other", "approvals_delegation_window", "approvals_delegation_one")
class DelegationRefused(Refused):
    """A role is lent to one other person at a time, who may approve, for a while that the policy allows."""

    code = "approval_delegation_refused"


@db.action
def delegate(
    *, by: Actor, merchant_id: int, delegate_staff_id: int, ends_at: datetime, starts_at: datetime | None = None
) -> Delegation:
    """Lend one's role to a colleague who may approve; the colleague counts as both persons meanwhile (I-14).

    Raises:
        DelegationRefused: with every reason; nothing was lent.
    """
    by.require("approvals:write", merchant_id)
    staff, now = queries.member(by, merchant_id), clock.now()
    starts_at, other = starts_at or now, people.staff(merchant_id, delegate_staff_id)
    longest = policies.at(now).approvals.delegation_days
    checks = [
        (
            other.state == "active" and "approvals:write" in ROLES[other.role],
            Reason("delegate_cannot_approve", "S7", {"role": other.role}, "Choose an active colleague who approves."),
        ),
        (other.person != staff.person, Reason("delegate_same_person", "I-14", {}, "Choose somebody else.")),
        (
            now <= starts_at < ends_at <= starts_at + timedelta(days=longest),
            Reason("delegation_window", "S7", {"days": longest}, f"From now on, for at most {longest} days."),
        ),
        (
            not staff.approvals_blocked_until or staff.approvals_blocked_until <= now,
            Reason("recently_recovered", "S7", {}, "Wait until you may approve again yourself."),
        ),
    ]
    if reasons := [reason for holds, reason in checks if not holds]:
        raise DelegationRefused(*reasons)
    for over in queries.delegations_of(staff).filter(ends_at__lte=now):
        end(by, over, "lapsed")
    id = db.rows(
        "INSERT INTO approvals_delegation (merchant_id, staff_id, person, role, delegate_staff_id, delegate_person,"
        " starts_at, ends_at, next_look_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [merchant_id, staff.id, staff.person, staff.role, other.id, other.person, starts_at, ends_at, starts_at],
    )[0].id
    history.record(
        "delegation.made",
        by=by,
        merchant_id=merchant_id,
        subject=f"delegation/{id}",
        role=staff.role,
        person=staff.person,
        delegate=other.person,
        ends_at=ends_at.isoformat(),
    )
    return Delegation.objects.get(merchant_id=merchant_id, id=id)


@db.action
def end_delegation(*, by: Actor, merchant_id: int, id: int) -> Delegation:
    """Take a lent role back: who lent it, who has it, or who manages the staff. Ending twice changes nothing."""
    by.require("approvals:write", merchant_id)
    staff = queries.member(by, merchant_id)
    found = Delegation.objects.select_for_update(no_key=True).filter(merchant_id=merchant_id, id=id).first()
    if found is None:
        raise NotFound()
    if staff.id not in (found.staff_id, found.delegate_staff_id) and "people:write" not in by.scopes:
        raise Forbidden()
    if found.ended_at is None:
        end(by, found, "ended")
    return found


def end(by: Actor, lent: Delegation, why: str) -> int:
    lent.ended_at, lent.ended_by, lent.next_look_at = min(clock.now(), lent.ends_at), by.label, None
    Delegation.objects.filter(merchant_id=lent.merchant_id, id=lent.id, ended_at=None).update(
        ended_at=lent.ended_at, ended_by=lent.ended_by, next_look_at=None
    )
    history.record(
        f"delegation.{why}",
        by=by,
        merchant_id=lent.merchant_id,
        subject=f"delegation/{lent.id}",
        role=lent.role,
        person=lent.person,
        delegate=lent.delegate_person,
    )
    return 1
