"""houfu bench intake: orders at the door of an instance that runs as `houfu up` starts it, or in one process."""

from typing import Any

from houfu.bench import callers as calling
from houfu.bench import figures, ground, scene, streams
from houfu.bench.scene import Place
from houfu.kernel import db
from houfu.people import actions as people

STORES = 10
SCOPES = ["orders:read", "orders:write"]


@db.action
def make_keys(places: list[Place]) -> dict[int, str]:
    """Make a key for each merchant of a scene and return its token."""
    return {
        merchant_id: people.create_key(
            by=scene.BY, merchant_id=merchant_id, name="bench", person="bench", scopes=SCOPES
        )[1]
        for merchant_id in sorted({place.merchant_id for place in places})
    }


def measure(*, pool: str, by: str, merchants: int, callers: int, seconds: int) -> dict[str, Any]:
    """Measure and return the figures.

    Args:
        by: "request" for one order a request over HTTP, "line" for streams of lines over HTTP, "call" for callers in
            the process that decides.
        callers: at the same time; of lines there are always STREAMS.
    """
    with ground.ground(serve=by != "call") as (crew, home):
        places = crew.one(scene.hot, STORES) if pool == "hot" else crew.one(scene.spread, merchants)
        tokens = crew.one(make_keys, places)
        crew.one(ground.analyse)
        if by == "call":
            found = crew.one(streams.calls, places, callers, seconds)
        elif by == "line":
            found = crew.one(streams.lines, ground.port(home), places, tokens, seconds)
        else:
            found = crew.one(calling.load, ground.port(home), places, tokens, callers, seconds)
        laps, each_second = found.pop("laps"), found.pop("seconds")
        if not laps:
            raise ground.BenchStuck(**found)
        lap_ms = figures.milliseconds(laps)
        result = {
            "bench": "intake", "by": by, "pool": pool, "stores": len(places),
            "callers": streams.STREAMS if by == "line" else callers, "seconds": seconds,
            "decided": sum(each_second), **found, "per_second": figures.spread(each_second), "request_ms": lap_ms,
            "goals": _goals(by, callers, sum(each_second) / seconds, lap_ms),
        }  # fmt: skip
        return {**result, "verify": crew.one(ground.verify), "machine": crew.one(ground.machine)}


def _goals(by: str, callers: int, per_second: float, lap_ms: dict[str, float]) -> list[dict[str, Any]]:
    if by == "line":
        return [figures.at_least("F4", "lines decided a second over HTTP", 50_000, per_second)]
    if by == "call":
        return [
            figures.at_least("F2", "decided a second in one process", 50_000, per_second),
            figures.at_most("F2", "p99 in ms", 20, lap_ms["p99"]),
        ]
    if callers == 1:
        return [figures.at_most("F5", "p50 of one caller alone, in ms", 3, lap_ms["p50"])]
    return [
        figures.at_least("F3", "decided a second over HTTP", 10_000, per_second),
        figures.at_most("F3", "p99 in ms", 50, lap_ms["p99"]),
    ]
