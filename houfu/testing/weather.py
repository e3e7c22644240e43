"""A provider of weather on this machine: it speaks as Open-Meteo and QWeather do, and misbehaves as it is told."""

import base64
import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from houfu.kernel.clock import SHANGHAI, machine_now

HOUR = timedelta(hours=1)


@dataclass
class Sky:
    """What the provider says: rain in millimetres by the hour in which it falls, as of `observed_at`.

    Args:
        status, body: what is answered in the place of the weather, where they are set.
        stall: seconds for which an answer is held back, or until `release`.
        public_key: QWeather's copy of the customer's key; without it every token is refused.
    """

    observed_at: datetime
    rain: dict[datetime, float] = field(default_factory=dict)
    unit: str = "mm"
    key: str = ""
    status: int = 200
    body: bytes | None = None
    encoding: str = ""
    stall: float = 0
    public_key: Ed25519PublicKey | None = None
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)

    def rains(self, start: datetime, *mm: float) -> None:
        """Let it rain from an hour on."""
        self.rain |= {start + n * HOUR: each for n, each in enumerate(mm)}

    def open_meteo(self) -> dict[str, Any]:
        first = self.observed_at.replace(minute=0, second=0, microsecond=0) - 3 * HOUR
        times = [first + n * HOUR for n in range(48)]
        return {
            "utc_offset_seconds": 0,
            "current_units": {"time": "unixtime", "interval": "seconds", "precipitation": self.unit},
            "current": {"time": int(self.observed_at.timestamp()), "interval": 900, "precipitation": 0.0},
            "hourly_units": {"time": "unixtime", "precipitation": self.unit},
            "hourly": {
                "time": [int(each.timestamp()) for each in times],
                "precipitation": [self._mm(each - HOUR) for each in times],  # of the hour before
            },
        }

    def qweather(self) -> dict[str, Any]:
        first = self.observed_at.replace(minute=0, second=0, microsecond=0) + HOUR
        first = min(first, *self.rain) if self.rain else first
        times = [first + n * HOUR for n in range(24)]
        return {
            "code": "200",
            "updateTime": self.observed_at.astimezone(SHANGHAI).isoformat(timespec="minutes"),
            "hourly": [
                {"fxTime": each.astimezone(SHANGHAI).isoformat(timespec="minutes"), "precip": str(self._mm(each))}
                for each in times
            ],
        }

    def _mm(self, start: datetime) -> float:
        return next((mm for hour, mm in self.rain.items() if hour == start), 0.0)

    def token_holds(self, said: str) -> bool:
        """Say whether a token is signed by the customer's key, for now."""
        try:
            head, body, signature = said.removeprefix("Bearer ").split(".")
            assert self.public_key is not None
            self.public_key.verify(_unb64(signature), f"{head}.{body}".encode())
            told, claims = json.loads(_unb64(head)), json.loads(_unb64(body))
        except (InvalidSignature, ValueError, AssertionError):
            return False
        now = machine_now().timestamp()
        valid = claims["sub"] == "P1" and claims["iat"] <= now < claims["exp"]
        return bool(valid and told == {"alg": "EdDSA", "kid": "K1"})


def _unb64(said: str) -> bytes:
    return base64.urlsafe_b64decode(said + "=" * (-len(said) % 4))


class _Handler(BaseHTTPRequestHandler):
    sky: Sky

    def do_GET(self) -> None:
        sky, parts = self.sky, urlsplit(self.path)
        params = {name: values[0] for name, values in parse_qs(parts.query).items()}
        sky.asked.append((parts.path, params))
        if sky.stall:
            sky.release.wait(sky.stall)
        status, body, packed = sky.status, sky.body, False
        if body is None and status == 200:
            if parts.path == "/v1/forecast":
                if params.get("apikey", "") != sky.key:
                    status = 401
                body = json.dumps(sky.open_meteo()).encode()
            elif not sky.token_holds(self.headers.get("Authorization", "")):
                status, body = 401, b"{}"
            else:
                body, packed = gzip.compress(json.dumps(sky.qweather()).encode()), True
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if packed or sky.encoding:
            self.send_header("Content-Encoding", sky.encoding or "gzip")
        if 300 <= status < 400:
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        with suppress(OSError):  # whoever asked may have gone
            self.wfile.write(body or b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
        pass


@contextmanager
def running_sky(observed_at: datetime) -> Iterator[tuple[Sky, str]]:
    """Have a provider of weather on this machine while the block runs; yield what it says, and where it listens."""
    sky = Sky(observed_at)
    handler = type("Handler", (_Handler,), {"sky": sky})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield sky, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        sky.release.set()
        server.shutdown()
        thread.join()
        server.server_close()
