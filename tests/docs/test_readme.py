"""The README is held to its word: its session is played command by command, and its figures are counted."""

import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import houfu
from houfu.site.processes import answers, free_port
from houfu.verify.queries import CHECKS

ROOT = Path(houfu.__file__).parent.parent
README = (ROOT / "README.md").read_text()


def bash(script, home, port):
    """Start a block of the README as it stands, but for the data folder and the port, which are this test's own."""
    script = re.sub(r"HOUFU_HOME=\S+", f"HOUFU_HOME={home}", script).replace("8900", str(port))
    script = script.replace("$PWD/.venv/bin", str(Path(sys.executable).parent))
    script = script.replace("houfu up", f"exec houfu up --port {port}")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HOUFU_", "DATABASE_"))}
    shell = [shutil.which("bash") or "/bin/bash", "-e", "-c", script]
    return subprocess.Popen(shell, cwd=ROOT, env=clean, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.slow
def test_the_transfer_of_the_readme_is_made_word_by_word(tmp_path):
    first, *others = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    port = free_port()
    up = bash(first, tmp_path, port)
    try:
        while not answers(port):
            assert up.poll() is None, up.stdout.read()
            threading.Event().wait(0.05)
        with bash("".join(others), tmp_path, port) as session:
            stuck = threading.Timer(240, session.kill)  # it waits for what the instance does
            stuck.start()
            said = session.communicate()[0]
            stuck.cancel()
    finally:
        up.terminate()
        up.communicate()
    assert session.returncode == 0, said
    shown = README.split("```sh")[-1].split("```\n\n```\n")[1].split("```")[0]
    for line in shown.splitlines():
        assert line.strip() == "…" or line in said, said
    assert '"state": "authorised"' in said
    assert '"largest_fen": 185546' in said
    assert "1,840.62  paid out (adds up)" in said
    assert f"{len(list(CHECKS.glob('*.sql')))} checks, 0 findings" in said


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_checks_are_as_many_as_it_says(name):
    said = re.search(r"houfu verify: (\d+) checks", (ROOT / name).read_text())
    assert int(said[1]) == len(list(CHECKS.glob("*.sql")))
