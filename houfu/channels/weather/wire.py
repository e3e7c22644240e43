"""One way of asking a provider of weather over HTTP: nothing is followed, nothing large read, all else is unknown."""

import json
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

import httpx2

from houfu.channels.weather.port import Observation, WeatherUnknown

LARGEST = 1_000_000  # bytes of an answer, unpacked


class Wire:
    """Asks one host, which the operator's settings name.

    Args:
        base_url: where it listens.
        timeout: seconds until an answer is given up.
    """

    def __init__(self, base_url: str, timeout: float) -> None:
        self._timeout = timeout
        self._http = httpx2.Client(
            base_url=base_url, timeout=timeout, trust_env=False, follow_redirects=False,
            headers={"Accept-Encoding": "gzip"},
        )  # fmt: skip

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def ask(
        self, path: str, params: Mapping[str, str], headers: Mapping[str, str],
        read: Callable[[dict[str, Any]], Observation],
    ) -> Observation:  # fmt: skip
        """Return what `read` makes of the answer.

        Raises:
            WeatherUnknown: there was none in time, or it is not what was asked for.
        """
        try:
            status, content = self._fetch(path, params, headers)
        except httpx2.TimeoutException as error:
            raise WeatherUnknown(why="timeout") from error
        except httpx2.DecodingError as error:
            raise WeatherUnknown(why="unreadable") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise WeatherUnknown(why="connection") from error
        if status != 200:
            raise WeatherUnknown(why=f"http_{status}")
        try:
            said = json.loads(content)
            if not isinstance(said, dict):
                raise ValueError("no object")
            return read(said)
        except (ValueError, KeyError, TypeError, IndexError, OverflowError, OSError, RecursionError) as error:
            raise WeatherUnknown(why="unreadable") from error

    def _fetch(self, path: str, params: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, bytes]:
        ends = monotonic() + self._timeout
        with self._http.stream("GET", path, params=dict(params), headers=dict(headers)) as answer:
            found = b""
            for part in answer.iter_bytes():
                found += part
                if monotonic() > ends:
                    raise httpx2.ReadTimeout("the answer trickles")
                if len(found) > LARGEST:
                    raise WeatherUnknown(why="too_large")
            return answer.status_code, found
