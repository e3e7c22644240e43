"""Fresh food: a dynamic pool that follows the clock and the weather, and whose kitchen pays its suppliers by splits."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from houfu.demo.people import Person, hire
from houfu.demo.pools import agree, draw_up, grant, sign
from houfu.demo.stage import Shop, Stage
from houfu.demo.stories.supply_chain import play_splits
from houfu.kernel.clock import SHANGHAI, business_day, shanghai
from houfu.testing.weather import Sky, running_sky

NAME = "Fresh-food dynamic pool"
PLACE = "30.27,120.16"
OWN = 1_000_000  # of each store, in fen
HOLDS = 80_000_000
ORDER = 200_000
STORES = 6


def play(stage: Stage) -> None:
    """Play the story: orders that are divided, then a rainy day at six stores, and the day after."""
    stage.clock.set(_next(stage, 4))
    with running_sky(stage.clock.now()) as (sky, url):
        entry = {"adapter": "open-meteo", "url": url, "timeout_seconds": 2}
        lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in entry.items())
        with (stage.home / "channels.toml").open("a") as file:
            file.write(f"\n[weather]\n{lines}")
        shop = stage.open_shop(
            "杭州某某生鲜有限公司", "91330108MA2GYH7T3L", limit_fen=OWN, stores=STORES + 1, maturity_days=None
        )
        owner = hire(stage, shop.merchant_id, "owner", "孙丽")
        legal = hire(stage, shop.merchant_id, "legal", "陆律")
        # The kitchen sells for itself; its agreement with a carrier lets the money of all mature at T+1.
        play_splits(stage, replace(shop, stores=shop.stores[STORES:]), owner, legal, NAME)
        stage.clock.set(_next(stage, 4))
        pool_id = _open(stage, shop, owner)
        _settings(stage, shop, pool_id, owner)
        taken = _morning(stage, shop, pool_id)
        taken += _rain(stage, shop, pool_id, sky)
        _file(stage, shop, pool_id, legal)
        _silence(stage, shop, pool_id, sky)
        _next_day(stage, shop, pool_id, taken)


def _expect(stage: Stage, what: str, expected: object, found: object) -> None:
    stage.expect(NAME, what, expected, found)


def _next(stage: Stage, hour: int, minute: int = 0) -> datetime:
    """Return the next instant at which clocks in Shanghai show so much."""
    now = stage.clock.now().astimezone(SHANGHAI)
    found = shanghai(now.year, now.month, now.day, hour, minute)
    return found if found > now else found + timedelta(days=1)


def _open(stage: Stage, shop: Shop, owner: Person) -> int:
    """Let six stores with little limit of their own share a pool of 800,000 yuan."""
    pool_id = draw_up(shop, "生鲜", shop.stores[:STORES], share=9)
    sign(stage, shop, owner, pool_id)
    grant(stage, shop, pool_id, HOLDS)
    return pool_id


def _settings(stage: Stage, shop: Shop, pool_id: int, owner: Person) -> None:
    """Before dawn: the pool is made dynamic, with the policy's base, floating part and bands; a road is closed."""
    said = shop.api.put(f"/pools/{pool_id}/dynamic", {"auto_fen": 5_000_000, "place": PLACE})
    amounts = (said["base_fen"] // 100, said["floating_fen"] // 100)
    _expect(stage, "base and floating part, yuan", (500_000, 300_000), amounts)
    table = shop.api.post(f"/pools/{pool_id}/bands", {"reason": "早晚市"})
    _expect(stage, "a key may not accept", 403, shop.api.ask("POST", f"/bands/{table['id']}:accept")[0])
    bands = owner.post(f"/bands/{table['id']}:accept")["bands"]
    _expect(stage, "bands, yuan", [80_000, 200_000], [band["limit_fen"] // 100 for band in bands])
    now = stage.clock.now()
    less = {
        "amount_fen": -10_000_000, "valid_from": now.isoformat(),
        "valid_until": (now + timedelta(hours=20)).isoformat(), "reason": "绕城高速封闭",
    }  # fmt: skip
    made = shop.api.post(f"/pools/{pool_id}/adjustments", less)
    accepted = owner.post(f"/adjustments/{made['id']}:accept")
    _expect(stage, "100,000 less while a road is closed", ("proposed", "accepted"), (made["state"], accepted["state"]))


def _send(stage: Stage, shop: Shop, count: int, name: str) -> list[str]:
    """Ask for so many orders, one store after another, and return those that were taken."""
    orders = [{"id": f"{name}-{n:03d}", "store_id": shop.stores[n % STORES], "amount_fen": ORDER} for n in range(count)]
    decided = shop.api.post("/orders:batch", {"orders": orders})
    return [each["id"] for each in decided if each["state"] == "authorised"]


def _now(shop: Shop, pool_id: int) -> dict[str, Any]:
    found: dict[str, Any] = shop.api.get(f"/pools/{pool_id}/dynamic")
    return found


def _made(stage: Stage, shop: Shop, pool_id: int) -> dict[str, Any]:
    """Return what the schedule says of the half hour that it is now."""
    now = stage.clock.now().astimezone(SHANGHAI)
    found = shop.api.get(f"/pools/{pool_id}/schedule?day={business_day(now)}")
    half_hour: dict[str, Any] = found[now.hour * 2 + now.minute // 30]
    return half_hour


def _morning(stage: Stage, shop: Shop, pool_id: int) -> list[str]:
    """Six o'clock: the morning market has 80,000 of the pool, beside what the stores have themselves."""
    stage.clock.set(_next(stage, 6))
    taken = _send(stage, shop, 75, "DAWN")
    _expect(stage, "75 orders of 2,000 at dawn: own 60,000 and 80,000 of the pool", 70, len(taken))
    _expect(stage, "room at dawn, yuan", 0, _now(shop, pool_id)["room_fen"] // 100)
    return taken


def _rain(stage: Stage, shop: Shop, pool_id: int, sky: Sky) -> list[str]:
    """Half past eleven: it will rain from noon to five; at noon 50,000 more may be used."""
    stage.clock.set(_next(stage, 11, 30))
    _expect(stage, "usable after the morning market, yuan", 400_000, _now(shop, pool_id)["usable_fen"] // 100)
    sky.observed_at = stage.clock.now()
    sky.rains(_next(stage, 12), 2.5, 4.0, 1.2, 0.4, 0.1, 3.0, 3.0, 1.0)
    stage.move(minutes=1)
    stage.until("the worker has looked at the weather", lambda: _rains(shop, pool_id), passing=60)
    stage.clock.set(_next(stage, 12))
    made = _made(stage, shop, pool_id)
    _expect(stage, "adjusted by road and rain, yuan", -50_000, made["adjusted_fen"] // 100)
    _expect(stage, "usable in the rain, yuan", 450_000, _now(shop, pool_id)["usable_fen"] // 100)
    _expect(stage, "the filing gate above it, yuan", 500_000, made["gate_fen"] // 100)
    taken = _send(stage, shop, 190, "NOON")
    _expect(stage, "190 more orders of 2,000: 370,000 of the pool", 185, len(taken))
    return taken


def _file(stage: Stage, shop: Shop, pool_id: int, legal: Person) -> None:
    """The filing is written, reviewed, handed in and accepted; from then on no gate caps the pool."""
    [filing] = [each for each in shop.api.get("/filings")["items"] if each["pool_id"] == pool_id]
    raised = (filing["state"], filing["limit_fen"] // 100, filing["figure_fen"] // 100)
    _expect(stage, "the filing that such a pool needs: state, pool, figure", ("triggered", 800_000, 500_000), raised)
    path = f"/filings/{filing['id']}"
    shop.api.post(f"{path}:draft")
    shop.api.post(f"{path}:review", {"purpose": "雨天与晚市备货", "contact": "孙丽"})
    agree(legal, path[1:].replace("filings", "filing"))
    shop.api.post(f"{path}:submit", {"reference": "BA-2025-112"})
    stage.command("filing", "accept", str(shop.merchant_id), str(filing["id"]), "OK-2025-112", "--as", "han")
    _expect(stage, "the filing is accepted", "accepted", shop.api.get(path)["state"])
    stage.move(minutes=30)
    _expect(stage, "the gate half an hour later", None, _made(stage, shop, pool_id)["gate_fen"])


def _rains(shop: Shop, pool_id: int) -> bool:
    found = shop.api.get(f"/pools/{pool_id}/adjustments")["items"]
    return any(each["kind"] == "weather" and each["state"] == "accepted" for each in found)


def _silence(stage: Stage, shop: Shop, pool_id: int, sky: Sky) -> None:
    """The provider falls silent: six hours after its data the pool falls back, and open orders keep what they have."""
    sky.status = 503
    ends = sky.observed_at + timedelta(hours=6)
    stage.clock.set(ends - timedelta(minutes=40))
    stage.until(
        "the provider is asked in vain", lambda: shop.api.get("/weather")[0]["failure"] == "http_503", passing=10
    )
    made = shop.api.get(f"/pools/{pool_id}/schedule?day={business_day(ends)}")
    half_hour = ends.astimezone(SHANGHAI).hour * 2 + 1
    shown = [each["dynamic_fen"] // 100 for each in made[half_hour - 1 : half_hour + 1]]
    _expect(stage, "base and adjustments before and after the data is too old, yuan", [450_000, 400_000], shown)
    stage.clock.set(ends)
    now = _now(shop, pool_id)
    _expect(stage, "the evening's cap, yuan", 200_000, _made(stage, shop, pool_id)["band_fen"] // 100)
    _expect(stage, "never below what is in use, yuan", 450_000, now["usable_fen"] // 100)
    _expect(stage, "orders taken beyond it", [], _send(stage, shop, 6, "DUSK"))


def _next_day(stage: Stage, shop: Shop, pool_id: int, taken: list[str]) -> None:
    """What was received settles the next day and matures the day after (T+1); the pool is free again."""
    before = shop.balance("claim:matured")
    for kind in ("shipped", "received"):
        shop.api.post("/orders/events:batch", {"events": [{"kind": kind, "order_id": id_} for id_ in taken]})
    stage.move(days=1)
    stage.until("the orders settle", lambda: shop.balance("claim:pending") == 0, passing=1)
    settled_fen = shop.balance("claim:settled")
    fees_fen = len(taken) * ((2 * ORDER * 6 + 1000) // 2000)
    _expect(stage, "settled, less the channel's 0.6 %, fen", len(taken) * ORDER - fees_fen, settled_fen)
    _expect(stage, "in use of the pool, yuan", 0, (HOLDS - _now(shop, pool_id)["free_fen"]) // 100)
    stage.move(days=1)
    stage.until("the money matures", lambda: shop.balance("claim:matured") > before, passing=1)
    _expect(stage, "matured at T+1, by the agreement, fen", settled_fen, shop.balance("claim:matured") - before)
