"""Passkeys of the staff: added and removed, and kept for what they have signed."""

from houfu.history import actions as history
from houfu.kernel import clock, db
from houfu.kernel.errors import NotFound, Refused
from houfu.people.actor import Actor
from houfu.people.models import Passkey, Staff


@db.refuse_on("people_passkey_taken")
class PasskeyTaken(Refused):
    """This passkey is registered already."""

    code = "people_passkey_taken"


@db.action
def add_passkey(
    *,
    by: Actor,
    merchant_id: int,
    staff_id: int,
    credential_id: bytes,
    public_key: bytes,
    rp_id: str = "",
    sign_count: int = 0,
) -> None:
    """Keep a passkey that its holder has just proven to have.

    Args:
        public_key: the COSE key, as CBOR.
        rp_id: the name of this instance for which it was made, where that is known.
        sign_count: how often it says that it has signed.

    Raises:
        PasskeyTaken: it is somebody's already.
    """
    if not Staff.objects.filter(merchant_id=merchant_id, id=staff_id).exists():
        raise NotFound()
    db.rows(
        "INSERT INTO people_passkey (merchant_id, staff_id, credential_id, public_key, rp_id, sign_count, added_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [merchant_id, staff_id, credential_id, public_key, rp_id, sign_count, clock.now()],
    )
    _record("passkey.added", by, merchant_id, staff_id, credential_id)


@db.action
def remove_passkey(*, by: Actor, merchant_id: int, staff_id: int, credential_id: bytes) -> None:
    """Let a passkey sign nothing from now on; what it has signed stays signed."""
    found = Passkey.objects.filter(
        merchant_id=merchant_id, staff_id=staff_id, credential_id=credential_id, removed_at=None
    )
    if not found.update(removed_at=clock.now()):
        raise NotFound()
    _record("passkey.removed", by, merchant_id, staff_id, credential_id)


def _record(verb: str, by: Actor, merchant_id: int, staff_id: int, credential_id: bytes) -> None:
    """Keep what happened to a passkey, told apart by the beginning of its id."""
    told_apart = credential_id.hex()[:16]
    history.record(verb, by=by, merchant_id=merchant_id, subject=f"staff/{staff_id}", credential=told_apart)
