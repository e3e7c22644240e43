"""Requests: asked for, refused, called off, voided. Nothing here knows what is approved."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from houfu.approvals import challenge as challenges
from houfu.approvals import queries, rules, states
from houfu.approvals.models import Request
from houfu.history import actions as history
from houfu.kernel import clock, db
from houfu.kernel.errors import Forbidden, Invalid, Refused
from houfu.people.actor import Actor
from houfu.policies import queries as policies


class IdReused(Invalid):
    """A request for approval of this id exists with other content."""

    code = "approval_id_reused"


class VersionAsked(Refused):
    """This version of the subject, or a later one, was asked about already; what changed needs a higher version."""

    code = "approvals_version_once"


@db.refuse_on(
    "approvals_subject_form",
    "approvals_version_positive",
    "approvals_payload_size",
    "approvals_chain_form",
    "approvals_editors_named",
    "approvals_expiry_ahead",
    "approvals_note_length",
)
class BadRequest(Invalid):
    """A request has a subject, a version, a payload, a chain of one to eight roles, and an expiry that lies ahead."""

    code = "approval_request_invalid"


class SignatureRefused(Refused):
    """You may not sign this now; the reasons say why, all of them."""

    code = "approval_refused"


class NoteMissing(Invalid):
    """A no says why in 4 to 500 characters."""

    code = "approval_note_missing"


db.retry_on("approvals_request_id", "approvals_version_once", "approvals_one_live")  # asked at once: look again


@db.action
def open(  # noqa: A001  callers say approvals.open
    *,
    by: Actor,
    merchant_id: int,
    id: UUID,
    subject: str,
    version: int,
    payload: Mapping[str, Any],
    chain: Sequence[str],
    editors: Sequence[str] = (),
    expires_at: datetime,
) -> Request:
    """Ask a chain of roles to sign a payload; the same request again changes nothing.

    What was asked about an earlier version of the subject becomes void. Whether the actor may ask is the caller's to
    know; who asks is the actor's natural person.

    Args:
        subject: what it is about, as "noun/id".
        version: rises with every change of the payload.
        payload: everything the screen will show: texts and integers, in lists and objects.
        chain: the roles that must sign, in their order.
        editors: the natural persons who have shaped the payload, besides who asks.

    Raises:
        IdReused, VersionAsked, BadRequest, PayloadInvalid: nothing was asked.
    """
    now = clock.now()
    said = {
        "subject": subject,
        "version": version,
        "payload": challenges.canonical(dict(payload)),
        "chain": list(chain),
        "person": by.person,
        "editors": sorted(set(editors)),
        "expires_at": expires_at,
    }
    if there := _same(merchant_id, id, said):
        return there
    live = queries.lock_live(merchant_id, subject)  # before looking further: nobody may open a later one meanwhile
    before = queries.latest(merchant_id, subject)
    if before and before.id == id:
        raise db.Again()  # it was asked at the same time
    if before and before.version >= version:
        raise VersionAsked(subject=subject, version=before.version)
    if live:
        close(by, live, "void", "version_changed")
    request = Request.objects.create(
        merchant_id=merchant_id,
        id=id,
        requested_by=by.label,
        state="open",
        opened_at=now,
        waiting_since=now,
        next_look_at=next_look(now, expires_at),
        **said,
    )
    what = challenges.challenge(queries.shown(request))
    record("opened", by, request, version=version, chain=list(chain), challenge=what.hex())
    return request


def _same(merchant_id: int, id: UUID, said: Mapping[str, Any]) -> Request | None:
    """Return what was asked under an id before, if anything was.

    Raises:
        IdReused: it was something else.
    """
    there = Request.objects.filter(merchant_id=merchant_id, id=id).first()
    if there and any(getattr(there, name) != value for name, value in said.items()):
        raise IdReused(id=str(id))
    return there


@db.action
def reject(*, by: Actor, merchant_id: int, id: UUID, note: str) -> Request:
    """Say no for the whole chain; whoever holds one of its roles may, at any step.

    Raises:
        SignatureRefused: this person has no say here; NoteMissing: it was not said why.
    """
    queries.access_request(by, merchant_id, id)
    by.require("approvals:write", merchant_id)
    staff, request, now = queries.member(by, merchant_id), queries.lock_request(merchant_id, id), clock.now()
    asked = queries.asked(request, queries.signatures(request))
    if refusals := rules.refusals_to_reject(asked, queries.signer(staff, now), now):
        raise SignatureRefused(*refusals)
    if not 4 <= len(note.strip()) <= 500:
        raise NoteMissing()
    return close(by, request, "reject", note.strip())


@db.action
def withdraw(*, by: Actor, merchant_id: int, id: UUID) -> Request:
    """Call off a request that is still open; only who asked or edited may.

    Raises:
        Forbidden: it is somebody else's request.
    """
    queries.access_request(by, merchant_id, id)
    request = queries.lock_request(merchant_id, id)
    if by.person not in {request.person, *request.editors} - {""}:
        raise Forbidden()
    return close(by, request, "withdraw", "")


@db.action
def void(*, by: Actor, merchant_id: int, subject: str, reason: str) -> bool:
    """Void whatever is open or approved of a subject: it changed, or will not happen. Nothing there is no harm.

    Returns:
        Whether there was anything.
    """
    request = queries.lock_live(merchant_id, subject)
    if request:
        close(by, request, "void", reason)
    return request is not None


def close(by: Actor, request: Request, verb: str, note: str, **changes: Any) -> Request:
    """Move a request to where it ends, say so, and wake who waits for the outcome."""
    key = {"merchant_id": request.merchant_id, "id": request.id}
    closed = {"closed_at": clock.now(), "closed_by": by.label, "note": note, "next_look_at": None, **changes}
    states.move(verb, Request, key, **closed)
    record(_SAID[verb], by, request, **({"note": note} if note else {}))
    db.rows("SELECT pg_notify('houfu_work', 'approval')")
    return Request.objects.get(**key)


_SAID = {"approve": "approved", "reject": "rejected", "void": "voided", "withdraw": "withdrawn", "expire": "expired"}


def row(request: Request) -> Any:
    return Request.objects.filter(merchant_id=request.merchant_id, id=request.id)


def record(what: str, by: Actor, request: Request, **detail: Any) -> None:
    history.record(
        f"approval.{what}",
        by=by,
        merchant_id=request.merchant_id,
        subject=f"approval/{request.id}",
        about=request.subject,
        **detail,
    )


def next_look(now: datetime, no_later_than: datetime) -> datetime:
    return min(now + timedelta(minutes=policies.at(now).approvals.look_minutes), no_later_than)
