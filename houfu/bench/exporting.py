"""houfu bench export: how long an export takes, and that its memory does not grow with it."""

import resource
import time
from typing import Any

from houfu.bench import ground, scene
from houfu.jobs import exports, queries, runner
from houfu.orders import actions as orders
from houfu.people.actor import operator

BY = operator("bench")
FILL = 10_000  # orders decided at once while the scene is set
STORES = 10


def measure(rows: int) -> dict[str, Any]:
    """Export the orders of a merchant in both formats, through a job as everybody does.

    Args:
        rows: how many orders there are.
    """
    with ground.ground() as (crew, _):
        found = crew.one(_measure, rows)
        return {"bench": "export", **found, "verify": crew.one(ground.verify), "machine": crew.one(ground.machine)}


def _measure(rows: int) -> dict[str, Any]:
    from houfu.site import kinds  # noqa: F401  what can be asked for

    began = time.perf_counter()
    places = scene.spread(1, STORES)
    for asked in scene.batched(scene.load(places, "export", rows), FILL):
        orders.decide(asked=asked)
    ground.analyse()
    set_up = time.perf_counter() - began
    merchant_id = places[0].merchant_id
    formats = {format_: _export(merchant_id, format_, rows) for format_ in ("csv", "xlsx")}
    return {"rows": rows, "scene_seconds": round(set_up, 1), **formats, "goals": []}


def _export(merchant_id: int, format_: exports.Format, rows: int) -> dict[str, Any]:
    before, began = _most_kib(), time.perf_counter()
    asked = exports.ask(
        by=BY, merchant_id=merchant_id, what="orders", format=format_, filters={}, reason="bench"
    )  # fmt: skip
    job = runner.finish(merchant_id, asked.id)
    seconds = time.perf_counter() - began
    assert (job.state, job.done) == ("done", rows), job.code
    size = sum(len(piece) for piece in queries.pieces(BY, job))
    assert size == job.file_bytes
    return {
        "seconds": round(seconds, 2), "per_second": round(rows / seconds), "steps": job.steps, "bytes": size,
        "memory_grew_kib": _most_kib() - before,
    }  # fmt: skip


def _most_kib() -> int:
    """Return the most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
