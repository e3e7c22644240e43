"""CSV in pieces, as RFC 4180 has it: UTF-8 with the mark by which Excel knows it, lines ended by CR LF. Pure."""

import csv
import io
from collections.abc import Iterable, Sequence

from houfu.jobs.tables import Cell, shown

MEDIA_TYPE = "text/csv; charset=utf-8"
BOM = "\ufeff"
# What a spreadsheet may take for a formula where a cell begins with it, full width too; and our own guard, so that what
# is taken off again is always what was put on.
_SUSPECT = frozenset("=+-@\t\r\n＝＋－＠'")


def guarded(text: str) -> str:
    """Return a text that no spreadsheet runs: one that may be taken for a formula gets an apostrophe before it."""
    return f"'{text}" if text[:1] in _SUSPECT or text.lstrip()[:1] in _SUSPECT else text


def unguarded(text: str) -> str:
    """Return what was guarded."""
    return text.removeprefix("'")


def lines(rows: Iterable[Sequence[Cell]]) -> bytes:
    """Return rows as lines; amounts and numbers are plain, and texts are guarded."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    for row in rows:
        writer.writerow([guarded(cell) if isinstance(cell, str) else shown(cell) for cell in row])
    return out.getvalue().encode()
