"""The embedded PostgreSQL under those who start it, kill it and start it again: what it acknowledged stays."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import psycopg
import pytest

from houfu.kernel import postgres
from houfu.kernel.postgres import HomeInUse, PostgresFailed, Server, UnsafePostgres, refuse_unsafe

# A process that serves a data folder until SIGTERM, as `houfu up` does.
SERVES = """
import signal, sys, threading
from pathlib import Path
from houfu.kernel.postgres import Server
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
server = Server(Path(sys.argv[1]))
server.start()
print(server.postmaster, flush=True)
stop.wait()
server.stop()
"""


@contextmanager
def served_elsewhere(home):
    """Let another process serve a data folder, and yield that process and the postmaster's id."""
    process = subprocess.Popen([sys.executable, "-c", SERVES, str(home)], stdout=subprocess.PIPE, text=True)
    try:
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A data folder whose cluster is made, with a table to write to; nobody serves it."""
    folder = tmp_path_factory.mktemp("postgres")
    server = Server(folder)
    server.start()
    with psycopg.connect(server.admin_url) as session:
        session.execute("CREATE TABLE told (n integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY)")
    server.stop()
    return folder


@pytest.fixture
def server(home):
    """The server of that folder, running."""
    running = Server(home)
    running.start()
    yield running
    running.stop()


def tell(session):
    """Write one more row, and return its number."""
    return session.execute("INSERT INTO told DEFAULT VALUES RETURNING n").fetchone()[0]


def commit(home):
    with psycopg.connect(Server(home).admin_url) as session:
        return tell(session)


def told(home):
    with psycopg.connect(Server(home).admin_url) as session:
        return {n for (n,) in session.execute("SELECT n FROM told")}


def kill(server):
    """Kill the postmaster, so that it can tidy up nothing."""
    os.kill(server.postmaster, signal.SIGKILL)
    server.process.wait()


def last_log(home):
    """Return what PostgreSQL has said since it was started last."""
    return (home / "postgres.log").read_text().rpartition("starting PostgreSQL")[2]


def command_of(pid):
    """Return what a process was started as, or nothing if it has ended meanwhile, as a server's helpers do."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def begin_recovery(home, server):
    """Kill one of its processes, so that the server begins to recover, and return before it has."""
    (victim,) = (pid for pid in server._serving() if "checkpointer" in command_of(pid))
    os.kill(victim, signal.SIGKILL)
    while "was interrupted" not in last_log(home):
        threading.Event().wait(0.001)


def test_the_first_start_makes_a_cluster_that_only_this_machine_and_its_logins_can_enter(home, server):
    assert not {"initdb.word", "postgres.new"} & {path.name for path in home.iterdir()}
    assert (home / "secrets.json").stat().st_mode & 0o077 == 0
    asked = ("listen_addresses", "unix_socket_directories", "data_checksums", "fsync", "full_page_writes")
    with psycopg.connect(server.admin_url) as session:
        found = [session.execute(f"SHOW {name}").fetchone()[0] for name in asked]
    assert found == ["127.0.0.1", "", "on", "on", "on"]
    address = postgres.url(home, "houfu_runtime")
    psycopg.connect(address).close()
    password = json.loads((home / "secrets.json").read_text())["houfu_runtime"]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(address.replace(password, "guess"))


def test_of_its_logins_the_one_that_backs_up_goes_past_policies_and_writes_nothing(home, server, tmp_path):
    with psycopg.connect(server.admin_url) as session:
        past = session.execute("SELECT rolname FROM pg_roles WHERE rolbypassrls AND rolname LIKE 'houfu%'").fetchall()
    assert past == [("houfu_backup",)]
    address = postgres.url(home, "houfu_backup")
    with psycopg.connect(address) as session, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        session.execute("CREATE TABLE x ()")
    postgres.dump(address, tmp_path / "x.dump")
    assert (tmp_path / "x.dump").stat().st_size > 0


def test_a_server_that_was_stopped_is_known_to_nobody_and_starts_on_its_old_port(home, server):
    row, address = commit(home), postgres.url(home, "houfu_owner")
    server.stop()
    assert postgres.url(home, "houfu_owner") is None
    assert not (home / "postgres" / "postmaster.pid").exists()
    with served_elsewhere(home):
        assert postgres.url(home, "houfu_owner") == address
        assert row in told(home)


def test_a_port_that_somebody_took_meanwhile_is_left_to_them(home, server):
    before = server.admin_url
    server.stop()
    with socket.create_server(("127.0.0.1", int((home / "postgres.port").read_text()))):
        server.start()
        assert server.admin_url != before
        assert commit(home)


def test_what_was_acknowledged_survives_kill_9_of_the_postmaster_at_any_moment(home, server):
    """One session writes row after row; three times the postmaster is killed among them."""
    acknowledged = set()
    for _ in range(3):
        enough = threading.Event()

        def write(enough=enough):
            address = server.admin_url
            with suppress(psycopg.OperationalError), psycopg.connect(address, autocommit=True) as session:
                for n in count():
                    acknowledged.add(tell(session))
                    if n == 20:
                        enough.set()

        before = told(home)
        writer = threading.Thread(target=write)
        writer.start()
        assert enough.wait(60)
        kill(server)
        assert server.revive()
        writer.join()
        assert acknowledged <= told(home)
        assert len(told(home) - before - acknowledged) <= 1  # the one in flight may have been committed
    assert len(acknowledged) > 60


def test_a_backend_that_dies_takes_nothing_along_that_was_committed(home, server):
    """PostgreSQL ends every session then and recovers by itself; nobody has to start it again."""
    row = commit(home)
    session = psycopg.connect(server.admin_url)
    never_committed = tell(session)
    os.kill(session.info.backend_pid, signal.SIGKILL)
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")
    session.close()
    assert server._ready(int((home / "postgres.port").read_text()))
    assert not server.revive()
    assert row in told(home)
    assert never_committed not in told(home)


def test_a_server_told_to_stop_while_it_recovers_is_ended_all_the_same(home, server, monkeypatch):
    monkeypatch.setattr(postgres, "PATIENCE", 0.2)
    row = commit(home)
    begin_recovery(home, server)
    server.stop()
    assert last_log(home).rstrip().endswith("database system is shut down")
    with served_elsewhere(home):
        assert row in told(home)


def test_a_server_that_is_well_or_told_to_stop_is_not_revived(server):
    process = server.process
    assert not server.revive()
    assert server.process is process
    server.stop()
    assert not server.revive()
    assert process.poll() is not None


def test_a_second_server_of_one_folder_is_refused_and_the_first_goes_on(home, server):
    with pytest.raises(HomeInUse) as refused:
        Server(home).start()
    assert refused.value.details == {"home": str(home), "process": str(os.getpid())}
    assert commit(home)


def test_two_processes_cannot_serve_one_folder(home):
    with served_elsewhere(home) as (process, _):
        with pytest.raises(HomeInUse) as refused:
            Server(home).start()
        assert refused.value.details["process"] == str(process.pid)
        assert commit(home)


def test_a_server_left_behind_while_it_recovers_does_not_stop_the_next(home, monkeypatch):
    """It was told to stop when its parent died, and would never end by itself."""
    monkeypatch.setattr(postgres, "PATIENCE", 0.2)
    with served_elsewhere(home) as (process, _):
        row, again = commit(home), Server(home)
        begin_recovery(home, again)
        process.kill()
        process.wait()
        again.start()
        assert row in told(home)
        again.stop()


@pytest.mark.parametrize("first", ["process", "postmaster"])
def test_a_process_that_was_killed_leaves_nothing_in_the_way_of_the_next(home, first):
    with served_elsewhere(home) as (process, postmaster):
        row = commit(home)
        if first == "postmaster":
            os.kill(postmaster, signal.SIGKILL)
        process.kill()
        process.wait()
        again = Server(home)
        again.start()
        assert again.postmaster != postmaster
        assert row in told(home)
        again.stop()


def test_a_process_id_that_is_somebody_elses_by_now_stops_nobody(home, server, tmp_path):
    """After the machine was started anew, a dead server's process id may be that of another folder's PostgreSQL."""
    row, note = commit(home), home / "postgres" / "postmaster.pid"
    kill(server)
    _, rest = note.read_text().split("\n", 1)
    server.stop()
    other = Server(tmp_path)
    other.start()
    try:
        for innocent in (other.postmaster, os.getpid()):
            note.write_text(f"{innocent}\n{rest}")
            server.start()
            assert row in told(home)
            kill(server)
            server.stop()
        assert other.process.poll() is None
    finally:
        other.stop()


def test_sigterm_ends_a_serving_process_with_its_database_shut_down_in_order(home):
    with served_elsewhere(home) as (process, postmaster):
        client = psycopg.connect(Server(home).admin_url)
        process.terminate()
        assert process.wait() == 0  # though the client has not gone
        client.close()
        with pytest.raises(ProcessLookupError):
            os.kill(postmaster, 0)
    assert last_log(home).rstrip().endswith("database system is shut down")
    assert not (home / "postgres" / "postmaster.pid").exists()


def test_a_start_that_failed_says_what_postgresql_said_and_leaves_the_folder_free(home, monkeypatch):
    monkeypatch.setitem(postgres.SETTINGS, "shared_buffers", "a lot")
    server = Server(home)
    with pytest.raises(PostgresFailed) as refused:
        server.start()
    server.stop()
    assert "shared_buffers" in refused.value.details["said"]
    monkeypatch.undo()
    with served_elsewhere(home):
        assert commit(home)


def test_settings_under_which_acknowledged_work_may_be_lost_are_refused_all_together(home, monkeypatch):
    for name in ("fsync", "full_page_writes", "synchronous_commit"):
        monkeypatch.setitem(postgres.SETTINGS, name, "off")
    server = Server(home)
    with pytest.raises(UnsafePostgres) as refused:
        server.start()
    server.stop()
    assert refused.value.details == {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


@pytest.mark.parametrize("value", ["off", "local", "on"])
def test_a_login_that_does_not_wait_for_the_disk_is_refused(server, value):
    with psycopg.connect(server.admin_url, options=f"-c synchronous_commit={value}") as session:
        if value == "off":
            with pytest.raises(UnsafePostgres) as refused:
                refuse_unsafe(session)
            assert refused.value.details == {"synchronous_commit": "off"}
        else:
            refuse_unsafe(session)
