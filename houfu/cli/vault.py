"""houfu vault: the keys by which merchants' data is sealed."""

import click

from houfu.kernel.models import DataKey
from houfu.kernel.terminal import emit, fields, json_option, operator_option
from houfu.people.actor import operator
from houfu.site import data_keys

ring_option = click.option(
    "--ring", type=click.Choice(data_keys.RINGS), default="vault", show_default=True, help="Whose keys."
)


@click.group("vault")
def cli() -> None:
    """Look at data keys, change them, destroy them. The files that wrap them lie in keys/ of the data folder."""


@cli.command()
@click.argument("merchant_id", type=int, required=False)
@json_option
def status(merchant_id: int | None, as_json: bool) -> None:
    """List data keys, never in clear. Example: houfu vault status 7 --json"""
    found = DataKey.objects.order_by("merchant_id", "ring", "made_at")
    rows = found if merchant_id is None else found.filter(merchant_id=merchant_id)
    emit([fields(row, "merchant_id ring id state kek made_at") for row in rows], as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@ring_option
@operator_option
@json_option
def rotate(merchant_id: int, ring: str, operator_: str, as_json: bool) -> None:
    """Give a merchant a new data key. Example: houfu vault rotate 7

    What older keys have sealed is sealed again; stopped half-way, run it again. 0 is the platform.
    """
    done = data_keys.rotate(by=operator(operator_), merchant_id=merchant_id, ring=ring)
    emit({"merchant_id": merchant_id, "ring": ring, "resealed": done}, as_json)


@cli.command()
@ring_option
@operator_option
@json_option
def rewrap(ring: str, operator_: str, as_json: bool) -> None:
    """Make a new key file and wrap all data keys with it. Example: houfu vault rewrap --ring vault

    Share keys/ among machines before; the older file reads older backups, so keep it as long as they are kept.
    """
    number, done = data_keys.rewrap(by=operator(operator_), ring=ring)
    emit({"ring": ring, "kek": number, "rewrapped": done}, as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@click.option("--confirm", required=True, help="The merchant's unified social credit code.")
@click.option("--reason", required=True)
@operator_option
@json_option
def erase(merchant_id: int, confirm: str, reason: str, operator_: str, as_json: bool) -> None:
    """Destroy a merchant's data keys for good. Example: houfu vault erase 7 --confirm 9133…1X --reason PIPL-47

    Refused while a payout is under way, an account usable or an endpoint told.
    """
    done = data_keys.erase(by=operator(operator_), merchant_id=merchant_id, confirm=confirm, reason=reason)
    emit({"merchant_id": merchant_id, "destroyed": done}, as_json)
