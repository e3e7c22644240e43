"""The clock: the only place where the product learns what time it is.

Tests and trial instances put another clock in its place; nothing else calls `datetime.now`.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
NEVER = timedelta(days=36500)  # a window that does not close


class Clock(Protocol):
    def now(self) -> datetime: ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class FileClock:
    """A clock that stands where a file says, shared by the processes of a trial instance."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def now(self) -> datetime:
        return datetime.fromisoformat(json.loads(self.path.read_text())["now"]).astimezone(UTC)

    def set(self, at: datetime) -> None:
        """Move the clock; it appears to readers whole or not at all."""
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps({"now": at.astimezone(UTC).isoformat()}))
        draft.replace(self.path)


class SteppedClock:
    """A clock for tests: it stands still until it is told to move."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def move(self, **step: float) -> datetime:
        self.at += timedelta(**step)
        return self.at


C = TypeVar("C", bound=Clock)
_clock: Clock = SystemClock()


def now() -> datetime:
    """Return this instant, aware and in UTC."""
    return _clock.now()


def machine_now() -> datetime:
    """Return what the machine says, whatever business time is: how long somebody is signed in is no business."""
    return SystemClock().now()


def install(clock: Clock) -> None:
    """Make `clock` the one that `now` reads, for the whole process."""
    global _clock
    _clock = clock


@contextmanager
def standing_at(clock: C) -> Iterator[C]:
    """Read another clock inside the block."""
    before = _clock
    install(clock)
    try:
        yield clock
    finally:
        install(before)


def shanghai(*parts: int) -> datetime:
    """Return an instant given in Shanghai's time: year, month, day and as much more as is known."""
    return datetime(*parts, tzinfo=SHANGHAI)  # type: ignore[misc, arg-type]


def business_day(at: datetime) -> date:
    """Return the calendar day in Asia/Shanghai on which an instant falls (I-18)."""
    return at.astimezone(SHANGHAI).date()


def start_of(day: date) -> datetime:
    """Return the first instant of a business day."""
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)
