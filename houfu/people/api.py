"""The staff of a merchant over HTTP, and who oneself is."""

import base64
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import Field

from houfu.kernel.http import PROBLEMS, Fen, In, Limit, Out, Page, actor, after, mine, page
from houfu.people import actions, queries
from houfu.people.actions import Settings
from houfu.people.face import actions as faces
from houfu.people.face.port import NoFace, engine
from houfu.people.sign_in.auth import identify, require_recent, session_of

router = Router(tags=["people"])
FACE_ENGINE = "dlib"


class SettingsIn(In):
    """What somebody is to be; what is missing is the role's and the policy's."""

    role: str
    store_ids: list[int] | None = Field(default=None, description="the stores they are bound to")
    daily_count: int | None = Field(default=None, description="payouts a day (S5)")
    per_payout_fen: Fen | None = None
    monthly_fen: Fen | None = None

    def settings(self) -> Settings:
        stores = None if self.store_ids is None else frozenset(self.store_ids)
        return Settings(self.role, stores, self.daily_count, self.per_payout_fen, self.monthly_fen)


class Named(In):
    name: str
    identity: str = Field(description="number of an identity document; its keyed digest alone is kept")


class Invited(SettingsIn, Named):
    pass


class Why(In):
    reason: str = Field(min_length=1, max_length=200)


class StaffOut(Out):
    id: int
    name: str
    role: str
    state: str
    person: str
    store_ids: list[int] | None
    daily_count: int
    per_payout_fen: int | None
    monthly_fen: int | None
    created_at: datetime
    approvals_blocked_until: datetime | None


class InvitedOut(StaffOut):
    invitation: str = Field(description="shown this once; empty while a second person is needed")


class MeOut(Out):
    """Who one is, and whether the session is enough for it."""

    merchant_id: int
    staff_id: int | None
    name: str
    role: str
    kind: str
    scopes: list[str]
    store_ids: list[int] | None
    problem: str = Field(description="code of what keeps the session from being used, such as factor_needed")


@router.get("/people/me", response={200: MeOut, **PROBLEMS}, auth=None)
def me(request: HttpRequest) -> Any:
    """Say who one is, also to somebody who has not used the factor of their role yet."""
    problem = ""
    try:
        by = identify(request)
        if by.kind == "key":
            return MeOut(
                merchant_id=by.merchant_id or 0, staff_id=None, name=by.person, role="", kind=by.kind,
                scopes=sorted(by.scopes), store_ids=None, problem="",
            )  # fmt: skip
    except queries.FactorNeeded as refusal:
        problem = refusal.code
    member = queries.member_of_session(session_of(request))
    by = queries.actor_of_staff(member)
    return MeOut(
        merchant_id=member.merchant_id, staff_id=member.id, name=member.name, role=member.role, kind="staff",
        scopes=[] if problem else sorted(by.scopes), store_ids=member.store_ids, problem=problem,
    )  # fmt: skip


@router.get("/people", response={200: Page[StaffOut], **PROBLEMS})
def everybody(request: HttpRequest, cursor: str = "", limit: Limit = 100) -> Any:
    """List the merchant's staff."""
    place = after(cursor, "people")
    found = queries.everybody(actor(request), mine(request), after=int(place[0]) if place else 0, limit=limit + 1)
    return page(found, limit, "people", lambda row: [row.id])


@router.post("/people", response={201: InvitedOut, **PROBLEMS})
def invite(request: HttpRequest, body: Invited) -> Any:
    """Invite somebody; the invitation is in this answer and nowhere else."""
    require_recent(request)
    made = actions.invite(
        by=actor(request),
        merchant_id=mine(request),
        name=body.name,
        identity=body.identity,
        settings=body.settings(),
    )
    return Status(201, _invited(*made))


@router.get("/people/{int:staff_id}", response={200: StaffOut, **PROBLEMS})
def member(request: HttpRequest, staff_id: int) -> Any:
    """Return a member of the staff."""
    return queries.access_staff(actor(request), mine(request), staff_id)


@router.put("/people/{int:staff_id}", response={200: StaffOut, **PROBLEMS})
def change(request: HttpRequest, staff_id: int, body: SettingsIn) -> Any:
    """Set role, stores and caps anew; what is left out goes back to the role's and the policy's."""
    require_recent(request)
    return actions.change(by=actor(request), merchant_id=mine(request), id=staff_id, settings=body.settings())


@router.post("/people/{int:staff_id}:disable", response={200: StaffOut, **PROBLEMS})
def disable(request: HttpRequest, staff_id: int, body: Why) -> Any:
    """End what somebody may do, and their sessions, at once."""
    actions.disable(by=actor(request), merchant_id=mine(request), id=staff_id, reason=body.reason)
    return queries.access_staff(actor(request), mine(request), staff_id)


@router.post("/people/{int:staff_id}:enable", response={200: StaffOut, **PROBLEMS})
def enable(request: HttpRequest, staff_id: int) -> Any:
    """Let somebody work again."""
    require_recent(request)
    actions.enable(by=actor(request), merchant_id=mine(request), id=staff_id)
    return queries.access_staff(actor(request), mine(request), staff_id)


@router.post("/people/{int:staff_id}:recover", response={200: InvitedOut, **PROBLEMS})
def recover(request: HttpRequest, staff_id: int) -> Any:
    """Let somebody who has lost their factors begin anew; a second person must ask for the same."""
    require_recent(request)
    return _invited(*actions.recover(by=actor(request), merchant_id=mine(request), id=staff_id))


class ProfileIn(In):
    signatures_required: bool = Field(description="whether keys move money by signed requests alone (RFC 9421)")
    face_allowed: bool = Field(description="whether a face may stand for a passkey (S8)")


@router.put("/security-profile", response={204: None, **PROBLEMS})
def set_profile(request: HttpRequest, body: ProfileIn) -> Any:
    """Set what the merchant asks of those who act for it, beyond what is asked of everybody."""
    require_recent(request)
    actions.set_profile(by=actor(request), merchant_id=mine(request), **body.dict())
    return Status(204, None)


class FaceIn(In):
    """Two photos, in base64; neither is kept, nor anything made of them."""

    shown: str = Field(max_length=8_000_000, description="of the person, taken now")
    on_file: str = Field(max_length=8_000_000, description="of the person, from a document")


class FaceOut(Out):
    passed: bool
    score: int = Field(description="from 0 to 10,000")
    reference: str
    liveness: bool = Field(description="whether the engine can tell a face from a picture of one; dlib cannot")


@router.post("/people/{int:staff_id}:check-face", response={200: FaceOut, **PROBLEMS})
def check_face(request: HttpRequest, staff_id: int, body: FaceIn) -> Any:
    """Let a face stand for a member's passkey for some minutes, on the word of somebody else of the merchant (S8)."""
    require_recent(request)
    try:
        shown, on_file = (base64.b64decode(said, validate=True) for said in (body.shown, body.on_file))
    except ValueError as error:
        raise NoFace(said="base64") from error
    by = actor(request)
    faces.may_check(by, mine(request), staff_id)
    return faces.check(
        by=by, merchant_id=mine(request), staff_id=staff_id, engine=engine(FACE_ENGINE), shown=shown, on_file=on_file
    )


@router.post("/merchants/{merchant_id}/owner", response={201: InvitedOut, **PROBLEMS})
def create_owner(request: HttpRequest, merchant_id: int, body: Named) -> Any:
    """Invite a merchant's first person; for the platform's people."""
    require_recent(request)
    made = actions.create_owner(by=actor(request), merchant_id=merchant_id, name=body.name, identity=body.identity)
    return Status(201, _invited(*made))


def _invited(member: Any, invitation: str) -> dict[str, Any]:
    return {**StaffOut.from_orm(member).dict(), "invitation": invitation}
