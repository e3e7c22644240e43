"""Signing what somebody must agree to, with a passkey in software."""

from houfu.approvals import actions as approvals
from houfu.approvals import queries as approval_queries
from houfu.approvals.assertions import Assertion
from houfu.approvals.models import Request
from houfu.people import actions as people
from houfu.people.actor import Actor
from houfu.testing.passkeys import SoftwarePasskey, unb64


def give_passkey(by: Actor, merchant_id: int) -> SoftwarePasskey:
    """Let a member of the staff make a passkey for us."""
    key = SoftwarePasskey("http://localhost:8900", "localhost")
    people.add_passkey(
        by=by,
        merchant_id=merchant_id,
        staff_id=by.staff_id or 0,
        credential_id=key.credential_id,
        public_key=key.public_key,
        rp_id=key.rp_id,
    )
    return key


def sign(by: Actor, key: SoftwarePasskey, request: Request) -> None:
    """Let a member of the staff sign the step of a request whose turn it is."""
    shown = approval_queries.challenge(by, request.merchant_id, request.id)
    said = key.sign_bytes(shown.challenge)
    parts = (unb64(said["response"][name]) for name in ("authenticatorData", "clientDataJSON", "signature"))
    answer = Assertion(key.credential_id, *parts)
    approvals.sign(by=by, merchant_id=request.merchant_id, id=request.id, assertion=answer)
