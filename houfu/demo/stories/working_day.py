"""A working day: a fortnight of orders in four stores, people in every role, and what waits for them in the console."""

import random
from datetime import timedelta
from typing import Any

from houfu.demo.people import hire, let_in
from houfu.demo.stage import Shop, Stage
from houfu.kernel.clock import SHANGHAI

NAME = "A working day"
MERCHANT = "杭州某某女装有限公司"
DAYS = 14
STAFF = (
    ("owner", "王芳"), ("finance", "韩梅梅"), ("legal", "陈律"), ("supervisor", "孙建国"), ("regional_manager", "赵敏"),
    ("store_manager", "李店长"), ("clerk", "周小店"), ("auditor", "吴审计"),
)  # fmt: skip


def play(stage: Stage) -> None:
    """Play the story; what it leaves is what somebody finds who opens the console."""
    _monday(stage)
    shop = stage.open_shop(MERCHANT, "91330106MA2K8T3N15", limit_fen=60_000_000, stores=4)
    orders = _fortnight(stage, shop)
    stage.expect(NAME, "orders of a fortnight, all taken", len(orders), _sell(stage, shop, orders))
    people = {role: _at_work(stage, shop, role, name) for role, name in STAFF}
    clerk = people["clerk"].ask_payout(shop.wish(120_000))
    stage.until("the clerk's payout is paid", lambda: shop.state(clerk["id"]) == "paid", passing=1)
    for role in ("finance", "regional_manager"):
        people[role].prove()
    waiting = [
        people["store_manager"].ask_payout(shop.wish(800_000)),
        people["finance"].ask_payout(shop.wish(6_000_000, shop.stores[1])),
        people["regional_manager"].ask_payout(shop.wish(3_000_000, shop.stores[2])),
    ]
    stage.expect(NAME, "payouts that wait for signatures", 3, sum(p["state"] == "pending_approval" for p in waiting))
    finance = people["finance"]
    finance.prove()
    finance.post(
        "/beneficiaries",
        {"kind": "alipay", "purpose_class": "freight", "holder": MERCHANT, "account": "freight@example.com"},
    )
    inbox = people["legal"].get("/approvals/inbox")["items"]
    stage.expect(NAME, "legal finds something to sign", True, len(inbox) >= 1)


def _monday(stage: Stage) -> None:
    """Let it be ten o'clock on the next Monday of an ordinary week; the story ends on the Wednesday after it."""
    now = stage.clock.now().astimezone(SHANGHAI)
    monday = now.replace(hour=10, minute=0, second=0, microsecond=0) + timedelta(days=7 - now.weekday())
    unlike = {each["day"] for each in stage.root.get(f"/calendar/{monday.year}")}
    while any((monday + timedelta(days=n)).date().isoformat() in unlike for n in range(3)):
        monday += timedelta(days=7)
    stage.clock.set(monday)


def _at_work(stage: Stage, shop: Shop, role: str, name: str) -> Any:
    """Take somebody on, and let whoever looks at the demo come in as them."""
    store_id = shop.store_id if role in ("clerk", "store_manager") else 0
    person = hire(stage, shop.merchant_id, role, name, store_id=store_id)
    let_in(stage, person, role, name, MERCHANT)
    return person


def _fortnight(stage: Stage, shop: Shop) -> list[dict[str, Any]]:
    """Return the orders of a fortnight until now, more on weekends and in the larger stores; always the same ones."""
    dice = random.Random(1111)  # noqa: S311  a story, not a secret
    now = stage.clock.now()
    found: list[dict[str, Any]] = []
    for back in range(DAYS, 0, -1):
        day = now - timedelta(days=back)
        for n, store_id in enumerate(shop.stores):
            for _ in range(dice.randint(4, 9) - n + (4 if day.weekday() >= 5 else 0)):
                at = day + timedelta(minutes=dice.randint(1, 600))
                found.append({"store_id": store_id, "amount_fen": dice.randint(60, 2_400) * 100 + 90, "at": at})
    found.sort(key=lambda each: each["at"])
    return [
        {**each, "id": f"W{n:05d}", "buyer": f"buyer-{dice.randint(1, 90):03d}", "at": each["at"].isoformat()}
        for n, each in enumerate(found)
    ]


def _sell(stage: Stage, shop: Shop, orders: list[dict[str, Any]]) -> int:
    """Let the orders come in, be shipped and received; all but the latest are settled and mature. Return how many."""
    decided = shop.api.post("/orders:batch", {"orders": orders})
    delivered = orders[:-30]
    for kind in ("shipped", "received"):
        events = [{"kind": kind, "order_id": each["id"]} for each in delivered]
        shop.api.post("/orders/events:batch", {"events": events})
    stage.move(days=1)
    stage.until("the fortnight settles", lambda: shop.balance("claim:pending") == 0, passing=1)
    stage.move(days=1)
    stage.until("its money matures", lambda: shop.balance("claim:settled") == 0, passing=1)
    troubled = [each["id"] for each in delivered[-6:]]
    refunds = [{"kind": "refunded", "order_id": id, "ref": "R1", "amount_fen": 2_000} for id in troubled[:4]]
    disputes = [{"kind": "disputed", "order_id": id, "ref": "A1", "note": "尺码不符"} for id in troubled[4:]]
    shop.api.post("/orders/events:batch", {"events": [*refunds, *disputes]})
    return sum(each["state"] == "authorised" for each in decided)
