"""Reading buyer lines, and the keys by which buyers are known."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from houfu.kernel import db, vault
from houfu.kernel.errors import NotFound
from houfu.people.actor import Actor


@dataclass(frozen=True)
class Score:
    """A score that was heard of, and the line that the policy of its instant gives."""

    score: int
    scored_at: datetime
    source: str
    ref: str
    limit_fen: int


@dataclass(frozen=True)
class Line:
    """What a buyer may owe, what their open orders hold of it, and every score, the latest first.

    Args:
        by_merchant, by_store: the store that granted it; None for the platform.
    """

    limit_fen: int
    held_fen: int
    by_merchant: int | None
    by_store: int | None
    open_orders: int
    scores: list[Score]


_lined = False  # whether this process has heard that a buyer has a line


def keys(buyers: Sequence[str | None]) -> list[bytes | None]:
    """Return what names each order's buyer to the database; nothing where no order has one, or no buyer has a line.

    Whoever decides by them has the database look whether there are lines (HF205), and calls `expect_lines` where there
    are and no keys came: a keyed digest for each order is only worth making where somebody can be found by it.
    """
    if not _lined or not any(buyers):
        return []
    known = iter(vault.fingerprints(filter(None, buyers), "buyer"))
    return [next(known) if buyer else None for buyer in buyers]


def expect_lines(expected: bool = True) -> None:
    """Have keys made from now on, as there are buyers who have a line."""
    global _lined
    _lined = expected


def digest(channel: str, buyer: str) -> bytes:
    """Return the digest under which a buyer's line is kept; `buyers_find_v1` makes the same of a key and a channel.

    Args:
        buyer: the id by which the channel knows them.
    """
    return hashlib.sha256(_key(buyer) + channel.encode()).digest()


def _key(buyer: str) -> bytes:
    return vault.fingerprint(buyer, "buyer")


def line(by: Actor, channel: str, buyer: str) -> Line:
    """Return a buyer's line; it is for the platform's people alone.

    Raises:
        NotFound: nobody has scored this buyer.
    """
    by.require("platform:write")
    found = db.rows("SELECT * FROM buyers_look_v1(%s)", [digest(channel, buyer)])
    if not found:
        raise NotFound()
    limit_fen, held_fen, by_merchant, by_store, open_orders, *columns = found[0]
    scores = [Score(*row) for row in zip(*columns, strict=True)]
    return Line(limit_fen, held_fen, by_merchant, by_store, open_orders, scores)


def unknown(before: datetime, limit: int = 1000) -> list[tuple[int, str]]:
    """Return merchant and id of orders for which a line was held before an instant, and of which nobody has heard."""
    found = db.rows("SELECT merchant_id, order_id FROM buyers_unknown_v1(%s, %s)", [before, limit])
    return [(row.merchant_id, row.order_id) for row in found]
