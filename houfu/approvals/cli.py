"""houfu approvals: an operator may look; nobody signs at a command line."""

from uuid import UUID

import click

from houfu.approvals import queries
from houfu.kernel.terminal import emit, fields, json_option, operator_option
from houfu.people.actor import operator

REQUEST = "id subject version state chain turn requested_by person opened_at expires_at closed_by note"
SIGNATURE = "step role person delegation_id signed_at"
DELEGATION = "id person role delegate_person starts_at ends_at ended_at ended_by"


@click.group("approvals")
def cli() -> None:
    """What must be agreed to by a chain of roles. An operator looks, and never signs."""


@cli.command("list")
@click.argument("merchant_id", type=int)
@click.option("--state", default="", help="One state alone, such as open.")
@click.option("--subject", default="", help="One thing alone, such as payout/…")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@operator_option
@json_option
def list_(merchant_id: int, state: str, subject: str, limit: int, operator_: str, as_json: bool) -> None:
    """List requests, newest first. Example: houfu approvals list 1 --state open"""
    found = queries.requests(operator(operator_), merchant_id, state=state, subject=subject, limit=limit)
    emit([fields(row, REQUEST) for row in found], as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@click.argument("id", type=click.UUID)
@operator_option
@json_option
def show(merchant_id: int, id: UUID, operator_: str, as_json: bool) -> None:
    """Show what is signed, and by whom. Example: houfu approvals show 1 0193b2c0-0000-7000-8000-000000000001"""
    found = queries.challenge(operator(operator_), merchant_id, id)
    shown = {
        **fields(found.request, REQUEST),
        "shown": found.shown,
        "challenge": found.challenge.hex(),
        "turn_of": found.turn_of,
        "signatures": [fields(row, SIGNATURE) for row in found.signatures],
    }
    emit(shown, as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@click.option("--ended", is_flag=True, help="Those that are over, too.")
@operator_option
@json_option
def delegations(merchant_id: int, ended: bool, operator_: str, as_json: bool) -> None:
    """List who lends a role to whom. Example: houfu approvals delegations 1"""
    found = queries.delegations(operator(operator_), merchant_id, ended=ended)
    emit([fields(row, DELEGATION) for row in found], as_json)
