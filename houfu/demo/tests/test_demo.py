"""The demo proves itself: all stories through real processes, killed at the worst moment, every figure as expected."""

import json
import os
import pkgutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from houfu.demo import stories
from houfu.demo.cli import BY_NAME, STORIES, _stages, cli
from houfu.people.models import ApiKey


@pytest.mark.slow
def test_the_demo_checks_itself_and_touches_no_other_database(db, tmp_path):
    keys = ApiKey.objects.count()
    environment = {**os.environ, "HOUFU_HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "houfu", "demo", "--check", "--json"], env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert [figure for figure in report["figures"] if not figure["holds"]] == []
    assert {figure["story"] for figure in report["figures"]} == {story.NAME for story in STORIES}
    assert len(report["figures"]) >= 38
    assert report["verify"]["findings"] == []
    assert report["verify"]["checks"] >= 20
    assert ApiKey.objects.count() == keys
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    done = subprocess.run(
        [sys.executable, "-m", "houfu", "demo", "--folder", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.split()[:2]) == (3, ["refused:", "demo_folder_in_use:"])
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_every_story_can_be_played_alone_by_its_name():
    assert sorted(BY_NAME) == sorted(each.name.replace("_", "-") for each in pkgutil.iter_modules(stories.__path__))
    assert CliRunner().invoke(cli, ["--check", "--story", "nobody"]).exit_code == 2


def test_stories_with_a_clock_of_their_own_are_played_apart():
    apart, together = _stages(STORIES)
    assert {story.NAME for story in apart} == {"The policy turns", "The calendar"}
    assert [story for story in STORIES if story not in apart] == together
    assert _stages(apart) == (apart[:1], apart[1:])
