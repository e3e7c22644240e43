"""The door: new orders over HTTP, one a request or a stream of them, coalesced; everything else goes on to the web."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

from houfu.kernel.errors import Refused
from houfu.limits.live import Live
from houfu.orders.intake import feed, forms
from houfu.orders.intake.coalesce import Coalescer, IntakeFailed, IntakeFull
from houfu.orders.intake.forms import BODY_MAX, TooLarge
from houfu.orders.intake.front import Front, Receive, Scope, Send
from houfu.orders.intake.keys import Keys
from houfu.orders.intake.threads import Threads
from houfu.people.actor import Actor

log = logging.getLogger("houfu.intake")
PIECES = 4  # of one stream that are on their way at once; each is what came in one piece, some 64 kB
BREATH = 0.005  # seconds after which a stream that found the queue full tries again
NDJSON = b"application/x-ndjson"
PROBLEM = b"application/problem+json"


class Door:
    """The ASGI application.

    Args:
        coalescer: decides the orders.
        front: takes whatever else is asked.
        live: tells of limits that move.
    """

    def __init__(self, coalescer: Coalescer, front: Front, live: Live) -> None:
        self.coalescer, self.front, self.live = coalescer, front, live
        self.threads = Threads(2, "look")
        self.keys = Keys(self.threads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"nobody speaks {scope['type']} here")
        try:
            await self._serve(scope, receive, send)
        except Refused as refusal:
            await say(send, refusal.status, forms.problem(refusal), PROBLEM, *wait(refusal))

    def refuse_more(self) -> None:
        """Begin to close: take no more orders, end the streams; what waits is decided."""
        self.coalescer.refuse_more()
        self.live.close()

    async def _live(self, receive: Receive, send: Send) -> None:
        listening = None
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                listening = asyncio.create_task(self.live.listen())
                await send({"type": "lifespan.startup.complete"})
            else:
                self.refuse_more()
                await self.coalescer.close()
                await self.front.close()
                if listening:
                    listening.cancel()
                self.threads.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        what = (scope["method"], scope["path"])
        headers = scope["headers"]
        if not _has(headers, b"authorization") and what[0] == "POST":
            what = ("", "")  # whoever comes with a session is looked at by the web process
        if what == ("POST", "/v1/orders") and not scope["query_string"] and not _has(headers, b"idempotency-key"):
            await self._one(scope, receive, send)
        elif what == ("POST", "/v1/orders:batch") and _has(headers, b"content-type", NDJSON):
            await self._many(scope, receive, send)
        elif what == ("GET", "/v1/limits/stream"):
            await feed.serve(self.live, self.keys, self.threads, scope, receive, send)
        else:
            await self.front.forward(scope, receive, send)

    async def _one(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            by = await self.keys.actor(scope)
            asked = forms.read_order(await _body(receive), by)
            status, body = forms.answer(asked, await self.coalescer.ask(asked))
        except Refused:
            raise
        except Exception as error:
            log.exception("an order could not be answered")
            raise IntakeFailed() from error
        await say(send, status, body)

    async def _many(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Decide what comes, piece by piece, and answer in the same order; a line that is refused stops no other.

        Reading goes on while earlier pieces are decided, and pauses when PIECES of them are: memory is bounded.
        """
        by = await self.keys.actor(scope)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", NDJSON)]})
        answers: asyncio.Queue[asyncio.Task[bytes] | None] = asyncio.Queue(PIECES)

        async def read() -> None:
            async for lines in _pieces(receive):
                await answers.put(asyncio.create_task(self._answers(lines, by)))
            await answers.put(None)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(read())
            while answer := await answers.get():
                await send({"type": "http.response.body", "body": await answer, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _answers(self, lines: list[bytes], by: Actor) -> bytes:
        """Decide the orders of some lines and return their answers, a line for each."""
        read: list[Any] = []
        for line in lines:
            try:
                read.append(forms.read_order(line, by))
            except Refused as refusal:
                read.append(refusal)
        asked = [each for each in read if not isinstance(each, Refused)]
        outcomes = iter(await self._decided(asked))
        said = []
        for each in read:
            outcome = each if isinstance(each, Refused) else next(outcomes)
            try:
                if isinstance(outcome, Exception):
                    raise outcome
                said.append(forms.answer(each, outcome)[1])
            except Refused as refusal:
                said.append(forms.problem(refusal))
        said.append(b"")
        return b"\n".join(said)

    async def _decided(self, asked: list[Any]) -> list[Any]:
        """Have orders decided, waiting while the queue is full: the client of a stream is held back meanwhile."""
        while True:
            try:
                return await self.coalescer.ask_all(asked)
            except IntakeFull:
                await asyncio.sleep(BREATH)
            except Refused as refusal:
                return [refusal] * len(asked)


async def _body(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > BODY_MAX:
            raise TooLarge(most=BODY_MAX)
        if not message.get("more_body"):
            return body


async def _pieces(receive: Receive) -> AsyncIterator[list[bytes]]:
    """Yield the lines of a body as they come, empty ones left out; one too long to be an order ends it."""
    rest = b""
    more = True
    while more and len(rest) <= BODY_MAX:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
        *lines, rest = (rest + message.get("body", b"")).split(b"\n")
        if found := [line for line in lines if line.strip()]:
            yield found
    if rest.strip():
        yield [rest]


def _has(headers: list[tuple[bytes, bytes]], wanted: bytes, value: bytes | None = None) -> bool:
    """Say whether a header is there, and if a value is given, whether it is that one, parameters left out."""
    return any(
        name == wanted and (value is None or said.split(b";")[0].strip().lower() == value) for name, said in headers
    )


def wait(refusal: Refused) -> list[tuple[bytes, bytes]]:
    """Return the header that says when to come again, where that is worth it."""
    return [(b"retry-after", b"1")] if refusal.status in (429, 503) else []


async def say(
    send: Send, status: int, body: bytes, kind: bytes = b"application/json", *more: tuple[bytes, bytes]
) -> None:
    """Answer a request whole."""
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
