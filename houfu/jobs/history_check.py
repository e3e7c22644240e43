"""The history of a merchant recomputed link by link; its room lies below this one, and cannot say so itself."""

from typing import Any

from houfu.history import queries
from houfu.jobs import kinds
from houfu.jobs.kinds import Arguments, Part
from houfu.people.actor import Actor

AT_ONCE = 5000  # links of a step
SHOWN = 50  # of what does not hold


def _step(by: Actor, merchant_id: int, arguments: Arguments, mark: Any) -> Part:
    """Recompute the next links; the last step holds the end of the chain against what is noted as its end."""
    mark = mark or {"after": 0, "done": 0, "hash": "", "broken": []}
    total = queries.ended(merchant_id)[0]
    found = queries.recomputed(merchant_id, mark["after"], AT_ONCE)
    done, digest = mark["done"] + found.links, found.hash or mark["hash"]
    broken = (mark["broken"] + found.broken)[:SHOWN]
    if found.links == AT_ONCE:
        return Part({"after": found.last, "done": done, "hash": digest, "broken": broken}, done, total)
    if queries.ended(merchant_id) != (found.last, digest):
        broken = [*broken, {"seq": found.last, "fault": "head_differs"}]
    return Part(None, done, done, result={"links": done, "hash": digest, "broken": broken})


VERIFY = kinds.kind("history.verify", run=_step, needs=lambda _: frozenset({"history:read"}), whole=True)
