"""houfu webhooks: who is told a merchant's history, and what became of it."""

from datetime import datetime

import click

from houfu.kernel import clock
from houfu.kernel.terminal import AT, emit, fields, json_option, operator_option
from houfu.people.actor import operator
from houfu.webhooks import actions, queries, signing

ENDPOINT = "id url verbs state disabled_for cursor failures rests_until delivered_at"
ATTEMPT = "no at outcome status latency_ms"


@click.group("webhooks")
def cli() -> None:
    """Endpoints that are told what happens, signed and retried."""


def _keys(signer: signing.Signer) -> dict[str, str]:
    return {"secret": signer.secret_text, "public_key": signer.public_text}


@cli.command("list")
@click.argument("merchant_id", type=int)
@operator_option
@json_option
def list_(merchant_id: int, operator_: str, as_json: bool) -> None:
    """List a merchant's endpoints. Example: houfu webhooks list 1"""
    emit([fields(row, ENDPOINT) for row in queries.endpoints(operator(operator_), merchant_id)], as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@click.argument("url")
@click.option("--verb", "verbs", multiple=True, default=["*"], show_default=True, help="As payout.paid or payout.*")
@operator_option
@json_option
def add(merchant_id: int, url: str, verbs: tuple[str, ...], operator_: str, as_json: bool) -> None:
    """Tell an endpoint what happens from now on; its secret is shown this once.

    Example: houfu webhooks add 1 https://erp.example.com/houfu --verb 'payout.*'
    """
    added, signer = actions.add(by=operator(operator_), merchant_id=merchant_id, url=url, verbs=verbs)
    emit({**fields(added, "id url verbs state"), **_keys(signer)}, as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@click.argument("endpoint_id", type=int)
@click.option("--url", default="", help="Where it is told from now on.")
@click.option("--verb", "verbs", multiple=True, help="What it is told from now on; may be given many times.")
@operator_option
@json_option
def change(merchant_id: int, endpoint_id: int, url: str, verbs: tuple[str, ...], operator_: str, as_json: bool) -> None:
    """Give an endpoint another URL or other verbs. Example: houfu webhooks change 1 2 --verb payout.paid"""
    changed = actions.change(by=operator(operator_), merchant_id=merchant_id, id=endpoint_id, url=url, verbs=verbs)
    emit(fields(changed, ENDPOINT), as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@click.argument("endpoint_id", type=int)
@click.option(
    "--overlap-hours", type=click.IntRange(0, 168), default=actions.OVERLAP_HOURS, show_default=True,
    help="How long the old keys sign too; 0 retires them at once.",
)  # fmt: skip
@operator_option
@json_option
def rotate(merchant_id: int, endpoint_id: int, overlap_hours: int, operator_: str, as_json: bool) -> None:
    """Make an endpoint new keys, shown this once. Example: houfu webhooks rotate 1 2 --overlap-hours 48"""
    signer = actions.rotate(
        by=operator(operator_), merchant_id=merchant_id, id=endpoint_id, overlap_hours=overlap_hours
    )
    emit(_keys(signer), as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@click.argument("endpoint_id", type=int)
@operator_option
def test(merchant_id: int, endpoint_id: int, operator_: str) -> None:
    """Have an endpoint told endpoint.tested. Example: houfu webhooks test 1 2"""
    actions.test(by=operator(operator_), merchant_id=merchant_id, id=endpoint_id)


@cli.command()
@click.argument("merchant_id", type=int)
@click.argument("endpoint_id", type=int)
@operator_option
def disable(merchant_id: int, endpoint_id: int, operator_: str) -> None:
    """Tell an endpoint nothing until it is enabled. Example: houfu webhooks disable 1 2"""
    actions.disable(by=operator(operator_), merchant_id=merchant_id, id=endpoint_id)


@cli.command()
@click.argument("merchant_id", type=int)
@click.argument("endpoint_id", type=int)
@click.option("--skip", is_flag=True, help="Pass over what has happened meanwhile.")
@operator_option
def enable(merchant_id: int, endpoint_id: int, skip: bool, operator_: str) -> None:
    """Tell an endpoint again, from where it was. Example: houfu webhooks enable 1 2"""
    actions.enable(by=operator(operator_), merchant_id=merchant_id, id=endpoint_id, skip=skip)


@cli.command()
@click.argument("merchant_id", type=int)
@click.argument("endpoint_id", type=int)
@operator_option
def remove(merchant_id: int, endpoint_id: int, operator_: str) -> None:
    """Take an endpoint away for good; its log stays. Example: houfu webhooks remove 1 2"""
    actions.remove(by=operator(operator_), merchant_id=merchant_id, id=endpoint_id)


@cli.command()
@click.argument("merchant_id", type=int)
@click.argument("endpoint_id", type=int)
@click.option("--state", default="", help="pending, delivered or given_up alone.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@operator_option
@json_option
def deliveries(merchant_id: int, endpoint_id: int, state: str, limit: int, operator_: str, as_json: bool) -> None:
    """List deliveries with their last attempts, newest first. Example: houfu webhooks deliveries 1 2 --state pending"""
    found = queries.deliveries(operator(operator_), merchant_id, endpoint_id=endpoint_id, state=state, limit=limit)
    emit([row._asdict() for row in found], as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@click.argument("delivery_id", type=int)
@operator_option
@json_option
def attempts(merchant_id: int, delivery_id: int, operator_: str, as_json: bool) -> None:
    """List every attempt at a delivery. Example: houfu webhooks attempts 1 7"""
    emit([fields(row, ATTEMPT) for row in queries.attempts(operator(operator_), merchant_id, delivery_id)], as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@click.argument("endpoint_id", type=int)
@click.option("--delivery", "delivery_id", type=int, help="One delivery alone.")
@click.option("--from", "from_", type=AT, help="The first instant of a time.")
@click.option("--to", type=AT, help="The instant after a time; now unless given.")
@operator_option
@json_option
def replay(
    merchant_id: int, endpoint_id: int, delivery_id: int | None, from_: datetime | None, to: datetime | None,
    operator_: str, as_json: bool,
) -> None:  # fmt: skip
    """Send again what was sent, or should have been. Example: houfu webhooks replay 1 2 --from 2025-11-10T09:00:00"""
    by = operator(operator_)
    if (delivery_id is None) == (from_ is None):
        raise click.UsageError("say --delivery or --from")
    if delivery_id is not None:
        if queries.access_delivery(by, "webhooks:read", merchant_id, delivery_id).endpoint_id != endpoint_id:
            raise click.UsageError("this delivery is another endpoint's")
        actions.replay(by=by, merchant_id=merchant_id, delivery_id=delivery_id)
        emit({"deliveries": 1}, as_json)
    elif from_ is not None:
        again = actions.replay_range(by=by, merchant_id=merchant_id, id=endpoint_id, from_=from_, to=to or clock.now())
        emit({"deliveries": again}, as_json)
