"""Verifying: the invariants, proved a second time in plain SQL that shares nothing with what keeps them."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connections, transaction

CHECKS = Path(__file__).parent / "sql"
SHOWN = 20
# A check reads whole tables and returns next to nothing, which the planner cannot know.
SETTINGS = (
    "SET LOCAL jit = off; SET LOCAL work_mem = '64MB';"
    " SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0"
)


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
    """Run every check, or those whose name begins with `only`, over one snapshot of the whole database.

    Two connections share the snapshot and the checks, each taking the next one when it is done with the last.
    """
    started = time.monotonic()
    paths = sorted(_files(only), key=_longest_first)
    todo = iter(paths)  # one step of it is not interrupted: no check is taken twice
    with _looking() as cursor, ThreadPoolExecutor(1) as hand:
        cursor.execute("SELECT pg_export_snapshot()")
        other = hand.submit(_beside, cursor.fetchone()[0], todo)
        found = [*_work_off(cursor, todo), *other.result()]
    return Report(len(paths), sorted(found, key=lambda each: each.check), round(time.monotonic() - started, 3))


@contextmanager
def _looking() -> Iterator[Any]:
    """Have a cursor that sees one state of the database and changes nothing."""
    with transaction.atomic(using="auditor"), connections["auditor"].cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield cursor


def _beside(snapshot: str, todo: Iterator[Path]) -> list[Finding]:
    """Work off checks in a thread of its own, seeing what the first connection sees."""
    try:
        with _looking() as cursor:
            cursor.execute("SET TRANSACTION SNAPSHOT %s", [snapshot])
            return _work_off(cursor, todo)
    finally:
        connections["auditor"].close()


def findings(cursor: Any, only: str = "") -> list[Finding]:
    """Return what the checks find in all that a cursor can see."""
    return _work_off(cursor, iter(_files(only)))


def _work_off(cursor: Any, todo: Iterator[Path]) -> list[Finding]:
    cursor.execute(SETTINGS)
    return [finding for path in todo if (finding := _check(cursor, path))]


def _files(only: str) -> list[Path]:
    return sorted(path for path in CHECKS.glob("*.sql") if path.name.startswith(only))


def _longest_first(path: Path) -> tuple[bool, str]:
    """Sort what computes seals to the front, so that no connection waits for the other at the end."""
    return not path.name.startswith("i15"), path.name


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
