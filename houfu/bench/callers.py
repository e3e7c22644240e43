"""Callers over HTTP: each keeps its connection and sends its next order when the last one is answered."""

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from houfu.bench.scene import Place

WARM_UP = 0.1  # of the time: what is answered in it is not counted
PAUSE = 0.01  # seconds before a caller tries again that was not let in


@dataclass
class Tally:
    """What callers were answered: by status, by second, and how long it took."""

    begins: float
    ends: float
    answers: Counter[int] = field(default_factory=Counter)
    laps: list[float] = field(default_factory=list)
    seconds: Counter[int] = field(default_factory=Counter)
    declined: int = 0
    lost: int = 0

    def note(self, status: int, body: bytes, began: float, ended: float) -> None:
        """Count an answer, if it falls into the time that counts."""
        if not self.begins <= ended < self.ends:
            return
        self.answers[status] += 1
        if status < 300:
            self.declined += b'"authorised"' not in body
            self.laps.append(ended - began)
            self.seconds[int(ended - self.begins)] += 1


class Caller(asyncio.Protocol):
    """One connection and the request that is out on it.

    Args:
        requests: makes the bytes of the next request.
    """

    def __init__(self, requests: "Requests", tally: Tally) -> None:
        self._requests = requests
        self._tally = tally
        self._got = b""
        self.gone = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, found, body = self._got.partition(b"\r\n\r\n")
        if not found or not _whole(head, body):
            return
        self._got = b""
        now = time.perf_counter()
        status = int(head[9:12])
        self._tally.note(status, body, self._began, now)
        if now >= self._tally.ends:
            self._transport.close()
        elif status < 300:
            self._send()
        else:
            asyncio.get_running_loop().call_later(PAUSE, self._send)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.gone.done():
            self.gone.set_result(None)

    def _send(self) -> None:
        if not self._transport.is_closing():
            self._began = time.perf_counter()
            self._transport.write(self._requests.next())


def _whole(head: bytes, body: bytes) -> bool:
    """Say whether the body of an answer is here to its end."""
    head = head.lower()
    _, found, rest = head.partition(b"content-length:")
    if found:
        return len(body) >= int(rest.partition(b"\r\n")[0])
    assert b"chunked" in head, "an answer says where it ends"
    return body.endswith(b"0\r\n\r\n")


class Requests:
    """Orders of 1 to 20 fen over all places, as requests, each with an id of its own."""

    def __init__(self, port: int, places: list[Place], tokens: dict[int, str]) -> None:
        self._places = [
            (
                f"POST /v1/orders HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                f"Authorization: Bearer {tokens[p.merchant_id]}\r\n"
                "Content-Type: application/json\r\nContent-Length: ".encode(),
                p.store_id,
            )
            for p in places
        ]
        self._number = 0

    def next(self) -> bytes:
        self._number += 1
        head, store_id = self._places[self._number % len(self._places)]
        body = json.dumps(
            {
                "id": f"http-{self._number:09d}",
                "store_id": store_id,
                "amount_fen": 1 + self._number % 20,
                "buyer": f"buyer{self._number % 9973}",
            }
        ).encode()
        return b"%b%d\r\n\r\n%b" % (head, len(body), body)


async def _call(port: int, requests: Requests, tally: Tally) -> None:
    """Be one caller until the time is over; one that is cut off comes again."""
    loop = asyncio.get_running_loop()
    while time.perf_counter() < tally.ends:
        try:
            transport, caller = await loop.create_connection(lambda: Caller(requests, tally), "127.0.0.1", port)
        except OSError:
            tally.lost += 1
            await asyncio.sleep(PAUSE)
            continue
        try:
            await asyncio.wait_for(asyncio.shield(caller.gone), tally.ends - time.perf_counter() + 10)
        except TimeoutError:
            transport.abort()
        if time.perf_counter() < tally.ends:
            tally.lost += 1


async def _all(port: int, requests: Requests, callers: int, seconds: int) -> Tally:
    """Let callers begin together once the first request of all, a cold one, was answered."""
    first = Tally(0, 0)
    _, caller = await asyncio.get_running_loop().create_connection(lambda: Caller(requests, first), "127.0.0.1", port)
    await caller.gone
    now = time.perf_counter()
    tally = Tally(now + WARM_UP * seconds, now + (1 + WARM_UP) * seconds)
    await asyncio.gather(*(_call(port, requests, tally) for _ in range(callers)))
    return tally


def load(port: int, places: list[Place], tokens: dict[int, str], callers: int, seconds: int) -> dict[str, Any]:
    """Call for as long as told and return what came of it; in a process of its own."""
    tally = asyncio.run(_all(port, Requests(port, places, tokens), callers, seconds))
    return {
        "answers": {str(status): count for status, count in sorted(tally.answers.items())},
        "declined": tally.declined,
        "lost": tally.lost,
        "laps": tally.laps,
        "seconds": [tally.seconds[second] for second in range(seconds)],
    }
