"""Conversions between platforms over HTTP, and the recognitions that they need (L7)."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import Field

from houfu.kernel.http import PROBLEMS, Fen, In, Limit, Out, Page, actor, after, mine, page
from houfu.limits import actions
from houfu.limits import conversion_queries as queries

router = Router(tags=["conversions"])


class Document(In):
    """What a platform says of the merchant's standing there."""

    channel_account_id: int
    title: str = Field(min_length=4, max_length=200, description="its name and number")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="digest of its file, in hex")


class NewRecognition(In):
    documents: list[Document] = Field(min_length=2, max_length=2, description="one of each side")


class Side(In):
    channel_account_id: int


class Note(In):
    note: str = Field(max_length=500, description="why")


class NewConversion(In):
    from_store_id: int
    to_store_id: int
    amount_fen: Fen


class SideOut(Out):
    channel_account_id: int
    document: str
    sha256: str
    signed_at: datetime | None
    accepted_by: str | None
    accepted_at: datetime | None


class RecognitionOut(Out):
    """Two principals, and how far their documents are signed for and accepted."""

    id: int
    state: str
    proposed_by: str
    proposed_at: datetime
    ended_at: datetime | None
    note: str
    sides: list[SideOut]


class ConversionOut(Out):
    """What one store gives up, what the other gets, and what of it has come back; `abnormal` says why it is held."""

    id: int
    recognition_id: int
    from_store_id: int
    to_store_id: int
    amount_fen: int
    given_fen: int
    haircut_fen: int
    returned_fen: int
    haircut_back_fen: int
    state: str
    abnormal: list[str]
    asked_by: str
    asked_at: datetime
    held_until: datetime
    lapses_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    note: str


@router.post("/recognitions", response={201: RecognitionOut, **PROBLEMS})
def propose(request: HttpRequest, body: NewRecognition) -> Any:
    """Bring both platforms' documents; the merchant's owner signs for each, and the platform accepts it."""
    documents = [actions.Document(each.channel_account_id, each.title, each.sha256) for each in body.documents]
    made = actions.propose_recognition(by=actor(request), merchant_id=mine(request), documents=documents)
    return Status(201, queries.recognition(actor(request), mine(request), made.id))


@router.get("/recognitions", response={200: list[RecognitionOut], **PROBLEMS})
def recognitions(request: HttpRequest) -> Any:
    """List the merchant's recognitions, newest first."""
    return queries.recognitions(actor(request), mine(request))


@router.post("/recognitions/{int:recognition_id}:withdraw", response={200: RecognitionOut, **PROBLEMS})
def withdraw(request: HttpRequest, recognition_id: int) -> Any:
    """Take a recognition back; what was converted under it stays until its true-up."""
    actions.withdraw_recognition(by=actor(request), merchant_id=mine(request), id=recognition_id)
    return queries.recognition(actor(request), mine(request), recognition_id)


@router.post(
    "/merchants/{merchant_id}/recognitions/{int:recognition_id}:accept", response={200: RecognitionOut, **PROBLEMS}
)
def accept(request: HttpRequest, merchant_id: int, recognition_id: int, body: Side) -> Any:
    """Accept one side's document on the platform's behalf."""
    actions.accept_document(
        by=actor(request), merchant_id=merchant_id, id=recognition_id, channel_account_id=body.channel_account_id
    )
    return queries.recognition(actor(request), merchant_id, recognition_id)


@router.post(
    "/merchants/{merchant_id}/recognitions/{int:recognition_id}:refuse", response={200: RecognitionOut, **PROBLEMS}
)
def refuse_recognition(request: HttpRequest, merchant_id: int, recognition_id: int, body: Note) -> Any:
    """Refuse a recognition on the platform's behalf, and say why."""
    actions.refuse_recognition(by=actor(request), merchant_id=merchant_id, id=recognition_id, note=body.note)
    return queries.recognition(actor(request), merchant_id, recognition_id)


@router.post("/conversions", response={201: ConversionOut, **PROBLEMS})
def convert(request: HttpRequest, body: NewConversion) -> Any:
    """Ask to convert a store's free own limit into some of a store on another platform, 1 : 0.8."""
    asked = actions.convert(
        by=actor(request),
        merchant_id=mine(request),
        from_store_id=body.from_store_id,
        to_store_id=body.to_store_id,
        amount_fen=body.amount_fen,
    )
    return Status(201, asked)


@router.get("/conversions", response={200: Page[ConversionOut], **PROBLEMS})
def conversions(request: HttpRequest, state: str = "", cursor: str = "", limit: Limit = 100) -> Any:
    """List the merchant's conversions, newest first."""
    place = after(cursor, "conversions")
    found = queries.conversions(
        actor(request), mine(request), state=state, after=int(place[0]) if place else 0, limit=limit + 1
    )
    return page(found, limit, "conversions", lambda row: [row.id])


@router.get("/conversions/{int:conversion_id}", response={200: ConversionOut, **PROBLEMS})
def conversion(request: HttpRequest, conversion_id: int) -> Any:
    """Return a conversion."""
    return queries.access_conversion(actor(request), "limits:read", mine(request), conversion_id)


@router.post("/conversions/{int:conversion_id}:confirm", response={200: ConversionOut, **PROBLEMS})
def confirm(request: HttpRequest, conversion_id: int) -> Any:
    """Hand a conversion on as a second person; what is abnormal, not before its hours are over (G9)."""
    return actions.confirm_conversion(by=actor(request), merchant_id=mine(request), id=conversion_id)


@router.post("/conversions/{int:conversion_id}:refuse", response={200: ConversionOut, **PROBLEMS})
def refuse(request: HttpRequest, conversion_id: int, body: Note) -> Any:
    """Refuse a conversion, or call it off; what was kept back goes home whole."""
    return actions.refuse_conversion(by=actor(request), merchant_id=mine(request), id=conversion_id, note=body.note)
