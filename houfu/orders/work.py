"""A batch of steps at work: orders and lots held in memory, moved on by rules, written at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from houfu.history import actions as history
from houfu.kernel import db, ids
from houfu.ledger import actions as ledger
from houfu.ledger.actions import Line, Transfer
from houfu.limits.rules import Legs
from houfu.people.actor import Actor


@dataclass(slots=True)
class OrderRow:
    """An order while an action moves it; columns as in the table."""

    id: str
    store_id: int
    pool_id: int | None
    amount_fen: int
    state: str
    state_before_dispute: str | None
    own_fen: int
    pool_fen: int
    temp_fen: int
    tolerance_fen: int
    refunded_fen: int
    buyer: str | None = None

    @property
    def legs(self) -> Legs:
        return Legs(self.own_fen, self.pool_fen, self.temp_fen, self.tolerance_fen)

    @legs.setter
    def legs(self, legs: Legs) -> None:
        self.own_fen, self.pool_fen, self.temp_fen, self.tolerance_fen = legs

    @property
    def stage(self) -> str:
        """Where the order stands, a dispute left aside."""
        return self.state_before_dispute or self.state

    @property
    def phase(self) -> str:
        """Where its open legs stand in the ledger."""
        return "held" if self.stage in ("authorised", "shipped") else "drawn"


@dataclass(slots=True)
class LotRow:
    """A lot while an action moves it; columns as in the table."""

    id: str
    store_id: int
    channel_account_id: int
    trust: str
    received_at: datetime
    payment_due_at: datetime
    gross_fen: int
    fee_fen: int = 0
    refunded_fen: int = 0
    lost_fen: int = 0
    deficit_fen: int = 0
    split_fen: int = 0
    disputed_fen: int = 0
    offset_fen: int = 0
    settled_by: str | None = None
    settled_at: datetime | None = None
    matures_at: datetime | None = None
    matured_at: datetime | None = None
    allocated_fen: int = 0

    @property
    def owed_fen(self) -> int:
        """What the buyer still owes, before settlement."""
        return self.gross_fen - self.refunded_fen - self.lost_fen

    @property
    def left_fen(self) -> int:
        """What has not been taken from the lot."""
        net = self.gross_fen - self.fee_fen - self.refunded_fen - self.lost_fen + self.deficit_fen
        return net - self.split_fen - self.disputed_fen - self.allocated_fen - self.offset_fen


@dataclass(slots=True)
class _Event:
    order_id: str
    verb: str
    ref: str
    at: datetime
    fen: int
    fee_fen: int
    deficit_fen: int
    recalled_fen: int
    own_fen: int
    pool_fen: int
    temp_fen: int
    tolerance_fen: int
    note: str


@dataclass(frozen=True, slots=True)
class Written:
    """A batch whose rows are written: what is left is to post its lines and to seal it in the history."""

    id: UUID
    digest: bytes
    rows: int
    lines: list[Line]


# Columns in their order; `astuple` would copy every value deeply, and take half of a settlement's time for it.
_lot_columns = attrgetter(*(f.name for f in fields(LotRow) if f.name != "allocated_fen"))
_event_columns = attrgetter(*(f.name for f in fields(_Event)))
_ORDERS = """
    SELECT id, store_id, pool_id, amount_fen, state, state_before_dispute, open_own_fen, open_pool_fen, open_temp_fen,
           open_tolerance_fen, refunded_fen, buyer
    FROM orders_order
    WHERE merchant_id = %s AND (id = ANY (%s) OR (store_id = ANY (%s) AND open_temp_fen > 0))
    ORDER BY id FOR NO KEY UPDATE
"""
_LOTS = """
    SELECT id, store_id, channel_account_id, trust, received_at, payment_due_at, gross_fen, fee_fen, refunded_fen,
           lost_fen, deficit_fen, split_fen, disputed_fen, offset_fen, settled_by, settled_at, matures_at,
           matured_at, allocated_fen
    FROM orders_lot WHERE merchant_id = %s AND id = ANY (%s) ORDER BY id FOR NO KEY UPDATE
"""


@dataclass
class Work:
    """Steps of one merchant's orders, gathered and then written together.

    Args:
        verb: what happened, as events, ledger and history call it: "settled" becomes "orders.settled".
        beside: batches of the same steps that are written already; they are posted and sealed together with this one.
        bought: orders of buyers in those batches that have less open now.
    """

    by: Actor
    merchant_id: int
    verb: str
    at: datetime
    id: UUID = field(default_factory=ids.new)
    orders: dict[str, OrderRow] = field(default_factory=dict)
    lots: dict[str, LotRow] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    beside: list[Written] = field(default_factory=list)
    bought: list[str] = field(default_factory=list)
    _open_fen: dict[str, int] = field(default_factory=dict)
    _events: list[_Event] = field(default_factory=list)
    _moved: set[str] = field(default_factory=set)
    _lots_moved: set[str] = field(default_factory=set)

    def hold(self, order_ids: Sequence[str], lent_to: Iterable[int] = ()) -> None:
        """Lock and read orders with their lots: those named, and those that stand on a loan of the given stores."""
        self.orders = {
            row.id: row for row in db.rows(_ORDERS, [self.merchant_id, list(order_ids), list(lent_to)], into=OrderRow)
        }
        self._open_fen = {row.id: row.legs.total_fen for row in self.orders.values() if row.buyer}
        self.lots = {row.id: row for row in db.rows(_LOTS, [self.merchant_id, list(order_ids)], into=LotRow)}

    def post(self, lines: Iterable[Line]) -> None:
        """Move money or quota with this batch."""
        self.lines.extend(lines)

    def step(
        self,
        order: OrderRow,
        at: datetime,
        *,
        verb: str = "",
        ref: str = "",
        fen: int = 0,
        fee_fen: int = 0,
        deficit_fen: int = 0,
        recalled_fen: int = 0,
        legs: Legs | None = None,
        note: str = "",
    ) -> None:
        """Record that an order took a step, and that its row and lot are to be written."""
        own, pool, temp, tolerance = legs or Legs()
        self._events.append(
            _Event(
                order.id,
                verb or self.verb,
                ref,
                at,
                fen,
                fee_fen,
                deficit_fen,
                recalled_fen,
                own,
                pool,
                temp,
                tolerance,
                note,
            )
        )
        self._moved.add(order.id)
        if order.id in self.lots:
            self._lots_moved.add(order.id)

    def write(self) -> None:
        """Write all of it: orders, lots, events sealed by the history, and the ledger's transfer under the same id."""
        batches = [*self.beside, self._write_rows()] if self._events else self.beside
        if self.bought:  # before the accounts: lines come first in the order of locks
            db.call("orders_free_lines_v1", [self.merchant_id] * len(self.bought), self.bought)
        verb = f"orders.{self.verb}"
        ledger.post_all(Transfer(self.merchant_id, batch.id, verb, self.at, batch.lines) for batch in batches)
        for batch in batches:
            history.record(
                f"orders.{self.verb}",
                by=self.by,
                merchant_id=self.merchant_id,
                subject=f"batch/{batch.id}",
                rows_digest=batch.digest,
                rows=batch.rows,
            )

    def _write_rows(self) -> Written:
        moved = [self.orders[order_id] for order_id in sorted(self._moved)]
        self.bought += [id for id, fen in self._open_fen.items() if self.orders[id].legs.total_fen < fen]
        db.call(
            "orders_write_orders_v1",
            self.merchant_id,
            *_columns((o.id, o.state, o.state_before_dispute, *o.legs, o.refunded_fen) for o in moved),
        )
        if self._lots_moved:
            lots = [_lot_columns(self.lots[order_id]) for order_id in sorted(self._lots_moved)]
            db.call("orders_write_lots_v1", self.merchant_id, *_columns(lots))
        events = _columns(_event_columns(event) for event in self._events)
        digest = db.call("orders_write_events_v1", self.id, self.merchant_id, *events)[0].digest
        return Written(self.id, digest, len(self._events), self.lines)


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
