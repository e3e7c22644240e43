"""Lapsing: what time and lost roles do to requests and delegations, and the reminders before."""

from datetime import datetime, timedelta

from houfu.approvals import queries
from houfu.approvals.actions.delegations import end
from houfu.approvals.actions.requests import close, next_look, record, row
from houfu.approvals.actions.signing import strike_lost
from houfu.approvals.models import Delegation, Request
from houfu.kernel import clock, db
from houfu.people import queries as people
from houfu.people.actor import Actor
from houfu.policies import queries as policies

BATCH = 200


@db.action
def lapse(*, by: Actor) -> int:
    """Look after what is open: expire it, strike signatures whose role is lost, remind; end delegations that are over.

    Returns:
        How much changed.
    """
    now = clock.now()
    changed = sum(_look_at(by, request, now) for request in queries.due(now, BATCH))
    return changed + sum(_look_at_delegation(by, lent, now) for lent in queries.delegations_due(now, BATCH))


def _look_at(by: Actor, request: Request, now: datetime) -> int:
    if now >= request.expires_at:
        close(by, request, "expire", "")
        return 1
    changed = strike_lost(by, request)
    if now >= _next_reminder(request):
        request.reminders += 1
        role = request.chain[request.turn]
        persons = [each.person for each in people.holders(request.merchant_id, role, now)]
        record("reminded", by, request, role=role, persons=persons)
        changed += 1
    row(request).update(reminders=request.reminders, next_look_at=next_look(now, request.expires_at))
    return changed


def _look_at_delegation(by: Actor, lent: Delegation, now: datetime) -> int:
    """End a delegation whose time is over, or that lost its lender, the role or the delegate."""
    lender, other = (people.staff(lent.merchant_id, id) for id in (lent.staff_id, lent.delegate_staff_id))
    if lent.ends_at <= now:
        return end(by, lent, "lapsed")
    if (lender.state, lender.role, other.state) != ("active", lent.role, "active"):
        return end(by, lent, "role_lost")
    Delegation.objects.filter(merchant_id=lent.merchant_id, id=lent.id).update(
        next_look_at=next_look(now, lent.ends_at)
    )
    return 0


def _next_reminder(request: Request) -> datetime:
    hours = policies.at(clock.now()).approvals.reminder_hours
    return request.waiting_since + timedelta(hours=hours * (request.reminders + 1))
