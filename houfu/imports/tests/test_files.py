"""Files as they come: encodings, tables, objects; every line that cannot be used is told with its fault."""

import codecs

import pytest

from houfu.imports import files
from houfu.imports.files import FileUnreadable

HEADER = "order_id,store,note\n"


def read(tmp_path, content):
    """Return the rows of a file, the good ones by their fields, the bad ones by line and fault."""
    path = tmp_path / "orders.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [(row.line, row.fault or row.fields) for row in files.rows(path)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_table_reads_the_same_in_every_encoding(tmp_path, encoding):
    text = HEADER + "D1,杭州一号店,双十一 𠮷\nD2,S2,\n"
    assert read(tmp_path, text.encode(encoding)) == [
        (2, {"order_id": "D1", "store": "杭州一号店", "note": "双十一 𠮷"}),
        (3, {"order_id": "D2", "store": "S2", "note": ""}),
    ]


def test_a_character_cut_by_the_end_of_the_sample_does_not_make_it_another_encoding(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "SAMPLE", len((HEADER + "D1,店").encode()) - 1)
    assert read(tmp_path, HEADER + "D1,店,\n") == [(2, {"order_id": "D1", "store": "店", "note": ""})]


def test_lines_are_counted_where_a_row_begins(tmp_path):
    text = HEADER + 'D1,S1,"two\nlines"\n\nD2,S1,x\r\nD3,S1\n'
    assert read(tmp_path, text) == [
        (2, {"order_id": "D1", "store": "S1", "note": "two\nlines"}),
        (5, {"order_id": "D2", "store": "S1", "note": "x"}),
        (6, "column_count"),
    ]


@pytest.mark.parametrize(("line", "fault"), [
    (b"D2,S1", "column_count"),
    (b"D2,S1,x,y", "column_count"),
    (b'D2,S1,"x"y', "csv_broken"),
    (b"D2,S1,\x00", "text_unreadable"),
    (b"D2,S1,\xff\xfe", "text_unreadable"),
])  # fmt: skip
def test_a_bad_line_is_told_and_the_others_are_read(tmp_path, line, fault):
    content = HEADER.encode() + b"D1,S1,x\n" + line + b"\nD3,S1,x\n"
    before = files.SAMPLE
    files_sample = len(HEADER) if b"\xff" in line else before  # what comes after the sample cannot change the encoding
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "SAMPLE", files_sample)
        found = read(tmp_path, content)
    assert [line for line, _ in found] == [2, 3, 4]
    assert found[1] == (3, fault)
    assert found[2][1]["order_id"] == "D3"


@pytest.mark.parametrize("content", [
    '{"order_id": "D1", "amount": 280, "buyer": null}\n\n{"order_id": "D2"}\n',
    '\ufeff  {"order_id": "D1", "amount": 280, "buyer": null}\n\n{"order_id": "D2"}',
])  # fmt: skip
def test_objects_are_read_line_by_line(tmp_path, content):
    assert read(tmp_path, content) == [
        (1, {"order_id": "D1", "amount": "280", "buyer": ""}), (3, {"order_id": "D2"}),
    ]  # fmt: skip


@pytest.mark.parametrize(("line", "fault"), [
    ('{"order_id": "D2"', "json_broken"),
    ("[1]", "json_broken"),
    ("7", "json_broken"),
    ('{"amount": 280.00}', "json_broken"),  # it would have been rounded already
    ('{"amount": NaN}', "json_broken"),
    ('{"gift": true}', "json_broken"),
    ('{"items": []}', "json_broken"),
    ('{"order_id": "D2", "order_id": "D3"}', "json_broken"),
    ("[" * 100_000, "json_broken"),
    ('{"order_id": "\\u0000"}', "text_unreadable"),
    ('{"order_id": "\\ud800"}', "text_unreadable"),
    ('{"\\u0000": "D2"}', "text_unreadable"),
])  # fmt: skip
def test_an_object_that_cannot_be_used_is_told_and_the_others_are_read(tmp_path, line, fault):
    found = read(tmp_path, '{"order_id": "D1"}\n' + line + '\n{"order_id": "D3"}\n')
    assert found == [(1, {"order_id": "D1"}), (2, fault), (3, {"order_id": "D3"})]


def test_bytes_that_are_no_text_are_told(tmp_path):
    assert read(tmp_path, b'{"a": "1"}\n{"a": "\xff"}\n')[1] == (2, "json_broken")


@pytest.mark.parametrize("content", ["", '"order_id', "order_id,store,order_id\nD1,S1,D1\n"])
def test_what_is_no_table_with_a_header_is_refused(tmp_path, content):
    with pytest.raises(FileUnreadable):
        read(tmp_path, content)


def test_a_quote_that_never_ends_is_told_where_it_begins(tmp_path):
    assert read(tmp_path, HEADER + 'D1,S1,x\nD2,S1,"x\nD3,S1,x\n')[1:] == [(3, "csv_broken")]


def test_progress_ends_with_the_whole_file(tmp_path):
    path = tmp_path / "orders.csv"
    path.write_bytes(codecs.BOM_UTF8 + (HEADER + "D1,S1,x\n" * 50).encode())
    assert [row.bytes_read for row in files.rows(path)][-1] == path.stat().st_size
