"""Reading what is to come: demand out of a merchant's own orders, forecasts from it, and how far they hold."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from houfu.calendars import queries as calendars
from houfu.calendars.rules import YearUnknown
from houfu.insight import rules
from houfu.insight.rules import Cell, DayKind, Demand, KindOf, Model, Profile, SeasonalNaive, Window
from houfu.kernel import clock
from houfu.kernel.errors import Invalid, Refused
from houfu.merchants import queries as merchants
from houfu.orders import queries as orders
from houfu.people.actor import Actor
from houfu.policies import queries as policies

MODELS = ("profile", "boosted")
Progress = Callable[[int, int], None]


class TooLittlePast(Refused):
    """A forecast needs orders of at least two weeks, a back-test those of its training and its windows."""

    code = "insight_too_little_past"


class ModelUnknown(Invalid):
    """A forecast is made by the model profile, or by boosted, which is an extra."""

    code = "insight_model_unknown"


def model_named(name: str) -> Model:
    """Return a model.

    Raises:
        ModelUnknown: there is none of that name.
        ModelMissing: it is not installed here.
    """
    if name == "profile":
        return Profile()
    if name == "boosted":
        from houfu.insight import boosted

        return boosted.Boosted()
    raise ModelUnknown(model=name, models=list(MODELS))


def demand(by: Actor, merchant_id: int, until: datetime, store_id: int | None = None, *, back_days: int = 0,
    least_hours: int = 0,
) -> Demand:  # fmt: skip
    """Return the demand that a merchant's stores have met until an hour begins, with all of theirs added up.

    Those who are bound to stores, or name one, get these stores alone, and as the whole what these add up to.

    Args:
        back_days: how many days before `until` forecasts will be made from; each is given as much of the past.
        least_hours: how far back the first order has to lie; the others are not even counted where none does.

    Raises:
        TooLittlePast: there are no orders.
    """
    last = rules.hour_of(until)
    since = rules.instant_of(last - (back_days + rules.MEMORY_DAYS) * rules.DAY)
    if not orders.any_before(
        by, merchant_id, since=since, until=rules.instant_of(last - least_hours), store_id=store_id
    ):
        raise TooLittlePast(least=least_hours)
    cells: dict[int, dict[int, Cell]] = {}
    for row in orders.demand(by, merchant_id, since=since, until=rules.instant_of(last), store_id=store_id):
        cells.setdefault(row.store_id, {})[row.hour] = Cell(row.orders, row.fen, row.square_fen)
    if not cells:
        raise TooLittlePast(orders=0)
    first = min(min(hours) for hours in cells.values())
    return Demand(first // rules.DAY * rules.DAY, last, cells).with_whole()


def kinds(first: datetime, last: datetime) -> KindOf:
    """Return what tells the kind of a day; a day of a year that is not loaded is taken as its weekday has it.

    Payouts never guess (I-19); a forecast may.
    """
    calendar = calendars.between(first.year - 1, last.year + 1)

    @cache
    def kind_of(day: int) -> DayKind:
        date = rules.day_of(day)
        try:
            return DayKind(date.weekday(), calendar.is_workday(date))
        except YearUnknown:
            return DayKind(date.weekday(), date.weekday() < 5)

    return kind_of


def bands(at: datetime) -> list[Window]:
    """Return the time bands of the policy in force as whole hours (L5)."""
    return rules.windows([(band.name, band.opens, band.closes) for band in policies.at(at).dynamic.bands])


@dataclass(frozen=True)
class Period:
    """What a store may expect in a period: orders and fen, in the mean and as not exceeded in 5 and 9 cases of 10."""

    store_id: int | None
    period: str
    begins: datetime
    hours: int
    mean_orders: float
    q50_orders: int
    q90_orders: int
    mean_fen: int
    q90_fen: int


@dataclass(frozen=True)
class Forecast:
    """A forecast, and what it was made from.

    Args:
        model: name and version of the model.
        inputs_digest: digest of the demand that it has seen, so that the same can be made again and compared.
        made_from: the first and the last hour of that.
    """

    model: str
    inputs_digest: str
    made_from: tuple[datetime, datetime]
    periods: list[Period]


def forecast(
    by: Actor,
    merchant_id: int,
    *,
    grain: str = "hour",
    ahead_hours: int = 48,
    store_id: int | None = None,
    model: str = "profile",
    at: datetime | None = None,
) -> Forecast:
    """Return what stores may expect from an hour on, the merchant as a whole first.

    It is made when it is asked for and not kept: the same inputs and model give the same again.

    Args:
        grain: "hour", "band" (the policy's time bands, L5) or "day"; periods that do not lie wholly ahead are left out.
        at: from when on; the hour that has begun is the first.

    Raises:
        TooLittlePast: less than two weeks are known.
    """
    if store_id is not None:
        merchants.access_store(by, "orders:read", merchant_id, store_id)
    now = at or clock.now()
    chosen = model_named(model)
    known = demand(by, merchant_id, now, store_id, least_hours=2 * rules.WEEK - rules.DAY)
    if known.last - known.first < 2 * rules.WEEK:
        raise TooLittlePast(hours=known.last - known.first, least=2 * rules.WEEK)
    past = known.until(known.last)
    fitted = chosen.fit(past, kinds(rules.instant_of(past.first), now + timedelta(hours=ahead_hours)))
    windows = bands(now)
    spreads = rules.spreads(fitted, past, windows)
    ahead = range(past.last, past.last + ahead_hours)
    found = []
    for store in sorted(past.stores):
        means = dict(zip(ahead, fitted.means(store, ahead), strict=True))
        mean_fen, unevenness = rules.amounts(past.stores[store])
        spread = spreads[store == rules.WHOLE, grain]
        for name, hours in rules.periods(grain, ahead.start, ahead.stop, windows):
            mean = sum(means[hour] for hour in hours)
            variance = spread.variance(mean)
            found.append(
                Period(
                    store_id=store or None,
                    period=name,
                    begins=rules.instant_of(hours[0]),
                    hours=len(hours),
                    mean_orders=round(mean, 3),
                    q50_orders=rules.quantile(mean, variance, 0.5),
                    q90_orders=rules.quantile(mean, variance, 0.9),
                    mean_fen=int(mean * mean_fen),
                    q90_fen=rules.fen_quantile(mean, spread, mean_fen, unevenness, 0.9),
                )
            )
    return Forecast(chosen.name, _digest(past), (rules.instant_of(past.first), rules.instant_of(past.last)), found)


def _digest(past: Demand) -> str:
    said = [past.first, past.last, [[s, [[h, *c] for h, c in cells.items()]] for s, cells in past.stores.items()]]
    return digest_of(said)


def digest_of(said: Any) -> str:
    """Return a digest of what a forecast was made from."""
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def back_test(
    by: Actor,
    merchant_id: int,
    *,
    models: Sequence[str] = ("profile",),
    plan: rules.Plan | None = None,
    at: datetime | None = None,
    progress: Progress = lambda done, of: None,
) -> dict[str, Any]:
    """Return how wrong models would have been about a merchant's orders, beside the seasonal naive forecast.

    From origin to origin each model sees only what lay before, and is asked about the hours after. A figure below 1 in
    `against_naive` is better than repeating the week before.

    Args:
        at: the data end with the day before; the last order's day unless given.

    Raises:
        TooLittlePast: no origin has enough before and after it.
    """
    by.require("orders:read", merchant_id)
    ends = orders.first_and_last(merchant_id)
    if ends is None:
        raise TooLittlePast(orders=0)
    plan = plan or rules.Plan()
    last_day = min(at or clock.now(), ends[1] + timedelta(days=1))
    known = demand(by, merchant_id, clock.start_of(clock.business_day(last_day)), back_days=plan.days)
    origins = plan.origins(known)
    if not origins:
        raise TooLittlePast(days=(known.last - known.first) // rules.DAY, least=plan.train_days + 2)
    chosen: list[Model] = [SeasonalNaive(), *(model_named(name) for name in models)]
    kind_of = kinds(rules.instant_of(known.first), rules.instant_of(known.last))
    scores = rules.back_test(known, chosen, kind_of, bands(rules.instant_of(known.last)), plan, progress)
    naive = scores[chosen[0].name]
    return {
        "merchant_id": merchant_id,
        "orders": sum(cell.orders for cell in known.stores[rules.WHOLE].values()),
        "stores": len(known.stores) - 1,
        "from": rules.instant_of(known.first).isoformat(),
        "until": rules.instant_of(known.last).isoformat(),
        "origins": len(origins),
        "ahead_hours": plan.ahead_hours,
        "inputs_digest": _digest(known),
        "scores": [
            {
                "of": "merchant" if whole else "stores",
                "grain": grain,
                "model": name,
                "orders": int(score.demand),
                "periods": score.periods,
                **score.figures(),
                **_against(score, naive[whole, grain]),
            }
            for name, by_grain in scores.items()
            for (whole, grain), score in sorted(by_grain.items(), key=lambda each: (not each[0][0], each[0][1]))
        ],
    }


def _against(score: rules.Score, naive: rules.Score) -> dict[str, Any]:
    def ratio(ours: float, theirs: float) -> float | None:
        return round(ours / theirs, 4) if theirs else None

    return {
        "against_naive": {
            "wape": ratio(score.missed_by_mean, naive.missed_by_mean),
            "wape_of_median": ratio(score.missed_by_median, naive.missed_by_mean),
            "pinball": ratio(sum(score.pinball.values()), sum(naive.pinball.values())),
        }
    }
