"""Which channels this instance speaks to: `channels.toml` in the data folder, one table for each.

[simulator]
adapter = "simulator"
url = "http://127.0.0.1:8901"
channel_key = "channel.pub"     # the channel's public key
client_key = "keys/client.key"  # ours; only the worker needs to read it
"""

import threading
import tomllib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings

from houfu.channels.port import Channel, Dedupe
from houfu.channels.simulator.adapter import SimulatorChannel
from houfu.kernel.errors import Refused


class ChannelNotConfigured(Refused):
    """This instance has no channel of that name in its channels.toml."""

    code = "channel_not_configured"


def _simulator(folder: Path, entry: dict[str, Any]) -> Channel:
    return SimulatorChannel(
        base_url=entry["url"],
        client_key=folder / entry["client_key"],
        channel_key=folder / entry["channel_key"],
        timeout=entry.get("timeout_seconds", 5),
        dedupe=Dedupe(entry.get("dedupe", "strict")),
        acceptance_window=timedelta(seconds=entry.get("acceptance_seconds", 300)),
    )


def names() -> list[str]:
    """Return the channels that this instance has; none where the file cannot be read."""
    try:
        said = tomllib.loads((settings.HOME / "channels.toml").read_text())
    except (OSError, ValueError):
        return []
    return sorted(name for name, entry in said.items() if isinstance(entry, dict) and entry.get("adapter") in ADAPTERS)


ADAPTERS: dict[str, Callable[[Path, dict[str, Any]], Channel]] = {"simulator": _simulator}
_open: dict[str, tuple[tuple[int, ...], Channel]] = {}
_opening = threading.Lock()


def channel(name: str) -> Channel:
    """Return the adapter of a channel, made anew when channels.toml has changed.

    Raises:
        ChannelNotConfigured: there is no such table, it names no adapter of ours, or the file cannot be read.
    """
    path = settings.HOME / "channels.toml"
    try:
        said = path.stat()
        version = said.st_mtime_ns, said.st_ino, said.st_size  # two changes may fall into one tick of the file's clock
        with _opening:
            there = _open.get(name)
            if there is None or there[0] != version:
                entry = tomllib.loads(path.read_text())[name]
                _open[name] = version, ADAPTERS[entry["adapter"]](settings.HOME, entry)
                if there:
                    there[1].close()
            return _open[name][1]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise ChannelNotConfigured(channel=name) from error
