"""houfu ledger: balances."""

from datetime import datetime

import click

from houfu.kernel.terminal import AT, emit, json_option
from houfu.ledger import queries


@click.group("ledger")
def cli() -> None:
    """Accounts and what stands on them."""


@cli.command()
@click.argument("merchant_id", type=int)
@click.option("--at", type=AT, help="As of an instant, rebuilt from the entries.")
@json_option
def balances(merchant_id: int, at: datetime | None, as_json: bool) -> None:
    """List a merchant's balances. Example: houfu ledger balances 1 --at 2025-11-11T00:00:00"""
    found = queries.balances_at(merchant_id, at) if at else queries.balances(merchant_id)
    rows = [{"kind": account.kind, "owner": account.owner, "balance_fen": fen} for account, fen in found.items() if fen]
    emit(rows, as_json)
