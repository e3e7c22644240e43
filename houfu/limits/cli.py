"""houfu limit: how much open exposure a store may carry."""

from dataclasses import asdict

import click

from houfu.kernel.terminal import YUAN, emit, fields, json_option, operator_option
from houfu.limits import actions, queries
from houfu.people.actor import operator

LOAN = "id store_id amount_fen repaid_fen state opened_at due_at"


@click.group()
def limit() -> None:
    """Own limits, temporary loans, tolerance."""


@limit.command()
@click.argument("merchant_id", type=int)
@click.argument("store_id", type=int)
@operator_option
@json_option
def show(merchant_id: int, store_id: int, operator_: str, as_json: bool) -> None:
    """Show a store's limits as the next order would meet them. Example: houfu limit show 1 1"""
    emit(asdict(queries.figures(operator(operator_), merchant_id, store_id)), as_json)


@limit.command()
@click.argument("merchant_id", type=int)
@click.argument("store_id", type=int)
@click.argument("amount", type=YUAN)
@operator_option
def grant(merchant_id: int, store_id: int, amount: int, operator_: str) -> None:
    """Give a store own limit, in yuan. Example: houfu limit grant 1 1 50000"""
    actions.grant(by=operator(operator_), merchant_id=merchant_id, store_id=store_id, amount_fen=amount)


@limit.command()
@click.argument("merchant_id", type=int)
@click.argument("store_id", type=int)
@click.argument("amount", type=YUAN)
@click.option("--reason", required=True)
@operator_option
def reduce(merchant_id: int, store_id: int, amount: int, reason: str, operator_: str) -> None:
    """Take own limit that is not in use. Example: houfu limit reduce 1 1 1000 --reason 逾期"""
    actions.reduce(by=operator(operator_), merchant_id=merchant_id, store_id=store_id, amount_fen=amount, reason=reason)


@limit.command()
@click.argument("merchant_id", type=int)
@click.argument("store_id", type=int)
@click.argument("amount", type=YUAN)
@operator_option
@json_option
def lend(merchant_id: int, store_id: int, amount: int, operator_: str, as_json: bool) -> None:
    """Lend a store limit for a few days. Example: houfu limit lend 1 1 5000"""
    loan = actions.lend(by=operator(operator_), merchant_id=merchant_id, store_id=store_id, amount_fen=amount)
    emit(fields(loan, LOAN), as_json)


@limit.command()
@click.argument("merchant_id", type=int)
@operator_option
@json_option
def loans(merchant_id: int, operator_: str, as_json: bool) -> None:
    """List a merchant's loans. Example: houfu limit loans 1"""
    emit([fields(row, LOAN) for row in queries.loans(operator(operator_), merchant_id)], as_json)


@limit.command()
@click.argument("merchant_id", type=int)
@click.argument("store_id", type=int)
@click.argument("text")
@operator_option
def note(merchant_id: int, store_id: int, text: str, operator_: str) -> None:
    """Open the band above a store's limit for a day. Example: houfu limit note 1 1 双十一备货已到"""
    actions.note_tolerance(by=operator(operator_), merchant_id=merchant_id, store_id=store_id, note=text)
