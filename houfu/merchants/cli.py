"""houfu merchant, store, group, channel and key: who sells, where, and by which programs."""

import click

from houfu.kernel.terminal import emit, fields, json_option, operator_option
from houfu.merchants import actions, queries
from houfu.people import actions as people
from houfu.people import queries as people_queries
from houfu.people.actor import KEY_SCOPES, PLATFORM, operator

MERCHANT = "merchant_id name uscc uscc_verified_at"
STORE = "id code name channel_account_id group_id state frozen_for sharing"
GROUP = "id name channel_account_id size"
CHANNEL_ACCOUNT = "id channel principal maturity_days"
KEY = "id name person scopes expires_at revoked_at networks"


@click.group()
def merchant() -> None:
    """Legal persons, known by their unified social credit code."""


@merchant.command()
@click.argument("name")
@click.option("--uscc", required=True, help="Unified social credit code, 18 characters.")
@operator_option
@json_option
def register(name: str, uscc: str, operator_: str, as_json: bool) -> None:
    """Register a legal person. Example: houfu merchant register 杭州某某服饰有限公司 --uscc 91330106MA2H3X8Q5R"""
    emit(fields(actions.register(by=operator(operator_), name=name, uscc=uscc), MERCHANT), as_json)


@merchant.command()
@click.argument("merchant_id", type=int)
@click.option("--document", required=True, help="What the code was checked against.")
@operator_option
def verify(merchant_id: int, document: str, operator_: str) -> None:
    """Say that a merchant's code was checked. Example: houfu merchant verify 1 --document 营业执照"""
    actions.verify(by=operator(operator_), merchant_id=merchant_id, document=document)


@merchant.command("list")
@operator_option
@json_option
def list_merchants(operator_: str, as_json: bool) -> None:
    """List merchants. Example: houfu merchant list"""
    emit([fields(row, MERCHANT) for row in queries.merchants(operator(operator_), limit=10_000)], as_json)


@click.group()
def store() -> None:
    """The shops of a merchant."""


@store.command("open")
@click.argument("merchant_id", type=int)
@click.option("--code", required=True, help="The merchant's own code.")
@click.option("--name", required=True)
@click.option("--channel-account", type=int, required=True)
@operator_option
@json_option
def open_store(merchant_id: int, code: str, name: str, channel_account: int, operator_: str, as_json: bool) -> None:
    """Open a store. Example: houfu store open 1 --code HZ01 --name 西湖店 --channel-account 1"""
    opened = actions.open_store(
        by=operator(operator_), merchant_id=merchant_id, code=code, name=name, channel_account_id=channel_account
    )
    emit(fields(opened, STORE), as_json)


@store.command("list")
@click.argument("merchant_id", type=int)
@operator_option
@json_option
def list_stores(merchant_id: int, operator_: str, as_json: bool) -> None:
    """List a merchant's stores. Example: houfu store list 1"""
    emit([fields(row, STORE) for row in queries.stores(operator(operator_), merchant_id, limit=10_000)], as_json)


@store.command()
@click.argument("merchant_id", type=int)
@click.argument("store_id", type=int)
@click.option("--reason", required=True, help="The reason class that staff may read.")
@operator_option
def freeze(merchant_id: int, store_id: int, reason: str, operator_: str) -> None:
    """Stop a store's new orders and payouts. Example: houfu store freeze 1 2 --reason beneficiary"""
    actions.freeze_store(by=operator(operator_), merchant_id=merchant_id, id=store_id, reason=reason)


@store.command()
@click.argument("merchant_id", type=int)
@click.argument("store_id", type=int)
@operator_option
def unfreeze(merchant_id: int, store_id: int, operator_: str) -> None:
    """Let a frozen store work again. Example: houfu store unfreeze 1 2"""
    actions.unfreeze_store(by=operator(operator_), merchant_id=merchant_id, id=store_id)


@store.command()
@click.argument("merchant_id", type=int)
@click.argument("store_id", type=int)
@click.option("--on/--off", "sharing", default=True, show_default=True)
@operator_option
def share(merchant_id: int, store_id: int, sharing: bool, operator_: str) -> None:
    """Switch sharing with other stores on or off. Example: houfu store share 1 2 --on"""
    actions.set_sharing(by=operator(operator_), merchant_id=merchant_id, id=store_id, sharing=sharing)


@click.group()
def group() -> None:
    """Up to ten stores of one merchant and one principal that may share limits."""


@group.command()
@click.argument("merchant_id", type=int)
@click.argument("name")
@click.option("--channel-account", type=int, required=True)
@click.option("--store", "store_ids", type=int, multiple=True, help="A member; may be given many times.")
@operator_option
@json_option
def form(
    merchant_id: int, name: str, channel_account: int, store_ids: tuple[int, ...], operator_: str, as_json: bool
) -> None:
    """Form a group. Example: houfu group form 1 华东 --channel-account 1 --store 1 --store 2"""
    formed = actions.form_group(
        by=operator(operator_),
        merchant_id=merchant_id,
        name=name,
        channel_account_id=channel_account,
        store_ids=store_ids,
    )
    emit(fields(formed, GROUP), as_json)


@group.command()
@click.argument("merchant_id", type=int)
@click.argument("group_id", type=int)
@click.argument("store_id", type=int)
@operator_option
def join(merchant_id: int, group_id: int, store_id: int, operator_: str) -> None:
    """Add a store to a group. Example: houfu group join 1 1 3"""
    actions.join_group(by=operator(operator_), merchant_id=merchant_id, group_id=group_id, store_id=store_id)


@group.command("list")
@click.argument("merchant_id", type=int)
@operator_option
@json_option
def list_groups(merchant_id: int, operator_: str, as_json: bool) -> None:
    """List a merchant's groups. Example: houfu group list 1"""
    emit([fields(row, GROUP) for row in queries.groups(operator(operator_), merchant_id)], as_json)


@click.group()
def channel() -> None:
    """Under which principal a payment channel knows a merchant."""


@channel.command("open")
@click.argument("merchant_id", type=int)
@click.option("--channel", "channel_name", default="simulator", show_default=True)
@click.option("--principal", required=True)
@click.option("--maturity-days", type=click.IntRange(0, 90), help="The n of T+n by agreement; the policy's if missing.")
@operator_option
@json_option
def open_account(
    merchant_id: int, channel_name: str, principal: str, maturity_days: int | None, operator_: str, as_json: bool
) -> None:
    """Open a channel account. Example: houfu channel open 1 --principal 2088000000000001 --maturity-days 1"""
    opened = actions.open_channel_account(
        by=operator(operator_),
        merchant_id=merchant_id,
        channel=channel_name,
        principal=principal,
        maturity_days=maturity_days,
    )
    emit(fields(opened, CHANNEL_ACCOUNT), as_json)


@channel.command("list")
@click.argument("merchant_id", type=int)
@operator_option
@json_option
def list_accounts(merchant_id: int, operator_: str, as_json: bool) -> None:
    """List a merchant's channel accounts. Example: houfu channel list 1"""
    found = queries.channel_accounts_of(operator(operator_), merchant_id)
    emit([fields(row, CHANNEL_ACCOUNT) for row in found], as_json)


@click.group()
def key() -> None:
    """API keys. Merchant 0 holds the platform's own."""


@key.command()
@click.argument("merchant_id", type=int)
@click.option("--name", required=True, help="What the key is for.")
@click.option("--person", default="", help="The natural person who answers for it, unless it is a member's.")
@click.option("--staff", "staff_id", type=int, help="The member of the staff whose role, stores and tier it has.")
@click.option("--scope", "scopes", type=click.Choice(KEY_SCOPES), multiple=True, help="All that fit, unless given.")
@click.option("--days", type=click.IntRange(1, 366), default=365, show_default=True)
@click.option("--network", "networks", multiple=True, help="From where alone it opens anything, as 203.0.113.0/24.")
@click.option("--public-key", help="Ed25519, 32 bytes in base64: what moves money is then signed.")
@operator_option
@json_option
def create(
    merchant_id: int,
    name: str,
    person: str,
    staff_id: int | None,
    scopes: tuple[str, ...],
    days: int,
    networks: tuple[str, ...],
    public_key: str | None,
    operator_: str,
    as_json: bool,
) -> None:
    """Make a key and print its token, this once. Example: houfu key create 1 --name erp --person 王芳"""
    by = operator(operator_)
    if merchant_id:
        queries.access_merchant(by, "merchants:write", merchant_id)
    fitting = [scope for scope in KEY_SCOPES if merchant_id == 0 or scope not in PLATFORM]
    made, token = people.create_key(
        by=by,
        merchant_id=merchant_id,
        name=name,
        person=person,
        staff_id=staff_id,
        scopes=scopes or fitting,
        days=days,
        networks=networks or None,
        public_key=public_key,
    )
    emit({**fields(made, KEY), "token": token}, as_json)


@key.command("list")
@click.argument("merchant_id", type=int)
@json_option
def list_keys(merchant_id: int, as_json: bool) -> None:
    """List a merchant's keys. Example: houfu key list 1"""
    emit([fields(row, KEY) for row in people_queries.keys(merchant_id)], as_json)


@key.command()
@click.argument("merchant_id", type=int)
@click.argument("key_id", type=int)
@operator_option
def revoke(merchant_id: int, key_id: int, operator_: str) -> None:
    """Revoke a key at once. Example: houfu key revoke 1 2"""
    people.revoke_key(by=operator(operator_), merchant_id=merchant_id, id=key_id)
