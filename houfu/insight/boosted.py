"""The stronger model: gradient-boosted trees (LightGBM, Poisson), with lags, calendar and, where it is known, rain.

It is the extra `ml`, and is imported when it is asked for.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from houfu.insight import rules
from houfu.insight.rules import DAY, WEEK, Demand, KindOf
from houfu.kernel.errors import Refused

LEARN_DAYS = 8 * 7
LEAST_ORDERS = 50  # in that time; a store with fewer teaches trees nothing, and keeps its profile
LAGS = (WEEK, 2 * WEEK, 3 * WEEK, 4 * WEEK)
SETTINGS = {
    "objective": "poisson",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 50,
    "num_threads": 1,
    "seed": 7,
    "deterministic": True,
    "verbose": -1,
}
ROUNDS = 150


class ModelMissing(Refused):
    """This model is not installed here: it comes with the extra `ml`."""

    code = "insight_model_missing"


@dataclass(frozen=True)
class Boosted:
    """Trees over what the same hour was one to four weeks ago, the level of late, the profile, and the calendar.

    Args:
        rain_mm: rain by hour, where it was and is forecast; hours that are missing are dry.
    """

    rain_mm: Mapping[int, float] = field(default_factory=dict)
    name: str = "boosted_1"

    def __post_init__(self) -> None:
        _library()

    def fit(self, past: Demand, kind_of: KindOf) -> "_Grown":
        """Learn from the last eight weeks of every store that has orders enough.

        Raises:
            ModelMissing: the extra is not installed.
        """
        lightgbm, numpy = _library()
        table = _Table(past, kind_of, self.rain_mm, rules.Profile().fit(past, kind_of), numpy)
        first = max(past.first, past.last - LEARN_DAYS * DAY)
        hours = list(range(first, past.last))
        features, orders, known = [], [], set()
        for store, cells in past.stores.items():
            if store != rules.WHOLE and sum(c.orders for h, c in cells.items() if h >= first) < LEAST_ORDERS:
                continue
            known.add(store)
            features.append(table.rows(store, hours))
            orders.append(numpy.array([cells[h].orders if h in cells else 0 for h in hours], dtype=float))
        learned = lightgbm.train(
            SETTINGS,
            lightgbm.Dataset(numpy.vstack(features), numpy.concatenate(orders), free_raw_data=True),
            num_boost_round=ROUNDS,
        )
        return _Grown(table, learned, frozenset(known))


@dataclass(frozen=True)
class _Grown:
    table: "_Table"
    learned: Any
    known: frozenset[int]

    def means(self, store: int, hours: Sequence[int]) -> list[float]:
        if store not in self.known or not hours:
            return self.table.profile.means(store, hours)
        return [max(0.0, float(mean)) for mean in self.learned.predict(self.table.rows(store, hours), num_threads=1)]


@dataclass(frozen=True)
class _Table:
    """What the trees see of an hour of a store."""

    past: Demand
    kind_of: KindOf
    rain_mm: Mapping[int, float]
    profile: rules.Fitted
    numpy: Any

    def rows(self, store: int, hours: Sequence[int]) -> Any:
        """Return a row of features for each hour; what was not known at the forecast's origin is not a number."""
        cells = self.past.stores[store]
        unknown = float("nan")

        def at(hour: int) -> float:
            if not self.past.first <= hour < self.past.last:
                return unknown
            return float(cells[hour].orders) if hour in cells else 0.0

        by_day = dict.fromkeys(range(self.past.first // DAY, self.past.last // DAY + 1), 0.0)
        for hour, cell in cells.items():
            by_day[hour // DAY] += cell.orders
        lately: dict[int, float] = {}
        found = []
        for hour, mean in zip(hours, self.profile.means(store, hours), strict=True):
            day = hour // DAY
            if day not in lately:
                # The last whole week that a forecast two days ahead would have known of.
                week = [by_day[d] for d in range(day - 9, day - 2) if d in by_day and (d + 1) * DAY <= self.past.last]
                lately[day] = sum(week) / len(week) if week else unknown
            kind = self.kind_of(day)
            found.append([
                hour % DAY, kind.weekday, kind.workday, mean, lately[day], self.rain_mm.get(hour, 0.0),
                store == rules.WHOLE, *(at(hour - lag) for lag in LAGS),
            ])  # fmt: skip
        return self.numpy.array(found, dtype=float)


def _library() -> tuple[Any, Any]:
    try:
        return importlib.import_module("lightgbm"), importlib.import_module("numpy")
    except (ImportError, OSError) as error:
        raise ModelMissing(said=str(error)) from error
