"""An instance on one machine: database, front, web, worker, sender, jobs and a trial's simulated channel; one port."""

import os
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from houfu.channels.simulator import signing
from houfu.kernel.models import Instance
from houfu.kernel.postgres import Server
from houfu.site import processes, settings, upkeep
from houfu.site.processes import House

# What the processes run on; loaded once, before they are forked (decision 52).
LOADED = (
    "granian.server", "houfu.jobs.runner", "houfu.orders.intake.serve", "houfu.site.kinds", "houfu.site.urls",
    "houfu.site.worker", "houfu.webhooks.sender",
)  # fmt: skip


def open_house(home: Path, *, port: int, kind: str | None, command: Callable[[Sequence[str]], None]) -> House:
    """Start everything that serves a data folder.

    Args:
        port: of the API; 0 for the one used last, or any that is free.
        kind: "trial" or "live" for a new instance; None takes what is there, or makes a live one.
        command: runs the `houfu` command in a process of its own.

    Raises:
        HomeInUse, PostgresFailed, UnsafePostgres, NotMigrated, OtherKind, LiveClock: nothing was left running.
    """
    os.environ["HOUFU_HOME"] = str(home)
    server = None if os.environ.get("DATABASE_URL") else Server(home)
    house = House(home, server, command)
    try:
        if server:
            server.start()
        settings.connect()
        upkeep.prepare(kind=kind, ours=server is not None)
        trial = Instance.objects.get().kind == "trial"
        settings.disconnect()
        for name in LOADED:
            import_module(name)
        front_port = processes.free_port(port)
        web_port = processes.free_port()
        house.add("web", "web", "--port", str(web_port), port=web_port)
        web_url = f"http://127.0.0.1:{web_port}"
        house.add("front", "intake", "--port", str(front_port), "--web-url", web_url, port=front_port)
        if trial:
            _add_simulator(house, front_port)
        house.add("worker", "worker", "--pause", "0.2" if trial else "1")
        house.add("sender", "webhooks", "send", "--pause", "0.2" if trial else "1")
        house.add("jobs", "job", "work", "--pause", "0.2" if trial else "1")
    except BaseException:
        house.stop()
        raise
    return house


def _add_simulator(house: House, front_port: int) -> None:
    """Start the simulated channel and write it into channels.toml, so that both sides know each other's keys."""
    own = house.home / "simulator"
    signing.make_keys(house.home / "keys" / "client.key", own / "clients" / "houfu.pub")
    port = processes.free_port()
    notices = f"http://127.0.0.1:{front_port}/v1/channels/simulator/notices"
    clock = ["--clock", str(house.home / upkeep.CLOCK)] if (house.home / upkeep.CLOCK).exists() else []
    house.add("simulator", "simulator", "--port", str(port), "--notify", notices, *clock, port=port)
    upkeep.write_channel(
        "simulator",
        adapter="simulator",
        url=f"http://127.0.0.1:{port}",
        client_key="keys/client.key",
        channel_key="simulator/channel.pub",
        timeout_seconds=2,
    )


def address(home: Path) -> str:
    """Return where the API of a running instance answers."""
    return f"http://127.0.0.1:{processes.running(home)['front']['port']}"
