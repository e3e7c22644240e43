"""History: what happened, by whom, why. Append-only, chained per merchant, written in the transaction it tells of."""

import json
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from houfu.kernel import clock, db

PLATFORM = 0  # the merchant_id of what concerns no single merchant


class Who(Protocol):
    """Whoever acts; people.Actor is one."""

    @property
    def label(self) -> str: ...


class _Link(NamedTuple):
    merchant_id: int
    at: datetime
    actor: str
    verb: str
    subject: str
    detail: str
    rows_digest: bytes | None


def record(
    verb: str, *, by: Who, merchant_id: int, subject: str, rows_digest: bytes | None = None, **detail: Any
) -> None:
    """Say that something happened, as a link that the end of the action adds to the merchant's chain.

    Args:
        verb: `noun.verb` in the past, such as "payout.requested".
        by: who did it.
        merchant_id: whose chain; PLATFORM for what concerns no single merchant.
        subject: the thing it happened to, as "noun/id".
        rows_digest: seal over the rows of a batch, where the link stands for many.
        detail: facts worth keeping; integers, strings, booleans and lists or dicts of them.
    """
    links = db.gathered("history", _append)
    text = json.dumps(detail, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    links.append(_Link(merchant_id, clock.now(), by.label, verb, subject, text, rows_digest))


def _append(links: list[Any]) -> None:
    db.call("history_append_v1", *(list(column) for column in zip(*links, strict=True)))
