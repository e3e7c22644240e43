"""Pure forecasting: demand by the hour, the models that continue it, and how wrong they are. No database, no clock.

Hours and days are numbers, counted from the first of 1970 in Shanghai, which has kept one offset since 1991.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, Protocol

from houfu.kernel import clock

DAY = 24
WEEK = 168
WHOLE = 0  # the key under which all stores of a merchant are added up; no store has it
HALF_LIFE_DAYS = 21
MEMORY_DAYS = 26 * 7  # what is older weighs less than a two-hundredth
RESIDUAL_DAYS = 28
RESIDUAL_STORES = 50
QUANTILES = (0.5, 0.9)
_EPOCH = date(1970, 1, 1)
_NARROW = 400.0  # means from which the normal distribution stands in for the exact one


class Cell(NamedTuple):
    """What was asked for in an hour: how many orders, of how much, and the sum of the squares of their amounts."""

    orders: int
    fen: int
    square_fen: float

    def plus(self, other: "Cell") -> "Cell":
        return Cell(self.orders + other.orders, self.fen + other.fen, self.square_fen + other.square_fen)


@dataclass(frozen=True)
class Demand:
    """Demand of some stores over the hours [first, last); hours in which nothing was asked for are left out."""

    first: int
    last: int
    stores: Mapping[int, Mapping[int, Cell]]

    def with_whole(self) -> "Demand":
        """Return the same with all stores added up under WHOLE."""
        whole: dict[int, Cell] = {}
        for cells in self.stores.values():
            for hour, cell in cells.items():
                whole[hour] = whole[hour].plus(cell) if hour in whole else cell
        return Demand(self.first, self.last, {**self.stores, WHOLE: dict(sorted(whole.items()))})

    def until(self, hour: int) -> "Demand":
        """Return what of it was known at the beginning of an hour, as far back as it matters."""
        first = max(self.first, hour - MEMORY_DAYS * DAY)
        stores = {
            store: kept
            for store, cells in self.stores.items()
            if (kept := {h: cell for h, cell in cells.items() if first <= h < hour})
        }
        return Demand(first, hour, stores)


def hour_of(at: datetime) -> int:
    """Return the number of the hour in which an instant lies."""
    return math.floor(at.timestamp() / 3600) + 8


def instant_of(hour: int) -> datetime:
    """Return the instant at which an hour begins."""
    return clock.start_of(_EPOCH + timedelta(days=hour // DAY)) + timedelta(hours=hour % DAY)


def day_of(day: int) -> date:
    """Return the calendar day of a day's number."""
    return _EPOCH + timedelta(days=day)


class DayKind(NamedTuple):
    """What sort of day it is: its weekday, and whether people work on it."""

    weekday: int
    workday: bool

    @property
    def plain(self) -> bool:
        """Whether people work on it as on that weekday in any week."""
        return self.workday == (self.weekday < 5)


KindOf = Callable[[int], DayKind]  # of a day's number


# Models --------------------------------------------------------------------------------------------------------------


class Fitted(Protocol):
    """A model that has seen the past of some stores."""

    def means(self, store: int, hours: Sequence[int]) -> list[float]:
        """Return how many orders are expected in each hour."""
        ...


class Model(Protocol):
    """A way to continue demand; `name` says which, with its version."""

    @property
    def name(self) -> str: ...

    def fit(self, past: Demand, kind_of: KindOf) -> Fitted: ...


@dataclass(frozen=True)
class SeasonalNaive:
    """What was asked for in the same hour a week before: the mark that a model has to beat."""

    name: str = "seasonal_naive_168"

    def fit(self, past: Demand, kind_of: KindOf) -> "_Repeated":
        return _Repeated(past)


@dataclass(frozen=True)
class _Repeated:
    past: Demand

    def means(self, store: int, hours: Sequence[int]) -> list[float]:
        cells = self.past.stores.get(store, {})
        found = []
        for hour in hours:
            back = hour - WEEK * math.ceil((hour - self.past.last + 1) / WEEK)
            found.append(float(cells[back].orders) if back in cells else 0.0)
        return found


@dataclass(frozen=True)
class Profile:
    """Level × factor of the kind of day × share of the hour in such days, all weighted by age.

    A day that is no plain workday or day off borrows where little is known of its kind: a holiday on a weekday from
    Saturdays and Sundays, a make-up workday from weekdays.
    """

    half_life_days: float = HALF_LIFE_DAYS
    name: str = "profile_1"

    def fit(self, past: Demand, kind_of: KindOf) -> "_Profiled":
        """Learn every store's profile; a store of few orders leans on that of all stores together."""
        ages = _Ages.of(past, kind_of, self.half_life_days)
        whole = _shape(past.stores[WHOLE], ages, None) if WHOLE in past.stores else None
        shapes = {store: _shape(cells, ages, whole) for store, cells in past.stores.items() if store != WHOLE}
        return _Profiled({WHOLE: whole, **shapes} if whole else shapes, kind_of)


@dataclass(frozen=True)
class _Ages:
    """How much each whole day of the past weighs, and the days of each kind together."""

    weight: dict[int, float]
    kind: dict[int, DayKind]
    total: dict[DayKind, float]

    @staticmethod
    def of(past: Demand, kind_of: KindOf, half_life_days: float) -> "_Ages":
        last = past.last // DAY  # the day that has begun says nothing about a day yet
        days = range(-(-past.first // DAY), last)
        weight = {day: 0.5 ** ((last - day) / half_life_days) for day in days}
        kind = {day: kind_of(day) for day in days}
        total: dict[DayKind, float] = {}
        for day in days:
            total[kind[day]] = total.get(kind[day], 0.0) + weight[day]
        return _Ages(weight, kind, total)


@dataclass(frozen=True)
class _Shape:
    """A store's profile: orders a day, the factor of each kind of day, the share of each hour by workday or not."""

    level: float
    factor: Mapping[DayKind, float]
    share: Mapping[bool, Sequence[float]]

    def mean(self, hour: int, kind: DayKind) -> float:
        factor = self.factor[kind] if kind in self.factor else _alike(self.factor, kind)
        return self.level * factor * self.share[kind.workday][hour % DAY]


def _alike(factor: Mapping[DayKind, float], kind: DayKind) -> float:
    """Return what days that are as much workdays as this one have for a factor; 1 where there are none."""
    found = [f for known, f in factor.items() if known.workday == kind.workday]
    return sum(found) / len(found) if found else 1.0


LEAST_LEAN, MOST_LEAN = 0.02, 50.0  # how many days' worth of the average a weekday's factor leans on
LEAN_ODD_DAYS = 1.0  # … and a holiday's or make-up workday's on that of days alike
LEAN_ORDERS = 30.0  # how many orders' worth of all stores' profile a store's own leans on


def _shape(cells: Mapping[int, Cell], ages: _Ages, lean: _Shape | None) -> _Shape:
    """Learn a profile from the hours of one store.

    Args:
        lean: the profile of all stores together, which stands in where this one has few orders.
    """
    by_kind: dict[DayKind, float] = {}
    by_hour = {True: [0.0] * DAY, False: [0.0] * DAY}
    by_day = dict.fromkeys(ages.weight, 0)
    for hour, cell in cells.items():
        day = hour // DAY
        if day not in ages.weight:
            continue
        by_day[day] += cell.orders
        seen = ages.weight[day] * cell.orders
        by_kind[ages.kind[day]] = by_kind.get(ages.kind[day], 0.0) + seen
        by_hour[ages.kind[day].workday][hour % DAY] += seen
    days, orders = sum(ages.total.values()), sum(by_kind.values())
    mean = orders / days if days else 0.0
    factor: dict[DayKind, float] = {}
    lean_by_noise = LEAST_LEAN if lean else _lean_days(by_day, by_kind, ages)
    for kind in sorted(ages.total, key=lambda kind: not kind.plain):  # plain ones first: the others lean on them
        about, lean_days = 1.0, lean_by_noise
        if lean and mean:
            about, lean_days = lean.factor[kind], LEAST_LEAN + LEAN_ORDERS / mean
        elif not kind.plain:
            about, lean_days = _alike(factor, kind), LEAN_ODD_DAYS
        found = by_kind.get(kind, 0.0)
        factor[kind] = (found / mean + lean_days * about) / (ages.total[kind] + lean_days) if mean else 1.0
    known = sum(ages.total[kind] * factor[kind] for kind in ages.total)
    level = orders / known if known else 0.0
    return _Shape(level, factor, _shares(by_hour, lean))


def _lean_days(by_day: Mapping[int, int], by_kind: Mapping[DayKind, float], ages: _Ages) -> float:
    """Return how much factors lean on the average: how days of one kind scatter, over how the kinds differ.

    It is the shrinkage that misses least in the mean square; where kinds differ by no more than chance has it, they
    lean as far as they may.
    """
    means = {kind: by_kind.get(kind, 0.0) / weight for kind, weight in ages.total.items()}
    days = sum(ages.total.values())
    mean = sum(by_kind.values()) / days if days else 0.0
    within = sum(w * (by_day[day] - means[ages.kind[day]]) ** 2 for day, w in ages.weight.items())
    between = sum(weight * (means[kind] - mean) ** 2 for kind, weight in ages.total.items())
    if not within:
        return LEAST_LEAN
    scatter = within / days
    differ = between / days - scatter * len(means) / days
    return min(max(scatter / differ, LEAST_LEAN), MOST_LEAN) if differ > 0 else MOST_LEAN


def _shares(by_hour: Mapping[bool, list[float]], lean: _Shape | None) -> dict[bool, list[float]]:
    """Return the share of each hour in workdays and in days off; each leans on both together, and those on `lean`."""
    both = [by_hour[True][h] + by_hour[False][h] for h in range(DAY)]
    all_orders = sum(both)
    flat = [1 / DAY] * DAY
    shares = {}
    for workday in (True, False):
        about = lean.share[workday] if lean else [b / all_orders for b in both] if all_orders else flat
        here = sum(by_hour[workday])
        weight = LEAN_ORDERS if lean else all_orders / 50 or 1.0
        shares[workday] = [(by_hour[workday][h] + weight * about[h]) / (here + weight) for h in range(DAY)]
    return shares


@dataclass(frozen=True)
class _Profiled:
    shapes: Mapping[int, _Shape]
    kind_of: KindOf

    def means(self, store: int, hours: Sequence[int]) -> list[float]:
        shape = self.shapes.get(store)
        if shape is None:
            return [0.0] * len(hours)
        return [shape.mean(hour, self.kind_of(hour // DAY)) for hour in hours]


# Quantiles -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spread:
    """How counts scatter around their mean m: variance = m + excess × m². Without excess they are Poisson's."""

    excess: float = 0.0

    def variance(self, mean: float) -> float:
        return mean + self.excess * mean * mean


def quantile(mean: float, variance: float, share: float) -> int:
    """Return the least count that is not exceeded with a probability of `share`: negative binomial, or Poisson's.

    Args:
        share: in (0, 1).
    """
    if mean <= 0:
        return 0
    if mean > _NARROW:
        return max(0, math.ceil(mean + _normal(share) * math.sqrt(max(variance, mean)) - 0.5))
    if variance > mean * (1 + 1e-9):
        size = mean * mean / (variance - mean)
        probability = math.exp(size * math.log(size / (size + mean)))
        ratio = mean / (size + mean)
    else:
        probability, size, ratio = math.exp(-mean), 0.0, 0.0
    reached, count = probability, 0
    most = math.ceil(mean + 60 * math.sqrt(max(variance, mean)) + 60)
    while reached < share and count < most:
        probability *= (size + count) / (count + 1) * ratio if ratio else mean / (count + 1)
        reached += probability
        count += 1
    return count


def _normal(share: float) -> float:
    """Return the standard normal's quantile, by halving: exact enough for counts, and no library."""
    low, high = -10.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        if 0.5 * (1 + math.erf(middle / math.sqrt(2))) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def amounts(past: Mapping[int, Cell]) -> tuple[float, float]:
    """Return the mean amount of an order in fen, and how many times its square the mean square is (1 if all alike)."""
    orders, fen = sum(c.orders for c in past.values()), sum(c.fen for c in past.values())
    square_fen = sum(c.square_fen for c in past.values())
    return (fen / orders, orders * square_fen / fen**2) if fen else (0.0, 1.0)


def fen_quantile(mean: float, spread: Spread, mean_fen: float, unevenness: float, share: float) -> int:
    """Return what the orders of a period are worth at most with a probability of `share`, in fen, rounded down.

    Amounts scatter too: the count is widened by how uneven they are, and then taken for orders of the mean amount.
    """
    variance = mean * unevenness + spread.excess * mean * mean
    return math.floor(quantile(mean, variance, share) * mean_fen)


# Periods -------------------------------------------------------------------------------------------------------------


class Window(NamedTuple):
    """Part of every day, from one hour to before another, by name."""

    name: str
    opens: int
    closes: int


GRAINS = ("hour", "band", "day")


def windows(bands: Sequence[tuple[str, str, str]]) -> list[Window]:
    """Return time bands as whole hours, an hour belonging to the band in which it begins, and what is left of the day.

    Args:
        bands: name, opens and closes as "HH:MM".
    """
    found = []
    for name, opens, closes in bands:
        hours = [h for h in range(DAY) if opens <= f"{h:02d}:00" < closes]
        if hours:
            found.append(Window(name, hours[0], hours[-1] + 1))
    return sorted(found, key=lambda window: window.opens)


def periods(grain: str, first: int, last: int, bands: Sequence[Window]) -> Iterator[tuple[str, list[int]]]:
    """Yield the periods of a grain that lie wholly in the hours [first, last), each with its name and hours."""
    if grain == "hour":
        for hour in range(first, last):
            yield f"{hour % DAY:02d}:00", [hour]
        return
    wanted = bands if grain == "band" else [Window("day", 0, DAY)]
    for day in range(first // DAY, last // DAY + 1):
        for window in wanted:
            if first <= day * DAY + window.opens and day * DAY + window.closes <= last:
                yield window.name, list(range(day * DAY + window.opens, day * DAY + window.closes))


# How wrong a forecast is ---------------------------------------------------------------------------------------------


@dataclass
class Score:
    """What a model has missed so far: sums over the periods that it was asked about."""

    periods: int = 0
    demand: float = 0.0
    missed_by_mean: float = 0.0
    missed_by_median: float = 0.0
    pinball: dict[float, float] = field(default_factory=dict)
    covered: dict[float, int] = field(default_factory=dict)

    def add(self, actual: float, mean: float, quantiles: Mapping[float, float]) -> None:
        """Count a period."""
        self.periods += 1
        self.demand += actual
        self.missed_by_mean += abs(actual - mean)
        self.missed_by_median += abs(actual - quantiles.get(0.5, mean))
        for share, said in quantiles.items():
            self.pinball[share] = self.pinball.get(share, 0.0) + pinball(actual, said, share)
            self.covered[share] = self.covered.get(share, 0) + (actual <= said)

    def figures(self) -> dict[str, Any]:
        """Return weighted absolute percentage errors, pinball losses by period and what the quantiles covered."""
        return {
            "wape": _ratio(self.missed_by_mean, self.demand),
            "wape_of_median": _ratio(self.missed_by_median, self.demand),
            "pinball": {f"q{share * 100:.0f}": _ratio(loss, self.periods) for share, loss in self.pinball.items()},
            "coverage": {f"q{share * 100:.0f}": _ratio(n, self.periods) for share, n in self.covered.items()},
        }


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None


def pinball(actual: float, said: float, share: float) -> float:
    """Return the loss of a quantile: what is missed above weighs `share`, what is missed below the rest."""
    return share * (actual - said) if actual >= said else (1 - share) * (said - actual)


@dataclass(frozen=True)
class Plan:
    """How a back-test is made: from each of several origins a number of hours ahead, the models having seen only what
    lies before."""

    days: int = 28
    ahead_hours: int = 48
    train_days: int = 28

    def origins(self, demand: Demand) -> list[int]:
        """Return the hours from which forecasts are made: starts of days, the last window ending with the data."""
        last = demand.last // DAY * DAY
        first = max(last - self.days * DAY, -(-demand.first // DAY) * DAY + self.train_days * DAY)
        return list(range(first, last - self.ahead_hours + 1, self.ahead_hours))


def spread_of(pairs: Sequence[tuple[float, float]]) -> Spread:
    """Return how counts scattered around their means, over pairs of count and mean."""
    squares = sum(mean * mean for _, mean in pairs)
    over = sum((actual - mean) ** 2 - mean for actual, mean in pairs)
    return Spread(max(0.0, over / squares) if squares else 0.0)


def spreads(fitted: Fitted, past: Demand, bands: Sequence[Window]) -> dict[tuple[bool, str], Spread]:
    """Return how a model's counts scatter, of the whole merchant or of stores, and by grain; stores together."""
    first = max(past.first, past.last - RESIDUAL_DAYS * DAY)
    pairs: dict[tuple[bool, str], list[tuple[float, float]]] = {}
    every = -(-len(past.stores) // RESIDUAL_STORES)  # of many stores, so many say enough about all
    for store in sorted(past.stores)[::every]:  # WHOLE is the first
        cells = past.stores[store]
        means = dict(zip(range(first, past.last), fitted.means(store, range(first, past.last)), strict=True))
        for grain in GRAINS:
            into = pairs.setdefault((store == WHOLE, grain), [])
            for _, hours in periods(grain, first, past.last, bands):
                into.append((_asked(cells, hours), sum(means[h] for h in hours)))
    return {key: spread_of(found) for key, found in pairs.items()}


def _asked(cells: Mapping[int, Cell], hours: Sequence[int]) -> float:
    return float(sum(cells[h].orders for h in hours if h in cells))


def back_test(
    demand: Demand, models: Sequence[Model], kind_of: KindOf, bands: Sequence[Window], plan: Plan,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, dict[tuple[bool, str], Score]]:  # fmt: skip
    """Let models forecast from origin to origin and return their scores, by name, for stores and whole, by grain.

    Args:
        demand: with WHOLE, if the merchant as a whole is to be judged too.
        progress: told how many origins are done, and of how many.
    """
    scores: dict[str, dict[tuple[bool, str], Score]] = {model.name: {} for model in models}
    origins = plan.origins(demand)
    for place, origin in enumerate(origins):
        past = demand.until(origin)
        ahead = range(origin, origin + plan.ahead_hours)
        for model in models:
            fitted = model.fit(past, kind_of)
            scatter = None if isinstance(model, SeasonalNaive) else spreads(fitted, past, bands)
            for store, cells in demand.stores.items():
                means = dict(zip(ahead, fitted.means(store, ahead), strict=True))
                for grain in GRAINS:
                    key = (store == WHOLE, grain)
                    score = scores[model.name].setdefault(key, Score())
                    spread = (scatter or {}).get(key, Spread())
                    for _, hours in periods(grain, ahead.start, ahead.stop, bands):
                        mean = sum(means[h] for h in hours)
                        score.add(_asked(cells, hours), mean, _said(mean, spread if scatter is not None else None))
        progress(place + 1, len(origins))
    return scores


def _said(mean: float, spread: Spread | None) -> dict[float, float]:
    """Return the quantiles around a mean; the naive forecast has none but itself."""
    if spread is None:
        return dict.fromkeys(QUANTILES, mean)
    variance = spread.variance(mean)
    return {share: float(quantile(mean, variance, share)) for share in QUANTILES}
