"""Automatic payouts: the standing orders of stores, and the runs that follow them (P1, P5, I-19)."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from houfu.calendars import queries as calendars
from houfu.history import actions as history
from houfu.kernel import clock, crash, db, ids
from houfu.kernel.errors import NotFound
from houfu.merchants import queries as merchants
from houfu.payouts import rules, run_queries
from houfu.payouts.actions import requests
from houfu.payouts.actions.requests import Accepted
from houfu.payouts.models import Beneficiary, Payout, StandingOrder
from houfu.people.actor import Actor
from houfu.policies import queries as policies
from houfu.policies.pack import Policy


@db.action
def stand(*, by: Actor, merchant_id: int, store_id: int, beneficiary_id: int, purpose: str) -> StandingOrder:
    """Have a store paid out on every run day (P1).

    A run stands above every tier (S4), so that it is for those who decide about accounts to have one, and for people.

    Raises:
        NotFound: the store or the beneficiary is not this merchant's.
    """
    merchants.access_store(by, "beneficiaries:write", merchant_id, store_id)
    by.require_person()
    if not Beneficiary.objects.filter(merchant_id=merchant_id, id=beneficiary_id).exists():
        raise NotFound()
    db.rows(
        "INSERT INTO payouts_standing_order VALUES (%s, %s, %s, %s, %s) ON CONFLICT (merchant_id, store_id)"
        " DO UPDATE SET beneficiary_id = excluded.beneficiary_id, purpose = excluded.purpose, since = excluded.since",
        [merchant_id, store_id, beneficiary_id, purpose, clock.now()],
    )
    history.record(
        "standing_order.set",
        by=by,
        merchant_id=merchant_id,
        subject=f"store/{store_id}",
        beneficiary_id=beneficiary_id,
        purpose=purpose,
    )
    return StandingOrder.objects.get(merchant_id=merchant_id, store_id=store_id)


@db.action
def stand_down(*, by: Actor, merchant_id: int, store_id: int) -> None:
    """Stop paying a store out on run days."""
    merchants.access_store(by, "beneficiaries:write", merchant_id, store_id)
    by.require_person()
    if StandingOrder.objects.filter(merchant_id=merchant_id, store_id=store_id).delete()[0]:
        history.record("standing_order.ended", by=by, merchant_id=merchant_id, subject=f"store/{store_id}")


@db.action
def run(*, by: Actor, run_day: date, stores: Sequence[tuple[int, int]]) -> list[Payout]:
    """Pay out those of the stores that have a standing order and were not run for this day yet (P1, P5).

    A store that cannot be paid is noted with every reason; the day is done for it either way.

    Args:
        stores: merchant and id of each, of any merchants: all are decided at once, and together or not at all.
    """
    merchants.lock_stores(stores)
    now = clock.now()
    policy = policies.at(now)
    before = run_queries.facts_for_run(policy, now, run_day, stores)
    if not before:
        return []
    last_day = calendars.calendar(now).arrival(now, policy.payouts.automatic.arrival_workdays[1])
    arrives_by = clock.start_of(last_day + timedelta(days=1))
    reasons = [[reason.code for reason in rules.blocks(each.facts, policy.payouts)] for each in before]
    accepted = [
        _accepted(policy, now, arrives_by, each) for each, against in zip(before, reasons, strict=True) if not against
    ]
    payouts = []
    if accepted:
        parts = requests.hold(accepted)
        if run_queries.facts_for_run(policy, now, run_day, stores) != before:
            raise db.Again()
        payouts = requests.set_aside(by, policy, now, accepted, parts)
    _note(by, run_day, now, before, reasons, payouts)
    crash.point("run.before_commit")
    return payouts


def _accepted(policy: Policy, now: datetime, arrives_by: datetime, standing: run_queries.Standing) -> Accepted:
    return Accepted(
        standing.merchant_id,
        ids.new(),
        standing.store_id,
        standing.channel_account_id,
        standing.beneficiary_id,
        "automatic",
        standing.facts.purpose,
        standing.facts.amount_fen,
        policy.payouts.automatic.fee_permille,
        now,
        arrives_by,
    )


def _note(
    by: Actor,
    run_day: date,
    now: datetime,
    ran: Sequence[run_queries.Standing],
    reasons: Sequence[Sequence[str]],
    payouts: Sequence[Payout],
) -> None:
    """Say what became of the day for each store."""
    made = {(payout.merchant_id, payout.store_id): payout.id for payout in payouts}
    db.rows(
        "INSERT INTO payouts_run (merchant_id, store_id, run_day, payout_id, reasons, ran_at)"
        " SELECT merchant_id, store_id, %s, payout_id, string_to_array(reasons, ','), %s"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::uuid[], %s::text[])"
        " r (merchant_id, store_id, payout_id, reasons)",
        [
            run_day,
            now,
            [each.merchant_id for each in ran],
            [each.store_id for each in ran],
            [made.get((each.merchant_id, each.store_id)) for each in ran],
            [",".join(against) for against in reasons],
        ],
    )
    paid = Counter(payout.merchant_id for payout in payouts)
    for merchant_id, stores in Counter(each.merchant_id for each in ran).items():
        history.record(
            "run.done",
            by=by,
            merchant_id=merchant_id,
            subject=f"run/{run_day}",
            stores=stores,
            payouts=paid[merchant_id],
        )
