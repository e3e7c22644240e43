"""Who makes a request of the API: a key, or a person by their session, in a cookie or in `X-Session-Token`."""

import re
import time
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja.security import APIKeyCookie, APIKeyHeader, HttpBearer

from houfu.kernel import isolation
from houfu.kernel.errors import Forbidden, Unauthenticated
from houfu.people import queries
from houfu.people.actor import PARTNER, Actor
from houfu.people.sign_in import guard, sessions

RECENT = timedelta(minutes=5)
PARTNERS_DOOR = re.compile(r"/v1/stores/\d+/limit")  # all that a partner's key opens here (L8)


class StepUpNeeded(Forbidden):
    """This is decided anew: prove once more who you are, then send it again."""

    code = "step_up_needed"


class ApiKey(HttpBearer):
    """`Authorization: Bearer hf_…`."""

    def authenticate(self, request: HttpRequest, token: str) -> Actor:
        return _entered(_by_key(request, token))


class SessionToken(APIKeyHeader):
    """`X-Session-Token`, as sign-in has given it to an app."""

    param_name = "X-Session-Token"

    def authenticate(self, request: HttpRequest, key: str | None) -> Actor | None:
        return _entered(identify(request)) if key else None


class SessionCookie(APIKeyCookie):
    """The cookie of a browser that has signed in; writing needs `X-CSRFToken` too."""

    param_name = settings.SESSION_COOKIE_NAME

    def __init__(self) -> None:
        super().__init__(csrf=False)  # ours is told apart by session, and asked for before anything is looked at

    def authenticate(self, request: HttpRequest, key: str | None) -> Actor | None:
        return _entered(identify(request)) if key else None


AUTH = [ApiKey(), SessionToken(), SessionCookie()]


def _entered(actor: Actor) -> Actor:
    """Let the rest of the request be on the actor's behalf."""
    isolation.enter(actor)
    return actor


def identify(request: HttpRequest) -> Actor:
    """Return on whose behalf a request comes.

    Raises:
        Unauthenticated: on nobody's.
        FactorNeeded: somebody has signed in by less than their role asks for.
    """
    if said := request.headers.get("Authorization"):
        return _by_key(request, said.removeprefix("Bearer "))
    return queries.actor_of_session(session_of(request), guard.device(request), guard.peer(request))


def _by_key(request: HttpRequest, token: str) -> Actor:
    """Return the actor of a key; a partner's opens one door alone.

    Raises:
        Unauthenticated: it is none that opens anything.
        Forbidden: it is a partner's, at another door.
    """
    actor = queries.actor_of(token, guard.peer(request))
    if PARTNER in actor.scopes and not PARTNERS_DOOR.fullmatch(request.path):
        raise Forbidden(scope=PARTNER)
    return actor


def session_of(request: HttpRequest) -> Any:
    """Return the session that a request carries.

    Raises:
        Unauthenticated: none, or none any more.
    """
    token = request.headers.get("X-Session-Token")
    session = sessions.opened(token) if token else request.session
    if session is None:
        raise Unauthenticated()
    return session


def require_recent(request: HttpRequest) -> None:
    """Refuse what decides about people, keys or accounts unless the person proved who they are just now (4.6).

    Raises:
        StepUpNeeded: they did so too long ago. Keys and jobs have nothing to prove, and are refused elsewhere.
    """
    actor: Actor = request.auth  # type: ignore[attr-defined]
    if actor.kind != "staff":
        return
    proven = [record["at"] for record in queries.proofs(session_of(request)) if record.get("method") == "mfa"]
    if not proven or time.time() - max(proven) > RECENT.total_seconds():
        raise StepUpNeeded()
