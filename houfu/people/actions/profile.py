"""What a merchant asks of those who act for it, beyond what is asked of everybody."""

from typing import Any

from houfu.history import actions as history
from houfu.kernel import clock, db
from houfu.people.actor import Actor
from houfu.people.models import Profile


@db.action
def set_profile(*, by: Actor, merchant_id: int, signatures_required: bool, face_allowed: bool) -> Profile:
    """Set a merchant's profile.

    Args:
        signatures_required: keys move money by signed requests alone; those without a public key then move none.
        face_allowed: a face that a measured engine has compared may stand for a passkey (S8).
    """
    by.require("people:write", merchant_id)
    by.require_person()
    said: dict[str, Any] = {"signatures_required": signatures_required, "face_allowed": face_allowed}
    set_ = {**said, "set_by": by.label, "set_at": clock.now()}
    found, _ = Profile.objects.update_or_create(merchant_id=merchant_id, defaults=set_)
    history.record("profile.set", by=by, merchant_id=merchant_id, subject=f"merchant/{merchant_id}", **said)
    return found
