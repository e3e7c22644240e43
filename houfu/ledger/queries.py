"""Reading the ledger."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from houfu.kernel import db
from houfu.ledger import models
from houfu.ledger.actions import Account


def balances(merchant_id: int, *, owner: int | None = None, kinds: Iterable[str] = ()) -> dict[Account, int]:
    """Return the balances of a merchant's accounts in fen; an account that was never used is missing, and zero."""
    found = models.Account.objects.filter(merchant_id=merchant_id)
    if owner is not None:
        found = found.filter(owner=owner)
    if kinds:
        found = found.filter(kind__in=list(kinds))
    return {Account(a.kind, a.owner): a.balance_fen for a in found.order_by("kind", "owner")}


def balances_at(merchant_id: int, at: datetime) -> dict[Account, int]:
    """Return the balances as they were at an instant, rebuilt from the entries alone (I-27)."""
    rebuilt = db.rows(
        """
        SELECT a.kind, a.owner, sum(CASE WHEN (h.debit) = (a.grows_by = 'debit') THEN h.amount_fen
                                         ELSE -h.amount_fen END)::bigint AS balance_fen
        FROM ledger_transfer t JOIN ledger_entry e
             ON (e.merchant_id, e.transfer_id, e.unit) = (t.merchant_id, t.id, t.unit)
        CROSS JOIN LATERAL (VALUES (e.debit_id, true, e.amount_fen), (e.credit_id, false, e.amount_fen))
             AS h (account_id, debit, amount_fen)
        JOIN ledger_account a ON a.merchant_id = e.merchant_id AND a.id = h.account_id
        WHERE t.merchant_id = %s AND t.at <= %s
        GROUP BY a.kind, a.owner ORDER BY a.kind, a.owner
        """,
        [merchant_id, at],
    )
    return {Account(row.kind, row.owner): row.balance_fen for row in rebuilt}


def quota_moves(merchant_id: int, *, but: Sequence[str]) -> list[Any]:
    """Return the lines by which a merchant's quota was moved, in the order of time, but for some verbs.

    Args:
        but: how the verbs begin that are left out.

    Returns:
        Rows of id, at, verb, debit, debit_owner, credit, credit_owner and amount_fen.
    """
    return db.rows(
        "SELECT t.id, t.at, t.verb, d.kind AS debit, d.owner AS debit_owner, c.kind AS credit, c.owner AS credit_owner,"
        " e.amount_fen FROM ledger_transfer t"
        " JOIN ledger_entry e ON (e.merchant_id, e.transfer_id, e.unit) = (t.merchant_id, t.id, t.unit)"
        " JOIN ledger_account d ON d.merchant_id = e.merchant_id AND d.id = e.debit_id"
        " JOIN ledger_account c ON c.merchant_id = e.merchant_id AND c.id = e.credit_id"
        " WHERE t.merchant_id = %s AND t.unit = 'CNY.Q' AND NOT t.verb LIKE ANY (%s) ORDER BY t.at, t.id, e.no",
        [merchant_id, [f"{beginning}%" for beginning in but]],
    )


_ENTRIES = """
    FROM ledger_entry e
    JOIN ledger_transfer t ON (t.merchant_id, t.id, t.unit) = (e.merchant_id, e.transfer_id, e.unit)
    JOIN ledger_account d ON (d.merchant_id, d.id) = (e.merchant_id, e.debit_id)
    JOIN ledger_account c ON (c.merchant_id, c.id) = (e.merchant_id, e.credit_id)
    WHERE e.merchant_id = %(merchant)s
      AND (%(since)s::timestamptz IS NULL OR t.at >= %(since)s) AND (%(until)s::timestamptz IS NULL OR t.at < %(until)s)
      AND (%(owner)s::bigint IS NULL OR %(owner)s IN (d.owner, c.owner))
      AND (%(kind)s = '' OR %(kind)s IN (d.kind, c.kind))
"""


def entries(
    merchant_id: int,
    *,
    kind: str = "",
    owner: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: tuple[UUID, str, int] | None = None,
    limit: int = 100,
) -> list[Any]:
    """Return a merchant's entries with both their accounts, in the order of their transfers' ids.

    Args:
        kind, owner: of either account.
        since, until: of transfers from the one on, and before the other.
        after: transfer, unit and number of the entry after which the page begins.
    """
    asked = {"merchant": merchant_id, "kind": kind, "owner": owner, "since": since, "until": until, "limit": limit}
    place = "AND (e.transfer_id, e.unit, e.no) > (%(transfer)s, %(unit)s, %(no)s)" if after else ""
    return db.rows(
        "SELECT e.transfer_id, e.unit, e.no, t.at, t.verb, d.kind AS debit_kind, d.owner AS debit_owner,"
        f" c.kind AS credit_kind, c.owner AS credit_owner, e.amount_fen {_ENTRIES} {place}"
        " ORDER BY e.transfer_id, e.unit, e.no LIMIT %(limit)s",
        asked | (dict(zip(("transfer", "unit", "no"), after, strict=True)) if after else {}),
    )


def count_entries(
    merchant_id: int,
    *,
    kind: str = "",
    owner: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> int:
    """Return how many entries `entries` lists in all."""
    asked = {"merchant": merchant_id, "kind": kind, "owner": owner, "since": since, "until": until}
    return int(db.rows(f"SELECT count(*) AS n {_ENTRIES}", asked)[0].n)
