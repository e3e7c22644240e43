"""Who asks: API keys looked up in threads, once a second at most."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import Error

from houfu.kernel import db
from houfu.kernel.errors import Unauthenticated
from houfu.orders.intake.threads import Threads
from houfu.people import queries as people
from houfu.people.actor import Actor

P = ParamSpec("P")
R = TypeVar("R")
TRUST = 1.0  # seconds for which a key is not looked up again: as long as a revoked one still opens
REMEMBERED = 10_000


class Keys:
    """What keys open, remembered for a moment by the header that carries them; callers with one key share one look.

    Args:
        threads: where the looks are taken.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._known: dict[bytes, tuple[asyncio.Future[Actor], float]] = {}

    async def actor(self, headers: list[tuple[bytes, bytes]]) -> Actor:
        """Return whose key a request carries.

        Raises:
            Unauthenticated: it carries none that opens anything.
            OutcomeUnknown: the database does not answer now.
        """
        said = [value for name, value in headers if name == b"authorization"]
        if len(said) != 1:
            raise Unauthenticated()
        look = self._look(said[0])
        if look is None:
            scheme, _, token = said[0].partition(b" ")
            if scheme.lower() != b"bearer" or not token:
                raise Unauthenticated()
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            loop = asyncio.get_running_loop()
            look = loop.run_in_executor(self._threads, fresh, people.actor_of, token.decode("latin-1"))
            self._known[said[0]] = look, loop.time() + TRUST
        if look.done():
            return look.result()
        try:
            return await asyncio.shield(look)
        except db.OutcomeUnknown:
            self._known.pop(said[0], None)
            raise

    def known(self, authorization: bytes) -> Actor | None:
        """Return whose key this header carries, where that was found a moment ago; None says nothing."""
        look = self._look(authorization)
        return look.result() if look is not None and look.done() and look.exception() is None else None

    def _look(self, authorization: bytes) -> "asyncio.Future[Actor] | None":
        look, until = self._known.get(authorization, (None, 0.0))
        return look if until > asyncio.get_running_loop().time() else None


def fresh(look: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Read something in this thread; a connection that was cut off since its last use shows at the first attempt.

    Raises:
        OutcomeUnknown: the database does not answer now.
    """
    try:
        return look(*args, **kwargs)
    except Error as error:
        if not isinstance(db.translated(error), db.OutcomeUnknown):
            db.raise_translated(error)
    try:
        return look(*args, **kwargs)
    except Error as error:
        db.raise_translated(error)
