"""The weather looked at, and what it proposes to pools (L6). Nobody is asked inside a transaction, or by the web."""

import json
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from houfu.channels.weather import queries, registry, rules
from houfu.channels.weather.port import Observation, WeatherNotConfigured, WeatherUnknown
from houfu.channels.weather.rules import Standing
from houfu.kernel import clock, db
from houfu.kernel.errors import Refused
from houfu.limits import actions as limits
from houfu.limits import queries as limit_queries
from houfu.limits.models import Adjustment
from houfu.people.actor import Actor
from houfu.policies import queries as policies

log = logging.getLogger("houfu.weather")


def look(*, by: Actor) -> int:
    """Ask about the weather of every place whose turn it is, and return how many answers were believed.

    What cannot be believed is kept as the failure that it is, and proposes nothing: adjustments end by themselves when
    the data that they stand on is too old.
    """
    if not registry.configured():
        return 0
    now = clock.now()
    asked = queries.places_to_ask(now, policies.at(now).dynamic.weather_minutes)
    believed = 0
    for place, pools in asked.items():
        try:
            with registry.provider() as provider:
                found = provider.observe(*(float(part) for part in place.split(",")))
            if found.observed_at > clock.now() + timedelta(minutes=10):
                raise WeatherUnknown(why="future")
        except (WeatherUnknown, WeatherNotConfigured) as unknown:
            why = str(unknown.details.get("why", unknown.code))
            log.warning("weather at %s: %s", place, why)
            note_failure(by=by, place=place, merchants=sorted({merchant_id for merchant_id, _ in pools}), why=why)
            continue
        believed += 1
        for merchant_id in sorted({merchant_id for merchant_id, _ in pools}):
            mine = [pool_id for other, pool_id in pools if other == merchant_id]
            try:
                take_in(by=by, merchant_id=merchant_id, place=place, pools=mine, found=found)
            except Refused as refusal:  # somebody has just decided otherwise; the others follow all the same
                log.warning("weather at %s for %s: %s", place, merchant_id, refusal)
    return believed


@db.action
def note_failure(*, by: Actor, place: str, merchants: Sequence[int], why: str) -> None:
    """Write down that nothing could be learnt of a place; what was last known stays."""
    by.require("platform:write")
    db.rows(
        "INSERT INTO channels_weather (merchant_id, place, asked_at, failure, rain)"
        " SELECT m, %s, %s, %s, '[]' FROM unnest(%s::bigint[]) m ON CONFLICT (merchant_id, place)"
        " DO UPDATE SET asked_at = excluded.asked_at, failure = excluded.failure",
        [place, clock.now(), why, list(merchants)],
    )


@db.action
def take_in(*, by: Actor, merchant_id: int, place: str, pools: Sequence[int], found: Observation) -> None:
    """Keep what is known of a place, and let pools there follow it: rain proposes more for as long as it falls (L6)."""
    by.require("platform:write")
    now = clock.now()
    policy = policies.at(now).dynamic
    _keep(merchant_id, place, found, now)
    if rules.stale(found.observed_at, now, policy.weather_stale_hours):
        return
    until = found.observed_at + timedelta(hours=policy.weather_stale_hours)
    rain = rules.windows(found.hours, policy.rain_tenths_mm, now, until)
    observed_at = min(found.observed_at, now)
    for pool_id in sorted(pools):
        follow(by, merchant_id, pool_id, place, rain, found.provider, observed_at, policy.rain_fen)


def follow(
    by: Actor, merchant_id: int, pool_id: int, place: str, rain: Sequence[rules.Window], provider: str,
    observed_at: datetime, rain_fen: int,
) -> None:  # fmt: skip
    """Propose, refresh and withdraw a pool's adjustments of the weather within the current action."""
    now = clock.now()
    open_ = _standing(limit_queries.weather_standing(merchant_id, pool_id, now))
    plan = rules.plan(rain, open_, _standing(limit_queries.weather_refused(merchant_id, pool_id, now)), now)
    source = {"provider": provider, "place": place, "observed_at": observed_at.isoformat()}
    for id in plan.withdraw:
        limits.withdraw_adjustment(by=by, merchant_id=merchant_id, id=id, reason="no rain then any more")
    for id in plan.refresh:
        limits.refresh_adjustment(by=by, merchant_id=merchant_id, id=id, source=source)
    for window in plan.propose:
        limits.propose(
            by=by, merchant_id=merchant_id, pool_id=pool_id, kind="weather", amount_fen=rain_fen, valid_from=window.start,
            valid_until=window.end, reason="rain", source=source,
        )  # fmt: skip


def _standing(found: Sequence[Adjustment]) -> list[Standing]:
    return [Standing(each.id, each.valid_from, each.valid_until) for each in found]


def _keep(merchant_id: int, place: str, found: Observation, now: datetime) -> None:
    rain = [[hour.start.isoformat(), hour.rain_tenths_mm] for hour in found.hours if hour.rain_tenths_mm]
    db.rows(
        "INSERT INTO channels_weather (merchant_id, place, asked_at, provider, observed_at, rain)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (merchant_id, place) DO UPDATE SET asked_at = excluded.asked_at,"
        " failure = NULL, provider = excluded.provider, observed_at = excluded.observed_at, rain = excluded.rain",
        [merchant_id, place, now, found.provider, found.observed_at, json.dumps(rain)],
    )
