"""Where channels leave their notices, and what is known of the weather."""

import json
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router

from houfu.channels import actions
from houfu.channels.weather import queries as weather_queries
from houfu.channels.weather.models import Weather
from houfu.kernel.http import PROBLEMS, Out, actor, mine

router = Router(tags=["channels"])


class NoticeTaken(Out):
    new: bool


@router.post("/channels/{channel}/notices", auth=None, response={200: NoticeTaken, **PROBLEMS})
def notice(request: HttpRequest, channel: str) -> Any:
    """Keep a channel's notice, once its signature holds; what it says is asked about later."""
    return NoticeTaken(new=actions.take_notice(channel, request.headers, request.body))


class RainOut(Out):
    """An hour with rain."""

    start: datetime
    tenths_mm: int


class WeatherOut(Out):
    """What was last known of a place, and how the last question ended."""

    place: str
    asked_at: datetime
    failure: str | None
    provider: str | None
    observed_at: datetime | None
    rain: list[RainOut]

    @staticmethod
    def resolve_rain(row: Weather) -> Any:
        return [{"start": start, "tenths_mm": tenths} for start, tenths in json.loads(row.rain)]


@router.get("/weather", response={200: list[WeatherOut], **PROBLEMS})
def weather(request: HttpRequest) -> Any:
    """List the places whose weather the merchant's pools follow, with what was last known of each (L6)."""
    return weather_queries.known(actor(request), mine(request))
