"""Steps: what callers say has happened to orders, and what became of each saying."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from houfu.kernel import clock, db
from houfu.kernel.errors import Invalid
from houfu.orders.work import LotRow, OrderRow, Work
from houfu.people.actor import Actor

SKEW = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened to an order.

    Args:
        at: when it happened.
        ref: what tells it apart from another step of the same kind (a refund's number); a tracking or proof number.
        amount_fen: of a refund or a settlement; what the channel credits includes its fee.
        fee_fen: what the channel kept of a settlement.
        evidence: "platform", "carrier" or "manual", for a receipt (O2).
    """

    order_id: str
    at: datetime
    ref: str = ""
    amount_fen: int = 0
    fee_fen: int = 0
    evidence: str = "platform"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a step: done, the same as before, waiting for more, or refused with a code."""

    order_id: str
    outcome: Literal["done", "same", "waiting", "refused"]
    code: str = ""


class Refusal(Exception):
    """Refuses one step of a batch and leaves the others alone."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class Waiting(Exception):
    """Says that a step was noted but does not count yet."""


Decider = Callable[[Work, OrderRow, LotRow | None, Step], None]


def advance(
    work: Work, steps: Sequence[Step], decide: Decider, *, by_ref: bool = False, lent_to: Sequence[int] = ()
) -> list[Outcome]:
    """Take each step in turn, as `decide` finds, and write all of them.

    Args:
        decide: moves an order and its lot in memory, or raises Refusal or Waiting.
        by_ref: whether an order can take this step several times, told apart by `ref`.
        lent_to: stores whose orders on loan are needed too.
    """
    work.hold([step.order_id for step in steps], lent_to)
    done = _done(work, steps)
    outcomes = []
    for step in steps:
        key = (step.order_id, step.ref if by_ref else "")
        order = work.orders.get(step.order_id)
        if order is None or not work.by.sees(order.store_id):
            outcomes.append(Outcome(step.order_id, "refused", "order_unknown"))
            continue
        if key in done:
            same = step.amount_fen in (0, done[key])
            outcomes.append(Outcome(step.order_id, "same" if same else "refused", "" if same else "order_event_reused"))
            continue
        try:
            decide(work, order, work.lots.get(step.order_id), step)
        except Refusal as refusal:
            outcomes.append(Outcome(step.order_id, "refused", refusal.code))
        except Waiting:
            outcomes.append(Outcome(step.order_id, "waiting"))
        else:
            done[key] = step.amount_fen
            outcomes.append(Outcome(step.order_id, "done"))
    work.write()
    return outcomes


def advance_rest(
    work: Work, steps: Sequence[Step], rest: Sequence[int], decide: Decider, *, lent_to: Sequence[int] = ()
) -> list[Outcome]:
    """Return the outcomes of steps of which all but the `rest` are done: those are taken now, and all is written.

    Args:
        rest: places in `steps`.
    """
    outcomes = [Outcome(step.order_id, "done") for step in steps]
    if not rest:
        work.write()
        return outcomes
    for place, outcome in zip(rest, advance(work, [steps[n] for n in rest], decide, lent_to=lent_to), strict=True):
        outcomes[place] = outcome
    return outcomes


def _done(work: Work, steps: Sequence[Step]) -> dict[tuple[str, str], int]:
    """Return the amounts of the steps of this kind that the orders have taken already."""
    found = db.rows(
        "SELECT order_id, ref, fen FROM orders_event WHERE merchant_id = %s AND order_id = ANY (%s) AND verb = %s",
        [work.merchant_id, [step.order_id for step in steps], work.verb],
    )
    return {(row.order_id, row.ref): row.fen for row in found}


class InTheFuture(Invalid):
    """This has not happened yet: its time lies ahead of the clock."""

    code = "at_in_future"


def refuse_future(at: datetime) -> None:
    """Refuse what is said to have happened later than clocks can differ.

    Raises:
        InTheFuture: by more than SKEW.
    """
    if at > clock.now() + SKEW:
        raise InTheFuture(at=at.isoformat(), now=clock.now().isoformat())


def begin(by: Actor, merchant_id: int, verb: str, steps: Sequence[Step], *, said: bool = False) -> Work:
    """Return the work for a batch of steps of one merchant, if the actor may move its orders.

    Args:
        said: whether somebody says that it happened, rather than the clock or the channel.

    Raises:
        Invalid: no step at all.
        InTheFuture: somebody says so of a time that has not come.
    """
    by.require("orders:write", merchant_id)
    if not steps:
        raise Invalid(steps="at least one")
    if said:
        refuse_future(max(step.at for step in steps))
    return Work(by=by, merchant_id=merchant_id, verb=verb, at=max(step.at for step in steps))
