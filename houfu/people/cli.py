"""houfu people: who works at a merchant, in which role, and until when."""

from typing import Any

import click

from houfu.kernel.terminal import YUAN, emit, fields, json_option, operator_option
from houfu.people import actions, queries
from houfu.people.actions import Settings
from houfu.people.actor import operator
from houfu.people.face.cli import face_accuracy, face_check, face_measure
from houfu.people.models import Staff
from houfu.people.rules import ROLES

MEMBER = "id name role state person stores daily_count per_payout_fen monthly_fen"


@click.group()
def people() -> None:
    """The staff of a merchant; merchant 0 is the platform."""


def identity_option(command: Any) -> Any:
    """Ask for the number of an identity document, unseen; only its keyed digest is kept."""
    return click.option("--identity", prompt="Identity number", hide_input=True, help="Asked for when not given.")(
        command
    )


@people.command("create-owner")
@click.argument("merchant_id", type=int)
@click.option("--name", required=True)
@identity_option
@operator_option
@json_option
def create_owner(merchant_id: int, name: str, identity: str, operator_: str, as_json: bool) -> None:
    """Invite a merchant's first person, or the platform's (0). Example: houfu people create-owner 1 --name 王芳"""
    _invited(
        actions.create_owner(by=operator(operator_), merchant_id=merchant_id, name=name, identity=identity), as_json
    )


@people.command()
@click.argument("merchant_id", type=int)
@click.option("--name", required=True)
@click.option("--role", type=click.Choice(sorted(ROLES)), required=True)
@click.option("--store", "stores", type=int, multiple=True, help="A store of theirs; may be given many times.")
@click.option("--daily-count", type=int, help="Payouts a day; the policy's most if missing (S5).")
@click.option("--per-payout", type=YUAN, help="A lower cap of their own for one payout.")
@click.option("--monthly", type=YUAN, help="A cap for a month, at most the role's; none if missing (S6).")
@identity_option
@operator_option
@json_option
def invite(
    merchant_id: int,
    name: str,
    role: str,
    stores: tuple[int, ...],
    daily_count: int | None,
    per_payout: int | None,
    monthly: int | None,
    identity: str,
    operator_: str,
    as_json: bool,
) -> None:
    """Invite somebody. Example: houfu people invite 1 --name 李雷 --role clerk --store 1"""
    settings = Settings(role, frozenset(stores) or None, daily_count, per_payout, monthly)
    by = operator(operator_)
    _invited(actions.invite(by=by, merchant_id=merchant_id, name=name, identity=identity, settings=settings), as_json)


@people.command("list")
@click.argument("merchant_id", type=int)
@operator_option
@json_option
def list_(merchant_id: int, operator_: str, as_json: bool) -> None:
    """List a merchant's staff. Example: houfu people list 1"""
    emit([_fields(row) for row in queries.everybody(operator(operator_), merchant_id, limit=10_000)], as_json)


@people.command()
@click.argument("merchant_id", type=int)
@click.argument("staff_id", type=int)
@click.option("--role", type=click.Choice(sorted(ROLES)), help="As it is, unless given; so for all of these.")
@click.option("--store", "stores", type=int, multiple=True, help="A store of theirs; may be given many times.")
@click.option("--daily-count", type=int, help="Payouts a day (S5).")
@click.option("--per-payout", type=YUAN, help="A lower cap of their own for one payout.")
@click.option("--monthly", type=YUAN, help="A cap for a month, at most the role's; none if missing (S6).")
@operator_option
@json_option
def change(
    merchant_id: int,
    staff_id: int,
    role: str | None,
    stores: tuple[int, ...],
    daily_count: int | None,
    per_payout: int | None,
    monthly: int | None,
    operator_: str,
    as_json: bool,
) -> None:
    """Set role, stores or caps. Example: houfu people change 1 3 --role store_manager --store 1

    A new role starts without the stores and caps of the old one.
    """
    found = queries.staff(merchant_id, staff_id)
    kept = found if role in (None, found.role) else None
    settings = Settings(
        role or found.role,
        frozenset(stores) or (kept.stores if kept else None),
        daily_count or found.daily_count,
        per_payout or (kept.per_payout_fen if kept else None),
        monthly or (kept.monthly_fen if kept else None),
    )
    by = operator(operator_)
    emit(_fields(actions.change(by=by, merchant_id=merchant_id, id=staff_id, settings=settings)), as_json)


@people.command()
@click.argument("merchant_id", type=int)
@click.argument("staff_id", type=int)
@click.option("--reason", required=True)
@operator_option
def disable(merchant_id: int, staff_id: int, reason: str, operator_: str) -> None:
    """End what somebody may do, at once. Example: houfu people disable 1 3 --reason left"""
    actions.disable(by=operator(operator_), merchant_id=merchant_id, id=staff_id, reason=reason)


@people.command()
@click.argument("merchant_id", type=int)
@click.argument("staff_id", type=int)
@operator_option
def enable(merchant_id: int, staff_id: int, operator_: str) -> None:
    """Let somebody work again. Example: houfu people enable 1 3"""
    actions.enable(by=operator(operator_), merchant_id=merchant_id, id=staff_id)


@people.command()
@click.argument("merchant_id", type=int)
@click.argument("staff_id", type=int)
@operator_option
@json_option
def recover(merchant_id: int, staff_id: int, operator_: str, as_json: bool) -> None:
    """Let somebody who lost their factors begin anew. Example: houfu people recover 1 3 --as li

    A second person must ask for the same within 72 hours, and then gets the invitation.
    """
    _invited(actions.recover(by=operator(operator_), merchant_id=merchant_id, id=staff_id), as_json)


@people.command()
@click.argument("merchant_id", type=int)
@operator_option
@json_option
def access(merchant_id: int, operator_: str, as_json: bool) -> None:
    """List who of the platform was let in. Example: houfu people access 1"""
    found = queries.access_grants(operator(operator_), merchant_id, limit=10_000)
    emit([fields(row, "id asked_by reason scopes hours state asked_at expires_at in_force") for row in found], as_json)


@people.command("end-access")
@click.argument("merchant_id", type=int)
@click.argument("grant_id", type=int)
@operator_option
def end_access(merchant_id: int, grant_id: int, operator_: str) -> None:
    """End an access, at once. Example: houfu people end-access 1 12"""
    actions.revoke_access(by=operator(operator_), merchant_id=merchant_id, id=grant_id)


def _invited(made: tuple[Staff, str], as_json: bool) -> None:
    member, invitation = made
    emit({**_fields(member), "invitation": invitation}, as_json)


def _fields(member: Staff) -> dict[str, Any]:
    stores = None if member.stores is None else sorted(member.stores)
    return {**fields(member, MEMBER), "stores": stores}


people.add_command(face_measure)
people.add_command(face_accuracy)
people.add_command(face_check)
