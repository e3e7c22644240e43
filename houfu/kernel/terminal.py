"""Printing for commands: a table for people, JSON for programs, and the options that every command shares."""

import getpass
import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Named:
    """Whoever is known to a command by name alone."""

    label: str


def json_option(command: F) -> F:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def operator_option(command: F) -> F:
    """Add `--as NAME`: the person on whose behalf the command acts."""
    option = click.option("--as", "operator", default=getpass.getuser, show_default="login name", help="Who is acting.")
    return option(command)


def emit(result: Sequence[Mapping[str, Any]] | Mapping[str, Any], as_json: bool) -> None:
    """Print rows or one record, as JSON or aligned for reading; Chinese characters take two places."""
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False, indent=2, default=str))
    elif isinstance(result, Mapping):
        width = max((_width(str(key)) for key in result), default=0)
        for key, value in result.items():
            click.echo(f"{_padded(str(key), width)}  {_cell(value)}")
    elif result:
        _table(result)
    else:
        click.echo("(nothing)")


def _table(rows: Sequence[Mapping[str, Any]]) -> None:
    heads = list(rows[0])
    cells = [[_cell(row.get(head)) for head in heads] for row in rows]
    widths = [max(_width(text) for text in column) for column in zip(heads, *cells, strict=True)]
    right = [all(isinstance(row.get(head), int) for row in rows) for head in heads]
    for line in (heads, *cells):
        parts = (_padded(text, width, r) for text, width, r in zip(line, widths, right, strict=True))
        click.echo("  ".join(parts).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _padded(text: str, width: int, right: bool = False) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space
