"""The sender as a process: killed outright in the middle, it has lost nothing."""

import os
import signal
import subprocess
import sys
from collections import Counter

import pytest

from houfu.testing.plugin import own_database
from houfu.webhooks.tests.ground import happen, listen, shop
from houfu.webhooks.tests.listener import OK, listening

EVENTS = 12


@pytest.fixture
def database(db):
    with own_database() as url:
        yield url


def start(url):
    command = [sys.executable, "-m", "houfu", "webhooks", "send", "--pause", "0.05"]
    return subprocess.Popen(command, env={**os.environ, "DATABASE_URL": url}, stderr=subprocess.PIPE)


@pytest.mark.slow
def test_whoever_kills_the_sender_outright_loses_nothing(database):
    running = []

    def answer(line):
        if len(listener.requests) == 4:  # received, not answered
            running[0].send_signal(signal.SIGKILL)
        line.sendall(OK)

    with listening(answer, tls=False) as listener:
        ours = shop()
        ear = listen(ours, url=f"http://127.0.0.1:{listener.port}/", verbs=["payout.*"])
        happen(ours, *(f"payout.n{chr(97 + n)}" for n in range(EVENTS)))
        running.append(start(database))
        assert running[0].wait(60) == -signal.SIGKILL
        owed = ear.states.count("pending")
        assert owed > EVENTS - 4
        second = start(database)
        listener.hear(len(listener.requests) + owed)
        second.terminate()  # what was heard is concluded before it ends
        assert second.wait(20) == 0
        assert ear.states == ["delivered"] * EVENTS
        for process in (*running, second):
            process.stderr.close()
        ids = Counter(
            next(line.split(": ")[1] for line in head if line.lower().startswith("webhook-id"))
            for head, _ in listener.requests
        )
        assert len(ids) == EVENTS
        assert max(ids.values()) <= 2
        assert ids.total() <= EVENTS + 4
