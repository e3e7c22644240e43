"""The processes of an instance: started together, watched, started again when they die, stopped in order."""

import json
import logging
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from houfu.kernel.postgres import Server
from houfu.site.forking import Forked

log = logging.getLogger("houfu.up")
BEAT = 0.1  # seconds between two looks at the processes
GRACE = 10  # seconds that a process has to end by itself
NOTE = "processes.json"


def free_port(wanted: int = 0) -> int:
    """Return `wanted` if it is free on 127.0.0.1, else any that is; 0 asks for any."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise OSError("no free port on 127.0.0.1")


def answers(port: int) -> bool:
    """Say whether something listens on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def running(home: Path) -> dict[str, Any]:
    """Return what `houfu up` noted of its processes: pid and port by name; empty when it does not run."""
    try:
        noted: dict[str, Any] = json.loads((home / NOTE).read_text())
    except FileNotFoundError:
        return {}
    return noted


@dataclass
class Child:
    """One process: what it does, and how often it had to be started."""

    name: str
    run: Callable[[], None]
    port: int | None = None
    process: Forked | None = None
    starts: int = 0
    wait: float = 0


@dataclass
class House:
    """All processes of one data folder.

    Args:
        home: the data folder.
        server: the embedded PostgreSQL, or None where DATABASE_URL names another.
        command: runs the `houfu` command with such arguments.
    """

    home: Path
    server: Server | None
    command: Callable[[Sequence[str]], None]
    children: list[Child] = field(default_factory=list)

    def add(self, name: str, *arguments: str, port: int | None = None) -> None:
        """Start a process of the `houfu` command."""
        child = Child(name, partial(self.command, ["--home", str(self.home), *arguments]), port)
        self.children.append(child)
        self._start(child)

    def watch(self, stop: threading.Event, ready: Callable[[], None]) -> None:
        """Look after the processes until told to stop; call `ready` once every port answers."""
        waiting: Callable[[], None] | None = ready
        while not stop.wait(BEAT):
            if self.server and self.server.revive():
                self._note()
            for child in self.children:
                self._tend(child)
            if waiting and all(child.port is None or answers(child.port) for child in self.children):
                waiting()
                waiting = None

    def stop(self) -> None:
        """End the processes, the last started first, and the database after all of them."""
        for child in reversed(self.children):
            if child.process and child.process.poll() is None:
                child.process.terminate()
        for child in reversed(self.children):
            if child.process:
                try:
                    child.process.wait(GRACE)
                except subprocess.TimeoutExpired:
                    log.warning("%s does not end; killing it", child.name)
                    child.process.kill()
                    child.process.wait()
        if self.children:  # else the note is another's, whose folder we were refused
            (self.home / NOTE).unlink(missing_ok=True)
        if self.server:
            self.server.stop()

    def _tend(self, child: Child) -> None:
        """Start a process again that died, at once the first time, later with a pause that doubles up to 5 seconds."""
        assert child.process
        if child.process.poll() is None:
            return
        if child.wait <= 0:
            log.warning("%s ended with %s; starting it again", child.name, child.process.returncode)
            self._start(child)
            child.wait = min(5, 0.2 * 2**child.starts)
        else:
            child.wait -= BEAT

    def _start(self, child: Child) -> None:
        child.process = Forked(child.name, child.run)
        child.starts += 1
        self._note()

    def _note(self) -> None:
        """Write down which processes there are, for whoever has to find them."""
        noted: dict[str, Any] = {
            child.name: {"pid": child.process.pid, "port": child.port} for child in self.children if child.process
        }
        if self.server and self.server.process:
            noted["postgres"] = {"pid": self.server.postmaster, "port": None}
        draft = self.home / f"{NOTE}.new"
        draft.write_text(json.dumps({"up": {"pid": os.getpid(), "port": None}, **noted}))
        draft.replace(self.home / NOTE)
