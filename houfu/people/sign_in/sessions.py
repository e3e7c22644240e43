"""Sessions: a token of 256 bits at the client, its digest here; they end when idle, when old, and when told to.

How long somebody is signed in goes by the machine's clock: business time can be moved or stand still.
"""

import base64
import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from allauth.headless.tokens.strategies.base import AbstractTokenStrategy
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessionMiddleware
from django.http import HttpRequest, HttpResponse

from houfu.kernel import clock, isolation
from houfu.people.actor import SIGN_IN

LONGEST = timedelta(hours=8)
STARTED, SEEN, IDLE = "houfu_started_at", "houfu_seen_at", "houfu_idle_seconds"
COARSE = timedelta(seconds=60)  # a session that was seen so lately is not written again for it


def digest(token: str) -> str:
    """Return what is stored of a token: as much of its SHA-256 as the tables of the libraries take, 240 bits."""
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).decode()[:40]


class SessionStore(DatabaseStore):
    """A session, known inside by the digest of its token; `token` is there only when it was made just now."""

    token = ""
    touches = True  # whether reading it counts as somebody being there

    def _get_new_session_key(self) -> str:
        self.token = secrets.token_urlsafe(32)
        return digest(self.token)

    def load(self) -> dict[str, Any]:
        """Read the session; one that has been idle too long, or is too old, is gone."""
        with isolation.acting(SIGN_IN):
            return self._load()

    def _load(self) -> dict[str, Any]:
        data: dict[str, Any] = super().load()
        if SESSION_KEY not in data:
            return data
        now = clock.machine_now()
        started_at, seen_at = (datetime.fromisoformat(data.get(name, "1970-01-01T00:00Z")) for name in (STARTED, SEEN))
        if now - started_at >= LONGEST or now - seen_at >= timedelta(seconds=data.get(IDLE, 0)):
            self.delete(self.session_key)
            self._session_key = None
            return {}
        if self.touches and now - seen_at >= COARSE:
            data[SEEN] = now.isoformat()
            found = self.model.objects.filter(session_key=self.session_key)
            found.update(session_data=self.encode(data))
        return data


def begin(session: Any, idle: timedelta) -> None:
    """Let a session's time run from now."""
    now = clock.machine_now().isoformat()
    session[STARTED] = session[SEEN] = now
    session[IDLE] = int(idle.total_seconds())


def forget() -> None:
    """Remove the sessions whose eight hours are over; whoever signs in cleans up after those who went."""
    SessionStore.get_model_class().objects.filter(expire_date__lt=clock.machine_now()).delete()


def opened(token: str, *, touches: bool = True) -> SessionStore | None:
    """Return the session of a token, or None where there is none any more.

    Args:
        touches: whether this counts as somebody being there; a page that only listens does not.
    """
    session = SessionStore(digest(token))
    session.touches = touches
    session.get(SESSION_KEY)  # a session that is gone forgets its key when it is read
    return session if session.session_key else None


def _session(request: HttpRequest) -> SessionStore:
    return request.session  # type: ignore[return-value]  # ours, by SESSION_ENGINE


class TokenStrategy(AbstractTokenStrategy):  # type: ignore[misc]
    """Hands an app its session's token, once, and takes it back from `X-Session-Token`."""

    def create_session_token(self, request: HttpRequest) -> str:
        if not request.session.session_key:
            request.session.save()
        return _session(request).token or self.get_session_token(request) or ""

    def lookup_session(self, session_token: str) -> SessionStore | None:
        return opened(session_token)


class SessionMiddleware(DjangoSessionMiddleware):
    """Gives a browser the token in its cookie, where Django would give it the key that is stored."""

    def process_request(self, request: HttpRequest) -> None:
        token = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        request.session = SessionStore(digest(token) if token else None)

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response = super().process_response(request, response)
        cookie = response.cookies.get(settings.SESSION_COOKIE_NAME)
        if cookie is not None and cookie.value:
            token = _session(request).token or request.COOKIES[settings.SESSION_COOKIE_NAME]
            cookie.set(cookie.key, token, token)
        return response
