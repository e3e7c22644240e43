"""Double-11 clothing store, Hangzhou: a limit that is used up, a loan of limit, and money within three days."""

from datetime import datetime

from houfu.demo.people import hire
from houfu.demo.stage import Shop, Stage
from houfu.kernel.clock import shanghai

NAME = "Double-11 clothing store"
LARGE = (900_000, 950_000, 950_000)  # the three orders of 28,000 yuan in all
SMALL = (4_000,) * 47
LAST = 12_000
AMOUNTS = (*LARGE, *SMALL, LAST)
IDS = [f"D11-{number:03d}" for number in range(len(AMOUNTS))]
LIMIT_FEN = sum(AMOUNTS)  # used up to the fen
BEGINS = shanghai(2025, 11, 10, 9, 30)


def play(stage: Stage) -> None:
    """Play the story; business time moves from Monday morning to Wednesday morning."""
    shop = stage.open_shop("杭州某某服饰有限公司", "91330106MA2H3X8Q5R", limit_fen=LIMIT_FEN + 100_000)
    reductions = f"/merchants/{shop.merchant_id}/stores/{shop.store_id}/reductions"
    stage.root.post(reductions, {"amount_fen": 100_000, "reason": "last year's disputes"})
    _use_the_limit_up(stage, shop)
    _settle(stage, shop)
    _pay_out(stage, shop)


def _expect(stage: Stage, what: str, expected: object, found: object) -> None:
    stage.expect(NAME, what, expected, found)


def _use_the_limit_up(stage: Stage, shop: Shop) -> None:
    """Monday: open orders use the limit up to the fen, and one more is taken on a loan."""
    orders = [{"id": id_, "store_id": shop.store_id, "amount_fen": fen} for id_, fen in zip(IDS, AMOUNTS, strict=True)]
    decided = shop.api.post("/orders:batch", {"orders": orders})
    _expect(stage, "open orders taken", len(orders), sum(each["state"] == "authorised" for each in decided))
    _expect(stage, "free own limit, fen", 0, shop.limit()["own_free_fen"])

    wanted = {"store_id": shop.store_id, "amount_fen": 480_000}
    declined = shop.api.post("/orders", {**wanted, "id": "D11-NEW-1"})
    _expect(stage, "a new order without a loan", ["tolerance_note_missing"], declined["reasons"])
    _, refused = shop.api.ask("POST", f"/stores/{shop.store_id}/loans", {"amount_fen": 500_001})
    _expect(stage, "a loan above 5,000", ["loan_amount"], [reason["code"] for reason in refused["reasons"]])
    shop.api.post(f"/stores/{shop.store_id}/loans", {"amount_fen": 500_000})
    taken = shop.api.post("/orders", {**wanted, "id": "D11-NEW-2"})
    _expect(stage, "the same order on a loan of 5,000, fen", 480_000, taken["temp_fen"])


def _settle(stage: Stage, shop: Shop) -> None:
    """Tuesday: what was received is settled, repays the loan and restores a lot of the reduced limit."""
    repaid = IDS[:50]
    for kind in ("shipped", "received"):
        shop.api.post("/orders/events:batch", {"events": [{"kind": kind, "order_id": id_} for id_ in repaid]})
    stage.move(hours=1)
    stage.clock.set(_day(stage, 1))
    stage.until("the channel's notices are confirmed by queries", lambda: shop.balance("claim:pending") == 0)
    fees_fen = sum((2 * fen * 6 + 1000) // 2000 for fen in AMOUNTS[:50])
    _expect(
        stage, "settled, less the channel's 0.6 %, fen", sum(AMOUNTS[:50]) - fees_fen, shop.balance("claim:settled")
    )
    large = [shop.api.get(f"/orders/{id_}") for id_ in IDS[:3]]
    _expect(
        stage,
        "three settled orders, yuan",
        28_000,
        sum(o["amount_fen"] for o in large if o["state"] == "settled") // 100,
    )
    loan = shop.api.get("/loans")[0]
    _expect(stage, "the loan", "repaid", loan["state"])
    limit = shop.limit()
    _expect(stage, "restored for 50 completed orders, one lot, fen", 50_000, 100_000 - limit["reduced_fen"])
    _expect(stage, "open exposure: the last order and the one on loan, fen", LAST + 480_000, limit["exposure_fen"])


def _pay_out(stage: Stage, shop: Shop) -> None:
    """Wednesday: the money has matured; what coverage allows is paid out, and traces to its receipts."""
    stage.clock.set(_day(stage, 1))
    matured_fen: int = stage.until("Tuesday's money matures", lambda: shop.balance("claim:matured"))
    asked = shop.wish(matured_fen * 2 // 3)
    too_much = shop.api.post("/payouts:check", {**asked, "amount_fen": asked["amount_fen"] + 1})
    _expect(stage, "one fen more", ["cover_too_thin"], [reason["code"] for reason in too_much["reasons"]])
    owner = hire(stage, shop.merchant_id, "owner", "王芳")
    legal = hire(stage, shop.merchant_id, "legal", "陈律")
    finance = hire(stage, shop.merchant_id, "finance", "韩梅梅")
    finance.prove()
    payout = finance.ask_payout(asked)
    _expect(stage, "who must agree", ["owner", "legal"], payout["chain"])
    _expect(stage, "signed by two passkeys", ["open", "approved"], [who.agree(payout["id"]) for who in (owner, legal)])
    paid = stage.until(
        "the payout is paid",
        lambda: [each for each in shop.api.get("/payouts?state=paid")["items"] if each["id"] == payout["id"]],
        passing=1,
    )[0]
    _expect(stage, "fee of 0.8 %, half-up, fen", (2 * payout["amount_fen"] * 8 + 1000) // 2000, paid["fee_fen"])
    trace = shop.api.get(f"/payouts/{payout['id']}/trace")
    _expect(stage, "fen traced to receipts", payout["amount_fen"], sum(lot["amount_fen"] for lot in trace["lots"]))
    _expect(stage, "receipts with evidence", True, all(lot["evidence"] for lot in trace["lots"]))
    days = (datetime.fromisoformat(paid["final_at"]) - BEGINS).total_seconds() / 86400
    _expect(stage, "within three days", True, days <= 3)


def _day(stage: Stage, days: int) -> datetime:
    """Return half past nine, so many days on."""
    now = stage.clock.now().astimezone(BEGINS.tzinfo)
    return shanghai(now.year, now.month, now.day + days, 9, 30)
