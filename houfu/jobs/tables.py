"""What stands in a table that is exported: columns, and cells of four kinds. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from houfu.kernel.clock import SHANGHAI

Language = Literal["zh-Hans", "en"]


class Yuan(NamedTuple):
    """An amount that is shown in yuan, with two decimals; no float ever stands for it."""

    fen: int


Cell = str | int | Yuan | datetime | None


@dataclass(frozen=True)
class Column:
    """A column.

    Args:
        name: in English, as the API calls it.
        title: in Chinese.
        of: what of a row stands in it: a text, a number, an instant, or nothing.
        fen: whether it is an amount, which gets two columns: in yuan for people, in fen for programs.
    """

    name: str
    title: str
    of: Callable[[Any], Any]
    fen: bool = False


def amount(name: str, title: str, of: Callable[[Any], int | None]) -> Column:
    """Return a column of amounts; `of` says them in fen."""
    return Column(name, title, of, fen=True)


def heads(columns: Iterable[Column], language: Language) -> list[str]:
    """Return the names over the columns."""
    found: list[str] = []
    for column in columns:
        name = column.name if language == "en" else column.title
        if column.fen:
            found += [f"{name}_yuan", f"{name}_fen"] if language == "en" else [f"{name}（元）", f"{name}（分）"]
        else:
            found.append(name)
    return found


def cells(columns: Sequence[Column], rows: Iterable[Any]) -> Iterator[list[Cell]]:
    """Yield what stands in each row."""
    for row in rows:
        found: list[Cell] = []
        for column in columns:
            value = column.of(row)
            if column.fen:
                found += [None if value is None else Yuan(value), value]
            else:
                found.append(value)
        yield found


def shown(cell: Cell) -> str:
    """Return a cell that is no text as text: yuan as 1234.50, an instant as Shanghai's clocks show it."""
    if cell is None:
        return ""
    if isinstance(cell, Yuan):
        return decimal(cell.fen)
    if isinstance(cell, datetime):
        return cell.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
    return str(cell)


def decimal(fen: int) -> str:
    """Return fen as yuan with two decimals and nothing else, such as -123450 as "-1234.50"."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"
