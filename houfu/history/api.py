"""History over HTTP."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router

from houfu.history import queries
from houfu.kernel.http import PROBLEMS, Limit, Out, Page, actor, after, mine, page

router = Router(tags=["history"])


class LinkOut(Out):
    seq: int
    at: datetime
    actor: str
    verb: str
    subject: str
    detail: dict[str, Any]
    hash: str

    @staticmethod
    def resolve_hash(link: Any) -> str:
        return bytes(link.hash).hex()


@router.get("/history", response={200: Page[LinkOut], **PROBLEMS})
def links(request: HttpRequest, subject: str = "", cursor: str = "", limit: Limit = 100) -> Any:
    """List what happened to the merchant's things, newest first; of one subject, such as "payout/…", where given."""
    actor(request).require("history:read")
    actor(request).require_whole()
    place = after(cursor, "history")
    found = queries.links(
        mine(request),
        subject=subject,
        before_seq=int(place[0]) if place else None,
        limit=limit + 1,
        confidential="risk:write" in actor(request).scopes,
    )
    return page(found, limit, "history", lambda link: [link.seq])
