"""houfu history: what happened, and whether anybody has altered the record of it."""

import json
import sys
from typing import IO

import click

from houfu.history import queries
from houfu.kernel.terminal import emit, json_option


@click.group("history")
def cli() -> None:
    """One chain of links per merchant; merchant 0 is the platform."""


@cli.command("list")
@click.argument("merchant_id", type=int)
@click.option("--subject", default="", help="One thing alone, such as payout/…")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_option
def list_(merchant_id: int, subject: str, limit: int, as_json: bool) -> None:
    """List what happened, newest first. Example: houfu history list 1 --subject store/1"""
    emit(
        [
            {
                "seq": link.seq,
                "at": link.at.isoformat(),
                "actor": link.actor,
                "verb": link.verb,
                "subject": link.subject,
                "detail": link.detail,
            }
            for link in queries.links(merchant_id, subject=subject, limit=limit)
        ],
        as_json,
    )


@cli.command()
def checkpoint() -> None:
    """Print the ends of all chains as JSON lines, to be kept elsewhere. Example: houfu history checkpoint > ends"""
    for merchant_id, seq, digest in queries.heads():
        click.echo(json.dumps({"merchant_id": merchant_id, "seq": seq, "hash": digest}))


@cli.command()
@click.option("--checkpoints", type=click.File(), help="Ends kept earlier, as `checkpoint` printed them.")
@json_option
def verify(checkpoints: IO[str] | None, as_json: bool) -> None:
    """Recompute every chain; exit 1 with what does not hold. Example: houfu history verify --checkpoints ends"""
    kept = [json.loads(line) for line in checkpoints or ()]
    broken = queries.broken_links([(each["merchant_id"], each["seq"], each["hash"]) for each in kept])
    if as_json or broken:
        emit(broken, as_json)
    else:
        click.echo(f"{len(list(queries.heads()))} chains hold")
    sys.exit(1 if broken else 0)
