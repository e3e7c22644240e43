"""When manual payouts may be asked for, and on which days automatic ones run."""

import json
from datetime import UTC, date, time, timedelta

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from houfu.calendars import queries
from houfu.calendars.cli import cli
from houfu.calendars.rules import Calendar
from houfu.kernel import clock
from houfu.kernel.clock import shanghai

NINE, NINE_IN_THE_EVENING, TEN = time(9), time(21), time(10)
TICK = timedelta(microseconds=1)


@pytest.fixture(scope="module")
def calendar():
    """Every year that is shipped."""
    return queries.between(2010, 2026)


def is_open(calendar, at):
    return calendar.is_open(at, NINE, NINE_IN_THE_EVENING)


def opening(calendar, at):
    return calendar.next_opening(at, NINE, NINE_IN_THE_EVENING)


def runs(calendar, first, last):
    """Return the run days as text, with the nominal days of each."""
    found = calendar.run_days([3, 5], TEN, date.fromisoformat(first), date.fromisoformat(last))
    return {run.day.isoformat(): [day.isoformat() for day in run.nominal] for run in found}


@pytest.mark.parametrize(
    "day",
    [
        (2025, 11, 10),
        (2026, 2, 14),  # Saturdays worked
        (2025, 10, 11),
        (2024, 2, 18),  # a Sunday worked
        (2026, 12, 31),
    ],
)
def test_on_workdays_the_window_is_open_from_nine_to_nine(calendar, day):
    """P2: nine in the morning is inside, nine in the evening is not."""
    opens, closes = shanghai(*day, 9), shanghai(*day, 21)
    states = [is_open(calendar, at) for at in (opens - TICK, opens, closes - TICK, closes)]
    assert states == [False, True, True, False]
    assert [opening(calendar, at) for at in (opens - TICK, opens, closes - TICK)] == [opens, opens, closes - TICK]


@pytest.mark.parametrize(
    ("day", "opens"),
    [
        ((2025, 11, 15), (2025, 11, 17, 9)),  # a Saturday
        ((2026, 2, 15), (2026, 2, 24, 9)),  # the Sunday before Spring Festival
        ((2026, 2, 17), (2026, 2, 24, 9)),  # Spring Festival
        ((2026, 2, 23), (2026, 2, 24, 9)),
        ((2025, 10, 1), (2025, 10, 9, 9)),  # National Day
        ((2024, 2, 17), (2024, 2, 18, 9)),  # a Saturday whose Sunday is worked
        ((2026, 1, 3), (2026, 1, 4, 9)),
        ((2025, 9, 3), None),
    ],
)
def test_on_other_days_it_is_closed_and_says_when_it_opens(calendar, day, opens):
    for hour, minute in ((0, 0), (8, 59), (9, 0), (12, 0), (20, 59), (21, 0), (23, 59)):
        at = shanghai(*day, hour, minute)
        if opens is None:  # a day off in one year only
            assert is_open(calendar, at) is (9 <= hour < 21)
        else:
            assert not is_open(calendar, at)
            assert opening(calendar, at) == shanghai(*opens)


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        ((2025, 11, 10, 21), (2025, 11, 11, 9)),
        ((2025, 11, 14, 21), (2025, 11, 17, 9)),  # Friday evening
        ((2026, 2, 13, 21), (2026, 2, 14, 9)),  # the Saturday after is worked
        ((2026, 2, 14, 21), (2026, 2, 24, 9)),  # over Spring Festival
        ((2025, 9, 30, 23, 59, 59), (2025, 10, 9, 9)),
        ((2025, 12, 31, 21), (2026, 1, 4, 9)),  # over the end of a year, to a Sunday worked
        ((2024, 2, 28, 21), (2024, 2, 29, 9)),
    ],
)
def test_what_comes_after_closing_waits_for_the_next_workday(calendar, at, opens):
    assert opening(calendar, shanghai(*at)) == shanghai(*opens)


def test_the_window_is_shanghais_wherever_the_instant_was_written(calendar):
    assert is_open(calendar, shanghai(2025, 11, 10, 9).astimezone(UTC))
    assert not is_open(calendar, shanghai(2025, 11, 10, 9).astimezone(UTC) - TICK)
    assert not is_open(calendar, shanghai(2025, 11, 10).replace(hour=13, tzinfo=UTC))


instants = st.datetimes(shanghai(2010, 1, 1).replace(tzinfo=None), shanghai(2026, 12, 31, 20).replace(tzinfo=None))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(instants)
def test_the_next_opening_is_the_first_instant_at_which_the_window_is_open(calendar, naive):
    at = naive.replace(tzinfo=clock.SHANGHAI)
    opens = opening(calendar, at)
    assert is_open(calendar, opens)
    if opens != at:
        assert opens > at
        assert opens.timetz() == NINE.replace(tzinfo=clock.SHANGHAI)
        between = (opens.date() - at.date()).days
        missed = [at.date() + timedelta(days=n) for n in range(between)]
        assert not any(calendar.is_workday(day) for day in missed[1:])
        assert not missed or at.time() >= NINE_IN_THE_EVENING or not calendar.is_workday(missed[0])


def test_in_a_year_that_is_not_known_the_window_is_closed_and_nobody_says_when_it_opens(calendar):
    """I-19."""
    friday = shanghai(2027, 1, 8, 10)
    assert not is_open(calendar, friday)
    assert opening(calendar, friday) is None
    assert opening(calendar, shanghai(2026, 12, 31, 21)) is None
    assert opening(calendar, shanghai(2009, 12, 30, 21)) is None
    assert not is_open(Calendar(frozenset(), frozenset(), frozenset()), shanghai(2025, 11, 10, 10))


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2025-11-10", "2025-11-16", {"2025-11-12": ["2025-11-12"], "2025-11-14": ["2025-11-14"]}),
        ("2025-04-03", "2025-04-09", {"2025-04-07": ["2025-04-04"], "2025-04-09": ["2025-04-09"]}),
        (  # Spring Festival: a Wednesday and a Friday move to one day, and are one run
            "2026-02-13",
            "2026-02-25",
            {"2026-02-13": ["2026-02-13"], "2026-02-24": ["2026-02-18", "2026-02-20"], "2026-02-25": ["2026-02-25"]},
        ),
        ("2024-02-12", "2024-02-20", {"2024-02-18": ["2024-02-14", "2024-02-16"]}),  # to a Sunday worked
        ("2023-01-24", "2023-01-31", {"2023-01-28": ["2023-01-25", "2023-01-27"]}),  # to a Saturday worked
        (  # National Day takes three; the Saturday worked after it is no run day
            "2025-10-01",
            "2025-10-12",
            {"2025-10-09": ["2025-10-01", "2025-10-03", "2025-10-08"], "2025-10-10": ["2025-10-10"]},
        ),
        ("2025-10-09", "2025-10-09", {"2025-10-09": ["2025-10-01", "2025-10-03", "2025-10-08"]}),
        ("2025-12-31", "2026-01-04", {"2025-12-31": ["2025-12-31"], "2026-01-04": ["2026-01-02"]}),
        ("2025-10-01", "2025-10-08", {}),
        ("2026-12-28", "2027-01-31", {"2026-12-30": ["2026-12-30"]}),  # 2027 is not known
    ],
)  # fmt: skip
def test_automatic_runs_are_on_wednesdays_and_fridays_or_the_next_workday(calendar, first, last, expected):
    """P1."""
    assert runs(calendar, first, last) == expected


def test_every_nominal_day_of_every_year_has_one_run_and_every_run_is_on_a_workday(calendar):
    found = list(calendar.run_days([3, 5], TEN, date(2010, 1, 1), date(2026, 12, 31)))
    nominal = [day for run in found for day in run.nominal]
    weekdays = [date(2010, 1, 1) + timedelta(days=n) for n in range((date(2027, 1, 1) - date(2010, 1, 1)).days)]
    assert nominal == [day for day in weekdays if day.isoweekday() in (3, 5)]
    assert all(calendar.is_workday(run.day) for run in found)
    assert all(run.at == shanghai(run.day.year, run.day.month, run.day.day, 10) for run in found)
    assert [run.day for run in found] == sorted({run.day for run in found})


@pytest.mark.parametrize(
    ("now", "latest"),
    [
        ((2025, 11, 12, 9, 59, 59), (2025, 11, 7)),
        ((2025, 11, 12, 10), (2025, 11, 12)),
        ((2025, 11, 14, 9, 59, 59), (2025, 11, 12)),
        ((2026, 2, 24, 9, 59, 59), (2026, 2, 13)),  # over Spring Festival
        ((2026, 2, 24, 10), (2026, 2, 24)),
        ((2025, 11, 30, 3), (2025, 11, 28)),
    ],
)
def test_the_latest_run_is_the_last_whose_instant_has_come(calendar, now, latest):
    assert calendar.latest_run(shanghai(*now), [3, 5], TEN).day == date(*latest)


def test_where_nothing_is_known_nothing_has_run(calendar):
    assert calendar.latest_run(shanghai(2028, 3, 1), [3, 5], TEN) is None


def asked(*words):
    answer = CliRunner().invoke(cli, [*words, "--json"], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.output)


def test_a_terminal_is_told_the_same(db):
    assert asked("window", "--at", "2026-02-14T10:00:00")["open"] is True
    assert asked("window", "--at", "2026-02-17T10:00:00") == {
        "open": False,
        "opens_at": "2026-02-24T09:00:00+08:00",
        "known": True,
    }
    assert asked("window", "--at", "2027-01-08T10:00:00") == {"open": False, "opens_at": None, "known": False}
    assert asked("runs", "--from", "2026-02-14", "--to", "2026-02-24") == [
        {"day": "2026-02-24", "nominal": ["2026-02-18", "2026-02-20"]}
    ]
