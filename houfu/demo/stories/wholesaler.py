"""Wholesaler with 15 stores, Yiwu: a pool of three, two on probation, and caps per payout and month together."""

from typing import Any

from houfu.demo.people import Person, hire
from houfu.demo.pools import draw_up, grant, limit, place, sign
from houfu.demo.stage import Shop, Stage

NAME = "Wholesaler with 15 stores"
MONTH_FEN = 8_000_000  # about what a store sells in a month, and its own limit
GRANT_FEN = 30_000_000
SHARE = 3


def play(stage: Stage) -> None:
    """Play the story; it takes two days of business time, and a month more for the last of the new stores."""
    shop = stage.open_shop("义乌某某小商品有限公司", "91330782MA2E7TKN4M", limit_fen=MONTH_FEN, stores=15)
    _expect(stage, "stores of one legal person", 15, len(shop.api.get("/stores?limit=100")["items"]))
    stage.earn(shop, 7_000_000)
    _caps(stage, shop)
    _pool_of_three(stage, shop)


def _expect(stage: Stage, what: str, expected: object, found: object) -> None:
    stage.expect(NAME, what, expected, found)


def _codes(person: Person, shop: Shop, amount_fen: int) -> list[str]:
    said = person.post("/payouts:check", shop.wish(amount_fen))
    return sorted(reason["code"] for reason in said["reasons"])


def _caps(stage: Stage, shop: Shop) -> None:
    """Caps of the role for one payout, and of the person for a month, are told together."""
    store_id = shop.store_id
    clerk = hire(stage, shop.merchant_id, "clerk", "李雷", monthly="5000", store_id=store_id)
    both = ["above_tier", "monthly_cap_reached"]
    _expect(stage, "a clerk, 5,000.01 yuan: per payout and month together", both, _codes(clerk, shop, 500_001))
    _expect(stage, "a clerk, 5,000 yuan", [], _codes(clerk, shop, 500_000))
    clerk.ask_payout(shop.wish(300_000))
    _expect(stage, "after 3,000 of this month, 2,000.01", ["monthly_cap_reached"], _codes(clerk, shop, 200_001))
    _expect(stage, "after 3,000 of this month, 2,000", [], _codes(clerk, shop, 200_000))
    manager = hire(stage, shop.merchant_id, "store_manager", "韩梅梅", monthly="20000", store_id=store_id)
    _expect(stage, "a manager, 20,000.01 yuan", both, _codes(manager, shop, 2_000_001))
    manager.ask_payout(shop.wish(1_500_000))
    _expect(stage, "after 15,000 of this month, 5,000.01", ["monthly_cap_reached"], _codes(manager, shop, 500_001))


def _pool_of_three(stage: Stage, shop: Shop) -> None:
    """One store is signed for, two join the running pool: on probation they draw one time their own limit."""
    owner = hire(stage, shop.merchant_id, "owner", "王芳")
    founder, *late = three = shop.stores[-3:]
    pool_id = draw_up(shop, "义乌三店", three, share=SHARE, members=[founder])
    sign(stage, shop, owner, pool_id)
    grant(stage, shop, pool_id, GRANT_FEN)
    for store_id in late:
        shop.api.post(f"/pools/{pool_id}/members", {"store_id": store_id})
    _expect(
        stage, "their places", {founder: "active", late[0]: "probation", late[1]: "probation"}, _states(shop, pool_id)
    )
    reach = [limit(shop, store_id)["pool_reach_fen"] // 100 for store_id in three]
    _expect(stage, "reach into the pool, yuan", [240_000, 80_000, 80_000], reach)
    wanted = [
        ("YW-1", late[0], 2 * MONTH_FEN),
        ("YW-2", late[0], 1),
        ("YW-3", founder, GRANT_FEN),
        ("YW-4", late[1], MONTH_FEN),
    ]
    decided = [(each["state"], each["pool_fen"]) for each in place(shop, *wanted)]
    _expect(stage, "who draws what of it", [
        ("authorised", MONTH_FEN), ("declined", 0), ("authorised", GRANT_FEN - MONTH_FEN), ("authorised", 0),
    ], decided)  # fmt: skip
    _expect(stage, "free in the pool, fen", 0, shop.balance("q:pool:free"))
    stage.move(days=30)
    stage.until("probation is over", lambda: set(_states(shop, pool_id).values()) == {"active"})
    _expect(stage, "after thirty days", ["active"] * 3, list(_states(shop, pool_id).values()))


def _states(shop: Shop, pool_id: int) -> dict[int, Any]:
    return {each["store_id"]: each["state"] for each in shop.api.get(f"/pools/{pool_id}")["members"]}
