"""The ground that benchmarks stand on: a throw-away database, and hands, each a process with its own connection."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from psycopg import sql

from houfu.kernel.errors import Refused
from houfu.kernel.postgres import Server, die_with_parent, dies_with_us

P = ParamSpec("P")
R = TypeVar("R")
PATIENCE = 60  # seconds for the hands to come together, and for an instance to answer
BEAT = 0.05
URLS = ("DATABASE_URL", "HOUFU_OWNER_DATABASE_URL", "HOUFU_WORKER_DATABASE_URL")
_meeting: list[Barrier] = []


class BenchStuck(Refused):
    """The instance that was to be measured did not start, or its processes did not answer in time."""

    code = "bench_stuck"
    status = 500


class MayNotCreate(Refused):
    """Benchmarks make a database of their own: the login of DATABASE_URL must be one that may create databases."""

    code = "bench_may_not_create"


@dataclass(frozen=True)
class Timing:
    """What a hand has measured.

    Args:
        began, ended: on the machine's steady clock, which all processes share.
        laps: seconds of each batch.
        count: how many orders, rows or requests it was.
    """

    began: float
    ended: float
    laps: list[float]
    count: int


def together() -> None:
    """Wait until every hand of the crew is here, so that all begin at once."""
    _meeting[0].wait(PATIENCE)


class Crew:
    """Hands that work at once.

    Args:
        environment: that of the ground; Django is set up in it.
    """

    def __init__(self, environment: Mapping[str, str], hands: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        arrive = (dict(environment), spawn.Barrier(hands))
        self._hands = [ProcessPoolExecutor(1, spawn, _arrive, arrive) for _ in range(hands)]

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        for hand in self._hands:
            hand.shutdown(cancel_futures=True)

    def one(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Let the first hand do something and return what comes of it."""
        return self._hands[0].submit(work, *args, **kwargs).result()

    def all(self, work: Callable[..., R], *args: Any) -> list[R]:
        """Let all hands do the same at once, each told its number first, and return what comes of it."""
        futures = [hand.submit(work, number, *args) for number, hand in enumerate(self._hands)]
        return [future.result() for future in futures]


def _arrive(environment: Mapping[str, str], meeting: Barrier) -> None:
    """Make a fresh process a hand: in the ground's environment, and gone when the benchmark is."""
    die_with_parent()
    for name in URLS:
        os.environ.pop(name, None)
    os.environ.update(environment)
    _meeting[:] = [meeting]
    import django

    django.setup()
    from houfu.kernel import isolation
    from houfu.people.actor import operator

    isolation.enter(operator("bench"))


@contextmanager
def ground(hands: int = 1, *, serve: bool = False) -> Iterator[tuple[Crew, Path]]:
    """Have a migrated trial instance that nobody else uses, and a crew on it; both are thrown away afterwards.

    The database is an embedded server's own, or one made for the purpose on the server of DATABASE_URL (or of its
    owner's address), whose login must be one that may create databases.

    Args:
        serve: whether all processes of the instance run, as for measuring over HTTP.
    """
    with tempfile.TemporaryDirectory(prefix="houfu-bench-") as folder:
        home = Path(folder) / "data"
        home.mkdir()
        address = os.environ.get(URLS[1]) or os.environ.get(URLS[0])
        with _database(address, home, serve=serve) as url:
            environment = {"HOUFU_HOME": str(home), "DJANGO_SETTINGS_MODULE": "houfu.site.settings"}
            environment |= {"DATABASE_URL": url} if url else {}
            with Crew(environment, hands) as crew:
                if url or not serve:
                    crew.one(_migrate)
                if not serve:
                    yield crew, home
                    return
                with _serving(home, environment):
                    yield crew, home


@contextmanager
def _database(address: str | None, home: Path, *, serve: bool) -> Iterator[str | None]:
    """Have a database and yield its address; None for the embedded server of `home`."""
    if address:
        name = f"houfu_bench_{os.getpid()}_{uuid4().hex[:8]}"
        with psycopg.connect(address, autocommit=True) as admin:
            try:
                admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
            except psycopg.errors.InsufficientPrivilege as error:
                raise MayNotCreate() from error
            try:
                yield urlsplit(address)._replace(path=f"/{name}").geturl()
            finally:
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    elif serve:  # it starts the server itself
        yield None
    else:
        server = Server(home)
        server.start()
        try:
            yield None
        finally:
            server.stop()


@contextmanager
def _serving(home: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Have `houfu up` run on the ground."""
    command = [sys.executable, "-m", "houfu", "--home", str(home), "up", "--trial", "--port", "0"]
    inherited = {name: value for name, value in os.environ.items() if name not in URLS}
    said = home.parent / "up.log"
    with said.open("wb") as log:
        up = subprocess.Popen(dies_with_us(command, "TERM"), stdout=log, stderr=log, env={**inherited, **environment})
    try:
        ends = time.monotonic() + PATIENCE
        while b"answers" not in said.read_bytes():
            if up.poll() is not None or time.monotonic() > ends:
                raise BenchStuck(said=said.read_text(errors="replace")[-800:])
            threading.Event().wait(BEAT)
        yield
    finally:
        up.terminate()
        up.wait()


def _migrate() -> None:
    from houfu.site import upkeep

    upkeep.migrate(kind="trial")


def analyse() -> None:
    """Gather the statistics that a server gathers by itself within a minute, in a hand.

    Without them it plans for tables as small as they were before the scene was set.
    """
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute("ANALYZE")


def port(home: Path) -> int:
    """Return the port at which the API of a ground answers that serves."""
    from houfu.site import processes

    found: int = processes.running(home)["front"]["port"]
    return found


def verify() -> dict[str, Any]:
    """Run every check of `houfu verify`, in a hand."""
    from houfu.verify import queries

    report = queries.run()
    return {
        "checks": report.checks,
        "findings": len(report.findings),
        "broken": [finding.check for finding in report.findings],
        "seconds": report.seconds,
    }


def machine() -> dict[str, Any]:
    """Return what figures depend on: cores, versions and what makes the database durable; in a hand."""
    import platform

    from houfu.kernel import db

    names = ["fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size", "server_version"]
    found = db.rows("SELECT name, current_setting(name) AS value FROM unnest(%s::text[]) name", [names])
    settings = {row.name: row.value for row in found}
    return {
        "cores": os.cpu_count(),
        "load": [round(each, 1) for each in os.getloadavg()],
        "system": platform.platform(),
        "python": platform.python_version(),
        "postgresql": settings.pop("server_version"),
        "settings": settings,
    }


def seconds(laps: Sequence[Timing]) -> float:
    """Return how long it took from the first hand's beginning to the last one's end."""
    return max(each.ended for each in laps) - min(each.began for each in laps)
