"""What is made of the past: limits tried on it, and limits proposed from it. Nothing here moves a limit by itself."""

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection

from houfu.insight import past as pasts
from houfu.insight import peaks, queries, rules
from houfu.insight.measure import Measure, Side
from houfu.insight.past import Past
from houfu.insight.replay import Progress, Replay, differences, double
from houfu.kernel import clock, db, isolation
from houfu.kernel.errors import Invalid, Refused
from houfu.limits import actions as limits
from houfu.limits import queries as limit_queries
from houfu.orders import queries as orders
from houfu.people.actor import Actor
from houfu.policies import queries as policies
from houfu.policies.pack import Policy

SHARE = 0.9
LOOK_BACK_DAYS = 56
LEAST_DAYS = 14
STEP_FEN = 100_000  # what is proposed is rounded up to whole thousands of yuan


class NoOrders(Refused):
    """There is nothing to try limits on: the merchant has no orders."""

    code = "insight_no_orders"


class StoreUnknown(Invalid):
    """A limit is to be changed of a store that the merchant does not have."""

    code = "insight_store_unknown"


@dataclass(frozen=True)
class Supposed:
    """What is supposed to have been otherwise.

    Args:
        policy: the policy by which everything would have been judged; None for those that were in force.
        changes_fen: by how much stores' own limits would have differed, by store.
        begins: since when; everything before is lived through as it was. None for always.
        ends: before when; None for until now.
    """

    policy: Policy | None = None
    changes_fen: Mapping[int, int] | None = None
    begins: datetime | None = None
    ends: datetime | None = None


def what_if(
    *, by: Actor, merchant_id: int, supposed: Supposed, progress: Callable[[str, int, int], None] = lambda *_: None
) -> dict[str, Any]:
    """Return what would have become of a merchant's orders under another policy or other limits (T5).

    The past is lived through twice by a double of the merchant, decided by the function that decides new orders: once
    as it was, which must give every recorded decision again, and once as supposed. Both runs are taken back; nobody's
    rows are touched. It takes this process's clock in hand, so it is for a command of its own.

    Args:
        progress: told which run it is, how many things are done, and of how many.

    Raises:
        NoOrders, StoreUnknown: nothing was tried.
    """
    by.require("limits:read", merchant_id)
    by.require("orders:read", merchant_id)
    by.require_whole()
    if connection.in_atomic_block:
        raise RuntimeError("a past is lived through in a transaction of its own")
    with isolation.acting(isolation.Party(by.label, merchant_id)):
        past = pasts.read(merchant_id)
        codes = pasts.store_codes(merchant_id)
    if unknown := sorted(set(supposed.changes_fen or ()) - codes.keys()):
        raise StoreUnknown(stores=unknown)
    if next(iter(past.orders), None) is None:
        raise NoOrders()
    began = time.perf_counter()
    then = _lived(past, Supposed(None, None, supposed.begins, supposed.ends), lambda *at: progress("then", *at))
    now = _lived(past, supposed, lambda *at: progress("now", *at))
    took = time.perf_counter() - began
    return {
        "merchant_id": merchant_id,
        "policy": supposed.policy.version if supposed.policy else None,
        **_compared(past, then, now, codes),
        "orders_per_second": int((len(then.decisions) + len(now.decisions)) / took),
    }


class _TakenBack(Exception):
    """Ends a run so that nothing of it stays."""


def _lived(past: Past, supposed: Supposed, progress: Progress) -> Replay:
    """Live through a past as supposed, and return the run, of which the database has kept nothing."""
    measure = Measure(supposed.begins, supposed.ends)
    run = Replay(double(), past, measure, supposed.changes_fen or {})
    first = past.items[0].at
    since = supposed.begins or min(first, min(order.at for order in past.orders))
    judged = policies.supposing(supposed.policy, since) if supposed.policy else nullcontext()
    with clock.standing_at(clock.SteppedClock(first)) as hands, judged:
        try:
            _live(by=run.by, run=run, hands=hands, progress=progress)
        except _TakenBack:
            return run
    raise AssertionError("a run ends by being taken back")


@db.action
def _live(*, by: Actor, run: Replay, hands: clock.SteppedClock, progress: Progress) -> None:
    run.run(hands, progress)
    raise _TakenBack


def _compared(past: Past, then: Replay, now: Replay, codes: Mapping[int, str]) -> dict[str, Any]:
    odd = differences(past, then.decisions)
    within = [order for order in past.orders if _within(order.at, then.measure) and order.id in now.decisions]
    taken_now = [o for o in within if then.decisions[o.id].reasons and not now.decisions[o.id].reasons]
    refused_now = [o for o in within if now.decisions[o.id].reasons and not then.decisions[o.id].reasons]
    return {
        "orders": len(within),
        "reproduced": not odd,
        "differences": len(odd),
        "first_differences": odd[:20],
        "declined_for_other_reasons": then.left_alone,
        "not_done_then": dict(then.not_done),
        "not_done_now": dict(now.not_done),
        "taken_only_now": {"orders": len(taken_now), "fen": sum(o.amount_fen for o in taken_now)},
        "refused_only_now": {"orders": len(refused_now), "fen": sum(o.amount_fen for o in refused_now)},
        "then": then.measure.whole.figures(),
        "now": now.measure.whole.figures(),
        "stores": [
            {
                "store_id": store_id,
                "code": codes.get(store_id, ""),
                "then": then.measure.stores.get(store_id, Side()).figures(),
                "now": now.measure.stores.get(store_id, Side()).figures(),
            }
            for store_id in sorted({*then.measure.stores, *now.measure.stores})
        ],
    }


def _within(at: datetime, measure: Measure) -> bool:
    return (measure.begins is None or at >= measure.begins) and (measure.ends is None or at < measure.ends)


# Proposals -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Proposal:
    """What was proposed for a pool, and what speaks for it.

    Args:
        kind: "bands" or "forecast".
        proposed: what limits made of it; None where nothing is needed.
    """

    kind: str
    pool_id: int
    amounts_fen: dict[str, int]
    source: dict[str, Any]
    proposed: Any


@db.action
def propose_bands(*, by: Actor, merchant_id: int, pool_id: int, reason: str = "") -> Proposal:
    """Propose a pool's time bands from what orders stood on it at most in each, in nine days of ten (L5).

    It is a proposal and no more: whoever may decide about limits accepts it or not.

    Args:
        reason: why, in the proposer's words; what it is made from unless they say.

    Raises:
        TooLittlePast: the pool has been drawn on for less than two weeks.
    """
    limit_queries.access_pool(by, "limits:write", merchant_id, pool_id)
    now = clock.now()
    stood = _Peaks.read(by, merchant_id, pool_id, clock.business_day(now))
    bands, amounts, proved = [], {}, {}
    for band in policies.at(now).dynamic.bands:
        by_day = stood.within(_half_hour(band.opens), _half_hour(band.closes))
        fen = max(STEP_FEN, peaks.round_up(peaks.empirical(list(by_day.values()), SHARE), STEP_FEN))
        bands.append({"name": band.name, "opens": band.opens, "closes": band.closes, "limit_fen": fen})
        amounts[band.name] = fen
        proved[band.name] = _proved(by_day)
    source = {**stood.source(), "share_permille": int(SHARE * 1000), "back_test": proved}
    reason = reason or f"q{SHARE * 100:.0f} of the peaks of {stood.days} days"
    proposed = limits.propose_bands(
        by=by, merchant_id=merchant_id, pool_id=pool_id, bands=bands, reason=reason, source=source
    )
    return Proposal("bands", pool_id, amounts, source, proposed)


@db.action
def propose_day(*, by: Actor, merchant_id: int, pool_id: int, day: date, reason: str = "") -> Proposal:
    """Propose what a pool's base lacks for a day to come, by days of its kind and the demand that is forecast (L4).

    Raises:
        TooLittlePast: the pool, or its stores, are known for less than two weeks.
        DayNotAhead: the day has begun, or lies more than a week ahead.
    """
    pool = limit_queries.access_pool(by, "limits:write", merchant_id, pool_id)
    now = clock.now()
    today = clock.business_day(now)
    if not today < day <= today + timedelta(days=7):
        raise DayNotAhead(day=day.isoformat(), today=today.isoformat())
    stood = _Peaks.read(by, merchant_id, pool_id, today)
    by_day = stood.within(0, 48)
    wanted = rules.hour_of(clock.start_of(day)) // rules.DAY
    kind_of = queries.kinds(rules.instant_of(min(by_day) * rules.DAY), clock.start_of(day))
    alike = peaks.comparable(by_day, wanted, kind_of)
    growth = _growth(by, merchant_id, pool_id, alike, wanted)
    needed_fen = peaks.round_up(int(peaks.empirical(list(alike.values()), SHARE) * growth), STEP_FEN)
    base_fen, floating_fen = _may_use(merchant_id, pool_id, now)
    base_fen = min(base_fen, pool.limit_fen)
    lacks_fen = min(max(0, needed_fen - base_fen), floating_fen, max(0, pool.limit_fen - base_fen))
    source = {
        **stood.source(),
        "share_permille": int(SHARE * 1000),
        "comparable_days": len(alike),
        "growth_permille": int(growth * 1000),
        "needed_fen": needed_fen,
        "base_fen": base_fen,
        "back_test": _proved(by_day),
    }
    proposed = None
    if lacks_fen:
        proposed = limits.propose(
            by=by,
            merchant_id=merchant_id,
            pool_id=pool_id,
            kind="forecast",
            amount_fen=lacks_fen,
            valid_from=clock.start_of(day),
            valid_until=clock.start_of(day + timedelta(days=1)),
            reason=reason or f"{day.isoformat()} is expected to need {needed_fen} fen of the pool",
            source=source,
        )
    return Proposal("forecast", pool_id, {day.isoformat(): lacks_fen}, source, proposed)


def _may_use(merchant_id: int, pool_id: int, at: datetime) -> tuple[int, int]:
    """Return a pool's base and floating part: its own settings, or the policy's (L4)."""
    found = limit_queries.settings(merchant_id, pool_id, at) or policies.at(at).dynamic
    return found.base_fen, found.floating_fen


class DayNotAhead(Invalid):
    """A proposal is for one of the seven days to come."""

    code = "insight_day_not_ahead"


@dataclass(frozen=True)
class _Peaks:
    """What orders stood on a pool at most, over the last weeks."""

    rows: list[tuple[int, int, int]]
    first_day: int
    last_day: int

    @staticmethod
    def read(by: Actor, merchant_id: int, pool_id: int, today: date) -> "_Peaks":
        found = orders.pool_peaks(by, merchant_id, pool_id, until=clock.start_of(today))
        last_day = rules.hour_of(clock.start_of(today)) // rules.DAY
        began = found[0].slot // 48 if found else last_day
        first_day = max(began, last_day - LOOK_BACK_DAYS)
        if last_day - first_day < LEAST_DAYS:
            raise queries.TooLittlePast(days=last_day - first_day, least=LEAST_DAYS)
        return _Peaks([(row.slot, row.peak_fen, row.left_fen) for row in found], first_day, last_day)

    @property
    def days(self) -> int:
        return self.last_day - self.first_day

    def within(self, opens: int, closes: int) -> dict[int, int]:
        return peaks.peaks_by_day(self.rows, self.first_day, self.last_day, opens, closes)

    def source(self) -> dict[str, Any]:
        return {
            "model": "peaks_1",
            "days": self.days,
            "from": rules.day_of(self.first_day).isoformat(),
            "until": rules.day_of(self.last_day).isoformat(),
            "inputs_digest": queries.digest_of([self.first_day, self.last_day, self.rows]),
        }


def _half_hour(clock_time: str) -> int:
    hours, _, minutes = clock_time.partition(":")
    return int(hours) * 2 + int(minutes) // 30


def _proved(by_day: Mapping[int, int]) -> dict[str, int]:
    """Return how the same rule would have done on each day, made from those before it: how many days, how many kept."""
    tried = [
        (peaks.empirical([fen for day, fen in by_day.items() if day < each], SHARE), by_day[each])
        for each in list(by_day)[LEAST_DAYS // 2 :]
    ]
    return {"days": len(tried), "kept": sum(peak <= said for said, peak in tried)}


def _growth(by: Actor, merchant_id: int, pool_id: int, alike: Mapping[int, int], day: int) -> float:
    """Return how much more is expected of a pool's stores on a day than they were asked for on days like it."""
    members = {member.store_id for member in limit_queries.members(merchant_id, pool_id)}
    known = queries.demand(by, merchant_id, clock.start_of(clock.business_day(clock.now())))
    known = rules.Demand(known.first, known.last, {s: c for s, c in known.stores.items() if s in members})
    if not known.stores:
        return 1.0
    known = known.with_whole()
    past = known.until(known.last)
    kind_of = queries.kinds(rules.instant_of(past.first), rules.instant_of((day + 1) * rules.DAY))
    fitted = rules.Profile().fit(past, kind_of)
    hours = range(day * rules.DAY, (day + 1) * rules.DAY)
    expected = sum(fitted.means(rules.WHOLE, hours))
    cells = known.stores[rules.WHOLE]
    were = sum(cells[h].orders for d in alike for h in range(d * rules.DAY, (d + 1) * rules.DAY) if h in cells)
    return expected * len(alike) / were if were else 1.0
