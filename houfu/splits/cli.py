"""houfu party and split: who gets parts of orders, by which rules, and what they got."""

from datetime import datetime

import click

from houfu.kernel.errors import Invalid
from houfu.kernel.money import parse_yuan
from houfu.kernel.terminal import AT, emit, fields, json_option, operator_option
from houfu.merchants import actions as merchants
from houfu.people.actor import operator
from houfu.splits import actions, queries
from houfu.splits.api import shown
from houfu.splits.rules import Wanted

PARTY = "id relation kind purpose_class holder account_tail contract valid_from valid_until state waits"
RULE = "id store_id state not_before begins_at proposed_by"
DIVISION = "order_id store_id rule_id at net_fen split_fen kept_fen kept_for"
AGREEMENT = "id carrier_id channel_account_id store_id document valid_from valid_until ended_at"
DAY = click.DateTime(["%Y-%m-%d"])


class BadShareText(Invalid):
    """A share is written as PARTY:600 for 600 per mille of the net, or as PARTY:15.00yuan for a fixed amount."""

    code = "split_share_text"


@click.group()
def party() -> None:
    """Suppliers and carriers that may get parts of a merchant's orders."""


@party.command()
@click.argument("merchant_id", type=int)
@click.option("--relation", type=click.Choice(["supplier", "carrier"]), required=True)
@click.option("--kind", type=click.Choice(["alipay", "bank_corporate"]), required=True)
@click.option("--holder", required=True)
@click.option("--account", required=True, help="The full number or login; kept encrypted.")
@click.option("--class", "purpose_class", default="supplier_payment", show_default=True)
@click.option("--contract", required=True, help="The document that it stands on.")
@click.option("--from", "valid_from", type=DAY, required=True)
@click.option("--until", "valid_until", type=DAY, required=True)
@operator_option
@json_option
def register(
    merchant_id: int, relation: str, kind: str, holder: str, account: str, purpose_class: str, contract: str,
    valid_from: datetime, valid_until: datetime, operator_: str, as_json: bool,
) -> None:  # fmt: skip
    """Register a party. Example: houfu party register 1 --relation supplier --kind alipay --holder 某某布厂
    --account mill@b.example --contract HT-2025-01 --from 2025-01-01 --until 2025-12-31"""
    registered = actions.register(
        by=operator(operator_), merchant_id=merchant_id, relation=relation, kind=kind, purpose_class=purpose_class,
        holder=holder, account=account, contract=contract, valid_from=valid_from.date(), valid_until=valid_until.date(),
    )  # fmt: skip
    emit(fields(registered, PARTY), as_json)


@party.command("list")
@click.argument("merchant_id", type=int)
@operator_option
@json_option
def list_parties(merchant_id: int, operator_: str, as_json: bool) -> None:
    """List a merchant's parties. Example: houfu party list 1"""
    emit([fields(row, PARTY) for row in queries.parties(operator(operator_), merchant_id)], as_json)


@party.command()
@click.argument("merchant_id", type=int)
@click.argument("party_id", type=int)
@click.option("--contract", required=True)
@click.option("--from", "valid_from", type=DAY, required=True)
@click.option("--until", "valid_until", type=DAY, required=True)
@operator_option
@json_option
def renew(
    merchant_id: int,
    party_id: int,
    contract: str,
    valid_from: datetime,
    valid_until: datetime,
    operator_: str,
    as_json: bool,
) -> None:
    """Propose the next contract. Example: houfu party renew 1 1 --contract HT-2 --from 2026-01-01 --until 2026-12-31"""
    found = actions.renew(
        by=operator(operator_), merchant_id=merchant_id, id=party_id, contract=contract, valid_from=valid_from.date(),
        valid_until=valid_until.date(),
    )  # fmt: skip
    emit(fields(found, PARTY), as_json)


@party.command()
@click.argument("merchant_id", type=int)
@click.argument("party_id", type=int)
@click.option("--account", "channel_account_id", type=int, required=True, help="The merchant's channel account.")
@operator_option
@json_option
def bind(merchant_id: int, party_id: int, channel_account_id: int, operator_: str, as_json: bool) -> None:
    """Have the channel asked to bind a party. Example: houfu party bind 1 1 --account 1"""
    found = actions.bind(
        by=operator(operator_), merchant_id=merchant_id, id=party_id, channel_account_id=channel_account_id
    )
    emit(fields(found, "party_id channel_account_id state"), as_json)


@party.command()
@click.argument("merchant_id", type=int)
@click.argument("party_id", type=int)
@click.option("--account", "channel_account_id", type=int, required=True, help="The merchant's channel account.")
@operator_option
@json_option
def release(merchant_id: int, party_id: int, channel_account_id: int, operator_: str, as_json: bool) -> None:
    """Have the channel asked to release a party. Example: houfu party release 1 1 --account 1"""
    found = actions.release(
        by=operator(operator_), merchant_id=merchant_id, id=party_id, channel_account_id=channel_account_id
    )
    emit(fields(found, "party_id channel_account_id state"), as_json)


@party.command()
@click.argument("merchant_id", type=int)
@click.argument("party_id", type=int)
@operator_option
def revoke(merchant_id: int, party_id: int, operator_: str) -> None:
    """Take a party out of use, with its keys and endpoints. Example: houfu party revoke 1 1"""
    actions.revoke(by=operator(operator_), merchant_id=merchant_id, id=party_id)


@party.command()
@click.argument("merchant_id", type=int)
@click.argument("party_id", type=int)
@click.option("--name", required=True)
@click.option("--store", "store_ids", type=int, multiple=True, required=True)
@operator_option
@json_option
def key(merchant_id: int, party_id: int, name: str, store_ids: tuple[int, ...], operator_: str, as_json: bool) -> None:
    """Make a key to the limits of named stores and nothing else. Example: houfu party key 1 1 --name mill --store 3"""
    made, token = actions.create_key(
        by=operator(operator_), merchant_id=merchant_id, party_id=party_id, name=name, store_ids=store_ids
    )
    emit({"id": made.id, "token": token, "store_ids": made.store_ids, "expires_at": made.expires_at}, as_json)


@party.command()
@click.argument("merchant_id", type=int)
@click.argument("party_id", type=int)
@click.option("--url", required=True)
@click.option("--store", "store_ids", type=int, multiple=True, required=True)
@operator_option
@json_option
def endpoint(
    merchant_id: int, party_id: int, url: str, store_ids: tuple[int, ...], operator_: str, as_json: bool
) -> None:
    """Tell a partner's endpoint of limits. Example: houfu party endpoint 1 1 --url https://m.example/h --store 3"""
    made, signer = actions.add_endpoint(
        by=operator(operator_), merchant_id=merchant_id, party_id=party_id, url=url, store_ids=store_ids
    )
    said = {"id": made.id, "store_ids": made.store_ids, "secret": signer.secret_text, "public_key": signer.public_text}
    emit(said, as_json)


@click.group()
def split() -> None:
    """How settled orders are divided between a store and its parties, and what became of them."""


@split.command()
@click.argument("merchant_id", type=int)
@click.argument("store_id", type=int)
@click.option("--share", "said", multiple=True, help="PARTY:600 for 600 per mille, PARTY:15.00yuan for an amount.")
@click.option("--not-before", type=AT)
@operator_option
@json_option
def propose(
    merchant_id: int, store_id: int, said: tuple[str, ...], not_before: datetime | None, operator_: str, as_json: bool
) -> None:
    """Propose a store's rule. Example: houfu split propose 1 1 --share 1:600 --share 2:15.00yuan"""
    rule = actions.propose(
        by=operator(operator_), merchant_id=merchant_id, store_id=store_id, shares=[_share(each) for each in said],
        not_before=not_before,
    )  # fmt: skip
    emit(fields(rule, RULE), as_json)


def _share(text: str) -> Wanted:
    who, _, how = text.partition(":")
    amount = how.removesuffix("yuan")
    if not who.isdigit() or (amount == how and not how.isdigit()):
        raise BadShareText(said=text)
    return Wanted(int(who), int(how), None) if amount == how else Wanted(int(who), None, parse_yuan(amount))


@split.command("call-off")
@click.argument("merchant_id", type=int)
@click.argument("rule_id", type=int)
@operator_option
@json_option
def call_off(merchant_id: int, rule_id: int, operator_: str, as_json: bool) -> None:
    """Call a proposed rule off. Example: houfu split call-off 1 1"""
    emit(fields(actions.call_off(by=operator(operator_), merchant_id=merchant_id, id=rule_id), RULE), as_json)


@split.command()
@click.argument("merchant_id", type=int)
@click.argument("store_id", type=int)
@operator_option
@json_option
def rules(merchant_id: int, store_id: int, operator_: str, as_json: bool) -> None:
    """List a store's rules, the latest first. Example: houfu split rules 1 1"""
    found = queries.rules_of(operator(operator_), merchant_id, store_id)
    shares = {rule.id: queries.shares(merchant_id, rule.id) for rule in found}
    emit(
        [
            {
                **fields(rule, RULE),
                "shares": [fields(share, "party_id permille fixed_fen") for share in shares[rule.id]],
            }
            for rule in found
        ],
        as_json,
    )


@split.command("list")
@click.argument("merchant_id", type=int)
@click.option("--store", "store_id", type=int)
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@operator_option
@json_option
def list_splits(merchant_id: int, store_id: int | None, limit: int, operator_: str, as_json: bool) -> None:
    """List how orders were divided, newest first. Example: houfu split list 1"""
    found = queries.divisions(operator(operator_), merchant_id, store_id=store_id, after=None, limit=limit)
    emit([fields(row, DIVISION) for row in found], as_json)


@split.command()
@click.argument("merchant_id", type=int)
@click.argument("order_id")
@operator_option
@json_option
def show(merchant_id: int, order_id: str, operator_: str, as_json: bool) -> None:
    """Show how an order was divided, and what was asked back. Example: houfu split show 1 A-1 --json"""
    found = shown(queries.division(operator(operator_), merchant_id, order_id))
    for call in found["splits"]:
        call["parts"] = [fields(part, "party_id amount_fen off_fen sent_fen recalled_fen returned_fen state code")
                         for part in call["parts"]]  # fmt: skip
    found["returns"] = [fields(back, "id refund_ref amount_fen state code final_at") for back in found["returns"]]
    emit(found, as_json)


@split.command("agree-logistics")
@click.argument("merchant_id", type=int)
@click.argument("carrier_id", type=int)
@click.option("--account", "channel_account_id", type=int, required=True, help="The merchant's channel account.")
@click.option("--store", "store_id", type=int, help="The one store that it is for; all of the account's if missing.")
@click.option("--document", required=True)
@click.option("--from", "valid_from", type=DAY, required=True)
@click.option("--until", "valid_until", type=DAY, required=True)
@operator_option
@json_option
def agree_logistics(
    merchant_id: int, carrier_id: int, channel_account_id: int, store_id: int | None, document: str,
    valid_from: datetime, valid_until: datetime, operator_: str, as_json: bool,
) -> None:  # fmt: skip
    """Note a logistics agreement: T+1. Example: houfu split agree-logistics 1 2 --account 1 --document WL-1
    --from 2025-01-01 --until 2025-12-31"""
    noted = actions.agree_logistics(
        by=operator(operator_), merchant_id=merchant_id, carrier_id=carrier_id, channel_account_id=channel_account_id,
        store_id=store_id, document=document, valid_from=valid_from.date(), valid_until=valid_until.date(),
    )  # fmt: skip
    emit(fields(noted, AGREEMENT), as_json)


@split.command("end-agreement")
@click.argument("merchant_id", type=int)
@click.argument("agreement_id", type=int)
@operator_option
def end_agreement(merchant_id: int, agreement_id: int, operator_: str) -> None:
    """End a logistics agreement now. Example: houfu split end-agreement 1 1"""
    merchants.end_logistics_agreement(by=operator(operator_), merchant_id=merchant_id, id=agreement_id)
