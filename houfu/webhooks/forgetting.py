"""What was told long ago and has ended is forgotten; the history that it told stays."""

from datetime import datetime

from houfu.kernel import db
from houfu.people.actor import Actor

# Up to where everything of an endpoint has ended before an instant. From there on it counts as told.
_TOLD = """
    UPDATE webhooks_endpoint e SET told_from = c.seq FROM (
        SELECT d.merchant_id, d.endpoint_id, max(d.seq) AS seq FROM webhooks_delivery d
        WHERE d.ended_at < %(before)s AND NOT EXISTS (
            SELECT FROM webhooks_delivery k
            WHERE (k.merchant_id, k.endpoint_id) = (d.merchant_id, d.endpoint_id) AND k.seq <= d.seq
              AND (k.ended_at IS NULL OR k.ended_at >= %(before)s))
        GROUP BY 1, 2) c
    WHERE (e.merchant_id, e.id) = (c.merchant_id, c.endpoint_id) AND e.told_from < c.seq
"""
_GONE = """
    DELETE FROM webhooks_delivery d USING webhooks_endpoint e
    WHERE (e.merchant_id, e.id) = (d.merchant_id, d.endpoint_id) AND d.seq <= e.told_from AND d.ended_at < %(before)s
    RETURNING d.id
"""


@db.action
def forget_deliveries(*, by: Actor, before: datetime) -> int:
    """Remove deliveries, with their attempts, that ended before an instant as all before them did; return how many."""
    db.rows(_TOLD, {"before": before})
    return len(db.rows(_GONE, {"before": before}))
