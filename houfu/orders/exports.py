"""Orders as a file."""

from datetime import datetime
from typing import Any

import msgspec

from houfu.jobs import exports
from houfu.jobs.tables import Column, amount
from houfu.orders import queries
from houfu.orders.models import Order
from houfu.people.actor import Actor


class Filters(exports.Filters, frozen=True):
    """Those of the list of orders."""

    store_id: int | None = None
    state: str = ""


def _page(by: Actor, merchant_id: int, filters: Filters, place: Any, limit: int) -> list[Order]:
    after = queries.Cursor(datetime.fromisoformat(place[0]), place[1]) if place else None
    return queries.orders(by, merchant_id, **msgspec.structs.asdict(filters), after=after, limit=limit)


ORDERS = exports.register(
    exports.Export(
        what="orders",
        title="订单",
        filters=Filters,
        needs=lambda _: frozenset({"orders:read"}),
        page=_page,
        place=lambda order: [order.authorised_at.isoformat(), order.id],
        count=lambda by, merchant_id, filters: queries.count(by, merchant_id, **msgspec.structs.asdict(filters)),
        columns=(
            Column("id", "订单号", lambda order: order.id),
            Column("store_id", "店铺编号", lambda order: order.store_id),
            Column("authorised_at", "下单时间", lambda order: order.authorised_at),
            Column("state", "状态", lambda order: order.state),
            Column("buyer", "买家", lambda order: order.buyer),
            amount("amount", "订单金额", lambda order: order.amount_fen),
            amount("refunded", "已退款", lambda order: order.refunded_fen),
            amount("own", "自有额度", lambda order: order.own_fen),
            amount("pool", "共享额度", lambda order: order.pool_fen),
            amount("temp", "临时借额", lambda order: order.temp_fen),
            amount("tolerance", "超用容忍", lambda order: order.tolerance_fen),
            Column("reasons", "拒绝原因", lambda order: " ".join(order.reasons or ())),
        ),
    )
)
