"""Reading imports: what was read, what waits, what became of it."""

import json
from collections.abc import Iterable
from datetime import date
from typing import Any

from houfu.imports.models import Import
from houfu.kernel import db
from houfu.kernel.errors import NotFound
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor


def orders_read(found: Import, after: str, limit: int) -> list[Any]:
    """Return the next orders that rows were read of: their parts, where they stand first, and by what they join."""
    found_rows = db.rows(
        "SELECT part_of, array_agg(fields::text ORDER BY file, line) AS parts,"
        " (array_agg(file ORDER BY file, line))[1] AS file, min(line) AS line,"
        " (array_agg(joins ORDER BY file, line))[1] AS joins"
        " FROM imports_row WHERE merchant_id = %s AND import_id = %s AND part_of > %s"
        " GROUP BY part_of ORDER BY part_of LIMIT %s",
        [found.merchant_id, found.id, after, limit],
    )
    return [row._replace(parts=[json.loads(part) for part in row.parts]) for row in found_rows]


def joined_rows(found: Import, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], dict[str, str]]:
    """Return rows of other tables by table and what joins them; the first of several."""
    keys = sorted(set(wanted))
    rows = db.rows(
        "SELECT DISTINCT ON (source, joins) source, joins, fields::text FROM imports_row"
        " WHERE merchant_id = %s AND import_id = %s AND part_of IS NULL"
        " AND (source, joins) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"
        " ORDER BY source, joins, file, line",
        [found.merchant_id, found.id, [table for table, _ in keys], [part for _, part in keys]],
    )
    return {(row.source, row.joins): json.loads(row.fields) for row in rows}


def next_steps(found: Import, until: date | None, limit: int) -> list[Any]:
    """Return the steps to be done next, all of one business day and kind, held until the action ends."""
    return db.rows(
        """
        SELECT s.no, s.at, s.kind, s.order_id, s.store, s.amount_fen, s.buyer, s.ref, s.evidence
        FROM imports_step s
        JOIN (SELECT day, rank FROM imports_step
              WHERE merchant_id = %(merchant)s AND import_id = %(import)s AND outcome IS NULL
                AND day <= coalesce(%(until)s::date, 'infinity')
              ORDER BY day, rank LIMIT 1) first USING (day, rank)
        WHERE s.merchant_id = %(merchant)s AND s.import_id = %(import)s AND s.outcome IS NULL
        ORDER BY s.at, s.no LIMIT %(limit)s FOR UPDATE OF s
        """,
        {"merchant": found.merchant_id, "import": found.id, "until": until, "limit": limit},
    )


def stores_named(found: Import) -> list[str]:
    """Return the codes of the stores that an import speaks of."""
    rows = db.rows(
        "SELECT DISTINCT store FROM imports_step WHERE merchant_id = %s AND import_id = %s AND kind = 'authorised'"
        " ORDER BY 1",
        [found.merchant_id, found.id],
    )
    return [row.store for row in rows]


def stores_unknown(found: Import) -> list[str]:
    """Return the codes of stores that an import speaks of and its merchant does not have."""
    return sorted(set(stores_named(found)) - set(merchants.stores_by_code(found.merchant_id)))


def days(found: Import) -> tuple[date, date] | None:
    """Return the first and the last business day on which something waits; None when nothing does."""
    row = db.rows(
        "SELECT min(day) AS first, max(day) AS last FROM imports_step"
        " WHERE merchant_id = %s AND import_id = %s AND outcome IS NULL",
        [found.merchant_id, found.id],
    )[0]
    return (row.first, row.last) if row.first else None


def last_day(found: Import) -> date:
    """Return the last business day that an import speaks of."""
    statement = "SELECT max(day) AS last FROM imports_step WHERE merchant_id = %s AND import_id = %s"
    last: date = db.rows(statement, [found.merchant_id, found.id])[0].last
    return last


def steps_left(found: Import) -> int:
    """Return how many steps wait."""
    statement = "SELECT count(*) AS n FROM imports_step WHERE merchant_id = %s AND import_id = %s AND outcome IS NULL"
    return int(db.rows(statement, [found.merchant_id, found.id])[0].n)


def report(by: Actor, found: Import) -> dict[str, Any]:
    """Return what became of an import: steps by kind, outcome and code, and how many lines were bad or bent."""
    by.require("orders:read", found.merchant_id)
    by.require_whole()
    key = [found.merchant_id, found.id]
    steps = db.rows(
        "SELECT kind, coalesce(outcome, 'waits') AS outcome, code, count(*) AS steps, sum(amount_fen)::bigint AS fen"
        " FROM imports_step WHERE merchant_id = %s AND import_id = %s GROUP BY rank, kind, outcome, code"
        " ORDER BY rank, outcome, code",
        key,
    )
    remarks = db.rows(
        "SELECT bad, count(*) AS n FROM imports_remark WHERE merchant_id = %s AND import_id = %s GROUP BY 1", key
    )
    counts = {row.bad: row.n for row in remarks}
    return {
        "import": found.id,
        "state": Import.objects.get(merchant_id=found.merchant_id, id=found.id).state,
        "steps": [row._asdict() for row in steps],
        "bad_lines": counts.get(True, 0),
        "bent_lines": counts.get(False, 0),
    }


def remarks(found: Import, limit: int = 1000) -> list[dict[str, Any]]:
    """Return what could not be used or was bent to fit: file, line, code and detail."""
    rows = db.rows(
        "SELECT i.files[r.file + 1] AS file, r.line, r.code, r.detail, r.bad"
        " FROM imports_remark r JOIN imports_import i ON i.merchant_id = r.merchant_id AND i.id = r.import_id"
        " WHERE r.merchant_id = %s AND r.import_id = %s ORDER BY r.file, r.line, r.code LIMIT %s",
        [found.merchant_id, found.id, limit],
    )
    return [row._asdict() for row in rows]


def access_import(by: Actor, merchant_id: int, id: int) -> Import:
    """Return an import, if the actor may see its merchant's orders."""
    by.require("orders:read", merchant_id)
    by.require_whole()
    found = Import.objects.filter(merchant_id=merchant_id, id=id).first()
    if found is None:
        raise NotFound()
    return found


def imports(by: Actor, merchant_id: int) -> list[Import]:
    """Return a merchant's imports, newest first."""
    by.require("orders:read", merchant_id)
    by.require_whole()
    return list(Import.objects.filter(merchant_id=merchant_id).order_by("-id"))
