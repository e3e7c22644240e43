"""What is asked of a provider of weather: the rain of the hours to come at a place, and how old that is."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple, Protocol

from houfu.kernel.errors import Refused

HOUR = timedelta(hours=1)
MUCH = 5_000  # tenths of a millimetre in an hour that nobody has ever measured


class WeatherUnknown(Refused):
    """The weather provider gave no answer that can be believed; limits stay as they are until its data is too old."""

    code = "weather_unknown"
    status = 502


class WeatherNotConfigured(Refused):
    """This instance has no provider of weather in its channels.toml."""

    code = "weather_not_configured"


class Hour(NamedTuple):
    """The rain of one hour, which begins at `start`, in tenths of a millimetre."""

    start: datetime
    rain_tenths_mm: int


class Observation(NamedTuple):
    """What a provider says of a place.

    Args:
        observed_at: the instant of the data, which says how old it is.
        hours: each once, in their order.
    """

    provider: str
    observed_at: datetime
    hours: tuple[Hour, ...]


class Provider(Protocol):
    """Somebody who knows the weather."""

    name: str

    def observe(self, latitude: float, longitude: float) -> Observation:
        """Ask for the hours to come.

        Raises:
            WeatherUnknown: `details.why` says why nothing can be believed.
        """

    def close(self) -> None:
        """Let go of the connections."""


def tenths(said: object) -> int:
    """Read millimetres, and return tenths of them, half up.

    Raises:
        ValueError: it is no amount of rain.
    """
    if isinstance(said, bool) or not isinstance(said, int | float | str):
        raise ValueError("no number")
    found = float(said) * 10 + 0.5
    if not 0.5 <= found < MUCH:
        raise ValueError("no amount of rain")
    return int(found)


def in_order(hours: list[Hour]) -> tuple[Hour, ...]:
    """Return hours as they are, if each follows the one before.

    Raises:
        ValueError: there is none, or one is missing or said twice.
    """
    if not hours or any(after.start - before.start != HOUR for before, after in pairwise(hours)):
        raise ValueError("hours that do not follow each other")
    return tuple(hours)
