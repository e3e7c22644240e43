"""Who is at the other end: address, device, and whether a browser was sent here by another site."""

import hmac
import ipaddress
import secrets
from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from houfu.kernel import vault
from houfu.kernel.errors import Forbidden, Invalid
from houfu.kernel.http import RequestTooLarge, problem, refuse_large

PEER = "X-Houfu-Peer"  # by the front alone: the address, and its seal
DEVICE_COOKIE, DEVICE_HEADER = "__Host-houfu-device", "X-Device-Token"
CSRF_COOKIE, CSRF_HEADER = "__Host-houfu-csrf", "X-CSRFToken"
SAFE = {"GET", "HEAD", "OPTIONS"}
Answer = Callable[[HttpRequest], HttpResponseBase]


class CrossSite(Forbidden):
    """This was sent by another site, or without the token that the session's pages carry."""

    code = "cross_site"


class JsonNeeded(Invalid):
    """A body is JSON and says so in its Content-Type."""

    code = "json_needed"


def seal_peer(address: str) -> str:
    """Return what the front says of whoever is connected to it; nobody else can say so."""
    return f"{address} {vault.fingerprint(address, 'peer').hex()[:32]}"


def peer(request: HttpRequest) -> str:
    """Return the address that a request came from: the front's word where the front's seal is on it."""
    address, _, seal = request.headers.get(PEER, "").partition(" ")
    if address and seal and hmac.compare_digest(seal_peer(address), f"{address} {seal}"):
        return address
    return str(request.META.get("REMOTE_ADDR") or "0.0.0.0")  # noqa: S104  nobody listens there


def trusted_hop(connected: str, forwarded: str, proxies: str) -> str:
    """Return the address of a client behind proxies that are trusted.

    Args:
        connected: who is connected to us.
        forwarded: X-Forwarded-For as it came.
        proxies: networks of trusted proxies, with commas between; without any, nothing that is forwarded counts.
    """
    networks = [ipaddress.ip_network(part.strip()) for part in proxies.split(",") if part.strip()]
    address = connected
    for hop in [connected, *reversed([part.strip() for part in forwarded.split(",") if part.strip()])]:
        try:
            found = ipaddress.ip_address(hop)
        except ValueError:
            return address
        address = str(found)
        if not any(found in network for network in networks):
            return address
    return address


def device(request: HttpRequest) -> str:
    """Return the digest of what tells this device apart; empty where nothing does."""
    said = request.headers.get(DEVICE_HEADER) or request.COOKIES.get(DEVICE_COOKIE) or ""
    return vault.fingerprint(said, "device").hex()[:32] if said else ""


def csrf_token(session_key: str) -> str:
    """Return the token of a session, which its own pages alone can read."""
    return vault.fingerprint(session_key, "csrf").hex()


def refuse_cross_site(request: HttpRequest) -> None:
    """Refuse what a browser was made to send by another site: it says so itself, and cannot know the token.

    Raises:
        CrossSite: from elsewhere, from nowhere, or without the session's token.
        JsonNeeded: a form's body cannot be ours.
    """
    if request.method in SAFE:
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if (site is None and origin is None) or site not in (None, "same-origin") or not _own(origin, request):
        raise CrossSite()
    if request.body and request.content_type != "application/json":
        raise JsonNeeded()
    key = request.session.session_key
    if key and not hmac.compare_digest(request.headers.get(CSRF_HEADER, ""), csrf_token(key)):
        raise CrossSite()


def _own(origin: str | None, request: HttpRequest) -> bool:
    if origin is None:
        return True
    read = urlsplit(origin)
    plain = read.scheme == "http" and read.hostname in ("localhost", "127.0.0.1")
    return (read.scheme == "https" or plain) and read.netloc == request.get_host()


class GuardMiddleware:
    """Gives a device its mark, and a session's pages their token; takes no body that is too large."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            refuse_large(request.headers.get("Content-Length", ""))
        except RequestTooLarge as refusal:
            return problem(refusal)
        response = self.get_response(request)
        if request.path.startswith("/auth/"):
            response["Cache-Control"] = "no-store"
            if not (request.COOKIES.get(DEVICE_COOKIE) or request.headers.get(DEVICE_HEADER)):
                _set(response, DEVICE_COOKIE, secrets.token_urlsafe(16), max_age=365 * 86400, httponly=True)
        key = request.session.session_key
        if settings.SESSION_COOKIE_NAME in response.cookies and key:
            _set(response, CSRF_COOKIE, csrf_token(key), max_age=None, httponly=False)
        return response


def _set(response: HttpResponseBase, name: str, value: str, *, max_age: int | None, httponly: bool) -> None:
    response.set_cookie(name, value, max_age=max_age, secure=True, httponly=httponly, samesite="Strict")


class CsrfMiddleware:
    """Lets nothing through that a browser was made to send: where a cookie speaks, and at the browser's sign-in."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        by_cookie = settings.SESSION_COOKIE_NAME in request.COOKIES and not (
            request.headers.get("Authorization") or request.headers.get("X-Session-Token")
        )
        if request.path.startswith("/auth/browser/") or by_cookie:
            try:
                refuse_cross_site(request)
            except Forbidden as refusal:
                return problem(refusal)
            except Invalid as refusal:
                return problem(refusal)
        return self.get_response(request)
