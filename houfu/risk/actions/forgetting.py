"""Addresses are kept as long as somebody may have to look into them, and no longer."""

from datetime import datetime

from houfu.kernel import db
from houfu.people.actor import Actor


@db.action
def forget_addresses(*, by: Actor, before: datetime) -> int:
    """Forget the addresses that payouts of before an instant came from; return how many. Their networks stay."""
    statement = "UPDATE risk_observation SET ip = '' WHERE ip <> '' AND at < %s RETURNING id"
    return len(db.rows(statement, [before]))
