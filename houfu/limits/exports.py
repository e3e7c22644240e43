"""Limits of stores as a file: what each has of every kind, and what is in use, as they are while it is made."""

from typing import Any

from houfu.jobs import exports
from houfu.jobs.tables import Column, amount
from houfu.limits import queries
from houfu.people.actor import Actor


class Filters(exports.Filters, frozen=True):
    """One store, or all that one may see; limits are of now, so no period is asked for."""

    store_id: int | None = None


def _stores(by: Actor, merchant_id: int, filters: Filters) -> list[queries.Figures]:
    found = queries.snapshot(by, merchant_id).stores
    return sorted((each for each in found if filters.store_id in (None, each.store_id)), key=lambda each: each.store_id)


def _page(by: Actor, merchant_id: int, filters: Filters, place: Any, limit: int) -> list[queries.Figures]:
    return [each for each in _stores(by, merchant_id, filters) if each.store_id > (place or 0)][:limit]


LIMITS = exports.register(
    exports.Export(
        what="limits",
        title="额度",
        filters=Filters,
        needs=lambda _: frozenset({"limits:read"}),
        page=_page,
        place=lambda figures: figures.store_id,
        count=lambda by, merchant_id, filters: len(_stores(by, merchant_id, filters)),
        columns=(
            Column("store_id", "店铺编号", lambda figures: figures.store_id),
            amount("own_limit", "自有额度", lambda figures: figures.own_limit_fen),
            amount("own_free", "自有可用", lambda figures: figures.own_free_fen),
            amount("reduced", "被扣减", lambda figures: figures.reduced_fen),
            amount("pool_used", "共享已用", lambda figures: figures.pool_used_fen),
            amount("pool_reach", "共享可及", lambda figures: figures.pool_reach_fen),
            amount("loan", "临时借额", lambda figures: figures.loan_fen),
            amount("loan_free", "临时可用", lambda figures: figures.loan_free_fen),
            amount("tolerance_used", "容忍已用", lambda figures: figures.tolerance_used_fen),
            amount("tolerance_band", "容忍区间", lambda figures: figures.tolerance_band_fen),
            amount("exposure", "占用", lambda figures: figures.exposure_fen),
            amount("effective", "可用上限", lambda figures: figures.effective_fen),
        ),
    )
)
