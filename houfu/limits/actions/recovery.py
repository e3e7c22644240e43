"""Reduced limit that completed orders earn back (L2)."""

from collections.abc import Mapping

from houfu.history import actions as history
from houfu.kernel import clock, db
from houfu.ledger import actions as ledger
from houfu.ledger.actions import Account, Line
from houfu.limits import rules
from houfu.limits.actions.emergencies import count_settled
from houfu.limits.actions.quota import move
from houfu.limits.models import Recovery
from houfu.people.actor import Actor
from houfu.policies import queries as policies


def begin_recovery(merchant_id: int, store_id: int) -> None:
    """Start to count completed orders for a store whose limit was reduced, if they are not counted already (L2)."""
    db.rows(
        "INSERT INTO limits_recovery (merchant_id, store_id) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        [merchant_id, store_id],
    )


def restore(*, by: Actor, merchant_id: int, completed: Mapping[int, int]) -> None:
    """Count completed orders by store, within the action that settles them, and book back what they earned (L2, L3)."""
    count_settled(by=by, merchant_id=merchant_id, completed=completed)
    policy = policies.at(clock.now()).restoration
    counted = Recovery.objects.select_for_update().filter(merchant_id=merchant_id, store_id__in=list(completed))
    for recovery in counted.order_by("store_id"):
        store_id = recovery.store_id
        done = recovery.completed + completed[store_id]
        reduced_fen = ledger.lock(merchant_id, [Account("q:reduced", store_id)])[Account("q:reduced", store_id)]
        booked_fen = rules.restorable(
            done, recovery.booked_fen, reduced_fen, policy.orders, policy.restores_fen, policy.lot_fen
        )
        row = Recovery.objects.filter(merchant_id=merchant_id, store_id=store_id)
        if booked_fen == reduced_fen:
            row.delete()
        else:
            row.update(completed=done, booked_fen=recovery.booked_fen + booked_fen)
        if booked_fen:
            move(
                "limits.restore",
                merchant_id,
                Line(Account("q:own:free", store_id), Account("q:reduced", store_id), booked_fen),
            )
            history.record(
                "limit.restored",
                by=by,
                merchant_id=merchant_id,
                subject=f"store/{store_id}",
                amount_fen=booked_fen,
                completed=done,
            )
