"""What has happened to a merchant's limits and orders, in its true order: that of the merchant's history."""

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate, groupby
from statistics import median
from typing import Any, NamedTuple

from houfu.history import queries as history
from houfu.kernel import db
from houfu.ledger import queries as ledger
from houfu.ledger.actions import Account, Line
from houfu.limits.rules import Legs
from houfu.merchants import queries as merchants
from houfu.orders import queries as orders

# Why limits decline an order; what else stands against one was another room's to say, and is left as it was said.
LIMITS_SAY = frozenset(
    {"store_frozen", "store_closed", "loan_overdue", "limit_exceeded", "tolerance_note_missing"}
)  # fmt: skip
ENDS = frozenset({"settled", "cancelled", "expired", "written_off"})
# Quota that moves as orders move, or that a fact below tells of.
_TOLD_OTHERWISE = (
    "orders.", "limits.grant", "limits.reduce", "limits.fill_pool", "limits.lend", "limits.repay", "limits.restore",
    "limits.leave_pool", "limits.empty_pool",
)  # fmt: skip
FACTS = ("limit.", "limit_change.", "pool.", "loan.", "store.")


class Decided(NamedTuple):
    """An order as it was asked for, and the answer that was given."""

    id: str
    store_id: int
    amount_fen: int
    at: datetime
    legs: Legs
    pool_id: int | None
    reasons: tuple[str, ...]

    @property
    def others_say_no(self) -> bool:
        """Whether it was declined for a reason that is not limits'."""
        return not LIMITS_SAY.issuperset(self.reasons)


class Freed(NamedTuple):
    """A step by which an order gave limit back, or part of it."""

    order_id: str
    verb: str
    at: datetime
    fen: int


class Fact(NamedTuple):
    """What people decided about limits, or who may draw: a link of the history."""

    verb: str
    id: int
    detail: dict[str, Any]


class Moved(NamedTuple):
    """Quota that was moved by something that no fact tells of."""

    verb: str
    lines: list[Line]


class Item(NamedTuple):
    """What was done at once, and when the product recorded it."""

    at: datetime
    what: list[Decided] | list[Freed] | Fact | Moved


@dataclass(frozen=True)
class Past:
    """A merchant's past, and the things it was about."""

    merchant_id: int
    items: list[Item]
    rows: dict[str, list[str]]
    held_for: dict[int, timedelta] = field(default_factory=dict)

    @property
    def orders(self) -> Iterable[Decided]:
        return (
            each
            for item in self.items
            if isinstance(item.what, list)
            for each in item.what
            if isinstance(each, Decided)
        )


# What draws look at, in an order in which rows find what they point at. Members, loans and notes come with their facts.
_THINGS = ("merchants_merchant", "merchants_channel_account", "merchants_group", "merchants_store", "limits_pool")
_WITH_FACTS = ("limits_member", "limits_loan", "limits_note", "limits_recovery", "limits_emergency")


def read(merchant_id: int) -> Past:
    """Read a merchant's past, all of it as of one moment."""
    with db.reading():
        told = history.told(merchant_id, ["orders.", *FACTS])
        batches = _batches(orders.decided(merchant_id), _decided), _batches(orders.freed(merchant_id), _freed)
        moved = ledger.quota_moves(merchant_id, but=_TOLD_OTHERWISE)
        rows = {table: _rows(table, merchant_id) for table in (*_THINGS, *_others(), "limits_member")}
    items: list[Item] = []
    for link in told:
        if link.verb.startswith("orders."):
            found = batches[link.verb != "orders.authorised"].get(link.subject.removeprefix("batch/"))
            if found:
                items.append(Item(link.at, found))
        else:
            items.append(Item(link.at, Fact(link.verb, _number(link.subject), json.loads(link.detail))))
    past = Past(merchant_id, _with(items, moved), rows)
    past.held_for.update(_held_for(past))
    return past


def _number(subject: str) -> int:
    number = subject.rpartition("/")[2]
    return int(number) if number.isdecimal() else 0


def _batches(rows: Iterable[Any], into: Any) -> dict[str, list[Any]]:
    return {str(batch): [into(row) for row in of] for batch, of in groupby(rows, key=lambda row: row.batch)}


def _decided(row: Any) -> Decided:
    legs = Legs(row.own_fen, row.pool_fen, row.temp_fen, row.tolerance_fen)
    return Decided(row.id, row.store_id, row.amount_fen, row.authorised_at, legs, row.pool_id, tuple(row.reasons or ()))


def _freed(row: Any) -> Freed:
    return Freed(row.order_id, row.verb, row.at, row.fen)


def _with(items: list[Item], moved: list[Any]) -> list[Item]:
    """Put what the history does not tell of in its place: before what was recorded from its instant on."""
    times = list(accumulate((item.at for item in items), max))
    places: dict[int, list[Item]] = defaultdict(list)
    for _, lines in groupby(moved, key=lambda row: row.id):
        rows = list(lines)
        line = [Line(Account(r.debit, r.debit_owner), Account(r.credit, r.credit_owner), r.amount_fen) for r in rows]
        places[bisect_left(times, rows[0].at)].append(Item(rows[0].at, Moved(rows[0].verb, line)))
    merged: list[Item] = []
    for place, item in enumerate(items):
        merged += places.get(place, ())
        merged.append(item)
    return merged + places.get(len(items), [])


def _rows(table: str, merchant_id: int) -> list[str]:
    """Return a table's rows as JSON."""
    found = db.rows(
        f"SELECT to_jsonb(t)::text AS row FROM {table} t WHERE merchant_id = %s",  # noqa: S608  from the catalogue
        [merchant_id],
    )
    return [row.row for row in found]


def _others() -> list[str]:
    """Return the other tables of limits whose rows a draw may look at: those that this role may write."""
    found = db.rows(
        "SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'"
        " AND starts_with(c.relname, 'limits_') AND c.relname <> ALL (%s) AND has_table_privilege(c.oid, 'INSERT')"
        " AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'merchant_id')"
        " ORDER BY c.oid",
        [[*_THINGS, *_WITH_FACTS]],
    )
    return [row.name for row in found]


def _held_for(past: Past) -> dict[int, timedelta]:
    """Return how long orders of each store held limit, in the median, where five are known; 0 stands for all stores."""
    placed = {order.id: order for order in past.orders}
    lasted: dict[int, list[float]] = defaultdict(list)
    for item in past.items:
        for step in item.what if isinstance(item.what, list) else ():
            if isinstance(step, Freed) and step.verb in ENDS and (order := placed.pop(step.order_id, None)):
                for store_id in (order.store_id, 0):
                    lasted[store_id].append((step.at - order.at).total_seconds())
    return {
        store_id: timedelta(seconds=round(median(each)))
        for store_id, each in lasted.items()
        if store_id == 0 or len(each) >= 5
    }


def store_codes(merchant_id: int) -> dict[int, str]:
    """Return the merchant's own codes of its stores by id."""
    return {id: code for code, id in merchants.stores_by_code(merchant_id).items()}
