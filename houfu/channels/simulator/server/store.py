"""What the channel knows: accounts, transfers, executions, settlements and statement lines, in SQLite."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from houfu.channels.simulator.server.behaviours import SPLIT_DONE, Behaviour, read

SHANGHAI = timezone(timedelta(hours=8))

SCHEMA = """
CREATE TABLE IF NOT EXISTS account (principal TEXT PRIMARY KEY, balance_fen INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS transfer (
    principal TEXT, request_no TEXT, digest TEXT NOT NULL, amount_fen INTEGER NOT NULL, fee_fen INTEGER NOT NULL,
    payee_account TEXT NOT NULL, status TEXT NOT NULL, code TEXT NOT NULL DEFAULT '', at TEXT NOT NULL,
    behaviour TEXT NOT NULL, due_at TEXT, hidden INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (principal, request_no));
CREATE TABLE IF NOT EXISTS execution (
    id INTEGER PRIMARY KEY, principal TEXT, request_no TEXT, amount_fen INTEGER, fee_fen INTEGER, at TEXT);
CREATE TABLE IF NOT EXISTS report (
    principal TEXT, order_id TEXT, kind TEXT, ref TEXT, amount_fen INTEGER, at TEXT,
    PRIMARY KEY (principal, order_id, kind, ref));
CREATE TABLE IF NOT EXISTS settlement (
    principal TEXT, order_id TEXT, gross_fen INTEGER NOT NULL, fee_fen INTEGER NOT NULL DEFAULT 0, due_at TEXT NOT NULL,
    settled_at TEXT, PRIMARY KEY (principal, order_id));
CREATE INDEX IF NOT EXISTS settlement_due ON settlement (due_at) WHERE settled_at IS NULL;
CREATE TABLE IF NOT EXISTS line (
    no INTEGER PRIMARY KEY, principal TEXT, day TEXT, kind TEXT, ref TEXT, amount_fen INTEGER, fee_fen INTEGER,
    delta_fen INTEGER, at TEXT);
CREATE INDEX IF NOT EXISTS line_of_day ON line (principal, day, at, no);
CREATE TABLE IF NOT EXISTS notice (
    id TEXT PRIMARY KEY, principal TEXT, kind TEXT, ref TEXT, due_at TEXT, copies INTEGER, variant TEXT, sent INTEGER);
CREATE TABLE IF NOT EXISTS payee (account TEXT PRIMARY KEY, state TEXT);
CREATE TABLE IF NOT EXISTS relation (principal TEXT, account TEXT, relation TEXT, PRIMARY KEY (principal, account));
CREATE TABLE IF NOT EXISTS split (
    principal TEXT, request_no TEXT, digest TEXT NOT NULL, order_id TEXT NOT NULL, status TEXT NOT NULL,
    code TEXT NOT NULL DEFAULT '', at TEXT NOT NULL, behaviour TEXT NOT NULL, due_at TEXT,
    hidden INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (principal, request_no));
CREATE TABLE IF NOT EXISTS receiver (
    principal TEXT, request_no TEXT, place INTEGER, account TEXT NOT NULL, amount_fen INTEGER NOT NULL,
    status TEXT NOT NULL, code TEXT NOT NULL DEFAULT '', returned_fen INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (principal, request_no, place));
CREATE TABLE IF NOT EXISTS split_return (
    principal TEXT, request_no TEXT, digest TEXT NOT NULL, split_no TEXT NOT NULL, account TEXT NOT NULL,
    amount_fen INTEGER NOT NULL, status TEXT NOT NULL, code TEXT NOT NULL DEFAULT '', at TEXT NOT NULL,
    behaviour TEXT NOT NULL, due_at TEXT, hidden INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (principal, request_no));
CREATE TABLE IF NOT EXISTS call (endpoint TEXT PRIMARY KEY, times INTEGER);
CREATE TABLE IF NOT EXISTS script (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), document TEXT);
"""
SCRIPT = {
    "transfers": [],
    "default": "ok",
    "random": False,
    "notices": False,
    "settle_after_days": 1,
    "fee_permille": 6,
    "dedupe": "strict",
    "acceptance_seconds": 300,
    "duplicate_lines": False,
    "reports": "all",
    "queries": [],
    "splits": [],
    "split_returns": [],
    "max_ratio_permille": 900,
    "refuses_relations": [],
    "scores": {},
}


class Store:
    """The channel's memory; it survives the death of its process."""

    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.db.row_factory = sqlite3.Row
        self.db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + SCHEMA)

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """Change the store wholly or not at all."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield self.db
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def all(self, query: str, *params: Any) -> list[sqlite3.Row]:
        return self.db.execute(query, params).fetchall()

    def one(self, query: str, *params: Any) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self.db.execute(query, params).fetchone()
        return row

    def count(self, endpoint: str) -> None:
        """Count a call."""
        self.db.execute("INSERT INTO call VALUES (?, 1) ON CONFLICT DO UPDATE SET times = times + 1", [endpoint])

    # The script ------------------------------------------------------------------------------------------------------

    @property
    def script(self) -> dict[str, Any]:
        row = self.one("SELECT document FROM script")
        return {**SCRIPT, **(json.loads(row["document"]) if row else {})}

    def write_script(self, changes: dict[str, Any]) -> None:
        """Change the script.

        Raises:
            ValueError: it names something that does not exist.
        """
        if unknown := changes.keys() - SCRIPT.keys():
            raise ValueError(f"unknown: {sorted(unknown)}")
        for said in [*changes.get("transfers", []), changes.get("default", "ok")]:
            read(said)
        for said in [*changes.get("splits", []), *changes.get("split_returns", [])]:
            read(said, SPLIT_DONE)
        document = json.dumps({**self.script, **changes})
        self.db.execute(
            "INSERT INTO script VALUES (1, ?) ON CONFLICT DO UPDATE SET document = excluded.document", [document]
        )

    def next_from(self, queue: str) -> Any:
        """Take the next entry of one of the script's queues; None when it is empty."""
        waiting = self.script[queue]
        if not waiting:
            return None
        self.write_script({queue: waiting[1:]})
        return waiting[0]

    # Money -----------------------------------------------------------------------------------------------------------

    def balance(self, principal: str) -> int:
        row = self.one("SELECT balance_fen FROM account WHERE principal = ?", principal)
        return row["balance_fen"] if row else 0

    def book(
        self, principal: str, kind: str, ref: str, amount_fen: int, fee_fen: int, delta_fen: int, at: datetime
    ) -> None:
        """Move a balance and write the statement line that says so."""
        self.db.execute(
            "INSERT INTO account VALUES (?, ?)"
            " ON CONFLICT DO UPDATE SET balance_fen = balance_fen + excluded.balance_fen",
            [principal, delta_fen],
        )
        day = at.astimezone(SHANGHAI).date().isoformat()
        self.db.execute(
            "INSERT INTO line (principal, day, kind, ref, amount_fen, fee_fen, delta_fen, at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [principal, day, kind, ref, amount_fen, fee_fen, delta_fen, at.isoformat()],
        )

    def executed(self, principal: str, request_no: str, amount_fen: int, at: datetime, fee_fen: int = 0) -> None:
        """Count an execution, however often there is one of a number."""
        self.db.execute(
            "INSERT INTO execution (principal, request_no, amount_fen, fee_fen, at) VALUES (?, ?, ?, ?, ?)",
            [principal, request_no, amount_fen, fee_fen, at.isoformat()],
        )

    def execute(
        self, principal: str, request_no: str, amount_fen: int, fee_fen: int, account: str, at: datetime
    ) -> str:
        """Execute a transfer, or find why it cannot be; return the code of a denial, empty when it was executed."""
        payee = self.one("SELECT state FROM payee WHERE account = ?", account)
        if payee and payee["state"] == "closed":
            return "payee_closed"
        if self.balance(principal) < amount_fen + fee_fen:
            return "balance_not_enough"
        self.executed(principal, request_no, amount_fen, at, fee_fen)
        self.book(principal, "transfer", request_no, amount_fen, 0, -amount_fen, at)
        if fee_fen:
            self.book(principal, "transfer_fee", request_no, fee_fen, 0, -fee_fen, at)
        return ""

    def keep_transfer(
        self,
        principal: str,
        wanted: dict[str, Any],
        digest: str,
        status: str,
        code: str,
        behaviour: Behaviour,
        at: datetime,
        due_at: datetime | None,
        hidden: bool,
    ) -> None:
        """Remember a transfer; where the channel does not dedupe, over what it remembered before."""
        self.db.execute(
            "INSERT OR REPLACE INTO transfer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                principal,
                wanted["request_no"],
                digest,
                wanted["amount_fen"],
                wanted["fee_fen"],
                wanted["payee"]["account"],
                status,
                code,
                at.isoformat(),
                json.dumps(asdict(behaviour)),
                due_at and due_at.isoformat(),
                hidden,
            ],
        )

    def notify(self, principal: str, kind: str, ref: str, due_at: datetime, variant: str, copies: int = 1) -> None:
        """Have a notice sent once it is due."""
        number = self.one("SELECT count(*) AS n FROM notice")
        assert number
        self.db.execute(
            "INSERT INTO notice VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
            [f"N{number['n'] + 1:08d}", principal, kind, ref, due_at.isoformat(), copies, variant],
        )

    def statement(self, principal: str, day: date) -> list[sqlite3.Row]:
        return self.all(
            "SELECT * FROM line WHERE principal = ? AND day = ? ORDER BY at, no", principal, day.isoformat()
        )

    def opening(self, principal: str, day: date) -> int:
        row = self.one(
            "SELECT coalesce(sum(delta_fen), 0) AS fen FROM line WHERE principal = ? AND day < ?",
            principal,
            day.isoformat(),
        )
        assert row
        return int(row["fen"])
