"""The ground the tests stand on: a real PostgreSQL, one database for each test process, a clock that stands still.

Tests keep apart as merchants do: each makes its own. Those that break books or need the platform to themselves
take `fresh_db`, a copy of the empty database. When a test process ends, `houfu verify` must find nothing wrong with
all that its tests left behind.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from houfu.kernel import clock as clocks
from houfu.kernel import postgres

TEMPLATE = "houfu_template"
MONDAY_TEN = clocks.shanghai(2025, 11, 10, 10)
_server = pytest.StashKey[postgres.Server]()


def _admin() -> psycopg.Connection[tuple[str, ...]]:
    return psycopg.connect(os.environ["HOUFU_TEST_ADMIN"], autocommit=True)


def _url(name: str) -> str:
    return os.environ["HOUFU_TEST_URL"] + "/" + name


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes longer than two seconds")
    if not hasattr(config, "workerinput"):
        _start(config)
        _create(TEMPLATE, "template0")
        os.environ["DATABASE_URL"] = _url(TEMPLATE)
        _setup_django()
        from django.db import connections

        from houfu.site import upkeep

        upkeep.migrate(kind="trial")
        connections.close_all()
    name = f"houfu_{getattr(config, 'workerinput', {}).get('workerid', 'main')}"
    _create(name, TEMPLATE)
    os.environ["DATABASE_URL"] = _url(name)
    _setup_django()
    _point_at(name)


def pytest_unconfigure(config: pytest.Config) -> None:
    if server := config.stash.get(_server, None):
        server.stop()


def _start(config: pytest.Config) -> None:
    """Start an embedded server for the run, or take HOUFU_TEST_DATABASE_URL, an administrator's."""
    if external := os.environ.get("HOUFU_TEST_DATABASE_URL"):
        os.environ["HOUFU_TEST_ADMIN"] = external
        os.environ["HOUFU_TEST_URL"] = external.rsplit("/", 1)[0]
        return
    home = Path(tempfile.mkdtemp(prefix="houfu-test-"))
    server = config.stash[_server] = postgres.Server(home)
    server.start()
    os.environ["HOUFU_HOME"] = str(home)
    os.environ["HOUFU_TEST_ADMIN"] = server.admin_url
    os.environ["HOUFU_TEST_URL"] = (postgres.url(home, "houfu_owner") or "").rsplit("/", 1)[0]


def _create(name: str, template: str) -> None:
    owner = os.environ["HOUFU_TEST_URL"].split("//")[1].split(":")[0]
    with _admin() as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" OWNER "{owner}"')


def _setup_django() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "houfu.site.settings")
    import django

    django.setup()


def _point_at(name: str) -> None:
    """Let every connection of this process go to another database."""
    from django.db import connections

    connections.close_all()
    for alias in connections:
        connections[alias].settings_dict["NAME"] = name


@pytest.fixture
def clock() -> Iterator[clocks.SteppedClock]:
    """A clock that stands at ten o'clock on Monday, 10 November 2025, until the test moves it."""
    with clocks.standing_at(clocks.SteppedClock(MONDAY_TEN)) as standing:
        yield standing


@pytest.fixture
def db(clock: clocks.SteppedClock) -> None:
    """The database of this test process; what a test commits stays, so each makes its own merchants."""


@pytest.fixture
def fresh_db(clock: clocks.SteppedClock) -> Iterator[str]:
    """A database of the test's own, as it is after the migrations, dropped afterwards."""
    from django.db import connection

    before = connection.settings_dict["NAME"]
    name = f"houfu_{uuid4().hex[:12]}"
    _create(name, TEMPLATE)
    _point_at(name)
    yield _url(name)
    _point_at(before)
    with _admin() as admin:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
