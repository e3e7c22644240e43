"""A merchant's past lived through again, by a double of the merchant that exists within one transaction alone.

The double has the merchant's stores and pools under their own numbers, and a merchant number that nobody has. The
transaction's word names the double, so the database itself lets the run neither see nor move a row of anybody else
(docs/decisions/0034-merchants-kept-apart.md), and it is taken back at its end.
"""

import heapq
import json
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import DatabaseError, transaction

from houfu.insight.measure import Measure
from houfu.insight.past import Decided, Fact, Freed, Moved, Past
from houfu.kernel import clock, db, ids
from houfu.kernel.errors import Refused
from houfu.ledger import actions as ledger
from houfu.ledger.actions import Account, Line
from houfu.limits import actions as limit_actions
from houfu.limits import queries as limit_queries
from houfu.limits import rules as limits
from houfu.limits.rules import Legs
from houfu.orders import actions as orders
from houfu.people.actor import Actor
from houfu.policies import queries as policies

BATCH = 500
OPERATOR = Account("q:grant:operator", 0)
_LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_STATES = {"frozen": "frozen", "unfrozen": "active", "closed": "closed", "winding_down": "winding_down"}
Progress = Callable[[int, int], None]


def double() -> Actor:
    """Return who acts for a double: of a merchant whose number no real one can have, for theirs are above zero."""
    scopes = frozenset({"orders:write", "orders:read", "limits:read", "limits:write"})
    return Actor("system/what_if", "", -2 - secrets.randbits(62), scopes)


@dataclass
class Open:
    """An order that holds limit."""

    store_id: int
    pool_id: int | None
    legs: Legs


@dataclass
class Replay:
    """The run: what is open, what was decided, and what could not be done again.

    Args:
        changes_fen: by how much stores' own limits differ, by store, from the measure's beginning on. A lower limit
            comes into force as far and as soon as it is free.
    """

    by: Actor
    past: Past
    measure: Measure
    changes_fen: Mapping[int, int]
    decisions: dict[str, orders.Decision] = field(default_factory=dict)
    not_done: Counter[str] = field(default_factory=Counter)
    left_alone: int = 0
    _open: dict[str, Open] = field(default_factory=dict)
    _pool_of: dict[int, int] = field(default_factory=dict)
    _member_of: dict[int, int] = field(default_factory=dict)
    _used: set[int] = field(default_factory=set)
    _lent: set[int] = field(default_factory=set)
    _recovering: set[int] = field(default_factory=set)
    _taking: dict[int, int] = field(default_factory=dict)
    _lines: list[Line] = field(default_factory=list)
    _waiting: list[Decided] = field(default_factory=list)
    _supposed_ends: list[tuple[datetime, str]] = field(default_factory=list)
    _changed: bool = False

    def __post_init__(self) -> None:
        assert self.by.merchant_id is not None
        self._merchant_id = self.by.merchant_id

    def run(self, hands: clock.SteppedClock, progress: Progress) -> None:
        """Live through all of it.

        Args:
            hands: the clock that everybody reads; it is set to when each thing was recorded.
            progress: told how many things are done, and of how many.
        """
        self._make_double()
        for place, item in enumerate(self.past.items):
            if isinstance(item.what, list) and isinstance(item.what[0], Decided):
                for each in item.what:
                    self._ask(each, hands)
                hands.at = max(hands.at, item.at)
            else:
                self._decide(hands)
                hands.at = item.at
                self._happen(item.what)
            if place % 1000 == 0:
                progress(place, len(self.past.items))
        self._decide(hands)
        self._flush()
        self.measure.end()
        progress(len(self.past.items), len(self.past.items))

    # Decisions -------------------------------------------------------------------------------------------------------

    def _ask(self, order: Decided, hands: clock.SteppedClock) -> None:
        """Let an order wait for its batch, after what must come before it."""
        if self.measure.ends is not None and order.at >= self.measure.ends:
            self._decide(hands)
            self.measure.pass_to(order.at)
            return
        if order.others_say_no:
            self.left_alone += 1
            return
        begins = not self._changed and (self.measure.begins is None or order.at >= self.measure.begins)
        ended = bool(self._supposed_ends) and self._supposed_ends[0][0] <= order.at
        if begins or ended or len(self._waiting) == BATCH:
            self._decide(hands)
        if begins:
            self._change_limits()
        if ended:
            self._end_supposed(order.at)
        self._waiting.append(order)

    def _decide(self, hands: clock.SteppedClock) -> None:
        """Ask the product's own function about the orders that wait, one after another in one call."""
        if not self._waiting:
            return
        self._flush()
        asked, self._waiting = self._waiting, []
        latest = max(order.at for order in asked)
        hands.at = max(hands.at, latest)
        answers = orders.authorise(
            by=self.by,
            orders=[
                orders.NewOrder(self._merchant_id, order.id, order.store_id, order.amount_fen, order.at)
                for order in asked
            ],
        )
        for order, answer in zip(asked, answers, strict=True):
            legs = Legs(answer.own_fen, answer.pool_fen, answer.temp_fen, answer.tolerance_fen)
            self.decisions[order.id] = answer
            self.measure.decide(order.store_id, order.at, order.amount_fen, answer.reasons, legs)
            if not answer.reasons:
                self._open[order.id] = Open(order.store_id, self._pool_of.get(order.store_id), legs)
                if order.reasons:
                    heapq.heappush(self._supposed_ends, (order.at + self._holds_for(order), order.id))

    def _holds_for(self, order: Decided) -> timedelta:
        """Return how long an order is supposed to hold limit that in truth was declined: as its store's did."""
        lasted = self.past.held_for
        days = policies.at(order.at).orders.payment_due_days
        return lasted.get(order.store_id, lasted.get(0, timedelta(days=days)))

    def _end_supposed(self, at: datetime) -> None:
        """End the orders whose supposed time is over."""
        while self._supposed_ends and self._supposed_ends[0][0] <= at:
            ends, order_id = heapq.heappop(self._supposed_ends)
            if order_id in self._open:
                self._free(order_id, ends, self._open[order_id].legs)
        self._flush()

    # What happened ---------------------------------------------------------------------------------------------------

    def _happen(self, what: Sequence[Decided] | Sequence[Freed] | Fact | Moved) -> None:
        if isinstance(what, Moved):
            self._flush()
            self._if_possible(what.verb, partial(self._post, *what.lines))
        elif isinstance(what, Fact):
            self._flush()
            do = getattr(self, f"_{what.verb.replace('.', '_')}", None)
            if do is not None:
                self._if_possible(what.verb, partial(do, what.id, what.detail))
            elif what.verb.startswith(("store.", "pool.")) and what.verb.partition(".")[2] in _STATES:
                self._if_possible(what.verb, partial(self._move, what))
        else:
            self._take([step for step in what if isinstance(step, Freed)])
        self._take_limits_down()

    def _take(self, steps: Sequence[Freed]) -> None:
        """Let orders give limit back, with what follows from it: loans repaid, reduced limits earned back (L1, L2)."""
        brought: dict[int, int] = defaultdict(int)
        completed: Counter[int] = Counter()
        for step in steps:
            order = self._open.get(step.order_id)
            if order is None:
                continue
            if step.verb == "written_off":
                self._lose(step, order)
            elif step.verb == "refunded":
                self._free(step.order_id, step.at, limits.last_first(order.legs, step.fen))
            else:
                self._free(step.order_id, step.at, order.legs)
            if step.verb == "settled":
                completed[order.store_id] += 1
                brought[order.store_id] += step.fen
        for store_id in sorted(self._lent & brought.keys()):
            self._flush()
            self._repay(store_id, brought[store_id])
        if self._recovering & completed.keys():
            self._flush()
            limit_actions.restore(by=self.by, merchant_id=self._merchant_id, completed=completed)

    def _free(self, order_id: str, at: datetime, legs: Legs) -> None:
        order = self._open[order_id]
        self._lines += limits.release(legs, "held", order.store_id, order.pool_id)
        self._close(order_id, order, at, legs)

    def _lose(self, step: Freed, order: Open) -> None:
        self._lines += limits.receive(order.legs, order.store_id)
        self._lines += limits.lose(order.legs, order.store_id, order.pool_id)
        self._close(step.order_id, order, step.at, order.legs)
        self._recover(order.store_id)

    def _close(self, order_id: str, order: Open, at: datetime, legs: Legs) -> None:
        self.measure.close(order.store_id, at, legs)
        order.legs = order.legs.less(legs)
        if not order.legs.total_fen:
            del self._open[order_id]

    def _repay(self, store_id: int, settled_fen: int) -> None:
        """Let settled orders repay their store's loan; own limit takes over what open orders have drawn of it (L1)."""
        lent = [order for _, order in sorted(self._open.items()) if order.store_id == store_id and order.legs.temp_fen]
        repaid = limit_actions.repay_loan(
            by=self.by,
            merchant_id=self._merchant_id,
            store_id=store_id,
            settled_fen=settled_fen,
            lent_fen=sum(order.legs.temp_fen for order in lent),
        )
        rest_fen = repaid.taken_over_fen
        for order in lent:
            part_fen = min(rest_fen, order.legs.temp_fen)
            if part_fen:
                self._lines += limits.take_over("held", store_id, part_fen)
                legs = order.legs
                order.legs = legs._replace(own_fen=legs.own_fen + part_fen, temp_fen=legs.temp_fen - part_fen)
                rest_fen -= part_fen
        if limit_queries.open_loan(self._merchant_id, store_id) is None:
            self._lent.discard(store_id)

    # Facts, each called as its verb ----------------------------------------------------------------------------------

    def _limit_granted(self, store_id: int, detail: dict[str, Any]) -> None:
        self._post(Line(Account("q:own:free", store_id), OPERATOR, detail["amount_fen"]))

    def _limit_reduced(self, store_id: int, detail: dict[str, Any]) -> None:
        self._post(Line(Account("q:reduced", store_id), Account("q:own:free", store_id), detail["amount_fen"]))
        self._recover(store_id)

    def _limit_tolerance_noted(self, store_id: int, detail: dict[str, Any]) -> None:
        now = clock.now()
        until = now + timedelta(hours=policies.at(now).orders.tolerance_note_hours)
        db.rows(
            "INSERT INTO limits_note (merchant_id, store_id, person, note, valid_from, valid_until)"
            " VALUES (%s, %s, '', %s, %s, %s)",
            [self._merchant_id, store_id, detail["note"], now, until],
        )

    def _pool_opened(self, pool_id: int, detail: dict[str, Any]) -> None:
        self._set("limits_pool", pool_id, share=detail["share"])

    def _pool_joined(self, pool_id: int, detail: dict[str, Any]) -> None:
        store_id, fen = detail["store_id"], detail["contribution_fen"]
        there = [json.loads(row) for row in self.past.rows["limits_member"]]
        row = next(
            (r for r in there if (r["store_id"], r["pool_id"]) == (store_id, pool_id) and r["id"] not in self._used),
            None,
        )
        if row is None:
            raise Refused(said="the membership is not there any more")
        self._used.add(row["id"])
        began = {"state": detail["state"], "contributed_fen": 0, "extra_fen": 0, "extra_until": None, "left_at": None}
        self._insert("limits_member", [json.dumps({**row, **began})])
        self._pool_of[store_id], self._member_of[store_id] = pool_id, row["id"]
        if fen:
            self._fill(pool_id, Account("q:own:free", store_id), fen)

    def _pool_activated(self, pool_id: int, detail: dict[str, Any]) -> None:
        for state in ("awaiting_signature", "active"):
            self._set("limits_pool", pool_id, state=state)
        for store_id, member_id in self._member_of.items():
            if self._pool_of.get(store_id) == pool_id:
                for state in ("verified", "active"):
                    self._set("limits_member", member_id, state=state)

    def _pool_left(self, pool_id: int, detail: dict[str, Any]) -> None:
        self._set("limits_member", self._member_of[detail["store_id"]], state="removed", left_at=clock.now())
        fen = detail["returned_fen"]
        db.rows(
            "UPDATE limits_pool SET limit_fen = limit_fen - %s WHERE merchant_id = %s AND id = %s",
            [fen, self._merchant_id, pool_id],
        )
        if fen:
            self._post(Line(Account("q:own:free", detail["store_id"]), Account("q:pool:free", pool_id), fen))

    def _pool_member_suspended(self, pool_id: int, detail: dict[str, Any]) -> None:
        self._set("limits_member", self._member_of[detail["store_id"]], state="suspended")

    def _pool_member_resumed(self, pool_id: int, detail: dict[str, Any]) -> None:
        member_id = self._member_of[detail["store_id"]]
        row = next(row for row in map(json.loads, self.past.rows["limits_member"]) if row["id"] == member_id)
        ends = row["probation_until"]
        waits = ends is not None and clock.now() < datetime.fromisoformat(ends)
        self._set("limits_member", member_id, state="probation" if waits else "active")

    def _pool_probation_passed(self, pool_id: int, detail: dict[str, Any]) -> None:
        self._set("limits_member", self._member_of[detail["store_id"]], state="active")

    def _limit_change_effective(self, change_id: int, detail: dict[str, Any]) -> None:
        change = next(row for row in map(json.loads, self.past.rows["limits_change"]) if row["id"] == change_id)
        if change["kind"] == "share":
            self._set("limits_pool", change["pool_id"], share=change["share"])
        elif change["kind"] == "reach":
            reach = {"extra_fen": change["amount_fen"], "extra_until": change["ends_at"]}
            self._set("limits_member", self._member_of[change["store_id"]], **reach)

    def _pool_closed(self, pool_id: int, detail: dict[str, Any]) -> None:
        """Give back what a pool held; its state is left, for nothing is drawn from one that winds down."""
        homes = {Account("q:own:free", int(store_id)): fen for store_id, fen in detail["members"].items()}
        homes[OPERATOR] = detail["granted_fen"]
        self._post(*(Line(home, Account("q:pool:free", pool_id), fen) for home, fen in homes.items() if fen))

    def _store_sharing_on(self, store_id: int, detail: dict[str, Any]) -> None:
        self._set("merchants_store", store_id, sharing=True)

    def _store_sharing_off(self, store_id: int, detail: dict[str, Any]) -> None:
        self._set("merchants_store", store_id, sharing=False)

    def _set(self, table: str, id: int, **values: Any) -> None:
        columns = ", ".join(f"{name} = %s" for name in values)
        db.rows(
            f"UPDATE {table} SET {columns} WHERE merchant_id = %s AND id = %s",  # noqa: S608  our own words
            [*values.values(), self._merchant_id, id],
        )

    def _pool_granted(self, pool_id: int, detail: dict[str, Any]) -> None:
        self._fill(pool_id, OPERATOR, detail["amount_fen"])

    def _loan_opened(self, loan_id: int, detail: dict[str, Any]) -> None:
        store_id, fen, now = detail["store_id"], detail["amount_fen"], clock.now()
        policy = policies.at(now).loans
        facts = limits.LoanFacts(fen, store_id in self._lent, False, "active")
        if reasons := limits.loan_refusals(facts, policy.amount_fen):
            raise limit_actions.LoanRefused(*reasons)
        db.rows(
            "INSERT INTO limits_loan (merchant_id, store_id, amount_fen, state, opened_at, due_at)"
            " VALUES (%s, %s, %s, 'open', %s, %s)",
            [self._merchant_id, store_id, fen, now, now + timedelta(days=policy.days)],
        )
        self._post(Line(Account("q:temp:free", store_id), Account("q:grant:temp", store_id), fen))
        self._lent.add(store_id)

    def _move(self, fact: Fact) -> None:
        """Freeze, unfreeze or close a store or a pool."""
        noun, _, done = fact.verb.partition(".")
        state = _STATES[done]
        said = ", frozen_for = %s" if noun == "store" else ""
        table = "merchants_store" if noun == "store" else "limits_pool"
        db.rows(
            f"UPDATE {table} SET state = %s{said} WHERE merchant_id = %s AND id = %s",  # noqa: S608
            [state, *([fact.verb if state == "frozen" else None] if said else []), self._merchant_id, fact.id],
        )

    def _fill(self, pool_id: int, source: Account, fen: int) -> None:
        """Move quota into a pool while the policy's cap allows (G4)."""
        cap_fen = policies.at(clock.now()).pools.limit_fen
        filled = db.rows(
            "UPDATE limits_pool SET limit_fen = limit_fen + %s WHERE merchant_id = %s AND id = %s"
            " AND limit_fen + %s <= %s RETURNING id",
            [fen, self._merchant_id, pool_id, fen, cap_fen],
        )
        if not filled:
            raise limit_actions.PoolCapReached(cap_fen=cap_fen, amount_fen=fen)
        self._post(Line(Account("q:pool:free", pool_id), source, fen))

    def _recover(self, store_id: int) -> None:
        limit_actions.begin_recovery(self._merchant_id, store_id)
        self._recovering.add(store_id)

    # Limits that are changed for the trial ---------------------------------------------------------------------------

    def _change_limits(self) -> None:
        self._changed = True
        for store_id, fen in self.changes_fen.items():
            if fen > 0:
                self._post(Line(Account("q:own:free", store_id), OPERATOR, fen))
            elif fen < 0:
                self._taking[store_id] = -fen
        self._take_limits_down()

    def _take_limits_down(self) -> None:
        """Take what is still to be taken of stores' limits, as far as it is free now."""
        if not self._taking:
            return
        self._flush()
        accounts = {store_id: Account("q:own:free", store_id) for store_id in self._taking}
        free = ledger.lock(self._merchant_id, accounts.values())
        for store_id, account in accounts.items():
            part_fen = min(free[account], self._taking[store_id])
            if part_fen:
                self._post(Line(OPERATOR, account, part_fen))
                self._taking[store_id] -= part_fen
        self._taking = {store_id: fen for store_id, fen in self._taking.items() if fen}

    # The double ------------------------------------------------------------------------------------------------------

    def _make_double(self) -> None:
        """Write the merchant's things as the double's: stores and pools as they began, open to draws."""
        for table, rows in self.past.rows.items():
            if table == "limits_member":
                continue
            read = [json.loads(row) for row in rows]
            if table == "merchants_merchant":
                read = [{**row, "uscc": _no_code()} for row in read]
            elif table == "merchants_store":
                read = [{**row, "state": "active", "frozen_for": None, "sharing": False} for row in read]
            elif table == "limits_pool":
                read = [_as_it_began(row) for row in read]
            self._if_possible(table, partial(self._insert, table, [json.dumps(row) for row in read]))

    def _insert(self, table: str, rows: Sequence[str]) -> None:
        """Write rows as the double's, under their own numbers."""
        read = [{**json.loads(row), "merchant_id": self._merchant_id} for row in rows]
        if not read:
            return
        columns = ", ".join(f'"{name}"' for name in read[0])
        db.rows(
            f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE"  # noqa: S608  names come from the catalogue
            f" SELECT {columns} FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb)",
            [json.dumps(read)],
        )

    def _if_possible(self, what: str, do: Callable[[], None]) -> None:
        """Do something again; where that cannot be under what is supposed, count it and go on."""
        try:
            with transaction.atomic():
                do()
        except (Refused, DatabaseError) as error:
            refusal = error if isinstance(error, Refused) else db.translated(error)
            if not isinstance(refusal, Refused) and not what.startswith("limits_"):
                raise
            self.not_done[what] += 1

    def _post(self, *lines: Line) -> None:
        ledger.post(self._merchant_id, ids.new(), "insight.replayed", clock.now(), lines)

    def _flush(self) -> None:
        if self._lines:
            self._post(*self._lines)
            self._lines = []


def _as_it_began(pool: dict[str, Any]) -> dict[str, Any]:
    """Return a pool's row as it was before anything was put in and anybody had signed."""
    return {**pool, "state": "draft", "limit_fen": 0, "granted_fen": 0, "closed_at": None, "frozen_by_platform": False}


def _no_code() -> str:
    """Return a social credit code that is well formed and no registry's: none begins with YY."""
    body = "YY" + "".join(secrets.choice(_LETTERS) for _ in range(15))
    total = sum(_LETTERS.index(char) * pow(3, place, 31) for place, char in enumerate(body))
    return body + _LETTERS[(31 - total % 31) % 31]


def differences(past: Past, decisions: Mapping[str, orders.Decision]) -> list[dict[str, Any]]:
    """Return the orders whose decision came out otherwise than it is recorded, each as it was and as it is now."""
    found = []
    for order in past.orders:
        now = decisions.get(order.id)
        if now is None:
            continue
        legs = Legs(now.own_fen, now.pool_fen, now.temp_fen, now.tolerance_fen)
        if (order.reasons, order.legs) != (now.reasons, legs):
            found.append(
                {
                    "order_id": order.id,
                    "then": {"reasons": list(order.reasons), "legs_fen": list(order.legs)},
                    "now": {"reasons": list(now.reasons), "legs_fen": list(legs)},
                }
            )
    return found
