"""Loading the official days of a year."""

import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from houfu.calendars.models import Day, Year
from houfu.history import actions as history
from houfu.history.actions import Who
from houfu.kernel import clock, db
from houfu.kernel.errors import Invalid

SHIPPED = Path(__file__).parent / "data"


@db.refuse_on("calendars_day_is_exception")
class CalendarInvalid(Invalid):
    """A calendar file names a year, its source, weekdays off and weekend days worked, all within that year."""

    code = "calendar_invalid"


class _File(msgspec.Struct, forbid_unknown_fields=True):
    year: int
    source: str
    days_off: dict[str, list[date]]
    workdays: dict[str, list[date]]


@db.action
def load(*, by: Who, text: str) -> int:
    """Load the official days of one year, in place of what was known of it, and return the year.

    Raises:
        CalendarInvalid: the file is not one, or names days of another year; nothing was loaded.
    """
    file = _read(text)
    days = [
        Day(day=day, workday=workday, name=name)
        for workday, named in ((False, file.days_off), (True, file.workdays))
        for name, listed in named.items()
        for day in listed
    ]
    if any(day.day.year != file.year for day in days) or len({day.day for day in days}) != len(days):
        raise CalendarInvalid(year=file.year)
    before = set(Day.objects.filter(day__year=file.year).values_list("day", flat=True))
    Day.objects.filter(day__year=file.year).delete()
    Day.objects.bulk_create(days)
    Year.objects.update_or_create(year=file.year, defaults={"source": file.source, "loaded_at": clock.now()})
    history.record(
        "calendar.loaded",
        by=by,
        merchant_id=history.PLATFORM,
        subject=f"calendar/{file.year}",
        source=file.source,
        changed=sorted(day.isoformat() for day in before ^ {day.day for day in days}),
    )
    return file.year


def load_shipped(*, by: Who) -> None:
    """Load the years that this version ships and of which nothing is known yet."""
    known = set(Year.objects.values_list("year", flat=True))
    for path in sorted(SHIPPED.glob("*.toml")):
        if int(path.stem) not in known:
            load(by=by, text=path.read_text())


def _read(text: str) -> _File:
    try:
        stated: dict[str, Any] = tomllib.loads(text)
        return msgspec.convert(stated, _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise CalendarInvalid(said=str(error)) from error
