"""The calendar over HTTP."""

from datetime import date
from typing import Any

from django.http import HttpRequest
from ninja import Router

from houfu.calendars import queries
from houfu.kernel.http import PROBLEMS, Out, actor

router = Router(tags=["calendar"])


class DayOut(Out):
    day: date
    workday: bool
    name: str


@router.get("/calendar/{year}", response={200: list[DayOut], **PROBLEMS})
def year(request: HttpRequest, year: int) -> Any:
    """List the days of a year that are not as the week says."""
    actor(request).require("policies:read")
    return queries.days(year)
