"""Rules of stores, and the division of what settles by them (L8, I-04)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from houfu.approvals import actions as approvals
from houfu.approvals import queries as approval_queries
from houfu.channels.port import RECEIVERS
from houfu.history import actions as history
from houfu.kernel import clock, db, ids
from houfu.kernel.errors import Invalid, Refused
from houfu.ledger import actions as ledger
from houfu.merchants import queries as merchants
from houfu.orders import actions as orders
from houfu.orders.steps import Outcome, Step
from houfu.people.actor import Actor
from houfu.policies import queries as policies
from houfu.splits import books, queries, rules, states
from houfu.splits.models import Rule
from houfu.splits.rules import Wanted


class RuleRefused(Refused):
    """Orders of this store cannot be divided so; the reasons say why, all of them (L8)."""

    code = "split_rule_refused"


@db.refuse_on(
    "splits_share_place", "splits_share_permille", "splits_share_fixed", "splits_share_once", "splits_share_one_way"
)
class BadShare(Invalid):
    """A rule names up to twenty parties once each, with 1 to 1000 per mille of the net or a fixed amount above zero."""

    code = "split_share_invalid"


@db.refuse_on("splits_rule_one_proposed")
class RuleProposed(Refused):
    """A rule of this store waits to be agreed to already; call it off first."""

    code = "splits_rule_one_proposed"


@db.action
def propose(
    *, by: Actor, merchant_id: int, store_id: int, shares: Sequence[Wanted], not_before: datetime | None = None
) -> Rule:
    """Propose how a store's orders are divided from an instant on; it holds once another person has agreed.

    Args:
        shares: in the order in which they are given; none ends the splitting.
        not_before: when it begins at the earliest; now unless said.

    Raises:
        RuleRefused: with every reason; BadShare, RuleProposed: nothing was proposed.
    """
    merchants.access_store(by, "beneficiaries:write", merchant_id, store_id)
    by.require_person()
    now = clock.now()
    not_before = max(now, not_before or now)
    policy = policies.at(now)
    facts = queries.rule_facts(merchant_id, store_id, shares, not_before)
    if reasons := rules.refusals(facts, policy.splits.order_permille, policy.payouts.denied_purposes):
        raise RuleRefused(*reasons)
    rule_id = db.rows(
        "INSERT INTO splits_rule (merchant_id, store_id, state, not_before, proposed_by, person, proposed_at)"
        " VALUES (%s, %s, 'proposed', %s, %s, %s, %s) RETURNING id",
        [merchant_id, store_id, not_before, by.label, by.person, now],
    )[0].id
    for place, share in enumerate(shares, 1):
        db.rows(
            "INSERT INTO splits_share VALUES (%s, %s, %s, %s, %s, %s)",
            [merchant_id, rule_id, place, share.party_id, share.permille, share.fixed_fen],
        )
    rule = Rule.objects.get(merchant_id=merchant_id, id=rule_id)
    history.record(
        "split_rule.proposed", by=by, merchant_id=merchant_id, subject=f"split_rule/{rule_id}", store_id=store_id
    )
    approvals.open(
        by=by,
        merchant_id=merchant_id,
        id=ids.new(),
        subject=f"split_rule/{rule_id}",
        version=1,
        payload=queries.rule_content(rule),
        chain=policy.splits.rule_approvers,
        expires_at=now + timedelta(hours=policy.staff.approval_hours),
    )
    return rule


@db.action
def call_off(*, by: Actor, merchant_id: int, id: int) -> Rule:
    """Call a proposed rule off.

    Raises:
        IllegalMove: it was decided about already.
    """
    queries.access_rule(by, "beneficiaries:write", merchant_id, id)
    by.require_person()
    key = {"merchant_id": merchant_id, "id": id}
    states.move_rule("reject", Rule, key)
    approvals.void(by=by, merchant_id=merchant_id, subject=f"split_rule/{id}", reason="called_off")
    history.record("split_rule.called_off", by=by, merchant_id=merchant_id, subject=f"split_rule/{id}")
    return Rule.objects.get(**key)


@db.action
def follow_agreement(*, by: Actor, merchant_id: int, id: int) -> str:
    """Let a proposed rule hold once those asked have signed, or reject it once they will not, and return its state."""
    rule = Rule.objects.select_for_update().get(merchant_id=merchant_id, id=id)
    subject = f"split_rule/{id}"
    request = approval_queries.latest(merchant_id, subject)
    if rule.state != "proposed" or request is None or request.state == "open":
        return rule.state
    key = {"merchant_id": merchant_id, "id": id}
    if request.state == "approved":
        try:
            approval_queries.prove(merchant_id, subject, 1, queries.rule_content(rule))
        except approval_queries.NotApproved:
            request.state = "void"
    if request.state == "approved":
        begins_at = max(rule.not_before, clock.now())
        states.move_rule("approve", Rule, key, begins_at=begins_at)
        history.record(
            "split_rule.approved",
            by=by,
            merchant_id=merchant_id,
            subject=subject,
            begins_at=begins_at.isoformat(),
            store_id=rule.store_id,
        )
        return "approved"
    states.move_rule("reject", Rule, key)
    history.record("split_rule.rejected", by=by, merchant_id=merchant_id, subject=subject)
    return "rejected"


@db.action
def settle(*, by: Actor, merchant_id: int, steps: Sequence[Step], settled_by: str) -> list[Outcome]:
    """Book what the channel has credited, and divide it by the rules in force, in one transaction (O3, L8).

    Args:
        steps, settled_by: as `orders.settle` takes them.
    """
    outcomes = orders.settle(by=by, merchant_id=merchant_id, steps=steps, settled_by=settled_by)
    done = [step for step, outcome in zip(steps, outcomes, strict=True) if outcome.outcome == "done"]
    if done and queries.divides(merchant_id):
        _divide(by, merchant_id, done)
    return outcomes


def _divide(by: Actor, merchant_id: int, steps: Sequence[Step]) -> None:
    """Divide the net of orders that have settled within this action."""
    now, batch = clock.now(), ids.new()
    found = db.call(
        "splits_divide_v1",
        batch,
        merchant_id,
        [step.order_id for step in steps],
        [step.at for step in steps],
        [policy.splits.order_permille for policy in policies.at_each([step.at for step in steps])],
        list(policies.at(now).payouts.denied_purposes),
        RECEIVERS,
        now,
    )[0]
    if found.digest is None:
        return
    if found.order_id:
        orders.split(merchant_id=merchant_id, parts=list(zip(found.order_id, found.order_fen, strict=True)))
        owed = zip(found.store_id, found.party_id, found.party_fen, strict=True)
        at = max(step.at for step in steps)
        ledger.post(merchant_id, batch, "splits.divide", at, [books.divide(*each) for each in owed])
    history.record(
        "splits.divided",
        by=by,
        merchant_id=merchant_id,
        subject=f"batch/{batch}",
        rows_digest=found.digest,
        rows=found.divisions,
    )
