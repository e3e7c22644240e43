"""The front: whatever is not the door's own business goes on to the web process and comes back as it was said."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2

from houfu.kernel.errors import Refused
from houfu.kernel.http import BODY_MAX, RequestTooLarge, refuse_large
from houfu.people.sign_in.guard import PEER, seal_peer, trusted_hop

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
# What belongs to one connection alone (RFC 9110), and what nobody in front of us has earned our trust for.
_OURS = {
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer",
    b"transfer-encoding", b"upgrade", b"expect", b"forwarded", b"x-forwarded-for", b"x-forwarded-host",
    b"x-forwarded-proto", PEER.lower().encode(),
}  # fmt: skip


THROWN_AWAY = 4 * BODY_MAX


class WebAway(Refused):
    """The process that answers this does not answer now; nothing is known to have happened."""

    code = "web_away"
    status = 502


class Front:
    """Passes requests on over connections that are kept.

    Args:
        url: where the web process answers.
    """

    def __init__(self, url: str) -> None:
        limits = httpx2.Limits(max_connections=200, max_keepalive_connections=50)
        self._http = httpx2.AsyncClient(base_url=url, timeout=75, trust_env=False, limits=limits)

    async def close(self) -> None:
        await self._http.aclose()

    async def forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, its body and its answer in pieces as they come.

        Raises:
            RequestTooLarge: it was thrown away as it came, so that whoever sends it hears why.
            WebAway: nobody took it, or the answer broke off before it began.
        """
        try:
            refuse_large(dict(scope["headers"]).get(b"content-length", b"").decode("latin-1"))
        except RequestTooLarge:
            await _throw_away(receive)
            raise
        path = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        headers = [*_kept(scope["headers"]), (PEER.lower().encode(), seal_peer(peer(scope)).encode())]
        has_body = any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])
        request = self._http.build_request(
            scope["method"], path.decode("latin-1"), headers=headers, content=_pieces(receive) if has_body else None
        )
        try:
            answer = await self._http.send(request, stream=True)
        except httpx2.TransportError as error:
            raise WebAway() from error
        try:
            kept = _kept([(name.lower(), value) for name, value in answer.headers.raw if name.lower() != b"date"])
            await send({"type": "http.response.start", "status": answer.status_code, "headers": kept})
            async for piece in answer.aiter_raw():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await answer.aclose()


def peer(scope: Scope) -> str:
    """Return the address of whoever asks; what proxies say counts where HOUFU_PROXIES names them, and only there."""
    connected = scope["client"][0] if scope.get("client") else ""
    forwarded = b",".join(said for name, said in scope["headers"] if name == b"x-forwarded-for")
    return trusted_hop(connected, forwarded.decode("latin-1"), os.environ.get("HOUFU_PROXIES", ""))


def _kept(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Leave out what belongs to a connection, by its nature or by that connection's own word."""
    named = {part.strip().lower() for name, said in headers if name == b"connection" for part in said.split(b",")}
    return [(name, value) for name, value in headers if name not in _OURS | named]


async def _throw_away(receive: Receive) -> None:
    """Read a body that nobody wants, up to some multiple of what is taken: who answers earlier cuts the sender off."""
    left = THROWN_AWAY
    async for piece in _pieces(receive):
        left -= len(piece)
        if left < 0:
            return


async def _pieces(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message.get("body"):
            yield message["body"]
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return
