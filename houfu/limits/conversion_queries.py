"""Reading recognitions and conversions."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from houfu.approvals import queries as approvals
from houfu.kernel import clock, db
from houfu.kernel.errors import NotFound
from houfu.ledger import queries as ledger
from houfu.ledger.actions import Account
from houfu.limits.conversions import LATELY, Facts
from houfu.limits.models import Conversion, Recognition, RecognitionSide
from houfu.merchants import queries as merchants
from houfu.merchants.models import Store
from houfu.people.actor import Actor

LIVE = ("proposed", "recognised_by_one", "recognised")
UNDECIDED = ("asked", "held")


@dataclass(frozen=True)
class RecognitionView:
    """A recognition with the documents of both sides."""

    id: int
    state: str
    proposed_by: str
    proposed_at: datetime
    ended_at: datetime | None
    note: str
    sides: list[RecognitionSide]


def subject(recognition_id: int, channel_account_id: int) -> str:
    """Return under what name the approval of a side's document goes."""
    return f"recognition/{recognition_id}/{channel_account_id}"


def content(side: RecognitionSide) -> dict[str, Any]:
    """Return what those who sign for a document are shown, and sign."""
    account = merchants.channel_account(side.merchant_id, side.channel_account_id)
    return {
        "recognition": side.recognition_id,
        "channel": account.channel,
        "principal": account.principal,
        "document": side.document,
        "sha256": side.sha256,
    }


def access_recognition(by: Actor, scope: str, merchant_id: int, id: int) -> Recognition:
    """Return a recognition, if the actor may do `scope` to its merchant's things; to change it, to all of them."""
    by.require(scope, merchant_id)
    found = Recognition.objects.filter(merchant_id=merchant_id, id=id).first()
    if found is None:
        raise NotFound()
    if not scope.endswith(":read"):
        by.require_whole()
    return found


def lock_recognition(merchant_id: int, id: int) -> Recognition:
    """Return a recognition and hold it until the action ends."""
    return Recognition.objects.select_for_update(no_key=True).get(merchant_id=merchant_id, id=id)


def sides(merchant_id: int, recognition_id: int) -> list[RecognitionSide]:
    """Return both sides of a recognition."""
    found = RecognitionSide.objects.filter(merchant_id=merchant_id, recognition_id=recognition_id)
    return list(found.order_by("channel_account_id"))


def recognition(by: Actor, merchant_id: int, id: int) -> RecognitionView:
    """Return a recognition with its documents."""
    return _view(access_recognition(by, "limits:read", merchant_id, id))


def recognitions(by: Actor, merchant_id: int) -> list[RecognitionView]:
    """Return a merchant's recognitions, newest first."""
    by.require("limits:read", merchant_id)
    return [_view(row) for row in Recognition.objects.filter(merchant_id=merchant_id).order_by("-id")]


def _view(row: Recognition) -> RecognitionView:
    both = sides(row.merchant_id, row.id)
    return RecognitionView(row.id, row.state, row.proposed_by, row.proposed_at, row.ended_at, row.note, both)


def recognitions_answered() -> list[tuple[int, int]]:
    """Return merchant and id of recognitions with a document that has been signed for, or will not be."""
    waiting = db.rows(
        "SELECT r.merchant_id, r.id, s.channel_account_id FROM limits_recognition r JOIN limits_recognition_side s"
        " ON s.merchant_id = r.merchant_id AND s.recognition_id = r.id"
        " WHERE r.state IN ('proposed', 'recognised_by_one') AND s.signed_at IS NULL ORDER BY 1, 2, 3"
    )
    states = approvals.states_of([(row.merchant_id, subject(row.id, row.channel_account_id)) for row in waiting])
    answered = {
        (row.merchant_id, row.id)
        for row in waiting
        if states.get((row.merchant_id, subject(row.id, row.channel_account_id)), "open") != "open"
    }
    return sorted(answered)


def recognised(merchant_id: int, one_account_id: int, other_account_id: int) -> Recognition | None:
    """Return the recognition of two principals that holds now, and hold it until the action ends."""
    first, second = sorted((one_account_id, other_account_id))
    found = Recognition.objects.select_for_update(no_key=True).filter(
        merchant_id=merchant_id, first_account_id=first, second_account_id=second, state="recognised"
    )
    return found.first()


def facts(giving: Store, taking: Store, amount_fen: int, recognised: bool, at: datetime) -> Facts:
    """Return what decides about a conversion now."""
    merchant_id, stands = giving.merchant_id, ledger.balances(giving.merchant_id, owner=giving.id)
    own = [stands.get(Account(f"q:own:{phase}", giving.id), 0) for phase in ("free", "held", "drawn")]
    asked = Conversion.objects.filter(merchant_id=merchant_id, asked_at__gt=at - LATELY)
    return Facts(
        amount_fen=amount_fen,
        free_fen=own[0],
        own_fen=sum(own),
        recognised=recognised,
        same_principal=giving.channel_account_id == taking.channel_account_id,
        from_state=giving.state,
        to_state=taking.state,
        lately=asked.count(),
    )


def access_conversion(by: Actor, scope: str, merchant_id: int, id: int) -> Conversion:
    """Return a conversion, if the actor may do `scope` to things of one of its stores; to change it, of all of them."""
    by.require(scope, merchant_id)
    found = _seen(by, merchant_id).filter(id=id).first()
    if found is None:
        raise NotFound()
    if not scope.endswith(":read"):
        by.require_whole()
    return found


def conversions(by: Actor, merchant_id: int, *, state: str = "", after: int = 0, limit: int = 100) -> list[Conversion]:
    """Return a merchant's conversions that the actor may see, newest first.

    Args:
        after: the id before which the page begins; 0 for the newest.
    """
    by.require("limits:read", merchant_id)
    found = _seen(by, merchant_id)
    if state:
        found = found.filter(state=state)
    if after:
        found = found.filter(id__lt=after)
    return db.page(found.order_by("-id"), limit)


def _seen(by: Actor, merchant_id: int) -> QuerySet[Conversion]:
    found = Conversion.objects.filter(merchant_id=merchant_id)
    if by.stores is None:
        return found
    return found.filter(Q(from_store_id__in=by.stores) | Q(to_store_id__in=by.stores))


def lock_conversions(merchant_id: int, **which: Any) -> list[Conversion]:
    """Return conversions of a merchant, the earliest first, and hold them until the action ends."""
    found = Conversion.objects.select_for_update(no_key=True).filter(merchant_id=merchant_id, **which)
    return list(found.order_by("id"))


def closed_month(at: datetime) -> tuple[date, datetime]:
    """Return the month that was closed last, by its first day, and the instant at which it ended."""
    first = clock.business_day(at).replace(day=1)
    return (first - timedelta(days=1)).replace(day=1), clock.start_of(first)


def merchants_converting(at: datetime) -> list[int]:
    """Return the merchants with a conversion that lapses, is to be trued up, or may have something to bring back."""
    _, ended_at = closed_month(at)
    found = db.rows(
        "SELECT DISTINCT merchant_id FROM limits_conversion"
        " WHERE (state IN ('asked', 'held') AND lapses_at <= %s)"
        " OR (state = 'active' AND decided_at < %s) OR state = 'returning' ORDER BY 1",
        [at, ended_at],
    )
    return [row.merchant_id for row in found]
