"""Limits as they move: what the ledger publishes at each commit, handed to whoever listens (G7)."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import psycopg

from houfu.ledger.actions import Account

log = logging.getLogger("houfu.live")
CHANNEL = "houfu_limits"
GATHER = 0.1  # seconds for which changes gather before they are told
HEARTBEAT = 15.0  # seconds of silence at most
AGAIN = 0.5  # seconds before a database that was lost is tried again


@dataclass(frozen=True)
class News:
    """What a reader is to be told: to look at everything anew, what has changed, or that there is nothing."""

    kind: Literal["snapshot", "limit", "nothing"]
    changed: dict[Account, int] = field(default_factory=dict)


@dataclass(eq=False)
class Reader:
    """Somebody who wants to know of one merchant's limits. Of each account only the latest balance is kept.

    Args:
        gather: seconds for which changes gather before they are told.
        heartbeat: seconds of silence at most.
    """

    merchant_id: int
    gather: float = GATHER
    heartbeat: float = HEARTBEAT
    _changed: dict[Account, int] = field(default_factory=dict)
    _stale: bool = True
    _closed: bool = False
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, account: Account, balance_fen: int) -> None:
        self._changed[account] = balance_fen
        self._woken.set()

    def stale(self) -> None:
        """Something may have been missed: what stands must be read anew."""
        self._stale = True
        self._woken.set()

    def close(self) -> None:
        self._closed = True
        self._woken.set()

    async def news(self) -> AsyncIterator[News]:
        """Yield a snapshot's turn first and whenever something may have been missed, else what has changed."""
        while not self._closed:
            if self._stale:
                self._stale = False
                self._changed.clear()  # the snapshot is read later than all of it was committed
                yield News("snapshot")
            elif self._changed:
                changed, self._changed = self._changed, {}
                yield News("limit", changed)
            else:
                yield News("nothing")
            if not self._closed:
                await asyncio.sleep(self.gather)
            if not (self._stale or self._changed or self._closed):
                self._woken.clear()
                try:
                    async with asyncio.timeout(self.heartbeat):
                        await self._woken.wait()
                except TimeoutError:
                    continue


class Live:
    """Listens to the ledger on a connection of its own, and tells the readers.

    Args:
        conninfo: says where the database is, each time anew.
    """

    def __init__(self, conninfo: Callable[[], str]) -> None:
        self._conninfo = conninfo
        self._readers: dict[int, set[Reader]] = {}
        self._closed = False
        self.listening = asyncio.Event()

    @contextmanager
    def reader(self, merchant_id: int) -> Iterator[Reader]:
        """Have a reader told of a merchant's limits while the block runs."""
        reader = Reader(merchant_id)
        if self._closed:
            reader.close()
        self._readers.setdefault(merchant_id, set()).add(reader)
        try:
            yield reader
        finally:
            self._readers[merchant_id].discard(reader)
            if not self._readers[merchant_id]:
                del self._readers[merchant_id]

    def close(self) -> None:
        """Tell every reader that this is the end."""
        self._closed = True
        for reader in self._all():
            reader.close()

    async def listen(self) -> None:
        """Listen until cancelled; after a lost connection every reader looks at everything anew."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._conninfo(), autocommit=True) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    self.listening.set()
                    for reader in self._all():
                        reader.stale()
                    async for notice in connection.notifies():
                        self.hear(notice.payload)
            except psycopg.OperationalError as error:
                log.warning("limits are not heard of: %s", error)
            self.listening.clear()
            await asyncio.sleep(AGAIN)

    def hear(self, payload: str) -> None:
        """Pass on what the ledger has published: [[merchant_id, kind, owner, balance_fen], …]."""
        for merchant_id, kind, owner, balance_fen in json.loads(payload):
            for reader in self._readers.get(merchant_id, ()):
                reader.tell(Account(kind, owner), balance_fen)

    def _all(self) -> list[Reader]:
        return [reader for readers in self._readers.values() for reader in readers]
