"""Five mother-and-baby stores, Shanghai: 150,000 of their own and 300,000 shared at 1 : 2 carry 450,000 (G1–G6)."""

from collections import defaultdict
from typing import Any

from houfu.demo.people import hire
from houfu.demo.pools import draw_up, grant, limit, place, sign
from houfu.demo.stage import Shop, Stage

NAME = "Five mother-and-baby stores"
OWN_FEN = 3_000_000  # 30,000 yuan each, 150,000 in all
GRANT_FEN = 30_000_000
SHARE = 2
BEFORE = (120_000, 180_000, 90_000)  # what the stores sold on their own limits, in fen
AFTER = (1_500_000, 2_500_000, 3_000_000)  # and from the pool, 70,000 yuan with the first 20,000 of their own
ORDER = (2, 0, 4, 1, 3)  # in which the stores come


def play(stage: Stage) -> None:
    """Play the story within an hour of business time from where the clock stands."""
    shop = stage.open_shop("上海某某母婴用品有限公司", "91310104MA1FR4XQ8F", limit_fen=OWN_FEN, stores=5)
    owner = hire(stage, shop.merchant_id, "owner", "王芳")
    before = _sell(shop, "B", BEFORE)
    _cancel(shop, before)
    pool_id = draw_up(shop, "上海五店", shop.stores, share=SHARE)
    declined = place(shop, ("FIVE-EARLY", shop.store_id, OWN_FEN + 1))[0]
    _expect(stage, "an order beyond own limit before the signature", "declined", declined["state"])
    running = sign(stage, shop, owner, pool_id)
    grant(stage, shop, pool_id, GRANT_FEN)
    paper = shop.api.get(f"/pools/{pool_id}/paper")
    _expect(stage, "members that were signed for", 5, len(paper["document"]["members"]))
    _expect(stage, "own : shared", SHARE, running["share"])
    own_fen = sum(limit(shop, store_id)["own_limit_fen"] for store_id in shop.stores)
    _expect(stage, "own limits in all, yuan", 150_000, own_fen // 100)
    _use_all_of_it(stage, shop)
    _aov(stage, shop, before, _sell(shop, "A", AFTER))


def _expect(stage: Stage, what: str, expected: object, found: object) -> None:
    stage.expect(NAME, what, expected, found)


def _use_all_of_it(stage: Stage, shop: Shop) -> None:
    """Use everything up in an order of stores that is nobody's plan, and give it back in another."""
    stores = [shop.stores[place_] for place_ in ORDER]
    full = [(f"FIVE-{store_id}", store_id, OWN_FEN * (1 + SHARE)) for store_id in stores]
    decided = place(shop, *full)
    _expect(stage, "usable in all, yuan", 450_000, sum(_legs(each) for each in decided) // 100)
    _expect(stage, "of which own, pool, yuan", (150_000, 300_000), tuple(
        sum(each[leg] for each in decided) // 100 for leg in ("own_fen", "pool_fen")
    ))  # fmt: skip
    _expect(stage, "free in the pool, fen", 0, shop.balance("q:pool:free"))
    more = place(shop, *((f"MORE-{store_id}", store_id, 1) for store_id in stores))
    _expect(stage, "one fen more in any store", ["declined"] * 5, [each["state"] for each in more])
    sums_fen = set()
    for id_, *_ in full[::2] + full[1::2]:
        _cancel(shop, [id_])
        sums_fen.add(
            sum(shop.balance(f"q:{source}:{phase}") for source in ("own", "pool") for phase in ("free", "held"))
        )
    _expect(stage, "all sources, after each order that is given back, fen", [5 * OWN_FEN + GRANT_FEN], list(sums_fen))
    free = (shop.balance("q:own:free") // 100, shop.balance("q:pool:free") // 100)
    _expect(stage, "back where it came from: own, pool, yuan", (150_000, 300_000), free)


def _legs(decision: dict[str, Any]) -> int:
    return int(decision["own_fen"] + decision["pool_fen"] + decision["temp_fen"] + decision["tolerance_fen"])


def _sell(shop: Shop, label: str, amounts_fen: tuple[int, ...]) -> list[str]:
    wanted = [
        (f"FIVE-{label}-{store_id}-{n}", store_id, fen + 1_000 * n)
        for store_id in shop.stores
        for n, fen in enumerate(amounts_fen)
    ]
    place(shop, *wanted)
    return [id_ for id_, *_ in wanted]


def _cancel(shop: Shop, ids: list[str]) -> None:
    shop.api.post("/orders/events:batch", {"events": [{"kind": "cancelled", "order_id": id_} for id_ in ids]})


def _aov(stage: Stage, shop: Shop, before: list[str], after: list[str]) -> None:
    """Report the average order value of each store before and after, as its orders have it."""
    for store_id in shop.stores:
        found: dict[str, list[int]] = defaultdict(list)
        for each in shop.api.get(f"/orders?store_id={store_id}&limit=500")["items"]:
            label = "before" if each["id"] in before else "after" if each["id"] in after else ""
            found[label].append(each["amount_fen"] if each["state"] != "declined" else 0)
        expected = {
            "before": sum(fen + 1_000 * n for n, fen in enumerate(BEFORE)) // len(BEFORE),
            "after": sum(fen + 1_000 * n for n, fen in enumerate(AFTER)) // len(AFTER),
        }
        averages = {label: sum(found[label]) // len(found[label]) for label in expected}
        _expect(stage, f"average order of store {store_id}, fen", expected, averages)
