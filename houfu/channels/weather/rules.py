"""Pure: which hours of rain let more of a pool be used, and what that means for adjustments that are there (L6)."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from houfu.channels.weather.port import HOUR, Hour


class Window(NamedTuple):
    """A time of rain without a break, as [start, end)."""

    start: datetime
    end: datetime


class Standing(NamedTuple):
    """An adjustment of the weather that is open, or that a person has ended."""

    id: int
    start: datetime
    end: datetime


class Plan(NamedTuple):
    """What newer data means for adjustments: those that stand on it now, those that end, those to be proposed."""

    refresh: list[int]
    withdraw: list[int]
    propose: list[Window]


def windows(hours: Sequence[Hour], rain_tenths_mm: int, now: datetime, until: datetime) -> list[Window]:
    """Return the times of rain that are not over and begin before `until`, in whole hours.

    Args:
        rain_tenths_mm: from how much in an hour on it rains, in tenths of a millimetre.
    """
    found: list[Window] = []
    for hour in hours:
        if hour.rain_tenths_mm < rain_tenths_mm:
            continue
        if found and found[-1].end == hour.start:
            found[-1] = Window(found[-1].start, hour.start + HOUR)
        else:
            found.append(Window(hour.start, hour.start + HOUR))
    return [each for each in found if each.end > now and each.start < until]


def plan(rain: Sequence[Window], open_: Collection[Standing], ended: Collection[Standing], now: datetime) -> Plan:
    """Return what the times of rain mean for the adjustments of a pool.

    What a person has withdrawn or rejected is not proposed again for the same rain.
    """
    refresh: list[int] = []
    propose: list[Window] = []
    for window in rain:
        same = [each.id for each in open_ if each.end == window.end and each.start <= max(window.start, now)]
        if same:
            refresh += same[:1]
        elif not any(each.start < window.end and window.start < each.end for each in ended):
            propose.append(Window(max(window.start, now), window.end))
    return Plan(refresh, [each.id for each in open_ if each.id not in refresh], propose)


def stale(observed_at: datetime, now: datetime, hours: int) -> bool:
    """Say whether data is too old: at exactly that age it is."""
    return now >= observed_at + timedelta(hours=hours)
