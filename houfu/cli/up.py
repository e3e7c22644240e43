"""houfu up, intake, web, worker, simulator: the processes, together or one by one."""

import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import click

from houfu.cli import opening


def _log() -> None:
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s"
    )


def _until_told() -> threading.Event:
    """Return an event that SIGINT and SIGTERM set."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def told_to_stop() -> threading.Event:
    """Let a process log to standard error, and return the event that ends it."""
    _log()
    return _until_told()


def _greeting(address: str, home: Path) -> str:
    console = address.replace("127.0.0.1", "localhost")  # passkeys are for a name, not for figures
    return f"Houfu answers at {address} (data in {home}); the console at {console}/"


@click.command()
@click.option("--port", default=8900, show_default=True, help="Of the API on 127.0.0.1; 0 for any that is free.")
@click.option("--trial", is_flag=True, help="At the first start: make a trial instance, with a simulated channel.")
def up(port: int, trial: bool) -> None:
    """Start database, door, web, worker, sender and jobs, all on one port, until Ctrl-C. Example: houfu up --trial"""
    from houfu.cli.main import main
    from houfu.site import house

    _log()
    stop = _until_told()
    here = opening.home()
    instance = house.open_house(here, port=port, kind="trial" if trial else None, command=main)
    try:
        instance.watch(stop, lambda: click.echo(_greeting(house.address(here), here)))
    finally:
        instance.stop()


@click.command()
@click.option("--port", default=8900, show_default=True)
@click.option("--processes", type=click.IntRange(1, 64), default=1, show_default=True, help="How many answer.")
def web(port: int, processes: int) -> None:
    """Serve the API alone, on 127.0.0.1. Example: houfu web --port 8900"""
    from granian.constants import Interfaces
    from granian.server import Server

    _log()
    os.environ["HOUFU_HOME"] = str(opening.home())
    opening.as_web()  # the server forks its workers from here, whose settings have been read as a command's
    Server(
        "houfu.site.wsgi:application",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.WSGI,
        workers=processes,
        blocking_threads=2,
        log_enabled=False,
        respawn_failed_workers=True,
        workers_kill_timeout=5,
    ).serve()


@click.command()
@click.option("--port", default=8900, show_default=True)
@click.option("--web-url", default="http://127.0.0.1:8899", show_default=True, help="Where the web process answers.")
@click.option("--batch", type=click.IntRange(1, 10_000), default=1000, show_default=True, help="Orders a call decides.")
def intake(port: int, web_url: str, batch: int) -> None:
    """Serve the door for new orders alone, on 127.0.0.1; the rest goes on to the web process.

    Example: houfu intake --port 8900 --web-url http://127.0.0.1:8899
    """
    _log()
    _until_told()  # once it has closed, the server hands the signal on, which would end us before our own end
    opening.as_web()
    with opening.database():
        from houfu.orders.intake import serve

        serve.serve(serve.door(web_url, batch=batch), port)


@click.command()
@click.option("--pause", default=1.0, show_default=True, help="Seconds between rounds when there was nothing to do.")
def worker(pause: float) -> None:
    """Work off alone what is due: sending, asking, maturing, runs. Example: houfu worker"""
    stop = told_to_stop()
    with opening.database():
        from houfu.site import worker as at_work

        at_work.serve(stop, pause)


@click.command()
@click.option("--port", default=8901, show_default=True)
@click.option(
    "--notify", default="", help="Where its notices go, such as http://127.0.0.1:8900/v1/channels/simulator/notices"
)
@click.option("--seed", default=0, show_default=True, help="Chooses the behaviours where the script says random.")
@click.option("--clients", type=click.Path(file_okay=False, path_type=Path), help="Folder of clients' public keys.")
@click.option("--clock", type=click.Path(dir_okay=False, path_type=Path), help="File with the instant it believes in.")
def simulator(port: int, notify: str, seed: int, clients: Path | None, clock: Path | None) -> None:
    """Start a simulated payment channel alone. Example: houfu simulator --port 8901 --seed 7"""
    own = opening.home() / "simulator"
    options: dict[str, Any] = {"--home": own, "--clients": clients or own / "clients", "--port": port, "--seed": seed}
    options |= {"--notify": notify} if notify else {}
    options |= {"--clock": clock} if clock else {}
    command = [sys.executable, "-m", "houfu.channels.simulator.server"]
    os.execv(sys.executable, command + [str(part) for pair in options.items() for part in pair])  # noqa: S606
