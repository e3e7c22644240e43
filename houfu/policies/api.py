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
    return _shown(request, queries.at(at or clock.now()).version)


@router.get("/policies/{version}", response={200: dict[str, Any], **PROBLEMS})
def pack(request: HttpRequest, version: str) -> Any:
    """Return every number of a pack."""
    return _shown(request, version)


def _shown(request: HttpRequest, version: str) -> dict[str, Any]:
    """Return a pack's numbers; those of risk are for those who deal with it, so that nobody can stay just below."""
    actor(request).require("policies:read")
    document: dict[str, Any] = json.loads(queries.access_pack(version).document)
    if "risk:write" not in actor(request).scopes:
        document.pop("risk", None)
    return document
