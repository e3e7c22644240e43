"""What the product is measured against on the same server: the limit of writing its rows, and another ledger."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from django.db import connections

from houfu.bench.ground import Timing, together
from houfu.bench.scene import Place, batched, load
from houfu.kernel import ids
from houfu.kernel.arrays import encoded

PGLEDGER_BATCH = 100  # its best on one hot account
_COLUMNS = (
    "merchant_id, id, store_id, amount_fen, buyer, authorised_at, batch, no, own_fen, pool_fen, temp_fen,"
    " tolerance_fen, pool_id, reasons, state, open_own_fen, open_pool_fen, open_temp_fen, open_tolerance_fen"
)
_INSERT = f"""
    INSERT INTO bench.unnested ({_COLUMNS})
    SELECT w.merchant_id, w.id, w.store_id, w.amount_fen, w.buyer, w.at, w.batch, w.no, w.own, w.pool, 0, 0, w.pool_id,
           NULL, 'authorised', w.own, w.pool, 0, 0
    FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::timestamptz[], %s::uuid[],
                %s::integer[], %s::bigint[], %s::bigint[], %s::bigint[])
         w (merchant_id, id, store_id, amount_fen, buyer, at, batch, no, own, pool, pool_id)
"""  # noqa: S608  both parts are ours
_TYPES = (
    "bigint[]", "text[]", "bigint[]", "bigint[]", "text[]", "timestamp with time zone[]", "uuid[]", "integer[]",
    "bigint[]", "bigint[]", "bigint[]",
)  # fmt: skip


def _owner() -> "psycopg.Connection[Any]":
    """Return the connection of the tables' owner, each statement a transaction of its own."""
    connections["owner"].ensure_connection()
    found: psycopg.Connection[Any] = connections["owner"].connection
    return found


def _run(statement: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Run one statement as the owner, its parameters bound by the server, and return its rows."""
    with psycopg.Cursor(_owner()) as cursor:
        cursor.execute(statement.encode(), params)
        return cursor.fetchall() if cursor.description else []


def make_tables() -> None:
    """Make tables of the form and with the indexes of the orders' own."""
    _run("CREATE SCHEMA bench")
    for name in ("bench.copied", "bench.unnested"):
        _run(f"CREATE TABLE {name} (LIKE orders_order INCLUDING ALL) WITH (fillfactor = 80)")


def _rows(places: Sequence[Place], label: str, count: int, size: int) -> list[list[tuple[Any, ...]]]:
    """Return the rows that the product would write for a load, batch by batch."""
    pools = {place.store_id: place.pool_id for place in places}
    batches = []
    for asked in batched(load(places, label, count), size):
        batch: dict[int, UUID] = {}
        rows = []
        for no, each in enumerate(asked, 1):
            x = each.order
            own, pool = (x.amount_fen, 0) if pools[x.store_id] is None else (0, x.amount_fen)
            of = batch.setdefault(x.merchant_id, ids.new())
            rows.append(
                (x.merchant_id, x.id, x.store_id, x.amount_fen, x.buyer, x.at, of, no, own, pool, pools[x.store_id])
            )
        batches.append(rows)
    return batches


def copy(hand: int, places: Sequence[Place], label: str, count: int, size: int) -> Timing:
    """Write the rows of a load by COPY, a transaction for each batch; the text is made before the clock starts."""
    owner = _owner()
    texts = []
    for rows in _rows(places, f"{label}-{hand}", count, size):
        lines = [
            "\t".join(
                map(
                    str, (*row[:10], 0, 0, r"\N" if row[10] is None else row[10], r"\N", "authorised", *row[8:10], 0, 0)
                )
            )
            for row in rows
        ]
        texts.append(("\n".join(lines) + "\n").encode())
    laps = []
    together()
    began = time.perf_counter()
    for text in texts:
        lap = time.perf_counter()
        with owner.cursor() as cursor, cursor.copy(f"COPY bench.copied ({_COLUMNS}) FROM STDIN".encode()) as into:
            into.write(text)
        laps.append(time.perf_counter() - lap)
    return Timing(began, time.perf_counter(), laps, count)


def unnest(hand: int, places: Sequence[Place], label: str, count: int, size: int) -> Timing:
    """Write the rows of a load by one INSERT a batch; the binary arrays are made before the clock starts."""
    batches = [
        [encoded(type_, list(column)) for type_, column in zip(_TYPES, zip(*rows, strict=True), strict=True)]
        for rows in _rows(places, f"{label}-{hand}", count, size)
    ]
    laps = []
    together()
    began = time.perf_counter()
    for arrays in batches:
        lap = time.perf_counter()
        _run(_INSERT, arrays)
        laps.append(time.perf_counter() - lap)
    return Timing(began, time.perf_counter(), laps, count)


def install_pgledger(paths: Sequence[Path], spread: int) -> tuple[str, list[str]]:
    """Load pgledger into a schema of its own, and return a hot account and others to move amounts to and from.

    Args:
        paths: its SQL files, in the order in which they are to be loaded.
        spread: how many other accounts.
    """
    _run("CREATE SCHEMA pgledger")
    _run("SET search_path = pgledger, public")
    for path in paths:
        _owner().execute(path.read_bytes())
    found = _run(
        "SELECT a.id FROM generate_series(0, %s) n, pgledger_create_account(n::text, 'CNY') a ORDER BY n", [spread]
    )
    _run("RESET search_path")
    return found[0][0], [row[0] for row in found[1:]]


def pgledger(hand: int, hot: str | None, others: Sequence[str], label: str, count: int, size: int) -> Timing:
    """Move amounts with pgledger, one transfer for what the product does as an authorisation.

    Args:
        hot: where all of it comes from; None for transfers between neighbours of the other accounts.
        label: unused here; other ledgers choose their ids themselves.
    """
    _run("SET search_path = pgledger, public")
    batches = []
    for numbers in batched(range(count), size):
        to = [others[(number + hand * 37) % len(others)] for number in numbers]
        come = [hot or others[(number + hand * 37 + 1) % len(others)] for number in numbers]
        batches.append([come, to, [1 + number % 20 for number in numbers]])
    ask = (
        "SELECT count(*) FROM pgledger_create_transfers((SELECT array_agg((come, go, fen)::transfer_request)"
        " FROM unnest(%s::text[], %s::text[], %s::int[]) t (come, go, fen)))"
    )
    laps = []
    together()
    began = time.perf_counter()
    for batch in batches:
        lap = time.perf_counter()
        _run(ask, batch)
        laps.append(time.perf_counter() - lap)
    ended = time.perf_counter()
    _run("RESET search_path")
    return Timing(began, ended, laps, count)
