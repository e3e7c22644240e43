"""The demo lives on while somebody watches: business time runs, orders come in, goods go out and arrive."""

import random
import threading
from collections import deque

import httpx2

from houfu.demo.stage import Shop, Stage, StoryStuck

BEAT = 1.0  # seconds between two looks
PACE = 20  # seconds of business time that pass in one of ours


def live(stage: Stage, shop: Shop | None, stop: threading.Event) -> None:
    """Let orders of a shop, where there is one, come in, be shipped and be received, until told to stop or the end."""
    dice = random.Random()  # noqa: S311  a story, not a secret
    run = f"{int(stage.clock.now().timestamp()):x}"
    going: deque[tuple[str, str]] = deque()
    number = 0
    while not stop.wait(BEAT) and stage.runs():
        stage.move(seconds=BEAT * PACE)
        try:
            if shop is None:
                continue
            if dice.random() < 0.6:
                number += 1
                id = f"L{run}-{number}"
                order = {
                    "id": id, "store_id": dice.choice(shop.stores), "amount_fen": dice.randint(40, 1_800) * 100 + 90,
                    "buyer": f"buyer-{dice.randint(1, 90):03d}",
                }  # fmt: skip
                if shop.api.post("/orders", order)["state"] == "authorised":
                    going.append(("shipped", id))
            if len(going) > 5:
                kind, id = going.popleft()
                shop.api.post(f"/orders/{id}/events", {"kind": kind})
                if kind == "shipped":
                    going.append(("received", id))
        except (httpx2.HTTPError, StoryStuck):
            continue  # a process is being started again
