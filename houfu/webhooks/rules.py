"""Rules of telling: which message a link becomes, when it is tried again, when an endpoint is left alone."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

PATIENCE = timedelta(days=3)  # from the first attempt of a round to its last
PAUSES = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 43200, 72000, 86400)
)  # fmt: skip
SPREAD = 0.2  # of a pause, to either side, so that what failed together does not come back together
RESTS_AFTER = 3  # failures in a row
REST, LONGEST_REST = timedelta(seconds=10), timedelta(hours=1)
SLOW_MS = 1000  # an endpoint that takes longer is given a doubtful one's turn

# Ids that a message repeats beside its subject. What is not named here stays in the house: no names, no notes, no
# account numbers, no people.
IDS = (
    "store_id", "group_id", "pool_id", "loan_id", "order_id", "payout_id", "beneficiary_id", "channel_account_id",
    "request_id", "case_id",
)  # fmt: skip


def next_try(tries: int, since: datetime, now: datetime, dice: float) -> datetime | None:
    """Return when a delivery is tried again, or None where its round is over.

    The last attempt falls on the end of the third day; pauses grow from five seconds to a day.

    Args:
        tries: attempts of this round so far, all failed; at least one.
        since: when the first of them was.
        now: when the last of them was.
        dice: a number in [0, 1), as chance gives it.
    """
    if now >= since + PATIENCE:
        return None
    pause = PAUSES[min(tries, len(PAUSES)) - 1]
    return min(now + pause * (1 - SPREAD + 2 * SPREAD * dice), since + PATIENCE)


def rest(failures: int, now: datetime, dice: float) -> datetime | None:
    """Return until when an endpoint is left alone after so many failures in a row: not at all after a few, then from
    ten seconds up to an hour, after which one attempt shows whether it is back.

    Args:
        dice: a number in [0, 1), as chance gives it.
    """
    if failures < RESTS_AFTER:
        return None
    pause: timedelta = min(REST * 2 ** min(failures - RESTS_AFTER, 20), LONGEST_REST)
    return now + pause * (1 - SPREAD + 2 * SPREAD * dice)


def hopeless(since: datetime, delivered_at: datetime | None) -> bool:
    """Say whether an endpoint is disabled along with a delivery that is given up: nothing else got through either.

    Args:
        since: when the delivery was first tried.
        delivered_at: when the endpoint last took anything.
    """
    return delivered_at is None or delivered_at < since


def message_id(link_hash: bytes) -> str:
    """Return the `webhook-id` of a link: the same however often it is sent, and another in any other chain."""
    return f"msg_{link_hash[:16].hex()}"


def body(*, merchant_id: int, seq: int, at: datetime, verb: str, subject: str, detail: Mapping[str, Any]) -> bytes:
    """Return what an endpoint is told of a link: what happened, when, to which thing; never more than ids."""
    ids = {name: detail[name] for name in IDS if isinstance(detail.get(name), int | str)}
    said = {
        "type": verb,
        "timestamp": at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "data": {"merchant_id": merchant_id, "seq": seq, "subject": subject, **ids},
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
