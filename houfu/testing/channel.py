"""The simulated channel for tests: a real process, told by hand what to do, with our clock as its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2

from houfu.channels.simulator import signing
from houfu.kernel.clock import FileClock

CALM = {
    "transfers": [], "default": "ok", "random": False, "notices": False, "settle_after_days": 1, "fee_permille": 6,
    "dedupe": "strict", "acceptance_seconds": 300, "duplicate_lines": False, "reports": "all", "queries": [],
    "splits": [], "split_returns": [], "max_ratio_permille": 900, "refuses_relations": [],
    "scores": {},
}  # fmt: skip


@dataclass
class Simulated:
    """A running simulated channel, seen from the director's chair."""

    hands: FileClock
    http: httpx2.Client
    home: Path
    port: int

    def reset(self) -> None:
        """Behave well, and let go of whoever is still kept waiting."""
        self.http.post("/control/release")
        self.script(**CALM)
        self.connect()

    def script(self, **said: Any) -> None:
        """Change the script."""
        answer = self.http.put("/control/script", json=said)
        assert answer.status_code == 200, answer.text

    def connect(self, dedupe: str = "strict", timeout: float = 0.3) -> None:
        """Write the channel into this process' channels.toml."""
        from houfu.site import upkeep

        upkeep.write_channel(
            "simulator",
            adapter="simulator",
            url=f"http://127.0.0.1:{self.port}",
            client_key=str(self.home / "client.key"),
            channel_key=str(self.home / "channel.pub"),
            dedupe=dedupe,
            timeout_seconds=timeout,
        )

    def move(self, **step: float) -> None:
        """Move the one clock on."""
        self.hands.set(self.hands.now() + timedelta(**step))

    def work(self) -> dict[str, int]:
        """Let the channel do what is due."""
        done: dict[str, int] = self.http.post("/control/work").json()
        return done

    def top_up(self, principal: str, amount_fen: int) -> None:
        """Put money into a principal's account."""
        self.http.post("/control/top_up", json={"principal": principal, "amount_fen": amount_fen})

    def executions(self, principal: str) -> int:
        """Return how often the channel has executed transfers of a principal, from its own store."""
        rows = self.http.get("/control/executions").json()
        return sum(row["times"] for row in rows if row["principal"] == principal)

    def balance(self, principal: str) -> int:
        balances: dict[str, int] = self.http.get("/control/balances").json()
        return balances.get(principal, 0)

    def calls(self, door: str) -> int:
        calls: dict[str, int] = self.http.get("/control/calls").json()
        return calls.get(door, 0)


@contextmanager
def running_simulator(home: Path, *options: str) -> Iterator[Simulated]:
    """Run a simulated channel, with further options of its server, while the block runs."""
    hands = FileClock(home / "clock.json")
    hands.path.write_text(json.dumps({"now": "2025-11-10T02:00:00+00:00"}))
    signing.make_keys(home / "client.key", home / "clients" / "houfu.pub")
    command = [
        sys.executable, "-m", "houfu.channels.simulator.server", "--home", str(home), "--clients",
        str(home / "clients"), "--clock", str(hands.path), "--by-hand", *options,
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        port = json.loads(process.stdout.readline())["port"]
        transport = httpx2.HTTPTransport(retries=20)
        with httpx2.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=10, trust_env=False, transport=transport
        ) as http:
            yield Simulated(hands, http, home, port)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
