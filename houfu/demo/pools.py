"""Pools of a story: drawn up by the merchant's program, signed for by its legal representative."""

from collections.abc import Sequence
from typing import Any

from houfu.demo.people import Person
from houfu.demo.stage import Shop, Stage


def draw_up(shop: Shop, name: str, stores: Sequence[int], *, share: int, members: Sequence[int] = ()) -> int:
    """Form a group, draw up its pool and name its members; return the pool.

    Args:
        stores: those of the group.
        members: those that are named now, all of the group unless some are given.
    """
    account_id = shop.api.get("/channel-accounts")[0]["id"]
    for store_id in stores:
        shop.api.put(f"/stores/{store_id}/sharing", {"sharing": True})
    group = shop.api.post("/groups", {"name": name, "channel_account_id": account_id, "store_ids": list(stores)})
    pool_id: int = shop.api.post("/pools", {"group_id": group["id"], "share": share})["id"]
    for store_id in members or stores:
        shop.api.post(f"/pools/{pool_id}/members", {"store_id": store_id})
    return pool_id


def sign(stage: Stage, shop: Shop, owner: Person, pool_id: int) -> dict[str, Any]:
    """Have the legal representative sign for a pool, wait until it runs, and return it."""
    shop.api.post(f"/pools/{pool_id}:ask-signature")
    agree(owner, f"pool/{pool_id}")
    stage.until("the pool runs", lambda: _pool(shop, pool_id)["state"] == "active")
    return _pool(shop, pool_id)


def agree(person: Person, subject: str) -> str:
    """Let somebody sign what is asked about a subject, and return the request's state."""
    request = next(each for each in person.get("/approvals/inbox")["items"] if each["subject"] == subject)
    return person.agree(request["id"])


def grant(stage: Stage, shop: Shop, pool_id: int, amount_fen: int) -> None:
    """Give a pool limit of the operator's own."""
    stage.root.post(f"/merchants/{shop.merchant_id}/pools/{pool_id}/grants", {"amount_fen": amount_fen})


def limit(shop: Shop, store_id: int) -> dict[str, Any]:
    """Return a store's limits."""
    found: dict[str, Any] = shop.api.get(f"/stores/{store_id}/limit")
    return found


def place(shop: Shop, *wanted: tuple[str, int, int]) -> list[dict[str, Any]]:
    """Ask for orders of (id, store, amount in fen), one after another, and return what was decided."""
    orders = [{"id": id_, "store_id": store_id, "amount_fen": fen} for id_, store_id, fen in wanted]
    found: list[dict[str, Any]] = shop.api.post("/orders:batch", {"orders": orders})
    return found


def _pool(shop: Shop, pool_id: int) -> dict[str, Any]:
    found: dict[str, Any] = shop.api.get(f"/pools/{pool_id}")
    return found
