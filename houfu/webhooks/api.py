"""Webhooks over HTTP."""

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import Field

from houfu.kernel.http import PROBLEMS, In, Instant, Limit, Out, Page, actor, after, mine, page
from houfu.people.sign_in.auth import require_recent
from houfu.webhooks import actions, queries
from houfu.webhooks.models import Endpoint

router = Router(tags=["webhooks"])

Url = Annotated[str, Field(max_length=2000, description="https, of a public host, on a port that is allowed")]
Verbs = Annotated[list[str], Field(min_length=1, max_length=50, description="each as payout.paid, payout.* or *")]


class NewEndpoint(In):
    url: Url
    verbs: Verbs


class Change(In):
    url: Url | None = None
    verbs: Verbs | None = None


class Rotation(In):
    overlap_hours: int = Field(default=actions.OVERLAP_HOURS, ge=0, le=168, description="0 retires the old at once")


class Enabling(In):
    skip: bool = Field(default=False, description="whether to pass over what has happened meanwhile")


class Range(In):
    from_: Instant = Field(alias="from")
    to: Instant


class EndpointOut(Out):
    id: int
    url: str
    verbs: list[str]
    state: str
    disabled_for: str | None
    cursor: int
    failures: int
    rests_until: datetime | None
    delivered_at: datetime | None
    added_at: datetime
    partner_id: int | None = Field(
        description="the party whose endpoint it is; told limit.changed of these stores alone"
    )
    store_ids: list[int] | None
    public_keys: list[str] = Field(description="each verifies what is sent now, as v1a")


class KeysOut(Out):
    secret: str = Field(description="whsec_…, shown this once; verifies v1")
    public_key: str = Field(description="whpk_…; verifies v1a")


class NewEndpointOut(KeysOut):
    endpoint: EndpointOut


class DeliveryOut(Out):
    id: int
    endpoint_id: int
    seq: int
    verb: str
    subject: str
    at: datetime
    webhook_id: str
    state: str
    attempts: int
    next_at: datetime | None
    ended_at: datetime | None
    outcome: str | None = Field(description="of the last attempt")
    status: int | None
    latency_ms: int | None


class AttemptOut(Out):
    no: int
    at: datetime
    outcome: str
    status: int | None
    latency_ms: int


class ReplayOut(Out):
    deliveries: int


def _out(endpoint: Endpoint) -> EndpointOut:
    names = set(EndpointOut.__pydantic_fields__) - {"public_keys"}
    shown = {name: getattr(endpoint, name) for name in names}
    return EndpointOut(**shown, public_keys=queries.public_keys(endpoint.merchant_id, endpoint.id))


@router.post("/webhooks", response={201: NewEndpointOut, **PROBLEMS})
def add(request: HttpRequest, body: NewEndpoint) -> Any:
    """Tell an endpoint what happens from now on; its secret is in this answer and nowhere else."""
    require_recent(request)
    endpoint, signer = actions.add(by=actor(request), merchant_id=mine(request), url=body.url, verbs=body.verbs)
    return Status(201, {"endpoint": _out(endpoint), "secret": signer.secret_text, "public_key": signer.public_text})


@router.get("/webhooks", response={200: list[EndpointOut], **PROBLEMS})
def endpoints(request: HttpRequest) -> Any:
    """List the merchant's endpoints."""
    return [_out(endpoint) for endpoint in queries.endpoints(actor(request), mine(request))]


@router.get("/webhooks/{int:endpoint_id}", response={200: EndpointOut, **PROBLEMS})
def endpoint(request: HttpRequest, endpoint_id: int) -> Any:
    """Return an endpoint."""
    return _out(queries.access_endpoint(actor(request), "webhooks:read", mine(request), endpoint_id))


@router.patch("/webhooks/{int:endpoint_id}", response={200: EndpointOut, **PROBLEMS})
def change(request: HttpRequest, endpoint_id: int, body: Change) -> Any:
    """Give an endpoint another URL or other verbs."""
    require_recent(request)
    changed = actions.change(
        by=actor(request), merchant_id=mine(request), id=endpoint_id, url=body.url or "", verbs=body.verbs or ()
    )
    return _out(changed)


@router.delete("/webhooks/{int:endpoint_id}", response={204: None, **PROBLEMS})
def remove(request: HttpRequest, endpoint_id: int) -> Any:
    """Take an endpoint away for good; its log stays."""
    require_recent(request)
    actions.remove(by=actor(request), merchant_id=mine(request), id=endpoint_id)
    return Status(204, None)


@router.post("/webhooks/{int:endpoint_id}:rotate", response={200: KeysOut, **PROBLEMS})
def rotate(request: HttpRequest, endpoint_id: int, body: Rotation) -> Any:
    """Make new keys; the ones before sign too until the overlap is over."""
    require_recent(request)
    signer = actions.rotate(
        by=actor(request), merchant_id=mine(request), id=endpoint_id, overlap_hours=body.overlap_hours
    )
    return {"secret": signer.secret_text, "public_key": signer.public_text}


@router.post("/webhooks/{int:endpoint_id}:test", response={202: None, **PROBLEMS})
def test(request: HttpRequest, endpoint_id: int) -> Any:
    """Have the endpoint told endpoint.tested, whatever its verbs are."""
    actions.test(by=actor(request), merchant_id=mine(request), id=endpoint_id)
    return Status(202, None)


@router.post("/webhooks/{int:endpoint_id}:disable", response={200: EndpointOut, **PROBLEMS})
def disable(request: HttpRequest, endpoint_id: int) -> Any:
    """Tell an endpoint nothing until it is enabled; what it is owed is kept."""
    return _out(actions.disable(by=actor(request), merchant_id=mine(request), id=endpoint_id))


@router.post("/webhooks/{int:endpoint_id}:enable", response={200: EndpointOut, **PROBLEMS})
def enable(request: HttpRequest, endpoint_id: int, body: Enabling) -> Any:
    """Tell an endpoint again, all that has happened meanwhile included unless it is skipped."""
    return _out(actions.enable(by=actor(request), merchant_id=mine(request), id=endpoint_id, skip=body.skip))


@router.post("/webhooks/{int:endpoint_id}:replay", response={200: ReplayOut, **PROBLEMS})
def replay_range(request: HttpRequest, endpoint_id: int, body: Range) -> Any:
    """Tell an endpoint again what its verbs name of a time, also what it was never told."""
    again = actions.replay_range(
        by=actor(request), merchant_id=mine(request), id=endpoint_id, from_=body.from_, to=body.to
    )
    return {"deliveries": again}


@router.get("/webhooks/{int:endpoint_id}/deliveries", response={200: Page[DeliveryOut], **PROBLEMS})
def deliveries(request: HttpRequest, endpoint_id: int, state: str = "", cursor: str = "", limit: Limit = 100) -> Any:
    """List an endpoint's deliveries with their last attempts, newest first."""
    place = after(cursor, "deliveries")
    found = queries.deliveries(
        actor(request),
        mine(request),
        endpoint_id=endpoint_id,
        state=state,
        before=int(place[0]) if place else None,
        limit=limit + 1,
    )
    return page(found, limit, "deliveries", lambda row: [row.id])


@router.get("/webhook-deliveries/{int:delivery_id}/attempts", response={200: list[AttemptOut], **PROBLEMS})
def attempts(request: HttpRequest, delivery_id: int) -> Any:
    """List every attempt at a delivery."""
    return queries.attempts(actor(request), mine(request), delivery_id)


@router.post("/webhook-deliveries/{int:delivery_id}:replay", response={202: None, **PROBLEMS})
def replay(request: HttpRequest, delivery_id: int) -> Any:
    """Send one delivery again, under the same webhook-id."""
    actions.replay(by=actor(request), merchant_id=mine(request), delivery_id=delivery_id)
    return Status(202, None)
