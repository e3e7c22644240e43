"""Asking for money out: by a person, or by a run (P1–P5, P7, P8, P10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from houfu.calendars import queries as calendars
from houfu.history import actions as history
from houfu.kernel import clock, db, ids
from houfu.kernel.errors import NotFound, Refused
from houfu.ledger import actions as ledger
from houfu.ledger.actions import Account
from houfu.merchants import queries as merchants
from houfu.orders import actions as orders
from houfu.payouts import books, queries, rules, states
from houfu.payouts.models import Allocation, Beneficiary, Payout, StandingOrder
from houfu.people.actor import Actor
from houfu.policies import queries as policies
from houfu.policies.pack import Policy


class PayoutRefused(Refused):
    """This payout is refused; the reasons say why, all of them (P10)."""

    code = "payout_refused"


class PayoutIdReused(Refused):
    """A payout of this id exists with other content."""

    code = "payout_id_reused"
    status = 422


@dataclass(frozen=True)
class _Accepted:
    """A payout that passed every check and is about to be set aside."""

    id: UUID
    store_id: int
    beneficiary_id: int
    kind: str
    purpose: str
    amount_fen: int
    permille: int
    due_at: datetime
    arrives_by: datetime


@db.action
def request(
    *, by: Actor, id: UUID, merchant_id: int, store_id: int, beneficiary_id: int, amount_fen: int, purpose: str
) -> Payout:
    """Ask for money of a store to be paid out; it is set aside at once, lot by lot, oldest first.

    Outside the manual window the payout waits for the next opening (P2).

    Args:
        id: chosen by the caller; asking again with the same id and content returns the same payout.

    Raises:
        PayoutRefused: with every reason at once; nothing was set aside.
        PayoutIdReused: the id belongs to a payout with other content.
    """
    merchants.lock_store(by, "payouts:write", merchant_id, store_id)
    if there := Payout.objects.filter(merchant_id=merchant_id, id=id).first():
        if (there.store_id, there.beneficiary_id, there.amount_fen, there.purpose) != (
            store_id,
            beneficiary_id,
            amount_fen,
            purpose,
        ):
            raise PayoutIdReused()
        return there
    now = clock.now()
    policy = policies.at(now)
    asked = queries.Asked(store_id, beneficiary_id, amount_fen, purpose)
    facts = queries.facts_for(merchant_id, policy, now, asked)
    if reasons := rules.blocks(facts, policy.payouts):
        raise PayoutRefused(*reasons)
    assert facts.goes_at
    manual = policy.payouts.manual
    accepted = _Accepted(
        id,
        store_id,
        beneficiary_id,
        "manual",
        purpose,
        amount_fen,
        manual.fee_permille,
        facts.goes_at,
        facts.goes_at + timedelta(hours=manual.arrival_hours),
    )
    parts = _hold(merchant_id, [accepted])
    if reasons := rules.blocks(queries.facts_for(merchant_id, policy, now, asked), policy.payouts):
        raise PayoutRefused(*reasons)
    return _set_aside(by, merchant_id, policy, now, [accepted], parts)[0]


def _hold(merchant_id: int, accepted: Sequence[_Accepted]) -> list[list[orders.Part]]:
    """Take the lots that payouts pay out, then lock the stores' claims, so that the checks can be repeated."""
    parts = orders.allocate(merchant_id, [(each.store_id, each.amount_fen) for each in accepted])
    claims = [Account(kind, each.store_id) for each in accepted for kind in ("claim:matured", "deficit")]
    ledger.lock(merchant_id, claims)
    return parts


def _set_aside(
    by: Actor,
    merchant_id: int,
    policy: Policy,
    now: datetime,
    accepted: Sequence[_Accepted],
    allocated: Sequence[Sequence[orders.Part]],
) -> list[Payout]:
    """Create payouts and set their money aside: lots, ledger, fee waivers. Stores are held by the caller."""
    stores = {each.store_id: merchants.store(merchant_id, each.store_id) for each in accepted}
    ledger.post(
        merchant_id,
        accepted[0].id,
        "payouts.reserve",
        now,
        [books.reserve(each.store_id, each.amount_fen) for each in accepted],
    )
    payouts = [
        _payout(by, merchant_id, policy, now, each, stores[each.store_id].channel_account_id) for each in accepted
    ]
    Payout.objects.bulk_create(payouts)
    Allocation.objects.bulk_create(
        Allocation(
            merchant_id=merchant_id,
            payout_id=each.id,
            order_id=part.order_id,
            amount_fen=part.amount_fen,
            generation=part.generation,
        )
        for each, parts in zip(accepted, allocated, strict=True)
        for part in parts
    )
    for payout in payouts:
        history.record(
            "payout.requested",
            by=by,
            merchant_id=merchant_id,
            subject=f"payout/{payout.id}",
            store_id=payout.store_id,
            amount_fen=payout.amount_fen,
            fee_fen=payout.fee_fen,
            waived=payout.waived,
            kind=payout.kind,
            beneficiary_id=payout.beneficiary_id,
            policy=policy.version,
        )
    db.rows("SELECT pg_notify('houfu_work', 'payout')")
    return payouts


def _payout(
    by: Actor, merchant_id: int, policy: Policy, now: datetime, accepted: _Accepted, channel_account_id: int
) -> Payout:
    waived = rules.waivable(accepted.amount_fen, policy.payouts.waiver) and _claim_waiver(policy)
    return Payout(
        merchant_id=merchant_id,
        id=accepted.id,
        store_id=accepted.store_id,
        channel_account_id=channel_account_id,
        beneficiary_id=accepted.beneficiary_id,
        kind=accepted.kind,
        purpose=accepted.purpose,
        tax_category=policy.compliance.tax_category,
        amount_fen=accepted.amount_fen,
        fee_fen=0 if waived else rules.fee(accepted.amount_fen, accepted.permille),
        waived=waived,
        policy=policy.version,
        state="scheduled",
        requested_by=by.label,
        person=by.person,
        requested_at=now,
        business_day=clock.business_day(now),
        due_at=accepted.due_at,
        arrives_by=accepted.arrives_by,
        next_action_at=accepted.due_at,
    )


def _claim_waiver(policy: Policy) -> bool:
    """Take one of the platform's fee-free payouts, if any is left; the row decides under concurrency (P7, I-21)."""
    assert policy.payouts.waiver
    return bool(
        db.rows(
            "UPDATE payouts_waiver SET claimed = claimed + 1 WHERE claimed < %s RETURNING claimed",
            [policy.payouts.waiver.count],
        )
    )


@db.action
def cancel(*, by: Actor, merchant_id: int, id: UUID) -> Payout:
    """Call a payout off that has not been sent; its money is the store's again."""
    payout = queries.access_payout(by, "payouts:write", merchant_id, id)
    merchants.lock_store(by, "payouts:write", merchant_id, payout.store_id)
    give_up(by=by, payout=payout, verb="cancel", code="cancelled_by_person", sent=False)
    return queries.access_payout(by, "payouts:write", merchant_id, id)


def give_up(*, by: Actor, payout: Payout, verb: str, code: str, sent: bool) -> None:
    """End a payout that will not be paid, within the current action: lots, claim and waiver are given back once."""
    now = clock.now()
    states.move(
        verb, Payout, {"merchant_id": payout.merchant_id, "id": payout.id}, code=code, final_at=now, next_action_at=None
    )
    parts = [
        orders.Part(a.order_id, a.amount_fen, a.generation) for a in queries.allocations(payout.merchant_id, payout.id)
    ]
    orders.free(merchant_id=payout.merchant_id, parts=parts, sent=sent)
    lines = [books.release(payout.store_id, payout.amount_fen)]
    if sent:
        lines = [*books.unsend(payout.channel_account_id, payout.net_fen, payout.fee_fen), *lines]
    ledger.post(payout.merchant_id, ids.new(), f"payouts.{verb}", now, lines)
    orders.offset_deficits(by=by, merchant_id=payout.merchant_id, store_ids=[payout.store_id], at=now)
    return_waiver(payout)
    history.record(
        f"payout.{'cancelled' if verb == 'cancel' else 'failed'}",
        by=by,
        merchant_id=payout.merchant_id,
        subject=f"payout/{payout.id}",
        code=code,
    )


def return_waiver(payout: Payout) -> None:
    """Give a claimed fee waiver back, as the payout that claimed it did not stay paid."""
    if payout.waived:
        db.rows("UPDATE payouts_waiver SET claimed = claimed - 1")


@db.action
def stand(*, by: Actor, merchant_id: int, store_id: int, beneficiary_id: int, purpose: str) -> StandingOrder:
    """Have a store paid out on every run day (P1).

    Raises:
        NotFound: the store or the beneficiary is not this merchant's.
    """
    merchants.access_store(by, "payouts:write", merchant_id, store_id)
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
    merchants.access_store(by, "payouts:write", merchant_id, store_id)
    if StandingOrder.objects.filter(merchant_id=merchant_id, store_id=store_id).delete()[0]:
        history.record("standing_order.ended", by=by, merchant_id=merchant_id, subject=f"store/{store_id}")


@db.action
def run(*, by: Actor, merchant_id: int, run_day: date) -> list[Payout]:
    """Pay out every store of a merchant that has a standing order and was not run for this day yet (P1, P5).

    A store that cannot be paid is noted with every reason; the day is done for it either way.
    """
    waiting = db.rows(
        "SELECT s.store_id FROM payouts_standing_order s WHERE s.merchant_id = %s AND NOT EXISTS (SELECT"
        " FROM payouts_run r WHERE r.merchant_id = s.merchant_id AND r.store_id = s.store_id AND r.run_day = %s)",
        [merchant_id, run_day],
    )
    store_ids = sorted(row.store_id for row in waiting)
    if not store_ids:
        return []
    merchants.lock_stores(merchant_id, store_ids)
    now = clock.now()
    policy = policies.at(now)
    last_day = calendars.calendar(now).arrival(now, policy.payouts.automatic.arrival_workdays[1])
    accepted, outcomes = [], []
    before = queries.facts_for_run(merchant_id, policy, now, store_ids)
    for store_id, beneficiary_id, facts in before:
        reasons = [reason.code for reason in rules.blocks(facts, policy.payouts)]
        payout_id = None if reasons else ids.new()
        outcomes.append((store_id, payout_id, reasons))
        if payout_id:
            accepted.append(
                _Accepted(
                    payout_id,
                    store_id,
                    beneficiary_id,
                    "automatic",
                    facts.purpose,
                    facts.amount_fen,
                    policy.payouts.automatic.fee_permille,
                    now,
                    clock.start_of(last_day + timedelta(days=1)),
                )
            )
    payouts = []
    if accepted:
        parts = _hold(merchant_id, accepted)
        if queries.facts_for_run(merchant_id, policy, now, store_ids) != before:
            raise db.Again()
        payouts = _set_aside(by, merchant_id, policy, now, accepted, parts)
    db.rows(
        "INSERT INTO payouts_run (merchant_id, store_id, run_day, payout_id, reasons, ran_at)"
        " SELECT %s, store_id, %s, payout_id, string_to_array(reasons, ','), %s"
        " FROM unnest(%s::bigint[], %s::uuid[], %s::text[]) r (store_id, payout_id, reasons)",
        [
            merchant_id,
            run_day,
            now,
            [o[0] for o in outcomes],
            [o[1] for o in outcomes],
            [",".join(o[2]) for o in outcomes],
        ],
    )
    history.record(
        "run.done", by=by, merchant_id=merchant_id, subject=f"run/{run_day}", stores=len(outcomes), payouts=len(payouts)
    )
    return payouts
