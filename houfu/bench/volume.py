"""houfu bench grow, settle, run, verify, history: the jobs that grow with what there is."""

import time
from collections.abc import Callable
from datetime import datetime
from statistics import median
from typing import Any, ParamSpec, TypeVar

from houfu.bench import figures, ground, scene
from houfu.bench.ground import Crew
from houfu.bench.scene import Place, Shop, batched
from houfu.channels.port import Line
from houfu.history import queries as history
from houfu.kernel import clock, db
from houfu.orders import actions as orders
from houfu.orders import queries
from houfu.payouts import actions as payouts
from houfu.payouts import tasks
from houfu.people.actor import operator, system
from houfu.reconciliation import actions as reconciliation
from houfu.reconciliation import queries as reconciliation_queries
from houfu.verify import queries as verifier

P = ParamSpec("P")
R = TypeVar("R")
FILL = 10_000  # orders decided at once while a scene is filled
BATCH = 1000
SAMPLES = 40
PAGE = 100
ROUNDS = 3
STORES = 10  # of one merchant: a full group
MANY = 1000  # stores over which entries and links are spread
PLACED = clock.shanghai(2025, 11, 10, 10)  # a Monday
RUN = clock.shanghai(2025, 11, 12, 10)  # the run day after it
AMOUNT_FEN = 30_000
FEE_FEN = 90
PURPOSE = "goods_settlement"
BY = system("bench")


def _alone(name: str, job: Callable[[int], dict[str, Any]], size: int) -> dict[str, Any]:
    """Do a job on a ground of its own and add what the books say afterwards."""
    with ground.ground() as (crew, _):
        return {"bench": name, **crew.one(job, size), **_proof(crew)}


def _proof(crew: Crew) -> dict[str, Any]:
    return {"verify": crew.one(ground.verify), "machine": crew.one(ground.machine)}


def grow(to: int, first: int) -> dict[str, Any]:
    """Fill the orders of one hot pool, and at each power of ten time batches and pages beside those of a small one.

    The small pool stays at its first size on a ground of its own. What is timed is timed in turn on both, so that
    whatever else the machine does slows both alike.

    Args:
        first: how many orders there are at the first look, and in the small pool.
    """
    size = max(1, min(BATCH, first // SAMPLES // 2))
    with ground.ground() as (large, _), ground.ground() as (small, _):
        crews = [large, small]
        places = [crew.one(scene.hot, STORES) for crew in crews]
        small.one(_fill, places[1], "fill", max(0, first - len(places[1])))
        there = len(places[0])
        steps: list[dict[str, Any]] = []
        while there < to:
            aim = min(steps[-1]["orders"] * 10 if steps else first, to)
            large.one(_fill, places[0], f"fill{aim}", max(0, aim - there - SAMPLES * size))
            steps.append({"orders": aim, **_look(crews, places, f"look{aim}", size)})
            there = aim
        goals = [
            figures.at_most("F7", f"{name}, times that of {first:,} orders", 1.15, found["times"])
            for name, found in steps[-1].items()
            if name != "orders"
        ]
        return {"bench": "grow", "batch": size, "steps": steps, "goals": goals, **_proof(large)}


def _fill(places: list[Place], label: str, count: int) -> None:
    """Decide orders in big batches."""
    for asked in batched(scene.load(places, label, count), FILL):
        orders.decide(asked=asked)
    ground.analyse()


def _look(crews: list[Crew], places: list[list[Place]], label: str, size: int) -> dict[str, Any]:
    """Time batches, pages from the listing's beginning on, and a page from the middle of it, in turn on both pools."""
    hands = list(zip(crews, places, strict=True))
    middles = [crew.one(_middle, theirs) for crew, theirs in hands]
    batches: list[list[float]] = [[], []]
    pages: list[list[float]] = [[], []]
    deep: list[list[float]] = [[], []]
    after: list[queries.Cursor | None] = [None, None]
    for turn in range(SAMPLES):
        for no, (crew, theirs) in enumerate(hands):
            batches[no].append(crew.one(_batch, theirs, f"{label}-{turn}", size))
            lap, after[no] = crew.one(_page, theirs, after[no])
            pages[no].append(lap)
            deep[no].append(crew.one(_page, theirs, middles[no])[0])
    return {"batch": _beside(*batches), "page": _beside(*pages), "deep_page": _beside(*deep)}


def _beside(large: list[float], small: list[float]) -> dict[str, float]:
    """Return the middle of what was timed, and how many times as long it took as in the small pool just then."""
    return {
        "ms": figures.milliseconds(large)["p50"], "small_ms": figures.milliseconds(small)["p50"],
        "times": figures.ratio(large, small)["median"],
    }  # fmt: skip


def _batch(places: list[Place], label: str, size: int) -> float:
    asked = list(scene.load(places, label, size))
    return _lap(orders.decide, asked=asked)[0]


def _page(places: list[Place], after: queries.Cursor | None) -> tuple[float, queries.Cursor | None]:
    """Read a page, and return how long that took and where the next one begins."""
    lap, page = _lap(queries.orders, places[0].asker, places[0].merchant_id, after=after, limit=PAGE)
    return lap, queries.Cursor(page[-1].authorised_at, page[-1].id) if len(page) == PAGE else None


def _middle(places: list[Place]) -> queries.Cursor:
    """Return a place in the middle of the listing, in time."""
    oldest = queries.order(places[0].merchant_id, f"own-{places[0].store_id}").authorised_at - scene.AGO
    return queries.Cursor(oldest + (clock.now() - scene.AGO - oldest) / 2, "")


def _lap(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> tuple[float, R]:
    """Do something and return how many seconds it took, and what came of it."""
    began = time.perf_counter()
    result = work(*args, **kwargs)
    return time.perf_counter() - began, result


def settle(lines: int) -> dict[str, Any]:
    """Measure how long it takes to book a statement of a day."""
    return _alone("settle", _settle, lines)


def _settle(lines: int) -> dict[str, Any]:
    standing = clock.SteppedClock(PLACED)
    clock.install(standing)
    ids = [f"D{number:09d}" for number in range(lines)]
    set_up, shop = _lap(_received, 1, STORES, ids, standing.now())
    at = standing.move(hours=8)
    seconds, booked = _lap(_book, shop, ids, at)
    assert booked == lines, "every line is new"
    return {"scene_seconds": round(set_up, 1), **_job("F8", "lines", lines, 1_000_000, [seconds])}


def _received(number: int, stores: int, ids: list[str], at: datetime) -> Shop:
    """Open a merchant whose orders have been received."""
    shop = scene.open_shops([number], stores, own_fen=AMOUNT_FEN * max(1, len(ids)))[0]
    for part in batched(ids, BATCH):
        scene.receive(shop, part, AMOUNT_FEN, at)
    return shop


def _book(shop: Shop, ids: list[str], at: datetime) -> int:
    """Book a statement of today that settles orders, and return how many of its lines were new."""
    lines = [Line(f"L{id}", "settlement", id, AMOUNT_FEN, FEE_FEN, at) for id in ids]
    booked = reconciliation.book_all(by=BY, account=shop.account, day=clock.business_day(at), lines=lines)
    assert not reconciliation_queries.open_breaks(shop.account)
    return booked


def run(stores: int) -> dict[str, Any]:
    """Measure how long an automatic run takes, up to what the channel is handed."""
    return _alone("run", _run, stores)


def _run(stores: int) -> dict[str, Any]:
    standing = clock.SteppedClock(PLACED)
    clock.install(standing)
    set_up, merchants = _lap(_earn, stores)
    ground.analyse()
    standing.at = RUN
    seconds, made = _lap(tasks.run_due, BY)
    assert made == stores, "every store has matured money"
    return {
        "merchants": merchants,
        "scene_seconds": round(set_up, 1),
        **_job("F9", "stores", stores, 20_000, [seconds]),
    }


def _earn(stores: int) -> int:
    """Open as many merchants as it takes, and return how many."""
    merchants = -(-stores // STORES)
    for number in range(merchants):
        _earning(number, min(STORES, stores - number * STORES), PLACED)
    return merchants


@db.action
def _earning(number: int, stores: int, at: datetime) -> None:
    """Open a merchant whose stores have matured money and stand to be paid out, all in one transaction."""
    ids = [f"D{no}" for no in range(stores)]
    shop = _received(number, stores, ids, at)
    _book(shop, ids, at)
    orders.mature_due(by=BY, merchant_id=shop.merchant_id, at=RUN)
    payee = payouts.register(
        by=scene.BY, merchant_id=shop.merchant_id, kind="bank_corporate", purpose_class=PURPOSE, holder="压测商户",
        account=f"6222{number:012d}",
    )  # fmt: skip
    payouts.verify(by=operator("bench-second"), merchant_id=shop.merchant_id, id=payee.id, document="开户许可证")
    for store_id in shop.stores:
        payouts.stand(
            by=scene.BY, merchant_id=shop.merchant_id, store_id=store_id, beneficiary_id=payee.id, purpose=PURPOSE
        )


def verify(entries: int) -> dict[str, Any]:
    """Measure how long `houfu verify` takes over the entries of the ledger."""
    return _alone("verify", _verify, entries)


def _verify(entries: int) -> dict[str, Any]:
    set_up, there = _lap(_filled, "ledger_entry", entries, STORES)
    laps = [_lap(verifier.run)[0] for _ in range(ROUNDS)]
    return {"scene_seconds": round(set_up, 1), **_job("F10", "entries", there, 10_000_000, laps)}


def links(count: int) -> dict[str, Any]:
    """Measure how long it takes to recompute the chains of the history."""
    return _alone("history", _links, count)


def _links(count: int) -> dict[str, Any]:
    set_up, there = _lap(_filled, "history_link", count, min(MANY, count))
    laps = []
    for _ in range(ROUNDS):
        lap, broken = _lap(history.broken_links)
        laps.append(lap)
        assert broken == []
    seconds = figures.spread(laps, 3)
    return {
        "scene_seconds": round(set_up, 1), "links": there, "seconds": seconds,
        "per_second": round(there / seconds["median"]), "goals": [],
    }  # fmt: skip


def _filled(table: str, wanted: int, merchants: int) -> int:
    """Open merchants with MANY stores in all, fill a table with at least so many rows, and return how many."""
    counting = f"SELECT count(*) AS there FROM {table}"  # noqa: S608  ours
    places = scene.spread(merchants, max(1, min(MANY, wanted) // merchants))
    part = 0
    while (there := db.rows(counting)[0].there) < wanted:
        for asked in batched(scene.load(places, f"fill{part}", max(BATCH, min(wanted - there, 100_000))), BATCH):
            orders.decide(asked=asked)
        part += 1
    ground.analyse()
    return int(there)


def _job(id: str, what: str, size: int, full: int, laps: list[float]) -> dict[str, Any]:
    """Return the figures of a job; its goal is reached, or not, only where it had the goal's size."""
    goal = figures.at_most(id, f"seconds for {full:,} {what}", 60, median(laps))
    if goal["reached"] and size < full:
        goal["reached"] = None
    return {
        what: size, "seconds": figures.spread(laps, 3), "per_second": round(size / median(laps)), "goals": [goal],
    }  # fmt: skip
