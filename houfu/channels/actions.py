"""Channels: reports on their way out, notices on their way in. Nothing here concludes anything about money."""

from collections.abc import Mapping
from typing import Any

from houfu.channels import queries, registry
from houfu.channels.port import NoticeRejected, Report
from houfu.kernel import clock, db, isolation
from houfu.merchants.models import ChannelAccount

db.refuse_on("channels_notice_kind")(NoticeRejected)


def report(merchant_id: int, channel_account_id: int, *reports: Report) -> None:
    """Leave word for a channel, in the transaction of the step that it must hear of."""
    waiting = db.gathered("reports", _write_reports)
    waiting.extend((merchant_id, channel_account_id, each) for each in reports)


def _write_reports(waiting: list[Any]) -> None:
    db.rows(
        "INSERT INTO channels_report (merchant_id, channel_account_id, order_id, kind, ref, amount_fen, at)"
        " SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::bigint[],"
        " %s::timestamptz[]) ON CONFLICT DO NOTHING",
        [
            [merchant_id for merchant_id, _, _ in waiting],
            [account_id for _, account_id, _ in waiting],
            [each.order_id for _, _, each in waiting],
            [each.kind for _, _, each in waiting],
            [each.ref for _, _, each in waiting],
            [each.amount_fen for _, _, each in waiting],
            [each.at for _, _, each in waiting],
        ],
    )


def tell(account: ChannelAccount, limit: int = 500) -> int:
    """Tell a channel up to `limit` reports that wait for it, and return how many it took.

    A crash between telling and noting it tells them again; a channel knows reports by order, kind and reference.
    """
    waiting = queries.untold(account, limit)
    if not waiting:
        return 0
    taken = registry.channel(account.channel).report(account.principal, waiting)
    _note_told(account=account, reports=waiting[:taken])
    return taken


@db.action
def _note_told(*, account: ChannelAccount, reports: list[Report]) -> None:
    db.rows(
        "UPDATE channels_report r SET told_at = %s"
        " FROM unnest(%s::text[], %s::text[], %s::text[]) t (order_id, kind, ref)"
        " WHERE r.merchant_id = %s AND (r.order_id, r.kind, r.ref) = (t.order_id, t.kind, t.ref)",
        [
            clock.now(),
            [r.order_id for r in reports],
            [r.kind for r in reports],
            [r.ref for r in reports],
            account.merchant_id,
        ],
    )


def take_notice(channel: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Keep a notice if it is from the channel and for one of our principals; say whether it is new.

    Raises:
        NoticeRejected: it is not; nothing was kept.
    """
    notice = registry.channel(channel).read_notice(headers, body)
    with isolation.acting(isolation.Party(f"channel/{channel}", None)):  # its signature held; whose it is, is looked up
        account = ChannelAccount.objects.filter(channel=channel, principal=notice.principal).first()
    if account is None:
        raise NoticeRejected(principal=notice.principal)
    with isolation.acting(isolation.Party(f"channel/{channel}", account.merchant_id)):
        return _keep_notice(account=account, id=notice.id, kind=notice.kind, ref=notice.ref)


@db.action
def _keep_notice(*, account: ChannelAccount, id: str, kind: str, ref: str) -> bool:
    kept = db.rows(
        "INSERT INTO channels_notice (merchant_id, channel_account_id, id, kind, ref, received_at)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING id",
        [account.merchant_id, account.id, id, kind, ref, clock.now()],
    )
    if kept:
        db.rows("SELECT pg_notify('houfu_work', 'notice')")
    return bool(kept)


@db.action
def notice_handled(*, merchant_id: int, channel_account_id: int, id: str) -> None:
    """Note that a notice has been acted on."""
    db.rows(
        "UPDATE channels_notice SET handled_at = %s WHERE merchant_id = %s AND channel_account_id = %s AND id = %s",
        [clock.now(), merchant_id, channel_account_id, id],
    )
