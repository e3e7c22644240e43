"""Workdays: the shipped years against two sources that know nothing of each other or of us, and what is unknown."""

import tomllib
from datetime import date, timedelta

import chinese_calendar
import holidays
import pytest

from houfu.calendars import actions, queries
from houfu.calendars.actions import SHIPPED, CalendarInvalid
from houfu.calendars.rules import YearUnknown
from houfu.history import actions as histories
from houfu.history import queries as history
from houfu.kernel import clock
from houfu.testing.world import OPERATOR

YEARS = sorted(int(path.stem) for path in SHIPPED.glob("*.toml"))
CHINA = holidays.country_holidays("CN", years=YEARS)
SOURCES = {"chinesecalendar": chinese_calendar.is_workday, "holidays": CHINA.is_working_day}
Y2027 = """
year = 2027
source = "a notice"
[days_off]
"元旦" = [2027-01-01]
[workdays]
"元旦" = [2027-01-02]
"""


@pytest.fixture
def calendar(db):
    return queries.between(YEARS[0], YEARS[-1])


def days_of(year):
    return [date(year, 1, 1) + timedelta(days=n) for n in range((date(year + 1, 1, 1) - date(year, 1, 1)).days)]


def known_days():
    """Everything the calendar holds."""
    return [(day.day, day.workday, day.name) for year in queries.years() for day in queries.days(year.year)]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("year", YEARS)
def test_every_day_of_every_year_is_what_another_source_says(calendar, source, year):
    days = days_of(year)
    assert len(days) in (365, 366)
    differ = [day.isoformat() for day in days if calendar.is_workday(day) != SOURCES[source](day)]
    assert differ == []


@pytest.mark.parametrize("year", YEARS)
def test_days_are_named_after_the_festival_that_another_source_gives_for_them(year):
    file = tomllib.loads((SHIPPED / f"{year}.toml").read_text())
    for name, days in [*file["days_off"].items(), *file["workdays"].items()]:
        for day in days:
            theirs = chinese_calendar.Holiday(chinese_calendar.get_holiday_detail(day)[1]).chinese
            assert name.startswith(theirs) or ("抗战" in name and "抗日战争" in theirs), day


@pytest.mark.parametrize(
    ("day", "workday"),
    [
        (date(2026, 2, 13), True),  # the Friday before Spring Festival
        (date(2026, 2, 14), True),  # a Saturday worked for it (调休)
        (date(2026, 2, 15), False),
        (date(2026, 2, 16), False),  # New Year's Eve
        (date(2026, 2, 17), False),  # the first day of the year of the Horse
        (date(2026, 2, 23), False),  # the Monday after, off
        (date(2026, 2, 24), True),
        (date(2026, 2, 28), True),  # another Saturday worked for it
        (date(2024, 2, 18), True),  # a Sunday worked for the festival of 2024
        (date(2024, 2, 29), True),
        (date(2015, 9, 3), False),  # declared for that year alone
        (date(2025, 9, 3), True),
    ],
)
def test_spring_festival_and_other_days_that_the_week_does_not_tell(calendar, day, workday):
    assert calendar.is_workday(day) is workday


def test_spring_festival_of_every_year_gives_five_weekdays_off_or_more_and_takes_weekends(db):
    for year in YEARS:
        file = tomllib.loads((SHIPPED / f"{year}.toml").read_text())
        assert len(file["days_off"]["春节"]) >= 5
        assert 1 <= len(file["workdays"]["春节"]) <= 2


@pytest.mark.parametrize("day", [date(YEARS[0] - 1, 12, 31), date(YEARS[-1] + 1, 1, 1), date(2099, 6, 1)])
def test_a_year_that_is_not_loaded_is_not_guessed(calendar, day):
    """I-19."""
    with pytest.raises(YearUnknown) as refused:
        calendar.is_workday(day)
    assert refused.value.details == {"year": day.year}


@pytest.mark.parametrize(
    ("at", "arrivals"),
    [
        ((2025, 11, 10, 10), ["2025-11-11", "2025-11-12", "2025-11-13"]),
        ((2025, 11, 13, 23, 59, 59), ["2025-11-14", "2025-11-17", "2025-11-18"]),
        ((2025, 9, 30, 10), ["2025-10-09", "2025-10-10", "2025-10-11"]),  # the last is a Saturday worked
        ((2026, 2, 13, 10), ["2026-02-14", "2026-02-24", "2026-02-25"]),
        ((2026, 2, 14, 23, 59, 59), ["2026-02-24", "2026-02-25", "2026-02-26"]),
        ((2026, 2, 18, 10), ["2026-02-24", "2026-02-25", "2026-02-26"]),
    ],
)
def test_a_payout_arrives_within_one_to_three_workdays(calendar, at, arrivals):
    """P1: counted from the day after the run's, make-up days included."""
    at = clock.shanghai(*at)
    assert [calendar.arrival(at, n).isoformat() for n in (1, 2, 3)] == arrivals
    assert calendar.arrival(at, 0) == clock.business_day(at)


def test_an_arrival_that_nobody_can_know_is_not_promised(calendar):
    with pytest.raises(YearUnknown):
        calendar.arrival(clock.shanghai(YEARS[-1], 12, 31, 10), 1)


def test_a_new_year_is_known_once_it_is_loaded(fresh_db):
    assert actions.load(by=OPERATOR, text=Y2027) == 2027
    calendar = queries.calendar(clock.shanghai(2027, 1, 1))
    assert [calendar.is_workday(date(2027, 1, day)) for day in (1, 2, 3, 4)] == [False, True, False, True]
    link = history.links(histories.PLATFORM)[0]
    assert (link.verb, link.subject, link.detail["changed"]) == (
        "calendar.loaded", "calendar/2027", ["2027-01-01", "2027-01-02"],
    )  # fmt: skip


def test_a_year_that_is_announced_anew_replaces_what_was_known_of_it_alone(fresh_db):
    actions.load(by=OPERATOR, text=Y2027)
    before = [known for known in known_days() if known[0].year < 2027]
    actions.load(by=OPERATOR, text=Y2027.replace("2027-01-02", "2027-01-03"))
    assert known_days() == [*before, (date(2027, 1, 1), False, "元旦"), (date(2027, 1, 3), True, "元旦")]
    assert history.links(histories.PLATFORM)[0].detail["changed"] == ["2027-01-02", "2027-01-03"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2027-01-02", "2027-01-04"),  # a weekday is worked anyway
        ("[2027-01-01]", "[2027-01-09]"),  # a Saturday is off anyway
        ("2027-01-02", "2026-01-03"),  # another year's
        ("[2027-01-01]", "[2027-01-01, 2027-01-01]"),
        ("[2027-01-01]", "[2027-02-30]"),
        ('source = "a notice"', ""),
        ("year = 2027", 'year = "2027"'),
        ("[workdays]", "[worked]"),
        ("[days_off]", "[days_off"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused_whole(db, old, new):
    assert old in Y2027
    before = known_days(), len(history.links(histories.PLATFORM))
    with pytest.raises(CalendarInvalid):
        actions.load(by=OPERATOR, text=Y2027.replace(old, new))
    assert (known_days(), len(history.links(histories.PLATFORM))) == before


def test_a_start_loads_the_years_that_are_missing_and_no_other(db):
    before = len(history.links(histories.PLATFORM))
    assert [year.year for year in queries.years()] == YEARS
    assert all("国务院办公厅" in year.source for year in queries.years())
    actions.load_shipped(by=OPERATOR)
    assert len(history.links(histories.PLATFORM)) == before
