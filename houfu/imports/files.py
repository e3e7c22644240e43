"""Reading CSV (UTF-8 or GB18030) and NDJSON files row by row, without ever holding one whole."""

import codecs
import csv
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from houfu.kernel.errors import Invalid

SAMPLE = 256 * 1024


class FileUnreadable(Invalid):
    """This file is neither CSV with a header nor NDJSON, or its header fits no table of the mapping."""

    code = "import_file_unreadable"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file: its fields, or why it has none."""

    line: int
    bytes_read: int
    fields: dict[str, str]
    fault: str = ""
    detail: str = ""


def digest(paths: Sequence[Path], mapping: str) -> bytes:
    """Return what tells this set of files under this mapping apart from every other."""
    total = hashlib.sha256(mapping.encode())
    for path in paths:
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.digest()


def encoding_of(path: Path) -> str:
    """Return "utf-8-sig" if the beginning of a file reads as UTF-8, else "gb18030"."""
    with path.open("rb") as file:
        sample = file.read(SAMPLE)
    try:
        codecs.getincrementaldecoder("utf-8-sig")().decode(sample, final=len(sample) < SAMPLE)
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8-sig"


def rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file; what cannot be read is yielded with its fault.

    Raises:
        FileUnreadable: it has no header and is no NDJSON.
    """
    with path.open("rb") as probe:
        start = probe.read(4096).removeprefix(codecs.BOM_UTF8).lstrip()
    yield from _objects(path) if start.startswith(b"{") else _table(path)


def _table(path: Path) -> Iterator[Row]:
    with path.open("rb") as raw:
        text = io.TextIOWrapper(raw, encoding=encoding_of(path), errors="surrogateescape", newline="")
        reader = csv.reader(text, strict=True)
        try:
            header = [name.strip() for name in next(reader)]
        except (StopIteration, csv.Error) as error:
            raise FileUnreadable(file=path.name) from error
        if len(set(header)) != len(header):
            raise FileUnreadable(file=path.name, said="a column stands twice")
        while True:
            line = reader.line_num + 1
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Row(line, 0, {}, "csv_broken", str(error))
                continue
            if not values:
                continue
            yield _checked(line, raw.tell(), dict(zip(header, values, strict=False)), len(values) - len(header))


def _checked(line: int, position: int, fields: dict[str, str], excess: int) -> Row:
    text = "".join([*fields, *fields.values()])
    if excess:
        return Row(line, position, {}, "column_count", f"{excess:+d}")
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        return Row(line, position, {}, "text_unreadable")
    return Row(line, position, fields)


def _objects(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        for line, raw in enumerate(file, start=1):
            if not raw.strip():
                continue
            try:
                said = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_once)
                if not isinstance(said, dict):
                    raise TypeError("no object")
                fields = {name: _text(value) for name, value in said.items()}
            except (ValueError, TypeError, RecursionError) as error:
                yield Row(line, file.tell(), {}, "json_broken", str(error))
            else:
                yield _checked(line, file.tell(), fields, 0)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _text(value: Any) -> str:
    """Return a value as text; floats are refused, since an amount would have been rounded already."""
    if value is None:
        return ""
    if isinstance(value, bool | float | list | dict):
        raise TypeError(f"{type(value).__name__} is no value here")
    return str(value)
