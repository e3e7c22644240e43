"""New policy packs over HTTP, for the platform's people: tried first, then published before they take effect (T5)."""

from typing import Any

from django.http import HttpRequest
from ninja import Status
from pydantic import Field

from houfu.kernel.http import PROBLEMS, In, Out, actor
from houfu.people.sign_in.auth import require_recent
from houfu.policies import actions
from houfu.policies.api import PackOut, router


class PackIn(In):
    text: str = Field(max_length=100_000, description="the pack as TOML; it states what changes")


class Change(Out):
    path: str
    old: Any
    new: Any


class DraftOut(PackOut):
    before: str | None = Field(description="version of the pack that it changes")
    is_loaded: bool
    changes: list[Change]


@router.post("/policies:check", response={200: DraftOut, **PROBLEMS})
def check(request: HttpRequest, body: PackIn) -> Any:
    """Say what a pack would change if it were published now; nothing is kept."""
    actor(request).require("platform:write")
    draft = actions.check(body.text)
    head = {name: getattr(draft.policy, name) for name in PackOut.model_fields}
    changes = [{"path": path, "old": old, "new": new} for path, old, new in draft.changes]
    before = draft.before.version if draft.before else None
    return {**head, "before": before, "is_loaded": draft.loaded is not None, "changes": changes}


@router.post("/policies", response={201: PackOut, **PROBLEMS})
def publish(request: HttpRequest, body: PackIn) -> Any:
    """Publish a pack that takes effect later than now; again with the same text changes nothing."""
    by = actor(request)
    by.require("platform:write")
    by.require_person()
    require_recent(request)
    return Status(201, actions.publish(by=by, text=body.text))
