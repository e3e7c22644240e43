"""The door on a port, in front of a web process, on a database of these tests' own."""

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2
import psycopg
from django.db import connection, connections, transaction

from houfu.kernel import clock as clocks
from houfu.kernel import db, isolation
from houfu.orders.intake import app, serve
from houfu.people import actions as people
from houfu.site import processes
from houfu.testing.plugin import MONDAY_TEN, share_key
from houfu.testing.world import MERCHANT_SCOPES, OPERATOR

SOON = 20  # seconds in which everything here happens
BEAT = 0.01


def eventually(holds):
    """Wait until something holds, and return it."""
    for _ in range(int(SOON / BEAT)):
        if found := holds():
            return found
        threading.Event().wait(BEAT)
    raise AssertionError("it did not happen")


class House:
    """A database, its data folder, and the processes on it."""

    def __init__(self, url, home):
        self.url, self.home, self.web_url = url, home, ""
        clocks.FileClock(home / "clock.json").set(MONDAY_TEN)
        share_key(home)

    @contextmanager
    def process(self, *arguments):
        """Run a command of ours while the block runs; it serves the port that it is given."""
        port = processes.free_port()
        command = [sys.executable, "-m", "houfu", "--home", str(self.home), *arguments, "--port", str(port)]
        process = subprocess.Popen(command, env={**os.environ, "DATABASE_URL": self.url})
        try:
            eventually(lambda: processes.answers(port) or process.poll() is not None)
            yield process, f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()

    @contextmanager
    def door(self, web_url=None, **coalescing):
        """Serve the door from a thread of this process while the block runs."""
        port = processes.free_port()
        door = serve.door(web_url or self.web_url, **coalescing)
        server = serve.server(door, port)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            eventually(lambda: server.started)
            yield Door(f"http://127.0.0.1:{port}", door)
        finally:
            server.should_exit = True
            thread.join()


@dataclass
class Door:
    """A door in a thread, and where it answers."""

    address: str
    app: app.Door


class Caller:
    """A program with a key, at one address."""

    def __init__(self, address, merchant_id, scopes=MERCHANT_SCOPES):
        self.key, self.token = people.create_key(
            by=OPERATOR, merchant_id=merchant_id, name="erp", person="wang", scopes=sorted(scopes)
        )
        self.headers = {"Authorization": f"Bearer {self.token}"}
        self.address = address

    def http(self, **more):
        return httpx2.Client(base_url=self.address, headers=self.headers, timeout=SOON, trust_env=False, **more)

    def __call__(self, method, path, body=None, **headers):
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        with self.http() as http:
            answer = http.request(
                method, f"/v1{path}", content=content, headers={"Content-Type": "application/json", **headers}
            )
        return answer.status_code, answer.json()


@contextmanager
def held(shop):
    """Keep the limit of a shop locked while the block runs, or until let go: no order of it can be decided."""
    let_go, holding = threading.Event(), threading.Event()

    def hold():
        with isolation.acting(shop.owner), transaction.atomic():
            db.call("ledger_lock_v1", [shop.merchant_id], ["q:own:free"], [shop.store])
            holding.set()
            let_go.wait(SOON)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert holding.wait(SOON)
    try:
        yield let_go.set
    finally:
        let_go.set()
        thread.join()


def someone_waits_for_a_lock():
    """Say whether a call is held up by `held`."""
    name = connection.settings_dict["NAME"]
    with psycopg.connect(os.environ["HOUFU_TEST_ADMIN"]) as admin:
        return admin.execute(
            "SELECT FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'", [name]
        ).rowcount  # fmt: skip
