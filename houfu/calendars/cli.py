"""houfu calendar: workdays, the manual window and run days."""

from datetime import datetime, time
from typing import IO

import click

from houfu.calendars import actions, queries
from houfu.kernel import clock
from houfu.kernel.terminal import Named, emit, json_option, operator_option

DATE = click.DateTime(["%Y-%m-%d"])
TIME = click.DateTime(["%H:%M"])


@click.group("calendar")
def cli() -> None:
    """The official calendar: workdays with make-up days."""


@cli.command()
@click.argument("year", type=int)
@json_option
def show(year: int, as_json: bool) -> None:
    """Show the days of a year that differ from the week. Example: houfu calendar show 2026"""
    emit([{"day": d.day, "workday": d.workday, "name": d.name} for d in queries.days(year)], as_json)


@cli.command()
@json_option
def years(as_json: bool) -> None:
    """List the years that are known, and from where. Example: houfu calendar years"""
    emit([{"year": y.year, "source": y.source} for y in queries.years()], as_json)


@cli.command()
@click.argument("file", type=click.File(encoding="utf-8"))
@operator_option
def load(file: IO[str], operator_: str) -> None:
    """Load the official days of a year from a TOML file. Example: houfu calendar load 2027.toml"""
    click.echo(actions.load(by=Named(f"operator/{operator_}"), text=file.read()))


@cli.command()
@click.option("--at", "instant", type=click.DateTime(["%Y-%m-%dT%H:%M:%S"]), help="An instant in Shanghai; now.")
@click.option("--opens", type=TIME, default="09:00", show_default=True)
@click.option("--closes", type=TIME, default="21:00", show_default=True)
@json_option
def window(instant: datetime | None, opens: datetime, closes: datetime, as_json: bool) -> None:
    """Say whether the manual window is open, or when it opens.

    Example: houfu calendar window --at 2026-02-14T10:00:00
    """
    at = instant.replace(tzinfo=clock.SHANGHAI) if instant else clock.now()
    known = queries.calendar(at)
    opening = known.next_opening(at, opens.time(), closes.time())
    is_open = known.is_open(at, opens.time(), closes.time())
    emit({"open": is_open, "opens_at": opening and opening.isoformat(), "known": opening is not None}, as_json)


@cli.command()
@click.option("--from", "first", type=DATE, required=True)
@click.option("--to", "last", type=DATE, required=True)
@click.option("--weekdays", default="3,5", show_default=True, help="Nominal days, Monday being 1.")
@json_option
def runs(first: datetime, last: datetime, weekdays: str, as_json: bool) -> None:
    """List the days on which automatic payouts run. Example: houfu calendar runs --from 2026-02-01 --to 2026-03-01"""
    known = queries.between(first.year - 1, last.year + 1)
    days = known.run_days([int(day) for day in weekdays.split(",")], time(10), first.date(), last.date())
    emit([{"day": run.day, "nominal": [str(day) for day in run.nominal]} for run in days], as_json)
