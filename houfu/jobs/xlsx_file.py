"""XLSX in pieces: each page of rows becomes bytes that are never touched again, so that a book of any length needs the
memory of a page, and is gone on with after a crash from a few numbers (`Book`). Pure.

A book is a ZIP archive. The deflated parts of a sheet follow each other, each ended at a byte (a full flush) and none
of them knowing the one before; the checksum is carried on from page to page.
"""

import re
import struct
import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from xml.sax.saxutils import escape

import msgspec

from houfu.jobs.tables import Cell, Yuan, decimal
from houfu.kernel.clock import SHANGHAI

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ROWS_MAX = 1_048_576  # of a sheet, its head among them; what is more goes on in the next one
SHEET_BYTES = 2**31  # of a sheet, before it is deflated
TEXT_MAX = 32_767  # characters of a cell, as UTF-16 counts them
_LEVEL = 5
_EPOCH = datetime(1899, 12, 30, tzinfo=SHANGHAI).replace(tzinfo=None)
_HEAD_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
# Number formats of cells by their index: general, head, text that stays text when it is edited, yuan, an instant.
_HEAD, _TEXT, _YUAN, _TIME = 1, 2, 3, 4
_STYLES = (
    f'<styleSheet xmlns="{_MAIN}"><numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy-mm-dd hh:mm:ss"/>'
    '</numFmts><fonts count="2"><font><sz val="11"/></font><font><b/><sz val="11"/></font></fonts><fills count="2">'
    '<fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="5">'
    '<xf xfId="0"/><xf xfId="0" fontId="1" applyFont="1" numFmtId="49" applyNumberFormat="1"/>'
    '<xf xfId="0" numFmtId="49" applyNumberFormat="1"/><xf xfId="0" numFmtId="4" applyNumberFormat="1"/>'
    '<xf xfId="0" numFmtId="164" applyNumberFormat="1"/></cellXfs><cellStyles count="1">'
    '<cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)
_TOP = (
    f'{_HEAD_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1"'
    ' topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
    '<sheetFormatPr defaultRowHeight="15" defaultColWidth="18"/><sheetData>'
)
_BOTTOM = "</sheetData></worksheet>"
_NOT_XML = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_EMPTY_END = b"\x03\x00"  # a last block of nothing


class Entry(msgspec.Struct):
    """A part of the archive: where it begins, and what is known of it so far."""

    name: str
    offset: int
    crc: int = 0
    packed: int = 0
    raw: int = 0


class Book(msgspec.Struct):
    """How far a book is written; all that has to be known in order to go on.

    Args:
        heads: what stands over the columns, again in each sheet.
        offset: bytes that were written.
        rows: of the sheet that is open; 0 where none is.
        entries: parts of the archive, the open sheet last.
    """

    heads: list[str]
    offset: int = 0
    rows: int = 0
    entries: list[Entry] = []

    def write(self, rows: Iterable[Sequence[Cell]]) -> bytes:
        """Return the next bytes, with these rows in them."""
        out: list[bytes] = []
        waiting: list[str] = []
        for row in rows:
            if not self.rows or self.rows >= ROWS_MAX or self.entries[-1].raw >= SHEET_BYTES:
                self._close_sheet(out, waiting)
                self._open(out, f"xl/worksheets/sheet{len(self.entries) + 1}.xml")
                waiting = [_TOP, _row(1, self.heads, text=_HEAD)]
                self.rows = 1
            self.rows += 1
            waiting.append(_row(self.rows, row))
        self._add(out, "".join(waiting))
        return b"".join(out)

    def finish(self) -> bytes:
        """Return the last bytes."""
        out: list[bytes] = []
        if not self.rows:
            self._open(out, "xl/worksheets/sheet1.xml")
            self._add(out, _TOP + _row(1, self.heads, text=_HEAD))
            self.rows = 1
        self._close_sheet(out, [])
        for name, text in _frame(len(self.entries)):
            self._open(out, name)
            self._add(out, _HEAD_XML + text)
            self._close(out)
        out.append(self._directory())
        return b"".join(out)

    def _open(self, out: list[bytes], name: str) -> None:
        self.entries.append(Entry(name, self.offset))
        header = struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, 0x0808, 8, 0, 0x21, 0, 0, 0, len(name), 0)
        self._put(out, header + name.encode())

    def _add(self, out: list[bytes], text: str) -> None:
        if not text:
            return
        entry, raw = self.entries[-1], text.encode()
        deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        packed = deflate.compress(raw) + deflate.flush(zlib.Z_FULL_FLUSH)
        entry.crc = zlib.crc32(raw, entry.crc)
        entry.raw += len(raw)
        entry.packed += len(packed)
        self._put(out, packed)

    def _close_sheet(self, out: list[bytes], waiting: list[str]) -> None:
        if self.rows:
            self._add(out, "".join(waiting) + _BOTTOM)
            self._close(out)

    def _close(self, out: list[bytes]) -> None:
        entry = self.entries[-1]
        entry.packed += len(_EMPTY_END)
        self._put(out, _EMPTY_END + struct.pack("<IIII", 0x08074B50, entry.crc, entry.packed, entry.raw))

    def _put(self, out: list[bytes], content: bytes) -> None:
        out.append(content)
        self.offset += len(content)

    def _directory(self) -> bytes:
        parts = [
            struct.pack(
                "<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, 0x0808, 8, 0, 0x21, entry.crc, entry.packed, entry.raw,
                len(entry.name), 0, 0, 0, 0, 0, entry.offset,
            ) + entry.name.encode()
            for entry in self.entries
        ]  # fmt: skip
        size, count = sum(map(len, parts)), len(parts)
        end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, size, self.offset, 0)
        return b"".join([*parts, end])


def _row(no: int, row: Sequence[Cell], text: int = _TEXT) -> str:
    """Return a row; `text` is the format of texts. Only texts are told as such: nothing can become a formula."""
    found = [f'<row r="{no}">']
    for column, cell in enumerate(row):
        if cell is None:
            continue
        place = f"{_letters(column)}{no}"
        if isinstance(cell, str):
            found.append(
                f'<c r="{place}" s="{text}" t="inlineStr"><is><t xml:space="preserve">{_text(cell)}</t></is></c>'
            )
        elif isinstance(cell, Yuan):
            found.append(f'<c r="{place}" s="{_YUAN}"><v>{decimal(cell.fen)}</v></c>')
        elif isinstance(cell, datetime):
            found.append(f'<c r="{place}" s="{_TIME}"><v>{_serial(cell)}</v></c>')
        else:
            found.append(f'<c r="{place}"><v>{cell}</v></c>')
    found.append("</row>")
    return "".join(found)


def _text(said: str) -> str:
    """Return a text as XML can have it; one that is longer than a cell can be ends in an ellipsis."""
    if len(said) * 2 > TEXT_MAX and len(units := said.encode("utf-16-le")) > TEXT_MAX * 2:
        said = units[: (TEXT_MAX - 1) * 2].decode("utf-16-le", "ignore") + "…"
    return escape(_NOT_XML.sub(lambda found: f"_x{ord(found[0]):04X}_", said))


def _serial(at: datetime) -> str:
    """Return an instant as spreadsheets count days, by Shanghai's clocks."""
    since = at.astimezone(SHANGHAI).replace(tzinfo=None) - _EPOCH
    return f"{since.days}.{(since.seconds * 10**10 + since.microseconds * 10**4) // 86400:010d}"


_places: list[str] = []


def _letters(column: int) -> str:
    """Return what a column is called: A … Z, AA, AB …"""
    while len(_places) <= column:
        n, found = len(_places) + 1, ""
        while n:
            n, digit = divmod(n - 1, 26)
            found = chr(65 + digit) + found
        _places.append(found)
    return _places[column]


def _frame(sheets: int) -> list[tuple[str, str]]:
    """Return the parts around the sheets."""
    numbers = range(1, sheets + 1)
    named = "".join(f'<sheet name="{n}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
    typed = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_KIND}.worksheet+xml"/>' for n in numbers
    )
    related = "".join(
        f'<Relationship Id="rId{n}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in numbers
    )
    return [
        ("xl/styles.xml", _STYLES),
        ("xl/workbook.xml", f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{named}</sheets></workbook>'),
        (
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{_PACKAGE}/relationships">{related}<Relationship Id="rId{sheets + 1}"'
            f' Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
        ),
        (
            "_rels/.rels",
            f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" Type="{_OFFICE}/officeDocument"'
            ' Target="xl/workbook.xml"/></Relationships>',
        ),
        (
            "[Content_Types].xml",
            f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels"'
            ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
            f'<Override PartName="/xl/styles.xml" ContentType="{_KIND}.styles+xml"/>{typed}</Types>',
        ),
    ]
