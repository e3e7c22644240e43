"""houfu buyer: what buyers may owe, from their credit scores; for the platform's people."""

from dataclasses import asdict
from datetime import datetime

import click

from houfu.buyers import actions, queries
from houfu.kernel import clock
from houfu.kernel.terminal import AT, emit, json_option, operator_option
from houfu.people.actor import operator


@click.group("buyer")
def cli() -> None:
    """Buyer lines and the scores that make them."""


@cli.command()
@click.argument("channel")
@click.argument("buyer")
@click.argument("points", type=int)
@click.option("--at", type=AT, help="The instant that the score is of; now.")
@click.option("--source", type=click.Choice(["platform", "channel"]), default="platform", show_default=True)
@click.option("--ref", default="", help="Where it can be read again.")
@click.option(
    "--merchant", "merchant_id", type=int, help="Of the store that grants the line; the platform's if not said."
)
@click.option("--store", "store_id", type=int)
@operator_option
@json_option
def score(
    channel: str,
    buyer: str,
    points: int,
    at: datetime | None,
    source: str,
    ref: str,
    merchant_id: int | None,
    store_id: int | None,
    operator_: str,
    as_json: bool,
) -> None:
    """Record a buyer's credit score, which makes their line. Example: houfu buyer score alipay 2088123 680"""
    line = actions.score(
        by=operator(operator_),
        channel=channel,
        buyer=buyer,
        score=points,
        scored_at=at or clock.now(),
        source=source,
        ref=ref,
        merchant_id=merchant_id,
        store_id=store_id,
    )
    emit(asdict(line), as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@click.argument("store_id", type=int)
@click.argument("buyer")
@operator_option
@json_option
def ask(merchant_id: int, store_id: int, buyer: str, operator_: str, as_json: bool) -> None:
    """Ask a store's channel for a buyer's score, and record its word. Example: houfu buyer ask 1 1 2088123"""
    line = actions.ask(by=operator(operator_), merchant_id=merchant_id, store_id=store_id, buyer=buyer)
    emit(asdict(line), as_json)


@cli.command()
@click.argument("channel")
@click.argument("buyer")
@operator_option
@json_option
def show(channel: str, buyer: str, operator_: str, as_json: bool) -> None:
    """Show a buyer's line, what is held of it, and their scores. Example: houfu buyer show alipay 2088123"""
    emit(asdict(queries.line(operator(operator_), channel, buyer)), as_json)
