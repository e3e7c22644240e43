"""houfu payout and beneficiary: money out, and where it may go."""

from dataclasses import asdict
from typing import Any
from uuid import UUID, uuid4

import click

from houfu.kernel.money import yuan
from houfu.kernel.terminal import YUAN, emit, fields, json_option, operator_option
from houfu.payouts import actions, queries
from houfu.people.actor import operator

PAYOUT = "id store_id kind amount_fen fee_fen net_fen state code requested_at due_at arrives_by final_at"
BENEFICIARY = "id kind purpose_class holder account_tail state channel_state usable_from"


@click.group()
def beneficiary() -> None:
    """Accounts at Alipay or a bank to which a merchant may be paid out."""


@beneficiary.command()
@click.argument("merchant_id", type=int)
@click.option("--kind", type=click.Choice(["alipay", "bank_corporate"]), required=True)
@click.option("--holder", required=True)
@click.option("--account", required=True, help="The full number or login; kept encrypted.")
@click.option("--class", "purpose_class", default="goods_settlement", show_default=True)
@operator_option
@json_option
def register(
    merchant_id: int, kind: str, holder: str, account: str, purpose_class: str, operator_: str, as_json: bool
) -> None:
    """Register an account. Example: houfu beneficiary register 1 --kind alipay --holder 某某 --account a@b.example"""
    registered = actions.register(
        by=operator(operator_),
        merchant_id=merchant_id,
        kind=kind,
        purpose_class=purpose_class,
        holder=holder,
        account=account,
    )
    emit(fields(registered, BENEFICIARY), as_json)


@beneficiary.command()
@click.argument("merchant_id", type=int)
@click.argument("beneficiary_id", type=int)
@click.option("--document", required=True, help="What it was checked against.")
@operator_option
@json_option
def verify(merchant_id: int, beneficiary_id: int, document: str, operator_: str, as_json: bool) -> None:
    """Say that an account was checked. Example: houfu beneficiary verify 1 1 --document 开户许可证"""
    found = actions.verify(by=operator(operator_), merchant_id=merchant_id, id=beneficiary_id, document=document)
    emit(fields(found, BENEFICIARY), as_json)


@beneficiary.command()
@click.argument("merchant_id", type=int)
@click.argument("beneficiary_id", type=int)
@operator_option
def revoke(merchant_id: int, beneficiary_id: int, operator_: str) -> None:
    """Take an account out of use. Example: houfu beneficiary revoke 1 1"""
    actions.revoke(by=operator(operator_), merchant_id=merchant_id, id=beneficiary_id)


@beneficiary.command("list")
@click.argument("merchant_id", type=int)
@operator_option
@json_option
def list_beneficiaries(merchant_id: int, operator_: str, as_json: bool) -> None:
    """List a merchant's accounts. Example: houfu beneficiary list 1"""
    emit([fields(row, BENEFICIARY) for row in queries.beneficiaries(operator(operator_), merchant_id)], as_json)


@click.group()
def payout() -> None:
    """Settled money of a store on its way to a beneficiary."""


@payout.command()
@click.argument("merchant_id", type=int)
@click.argument("store_id", type=int)
@click.argument("amount", type=YUAN)
@click.option("--to", "beneficiary_id", type=int, required=True, help="The beneficiary.")
@click.option("--purpose", default="goods_settlement", show_default=True)
@operator_option
@json_option
def quote(
    merchant_id: int, store_id: int, amount: int, beneficiary_id: int, purpose: str, operator_: str, as_json: bool
) -> None:
    """Say what a payout would cost and bring, and all against it. Example: houfu payout quote 1 1 500 --to 1"""
    found = queries.quote(
        operator(operator_),
        merchant_id,
        store_id=store_id,
        beneficiary_id=beneficiary_id,
        amount_fen=amount,
        purpose=purpose,
    )
    emit(asdict(found), as_json)


@payout.command()
@click.argument("merchant_id", type=int)
@click.argument("store_id", type=int)
@click.argument("amount", type=YUAN)
@click.option("--to", "beneficiary_id", type=int, required=True, help="The beneficiary.")
@click.option("--purpose", default="goods_settlement", show_default=True)
@click.option("--id", "id_", type=click.UUID, default=uuid4, help="Your own; the same id never asks twice.")
@operator_option
@json_option
def request(
    merchant_id: int,
    store_id: int,
    amount: int,
    beneficiary_id: int,
    purpose: str,
    id_: UUID,
    operator_: str,
    as_json: bool,
) -> None:
    """Ask for a payout, in yuan. Example: houfu payout request 1 1 500 --to 1"""
    asked = actions.request(
        by=operator(operator_),
        id=id_,
        merchant_id=merchant_id,
        store_id=store_id,
        beneficiary_id=beneficiary_id,
        amount_fen=amount,
        purpose=purpose,
    )
    emit(fields(asked, PAYOUT), as_json)


@payout.command("list")
@click.argument("merchant_id", type=int)
@click.option("--store", "store_id", type=int)
@click.option("--state", default="")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@operator_option
@json_option
def list_payouts(merchant_id: int, store_id: int | None, state: str, limit: int, operator_: str, as_json: bool) -> None:
    """List payouts, newest first. Example: houfu payout list 1 --state unknown"""
    found = queries.payouts(operator(operator_), merchant_id, store_id=store_id, state=state, limit=limit)
    emit([fields(row, PAYOUT) for row in found], as_json)


@payout.command()
@click.argument("merchant_id", type=int)
@click.argument("payout_id", type=click.UUID)
@operator_option
@json_option
def show(merchant_id: int, payout_id: UUID, operator_: str, as_json: bool) -> None:
    """Show a payout. Example: houfu payout show 1 0193…"""
    found = queries.access_payout(operator(operator_), "payouts:read", merchant_id, payout_id)
    emit(fields(found, PAYOUT + " beneficiary_id purpose waived policy requested_by"), as_json)


@payout.command()
@click.argument("merchant_id", type=int)
@click.argument("payout_id", type=click.UUID)
@operator_option
@json_option
def cancel(merchant_id: int, payout_id: UUID, operator_: str, as_json: bool) -> None:
    """Call off a payout that has not been sent. Example: houfu payout cancel 1 0193…"""
    emit(fields(actions.cancel(by=operator(operator_), merchant_id=merchant_id, id=payout_id), PAYOUT), as_json)


@payout.command()
@click.argument("merchant_id", type=int)
@click.argument("store_id", type=int)
@click.option("--to", "beneficiary_id", type=int, required=True, help="The beneficiary.")
@click.option("--purpose", default="goods_settlement", show_default=True)
@operator_option
def stand(merchant_id: int, store_id: int, beneficiary_id: int, purpose: str, operator_: str) -> None:
    """Have a store paid out on every run day. Example: houfu payout stand 1 1 --to 1"""
    actions.stand(
        by=operator(operator_),
        merchant_id=merchant_id,
        store_id=store_id,
        beneficiary_id=beneficiary_id,
        purpose=purpose,
    )


@payout.command("stand-down")
@click.argument("merchant_id", type=int)
@click.argument("store_id", type=int)
@operator_option
def stand_down(merchant_id: int, store_id: int, operator_: str) -> None:
    """Stop paying a store out on run days. Example: houfu payout stand-down 1 1"""
    actions.stand_down(by=operator(operator_), merchant_id=merchant_id, store_id=store_id)


@payout.command()
@click.argument("merchant_id", type=int)
@operator_option
@json_option
def runs(merchant_id: int, operator_: str, as_json: bool) -> None:
    """List what became of run days. Example: houfu payout runs 1"""
    found = queries.runs(operator(operator_), merchant_id)
    emit([fields(row, "store_id run_day payout_id reasons ran_at") for row in found], as_json)


@payout.command()
@click.argument("merchant_id", type=int)
@operator_option
@json_option
def equation(merchant_id: int, operator_: str, as_json: bool) -> None:
    """Show where settled money is, as an equation. Example: houfu payout equation 1"""
    found = queries.equation(operator(operator_), merchant_id)
    if as_json:
        emit(found, True)
    else:
        click.echo("\n".join(queries.written(found)))


@payout.command()
@click.argument("merchant_id", type=int)
@click.argument("payout_id", type=click.UUID)
@operator_option
@json_option
def trace(merchant_id: int, payout_id: UUID, operator_: str, as_json: bool) -> None:
    """Follow a payout to the receipts it stands on. Example: houfu payout trace 1 0193…"""
    found = queries.trace(operator(operator_), merchant_id, payout_id)
    if as_json:
        return emit(found, True)
    paid = found["payout"]
    click.echo(
        f"payout {paid['id']}  {yuan(paid['amount_fen'])} = fee {yuan(paid['fee_fen'])}"
        f" + net {yuan(paid['amount_fen'] - paid['fee_fen'])}  {paid['state']}  {found['request_no'] or 'not sent'}"
    )
    for part in found["lots"]:
        click.echo(f"└─ {yuan(part['amount_fen'])} of lot {part['order']['id']}")
        _print_order(part, "   ")
    return None


@click.command("trace")
@click.argument("merchant_id", type=int)
@click.argument("order_id")
@operator_option
@json_option
def trace_order(merchant_id: int, order_id: str, operator_: str, as_json: bool) -> None:
    """Follow an order to the payouts that paid it. Example: houfu order trace 1 D0001"""
    found = queries.trace_back(operator(operator_), merchant_id, order_id)
    if as_json:
        return emit(found, True)
    _print_order(found, "")
    for part in found["payouts"]:
        click.echo(f"└─ {yuan(part['amount_fen'])} in payout {part['payout_id']}  {part['state']}")
    return None


def _print_order(found: dict[str, Any], indent: str) -> None:
    order, lot = found["order"], found["lot"]
    click.echo(f"{indent}order {order['id']}  {yuan(order['amount_fen'])}  {order['state']}")
    for event in found["events"]:
        click.echo(f"{indent}├─ {event['at'].isoformat()}  {event['verb']}  {yuan(event['fen'])}  {event['note']}")
    for proof in found["evidence"]:
        counted = "counts" if proof["counted"] else "waits"
        click.echo(f"{indent}├─ evidence: {proof['kind']} {proof['ref']} by {proof['person'] or '-'}, {counted}")
    if lot:
        click.echo(
            f"{indent}├─ lot: gross {yuan(lot['gross_fen'])}, channel fee {yuan(lot['fee_fen'])},"
            f" refunded {yuan(lot['refunded_fen'])}, in payouts {yuan(lot['allocated_fen'])},"
            f" left {yuan(lot['left_fen'])}, trust {lot['trust']}"
        )
