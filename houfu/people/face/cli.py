"""houfu people face-…: how far face engines can be believed."""

from pathlib import Path

import click

from houfu.kernel import clock
from houfu.kernel.terminal import emit, fields, json_option, operator_option
from houfu.people.actor import operator
from houfu.people.face import actions, measuring, queries
from houfu.people.face.port import engine

MEASURED = (
    "engine version measured_at measured_by accuracy_permyriad same_pairs other_pairs false_accepts false_rejects"
    " unseen liveness"
)


@click.command("face-measure")
@click.option(
    "--pairs", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True,
    help="CSV: photo_a,photo_b,same (1 or 0), the photos beside it.",
)  # fmt: skip
@click.option("--engine", "name", default="dlib", show_default=True)
@operator_option
@json_option
def face_measure(pairs: Path, name: str, operator_: str, as_json: bool) -> None:
    """Measure a face engine, and record it. Example: houfu people face-measure --pairs pairs.csv --json"""
    measured_engine = engine(name)
    actions.record(by=operator(operator_), engine=measured_engine, measured=measuring.measure(measured_engine, pairs))
    newest = queries.measurements()[0]
    reasons = [reason.code for reason in queries.refusals(measured_engine, clock.now())]
    emit({**fields(newest, MEASURED), "accepted": not reasons, "reasons": reasons}, as_json)


@click.command("face-accuracy")
@json_option
def face_accuracy(as_json: bool) -> None:
    """List what face engines were measured at. Example: houfu people face-accuracy"""
    emit([fields(row, MEASURED) for row in queries.measurements()], as_json)
