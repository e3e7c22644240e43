"""A merchant's orders by day, kept for a while: what is over hardly changes, and today is counted again soon."""

from datetime import date, timedelta

from houfu.kernel import clock
from houfu.kernel.kept import Kept
from houfu.orders import queries as orders
from houfu.people.actor import Actor

DAYS = 14
OVER, TODAY = 600.0, 20.0  # seconds for which a day that is over, and today, are not counted again
Row = tuple[int, int, int]
KEPT = Kept()


def by_day(by: Actor, merchant_id: int, store_id: int | None) -> list[tuple[date, Row]]:
    """Return for each of the last days how many orders were taken, for how much in fen, and how many were declined."""
    today = clock.business_day(clock.now())
    first = today - timedelta(days=DAYS - 1)
    seen = (merchant_id, store_id, by.stores)
    past = _counted((*seen, first, today), OVER, by, merchant_id, store_id, first)
    now = _counted((*seen, today), TODAY, by, merchant_id, store_id, today)
    days = [first + timedelta(days=n) for n in range(DAYS)]
    return [(day, (now if day == today else past).get(day, (0, 0, 0))) for day in days]


def _counted(
    key: tuple[object, ...], lasts: float, by: Actor, merchant_id: int, store_id: int | None, since: date
) -> dict[date, Row]:
    by.require("orders:read", merchant_id)
    return KEPT.get(key, lasts, lambda: orders.by_day(by, merchant_id, store_id, clock.start_of(since)))
