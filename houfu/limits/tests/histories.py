"""Histories of quota: what may happen to a pool and its stores, and a model of what that does to every balance.

A history is one pool with two stores. Thousands of them live at one merchant and take a step at the same time, so that
a step is a few set-based calls for all of them; after it every balance is compared with the model's. To add what can
happen, write a `Rule` and put it into RULES: what somebody might ask for, what the model says to it, and how it is done
for many histories at once. `lives` has the rest of them: pools' members and ends, what is signed for, buyers.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from random import Random
from typing import Any

from houfu.kernel.clock import SHANGHAI

GATE = 50_000_000  # G10, in fen
HELD = ("authorised", "shipped")
BILLED = ("received", "overdue")
SOURCES = ("own", "pool", "temp", "tolerance")
LARGEST = 300_000_000  # G4
NEW = "order"  # what the id of an order begins with


class Books:
    """Every balance of quota, by kind and owner; it only ever moves from one to another."""

    def __init__(self) -> None:
        self.fen: dict[tuple[str, int], int] = defaultdict(int)
        self.converted: list[datetime] = []

    def move(self, fen: int, source: tuple[str, int], target: tuple[str, int]) -> None:
        self.fen[source] -= fen
        self.fen[target] += fen


OPERATOR = ("q:grant:operator", 0)


@dataclass
class Order:
    id: str
    store: int
    amount: int
    legs: list[int]
    state: str = "authorised"
    refunded: int = 0
    bought: bool = False

    @property
    def phase(self) -> str:
        return "held" if self.state in HELD else "drawn"


@dataclass
class Member:
    state: str = "active"
    contributed: int = 0
    probation_until: datetime | None = None
    extra: int = 0
    extra_until: datetime | None = None


@dataclass
class Conversion:
    giving: int
    taking: int
    fen: int
    given: int
    held_until: datetime
    lapses_at: datetime
    state: str = "asked"
    decided_at: datetime | None = None
    returned: int = 0
    haircut_back: int = 0


@dataclass
class History:
    """One pool, the stores of its group and one on another platform, as the model has them; amounts are in the books.

    Args:
        line: what the histories' own buyer may owe (O5), if there is one; `over` is what was owed beyond it when it
            was lowered.
    """

    books: Books
    pool: int
    stores: list[int]
    share: int
    limit: int
    granted: int = 0
    abroad: int = 0
    state: str = "active"
    members: dict[int, Member] = field(default_factory=dict)
    conversions: dict[int, Conversion] = field(default_factory=dict)
    latest: int = 0
    emergencies: dict[int, tuple[int, datetime, bool]] = field(default_factory=dict)
    buyer: str = ""
    line: int = 0
    over: int = 0
    filed: bool = False
    dynamic: tuple[int, int] | None = None
    adjustments: dict[int, tuple[int, datetime, datetime]] = field(default_factory=dict)
    ended: list[int] = field(default_factory=list)
    bands: tuple[int, list[tuple[time, time, int]]] | None = None
    loans: dict[int, tuple[int, datetime]] = field(default_factory=dict)
    noted: dict[int, datetime] = field(default_factory=dict)
    recovery: dict[int, tuple[int, int]] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)

    def fen(self, kind: str, owner: int) -> int:
        return self.books.fen[(f"q:{kind}", owner)]

    def own(self, store: int) -> int:
        return sum(self.fen(f"own:{phase}", store) for phase in ("free", "held", "drawn"))

    @property
    def owed(self) -> int:
        """Return what is open of orders that hold the buyer's line."""
        return sum(sum(order.legs) for order in self.orders.values() if order.bought)

    @property
    def free(self) -> int:
        return self.fen("pool:free", self.pool)

    def cap(self, now: datetime) -> int:
        """Return what may be used of the pool now (L4, L5, G10)."""
        least = [self.limit]
        if not self.filed:
            least.append(GATE)
        if self.dynamic:
            base, floating = self.dynamic
            active = sum(fen for fen, start, end in self.adjustments.values() if start <= now < end)
            least.append(max(0, base + min(floating, active)))
        if self.bands:
            at = now.astimezone(SHANGHAI).time()
            for opens, closes, fen in self.bands[1]:
                if opens <= at < closes if opens < closes else (at >= opens or at < closes):
                    least.append(fen)
        return min(least)

    def room(self, store: int, now: datetime) -> int:
        member = self.members.get(store)
        if self.state != "active" or member is None or member.state == "suspended":
            return 0
        used = self.fen("pool:held", store) + self.fen("pool:drawn", store)
        share = 1 if member.state == "probation" else self.share
        reach = share * self.own(store) - used
        if member.extra_until and now < member.extra_until:
            reach += member.extra
        return max(0, min(self.free, self.cap(now) - (self.limit - self.free), reach))

    def band(self, store: int, now: datetime) -> int:
        """Return what is left of the tolerance above what a store could carry now (O6)."""
        used = self.fen("pool:held", store) + self.fen("pool:drawn", store)
        lent = sum(self.fen(f"temp:{phase}", store) for phase in ("free", "held", "drawn"))
        whole = self.own(store) + used + self.room(store, now) + lent
        return whole * 200 // 1000 - self.fen("tolerance:held", store) - self.fen("tolerance:drawn", store)

    def home(self, source: str, store: int) -> tuple[str, int]:
        if source == "tolerance":
            return ("q:grant:tolerance", store)
        return ("q:pool:free", self.pool) if source == "pool" else (f"q:{source}:free", store)

    def release(self, order: Order, legs: Sequence[int]) -> None:
        for source, fen in zip(SOURCES, legs, strict=True):
            self.books.move(fen, (f"q:{source}:{order.phase}", order.store), self.home(source, order.store))
        order.legs = [mine - freed for mine, freed in zip(order.legs, legs, strict=True)]

    def some(self, dice: Random, states: Iterable[str]) -> str:
        """Return an order: mostly one in such a state, else any; "none" where there is no order at all."""
        if dice.random() < 0.75:
            fit = [order.id for order in self.orders.values() if order.state in states]
            if fit:
                return dice.choice(fit)
        return dice.choice([*self.orders]) if self.orders else "none"


@dataclass(frozen=True)
class Rule:
    """Something that may happen.

    Args:
        weight: how often, beside the others.
        wish: what somebody asks for.
        model: does it to the model, and says what it answers: "" where it is done, else a code.
        perform: does many wishes at once to the product, and says what it answered to each.
        ready: whether it can be done at all; where it cannot, it is mostly left alone, always where `strict`.
    """

    name: str
    weight: float
    wish: Callable[[Random, History, datetime], Any]
    model: Callable[[History, Any, datetime], str]
    perform: Callable[[Any, list[tuple[History, Any]]], list[str]]
    ready: Callable[[History], bool] = lambda h: True
    strict: bool = False


# Orders ---------------------------------------------------------------------------------------------------------------


def wish_place(dice: Random, h: History, now: datetime) -> tuple[int, int, str]:
    """Ask at the edges of what fits, and between; half of the orders of a history with a buyer are theirs."""
    store = dice.choice([*h.stores * 2, h.abroad])
    own, room, temp = h.fen("own:free", store), h.room(store, now), h.fen("temp:free", store)
    edge = dice.choice((own, own + room, own + room, own + room + temp, own + room + temp + h.band(store, now)))
    around = dice.choice((-1, 0, 0, 1))
    fen = dice.choice((edge + around, edge // 2, edge // 3, edge // 4, dice.randint(1, 5_000_000)))
    buyer = h.buyer if dice.random() < 0.5 else ""
    if buyer and dice.random() < 0.7:
        fen = min(fen, dice.choice((h.line - h.owed, (h.line - h.owed) // 3)) + around)
    return store, max(fen, 1), buyer


def model_place(h: History, wish: tuple[str, int, int, str], now: datetime) -> str:
    id_, store, fen, buyer = wish
    own = min(fen, h.fen("own:free", store))
    pool = min(fen - own, h.room(store, now))
    temp = min(fen - own - pool, h.fen("temp:free", store))
    need = fen - own - pool - temp
    reasons = []
    bought = bool(buyer) and store != h.abroad  # whose platform does not know the buyer
    if bought and fen > h.line - h.owed:
        reasons.append("buyer_line_exceeded")
    if store in h.loans and h.loans[store][1] < now:
        reasons.append("loan_overdue")
    if need and need > h.band(store, now):
        reasons.append("limit_exceeded")
    elif need and not now < h.noted.get(store, now):
        reasons.append("tolerance_note_missing")
    if reasons:
        return ",".join(reasons)
    order = h.orders[id_] = Order(id_, store, fen, [own, pool, temp, need], bought=bought)
    for source, leg in zip(SOURCES, order.legs, strict=True):
        h.books.move(leg, h.home(source, store), (f"q:{source}:held", store))
    return ""


def stepping(*states: str) -> Callable[[Random, History, datetime], str]:
    return lambda dice, h, now: h.some(dice, states)


def moving(source: Iterable[str], target: str, effect: Callable[[History, Order], None]) -> Any:
    """Make the model of a step that takes orders from some states to one."""
    sources = tuple(source)

    def model(h: History, id_: str, now: datetime) -> str:
        order = h.orders.get(id_)
        if order is None or order.state not in sources:
            return "refused"
        effect(h, order)
        order.state = target
        return ""

    return model


def receive(h: History, order: Order) -> None:
    for source, leg in zip(SOURCES, order.legs, strict=True):
        h.books.move(leg, (f"q:{source}:held", order.store), (f"q:{source}:drawn", order.store))


def settle(h: History, order: Order) -> None:
    """Release what it stood on; then repay the store's loan (L1), and restore its reduced limit (L2)."""
    store, brought = order.store, order.amount - order.refunded
    h.release(order, order.legs)
    if store in h.loans:
        outstanding, due_at = h.loans[store]
        due = min(outstanding, brought)
        unused = min(due, h.fen("temp:free", store))
        h.books.move(unused, ("q:temp:free", store), ("q:grant:temp", store))
        lent = sorted((o.id, o) for o in h.orders.values() if o.store == store and o.legs[2])
        over = rest = min(due - unused, sum(o.legs[2] for _, o in lent), h.fen("own:free", store))
        for _, other in lent:
            part = min(rest, other.legs[2])
            h.books.move(part, ("q:own:free", store), (f"q:own:{other.phase}", store))
            h.books.move(part, (f"q:temp:{other.phase}", store), ("q:grant:temp", store))
            other.legs[0], other.legs[2], rest = other.legs[0] + part, other.legs[2] - part, rest - part
        if outstanding == unused + over:
            del h.loans[store]
        else:
            h.loans[store] = (outstanding - unused - over, due_at)
    if store in h.recovery:
        completed, booked = h.recovery[store]
        reduced, earned = h.fen("reduced", store), max(0, (completed + 1) // 10 * 10_000 - booked)
        lots = min(earned, reduced) // 50_000 * 50_000
        h.books.move(lots, ("q:reduced", store), ("q:own:free", store))
        h.recovery[store] = (completed + 1, booked + lots)
        if lots == reduced:
            del h.recovery[store]


def write_off(h: History, order: Order) -> None:
    own, pool, temp, tolerance = order.legs
    h.books.move(own, ("q:own:drawn", order.store), ("q:reduced", order.store))
    h.books.move(pool, ("q:pool:drawn", order.store), ("q:lost:pool", h.pool))
    order.legs = [0, 0, temp, tolerance]
    h.release(order, order.legs)
    h.recovery.setdefault(order.store, (0, 0))


def wish_refund(dice: Random, h: History, now: datetime) -> tuple[str, int]:
    order = h.orders.get(h.some(dice, (*HELD, *BILLED)))
    if order is None:
        return "none", 1
    left = order.amount - order.refunded
    return order.id, max(1, dice.choice((left, left // 2, left // 3, left + 1)))


def model_refund(h: History, wish: tuple[str, int], now: datetime) -> str:
    id_, fen = wish
    order = h.orders.get(id_)
    fits = order is not None and order.state in (*HELD, *BILLED, "settled")
    if order is None or not fits or fen > order.amount - order.refunded:
        return "refused"
    freed, rest = [], fen
    for leg in reversed(order.legs):
        freed.append(min(leg, rest))
        rest -= freed[-1]
    h.release(order, freed[::-1])
    order.refunded += fen
    if order.refunded == order.amount:
        order.state = "refunded"
    return ""


# Limits ---------------------------------------------------------------------------------------------------------------


def wish_store_amount(*edges: Callable[[History, int], int]) -> Callable[[Random, History, datetime], tuple[int, int]]:
    """Ask for an amount at a store: near one of the edges, or any."""

    def wish(dice: Random, h: History, now: datetime) -> tuple[int, int]:
        store = dice.choice(h.stores)
        edge = dice.choice(edges)(h, store) + dice.choice((-1, 0, 1))
        return store, max(1, dice.choice((edge, edge // 2, dice.randint(1, 1_000_000))))

    return wish


def model_grant(h: History, wish: tuple[int, int], now: datetime) -> str:
    h.books.move(wish[1], OPERATOR, ("q:own:free", wish[0]))
    return ""


def model_reduce(h: History, wish: tuple[int, int], now: datetime) -> str:
    store, fen = wish
    if fen > h.fen("own:free", store):
        return "ledger_account_floor"
    h.books.move(fen, ("q:own:free", store), ("q:reduced", store))
    h.recovery.setdefault(store, (0, 0))
    return ""


def model_lend(h: History, wish: tuple[int, int], now: datetime) -> str:
    store, fen = wish
    if fen > 500_000 or store in h.loans:
        return "limits_loan_refused"
    h.loans[store] = (fen, now + timedelta(days=7))
    h.books.move(fen, ("q:grant:temp", store), ("q:temp:free", store))
    return ""


def model_note(h: History, store: int, now: datetime) -> str:
    h.noted[store] = now + timedelta(hours=24)
    return ""


def wish_fill(dice: Random, h: History, now: datetime) -> int:
    return dice.choice((dice.randint(1, 20_000_000), LARGEST - h.limit, LARGEST - h.limit + 1))


def model_fill(h: History, fen: int, now: datetime) -> str:
    if h.state not in ("active", "frozen"):
        return "limits_pool_not_open"
    if h.limit + fen > LARGEST:
        return "limits_pool_cap"
    h.limit += fen
    h.granted += fen
    h.books.move(fen, OPERATOR, ("q:pool:free", h.pool))
    return ""


def model_switch(h: History, opens: bool, now: datetime) -> str:
    if h.state != ("frozen" if opens else "active"):
        return "illegal_move"
    h.state = "active" if opens else "frozen"
    return ""


def model_file(h: History, wish: None, now: datetime) -> str:
    h.filed = True
    return ""


# What moves by itself -------------------------------------------------------------------------------------------------


def wish_dynamic(dice: Random, h: History, now: datetime) -> tuple[int, int]:
    used = h.limit - h.free
    return dice.choice((used, used // 2, h.limit // 2, h.limit, -1)), dice.randint(0, 20_000_000)


def model_dynamic(h: History, wish: tuple[int, int], now: datetime) -> str:
    if wish[0] < 0 or h.state == "closed":
        return "limits_dynamic_refused"
    h.dynamic = wish
    return ""


def model_stop(h: History, wish: None, now: datetime) -> str:
    if h.dynamic is None:
        return "limits_dynamic_refused"
    h.dynamic = None
    return ""


def wish_adjust(dice: Random, h: History, now: datetime) -> tuple[int, datetime, datetime]:
    fen = dice.choice((0, dice.randint(1, 30_000_000), dice.randint(1, 30_000_000), -dice.randint(1, 10_000_000)))
    start = now + timedelta(hours=dice.choice((0, 0, 3, 9)))
    return fen, start, start + timedelta(hours=dice.randint(1, 30))


def model_adjust(h: History, wish: tuple[int, datetime, datetime], now: datetime) -> str:
    """The id under which it is known follows from the product's answer."""
    return "limits_adjustment_refused" if h.dynamic is None or wish[0] == 0 or h.state == "closed" else ""


def wish_withdraw(dice: Random, h: History, now: datetime) -> int:
    return dice.choice([*h.adjustments] * 3 + [*h.ended[-2:], 10**12])


def model_withdraw(h: History, id_: int, now: datetime) -> str:
    if id_ not in h.adjustments:
        return "not_found" if id_ == 10**12 else "illegal_move"
    del h.adjustments[id_]
    h.ended.append(id_)
    return ""


def wish_bands(dice: Random, h: History, now: datetime) -> list[tuple[time, time, int]]:
    hours = sorted(dice.sample(range(24), 4))
    used = h.limit - h.free
    fen = [dice.choice((used, used // 2, h.limit // 2, dice.randint(0, 60_000_000))) for _ in range(2)]
    pairs = [(hours[0], hours[1]), (hours[2], hours[3])]
    if dice.random() < 0.3:
        pairs = [(hours[0], hours[2]), (hours[1], hours[3])]  # which overlap
    elif dice.random() < 0.5:
        pairs = [(hours[1], hours[2]), (hours[3], hours[0])]  # one of them over midnight
    return [(time(a), time(b), each) for (a, b), each in zip(pairs, fen, strict=True)]


def model_bands(h: History, bands: list[tuple[time, time, int]], now: datetime) -> str:
    (a, b, _), (c, d, _) = bands
    return "limits_bands_refused" if a < c < b < d or h.state == "closed" else ""


def model_unband(h: History, id_: int, now: datetime) -> str:
    if h.bands is None or h.bands[0] != id_:
        return "not_found"
    h.bands = None
    return ""
