"""houfu limit and pool: how much open exposure a store or a group may carry."""

from dataclasses import asdict

import click

from houfu.kernel.terminal import YUAN, emit, fields, json_option, operator_option
from houfu.limits import actions, queries
from houfu.people.actor import operator

LOAN = "id store_id amount_fen repaid_fen state opened_at due_at"
POOL = "id group_id share limit_fen state"


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


@click.group()
def pool() -> None:
    """The shared limits of groups."""


@pool.command("open")
@click.argument("merchant_id", type=int)
@click.argument("group_id", type=int)
@click.option("--share", type=int, required=True, help="The k of own : shared = 1 : k.")
@operator_option
@json_option
def open_pool(merchant_id: int, group_id: int, share: int, operator_: str, as_json: bool) -> None:
    """Open a group's pool. Example: houfu pool open 1 1 --share 2"""
    opened = actions.open_pool(by=operator(operator_), merchant_id=merchant_id, group_id=group_id, share=share)
    emit(fields(opened, POOL), as_json)


@pool.command()
@click.argument("merchant_id", type=int)
@click.argument("pool_id", type=int)
@click.argument("store_id", type=int)
@click.option("--contribution", type=YUAN, default="0", show_default=True, help="Own limit that moves there.")
@operator_option
def join(merchant_id: int, pool_id: int, store_id: int, contribution: int, operator_: str) -> None:
    """Make a store a member. Example: houfu pool join 1 1 2 --contribution 10000"""
    actions.join_pool(
        by=operator(operator_),
        merchant_id=merchant_id,
        pool_id=pool_id,
        store_id=store_id,
        contribution_fen=contribution,
    )


@pool.command("grant")
@click.argument("merchant_id", type=int)
@click.argument("pool_id", type=int)
@click.argument("amount", type=YUAN)
@operator_option
def grant_pool(merchant_id: int, pool_id: int, amount: int, operator_: str) -> None:
    """Give a pool the operator's own limit. Example: houfu pool grant 1 1 300000"""
    actions.grant_pool(by=operator(operator_), merchant_id=merchant_id, pool_id=pool_id, amount_fen=amount)


@pool.command()
@click.argument("merchant_id", type=int)
@click.argument("pool_id", type=int)
@operator_option
def freeze(merchant_id: int, pool_id: int, operator_: str) -> None:
    """Stop new draws. Example: houfu pool freeze 1 1"""
    actions.freeze_pool(by=operator(operator_), merchant_id=merchant_id, id=pool_id)


@pool.command()
@click.argument("merchant_id", type=int)
@click.argument("pool_id", type=int)
@operator_option
def unfreeze(merchant_id: int, pool_id: int, operator_: str) -> None:
    """Let it be drawn from again. Example: houfu pool unfreeze 1 1"""
    actions.unfreeze_pool(by=operator(operator_), merchant_id=merchant_id, id=pool_id)


@pool.command("list")
@click.argument("merchant_id", type=int)
@operator_option
@json_option
def list_pools(merchant_id: int, operator_: str, as_json: bool) -> None:
    """List a merchant's pools and their members. Example: houfu pool list 1 --json"""
    emit(
        [
            {
                **fields(row, POOL),
                "members": [fields(each, "store_id contributed_fen") for each in queries.members(merchant_id, row.id)],
            }
            for row in queries.pools(operator(operator_), merchant_id)
        ],
        as_json,
    )
