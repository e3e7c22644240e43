"""Reading limits."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from houfu.kernel import clock
from houfu.kernel.errors import NotFound
from houfu.ledger import queries as ledger
from houfu.ledger.actions import Account
from houfu.limits import rules
from houfu.limits.models import Loan, Member, Pool
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor
from houfu.policies import queries as policies


@dataclass(frozen=True)
class Figures:
    """A store's limits as they are now, in fen: what it has, what is in use, and what it could still take."""

    store_id: int
    own_limit_fen: int
    own_free_fen: int
    reduced_fen: int
    pool_id: int | None
    pool_used_fen: int
    pool_reach_fen: int
    loan_fen: int
    loan_free_fen: int
    tolerance_used_fen: int
    effective_fen: int
    exposure_fen: int
    tolerance_band_fen: int


@dataclass(frozen=True)
class PoolFigures:
    """What a pool holds, and what of it is not in use, in fen."""

    pool_id: int
    state: str
    limit_fen: int
    free_fen: int


@dataclass(frozen=True)
class Snapshot:
    """All limits of a merchant as they are now."""

    stores: list[Figures]
    pools: list[PoolFigures]


def figures(by: Actor, merchant_id: int, store_id: int) -> Figures:
    """Return a store's limits as the next order would meet them."""
    merchants.access_store(by, by.watches, merchant_id, store_id)
    member = Member.objects.filter(merchant_id=merchant_id, store_id=store_id).first()
    pool = Pool.objects.get(merchant_id=merchant_id, id=member.pool_id) if member else None
    permille = policies.at(clock.now()).orders.tolerance_permille
    return _figures(store_id, pool, ledger.balances(merchant_id), permille)


def snapshot(by: Actor, merchant_id: int) -> Snapshot:
    """Return the limits of every store of a merchant that the actor may see, and of the pools that these are in.

    A partner is shown the stores alone: a pool says what other stores have left (L8).
    """
    by.require(by.watches, merchant_id)
    pool_of = dict(Member.objects.filter(merchant_id=merchant_id).values_list("store_id", "pool_id"))
    store_ids = sorted(filter(by.sees, merchants.stores_by_code(merchant_id).values()))
    known = {pool.id: pool for pool in _seen(by, merchant_id).order_by("id")}
    permille = policies.at(clock.now()).orders.tolerance_permille
    stands = ledger.balances(merchant_id)
    return Snapshot(
        stores=[_figures(id, known.get(pool_of.get(id, 0)), stands, permille) for id in store_ids],
        pools=[
            PoolFigures(pool.id, pool.state, pool.limit_fen, stands.get(Account("q:pool:free", pool.id), 0))
            for pool in known.values()
            if by.watches == "limits:read"
        ],
    )


def _figures(store_id: int, pool: Pool | None, stands: dict[Account, int], permille: int) -> Figures:
    def fen(*kinds: str, owner: int = store_id) -> int:
        return sum(stands.get(Account(kind, owner), 0) for kind in kinds)

    own_limit_fen = fen("q:own:free", "q:own:held", "q:own:drawn")
    pool_used_fen = fen("q:pool:held", "q:pool:drawn")
    loan_fen = fen("q:temp:free", "q:temp:held", "q:temp:drawn")
    pool_free_fen = fen("q:pool:free", owner=pool.id) if pool and pool.state == "active" else 0
    effective_fen = rules.effective_limit(
        own_limit_fen, pool_used_fen, pool_free_fen, pool.share if pool else 0, loan_fen
    )
    tolerance_used_fen = fen("q:tolerance:held", "q:tolerance:drawn")
    return Figures(
        store_id=store_id,
        own_limit_fen=own_limit_fen,
        own_free_fen=fen("q:own:free"),
        reduced_fen=fen("q:reduced"),
        pool_id=pool.id if pool else None,
        pool_used_fen=pool_used_fen,
        pool_reach_fen=effective_fen - own_limit_fen - pool_used_fen - loan_fen,
        loan_fen=loan_fen,
        loan_free_fen=fen("q:temp:free"),
        tolerance_used_fen=tolerance_used_fen,
        effective_fen=effective_fen,
        exposure_fen=own_limit_fen
        - fen("q:own:free")
        + pool_used_fen
        + loan_fen
        - fen("q:temp:free")
        + tolerance_used_fen,
        tolerance_band_fen=rules.tolerance_band(effective_fen, permille),
    )


def access_pool(by: Actor, scope: str, merchant_id: int, id: int) -> Pool:
    """Return a pool, if the actor may do `scope` to its merchant's things, and sees one of its stores.

    Only who is bound to no store may change a pool.
    """
    by.require(scope, merchant_id)
    pool = _seen(by, merchant_id).filter(id=id).first()
    if pool is None:
        raise NotFound()
    if not scope.endswith(":read"):
        by.require_whole()
    return pool


def pools(by: Actor, merchant_id: int) -> list[Pool]:
    """Return the pools of a merchant that the actor may see: those in which a store of theirs is."""
    by.require("limits:read", merchant_id)
    return list(_seen(by, merchant_id).order_by("id"))


def _seen(by: Actor, merchant_id: int) -> QuerySet[Pool]:
    found = Pool.objects.filter(merchant_id=merchant_id)
    if by.stores is None:
        return found
    own = Member.objects.filter(merchant_id=merchant_id, store_id__in=by.stores)
    return found.filter(id__in=own.values("pool_id"))


def members(merchant_id: int, pool_id: int) -> list[Member]:
    """Return the members of a pool."""
    return list(Member.objects.filter(merchant_id=merchant_id, pool_id=pool_id).order_by("store_id"))


def open_loan(merchant_id: int, store_id: int) -> Loan | None:
    """Return a store's open loan, overdue ones included."""
    return Loan.objects.filter(merchant_id=merchant_id, store_id=store_id).exclude(state="repaid").first()


def stores_with_loans(merchant_id: int) -> set[int]:
    """Return the stores of a merchant that have an open loan."""
    found = Loan.objects.filter(merchant_id=merchant_id).exclude(state="repaid")
    return set(found.values_list("store_id", flat=True))


def loans(by: Actor, merchant_id: int) -> list[Loan]:
    """Return the loans of a merchant that the actor may see, newest first."""
    by.require("limits:read", merchant_id)
    found = Loan.objects.filter(merchant_id=merchant_id)
    if by.stores is not None:
        found = found.filter(store_id__in=by.stores)
    return list(found.order_by("-id"))


def loans_fallen_due(at: datetime) -> Iterable[Loan]:
    """Return the loans that are due and not yet marked, held until the action ends."""
    waiting = Loan.objects.select_for_update().filter(state__in=["open", "partly_repaid"], due_at__lt=at)
    return waiting.order_by("merchant_id", "id")


def usages(
    by: Actor, merchant_id: int, stands: dict[Account, int] | None = None
) -> list[tuple[str, int | None, int, int]]:
    """Return what is in use of every store's and pool's limit, as (subject, store, used_fen, limit_fen) (K1).

    Args:
        stands: balances of the merchant to read it from; those of now unless given.
    """
    by.require("limits:read", merchant_id)
    pools = {pool.id: pool for pool in Pool.objects.filter(merchant_id=merchant_id).order_by("id")}
    pool_of = dict(Member.objects.filter(merchant_id=merchant_id).values_list("store_id", "pool_id"))
    balances = ledger.balances(merchant_id) if stands is None else stands
    found: list[tuple[str, int | None, int, int]] = []
    for id in sorted(merchants.stores_by_code(merchant_id).values()):
        store = _figures(id, pools.get(pool_of.get(id, 0)), balances, 1000)
        found.append((f"store/{id}", id, store.exposure_fen, store.effective_fen))
    for pool in pools.values():
        members = [store_id for store_id, pool_id in pool_of.items() if pool_id == pool.id]
        drawn = [Account(f"q:pool:{phase}", store_id) for phase in ("held", "drawn") for store_id in members]
        used_fen = sum(balances.get(account, 0) for account in drawn)
        free_fen = balances.get(Account("q:pool:free", pool.id), 0)
        found.append((f"pool/{pool.id}", None, used_fen, used_fen + free_fen))
    return found
