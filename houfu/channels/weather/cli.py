"""houfu weather: what is known of it, and looking anew."""

import click

from houfu.channels.weather import actions, queries
from houfu.kernel.terminal import emit, fields, json_option, operator_option
from houfu.people.actor import operator


@click.group()
def weather() -> None:
    """What pools know of the weather."""


@weather.command()
@click.argument("merchant_id", type=int)
@operator_option
@json_option
def show(merchant_id: int, operator_: str, as_json: bool) -> None:
    """Show what was last known at a merchant's places. Example: houfu weather show 1"""
    found = queries.known(operator(operator_), merchant_id)
    emit([fields(row, "place provider observed_at asked_at failure rain") for row in found], as_json)


@weather.command()
@operator_option
@json_option
def look(operator_: str, as_json: bool) -> None:
    """Ask the provider about every place whose turn it is. Example: houfu weather look"""
    emit({"believed": actions.look(by=operator(operator_))}, as_json)
