"""houfu instance: whose database this is."""

import json
from datetime import datetime

import click

from houfu.kernel import fence
from houfu.kernel.models import Instance
from houfu.kernel.terminal import AT, emit, json_option
from houfu.site import upkeep


@click.group("instance")
def cli() -> None:
    """Which instance this is, and whether it may send."""


@cli.command()
@json_option
def show(as_json: bool) -> None:
    """Show the identity of this instance. Example: houfu instance show"""
    instance = Instance.objects.get()
    try:
        fence.check()
        sends = True
    except fence.CopiedInstance:
        sends = False
    emit({"id": str(instance.id), "kind": instance.kind, "created_at": instance.created_at, "sends": sends}, as_json)


@cli.command()
@click.argument("instant", type=AT)
def clock(instant: datetime) -> None:
    """Set a trial instance's clock. Example: houfu instance clock 2025-11-10T09:30:00

    Processes that were started before it was ever set go by the machine's clock until they are started again.
    """
    upkeep.set_clock(instant)
    click.echo(f"It is {instant.isoformat()} here.")


@cli.command()
@click.confirmation_option(prompt="Does nothing else send payouts under this identity?")
def adopt() -> None:
    """Let this copy of a database send payouts, as after a restore on a new machine. Example: houfu instance adopt"""
    fence.adopt()
    click.echo(json.dumps({"sends": True}))
