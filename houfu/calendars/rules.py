"""Pure questions to the calendar: workdays, the manual window, run days, arrivals. Days are those of Shanghai."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from houfu.kernel import clock
from houfu.kernel.errors import Refused

DAY = timedelta(days=1)
LOOK_BACK = 30  # days; no run of days off is nearly as long


class YearUnknown(Refused):
    """The official days of that year are not loaded, and nobody guesses them (I-19)."""

    code = "calendar_year_unknown"


class RunDay(NamedTuple):
    """A day on which automatic payouts run, and the instant at which they do."""

    day: date
    nominal: tuple[date, ...]
    at: datetime


@dataclass(frozen=True)
class Calendar:
    """The days that are known.

    Args:
        years: years whose official days are loaded.
        off: weekdays that are no workdays.
        work: weekend days that are workdays (调休).
    """

    years: frozenset[int]
    off: frozenset[date]
    work: frozenset[date]

    def is_workday(self, day: date) -> bool:
        """Say whether a day is a workday.

        Raises:
            YearUnknown: its year is not loaded.
        """
        if day.year not in self.years:
            raise YearUnknown(year=day.year)
        return day in self.work or (day.weekday() < 5 and day not in self.off)

    def workday_from(self, day: date) -> date:
        """Return the day itself if it is a workday, else the next one."""
        while not self.is_workday(day):
            day += DAY
        return day

    def arrival(self, at: datetime, workdays: int) -> date:
        """Return the business day that lies `workdays` workdays after an instant's."""
        day = clock.business_day(at)
        for _ in range(workdays):
            day = self.workday_from(day + DAY)
        return day

    def is_open(self, at: datetime, opens: time, closes: time) -> bool:
        """Say whether the manual window is open, [opens, closes) on workdays; in an unknown year it is closed (P2)."""
        local = at.astimezone(clock.SHANGHAI)
        return local.year in self.years and self.is_workday(local.date()) and opens <= local.time() < closes

    def next_opening(self, at: datetime, opens: time, closes: time) -> datetime | None:
        """Return the instant itself while the window is open, else its next opening; None where nobody knows (P2)."""
        if self.is_open(at, opens, closes):
            return at
        local = at.astimezone(clock.SHANGHAI)
        day = local.date() if local.time() < opens else local.date() + DAY
        try:
            return datetime.combine(self.workday_from(day), opens, clock.SHANGHAI)
        except YearUnknown:
            return None

    def run_days(self, weekdays: Sequence[int], at: time, first: date, last: date) -> Iterator[RunDay]:
        """Yield the days in [first, last] on which automatic payouts run, as far as the calendar knows.

        A nominal day that is no workday moves to the next workday; those that move to one day are one run (P1).

        Args:
            weekdays: the nominal days as ISO counts them, Monday being 1.
        """
        moved: dict[date, list[date]] = {}
        day = first - LOOK_BACK * DAY
        while day <= last:
            if day.isoweekday() in weekdays and day.year in self.years:
                with suppress(YearUnknown):
                    moved.setdefault(self.workday_from(day), []).append(day)
            day += DAY
        for run_day, nominal in sorted(moved.items()):
            if first <= run_day <= last:
                yield RunDay(run_day, tuple(nominal), datetime.combine(run_day, at, clock.SHANGHAI))

    def latest_run(self, now: datetime, weekdays: Sequence[int], at: time) -> RunDay | None:
        """Return the last run whose instant has come; None where the calendar knows of none."""
        today = clock.business_day(now)
        runs = [run for run in self.run_days(weekdays, at, today - LOOK_BACK * DAY, today) if run.at <= now]
        return runs[-1] if runs else None
