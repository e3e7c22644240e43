"""Reading history."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from django.db.models import QuerySet

from houfu.history.models import Link
from houfu.kernel import db

_SQL = Path(__file__).parent / "sql"


CONFIDENTIAL = ("alert.", "case.", "package.", "rule.")  # how verbs begin that only those who deal with risk may read


def links(
    merchant_id: int,
    *,
    subject: str = "",
    noun: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    before_seq: int | None = None,
    limit: int = 100,
    confidential: bool = True,
) -> list[Link]:
    """Return a merchant's newest links first, of one subject where it is given.

    Args:
        noun: what the verbs begin with, such as "payout"; all where it is empty.
        since, until: of what happened from the one on, and before the other.
        confidential: whether links are among them that only those who deal with risk may read.
    """
    found = _listed(merchant_id, subject, noun, since, until, confidential)
    if before_seq is not None:
        found = found.filter(seq__lt=before_seq)
    return list(found.order_by("-seq")[:limit])


def count(
    merchant_id: int,
    *,
    subject: str = "",
    noun: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    confidential: bool = True,
) -> int:
    """Return how many links `links` lists in all."""
    return _listed(merchant_id, subject, noun, since, until, confidential).count()


def _listed(
    merchant_id: int, subject: str, noun: str, since: datetime | None, until: datetime | None, confidential: bool
) -> QuerySet[Link]:
    found = Link.objects.filter(merchant_id=merchant_id)
    for verbs in () if confidential else CONFIDENTIAL:
        found = found.exclude(verb__startswith=verbs)
    if subject:
        found = found.filter(subject=subject)
    if noun:
        found = found.extra(where=["split_part(verb, '.', 1) = %s"], params=[noun])
    if since:
        found = found.filter(at__gte=since)
    return found.filter(at__lt=until) if until else found


def link(merchant_id: int, seq: int) -> Link | None:
    """Return a link of a merchant's chain by its number."""
    return Link.objects.filter(merchant_id=merchant_id, seq=seq).first()


def ended(merchant_id: int) -> tuple[int, str]:
    """Return the number and the hash of the end of a merchant's chain; 0 and nothing before anything has happened."""
    found = db.rows("SELECT seq, encode(hash, 'hex') AS hash FROM history_head WHERE merchant_id = %s", [merchant_id])
    return (found[0].seq, found[0].hash) if found else (0, "")


class Stretch(NamedTuple):
    """A part of a chain that was recomputed: its last link, how many those were, and what does not hold."""

    last: int
    links: int
    hash: str
    broken: list[dict[str, Any]]


def recomputed(merchant_id: int, after: int, limit: int) -> Stretch:
    """Recompute the links of a merchant's chain after one of them (I-15).

    Args:
        after: number of the link before; 0 for the beginning.
        limit: how many at most.
    """
    found = db.rows((_SQL / "history_recomputed.sql").read_text(), [merchant_id, after, limit])
    if not found:
        return Stretch(after, 0, "", [])
    broken = [{"seq": row.seq, "fault": row.fault} for row in found if row.fault]
    return Stretch(found[-1].seq, len(found), found[-1].hash, broken)


def told(merchant_id: int, beginnings: Sequence[str]) -> list[Any]:
    """Return what happened to a merchant's things, in the one order in which it did.

    Args:
        beginnings: how the verbs begin, such as "pool.".

    Returns:
        Rows of seq, at, verb, subject and detail (its JSON as text).
    """
    return db.rows(
        "SELECT seq, at, verb, subject, detail FROM history_link"
        " WHERE merchant_id = %s AND verb LIKE ANY (%s) ORDER BY seq",
        [merchant_id, [f"{beginning}%" for beginning in beginnings]],
    )


def heads() -> Iterator[tuple[int, int, str]]:
    """Yield merchant, seq and hash of every chain's end: a checkpoint to be kept outside the database."""
    for head in db.rows("SELECT merchant_id, seq, encode(hash, 'hex') AS hash FROM history_head ORDER BY merchant_id"):
        yield head.merchant_id, head.seq, head.hash


def broken_links(checkpoints: list[tuple[int, int, str]] | None = None) -> list[dict[str, Any]]:
    """Recompute every chain and return what does not hold (I-15); an empty list means that all of it does.

    Args:
        checkpoints: ends of chains (merchant, seq, hash) kept earlier outside the database; a chain that was cut
            back or rewritten since cannot contain them any more.
    """
    found = db.rows((_SQL / "history_broken.sql").read_text())
    broken = [{"merchant_id": r.merchant_id, "seq": r.seq, "fault": r.fault} for r in found]
    for merchant_id, seq, digest in checkpoints or []:
        link = Link.objects.filter(merchant_id=merchant_id, seq=seq).first()
        if link is None or bytes(link.hash).hex() != digest:
            broken.append({"merchant_id": merchant_id, "seq": seq, "fault": "checkpoint_missing"})
    return broken
