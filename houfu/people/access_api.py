"""Access grants over HTTP: the platform's people ask, the merchant's owner decides, and both may end it (4.6)."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import Field

from houfu.kernel.http import PROBLEMS, In, Limit, Out, Page, actor, after, page
from houfu.people import actions, queries
from houfu.people.sign_in.auth import require_recent

router = Router(tags=["people"])
ONE = "/merchants/{merchant_id}/access-grants/{grant_id}"


class Asked(In):
    reason: str = Field(min_length=1, max_length=500, description="shown to the merchant")
    hours: int = Field(ge=1, description="from when it is given; the policy has a most")
    scopes: list[str] = Field(default_factory=list, description="what to see and change; all reading if left out")


class AccessOut(Out):
    id: int
    asked_by: str
    reason: str
    scopes: list[str]
    hours: int
    state: str
    asked_at: datetime
    expires_at: datetime | None
    in_force: bool = Field(description="whether it lets somebody in now")


@router.post("/merchants/{merchant_id}/access-grants", response={201: AccessOut, **PROBLEMS})
def ask(request: HttpRequest, merchant_id: int, body: Asked) -> Any:
    """Ask a merchant to be let in; for the platform's people. Once given, send its id as `Houfu-Grant`."""
    require_recent(request)
    asked = actions.ask_access(
        by=actor(request), merchant_id=merchant_id, reason=body.reason, hours=body.hours, scopes=body.scopes
    )
    return Status(201, asked)


@router.get("/merchants/{merchant_id}/access-grants", response={200: Page[AccessOut], **PROBLEMS})
def grants(request: HttpRequest, merchant_id: int, cursor: str = "", limit: Limit = 100) -> Any:
    """List who of the platform has asked to be let in, the newest first."""
    place = after(cursor, "access")
    found = queries.access_grants(actor(request), merchant_id, before=int(place[0]) if place else None, limit=limit + 1)
    return page(found, limit, "access", lambda row: [row.id])


@router.post(ONE + ":give", response={200: AccessOut, **PROBLEMS})
def give(request: HttpRequest, merchant_id: int, grant_id: int) -> Any:
    """Let somebody of the platform in for the hours that they asked; for the merchant's owner."""
    require_recent(request)
    return actions.give_access(by=actor(request), merchant_id=merchant_id, id=grant_id)


@router.post(ONE + ":refuse", response={200: AccessOut, **PROBLEMS})
def refuse(request: HttpRequest, merchant_id: int, grant_id: int) -> Any:
    """Do not let somebody in who has asked."""
    return actions.refuse_access(by=actor(request), merchant_id=merchant_id, id=grant_id)


@router.post(ONE + ":revoke", response={200: AccessOut, **PROBLEMS})
def revoke(request: HttpRequest, merchant_id: int, grant_id: int) -> Any:
    """End an access, at once."""
    return actions.revoke_access(by=actor(request), merchant_id=merchant_id, id=grant_id)
