"""Approvals over HTTP: what waits for me, what the screen shows, signing it, saying no; roles lent for a while."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import BeforeValidator, Field, PlainSerializer

from houfu.approvals import actions, queries
from houfu.approvals.assertions import Assertion
from houfu.approvals.models import Request
from houfu.kernel.http import PROBLEMS, In, Instant, Limit, Out, Page, ReasonOut, actor, after, mine, page

router = Router(tags=["approvals"])


def _bytes(said: object) -> object:
    if not isinstance(said, str) or not said.isascii():
        raise ValueError("bytes are written in base64url")
    raw = urlsafe_b64decode(said + "=" * (-len(said) % 4))
    if _text(raw) != said:
        raise ValueError("bytes are written in base64url, without padding")
    return raw


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


Bytes = Annotated[bytes, BeforeValidator(_bytes, json_schema_input_type=str), Field(max_length=8000)]
Text = Annotated[bytes, PlainSerializer(_text, return_type=str)]


class RequestOut(Out):
    id: UUID
    subject: str
    version: int
    chain: list[str]
    turn: int = Field(description="how many roles of the chain have signed")
    state: str
    requested_by: str
    person: str
    editors: list[str]
    opened_at: datetime
    expires_at: datetime
    closed_at: datetime | None
    closed_by: str
    note: str


class SignatureOut(Out):
    step: int
    role: str
    person: str
    delegation_id: int | None
    method: str
    signed_at: datetime

    @staticmethod
    def resolve_method(signature: Any) -> str:
        return "passkey" if signature.seal is None else "code"


class PasskeyOut(Out):
    credential_id: Text
    rp_id: str


class ShownOut(Out):
    """Show `shown` and nothing else; hand `challenge` to the passkey as it is."""

    request: RequestOut
    signatures: list[SignatureOut]
    shown: dict[str, Any]
    challenge: Text = Field(description="base64url, without padding")
    turn_of: str | None
    passkeys: list[PasskeyOut] = Field(description="with which you may sign")
    totp_allowed: bool
    reasons: list[ReasonOut] = Field(description="why you may not sign now; none means that you may")


class AssertionIn(In):
    """What `navigator.credentials.get` answered, each part in base64url."""

    credential_id: Bytes
    authenticator_data: Bytes
    client_data: Bytes
    signature: Bytes


class NewSignature(In):
    assertion: AssertionIn | None = None
    code: str | None = Field(default=None, max_length=10, description="where the merchant's profile allows codes")


class No(In):
    note: str = Field(max_length=500, description="why, in the approver's words")


class NewDelegation(In):
    delegate_staff_id: int
    starts_at: Instant | None = None
    ends_at: Instant


class DelegationOut(Out):
    id: int
    staff_id: int
    person: str
    role: str
    delegate_staff_id: int
    delegate_person: str
    starts_at: datetime
    ends_at: datetime
    ended_at: datetime | None
    ended_by: str


class ProfileIn(In):
    totp_allowed: bool


def _page(found: list[Request], limit: int, listing: str) -> Any:
    return page(found, limit, listing, lambda row: [row.opened_at.isoformat(), row.id])


def _place(cursor: str, listing: str) -> tuple[datetime, UUID] | None:
    place = after(cursor, listing)
    return (datetime.fromisoformat(place[0]), UUID(place[1])) if place else None


@router.get("/approvals", response={200: Page[RequestOut], **PROBLEMS})
def requests(request: HttpRequest, state: str = "", subject: str = "", cursor: str = "", limit: Limit = 100) -> Any:
    """List requests for approval that you may see, newest first."""
    found = queries.requests(
        actor(request),
        mine(request),
        state=state,
        subject=subject,
        after=_place(cursor, "approvals"),
        limit=limit + 1,
    )
    return _page(found, limit, "approvals")


@router.get("/approvals/inbox", response={200: Page[RequestOut], **PROBLEMS})
def inbox(request: HttpRequest, cursor: str = "", limit: Limit = 100) -> Any:
    """List what waits for you to sign, the longest waiting first."""
    found = queries.inbox(actor(request), mine(request), after=_place(cursor, "inbox"), limit=limit + 1)
    return _page(found, limit, "inbox")


@router.get("/approvals/{uuid:id}", response={200: ShownOut, **PROBLEMS})
def show(request: HttpRequest, id: UUID) -> Any:
    """Return what the screen shows, the challenge over it, and every reason why you may not sign it now."""
    return queries.challenge(actor(request), mine(request), id)


@router.post("/approvals/{uuid:id}:sign", response={200: RequestOut, **PROBLEMS})
def sign(request: HttpRequest, id: UUID, body: NewSignature) -> Any:
    """Sign the step whose turn it is, with a passkey's answer to the challenge."""
    given = Assertion(**body.assertion.dict()) if body.assertion else body.code
    if given is None or (body.assertion and body.code):
        raise actions.ProofMissing()
    return actions.sign(by=actor(request), merchant_id=mine(request), id=id, assertion=given)


@router.post("/approvals/{uuid:id}:reject", response={200: RequestOut, **PROBLEMS})
def reject(request: HttpRequest, id: UUID, body: No) -> Any:
    """Say no for the whole chain."""
    return actions.reject(by=actor(request), merchant_id=mine(request), id=id, note=body.note)


@router.post("/approvals/{uuid:id}:withdraw", response={200: RequestOut, **PROBLEMS})
def withdraw(request: HttpRequest, id: UUID) -> Any:
    """Call off a request of your own that is still open."""
    return actions.withdraw(by=actor(request), merchant_id=mine(request), id=id)


@router.get("/delegations", response={200: list[DelegationOut], **PROBLEMS})
def delegations(request: HttpRequest, ended: bool = False) -> Any:
    """List who lends a role to whom, newest first."""
    return queries.delegations(actor(request), mine(request), ended=ended)


@router.post("/delegations", response={201: DelegationOut, **PROBLEMS})
def delegate(request: HttpRequest, body: NewDelegation) -> Any:
    """Lend your role to a colleague who approves; the colleague counts as both of you meanwhile."""
    made = actions.delegate(
        by=actor(request),
        merchant_id=mine(request),
        delegate_staff_id=body.delegate_staff_id,
        starts_at=body.starts_at,
        ends_at=body.ends_at,
    )
    return Status(201, made)


@router.post("/delegations/{delegation_id}:end", response={200: DelegationOut, **PROBLEMS})
def end_delegation(request: HttpRequest, delegation_id: int) -> Any:
    """Take a lent role back."""
    return actions.end_delegation(by=actor(request), merchant_id=mine(request), id=delegation_id)


@router.put("/approval-profile", response={204: None, **PROBLEMS})
def set_profile(request: HttpRequest, body: ProfileIn) -> Any:
    """Set whether codes may take a passkey's place in signing here; an owner may."""
    actions.allow_totp(by=actor(request), merchant_id=mine(request), allowed=body.totp_allowed)
    return Status(204, None)
