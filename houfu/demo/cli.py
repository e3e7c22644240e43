"""houfu demo: the stories, played on an instance of their own."""

import shlex
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from houfu.demo import living
from houfu.demo.stage import Figure, Stage
from houfu.demo.stories import (
    calendar,
    clerk_splits,
    double_eleven,
    five_stores,
    fresh_food,
    lost_answer,
    policy_turns,
    season,
    supply_chain,
    tiers,
    wholesaler,
    working_day,
)
from houfu.kernel.errors import Refused
from houfu.kernel.terminal import emit, json_option

STORIES: tuple[ModuleType, ...] = (
    double_eleven, lost_answer, tiers, clerk_splits, five_stores, wholesaler, supply_chain, fresh_food, season,
    policy_turns, calendar, working_day,
)  # fmt: skip
BY_NAME = {story.__name__.rpartition(".")[2].replace("_", "-"): story for story in STORIES}
MARK = "demo.log"


class NotADemo(Refused):
    """This folder holds something else than an earlier demo; choose another, or remove it yourself."""

    code = "demo_folder_in_use"


@click.command("demo")
@click.option("--check", is_flag=True, help="On a throw-away data folder; exit 1 unless every figure holds.")
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default=Path(".demo"), show_default=True,
    help="Where the demo's data goes; what an earlier demo left there is removed.",
)  # fmt: skip
@click.option(
    "--story", "names", type=click.Choice(list(BY_NAME)), multiple=True, help="This one alone; may be given many times."
)
@json_option
def cli(check: bool, folder: Path, names: tuple[str, ...], as_json: bool) -> None:
    """Play the stories through real processes and show the figures. Example: houfu demo --check --json"""
    stories = [story for name, story in BY_NAME.items() if name in names or not names]
    if check:
        with tempfile.TemporaryDirectory(prefix="houfu-demo-") as thrown_away:
            sys.exit(_play(Path(thrown_away) / "data", stories, as_json, stay=False, kept=False))
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise NotADemo(folder=str(folder))
    shutil.rmtree(folder, ignore_errors=True)
    sys.exit(_play(folder.absolute(), stories, as_json, stay=sys.stdout.isatty(), kept=True))


def _play(home: Path, stories: Sequence[ModuleType], as_json: bool, *, stay: bool, kept: bool) -> int:
    """Play stories one after another and return the exit code.

    Those whose clock stands elsewhere each have an instance of their own, which is thrown away; all others meanwhile
    share one, whose clock moves forward from story to story.

    Args:
        stay: whether the instance goes on until it is told to end.
        kept: whether its data is there afterwards.
    """
    started = time.monotonic()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    say: Callable[[str], None] = (lambda text: None) if as_json else click.echo
    apart, together = _stages(stories)
    figures: list[Figure] = []
    findings: list[object] = []
    with ThreadPoolExecutor(max_workers=len(apart) + 1) as aside, _begun(home, together, figures, say) as stage:
        played = [aside.submit(_play_apart, story) for story in apart]
        report = _perform(stage, together, say)
        for each in played:
            of_its_own, lines, found = each.result()
            for line in lines:
                say(line)
            figures, findings = [*figures, *of_its_own], [*findings, *found]
        report = {**report, "findings": [*findings, *report["findings"]]}
        _show(figures, report, round(time.monotonic() - started, 1), as_json)
        if stay:
            click.echo(
                f"\nThe console: {stage.address.replace('127.0.0.1', 'localhost')}/ — choose one of the demo's people."
            )
            click.echo(f"The API answers at {stage.address}/v1 (OpenAPI at /v1/openapi.json). Ctrl-C ends the demo.")
            living.live(stage, stage.shops.get(working_day.MERCHANT), stop)
        elif kept and not as_json:
            again = f"houfu --home {shlex.quote(str(home))} up"
            click.echo(f"\nConsole and API answered at {stage.address}; start them again with: {again}")
    return 0 if all(figure.holds for figure in figures) and not report["findings"] else 1


def _play_apart(story: ModuleType) -> tuple[list[Figure], list[str], list[object]]:
    """Play a story on an instance of its own; return its figures, what was to be said, and what was found wrong."""
    figures: list[Figure] = []
    lines: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="houfu-demo-") as own,
        _begun(Path(own), [story], figures, lines.append) as stage,
    ):
        return figures, lines, _perform(stage, [story], lines.append)["findings"]


def _stages(stories: Sequence[ModuleType]) -> tuple[list[ModuleType], list[ModuleType]]:
    """Return the stories that are played apart, and those that share the last instance, at least one."""
    together = [story for story in stories if not getattr(story, "ALONE", False)] or [stories[-1]]
    return [story for story in stories if story not in together], together


def _begun(home: Path, stories: Sequence[ModuleType], figures: list[Figure], say: Callable[[str], None]) -> Stage:
    """Return an instance whose clock stands where the first of some stories begins."""
    return Stage(home, getattr(stories[0], "BEGINS", double_eleven.BEGINS), figures, say=say)


def _perform(stage: Stage, stories: Sequence[ModuleType], say: Callable[[str], None]) -> dict[str, Any]:
    """Play stories on one stage, and return what `houfu verify` says afterwards."""
    for story in stories:
        say(f"\n{story.NAME}")
        story.play(stage)
    return stage.verify()


def _show(figures: Sequence[Figure], report: dict[str, Any], seconds: float, as_json: bool) -> None:
    rows = [
        {
            "story": figure.story,
            "figure": figure.what,
            "expected": figure.expected,
            "found": figure.found,
            "holds": figure.holds,
        }
        for figure in figures
    ]
    if as_json:
        emit({"figures": rows, "verify": report, "seconds": seconds}, True)
        return
    click.echo("")
    emit([{**row, "holds": "✓" if row["holds"] else "✗"} for row in rows], False)
    click.echo(f"\nhoufu verify: {report['checks']} checks, {len(report['findings'])} findings; {seconds} s in all")
