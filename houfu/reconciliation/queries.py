"""Reading statements and breaks."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from houfu.kernel import clock, db
from houfu.merchants import queries as merchants
from houfu.merchants.models import ChannelAccount
from houfu.people.actor import Actor
from houfu.reconciliation.models import Line, Statement


def accounts_behind() -> list[ChannelAccount]:
    """Return the accounts, of all merchants, of which a day that is over has no final statement yet."""
    today = clock.business_day(clock.now())
    found = db.rows(
        "SELECT a.merchant_id, a.id FROM merchants_channel_account a WHERE a.created_at < %s AND NOT EXISTS ("
        "SELECT FROM reconciliation_statement s WHERE s.merchant_id = a.merchant_id AND s.channel_account_id = a.id"
        " AND s.final AND s.day >= %s) ORDER BY 1, 2",
        [clock.start_of(today), today - timedelta(days=1)],
    )
    return [merchants.channel_account(row.merchant_id, row.id) for row in found]


def days_to_fetch(account: ChannelAccount) -> list[date]:
    """Return the days whose statement is not final yet, from the account's first day to yesterday."""
    yesterday = clock.business_day(clock.now()) - timedelta(days=1)
    known = Statement.objects.filter(merchant_id=account.merchant_id, channel_account_id=account.id, final=True)
    last = known.order_by("-day").values_list("day", flat=True).first()
    first = last + timedelta(days=1) if last else clock.business_day(account.created_at)
    return [first + timedelta(days=n) for n in range((yesterday - first).days + 1)]


class Known(NamedTuple):
    """What is known of lines: numbers that agree and that are breaks, and kind and reference of what agrees."""

    agreed: set[str]
    broken: list[str]
    said: set[tuple[str, str]]


def known(account: ChannelAccount, day: date, numbers: Sequence[str], refs: Sequence[str]) -> Known:
    """Return what is known of lines of a day with these numbers, or of any day with these references."""
    found = db.call("reconciliation_known_v1", account.merchant_id, account.id, day, list(numbers), list(refs))[0]
    return Known(set(found.agreed), found.broken, set(zip(found.said_kind, found.said_ref, strict=True)))


def open_breaks(account: ChannelAccount) -> list[Line]:
    """Return the breaks of an account, oldest first."""
    found = Line.objects.filter(merchant_id=account.merchant_id, channel_account_id=account.id, outcome="break")
    return list(found.order_by("day", "at", "no"))


def breaks(by: Actor, merchant_id: int, *, after: tuple[date, int, str] | None = None, limit: int = 100) -> list[Line]:
    """Return lines with which the books do not agree, oldest first."""
    by.require("ledger:read", merchant_id)
    by.require_whole()
    found = Line.objects.filter(merchant_id=merchant_id, outcome="break")
    if after:
        found = found.extra(where=["(day, channel_account_id, no) > (%s, %s, %s)"], params=list(after))
    return list(found.order_by("day", "channel_account_id", "no")[:limit])


def statements(
    by: Actor, merchant_id: int, *, before: tuple[date, int] | None = None, limit: int = 100
) -> list[Statement]:
    """Return fetched statements, newest first."""
    by.require("ledger:read", merchant_id)
    by.require_whole()
    found = Statement.objects.filter(merchant_id=merchant_id)
    if before:
        found = found.extra(where=["(day, channel_account_id) < (%s, %s)"], params=list(before))
    return list(found.order_by("-day", "-channel_account_id")[:limit])
