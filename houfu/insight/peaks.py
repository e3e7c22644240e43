"""Pure: what orders stood on a pool at most, by day and part of the day, and what that says of days to come."""

import math
from collections.abc import Mapping, Sequence

from houfu.insight.rules import KindOf


def peaks_by_day(
    rows: Sequence[tuple[int, int, int]], first_day: int, last_day: int, opens: int, closes: int
) -> dict[int, int]:
    """Return the most that stood on a pool on each of the days [first_day, last_day), within part of the day.

    Args:
        rows: slot, peak_fen and left_fen of every half hour in which something changed, in their order.
        opens, closes: half hours of the day, from the one on, before the other.
    """
    found = {}
    place, stands = 0, 0
    for day in range(first_day, last_day):
        start, end = day * 48 + opens, day * 48 + closes
        while place < len(rows) and rows[place][0] < start:
            stands = rows[place][2]
            place += 1
        peak, look = stands, place
        while look < len(rows) and rows[look][0] < end:
            peak = max(peak, rows[look][1])
            look += 1
        found[day] = peak
    return found


def comparable(by_day: Mapping[int, int], day: int, kind_of: KindOf) -> dict[int, int]:
    """Return the days of a day's kind; all that are as much workdays as it, where these are fewer than four."""
    kind = kind_of(day)
    same = {each: fen for each, fen in by_day.items() if kind_of(each) == kind}
    if len(same) >= 4:
        return same
    alike = {each: fen for each, fen in by_day.items() if kind_of(each).workday == kind.workday}
    return alike or dict(by_day)


def empirical(values: Sequence[int], share: float) -> int:
    """Return the least of the values that at least `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def round_up(fen: int, step_fen: int) -> int:
    """Return the least multiple of a step that is not less."""
    return -(-fen // step_fen) * step_fen
