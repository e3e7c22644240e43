"""Forked processes: how they end is told as it was, nothing of ours stays open in them, and they go when we go."""

import os
import signal
import sys
import threading
from pathlib import Path
from subprocess import TimeoutExpired

import pytest

from houfu.site.forking import Forked

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")


def stay():
    """Do nothing until somebody ends it."""
    threading.Event().wait(60)


def leave(code):
    def run():
        sys.exit(code)

    return run


def break_down():
    raise RuntimeError("as it may happen")


@pytest.mark.parametrize(("run", "code"), [
    (lambda: None, 0), (leave(None), 0), (leave(0), 0), (leave(3), 3), (leave("said"), 1), (break_down, 1),
])  # fmt: skip
def test_how_it_ended_is_told(run, code):
    process = Forked("test", run)
    assert (process.wait(20), process.poll(), process.returncode) == (code, code, code)


@pytest.mark.parametrize(("verb", "number"), [("terminate", signal.SIGTERM), ("kill", signal.SIGKILL)])
def test_it_is_ended_by_who_started_it(verb, number):
    process = Forked("test", stay)
    assert process.poll() is None
    with pytest.raises(TimeoutExpired):
        process.wait(0.05)
    getattr(process, verb)()
    assert process.wait(20) == -number
    process.kill()  # which is nobody's any more, and harmless


def test_it_is_ended_even_where_we_would_not_be():
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        process = Forked("test", stay)
    finally:
        signal.signal(signal.SIGTERM, before)
    process.terminate()
    assert process.wait(20) == -signal.SIGTERM


def test_nothing_of_ours_is_open_in_it_and_it_has_a_name_of_its_own(tmp_path):
    ours = (tmp_path / "ours").open("w")
    os.set_inheritable(ours.fileno(), True)

    def tell():
        there = [Path(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
        (tmp_path / "open").write_text("\n".join(str(each.readlink()) for each in there if each.exists()))
        (tmp_path / "name").write_text(Path("/proc/self/comm").read_text())

    assert Forked("door", tell).wait(20) == 0
    ours.close()
    found = (tmp_path / "open").read_text().split("\n")
    assert found.count("/dev/null") >= 2
    assert not any(str(tmp_path / "ours") in each or each.startswith("socket:") for each in found)
    assert (tmp_path / "name").read_text() == "houfu-door\n"


def test_it_goes_when_we_go(tmp_path):
    note = tmp_path / "pid"

    def beget():
        child = Forked("child", stay)
        (tmp_path / "new").write_text(str(child.pid))
        (tmp_path / "new").rename(note)
        stay()

    parent = Forked("parent", beget)
    while not note.exists():
        assert parent.poll() is None
    child = Path("/proc") / note.read_text() / "stat"
    parent.kill()
    parent.wait(20)

    def gone():
        try:
            return child.read_text().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    for _ in range(2000):
        if gone():
            break
        threading.Event().wait(0.01)
    assert gone()
