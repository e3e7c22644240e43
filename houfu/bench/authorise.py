"""houfu bench authorise: how fast orders are decided through the product's own function, beside its peers."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from houfu.bench import figures, ground, peers, scene
from houfu.bench.ground import Timing, together
from houfu.bench.scene import Place, batched
from houfu.orders import actions as orders
from houfu.orders.intake.coalesce import room

MERCHANTS = 1000  # of a spread load
ROUNDS = 5
ALONE = 100  # of how many batched orders one is also decided in a transaction of its own
PER_PGLEDGER = 10  # of how many authorisations one is also a transfer of pgledger
SLICE = 10  # seconds of a sustained load that are counted as one


def ours(hand: int, places: Sequence[Place], hands: int, label: str, count: int, size: int) -> Timing:
    """Decide a load batch by batch, each a transaction."""
    mine = _mine(hand, places, hands)
    batches = [list(asked) for asked in batched(scene.load(mine, f"{label}-{hand}", count), size)]
    together()
    return _decide(batches)


def sustained(hand: int, places: Sequence[Place], hands: int, label: str, seconds: int, size: int) -> list[int]:
    """Decide batches for some seconds and return how many orders were decided in each slice of them.

    The orders are made on the way, which takes a few per cent of the time.
    """
    slices = [0] * max(1, seconds // SLICE)
    endless = batched(scene.load(_mine(hand, places, hands), f"{label}-{hand}", 1_000_000_000), size)
    together()
    began = time.perf_counter()
    for asked in endless:
        _decide([asked])
        place = int((time.perf_counter() - began) / seconds * len(slices))
        if place >= len(slices):
            break
        slices[place] += size
    return slices


def _mine(hand: int, places: Sequence[Place], hands: int) -> Sequence[Place]:
    """Return the places that one of some hands decides for: lanes take different merchants where there are several."""
    merchants = sorted({place.merchant_id for place in places})
    if len(merchants) < hands:
        return places
    own = set(merchants[hand::hands])
    return [place for place in places if place.merchant_id in own]


def _decide(batches: Iterable[Sequence[orders.Asked]]) -> Timing:
    laps, count = [], 0
    began = time.perf_counter()
    for asked in batches:
        lap = time.perf_counter()
        decisions = orders.decide(asked=asked)
        laps.append(time.perf_counter() - lap)
        count += len(asked)
        assert all(each.state == "authorised" for each in decisions), "a scene lets every order through"
    return Timing(began, time.perf_counter(), laps, count)


def measure(
    *,
    pool: str,
    stores: int,
    merchants: int,
    count: int,
    batch: int,
    connections: int,
    seconds: int,
    pgledger: Sequence[Path],
    rounds: int = ROUNDS,
) -> dict[str, Any]:
    """Measure and return the figures.

    Args:
        count: orders of all rounds together.
        seconds: how long to go on afterwards, batch after batch, without a pause; 0 for not at all.
    """
    with ground.ground(connections) as (crew, _):
        hot = crew.one(scene.hot, stores)
        places = crew.one(scene.spread, merchants) if pool == "spread" else hot
        crew.one(ground.analyse)  # before the peers come: taken for empty, their tables would be scanned as they grow
        size = room(batch, merchants // connections) if pool == "spread" else batch
        part = max(size, count // rounds // connections)
        variants: dict[str, tuple[Callable[..., Timing], tuple[Any, ...], int, int]] = {
            "ours": (ours, (places, connections), part, size),
            "copy": (peers.copy, (places,), part, batch),
            "unnest": (peers.unnest, (places,), part, batch),
            "one_by_one": (ours, (places, connections), max(20, part // ALONE), 1),
        }
        if pool == "spread":
            variants["hot"] = (ours, (hot, connections), part, batch)
        if pgledger:
            source, others = crew.one(peers.install_pgledger, pgledger, MERCHANTS)
            come = source if pool == "hot" else None
            moves = max(peers.PGLEDGER_BATCH, part // PER_PGLEDGER)
            variants["pgledger"] = (peers.pgledger, (come, others), moves, peers.PGLEDGER_BATCH)
        crew.one(peers.make_tables)
        timed: dict[str, list[list[Timing]]] = {name: [] for name in variants}
        for round_ in range(rounds):
            for name, (work, arguments, each, orders_each) in variants.items():
                timed[name].append(crew.all(work, *arguments, f"{name}{round_}", each, orders_each))
        held = crew.all(sustained, places, connections, "sustained", seconds, size) if seconds else []
        result: dict[str, Any] = {
            "bench": "authorise", "pool": pool, "stores": len(places), "batch": batch, "orders_a_call": size,
            "connections": connections,
            "rounds": rounds, "orders": part * connections * rounds,
        }  # fmt: skip
        result |= _compared(timed, pool)
        if held:
            result["sustained"] = _held(held, seconds)
        result["verify"] = crew.one(ground.verify)
        result["machine"] = crew.one(ground.machine)
    return result


def _compared(timed: dict[str, list[list[Timing]]], pool: str) -> dict[str, Any]:
    """Return rates, ratios to the peers and goals, from what was timed round by round."""
    rates = {
        name: [sum(hand.count for hand in hands) / ground.seconds(hands) for hands in rounds]
        for name, rounds in timed.items()
    }
    shown = {
        name: {
            "per_second": figures.spread(rates[name]),
            "batch_ms": figures.milliseconds([lap for hands in rounds for hand in hands for lap in hand.laps]),
        }
        for name, rounds in timed.items()
    }
    ratios = {name: figures.ratio(rates["ours"], rates[name]) for name in timed if name != "ours"}
    if pool == "spread":
        goals = [figures.at_least("F6", "times one hot pool", 0.6, ratios["hot"]["median"])]
    else:
        goals = [
            figures.at_least("F1", "authorisations a second", 100_000, shown["ours"]["per_second"]["median"]),
            figures.at_least("F1", "times the set-based INSERT of the same rows", 0.5, ratios["unnest"]["median"]),
        ]
        if "pgledger" in ratios:
            goals.append(figures.at_least("F1", "times pgledger", 12, ratios["pgledger"]["median"]))
    return {"ours": shown.pop("ours"), "peers": shown, "ratios": ratios, "goals": goals}


def _held(held: Sequence[Sequence[int]], seconds: int) -> dict[str, Any]:
    """Return what was sustained, in all and slice by slice."""
    slices = [sum(each) for each in zip(*held, strict=True)]
    long = seconds / len(slices)
    return {
        "seconds": seconds,
        "orders": sum(slices),
        "per_second": round(sum(slices) / seconds),
        "slices": [round(each / long) for each in slices],
    }
