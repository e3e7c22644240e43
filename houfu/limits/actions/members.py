"""The members of a pool: joined, on probation, suspended, gone."""

from datetime import timedelta
from typing import Any

from houfu.history import actions as history
from houfu.kernel import clock, db
from houfu.kernel.errors import NotFound, Refused
from houfu.ledger import actions as ledger
from houfu.ledger.actions import Account, Line
from houfu.limits import pool_queries, pooling, queries, states
from houfu.limits.actions.pools import PoolNotOpen, fill
from houfu.limits.actions.quota import move
from houfu.limits.models import Member, Pool
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor
from houfu.policies import queries as policies


class JoinRefused(Refused):
    """This store may not join this pool; the reasons say why, all of them (G1, G2)."""

    code = "limits_join_refused"


@db.refuse_on("limits_member_of_one_pool")
class MemberAlready(Refused):
    """The store has a place in a pool already."""

    code = "limits_member_of_one_pool"


class StillDrawn(Refused):
    """A store leaves a pool when none of its orders stands on the pool any more."""

    code = "limits_member_still_draws"


@db.action
def join_pool(*, by: Actor, merchant_id: int, pool_id: int, store_id: int, contribution_fen: int = 0) -> Member:
    """Make a store a member of its group's pool and move part of its own limit there (G1, G2).

    A draft's members are named to the legal representative and draw once that is signed. Who joins a pool that runs is
    on probation first.

    Raises:
        JoinRefused: with every reason. PoolNotOpen, MemberAlready, PoolCapReached, InsufficientBalance. Nothing moved.
    """
    queries.access_pool(by, "limits:write", merchant_id, pool_id)
    merchants.lock_store(by, "limits:write", merchant_id, store_id)
    pool, now = pool_queries.lock_pool(merchant_id, pool_id), clock.now()
    if pool.state not in ("draft", "active"):
        raise PoolNotOpen(state=pool.state)
    member_of = Member.present.filter(merchant_id=merchant_id, store_id=store_id).first()
    who = pool_queries.candidate(pool, store_id)._replace(member_of=member_of.pool_id if member_of else None)
    if reasons := pooling.membership_refusals(who):
        raise JoinRefused(*reasons)
    policy = policies.at(now).pools
    waits = pool.state == "active" and policy.probation_days > 0
    state = "invited" if pool.state == "draft" else "probation" if waits else "active"
    # A draw that is being decided holds this account; it must not see the store half in the pool.
    ledger.lock(merchant_id, [Account("q:own:free", store_id)])
    member_id = db.rows(
        "INSERT INTO limits_member (merchant_id, store_id, pool_id, state, contributed_fen, probation_share,"
        " probation_until, joined_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [
            merchant_id,
            store_id,
            pool_id,
            state,
            contribution_fen,
            policy.probation_share if waits else None,
            now + timedelta(days=policy.probation_days) if waits else None,
            now,
        ],
    )[0].id
    history.record(
        "pool.joined",
        by=by,
        merchant_id=merchant_id,
        subject=f"pool/{pool_id}",
        store_id=store_id,
        contribution_fen=contribution_fen,
        state=state,
    )
    if contribution_fen:
        fill(by, pool, Account("q:own:free", store_id), contribution_fen)
    return Member.objects.get(merchant_id=merchant_id, id=member_id)


@db.action
def leave_pool(*, by: Actor, merchant_id: int, pool_id: int, store_id: int) -> None:
    """Let a store leave a pool of which it draws nothing any more; its contribution is its own again.

    Raises:
        StillDrawn: its orders stand on the pool. InsufficientBalance: others use what it put in. Nothing moved.
    """
    queries.access_pool(by, "limits:write", merchant_id, pool_id)
    merchants.lock_store(by, "limits:write", merchant_id, store_id)
    pool = pool_queries.lock_pool(merchant_id, pool_id)
    member = _member(merchant_id, pool_id, store_id)
    if pool.state not in ("draft", "active", "frozen"):
        raise PoolNotOpen(state=pool.state)
    drawn = [Account("q:pool:held", store_id), Account("q:pool:drawn", store_id)]
    own, free = Account("q:own:free", store_id), Account("q:pool:free", pool_id)
    stands = ledger.lock(merchant_id, [own, *drawn, free])
    if used_fen := sum(stands[account] for account in drawn):
        raise StillDrawn(used_fen=used_fen)
    key = {"merchant_id": merchant_id, "id": member.id}
    fen = member.contributed_fen
    states.move_member("remove", Member, key, contributed_fen=0, extra_fen=0, left_at=clock.now())
    if fen:
        Pool.objects.filter(merchant_id=merchant_id, id=pool_id).update(limit_fen=pool.limit_fen - fen)
        move("limits.leave_pool", merchant_id, Line(own, free, fen))
    history.record(
        "pool.left", by=by, merchant_id=merchant_id, subject=f"pool/{pool_id}", store_id=store_id, returned_fen=fen
    )


@db.action
def suspend_member(*, by: Actor, merchant_id: int, pool_id: int, store_id: int, reason: str) -> None:
    """Stop one member's new draws from a pool; what it has drawn stays until its orders end."""
    _step(by, merchant_id, pool_id, store_id, "suspend", "pool.member_suspended", reason=reason)


@db.action
def resume_member(*, by: Actor, merchant_id: int, pool_id: int, store_id: int) -> None:
    """Let a suspended member draw again; on probation, where that is not over."""
    queries.access_pool(by, "limits:write", merchant_id, pool_id)
    member = _member(merchant_id, pool_id, store_id)
    waits = member.probation_until is not None and clock.now() < member.probation_until
    verb = "resume_probation" if waits else "resume"
    _step(by, merchant_id, pool_id, store_id, verb, "pool.member_resumed")


def _step(by: Actor, merchant_id: int, pool_id: int, store_id: int, verb: str, said: str, **more: Any) -> None:
    queries.access_pool(by, "limits:write", merchant_id, pool_id)
    member = _member(merchant_id, pool_id, store_id)
    states.move_member(verb, Member, {"merchant_id": merchant_id, "id": member.id})
    history.record(said, by=by, merchant_id=merchant_id, subject=f"pool/{pool_id}", store_id=store_id, **more)


@db.action
def pass_probations(*, by: Actor) -> int:
    """Let members draw as others do whose probation is over, and return how many; until then they draw less."""
    over = list(pool_queries.probations_over(clock.now()))
    for member in over:
        states.move_member("pass_probation", Member, {"merchant_id": member.merchant_id, "id": member.id})
        history.record(
            "pool.probation_passed",
            by=by,
            merchant_id=member.merchant_id,
            subject=f"pool/{member.pool_id}",
            store_id=member.store_id,
        )
    return len(over)


@db.action
def end_reaches(*, by: Actor) -> int:
    """Forget reaches beyond the ratio whose end has come, and return how many; nobody draws by them from then on."""
    over = list(pool_queries.reaches_over(clock.now()))
    for member in over:
        key = {"merchant_id": member.merchant_id, "id": member.id}
        Member.objects.filter(**key).update(extra_fen=0, extra_until=None)
        history.record(
            "pool.reach_ended",
            by=by,
            merchant_id=member.merchant_id,
            subject=f"pool/{member.pool_id}",
            store_id=member.store_id,
        )
    return len(over)


def _member(merchant_id: int, pool_id: int, store_id: int) -> Member:
    found = Member.present.filter(merchant_id=merchant_id, pool_id=pool_id, store_id=store_id).first()
    if found is None:
        raise NotFound()
    return found
