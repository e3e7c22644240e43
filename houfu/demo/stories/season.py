"""A season to look back on: ten weeks of orders, what they say of days to come, and what another limit had meant."""

import math
import random
from datetime import timedelta

from houfu.demo.stage import Shop, Stage

NAME = "A season to look back on"
DAYS = 70
HOURS = [0.02 + math.exp(-((h - 12) ** 2) / 18) + 1.5 * math.exp(-((h - 20) ** 2) / 8) for h in range(24)]
WEEKDAYS = (0.8, 0.8, 0.9, 1.0, 1.2, 1.7, 1.6)
BATCH = 1000


def play(stage: Stage) -> None:
    """Play the story; business time stands, and the orders lie before it."""
    shop = stage.open_shop("成都某某生鲜有限公司", "91510104MA6A1B2C3J", limit_fen=6_000_000, stores=2)
    for store_id, busy in zip(shop.stores, (1.5, 0.7), strict=True):
        _sell(stage, shop, store_id, busy)
    _look_ahead(stage, shop)
    _suppose(stage, shop)


def _sell(stage: Stage, shop: Shop, store_id: int, busy: float) -> None:
    """Let a store have ten weeks of orders by hours and weekdays, the same in every demo."""
    dice = random.Random(store_id)  # noqa: S311  a story, no secret
    begins = (stage.clock.now() - timedelta(days=DAYS)).replace(hour=16, minute=0, second=0, microsecond=0)
    orders = []
    for hour in range((DAYS - 1) * 24):
        at = begins + timedelta(hours=hour)
        weekday = (at + timedelta(hours=8)).weekday()
        for number in range(_poisson(dice, busy * HOURS[hour % 24] * WEEKDAYS[weekday])):
            placed = at + timedelta(seconds=dice.randint(0, 3599))
            order = {"id": f"S{store_id}-{hour}-{number}", "store_id": store_id, "at": placed.isoformat()}
            orders.append({**order, "amount_fen": dice.randint(3_000, 40_000)})
    for place in range(0, len(orders), BATCH):
        shop.api.post("/orders:batch", {"orders": orders[place : place + BATCH]})


def _poisson(dice: random.Random, mean: float) -> int:
    limit, count, chance = math.exp(-mean), 0, dice.random()
    while chance > limit:
        count += 1
        chance *= dice.random()
    return count


def _look_ahead(stage: Stage, shop: Shop) -> None:
    """The forecast beats repeating the week before, and says what the next days will ask for."""
    tested = stage.command("forecast", "backtest", "--merchant", str(shop.merchant_id), "--json")[0]  # type: ignore[index]
    against = {
        (each["of"], each["grain"]): each["against_naive"]["wape"]
        for each in tested["scores"]
        if each["model"].startswith("profile")
    }
    better = sorted(" by ".join(key) for key, ratio in against.items() if ratio < 1)
    stage.expect(NAME, "misses less than the week before", sorted(" by ".join(key) for key in against), better)
    ahead = shop.api.get("/forecasts?grain=day&hours=72")["periods"]
    stage.expect(NAME, "days ahead, of each store and of both", 3 * 2, len(ahead))
    stage.expect(NAME, "q90 is above the mean", True, all(day["q90_orders"] >= day["mean_orders"] for day in ahead))


def _suppose(stage: Stage, shop: Shop) -> None:
    """With twice the limit fewer orders had been refused, and more had been at risk."""
    change = f"{shop.store_id}=+6000000"
    merchant = str(shop.merchant_id)
    tried = stage.command("limits", "whatif", "--merchant", merchant, "--limit-change", change, "--json")[0]  # type: ignore[index]
    stage.expect(NAME, "every decision comes out again", True, tried["reproduced"])
    then, now = tried["then"], tried["now"]
    stage.expect(NAME, "fewer are refused", True, now["orders_refused"] < then["orders_refused"])
    stage.expect(NAME, "and more is at risk", True, now["peak_exposure_fen"] > then["peak_exposure_fen"])
