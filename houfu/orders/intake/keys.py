"""Who asks: API keys, and sessions for what is read here, looked up in threads, once a second at most.

Keys that are to be looked up at the same time are looked up together: traffic of a thousand merchants has a thousand.
"""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import Error
from django.http.cookie import parse_cookie

from houfu.kernel import db
from houfu.kernel.errors import Unauthenticated
from houfu.orders.intake.front import Scope, peer
from houfu.orders.intake.threads import Threads
from houfu.people import queries as people
from houfu.people.actor import Actor
from houfu.people.sign_in.sessions import opened

P = ParamSpec("P")
R = TypeVar("R")
TRUST = 1.0  # seconds for which a key is not looked up again: as long as a revoked one still opens
REMEMBERED = 10_000


Who = tuple[str, str, str]  # of what kind a token is, the token, and where it comes from


class Keys:
    """What keys open, remembered for a moment by the header that carries them; callers with one key share one look.

    Args:
        threads: where the looks are taken.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._known: dict[Who, tuple[asyncio.Future[Actor], float]] = {}
        self._wanted: dict[Who, asyncio.Future[Actor]] = {}
        self._looking = False

    async def actor(self, scope: Scope) -> Actor:
        """Return whose key or session a request carries.

        Raises:
            Unauthenticated: it carries none that opens anything.
            OutcomeUnknown: the database does not answer now.
        """
        who = *_token(scope["headers"]), peer(scope)
        look = self._look(who)
        if look is None:
            look = self._wait_for(who)
        if look.done():
            return look.result()
        try:
            return await asyncio.shield(look)
        except db.OutcomeUnknown:
            self._known.pop(who, None)
            raise

    def _wait_for(self, who: Who) -> "asyncio.Future[Actor]":
        """Have a token looked up, with all others of this turn of the loop, and those that come while others are."""
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        loop = asyncio.get_running_loop()
        if who[0] == "key":
            look: asyncio.Future[Actor] = loop.create_future()
            if not self._wanted and not self._looking:
                loop.call_soon(self._begin)
            self._wanted[who] = look
        else:
            look = loop.run_in_executor(self._threads, fresh, _of_session, who[1], who[2])
        self._known[who] = look, loop.time() + TRUST
        return look

    def _begin(self) -> None:
        wanted, self._wanted, self._looking = self._wanted, {}, True
        asked = [(token, ip) for _, token, ip in wanted]
        done = asyncio.get_running_loop().run_in_executor(self._threads, fresh, people.actors_of, asked)
        done.add_done_callback(lambda found: self._end(list(wanted.values()), found))

    def _end(
        self, looks: "list[asyncio.Future[Actor]]", found: "asyncio.Future[list[Actor | Unauthenticated]]"
    ) -> None:
        failed = found.exception()
        for look, each in zip(looks, [failed] * len(looks) if failed else found.result(), strict=True):
            if look.cancelled():
                continue
            if isinstance(each, Actor):
                look.set_result(each)
            else:
                look.set_exception(each or Unauthenticated())
                look.exception()  # whoever asked may have gone
        self._looking = False
        if self._wanted:
            self._begin()

    def known(self, authorization: bytes, ip: str) -> Actor | None:
        """Return whose key this header carries, where that was found a moment ago; None says nothing."""
        scheme, _, token = authorization.partition(b" ")
        look = self._look(("key", token.decode("latin-1"), ip)) if scheme.lower() == b"bearer" else None
        return look.result() if look is not None and look.done() and look.exception() is None else None

    def _look(self, who: Who) -> "asyncio.Future[Actor] | None":
        look, until = self._known.get(who, (None, 0.0))
        return look if until > asyncio.get_running_loop().time() else None


def _token(headers: list[tuple[bytes, bytes]]) -> tuple[str, str]:
    """Return the one token of a request, and of what kind it is: a key, or a session."""
    keys = [value for name, value in headers if name == b"authorization"]
    scheme, _, token = (keys[0] if len(keys) == 1 else b"").partition(b" ")
    if scheme.lower() == b"bearer" and token:
        return "key", token.decode("latin-1")
    sessions = [value for name, value in headers if name == b"x-session-token"]
    for name, value in headers if not keys and not sessions else ():
        if name == b"cookie" and (found := parse_cookie(value.decode("latin-1")).get(settings.SESSION_COOKIE_NAME)):
            sessions.append(found.encode("latin-1"))
    if keys or len(sessions) != 1:
        raise Unauthenticated()
    return "session", sessions[0].decode("latin-1")


def _of_session(token: str, ip: str) -> Actor:
    session = opened(token, touches=False)
    if session is None:
        raise Unauthenticated()
    return people.actor_of_session(session, ip=ip)


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
