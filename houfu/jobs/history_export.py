"""The history as a file; its room lies below this one, and cannot say so itself."""

import json
from typing import Any

import msgspec

from houfu.history import queries
from houfu.history.models import Link
from houfu.jobs import exports
from houfu.jobs.tables import Column
from houfu.people.actor import Actor


class Filters(exports.Filters, frozen=True):
    """Those of the history's list, and whether what only those may read who deal with risk is wanted too."""

    subject: str = ""
    noun: str = ""
    confidential: bool = False


def _needs(filters: Filters) -> frozenset[str]:
    return frozenset({"history:read", "risk:write"} if filters.confidential else {"history:read"})


def _page(by: Actor, merchant_id: int, filters: Filters, place: Any, limit: int) -> list[Link]:
    return queries.links(merchant_id, **msgspec.structs.asdict(filters), before_seq=place, limit=limit)


def _detail(link: Link) -> str:
    return json.dumps(link.detail, ensure_ascii=False, sort_keys=True)


HISTORY = exports.register(
    exports.Export(
        what="history",
        title="操作记录",
        filters=Filters,
        needs=_needs,
        whole=True,
        page=_page,
        place=lambda link: link.seq,
        count=lambda _, merchant_id, filters: queries.count(merchant_id, **msgspec.structs.asdict(filters)),
        columns=(
            Column("seq", "序号", lambda link: link.seq),
            Column("at", "时间", lambda link: link.at),
            Column("actor", "操作主体", lambda link: link.actor),
            Column("verb", "事件", lambda link: link.verb),
            Column("subject", "对象", lambda link: link.subject),
            Column("detail", "内容", _detail),
            Column("hash", "哈希", lambda link: bytes(link.hash).hex()),
        ),
    )
)
