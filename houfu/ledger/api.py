"""Balances over HTTP."""

from typing import Any

from django.http import HttpRequest
from ninja import Router

from houfu.kernel.http import PROBLEMS, Instant, Out, actor, mine
from houfu.ledger import queries

router = Router(tags=["ledger"])


class BalanceOut(Out):
    """An account's balance; `owner` is the id of a store, pool or channel account, as the kind says."""

    kind: str
    owner: int
    balance_fen: int


@router.get("/balances", response={200: list[BalanceOut], **PROBLEMS})
def balances(request: HttpRequest, owner: int | None = None, at: Instant | None = None) -> Any:
    """List the merchant's balances, now or rebuilt from the entries as of an instant."""
    merchant_id = mine(request)
    actor(request).require("ledger:read", merchant_id)
    actor(request).require_whole()
    found = queries.balances_at(merchant_id, at) if at else queries.balances(merchant_id)
    return [
        BalanceOut(kind=account.kind, owner=account.owner, balance_fen=fen)
        for account, fen in found.items()
        if owner in (None, account.owner)
    ]
