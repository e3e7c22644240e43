"""Reading what waits to be told to channels, and what they told us."""

from houfu.channels.models import Notice
from houfu.channels.port import Report
from houfu.kernel import db
from houfu.merchants import queries as merchants
from houfu.merchants.models import ChannelAccount


def untold(account: ChannelAccount, limit: int) -> list[Report]:
    """Return reports that wait to be told under a principal, oldest first."""
    return db.rows(
        "SELECT kind, order_id, ref, amount_fen, at FROM channels_report"
        " WHERE merchant_id = %s AND channel_account_id = %s AND told_at IS NULL ORDER BY at, order_id, kind LIMIT %s",
        [account.merchant_id, account.id, limit],
        into=Report,
    )


def waiting_notices(limit: int = 100) -> list[Notice]:
    """Return notices that have not been acted on, oldest first."""
    return list(Notice.objects.filter(handled_at=None).order_by("received_at")[:limit])


def accounts_untold() -> list[ChannelAccount]:
    """Return the accounts, of all merchants, under which reports wait to be told."""
    found = db.rows(
        "SELECT DISTINCT merchant_id, channel_account_id FROM channels_report WHERE told_at IS NULL ORDER BY 1, 2"
    )
    return [merchants.channel_account(row.merchant_id, row.channel_account_id) for row in found]
