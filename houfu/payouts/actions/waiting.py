"""Payouts that wait for people: going on once all have agreed and risk lets them, and the last look before they go."""

from datetime import timedelta
from uuid import UUID

from houfu.approvals import queries as approval_queries
from houfu.approvals.queries import NotApproved
from houfu.history import actions as history
from houfu.kernel import clock, db
from houfu.merchants import queries as merchants
from houfu.payouts import queries, rules, states
from houfu.payouts.actions import requests
from houfu.payouts.models import Beneficiary, Payout
from houfu.people import queries as people
from houfu.people.actor import Actor
from houfu.policies import queries as policies
from houfu.risk import queries as risk

# What became of an approval, and the step that a payout takes for it.
_ENDS = {"rejected": "reject", "withdrawn": "reject", "void": "lapse", "expired": "lapse"}


@db.action
def follow(*, by: Actor, merchant_id: int, id: UUID) -> str:
    """Let a waiting payout go on, or end, as the people decided for whom it waits, and return its state.

    Where nothing is decided yet it is looked at again later.
    """
    payout = Payout.objects.select_for_update().get(merchant_id=merchant_id, id=id)
    if payout.state == "pending_approval":
        return _after_approval(by, payout)
    if payout.state == "risk_hold":
        return _after_risk(by, payout, risk.hold_state(merchant_id, subject(payout)))
    return payout.state


def subject(payout: Payout) -> str:
    """Return how approvals, risk and history call a payout."""
    return f"payout/{payout.id}"


def _after_approval(by: Actor, payout: Payout) -> str:
    request = approval_queries.latest(payout.merchant_id, subject(payout))
    assert request
    if request.state in _ENDS:
        return _end(by, payout, _ENDS[request.state], f"approval_{request.state}")
    if request.state != "approved":
        return _wait(payout, max(request.expires_at, clock.now() + rules.HOLD_LOOK))
    held = risk.hold_state(payout.merchant_id, subject(payout)) if payout.hold_class else ""
    if held in ("", "released"):
        return _schedule(by, payout, "approve")
    if held == "confirmed":
        return _end(by, payout, "reject", "risk_confirmed")
    key = {"merchant_id": payout.merchant_id, "id": payout.id}
    states.move("hold", Payout, key, next_action_at=clock.now() + rules.HOLD_LOOK)
    history.record("payout.held", by=by, merchant_id=payout.merchant_id, subject=subject(payout),
                   reason_class=payout.hold_class)  # fmt: skip
    return "risk_hold"


def _after_risk(by: Actor, payout: Payout, held: str) -> str:
    if held == "released":
        return _schedule(by, payout, "release")
    if held == "confirmed":
        return _end(by, payout, "reject", "risk_confirmed")
    return _wait(payout, clock.now() + rules.HOLD_LOOK)


def _schedule(by: Actor, payout: Payout, verb: str) -> str:
    """Let a payout go at the next opening of the window, from now on (P2)."""
    opens_at = queries.window(clock.now()).opens_at
    if opens_at is None:
        return _wait(payout, clock.now() + rules.HOLD_LOOK)
    due_at = max(opens_at, payout.due_at)
    hours = policies.at(clock.now()).payouts.manual.arrival_hours
    states.move(
        verb,
        Payout,
        {"merchant_id": payout.merchant_id, "id": payout.id},
        due_at=due_at,
        arrives_by=due_at + timedelta(hours=hours),
        next_action_at=due_at,
    )
    history.record(f"payout.{verb}d", by=by, merchant_id=payout.merchant_id, subject=subject(payout))
    return "scheduled"


def _end(by: Actor, payout: Payout, verb: str, code: str) -> str:
    requests.give_up(by=by, payout=payout, verb=verb, code=code, sent=False)
    return states.PAYOUT[verb][1]


def _wait(payout: Payout, until: object) -> str:
    Payout.objects.filter(merchant_id=payout.merchant_id, id=payout.id).update(next_action_at=until)
    return payout.state


def last_look(payout: Payout) -> str:
    """Return the code of what forbids to send a payout that is about to go, in the submitting transaction (I-14).

    Every signature is verified again, and so are the account's state and that whoever asked is still of the staff.
    """
    payee = Beneficiary.objects.get(merchant_id=payout.merchant_id, id=payout.beneficiary_id)
    if payee.state != "verified" or payee.purpose_class in policies.at(clock.now()).payouts.denied_purposes:
        return "beneficiary_not_verified"
    if payout.staff_id and people.staff(payout.merchant_id, payout.staff_id).state != "active":
        return "requester_disabled"
    if payout.chain:
        try:
            approval_queries.prove(
                payout.merchant_id, subject(payout), 1, queries.signed_content(payout), chain=payout.chain
            )
        except NotApproved:
            return "not_approved"
    return ""


def store_rests(payout: Payout) -> bool:
    """Say whether a payout waits because its store does not work at present (K4)."""
    return merchants.store(payout.merchant_id, payout.store_id).state != "active"
