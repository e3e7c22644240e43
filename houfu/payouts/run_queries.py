"""Reading runs: who waits for a day of automatic payouts and what decides about them, and what became of a day."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from houfu.calendars.rules import RunDay
from houfu.kernel import db
from houfu.payouts import rules
from houfu.payouts.models import Run
from houfu.people.actor import Actor
from houfu.policies.pack import Policy
from houfu.risk import queries as risk_queries


class Standing(NamedTuple):
    """A store that stands to be paid out by a run, and what decides about it."""

    merchant_id: int
    store_id: int
    channel_account_id: int
    beneficiary_id: int
    facts: rules.Facts


def facts_for_run(policy: Policy, at: datetime, run_day: date, stores: Sequence[tuple[int, int]]) -> list[Standing]:
    """Gather what decides about paying stores out automatically, of all that were not run for this day (P1, P5).

    Args:
        stores: merchant and id of each.
    """
    found = db.rows(
        """
        SELECT s.merchant_id, s.id, s.state, s.channel_account_id, o.beneficiary_id, o.purpose, b.purpose_class,
               b.state AS payee_state, b.channel_state, b.usable_from, coalesce(m.balance_fen, 0) AS available_fen,
               coalesce(d.balance_fen, 0) AS deficit_fen
        FROM unnest(%s::bigint[], %s::bigint[]) w (merchant_id, store_id)
        JOIN payouts_standing_order o USING (merchant_id, store_id)
        JOIN merchants_store s ON s.merchant_id = o.merchant_id AND s.id = o.store_id
        JOIN payouts_beneficiary b ON b.merchant_id = o.merchant_id AND b.id = o.beneficiary_id
        LEFT JOIN ledger_account m ON (m.merchant_id, m.kind, m.owner) = (s.merchant_id, 'claim:matured', s.id)
        LEFT JOIN ledger_account d ON (d.merchant_id, d.kind, d.owner) = (s.merchant_id, 'deficit', s.id)
        WHERE NOT EXISTS (SELECT FROM payouts_run r
                          WHERE (r.merchant_id, r.store_id, r.run_day) = (o.merchant_id, o.store_id, %s::date))
        ORDER BY s.merchant_id, s.id
        """,
        [[merchant_id for merchant_id, _ in stores], [store_id for _, store_id in stores], run_day],
    )
    restricted = risk_queries.restricted_stores(stores)
    return [
        Standing(
            row.merchant_id,
            row.id,
            row.channel_account_id,
            row.beneficiary_id,
            rules.Facts(
                at=at,
                amount_fen=rules.largest(row.available_fen, policy.payouts),
                purpose=row.purpose,
                available_fen=row.available_fen,
                deficit_fen=row.deficit_fen,
                store_state=row.state,
                payee_class=row.purpose_class,
                payee_state=row.payee_state,
                payee_channel_state=row.channel_state,
                payee_usable_from=row.usable_from,
                goes_at=at,
                restricted=(row.merchant_id, row.id) in restricted,
            ),
        )
        for row in found
    ]


def waiting_for_run(run: RunDay) -> list[tuple[int, int]]:
    """Return the stores, by merchant and id, that stood to be paid out when a run day came and were not run since."""
    found = db.rows(
        "SELECT s.merchant_id, s.store_id FROM payouts_standing_order s WHERE s.since <= %s AND NOT EXISTS (SELECT"
        " FROM payouts_run r WHERE r.merchant_id = s.merchant_id AND r.store_id = s.store_id AND r.run_day >= %s)"
        " ORDER BY 1, 2",
        [run.at, run.day],
    )
    return [(row.merchant_id, row.store_id) for row in found]


def days_run(by: Actor, since: date) -> list[Any]:
    """Return the days of automatic payouts since one, newest first, with how many stores were paid and passed over.

    For the platform's people, and without money: that is each merchant's own.
    """
    by.require("platform:write")
    return db.rows(
        "SELECT run_day, min(ran_at) AS began_at, count(DISTINCT merchant_id) AS merchants, count(*) AS stores,"
        " count(payout_id) AS paid, count(*) - count(payout_id) AS passed"
        " FROM payouts_run WHERE run_day >= %s GROUP BY run_day ORDER BY run_day DESC",
        [since],
    )


def reasons_of_run(by: Actor, run_day: date) -> list[tuple[str, int]]:
    """Return why stores were passed over on a day, and how many for each reason; a store may have several."""
    by.require("platform:write")
    found = db.rows(
        "SELECT reason, count(*) AS stores FROM payouts_run r CROSS JOIN LATERAL unnest(r.reasons) reason"
        " WHERE r.run_day = %s GROUP BY reason ORDER BY stores DESC, reason",
        [run_day],
    )
    return [(row.reason, row.stores) for row in found]


def stores_run(
    by: Actor, run_day: date, *, outcome: str = "", after: tuple[int, int] | None = None, limit: int = 100
) -> list[Run]:
    """Return what became of a day for each store, by merchant and store.

    Args:
        outcome: "paid", "passed", or the code of a reason; empty for all.
        after: merchant and store of the last that was seen.
    """
    by.require("platform:write")
    found = Run.objects.filter(run_day=run_day)
    if outcome in ("paid", "passed"):
        found = found.filter(payout_id__isnull=outcome == "passed")
    elif outcome:
        found = found.filter(reasons__contains=[outcome])
    if after:
        found = found.extra(where=["(merchant_id, store_id) > (%s, %s)"], params=list(after))
    return list(found.order_by("merchant_id", "store_id")[:limit])
