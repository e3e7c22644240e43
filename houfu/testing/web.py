"""The web process' application behind a real port, in a thread of the test, on the test's own database and clock."""

import json
import socketserver
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from django.db import connections

from houfu.people.sign_in.guard import CSRF_COOKIE, CSRF_HEADER
from houfu.testing.passkeys import SoftwarePasskey

COOKIE = "__Host-houfu"
THREADS = 2
TOO_MANY = 429
MINUTE = 70  # seconds, and a few more: by then another sign-in is let in


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """Answers in a few threads that keep their connections to the database, as the web process does."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.threads = ThreadPoolExecutor(THREADS)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.threads.submit(self.process_request_thread, request, client_address)

    def close_threads(self) -> None:
        """Let every thread close its connections; the gate keeps one from doing so for two."""
        gate = threading.Barrier(THREADS)

        def close() -> None:
            gate.wait()
            connections.close_all()

        for done in [self.threads.submit(close) for _ in range(THREADS)]:
            done.result()
        self.threads.shutdown()


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  as it is called there
        pass


@contextmanager
def running_web() -> Iterator[str]:
    """Serve the application while the block runs, and return its address: `http://localhost:PORT`."""
    from django.core.handlers.wsgi import WSGIHandler

    server = _Server(("127.0.0.1", 0), _Quiet)
    server.set_app(WSGIHandler())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.close_threads()
        server.server_close()


class Browser:
    """Somebody at a browser: keeps cookies as a browser does, and sends what its pages would send."""

    def __init__(self, address: str) -> None:
        self.address, self.cookies = address, dict[str, str]()
        self.headers: list[tuple[str, str]] = []
        self.origin: str | None = address

    def __call__(self, method: str, path: str, body: Any = None, **headers: str | None) -> tuple[int, Any]:
        """Send a request and return status and JSON; a header given as None is left out."""
        sent = {
            "Content-Type": "application/json",
            "Origin": self.origin,
            "Sec-Fetch-Site": "same-origin" if self.origin else None,
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()) or None,
            CSRF_HEADER: self.cookies.get(CSRF_COOKIE),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        connection = HTTPConnection(urlsplit(self.address).netloc, timeout=20)
        with closing(connection):
            content = None if body is None else json.dumps(body).encode()
            connection.request(
                method, path, content, {name: value for name, value in sent.items() if value is not None}
            )
            answer = connection.getresponse()
            said, self.headers = answer.read(), answer.getheaders()
        for name, value in self.headers:
            if name.lower() == "set-cookie":
                self._keep(value)
        is_json = "json" in answer.getheader("Content-Type", "")
        return answer.status, json.loads(said) if is_json and said else None

    @contextmanager
    def stream(self, path: str) -> Iterator[Iterator[Any]]:
        """Read the data of server-sent events while the block runs."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection = HTTPConnection(urlsplit(self.address).netloc, timeout=20)
        with closing(connection):
            connection.request("GET", path, headers={"Cookie": cookies})
            with connection.getresponse() as answer:
                assert answer.status == 200, answer.read()
                yield (json.loads(line[6:]) for line in answer if line.startswith(b"data: "))

    def _keep(self, said: str) -> None:
        pair, _, attributes = said.partition(";")
        name, _, value = pair.partition("=")
        if "max-age=0" in attributes.lower() or value in ("", '""'):
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value

    def auth(self, method: str, path: str, body: Any = None, **headers: str | None) -> tuple[int, Any]:
        """Send a request of sign-in."""
        return self(method, f"/auth/browser/v1/{path}", body, **headers)

    def accept(self, invitation: str, username: str, password: str) -> int:
        """Take an invitation."""
        return self("POST", "/auth/accept", {"invitation": invitation, "username": username, "password": password})[0]

    def sign_in(self, username: str, password: str) -> int:
        """Sign in by name and password."""
        return self.auth("POST", "auth/login", {"username": username, "password": password})[0]

    def reauthenticate(self, password: str) -> int:
        """Prove again who one is, by password."""
        return self.auth("POST", "auth/reauthenticate", {"password": password})[0]

    def passkey(self, **said: Any) -> SoftwarePasskey:
        """Return a new authenticator for this address."""
        return SoftwarePasskey(**{"origin": self.address, "rp_id": "localhost", **said})

    def add_passkey(self, passkey: SoftwarePasskey) -> tuple[int, Any]:
        """Add a passkey to one's own account."""
        status, options = self.auth("GET", "account/authenticators/webauthn?passwordless")
        if status != 200:
            return status, options
        credential = passkey.register(options["data"]["creation_options"])
        return self.auth("POST", "account/authenticators/webauthn", {"name": "key", "credential": credential})

    def answer(self, passkey: SoftwarePasskey, step: str) -> int:
        """Sign what `webauthn/{step}` asks for: login, authenticate or reauthenticate."""
        _, options = self.auth("GET", f"auth/webauthn/{step}")
        credential = passkey.sign(options["data"]["request_options"])
        return self.auth("POST", f"auth/webauthn/{step}", {"credential": credential})[0]


def signed_in(address: str, invitation: str, username: str, password: str) -> tuple[Browser, SoftwarePasskey]:
    """Take an invitation all the way to a session that a passkey has opened.

    An address may sign in thirty times a minute: whoever plays more people than that waits for the next one.
    """
    browser = Browser(address)
    passkey = browser.passkey()
    assert browser.accept(invitation, username, password) == 201
    for _ in range(MINUTE):
        if (status := browser.sign_in(username, password)) != TOO_MANY:
            break
        threading.Event().wait(1)
    assert status == 200, status
    assert browser.reauthenticate(password) == 200
    status, said = browser.add_passkey(passkey)
    assert status == 200, said
    assert browser.answer(passkey, "reauthenticate") == 200
    return browser, passkey
