"""houfu import: files of order events taken in, and a trial instance taken through the time that they tell of."""

import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import click

from houfu.imports import actions, mapping, queries
from houfu.imports.models import Import
from houfu.kernel import clock
from houfu.kernel.terminal import YUAN, emit, json_option, operator_option
from houfu.limits import actions as limits
from houfu.merchants import actions as merchants
from houfu.merchants import queries as merchant_queries
from houfu.payouts import actions as payouts
from houfu.payouts import queries as payout_queries
from houfu.people.actor import Actor, operator
from houfu.site import forward


@click.group("import")
def cli() -> None:
    """Files of order events: CSV in UTF-8 or GB18030, or NDJSON. See docs/imports.md."""


@cli.command("orders")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--merchant", "merchant_id", type=int, required=True)
@click.option("--mapping", "mapping_name", default="events", show_default=True, help="A TOML file, or one we ship.")
@click.option("--open-stores", type=int, help="Open stores that are not there yet, under this channel account.")
@click.option("--limit", type=YUAN, default="0", help="Own limit of each store that is opened, in yuan.")
@click.option("--pay-to", type=int, help="Beneficiary to which stores that are opened are paid out on run days.")
@click.option(
    "--forward",
    "days_after",
    type=click.IntRange(0, 400),
    help="On a trial instance: go through the time"
    " of the files day by day and so many days on; the simulated channel settles, runs pay out.",
)
@operator_option
@json_option
def orders(
    files: tuple[Path, ...],
    merchant_id: int,
    mapping_name: str,
    open_stores: int | None,
    limit: int,
    pay_to: int | None,
    days_after: int | None,
    operator_: str,
    as_json: bool,
) -> None:
    """Take in files of orders; the same files again change nothing, a broken import goes on.

    Example: houfu import orders orders.csv items.csv --merchant 1 --mapping marketplace
    """
    by = operator(operator_)
    merchant_queries.access_merchant(by, "orders:write", merchant_id)
    text = _mapping(mapping_name)
    with _Bar() as progress:
        found = actions.begin(by=by, merchant_id=merchant_id, paths=files, mapping_text=text, progress=progress)
    prepare = _opener(by, found, open_stores, limit, pay_to)
    if days_after is None:
        prepare()
        _work(by, found)
        report = queries.report(by, found)
    else:
        _forward(by, found, prepare, days_after)
        report = {**queries.report(by, found), "equation": payout_queries.equation(by, merchant_id)}
    _show(found, report, as_json)


@cli.command("list")
@click.argument("merchant_id", type=int)
@operator_option
@json_option
def list_(merchant_id: int, operator_: str, as_json: bool) -> None:
    """List a merchant's imports. Example: houfu import list 1"""
    found = queries.imports(operator(operator_), merchant_id)
    emit([{"id": each.id, "state": each.state, "files": each.files, "at": each.started_at} for each in found], as_json)


@cli.command("report")
@click.argument("merchant_id", type=int)
@click.argument("import_id", type=int)
@click.option("--lines", is_flag=True, help="Every bad or bent line.")
@operator_option
@json_option
def report_(merchant_id: int, import_id: int, lines: bool, operator_: str, as_json: bool) -> None:
    """Say what became of an import. Example: houfu import report 1 1 --lines"""
    found = queries.access_import(operator(operator_), merchant_id, import_id)
    if lines:
        emit(queries.remarks(found, limit=1_000_000), as_json)
    else:
        _show(found, queries.report(operator(operator_), found), as_json)


def _mapping(name: str) -> str:
    shipped = mapping.SHIPPED / f"{name}.toml"
    path = shipped if name.isidentifier() and shipped.exists() else Path(name)
    try:
        return path.read_text()
    except OSError as error:
        raise mapping.MappingInvalid(file=name, said=error.strerror) from error


def _opener(
    by: Actor, found: Import, channel_account_id: int | None, limit_fen: int, beneficiary_id: int | None
) -> Callable[[], None]:
    """Return what opens the stores of an import that are not there yet, if that was asked for."""

    def open_missing() -> None:
        there = merchant_queries.stores_by_code(found.merchant_id)
        for code in queries.stores_named(found):
            if code in there or not code:
                continue
            store = merchants.open_store(
                by=by, merchant_id=found.merchant_id, code=code, name=code, channel_account_id=channel_account_id or 0
            )
            if limit_fen:
                limits.grant(by=by, merchant_id=found.merchant_id, store_id=store.id, amount_fen=limit_fen)
            if beneficiary_id:
                payouts.stand(
                    by=by,
                    merchant_id=found.merchant_id,
                    store_id=store.id,
                    beneficiary_id=beneficiary_id,
                    purpose="goods_settlement",
                )

    return open_missing if channel_account_id is not None else lambda: None


def _work(by: Actor, found: Import, until: date | None = None) -> None:
    waiting = queries.steps_left(found) if until is None else 0
    with click.progressbar(length=waiting, label="steps", file=sys.stderr, hidden=not waiting) as bar:
        while done := actions.work(by=by, found=found, until=until):
            bar.update(done)


def _forward(by: Actor, found: Import, prepare: Callable[[], None], days_after: int) -> None:
    """Go through the days of an import on a trial instance; begun again, it goes on from where its clock stands."""
    waiting = queries.days(found)
    first = waiting[0] if waiting else clock.business_day(clock.now())
    with forward.travelling(datetime.combine(first, time(0), clock.SHANGHAI)) as traveller:
        prepare()
        begins = min(clock.business_day(clock.now()), first) if waiting else clock.business_day(clock.now())
        ends = queries.last_day(found) + timedelta(days=days_after)
        with click.progressbar(length=(ends - begins).days + 1, label="days", file=sys.stderr) as bar:
            for _ in traveller.days(begins, ends, lambda day: _work(by, found, day)):
                bar.update(1)
    _work(by, found)


class _Bar:
    """Shows how far each file is read; as a context it is what `begin` tells."""

    def __enter__(self) -> Callable[[str, int, int], None]:
        self._bar: Any = None
        self._name = ""
        return self._tell

    def _tell(self, name: str, done: int, size: int) -> None:
        if name != self._name:
            self.__exit__()
            self._name, self._done = name, 0
            self._bar = click.progressbar(length=size, label=f"reading {name}", file=sys.stderr)
            self._bar.__enter__()
        self._bar.update(max(0, done - self._done))
        self._done = max(done, self._done)

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.__exit__(None, None, None)
            self._bar = None


def _show(found: Import, report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit({**report, "remarks": queries.remarks(found)}, True)
        return
    emit(report["steps"], False)
    click.echo(f"\nimport {report['import']}: {report['state']}; {report['bad_lines']} bad lines,"
               f" {report['bent_lines']} bent to fit")  # fmt: skip
    for remark in queries.remarks(found, limit=20):
        click.echo(f"  {remark['file']}:{remark['line']}  {remark['code']}  {remark['detail']}")
    if "equation" in report:
        click.echo("")
        for line in payout_queries.written(report["equation"]):
            click.echo(line)
