"""What is to come, over HTTP."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import AwareDatetime, BeforeValidator, Field

from houfu.insight import actions, queries, work
from houfu.jobs.api import JobOut
from houfu.kernel.http import PROBLEMS, Id, In, Out, actor, mine

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


class NewBackTest(In):
    days: int = Field(default=28, ge=2, le=730, description="how many days are forecast")
    ahead_hours: int = Field(default=48, ge=24, le=168, description="how far from each origin")
    model: str = Field(default="profile", max_length=40, description="profile or boosted")
    id: Id | None = Field(default=None, description="chosen by the caller, so that asking again asks once")


class LimitChange(In):
    store_id: int
    change_fen: int = Field(description="by how much the store's own limit would have been higher, or lower")


Instant = Annotated[AwareDatetime, Field(strict=False)]


class NewWhatIf(In):
    policy: str = Field(default="", max_length=100, description="version of a pack; those then in force unless named")
    draft: str = Field(default="", max_length=8000, description="in its place, a pack's TOML that is not loaded")
    limit_changes: list[LimitChange] = Field(default=[], max_length=200)
    begins: Instant | None = Field(default=None, description="since when it is supposed")
    ends: Instant | None = Field(default=None, description="before when")
    reason: str = Field(default="", max_length=200)
    id: Id | None = Field(default=None, description="chosen by the caller, so that asking again asks once")


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


@router.post("/forecasts:backtest", response={201: JobOut, **PROBLEMS})
def backtest(request: HttpRequest, body: NewBackTest) -> Any:
    """Ask how wrong forecasts would have been, beside repeating the week before; the job's result says it."""
    return Status(201, work.ask_back_test(by=actor(request), merchant_id=mine(request), **body.dict()))


@router.post("/whatifs", response={201: JobOut, **PROBLEMS})
def whatif(request: HttpRequest, body: NewWhatIf) -> Any:
    """Ask what would have become of orders under another policy or other limits; the job's result says it."""
    said = body.dict()
    changes = {each["store_id"]: each["change_fen"] for each in said.pop("limit_changes")}
    asked = work.ask_what_if(by=actor(request), merchant_id=mine(request), changes_fen=changes, **said)
    return Status(201, asked)
