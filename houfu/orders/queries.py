"""Reading orders, lots and evidence."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet

from houfu.kernel import db
from houfu.kernel.errors import NotFound
from houfu.orders.models import Event, Evidence, Lot, Order
from houfu.people.actor import Actor


def access_order(by: Actor, scope: str, merchant_id: int, id: str) -> Order:
    """Return an order, if the actor may do `scope` to its store's things."""
    by.require(scope, merchant_id)
    order = Order.objects.filter(merchant_id=merchant_id, id=id).first()
    if order is None or not by.sees(order.store_id):
        raise NotFound()
    return order


def order(merchant_id: int, id: str) -> Order:
    """Return an order that the caller knows to be the merchant's."""
    return Order.objects.get(merchant_id=merchant_id, id=id)


@dataclass(frozen=True)
class Cursor:
    """The place in a listing after which the next page begins."""

    authorised_at: datetime
    id: str


def orders(
    by: Actor,
    merchant_id: int,
    *,
    store_id: int | None = None,
    state: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    id: str = "",
    after: Cursor | None = None,
    limit: int = 100,
) -> list[Order]:
    """Return the orders of a merchant that the actor may see, newest first.

    Args:
        since, until: placed from the one on, and before the other.
    """
    found = _listed(by, merchant_id, store_id, state, since, until, id)
    if after:
        found = found.extra(where=["(authorised_at, id) < (%s, %s)"], params=[after.authorised_at, after.id])
    return db.page(found.order_by("-authorised_at", "-id"), limit)


def count(
    by: Actor,
    merchant_id: int,
    *,
    store_id: int | None = None,
    state: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> int:
    """Return how many orders `orders` lists in all."""
    return _listed(by, merchant_id, store_id, state, since, until).count()


def _listed(
    by: Actor,
    merchant_id: int,
    store_id: int | None,
    state: str,
    since: datetime | None,
    until: datetime | None,
    id: str = "",
) -> QuerySet[Order]:
    by.require("orders:read", merchant_id)
    found = Order.objects.filter(merchant_id=merchant_id)
    if by.stores is not None:
        found = found.filter(store_id__in=by.stores)
    if store_id is not None:
        found = found.filter(store_id=store_id)
    if state:
        found = found.filter(state=state)
    if id:
        found = found.filter(id=id)
    if since:
        found = found.filter(authorised_at__gte=since)
    return found.filter(authorised_at__lt=until) if until else found


def lock_order(merchant_id: int, id: str) -> None:
    """Hold an order and its lot until the action ends: nothing happens to them meanwhile."""
    for model in (Order, Lot):
        list(model.objects.select_for_update(no_key=True).filter(merchant_id=merchant_id, id=id).values_list("id"))


def lot(merchant_id: int, id: str) -> Lot | None:
    """Return the lot of an order, once it was received."""
    return Lot.objects.filter(merchant_id=merchant_id, id=id).first()


def events(merchant_id: int, id: str) -> list[Event]:
    """Return the steps of an order in the order of time."""
    return list(Event.objects.filter(merchant_id=merchant_id, order_id=id).order_by("at", "batch", "no"))


def evidence(merchant_id: int, id: str) -> list[Evidence]:
    """Return the evidence of an order's receipt."""
    return list(Evidence.objects.filter(merchant_id=merchant_id, order_id=id).order_by("recorded_at", "person"))


def evidence_of(merchant_id: int, ids: Sequence[str]) -> dict[str, list[Evidence]]:
    """Return the evidence of orders' receipts, by order."""
    found: dict[str, list[Evidence]] = defaultdict(list)
    for each in Evidence.objects.filter(merchant_id=merchant_id, order_id__in=ids):
        found[each.order_id].append(each)
    return found


def evidence_due(merchant_id: int, at: datetime) -> list[Evidence]:
    """Return carrier proof of a merchant whose days are over and which has not counted yet (O2)."""
    waiting = Evidence.objects.filter(merchant_id=merchant_id, kind="carrier", counted=False, counts_at__lte=at)
    return list(waiting.order_by("order_id"))


def merchants_with_work(at: datetime, authorised_before: datetime) -> list[int]:
    """Return the merchants whose orders or lots have something due: proof, maturity, payment, expiry."""
    found = db.rows(
        """
        SELECT merchant_id FROM orders_evidence WHERE NOT counted AND kind = 'carrier' AND counts_at <= %(at)s
        UNION SELECT l.merchant_id FROM orders_lot l JOIN orders_order o USING (merchant_id, id)
              WHERE l.matured_at IS NULL AND l.matures_at <= %(at)s AND o.state = 'settled'
        UNION SELECT l.merchant_id FROM orders_lot l JOIN orders_order o USING (merchant_id, id)
              WHERE l.settled_at IS NULL AND l.payment_due_at < %(at)s AND o.state = 'received'
        UNION SELECT merchant_id FROM orders_order WHERE state = 'authorised' AND authorised_at < %(expired)s
        ORDER BY 1
        """,
        {"at": at, "expired": authorised_before},
    )
    return [row.merchant_id for row in found]


def expired(merchant_id: int, authorised_before: datetime, limit: int) -> list[str]:
    """Return orders of a merchant that were authorised before an instant and never shipped."""
    found = Order.objects.filter(merchant_id=merchant_id, state="authorised", authorised_at__lt=authorised_before)
    return list(found.order_by("authorised_at", "id").values_list("id", flat=True)[:limit])


def unpaid(merchant_id: int, at: datetime, limit: int) -> list[Any]:
    """Return received orders of a merchant whose payment is late: id and payment_due_at."""
    return db.rows(
        "SELECT l.id, l.payment_due_at FROM orders_lot l JOIN orders_order o USING (merchant_id, id)"
        " WHERE l.merchant_id = %s AND l.settled_at IS NULL AND l.payment_due_at < %s AND o.state = 'received'"
        " ORDER BY l.payment_due_at, l.id LIMIT %s",
        [merchant_id, at, limit],
    )


def lots_maturing(merchant_id: int, at: datetime, limit: int) -> list[Any]:
    """Return settled lots of a merchant that are due to mature: id and matures_at."""
    return db.rows(
        "SELECT l.id, l.matures_at FROM orders_lot l JOIN orders_order o USING (merchant_id, id)"
        " WHERE l.merchant_id = %s AND l.matured_at IS NULL AND l.matures_at <= %s AND o.state = 'settled'"
        " ORDER BY l.matures_at, l.id LIMIT %s",
        [merchant_id, at, limit],
    )


def lots_left(merchant_id: int, store_ids: Sequence[int]) -> list[tuple[int, str]]:
    """Return store and id of matured lots that have something left, oldest first."""
    found = db.rows(
        "SELECT store_id, id FROM orders_lot WHERE merchant_id = %s AND store_id = ANY (%s)"
        " AND matured_at IS NOT NULL AND left_fen > 0 ORDER BY store_id, matured_at, id",
        [merchant_id, list(store_ids)],
    )
    return [(row.store_id, row.id) for row in found]


class Coming(NamedTuple):
    """Money that matures on a day, and of how many orders."""

    day: date
    orders: int
    fen: int


def maturing_by_day(by: Actor, merchant_id: int, store_id: int | None, until: datetime) -> list[Coming]:
    """Return what of a merchant's settled money, in the stores that the actor sees, matures by an instant (O4)."""
    by.require("orders:read", merchant_id)
    return db.rows(
        "SELECT (matures_at AT TIME ZONE 'Asia/Shanghai')::date, count(*), sum(left_fen)::bigint FROM orders_lot"
        " WHERE matured_at IS NULL AND matures_at <= %s AND merchant_id = %s AND left_fen > 0"
        " AND (%s::bigint[] IS NULL OR store_id = ANY (%s)) GROUP BY 1 ORDER BY 1",
        [until, merchant_id, *[_seen(by, store_id)] * 2],
        into=Coming,
    )


def by_day(by: Actor, merchant_id: int, store_id: int | None, since: datetime) -> dict[date, tuple[int, int, int]]:
    """Return how many orders were authorised on each day since, for how much in fen, and how many were declined."""
    by.require("orders:read", merchant_id)
    found = db.rows(
        "SELECT (authorised_at AT TIME ZONE 'Asia/Shanghai')::date AS day, count(*) FILTER (WHERE state <> 'declined'),"
        " coalesce(sum(amount_fen) FILTER (WHERE state <> 'declined'), 0)::bigint,"
        " count(*) FILTER (WHERE state = 'declined') FROM orders_order WHERE merchant_id = %s AND authorised_at >= %s"
        " AND (%s::bigint[] IS NULL OR store_id = ANY (%s)) GROUP BY 1",
        [merchant_id, since, *[_seen(by, store_id)] * 2],
        into=lambda *row: row,
    )
    return {day: (taken, fen, declined) for day, taken, fen, declined in found}


def _seen(by: Actor, store_id: int | None) -> list[int] | None:
    """Return the stores to read of: the one that is asked for, else those that the actor is bound to; None for all."""
    if store_id is not None:
        return [store_id] if by.sees(store_id) else []
    return None if by.stores is None else sorted(by.stores)


def first_lots(merchant_id: int, store_id: int, amount_fen: int) -> list[tuple[str, int]]:
    """Return the orders that a payout of this amount would pay out, and how much of each (P3)."""
    found = db.rows(
        "SELECT id, amount_fen FROM orders_first_lots_v1(ARRAY[%s::bigint], ARRAY[%s::bigint], ARRAY[%s::bigint])",
        [merchant_id, store_id, amount_fen],
    )
    return [(row.id, row.amount_fen) for row in found]


def stores_of(merchant_id: int, ids: Sequence[str]) -> set[int]:
    """Return the stores of orders."""
    found = Order.objects.filter(merchant_id=merchant_id, id__in=ids)
    return set(found.values_list("store_id", flat=True).distinct())


def stores_in_deficit(merchant_id: int, store_ids: Sequence[int]) -> list[int]:
    """Return those of the stores that owe a deficit (O7)."""
    found = db.rows(
        "SELECT owner FROM ledger_account WHERE merchant_id = %s AND kind = 'deficit' AND owner = ANY (%s)"
        " AND balance_fen > 0 ORDER BY owner",
        [merchant_id, list(store_ids)],
    )
    return [row.owner for row in found]


def any_before(by: Actor, merchant_id: int, *, since: datetime, until: datetime, store_id: int | None = None) -> bool:
    """Say whether anybody asked for something from `since` on and before `until`, of stores that the actor may see."""
    by.require("orders:read", merchant_id, store_id)
    found = Order.objects.filter(merchant_id=merchant_id, authorised_at__gte=since, authorised_at__lt=until)
    if by.stores is not None:
        found = found.filter(store_id__in=by.stores)
    return (found if store_id is None else found.filter(store_id=store_id)).exists()


def demand(by: Actor, merchant_id: int, *, since: datetime, until: datetime, store_id: int | None = None) -> list[Any]:
    """Return what buyers asked for by store and hour of Shanghai, declined orders included: demand is not sales.

    Args:
        since, until: from the one instant on, before the other.

    Returns:
        Rows of store_id, hour (counted from the first of 1970 in Shanghai), orders, fen and square_fen (the sum of the
        squares of their amounts).
    """
    by.require("orders:read", merchant_id, store_id)
    return db.rows(
        """
        SELECT store_id, (floor(extract(epoch FROM authorised_at) / 3600) + 8)::bigint AS hour, count(*) AS orders,
               sum(amount_fen)::bigint AS fen, sum(amount_fen::float8 * amount_fen) AS square_fen
        FROM orders_order
        WHERE merchant_id = %(merchant)s AND authorised_at >= %(since)s AND authorised_at < %(until)s
          AND (%(stores)s::bigint[] IS NULL OR store_id = ANY (%(stores)s::bigint[]))
          AND (%(store)s::bigint IS NULL OR store_id = %(store)s::bigint)
        GROUP BY 1, 2 ORDER BY 1, 2
        """,
        {
            "merchant": merchant_id,
            "since": since,
            "until": until,
            "stores": None if by.stores is None else sorted(by.stores),
            "store": store_id,
        },
    )


def first_and_last(merchant_id: int) -> tuple[datetime, datetime] | None:
    """Return when a merchant's first and last orders were placed, if it has any."""
    found = db.rows(
        "SELECT min(authorised_at) AS first, max(authorised_at) AS last FROM orders_order WHERE merchant_id = %s",
        [merchant_id],
    )[0]
    return (found.first, found.last) if found.first else None


def pool_peaks(by: Actor, merchant_id: int, pool_id: int, *, until: datetime) -> list[Any]:
    """Return how much orders stood on a pool, by half hour of Shanghai in which that changed.

    Returns:
        Rows of slot (half hours counted from the first of 1970 in Shanghai), peak_fen (the most that stood in it after
        a change) and left_fen (what stood at its end).
    """
    by.require("orders:read", merchant_id)
    by.require_whole()
    return db.rows(
        """
        WITH moved AS (
            SELECT authorised_at AS at, pool_fen AS fen FROM orders_order
            WHERE merchant_id = %(merchant)s AND pool_id = %(pool)s AND pool_fen > 0 AND authorised_at < %(until)s
            UNION ALL
            SELECT e.at, -e.pool_fen FROM orders_event e JOIN orders_order o
                   ON o.merchant_id = e.merchant_id AND o.id = e.order_id
            WHERE e.merchant_id = %(merchant)s AND o.pool_id = %(pool)s AND e.pool_fen > 0 AND e.at < %(until)s
              AND e.verb IN ('cancelled', 'expired', 'refunded', 'settled', 'written_off')
        ), stood AS (
            SELECT at, sum(sum(fen)) OVER (ORDER BY at) AS fen FROM moved GROUP BY at
        )
        SELECT floor(extract(epoch FROM at) / 1800)::bigint + 16 AS slot, max(fen)::bigint AS peak_fen,
               (array_agg(fen ORDER BY at DESC))[1]::bigint AS left_fen
        FROM stood GROUP BY 1 ORDER BY 1
        """,
        {"merchant": merchant_id, "pool": pool_id, "until": until},
    )


def decided(merchant_id: int) -> list[Any]:
    """Return every order of a merchant as it was decided, batch by batch: for trying the decisions again."""
    return db.rows(
        "SELECT batch, id, store_id, amount_fen, authorised_at, own_fen, pool_fen, temp_fen, tolerance_fen, pool_id,"
        " reasons FROM orders_order WHERE merchant_id = %s ORDER BY batch, no",
        [merchant_id],
    )


def freed(merchant_id: int) -> list[Any]:
    """Return the steps by which a merchant's orders gave limit back, batch by batch, in the order they were taken."""
    return db.rows(
        "SELECT batch, order_id, verb, at, fen FROM orders_event WHERE merchant_id = %s"
        " AND verb IN ('cancelled', 'expired', 'refunded', 'settled', 'written_off') ORDER BY batch, no",
        [merchant_id],
    )
