"""From received to matured: settled by the channel, matured after its days, written off (O3, O4, O7, L1, L2)."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from houfu.kernel import clock, db, ids
from houfu.ledger import actions as ledger
from houfu.ledger.actions import Account, Line
from houfu.limits import actions as limit_actions
from houfu.limits import queries as limit_queries
from houfu.limits import rules as limits
from houfu.limits.rules import Legs
from houfu.merchants import queries as merchants
from houfu.orders import books, queries, rules
from houfu.orders.steps import Decider, Outcome, Refusal, Step, advance, advance_rest, begin
from houfu.orders.work import LotRow, OrderRow, Work, Written
from houfu.people.actor import Actor
from houfu.policies import queries as policies


class _Credited(NamedTuple):
    """What plain orders of a store brought in through an account at the channel, and the legs that they released."""

    store_id: int
    pool_id: int | None
    channel_account_id: int
    orders: int
    gross_fen: int
    fee_fen: int
    own_fen: int
    pool_fen: int
    temp_fen: int
    tolerance_fen: int


@db.action
def settle(*, by: Actor, merchant_id: int, steps: Sequence[Step], settled_by: str) -> list[Outcome]:
    """Book what the channel has credited; holds are released, loans repaid, reduced limits restored.

    What is plain is settled all at once, the rest order by order; both ways give the same answers.

    Args:
        steps: `amount_fen` is the order's gross as the channel has it, `fee_fen` what it kept.
        settled_by: "statement" for its lines, "query" for a notice that a query confirmed (O3).
    """
    work = begin(by, merchant_id, "settled", steps)
    lent_to = limit_queries.stores_with_loans(merchant_id)
    if lent_to:
        lent_to &= queries.stores_of(merchant_id, [step.order_id for step in steps])
    in_force = policies.at_each([step.at for step in steps])
    days = [(policy.orders.maturity_days, policy.orders.logistics_maturity_days) for policy in in_force]
    rest, credited = _settle_plain(work, steps, settled_by, lent_to, days)
    exactly = _settle_each(settled_by, dict(zip((step.at for step in steps), days, strict=True)))
    outcomes = advance_rest(work, steps, rest, exactly, lent_to=sorted(lent_to))
    brought: dict[int, int] = defaultdict(int)
    completed: Counter[int] = Counter()
    for each in credited:
        completed[each.store_id] += each.orders
    for place in rest:
        if outcomes[place].outcome == "done":
            store_id = work.orders[steps[place].order_id].store_id
            completed[store_id] += 1
            brought[store_id] += steps[place].amount_fen
    _repay_loans(by, work, {store: fen for store, fen in sorted(brought.items()) if store in lent_to})
    limit_actions.restore(by=by, merchant_id=merchant_id, completed=completed)
    return outcomes


def _settle_plain(
    work: Work, steps: Sequence[Step], settled_by: str, lent_to: set[int], days: list[tuple[int, int]]
) -> tuple[list[int], list[_Credited]]:
    """Settle what is plain of a batch, and return the places of the rest and what was credited."""
    batch = ids.new()
    rest, digest, *sums = db.call(
        "orders_settle_v1",
        batch,
        work.merchant_id,
        settled_by,
        sorted(lent_to),
        [step.order_id for step in steps],
        [step.at for step in steps],
        [step.amount_fen for step in steps],
        [step.fee_fen for step in steps],
        [usual for usual, _ in days],
        [logistics for _, logistics in days],
    )[0]
    if digest is None:
        return rest, []
    credited = [_Credited(*each) for each in zip(*sums, strict=True)]
    lines: list[Line] = []
    for each in credited:
        lines += books.settle(each.store_id, each.channel_account_id, each.gross_fen, each.fee_fen)
        lines += limits.release(Legs(*each[-4:]), "drawn", each.store_id, each.pool_id)
    work.beside.append(Written(batch, digest, len(steps) - len(rest), lines))
    return rest, credited


def _settle_each(settled_by: str, days_at: Mapping[datetime, tuple[int, int]]) -> Decider:
    """Return what settles one order.

    Args:
        days_at: the n of T+n at each step's instant where none is agreed, and under a logistics agreement (O4).
    """
    agreed: dict[int, int | None] = {}

    def settled(work: Work, order: OrderRow, lot: LotRow | None, step: Step) -> None:
        if order.stage not in ("received", "overdue"):
            raise Refusal("illegal_move")
        if refusal := rules.settlement_refusal(lot, step.amount_fen, step.fee_fen, settled_by):
            raise Refusal(refusal)
        assert lot is not None
        account_id = lot.channel_account_id
        if account_id not in agreed:
            agreed[account_id] = merchants.channel_account(work.merchant_id, account_id).maturity_days
        lot.fee_fen, lot.settled_by, lot.settled_at = step.fee_fen, settled_by, step.at
        usual, logistics = days_at[step.at]
        own = agreed[account_id]
        days = usual if own is None else own
        if merchants.agreed(work.merchant_id, account_id, order.store_id, step.at):
            days = min(days, logistics)
        day = clock.business_day(step.at) + timedelta(days=days)
        lot.matures_at = clock.start_of(day)
        legs, order.legs = order.legs, Legs()
        work.post(books.settle(order.store_id, account_id, step.amount_fen, step.fee_fen))
        work.post(limits.release(legs, "drawn", order.store_id, order.pool_id))
        if order.state == "disputed":
            order.state_before_dispute = "settled"
            lot.disputed_fen = lot.left_fen
            work.post(books.dispute(order.store_id, "claim:settled", lot.disputed_fen))
        else:
            order.state = rules.move(order, "settle")
        work.step(order, step.at, fen=step.amount_fen, fee_fen=step.fee_fen, legs=legs, note=settled_by)

    return settled


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
    batch = ids.new()
    rest, digest, stores, fen = db.call(
        "orders_mature_v1", batch, merchant_id, [step.order_id for step in steps], [step.at for step in steps]
    )[0]
    if digest:
        lines = [line for each in zip(stores, fen, strict=True) for line in books.mature(*each)]
        work.beside.append(Written(batch, digest, len(steps) - len(rest), lines))
    outcomes = advance_rest(work, steps, rest, _mature_each)
    touched = {*(stores or ()), *(order.store_id for order in work.orders.values())}
    offset_deficits(by=by, merchant_id=merchant_id, store_ids=sorted(touched), at=work.at)
    return outcomes


def _mature_each(work: Work, order: OrderRow, lot: LotRow | None, step: Step) -> None:
    if lot is None or lot.matures_at is None or lot.matures_at > step.at:
        raise Refusal("not_due")
    order.state = rules.move(order, "mature")
    lot.matured_at = step.at
    work.post(books.mature(order.store_id, lot.left_fen))
    work.step(order, step.at, fen=lot.left_fen)


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
