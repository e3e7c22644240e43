"""Reading approvals: what waits for whom, what the screen shows and a passkey signs, and the proof of a whole chain."""

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from houfu.approvals import assertions, rules
from houfu.approvals import challenge as challenges
from houfu.approvals.assertions import Assertion
from houfu.approvals.models import Delegation, Profile, Request, Signature
from houfu.approvals.rules import Asked, Right, Signed, Signer
from houfu.approvals.states import LIVE
from houfu.kernel import clock, db, vault
from houfu.kernel.errors import Forbidden, NotFound, Reason, Refused
from houfu.people import queries as people
from houfu.people.actor import Actor
from houfu.people.models import Staff
from houfu.people.queries import Passkey


class NotApproved(Refused):
    """This has not been approved as it stands now; the reasons say what is missing, all of it (I-14)."""

    code = "not_approved"


class StaffNeeded(Forbidden):
    """Only the merchant's own staff approves; the platform's operators have no say in it."""

    code = "approval_staff_needed"


@dataclass(frozen=True)
class Shown:
    """A request as somebody sees it before signing.

    Args:
        shown: what the screen shows, and the challenge stands for; nothing else is signed.
        passkeys: those with which this person may sign.
        reasons: why this person may not sign now; none means that they may.
    """

    request: Request
    signatures: list[Signature]
    shown: dict[str, Any]
    challenge: bytes
    turn_of: str | None
    passkeys: list[Passkey]
    totp_allowed: bool
    reasons: list[Reason]


def may_look(by: Actor, merchant_id: int) -> bool:
    """Say whether an actor sees all of a merchant's requests: who may approve, and who reads its history."""
    return by.merchant_id in (None, merchant_id) and bool({"approvals:write", "history:read"} & by.scopes)


def access_request(by: Actor, merchant_id: int, id: UUID) -> Request:
    """Return a request that the actor may see: all of them to some, their own to who asks or edits.

    Raises:
        NotFound: there is no such request here, or it is not theirs to see.
    """
    found = Request.objects.filter(merchant_id=merchant_id, id=id).first()
    if found is None or by.merchant_id not in (None, merchant_id):
        raise NotFound()
    if not may_look(by, merchant_id) and by.person not in {found.person, *found.editors} - {""}:
        raise NotFound()
    return found


def requests(
    by: Actor,
    merchant_id: int,
    *,
    state: str = "",
    subject: str = "",
    after: tuple[datetime, UUID] | None = None,
    limit: int = 100,
) -> list[Request]:
    """Return a merchant's requests that the actor may see, newest first."""
    if by.merchant_id not in (None, merchant_id):
        raise NotFound()
    found = Request.objects.filter(merchant_id=merchant_id)
    if not may_look(by, merchant_id):
        found = found.filter(Q(person=by.person) | Q(editors__contains=[by.person])).exclude(person="", editors=[])
    if state:
        found = found.filter(state=state)
    if subject:
        found = found.filter(subject=subject)
    if after:
        found = found.extra(where=["(opened_at, id) < (%s, %s)"], params=list(after))
    return list(found.order_by("-opened_at", "-id")[:limit])


def inbox(
    by: Actor, merchant_id: int, *, after: tuple[datetime, UUID] | None = None, limit: int = 100
) -> list[Request]:
    """Return what waits for this very person to sign, the longest waiting first."""
    by.require("approvals:write", merchant_id)
    at = clock.now()
    who = signer(member(by, merchant_id), at)
    if who.blocked_until and at < who.blocked_until:
        return []
    persons = sorted(who.stands_for)
    counted = Signature.objects.filter(merchant_id=merchant_id, struck_at=None, stands_for__overlap=persons)
    found = (
        Request.objects.filter(merchant_id=merchant_id, state="open", expires_at__gt=at)
        .extra(where=["chain[turn + 1] = ANY (%s)"], params=[[each.role for each in who.rights]])
        .exclude(Q(person__in=persons) | Q(editors__overlap=persons))
        .exclude(id__in=counted.values("request_id"))
    )
    if after:
        found = found.extra(where=["(opened_at, id) > (%s, %s)"], params=list(after))
    return list(found.order_by("opened_at", "id")[:limit])


def challenge(by: Actor, merchant_id: int, id: UUID) -> Shown:
    """Return what the screen shows, the challenge over it, and every reason why this person may not sign now."""
    request, at = access_request(by, merchant_id, id), clock.now()
    signed = signatures(request)
    reasons = [Reason("role_missing", "S7", {"roles": request.chain}, "Somebody of the staff with such a role signs.")]
    keys: list[Passkey] = []
    if by.kind == "staff" and "approvals:write" in by.scopes:
        staff = member(by, merchant_id)
        reasons = rules.refusals(asked(request, signed), signer(staff, at), at)
        keys = [key for key in people.passkeys(merchant_id, staff.id) if key.removed_at is None]
    what = shown(request)
    return Shown(
        request=request,
        signatures=signed,
        shown=what,
        challenge=challenges.challenge(what),
        turn_of=rules.next_role(request.chain, request.turn) if request.state == "open" else None,
        passkeys=keys,
        totp_allowed=totp_allowed(merchant_id),
        reasons=reasons,
    )


def prove(
    merchant_id: int, subject: str, version: int, payload: Mapping[str, Any], *, chain: Sequence[str] | None = None
) -> Request:
    """Prove that this very payload is approved, and hold the request until the action ends: the final gate (I-14).

    Every signature is verified again, over a challenge that is made of what is given here: the passkey was valid
    when it signed, the role is still held, persons are distinct, and none of them asks or edits.

    Args:
        chain: the roles that must have signed by the rule as it is now; those that were asked for unless given.

    Raises:
        NotApproved: with every reason; whoever submits must not go on.
    """
    found = Request.objects.select_for_update(no_key=True).filter(merchant_id=merchant_id, subject=subject)
    request = found.filter(version=version).first()
    if request is None:
        raise NotApproved(Reason("request_unknown", "S7", {"version": version}, "Ask for approval."))
    reasons = []
    if request.state != "approved":
        reasons.append(Reason("request_not_approved", "S7", {"state": request.state}, "Let the chain sign."))
    if clock.now() >= request.expires_at:
        figures = {"expires_at": request.expires_at.isoformat()}
        reasons.append(Reason("request_expired", "S7", figures, "Ask anew."))
    if challenges.canonical(payload) != request.payload:
        reasons.append(Reason("payload_differs", "I-14", {}, "Ask anew: any change voids what was signed."))
    if chain is not None and list(chain) != request.chain:
        chains = {"needed": list(chain), "asked": request.chain}
        reasons.append(Reason("chain_differs", "I-14", chains, "Ask the chain that the rule names now."))
    over = challenges.challenge(shown(request, payload))
    signed = [signed_now(each, over) for each in signatures(request)]
    needed = request.chain if chain is None else chain
    reasons += rules.unproven(needed, {request.person, *request.editors}, signed, request.expires_at)
    if reasons:
        raise NotApproved(*reasons)
    return request


def latest(merchant_id: int, subject: str) -> Request | None:
    """Return the newest request of a subject, whatever became of it."""
    return Request.objects.filter(merchant_id=merchant_id, subject=subject).order_by("-version").first()


def states_of(subjects: Sequence[tuple[int, str]]) -> dict[tuple[int, str], str]:
    """Return what became of the newest request of each subject, given as merchant and name, of any merchants."""
    found = db.rows(
        "SELECT DISTINCT ON (merchant_id, subject) merchant_id, subject, state FROM approvals_request"
        " JOIN unnest(%s::bigint[], %s::text[]) w (merchant_id, subject) USING (merchant_id, subject)"
        " ORDER BY merchant_id, subject, version DESC",
        [[merchant_id for merchant_id, _ in subjects], [subject for _, subject in subjects]],
    )
    return {(row.merchant_id, row.subject): row.state for row in found}


def lock_request(merchant_id: int, id: UUID) -> Request:
    """Return a request and hold it until the action ends."""
    found = Request.objects.select_for_update(no_key=True).filter(merchant_id=merchant_id, id=id).first()
    if found is None:
        raise NotFound()
    return found


def lock_live(merchant_id: int, subject: str) -> Request | None:
    """Return the request of a subject that stands or may come to stand, and hold it until the action ends."""
    found = Request.objects.select_for_update(no_key=True).filter(merchant_id=merchant_id, subject=subject)
    return found.filter(state__in=LIVE).first()


def signatures(request: Request) -> list[Signature]:
    """Return the signatures of a request that stand, in the order of its chain."""
    found = Signature.objects.filter(merchant_id=request.merchant_id, request_id=request.id, struck_at=None)
    return list(found.order_by("step"))


def delegations(by: Actor, merchant_id: int, *, ended: bool = False) -> list[Delegation]:
    """Return a merchant's delegations, newest first: those to come and in force, all of them where asked for."""
    if not may_look(by, merchant_id):
        raise NotFound()
    found = Delegation.objects.filter(merchant_id=merchant_id)
    return list((found if ended else found.filter(ended_at=None, ends_at__gt=clock.now())).order_by("-id"))


def delegations_of(staff: Staff) -> QuerySet[Delegation]:
    """Return what somebody lends and has not ended."""
    return Delegation.objects.filter(merchant_id=staff.merchant_id, staff_id=staff.id, ended_at=None)


def totp_allowed(merchant_id: int) -> bool:
    """Say whether a merchant's people may sign with a code where they have no passkey at hand."""
    return Profile.objects.filter(merchant_id=merchant_id, totp_allowed=True).exists()


def member(by: Actor, merchant_id: int) -> Staff:
    """Return the member of the merchant's staff that an actor is; nobody else approves anything.

    Raises:
        PersonNeeded: the actor is a key or the product by itself.
        StaffNeeded: the actor is an operator of the platform.
    """
    by.require_person()
    if by.kind != "staff" or by.staff_id is None or by.merchant_id != merchant_id:
        raise StaffNeeded()
    return people.staff(merchant_id, by.staff_id)


def signer(staff: Staff, at: datetime) -> Signer:
    """Return what decides whether somebody may sign: whom they count as, and in which roles they may act."""
    lent = _in_force(staff.merchant_id, at)
    own = [Right(staff.role)] if staff.state == "active" else []
    to_them = [each for each in lent if each.delegate_staff_id == staff.id]
    return Signer(
        person=staff.person,
        stands_for=rules.stands_for(staff.person, [(each.person, each.delegate_person) for each in lent]),
        rights=(*own, *(Right(each.role, each.id) for each in to_them if own and _lends_still(each, at))),
        blocked_until=staff.approvals_blocked_until,
    )


def asked(request: Request, signed: Sequence[Signature]) -> Asked:
    """Return what there is to sign, as the rules look at it."""
    return Asked(
        state=request.state,
        chain=tuple(request.chain),
        turn=request.turn,
        requester=request.person,
        editors=frozenset(request.editors),
        counted=frozenset(person for each in signed for person in each.stands_for),
        expires_at=request.expires_at,
    )


def shown(request: Request, payload: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what the screen shows of a request, or would show of it with another payload."""
    return challenges.shown(
        merchant_id=request.merchant_id,
        subject=request.subject,
        version=request.version,
        payload=json.loads(request.payload) if payload is None else payload,
        expires_at=request.expires_at,
    )


def signed_now(signature: Signature, over: bytes) -> Signed:
    """Return a signature as it looks now: its roles as they are held today, its proof computed once more.

    Args:
        over: the challenge that it must have signed.
    """
    staff = people.staff(signature.merchant_id, signature.staff_id)
    pairs = [(each.person, each.delegate_person) for each in _in_force(signature.merchant_id, signature.signed_at)]
    return Signed(
        step=signature.step,
        role=signature.role,
        person=staff.person,
        stands_for=rules.stands_for(staff.person, pairs) | frozenset(signature.stands_for),
        signed_at=signature.signed_at,
        holds_role=holds_role(signature),
        genuine=_genuine(signature, staff, over),
    )


def holds_role(signature: Signature) -> bool:
    """Say whether a signer has the role still, or whoever lent it to them has, and both are still there."""
    staff = people.staff(signature.merchant_id, signature.staff_id)
    if staff.state != "active" or signature.delegation_id is None:
        return staff.state == "active" and staff.role == signature.role
    lent = Delegation.objects.get(merchant_id=signature.merchant_id, id=signature.delegation_id)
    lender = people.staff(lent.merchant_id, lent.staff_id)
    in_force = lent.starts_at <= signature.signed_at < min(lent.ends_at, lent.ended_at or lent.ends_at)
    return (
        in_force and lent.delegate_staff_id == staff.id and lender.state == "active" and lender.role == signature.role
    )


def seal(signature: Signature, over: bytes) -> bytes:
    """Return what binds a signature by code to what was shown, to its signer and to its instant."""
    parts = (over.hex(), signature.request_id, signature.step, signature.role, signature.staff_id, signature.person)
    at = signature.signed_at.astimezone(UTC).isoformat()
    return vault.fingerprint("|".join(map(str, (*parts, at))), "approval")


def due(at: datetime, limit: int) -> QuerySet[Request]:
    """Return open requests whose time to be looked at has come, of all merchants, held until the action ends."""
    found = Request.objects.select_for_update(no_key=True, skip_locked=True).filter(state="open", next_look_at__lte=at)
    return found.order_by("next_look_at")[:limit]


def delegations_due(at: datetime, limit: int) -> QuerySet[Delegation]:
    """Return delegations whose time to be looked at has come, of all merchants, held until the action ends."""
    found = Delegation.objects.select_for_update(no_key=True, skip_locked=True)
    return found.filter(ended_at=None, next_look_at__lte=at).order_by("next_look_at")[:limit]


def _genuine(signature: Signature, staff: Staff, over: bytes) -> bool:
    at = signature.signed_at
    if signature.seal is not None:
        sealed = hmac.compare_digest(bytes(signature.seal), seal(signature, over))
        return sealed and totp_allowed(signature.merchant_id)
    assertion = Assertion(
        *(
            bytes(getattr(signature, name))
            for name in ("credential_id", "authenticator_data", "client_data", "signature")
        )
    )
    return any(
        not assertions.faults(assertion, public_key=key.public_key, rp_id=key.rp_id, challenge=over)
        for key in people.passkeys(staff.merchant_id, staff.id)
        if key.credential_id == assertion.credential_id
        and key.added_at <= at
        and (key.removed_at is None or at < key.removed_at)
    )


def _in_force(merchant_id: int, at: datetime) -> list[Delegation]:
    """Return the delegations that are in force at an instant."""
    found = Delegation.objects.filter(merchant_id=merchant_id, starts_at__lte=at, ends_at__gt=at)
    return list(found.filter(Q(ended_at=None) | Q(ended_at__gt=at)).order_by("id"))


def _lends_still(lent: Delegation, at: datetime) -> bool:
    """Say whether the lender has what they lent, and may approve themselves."""
    lender = people.staff(lent.merchant_id, lent.staff_id)
    blocked = lender.approvals_blocked_until and at < lender.approvals_blocked_until
    return lender.state == "active" and lender.role == lent.role and not blocked
