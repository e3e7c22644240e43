"""Versions of rules over HTTP, and what they would have said before: they are the platform's (K8)."""

import json
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import BeforeValidator, Field

from houfu.kernel.http import PROBLEMS, In, Out, actor
from houfu.risk import actions, queries

router = Router(tags=["risk"])
Day = Annotated[date, BeforeValidator(lambda said: date.fromisoformat(said) if isinstance(said, str) else said)]


class NewVersion(In):
    parameters: dict[str, int] = Field(description="numbers in the place of the policy pack's, by their names there")
    why: str
    effect: str = ""


class VersionOut(Out):
    rule: str
    version: int
    state: str
    effect: str
    parameters: dict[str, int]
    why: str
    drafted_by: str
    promoted_by: str | None

    @staticmethod
    def resolve_parameters(row: Any) -> Any:
        return json.loads(row.parameters)


class Span(In):
    first: Day
    last: Day


class BacktestOut(Out):
    id: UUID
    rule: str
    version: int
    first_day: date
    last_day: date
    run_by: str
    run_at: datetime
    result: dict[str, Any]

    @staticmethod
    def resolve_result(row: Any) -> Any:
        return json.loads(row.result)


@router.get("/risk/rules", response={200: list[VersionOut], **PROBLEMS})
def rule_versions(request: HttpRequest) -> Any:
    """List the versions of every rule; for compliance."""
    return queries.rule_versions(actor(request))


@router.post("/risk/rules/{rule}/versions", response={201: VersionOut, **PROBLEMS})
def draft(request: HttpRequest, rule: str, body: NewVersion) -> Any:
    """Propose a version of a rule; for the platform's people."""
    return Status(201, actions.draft(by=actor(request), rule=rule, **body.dict()))


@router.post("/risk/rules/{rule}/versions/{int:version}:watch", response={204: None, **PROBLEMS})
def watch(request: HttpRequest, rule: str, version: int) -> Any:
    """Let a draft look on in shadow (K8)."""
    actions.watch(by=actor(request), rule=rule, version=version)
    return Status(204, None)


@router.post("/risk/rules/{rule}/versions/{int:version}:promote", response={204: None, **PROBLEMS})
def promote(request: HttpRequest, rule: str, version: int) -> Any:
    """Let a version act that was back-tested, as a second person (K8)."""
    actions.promote(by=actor(request), rule=rule, version=version)
    return Status(204, None)


@router.post("/risk/rules/{rule}/versions/{int:version}:retire", response={204: None, **PROBLEMS})
def retire(request: HttpRequest, rule: str, version: int) -> Any:
    """Take a version out of use."""
    actions.retire(by=actor(request), rule=rule, version=version)
    return Status(204, None)


@router.post("/risk/rules/{rule}/versions/{int:version}/backtests", response={201: BacktestOut, **PROBLEMS})
def backtest(request: HttpRequest, rule: str, version: int, body: Span) -> Any:
    """Ask a version about what was recorded, and keep the figures (K8)."""
    return Status(201, actions.backtest(by=actor(request), rule=rule, version=version, **body.dict()))


@router.get("/risk/backtests", response={200: list[BacktestOut], **PROBLEMS})
def backtests(request: HttpRequest, rule: str = "") -> Any:
    """List the back-tests on record, newest first; for compliance."""
    return queries.backtests(actor(request), rule)
