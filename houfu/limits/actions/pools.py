"""The shared limit of a group: opened, joined, filled, frozen."""

from houfu.history import actions as history
from houfu.kernel import clock, db
from houfu.kernel.errors import Invalid, NotFound, Refused
from houfu.ledger import actions as ledger
from houfu.ledger.actions import Account, Line
from houfu.limits import queries, states
from houfu.limits.actions.quota import OPERATOR, move
from houfu.limits.models import Member, Pool
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor
from houfu.policies import queries as policies


class PoolCapReached(Refused):
    """A pool holds no more than the policy allows (G4)."""

    code = "limits_pool_cap"


class BadShare(Invalid):
    """The share of a pool lies between the ratios that the policy allows (G5)."""

    code = "limits_pool_share"


@db.refuse_on("limits_pool_one_per_group")
class PoolExists(Refused):
    """The group has a pool already."""

    code = "limits_pool_one_per_group"


@db.refuse_on("limits_member_of_one_pool")
class MemberAlready(Refused):
    """The store is a member of a pool already."""

    code = "limits_member_of_one_pool"


class NotInGroup(Refused):
    """Only stores of the pool's group may join it (G2)."""

    code = "limits_store_not_in_group"


@db.action
def open_pool(*, by: Actor, merchant_id: int, group_id: int, share: int) -> Pool:
    """Open the shared limit of a group; it holds nothing until members contribute or the operator grants.

    Args:
        share: the k of the ratio own : shared = 1 : k (G5).

    Raises:
        BadShare, PoolExists: no pool was opened.
    """
    by.require("limits:write", merchant_id)
    by.require_whole()
    pools = policies.at(clock.now()).pools
    if not pools.share_min <= share <= pools.share_max:
        raise BadShare(share=share, least=pools.share_min, most=pools.share_max)
    if group_id not in {group.id for group in merchants.groups(by, merchant_id)}:
        raise NotFound()
    pool_id = db.rows(
        "INSERT INTO limits_pool (merchant_id, group_id, share, state, opened_at)"
        " VALUES (%s, %s, %s, 'active', %s) RETURNING id",
        [merchant_id, group_id, share, clock.now()],
    )[0].id
    history.record("pool.opened", by=by, merchant_id=merchant_id, subject=f"pool/{pool_id}", share=share)
    return queries.access_pool(by, "limits:read", merchant_id, pool_id)


@db.action
def join_pool(*, by: Actor, merchant_id: int, pool_id: int, store_id: int, contribution_fen: int = 0) -> None:
    """Make a store a member of its group's pool and move part of its own limit there.

    Raises:
        NotInGroup, MemberAlready, PoolCapReached, InsufficientBalance: nothing moved.
    """
    pool = queries.access_pool(by, "limits:write", merchant_id, pool_id)
    store = merchants.lock_store(by, "limits:write", merchant_id, store_id)
    if store.group_id != pool.group_id:
        raise NotInGroup(store_id=store_id)
    # A draw that is being decided holds this account; it must not see the store half in the pool.
    ledger.lock(merchant_id, [Account("q:own:free", store_id)])
    Member.objects.create(
        merchant_id=merchant_id,
        store_id=store_id,
        pool_id=pool_id,
        contributed_fen=contribution_fen,
        joined_at=clock.now(),
    )
    if contribution_fen:
        _fill(merchant_id, pool_id, Account("q:own:free", store_id), contribution_fen)
    history.record(
        "pool.joined",
        by=by,
        merchant_id=merchant_id,
        subject=f"pool/{pool_id}",
        store_id=store_id,
        contribution_fen=contribution_fen,
    )


@db.action
def grant_pool(*, by: Actor, merchant_id: int, pool_id: int, amount_fen: int) -> None:
    """Give a pool limit of the operator's own.

    Raises:
        PoolCapReached: the pool would hold more than the policy allows (G4).
    """
    by.require("platform:write")
    queries.access_pool(by, "limits:write", merchant_id, pool_id)
    _fill(merchant_id, pool_id, OPERATOR, amount_fen)
    history.record("pool.granted", by=by, merchant_id=merchant_id, subject=f"pool/{pool_id}", amount_fen=amount_fen)


@db.action
def freeze_pool(*, by: Actor, merchant_id: int, id: int) -> None:
    """Stop new draws from a pool; what is drawn stays until its orders end."""
    queries.access_pool(by, "limits:write", merchant_id, id)
    states.move_pool("freeze", Pool, {"merchant_id": merchant_id, "id": id})
    history.record("pool.frozen", by=by, merchant_id=merchant_id, subject=f"pool/{id}")


@db.action
def unfreeze_pool(*, by: Actor, merchant_id: int, id: int) -> None:
    """Let a frozen pool be drawn from again."""
    queries.access_pool(by, "limits:write", merchant_id, id)
    states.move_pool("unfreeze", Pool, {"merchant_id": merchant_id, "id": id})
    history.record("pool.unfrozen", by=by, merchant_id=merchant_id, subject=f"pool/{id}")


def _fill(merchant_id: int, pool_id: int, source: Account, amount_fen: int) -> None:
    """Move quota into a pool while its cap allows (G4)."""
    cap_fen = policies.at(clock.now()).pools.limit_fen
    filled = db.rows(
        "UPDATE limits_pool SET limit_fen = limit_fen + %s"
        " WHERE merchant_id = %s AND id = %s AND limit_fen + %s <= %s RETURNING limit_fen",
        [amount_fen, merchant_id, pool_id, amount_fen, cap_fen],
    )
    if not filled:
        raise PoolCapReached(cap_fen=cap_fen, amount_fen=amount_fen)
    move("limits.fill_pool", merchant_id, Line(Account("q:pool:free", pool_id), source, amount_fen))
