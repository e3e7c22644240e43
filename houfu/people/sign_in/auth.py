"""Who makes a request of the API: a key, or a person by their session, in a cookie or in `X-Session-Token`."""

import re
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import Resolver404, resolve
from ninja.security import APIKeyCookie, APIKeyHeader, HttpBearer

from houfu.kernel import isolation
from houfu.kernel.errors import Forbidden, Unauthenticated
from houfu.people import queries
from houfu.people.actor import EVERYBODY, PARTNER, Actor, PersonNeeded
from houfu.people.sign_in import guard, sessions, signatures

RECENT = timedelta(minutes=5)
GRANT = "Houfu-Grant"
PARTNERS_DOOR = re.compile(r"/v1/stores/\d+/limit")  # all that a partner's key opens here (L8)
_CONVERTER = re.compile(r"<(?:\w+:)?")


class StepUpNeeded(Forbidden):
    """This is decided anew: prove once more who you are, then send it again."""

    code = "step_up_needed"


class ApiKey(HttpBearer):
    """`Authorization: Bearer hf_…`."""

    def authenticate(self, request: HttpRequest, token: str) -> Actor:
        return _entered(identify(request, token))


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


def identify(request: HttpRequest, token: str = "") -> Actor:
    """Return on whose behalf a request comes; what was found once holds for all of the request.

    Args:
        token: of a key, where it was read from the request before.

    Raises:
        Unauthenticated: on nobody's.
        FactorNeeded: somebody has signed in by less than their role asks for.
    """
    known: Actor | None = getattr(request, "houfu_actor", None)
    if known is not None:
        return known
    if said := token or request.headers.get("Authorization", "").removeprefix("Bearer "):
        found = queries.actor_of(said, guard.peer(request))
        if PARTNER in found.scopes and not PARTNERS_DOOR.fullmatch(request.path):
            raise Forbidden(scope=PARTNER)
        found = signatures.checked(found, request, found.merchant_id or 0)
    else:
        found = queries.actor_of_session(session_of(request), guard.device(request), guard.peer(request))
    request.houfu_actor = placed = _placed(found, request)  # type: ignore[attr-defined]
    return placed


def _placed(by: Actor, request: HttpRequest) -> Actor:
    """Return what somebody of the platform reaches with this request: what a grant or a duty opens, else nothing (4.6).

    Raises:
        PersonNeeded: a key comes with a grant.
        NotFound, AccessOver: the grant is not theirs, or lets nobody in any more.
    """
    if by.merchant_id is not None:
        return by
    if (grant := request.headers.get(GRANT)) is not None:
        if by.kind != "staff":
            raise PersonNeeded()
        return queries.let_in(by, grant)
    try:
        found = resolve(request.path_info)
    except Resolver404:
        return by
    duty = f"{request.method} /{_CONVERTER.sub('{', found.route).replace('>', '}')}"
    if duty in settings.PLATFORM_DUTIES_FOR_ALL:
        return replace(by, duty=EVERYBODY)
    named = str(found.kwargs.get("merchant_id") or request.GET.get("merchant_id") or "")
    is_duty = duty in settings.PLATFORM_DUTIES or request.path_info.startswith(settings.PLATFORM_DUTY_AREAS)
    if is_duty and named.isascii() and named.isdigit() and 0 < len(named) < 19:
        return replace(by, duty=int(named))
    return by


def session_of(request: HttpRequest) -> Any:
    """Return the session that a request carries.

    Raises:
        Unauthenticated: none, or none any more.
    """
    token = request.headers.get("X-Session-Token")
    if token is None:
        return request.session
    if not hasattr(request, "houfu_session"):  # looked up once: later a transaction may show one merchant's alone
        request.houfu_session = sessions.opened(token)  # type: ignore[attr-defined]
    if request.houfu_session is None:  # type: ignore[attr-defined]
        raise Unauthenticated()
    return request.houfu_session  # type: ignore[attr-defined]


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
