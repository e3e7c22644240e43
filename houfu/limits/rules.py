"""Pure decisions about limits: how legs are released, what a loan may be, what restoration has been earned."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from houfu.kernel.errors import Reason
from houfu.kernel.money import share_down, yuan
from houfu.ledger.actions import Account, Line


class Legs(NamedTuple):
    """How much of an order's exposure stands on each source, in the order of drawing (G6)."""

    own_fen: int = 0
    pool_fen: int = 0
    temp_fen: int = 0
    tolerance_fen: int = 0

    @property
    def total_fen(self) -> int:
        return sum(self)

    def less(self, other: "Legs") -> "Legs":
        return Legs(*(mine - theirs for mine, theirs in zip(self, other, strict=True)))


def last_first(legs: Legs, amount_fen: int) -> Legs:
    """Return what each source gets back when `amount_fen` of an order's exposure ends: last source first (G6)."""
    freed = []
    for leg_fen in reversed(legs):
        part = min(leg_fen, amount_fen)
        amount_fen -= part
        freed.append(part)
    return Legs(*reversed(freed))


SOURCES = ("own", "pool", "temp", "tolerance")


def _home(source: str, store_id: int, pool_id: int | None) -> Account:
    """Return the account that a source's quota comes from and goes back to."""
    if source == "tolerance":
        return Account("q:grant:tolerance", store_id)
    if source == "pool":
        assert pool_id is not None
        return Account("q:pool:free", pool_id)
    return Account(f"q:{source}:free", store_id)


def release(legs: Legs, phase: str, store_id: int, pool_id: int | None) -> Iterator[Line]:
    """Yield the lines that give legs back to their sources from "held" or "drawn"."""
    for source, leg_fen in zip(SOURCES, legs, strict=True):
        if leg_fen:
            yield Line(_home(source, store_id, pool_id), Account(f"q:{source}:{phase}", store_id), leg_fen)


def receive(legs: Legs, store_id: int) -> Iterator[Line]:
    """Yield the lines that turn held legs into drawn ones."""
    for source, leg_fen in zip(SOURCES, legs, strict=True):
        if leg_fen:
            yield Line(Account(f"q:{source}:drawn", store_id), Account(f"q:{source}:held", store_id), leg_fen)


def lose(legs: Legs, store_id: int, pool_id: int | None) -> Iterator[Line]:
    """Yield the lines of a write-off: own limit becomes reduced, shared limit is lost, the rest goes back."""
    if legs.own_fen:
        yield Line(Account("q:reduced", store_id), Account("q:own:drawn", store_id), legs.own_fen)
    if legs.pool_fen:
        assert pool_id is not None
        yield Line(Account("q:lost:pool", pool_id), Account("q:pool:drawn", store_id), legs.pool_fen)
    yield from release(legs._replace(own_fen=0, pool_fen=0), "drawn", store_id, pool_id)


class LoanFacts(NamedTuple):
    """What decides about a temporary loan."""

    amount_fen: int
    open_loan: bool
    overdue: bool
    store_state: str


def loan_refusals(facts: LoanFacts, largest_fen: int) -> list[Reason]:
    """Return every reason against a temporary loan (L1)."""
    reasons = []
    if not 0 < facts.amount_fen <= largest_fen:
        reasons.append(
            Reason(
                "loan_amount",
                "L1",
                {"amount_fen": facts.amount_fen, "largest_fen": largest_fen},
                f"Ask for at most {yuan(largest_fen)} yuan.",
            )
        )
    if facts.overdue:
        reasons.append(Reason("loan_overdue", "L1", {}, "Let settled orders repay the overdue loan first."))
    elif facts.open_loan:
        reasons.append(Reason("loan_open", "L1", {}, "Let settled orders repay the open loan first."))
    if facts.store_state != "active":
        reasons.append(Reason(f"store_{facts.store_state}", "K4", {}, "Have the store unfrozen first."))
    return reasons


class Repayment(NamedTuple):
    """How a loan is repaid: unused limit goes back, and own limit takes over what orders have drawn of it."""

    unused_fen: int
    taken_over_fen: int


def repayment(
    outstanding_fen: int, settled_fen: int, temp_free_fen: int, temp_used_fen: int, own_free_fen: int
) -> Repayment:
    """Return what settled orders repay of a loan, never more than they brought in (L1)."""
    due_fen = min(outstanding_fen, settled_fen)
    unused_fen = min(due_fen, temp_free_fen)
    return Repayment(unused_fen, min(due_fen - unused_fen, temp_used_fen, own_free_fen))


def restorable(completed: int, booked_fen: int, reduced_fen: int, orders: int, restores_fen: int, lot_fen: int) -> int:
    """Return what may be booked back now: whole lots that were earned, never above the original limit (L2).

    Args:
        completed: orders completed since the limit was reduced.
        booked_fen: what they restored already.
        reduced_fen: what is missing to the original limit.
    """
    earned_fen = completed // orders * restores_fen - booked_fen
    return min(earned_fen, reduced_fen) // lot_fen * lot_fen


def overdue(due_at: datetime, at: datetime) -> bool:
    """Say whether a loan is overdue at an instant (L1)."""
    return due_at < at


class Room(NamedTuple):
    """What of a pool may be used at an instant, never below what is in use, and what of that is not in use."""

    usable_fen: int
    room_fen: int


def room(holds_fen: int, free_fen: int, cap_fen: int | None) -> Room:
    """Return the room in a pool (L4, L5, G10): nothing is taken from open orders when its cap falls below them.

    Args:
        holds_fen: everything it holds; what was lost stays used.
        cap_fen: what may be used at that instant; None where nothing caps it.
    """
    used_fen = holds_fen - free_fen
    room_fen = free_fen if cap_fen is None else max(0, min(free_fen, cap_fen - used_fen))
    return Room(used_fen + room_fen, room_fen)


def effective_limit(own_fen: int, pool_used_fen: int, pool_room_fen: int, share: int, loan_fen: int) -> int:
    """Return what a store could carry now without tolerance: own limit, its reach into the pool, its loan (O6)."""
    reach_fen = max(0, min(pool_room_fen, share * own_fen - pool_used_fen))
    return own_fen + pool_used_fen + reach_fen + loan_fen


def tolerance_band(effective_fen: int, tolerance_permille: int) -> int:
    """Return the band above the effective limit (O6)."""
    return share_down(effective_fen, tolerance_permille - 1000, 1000)


def take_over(phase: str, store_id: int, amount_fen: int) -> tuple[Line, Line]:
    """Return the lines by which own limit takes over an order's lent leg in a phase ("held" or "drawn")."""
    return (
        Line(Account(f"q:own:{phase}", store_id), Account("q:own:free", store_id), amount_fen),
        Line(Account("q:grant:temp", store_id), Account(f"q:temp:{phase}", store_id), amount_fen),
    )
