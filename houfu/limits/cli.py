"""houfu limit and pool: how much open exposure a store or a group may carry."""

import json
from dataclasses import asdict
from datetime import datetime

import click

from houfu.kernel import clock
from houfu.kernel.terminal import AT, YUAN, emit, fields, json_option, operator_option
from houfu.limits import actions, queries, rules
from houfu.people.actor import operator

LOAN = "id store_id amount_fen repaid_fen state opened_at due_at"
POOL = "id group_id share limit_fen state"
ADJUSTMENT = "id pool_id kind amount_fen state starts_at ends_at reason"


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


@pool.command()
@click.argument("merchant_id", type=int)
@click.argument("pool_id", type=int)
@click.option("--base", type=YUAN, help="What may be used of it anyway; the policy's unless given.")
@click.option("--floating", type=YUAN, help="What adjustments add at most; the policy's unless given.")
@click.option("--auto", type=YUAN, default="0", show_default=True, help="Proposals up to it are accepted by rule.")
@click.option("--place", help="Where its weather is looked at, as 30.27,120.16.")
@click.option("--off", is_flag=True, help="Let it be dynamic no more.")
@operator_option
def dynamic(
    merchant_id: int, pool_id: int, base: int | None, floating: int | None, auto: int, place: str | None, off: bool,
    operator_: str,
) -> None:  # fmt: skip
    """Let a pool follow clock and weather. Example: houfu pool dynamic 1 1 --place 30.27,120.16 --auto 50000"""
    by = operator(operator_)
    if off:
        actions.stop_dynamic(by=by, merchant_id=merchant_id, pool_id=pool_id)
        return
    actions.set_dynamic(
        by=by, merchant_id=merchant_id, pool_id=pool_id, base_fen=base, floating_fen=floating, auto_fen=auto,
        place=place,
    )  # fmt: skip


@pool.command()
@click.argument("merchant_id", type=int)
@click.argument("pool_id", type=int)
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Today unless given.")
@operator_option
@json_option
def schedule(merchant_id: int, pool_id: int, day: datetime | None, operator_: str, as_json: bool) -> None:
    """Show what may be used at each half hour of a day. Example: houfu pool schedule 1 1 --day 2025-11-11"""
    asked = day.date() if day else clock.business_day(clock.now())
    found = queries.schedule(operator(operator_), merchant_id, pool_id, asked)
    emit([{**asdict(each), "at": f"{each.at.astimezone(clock.SHANGHAI):%H:%M}"} for each in found], as_json)


@pool.command()
@click.argument("merchant_id", type=int)
@click.argument("pool_id", type=int)
@click.argument("amount", type=YUAN)
@click.option("--from", "valid_from", type=AT, required=True)
@click.option("--until", "valid_until", type=AT, required=True)
@click.option("--less", is_flag=True, help="Let so much less be used.")
@click.option("--reason", required=True)
@operator_option
@json_option
def propose(
    merchant_id: int, pool_id: int, amount: int, valid_from: datetime, valid_until: datetime, less: bool, reason: str,
    operator_: str, as_json: bool,
) -> None:  # fmt: skip
    """Propose that more may be used for a while.

    Example: houfu pool propose 1 1 20000 --from 2025-11-11T08:00 --until 2025-11-11T12:00 --reason 早市备货
    """
    made = actions.propose(
        by=operator(operator_), merchant_id=merchant_id, pool_id=pool_id, kind="manual",
        amount_fen=-amount if less else amount, valid_from=valid_from, valid_until=valid_until, reason=reason,
        source={"asked_by": operator_},
    )  # fmt: skip
    emit(fields(made, ADJUSTMENT), as_json)


@pool.command("adjustments")
@click.argument("merchant_id", type=int)
@click.argument("pool_id", type=int)
@operator_option
@json_option
def list_adjustments(merchant_id: int, pool_id: int, operator_: str, as_json: bool) -> None:
    """List a pool's latest adjustments. Example: houfu pool adjustments 1 1"""
    found = queries.adjustments(operator(operator_), merchant_id, pool_id)[:100]
    emit([fields(row, ADJUSTMENT) for row in found], as_json)


@pool.command("accept")
@click.argument("merchant_id", type=int)
@click.argument("adjustment_id", type=int)
@operator_option
def accept_adjustment(merchant_id: int, adjustment_id: int, operator_: str) -> None:
    """Accept a proposed adjustment. Example: houfu pool accept 1 7"""
    actions.accept_adjustment(by=operator(operator_), merchant_id=merchant_id, id=adjustment_id)


@pool.command("reject")
@click.argument("merchant_id", type=int)
@click.argument("adjustment_id", type=int)
@operator_option
def reject_adjustment(merchant_id: int, adjustment_id: int, operator_: str) -> None:
    """Decide against a proposed adjustment. Example: houfu pool reject 1 7"""
    actions.reject_adjustment(by=operator(operator_), merchant_id=merchant_id, id=adjustment_id)


@pool.command("withdraw")
@click.argument("merchant_id", type=int)
@click.argument("adjustment_id", type=int)
@operator_option
def withdraw_adjustment(merchant_id: int, adjustment_id: int, operator_: str) -> None:
    """End an adjustment before its time. Example: houfu pool withdraw 1 7"""
    actions.withdraw_adjustment(by=operator(operator_), merchant_id=merchant_id, id=adjustment_id)


@pool.command("propose-bands")
@click.argument("merchant_id", type=int)
@click.argument("pool_id", type=int)
@click.option("--bands", help="JSON, each with name, opens, closes, limit_fen; the policy's unless given.")
@click.option("--reason", required=True)
@operator_option
@json_option
def propose_bands(
    merchant_id: int, pool_id: int, bands: str | None, reason: str, operator_: str, as_json: bool
) -> None:
    """Propose time bands for a pool. Example: houfu pool propose-bands 1 1 --reason 早晚市"""
    try:
        said = None if bands is None else list(json.loads(bands))
    except (TypeError, ValueError) as error:
        raise click.UsageError(f"--bands is no JSON list: {error}") from error
    made = actions.propose_bands(
        by=operator(operator_), merchant_id=merchant_id, pool_id=pool_id, bands=said, reason=reason,
        source={"asked_by": operator_},
    )  # fmt: skip
    emit(fields(made, "id pool_id state reason"), as_json)


@pool.command("bands")
@click.argument("merchant_id", type=int)
@click.argument("pool_id", type=int)
@operator_option
@json_option
def list_bands(merchant_id: int, pool_id: int, operator_: str, as_json: bool) -> None:
    """List a pool's tables of time bands. Example: houfu pool bands 1 1 --json"""
    emit(
        [
            {**fields(table, "id state starts_at ends_at"), "bands": [rules.said(band) for band in bands]}
            for table, bands in queries.band_tables(operator(operator_), merchant_id, pool_id)
        ],
        as_json,
    )


@pool.command("accept-bands")
@click.argument("merchant_id", type=int)
@click.argument("bands_id", type=int)
@operator_option
def accept_bands(merchant_id: int, bands_id: int, operator_: str) -> None:
    """Accept a proposed table of bands. Example: houfu pool accept-bands 1 3"""
    actions.accept_bands(by=operator(operator_), merchant_id=merchant_id, id=bands_id)


@pool.command("withdraw-bands")
@click.argument("merchant_id", type=int)
@click.argument("bands_id", type=int)
@operator_option
def withdraw_bands(merchant_id: int, bands_id: int, operator_: str) -> None:
    """Take a table of bands back. Example: houfu pool withdraw-bands 1 3"""
    actions.withdraw_bands(by=operator(operator_), merchant_id=merchant_id, id=bands_id)


@pool.command("reject-bands")
@click.argument("merchant_id", type=int)
@click.argument("bands_id", type=int)
@operator_option
def reject_bands(merchant_id: int, bands_id: int, operator_: str) -> None:
    """Decide against a proposed table of bands. Example: houfu pool reject-bands 1 3"""
    actions.reject_bands(by=operator(operator_), merchant_id=merchant_id, id=bands_id)
