"""What an operator does to data keys: changes a merchant's, wraps all anew, destroys a merchant's for good (4.7)."""

from uuid import UUID

from houfu.history import actions as history
from houfu.kernel import data_keys, db, vault
from houfu.kernel.data_keys import move_data_key
from houfu.kernel.errors import Invalid, Reason, Refused
from houfu.kernel.models import DataKey
from houfu.payouts.actions.beneficiaries import RESEALING as ACCOUNTS
from houfu.people.actor import Actor
from houfu.people.sign_in.sealing import RESEALING as FACTORS
from houfu.site.idempotency import RESEALING as ANSWERS
from houfu.splits.actions.parties import RESEALING as PARTIES
from houfu.webhooks.queries import RESEALING as SIGNERS

RINGS = ("vault", "webhooks")
RESEALINGS = (ACCOUNTS, ANSWERS, FACTORS, PARTIES, SIGNERS)
BATCH = 500
_OPEN = {
    "payouts_open": (
        "SELECT count(*) AS n FROM payouts_payout WHERE merchant_id = %s AND final_at IS NULL",
        "Let them come to their end.",
    ),
    "accounts_usable": (
        "SELECT count(*) AS n FROM payouts_beneficiary WHERE merchant_id = %s AND state <> 'revoked'",
        "Revoke them.",
    ),
    "parties_usable": (
        "SELECT count(*) AS n FROM splits_party WHERE merchant_id = %s AND state <> 'revoked'",
        "Revoke them.",
    ),
    "endpoints_told": (
        "SELECT count(*) AS n FROM webhooks_endpoint WHERE merchant_id = %s AND state <> 'removed'",
        "Remove them.",
    ),
}


class EraseRefused(Refused):
    """What is sealed for this merchant is still needed."""

    code = "vault_erase_refused"


class EraseUnconfirmed(Invalid):
    """Destroying a merchant's keys is confirmed by its unified social credit code; nothing was destroyed."""

    code = "vault_erase_unconfirmed"


def rotate(*, by: Actor, merchant_id: int, ring: str) -> int:
    """Give a merchant a new data key and seal with it whatever older ones have sealed; return how many rows that was.

    It may be stopped at any moment and run again: what is left of an older key is found by its state.
    """
    _begin(by=by, merchant_id=merchant_id, ring=ring)
    old = DataKey.objects.filter(merchant_id=merchant_id, ring=ring, state="retiring").values_list("id", flat=True)
    return sum(_reseal_all(by, merchant_id, id_, ring) for id_ in list(old))


@db.action
def _begin(*, by: Actor, merchant_id: int, ring: str) -> None:
    """Let the next thing that is sealed make a new key; waits for those who are sealing now."""
    by.require("platform:write")
    data_keys.hold(merchant_id, ring, alone=True)
    active = DataKey.objects.filter(merchant_id=merchant_id, ring=ring, state="active").first()
    if active:
        move_data_key("rotate", DataKey, {"merchant_id": merchant_id, "id": active.id})
        history.record("data_key.rotated", by=by, merchant_id=merchant_id, subject=f"data_key/{active.id}", ring=ring)


def _reseal_all(by: Actor, merchant_id: int, key_id: UUID, ring: str) -> int:
    done = 0
    for resealing in (each for each in RESEALINGS if each.ring == ring):
        while count := _batch(by=by, merchant_id=merchant_id, key_id=key_id, resealing=resealing):
            done += count
    _retire(by=by, merchant_id=merchant_id, key_id=key_id)
    return done


@db.action
def _batch(*, by: Actor, merchant_id: int, key_id: UUID, resealing: data_keys.Resealing) -> int:
    return resealing.run(merchant_id, key_id, BATCH)


@db.action
def _retire(*, by: Actor, merchant_id: int, key_id: UUID) -> None:
    """Retire a key that has sealed nothing any more: nobody seals with it since it is no longer active."""
    move_data_key("retire", DataKey, {"merchant_id": merchant_id, "id": key_id})
    history.record("data_key.retired", by=by, merchant_id=merchant_id, subject=f"data_key/{key_id}")


def rewrap(*, by: Actor, ring: str) -> tuple[int, int]:
    """Make a new key outside the database and wrap every data key of a ring with it; return its number and how many."""
    by.require("platform:write")
    number = vault.renew(ring)
    return number, _rewrap(by=by, ring=ring, number=number)


@db.action
def _rewrap(*, by: Actor, ring: str, number: int) -> int:
    done = data_keys.rewrap(ring)
    history.record(
        "vault.rewrapped", by=by, merchant_id=history.PLATFORM, subject=f"vault/{ring}", kek=number, keys=done
    )
    return done


@db.action
def erase(*, by: Actor, merchant_id: int, confirm: str, reason: str) -> int:
    """Destroy every data key of a merchant, so that nobody reads again what they have sealed; return how many.

    Books and history stay: they hold pseudonyms and figures, and none of it is sealed.

    Args:
        confirm: the merchant's unified social credit code.

    Raises:
        EraseUnconfirmed: that is not it.
        EraseRefused: with everything that still needs them.
    """
    by.require("platform:write")
    by.require_person()
    found = db.rows("SELECT uscc FROM merchants_merchant WHERE merchant_id = %s FOR NO KEY UPDATE", [merchant_id])
    if not found or found[0].uscc != confirm.strip().upper() or not reason.strip():
        raise EraseUnconfirmed()
    for ring in RINGS:
        data_keys.hold(merchant_id, ring, alone=True)
    counts = {code: db.rows(statement, [merchant_id])[0].n for code, (statement, _) in _OPEN.items()}
    if reasons := [Reason(code, "4.7", {"count": n}, _OPEN[code][1]) for code, n in counts.items() if n]:
        raise EraseRefused(*reasons)
    keys = DataKey.objects.filter(merchant_id=merchant_id).exclude(state="destroyed").values_list("id", flat=True)
    for id_ in list(keys):
        move_data_key("destroy", DataKey, {"merchant_id": merchant_id, "id": id_}, wrapped=None)
    history.record(
        "data_key.destroyed",
        by=by,
        merchant_id=merchant_id,
        subject=f"merchant/{merchant_id}",
        keys=len(keys),
        reason=reason,
    )
    return len(keys)
