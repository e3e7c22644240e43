"""What commands print: tables that stand straight, Chinese or not, JSON for programs, and what they read."""

import json
import unicodedata
from datetime import UTC, datetime

import click
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from houfu.kernel.terminal import AT, YUAN, emit


def places(text):
    """Return how many places a terminal needs for a text."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def printed(capsys, result, as_json=False):
    emit(result, as_json)
    return capsys.readouterr().out.splitlines()


def test_chinese_takes_two_places_and_columns_stand_straight(capsys):
    rows = [
        {"name": "西湖店", "code": "HZ01", "fen": 5},
        {"name": "Bund 店", "code": "上海", "fen": 12345},
        {"name": "-", "code": None, "fen": 120},
    ]
    assert printed(capsys, rows) == [
        "name     code    fen",
        "西湖店   HZ01      5",
        "Bund 店  上海  12345",
        "-        -       120",
    ]


def test_a_record_is_a_line_for_each_field(capsys):
    record = {"商户": "某某", "uscc": None, "tags": ["甲", 1]}
    assert printed(capsys, record) == ["商户  某某", "uscc  -", 'tags  ["甲", 1]']


def test_nothing_is_said_to_be_nothing(capsys):
    assert printed(capsys, []) == ["(nothing)"]
    assert printed(capsys, [], as_json=True) == ["[]"]


def test_json_is_what_was_there(capsys):
    at = datetime(2025, 11, 10, 2, tzinfo=UTC)
    said = "\n".join(printed(capsys, [{"name": "西湖店", "fen": 5, "at": at}], as_json=True))
    assert "西湖店" in said
    assert json.loads(said) == [{"name": "西湖店", "fen": 5, "at": str(at)}]


words = st.text(st.sampled_from("aZ9 店额度ＡＢ（）,.é"), min_size=1, max_size=8).map(str.strip).filter(bool)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(words, words), min_size=1, max_size=5))
def test_the_second_column_begins_at_one_place_in_every_line(capsys, pairs):
    lines = printed(capsys, [{"a": left, "b": right} for left, right in pairs])
    begins = {places(line.removesuffix(right)) for line, (_, right) in zip(lines[1:], pairs, strict=True)}
    assert begins == {max(1, *(places(left) for left, _ in pairs)) + 2}


@click.command()
@click.option("--amount", type=YUAN)
@click.option("--at", type=AT)
def ask(amount, at):
    click.echo(f"{amount} {at and at.astimezone(UTC):%H:%M}" if at else amount)


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        (["--amount", "1,234.5"], "123450"),
        (["--at", "2025-11-11T10:00:00"], "None 02:00"),  # Shanghai's, where no offset is given
        (["--at", "2025-11-11T10:00:00+00:00"], "None 10:00"),
        (["--at", "2025-11-11"], "None 16:00"),
    ],
)
def test_commands_read_amounts_and_instants(said, understood):
    assert CliRunner().invoke(ask, said).output.strip() == understood


@pytest.mark.parametrize("said", [["--amount", "1e3"], ["--amount", "１０"], ["--at", "tomorrow"], ["--at", "10:00"]])
def test_commands_refuse_what_they_cannot_read(said):
    answer = CliRunner().invoke(ask, said)
    assert answer.exit_code == 2
    assert repr(said[1]) in answer.output
