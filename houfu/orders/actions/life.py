"""From authorised to received: shipped, cancelled, expired, received on evidence, overdue (O1, O2)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cached_property

from houfu.channels import actions as channels
from houfu.channels.port import Report
from houfu.kernel import clock, db
from houfu.limits import rules as limits
from houfu.limits.rules import Legs
from houfu.merchants import queries as merchants
from houfu.orders import books, queries, rules
from houfu.orders.models import Evidence
from houfu.orders.steps import Decider, Outcome, Step, Waiting, advance, begin
from houfu.orders.work import LotRow, OrderRow, Work
from houfu.people.actor import Actor
from houfu.policies import queries as policies


@db.action
def ship(*, by: Actor, merchant_id: int, steps: Sequence[Step]) -> list[Outcome]:
    """Record that goods left for the buyer."""

    def shipped(work: Work, order: OrderRow, lot: LotRow | None, step: Step) -> None:
        order.state = rules.move(order, "ship")
        work.step(order, step.at, fen=order.amount_fen - order.refunded_fen, note=step.ref)

    return advance(begin(by, merchant_id, "shipped", steps, said=True), steps, shipped)


@db.action
def cancel(*, by: Actor, merchant_id: int, steps: Sequence[Step]) -> list[Outcome]:
    """Record that orders were called off before they were shipped; what they held goes back to its sources."""
    return advance(begin(by, merchant_id, "cancelled", steps, said=True), steps, _ended("cancel"))


@db.action
def expire(*, by: Actor, merchant_id: int, steps: Sequence[Step]) -> list[Outcome]:
    """End orders that were never shipped; what they held goes back to its sources."""
    return advance(begin(by, merchant_id, "expired", steps, said=True), steps, _ended("expire"))


def _ended(verb: str) -> Decider:
    def end(work: Work, order: OrderRow, lot: LotRow | None, step: Step) -> None:
        legs, phase = order.legs, order.phase
        order.state = rules.move(order, verb)
        order.legs = Legs()
        work.post(limits.release(legs, phase, order.store_id, order.pool_id))
        work.step(order, step.at, fen=legs.total_fen, legs=legs, note=step.note)

    return end


@db.action
def receive(*, by: Actor, merchant_id: int, steps: Sequence[Step]) -> list[Outcome]:
    """Record evidence that buyers have their goods; what suffices makes a receipt and a lot (O2).

    Platform events count at once. Carrier proof counts after some days and waits until then. A manual statement
    waits for that of a second person.
    """
    work = begin(by, merchant_id, "received", steps, said=True)
    receipts = _Receipts(work, steps)
    outcomes = advance(work, steps, receipts.judge)
    receipts.keep_evidence()
    return outcomes


class _Receipts:
    """The receipts of a batch: what they are judged by is read once for all, and their evidence kept at once."""

    def __init__(self, work: Work, steps: Sequence[Step]) -> None:
        self._work = work
        self._ids = [step.order_id for step in steps]
        instants = [step.at for step in steps]
        self._policies = dict(zip(instants, policies.at_each(instants), strict=True))
        self._kept: dict[tuple[str, str], tuple[Step, rules.Standing]] = {}

    @cached_property
    def _evidence(self) -> dict[str, list[Evidence]]:
        """What was there before; read under the locks of its orders, so that two persons at once see each other's."""
        return queries.evidence_of(self._work.merchant_id, self._ids)

    @cached_property
    def _channel_accounts(self) -> dict[int, int]:
        stores = {order.store_id for order in self._work.orders.values()}
        return merchants.channel_accounts_by_store(self._work.merchant_id, stores)

    def judge(self, work: Work, order: OrderRow, lot: LotRow | None, step: Step) -> None:
        """Let an order be received if its evidence suffices, else let it wait."""
        state = rules.move(order, "receive")
        policy = self._policies[step.at].orders
        earlier = self._evidence.get(order.id, [])
        standing = rules.standing(earlier, step, work.by.person, timedelta(days=policy.carrier_proof_days), clock.now())
        known, before = self._kept.get((order.id, step.evidence), (step, standing))
        self._kept[order.id, step.evidence] = (known, standing if standing.trust else before)
        if standing.trust is None:
            raise Waiting()
        gross_fen = order.amount_fen - order.refunded_fen
        order.state = state
        account_id = self._channel_accounts[order.store_id]
        work.lots[order.id] = LotRow(
            id=order.id,
            store_id=order.store_id,
            channel_account_id=account_id,
            trust=standing.trust,
            received_at=standing.counts_at,
            payment_due_at=standing.counts_at + timedelta(days=policy.payment_due_days),
            gross_fen=gross_fen,
        )
        work.post(books.receive(order.store_id, gross_fen))
        work.post(limits.receive(order.legs, order.store_id))
        work.step(order, standing.counts_at, fen=gross_fen, legs=order.legs, note=f"{step.evidence}:{step.ref}")
        report = Report("receipt", order.id, "", gross_fen, standing.counts_at)
        channels.report(work.merchant_id, account_id, report)

    def keep_evidence(self) -> None:
        """Write what was brought; of what is there already, whether it counts now."""
        if not self._kept:
            return
        rows = [
            (step.order_id, step.evidence, step.ref, step.at, standing.counts_at, standing.trust is not None)
            for step, standing in self._kept.values()
        ]
        db.rows(
            "INSERT INTO orders_evidence AS e"
            " (merchant_id, order_id, kind, ref, person, at, counts_at, counted, recorded_at)"
            " SELECT %s, order_id, kind, ref, %s, at, counts_at, counted, %s"
            " FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::boolean[])"
            " r (order_id, kind, ref, at, counts_at, counted)"
            " ON CONFLICT (merchant_id, order_id, kind, person) DO UPDATE SET counted = e.counted OR excluded.counted",
            [
                self._work.merchant_id,
                self._work.by.person,
                clock.now(),
                *(list(column) for column in zip(*rows, strict=True)),
            ],
        )


@db.action
def confirm_receipts(*, by: Actor, merchant_id: int, at: datetime) -> int:
    """Let carrier proof count whose days are over, and return how many orders became received by it (O2)."""
    waiting = queries.evidence_due(merchant_id, at)
    steps = [Step(e.order_id, e.at, ref=e.ref, evidence="carrier") for e in waiting]
    outcomes = receive(by=by, merchant_id=merchant_id, steps=steps) if steps else []
    return sum(outcome.outcome == "done" for outcome in outcomes)


@db.action
def fall_due(*, by: Actor, merchant_id: int, steps: Sequence[Step]) -> list[Outcome]:
    """Mark received orders as overdue whose payment did not come in time."""

    def fell_due(work: Work, order: OrderRow, lot: LotRow | None, step: Step) -> None:
        order.state = rules.move(order, "fall_due")
        work.step(order, step.at, fen=lot.owed_fen if lot else 0)

    return advance(begin(by, merchant_id, "fell_due", steps), steps, fell_due)
