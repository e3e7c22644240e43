"""Forecasting by itself: what is constant stays, what doubles doubles, and what has a profile beats last week."""

import math
import random
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from houfu.insight import peaks, rules
from houfu.insight.rules import DAY, WEEK, WHOLE, Cell, DayKind, Demand, Plan, Profile, SeasonalNaive, Window
from houfu.kernel import clock

MONDAY = rules.hour_of(clock.shanghai(2025, 6, 2))
BANDS = [Window("morning", 5, 11), Window("evening", 17, 23)]


def plain(day):
    weekday = rules.day_of(day).weekday()
    return DayKind(weekday, weekday < 5)


def demand_of(counts, first=MONDAY, store=1, fen=1000):
    cells = {first + n: Cell(count, count * fen, count * fen * fen) for n, count in enumerate(counts) if count}
    return Demand(first, first + len(counts), {store: cells})


def poisson(dice, mean):
    limit, k, p = math.exp(-mean), 0, dice.random()
    while p > limit:
        k += 1
        p *= dice.random()
    return k


def shop_like(dice, days, scale=6.0):
    """Return counts by a profile of hours and weekdays, as a shop has it."""
    hours = [0.1 + math.exp(-((h - 12) ** 2) / 18) + 1.5 * math.exp(-((h - 20) ** 2) / 8) for h in range(DAY)]
    weekdays = [0.8, 0.8, 0.9, 1.0, 1.2, 1.7, 1.6]
    return [poisson(dice, scale * weekdays[d % 7] * hours[h]) for d in range(days) for h in range(DAY)]


def means(model, past, hours, store=1, kind_of=plain):
    return model.fit(past, kind_of).means(store, hours)


def test_hours_are_those_of_shanghai():
    at = clock.shanghai(2025, 11, 11, 20, 59)
    assert rules.instant_of(rules.hour_of(at)) == clock.shanghai(2025, 11, 11, 20)
    assert (rules.hour_of(at) % DAY, rules.day_of(rules.hour_of(at) // DAY)) == (20, date(2025, 11, 11))


@settings(deadline=None, max_examples=50)
@given(count=st.integers(1, 200), weeks=st.integers(2, 12))
def test_a_constant_history_forecasts_itself(count, weeks):
    past = demand_of([count] * weeks * WEEK)
    ahead = range(past.last, past.last + WEEK)
    for model in (Profile(), SeasonalNaive()):
        assert means(model, past, ahead) == pytest.approx([count] * WEEK)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), weeks=st.integers(2, 8))
def test_twice_the_demand_is_twice_the_forecast(seed, weeks):
    counts = shop_like(random.Random(seed), weeks * 7, 2)
    once, twice = demand_of(counts), demand_of([2 * count for count in counts])
    ahead = range(once.last, once.last + 48)
    assert means(Profile(), twice, ahead) == pytest.approx([2 * mean for mean in means(Profile(), once, ahead)])


@given(
    mean=st.floats(0, 5000), excess=st.floats(0, 4), shares=st.lists(st.floats(0.01, 0.99), min_size=2, max_size=5)
)  # fmt: skip
@settings(deadline=None, max_examples=200)
def test_quantiles_rise_with_their_share(mean, excess, shares):
    variance = rules.Spread(excess).variance(mean)
    found = [rules.quantile(mean, variance, share) for share in sorted(shares)]
    assert found == sorted(found)
    assert all(count >= 0 for count in found)


@pytest.mark.parametrize(
    ("mean", "excess", "share", "count"),
    [(0.0, 0, 0.9, 0), (1.0, 0, 0.5, 1), (1.0, 0, 0.9, 2), (0.1, 0, 0.9, 0), (0.11, 0, 0.9, 1), (10.0, 0, 0.5, 10),
     (10.0, 0, 0.9, 14), (10.0, 0.5, 0.9, 20)],
)  # fmt: skip
def test_quantiles_are_those_of_the_distribution(mean, excess, share, count):
    """The first five can be added up by hand; the others are scipy's."""
    assert rules.quantile(mean, rules.Spread(excess).variance(mean), share) == count


def test_large_means_go_over_into_the_normal_distribution_without_a_step():
    below, above = (rules.quantile(mean, mean, 0.9) for mean in (399.9, 400.1))
    assert 0 <= above - below <= 2


def test_the_excess_is_found_again():
    dice = random.Random(7)
    pairs = [(poisson(dice, 8 * dice.gammavariate(2, 0.5)), 8.0) for _ in range(20_000)]  # variance 8 + 0.5 × 64
    assert rules.spread_of(pairs).excess == pytest.approx(0.5, rel=0.1)
    assert rules.spread_of([(poisson(dice, 8), 8.0) for _ in range(20_000)]).excess < 0.02


def test_a_profile_beats_the_week_before_and_its_quantiles_cover_what_they_say():
    dice = random.Random(11)
    stores = {store: demand_of(shop_like(dice, 84, store), store=store).stores[store] for store in (1, 2, 4)}
    demand = Demand(MONDAY, MONDAY + 84 * DAY, stores).with_whole()
    scores = rules.back_test(demand, [SeasonalNaive(), Profile()], plain, BANDS, Plan())
    naive, profile = (scores[name] for name in ("seasonal_naive_168", "profile_1"))
    for key, score in profile.items():
        assert score.missed_by_mean < 0.9 * naive[key].missed_by_mean, key
        assert sum(score.pinball.values()) < 0.8 * sum(naive[key].pinball.values()), key
    hours = profile[False, "hour"]
    assert 0.86 < hours.covered[0.9] / hours.periods < 0.97
    assert hours.periods == 3 * 28 * DAY


def test_a_back_test_knows_nothing_of_what_comes_after_its_origin():
    """Whatever is put after the last origin changes what is missed, never what is said."""
    counts = shop_like(random.Random(3), 60)
    plan = Plan(days=2, ahead_hours=48)
    seen = []

    class Watching(Profile):
        def fit(self, past, kind_of):
            seen.append(past)
            return super().fit(past, kind_of)

    rules.back_test(demand_of(counts), [Watching()], plain, BANDS, plan)
    rules.back_test(demand_of(counts[: 58 * DAY] + [500] * 48), [Watching()], plain, BANDS, plan)
    assert seen[0] == seen[1]
    assert seen[0].last == MONDAY + 58 * DAY


def test_a_holiday_is_forecast_as_a_day_off():
    """National Day on a Wednesday: it borrows from weekends, which here are twice as busy."""
    holiday = (MONDAY // DAY) + 30  # a Wednesday
    assert plain(holiday) == DayKind(2, True)
    past = demand_of([1 + (d % 7 >= 5) for d in range(28) for _ in range(DAY)])
    hours = range(holiday * DAY, (holiday + 1) * DAY)
    off = means(Profile(), past, hours, kind_of=lambda day: DayKind(2, False) if day == holiday else plain(day))
    assert sum(off) > 1.5 * sum(means(Profile(), past, hours))


def test_a_store_of_few_orders_leans_on_the_shape_of_all():
    busy = demand_of([9 if h in (12, 20) else 0 for _ in range(42) for h in range(DAY)])
    once = {MONDAY + 3: Cell(1, 1000, 1e6)}
    fitted = Profile().fit(Demand(busy.first, busy.last, {**busy.stores, 2: once}).with_whole(), plain)
    day = fitted.means(2, range(busy.last, busy.last + DAY))
    assert day[12] > 5 * day[3] > 0
    assert sum(day) < 0.1


def test_periods_lie_wholly_within_what_was_asked():
    found = list(rules.periods("band", MONDAY + 6, MONDAY + 47, BANDS))
    assert [(name, hours[0] - MONDAY, len(hours)) for name, hours in found] == [
        ("evening", 17, 6), ("morning", 29, 6), ("evening", 41, 6)
    ]  # fmt: skip


def test_bands_become_whole_hours():
    said = [("evening", "17:30", "23:00"), ("morning_market", "05:00", "11:00")]
    assert rules.windows(said) == [Window("morning_market", 5, 11), Window("evening", 18, 23)]


def test_fen_scatter_more_than_counts():
    cells = {1: Cell(2, 1000 + 9000, 1000**2 + 9000**2)}
    mean_fen, unevenness = rules.amounts(cells)
    assert (mean_fen, unevenness) == (5000, 2 * (1000**2 + 9000**2) / 10000**2)
    even = rules.fen_quantile(10, rules.Spread(), mean_fen, 1.0, 0.9)
    assert even == 14 * 5000
    assert rules.fen_quantile(10, rules.Spread(), mean_fen, unevenness, 0.9) > even
    assert rules.amounts({}) == (0.0, 1.0)


def test_pinball_loss_weighs_what_is_missed_above_by_the_share():
    assert (rules.pinball(10, 8, 0.9), rules.pinball(8, 10, 0.9), rules.pinball(5, 5, 0.5)) == pytest.approx(
        (1.8, 0.2, 0)
    )


def test_peaks_of_a_day_carry_on_what_stood_before():
    day = MONDAY // DAY
    rows = [(day * 48 + 20, 500, 300), (day * 48 + 44, 900, 100), ((day + 1) * 48 + 12, 400, 0)]
    assert peaks.peaks_by_day(rows, day, day + 3, 10, 22) == {day: 500, day + 1: 400, day + 2: 0}
    assert peaks.peaks_by_day(rows, day, day + 3, 24, 40) == {day: 300, day + 1: 0, day + 2: 0}
    assert peaks.peaks_by_day(rows, day, day + 2, 0, 4) == {day: 0, day + 1: 100}


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=60))
def test_nine_days_of_ten_stay_below_the_empirical_quantile(values):
    said = peaks.empirical(values, 0.9)
    assert sum(value <= said for value in values) >= 0.9 * len(values)
    assert said in values
    assert peaks.round_up(said, 100_000) - said in range(100_000)


def test_whole_is_what_the_stores_add_up_to():
    hours = {MONDAY: Cell(1, 10, 100.0)}
    whole = Demand(MONDAY, MONDAY + 1, {1: hours, 2: hours}).with_whole().stores[WHOLE]
    assert whole == {MONDAY: Cell(2, 20, 200.0)}
