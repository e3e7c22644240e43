"""Taking files in: read into rows, made into steps, done batch by batch; every batch commits with its outcomes."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple

from houfu.history import actions as history
from houfu.imports import files, mapping, queries
from houfu.imports.mapping import RANKS, BadLine, Layout, Said
from houfu.imports.models import Import
from houfu.kernel import clock, crash, db
from houfu.kernel.errors import Invalid
from houfu.merchants import queries as merchants
from houfu.orders import actions as orders
from houfu.orders.steps import Outcome, Step
from houfu.people.actor import Actor

BATCH = 1000
JOINS_MAX = 200  # characters of what joins rows of two tables; an index holds them
STEPS: dict[str, Callable[..., list[Outcome]]] = {
    "shipped": orders.ship,
    "received": orders.receive,
    "cancelled": orders.cancel,
    "refunded": orders.refund,
}
Progress = Callable[[str, int, int], None]


class TablesMissing(Invalid):
    """The mapping needs files of several kinds, and not all of them are here."""

    code = "import_tables_missing"


class _Remark(NamedTuple):
    file: int
    line: int
    code: str
    detail: str
    bad: bool


def begin(*, by: Actor, merchant_id: int, paths: Sequence[Path], mapping_text: str, progress: Progress) -> Import:
    """Read files into steps that wait to be done, unless these files were read before under this mapping.

    A reading that was broken off is begun anew; nothing that it left has touched an order yet.

    Args:
        progress: told what is being read, how many bytes of it are, and of how many.

    Raises:
        MappingInvalid, FileUnreadable, TablesMissing: nothing was kept but the attempt.
    """
    by.require("orders:write", merchant_id)
    by.require_whole()
    layout = mapping.read(mapping_text)
    found = _open(by=by, merchant_id=merchant_id, paths=paths, layout=layout, digest=files.digest(paths, mapping_text))
    if found.state != "reading":
        return found
    _clear(found=found)
    sources = set()
    for number, path in enumerate(paths):
        sources.add(_read_file(found, layout, number, path, progress))
    if layout.orders:
        if missing := sorted({layout.main, *layout.orders.joins} - sources):
            raise TablesMissing(missing=missing)
        _make_steps(found, layout)
    _ready(by=by, found=found)
    return Import.objects.get(merchant_id=merchant_id, id=found.id)


@db.action
def _open(*, by: Actor, merchant_id: int, paths: Sequence[Path], layout: Layout, digest: bytes) -> Import:
    db.rows(
        "INSERT INTO imports_import (merchant_id, digest, files, mapping, state, started_at)"
        " VALUES (%s, %s, %s, %s, 'reading', %s) ON CONFLICT (merchant_id, digest) DO NOTHING",
        [merchant_id, digest, [path.name for path in paths], layout.title, clock.now()],
    )
    return Import.objects.get(merchant_id=merchant_id, digest=digest)


@db.action
def _clear(*, found: Import) -> None:
    for table in ("imports_row", "imports_remark", "imports_step"):
        db.rows(f"DELETE FROM {table} WHERE merchant_id = %s AND import_id = %s", [found.merchant_id, found.id])  # noqa: S608


def _read_file(found: Import, layout: Layout, number: int, path: Path, progress: Progress) -> str:
    """Keep the rows of a file, or its steps where each row is one, and return which table it is."""
    size = path.stat().st_size
    rows = files.rows(path)
    source, no = "", number * 10**12
    while batch := list(islice(rows, BATCH)):
        if not source:
            first = next((row.fields for row in batch if not row.fault), {})
            source = layout.table_of(first) or ""
            if not source:
                raise files.FileUnreadable(file=path.name, columns=sorted(first)[:50])
        _keep_batch(found=found, layout=layout, number=number, source=source, batch=batch, no=no)
        no += len(batch)
        progress(path.name, batch[-1].bytes_read, size)
        crash.point("import.after_read_batch")
    if not source:
        raise files.FileUnreadable(file=path.name, said="no rows")
    progress(path.name, size, size)
    return source


@db.action
def _keep_batch(
    *, found: Import, layout: Layout, number: int, source: str, batch: Sequence[files.Row], no: int
) -> None:
    remarks, kept, steps = [], [], []
    for row in batch:
        try:
            if row.fault:
                raise BadLine(row.fault, row.detail)
            if layout.events:
                steps.append((mapping.step_of_event(layout, row.fields), number, row.line))
            else:
                kept.append((row, *_place(layout, source, row.fields)))
        except BadLine as bad:
            remarks.append(_Remark(number, row.line, bad.code, bad.detail, True))
    if kept:
        db.rows(
            "INSERT INTO imports_row SELECT %s, %s, %s, line, %s, part_of, joins, fields::jsonb"
            " FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) r (line, part_of, joins, fields)",
            [
                found.merchant_id,
                found.id,
                number,
                source,
                [row.line for row, _, _ in kept],
                [part_of for _, part_of, _ in kept],
                [joins for _, _, joins in kept],
                [json.dumps(row.fields) for row, _, _ in kept],
            ],
        )
    _keep_remarks(found, remarks)
    _keep_steps(found, steps, no)


def _place(layout: Layout, source: str, fields: dict[str, str]) -> tuple[str | None, str]:
    """Return of which order a row is a part, and by what it is joined."""
    assert layout.orders
    if source == layout.main:
        joins = "\n".join(_joins(fields, column) for _, column in sorted(layout.orders.joins.items()))
        return mapping.order_id(layout.orders.id, fields), joins
    return None, _joins(fields, layout.orders.joins.get(source, ""))


def _joins(fields: dict[str, str], column: str) -> str:
    text = fields.get(column, "").strip()
    if "\n" in text or len(text) > JOINS_MAX:
        raise BadLine("id_unusable", text)
    return text


def _make_steps(found: Import, layout: Layout) -> None:
    """Make the steps of all orders out of their rows, a batch of orders at a time."""
    after, no = "", 0
    while groups := queries.orders_read(found, after, BATCH):
        _make_batch(found=found, layout=layout, groups=groups, no=no)
        after = groups[-1].part_of
        no += len(groups) * len(RANKS)
    assert layout.orders
    _note_unused(found=found, tables=sorted(layout.orders.joins))


@db.action
def _note_unused(*, found: Import, tables: Sequence[str]) -> None:
    """Remark on rows of joined tables to which no order's own row belongs."""
    for place, table in enumerate(tables, start=1):
        db.rows(
            "INSERT INTO imports_remark SELECT merchant_id, import_id, file, line, 'row_without_parts', joins, true"
            " FROM imports_row r WHERE merchant_id = %s AND import_id = %s AND part_of IS NULL AND source = %s"
            " AND NOT EXISTS (SELECT FROM imports_row p"
            " WHERE p.merchant_id = r.merchant_id AND p.import_id = r.import_id"
            " AND p.part_of IS NOT NULL AND split_part(p.joins, E'\n', %s) = r.joins)",
            [found.merchant_id, found.id, table, place],
        )


@db.action
def _make_batch(*, found: Import, layout: Layout, groups: Sequence[Any], no: int) -> None:
    assert layout.orders
    tables = sorted(layout.orders.joins)
    wanted = [(table, part) for group in groups for table, part in zip(tables, group.joins.split("\n"), strict=True)]
    joined = queries.joined_rows(found, wanted)
    remarks, steps = [], []
    for group in groups:
        fields: dict[str, str] = {}
        try:
            for table, part in zip(tables, group.joins.split("\n"), strict=True):
                if (table, part) not in joined:
                    raise BadLine("row_without_its_order", f"{table} {part}")
                fields |= joined[table, part]
            said, bent = mapping.steps_of_order(layout, group.parts, fields)
        except BadLine as bad:
            remarks.append(_Remark(group.file, group.line, bad.code, f"{group.part_of} {bad.detail}", True))
            continue
        remarks += [_Remark(group.file, group.line, "time_moved_up", text, False) for text in bent]
        steps += [(each, group.file, group.line) for each in said]
    _keep_remarks(found, remarks)
    _keep_steps(found, steps, no)


def _keep_remarks(found: Import, remarks: Sequence[_Remark]) -> None:
    if remarks:
        db.rows(
            "INSERT INTO imports_remark SELECT %s, %s, * FROM unnest(%s::smallint[], %s::bigint[], %s::text[],"
            " %s::text[], %s::boolean[]) ON CONFLICT DO NOTHING",
            [found.merchant_id, found.id, *(list(column) for column in zip(*remarks, strict=True))],
        )


def _keep_steps(found: Import, steps: Iterable[tuple[Said, int, int]], no: int) -> None:
    rows = [
        (
            no + place,
            clock.business_day(said.at),
            RANKS[said.kind],
            said.at,
            said.kind,
            said.order_id,
            said.store,
            said.amount_fen,
            said.buyer,
            said.ref,
            said.evidence,
            file,
            line,
        )
        for place, (said, file, line) in enumerate(steps)
    ]
    if rows:
        db.rows(
            "INSERT INTO imports_step (merchant_id, import_id, no, day, rank, at, kind, order_id, store, amount_fen,"
            " buyer, ref, evidence, file, line)"
            " SELECT %s, %s, * FROM unnest(%s::bigint[], %s::date[], %s::smallint[], %s::timestamptz[], %s::text[],"
            " %s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::smallint[], %s::bigint[])",
            [found.merchant_id, found.id, *(list(column) for column in zip(*rows, strict=True))],
        )


@db.action
def _ready(*, by: Actor, found: Import) -> None:
    db.rows("DELETE FROM imports_row WHERE merchant_id = %s AND import_id = %s", [found.merchant_id, found.id])
    Import.objects.filter(merchant_id=found.merchant_id, id=found.id, state="reading").update(state="working")
    history.record("import.read", by=by, merchant_id=found.merchant_id, subject=f"import/{found.id}", files=found.files)


@db.action
def work(*, by: Actor, found: Import, until: date | None = None) -> int:
    """Do the next batch of an import's steps, of one kind and business day, and return how many that were.

    Args:
        until: the last business day whose steps are due; None for all.
    """
    steps = queries.next_steps(found, until, BATCH)
    if not steps:
        if until is None:
            Import.objects.filter(merchant_id=found.merchant_id, id=found.id).update(state="done")
        return 0
    kind = steps[0].kind
    stores = merchants.stores_by_code(found.merchant_id)
    outcomes: dict[int, tuple[str, str]] = {}
    for known, group in groupby(steps, key=lambda step: kind != "authorised" or step.store in stores):
        batch = list(group)
        if not known:
            outcomes.update((step.no, ("refused", "store_unknown")) for step in batch)
        else:
            outcomes.update(zip((step.no for step in batch), _do(by, found, kind, batch, stores), strict=True))
    db.rows(
        "UPDATE imports_step s SET outcome = o.outcome, code = o.code"
        " FROM unnest(%s::bigint[], %s::text[], %s::text[]) o (no, outcome, code)"
        " WHERE s.merchant_id = %s AND s.import_id = %s AND s.no = o.no",
        [
            list(outcomes),
            [outcome for outcome, _ in outcomes.values()],
            [code for _, code in outcomes.values()],
            found.merchant_id,
            found.id,
        ],
    )
    crash.point("import.before_commit")
    return len(steps)


def _do(by: Actor, found: Import, kind: str, batch: Sequence[Any], stores: dict[str, int]) -> list[tuple[str, str]]:
    """Do steps of one kind and return what became of each."""
    if kind == "authorised":
        wanted = [
            orders.NewOrder(found.merchant_id, step.order_id, stores[step.store], step.amount_fen, step.at, step.buyer)
            for step in batch
        ]
        decisions = orders.authorise(by=by, orders=wanted)
        return [(_word(each), ",".join(each.reasons)) for each in decisions]
    said = [
        Step(step.order_id, step.at, ref=step.ref, amount_fen=step.amount_fen, evidence=step.evidence) for step in batch
    ]
    return [(each.outcome, each.code) for each in STEPS[kind](by=by, merchant_id=found.merchant_id, steps=said)]


def _word(decision: orders.Decision) -> str:
    if decision.state in ("refused", "declined"):
        return decision.state
    return "same" if decision.repeated else "done"
