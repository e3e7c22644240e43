"""Entries of the ledger as a file."""

from typing import Any
from uuid import UUID

import msgspec

from houfu.jobs import exports
from houfu.jobs.tables import Column, amount
from houfu.ledger import queries
from houfu.people.actor import Actor


class Filters(exports.Filters, frozen=True):
    """What the entries move: on accounts of a kind, or of an owner."""

    kind: str = ""
    owner: int | None = None


def _page(by: Actor, merchant_id: int, filters: Filters, place: Any, limit: int) -> list[Any]:
    after = (UUID(place[0]), place[1], place[2]) if place else None
    return queries.entries(merchant_id, **msgspec.structs.asdict(filters), after=after, limit=limit)


ENTRIES = exports.register(
    exports.Export(
        what="entries",
        title="分录",
        filters=Filters,
        needs=lambda _: frozenset({"ledger:read"}),
        whole=True,
        page=_page,
        place=lambda entry: [str(entry.transfer_id), entry.unit, entry.no],
        count=lambda _, merchant_id, filters: queries.count_entries(merchant_id, **msgspec.structs.asdict(filters)),
        columns=(
            Column("transfer_id", "转账编号", lambda entry: str(entry.transfer_id)),
            Column("unit", "单位", lambda entry: entry.unit),
            Column("no", "序号", lambda entry: entry.no),
            Column("at", "时间", lambda entry: entry.at),
            Column("verb", "事件", lambda entry: entry.verb),
            Column("debit_kind", "借方科目", lambda entry: entry.debit_kind),
            Column("debit_owner", "借方归属", lambda entry: entry.debit_owner),
            Column("credit_kind", "贷方科目", lambda entry: entry.credit_kind),
            Column("credit_owner", "贷方归属", lambda entry: entry.credit_owner),
            amount("amount", "金额", lambda entry: entry.amount_fen),
        ),
    )
)
