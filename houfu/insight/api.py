"""What is to come, over HTTP."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Router
from pydantic import BeforeValidator, Field

from houfu.insight import actions, queries
from houfu.kernel.http import PROBLEMS, In, Out, actor, mine

router = Router(tags=["insight"])
Day = Annotated[date, BeforeValidator(lambda said: date.fromisoformat(said) if isinstance(said, str) else said)]


class PeriodOut(Out):
    store_id: int | None = Field(description="none for the merchant as a whole")
    period: str
    begins: datetime
    hours: int
    mean_orders: float
    q50_orders: int
    q90_orders: int
    mean_fen: int
    q90_fen: int


class ForecastOut(Out):
    model: str
    inputs_digest: str
    made_from: tuple[datetime, datetime]
    periods: list[PeriodOut]


class ProposalIn(In):
    pool_id: int
    day: Day | None = Field(default=None, description="limit for this day to come; time bands where none is named")


class ProposalOut(Out):
    kind: str
    pool_id: int
    amounts_fen: dict[str, int]
    source: dict[str, Any]


@router.get("/forecasts", response={200: ForecastOut, **PROBLEMS})
def forecasts(
    request: HttpRequest,
    grain: Literal["hour", "band", "day"] = "band",
    hours: Annotated[int, Field(ge=1, le=336)] = 48,
    store_id: int | None = None,
) -> Any:
    """Forecast what buyers will ask for, by store and hour, time band or day, from the merchant's own orders."""
    return queries.forecast(actor(request), mine(request), grain=grain, ahead_hours=hours, store_id=store_id)


@router.post("/forecasts:propose", response={200: ProposalOut, **PROBLEMS})
def propose(request: HttpRequest, body: ProposalIn) -> Any:
    """Propose a pool's time bands from its past, or what a day to come lacks; people accept it or not."""
    by, merchant_id = actor(request), mine(request)
    if body.day is None:
        return actions.propose_bands(by=by, merchant_id=merchant_id, pool_id=body.pool_id)
    return actions.propose_day(by=by, merchant_id=merchant_id, pool_id=body.pool_id, day=body.day)
