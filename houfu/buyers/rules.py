"""Pure decisions about buyer lines."""

from collections.abc import Sequence
from typing import Protocol


class LineLike(Protocol):
    """A row of the policy's table."""

    @property
    def score(self) -> int: ...
    @property
    def line_fen(self) -> int: ...


def limit_fen(score: int, lines: Sequence[LineLike]) -> int:
    """Return the line that a score gives: the first of the table whose score is reached, else none (O5).

    Args:
        lines: the policy's table, the highest score first.
    """
    return next((line.line_fen for line in lines if score >= line.score), 0)
