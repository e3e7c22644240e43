"""The ground the tests stand on: a real PostgreSQL, one database for each test process, a clock that stands still.

Tests keep apart as merchants do: each makes its own. Those that break books or need the platform to themselves
take `fresh_db`, a copy of the empty database. When a test process ends, `houfu verify` must find nothing wrong with
all that its tests left behind.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from houfu.kernel import clock as clocks
from houfu.kernel import postgres
from houfu.testing.channel import Simulated, running_simulator

TEMPLATE = "houfu_template"
MONDAY_TEN = clocks.shanghai(2025, 11, 10, 10)
_server = pytest.StashKey[postgres.Server]()
_findings = pytest.StashKey[list[str]]()


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
        os.environ["HOUFU_HOME"] = os.environ["HOUFU_TEST_HOME"] + "/main"
        _setup_django()
        from django.db import connections

        from houfu.site import upkeep

        upkeep.migrate(kind="trial")
        connections.close_all()
    process = getattr(config, "workerinput", {}).get("workerid", "main")
    name = f"houfu_{process}"
    _create(name, TEMPLATE)
    os.environ["DATABASE_URL"] = _url(name)
    os.environ["HOUFU_HOME"] = os.environ["HOUFU_TEST_HOME"] + f"/{process}"
    _setup_django()
    _point_at(name)
    from houfu.kernel import fence, isolation

    fence.adopt()
    share_key(Path(os.environ["HOUFU_HOME"]))
    isolation.enter(isolation.Party("test", None))


def share_key(home: Path) -> None:
    """Put the key that all the test databases know into a data folder."""
    own = home / "keys" / "context.key"
    if not own.exists():
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_bytes((Path(os.environ["HOUFU_TEST_HOME"]) / "main" / "keys" / "context.key").read_bytes())


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let `houfu verify` look at everything that the tests of this process have left."""
    if session.config.option.collectonly:
        return
    from houfu.verify import queries

    found = [str(finding) for finding in queries.run().findings]
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["verify"] = found  # a process of xdist: nobody reads what it says itself
    else:
        session.config.stash.setdefault(_findings, []).extend(found)
        if session.config.stash[_findings]:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what `houfu verify` found behind the tests of another process."""
    found = getattr(node, "workeroutput", {}).get("verify", [])
    node.config.stash.setdefault(_findings, []).extend(found)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for finding in config.stash.get(_findings, []):
        terminalreporter.write_line(f"houfu verify: {finding}", red=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    if server := config.stash.get(_server, None):
        server.stop()


def _start(config: pytest.Config) -> None:
    """Start an embedded server for the run, or take HOUFU_TEST_DATABASE_URL, an administrator's."""
    home = Path(tempfile.mkdtemp(prefix="houfu-test-"))
    os.environ["HOUFU_TEST_HOME"] = str(home)
    if external := os.environ.get("HOUFU_TEST_DATABASE_URL"):
        os.environ["HOUFU_TEST_ADMIN"] = external
        os.environ["HOUFU_TEST_URL"] = external.rsplit("/", 1)[0]
        return
    server = config.stash[_server] = postgres.Server(home)
    server.start()
    os.environ["HOUFU_TEST_ADMIN"] = server.admin_url
    os.environ["HOUFU_TEST_URL"] = (postgres.url(home, "houfu_owner") or "").rsplit("/", 1)[0]


def _create(name: str, template: str) -> None:
    owner = os.environ["HOUFU_TEST_URL"].split("//")[1].split(":")[0]
    with _admin() as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" OWNER "{owner}"')
        admin.execute(f'REVOKE TEMPORARY ON DATABASE "{name}" FROM PUBLIC')  # what a template does not pass on


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


@contextmanager
def own_database(template: str = TEMPLATE) -> Iterator[str]:
    """Have a copy of a database that nobody else uses while the block runs, and return its address.

    Args:
        template: its name; what is copied unless told otherwise is a database as it is after the migrations.
    """
    from django.db import connection, connections

    before = connection.settings_dict["NAME"]
    name = f"houfu_{uuid4().hex[:12]}"
    connections.close_all()
    _create(name, template)
    _point_at(name)
    try:
        yield _url(name)
    finally:
        _point_at(before)
        with _admin() as admin:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def fresh_db(clock: clocks.SteppedClock) -> Iterator[str]:
    """A database of the test's own, dropped afterwards."""
    with own_database() as url:
        yield url


@pytest.fixture(scope="module")
def platform() -> Iterator[str]:
    """A database for the tests of one file, in which `houfu verify` must find nothing wrong in the end."""
    from houfu.verify import queries

    with own_database() as url:
        yield url
        assert queries.run().findings == []


@pytest.fixture
def proven_db(fresh_db: str) -> Iterator[str]:
    """A database of the test's own, in which `houfu verify` must find nothing wrong at the test's end."""
    yield fresh_db
    from houfu.verify import queries

    assert queries.run().findings == []


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    """A simulated channel in a process of its own, for all tests of this process."""
    with running_simulator(tmp_path_factory.mktemp("simulator")) as channel:
        yield channel


@pytest.fixture
def channel(simulator: Simulated, clock: clocks.SteppedClock) -> Iterator[Simulated]:
    """The simulated channel, well-behaved until told otherwise; its clock and ours are one, at Monday ten."""
    simulator.hands.set(MONDAY_TEN)
    simulator.reset()
    with clocks.standing_at(simulator.hands):
        yield simulator
