"""What the worker does for limits: what people have decided takes effect, what time has decided ends."""

import logging
from collections.abc import Callable

from houfu.kernel import clock
from houfu.kernel.errors import Refused
from houfu.limits import actions, pool_queries
from houfu.people.actor import Actor
from houfu.policies import queries as policies

log = logging.getLogger("houfu.limits")


def tend(by: Actor) -> int:
    """Do whatever is due for loans, pools, changes, filings and emergencies, and return how much was done."""
    now = clock.now()
    figure_fen = policies.at(now).pools.filing_above_fen
    done = actions.mark_overdue(by=by) + actions.pass_probations(by=by) + actions.end_reaches(by=by)
    done += actions.tend_emergencies(by=by)
    todo: list[tuple[list[tuple[int, int]], Callable[[int, int], object]]] = [
        (
            pool_queries.signatures_waited_for(),
            lambda m, id: actions.follow_signature(by=by, merchant_id=m, pool_id=id),
        ),
        (pool_queries.changes_waited_for(now), lambda m, id: actions.follow_change(by=by, merchant_id=m, id=id)),
        (pool_queries.reviews_waited_for(), lambda m, id: actions.follow_review(by=by, merchant_id=m, id=id)),
        (pool_queries.applications_waited_for(), lambda m, id: actions.follow_application(by=by, merchant_id=m, id=id)),
        (
            [] if figure_fen is None else pool_queries.unfiled(figure_fen),
            lambda m, id: actions.raise_filing(by=by, merchant_id=m, pool_id=id),
        ),
    ]
    for waiting, follow in todo:
        for merchant_id, id in waiting:
            done += _follow(follow, merchant_id, id)
    for merchant_id, id in pool_queries.winding_down():
        done += int(actions.close_pool(by=by, merchant_id=merchant_id, pool_id=id))
    return done


def _follow(follow: Callable[[int, int], object], merchant_id: int, id: int) -> int:
    """Follow one decision; one that is refused does not stop the others."""
    try:
        follow(merchant_id, id)
    except Refused as refusal:
        log.warning("%s of merchant %s cannot go on: %s", id, merchant_id, refusal)
        return 0
    return 1
