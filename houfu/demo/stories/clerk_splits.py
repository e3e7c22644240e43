"""The clerk who splits: 4 × 1,499 within an hour, then over two accounts, two stores and across midnight (P9)."""

from houfu.demo.people import Person, hire
from houfu.demo.stage import Shop, Stage

NAME = "The clerk who splits"
PIECE_FEN = 149_900
IDENTITY = "330106199001011234"


def play(stage: Stage) -> None:
    """Play the story; it takes two days of business time from where the clock stands, then a week between its parts."""
    shop = stage.open_shop("广州某某数码有限公司", "91440101MA5CQ7YH8L", limit_fen=5_000_000, stores=2)
    stage.earn(shop, 4_000_000)
    clerk = hire(stage, shop.merchant_id, "clerk", "孙七", store_id=shop.store_id, identity=IDENTITY)
    officer = hire(stage, shop.merchant_id, "risk_officer", "沈洁")
    supervisor = hire(stage, shop.merchant_id, "supervisor", "吴刚")
    _within_an_hour(stage, shop, clerk, officer, supervisor)
    stage.move(days=7)
    second = hire(stage, shop.merchant_id, "clerk", "孙七七", store_id=shop.stores[1], identity=IDENTITY.lower())
    _judged_as_one(stage, shop, "two accounts and two stores of one person", clerk, second)
    stage.move(days=7)
    _judged_as_one(stage, shop, "across midnight", clerk, clerk, hours=20)


def _within_an_hour(stage: Stage, shop: Shop, clerk: Person, officer: Person, supervisor: Person) -> None:
    pieces = []
    for _ in range(4):
        pieces.append(clerk.ask_payout(shop.wish(PIECE_FEN)))
        stage.move(minutes=15)
    stage.expect(NAME, "the first three go", ["scheduled"] * 3, [piece["state"] for piece in pieces[:3]])
    held = pieces[3]
    stage.expect(NAME, "the fourth is judged as, fen", 4 * PIECE_FEN, held["aggregated_fen"])
    stage.expect(NAME, "and needs", ["supervisor"], held["chain"])
    stage.expect(NAME, "the clerk is told", "frequency", held["hold_class"])
    status, _ = clerk.ask("GET", f"/payouts/{held['id']}/joined")
    stage.expect(NAME, "the clerk asks which were joined", 403, status)
    joined = {each["joined_id"] for each in officer.get(f"/payouts/{held['id']}/joined")}
    stage.expect(NAME, "compliance sees the three", True, joined == {piece["id"] for piece in pieces[:3]})
    supervisor.agree(held["id"])
    stage.until("it is held", lambda: shop.state(held["id"]) == "risk_hold", passing=1)
    case = next(each for each in officer.get("/risk/cases")["items"] if each["subject"] == f"payout/{held['id']}")
    officer.post(f"/risk/cases/{case['id']}:investigate")
    officer.post(f"/risk/cases/{case['id']}:decide", {"outcome": "report", "note": "四笔合为一笔，超出权限"})
    stage.until("it ends", lambda: shop.state(held["id"]) == "rejected", passing=1)
    three = pieces[:3]
    stage.until("the three are paid", lambda: all(shop.state(each["id"]) == "paid" for each in three), passing=1)
    stage.expect(NAME, "set aside for it afterwards, fen", 0, shop.balance("claim:reserved"))


def _judged_as_one(stage: Stage, shop: Shop, how: str, first: Person, second: Person, hours: float = 0) -> None:
    """Let 3,000 and then 2,001 be asked for, and see the second held."""
    one = first.ask_payout(shop.wish(300_000))
    stage.move(hours=hours)
    store_id = shop.stores[1] if second is not first else shop.store_id
    other = second.ask_payout(shop.wish(200_001, store_id))
    stage.expect(NAME, how, (500_001, "frequency"), (other["aggregated_fen"], other["hold_class"]))
    for payout, asker in ((one, first), (other, second)):
        if shop.state(payout["id"]) in ("scheduled", "pending_approval"):
            asker.ask("POST", f"/payouts/{payout['id']}:cancel")
