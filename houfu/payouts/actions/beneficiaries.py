"""Beneficiaries: registered, confirmed by a second person, verified, cooled, revoked (P6, P8, I-14)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from houfu.approvals import actions as approvals
from houfu.approvals import queries as approval_queries
from houfu.channels.port import Payee, PayeeState
from houfu.history import actions as history
from houfu.kernel import clock, data_keys, db, ids, vault
from houfu.kernel.errors import Invalid, NotFound, Refused
from houfu.merchants import queries as merchants
from houfu.payouts import queries, states
from houfu.payouts.models import Beneficiary
from houfu.people.actor import Actor
from houfu.policies import queries as policies


@db.refuse_on("payouts_beneficiary_kind", "payouts_beneficiary_holder")
class BadBeneficiary(Invalid):
    """A beneficiary is an Alipay account or a corporate bank account, with its holder's name (P6)."""

    code = "beneficiary_invalid"


@db.refuse_on("payouts_beneficiary_once")
class BeneficiaryRegistered(Refused):
    """This account is registered already."""

    code = "payouts_beneficiary_once"


class BeneficiaryDenied(Refused):
    """Payouts for this purpose class are denied, and so are its beneficiaries (P8)."""

    code = "beneficiary_denied"


@db.refuse_on("payouts_beneficiary_second_person")
class SecondPersonNeeded(Refused):
    """Whoever checks an account against its documents is not the one who registered it (I-14)."""

    code = "payouts_beneficiary_second_person"


@db.action
def register(*, by: Actor, merchant_id: int, kind: str, purpose_class: str, holder: str, account: str) -> Beneficiary:
    """Register an account to which payouts may go once it is confirmed, verified and has cooled.

    The merchant's own people confirm what one of them registers; what the platform registers for them, on paper, is
    confirmed by whoever verifies it, who is somebody else.

    Args:
        kind: "alipay" or "bank_corporate".
        purpose_class: what the account is paid for, one of the policy's purposes.
        account: the full number or login; sealed before it is stored.

    Raises:
        BadBeneficiary, BeneficiaryDenied, BeneficiaryRegistered: nothing was registered.
    """
    merchants.access_merchant(by, "beneficiaries:write", merchant_id)
    by.require_person()
    now = clock.now()
    rules_now = policies.at(now)
    policy = rules_now.payouts
    chain = () if by.kind == "operator" else policy.beneficiary_approvers
    if purpose_class in policy.denied_purposes:
        raise BeneficiaryDenied(purpose_class=purpose_class)
    account = account.strip()
    if purpose_class not in policy.purposes or not 4 <= len(account) <= 100:
        raise BadBeneficiary(purpose_class=purpose_class)
    digest = vault.fingerprint(f"{kind}|{account}", "beneficiary")
    beneficiary_id = db.rows(
        "INSERT INTO payouts_beneficiary (merchant_id, kind, purpose_class, holder, account_sealed, account_digest,"
        " account_tail, state, channel_state, registered_by, person, registered_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'normal', %s, %s, %s) RETURNING id",
        [
            merchant_id,
            kind,
            purpose_class,
            holder,
            data_keys.seal(account, _place(merchant_id, digest), merchant_id),
            digest,
            account[-4:],
            "registered" if chain else "confirmed",
            by.label,
            by.person,
            now,
        ],
    )[0].id
    history.record(
        "beneficiary.registered",
        by=by,
        merchant_id=merchant_id,
        subject=f"beneficiary/{beneficiary_id}",
        kind=kind,
        purpose_class=purpose_class,
        tail=account[-4:],
    )
    registered = Beneficiary.objects.get(merchant_id=merchant_id, id=beneficiary_id)
    if chain:
        _ask_confirmation(by, registered, chain, now + timedelta(hours=rules_now.staff.approval_hours))
    return registered


def _ask_confirmation(by: Actor, payee: Beneficiary, chain: Sequence[str], expires_at: datetime) -> None:
    approvals.open(
        by=by,
        merchant_id=payee.merchant_id,
        id=ids.new(),
        subject=f"beneficiary/{payee.id}",
        version=1,
        payload=queries.beneficiary_content(payee),
        chain=chain,
        expires_at=expires_at,
    )


@db.action
def follow_confirmation(*, by: Actor, merchant_id: int, id: int) -> str:
    """Confirm an account once its approvers have signed, or revoke it once they will not, and return its state."""
    payee = Beneficiary.objects.select_for_update().get(merchant_id=merchant_id, id=id)
    subject = f"beneficiary/{id}"
    request = approval_queries.latest(merchant_id, subject)
    if payee.state != "registered" or request is None or request.state == "open":
        return payee.state
    verb = "confirm" if request.state == "approved" else "revoke"
    if verb == "confirm":
        try:
            approval_queries.prove(merchant_id, subject, 1, queries.beneficiary_content(payee))
        except approval_queries.NotApproved:
            verb = "revoke"
    _move(verb, merchant_id, id)
    said = "confirmed" if verb == "confirm" else "revoked"
    history.record(f"beneficiary.{said}", by=by, merchant_id=merchant_id, subject=subject)
    return said


@db.action
def verify(*, by: Actor, merchant_id: int, id: int, document: str) -> Beneficiary:
    """Say that an account was checked against a document; it may be used once it has cooled (P6).

    Raises:
        IllegalMove: its merchant's people have not confirmed it.
        SecondPersonNeeded: the same person registered it.
    """
    by.require("platform:write")
    by.require_person()
    now = clock.now()
    usable_from = now + timedelta(hours=policies.at(now).payouts.cooling_hours)
    _move("verify", merchant_id, id, channel_state="normal", verified_person=by.person, usable_from=usable_from)
    history.record(
        "beneficiary.verified",
        by=by,
        merchant_id=merchant_id,
        subject=f"beneficiary/{id}",
        document=document,
        usable_from=usable_from.isoformat(),
    )
    return Beneficiary.objects.get(merchant_id=merchant_id, id=id)


@db.action
def revoke(*, by: Actor, merchant_id: int, id: int) -> None:
    """Take an account out of use; payouts that have been sent to it go on."""
    by.require("beneficiaries:write", merchant_id)
    by.require_person()
    _move("revoke", merchant_id, id)
    approvals.void(by=by, merchant_id=merchant_id, subject=f"beneficiary/{id}", reason="revoked")
    history.record("beneficiary.revoked", by=by, merchant_id=merchant_id, subject=f"beneficiary/{id}")


@db.action
def note_channel_state(*, by: Actor, merchant_id: int, id: int, state: PayeeState) -> None:
    """Keep what the channel says of an account, where it changed (P6)."""
    changed = Beneficiary.objects.filter(merchant_id=merchant_id, id=id).exclude(channel_state=state.value)
    if changed.update(channel_state=state.value):
        history.record(
            "beneficiary.state_changed", by=by, merchant_id=merchant_id, subject=f"beneficiary/{id}", state=state.value
        )


def suspend(*, by: Actor, merchant_id: int, id: int) -> None:
    """Ask for an account to be verified anew, within the current action: a payout to it came back."""
    if Beneficiary.objects.filter(merchant_id=merchant_id, id=id, state="verified").exists():
        _move("suspend", merchant_id, id)
        history.record("beneficiary.suspended", by=by, merchant_id=merchant_id, subject=f"beneficiary/{id}")


def payee(beneficiary: Beneficiary) -> Payee:
    """Return an account in clear, for the channel alone."""
    digest = bytes(beneficiary.account_digest)
    account = data_keys.unseal(
        bytes(beneficiary.account_sealed), _place(beneficiary.merchant_id, digest), beneficiary.merchant_id
    )
    return Payee(beneficiary.kind, account, beneficiary.holder)


def _move(verb: str, merchant_id: int, id: int, **changes: object) -> None:
    key = {"merchant_id": merchant_id, "id": id}
    if not Beneficiary.objects.filter(**key).exists():
        raise NotFound()
    states.move_beneficiary(verb, Beneficiary, key, **changes)


def _place(merchant_id: int, digest: bytes) -> str:
    return f"payouts_beneficiary/{merchant_id}/{digest.hex()}"


RESEALING = data_keys.resealing(
    "payouts_beneficiary",
    {"account_sealed": lambda row: _place(row.merchant_id, bytes(row.account_digest))},
    needs="account_digest",
)
