"""Three tiers: clerk, store manager and regional manager ask, and who must agree signs with a passkey (S1–S4, S7)."""

from typing import Any

from houfu.demo.people import Person, hire
from houfu.demo.stage import Shop, Stage

NAME = "Three tiers"
TIERS: tuple[tuple[str, int, list[str]], ...] = (  # who asks, for how much, and who must agree, one after the other
    ("clerk", 500_000, []),
    ("store_manager", 2_000_000, ["supervisor"]),
    ("regional_manager", 5_000_000, ["legal"]),
    ("regional_manager", 5_000_001, ["owner", "legal"]),
)


def play(stage: Stage) -> None:
    """Play the story: a payout in each tier, a week of business time apart, so that each is judged alone."""
    shop = stage.open_shop("上海某某母婴有限公司", "91310115MA1K3YXB16", limit_fen=30_000_000)
    stage.earn(shop, 25_000_000)
    agreeing = {
        role: hire(stage, shop.merchant_id, role, name)
        for role, name in (("owner", "周明"), ("supervisor", "吴刚"), ("legal", "郑爽"))
    }
    for role, amount_fen, chain in TIERS:
        asker = hire(stage, shop.merchant_id, role, "李雷", store_id=0 if role == "regional_manager" else shop.store_id)
        asker.prove()
        payout = asker.ask_payout(shop.wish(amount_fen))
        stage.expect(NAME, f"{role}, {amount_fen // 100:,} yuan: must agree", chain, payout["chain"])
        _agree(stage, agreeing, payout)
        stage.until("it is paid", lambda: shop.state(payout["id"]) == "paid", passing=1)  # noqa: B023
        stage.move(days=7)
    _refusals(stage, shop, agreeing["owner"])


def _agree(stage: Stage, agreeing: dict[str, Person], payout: dict[str, Any]) -> None:
    """Let the chain sign; whoever comes last of two tries before their turn."""
    chain = [agreeing[role] for role in payout["chain"]]
    if len(chain) > 1:
        shown = chain[-1].get(f"/approvals/{payout['id']}")
        stage.expect(NAME, "legal before the owner", ["not_their_turn"], [each["code"] for each in shown["reasons"]])
    for person in chain:
        person.agree(payout["id"])


def _refusals(stage: Stage, shop: Shop, owner: Person) -> None:
    clerk = hire(stage, shop.merchant_id, "clerk", "赵六", store_id=shop.store_id)
    above = clerk.post("/payouts:check", shop.wish(500_001))
    stage.expect(NAME, "a clerk, one fen above 5,000 yuan", ["above_tier"], [each["code"] for each in above["reasons"]])
    owner.prove()
    own = owner.ask_payout(shop.wish(100_000))
    shown = owner.get(f"/approvals/{own['id']}")
    stage.expect(NAME, "the owner's own request", ["own_request"], [each["code"] for each in shown["reasons"]])
    stage.expect(NAME, "called off", "cancelled", owner.post(f"/payouts/{own['id']}:cancel")["state"])
