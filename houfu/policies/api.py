"""The rules in force, over HTTP."""

import json
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router

from houfu.kernel import clock
from houfu.kernel.http import PROBLEMS, Instant, Out, actor
from houfu.policies import queries

router = Router(tags=["policies"])


class PackOut(Out):
    version: str
    effective_from: datetime
    title: str
    source: str


@router.get("/policies", response={200: list[PackOut], **PROBLEMS})
def packs(request: HttpRequest) -> Any:
    """List the policy packs, the earliest first."""
    actor(request).require("policies:read")
    return queries.packs()


@router.get("/policies/in-force", response={200: dict[str, Any], **PROBLEMS})
def in_force(request: HttpRequest, at: Instant | None = None) -> Any:
    """Return every number in force at an instant, or now."""
    actor(request).require("policies:read")
    return json.loads(queries.access_pack(queries.at(at or clock.now()).version).document)


@router.get("/policies/{version}", response={200: dict[str, Any], **PROBLEMS})
def pack(request: HttpRequest, version: str) -> Any:
    """Return every number of a pack."""
    actor(request).require("policies:read")
    return json.loads(queries.access_pack(version).document)
