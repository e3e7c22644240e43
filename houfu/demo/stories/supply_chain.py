"""Supply chain: supplier and carrier get their parts of an order and give some back; a partner sees the limit (L8)."""

from typing import Any
from uuid import uuid4

from houfu.demo.people import Person, hire
from houfu.demo.stage import Shop, Stage, StoryStuck

NAME = "Supply chain"
ORDER_FEN = 1_000_000
SUPPLIER_PERMILLE, CARRIER_FEN = 600, 15_000
REFUND_FEN = 100_000
YEAR = {"valid_from": "2025-01-01", "valid_until": "2026-12-31"}


def play(stage: Stage) -> None:
    """Play the story in a shop of its own; business time moves on by three days."""
    shop = stage.open_shop("宁波某某家纺有限公司", "91330206MA2AH0XX2T", limit_fen=5_000_000, maturity_days=None)
    owner = hire(stage, shop.merchant_id, "owner", "周敏")
    play_splits(stage, shop, owner, hire(stage, shop.merchant_id, "legal", "陆律"))


def play_splits(stage: Stage, shop: Shop, owner: Person, legal: Person, story: str = NAME) -> None:
    """Let orders of a shop's first store be divided, one part be given back, and a partner look on; two days go by.

    Args:
        shop: its first store has a limit of 10,000 yuan at least that no order uses.
        story: under which name the figures stand.
    """
    account_id = shop.api.get("/channel-accounts")[0]["id"]
    supplier, carrier = (
        _party(stage, shop, owner, legal, relation, purpose, account_id)
        for relation, purpose in (("supplier", "supplier_payment"), ("carrier", "freight"))
    )
    _rule(stage, shop, story, owner, legal, supplier, carrier)
    _partner(stage, shop, story, owner, supplier)
    # At the terminal: the platform's own key is not let in to see who a merchant's parties are.
    stage.command(
        "split", "agree-logistics", str(shop.merchant_id), str(carrier), "--account", str(account_id),
        "--document", "物流协议 WL-2025-11", "--from", YEAR["valid_from"], "--until", YEAR["valid_until"],
        "--as", "han", "--json",
    )  # fmt: skip
    order_id = f"SC-{shop.merchant_id}-{uuid4().hex[:6]}"
    _divide(stage, shop, story, order_id)
    _give_back(stage, shop, story, order_id)


def _party(stage: Stage, shop: Shop, owner: Person, legal: Person, relation: str, purpose: str, account_id: int) -> int:
    """Have a party registered by one person, confirmed by another and bound by the channel, and return it."""
    owner.prove()
    contract = {"contract": f"HT-{relation}", **YEAR}
    said = {"relation": relation, "kind": "alipay", "purpose_class": purpose, "holder": f"某某{relation}", **contract}
    party: int = owner.post("/parties", {**said, "account": f"{relation}-{shop.merchant_id}@chain.example"})["id"]
    _sign(legal, f"party/{party}")
    path = f"/parties/{party}"
    stage.until("the party is confirmed", lambda: owner.get(path)["state"] == "confirmed", passing=1)
    owner.post(f"{path}/bindings", {"channel_account_id": account_id})
    stage.until("the channel binds it", lambda: owner.get(path)["bindings"][0]["state"] == "bound", passing=1)
    return party


def _sign(legal: Person, subject: str) -> None:
    request = next(each for each in legal.get("/approvals/inbox")["items"] if each["subject"] == subject)
    legal.agree(request["id"])


def _rule(stage: Stage, shop: Shop, story: str, owner: Person, legal: Person, supplier: int, carrier: int) -> None:
    """Ask for too much, then for what is within the policy's cap and the channel's, to which another person agrees."""
    path = f"/stores/{shop.store_id}/split-rules"
    fixed = {"party_id": carrier, "fixed_fen": CARRIER_FEN}
    stage.until("the channel says its cap", lambda: _ask(owner, path, [{"party_id": supplier, "permille": 901}]) ==
                ["beyond_policy_cap", "beyond_channel_cap"], passing=1)  # fmt: skip
    stage.expect(story, "901 ‰ of an order", ["beyond_policy_cap", "beyond_channel_cap"],
                 _ask(owner, path, [{"party_id": supplier, "permille": 901}]))  # fmt: skip
    owner.prove()
    rule = owner.post(path, {"shares": [{"party_id": supplier, "permille": SUPPLIER_PERMILLE}, fixed]})
    _sign(legal, f"split_rule/{rule['id']}")
    stage.until("the rule holds", lambda: owner.get(path)[0]["state"] == "approved", passing=1)


def _ask(owner: Person, path: str, shares: list[dict[str, Any]]) -> list[str]:
    """Return every reason against a rule."""
    owner.prove()
    _, said = owner.ask("POST", path, {"shares": shares})
    return [reason["code"] for reason in said["reasons"]]


def _partner(stage: Stage, shop: Shop, story: str, owner: Person, supplier: int) -> None:
    """Let the supplier read the store's limit with a key of its own, and nothing else."""
    owner.prove()
    token = owner.post(f"/parties/{supplier}/keys", {"name": "mill", "store_ids": [shop.store_id]})["token"]
    api = stage.with_key(token)
    seen = api.get(f"/stores/{shop.store_id}/limit")["own_free_fen"]
    stage.expect(story, "the supplier sees the free limit, fen", shop.limit()["own_free_fen"], seen)
    refused = [api.ask("GET", path)[0] for path in ("/orders", "/payouts", "/balances", "/people/me", "/loans")]
    stage.expect(story, "and nothing else", [403] * 5, refused)


def _divide(stage: Stage, shop: Shop, story: str, order_id: str) -> None:
    """An order is received and credited; the parties get their parts, and the rest matures at T+1."""
    before = shop.balance("claim:matured")
    shop.api.post("/orders", {"id": order_id, "store_id": shop.store_id, "amount_fen": ORDER_FEN})
    for kind in ("shipped", "received"):
        shop.api.post("/orders/events:batch", {"events": [{"kind": kind, "order_id": order_id}]})
    stage.move(days=1)
    stage.until("it is divided", lambda: shop.api.get(f"/splits/{order_id}"))
    done = stage.until("the parties are paid", lambda: _done(shop, order_id), passing=1)
    net = ORDER_FEN - (2 * ORDER_FEN * 6 + 1000) // 2000
    parts = [part["sent_fen"] for part in done["splits"][0]["parts"]]
    stage.expect(story, "supplier and carrier are paid, fen", [net * SUPPLIER_PERMILLE // 1000, CARRIER_FEN], parts)
    stage.expect(story, "parts and what is kept are the net", net, sum(parts) + done["kept_fen"])
    stage.expect(story, "within 90 % of the net", True, done["split_fen"] * 1000 <= net * 900)
    stage.move(days=1)
    stage.until("the rest matures at T+1", lambda: shop.balance("claim:matured") > before)
    stage.expect(story, "the store's own, fen", done["kept_fen"], shop.balance("claim:matured") - before)


def _done(shop: Shop, order_id: str) -> Any:
    found = shop.api.get(f"/splits/{order_id}")
    return found if [call["state"] for call in found["splits"]] == ["done"] else None


def _give_back(stage: Stage, shop: Shop, story: str, order_id: str) -> None:
    """A tenth is refunded: each party gives back what falls on it."""
    event = {"kind": "refunded", "order_id": order_id, "ref": "R1", "amount_fen": REFUND_FEN}
    outcome = shop.api.post("/orders/events:batch", {"events": [event]})
    if outcome[0]["outcome"] != "done":
        raise StoryStuck(said=outcome)
    stage.until("the parts come back", lambda: _returned(shop, order_id), passing=1)
    found = shop.api.get(f"/splits/{order_id}")
    expected = found["split_fen"] * REFUND_FEN // ORDER_FEN
    stage.expect(story, "parties give back of 1,000 yuan refunded, fen", expected,
                 sum(back["amount_fen"] for back in found["returns"]))  # fmt: skip
    stage.expect(story, "still to come back, fen", 0, shop.balance("recall"))


def _returned(shop: Shop, order_id: str) -> bool:
    backs = shop.api.get(f"/splits/{order_id}")["returns"]
    return bool(backs) and all(back["state"] == "returned" for back in backs)
