"""What the tests of the simulated channel share: transfers, and a relay that stands between us and the channel."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx2
import pytest

from houfu.channels.port import Payee, Transfer
from houfu.channels.simulator import signing
from houfu.channels.simulator.adapter import SimulatorChannel
from houfu.kernel import clock

PAYEE = Payee("bank_corporate", "6222020200112233", "杭州某某服饰有限公司")
_numbers = itertools.count(1)


def new_transfer(channel, amount_fen=100_000, fee_fen=800):
    """Make a transfer of a principal of its own that has money enough for it, three times over."""
    number = next(_numbers)
    principal = f"P{number:06d}"
    channel.top_up(principal, 3 * (amount_fen + fee_fen))
    return Transfer(principal, f"HF{number:06d}", amount_fen, fee_fen, PAYEE, "goods_settlement", clock.now())


HANGS = {"ok_then_timeout", "timeout_not_done", "slow_loris"}


def adapter(channel, *, port=None, timeout=5):
    """Return our side of the channel, or of whoever listens at another port; only for what hangs it need not wait."""
    keys = channel.home / "client.key", channel.home / "channel.pub"
    return SimulatorChannel(f"http://127.0.0.1:{port or channel.port}", *keys, timeout=timeout)


@dataclass
class Relay:
    """Passes requests on to the channel and its answers back, changed as told and signed anew with its very key."""

    port: int
    key: Path
    spoil: Callable[[bytes], bytes] = lambda content: content
    stamp: str | None = None
    replay: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    passed: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)

    def answer(self, method, path, given, body):
        if self.replay:
            return self.replay.pop(0)
        answer = httpx2.request(
            method, f"http://127.0.0.1:{self.port}{path}", headers=given, content=body, trust_env=False
        )
        content = self.spoil(answer.content)
        stamp = answer.headers[signing.TIMESTAMP] if self.stamp is None else self.stamp
        text = signing.answer_text(
            given[signing.PRINCIPAL], given[signing.SIGNATURE], stamp, answer.status_code, content
        )
        headers = {signing.TIMESTAMP: stamp, signing.SIGNATURE: signing.sign(signing.private_key(self.key), text)}
        self.passed.append((answer.status_code, headers, content))
        return self.passed[-1]


@pytest.fixture
def relay(channel):
    """A relay and the port at which it listens."""
    relay = Relay(channel.port, channel.home / "channel.key")

    class Handler(BaseHTTPRequestHandler):
        def serve(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            given = {name: self.headers[name] for name in (signing.PRINCIPAL, signing.TIMESTAMP, signing.SIGNATURE)}
            status, headers, content = relay.answer(self.command, self.path, given, body)
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = serve  # noqa: N815  the server looks for these names

        def log_message(self, *said):
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            yield relay, server.server_address[1]
        finally:
            server.shutdown()
