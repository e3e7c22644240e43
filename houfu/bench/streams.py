"""The door's other ways in: lines of a stream over HTTP, and callers in the process that decides."""

import asyncio
import gc
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import uvloop

from houfu.bench import scene
from houfu.bench.callers import WARM_UP
from houfu.bench.scene import Place
from houfu.orders import actions as orders
from houfu.orders.intake.coalesce import Coalescer

LINES = 1000  # of a request
STREAMS = 8  # at the same time


def lines(port: int, places: list[Place], tokens: dict[int, str], seconds: int) -> dict[str, Any]:
    """Send streams of lines for as long as told, each when its last one is answered; in a process of its own.

    Returns:
        As `callers.load`; a lap is that of a whole request.
    """
    return asyncio.run(_streams(port, places, tokens, seconds))


async def _streams(port: int, places: list[Place], tokens: dict[int, str], seconds: int) -> dict[str, Any]:
    merchants = sorted({place.merchant_id for place in places})
    stores = {m: [place.store_id for place in places if place.merchant_id == m] for m in merchants}
    begins = time.perf_counter() + WARM_UP * seconds
    ends = begins + seconds
    answers: Counter[str] = Counter()
    each_second: Counter[int] = Counter()
    laps: list[float] = []

    async def stream(no: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        sent = 0
        while time.perf_counter() < ends:
            merchant_id = merchants[(no + sent) % len(merchants)]
            body = _body(f"line-{no}-{sent}", stores[merchant_id])
            began = time.perf_counter()
            writer.write(_head(port, tokens[merchant_id], len(body)) + body)
            said = await _answer(reader)
            now = time.perf_counter()
            sent += 1
            if begins <= now < ends:
                answers["authorised" if said == LINES else "other"] += LINES
                each_second[int(now - begins)] += said
                laps.append(now - began)
        writer.close()

    await asyncio.gather(*(stream(no) for no in range(STREAMS)))
    return {
        "answers": dict(answers), "declined": answers["other"], "lost": 0, "laps": laps,
        "seconds": [each_second[second] for second in range(seconds)],
    }  # fmt: skip


def _body(label: str, stores: Sequence[int]) -> bytes:
    made = (
        {"id": f"{label}-{n}", "store_id": stores[n % len(stores)], "amount_fen": 1 + n % 20, "buyer": f"buyer{n}"}
        for n in range(LINES)
    )
    return b"".join(json.dumps(each).encode() + b"\n" for each in made)


def _head(port: int, token: str, length: int) -> bytes:
    return (
        f"POST /v1/orders:batch HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/x-ndjson\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


async def _answer(reader: asyncio.StreamReader) -> int:
    """Read an answer that comes in chunks to its end, and return how many orders in it were taken."""
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    taken = 0
    while size := int(await reader.readuntil(b"\r\n"), 16):
        taken += (await reader.readexactly(size + 2)).count(b'"authorised"')
    await reader.readexactly(2)
    return taken


def calls(places: list[Place], callers: int, seconds: int) -> dict[str, Any]:
    """Let callers in this process ask for one order after another, coalesced as at the door.

    As there, the loop is uvloop's and the collector leaves alone what was there before.
    """
    gc.freeze()
    return uvloop.run(_calls(places, callers, seconds))


async def _calls(places: list[Place], callers: int, seconds: int) -> dict[str, Any]:
    coalescer = Coalescer(lambda asked: orders.decide(asked=asked))
    load: Iterator[orders.Asked] = scene.load(places, "call", 1_000_000_000)
    begins = time.perf_counter() + WARM_UP * seconds
    ends = begins + seconds
    laps: list[float] = []
    answered: list[float] = []
    declined = 0

    async def call() -> None:
        nonlocal declined
        began = time.perf_counter()
        while began < ends:
            decision = await coalescer.ask(next(load))
            now = time.perf_counter()
            if begins <= now < ends:
                laps.append(now - began)
                answered.append(now)
                if decision.state != "authorised":
                    declined += 1
            began = now

    await asyncio.gather(*(call() for _ in range(callers)))
    await coalescer.close()
    each_second = Counter(int(now - begins) for now in answered)
    return {
        "declined": declined, "laps": laps, "seconds": [each_second[second] for second in range(seconds)],
    }  # fmt: skip
