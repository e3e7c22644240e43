"""QWeather (和风天气): a host of the customer's own, and a token that we sign with Ed25519 for each question."""

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from houfu.channels.weather.port import Hour, Observation, WeatherNotConfigured, WeatherUnknown, in_order, tenths
from houfu.channels.weather.wire import Wire
from houfu.kernel import clock

LASTS = 600  # seconds of a token
EARLY = 30  # seconds by which a token is dated back, for a clock of theirs that is behind


class QWeather:
    """Asks QWeather.

    Args:
        url: the customer's own host, such as https://abcd1234.re.qweatherapi.com.
        project: the project's id, and `key_id` that of the key in it.
        key: file with our private key, Ed25519 in PEM.
    """

    name = "qweather"

    def __init__(self, url: str, project: str, key_id: str, key: Path, timeout: float = 5) -> None:
        self._project, self._key_id, self._key = project, key_id, key
        self._wire = Wire(url, timeout)

    def close(self) -> None:
        """Let go of the connections."""
        self._wire.close()

    def observe(self, latitude: float, longitude: float) -> Observation:
        """Ask for the rain of the next 24 hours, in millimetres an hour."""
        params = {"location": f"{longitude:.2f},{latitude:.2f}", "unit": "m"}
        headers = {"Authorization": f"Bearer {self._token()}"}
        return self._wire.ask("/v7/weather/24h", params, headers, self._read)

    def _token(self) -> str:
        try:
            key = load_pem_private_key(self._key.read_bytes(), None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise WeatherNotConfigured(key=self._key.name) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise WeatherNotConfigured(key=self._key.name)
        now = int(clock.machine_now().timestamp())  # theirs is no clock of ours to move
        head = {"alg": "EdDSA", "kid": self._key_id}
        body = {"sub": self._project, "iat": now - EARLY, "exp": now + LASTS}
        text = f"{_written(head)}.{_written(body)}"
        return f"{text}.{_b64(key.sign(text.encode()))}"

    def _read(self, said: dict[str, Any]) -> Observation:
        if said["code"] != "200":
            raise WeatherUnknown(why=f"code_{str(said['code'])[:20]}")
        hours = [Hour(_at(each["fxTime"]), tenths(each["precip"])) for each in said["hourly"]]
        return Observation(self.name, _at(said["updateTime"]), in_order(hours))


def _at(said: object) -> datetime:
    found = datetime.fromisoformat(str(said))
    if found.tzinfo is None:
        raise ValueError("an instant without an offset")
    return found


def _written(part: dict[str, Any]) -> str:
    return _b64(json.dumps(part, separators=(",", ":")).encode())


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
