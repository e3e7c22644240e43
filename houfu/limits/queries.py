"""Reading limits."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Q, QuerySet

from houfu.kernel import clock, db
from houfu.kernel.errors import NotFound
from houfu.ledger import queries as ledger
from houfu.ledger.actions import Account
from houfu.limits import rules
from houfu.limits.models import Adjustment, Band, Bands, Dynamic, Loan, Member, Pool
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
    """What a pool holds, what of it is not in use, and what of it may be used at this instant, in fen.

    `usable_fen` is never below what is in use; `room_fen` is what all its members together could still take.
    """

    pool_id: int
    state: str
    limit_fen: int
    free_fen: int
    usable_fen: int
    room_fen: int


@dataclass(frozen=True)
class Snapshot:
    """All limits of a merchant as they are now."""

    stores: list[Figures]
    pools: list[PoolFigures]


def figures(by: Actor, merchant_id: int, store_id: int) -> Figures:
    """Return a store's limits as the next order would meet them."""
    merchants.access_store(by, "limits:read", merchant_id, store_id)
    member = Member.objects.filter(merchant_id=merchant_id, store_id=store_id).first()
    pool = Pool.objects.get(merchant_id=merchant_id, id=member.pool_id) if member else None
    at = clock.now()
    stands = ledger.balances(merchant_id)
    room_fen = _rooms([pool], stands, at)[pool.id].room_fen if pool else 0
    return _figures(store_id, pool, stands, policies.at(at).orders.tolerance_permille, room_fen)


def snapshot(by: Actor, merchant_id: int) -> Snapshot:
    """Return the limits of every store of a merchant that the actor may see, and of the pools that these are in."""
    by.require("limits:read", merchant_id)
    pool_of = dict(Member.objects.filter(merchant_id=merchant_id).values_list("store_id", "pool_id"))
    store_ids = sorted(filter(by.sees, merchants.stores_by_code(merchant_id).values()))
    known = {pool.id: pool for pool in pools(by, merchant_id)}
    at = clock.now()
    permille = policies.at(at).orders.tolerance_permille
    stands = ledger.balances(merchant_id)
    rooms = _rooms(known.values(), stands, at)
    return Snapshot(
        stores=[
            _figures(id, known.get(pool_of.get(id, 0)), stands, permille, _room(rooms, pool_of.get(id)))
            for id in store_ids
        ],
        pools=list(rooms.values()),
    )


def pool_figures(by: Actor, merchant_id: int, pool_id: int) -> PoolFigures:
    """Return what a pool holds and what of it may be used now."""
    pool = access_pool(by, "limits:read", merchant_id, pool_id)
    return _rooms([pool], ledger.balances(merchant_id), clock.now())[pool_id]


def _room(rooms: Mapping[int, PoolFigures], pool_id: int | None) -> int:
    found = rooms.get(pool_id or 0)
    return found.room_fen if found else 0


def _rooms(pools: Iterable[Pool], stands: Mapping[Account, int], at: datetime) -> dict[int, PoolFigures]:
    """Return what pools hold as balances stand, and what of each may be used at an instant (L4, L5, G10)."""
    found = {}
    wanted = list(pools)
    for pool, cap_fen in zip(wanted, caps(wanted, at), strict=True):
        free_fen = stands.get(Account("q:pool:free", pool.id), 0)
        room = rules.room(pool.limit_fen, free_fen, cap_fen)
        found[pool.id] = PoolFigures(pool.id, pool.state, pool.limit_fen, free_fen, room.usable_fen, room.room_fen)
    return found


def caps(pools: Sequence[Pool], at: datetime) -> list[int | None]:
    """Return what caps each pool at an instant, beside all that it holds; None where nothing does."""
    gate_fen = policies.at(at).pools.filing_above_fen
    if not any(pool.dynamic or (gate_fen is not None and pool.limit_fen > gate_fen) for pool in pools):
        return [None] * len(pools)
    found = db.rows(
        "SELECT u.cap_fen FROM unnest(%s::bigint[], %s::bigint[]) WITH ORDINALITY p (merchant_id, id, no)"
        " LEFT JOIN LATERAL limits_pool_usable_v1(p.merchant_id, p.id, %s, %s) u ON true ORDER BY p.no",
        [[pool.merchant_id for pool in pools], [pool.id for pool in pools], at, gate_fen],
    )
    return [row.cap_fen for row in found]


def _figures(
    store_id: int, pool: Pool | None, stands: Mapping[Account, int], permille: int, pool_room_fen: int
) -> Figures:
    """Return a store's limits as balances stand; `pool_room_fen` is what its pool would give to all members now."""

    def fen(*kinds: str, owner: int = store_id) -> int:
        return sum(stands.get(Account(kind, owner), 0) for kind in kinds)

    own_limit_fen = fen("q:own:free", "q:own:held", "q:own:drawn")
    pool_used_fen = fen("q:pool:held", "q:pool:drawn")
    loan_fen = fen("q:temp:free", "q:temp:held", "q:temp:drawn")
    room_fen = pool_room_fen if pool and pool.state == "active" else 0
    effective_fen = rules.effective_limit(own_limit_fen, pool_used_fen, room_fen, pool.share if pool else 0, loan_fen)
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
    by: Actor, merchant_id: int, stands: Mapping[Account, int] | None = None, at: datetime | None = None
) -> list[tuple[str, int | None, int, int]]:
    """Return what is in use of every store's and pool's limit, as (subject, store, used_fen, limit_fen) (K1).

    A pool's limit is what may be used of it at that instant, and never below what is in use.

    Args:
        stands: balances of the merchant to read it from; those of now unless given.
        at: the instant of those balances, by whose caps pools are measured; now unless given.
    """
    by.require("limits:read", merchant_id)
    pools = {pool.id: pool for pool in Pool.objects.filter(merchant_id=merchant_id).order_by("id")}
    pool_of = dict(Member.objects.filter(merchant_id=merchant_id).values_list("store_id", "pool_id"))
    balances = ledger.balances(merchant_id) if stands is None else stands
    found: list[tuple[str, int | None, int, int]] = []
    rooms: dict[int, int] = {}
    of_pools: list[tuple[str, int | None, int, int]] = []
    for pool, cap_fen in zip(pools.values(), caps(list(pools.values()), at or clock.now()), strict=True):
        members = [store_id for store_id, pool_id in pool_of.items() if pool_id == pool.id]
        drawn = [Account(f"q:pool:{phase}", store_id) for phase in ("held", "drawn") for store_id in members]
        used_fen = sum(balances.get(account, 0) for account in drawn)
        free_fen = balances.get(Account("q:pool:free", pool.id), 0)
        lost_fen = balances.get(Account("q:lost:pool", pool.id), 0)
        rooms[pool.id] = rules.room(free_fen + used_fen + lost_fen, free_fen, cap_fen).room_fen
        of_pools.append((f"pool/{pool.id}", None, used_fen, used_fen + rooms[pool.id]))
    for id in sorted(merchants.stores_by_code(merchant_id).values()):
        pool_id = pool_of.get(id, 0)
        store = _figures(id, pools.get(pool_id), balances, 1000, rooms.get(pool_id, 0))
        found.append((f"store/{id}", id, store.exposure_fen, store.effective_fen))
    return found + of_pools


# What moves by itself (L4–L6) ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Usable:
    """What of a pool may be used at an instant, and what made it so, in fen; None is what plays no part then.

    Args:
        usable_fen: the least of what follows.
        holds_fen: all that the pool holds.
        gate_fen: the filing gate, while the pool is not filed (G10).
        dynamic_fen: base_fen + min(floating_fen, adjusted_fen), where it is dynamic (L4).
        band: the time band, which caps it at band_fen (L5).
    """

    at: datetime
    usable_fen: int
    holds_fen: int
    gate_fen: int | None
    base_fen: int | None
    floating_fen: int | None
    adjusted_fen: int | None
    dynamic_fen: int | None
    band: str | None
    band_fen: int | None


def usable(by: Actor, merchant_id: int, pool_id: int, instants: Sequence[datetime]) -> list[Usable]:
    """Return what of a pool may be used at each of several instants, as it is known now."""
    access_pool(by, "limits:read", merchant_id, pool_id)
    gates = [policy.pools.filing_above_fen for policy in policies.at_each(instants)]
    return db.rows(
        "SELECT i.at, u.usable_fen, u.holds_fen, u.gate_fen, u.base_fen, u.floating_fen, u.adjusted_fen, u.dynamic_fen,"
        " u.band, u.band_fen FROM unnest(%s::timestamptz[], %s::bigint[]) WITH ORDINALITY i (at, gate, no)"
        " CROSS JOIN LATERAL limits_pool_usable_v1(%s, %s, i.at, i.gate) u ORDER BY i.no",
        [list(instants), gates, merchant_id, pool_id],
        into=Usable,
    )


def schedule(by: Actor, merchant_id: int, pool_id: int, day: date) -> list[Usable]:
    """Return what of a pool may be used at each half hour of a business day, and what makes it so."""
    start = clock.start_of(day)
    return usable(by, merchant_id, pool_id, [start + timedelta(minutes=30 * n) for n in range(48)])


def settings(merchant_id: int, pool_id: int, at: datetime) -> Dynamic | None:
    """Return how a pool is dynamic at an instant; None where it is not."""
    found = Dynamic.objects.filter(merchant_id=merchant_id, pool_id=pool_id, valid_from__lte=at)
    latest = found.order_by("-valid_from", "-id").first()
    return latest if latest and latest.is_on else None


def places(at: datetime) -> list[Dynamic]:
    """Return the settings of every pool, of all merchants, that is dynamic at an instant and follows the weather."""
    found = Dynamic.objects.filter(valid_from__lte=at)
    latest = found.order_by("merchant_id", "pool_id", "-valid_from", "-id").distinct("merchant_id", "pool_id")
    open_pools = set(Pool.objects.filter(dynamic=True).exclude(state="closed").values_list("merchant_id", "id"))
    return [each for each in latest if each.is_on and each.place and (each.merchant_id, each.pool_id) in open_pools]


def adjustments(by: Actor, merchant_id: int, pool_id: int, *, before: int | None = None) -> QuerySet[Adjustment]:
    """Return a pool's adjustments, newest first."""
    access_pool(by, "limits:read", merchant_id, pool_id)
    found = Adjustment.objects.filter(merchant_id=merchant_id, pool_id=pool_id)
    return (found if before is None else found.filter(id__lt=before)).order_by("-id")


def weather_standing(merchant_id: int, pool_id: int, at: datetime) -> list[Adjustment]:
    """Return the adjustments of the weather that are open at an instant."""
    found = Adjustment.objects.filter(merchant_id=merchant_id, pool_id=pool_id, kind="weather", ends_at__gt=at)
    return list(found.filter(state__in=["proposed", "accepted"]).order_by("id"))


def weather_refused(merchant_id: int, pool_id: int, at: datetime) -> list[Adjustment]:
    """Return the adjustments of the weather whose time is not over, and which a person has ended."""
    found = Adjustment.objects.filter(merchant_id=merchant_id, pool_id=pool_id, kind="weather", valid_until__gt=at)
    return list(
        found.filter(Q(state="rejected") | Q(state="withdrawn") & ~Q(ended_by__startswith="system/")).order_by("id")
    )


def adjustments_over(at: datetime, limit: int = 500) -> Iterable[Adjustment]:
    """Return open adjustments whose time is over, held until the action ends."""
    found = Adjustment.objects.select_for_update().filter(state__in=["proposed", "accepted"], ends_at__lte=at)
    return found.order_by("merchant_id", "id")[:limit]


def bands_in_force(merchant_id: int, pool_id: int, at: datetime) -> list[rules.Band]:
    """Return a pool's time bands at an instant, by the times at which they open."""
    table = Bands.objects.filter(merchant_id=merchant_id, pool_id=pool_id, starts_at__lte=at)
    found = table.filter(Q(ends_at=None) | Q(ends_at__gt=at)).order_by("-starts_at", "-id").first()
    return bands_of(merchant_id, found.id) if found else []


def bands_of(merchant_id: int, bands_id: int) -> list[rules.Band]:
    """Return the bands of a table, by the times at which they open."""
    found = Band.objects.filter(merchant_id=merchant_id, bands_id=bands_id).order_by("opens")
    return [rules.Band(*each) for each in found.values_list("name", "opens", "closes", "limit_fen")]


def band_tables(by: Actor, merchant_id: int, pool_id: int) -> list[tuple[Bands, list[rules.Band]]]:
    """Return the latest tables of bands of a pool, newest first, each with its bands."""
    access_pool(by, "limits:read", merchant_id, pool_id)
    found = Bands.objects.filter(merchant_id=merchant_id, pool_id=pool_id).order_by("-id")[:50]
    return [(each, bands_of(merchant_id, each.id)) for each in found]
