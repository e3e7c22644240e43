"""Arrays for SQL functions, in PostgreSQL's binary form: a batch of columns costs a fraction of what text would."""

import struct
from array import array
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_DAY = date(2000, 1, 1).toordinal()
_HEAD = struct.Struct(">iiIii")
_NULL = b"\xff\xff\xff\xff"
_LENGTHS = [struct.pack(">i", length) for length in range(256)]


class _Encoded(bytes):
    """An array that needs no more work; `oid` is its type."""


def _type(oid: int) -> type[_Encoded]:
    """Make the class of encoded arrays of a type, and tell the driver of it."""
    encoded = type(f"Array{oid}", (_Encoded,), {})
    dumper = type(f"Array{oid}Dumper", (Dumper,), {"format": Format.BINARY, "oid": oid, "dump": lambda _, value: value})
    psycopg.adapters.register_dumper(encoded, dumper)
    return encoded


def _framed(into: type[_Encoded], element_oid: int, count: int, nulls: bool, body: bytes | bytearray) -> _Encoded:
    return into(
        _HEAD.pack(1, nulls, element_oid, count, 1) + body if count else _HEAD.pack(0, 0, element_oid, 0, 0)[:12]
    )


def _numbers(code: str, into: type[_Encoded], element_oid: int, values: Sequence[int | None]) -> _Encoded:
    """Encode integers of a fixed width: the bytes of one place of all of them are moved at once."""
    if None in values:
        width = array(code).itemsize
        return _items(into, element_oid, [None if v is None else v.to_bytes(width, "big", signed=True) for v in values])
    packed = array(code, values)  # type: ignore[type-var]
    packed.byteswap()
    raw, width, count = packed.tobytes(), packed.itemsize, len(values)
    body = bytearray((4 + width) * count)
    body[3 :: 4 + width] = bytes([width]) * count
    for place in range(width):
        body[4 + place :: 4 + width] = raw[place::width]
    return _framed(into, element_oid, count, False, body)


def _items(into: type[_Encoded], element_oid: int, values: Sequence[bytes | None]) -> _Encoded:
    parts = [
        _NULL
        if value is None
        else (_LENGTHS[len(value)] if len(value) < 256 else struct.pack(">i", len(value))) + value
        for value in values
    ]
    return _framed(into, element_oid, len(parts), _NULL in parts, b"".join(parts))


def _texts(into: type[_Encoded], element_oid: int, values: Sequence[str | None]) -> _Encoded:
    return _items(into, element_oid, [None if value is None else value.encode() for value in values])


def _instants(into: type[_Encoded], element_oid: int, values: Sequence[datetime | None]) -> _Encoded:
    return _numbers("q", into, element_oid, [None if v is None else (v - _EPOCH) // _TICK for v in values])


def _days(into: type[_Encoded], element_oid: int, values: Sequence[date | None]) -> _Encoded:
    return _numbers("i", into, element_oid, [None if day is None else day.toordinal() - _DAY for day in values])


def _uuids(into: type[_Encoded], element_oid: int, values: Sequence[UUID | None]) -> _Encoded:
    return _items(into, element_oid, [None if value is None else value.bytes for value in values])


def _flags(into: type[_Encoded], element_oid: int, values: Sequence[bool | None]) -> _Encoded:
    return _items(into, element_oid, [None if value is None else bytes([value]) for value in values])


_OF: dict[str, Callable[[Sequence[Any]], _Encoded]] = {
    "smallint[]": partial(_numbers, "h", _type(1005), 21),
    "integer[]": partial(_numbers, "i", _type(1007), 23),
    "bigint[]": partial(_numbers, "q", _type(1016), 20),
    "text[]": partial(_texts, _type(1009), 25),
    "boolean[]": partial(_flags, _type(1000), 16),
    "bytea[]": partial(_items, _type(1001), 17),
    "uuid[]": partial(_uuids, _type(2951), 2950),
    "date[]": partial(_days, _type(1182), 1082),
    "timestamp with time zone[]": partial(_instants, _type(1185), 1184),
}


def encoded(type_: str, value: Any) -> Any:
    """Return a list as the array that a parameter of this type takes; everything else as it is.

    Args:
        type_: as `format_type` names it, such as "bigint[]".

    Raises:
        OverflowError: a number does not fit.
    """
    return _OF[type_](value) if isinstance(value, list) and type_ in _OF else value
