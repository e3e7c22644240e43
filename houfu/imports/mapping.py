"""Mappings: how the columns of foreign files say what happened to orders. Pure; see docs/imports.md."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from houfu.kernel import clock
from houfu.kernel.errors import Invalid
from houfu.kernel.money import FEN_MAX, BadAmount, parse_yuan

SHIPPED = Path(__file__).parent / "mappings"
# Within a business day orders are decided first, and then go on in the order of their lives.
RANKS = {"authorised": 0, "shipped": 1, "received": 2, "cancelled": 3, "refunded": 4}
Kind = Literal["authorised", "shipped", "received", "cancelled", "refunded"]
CENTURY = clock.shanghai(2000, 1, 1), clock.shanghai(2100, 1, 1)
_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)
_FIELD = re.compile(r"\{([^{}:]+)(?::([0-9]+))?\}")


class MappingInvalid(Invalid):
    """This is not a mapping that can be used."""

    code = "import_mapping_invalid"


class BadLine(Exception):
    """A line cannot be used; says why by a stable code."""

    def __init__(self, code: str, detail: str = "") -> None:
        self.code, self.detail = code, detail[:200]
        super().__init__(code)


class Table(msgspec.Struct, forbid_unknown_fields=True):
    """A kind of file, known by columns that its header has."""

    columns: list[str]


class Orders(msgspec.Struct, forbid_unknown_fields=True):
    """Files with a row for each order, or for each part of one.

    Args:
        table: whose rows make orders; rows with the same `id` are parts of one.
        id, store, buyer: texts with columns in them, such as "{order_id}-{seller_id:8}" (its first 8 characters).
        amount: columns that are added up over all parts.
        joins: other tables whose row belongs to an order, by a column that both have.
    """

    table: str
    id: str
    store: str
    amount: list[str]
    buyer: str = ""
    joins: dict[str, str] = {}


class StepRule(msgspec.Struct, forbid_unknown_fields=True):
    """When a row says that a step happened: at the first of these columns that is not empty, where all others fit."""

    kind: Kind
    at: list[str]
    where: dict[str, list[str]] = {}
    ref: str = ""


class Events(msgspec.Struct, forbid_unknown_fields=True):
    """Files with a row for each event; every entry but `kinds` is a text with columns in it."""

    table: str
    kind: str
    id: str
    at: str
    store: str = ""
    amount: str = ""
    buyer: str = ""
    ref: str = ""
    evidence: str = ""
    kinds: dict[str, Kind] = {}


class Layout(msgspec.Struct, forbid_unknown_fields=True):
    """A mapping as its TOML states it: `orders` with `steps`, or `events`."""

    title: str
    tables: dict[str, Table]
    timezone: str = "Asia/Shanghai"
    amounts_in: Literal["yuan", "fen"] = "yuan"
    orders: Orders | None = None
    steps: list[StepRule] = []
    events: Events | None = None

    @property
    def main(self) -> str:
        """The table whose rows say what happened."""
        said = self.orders or self.events
        assert said
        return said.table

    def table_of(self, header: Iterable[str]) -> str | None:
        """Return which table a file is, by its header: the one of which it has most columns."""
        there = set(header)
        fitting = [name for name, table in self.tables.items() if there.issuperset(table.columns)]
        return max(fitting, key=lambda name: len(self.tables[name].columns), default=None)


@dataclass(frozen=True, slots=True)
class Said:
    """A step as the files state it; `line` is where."""

    kind: Kind
    order_id: str
    at: datetime
    store: str = ""
    amount_fen: int = 0
    buyer: str | None = None
    ref: str = ""
    evidence: str = "platform"


def shipped() -> dict[str, str]:
    """Return the mappings that are shipped: their titles by name."""
    return {path.stem: read(path.read_text("utf-8")).title for path in sorted(SHIPPED.glob("*.toml"))}


def read(text: str) -> Layout:
    """Read a mapping from its TOML.

    Raises:
        MappingInvalid: it is none, or names a table or a time zone that does not exist.
    """
    try:
        layout = msgspec.convert(tomllib.loads(text), Layout)
        ZoneInfo(layout.timezone)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, ZoneInfoNotFoundError, ValueError) as error:
        raise MappingInvalid(said=str(error)) from error
    if (layout.orders is None) == (layout.events is None) or (layout.orders and not layout.steps):
        raise MappingInvalid(said="either [orders] with [[steps]], or [events]")
    named = {layout.main, *(layout.orders.joins if layout.orders else ())}
    if unknown := sorted(named - layout.tables.keys()):
        raise MappingInvalid(said=f"no such tables: {unknown}")
    return layout


def filled(template: str, fields: Mapping[str, str]) -> str:
    """Return a text with its columns filled in; a column that a row does not have is empty."""

    def value(match: re.Match[str]) -> str:
        text = fields.get(match[1], "").strip()
        return text[: int(match[2])] if match[2] else text

    return _FIELD.sub(value, template)


def order_id(template: str, fields: Mapping[str, str]) -> str:
    """Return an order's id.

    Raises:
        BadLine: it has characters that an id cannot have, or is empty or too long.
    """
    text = filled(template, fields)
    if not _ID.fullmatch(text):
        raise BadLine("id_unusable", text)
    return text


def buyer_of(template: str, fields: Mapping[str, str]) -> str | None:
    """Return the buyer's pseudonym, if there is one.

    Raises:
        BadLine: it has characters that a pseudonym cannot have, or is too long.
    """
    text = filled(template, fields)
    if text and not _ID.fullmatch(text):
        raise BadLine("buyer_unusable", text)
    return text or None


def instant(layout: Layout, text: str) -> datetime:
    """Read an instant; one without an offset is in the mapping's time zone.

    Raises:
        BadLine: it is none, or lies in a century that no rule of ours speaks of.
    """
    try:
        read_ = datetime.fromisoformat(text.strip())
        at = (read_ if read_.tzinfo else read_.replace(tzinfo=ZoneInfo(layout.timezone))).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadLine("time_unreadable", text) from error
    if not CENTURY[0] <= at < CENTURY[1]:
        raise BadLine("time_unreadable", text)
    return at


def amount(layout: Layout, text: str) -> int:
    """Read an amount as fen.

    Raises:
        BadLine: it is none, or not above zero.
    """
    text = text.strip()
    try:
        fen = parse_yuan(text) if layout.amounts_in == "yuan" else _fen(text)
    except BadAmount as error:
        raise BadLine("amount_unreadable", text) from error
    if not 0 <= fen <= FEN_MAX:
        raise BadLine("amount_unreadable", text)
    return fen


def _fen(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 14:
        raise BadAmount(text=text[:40])
    return int(text)


def steps_of_order(
    layout: Layout, parts: Sequence[Mapping[str, str]], joined: Mapping[str, str]
) -> tuple[list[Said], list[str]]:
    """Return what the rows of one order say, in the order in which it must have happened, and remarks about it.

    A step cannot come before the one that it stands on: its time is moved up to that one's, and a remark says so.

    Args:
        parts: the order's own rows.
        joined: columns of the rows that belong to it in other tables.

    Raises:
        BadLine: they say nothing that can be used.
    """
    assert layout.orders
    fields = {**joined, **parts[0]}
    total_fen = 0
    for part in parts:
        for column in layout.orders.amount:
            total_fen += amount(layout, filled(f"{{{column}}}", part))
    if not 0 < total_fen <= FEN_MAX:
        raise BadLine("amount_unreadable", str(total_fen))
    found: dict[Kind, tuple[datetime, StepRule]] = {}
    for rule in layout.steps:
        if all(fields.get(column, "").strip() in values for column, values in rule.where.items()):
            text = next((said for column in rule.at if (said := fields.get(column, "").strip())), "")
            if text:
                found[rule.kind] = (instant(layout, text), rule)
    if "authorised" not in found:
        raise BadLine("no_authorisation")
    steps: list[Said] = []
    remarks: list[str] = []
    latest = found["authorised"][0]
    buyer = buyer_of(layout.orders.buyer, fields)
    id_, store = order_id(layout.orders.id, fields), filled(layout.orders.store, fields)
    for kind in ("authorised", "shipped", "received", "cancelled", "refunded"):
        if kind not in found:
            continue
        at, rule = found[kind]
        if at < latest:
            remarks.append(f"{kind}: {at.isoformat()} lies before the step before it")
            at = latest
        latest = at
        fen = total_fen if kind in ("authorised", "refunded") else 0
        steps.append(Said(kind, id_, at, store, fen, buyer, filled(rule.ref, fields)))
    return steps, remarks


def step_of_event(layout: Layout, fields: Mapping[str, str]) -> Said:
    """Return what one row of an event file says.

    Raises:
        BadLine: nothing that can be used.
    """
    rule = layout.events
    assert rule
    word = filled(rule.kind, fields)
    kind = rule.kinds.get(word) if rule.kinds else (word if word in RANKS else None)
    if kind is None:
        raise BadLine("kind_unknown", word)
    fen = amount(layout, filled(rule.amount, fields) or "0") if kind in ("authorised", "refunded") else 0
    if kind in ("authorised", "refunded") and fen == 0:
        raise BadLine("amount_unreadable", "0")
    evidence = filled(rule.evidence, fields) or "platform"
    if evidence not in ("platform", "carrier", "manual"):
        raise BadLine("evidence_unknown", evidence)
    return Said(
        kind,  # type: ignore[arg-type]
        order_id(rule.id, fields),
        instant(layout, filled(rule.at, fields)),
        filled(rule.store, fields),
        fen,
        buyer_of(rule.buyer, fields),
        filled(rule.ref, fields),
        evidence,
    )
