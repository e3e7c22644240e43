"""Approvals: asked for, signed, refused, called off; roles lent for a while. Nothing here knows what is approved."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from houfu.approvals import assertions, queries, rules, states
from houfu.approvals import challenge as challenges
from houfu.approvals.assertions import Assertion
from houfu.approvals.models import Delegation, Profile, Request, Signature
from houfu.history import actions as history
from houfu.kernel import clock, db
from houfu.kernel.errors import Forbidden, Invalid, NotFound, Reason, Refused
from houfu.people import actions as people_actions
from houfu.people import queries as people
from houfu.people.actor import Actor
from houfu.people.models import Staff
from houfu.people.rules import ROLES
from houfu.policies import queries as policies

BATCH = 200


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


@db.refuse_on("approvals_request_open", "approvals_in_order", "approvals_step_once")
class OutOfTurn(Refused):
    """Somebody else has signed this step, or nothing is left to sign."""

    code = "approvals_in_order"


@db.refuse_on("approvals_not_own")
class OwnMatter(Refused):
    """Whoever asks or edits does not sign, nor does their delegate (I-14)."""

    code = "approvals_not_own"


@db.refuse_on("approvals_person_once")
class PersonOnce(Refused):
    """One person counts once for a request, and a delegate counts as who lent the role, too (I-14)."""

    code = "approvals_person_once"


@db.refuse_on("approvals_assertion_once")
class AssertionUsed(Refused):
    """This signature was given before."""

    code = "approvals_assertion_once"


@db.refuse_on("approvals_delegate_other", "approvals_delegation_window", "approvals_delegation_one")
class DelegationRefused(Refused):
    """A role is lent to one other person at a time, who may approve, for a while that the policy allows."""

    code = "approval_delegation_refused"


class ProofMissing(Invalid):
    """A signature is a passkey's answer or a code: one of them."""

    code = "approval_proof_missing"


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
        chain: the roles that must sign, one after another.
        editors: the natural persons who have shaped the payload, besides who asks.

    Raises:
        IdReused, VersionAsked, BadRequest, PayloadInvalid: nothing was asked.
    """
    now, text = clock.now(), challenges.canonical(dict(payload))
    said = {
        "subject": subject,
        "version": version,
        "payload": text,
        "chain": list(chain),
        "person": by.person,
        "editors": sorted(set(editors)),
        "expires_at": expires_at,
    }
    if there := Request.objects.filter(merchant_id=merchant_id, id=id).first():
        if any(getattr(there, name) != value for name, value in said.items()):
            raise IdReused(id=str(id))
        return there
    live = queries.lock_live(merchant_id, subject)  # before looking further: nobody may open a later one meanwhile
    before = queries.latest(merchant_id, subject)
    if before and before.version >= version:
        raise VersionAsked(subject=subject, version=before.version)
    if live:
        _close(by, live, "void", "version_changed")
    request = Request.objects.create(
        merchant_id=merchant_id,
        id=id,
        requested_by=by.label,
        state="open",
        opened_at=now,
        waiting_since=now,
        next_look_at=_next_look(now, expires_at),
        **said,
    )
    what = challenges.challenge(queries.shown(request))
    _record("opened", by, request, version=version, chain=list(chain), challenge=what.hex())
    return request


def sign(*, by: Actor, merchant_id: int, id: UUID, assertion: Assertion | str) -> Request:
    """Sign the step of a request whose turn it is, over exactly what the screen shows.

    Args:
        assertion: a passkey's answer to the challenge; or a code, where the merchant's profile allows codes.

    Raises:
        SignatureRefused: with every reason; nothing was signed.
        OutOfTurn, PersonOnce, OwnMatter, AssertionUsed: the database says so where somebody was faster.
        CodeWrong, CodesPaused, CodeAlone: a code did not confirm it.
    """
    queries.access_request(by, merchant_id, id)
    by.require("approvals:write", merchant_id)
    if isinstance(assertion, str):
        if refusals := queries.challenge(by, merchant_id, id).reasons + _code_faults(merchant_id):
            raise SignatureRefused(*refusals)
        people_actions.use_totp(by=by, code=assertion)  # used up whatever comes, and counted where it is wrong
        return _sign(by, merchant_id, id, None)
    return _sign(by, merchant_id, id, assertion)


@db.action
def _sign(by: Actor, merchant_id: int, id: UUID, assertion: Assertion | None) -> Request:
    staff, request = queries.member(by, merchant_id), queries.lock_request(merchant_id, id)
    _strike_lost(by, request)
    now, over = clock.now(), challenges.challenge(queries.shown(request))
    who, asked = queries.signer(staff, now), queries.asked(request, queries.signatures(request))
    faults = _faults(staff, assertion, over) if assertion else _code_faults(merchant_id)
    refusals = rules.refusals(asked, who, now) + faults
    right = rules.right(who, rules.next_role(asked.chain, asked.turn))
    if refusals or right is None:
        raise SignatureRefused(*refusals)
    signature = Signature(
        merchant_id=merchant_id,
        request_id=id,
        step=request.turn,
        role=right.role,
        staff_id=staff.id,
        person=who.person,
        stands_for=sorted(who.stands_for),
        delegation_id=right.delegation_id,
        signed_at=now,
        **(vars(assertion) if assertion else {}),
    )
    if assertion is None:
        signature.seal = queries.seal(signature, over)
    _keep(signature)
    method = "passkey" if assertion else "code"
    said = {"step": request.turn, "role": right.role, "person": who.person, "method": method}
    _record("signed", by, request, **said, **({"delegation": right.delegation_id} if right.delegation_id else {}))
    _step_on(by, request, now)
    return queries.access_request(by, merchant_id, id)


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
    return _close(by, request, "reject", note.strip())


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
    return _close(by, request, "withdraw", "")


@db.action
def void(*, by: Actor, merchant_id: int, subject: str, reason: str) -> bool:
    """Void whatever is open or approved of a subject: it changed, or will not happen. Nothing there is no harm.

    Returns:
        Whether there was anything.
    """
    request = queries.lock_live(merchant_id, subject)
    if request:
        _close(by, request, "void", reason)
    return request is not None


@db.action
def delegate(
    *, by: Actor, merchant_id: int, delegate_staff_id: int, ends_at: datetime, starts_at: datetime | None = None
) -> Delegation:
    """Lend one's role to a colleague who may approve; the colleague counts as both persons meanwhile (I-14).

    Raises:
        DelegationRefused: with every reason; nothing was lent.
    """
    by.require("approvals:write", merchant_id)
    staff, now = queries.member(by, merchant_id), clock.now()
    starts_at, other = starts_at or now, people.staff(merchant_id, delegate_staff_id)
    longest = policies.at(now).approvals.delegation_days
    checks = [
        (
            other.state == "active" and "approvals:write" in ROLES[other.role],
            Reason("delegate_cannot_approve", "S7", {"role": other.role}, "Choose an active colleague who approves."),
        ),
        (other.person != staff.person, Reason("delegate_same_person", "I-14", {}, "Choose somebody else.")),
        (
            now <= starts_at < ends_at <= starts_at + timedelta(days=longest),
            Reason("delegation_window", "S7", {"days": longest}, f"From now on, for at most {longest} days."),
        ),
        (
            not staff.approvals_blocked_until or staff.approvals_blocked_until <= now,
            Reason("recently_recovered", "S7", {}, "Wait until you may approve again yourself."),
        ),
    ]
    if reasons := [reason for holds, reason in checks if not holds]:
        raise DelegationRefused(*reasons)
    for over in queries.delegations_of(staff).filter(ends_at__lte=now):
        _end(by, over, "lapsed")
    id = db.rows(
        "INSERT INTO approvals_delegation (merchant_id, staff_id, person, role, delegate_staff_id, delegate_person,"
        " starts_at, ends_at, next_look_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [merchant_id, staff.id, staff.person, staff.role, other.id, other.person, starts_at, ends_at, starts_at],
    )[0].id
    history.record(
        "delegation.made",
        by=by,
        merchant_id=merchant_id,
        subject=f"delegation/{id}",
        role=staff.role,
        person=staff.person,
        delegate=other.person,
        ends_at=ends_at.isoformat(),
    )
    return Delegation.objects.get(merchant_id=merchant_id, id=id)


@db.action
def end_delegation(*, by: Actor, merchant_id: int, id: int) -> Delegation:
    """Take a lent role back: who lent it, who has it, or who manages the staff. Ending twice changes nothing."""
    by.require("approvals:write", merchant_id)
    staff = queries.member(by, merchant_id)
    found = Delegation.objects.select_for_update(no_key=True).filter(merchant_id=merchant_id, id=id).first()
    if found is None:
        raise NotFound()
    if staff.id not in (found.staff_id, found.delegate_staff_id) and "people:write" not in by.scopes:
        raise Forbidden()
    if found.ended_at is None:
        _end(by, found, "ended")
    return found


@db.action
def allow_totp(*, by: Actor, merchant_id: int, allowed: bool) -> None:
    """Set whether codes may take a passkey's place in signing here; only an owner may."""
    by.require("people:write", merchant_id)
    queries.member(by, merchant_id)
    Profile.objects.update_or_create(
        merchant_id=merchant_id, defaults={"totp_allowed": allowed, "set_by": by.label, "set_at": clock.now()}
    )
    history.record(
        "approval_profile.set", by=by, merchant_id=merchant_id, subject=f"merchant/{merchant_id}", totp_allowed=allowed
    )


@db.action
def lapse(*, by: Actor) -> int:
    """Look after what is open: expire it, strike signatures whose role is lost, remind; end delegations that are over.

    Returns:
        How much changed.
    """
    now = clock.now()
    changed = sum(_look_at(by, request, now) for request in queries.due(now, BATCH))
    return changed + sum(_look_at_delegation(by, lent, now) for lent in queries.delegations_due(now, BATCH))


def _look_at(by: Actor, request: Request, now: datetime) -> int:
    if now >= request.expires_at:
        _close(by, request, "expire", "")
        return 1
    changed = _strike_lost(by, request)
    if now >= _next_reminder(request):
        request.reminders += 1
        role = request.chain[request.turn]
        persons = [each.person for each in people.holders(request.merchant_id, role, now)]
        _record("reminded", by, request, role=role, persons=persons)
        changed += 1
    _row(request).update(reminders=request.reminders, next_look_at=_next_look(now, request.expires_at))
    return changed


def _look_at_delegation(by: Actor, lent: Delegation, now: datetime) -> int:
    """End a delegation whose time is over, or that lost its lender, the role or the delegate."""
    lender, other = (people.staff(lent.merchant_id, id) for id in (lent.staff_id, lent.delegate_staff_id))
    if lent.ends_at <= now:
        return _end(by, lent, "lapsed")
    if (lender.state, lender.role, other.state) != ("active", lent.role, "active"):
        return _end(by, lent, "role_lost")
    Delegation.objects.filter(merchant_id=lent.merchant_id, id=lent.id).update(
        next_look_at=_next_look(now, lent.ends_at)
    )
    return 0


def _end(by: Actor, lent: Delegation, why: str) -> int:
    lent.ended_at, lent.ended_by, lent.next_look_at = min(clock.now(), lent.ends_at), by.label, None
    Delegation.objects.filter(merchant_id=lent.merchant_id, id=lent.id, ended_at=None).update(
        ended_at=lent.ended_at, ended_by=lent.ended_by, next_look_at=None
    )
    history.record(
        f"delegation.{why}",
        by=by,
        merchant_id=lent.merchant_id,
        subject=f"delegation/{lent.id}",
        role=lent.role,
        person=lent.person,
        delegate=lent.delegate_person,
    )
    return 1


def _strike_lost(by: Actor, request: Request) -> int:
    """Strike the signatures whose role is lost, and those after them: their steps must be signed anew (S7)."""
    if request.state != "open":
        return 0
    signed = queries.signatures(request)
    lost = next((each.step for each in signed if not queries.holds_role(each)), None)
    if lost is None:
        return 0
    now = clock.now()
    for each in signed[lost:]:
        why = "role_lost" if not queries.holds_role(each) else "step_before_struck"
        Signature.objects.filter(merchant_id=each.merchant_id, id=each.id).update(struck_at=now, struck_for=why)
        _record("signature_struck", by, request, step=each.step, role=each.role, person=each.person, reason=why)
    _row(request).update(turn=lost, waiting_since=now, reminders=0)
    request.turn, request.waiting_since, request.reminders = lost, now, 0
    return 1


def _code_faults(merchant_id: int) -> list[Reason]:
    if queries.totp_allowed(merchant_id):
        return []
    return [Reason("code_not_allowed", "S7", {}, "An owner may allow codes; or sign with a passkey.")]


def _faults(staff: Staff, assertion: Assertion, over: bytes) -> list[Reason]:
    """Return what is wrong with an assertion, and count the passkey on where nothing is."""
    keys = [k for k in people.passkeys(staff.merchant_id, staff.id) if k.credential_id == assertion.credential_id]
    if not keys:
        return [Reason("passkey_unknown", "S7", {}, "Sign with a passkey of your own.")]
    [key] = keys
    if key.removed_at is not None:
        figures = {"removed_at": key.removed_at.isoformat()}
        return [Reason("passkey_removed", "S7", figures, "Sign with a passkey that you have still.")]
    found = assertions.faults(assertion, public_key=key.public_key, rp_id=key.rp_id, challenge=over)
    if not found and not people_actions.count_passkey(key.credential_id, assertions.count(assertion)):
        found = [Reason("assertion_counter_back", "S7", {}, "Sign anew; if it comes again, somebody has a copy.")]
    return found


def _keep(signature: Signature) -> None:
    names = [f.attname for f in signature._meta.concrete_fields if f.attname not in ("pk", "id")]
    columns, places = ", ".join(names), ", ".join(["%s"] * len(names))
    statement = f"INSERT INTO approvals_signature ({columns}) VALUES ({places})"  # noqa: S608  names are the model's
    db.rows(statement, [getattr(signature, name) for name in names])


def _step_on(by: Actor, request: Request, now: datetime) -> None:
    """Go on to the next role, or to the end of the chain."""
    if request.turn + 1 < len(request.chain):
        _row(request).update(turn=request.turn + 1, waiting_since=now, reminders=0)
    else:
        request.turn += 1
        _close(by, request, "approve", "", turn=request.turn)


def _close(by: Actor, request: Request, verb: str, note: str, **changes: Any) -> Request:
    """Move a request to where it ends, say so, and wake who waits for the outcome."""
    key = {"merchant_id": request.merchant_id, "id": request.id}
    closed = {"closed_at": clock.now(), "closed_by": by.label, "note": note, "next_look_at": None, **changes}
    states.move(verb, Request, key, **closed)
    _record(_SAID[verb], by, request, **({"note": note} if note else {}))
    db.rows("SELECT pg_notify('houfu_work', 'approval')")
    return Request.objects.get(**key)


_SAID = {"approve": "approved", "reject": "rejected", "void": "voided", "withdraw": "withdrawn", "expire": "expired"}


def _row(request: Request) -> Any:
    return Request.objects.filter(merchant_id=request.merchant_id, id=request.id)


def _record(what: str, by: Actor, request: Request, **detail: Any) -> None:
    history.record(
        f"approval.{what}",
        by=by,
        merchant_id=request.merchant_id,
        subject=f"approval/{request.id}",
        about=request.subject,
        **detail,
    )


def _next_look(now: datetime, no_later_than: datetime) -> datetime:
    return min(now + timedelta(minutes=policies.at(now).approvals.look_minutes), no_later_than)


def _next_reminder(request: Request) -> datetime:
    hours = policies.at(clock.now()).approvals.reminder_hours
    return request.waiting_since + timedelta(hours=hours * (request.reminders + 1))
