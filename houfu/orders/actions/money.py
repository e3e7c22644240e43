"""From received to matured: settled by the channel, matured after its days, written off (O3, O4, O7, L1, L2)."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from houfu.kernel import clock, db
from houfu.ledger import actions as ledger
from houfu.ledger.actions import Account
from houfu.limits import actions as limit_actions
from houfu.limits import queries as limit_queries
from houfu.limits import rules as limits
from houfu.limits.rules import Legs
from houfu.merchants import queries as merchants
from houfu.orders import books, queries, rules
from houfu.orders.steps import Outcome, Refusal, Step, advance, begin
from houfu.orders.work import LotRow, OrderRow, Work
from houfu.people.actor import Actor
from houfu.policies import queries as policies


@db.action
def settle(*, by: Actor, merchant_id: int, steps: Sequence[Step], settled_by: str) -> list[Outcome]:
    """Book what the channel has credited; holds are released, loans repaid, reduced limits restored.

    Args:
        steps: `amount_fen` is the order's gross as the channel has it, `fee_fen` what it kept.
        settled_by: "statement" for its lines, "query" for a notice that a query confirmed (O3).
    """
    work = begin(by, merchant_id, "settled", steps)
    stores = queries.stores_of(merchant_id, [step.order_id for step in steps])
    lent_to = limit_queries.stores_with_loans(merchant_id, stores)
    maturity: dict[int, int] = {}

    def settled(work: Work, order: OrderRow, lot: LotRow | None, step: Step) -> None:
        if order.stage not in ("received", "overdue"):
            raise Refusal("illegal_move")
        if refusal := rules.settlement_refusal(lot, step.amount_fen, step.fee_fen, settled_by):
            raise Refusal(refusal)
        assert lot is not None
        if lot.channel_account_id not in maturity:
            maturity[lot.channel_account_id] = _maturity_days(merchant_id, lot.channel_account_id, step.at)
        lot.fee_fen, lot.settled_by, lot.settled_at = step.fee_fen, settled_by, step.at
        lot.matures_at = clock.start_of(clock.business_day(step.at) + timedelta(days=maturity[lot.channel_account_id]))
        legs, order.legs = order.legs, Legs()
        work.post(books.settle(order.store_id, lot.channel_account_id, step.amount_fen, step.fee_fen))
        work.post(limits.release(legs, "drawn", order.store_id, order.pool_id))
        if order.state == "disputed":
            order.state_before_dispute = "settled"
            lot.disputed_fen = lot.left_fen
            work.post(books.dispute(order.store_id, "claim:settled", lot.disputed_fen))
        else:
            order.state = rules.move(order, "settle")
        work.step(order, step.at, fen=step.amount_fen, fee_fen=step.fee_fen, legs=legs, note=settled_by)

    outcomes = advance(work, steps, settled, lent_to=sorted(lent_to))
    done = [step for step, outcome in zip(steps, outcomes, strict=True) if outcome.outcome == "done"]
    brought: dict[int, int] = defaultdict(int)
    for step in done:
        brought[work.orders[step.order_id].store_id] += step.amount_fen
    _repay_loans(by, work, {store: fen for store, fen in sorted(brought.items()) if store in lent_to})
    limit_actions.restore(
        by=by, merchant_id=merchant_id, completed=Counter(work.orders[s.order_id].store_id for s in done)
    )
    return outcomes


def _maturity_days(merchant_id: int, channel_account_id: int, at: datetime) -> int:
    """Return the n of T+n: the merchant's agreement with the channel, else the policy's (O4)."""
    agreed = merchants.channel_account(merchant_id, channel_account_id).maturity_days
    return policies.at(at).orders.maturity_days if agreed is None else agreed


def _repay_loans(by: Actor, settled: Work, brought: Mapping[int, int]) -> None:
    """Let settled orders repay their stores' loans; own limit takes over what other orders have drawn of them (L1)."""
    work = Work(by=by, merchant_id=settled.merchant_id, verb="taken_over", at=settled.at, orders=settled.orders)
    for store_id, settled_fen in brought.items():
        lent = [order for _, order in sorted(settled.orders.items()) if order.store_id == store_id and order.temp_fen]
        repaid = limit_actions.repay_loan(
            by=by,
            merchant_id=settled.merchant_id,
            store_id=store_id,
            settled_fen=settled_fen,
            lent_fen=sum(order.temp_fen for order in lent),
        )
        rest_fen = repaid.taken_over_fen
        for order in lent:
            if part_fen := min(rest_fen, order.temp_fen):
                order.own_fen, order.temp_fen = order.own_fen + part_fen, order.temp_fen - part_fen
                work.post(limits.take_over(order.phase, store_id, part_fen))
                work.step(
                    order,
                    settled.at,
                    ref=str(settled.id),
                    fen=part_fen,
                    legs=Legs(own_fen=-part_fen, temp_fen=part_fen),
                )
                rest_fen -= part_fen
    work.write()


@db.action
def mature(*, by: Actor, merchant_id: int, steps: Sequence[Step]) -> list[Outcome]:
    """Make settled money payable whose days are over; a deficit is repaid out of it first (O4, O7)."""
    work = begin(by, merchant_id, "matured", steps)

    def matured(work: Work, order: OrderRow, lot: LotRow | None, step: Step) -> None:
        if lot is None or lot.matures_at is None or lot.matures_at > step.at:
            raise Refusal("not_due")
        order.state = rules.move(order, "mature")
        lot.matured_at = step.at
        work.post(books.mature(order.store_id, lot.left_fen))
        work.step(order, step.at, fen=lot.left_fen)

    outcomes = advance(work, steps, matured)
    offset_deficits(
        by=by, merchant_id=merchant_id, store_ids=sorted({o.store_id for o in work.orders.values()}), at=work.at
    )
    return outcomes


@db.action
def mature_due(*, by: Actor, merchant_id: int, at: datetime, limit: int = 5000) -> int:
    """Mature up to `limit` lots of a merchant that are due, each at its own instant, and return how many."""
    due = queries.lots_maturing(merchant_id, at, limit)
    outcomes = (
        mature(by=by, merchant_id=merchant_id, steps=[Step(lot.id, lot.matures_at) for lot in due]) if due else []
    )
    return sum(outcome.outcome == "done" for outcome in outcomes)


def offset_deficits(*, by: Actor, merchant_id: int, store_ids: Sequence[int], at: datetime) -> None:
    """Repay stores' deficits out of their matured lots, oldest first, within the current action (O7)."""
    owing = queries.stores_in_deficit(merchant_id, store_ids)
    if not owing:
        return
    work = Work(by=by, merchant_id=merchant_id, verb="offset", at=at)
    lots = queries.lots_left(merchant_id, owing)
    work.hold([lot_id for _, lot_id in lots])
    deficits = ledger.lock(merchant_id, [Account("deficit", store_id) for store_id in owing])
    for store_id in owing:
        rest_fen = deficits[Account("deficit", store_id)]
        for lot in (work.lots[lot_id] for owner, lot_id in lots if owner == store_id):
            part_fen = min(rest_fen, lot.left_fen)
            if part_fen:
                lot.offset_fen += part_fen
                work.post(books.offset(store_id, part_fen))
                work.step(work.orders[lot.id], at, ref=str(work.id), fen=part_fen)
                rest_fen -= part_fen
    work.write()


@db.action
def write_off(*, by: Actor, merchant_id: int, steps: Sequence[Step]) -> list[Outcome]:
    """Give up what buyers of overdue orders owe; the store bears it, and its limit is reduced by it (L2)."""
    work = begin(by, merchant_id, "written_off", steps, said=True)

    def written_off(work: Work, order: OrderRow, lot: LotRow | None, step: Step) -> None:
        order.state = rules.move(order, "write_off")
        assert lot is not None
        legs, order.legs = order.legs, Legs()
        fen = lot.owed_fen
        lot.lost_fen = fen
        work.post(books.write_off(order.store_id, fen))
        work.post(limits.lose(legs, order.store_id, order.pool_id))
        work.step(order, step.at, fen=fen, legs=legs, note=step.note)

    outcomes = advance(work, steps, written_off)
    for store_id in sorted({work.orders[o.order_id].store_id for o in outcomes if o.outcome == "done"}):
        limit_actions.begin_recovery(merchant_id, store_id)
    return outcomes
