"""Printing for commands: a table for people, JSON for programs, and the options that every command shares."""

import getpass
import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import click

from houfu.kernel import clock
from houfu.kernel.money import BadAmount, parse_yuan

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
    option = click.option(
        "--as", "operator_", default=getpass.getuser, show_default="login name", help="Who is acting."
    )
    return option(command)


class Yuan(click.ParamType[int]):
    """An amount as people write it, such as 1,234.50; the command gets fen."""

    name = "yuan"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return value if isinstance(value, int) else parse_yuan(value)
        except BadAmount as error:
            self.fail(f"{value!r}: {error.message}", param, ctx)


YUAN = Yuan()


class At(click.ParamType[datetime]):
    """An instant; without an offset it is one in Shanghai."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            read = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not written as 2025-11-11T10:00:00", param, ctx)
        return read if read.tzinfo else read.replace(tzinfo=clock.SHANGHAI)


AT = At()


def fields(row: Any, names: str) -> dict[str, Any]:
    """Return some attributes of a row, named in one text with spaces between."""
    return {name: getattr(row, name) for name in names.split()}


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
