"""How what `lives` knows is done to the product."""

import psycopg

from houfu.buyers import actions as buyers
from houfu.kernel import clock as clocks
from houfu.kernel.errors import Refused
from houfu.limits import actions as limits
from houfu.limits.tests import lives
from houfu.testing.world import OPERATOR, WORKER

COSTLY = {"share", "reach", "move", "apply", "convert", "confirm", "refuse_conversion"}
CHANNEL = "simulator"


def one_by_one(act):
    """Do an action for each wish, in a transaction of its own."""

    def perform(world, wishes):
        found = []
        for h, wish in wishes:
            try:
                found.append(act(world, h, wish) or "")
            except Refused as refusal:
                found.append(refusal.code)
        return found

    return perform


def of_pool(world, h):
    return {"by": OPERATOR, "merchant_id": world.m, "pool_id": h.pool}


def join(world, h, wish):
    limits.join_pool(**of_pool(world, h), store_id=wish[0], contribution_fen=wish[1])


def leave(world, h, store):
    limits.leave_pool(**of_pool(world, h), store_id=store)


def suspend(world, h, store):
    limits.suspend_member(**of_pool(world, h), store_id=store, reason="核查")


def resume(world, h, store):
    limits.resume_member(**of_pool(world, h), store_id=store)


def wind_down(world, h, _):
    limits.wind_down(**of_pool(world, h))


def follow(world, change):
    world.shop.agree(f"limit_change/{change.id}")
    state = limits.follow_change(by=WORKER, merchant_id=world.m, id=change.id)
    return "" if state == "effective" else state


def share(world, h, wish):
    return follow(world, limits.propose_share(**of_pool(world, h), share=wish, reason="旺季备货"))


def reach(world, h, wish):
    store, fen, ends_at = wish
    said = {"store_id": store, "amount_fen": fen, "ends_at": ends_at}
    return follow(world, limits.propose_reach(**of_pool(world, h), **said, reason="旺季备货"))


def move(world, h, wish):
    giving, taking, fen = wish
    said = {"store_id": giving, "to_store_id": taking, "amount_fen": fen}
    return follow(world, limits.propose_move(**of_pool(world, h), **said, reason="旺季备货"))


def apply(world, h, wish):
    store, fen = wish
    id_ = h.emergencies[store][0] if store in h.emergencies else lives.UNKNOWN
    limits.apply_restoration(by=OPERATOR, merchant_id=world.m, id=id_, amount_fen=fen)
    world.shop.agree(f"emergency/{id_}")
    state = limits.follow_application(by=WORKER, merchant_id=world.m, id=id_)
    return "" if state == "restored" else state


def convert(world, h, wish):
    giving, taking, fen = wish
    said = {"from_store_id": giving, "to_store_id": taking, "amount_fen": fen}
    h.latest = limits.convert(by=world.shop.assistant, merchant_id=world.m, **said).id


def confirm(world, h, id_):
    limits.confirm_conversion(by=world.owner, merchant_id=world.m, id=id_)


def refuse_conversion(world, h, id_):
    limits.refuse_conversion(by=world.owner, merchant_id=world.m, id=id_, note="不再需要")


def score(world, h, wish):
    said = {"score": wish[0], "scored_at": wish[1]}
    buyers.score(by=OPERATOR, channel=CHANNEL, buyer=h.buyer, **said)


def known(world):
    """Return how each is done: what is costly alone, all else together in one transaction."""

    def perform(name):
        act = globals()[name]
        return one_by_one(act) if name in COSTLY else world.each(act)

    return lives.known(perform)


def let_time_pass(world, dice, tally):
    """Do what the worker does for limits; pools that wind down close where nothing of them is in use."""
    now = clocks.now()
    limits.pass_probations(by=WORKER)
    limits.end_reaches(by=WORKER)
    limits.tend_conversions(by=WORKER, merchant_id=world.m, at=now)
    lives.let_time_pass(world.histories, now)
    for h in world.histories:
        if lives.closable(h) or (h.state == "winding_down" and dice.random() < 0.02):
            closed = limits.close_pool(by=WORKER, merchant_id=world.m, pool_id=h.pool)
            assert closed is lives.closable(h), h
            lives.model_close(h)
            tally["close", not closed] += 1


def lines(url):
    """Return limit, hold and what is held beyond the limit, of all buyers' lines, which the product shows nobody."""
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT buyer, limit_fen, held_fen, over_fen FROM buyers_line").fetchall()
