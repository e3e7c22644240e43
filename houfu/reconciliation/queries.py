"""Reading statements and breaks."""

from datetime import date, timedelta

from houfu.kernel import clock
from houfu.merchants.models import ChannelAccount
from houfu.people.actor import Actor
from houfu.reconciliation.models import Line, Statement


def days_to_fetch(account: ChannelAccount) -> list[date]:
    """Return the days whose statement is not final yet, from the account's first day to yesterday."""
    yesterday = clock.business_day(clock.now()) - timedelta(days=1)
    known = Statement.objects.filter(merchant_id=account.merchant_id, channel_account_id=account.id, final=True)
    last = known.order_by("-day").values_list("day", flat=True).first()
    first = last + timedelta(days=1) if last else clock.business_day(account.created_at)
    return [first + timedelta(days=n) for n in range((yesterday - first).days + 1)]


def breaks(by: Actor, merchant_id: int, limit: int = 100) -> list[Line]:
    """Return lines with which the books do not agree, oldest first."""
    by.require("ledger:read", merchant_id)
    return list(Line.objects.filter(merchant_id=merchant_id, outcome="break").order_by("day", "no")[:limit])


def statements(by: Actor, merchant_id: int, limit: int = 100) -> list[Statement]:
    """Return fetched statements, newest first."""
    by.require("ledger:read", merchant_id)
    return list(Statement.objects.filter(merchant_id=merchant_id).order_by("-day", "channel_account_id")[:limit])
