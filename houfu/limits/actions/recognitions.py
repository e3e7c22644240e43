"""Recognitions: two platforms' qualifications, each by a document that is signed for and accepted (L7)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from django.db.models import QuerySet

from houfu.approvals import actions as approvals
from houfu.approvals import queries as approval_queries
from houfu.history import actions as history
from houfu.kernel import clock, db, ids
from houfu.kernel.errors import IllegalMove, Invalid, NotFound, Refused
from houfu.limits import conversion_queries as queries
from houfu.limits import states
from houfu.limits.models import Recognition, RecognitionSide
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor
from houfu.policies import queries as policies


@db.refuse_on(
    "limits_recognition_two_sides",
    "limits_recognition_document",
    "limits_recognition_digest",
    "limits_recognition_note",
    "limits_recognition_first",
    "limits_recognition_second",
)
class BadRecognition(Invalid):
    """A recognition names two channel accounts of the merchant, each with a document and its file's SHA-256 (L7)."""

    code = "limits_recognition_invalid"


@db.refuse_on("limits_recognition_one_live")
class RecognitionExists(Refused):
    """These two principals have a recognition that is under way or holds."""

    code = "limits_recognition_one_live"


class RecognitionOwnDocument(Refused):
    """Whoever accepts a document is not the person who brought it (I-14)."""

    code = "limits_recognition_second_person"


class DocumentAccepted(Refused):
    """This document was accepted already."""

    code = "limits_recognition_side_accepted"


class Document(NamedTuple):
    """What a platform says of the merchant's standing there.

    Args:
        title: its name and number.
        sha256: digest of its file, in hex.
    """

    channel_account_id: int
    title: str
    sha256: str


@db.action
def propose_recognition(*, by: Actor, merchant_id: int, documents: Sequence[Document]) -> Recognition:
    """Bring the documents of two principals, by which they recognise each other once both are signed for and accepted.

    Args:
        documents: one of each side.

    Raises:
        BadRecognition, RecognitionExists: nothing was proposed.
    """
    merchants.access_merchant(by, "limits:write", merchant_id)
    by.require_whole()
    if len(documents) != 2:
        raise BadRecognition()
    known = {account.id for account in merchants.channel_accounts_of(by, merchant_id)}
    if not {document.channel_account_id for document in documents} <= known:
        raise NotFound()
    now = clock.now()
    policy = policies.at(now)
    first, second = sorted(documents)
    id = db.rows(
        "INSERT INTO limits_recognition (merchant_id, first_account_id, second_account_id, state, proposed_by, person,"
        " proposed_at) VALUES (%s, %s, %s, 'proposed', %s, %s, %s) RETURNING id",
        [merchant_id, first.channel_account_id, second.channel_account_id, by.label, by.person, now],
    )[0].id
    for document in (first, second):
        side = RecognitionSide.objects.create(
            merchant_id=merchant_id,
            recognition_id=id,
            channel_account_id=document.channel_account_id,
            document=document.title,
            sha256=document.sha256,
        )
        approvals.open(
            by=by,
            merchant_id=merchant_id,
            id=ids.new(),
            subject=queries.subject(id, document.channel_account_id),
            version=1,
            payload=queries.content(side),
            chain=policy.cross_platform.recognition_approvers,
            expires_at=now + timedelta(hours=policy.staff.approval_hours),
        )
    accounts = [first.channel_account_id, second.channel_account_id]
    _say("proposed", by, merchant_id, id, channel_accounts=accounts, digests=[first.sha256, second.sha256])
    return Recognition.objects.get(merchant_id=merchant_id, id=id)


@db.action
def accept_document(*, by: Actor, merchant_id: int, id: int, channel_account_id: int) -> Recognition:
    """Accept a side's document on the platform's behalf, in person.

    Raises:
        DocumentAccepted, RecognitionOwnDocument, IllegalMove: nothing was accepted.
    """
    by.require("platform:write")
    by.require_person()
    queries.access_recognition(by, "limits:write", merchant_id, id)
    found = queries.lock_recognition(merchant_id, id)
    side = next((s for s in queries.sides(merchant_id, id) if s.channel_account_id == channel_account_id), None)
    if side is None:
        raise NotFound()
    if found.person == by.person:
        raise RecognitionOwnDocument()
    if side.accepted_at:
        raise DocumentAccepted(channel_account_id=channel_account_id)
    _still_open(found)
    changes = {"accepted_by": by.label, "accepted_person": by.person, "accepted_at": clock.now()}
    _row(side).update(**changes)
    _say("accepted", by, merchant_id, id, channel_account_id=channel_account_id)
    return _advance(by, found)


@db.action
def follow_recognition(*, by: Actor, merchant_id: int, id: int) -> str:
    """Take what the signers have said about a recognition's documents, and return its state.

    A no, or a chain that cannot be proven any more, refuses the recognition.
    """
    found = queries.lock_recognition(merchant_id, id)
    if found.state not in ("proposed", "recognised_by_one"):
        return found.state
    for side in queries.sides(merchant_id, id):
        subject = queries.subject(id, side.channel_account_id)
        request = approval_queries.latest(merchant_id, subject)
        if side.signed_at or request is None or request.state == "open":
            continue
        try:
            approval_queries.prove(merchant_id, subject, 1, queries.content(side))
        except approval_queries.NotApproved as refusal:
            reasons = ",".join(reason.code for reason in refusal.reasons)
            return _end("refuse", by, found, f"{request.state}: {reasons}"[:500]).state
        _row(side).update(signed_at=clock.now())
        _say("signed", by, merchant_id, id, channel_account_id=side.channel_account_id)
    return _advance(by, found).state


@db.action
def refuse_recognition(*, by: Actor, merchant_id: int, id: int, note: str) -> Recognition:
    """Refuse a recognition on the platform's behalf, and say why.

    Raises:
        BadRecognition: it was not said why; IllegalMove: it is decided already.
    """
    by.require("platform:write")
    by.require_person()
    queries.access_recognition(by, "limits:write", merchant_id, id)
    if len(note.strip()) < 4:
        raise BadRecognition(note="at least 4 characters")
    return _end("refuse", by, queries.lock_recognition(merchant_id, id), note.strip())


@db.action
def withdraw_recognition(*, by: Actor, merchant_id: int, id: int) -> Recognition:
    """Take a recognition back; what was converted under it stays until its true-up."""
    queries.access_recognition(by, "limits:write", merchant_id, id)
    return _end("withdraw", by, queries.lock_recognition(merchant_id, id), "")


def _end(verb: str, by: Actor, found: Recognition, note: str) -> Recognition:
    key = {"merchant_id": found.merchant_id, "id": found.id}
    states.move_recognition(verb, Recognition, key, ended_at=clock.now(), note=note)
    for side in queries.sides(found.merchant_id, found.id):
        subject = queries.subject(found.id, side.channel_account_id)
        approvals.void(by=by, merchant_id=found.merchant_id, subject=subject, reason=verb)
    _say({"refuse": "refused", "withdraw": "withdrawn"}[verb], by, found.merchant_id, found.id, note=note)
    return Recognition.objects.get(**key)


def _advance(by: Actor, found: Recognition) -> Recognition:
    """Move a recognition on by as many sides as are signed for and accepted."""
    key = {"merchant_id": found.merchant_id, "id": found.id}
    done = sum(bool(side.signed_at and side.accepted_at) for side in queries.sides(found.merchant_id, found.id))
    if done >= 1 and found.state == "proposed":
        states.move_recognition("recognise_one", Recognition, key)
        _say("recognised_by_one", by, found.merchant_id, found.id)
        found.state = "recognised_by_one"
    if done == 2 and found.state == "recognised_by_one":
        states.move_recognition("recognise", Recognition, key)
        _say("recognised", by, found.merchant_id, found.id)
    return Recognition.objects.get(**key)


def _still_open(found: Recognition) -> None:
    if found.state not in ("proposed", "recognised_by_one"):
        raise IllegalMove(step="accept", state=found.state)


def _row(side: RecognitionSide) -> QuerySet[RecognitionSide]:
    key = {"recognition_id": side.recognition_id, "channel_account_id": side.channel_account_id}
    return RecognitionSide.objects.filter(merchant_id=side.merchant_id, **key)


def _say(what: str, by: Actor, merchant_id: int, id: int, **detail: Any) -> None:
    history.record(f"recognition.{what}", by=by, merchant_id=merchant_id, subject=f"recognition/{id}", **detail)
