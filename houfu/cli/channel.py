"""houfu channel: accounts at channels, and whether the channels answer."""

from dataclasses import asdict

import click

from houfu.channels.probe import probe
from houfu.kernel.terminal import emit, json_option, operator_option
from houfu.merchants.cli import channel
from houfu.people.actor import operator


@channel.command("probe")
@operator_option
@json_option
def probe_(operator_: str, as_json: bool) -> None:
    """Ask every channel about a transfer that was never sent; 1 where one does not answer.

    Example: houfu channel probe
    """
    found = probe(operator(operator_))
    emit([asdict(each) for each in found], as_json)
    if not all(each.answers for each in found):
        raise click.exceptions.Exit(1)


__all__ = ["channel"]
