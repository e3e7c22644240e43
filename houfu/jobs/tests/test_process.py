"""The runner as a process, and the commands: killed outright in the middle, an export loses and doubles nothing."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from houfu.history import queries as history
from houfu.jobs import queries
from houfu.jobs.tests.ground import REASON, ask, content, records, sell
from houfu.kernel import isolation
from houfu.testing.plugin import own_database

PATIENCE = 60


@pytest.fixture
def database(db):
    with own_database() as url:
        yield url


def start(url, page):
    code = (
        "import sys; from houfu.cli.main import main; from houfu.cli import opening; opening.setup_django();"
        f" from houfu.jobs import exports; exports.PAGE = {page}; main()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, "job", "work", "--pause", "0.05"],
        env={**os.environ, "DATABASE_URL": url}, stderr=subprocess.PIPE,
    )  # fmt: skip


def until(job, wanted):
    """Look at a job until it is as wanted."""
    ends = time.monotonic() + PATIENCE
    while not wanted(found := queries.job(job.merchant_id, job.id)):
        assert time.monotonic() < ends, (found.state, found.code, found.done)
        threading.Event().wait(0.01)
    return found


@pytest.mark.slow
def test_whoever_kills_the_runner_outright_loses_nothing(database):
    shop = sell(400)
    job = ask(shop)
    first = start(database, page=1)
    until(job, lambda found: found.done >= 5)
    first.send_signal(signal.SIGKILL)
    assert first.wait(PATIENCE) == -signal.SIGKILL
    broken_off = queries.job(job.merchant_id, job.id)
    assert broken_off.state == "running"
    second = start(database, page=50)
    done = until(job, lambda found: found.ended_at)
    second.terminate()
    assert second.wait(PATIENCE) == 0
    for process in (first, second):
        process.stderr.close()
    assert (done.state, done.done) == ("done", 400)
    assert sorted(row["id"] for row in records(content(done, shop.owner))) == sorted(shop.placed)


def run(url, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "houfu", *arguments], env={**os.environ, "DATABASE_URL": url}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_the_commands_export_list_show_fetch_and_cancel(database, tmp_path):
    shop = sell(3)
    m, out = str(shop.merchant_id), tmp_path / "orders.csv"
    asked = ("export", "orders", m, "--reason", REASON, "--as", "li", "--language", "en", "--json")
    code, said, error = run(database, *asked, "--out", str(out), "--filter", "state=authorised")
    assert code == 0, error
    told = json.loads(said)
    assert (told["rows"], told["bytes"]) == (3, out.stat().st_size)
    assert {row["id"] for row in records(out.read_bytes())} == set(shop.placed)
    again = tmp_path / "again.csv"
    assert run(database, "job", "fetch", m, told["id"], str(again))[0] == 0
    assert again.read_bytes() == out.read_bytes()
    waiting = json.loads(run(database, *asked)[1])
    listed = json.loads(run(database, "job", "list", m, "--json")[1])
    assert {each["id"]: each["state"] for each in listed} == {told["id"]: "done", waiting["id"]: "waiting"}
    assert json.loads(run(database, "job", "cancel", m, waiting["id"], "--json")[1])["state"] == "cancelled"
    code, said, _ = run(database, "job", "fetch", m, waiting["id"], str(again), "--json")
    assert (code, json.loads(said)["refused"]) == (3, "job_file_gone")
    assert json.loads(run(database, "job", "show", m, told["id"], "--json")[1])["arguments"]["filters"] == {
        "state": "authorised"
    }
    with isolation.acting(shop.owner):
        verbs = [link.verb for link in history.links(shop.merchant_id, subject=f"job/{told['id']}")]
    assert verbs == ["job.handed_over", "job.handed_over", "job.done", "job.asked"]


def test_a_filter_without_a_value_is_a_mistake_of_usage(database):
    code, _, error = run(database, "export", "orders", "1", "--reason", REASON, "--filter", "state")
    assert (code, "NAME=VALUE" in error) == (2, True)
