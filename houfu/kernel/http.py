"""What every room's API shares: strict bodies, the actor of a request, pages with signed cursors, problem details."""

import base64
import hmac
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache, partial, wraps
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from django.http import HttpRequest, JsonResponse
from ninja import Schema
from ninja.operation import Operation
from ninja.parser import Parser
from pydantic import BeforeValidator, ConfigDict, Field

from houfu.kernel import vault
from houfu.kernel.errors import Invalid, Refused
from houfu.kernel.money import FEN_MAX

BODY_MAX = 20 * 1024 * 1024  # bytes
T = TypeVar("T")
View = TypeVar("View", bound=Callable[..., Any])


def _instant(said: object) -> object:
    """Read an instant that says its offset; a time without one could be anybody's."""
    if isinstance(said, str) and (read := datetime.fromisoformat(said)).tzinfo:
        return read
    raise ValueError("an instant is written as 2025-11-11T10:00:00+08:00")


def _day(said: object) -> object:
    """Read a business day as it is written in a body."""
    return date.fromisoformat(said) if isinstance(said, str) else said


Day = Annotated[date, BeforeValidator(_day)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
Fen = Annotated[int, Field(ge=1, le=FEN_MAX, description="an amount in fen")]
Id = Annotated[UUID, BeforeValidator(lambda said: UUID(said) if isinstance(said, str) else said)]
Limit = Annotated[int, Field(ge=1, le=500)]


class In(Schema):
    """A body that takes what it names and nothing else, without turning one type into another."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Out(Schema):
    """A part of an answer, read from a row or a value."""

    model_config = ConfigDict(from_attributes=True)


class Page(Out, Generic[T]):
    """A part of a listing, and the cursor that continues it."""

    items: list[T]
    next_cursor: str | None


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


PROBLEMS = {frozenset({400, 401, 403, 404, 409, 413, 422, 429, 502, 503}): Problem}

# Ninja makes a model for every status of every operation, two thousand of them alike: half of what a start took.
_model_of = lru_cache(maxsize=None)(partial(Operation._create_response_model, None))  # type: ignore[arg-type]
Operation._create_response_model = lambda _, said: _model_of(said)  # type: ignore


class StrictParser(Parser):
    """Reads JSON as `strict_json` does."""

    def parse_body(self, request: HttpRequest) -> Any:
        return strict_json(request.body)


def strict_json(body: bytes) -> Any:
    """Read JSON that says one thing only: no name twice, no NaN, no text that the database cannot keep.

    Raises:
        ValueError: it says something else.
    """
    said = _strict.decode(body.decode(json.detect_encoding(body), "surrogatepass"))
    if b"\\u0000" in body and _has_nul(said):
        raise ValueError("NUL in a text")
    return said


def _has_nul(said: Any) -> bool:
    if isinstance(said, str):
        return "\x00" in said
    parts = [*said, *said.values()] if isinstance(said, dict) else said if isinstance(said, list) else ()
    return any(_has_nul(part) for part in parts)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a name stands twice")
    return read


def _refuse_constant(said: str) -> None:
    raise ValueError(f"{said} is no number")


class RequestTooLarge(Invalid):
    """A request's body may have 20 MiB; send less at a time."""

    code = "request_too_large"
    status = 413


def refuse_large(length: str) -> None:
    """Refuse a body of which not a byte needs to be read to know that it is too large.

    Args:
        length: what its Content-Length says; nothing, or no number, says nothing.

    Raises:
        RequestTooLarge: more than is taken.
    """
    if length.isascii() and length.isdigit() and (len(length) > 12 or int(length) > BODY_MAX):
        raise RequestTooLarge(most=BODY_MAX)


def refuse_nul(request: HttpRequest, named: Mapping[str, Any]) -> None:
    """Refuse an address with what no text of the database can hold.

    Args:
        named: what the path names.

    Raises:
        Invalid: there is NUL in it.
    """
    said = [*named.values(), *(each for values in request.GET.lists() for each in (values[0], *values[1]))]
    if any(isinstance(each, str) and "\x00" in each for each in said):
        raise Invalid(said="NUL in the address")


def strict_query(view: View) -> View:
    """Refuse a query that names what the operation does not know, or names something twice: a filter that was
    misspelt must not show everything."""
    known = set(inspect.signature(view).parameters)

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        wrong = [name for name in request.GET if name not in known or len(request.GET.getlist(name)) > 1]
        refuse_nul(request, kwargs)
        if wrong:
            raise Invalid(fields=[{"field": f"query.{name}", "said": "unknown or repeated"} for name in wrong])
        return view(request, *args, **kwargs)

    return checked  # type: ignore[return-value]


def writes(view: View) -> View:
    """Say that an operation writes although it is a GET: whoever reads this leaves a trace."""
    view.writes = True  # type: ignore[attr-defined]
    return view


_strict = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_refuse_constant)


class BadCursor(Invalid):
    """This cursor was not given out by this listing."""

    code = "cursor_invalid"


def details_of(refusal: Refused) -> dict[str, Any]:
    """Return what a problem says, as RFC 9457 has it."""
    return {
        "type": f"urn:houfu:problem:{refusal.code}",
        "title": refusal.message,
        "status": refusal.status,
        "code": refusal.code,
        "details": refusal.details,
        "reasons": [{"code": r.code, "rule": r.rule, "figures": r.figures, "cure": r.cure} for r in refusal.reasons],
    }


def problem(refusal: Refused) -> JsonResponse:
    """Return a refusal as problem details."""
    response = JsonResponse(
        details_of(refusal), status=refusal.status, json_dumps_params={"ensure_ascii": False, "default": str}
    )
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
