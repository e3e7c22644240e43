"""The lost answer: the channel executes and nobody hears of it; then everything is killed at the worst moment."""

from houfu.demo.people import hire
from houfu.demo.stage import Shop, Stage

NAME = "The lost answer"
LOST = {"name": "ok_then_timeout", "notice": "never"}


def play(stage: Stage) -> None:
    """Play the story; it takes two days of business time from where the clock stands."""

    def expect(what: str, expected: object, found: object) -> None:
        stage.expect(NAME, what, expected, found)

    shop = stage.open_shop("义乌某某百货有限公司", "91330782MA2DB07T1W", limit_fen=5_000_000)
    stage.earn(shop, 900_000)
    clerk = hire(stage, shop.merchant_id, "clerk", "李雷", store_id=shop.store_id)

    stage.channel("PUT", "script", transfers=[LOST])
    first = clerk.ask_payout(shop.wish(100_000))["id"]
    stage.until("the answer is lost", lambda: shop.state(first) == "unknown")
    expect("executed at the channel, unknown to us", (1, "unknown"), (_executed(stage, shop), shop.state(first)))
    expect("its money stays set aside, fen", 100_000, shop.balance("claim:reserved"))
    stage.move(seconds=15)
    stage.until("a query finds it", lambda: shop.state(first) == "paid", passing=1)

    stage.channel("PUT", "script", transfers=[LOST])
    second = clerk.ask_payout(shop.wish(200_000))["id"]
    stage.until("the second is executed", lambda: _executed(stage, shop) == 2)
    stage.kill("worker", "postgres", "web")
    expect("after kill -9 of worker, database and web", "submitting", shop.state(second))
    stage.channel("POST", "release")
    stage.move(seconds=61)
    stage.until("a new worker asks and finds it", lambda: shop.state(second) == "paid", passing=1)
    expect("executions for two payouts", 2, _executed(stage, shop))
    expect("calls that sent a transfer", 2, _calls(stage) - _other_payouts(stage, shop))
    expect("money in transit, fen", 0, shop.balance("cash:transit"))

    stage.move(days=1)
    stage.until("the day's statement is taken in", lambda: _lines(shop) >= 2)
    expect("lines that the books do not explain", 0, len(shop.api.get("/breaks")["items"]))
    balance = stage.channel("GET", "balances")[shop.principal]
    expect("channel's balance and ours, fen", balance, shop.balance("cash:channel"))


def _executed(stage: Stage, shop: Shop) -> int:
    return sum(each["times"] for each in stage.channel("GET", "executions") if each["principal"] == shop.principal)


def _calls(stage: Stage) -> int:
    return int(stage.channel("GET", "calls")["post_transfer"])


def _other_payouts(stage: Stage, shop: Shop) -> int:
    return sum(1 for each in stage.channel("GET", "executions") if each["principal"] != shop.principal)


def _lines(shop: Shop) -> int:
    return sum(day["lines"] for day in shop.api.get("/statements")["items"])
