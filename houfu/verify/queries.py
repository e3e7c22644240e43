"""Verifying: the invariants, proved a second time in plain SQL that shares nothing with what keeps them."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connections, transaction

CHECKS = Path(__file__).parent / "sql"
SHOWN = 20


@dataclass(frozen=True)
class Finding:
    """An invariant that does not hold.

    Args:
        rows: the first broken rows, as many as are worth reading.
        count: how many there are.
    """

    invariant: str
    check: str
    statement: str
    count: int
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Report:
    """What a verification has found."""

    checks: int
    findings: list[Finding]
    seconds: float


def run(only: str = "") -> Report:
    """Run every check, or those whose name begins with `only`, over one snapshot of the whole database."""
    started = time.monotonic()
    with transaction.atomic(using="auditor"), connections["auditor"].cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        found = findings(cursor, only)
    return Report(len(_files(only)), found, round(time.monotonic() - started, 3))


def findings(cursor: Any, only: str = "") -> list[Finding]:
    """Return what the checks find in all that a cursor can see."""
    return [finding for path in _files(only) if (finding := _check(cursor, path))]


def _files(only: str) -> list[Path]:
    return sorted(path for path in CHECKS.glob("*.sql") if path.name.startswith(only))


def _check(cursor: Any, path: Path) -> Finding | None:
    text = path.read_text()
    said = " ".join(line.removeprefix("--").strip() for line in text.splitlines() if line.startswith("--"))
    invariant, _, statement = said.partition(": ")
    cursor.execute(text)
    rows = cursor.fetchmany(SHOWN)
    if not rows:
        return None
    names = [column.name for column in cursor.description]
    count = len(rows) + len(cursor.fetchall())
    return Finding(invariant, path.stem, statement, count, [dict(zip(names, row, strict=True)) for row in rows])
