"""houfu pool, filing and emergency: shared limits, the form of large ones, and restoration by application."""

from datetime import datetime
from typing import Any

import click

from houfu.kernel.terminal import AT, YUAN, emit, fields, json_option, operator_option
from houfu.limits import actions, pool_queries, pooling, queries
from houfu.limits.models import Emergency
from houfu.people.actor import operator

POOL = "id group_id share limit_fen granted_fen state signed_at filed_at"
MEMBER = "store_id state contributed_fen probation_until extra_fen extra_until"
CHANGE = (
    "id pool_id kind store_id to_store_id amount_fen share_before share effective_at ends_at state signed_at"
    " took_effect_at note"
)
FILING = "id pool_id state limit_fen figure_fen triggered_at reference submitted_at acceptance accepted_at note"
EMERGENCY = "id store_id loan_id state amount_fen begun_at closed_at note"


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
    """Draw up a group's pool. Example: houfu pool open 1 1 --share 2"""
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
                "members": [fields(each, MEMBER) for each in queries.members(merchant_id, row.id)],
            }
            for row in queries.pools(operator(operator_), merchant_id)
        ],
        as_json,
    )


@pool.command()
@click.argument("merchant_id", type=int)
@click.argument("pool_id", type=int)
@operator_option
@json_option
def ask(merchant_id: int, pool_id: int, operator_: str, as_json: bool) -> None:
    """Ask the legal representative to sign for it. Example: houfu pool ask 1 1"""
    asked = actions.ask_signature(by=operator(operator_), merchant_id=merchant_id, pool_id=pool_id)
    emit(fields(asked, f"{POOL} digest"), as_json)


@pool.command()
@click.argument("merchant_id", type=int)
@click.argument("pool_id", type=int)
@click.argument("store_id", type=int)
@operator_option
def leave(merchant_id: int, pool_id: int, store_id: int, operator_: str) -> None:
    """Let a store go that draws nothing any more. Example: houfu pool leave 1 1 2"""
    actions.leave_pool(by=operator(operator_), merchant_id=merchant_id, pool_id=pool_id, store_id=store_id)


@pool.command()
@click.argument("merchant_id", type=int)
@click.argument("pool_id", type=int)
@click.argument("store_id", type=int)
@click.option("--reason", required=True)
@operator_option
def suspend(merchant_id: int, pool_id: int, store_id: int, reason: str, operator_: str) -> None:
    """Stop one member's new draws. Example: houfu pool suspend 1 1 2 --reason 盘点"""
    actions.suspend_member(
        by=operator(operator_), merchant_id=merchant_id, pool_id=pool_id, store_id=store_id, reason=reason
    )


@pool.command()
@click.argument("merchant_id", type=int)
@click.argument("pool_id", type=int)
@click.argument("store_id", type=int)
@operator_option
def resume(merchant_id: int, pool_id: int, store_id: int, operator_: str) -> None:
    """Let a suspended member draw again. Example: houfu pool resume 1 1 2"""
    actions.resume_member(by=operator(operator_), merchant_id=merchant_id, pool_id=pool_id, store_id=store_id)


@pool.command("wind-down")
@click.argument("merchant_id", type=int)
@click.argument("pool_id", type=int)
@operator_option
@json_option
def wind_down(merchant_id: int, pool_id: int, operator_: str, as_json: bool) -> None:
    """End it; what it holds goes back once nothing is drawn. Example: houfu pool wind-down 1 1"""
    ending = actions.wind_down(by=operator(operator_), merchant_id=merchant_id, pool_id=pool_id)
    emit(fields(ending, POOL), as_json)


@pool.command()
@click.argument("merchant_id", type=int)
@click.argument("pool_id", type=int)
@click.argument("ratio", type=int)
@click.option("--from", "effective_at", type=AT, help="From then on; from the signature on unless given.")
@click.option("--reason", required=True)
@operator_option
@json_option
def share(
    merchant_id: int,
    pool_id: int,
    ratio: int,
    effective_at: datetime | None,
    reason: str,
    operator_: str,
    as_json: bool,
) -> None:
    """Propose another ratio, to be signed. Example: houfu pool share 1 1 3 --reason 旺季备货"""
    proposed = actions.propose_share(
        by=operator(operator_),
        merchant_id=merchant_id,
        pool_id=pool_id,
        share=ratio,
        effective_at=effective_at,
        reason=reason,
    )
    emit(fields(proposed, CHANGE), as_json)


@pool.command()
@click.argument("merchant_id", type=int)
@click.argument("pool_id", type=int)
@click.argument("store_id", type=int)
@click.argument("amount", type=YUAN)
@click.option("--until", "ends_at", type=AT, required=True)
@click.option("--reason", required=True)
@operator_option
@json_option
def reach(
    merchant_id: int,
    pool_id: int,
    store_id: int,
    amount: int,
    ends_at: datetime,
    reason: str,
    operator_: str,
    as_json: bool,
) -> None:
    """Propose a draw beyond the ratio. Example: houfu pool reach 1 1 2 5000 --until 2025-11-12 --reason 旺季备货"""
    proposed = actions.propose_reach(
        by=operator(operator_),
        merchant_id=merchant_id,
        pool_id=pool_id,
        store_id=store_id,
        amount_fen=amount,
        ends_at=ends_at,
        reason=reason,
    )
    emit(fields(proposed, CHANGE), as_json)


@pool.command("move")
@click.argument("merchant_id", type=int)
@click.argument("pool_id", type=int)
@click.argument("store_id", type=int)
@click.argument("to_store_id", type=int)
@click.argument("amount", type=YUAN)
@click.option("--reason", required=True)
@operator_option
@json_option
def move(
    merchant_id: int,
    pool_id: int,
    store_id: int,
    to_store_id: int,
    amount: int,
    reason: str,
    operator_: str,
    as_json: bool,
) -> None:
    """Propose to move own limit between stores. Example: houfu pool move 1 1 2 3 5000 --reason 跨店调货"""
    proposed = actions.propose_move(
        by=operator(operator_),
        merchant_id=merchant_id,
        pool_id=pool_id,
        store_id=store_id,
        to_store_id=to_store_id,
        amount_fen=amount,
        reason=reason,
    )
    emit(fields(proposed, CHANGE), as_json)


@pool.command()
@click.argument("merchant_id", type=int)
@operator_option
@json_option
def changes(merchant_id: int, operator_: str, as_json: bool) -> None:
    """List what was proposed and what became of it. Example: houfu pool changes 1"""
    emit([fields(row, CHANGE) for row in pool_queries.changes(operator(operator_), merchant_id)], as_json)


@click.group()
def filing() -> None:
    """The form 《跨店资金管理备案表》 of large pools."""


@filing.command("list")
@click.argument("merchant_id", type=int)
@operator_option
@json_option
def list_filings(merchant_id: int, operator_: str, as_json: bool) -> None:
    """List a merchant's filings. Example: houfu filing list 1"""
    emit([fields(row, FILING) for row in pool_queries.filings(operator(operator_), merchant_id)], as_json)


@filing.command()
@click.argument("merchant_id", type=int)
@click.argument("filing_id", type=int)
@operator_option
@json_option
def show(merchant_id: int, filing_id: int, operator_: str, as_json: bool) -> None:
    """Show a filing with its form. Example: houfu filing show 1 1"""
    found = pool_queries.access_filing(operator(operator_), "limits:read", merchant_id, filing_id)
    emit({**fields(found, FILING), "form": pool_queries.read(found.form or "{}")}, as_json)


@filing.command()
@click.argument("merchant_id", type=int)
@click.argument("filing_id", type=int)
@operator_option
def draft(merchant_id: int, filing_id: int, operator_: str) -> None:
    """Begin to write the form. Example: houfu filing draft 1 1"""
    actions.draft_filing(by=operator(operator_), merchant_id=merchant_id, id=filing_id)


@filing.command()
@click.argument("merchant_id", type=int)
@click.argument("filing_id", type=int)
@click.option("--purpose", required=True, help="What the pool is for.")
@click.option("--contact", required=True, help="Who answers for it.")
@operator_option
def review(merchant_id: int, filing_id: int, purpose: str, contact: str, operator_: str) -> None:
    """Have the form reviewed. Example: houfu filing review 1 1 --purpose 五店共用备货额度 --contact 王芳"""
    actions.review_filing(
        by=operator(operator_), merchant_id=merchant_id, id=filing_id, purpose=purpose, contact=contact
    )


@filing.command()
@click.argument("merchant_id", type=int)
@click.argument("filing_id", type=int)
@click.argument("reference")
@operator_option
def submit(merchant_id: int, filing_id: int, reference: str, operator_: str) -> None:
    """Say that it was handed in, and under which number. Example: houfu filing submit 1 1 BA-2025-001"""
    actions.submit_filing(by=operator(operator_), merchant_id=merchant_id, id=filing_id, reference=reference)


@filing.command()
@click.argument("merchant_id", type=int)
@click.argument("filing_id", type=int)
@click.argument("acceptance")
@operator_option
def accept(merchant_id: int, filing_id: int, acceptance: str, operator_: str) -> None:
    """Say that it was accepted, and under which number. Example: houfu filing accept 1 1 OK-2025-001"""
    actions.accept_filing(by=operator(operator_), merchant_id=merchant_id, id=filing_id, acceptance=acceptance)


@filing.command("return")
@click.argument("merchant_id", type=int)
@click.argument("filing_id", type=int)
@click.argument("note")
@operator_option
def send_back(merchant_id: int, filing_id: int, note: str, operator_: str) -> None:
    """Say that it came back, and why. Example: houfu filing return 1 1 缺章"""
    actions.return_filing(by=operator(operator_), merchant_id=merchant_id, id=filing_id, note=note)


@click.group()
def emergency() -> None:
    """Emergency orders: a loan, settled orders, restoration by application."""


@emergency.command()
@click.argument("merchant_id", type=int)
@click.argument("store_id", type=int)
@click.argument("amount", type=YUAN)
@operator_option
@json_option
def begin(merchant_id: int, store_id: int, amount: int, operator_: str, as_json: bool) -> None:
    """Take a loan for an emergency order. Example: houfu emergency begin 1 1 5000"""
    begun = actions.begin_emergency(
        by=operator(operator_), merchant_id=merchant_id, store_id=store_id, amount_fen=amount
    )
    emit(_steps(begun), as_json)


@emergency.command("show")
@click.argument("merchant_id", type=int)
@click.argument("emergency_id", type=int)
@operator_option
@json_option
def show_emergency(merchant_id: int, emergency_id: int, operator_: str, as_json: bool) -> None:
    """Show each step, what is missing, and until when. Example: houfu emergency show 1 1"""
    emit(_steps(pool_queries.access_emergency(operator(operator_), "limits:read", merchant_id, emergency_id)), as_json)


@emergency.command("list")
@click.argument("merchant_id", type=int)
@operator_option
@json_option
def list_emergencies(merchant_id: int, operator_: str, as_json: bool) -> None:
    """List a merchant's emergencies. Example: houfu emergency list 1"""
    emit([fields(row, EMERGENCY) for row in pool_queries.emergencies(operator(operator_), merchant_id)], as_json)


@emergency.command("apply")
@click.argument("merchant_id", type=int)
@click.argument("emergency_id", type=int)
@click.argument("amount", type=YUAN)
@operator_option
@json_option
def apply_restoration(merchant_id: int, emergency_id: int, amount: int, operator_: str, as_json: bool) -> None:
    """Apply for reduced limit to be restored. Example: houfu emergency apply 1 1 500"""
    applied = actions.apply_restoration(
        by=operator(operator_), merchant_id=merchant_id, id=emergency_id, amount_fen=amount
    )
    emit(_steps(applied), as_json)


def _steps(found: Emergency) -> dict[str, Any]:
    return {**fields(found, EMERGENCY), "steps": [step._asdict() for step in pooling.emergency_steps(found)]}
