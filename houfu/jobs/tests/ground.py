"""What tests of jobs share: a shop with orders, an export of them, and the books and lines that come of it."""

import csv
import io

import openpyxl
from openpyxl.utils.escape import unescape

from houfu.jobs import csv_file, exports, kinds, queries, runner
from houfu.jobs.kinds import Part
from houfu.site import kinds as all_kinds
from houfu.testing.world import Shop, open_shop

REASON = "给会计师对账"
__all__ = ["all_kinds", "open_shop"]


def sell(count: int, *, shop: Shop | None = None, fen: int = 1_000) -> Shop:
    """Return a shop that has taken orders."""
    shop = shop or open_shop(stores=2)
    shop.place(*[fen] * count)
    return shop


def ask(shop, by=None, *, what="orders", format="csv", language="en", **filters):  # noqa: A002
    return exports.ask(
        by=by or shop.owner, merchant_id=shop.merchant_id, what=what, format=format, filters=filters, reason=REASON,
        language=language,
    )  # fmt: skip


def finish(job):
    return runner.finish(job.merchant_id, job.id)


def content(job, by) -> bytes:
    return b"".join(queries.pieces(by, job))


def lines(said: bytes) -> list[list[str]]:
    """Read CSV as a program would that knows of the guard."""
    text = said.decode()
    assert text.startswith(csv_file.BOM)
    rows = list(csv.reader(io.StringIO(text.removeprefix(csv_file.BOM), newline=""), strict=True))
    return [[csv_file.unguarded(cell) for cell in row] for row in rows]


def records(said: bytes) -> list[dict[str, str]]:
    head, *rows = lines(said)
    return [dict(zip(head, row, strict=True)) for row in rows]


def sheets(said: bytes) -> list[list[list[object]]]:
    """Read a book with a reader that is not ours; no cell of it may be a formula."""
    book = openpyxl.load_workbook(io.BytesIO(said))
    found = []
    for sheet in book.worksheets:
        rows = []
        for row in sheet.iter_rows():
            assert [cell.coordinate for cell in row if cell.data_type == "f"] == []
            rows.append([unescape(cell.value) if isinstance(cell.value, str) else cell.value for cell in row])
        found.append(rows)
    return found


def counting(name="count.numbers", *, until=3, each=lambda by, n: None, needs=frozenset({"orders:read"}), whole=False):
    """Let a kind of work be asked for that counts, one number a step, and does something at each."""

    def run(by, merchant_id, arguments, mark):
        n = (mark or 0) + 1
        each(by, n)
        return Part(None if n == until else n, n, until, result={"counted": n} if n == until else None)

    return kinds.kind(name, run=run, needs=lambda _: needs, whole=whole)
