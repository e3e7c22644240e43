"""Payouts as a file."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from houfu.jobs import exports
from houfu.jobs.tables import Column, amount
from houfu.payouts import queries
from houfu.payouts.models import Payout
from houfu.people.actor import Actor


class Filters(exports.Filters, frozen=True):
    """Those of the list of payouts."""

    store_id: int | None = None
    state: str = ""


def _page(by: Actor, merchant_id: int, filters: Filters, place: Any, limit: int) -> list[Payout]:
    after = (datetime.fromisoformat(place[0]), UUID(place[1])) if place else None
    return queries.payouts(by, merchant_id, **msgspec.structs.asdict(filters), after=after, limit=limit)


PAYOUTS = exports.register(
    exports.Export(
        what="payouts",
        title="提现",
        filters=Filters,
        needs=lambda _: frozenset({"payouts:read"}),
        page=_page,
        place=lambda payout: [payout.requested_at.isoformat(), str(payout.id)],
        count=lambda by, merchant_id, filters: queries.count(by, merchant_id, **msgspec.structs.asdict(filters)),
        columns=(
            Column("id", "提现编号", lambda payout: str(payout.id)),
            Column("store_id", "店铺编号", lambda payout: payout.store_id),
            Column("beneficiary_id", "收款账户编号", lambda payout: payout.beneficiary_id),
            Column("kind", "方式", lambda payout: payout.kind),
            Column("purpose", "用途", lambda payout: payout.purpose),
            amount("amount", "提现金额", lambda payout: payout.amount_fen),
            amount("fee", "手续费", lambda payout: payout.fee_fen),
            amount("net", "到账金额", lambda payout: payout.net_fen),
            Column("state", "状态", lambda payout: payout.state),
            Column("code", "失败代码", lambda payout: payout.code),
            Column("requested_by", "申请人", lambda payout: payout.requested_by),
            Column("requested_at", "申请时间", lambda payout: payout.requested_at),
            Column("due_at", "应发时间", lambda payout: payout.due_at),
            Column("arrives_by", "最迟到账时间", lambda payout: payout.arrives_by),
            Column("final_at", "终态时间", lambda payout: payout.final_at),
        ),
    )
)
