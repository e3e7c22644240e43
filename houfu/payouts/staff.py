"""Who asks for a payout: how far they reach, what they asked for before, and what is judged as one with it."""

from datetime import datetime, timedelta
from typing import NamedTuple

from houfu.kernel import clock, db
from houfu.kernel.errors import NotFound
from houfu.merchants import queries as merchants
from houfu.payouts import tiers
from houfu.payouts.states import GIVEN_BACK
from houfu.people import queries as people
from houfu.people.actor import Actor
from houfu.people.face import queries as faces
from houfu.policies.pack import Policy


class Asked(NamedTuple):
    """What somebody wants paid out, to whom and for what."""

    store_id: int
    beneficiary_id: int
    amount_fen: int
    purpose: str


def reach(by: Actor, scope: str, merchant_id: int, store_id: int) -> None:
    """Refuse stores that the actor may pay nothing out of; who is of one store may reach those it shares limits with.

    Raises:
        Forbidden: the scope is missing.
        NotFound: the store is beyond their reach (S1–S3).
    """
    by.require(scope, merchant_id)
    if by.sees(store_id):
        return
    if by.role != "store_manager" or not merchants.share_a_group(merchant_id, store_id, by.stores or ()):
        raise NotFound()


def judge(by: Actor, merchant_id: int, asked: Asked, at: datetime, policy: Policy) -> tiers.Judgement:
    """Judge what somebody asks for by the rules about staff (S1–S8, P9).

    Under concurrency the caller holds the merchant, so that no two payouts count past each other.
    """
    own = people.staff(merchant_id, by.staff_id) if by.staff_id else None
    asker = tiers.Asker(
        role=by.role,
        per_payout_fen=own.per_payout_fen if own else None,
        monthly_fen=own.monthly_fen if own else None,
        daily_count=own.daily_count if own else None,
        crosses=by.kind == "staff" and (by.stores is None or asked.store_id not in by.stores),
        stepped_up_at=_stepped_up_at(by, merchant_id),
    )
    before = counted(by, merchant_id, asked, at, policy)
    return tiers.judge(asker, asked.amount_fen, before, policy.staff, at, policy.pools.confirmers)


def _stepped_up_at(by: Actor, merchant_id: int) -> datetime | None:
    """Return when somebody last proved that it is them: by a passkey, or by a face that an engine vouched for (S8)."""
    vouched = faces.vouched_at(merchant_id, by.staff_id) if by.staff_id else None
    return max((at for at in (by.stepped_up_at, vouched) if at), default=None)


_COUNTED = """
    SELECT id, requested_at, amount_fen, business_day, person = %(person)s AND person <> '' AS same_person,
           device = %(device)s AND device <> '' AS same_device, beneficiary_id = %(beneficiary)s AS same_beneficiary,
           store_id = %(store)s AS same_store
    FROM payouts_payout
    WHERE merchant_id = %(merchant)s AND requested_at > %(since)s AND kind = 'manual' AND state <> ALL (%(given_back)s)
    ORDER BY requested_at, id
"""
_SHARES = ("person", "device", "beneficiary", "store")


def asked_by(merchant_id: int, person: str, at: datetime) -> tuple[int, int]:
    """Return how many payouts a person has asked for this day, and for how much this month, in fen (S5, S6)."""
    today = clock.business_day(at)
    found = db.rows(
        "SELECT count(*) FILTER (WHERE business_day = %s) AS today, coalesce(sum(amount_fen), 0)::bigint AS month_fen"
        " FROM payouts_payout WHERE merchant_id = %s AND requested_at >= %s AND person = %s AND kind = 'manual'"
        " AND business_day >= %s AND state <> ALL (%s)",
        [today, merchant_id, clock.start_of(today.replace(day=1)), person, today.replace(day=1), sorted(GIVEN_BACK)],
    )[0]
    return found.today, found.month_fen


def counted(by: Actor, merchant_id: int, asked: Asked, at: datetime, policy: Policy) -> tiers.Counted:
    """Count what a person, and whatever looks like them, has asked for before; runs count for nobody (S5, S6, P9).

    What was given back counts no more.
    """
    today = clock.business_day(at)
    month = today.replace(day=1)
    window = at - timedelta(hours=max(policy.payouts.structuring_hours, default=0))
    rows = db.rows(
        _COUNTED,
        {
            "merchant": merchant_id,
            "person": by.person,
            "device": by.device,
            "beneficiary": asked.beneficiary_id,
            "store": asked.store_id,
            "since": min(window, clock.start_of(month) - timedelta(microseconds=1)),
            "given_back": sorted(GIVEN_BACK),
        },
    )
    own = [row for row in rows if row.same_person and row.business_day >= month]
    shared = [
        tiers.Joined(row.id, row.requested_at, row.amount_fen, shares)
        for row in rows
        if row.requested_at > window and (shares := tuple(name for name in _SHARES if getattr(row, f"same_{name}")))
    ]
    return tiers.Counted(
        today=sum(row.business_day == today for row in own),
        month_fen=sum(row.amount_fen for row in own),
        joined=tuple(shared),
    )
