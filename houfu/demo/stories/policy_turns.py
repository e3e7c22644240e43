"""The policy turns: 2023-09-01 brings the filing of large pools, 2023-11-01 the fee waiver and the look-through."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from houfu.demo.people import Person, hire
from houfu.demo.pools import draw_up, grant, place, sign
from houfu.demo.stage import Shop, Stage
from houfu.kernel.clock import shanghai

NAME = "The policy turns"
BEGINS = shanghai(2023, 8, 31, 10)
ALONE = True  # in a past of its own: no other story's clock stands there
SECOND = timedelta(seconds=1)
FILING, WAIVER = shanghai(2023, 9, 1), shanghai(2023, 11, 1)
LARGE_FEN = 5_000_000
FEE_FEN = LARGE_FEN * 8 // 1000


def play(stage: Stage) -> None:
    """Play the story over both turns, from the last day of August to the first of November 2023."""
    shop = stage.open_shop("杭州某某家居有限公司", "91330108MA2GKXRP8Q", limit_fen=20_000_000)
    owner = hire(stage, shop.merchant_id, "owner", "王芳")
    finance = hire(stage, shop.merchant_id, "finance", "韩梅梅")
    pool_id = draw_up(shop, "杭州", shop.stores, share=3)
    sign(stage, shop, owner, pool_id)
    grant(stage, shop, pool_id, 60_000_000)
    decided = place(shop, ("TURN-1", shop.store_id, 25_000_000))[0]
    _filing(stage, shop, pool_id)
    _expect(stage, "an August order asked for again: its decision", _told(decided), _told(_again(shop)))
    _waiver(stage, shop, finance)


def _expect(stage: Stage, what: str, expected: object, found: object) -> None:
    stage.expect(NAME, what, expected, found)


def _filing(stage: Stage, shop: Shop, pool_id: int) -> None:
    """A pool of 600,000 yuan needs no filing for one second more, and then one."""
    stage.clock.set(FILING - SECOND)
    _expect(stage, "the figure at 23:59:59", None, _in_force(shop, FILING - SECOND)["pools"].get("filing_above_fen"))
    _expect(stage, "filings at 23:59:59", [], shop.api.get("/filings")["items"])
    stage.clock.set(FILING)
    [filing] = stage.until("the filing is raised", lambda: shop.api.get("/filings")["items"])
    _expect(stage, "raised at the turn", FILING, datetime.fromisoformat(filing["triggered_at"]))
    facts = (filing["limit_fen"] // 100, filing["figure_fen"] // 100, filing["policy"])
    _expect(stage, "pool, figure, pack", (600_000, 500_000, "2023-09-01"), facts)
    grant(stage, shop, pool_id, 1_000_000)
    _expect(stage, "filings after another grant", 1, len(shop.api.get("/filings")["items"]))


def _waiver(stage: Stage, shop: Shop, finance: Person) -> None:
    """A payout of 50,000 yuan costs 0.8 % for one second more, and then nothing."""
    shop.api.post("/orders/TURN-1/events", {"kind": "cancelled"})
    stage.clock.set(shanghai(2023, 10, 26, 10))
    stage.earn(shop, 19_000_000)
    stage.clock.set(shanghai(2023, 10, 31, 10))
    finance.prove()
    wish = {**shop.wish(LARGE_FEN), "id": str(uuid4())}
    asked = finance.post("/payouts", wish)
    stage.clock.set(WAIVER - SECOND)
    _expect(stage, "fee of 50,000 yuan at 23:59:59, fen", (FEE_FEN, False), _fee(finance, shop))
    _expect(stage, "look-through at 23:59:59", None, _look_through(shop, WAIVER - SECOND))
    stage.clock.set(WAIVER)
    _expect(stage, "fee of 50,000 yuan a second later, fen", (0, True), _fee(finance, shop))
    turned = {"shared_fen": 200_000_000, "months": 3}
    _expect(stage, "look-through a second later", turned, _look_through(shop, WAIVER))
    finance.prove()
    again = finance.post("/payouts", wish)
    old = (FEE_FEN, "2023-09-01")
    _expect(stage, "October's payout asked for again: fee, pack", old, (again["fee_fen"], again["policy"]))
    _expect(stage, "and it is the same payout", asked["requested_at"], again["requested_at"])
    _expect(stage, "October's figures, asked for in November", None, _look_through(shop, WAIVER - SECOND))


def _fee(finance: Person, shop: Shop) -> tuple[int, bool]:
    quote = finance.post("/payouts:quote", shop.wish(LARGE_FEN))
    return quote["fee_fen"], quote["fee_waived"]


def _in_force(shop: Shop, at: datetime) -> dict[str, Any]:
    found: dict[str, Any] = shop.api.get(f"/policies/in-force?at={at.isoformat().replace('+', '%2B')}")
    return found


def _look_through(shop: Shop, at: datetime) -> Any:
    return _in_force(shop, at)["compliance"].get("look_through")


def _again(shop: Shop) -> dict[str, Any]:
    return place(shop, ("TURN-1", shop.store_id, 25_000_000))[0]


def _told(decision: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in decision.items() if name != "repeated"}
