"""Pure decisions about orders."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from houfu.kernel.money import share_down
from houfu.orders.states import ORDER
from houfu.orders.steps import Refusal, Step
from houfu.orders.work import LotRow, OrderRow


def move(order: OrderRow, verb: str) -> str:
    """Return the state to which a step leads, or refuse it (O1)."""
    sources, target = ORDER[verb]
    if order.state not in sources:
        raise Refusal("illegal_move")
    return target


class EvidenceLike(Protocol):
    kind: str
    person: str
    counts_at: datetime


@dataclass(frozen=True)
class Standing:
    """What evidence amounts to: its trust once it suffices, and the instant from which it counts."""

    trust: str | None
    counts_at: datetime


def standing(
    earlier: Sequence[EvidenceLike], step: Step, person: str, proof_delay: timedelta, at: datetime
) -> Standing:
    """Judge a piece of evidence together with what was there before (O2).

    Args:
        earlier: evidence recorded for the order before.
        person: the natural person who brings this one.
        proof_delay: how long carrier proof must stand before it counts.
        at: now; carrier proof whose day is still ahead waits.

    Raises:
        Refusal: evidence of an unknown kind, or a manual statement that nobody stands behind.
    """
    if step.evidence == "platform":
        return Standing("high", step.at)
    if step.evidence == "carrier":
        counts_at = step.at + proof_delay
        return Standing("medium" if counts_at <= at else None, counts_at)
    if step.evidence == "manual":
        if not person:
            raise Refusal("evidence_without_person")
        others = [e for e in earlier if e.kind == "manual" and e.person != person]
        return Standing("low" if others else None, max([step.at, *(e.counts_at for e in others)]))
    raise Refusal("evidence_unknown")


def settlement_refusal(lot: LotRow | None, gross_fen: int, fee_fen: int, settled_by: str) -> str | None:
    """Return why a settlement cannot be booked, if it cannot (O2, O3)."""
    if lot is None or lot.settled_at is not None:
        return "illegal_move"
    if gross_fen != lot.owed_fen:
        return "settlement_amount_differs"
    if not 0 <= fee_fen <= gross_fen:
        return "settlement_fee_invalid"
    if lot.trust == "low" and settled_by == "query":
        return "low_trust_needs_statement"
    return None


@dataclass(frozen=True)
class RefundParts:
    """Where a refund comes from: those who got parts of the order, what is kept back for a dispute, what is left in the
    lot, and the store's debt."""

    recalled_fen: int
    disputed_fen: int
    left_fen: int
    deficit_fen: int


def refund_parts(lot: LotRow, fen: int) -> RefundParts:
    """Divide a refund of a settled order (O7).

    Parties bear as much of it as of what they got is left to refund, rounded down; of a whole refund all of it (L8).
    """
    recalled_fen = share_down(lot.split_fen, fen, lot.owed_fen)
    rest_fen = fen - recalled_fen
    disputed_fen = min(rest_fen, lot.disputed_fen)
    left_fen = min(rest_fen - disputed_fen, lot.left_fen)
    return RefundParts(recalled_fen, disputed_fen, left_fen, rest_fen - disputed_fen - left_fen)
