"""Signing: one step of a chain at a time; and signatures struck whose role is lost."""

from datetime import datetime
from uuid import UUID

from houfu.approvals import assertions, queries, rules
from houfu.approvals import challenge as challenges
from houfu.approvals.actions.requests import SignatureRefused, close, record, row
from houfu.approvals.assertions import Assertion
from houfu.approvals.models import Profile, Request, Signature
from houfu.history import actions as history
from houfu.kernel import clock, db
from houfu.kernel.errors import Invalid, Reason, Refused
from houfu.people import actions as people_actions
from houfu.people import queries as people
from houfu.people.actor import Actor
from houfu.people.models import Staff


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


class ProofMissing(Invalid):
    """A signature is a passkey's answer or a code: one of them."""

    code = "approval_proof_missing"


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
    strike_lost(by, request)
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
    record("signed", by, request, **said, **({"delegation": right.delegation_id} if right.delegation_id else {}))
    _step_on(by, request, now)
    return queries.access_request(by, merchant_id, id)


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


def strike_lost(by: Actor, request: Request) -> int:
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
        record("signature_struck", by, request, step=each.step, role=each.role, person=each.person, reason=why)
    row(request).update(turn=lost, waiting_since=now, reminders=0)
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
        row(request).update(turn=request.turn + 1, waiting_since=now, reminders=0)
    else:
        request.turn += 1
        close(by, request, "approve", "", turn=request.turn)
