"""houfu policy: the rules in force."""

import json
from datetime import datetime
from typing import IO

import click

from houfu.kernel import clock
from houfu.kernel.terminal import Named, emit, json_option, operator_option
from houfu.policies import actions, pack, queries


@click.group("policy")
def cli() -> None:
    """Policy packs: every number, with its source, from an instant on."""


@cli.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the packs. Example: houfu policy list --json"""
    now = clock.now()
    in_force = queries.at(now).version
    emit(
        [
            {
                "version": p.version,
                "effective_from": p.effective_from.astimezone(clock.SHANGHAI).isoformat(),
                "in_force": p.version == in_force,
                "title": p.title,
            }
            for p in queries.packs()
        ],
        as_json,
    )


@cli.command()
@click.argument("version", required=False)
@click.option("--at", "instant", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="An instant in Shanghai.")
@json_option
def show(version: str | None, instant: datetime | None, as_json: bool) -> None:
    """Show every number of a pack, or of the one in force. Example: houfu policy show --at 2023-08-31T23:59:59"""
    if version is None:
        version = queries.at(instant.replace(tzinfo=clock.SHANGHAI) if instant else clock.now()).version
    document = json.loads(queries.access_pack(version).document)
    emit(document if as_json else {path: value for path, _, value in pack.diff({}, document)}, as_json)


@cli.command()
@click.argument("old")
@click.argument("new")
@json_option
def diff(old: str, new: str, as_json: bool) -> None:
    """Show what changes from one pack to another. Example: houfu policy diff 2023-09-01 2023-11-01"""
    before, after = (json.loads(queries.access_pack(version).document) for version in (old, new))
    changes = [{"path": path, "old": a, "new": b} for path, a, b in pack.diff(before, after)]
    emit(changes, as_json)


@cli.command()
@click.argument("file", type=click.File(encoding="utf-8"))
@json_option
def check(file: IO[str], as_json: bool) -> None:
    """Show what a pack would change if it were loaded now; nothing is kept. Example: houfu policy check new.toml"""
    draft = actions.check(file.read())
    found = {"version": draft.policy.version, "effective_from": draft.policy.effective_from.isoformat()}
    found["before"] = draft.before.version if draft.before else ""
    changes = [{"path": path, "old": old, "new": new} for path, old, new in draft.changes]
    if as_json:
        emit({**found, "changes": changes}, True)
    else:
        emit(found, False)
        emit(changes, False)


@cli.command()
@click.argument("file", type=click.File(encoding="utf-8"))
@operator_option
@json_option
def load(file: IO[str], operator_: str, as_json: bool) -> None:
    """Load a pack from a TOML file that states what changes. Example: houfu policy load 2027-01-01.toml"""
    loaded = actions.load(by=Named(f"operator/{operator_}"), text=file.read())
    digest = bytes(loaded.digest).hex()
    emit({"version": loaded.version, "effective_from": loaded.effective_from.isoformat(), "digest": digest}, as_json)
