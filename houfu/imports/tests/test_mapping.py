"""Mappings: those we ship, what one cannot say, and what rows cannot say under one."""

import pytest

from houfu.imports import mapping
from houfu.imports.mapping import BadLine, MappingInvalid
from houfu.imports.tests.files import EVENTS, MARKETPLACE

TABLES = '[tables.t]\ncolumns = ["id"]\n'
EVENT_TABLE = '[events]\ntable = "t"\nkind = "{kind}"\nid = "{id}"\nat = "{at}"\n'
ORDER_TABLE = '[orders]\ntable = "t"\nid = "{id}"\nstore = "{s}"\namount = ["a"]\n'
STEP = '[[steps]]\nkind = "authorised"\nat = ["at"]\n'


@pytest.mark.parametrize("path", sorted(mapping.SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_what_we_ship_can_be_read(path):
    layout = mapping.read(path.read_text())
    assert layout.title
    assert layout.main in layout.tables


def test_the_two_that_are_named_in_the_documentation_are_shipped():
    assert {path.stem for path in mapping.SHIPPED.glob("*.toml")} >= {"events", "marketplace"}


@pytest.mark.parametrize(("text", "said"), [
    ("title =", "Invalid value"),
    ("title = 'x'", "missing required field `tables`"),
    ("title = 7\n" + TABLES + EVENT_TABLE, "Expected `str`"),
    ("title = 'x'\ncolour = 'red'\n" + TABLES + EVENT_TABLE, "unknown field `colour`"),
    ("title = 'x'\n" + TABLES, "either [orders] with [[steps]], or [events]"),
    ("title = 'x'\n" + TABLES + ORDER_TABLE, "either [orders] with [[steps]], or [events]"),
    ("title = 'x'\n" + TABLES + ORDER_TABLE + STEP + EVENT_TABLE, "either [orders] with [[steps]], or [events]"),
    ("title = 'x'\n" + TABLES + EVENT_TABLE.replace('"t"', '"u"'), "no such tables: ['u']"),
    ("title = 'x'\n" + TABLES + ORDER_TABLE + 'joins = { v = "id" }\n' + STEP, "no such tables: ['v']"),
    ("title = 'x'\n" + TABLES + ORDER_TABLE + STEP.replace("authorised", "sold"), "Invalid enum value 'sold'"),
    ("title = 'x'\namounts_in = 'dollars'\n" + TABLES + EVENT_TABLE, "Invalid enum value 'dollars'"),
    ("title = 'x'\ntimezone = 'Asia/Atlantis'\n" + TABLES + EVENT_TABLE, "Asia/Atlantis"),
    ("title = 'x'\ntimezone = '../../etc/passwd'\n" + TABLES + EVENT_TABLE, ""),
])  # fmt: skip
def test_what_is_no_mapping_is_refused_and_says_why(text, said):
    with pytest.raises(MappingInvalid) as refused:
        mapping.read(text)
    assert (refused.value.code, said in refused.value.details["said"]) == ("import_mapping_invalid", True)


def test_a_file_is_the_table_of_which_it_has_most_columns():
    layout = mapping.read(MARKETPLACE)
    assert layout.table_of(["order_id", "seller_id", "price", "freight_value", "more"]) == "items"
    assert layout.table_of(["order_id", "seller_id"]) is None
    both = [*layout.tables["orders"].columns, *layout.tables["items"].columns]
    assert layout.table_of(both) in ("orders", "items")


@pytest.mark.parametrize(("template", "text"), [
    ("{order_id}", "D1"), ("{order_id}.{seller:3}", "D1.abc"), ("{none}x", "x"), ("{seller:99}", "abcdef"), ("k", "k"),
])  # fmt: skip
def test_templates_are_filled_with_what_a_row_has(template, text):
    assert mapping.filled(template, {"order_id": " D1 ", "seller": "abcdef"}) == text


@pytest.mark.parametrize("id", ["", "D 1", "D/1", "订单1", "D" * 65, "D1\n", "D１"])
def test_an_id_that_an_order_cannot_have_is_told(id):
    with pytest.raises(BadLine) as bad:
        mapping.order_id("x{id}" if id else "{id}", {"id": id} if id != "D1\n" else {"id": "D1\nD2"})
    assert bad.value.code == "id_unusable"


@pytest.mark.parametrize(("said", "utc"), [
    ("2025-11-10T09:30:00+08:00", "2025-11-10T01:30:00+00:00"),
    ("2025-11-10 09:30:00", "2025-11-10T01:30:00+00:00"),
    ("2025-11-10", "2025-11-09T16:00:00+00:00"),
    ("2025-11-10T01:30:00Z", "2025-11-10T01:30:00+00:00"),
])  # fmt: skip
def test_an_instant_without_an_offset_is_in_the_mappings_time_zone(said, utc):
    assert mapping.instant(mapping.read(EVENTS), f" {said} ").isoformat() == utc


def test_the_marketplaces_time_zone_is_its_own():
    assert mapping.instant(mapping.read(MARKETPLACE), "2025-11-10 09:30:00").isoformat() == "2025-11-10T12:30:00+00:00"


@pytest.mark.parametrize("text", [
    "", "yesterday", "10.11.2025", "2025-02-30", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00",
    "1999-12-30T00:00:00", "2101-01-02T00:00:00",
])  # fmt: skip
def test_an_instant_that_nobody_can_mean_is_told(text):
    with pytest.raises(BadLine) as bad:
        mapping.instant(mapping.read(EVENTS), text)
    assert bad.value.code == "time_unreadable"


@pytest.mark.parametrize(("unit", "text", "fen"), [
    ("yuan", "280", 28_000), ("yuan", "1,280.50", 128_050), ("yuan", "0.01", 1), ("fen", "28000", 28_000),
    ("fen", "0", 0),
])  # fmt: skip
def test_amounts_are_read_to_the_fen(unit, text, fen):
    assert mapping.amount(_in(unit), f" {text} ") == fen


@pytest.mark.parametrize(("unit", "text"), [
    ("yuan", ""), ("yuan", "-1"), ("yuan", "1.005"), ("yuan", "¥280"), ("yuan", "1e3"), ("yuan", "２８０"),
    ("yuan", "100000000000.01"), ("fen", "280.00"), ("fen", "1,000"), ("fen", "9" * 15), ("fen", "10000000000001"),
])  # fmt: skip
def test_an_amount_that_is_none_is_told(unit, text):
    with pytest.raises(BadLine) as bad:
        mapping.amount(_in(unit), text)
    assert bad.value.code == "amount_unreadable"


def _in(unit):
    return mapping.read(f"title = 'x'\namounts_in = '{unit}'\n" + TABLES + EVENT_TABLE)
