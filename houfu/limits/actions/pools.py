"""The life of a pool: drawn up, signed for by the legal representative, filled, frozen, wound down."""

from collections.abc import Mapping
from datetime import timedelta

from houfu.approvals import actions as approvals
from houfu.approvals import queries as approval_queries
from houfu.history import actions as history
from houfu.kernel import clock, db, ids
from houfu.kernel.errors import Forbidden, Invalid, NotFound, Reason, Refused
from houfu.ledger import actions as ledger
from houfu.ledger.actions import Account, Line
from houfu.limits import pool_queries, pooling, queries, states
from houfu.limits.actions.filings import watch
from houfu.limits.actions.quota import OPERATOR, move
from houfu.limits.models import Member, Pool
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor
from houfu.policies import queries as policies


class PoolCapReached(Refused):
    """A pool holds no more than the policy allows (G4)."""

    code = "limits_pool_cap"


class PoolNotOpen(Refused):
    """A pool that winds down or is closed takes nothing and nobody in."""

    code = "limits_pool_not_open"


class PoolRefused(Refused):
    """This pool cannot be signed for as it is; the reasons say why, all of them (G1, G2)."""

    code = "limits_pool_refused"


class BadShare(Invalid):
    """The share of a pool lies between the ratios that the policy allows (G5)."""

    code = "limits_pool_share"


class FrozenByPlatform(Forbidden):
    """The platform has frozen this pool, and the platform alone lets it be drawn from again."""

    code = "limits_frozen_by_platform"


@db.refuse_on("limits_pool_one_per_group")
class PoolExists(Refused):
    """The group has a pool already."""

    code = "limits_pool_one_per_group"


OPEN = frozenset({"draft", "awaiting_signature", "active", "frozen"})


@db.action
def open_pool(*, by: Actor, merchant_id: int, group_id: int, share: int) -> Pool:
    """Draw up the shared limit of a group; members are named next, then the legal representative signs for it.

    Args:
        share: the k of the ratio own : shared = 1 : k (G5).

    Raises:
        BadShare, PoolExists: no pool was opened.
    """
    by.require("limits:write", merchant_id)
    by.require_whole()
    check_share(share)
    if group_id not in {group.id for group in merchants.groups(by, merchant_id)}:
        raise NotFound()
    pool_id = db.rows(
        "INSERT INTO limits_pool (merchant_id, group_id, share, state, opened_at)"
        " VALUES (%s, %s, %s, 'draft', %s) RETURNING id",
        [merchant_id, group_id, share, clock.now()],
    )[0].id
    history.record("pool.opened", by=by, merchant_id=merchant_id, subject=f"pool/{pool_id}", share=share)
    return queries.access_pool(by, "limits:read", merchant_id, pool_id)


@db.action
def ask_signature(*, by: Actor, merchant_id: int, pool_id: int) -> Pool:
    """Ask the legal representative to sign for a pool: group, code, principal, share and members, as they are now.

    Raises:
        PoolRefused: with every reason; nobody was asked. IllegalMove: it is no draft any more.
    """
    queries.access_pool(by, "limits:write", merchant_id, pool_id)
    pool, now = pool_queries.lock_pool(merchant_id, pool_id), clock.now()
    if reasons := _faults(merchant_id, pool):
        raise PoolRefused(*reasons)
    policy = policies.at(now)
    key = {"merchant_id": merchant_id, "id": pool_id}
    document = pool_queries.pool_document(pool)
    text, digest = pool_queries.written(document)
    version = pool.version + 1
    states.move_pool("ask", Pool, key, version=version, document=text, digest=digest)
    for member in queries.members(merchant_id, pool_id):
        states.move_member("verify", Member, {"merchant_id": merchant_id, "id": member.id})
    approvals.open(
        by=by,
        merchant_id=merchant_id,
        id=ids.new(),
        subject=f"pool/{pool_id}",
        version=version,
        payload=document,
        chain=policy.pools.signatories,
        expires_at=now + timedelta(hours=policy.staff.approval_hours),
    )
    history.record(
        "pool.signature_asked",
        by=by,
        merchant_id=merchant_id,
        subject=f"pool/{pool_id}",
        version=version,
        digest=digest,
    )
    return queries.access_pool(by, "limits:read", merchant_id, pool_id)


@db.action
def follow_signature(*, by: Actor, merchant_id: int, pool_id: int) -> str:
    """Let a pool run once it is signed for, or be a draft again where it will not be; return its state."""
    pool = pool_queries.lock_pool(merchant_id, pool_id)
    subject, key = f"pool/{pool_id}", {"merchant_id": merchant_id, "id": pool_id}
    request = approval_queries.latest(merchant_id, subject)
    if pool.state != "awaiting_signature" or request is None or request.state == "open":
        return pool.state
    members = queries.members(merchant_id, pool_id)
    why = request.state if request.state != "approved" else _unproven(pool)
    verb, member_verb = ("send_back", "send_back") if why else ("activate", "admit")
    states.move_pool(verb, Pool, key, **({} if why else {"signed_at": clock.now()}))
    for member in members:
        states.move_member(member_verb, Member, {"merchant_id": merchant_id, "id": member.id})
    if why:
        history.record("pool.sent_back", by=by, merchant_id=merchant_id, subject=subject, reason=why)
    else:
        history.record("pool.activated", by=by, merchant_id=merchant_id, subject=subject, digest=pool.digest)
        watch(by, pool_queries.lock_pool(merchant_id, pool_id))
    return pool_queries.lock_pool(merchant_id, pool_id).state


def _unproven(pool: Pool) -> str:
    """Return why a pool is not signed for as it stands now; "" where it is (I-14)."""
    try:
        approval_queries.prove(
            pool.merchant_id, f"pool/{pool.id}", pool.version, pool_queries.pool_document(pool),
            chain=policies.at(clock.now()).pools.signatories,
        )  # fmt: skip
    except approval_queries.NotApproved as refusal:
        return ",".join(reason.code for reason in refusal.reasons)
    return ",".join(reason.code for reason in _faults(pool.merchant_id, pool))


def _faults(merchant_id: int, pool: Pool) -> list[Reason]:
    """Return every reason why a pool cannot be signed for: who its members are, as they are now (G1, G2)."""
    members = queries.members(merchant_id, pool.id)
    found = [] if members else [Reason("pool_empty", "G1", {}, "Name the stores that share the limit first.")]
    for member in members:
        found += pooling.membership_refusals(pool_queries.candidate(pool, member.store_id))
    return list({(each.code, str(each.figures)): each for each in found}.values())


@db.action
def grant_pool(*, by: Actor, merchant_id: int, pool_id: int, amount_fen: int) -> None:
    """Give a pool limit of the operator's own.

    Raises:
        PoolCapReached: the pool would hold more than the policy allows (G4). PoolNotOpen: it winds down.
    """
    by.require("platform:write")
    queries.access_pool(by, "limits:write", merchant_id, pool_id)
    pool = pool_queries.lock_pool(merchant_id, pool_id)
    history.record("pool.granted", by=by, merchant_id=merchant_id, subject=f"pool/{pool_id}", amount_fen=amount_fen)
    fill(by, pool, OPERATOR, amount_fen)


@db.action
def freeze_pool(*, by: Actor, merchant_id: int, id: int) -> None:
    """Stop new draws from a pool; what is drawn stays until its orders end."""
    queries.access_pool(by, "limits:write", merchant_id, id)
    platform = "platform:write" in by.scopes
    states.move_pool("freeze", Pool, {"merchant_id": merchant_id, "id": id}, frozen_by_platform=platform)
    history.record("pool.frozen", by=by, merchant_id=merchant_id, subject=f"pool/{id}")


@db.action
def unfreeze_pool(*, by: Actor, merchant_id: int, id: int) -> None:
    """Let a frozen pool be drawn from again; what the platform froze, the platform alone unfreezes.

    Raises:
        FrozenByPlatform: it stays frozen.
    """
    queries.access_pool(by, "limits:write", merchant_id, id)
    pool = pool_queries.lock_pool(merchant_id, id)
    if pool.frozen_by_platform and "platform:write" not in by.scopes:
        raise FrozenByPlatform()
    states.move_pool("unfreeze", Pool, {"merchant_id": merchant_id, "id": id}, frozen_by_platform=False)
    history.record("pool.unfrozen", by=by, merchant_id=merchant_id, subject=f"pool/{id}")


@db.action
def wind_down(*, by: Actor, merchant_id: int, pool_id: int) -> Pool:
    """End a pool: nothing new is drawn; once nothing is, all that it holds goes back to where it came from."""
    queries.access_pool(by, "limits:write", merchant_id, pool_id)
    pool = pool_queries.lock_pool(merchant_id, pool_id)
    if pool.frozen_by_platform and "platform:write" not in by.scopes:
        raise FrozenByPlatform()
    key = {"merchant_id": merchant_id, "id": pool_id}
    states.move_pool("wind_down", Pool, key, frozen_by_platform=False)
    if pool.state == "awaiting_signature":
        approvals.void(by=by, merchant_id=merchant_id, subject=f"pool/{pool_id}", reason="winding_down")
    history.record("pool.winding_down", by=by, merchant_id=merchant_id, subject=f"pool/{pool_id}")
    close_pool(by=by, merchant_id=merchant_id, pool_id=pool_id)
    return queries.access_pool(by, "limits:read", merchant_id, pool_id)


@db.action
def close_pool(*, by: Actor, merchant_id: int, pool_id: int) -> bool:
    """Close a pool that winds down and of which nothing is drawn any more; return whether it is closed.

    Contributions and grants go back to where they came from; what was lost is borne as `pooling.giving_back` says.
    """
    pool = pool_queries.lock_pool(merchant_id, pool_id)
    if pool.state != "winding_down":
        return pool.state == "closed"
    members = queries.members(merchant_id, pool_id)
    free, lost = Account("q:pool:free", pool_id), Account("q:lost:pool", pool_id)
    stands = ledger.lock(
        merchant_id, [OPERATOR, free, lost, *(Account("q:own:free", each.store_id) for each in members)]
    )
    if stands[free] + stands[lost] != pool.limit_fen:
        return False
    back = pooling.giving_back(
        stands[free], {each.store_id: each.contributed_fen for each in members}, pool.granted_fen
    )
    _give_back(merchant_id, pool_id, back)
    now = clock.now()
    for member in members:
        key = {"merchant_id": merchant_id, "id": member.id}
        states.move_member("remove", Member, key, contributed_fen=0, left_at=now)
    key = {"merchant_id": merchant_id, "id": pool_id}
    states.move_pool("close", Pool, key, limit_fen=stands[lost], granted_fen=0, closed_at=now)
    history.record(
        "pool.closed",
        by=by,
        merchant_id=merchant_id,
        subject=f"pool/{pool_id}",
        members={str(store): fen for store, fen in back.members.items()},
        granted_fen=back.granted_fen,
        lost_fen=stands[lost],
    )
    return True


def _give_back(merchant_id: int, pool_id: int, back: pooling.Returned) -> None:
    free = Account("q:pool:free", pool_id)
    parts: Mapping[Account, int] = {
        **{Account("q:own:free", store_id): fen for store_id, fen in back.members.items()},
        OPERATOR: back.granted_fen,
    }
    if lines := [Line(home, free, fen) for home, fen in parts.items() if fen]:
        move("limits.empty_pool", merchant_id, *lines)


def check_share(share: int) -> None:
    """Refuse a share that the policy in force does not allow (G5)."""
    pools = policies.at(clock.now()).pools
    if not pools.share_min <= share <= pools.share_max:
        raise BadShare(share=share, least=pools.share_min, most=pools.share_max)


def fill(by: Actor, pool: Pool, source: Account, amount_fen: int) -> None:
    """Move quota into a pool that the caller holds, while its cap allows (G4)."""
    if pool.state not in OPEN:
        raise PoolNotOpen(state=pool.state)
    cap_fen = policies.at(clock.now()).pools.limit_fen
    granted_fen = amount_fen if source == OPERATOR else 0
    filled = db.rows(
        "UPDATE limits_pool SET limit_fen = limit_fen + %s, granted_fen = granted_fen + %s"
        " WHERE merchant_id = %s AND id = %s AND limit_fen + %s <= %s RETURNING limit_fen",
        [amount_fen, granted_fen, pool.merchant_id, pool.id, amount_fen, cap_fen],
    )
    if not filled:
        raise PoolCapReached(cap_fen=cap_fen, amount_fen=amount_fen)
    move("limits.fill_pool", pool.merchant_id, Line(Account("q:pool:free", pool.id), source, amount_fen))
    pool.limit_fen = filled[0].limit_fen
    watch(by, pool)
