"""Limits as they move, as server-sent events: what stands first, then what changes."""

import asyncio
from dataclasses import asdict
from typing import Any

from houfu.kernel import db, isolation
from houfu.kernel.errors import Invalid, Refused
from houfu.kernel.http import MerchantKeyNeeded
from houfu.limits import queries
from houfu.limits.live import AGAIN, Live, Reader
from houfu.orders.intake.forms import encode
from houfu.orders.intake.front import Receive, Scope, Send
from houfu.orders.intake.keys import Keys, fresh
from houfu.orders.intake.threads import Threads
from houfu.people.actor import Actor

PATIENCE = 10  # seconds for which a reader may leave what was sent to it unread
HEADERS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]


async def serve(live: Live, keys: Keys, threads: Threads, scope: Scope, receive: Receive, send: Send) -> None:
    """Tell a key's merchant of its limits until the reader goes, or reads too slowly, or its key opens no more.

    Raises:
        Unauthenticated, Forbidden, MerchantKeyNeeded, Invalid: nothing was sent.
    """
    by = await _allowed(keys, scope)
    if scope["query_string"]:
        raise Invalid(fields=[{"field": "query", "said": "this takes none"}])
    assert by.merchant_id is not None
    with live.reader(by.merchant_id) as reader:
        telling = asyncio.create_task(_tell(reader, keys, threads, scope, send))
        going = asyncio.create_task(_gone(receive))
        _, others = await asyncio.wait((telling, going), return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            other.cancel()
        if telling in others:
            return
        if await telling:
            await send({"type": "http.response.body", "body": b""})


async def _allowed(keys: Keys, scope: Scope) -> Actor:
    by = await keys.actor(scope)
    by.require(by.watches)
    if by.merchant_id is None:
        raise MerchantKeyNeeded()
    return by


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _tell(reader: Reader, keys: Keys, threads: Threads, scope: Scope, send: Send) -> bool:
    """Send what the reader is to know as it comes; say whether it still listens at the end.

    Whoever is bound to stores is shown anew what they may see, whenever anything of the merchant's has changed.
    """
    loop = asyncio.get_running_loop()
    started = False
    async for news in reader.news():
        try:
            by = await _allowed(keys, scope)
            if news.kind == "snapshot" or (news.kind == "limit" and by.stores is not None):
                text = _event("snapshot", await loop.run_in_executor(threads, _snapshot, by))
            elif news.kind == "limit":
                changed = [{"account": a.kind, "owner": a.owner, "balance_fen": fen} for a, fen in news.changed.items()]
                text = _event("limit", {"changed": changed})
            else:
                text = b": still here\n\n"
        except db.OutcomeUnknown:
            await asyncio.sleep(AGAIN)  # the database is away; what stands when it is back is told then
            reader.stale()
            continue
        except Refused:
            if not started:
                raise
            return True
        try:
            async with asyncio.timeout(PATIENCE):
                if not started:
                    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
                    started = True
                await send({"type": "http.response.body", "body": text, "more_body": True})
        except TimeoutError:
            return False
    return True


def _snapshot(by: Actor) -> dict[str, Any]:
    assert by.merchant_id is not None
    with isolation.acting(by):
        return asdict(fresh(queries.snapshot, by, by.merchant_id))


def _event(name: str, said: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), encode(said))
