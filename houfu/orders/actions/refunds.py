"""Refunds and disputes, before and after the money was paid out (O1, O7)."""

from collections.abc import Sequence

from houfu.channels import actions as channels
from houfu.channels.port import Report
from houfu.kernel import db
from houfu.limits import rules as limits
from houfu.orders import books, rules
from houfu.orders.actions.money import offset_deficits
from houfu.orders.steps import Outcome, Refusal, Step, advance, begin
from houfu.orders.work import LotRow, OrderRow, Work
from houfu.people.actor import Actor

CLAIM = {
    "received": "claim:pending",
    "overdue": "claim:pending",
    "settled": "claim:settled",
    "matured": "claim:matured",
}


@db.action
def refund(*, by: Actor, merchant_id: int, steps: Sequence[Step]) -> list[Outcome]:
    """Book refunds, whole or partial; several of one order are told apart by their `ref`.

    Before settlement the buyer owes less. After it the money comes out of the lot, and what was already paid out
    becomes the store's deficit, which the next maturities repay.
    """
    work = begin(by, merchant_id, "refunded", steps, said=True)
    outcomes = advance(work, steps, _refunded, by_ref=True)
    stores = sorted({order.store_id for order in work.orders.values()})
    offset_deficits(by=by, merchant_id=merchant_id, store_ids=stores, at=work.at)
    return outcomes


def _refunded(work: Work, order: OrderRow, lot: LotRow | None, step: Step) -> None:
    if not step.ref:
        raise Refusal("refund_without_ref")
    if not 0 < step.amount_fen <= order.amount_fen - order.refunded_fen:
        raise Refusal("refund_exceeds_order")
    whole = step.amount_fen == order.amount_fen - order.refunded_fen
    target = "refunded" if order.state == "disputed" else rules.move(order, "refund_whole")
    freed = limits.last_first(order.legs, step.amount_fen)
    work.post(limits.release(freed, order.phase, order.store_id, order.pool_id))
    order.legs = order.legs.less(freed)
    order.refunded_fen += step.amount_fen
    parts = rules.RefundParts(0, 0, 0, 0)
    if lot is not None:
        parts = _take_back(work, order, lot, step.amount_fen)
        channels.report(
            work.merchant_id, lot.channel_account_id, Report("refund", order.id, step.ref, step.amount_fen, step.at)
        )
    if whole:
        order.state, order.state_before_dispute = target, None
    work.step(
        order,
        step.at,
        ref=step.ref,
        fen=step.amount_fen,
        deficit_fen=parts.deficit_fen,
        recalled_fen=parts.recalled_fen,
        legs=freed,
        note=step.note,
    )


def _take_back(work: Work, order: OrderRow, lot: LotRow, fen: int) -> rules.RefundParts:
    """Take a refund out of a lot and return where it came from, if the channel bore it."""
    if lot.settled_at is None:
        lot.refunded_fen += fen
        work.post(books.refund_unsettled(order.store_id, fen))
        return rules.RefundParts(0, 0, 0, 0)
    parts = rules.refund_parts(lot, fen)
    claim = "claim:matured" if lot.matured_at else "claim:settled"
    channel = lot.channel_account_id
    lot.refunded_fen += fen
    lot.split_fen -= parts.recalled_fen
    lot.disputed_fen -= parts.disputed_fen
    lot.deficit_fen += parts.deficit_fen
    work.post(books.refund_settled(order.store_id, channel, "claim:disputed", parts.disputed_fen, parts.deficit_fen))
    work.post(books.refund_settled(order.store_id, channel, claim, parts.left_fen, 0))
    work.post([books.recall(order.store_id, channel, parts.recalled_fen)])
    return parts


@db.action
def dispute(*, by: Actor, merchant_id: int, steps: Sequence[Step]) -> list[Outcome]:
    """Open disputes; what is left of their lots is kept back until they end."""

    def disputed(work: Work, order: OrderRow, lot: LotRow | None, step: Step) -> None:
        target = rules.move(order, "dispute")
        assert lot is not None
        order.state, order.state_before_dispute = target, order.state
        if lot.settled_at:
            lot.disputed_fen = lot.left_fen
            work.post(books.dispute(order.store_id, CLAIM[order.stage], lot.disputed_fen))
        work.step(order, step.at, ref=step.ref, fen=lot.disputed_fen, note=step.note)

    return advance(begin(by, merchant_id, "disputed", steps, said=True), steps, disputed, by_ref=True)


@db.action
def resolve(*, by: Actor, merchant_id: int, steps: Sequence[Step]) -> list[Outcome]:
    """End disputes in favour of the store: orders go back to where they were. A lost dispute is a refund."""
    work = begin(by, merchant_id, "resolved", steps, said=True)

    def resolved(work: Work, order: OrderRow, lot: LotRow | None, step: Step) -> None:
        if order.state != "disputed" or order.state_before_dispute is None:
            raise Refusal("illegal_move")
        assert lot is not None
        fen, lot.disputed_fen = lot.disputed_fen, 0
        if lot.settled_at:
            work.post(books.end_dispute(order.store_id, CLAIM[order.stage], fen))
        order.state, order.state_before_dispute = order.state_before_dispute, None
        work.step(order, step.at, ref=step.ref, fen=fen, note=step.note)

    outcomes = advance(work, steps, resolved, by_ref=True)
    stores = sorted({order.store_id for order in work.orders.values()})
    offset_deficits(by=by, merchant_id=merchant_id, store_ids=stores, at=work.at)
    return outcomes
