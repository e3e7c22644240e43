"""The calendar over HTTP."""

from datetime import date, datetime, time
from typing import Any

from django.http import HttpRequest
from ninja import Router

from houfu.calendars import queries
from houfu.kernel import clock
from houfu.kernel.http import PROBLEMS, Instant, Out, actor
from houfu.policies import queries as policies

router = Router(tags=["calendar"])


class DayOut(Out):
    day: date
    workday: bool
    name: str


class WindowOut(Out):
    """Whether manual payouts are sent at once, and otherwise when; `opens_at` is null where the calendar ends."""

    open: bool
    opens_at: datetime | None


class RunDayOut(Out):
    day: date
    nominal: list[date]
    at: datetime


@router.get("/calendar/window", response={200: WindowOut, **PROBLEMS})
def window(request: HttpRequest, at: Instant | None = None) -> Any:
    """Say whether the window of manual payouts is open at an instant, or now (P2)."""
    actor(request).require("policies:read")
    instant = at or clock.now()
    manual = policies.at(instant).payouts.manual
    opens, closes = time.fromisoformat(manual.opens), time.fromisoformat(manual.closes)
    known = queries.calendar(instant)
    return WindowOut(open=known.is_open(instant, opens, closes), opens_at=known.next_opening(instant, opens, closes))


@router.get("/calendar/runs", response={200: list[RunDayOut], **PROBLEMS})
def runs(request: HttpRequest, first: date, last: date) -> Any:
    """List the days on which automatic payouts run, at most a year of them (P1)."""
    actor(request).require("policies:read")
    last = min(last, first.replace(month=12, day=31))
    automatic = policies.at(clock.start_of(first)).payouts.automatic
    known = queries.between(first.year - 1, last.year + 1)
    return [
        RunDayOut(day=run.day, nominal=list(run.nominal), at=run.at)
        for run in known.run_days(automatic.weekdays, time.fromisoformat(automatic.at), first, last)
    ]


@router.get("/calendar/{year}", response={200: list[DayOut], **PROBLEMS})
def year(request: HttpRequest, year: int) -> Any:
    """List the days of a year that are not as the week says."""
    actor(request).require("policies:read")
    return queries.days(year)
