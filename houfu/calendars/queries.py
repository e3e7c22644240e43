"""Reading the calendar."""

from datetime import datetime

from houfu.calendars.models import Day, Year
from houfu.calendars.rules import Calendar
from houfu.kernel import clock


def calendar(around: datetime) -> Calendar:
    """Return what is known of the years around an instant."""
    year = clock.business_day(around).year
    return between(year - 1, year + 1)


def between(first: int, last: int) -> Calendar:
    """Return what is known of some years."""
    years = frozenset(Year.objects.filter(year__range=(first, last)).values_list("year", flat=True))
    days = list(Day.objects.filter(day__year__range=(first, last)))
    return Calendar(years, frozenset(d.day for d in days if not d.workday), frozenset(d.day for d in days if d.workday))


def years() -> list[Year]:
    """Return the years that are known, and from where."""
    return list(Year.objects.order_by("year"))


def days(year: int) -> list[Day]:
    """Return the days of a year that differ from the week."""
    return list(Day.objects.filter(day__year=year).order_by("day"))
