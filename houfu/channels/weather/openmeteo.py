"""Open-Meteo: one's own server or the paid one; the free one is for non-commercial use alone. Data under CC BY 4.0."""

from datetime import UTC, datetime
from typing import Any

from houfu.channels.weather.port import HOUR, Hour, Observation, WeatherUnknown, in_order, tenths
from houfu.channels.weather.wire import Wire


class OpenMeteo:
    """Asks an Open-Meteo server; with a key it is the customers' one.

    Args:
        url: where it listens, such as https://api.open-meteo.com.
        key: the customer's, if it asks for one.
    """

    name = "open-meteo"

    def __init__(self, url: str, key: str = "", timeout: float = 5) -> None:
        self._key = key
        self._wire = Wire(url, timeout)

    def close(self) -> None:
        """Let go of the connections."""
        self._wire.close()

    def observe(self, latitude: float, longitude: float) -> Observation:
        """Ask for the rain of today and tomorrow, in millimetres an hour."""
        params = {
            "latitude": f"{latitude:.2f}", "longitude": f"{longitude:.2f}", "hourly": "precipitation",
            "current": "precipitation", "precipitation_unit": "mm", "timeformat": "unixtime", "timezone": "GMT",
            "forecast_days": "2",
        }  # fmt: skip
        if self._key:
            params["apikey"] = self._key
        return self._wire.ask("/v1/forecast", params, {}, self._read)

    def _read(self, said: dict[str, Any]) -> Observation:
        units = said["hourly_units"]
        if (units["precipitation"], units["time"], said["current_units"]["time"]) != ("mm", "unixtime", "unixtime"):
            raise WeatherUnknown(why="units")
        hourly = said["hourly"]
        # What stands at a time fell in the hour before it.
        hours = [
            Hour(_at(time) - HOUR, tenths(mm))
            for time, mm in zip(hourly["time"], hourly["precipitation"], strict=True)
            if mm is not None
        ]
        return Observation(self.name, _at(said["current"]["time"]), in_order(hours))


def _at(said: object) -> datetime:
    if type(said) is not int:
        raise ValueError("no instant")
    return datetime.fromtimestamp(said, UTC)
