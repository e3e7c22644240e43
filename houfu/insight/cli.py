"""houfu forecast, and `houfu limit whatif`: what is to come, and what other limits would have meant."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from houfu.insight import actions, queries, rules
from houfu.kernel.errors import Invalid, Refused
from houfu.kernel.terminal import AT, emit, json_option, operator_option
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor, operator
from houfu.policies import queries as policies
from houfu.policies.pack import Policy

merchant_option = click.option("--merchant", "merchant_id", type=int, help="Whose; every merchant's unless given.")


@click.group("forecast")
def cli() -> None:
    """Demand that is to come, from a merchant's own orders. See docs/insight.md."""


@cli.command()
@click.argument("merchant_id", type=int)
@click.option("--store", "store_id", type=int)
@click.option("--grain", type=click.Choice(rules.GRAINS), default="band", show_default=True)
@click.option("--hours", type=click.IntRange(1, 14 * 24), default=48, show_default=True, help="How far ahead.")
@click.option("--model", type=click.Choice(queries.MODELS), default="profile", show_default=True)
@click.option("--at", "instant", type=AT, help="From when on; now.")
@operator_option
@json_option
def show(
    merchant_id: int,
    store_id: int | None,
    grain: str,
    hours: int,
    model: str,
    instant: datetime | None,
    operator_: str,
    as_json: bool,
) -> None:
    """Show what stores may expect. Example: houfu forecast show 1 --grain day --hours 72"""
    found = queries.forecast(
        operator(operator_), merchant_id, grain=grain, ahead_hours=hours, store_id=store_id, model=model, at=instant
    )
    if as_json:
        emit(asdict(found), True)
    else:
        emit([{**asdict(each), "begins": each.begins.isoformat()} for each in found.periods], False)
        click.echo(f"\n{found.model}, made from {found.made_from[0].isoformat()} to {found.made_from[1].isoformat()}")


@cli.command()
@merchant_option
@click.option("--days", type=click.IntRange(2, 730), default=28, show_default=True, help="How many days are forecast.")
@click.option("--ahead", type=click.IntRange(24, 168), default=48, show_default=True, help="Hours from each origin.")
@click.option("--model", "models", type=click.Choice(queries.MODELS), multiple=True, default=["profile"])
@operator_option
@json_option
def backtest(
    merchant_id: int | None, days: int, ahead: int, models: tuple[str, ...], operator_: str, as_json: bool
) -> None:
    """Show how wrong forecasts would have been, beside repeating the week before.

    Example: houfu forecast backtest --merchant 1 --model profile --model boosted
    """
    by = operator(operator_)
    plan = rules.Plan(days=days, ahead_hours=ahead)

    def test(merchant: int) -> dict[str, Any]:
        with _bar(f"merchant {merchant}") as progress:
            return queries.back_test(by, merchant, models=models, plan=plan, progress=progress)

    found = [_or_refusal(merchant, test) for merchant in _merchants(by, merchant_id)]
    if as_json:
        emit(found, True)
        return
    for each in found:
        scores = each.pop("scores", [])
        emit(each, False)
        if scores:
            shown = ("of", "grain", "model", "orders", "wape", "wape_of_median", "against_naive", "coverage")
            emit([{name: score[name] for name in shown} for score in scores], False)


@cli.command()
@click.argument("merchant_id", type=int)
@click.argument("pool_id", type=int)
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Limit for this day to come; time bands unless given.")
@operator_option
@json_option
def propose(merchant_id: int, pool_id: int, day: datetime | None, operator_: str, as_json: bool) -> None:
    """Propose a pool's time bands, or what a day to come lacks; somebody accepts it or not.

    Example: houfu forecast propose 1 1 --day 2025-11-11
    """
    by = operator(operator_)
    if day is None:
        made = actions.propose_bands(by=by, merchant_id=merchant_id, pool_id=pool_id)
    else:
        made = actions.propose_day(by=by, merchant_id=merchant_id, pool_id=pool_id, day=date(*day.timetuple()[:3]))
    emit({"kind": made.kind, "pool_id": made.pool_id, "amounts_fen": made.amounts_fen, "source": made.source}, as_json)


@click.command("whatif")
@merchant_option
@click.option("--policy", "policy_", help="A pack's file, or the version of one that is loaded.")
@click.option("--from", "begins", type=AT, help="Since when it is supposed; always.")
@click.option("--to", "ends", type=AT, help="Before when; now.")
@click.option("--limit-change", "changes", multiple=True, help="STORE=+FEN or STORE=-FEN: a store's id, code, or *.")
@operator_option
@json_option
def whatif(
    merchant_id: int | None,
    policy_: str | None,
    begins: datetime | None,
    ends: datetime | None,
    changes: tuple[str, ...],
    operator_: str,
    as_json: bool,
) -> None:
    """Live through a merchant's orders under another policy or other limits; nothing is kept of it.

    Exit code 1 where the past as it was does not give the recorded decisions again.

    Example: houfu limit whatif --merchant 1 --policy 2027-01-01.toml --limit-change S1=+5000000 --json
    """
    by = operator(operator_)
    policy = _policy(policy_) if policy_ else None

    def test(merchant: int) -> dict[str, Any]:
        supposed = actions.Supposed(policy, _changes(merchant, changes), begins, ends)
        with _bar(f"merchant {merchant}") as progress:
            return actions.what_if(
                by=by, merchant_id=merchant, supposed=supposed, progress=lambda _, done, of: progress(done, of)
            )

    found = [_or_refusal(merchant, test) for merchant in _merchants(by, merchant_id)]
    if as_json:
        emit(found, True)
    else:
        for each in found:
            emit({name: value for name, value in each.items() if name != "stores"}, False)
    sys.exit(0 if all(each.get("reproduced", True) for each in found) else 1)


class ChangeUnreadable(Invalid):
    """A changed limit is written as STORE=+FEN or STORE=-FEN, with a store's id or code, or * for every store."""

    code = "insight_change_unreadable"


def _policy(said: str) -> Policy:
    """Return the policy of a file, or of a version that is loaded."""
    path = Path(said)
    if path.is_file():
        return policies.drafted(path.read_text(encoding="utf-8"))
    return policies.version(said)


def _changes(merchant_id: int, said: tuple[str, ...]) -> dict[int, int]:
    ids = merchants.stores_by_code(merchant_id)
    found: dict[int, int] = {}
    for each in said:
        store, _, fen = each.rpartition("=")
        if store not in ids and store != "*" and not store.isdecimal():
            raise ChangeUnreadable(said=each)
        try:
            stores = ids.values() if store == "*" else [ids.get(store) or int(store)]
            found.update(dict.fromkeys(stores, int(fen)))
        except ValueError as error:
            raise ChangeUnreadable(said=each) from error
    return found


def _merchants(by: Actor, merchant_id: int | None) -> list[int]:
    if merchant_id is not None:
        merchants.access_merchant(by, "merchants:read", merchant_id)
        return [merchant_id]
    found: list[int] = []
    while more := merchants.merchants(by, after=found[-1] if found else 0, limit=500):
        found += [merchant.merchant_id for merchant in more]
    return found


def _or_refusal(merchant_id: int, test: Any) -> dict[str, Any]:
    """Return what a test says, or that it was refused for this merchant: of several, the others go on."""
    try:
        result: dict[str, Any] = test(merchant_id)
    except (queries.TooLittlePast, actions.NoOrders) as refusal:
        return _refused(merchant_id, refusal)
    return result


def _refused(merchant_id: int, refusal: Refused) -> dict[str, Any]:
    return {"merchant_id": merchant_id, "refused": refusal.code, "details": refusal.details}


@contextmanager
def _bar(label: str) -> Iterator[Any]:
    """Show on standard error how far it is."""
    with click.progressbar(length=1000, label=label, file=sys.stderr) as bar:
        shown = 0

        def tell(done: int, of: int) -> None:
            nonlocal shown
            now = 1000 * done // of if of else 1000
            if now < shown:  # another run begins
                bar.pos, shown = 0, 0
            bar.update(now - shown)
            shown = now

        yield tell
