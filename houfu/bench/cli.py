"""houfu bench: measured on this machine, on throw-away data, beside the goals."""

import sys
from pathlib import Path
from typing import Any

import click

from houfu.bench import authorise as authorising
from houfu.bench import exporting, volume
from houfu.bench import intake as door
from houfu.bench import pages as console
from houfu.kernel.terminal import emit, json_option

POOL = click.option(
    "--pool", type=click.Choice(["hot", "spread"]), default="hot", show_default=True,
    help="One merchant whose stores all draw on one pool, or many merchants.",
)  # fmt: skip
MERCHANTS = click.option(
    "--merchants", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="Of a spread load."
)
POSITIVE = click.IntRange(1)


@click.group("bench")
def cli() -> None:
    """Measure how fast this machine is; docs/performance.md says what the figures mean."""


@cli.command()
@POOL
@click.option("--stores", type=click.IntRange(1, 10), default=10, show_default=True, help="Of the hot pool.")
@MERCHANTS
@click.option("--orders", type=POSITIVE, default=200_000, show_default=True, help="Decided in five rounds.")
@click.option("--batch", type=click.IntRange(1, 10_000), default=1000, show_default=True)
@click.option("--connections", type=click.IntRange(1, 64), default=2, show_default=True)
@click.option("--seconds", type=click.IntRange(0), default=0, help="Then go on without a pause for as long.")
@click.option(
    "--pgledger", type=click.Path(exists=True, dir_okay=False, path_type=Path), multiple=True,
    help="An SQL file of pgledger, to measure it beside; several in the order to load them.",
)  # fmt: skip
@json_option
def authorise(
    pool: str, stores: int, merchants: int, orders: int, batch: int, connections: int, seconds: int,
    pgledger: tuple[Path, ...], as_json: bool,
) -> None:  # fmt: skip
    """Decide orders through the product's own function. Example: houfu bench authorise --pool hot --json"""
    _show(
        authorising.measure(
            pool=pool, stores=stores, merchants=merchants, count=orders, batch=batch, connections=connections,
            seconds=seconds, pgledger=pgledger,
        ),
        as_json,
    )  # fmt: skip


@cli.command()
@POOL
@MERCHANTS
@click.option("--callers", type=click.IntRange(1, 10_000), default=256, show_default=True, help="At the same time.")
@click.option("--seconds", type=POSITIVE, default=20, show_default=True)
@click.option(
    "--by", type=click.Choice(["request", "line", "call"]), default="request", show_default=True,
    help="One order a request over HTTP, lines of streams over HTTP, or callers in the process that decides.",
)  # fmt: skip
@json_option
def intake(pool: str, merchants: int, callers: int, seconds: int, by: str, as_json: bool) -> None:
    """Ask for orders, most of all over HTTP. Example: houfu bench intake --callers 256 --seconds 20 --json"""
    _show(door.measure(pool=pool, by=by, merchants=merchants, callers=callers, seconds=seconds), as_json)


@cli.command()
@click.option("--to", type=POSITIVE, default=1_000_000, show_default=True, help="Orders in the end.")
@click.option("--first", type=POSITIVE, default=100_000, show_default=True, help="Orders at the first look.")
@json_option
def grow(to: int, first: int, as_json: bool) -> None:
    """Time a batch and a page while the orders grow tenfold. Example: houfu bench grow --to 10000000 --json"""
    _show(volume.grow(to, first), as_json)


@cli.command()
@click.option("--lines", type=POSITIVE, default=20_000, show_default=True, help="Of one day's statement.")
@json_option
def settle(lines: int, as_json: bool) -> None:
    """Book a settlement statement. Example: houfu bench settle --lines 20000 --json"""
    _show(volume.settle(lines), as_json)


@cli.command()
@click.option("--stores", type=POSITIVE, default=2000, show_default=True, help="With matured money each.")
@json_option
def run(stores: int, as_json: bool) -> None:
    """Pay stores out in an automatic run. Example: houfu bench run --stores 20000 --json"""
    _show(volume.run(stores), as_json)


@cli.command()
@click.option("--entries", type=POSITIVE, default=300_000, show_default=True, help="Of the ledger, at least.")
@json_option
def verify(entries: int, as_json: bool) -> None:
    """Prove the books while the ledger is large. Example: houfu bench verify --entries 300000 --json"""
    _show(volume.verify(entries), as_json)


@cli.command()
@click.option("--links", type=POSITIVE, default=100_000, show_default=True, help="At least.")
@json_option
def history(links: int, as_json: bool) -> None:
    """Recompute the chains of the history. Example: houfu bench history --links 100000 --json"""
    _show(volume.links(links), as_json)


@cli.command("export")
@click.option("--rows", type=POSITIVE, default=100_000, show_default=True, help="Orders, of one merchant.")
@json_option
def export_(rows: int, as_json: bool) -> None:
    """Export orders as CSV and as XLSX. Example: houfu bench export --rows 1000000 --json"""
    _show(exporting.measure(rows), as_json)


@cli.command()
@click.option("--rows", type=click.IntRange(100), default=1_000_000, show_default=True, help="Orders, of one merchant.")
@json_option
def pages(rows: int, as_json: bool) -> None:
    """Time every page of the console on the server. Example: houfu bench pages --rows 1000000 --json"""
    _show(console.measure(rows), as_json)


def _show(result: dict[str, Any], as_json: bool) -> None:
    """Print figures; exit 1 where the books do not hold afterwards. A goal that is missed is no failure."""
    if as_json:
        emit(result, True)
    else:
        goals = result.pop("goals")
        emit(result, False)
        if goals:
            click.echo("")
            emit(goals, False)
    sys.exit(1 if result["verify"]["findings"] else 0)
