"""The way to an endpoint: look its name up once, check every address, connect to one of those, post, read the status.

Nothing here knows the database; one call has five seconds for all of it.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

import h11

from houfu.webhooks import addresses
from houfu.webhooks.addresses import Target

SECONDS = 5.0
CAP = 64 * 1024  # bytes of an answer, after which the line is closed
HEAD_CAP = 16 * 1024

DELIVERED = "delivered"
OUTCOMES = {
    DELIVERED: "the endpoint answered with a status of 2xx",
    "gone": "it answered 410: it wants no more, and is disabled",
    "not_accepted": "it answered with another status; redirects are not followed",
    "timed_out": "it did not answer within five seconds",
    "unreachable": "its name is unknown, or nothing takes connections there",
    "address_refused": "its name leads to an address that is not public; nothing was connected to",
    "tls_failed": "its certificate does not hold for its name, or TLS could not be agreed on",
    "answer_unreadable": "what it answered is not HTTP, or its head is too large",
    "url_refused": "its URL is not allowed any more",
    "keys_closed": "its keys cannot be read with the key that is in the data folder",
}

Resolve = Callable[[str, int], Sequence[str]]
Dial = Callable[[str, int, float], socket.socket]


@dataclass(frozen=True)
class Answer:
    """How an attempt ended.

    Args:
        outcome: one of OUTCOMES.
        status: of the answer, where there was one.
    """

    outcome: str
    status: int | None
    latency_ms: int


class AddressRefused(Exception):
    """A name leads to an address that no message may go to."""


def resolve(host: str, port: int) -> list[str]:
    """Ask this machine's resolver for every address of a host."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def dial(address: str, port: int, seconds: float) -> socket.socket:
    """Connect to an address, which is no name any more."""
    return socket.create_connection((address, port), seconds)


class Line:
    """An open connection to one target, for one message after another."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_CAP)
        self.used = False

    def post(self, target: Target, headers: Mapping[str, str], body: bytes, until: float) -> int:
        """Send a message and return the answer's status; what follows the status is read up to the cap and dropped.

        Raises:
            OSError, h11.RemoteProtocolError: there was no status.
        """
        if self.used:
            self.http.start_next_cycle()
        self.used = True
        head = {"host": target.authority, "content-length": str(len(body)), **headers}
        request = h11.Request(method="POST", target=target.path, headers=list(head.items()))
        parts = (self.http.send(request), self.http.send(h11.Data(data=body)), self.http.send(h11.EndOfMessage()))
        self.socket.settimeout(_left(until))
        self.socket.sendall(b"".join(part for part in parts if part))
        status = self._status(until)
        with suppress(OSError, h11.RemoteProtocolError):
            self._drain(until)
        return status

    @property
    def good(self) -> bool:
        """Whether another message may go over it."""
        return self.http.our_state is h11.DONE and self.http.their_state is h11.DONE

    def close(self) -> None:
        with suppress(OSError):
            self.socket.close()

    def _status(self, until: float) -> int:
        while True:
            event = self._event(until)
            if isinstance(event, h11.Response):
                return int(event.status_code)

    def _drain(self, until: float) -> None:
        dropped = 0
        while not isinstance(event := self._event(until), h11.EndOfMessage | h11.ConnectionClosed):
            dropped += len(event.data) if isinstance(event, h11.Data) else 0
            if dropped > CAP:
                return

    def _event(self, until: float) -> object:
        while (event := self.http.next_event()) is h11.NEED_DATA:
            self.socket.settimeout(_left(until))
            data = self.socket.recv(CAP // 4)
            if not data and self.http.their_state is h11.SEND_RESPONSE:
                raise ConnectionResetError("closed before an answer")
            self.http.receive_data(data)
        return event


@dataclass(frozen=True)
class Wire:
    """How messages leave the house; tests put their own resolver, dialling and trust in its place."""

    resolve: Resolve = resolve
    dial: Dial = dial
    trust: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    seconds: float = SECONDS

    def post(
        self, target: Target, headers: Mapping[str, str], body: bytes, line: Line | None = None
    ) -> tuple[Answer, Line | None]:
        """Post a message, and return how that ended with the line if another may follow on it.

        Args:
            line: left by the message before, to the same target.
        """
        began = time.monotonic()
        status, outcome = None, DELIVERED
        try:
            status, line = self._posted(target, headers, body, line, began + self.seconds)
            if not 200 <= status < 300:
                outcome = "gone" if status == 410 else "not_accepted"
        except AddressRefused:
            outcome = "address_refused"
        except TimeoutError:
            outcome = "timed_out"
        except ssl.SSLError:
            outcome = "tls_failed"
        except OSError:
            outcome = "unreachable"
        except h11.RemoteProtocolError:
            outcome = "answer_unreadable"
        return Answer(outcome, status, int((time.monotonic() - began) * 1000)), line if status else None

    def _posted(
        self, target: Target, headers: Mapping[str, str], body: bytes, line: Line | None, until: float
    ) -> tuple[int, Line | None]:
        if line:
            with suppress(ConnectionError, ssl.SSLEOFError):  # closed meanwhile, as it may be: another is opened
                return self._over(line, target, headers, body, until)
        return self._over(self._connect(target, until), target, headers, body, until)

    def _over(
        self, line: Line, target: Target, headers: Mapping[str, str], body: bytes, until: float
    ) -> tuple[int, Line | None]:
        try:
            status = line.post(target, headers, body, until)
        except BaseException:
            line.close()
            raise
        if line.good:
            return status, line
        line.close()
        return status, None

    def _connect(self, target: Target, until: float) -> Line:
        """Connect to one of a target's addresses, all of which must be such as may be told."""
        found = self._addresses(target, until)
        allowed = addresses.public if target.tls else addresses.loopback
        if not found or not all(allowed(address) for address in found):
            raise AddressRefused
        problem: OSError = TimeoutError()
        for address in found:
            try:
                return Line(self._secured(self.dial(address, target.port, _left(until)), target, until))
            except ssl.SSLError:
                raise
            except OSError as error:
                problem = error
        raise problem

    def _secured(self, connected: socket.socket, target: Target, until: float) -> socket.socket:
        if not target.tls:
            return connected
        try:
            connected.settimeout(_left(until))
            return self.trust.wrap_socket(connected, server_hostname=target.host)
        except BaseException:
            connected.close()
            raise

    def _addresses(self, target: Target, until: float) -> Sequence[str]:
        """Look a name up, once, without waiting longer than there is time: resolvers know no deadline."""
        if addresses.is_address(target.host):
            return [target.host]
        said: SimpleQueue[Sequence[str] | OSError] = SimpleQueue()

        def ask() -> None:
            try:
                said.put(self.resolve(target.host, target.port))
            except OSError as error:
                said.put(error)
            except UnicodeError as error:  # a label that the resolver's codec cannot take
                said.put(OSError(str(error)))

        threading.Thread(target=ask, daemon=True, name="resolve").start()
        try:
            answer = said.get(timeout=_left(until))
        except Empty:
            raise TimeoutError from None
        if isinstance(answer, OSError):
            raise answer
        return list(dict.fromkeys(answer))


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
