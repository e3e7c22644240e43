"""Own limit: granted, reduced, and the tolerance above it that a manager opens."""

from datetime import timedelta

from houfu.history import actions as history
from houfu.kernel import clock, db
from houfu.kernel.errors import Invalid
from houfu.ledger.actions import Account, Line
from houfu.limits.actions.quota import OPERATOR, move
from houfu.limits.actions.recovery import begin_recovery
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor
from houfu.policies import queries as policies


@db.refuse_on("limits_note_says_why")
class NoteTooShort(Invalid):
    """A tolerance note says why in 4 to 500 characters (O6)."""

    code = "limits_note_says_why"


@db.action
def grant(*, by: Actor, merchant_id: int, store_id: int, amount_fen: int) -> None:
    """Give a store own limit.

    Args:
        amount_fen: what is added to its own limit, above zero.
    """
    by.require("platform:write")
    merchants.access_store(by, "limits:write", merchant_id, store_id)
    move("limits.grant", merchant_id, Line(Account("q:own:free", store_id), OPERATOR, amount_fen))
    history.record("limit.granted", by=by, merchant_id=merchant_id, subject=f"store/{store_id}", amount_fen=amount_fen)


@db.action
def reduce(*, by: Actor, merchant_id: int, store_id: int, amount_fen: int, reason: str) -> None:
    """Take own limit that is not in use; completed orders will earn it back (L2).

    Raises:
        InsufficientBalance: less than that is free.
    """
    by.require("platform:write")
    merchants.access_store(by, "limits:write", merchant_id, store_id)
    move(
        "limits.reduce", merchant_id, Line(Account("q:reduced", store_id), Account("q:own:free", store_id), amount_fen)
    )
    begin_recovery(merchant_id, store_id)
    history.record(
        "limit.reduced",
        by=by,
        merchant_id=merchant_id,
        subject=f"store/{store_id}",
        amount_fen=amount_fen,
        reason=reason,
    )


@db.action
def note_tolerance(*, by: Actor, merchant_id: int, store_id: int, note: str) -> None:
    """Open the band above a store's limit for a while, by its manager's note (O6)."""
    merchants.access_store(by, "limits:write", merchant_id, store_id)
    now = clock.now()
    until = now + timedelta(hours=policies.at(now).orders.tolerance_note_hours)
    db.rows(
        "INSERT INTO limits_note (merchant_id, store_id, person, note, valid_from, valid_until)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        [merchant_id, store_id, by.person, note, now, until],
    )
    history.record(
        "limit.tolerance_noted",
        by=by,
        merchant_id=merchant_id,
        subject=f"store/{store_id}",
        note=note,
        until=until.isoformat(),
    )
