"""The stage: a trial instance in real processes, its clock in our hand, played through its API alone."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from houfu.kernel.clock import FileClock
from houfu.kernel.errors import Refused
from houfu.kernel.postgres import dies_with_us
from houfu.site import processes
from houfu.site.upkeep import CLOCK

T = TypeVar("T")
PATIENCE = 60  # seconds of real time for something that the worker is to do
BEAT, LONGEST_BEAT = 0.05, 0.4


class StoryStuck(Refused):
    """Something that should have happened in a story did not, within the time that it is given."""

    code = "demo_story_stuck"
    status = 500


@dataclass(frozen=True)
class Figure:
    """Something that a story shows: what was expected, and what was found."""

    story: str
    what: str
    expected: Any
    found: Any

    @property
    def holds(self) -> bool:
        return bool(self.expected == self.found)


class Api:
    """A program with a key."""

    def __init__(self, address: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx2.Client(base_url=f"{address}/v1", headers=headers, timeout=PATIENCE, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return status and answer of one request, refusals included."""
        answer = self._http.request(method, path, json=body)
        return answer.status_code, answer.json() if answer.content else None

    def get(self, path: str) -> Any:
        return self._surely("GET", path, None)

    def post(self, path: str, body: Any = None) -> Any:
        return self._surely("POST", path, body)

    def put(self, path: str, body: Any) -> Any:
        return self._surely("PUT", path, body)

    def _surely(self, method: str, path: str, body: Any) -> Any:
        status, said = self.ask(method, path, body)
        if status >= 300:
            raise StoryStuck(request=f"{method} {path}", status=status, said=said)
        return said


@dataclass(frozen=True)
class Shop:
    """A merchant with its stores, one beneficiary and a key."""

    merchant_id: int
    stores: list[int]
    beneficiary_id: int
    principal: str
    api: Api

    @property
    def store_id(self) -> int:
        return self.stores[0]

    def wish(self, amount_fen: int, store_id: int = 0) -> dict[str, Any]:
        """Return what somebody says who wants so much paid out."""
        return {
            "store_id": store_id or self.store_id,
            "beneficiary_id": self.beneficiary_id,
            "amount_fen": amount_fen,
            "purpose": "goods_settlement",
        }

    def state(self, payout_id: str) -> str:
        return str(self.api.get(f"/payouts/{payout_id}")["state"])

    def limit(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(f"/stores/{self.store_id}/limit")
        return found

    def balance(self, kind: str) -> int:
        return sum(each["balance_fen"] for each in self.api.get("/balances") if each["kind"] == kind)


@dataclass
class Stage:
    """A running trial instance.

    Args:
        home: a folder that is not there yet, or empty.
        starts_at: the first instant of its business time.
    """

    home: Path
    starts_at: datetime
    figures: list[Figure] = field(default_factory=list)
    shops: dict[str, Shop] = field(default_factory=dict)
    say: Callable[[str], None] = lambda text: None

    def __enter__(self) -> "Stage":
        self.home.mkdir(parents=True, exist_ok=True)
        self._ends = ExitStack()
        self._control = self._ends.enter_context(httpx2.Client(timeout=10, trust_env=False))
        self.clock = FileClock(self.home / CLOCK)
        self.clock.set(self.starts_at)
        command = [sys.executable, "-m", "houfu", "--home", str(self.home), "up", "--trial", "--port", "0"]
        with (self.home / "demo.log").open("wb") as log:
            self._up = subprocess.Popen(dies_with_us(command, "TERM"), stdout=log, stderr=log, env=_environment())
        try:
            self.until("the instance answers", lambda: b"answers" in (self.home / "demo.log").read_bytes())
            self._terminal = self._open_terminal()
            self._ends.callback(_end, self._terminal)
            token = self.command("key", "create", "0", "--name", "demo", "--person", "demo", "--json")
        except BaseException:
            self.__exit__()
            raise
        self.root = self._api(token["token"])
        self.channel("PUT", "script", notices=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._up.send_signal(signal.SIGTERM)
        self._up.wait()
        self._ends.close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{processes.running(self.home)['front']['port']}"

    def with_key(self, token: str) -> Api:
        """Return a program with another key."""
        return self._api(token)

    def _api(self, token: str) -> Api:
        return self._ends.enter_context(closing(Api(self.address, token)))

    def runs(self) -> bool:
        """Say whether the instance has not ended by itself."""
        return self._up.poll() is None

    def move(self, **step: float) -> None:
        """Move business time on."""
        self.clock.set(self.clock.now() + timedelta(**step))

    def until(self, what: str, done: Callable[[], T], *, passing: float = 0) -> T:
        """Wait for something that other processes do, and return it.

        Args:
            passing: seconds of business time that pass with each look, so what a worker put off comes up again.

        Raises:
            StoryStuck: it did not happen in time, or the instance ended.
        """
        ends = time.monotonic() + PATIENCE
        beat = BEAT
        while time.monotonic() < ends and self._up.poll() is None:
            try:
                if found := done():
                    return found
            except (httpx2.HTTPError, FileNotFoundError, KeyError, StoryStuck):
                pass  # whatever was killed is not back yet
            time.sleep(beat)
            if passing:
                self.move(seconds=passing)
            else:  # what takes long is looked at less often: looking takes from those who do it
                beat = min(beat * 1.4, LONGEST_BEAT)
        log = (self.home / "demo.log").read_text(errors="replace")[-1500:]
        raise StoryStuck(waiting_for=what, log=log)

    def kill(self, *names: str) -> None:
        """Kill processes outright and wait until others have taken their places."""
        before = processes.running(self.home)
        for name in names:
            os.kill(before[name]["pid"], signal.SIGKILL)
        for name in names:
            self.until(f"{name} is back", lambda: processes.running(self.home)[name]["pid"] != before[name]["pid"])  # noqa: B023
        self.until("the API answers", lambda: self.root.get("/health"))

    def channel(self, method: str, what: str, **said: Any) -> Any:
        """Direct the simulated channel, or look at what it has done."""
        port = processes.running(self.home)["simulator"]["port"]
        return self._control.request(method, f"http://127.0.0.1:{port}/control/{what}", json=said or None).json()

    def expect(self, story: str, what: str, expected: Any, found: Any) -> None:
        """Note a figure."""
        self.figures.append(Figure(story, what, expected, found))
        self.say(f"{'✓' if expected == found else '✗'} {what}: {found}")

    def open_shop(
        self, name: str, uscc: str, *, limit_fen: int, stores: int = 1, maturity_days: int | None = 1
    ) -> Shop:
        """Open a merchant with stores, each with an own limit, a verified beneficiary and T+1 unless told otherwise."""
        merchant_id = self.root.post("/merchants", {"name": name, "uscc": uscc})["merchant_id"]
        self.root.post(f"/merchants/{merchant_id}/verification", {"document": "营业执照"})
        scopes = [
            "history:read", "ledger:read", "limits:read", "limits:write", "merchants:read", "merchants:write",
            "orders:read", "orders:write", "payouts:read", "payouts:write", "policies:read",
        ]  # fmt: skip
        api = self._api(self.make_key(merchant_id, "erp", scopes))
        principal = f"2088{merchant_id:012d}"
        said = {"channel": "simulator", "principal": principal, "maturity_days": maturity_days}
        account = api.post("/channel-accounts", said)
        opened = [
            api.post("/stores", {"code": f"S{n}", "name": f"{name} {n} 号店", "channel_account_id": account["id"]})[
                "id"
            ]
            for n in range(1, stores + 1)
        ]
        for store_id in opened:
            self.root.post(f"/merchants/{merchant_id}/stores/{store_id}/grants", {"amount_fen": limit_fen})
        payee = self.command(
            "beneficiary", "register", str(merchant_id), "--kind", "bank_corporate", "--holder", name,
            "--account", f"6222{merchant_id:012d}", "--as", "li", "--json",
        )["id"]  # fmt: skip
        self.command(
            "beneficiary", "verify", str(merchant_id), str(payee), "--document", "开户许可证", "--as", "han", "--json"
        )
        self.shops[name] = Shop(merchant_id, opened, payee, principal, api)
        return self.shops[name]

    def make_key(self, merchant_id: int, name: str, scopes: Sequence[str]) -> str:
        """Make a merchant's key at the terminal, for the platform's own key is not let in, and return its token."""
        chosen = [part for scope in scopes for part in ("--scope", scope)]
        said = self.command("key", "create", str(merchant_id), "--name", name, "--person", "王芳", *chosen, "--json")
        return str(said["token"])

    def verify(self) -> dict[str, Any]:
        """Run `houfu verify` as a process of its own and return its report."""
        return self.command("verify", "--json")

    def command(self, *arguments: str) -> dict[str, Any]:
        """Run a command of an operator at the terminal, and return the JSON that it prints, if any.

        Raises:
            StoryStuck: it failed.
        """
        assert self._terminal.stdin
        assert self._terminal.stdout
        self._terminal.stdin.write(json.dumps(["--home", str(self.home), *arguments]) + "\n")
        self._terminal.stdin.flush()
        try:
            said, complained = json.loads(self._terminal.stdout.readline() or '["", "it has ended"]')
            found: dict[str, Any] = json.loads(said or ("" if complained else "{}"))
        except ValueError as error:
            raise StoryStuck(command=" ".join(arguments), said=complained[-500:]) from error
        return found

    def _open_terminal(self) -> subprocess.Popen[str]:
        command = dies_with_us([sys.executable, "-m", "houfu.cli.terminal"], "TERM")
        log = self._ends.enter_context((self.home / "demo.log").open("a"))
        environment = {**_environment(), "HOUFU_HOME": str(self.home)}
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        )

    def earn(self, shop: Shop, amount_fen: int) -> None:
        """Let an order of this amount be received, settled and matured in every store of a shop: two days go by."""
        orders = [
            {"id": f"M{shop.merchant_id}-{store_id}", "store_id": store_id, "amount_fen": amount_fen}
            for store_id in shop.stores
        ]
        shop.api.post("/orders:batch", {"orders": orders})
        for kind in ("shipped", "received"):
            shop.api.post(
                "/orders/events:batch", {"events": [{"kind": kind, "order_id": each["id"]} for each in orders]}
            )
        self.move(days=1)
        self.until("the orders settle", lambda: shop.balance("claim:pending") == 0)
        self.move(days=1)
        self.until("the money matures", lambda: shop.balance("claim:settled") == 0 and shop.balance("claim:matured"))


def _end(process: subprocess.Popen[str]) -> None:
    """End a process, and wait until it is gone and its pipes are closed."""
    process.terminate()
    process.communicate()


def _environment() -> dict[str, str]:
    """Return the environment without the addresses of other databases: a demo touches its own alone."""
    return {name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")}
