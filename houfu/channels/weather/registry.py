"""Whom this instance asks about the weather: the table `weather` of channels.toml in the data folder.

[weather]
adapter = "open-meteo"                # or "qweather"
url = "https://api.open-meteo.com"    # the one host that is ever asked
key = "…"                             # a customer's, if there is one; of QWeather: "keys/qweather.pem"
project = "…"                         # QWeather: the project's id …
key_id = "…"                          # … and that of its key
timeout_seconds = 5
"""

import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from houfu.channels.weather.openmeteo import OpenMeteo
from houfu.channels.weather.port import Provider, WeatherNotConfigured
from houfu.channels.weather.qweather import QWeather


def _open_meteo(folder: Path, entry: dict[str, Any]) -> Provider:
    return OpenMeteo(_url(entry), key=str(entry.get("key", "")), timeout=float(entry.get("timeout_seconds", 5)))


def _qweather(folder: Path, entry: dict[str, Any]) -> Provider:
    return QWeather(
        _url(entry), str(entry["project"]), str(entry["key_id"]), folder / entry["key"],
        timeout=float(entry.get("timeout_seconds", 5)),
    )  # fmt: skip


ADAPTERS: dict[str, Callable[[Path, dict[str, Any]], Provider]] = {"open-meteo": _open_meteo, "qweather": _qweather}


def configured() -> bool:
    """Say whether this instance asks anybody about the weather."""
    path = settings.HOME / "channels.toml"
    try:
        return "weather" in tomllib.loads(path.read_text())
    except (OSError, ValueError):
        return False


@contextmanager
def provider() -> Iterator[Provider]:
    """Open the way to the provider while the block runs.

    Raises:
        WeatherNotConfigured: there is no such table, or it cannot be used.
    """
    try:
        entry = tomllib.loads((settings.HOME / "channels.toml").read_text())["weather"]
        found = ADAPTERS[entry["adapter"]](settings.HOME, entry)
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise WeatherNotConfigured() from error
    with closing(found):
        yield found


def _url(entry: dict[str, Any]) -> str:
    """Return where a provider listens: https, but on this machine itself."""
    url = str(entry["url"]).rstrip("/")
    parts = urlsplit(url)
    own = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    if not (own or (parts.scheme == "https" and parts.hostname)) or "@" in parts.netloc:
        raise ValueError("not a place to ask")
    return url
