"""The calendar: Spring Festival 2026 with its make-up workdays: manual window, runs moved, promises in workdays."""

from datetime import datetime

from houfu.demo.people import hire
from houfu.demo.stage import Shop, Stage
from houfu.kernel.clock import shanghai

NAME = "The calendar"
BEGINS = shanghai(2026, 2, 11, 10)
ALONE = True  # other stories' clocks need not come as far
WINDOWS = (  # when somebody looks, and when a payout would be sent
    ((2026, 2, 14, 10), None),  # a Saturday that is worked
    ((2026, 2, 14, 20, 59, 59), None),
    ((2026, 2, 14, 21), (2026, 2, 24, 9)),  # then nine days of holidays
    ((2026, 2, 16, 10), (2026, 2, 24, 9)),
    ((2026, 2, 24, 8, 59, 59), (2026, 2, 24, 9)),
    ((2026, 2, 24, 9), None),
    ((2026, 2, 28, 10), None),  # a Saturday that is worked
    ((2026, 3, 1, 10), (2026, 3, 2, 9)),  # a Sunday as the week has it
)
RUNS = [  # the days of automatic runs, and which Wednesdays and Fridays they stand for
    ("2026-02-13", ["2026-02-13"]),
    ("2026-02-24", ["2026-02-18", "2026-02-20"]),
    ("2026-02-25", ["2026-02-25"]),
    ("2026-02-27", ["2026-02-27"]),
]


def play(stage: Stage) -> None:
    """Play the story over the holidays: business time moves from the Wednesday before to the Tuesday after."""
    shop = stage.open_shop("成都某某食品有限公司", "91510107MA6C9KQD3Q", limit_fen=5_000_000)
    for at, opens in WINDOWS:
        found = shop.api.get(f"/payout-window?at={_written(shanghai(*at))}")
        said = datetime.fromisoformat(found["opens_at"]) if found["opens_at"] and not found["open"] else None
        _expect(stage, f"sent when asked for at {shanghai(*at):%m-%d %H:%M:%S}", opens and shanghai(*opens), said)
    runs = shop.api.get("/payout-run-days?first=2026-02-13&last=2026-02-28")
    _expect(stage, "automatic runs, and what they stand for", RUNS, [(run["day"], run["nominal"]) for run in runs])
    stage.earn(shop, 900_000)
    _over_the_holidays(stage, shop)


def _expect(stage: Stage, what: str, expected: object, found: object) -> None:
    stage.expect(NAME, what, expected, found)


def _over_the_holidays(stage: Stage, shop: Shop) -> None:
    """A payout that was asked for too late, and a store that is paid out by itself."""
    clerk = hire(stage, shop.merchant_id, "clerk", "李雷", store_id=shop.store_id)
    owner = hire(stage, shop.merchant_id, "owner", "王芳")
    stage.clock.set(shanghai(2026, 2, 14, 21))
    standing = {"beneficiary_id": shop.beneficiary_id, "purpose": "goods_settlement"}
    status, _ = owner.ask("PUT", f"/stores/{shop.store_id}/standing-order", standing)
    _expect(stage, "a standing order", 200, status)
    late = clerk.ask_payout(shop.wish(300_000))
    due = (datetime.fromisoformat(late["due_at"]), datetime.fromisoformat(late["arrives_by"]))
    _expect(stage, "asked for at nine on the last evening", (shanghai(2026, 2, 24, 9), shanghai(2026, 2, 24, 11)), due)
    stage.clock.set(shanghai(2026, 2, 20, 10))
    _expect(stage, "on the Friday of the holidays", ("scheduled", []), (shop.state(late["id"]), shop.api.get("/runs")))
    stage.clock.set(shanghai(2026, 2, 24, 9))
    stage.until("it is paid", lambda: shop.state(late["id"]) == "paid", passing=1)
    stage.clock.set(shanghai(2026, 2, 24, 10))
    runs = stage.until("the moved run comes", lambda: shop.api.get("/runs"), passing=1)
    _expect(stage, "one run for two days", ["2026-02-24"], [run["run_day"] for run in runs])
    swept = shop.api.get(f"/payouts/{runs[0]['payout_id']}")
    arrives = datetime.fromisoformat(swept["arrives_by"])
    _expect(stage, "promised by the end of the third workday, the 27th", shanghai(2026, 2, 28), arrives)
    stage.until("it is paid, too", lambda: shop.state(swept["id"]) == "paid", passing=1)
    fees = (late["fee_fen"], swept["fee_fen"])
    expected = (2_400, (2 * swept["amount_fen"] * 6 + 1_000) // 2_000)
    _expect(stage, "fees: 0.8 % by hand, 0.6 % half-up by the run, fen", expected, fees)


def _written(at: datetime) -> str:
    return at.isoformat().replace("+", "%2B")
