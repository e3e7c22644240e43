"""houfu webhooks: the room's own commands, and the process that sends."""

import click

from houfu.cli import opening
from houfu.cli.up import told_to_stop
from houfu.webhooks.cli import cli


@cli.command()
@click.option("--pause", default=1.0, show_default=True, help="Seconds between rounds when there was nothing to do.")
def send(pause: float) -> None:
    """Tell endpoints alone what they are owed; one sender works at a time. Example: houfu webhooks send"""
    from houfu.webhooks.sender import Sender

    opening.as_web()
    Sender(stopping=told_to_stop()).serve(pause)


__all__ = ["cli"]
