"""Counting what rules want counted: payouts from what was observed, orders from the orders themselves.

A name says what is counted and, after a slash, how far: `device/72` are the payouts from a device within 72 hours.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from houfu.kernel import clock, db
from houfu.kernel.errors import Refused
from houfu.risk import rules

Counts = dict[str, int]

# Of each observation, its own place included: `n` is what is counted. Rows of other keys are never looked at.
_SAME = (
    "SELECT o.id, count(*) AS n FROM risk_observation o JOIN risk_observation s ON s.merchant_id = o.merchant_id"
    " AND s.{key} = o.{key} AND s.{key} <> '' AND s.id <= o.id AND s.at > o.at - make_interval(hours => %(far)s)"
    " WHERE o.merchant_id = %(merchant_id)s AND o.id = ANY (%(ids)s) GROUP BY o.id"
)
_LAST = (
    "SELECT o.id, count(*) FILTER (WHERE l.{what} {like}) AS n FROM risk_observation o CROSS JOIN LATERAL ("
    " SELECT s.{what} FROM risk_observation s WHERE s.merchant_id = o.merchant_id AND s.person = o.person"
    " AND s.person <> '' AND s.id < o.id ORDER BY s.id DESC LIMIT %(far)s) l"
    " WHERE o.merchant_id = %(merchant_id)s AND o.id = ANY (%(ids)s) GROUP BY o.id"
)
_BEFORE = (
    "SELECT o.id, count(*) AS n FROM risk_observation o CROSS JOIN LATERAL (SELECT FROM risk_observation s"
    " WHERE s.merchant_id = o.merchant_id AND s.id < o.id{same} LIMIT {most}) l"
    " WHERE o.merchant_id = %(merchant_id)s AND o.id = ANY (%(ids)s) GROUP BY o.id"
)
_OBSERVED = {
    "device": _SAME.format(key="device"),
    "person": _SAME.format(key="person"),
    "origins": _LAST.format(what="country", like="<> ''"),
    "origins_same": _LAST.format(what="country", like="= o.country"),
    "networks": _LAST.format(what="network", like="<> ''"),
    "networks_same": _LAST.format(what="network", like="= o.network"),
    "device_before": _BEFORE.format(same=" AND s.device = o.device AND s.device <> ''", most=1),
    "payee_before": _BEFORE.format(same=" AND s.beneficiary_id = o.beneficiary_id", most=1),
    "payouts_before": _BEFORE.format(same="", most=1000),
}

# Orders of a merchant's stores that were placed within `far` days up to the end of a day and still count as business.
_ORDERS = (
    "SELECT store_id AS id, {what} AS n FROM orders_order WHERE merchant_id = %(merchant_id)s"
    " AND authorised_at >= %(first)s AND authorised_at < %(end)s AND state NOT IN ('declined', 'cancelled', 'expired')"
    " GROUP BY store_id"
)
_OF_ORDERS = {
    "orders": _ORDERS.format(what="count(*)"),
    "volume": _ORDERS.format(what="sum(amount_fen)::bigint"),
    "refunded": _ORDERS.format(what="count(*) FILTER (WHERE refunded_fen > 0)"),
    "firsts": (
        "SELECT o.store_id AS id, count(*) AS n FROM orders_order o WHERE o.merchant_id = %(merchant_id)s"
        " AND o.authorised_at >= %(first)s AND o.authorised_at < %(end)s AND o.buyer IS NOT NULL"
        " AND o.state NOT IN ('declined', 'cancelled', 'expired') AND NOT EXISTS (SELECT FROM orders_order b"
        " WHERE b.merchant_id = o.merchant_id AND b.buyer = o.buyer AND b.authorised_at < o.authorised_at)"
        " GROUP BY o.store_id"
    ),
    "small": (
        "SELECT id, max(n) AS n FROM (SELECT store_id AS id, count(*) AS n FROM orders_order"
        " WHERE merchant_id = %(merchant_id)s AND authorised_at >= %(first)s AND authorised_at < %(end)s"
        " AND buyer IS NOT NULL AND amount_fen <= %(far)s AND state NOT IN ('declined', 'cancelled', 'expired')"
        " GROUP BY store_id, buyer) b GROUP BY id"
    ),
}
_BY_DAYS = {"orders", "volume", "refunded"}  # `far` is a number of days there, elsewhere the day alone is looked at


class CannotCount(Refused):
    """A rule wants something counted that nobody counts."""

    code = "risk_count_unknown"
    status = 500


def observed(merchant_id: int, ids: Sequence[int], wanted: Iterable[str]) -> dict[int, Counts]:
    """Return, of each observation, what is wanted of those up to it; what another transaction holds is not seen.

    Args:
        wanted: names of counts; those that are not about observations are left out.
    """
    found: dict[int, Counts] = {id: {} for id in ids}
    for name in wanted:
        what, _, far = name.partition("/")
        if what not in _OBSERVED:
            continue
        asked = {"merchant_id": merchant_id, "ids": list(ids), "far": int(far or 0)}
        counted = {row.id: row.n for row in db.rows(_OBSERVED[what], asked)}
        for id in ids:
            found[id][name] = counted.get(id, 0)
    return found


def of_orders(merchant_id: int, day: date, wanted: Iterable[str]) -> dict[int, Counts]:
    """Return what is wanted of the orders up to the end of a day, of each store that had any on it."""
    end = clock.start_of(day + timedelta(days=1))
    counted: dict[str, dict[int, int]] = {}
    for name in {"orders/1", *wanted}:
        what, _, far = name.partition("/")
        if what not in _OF_ORDERS:
            raise CannotCount(name=name)
        days = int(far) if what in _BY_DAYS else 1
        asked = {"merchant_id": merchant_id, "far": int(far or 0), "first": end - timedelta(days=days), "end": end}
        counted[name] = {row.id: row.n for row in db.rows(_OF_ORDERS[what], asked)}
    stores = sorted(counted["orders/1"])
    return {store: {name: counts.get(store, 0) for name, counts in counted.items()} for store in stores}


def of_month(merchant_id: int, month: date) -> rules.Month:
    """Return what a merchant's orders were in a month, and how many of its shared orders were disputed in it."""
    first, end = clock.start_of(month), clock.start_of(rules.next_month(month))
    [traded] = db.rows(
        "SELECT count(*) AS orders, coalesce(sum(amount_fen), 0)::bigint AS volume_fen,"
        " count(*) FILTER (WHERE pool_fen > 0) AS shared_orders,"
        " coalesce(sum(amount_fen) FILTER (WHERE pool_fen > 0), 0)::bigint AS shared_fen"
        " FROM orders_order WHERE merchant_id = %s AND authorised_at >= %s AND authorised_at < %s"
        " AND state NOT IN ('declined', 'cancelled', 'expired')",
        [merchant_id, first, end],
    )
    [disputed] = db.rows(
        "SELECT count(DISTINCT o.id) AS n FROM orders_order o JOIN orders_event e ON (e.merchant_id, e.order_id) ="
        " (o.merchant_id, o.id) WHERE o.merchant_id = %s AND o.authorised_at < %s AND o.pool_fen > 0"
        " AND e.verb = 'disputed' AND e.at >= %s AND e.at < %s",
        [merchant_id, end, first, end],
    )
    return rules.Month(disputes=disputed.n, **traded._asdict())
