"""houfu recognition and conversion: own limit moved to a store on another platform."""

import hashlib
from pathlib import Path
from typing import Any

import click

from houfu.kernel.terminal import YUAN, emit, fields, json_option, operator_option
from houfu.limits import actions
from houfu.limits import conversion_queries as queries
from houfu.people.actor import operator

CONVERSION = (
    "id from_store_id to_store_id amount_fen given_fen haircut_fen returned_fen haircut_back_fen state abnormal"
    " held_until"
)


@click.group()
def recognition() -> None:
    """Documents by which two platforms recognise a merchant's qualifications."""


def _shown(found: queries.RecognitionView) -> dict[str, Any]:
    sides = [fields(side, "channel_account_id document signed_at accepted_at") for side in found.sides]
    return {**fields(found, "id state proposed_by proposed_at note"), "sides": sides}


@recognition.command()
@click.argument("merchant_id", type=int)
@click.option(
    "--document", "documents", type=(int, str, click.Path(exists=True, dir_okay=False, path_type=Path)), multiple=True,
    help="Channel account, title and file; one of each side.",
)  # fmt: skip
@operator_option
@json_option
def propose(merchant_id: int, documents: tuple[tuple[int, str, Path], ...], operator_: str, as_json: bool) -> None:
    """Bring both documents. Example: houfu recognition propose 1 --document 1 资质 a --document 2 资质 b"""
    brought = [
        actions.Document(account_id, title, hashlib.sha256(file.read_bytes()).hexdigest())
        for account_id, title, file in documents
    ]
    made = actions.propose_recognition(by=operator(operator_), merchant_id=merchant_id, documents=brought)
    emit(_shown(queries.recognition(operator(operator_), merchant_id, made.id)), as_json)


@recognition.command()
@click.argument("merchant_id", type=int)
@click.argument("recognition_id", type=int)
@click.argument("channel_account_id", type=int)
@operator_option
@json_option
def accept(merchant_id: int, recognition_id: int, channel_account_id: int, operator_: str, as_json: bool) -> None:
    """Accept a side's document. Example: houfu recognition accept 1 1 2"""
    actions.accept_document(
        by=operator(operator_), merchant_id=merchant_id, id=recognition_id, channel_account_id=channel_account_id
    )
    emit(_shown(queries.recognition(operator(operator_), merchant_id, recognition_id)), as_json)


@recognition.command()
@click.argument("merchant_id", type=int)
@click.argument("recognition_id", type=int)
@click.argument("note")
@operator_option
def refuse(merchant_id: int, recognition_id: int, note: str, operator_: str) -> None:
    """Refuse a recognition. Example: houfu recognition refuse 1 1 资质已过期"""
    actions.refuse_recognition(by=operator(operator_), merchant_id=merchant_id, id=recognition_id, note=note)


@recognition.command()
@click.argument("merchant_id", type=int)
@click.argument("recognition_id", type=int)
@operator_option
def withdraw(merchant_id: int, recognition_id: int, operator_: str) -> None:
    """Take a recognition back. Example: houfu recognition withdraw 1 1"""
    actions.withdraw_recognition(by=operator(operator_), merchant_id=merchant_id, id=recognition_id)


@recognition.command("list")
@click.argument("merchant_id", type=int)
@operator_option
@json_option
def list_recognitions(merchant_id: int, operator_: str, as_json: bool) -> None:
    """List a merchant's recognitions, newest first. Example: houfu recognition list 1"""
    emit([_shown(found) for found in queries.recognitions(operator(operator_), merchant_id)], as_json)


@click.group()
def conversion() -> None:
    """Own limit that one store gives up for another on another platform."""


@conversion.command()
@click.argument("merchant_id", type=int)
@click.argument("from_store_id", type=int)
@click.argument("to_store_id", type=int)
@click.argument("amount", type=YUAN)
@operator_option
@json_option
def ask(merchant_id: int, from_store_id: int, to_store_id: int, amount: int, operator_: str, as_json: bool) -> None:
    """Ask to convert limit, in yuan. Example: houfu conversion ask 1 1 2 10000"""
    asked = actions.convert(
        by=operator(operator_),
        merchant_id=merchant_id,
        from_store_id=from_store_id,
        to_store_id=to_store_id,
        amount_fen=amount,
    )
    emit(fields(asked, CONVERSION), as_json)


@conversion.command()
@click.argument("merchant_id", type=int)
@click.argument("conversion_id", type=int)
@operator_option
@json_option
def confirm(merchant_id: int, conversion_id: int, operator_: str, as_json: bool) -> None:
    """Hand a conversion on, as a second person. Example: houfu conversion confirm 1 1"""
    made = actions.confirm_conversion(by=operator(operator_), merchant_id=merchant_id, id=conversion_id)
    emit(fields(made, CONVERSION), as_json)


@conversion.command("refuse")
@click.argument("merchant_id", type=int)
@click.argument("conversion_id", type=int)
@click.argument("note")
@operator_option
def refuse_conversion(merchant_id: int, conversion_id: int, note: str, operator_: str) -> None:
    """Refuse a conversion, or call it off. Example: houfu conversion refuse 1 1 不再需要"""
    actions.refuse_conversion(by=operator(operator_), merchant_id=merchant_id, id=conversion_id, note=note)


@conversion.command("list")
@click.argument("merchant_id", type=int)
@click.option("--state", default="")
@click.option("--limit", type=click.IntRange(1, 500), default=100, show_default=True)
@operator_option
@json_option
def list_conversions(merchant_id: int, state: str, limit: int, operator_: str, as_json: bool) -> None:
    """List a merchant's conversions, newest first. Example: houfu conversion list 1 --state held"""
    found = queries.conversions(operator(operator_), merchant_id, state=state, limit=limit)
    emit([fields(row, CONVERSION) for row in found], as_json)
