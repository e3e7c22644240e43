"""Buyer lines over HTTP: for the platform alone. Merchants get the decision on an order, and nothing else of it."""

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import Field

from houfu.buyers import actions, queries
from houfu.kernel import clock
from houfu.kernel.http import PROBLEMS, In, Instant, Out, actor

router = Router(tags=["buyers"])


class Buyer(In):
    """A buyer as a channel knows them; in the body, so that no log of addresses names them."""

    channel: str = Field(pattern="^[a-z_]{1,40}$")
    buyer: str = Field(pattern="^[A-Za-z0-9._:-]{1,64}$", description="the id by which the channel knows them")


class NewScore(Buyer):
    score: int = Field(ge=0, le=1_000_000)
    scored_at: Instant | None = Field(default=None, description="the instant that it is of; now if missing")
    source: Literal["platform", "channel"] = "platform"
    ref: str = Field(default="", max_length=100, description="where it can be read again")
    merchant_id: int | None = None
    store_id: int | None = Field(default=None, description="the store that grants the line; the platform if missing")


class AskedOf(In):
    """Whose channel is asked, and about whom."""

    merchant_id: int
    store_id: int
    buyer: str = Field(pattern="^[A-Za-z0-9._:-]{1,64}$", description="the id by which the channel knows them")


class ScoreOut(Out):
    score: int
    scored_at: datetime
    source: str
    ref: str
    limit_fen: int


class LineOut(Out):
    """What a buyer may owe, what open orders hold of it, and every score, the latest first."""

    limit_fen: int
    held_fen: int
    by_merchant: int | None
    by_store: int | None
    open_orders: int
    scores: list[ScoreOut]


@router.post("/buyer-scores", response={201: LineOut, **PROBLEMS})
def score(request: HttpRequest, body: NewScore) -> Any:
    """Record a buyer's credit score; the latest one makes their line by the policy's table (O5)."""
    said = {**body.dict(), "scored_at": body.scored_at or clock.now()}
    return Status(201, actions.score(by=actor(request), **said))


@router.post("/buyer-scores:ask", response={201: LineOut, **PROBLEMS})
def ask(request: HttpRequest, body: AskedOf) -> Any:
    """Ask a store's channel for a buyer's score and record its word (O5)."""
    return Status(201, actions.ask(by=actor(request), **body.dict()))


@router.post("/buyer-lines:look-up", response={200: LineOut, **PROBLEMS})
def line(request: HttpRequest, body: Buyer) -> Any:
    """Return a buyer's line."""
    return queries.line(actor(request), body.channel, body.buyer)
