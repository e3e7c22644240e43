"""houfu demo: the stories, played on an instance of their own."""

import shlex
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import click

from houfu.demo import living
from houfu.demo.stage import Stage
from houfu.demo.stories import clerk_splits, double_eleven, lost_answer, tiers, working_day
from houfu.kernel.errors import Refused
from houfu.kernel.terminal import emit, json_option

STORIES = (double_eleven, lost_answer, tiers, clerk_splits, working_day)
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
@json_option
def cli(check: bool, folder: Path, as_json: bool) -> None:
    """Play the stories through real processes and show the figures. Example: houfu demo --check --json"""
    if check:
        with tempfile.TemporaryDirectory(prefix="houfu-demo-") as thrown_away:
            sys.exit(_play(Path(thrown_away) / "data", as_json, stay=False, kept=False))
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise NotADemo(folder=str(folder))
    shutil.rmtree(folder, ignore_errors=True)
    sys.exit(_play(folder.absolute(), as_json, stay=sys.stdout.isatty(), kept=True))


def _play(home: Path, as_json: bool, *, stay: bool, kept: bool) -> int:
    """Play all stories one after another and return the exit code.

    Args:
        stay: whether the instance goes on until it is told to end.
        kept: whether its data is there afterwards.
    """
    started = time.monotonic()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    say: Callable[[str], None] = (lambda text: None) if as_json else click.echo
    with Stage(home, double_eleven.BEGINS, say=say) as stage:
        for story in STORIES:
            say(f"\n{story.NAME}")
            story.play(stage)
        report = stage.verify()
        _show(stage, report, round(time.monotonic() - started, 1), as_json)
        if stay:
            click.echo(
                f"\nThe console: {stage.address.replace('127.0.0.1', 'localhost')}/ — choose one of the demo's people."
            )
            click.echo(f"The API answers at {stage.address}/v1 (OpenAPI at /v1/openapi.json). Ctrl-C ends the demo.")
            living.live(stage, stage.shops[working_day.MERCHANT], stop)
        elif kept and not as_json:
            again = f"houfu --home {shlex.quote(str(home))} up"
            click.echo(f"\nConsole and API answered at {stage.address}; start them again with: {again}")
    return 0 if all(figure.holds for figure in stage.figures) and not report["findings"] else 1


def _show(stage: Stage, report: dict[str, object], seconds: float, as_json: bool) -> None:
    rows = [
        {
            "story": figure.story,
            "figure": figure.what,
            "expected": figure.expected,
            "found": figure.found,
            "holds": figure.holds,
        }
        for figure in stage.figures
    ]
    if as_json:
        emit({"figures": rows, "verify": report, "seconds": seconds}, True)
        return
    click.echo("")
    emit([{**row, "holds": "✓" if row["holds"] else "✗"} for row in rows], False)
    findings = report["findings"]
    assert isinstance(findings, list)
    click.echo(f"\nhoufu verify: {report['checks']} checks, {len(findings)} findings; {seconds} s in all")
