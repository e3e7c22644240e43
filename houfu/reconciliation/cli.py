"""houfu reconciliation: statements and breaks."""

import click

from houfu.kernel.terminal import emit, fields, json_option, operator_option
from houfu.people.actor import operator
from houfu.reconciliation import queries


@click.group("reconciliation")
def cli() -> None:
    """The channels' statements against the books."""


@cli.command()
@click.argument("merchant_id", type=int)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@operator_option
@json_option
def statements(merchant_id: int, limit: int, operator_: str, as_json: bool) -> None:
    """List the statements that were taken in. Example: houfu reconciliation statements 1"""
    found = queries.statements(operator(operator_), merchant_id, limit=limit)
    emit([fields(row, "channel_account_id day final lines fetched_at") for row in found], as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@operator_option
@json_option
def breaks(merchant_id: int, limit: int, operator_: str, as_json: bool) -> None:
    """List the lines with which the books do not agree. Example: houfu reconciliation breaks 1 --json"""
    found = queries.breaks(operator(operator_), merchant_id, limit=limit)
    emit([fields(row, "day no kind ref amount_fen fee_fen code") for row in found], as_json)
