"""Answers kept for a while in a process' memory: what took long to count and hardly changes is not counted again."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

Answer = TypeVar("Answer")


@dataclass
class Kept:
    """Answers by what was asked, and by whom as far as that decides what they may see.

    Args:
        room: how many are kept; all are let go when they are more.
    """

    room: int = 2000
    _answers: dict[Hashable, tuple[float, Any]] = field(default_factory=dict)

    def get(self, asked: Hashable, lasts: float, find: Callable[[], Answer]) -> Answer:
        """Return the answer that is kept, or find it and keep it.

        Args:
            lasts: seconds of the machine's time for which it holds.
        """
        kept = self._answers.get(asked)
        if kept and kept[0] > time.monotonic():
            answer: Answer = kept[1]
            return answer
        answer = find()
        if len(self._answers) >= self.room:
            self._answers.clear()
        self._answers[asked] = time.monotonic() + lasts, answer
        return answer

    def clear(self) -> None:
        """Let all of them go."""
        self._answers.clear()
