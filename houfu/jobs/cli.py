"""houfu job, houfu export: long work, how far it is, and listings as files."""

import json
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import click

from houfu.jobs import actions, exports, queries, runner
from houfu.jobs.exports import Format
from houfu.jobs.models import Job
from houfu.jobs.tables import Language
from houfu.kernel.errors import Refused
from houfu.kernel.terminal import emit, fields, json_option, operator_option
from houfu.people.actor import Actor, operator

JOB = "id kind state done total asked_by asked_at ended_at code"


@click.group("job")
def job() -> None:
    """Long work, done in the background step by step."""


@job.command("list")
@click.argument("merchant_id", type=int)
@click.option("--state", default="", help="One state alone, such as running.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@operator_option
@json_option
def list_(merchant_id: int, state: str, limit: int, operator_: str, as_json: bool) -> None:
    """List jobs, the latest first. Example: houfu job list 1 --state running"""
    found = queries.jobs(operator(operator_), merchant_id, state=state, limit=limit)
    emit([fields(each, JOB) for each in found], as_json)


@job.command()
@click.argument("merchant_id", type=int)
@click.argument("job_id", type=click.UUID)
@operator_option
@json_option
def show(merchant_id: int, job_id: UUID, operator_: str, as_json: bool) -> None:
    """Show a job. Example: houfu job show 1 01900000-0000-7000-8000-000000000001"""
    emit(_whole(queries.access_job(operator(operator_), merchant_id, job_id)), as_json)


@job.command()
@click.argument("merchant_id", type=int)
@click.argument("job_id", type=click.UUID)
@operator_option
@json_option
def cancel(merchant_id: int, job_id: UUID, operator_: str, as_json: bool) -> None:
    """Call off a job that has not ended. Example: houfu job cancel 1 01900000-0000-7000-8000-000000000001"""
    emit(_whole(actions.cancel(by=operator(operator_), merchant_id=merchant_id, id=job_id)), as_json)


@job.command()
@click.argument("merchant_id", type=int)
@click.argument("job_id", type=click.UUID)
@click.argument("out", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@operator_option
@json_option
def fetch(merchant_id: int, job_id: UUID, out: Path, operator_: str, as_json: bool) -> None:
    """Write a job's file. Example: houfu job fetch 1 01900000-0000-7000-8000-000000000001 orders.csv"""
    emit(_fetched(operator(operator_), merchant_id, job_id, out), as_json)


@click.command("export")
@click.argument("what")
@click.argument("merchant_id", type=int)
@click.option("--reason", required=True, help="What the file is for; the history keeps it.")
@click.option("--format", "format_", type=click.Choice(get_args(Format)), default="csv", show_default=True)
@click.option("--filter", "filters", multiple=True, metavar="NAME=VALUE", help="Such as state=settled; several.")
@click.option("--language", type=click.Choice(get_args(Language)), default="zh-Hans", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Where to write it.")
@operator_option
@json_option
def export(
    what: str, merchant_id: int, reason: str, format_: Format, filters: tuple[str, ...], language: Language,
    out: Path | None, operator_: str, as_json: bool,
) -> None:  # fmt: skip
    """Export orders, payouts, limits, entries or history; without --out it is left to the background.

    Example: houfu export orders 1 --reason 对账 --filter since=2025-11-01T00:00:00+08:00 --out orders.csv
    """
    by = operator(operator_)
    asked = exports.ask(
        by=by, merchant_id=merchant_id, what=what, format=format_, filters=dict(map(_filter, filters)), reason=reason,
        language=language,
    )  # fmt: skip
    if out is None:
        emit(_whole(asked), as_json)
        return
    ended = runner.finish(merchant_id, asked.id)
    if ended.state != "done":
        raise JobFailed(id=str(ended.id), state=ended.state, code=ended.code)
    emit(_fetched(by, merchant_id, asked.id, out), as_json)


class JobFailed(Refused):
    """The job has not come to its end; its code says why."""

    code = "job_failed"


def _filter(said: str) -> tuple[str, Any]:
    name, sign, value = said.partition("=")
    if not sign:
        raise click.BadParameter(f"{said!r} is not written as NAME=VALUE", param_hint="--filter")
    try:
        read = json.loads(value)
    except ValueError:
        read = value
    return name, read if isinstance(read, int) else value


def _fetched(by: Actor, merchant_id: int, job_id: UUID, out: Path) -> dict[str, Any]:
    """Write a job's file and return what it is."""
    found = actions.hand_over(by=by, merchant_id=merchant_id, id=job_id)
    with out.open("wb") as file:
        for piece in queries.pieces(by, found):
            file.write(piece)
    return {"id": str(found.id), "out": str(out), "rows": found.done, "bytes": found.file_bytes}


def _whole(found: Job) -> dict[str, Any]:
    return {
        **fields(found, JOB), "arguments": found.asked, "reason": found.reason, "result": found.outcome,
        "file_name": found.file_name, "file_bytes": found.file_bytes, "expires_at": found.expires_at,
    }  # fmt: skip
