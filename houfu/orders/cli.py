"""houfu order: orders and what happens to them."""

import sys
from dataclasses import asdict
from datetime import datetime

import click
from msgspec import structs

from houfu.kernel import clock
from houfu.kernel.terminal import AT, YUAN, emit, fields, json_option, operator_option
from houfu.orders import actions, queries
from houfu.orders.steps import Step
from houfu.people.actor import operator

ORDER = "id store_id amount_fen state authorised_at refunded_fen reasons"
STEPS = {
    "shipped": actions.ship,
    "received": actions.receive,
    "cancelled": actions.cancel,
    "refunded": actions.refund,
    "disputed": actions.dispute,
    "resolved": actions.resolve,
    "written_off": actions.write_off,
}


@click.group("order")
def cli() -> None:
    """From authorised to closed."""


@cli.command()
@click.argument("merchant_id", type=int)
@click.argument("store_id", type=int)
@click.argument("order_id")
@click.argument("amount", type=YUAN)
@click.option("--at", type=AT, help="When it was placed; now.")
@operator_option
@json_option
def authorise(
    merchant_id: int, store_id: int, order_id: str, amount: int, at: datetime | None, operator_: str, as_json: bool
) -> None:
    """Decide an order; exit 3 where it is declined. Example: houfu order authorise 1 1 D0001 280"""
    wanted = actions.NewOrder(merchant_id, order_id, store_id, amount, at or clock.now())
    decision = actions.authorise(by=operator(operator_), orders=[wanted])[0]
    emit(structs.asdict(decision), as_json)
    sys.exit(3 if decision.reasons else 0)


@cli.command()
@click.argument("merchant_id", type=int)
@click.argument("order_id")
@click.argument("kind", type=click.Choice(sorted(STEPS)))
@click.option("--at", type=AT, help="When it happened; now.")
@click.option("--ref", default="", help="A refund's number, a tracking or proof number.")
@click.option("--amount", type=YUAN, default="0", help="Of a refund, in yuan.")
@click.option("--evidence", type=click.Choice(["platform", "carrier", "manual"]), default="platform", show_default=True)
@click.option("--note", default="")
@operator_option
@json_option
def step(
    merchant_id: int,
    order_id: str,
    kind: str,
    at: datetime | None,
    ref: str,
    amount: int,
    evidence: str,
    note: str,
    operator_: str,
    as_json: bool,
) -> None:
    """Say what happened to an order; exit 3 where it cannot be. Example: houfu order step 1 D0001 shipped"""
    said = Step(order_id, at or clock.now(), ref=ref, amount_fen=amount, evidence=evidence, note=note)
    outcome = STEPS[kind](by=operator(operator_), merchant_id=merchant_id, steps=[said])[0]
    emit(asdict(outcome), as_json)
    sys.exit(3 if outcome.outcome == "refused" else 0)


@cli.command("list")
@click.argument("merchant_id", type=int)
@click.option("--store", "store_id", type=int)
@click.option("--state", default="")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@operator_option
@json_option
def list_(merchant_id: int, store_id: int | None, state: str, limit: int, operator_: str, as_json: bool) -> None:
    """List orders, newest first. Example: houfu order list 1 --state declined"""
    found = queries.orders(operator(operator_), merchant_id, store_id=store_id, state=state, limit=limit)
    emit([fields(row, ORDER) for row in found], as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@click.argument("order_id")
@operator_option
@json_option
def show(merchant_id: int, order_id: str, operator_: str, as_json: bool) -> None:
    """Show an order with the sources it stands on. Example: houfu order show 1 D0001"""
    found = queries.access_order(operator(operator_), "orders:read", merchant_id, order_id)
    emit(fields(found, ORDER + " buyer own_fen pool_fen temp_fen tolerance_fen pool_id"), as_json)
