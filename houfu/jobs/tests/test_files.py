"""CSV and XLSX as others read them: what went in comes out, and nothing of it is run."""

import io
import zipfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from houfu.jobs import csv_file, tables, xlsx_file
from houfu.jobs.tables import Column, Yuan, amount
from houfu.jobs.tests.ground import lines, sheets
from houfu.kernel.clock import SHANGHAI
from houfu.kernel.money import FEN_MAX

INJECTIONS = (
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1+1", "'=1", "''", "=cmd|' /C calc'!A0", "－1",
    '=HYPERLINK("http://x.example","点我")', "_x0041_", "a\r\nb", 'a"b', "a,b", "</t><f>1+1</f>", "&amp;", "\x0b", "",
    "00123456789012345678", "1e5", "TRUE", "2025-11-11", "中文：商户“某某”", "𠮷😀", " ", "_x", "\ufffe",
)  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from(INJECTIONS),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40),
    st.builds("".join, st.lists(st.sampled_from(INJECTIONS), min_size=2, max_size=3)),
)
FENS = st.integers(-FEN_MAX, FEN_MAX)
INSTANTS = st.integers(0, 110 * 365 * 86400 * 10**6).map(
    lambda n: datetime(1990, 1, 1, tzinfo=UTC) + timedelta(microseconds=n)
)
ROWS = st.lists(st.tuples(TEXTS, FENS, st.integers(-(2**53), 2**53), st.none() | INSTANTS), max_size=20)
HEADS = ["text", "amount", "number", "at"]


def table(rows):
    return [[text, Yuan(fen), number, at] for text, fen, number, at in rows]


def in_pages(book, rows, size=3):
    """Write a book page by page, each from nothing but what the one before has left as JSON."""
    said = b""
    for first in range(0, len(rows), size):
        said += book.write(rows[first : first + size])
        book = msgspec.json.decode(msgspec.json.encode(book), type=xlsx_file.Book)
    return said + book.finish()


@given(ROWS)
def test_what_goes_into_csv_comes_out_and_no_cell_begins_like_a_formula(rows):
    said = csv_file.BOM.encode() + csv_file.lines([HEADS, *table(rows)])
    head, *found = lines(said)
    assert head == HEADS
    assert [row[0] for row in found] == [text for text, *_ in rows]
    assert [(Decimal(row[1]) * 100, int(row[2])) for row in found] == [(fen, number) for _, fen, number, _ in rows]
    for row, (*_, at) in zip(found, rows, strict=True):
        assert row[3] == ("" if at is None else at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S"))
    for text, *_ in rows:
        assert csv_file.guarded(text)[:1] not in set("=+-@\t\r\n＝＋－＠")
        assert csv_file.guarded(text).lstrip()[:1] not in set("=+-@＝＋－＠")


@given(ROWS)
def test_what_goes_into_a_book_comes_out_as_what_it_is_and_never_as_a_formula(rows):
    said = in_pages(xlsx_file.Book(HEADS), table(rows))
    assert zipfile.ZipFile(io.BytesIO(said)).testzip() is None
    head, *found = sheets(said)[0]
    assert head == HEADS
    for row, (text, fen, number, at) in zip(found, rows, strict=True):
        assert (row[0] or "") == text
        assert round(row[1] * 100) == fen
        assert row[2] == number
        there = None if at is None else at.astimezone(SHANGHAI).replace(tzinfo=None)
        assert row[3] == there or abs(row[3] - there) <= timedelta(milliseconds=1)


def test_amounts_are_numbers_with_two_decimals_and_texts_are_texts():
    said = in_pages(xlsx_file.Book(HEADS), table([("=1+1", 123_450, 7, datetime(2025, 11, 10, 2, tzinfo=UTC))]))
    text, yuan, number, at = openpyxl.load_workbook(io.BytesIO(said)).worksheets[0][2]
    assert (text.value, text.data_type, text.number_format) == ("=1+1", "s", "@")
    assert (yuan.value, yuan.data_type, yuan.number_format) == (1234.5, "n", "#,##0.00")
    assert (number.value, number.data_type) == (7, "n")
    assert (str(at.value), at.is_date) == ("2025-11-10 10:00:00", True)
    assert b"1234.50" in zipfile.ZipFile(io.BytesIO(said)).read("xl/worksheets/sheet1.xml")


def test_what_a_sheet_cannot_hold_goes_on_in_the_next_under_the_same_heads(monkeypatch):
    monkeypatch.setattr(xlsx_file, "ROWS_MAX", 4)
    said = in_pages(xlsx_file.Book(["no"]), [[n] for n in range(8)], size=5)
    assert sheets(said) == [[["no"], [0], [1], [2]], [["no"], [3], [4], [5]], [["no"], [6], [7]]]


def test_a_book_without_rows_has_its_heads():
    assert sheets(xlsx_file.Book(["订单号"]).finish()) == [[["订单号"]]]


def test_a_text_that_no_cell_can_hold_ends_in_an_ellipsis_and_the_book_opens():
    said = in_pages(xlsx_file.Book(["text"]), [["😀" * 20_000], ["字" * xlsx_file.TEXT_MAX]])
    (_, (cut,), (whole,)) = sheets(said)[0]
    assert cut.endswith("…")
    assert len(cut.encode("utf-16-le")) // 2 <= xlsx_file.TEXT_MAX
    assert whole == "字" * xlsx_file.TEXT_MAX


@pytest.mark.parametrize(
    ("fen", "said"), [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (-123_450, "-1234.50"), (FEN_MAX, "100000000000.00")]
)
def test_yuan_are_plain(fen, said):
    assert tables.decimal(fen) == said


def test_an_amount_has_two_columns_and_none_stays_none():
    columns = [Column("id", "编号", lambda row: row[0]), amount("fee", "手续费", lambda row: row[1])]
    assert tables.heads(columns, "en") == ["id", "fee_yuan", "fee_fen"]
    assert tables.heads(columns, "zh-Hans") == ["编号", "手续费（元）", "手续费（分）"]
    assert list(tables.cells(columns, [("a", 150), ("b", None)])) == [["a", Yuan(150), 150], ["b", None, None]]
