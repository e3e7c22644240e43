"""Statements and breaks over HTTP."""

from datetime import date, datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router

from houfu.kernel.http import PROBLEMS, Limit, Out, Page, actor, after, mine, page
from houfu.reconciliation import queries

router = Router(tags=["reconciliation"])


class StatementOut(Out):
    channel_account_id: int
    day: date
    final: bool
    lines: int
    fetched_at: datetime


class BreakOut(Out):
    channel_account_id: int
    day: date
    no: str
    kind: str
    ref: str
    amount_fen: int
    fee_fen: int
    at: datetime
    code: str


@router.get("/statements", response={200: Page[StatementOut], **PROBLEMS})
def statements(request: HttpRequest, cursor: str = "", limit: Limit = 100) -> Any:
    """List the statements that were taken in, newest first."""
    place = after(cursor, "statements")
    before = (date.fromisoformat(place[0]), int(place[1])) if place else None
    found = queries.statements(actor(request), mine(request), before=before, limit=limit + 1)
    return page(found, limit, "statements", lambda row: [row.day, row.channel_account_id])


@router.get("/breaks", response={200: Page[BreakOut], **PROBLEMS})
def breaks(request: HttpRequest, cursor: str = "", limit: Limit = 100) -> Any:
    """List the statement lines with which the books do not agree, oldest first."""
    place = after(cursor, "breaks")
    start = (date.fromisoformat(place[0]), int(place[1]), place[2]) if place else None
    found = queries.breaks(actor(request), mine(request), after=start, limit=limit + 1)
    return page(found, limit, "breaks", lambda row: [row.day, row.channel_account_id, row.no])
