"""The quick way in: one order on a kept connection, read and answered without a task, a scope and a coroutine for it.

Whatever is not as simple goes the way of every ASGI request, and is answered alike there: another path, a key that
must be looked up, an Idempotency-Key, a request that came before its predecessor's answer, a client that does not read.
"""

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from houfu.kernel.errors import Refused
from houfu.orders.actions import Asked
from houfu.orders.intake import forms
from houfu.orders.intake.app import PROBLEM, wait
from houfu.orders.intake.coalesce import IntakeFailed, Outcome, Waiting
from houfu.orders.intake.forms import BODY_MAX, TooLarge
from houfu.people.actor import Actor

if TYPE_CHECKING:
    from houfu.orders.intake.app import Door

log = logging.getLogger("houfu.intake")
JSON = b"application/json"
_TELLING = (b"authorization", b"idempotency-key", b"x-forwarded-for")  # of these, only a key comes the quick way
_STARTS = {status.value: b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode()) for status in HTTPStatus}


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 as uvicorn speaks it, with the quick way beside its own."""

    def on_headers_complete(self) -> None:
        by = self._asker() if self.url == b"/v1/orders" else None
        if by is None:
            super().on_headers_complete()
        else:
            self.cycle = _Quick(self, by, keep_alive=self.parser.should_keep_alive())  # type: ignore[assignment]

    def _asker(self) -> Actor | None:
        """Return who asks for an order the quick way."""
        parser = self.parser
        if (
            parser.get_method() != b"POST"
            or parser.get_http_version() != "1.1"
            or parser.should_upgrade()
            or self.expect_100_continue
            or self.flow.write_paused
            or (self.cycle is not None and not self.cycle.response_complete)
        ):
            return None
        said = [value for name, value in self.headers if name in _TELLING]
        door: Door = self.config.app  # type: ignore[assignment]
        return door.keys.known(said[0], self.client[0]) if len(said) == 1 and self.client else None


class _Quick:
    """A request and its answer; to the protocol it is what uvicorn's own cycle is.

    The protocol adds to `body`, clears `more_body` and sets `disconnected`, and says so by `message_event.set()`.
    """

    def __init__(self, protocol: Protocol, by: Actor, *, keep_alive: bool) -> None:
        self._protocol, self._by = protocol, by
        self.keep_alive = keep_alive
        self.message_event = self
        self.body = bytearray()
        self.more_body = True
        self.disconnected = False
        self.response_complete = False
        self._asked: Asked | None = None
        self._waiting: Waiting | None = None

    def set(self) -> None:
        """Look at what has come: the order, too much of it, or the end of the connection."""
        if self.disconnected:
            if self._waiting:
                self._waiting.forget()
        elif len(self.body) > BODY_MAX:
            self._refuse(TooLarge(most=BODY_MAX))
        elif not self.more_body and self._asked is None and not self.response_complete:
            self._ask()

    def _ask(self) -> None:
        door: Door = self._protocol.config.app  # type: ignore[assignment]
        try:
            self._asked = forms.read_order(bytes(self.body), self._by)
            self._waiting = door.coalescer.put(self._asked, self._answer)
        except Refused as refusal:
            self._refuse(refusal)
        except Exception:
            self._fail()

    def _answer(self, outcome: Outcome, _: int) -> None:
        assert self._asked
        try:
            if isinstance(outcome, Exception):
                raise outcome
            status, body = forms.answer(self._asked, outcome)
        except Refused as refusal:
            self._refuse(refusal)
        except Exception:
            self._fail()
        else:
            self._say(status, body)

    def _fail(self) -> None:
        log.exception("an order could not be answered")
        self._refuse(IntakeFailed())

    def _refuse(self, refusal: Refused) -> None:
        self._say(refusal.status, forms.problem(refusal), PROBLEM, *wait(refusal))

    def _say(self, status: int, body: bytes, kind: bytes = JSON, *more: tuple[bytes, bytes]) -> None:
        """Answer, and leave the connection to its next request."""
        if self.disconnected or self.response_complete:
            return
        self.response_complete = True
        protocol = self._protocol
        headers = [*protocol.server_state.default_headers, (b"content-type", kind), *more]
        if not self.keep_alive:
            headers.append((b"connection", b"close"))
        said = b"".join([b"%b: %b\r\n" % header for header in headers])
        protocol.transport.write(b"%b%bcontent-length: %d\r\n\r\n%b" % (_STARTS[status], said, len(body), body))
        if not self.keep_alive:
            protocol.transport.close()
        protocol.on_response_complete()
