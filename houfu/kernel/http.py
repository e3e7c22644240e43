"""What every room's API shares: strict bodies, the actor of a request, pages with signed cursors, problem details."""

import base64
import hmac
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.http import HttpRequest, JsonResponse
from ninja import Schema
from pydantic import ConfigDict

from houfu.kernel import vault
from houfu.kernel.errors import Invalid, Refused

T = TypeVar("T")
PAGE = 100


class In(Schema):
    """A body that takes what it names and nothing else, without turning one type into another."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Out(Schema):
    """A part of an answer, read from a row or a value."""

    model_config = ConfigDict(from_attributes=True)


class ReasonOut(Out):
    code: str
    rule: str
    figures: dict[str, Any]
    cure: str


class Problem(Out):
    """A refusal as RFC 9457 has it; `code` is stable and documented, `reasons` are all there are."""

    type: str
    title: str
    status: int
    code: str
    details: dict[str, Any]
    reasons: list[ReasonOut]


PROBLEMS = {frozenset({400, 401, 403, 404, 409, 422, 503}): Problem}


class BadCursor(Invalid):
    """This cursor was not given out by this listing."""

    code = "cursor_invalid"


def problem(refusal: Refused) -> JsonResponse:
    """Return a refusal as problem details."""
    body = {
        "type": f"urn:houfu:problem:{refusal.code}",
        "title": refusal.message,
        "status": refusal.status,
        "code": refusal.code,
        "details": refusal.details,
        "reasons": [{"code": r.code, "rule": r.rule, "figures": r.figures, "cure": r.cure} for r in refusal.reasons],
    }
    response = JsonResponse(body, status=refusal.status, json_dumps_params={"ensure_ascii": False, "default": str})
    response["Content-Type"] = "application/problem+json"
    return response


def actor(request: HttpRequest) -> Any:
    """Return on whose behalf a request comes: people.Actor, put there by authentication."""
    return request.auth  # type: ignore[attr-defined]


def mine(request: HttpRequest) -> int:
    """Return the merchant whose key made the request.

    Raises:
        Refused: the key is the platform's, which has no merchant of its own.
    """
    merchant_id = actor(request).merchant_id
    if merchant_id is None:
        raise MerchantKeyNeeded()
    return int(merchant_id)


class MerchantKeyNeeded(Refused):
    """This operation works on the things of the key's own merchant; the platform's keys have none."""

    code = "merchant_key_needed"
    status = 403


def page(rows: Sequence[T], limit: int, listing: str, place: Callable[[T], Sequence[Any]]) -> dict[str, Any]:
    """Return a page and the cursor of the next one, from rows of which one more than `limit` was read.

    Args:
        listing: name of the listing; its cursors open no other.
        place: what of a row says where the next page begins.
    """
    items = list(rows[:limit])
    cursor = None
    if len(rows) > limit:
        said = json.dumps([str(part) for part in place(items[-1])], separators=(",", ":"))
        cursor = base64.urlsafe_b64encode(_seal(listing, said) + said.encode()).decode()
    return {"items": items, "next_cursor": cursor}


def after(cursor: str | None, listing: str) -> list[str] | None:
    """Return the place that a cursor of this listing names.

    Raises:
        BadCursor: it was altered, or belongs to another listing.
    """
    if not cursor:
        return None
    try:
        raw = base64.urlsafe_b64decode(cursor.encode())
        seal, said = raw[:12], raw[12:].decode()
    except ValueError as error:
        raise BadCursor() from error
    if not hmac.compare_digest(seal, _seal(listing, said)):
        raise BadCursor()
    parts: list[str] = json.loads(said)
    return parts


def _seal(listing: str, said: str) -> bytes:
    return vault.fingerprint(f"{listing}\n{said}", "cursor")[:12]
