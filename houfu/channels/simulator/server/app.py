"""The channel's doors: signed ones for its clients, unsigned ones on the same port for those who direct it."""

import asyncio
import csv
import hashlib
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from houfu.channels.simulator import signing
from houfu.channels.simulator.server import splits, work
from houfu.channels.simulator.server.store import SHANGHAI, Store

Handler = Callable[["Channel", Request, str, bytes], Awaitable[tuple[int, Any, str]]]

COLUMNS = ("no", "kind", "ref", "amount_fen", "fee_fen", "at")
WRONG: dict[str, dict[str, Any]] = {
    "wrong_amount": {"amount_fen": 1},
    "wrong_payee": {"payee_account": "somebody else"},
    "wrong_currency": {"currency": "USD"},
}


@dataclass
class Channel:
    """The running channel.

    Args:
        home: where its store and keys lie.
        clients: folder of public keys; any of them may sign for any principal.
        notify_url: where notices go; empty for nowhere.
        clock: file with the instant at which the channel believes to be; None for the machine's clock.
        by_hand: whether due work waits until it is asked for.
    """

    home: Path
    clients: Path
    notify_url: str
    clock: Path | None
    seed: int
    by_hand: bool
    store: Store = field(init=False)
    key: Ed25519PrivateKey = field(init=False)
    old_key: Ed25519PrivateKey = field(init=False)
    http: httpx2.AsyncClient = field(init=False)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        signing.make_keys(self.home / "channel.key", self.home / "channel.pub")
        signing.make_keys(self.home / "old.key", self.home / "old.pub")
        self.key = signing.private_key(self.home / "channel.key")
        self.old_key = signing.private_key(self.home / "old.key")
        self.store = Store(self.home / "channel.sqlite")
        self.http = httpx2.AsyncClient(timeout=2, trust_env=False)

    def now(self) -> datetime:
        if self.clock is None:
            return datetime.now(UTC)
        return datetime.fromisoformat(json.loads(self.clock.read_text())["now"]).astimezone(UTC)

    def knows(self, text: str, signature: str) -> bool:
        return any(signing.holds(signing.public_key(path), text, signature) for path in self.clients.glob("*.pub"))

    async def work(self) -> dict[str, int]:
        """Do all that is due by the clock."""
        done = work.finish(self.store, self.now())
        done["notices"] = await self.send_notices()
        return done

    async def send_notices(self) -> int:
        due = self.store.all(
            "SELECT * FROM notice WHERE sent = 0 AND due_at <= ? ORDER BY due_at, id", self.now().isoformat()
        )
        for row in due:
            with self.store.change() as db:
                db.execute("UPDATE notice SET sent = 1 WHERE id = ?", [row["id"]])
            for _ in range(row["copies"] + (row["variant"] == "replayed")):
                await self._post_notice(row["id"], row["principal"], row["kind"], row["ref"], row["variant"])
        return len(due)

    async def _post_notice(self, notice_id: str, principal: str, kind: str, ref: str, variant: str) -> None:
        if not self.notify_url:
            return
        if variant == "foreign":
            principal = f"not-{principal}"
        body = json.dumps({"kind": kind, "ref": ref}).encode()
        timestamp = signing.stamp(self.now())
        text = signing.notice_text(notice_id, timestamp, principal, body)
        headers = {
            signing.PRINCIPAL: principal,
            signing.TIMESTAMP: timestamp,
            signing.NOTICE_ID: notice_id,
            signing.SIGNATURE: signing.sign(self.old_key if variant == "forged" else self.key, text),
        }
        with suppress(httpx2.HTTPError):
            await self.http.post(self.notify_url, content=body, headers=headers)


class Spoilt(Response):
    """An answer that does not come through whole: byte by byte, or cut off."""

    def __init__(self, whole: Response, how: str) -> None:
        super().__init__()
        self.whole, self.how = whole, how

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytes(self.whole.body)
        await send({"type": "http.response.start", "status": self.whole.status_code, "headers": self.whole.raw_headers})
        if self.how == "reset_mid_body":
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            raise ConnectionResetError("cut off on purpose")
        for byte in body:
            await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
            await asyncio.sleep(0.1)
        await send({"type": "http.response.body", "body": b""})


def signed(name: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Wrap a door: check the client's signature and time, sign the answer, and spoil it where the script wants that."""

    async def door(request: Request) -> Response:
        channel: Channel = request.app.state.channel
        channel.store.count(name)
        body = await request.body()
        principal = request.headers.get(signing.PRINCIPAL, "")
        timestamp = request.headers.get(signing.TIMESTAMP, "")
        signature = request.headers.get(signing.SIGNATURE, "")
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        text = signing.request_text(request.method, path, timestamp, principal, body)
        if not principal or not channel.knows(text, signature):
            return JSONResponse({"code": "signature_invalid"}, 401)
        age = (channel.now() - datetime.fromisoformat(timestamp)).total_seconds()
        if not -300 <= age <= channel.store.script["acceptance_seconds"]:
            status, answer, spoil = 400, {"code": "stale_request"}, ""
        else:
            status, answer, spoil = await handler(channel, request, principal, body)
        return await _answer(channel, principal, signature, status, answer, spoil)

    return door


async def _answer(
    channel: Channel, principal: str, request_signature: str, status: int, answer: Any, spoil: str
) -> Response:
    if spoil in ("ok_then_timeout", "timeout_not_done"):
        await channel.released.wait()
    if spoil in ("error_500_done", "error_500_not_done", "not_found_while_in_flight"):
        return Response("internal error", 500)
    if spoil == "too_many_requests":
        return JSONResponse({"code": "too_many_requests"}, 429)
    if spoil == "maintenance":
        return JSONResponse({"code": "maintenance"}, 503)
    wrong = WRONG.get(spoil, {})
    content = answer if isinstance(answer, bytes) else json.dumps({**answer, **wrong}).encode()
    if spoil == "broken_json":
        content = content[:-3]
    if spoil == "gbk_text":
        content = '{"说明": "成功"}'.encode("gbk")
    timestamp = signing.stamp(channel.now() + timedelta(days=1 if spoil == "skewed_stamp" else 0))
    text = signing.answer_text(principal, request_signature, timestamp, status, content)
    key = channel.old_key if spoil == "old_key_signature" else channel.key
    signature = signing.sign(key, text + "!" if spoil == "bad_signature" else text)
    headers = {signing.TIMESTAMP: timestamp}
    if spoil != "missing_signature":
        headers[signing.SIGNATURE] = signature
    whole = Response(
        content, status, headers, media_type="text/csv" if isinstance(answer, bytes) else "application/json"
    )
    return Spoilt(whole, spoil) if spoil in ("slow_loris", "reset_mid_body") else whole


async def post_transfer(channel: Channel, request: Request, principal: str, body: bytes) -> tuple[int, Any, str]:
    """Take a transfer, once or as often as this channel's dedupe lets it."""
    store, now = channel.store, channel.now()
    wanted = json.loads(body)
    digest = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
    dedupe = store.script["dedupe"]
    there = _find(store, principal, wanted["request_no"])
    if there and dedupe != "none":
        return (
            (200, _view(there, principal), "")
            if there["digest"] == digest
            else (409, {"code": "request_no_reused"}, "")
        )
    if dedupe == "racy":
        await asyncio.sleep(0.05)  # another request of this number may come in now, and is not noticed
    behaviour = work.choose(store, channel.seed)
    if behaviour.done == "never":
        return 200, {}, behaviour.name
    if behaviour.name == "duplicate_statement_lines":
        store.write_script({"duplicate_lines": True})
    work.transfer(store, principal, wanted, digest, behaviour, now)
    if behaviour.notice == "before_answer":
        await channel.send_notices()
    there = _find(store, principal, wanted["request_no"])
    return 200, _view(there, principal), behaviour.name


async def get_transfer(channel: Channel, request: Request, principal: str, body: bytes) -> tuple[int, Any, str]:
    """Say what became of a transfer."""
    spoil = channel.store.next_from("queries") or ""
    there = _find(channel.store, principal, request.path_params["request_no"])
    if there is None or there["hidden"]:
        return 404, {"code": "not_found"}, spoil
    return 200, _view(there, principal), spoil


def _find(store: Store, principal: str, request_no: str) -> Any:
    return store.one("SELECT * FROM transfer WHERE principal = ? AND request_no = ?", principal, request_no)


def _view(row: Any, principal: str) -> dict[str, Any]:
    return {
        "request_no": row["request_no"],
        "principal": principal,
        "status": row["status"],
        "code": row["code"],
        "amount_fen": row["amount_fen"],
        "fee_fen": row["fee_fen"],
        "currency": "CNY",
        "payee_account": row["payee_account"],
        "channel_no": hashlib.sha256(f"{principal}/{row['request_no']}".encode()).hexdigest()[:16],
        "at": row["at"],
    }


async def query_payee(channel: Channel, request: Request, principal: str, body: bytes) -> tuple[int, Any, str]:
    """Say in which state an account is."""
    found = channel.store.one("SELECT state FROM payee WHERE account = ?", json.loads(body)["account"])
    return 200, {"state": found["state"] if found else "normal"}, ""


async def post_relation(channel: Channel, request: Request, principal: str, body: bytes) -> tuple[int, Any, str]:
    """Bind an account as a receiver, or release it."""
    wanted = json.loads(body)
    if request.url.path.endswith(":release"):
        status = splits.release(channel.store, principal, wanted["account"])
    else:
        status = splits.bind(channel.store, principal, wanted)
    return 200, {"account": wanted["account"], "status": status}, ""


async def get_max_ratio(channel: Channel, request: Request, principal: str, body: bytes) -> tuple[int, Any, str]:
    """Say which part of an order's net is given to receivers at most."""
    return 200, {"permille": channel.store.script["max_ratio_permille"]}, ""


async def post_split(channel: Channel, request: Request, principal: str, body: bytes) -> tuple[int, Any, str]:
    """Take a split."""
    return await splits.take(channel.store, "split", "splits", principal, json.loads(body), channel.now())


async def post_split_return(channel: Channel, request: Request, principal: str, body: bytes) -> tuple[int, Any, str]:
    """Take a part back from its receiver."""
    return await splits.take(channel.store, "split_return", "split_returns", principal, json.loads(body), channel.now())


async def get_split(channel: Channel, request: Request, principal: str, body: bytes) -> tuple[int, Any, str]:
    """Say what became of a split, or of taking a part back."""
    spoil = channel.store.next_from("queries") or ""
    table = "split" if request.url.path.startswith("/v1/splits/") else "split_return"
    there = splits.find(channel.store, table, principal, request.path_params["request_no"])
    if there is None or there["hidden"]:
        return 404, {"code": "not_found"}, spoil
    return 200, splits.view(channel.store, table, there), spoil


async def query_buyer(channel: Channel, request: Request, principal: str, body: bytes) -> tuple[int, Any, str]:
    """Say what the script has as a buyer's credit score: [score, instant]."""
    buyer = json.loads(body)["buyer"]
    found = channel.store.script["scores"].get(buyer)
    if found is None:
        return 404, {"code": "not_found"}, ""
    return 200, {"buyer": buyer, "score": found[0], "at": found[1], "no": f"S-{buyer}-{found[1][:10]}"}, ""


async def post_reports(channel: Channel, request: Request, principal: str, body: bytes) -> tuple[int, Any, str]:
    """Take in receipts and refunds, all of them or, where the script says "half", the first half."""
    reports = json.loads(body)["reports"]
    if channel.store.script["reports"] == "half":
        reports = reports[: len(reports) // 2]
    with channel.store.change():
        taken = [work.report(channel.store, principal, said, channel.now()) for said in reports]
        if not all(taken):
            return 409, {"code": "report_differs", "no": taken.index(False)}, ""
    return 200, {"taken": len(taken)}, ""


async def get_settlement(channel: Channel, request: Request, principal: str, body: bytes) -> tuple[int, Any, str]:
    """Say whether an order's money was credited."""
    row = channel.store.one(
        "SELECT * FROM settlement WHERE principal = ? AND order_id = ?", principal, request.path_params["order_id"]
    )
    if row is None:
        return 404, {"code": "not_found"}, ""
    return (
        200,
        {
            "order_id": row["order_id"],
            "status": "settled" if row["settled_at"] else "pending",
            "gross_fen": row["gross_fen"],
            "fee_fen": row["fee_fen"],
            "at": row["settled_at"],
        },
        "",
    )


async def get_statement(channel: Channel, request: Request, principal: str, body: bytes) -> tuple[int, Any, str]:
    """Return a day's statement as CSV; its first line says whether the day is over, and the balances around it."""
    if not channel.by_hand:
        work.finish(channel.store, channel.now())  # the clock may have been moved since it last worked
    day = date.fromisoformat(request.path_params["day"])
    lines = channel.store.statement(principal, day)
    final = channel.now().astimezone(SHANGHAI).date() > day
    opening = channel.store.opening(principal, day)
    closing = opening + sum(line["delta_fen"] for line in lines)
    text = io.StringIO()
    text.write(f"#{'final' if final else 'open'},{opening},{closing}\n")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for line in lines:
        for _ in range(2 if channel.store.script["duplicate_lines"] else 1):
            rows.writerow([line[name] for name in COLUMNS])
    return 200, text.getvalue().encode(), ""


async def control(request: Request) -> Response:
    """Direct the channel: its script, its balances, its due work; and look at what it has executed."""
    channel: Channel = request.app.state.channel
    what = request.path_params["what"]
    said = await request.json() if request.method in ("PUT", "POST") and await request.body() else {}
    store = channel.store
    if what == "script":
        try:
            for account, state in said.pop("payees", {}).items():
                store.db.execute("INSERT OR REPLACE INTO payee VALUES (?, ?)", [account, state])
            store.write_script(said)
        except (ValueError, TypeError) as error:
            return JSONResponse({"code": "script_invalid", "said": str(error)}, 422)
        return JSONResponse(store.script)
    if what == "executions":
        rows = store.all(
            "SELECT principal, request_no, count(*) AS times, max(amount_fen) AS amount_fen FROM execution"
            " GROUP BY 1, 2 ORDER BY min(id)"
        )
        return JSONResponse([dict(row) for row in rows])
    if what == "calls":
        return JSONResponse({row["endpoint"]: row["times"] for row in store.all("SELECT * FROM call")})
    if what == "balances":
        return JSONResponse({row["principal"]: row["balance_fen"] for row in store.all("SELECT * FROM account")})
    if what == "work":
        return JSONResponse(await channel.work())
    if what == "release":
        channel.released.set()
        channel.released = asyncio.Event()
        return JSONResponse({})
    if what == "top_up":
        with store.change():
            store.book(said["principal"], "top_up", "", said["amount_fen"], 0, said["amount_fen"], channel.now())
        return JSONResponse({"balance_fen": store.balance(said["principal"])})
    return JSONResponse({"code": "not_found"}, 404)


def build(channel: Channel) -> Starlette:
    """Return the application."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async def keep_working() -> None:
            while True:
                with suppress(Exception):
                    await channel.work()
                await asyncio.sleep(0.1)

        task = None if channel.by_hand else asyncio.create_task(keep_working())
        yield
        if task:
            task.cancel()

    doors: list[tuple[str, str, Handler]] = [
        ("POST", "/v1/transfers", post_transfer),
        ("GET", "/v1/transfers/{request_no}", get_transfer),
        ("POST", "/v1/payees/query", query_payee),
        ("POST", "/v1/relations", post_relation),
        ("POST", "/v1/relations:release", post_relation),
        ("GET", "/v1/max-ratio", get_max_ratio),
        ("POST", "/v1/splits", post_split),
        ("GET", "/v1/splits/{request_no}", get_split),
        ("POST", "/v1/split-returns", post_split_return),
        ("GET", "/v1/split-returns/{request_no}", get_split),
        ("POST", "/v1/buyers/query", query_buyer),
        ("POST", "/v1/reports", post_reports),
        ("GET", "/v1/settlements/{order_id}", get_settlement),
        ("GET", "/v1/statements/{day}", get_statement),
    ]
    routes = [Route(path, signed(handler.__name__, handler), methods=[method]) for method, path, handler in doors]
    app = Starlette(
        lifespan=lifespan, routes=[*routes, Route("/control/{what}", control, methods=["GET", "POST", "PUT"])]
    )
    app.state.channel = channel
    return app
