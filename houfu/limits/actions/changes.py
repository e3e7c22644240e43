"""Changes that somebody else signs first: another ratio (G8), a reach beyond it, a move between stores (G9)."""

from datetime import datetime, timedelta
from typing import Any

from houfu.approvals import actions as approvals
from houfu.approvals import queries as approval_queries
from houfu.history import actions as history
from houfu.kernel import clock, db, ids
from houfu.kernel.errors import Invalid, Refused
from houfu.ledger import actions as ledger
from houfu.ledger.actions import Account, Line
from houfu.limits import pool_queries, pooling, queries, states
from houfu.limits.actions.pools import check_share
from houfu.limits.actions.quota import move
from houfu.limits.models import Change, Member, Pool
from houfu.people.actor import Actor
from houfu.policies import queries as policies
from houfu.policies.pack import Policy


class ChangeRefused(Refused):
    """This change of a pool is refused; the reasons say why, all of them (G8, G9)."""

    code = "limits_change_refused"


@db.refuse_on("limits_change_one_share", "limits_change_one_reach")
class ChangeUnderWay(Refused):
    """Such a change is proposed already and waits for its signature; one at a time."""

    code = "limits_change_under_way"


@db.refuse_on("limits_change_reason")
class BadReason(Invalid):
    """A change says why in 4 to 500 characters."""

    code = "limits_change_reason"


@db.action
def propose_share(
    *, by: Actor, merchant_id: int, pool_id: int, share: int, reason: str, effective_at: datetime | None = None
) -> Change:
    """Propose another ratio for a pool, for the legal representative to sign (G8).

    Args:
        share: the k of own : shared = 1 : k.
        effective_at: from when on it is to hold; from the signature on unless given, and never before it.

    Raises:
        BadShare, ChangeRefused, ChangeUnderWay: nothing was proposed.
    """
    check_share(share)
    return _propose(by, merchant_id, pool_id, "share", reason, effective_at=effective_at, share=share)


@db.action
def propose_reach(
    *, by: Actor, merchant_id: int, pool_id: int, store_id: int, amount_fen: int, ends_at: datetime, reason: str
) -> Change:
    """Propose to let a member draw beyond the ratio for a while, for a second person to confirm (G9).

    Args:
        amount_fen: how far beyond the ratio its open orders may stand on the pool.

    Raises:
        ChangeRefused, ChangeUnderWay: nothing was proposed.
    """
    return _propose(
        by, merchant_id, pool_id, "reach", reason, store_id=store_id, amount_fen=amount_fen, ends_at=ends_at
    )


@db.action
def propose_move(
    *, by: Actor, merchant_id: int, pool_id: int, store_id: int, to_store_id: int, amount_fen: int, reason: str
) -> Change:
    """Propose to move own limit that is not in use from one store of the group to another, for a second person (G9).

    Raises:
        ChangeRefused: nothing was proposed.
    """
    return _propose(
        by, merchant_id, pool_id, "move", reason, store_id=store_id, to_store_id=to_store_id, amount_fen=amount_fen
    )


def _propose(
    by: Actor,
    merchant_id: int,
    pool_id: int,
    kind: str,
    reason: str,
    *,
    effective_at: datetime | None = None,
    **said: Any,
) -> Change:
    queries.access_pool(by, "limits:write", merchant_id, pool_id)
    pool, now = pool_queries.lock_pool(merchant_id, pool_id), clock.now()
    policy = policies.at(now)
    if reasons := pooling.proposal_refusals(pool_queries.proposal(pool, kind, now, said)):
        raise ChangeRefused(*reasons)
    change = Change(
        merchant_id=merchant_id,
        pool_id=pool_id,
        kind=kind,
        share_before=pool.share if kind == "share" else None,
        effective_at=max(effective_at or now, now),
        reason=reason,
        chain=list(_chain(kind, policy)),
        state="proposed",
        proposed_by=by.label,
        proposed_at=now,
        **said,
    )
    change.id = pool_queries.keep(change)
    document = pool_queries.change_document(change, pool)
    change.document, change.digest = pool_queries.written(document)
    _row(change).update(document=change.document, digest=change.digest)
    approvals.open(
        by=by,
        merchant_id=merchant_id,
        id=ids.new(),
        subject=f"limit_change/{change.id}",
        version=1,
        payload=document,
        chain=change.chain,
        # What takes effect later must still be provable then.
        expires_at=change.effective_at + timedelta(hours=policy.staff.approval_hours),
    )
    _record("proposed", by, change, digest=change.digest)
    return change


def _chain(kind: str, policy: Policy) -> tuple[str, ...]:
    return policy.pools.signatories if kind == "share" else policy.pools.confirmers


@db.action
def follow_change(*, by: Actor, merchant_id: int, id: int) -> str:
    """Let a change take effect that is signed and whose time has come, or end it; return its state (G8, I-14)."""
    change = Change.objects.select_for_update(no_key=True).get(merchant_id=merchant_id, id=id)
    request = approval_queries.latest(merchant_id, f"limit_change/{id}")
    if change.state not in ("proposed", "signed") or request is None or request.state == "open":
        return change.state
    now = clock.now()
    if request.state != "approved":
        return _reject(by, change, request.state)
    if change.state == "proposed":
        change.signed_at = request.closed_at or now
        states.move_change("sign", Change, _key(change), signed_at=change.signed_at)
        _record("signed", by, change, digest=change.digest)
    if now < change.effective_at:
        return "signed"
    pool = pool_queries.lock_pool(merchant_id, change.pool_id)
    if why := _unproven(change, pool, now):
        return _reject(by, change, why)
    _APPLY[change.kind](change, pool)
    states.move_change("take_effect", Change, _key(change), took_effect_at=now)
    _record("effective", by, change, digest=change.digest)
    return "effective"


def _unproven(change: Change, pool: Pool, now: datetime) -> str:
    """Return why a change may not take effect as things are now; "" where it may."""
    try:
        approval_queries.prove(
            change.merchant_id, f"limit_change/{change.id}", 1, pool_queries.change_document(change, pool),
            chain=_chain(change.kind, policies.at(now)),
        )  # fmt: skip
    except approval_queries.NotApproved as refusal:
        return ",".join(reason.code for reason in refusal.reasons)
    if change.kind == "move":  # whoever draws meanwhile waits for this account, and we for them
        ledger.lock(change.merchant_id, [Account("q:own:free", each) for each in _stores(change)])
    else:
        ledger.lock(change.merchant_id, [Account("q:pool:free", pool.id)])
    said = {name: getattr(change, name) for name in ("share", "store_id", "to_store_id", "amount_fen", "ends_at")}
    reasons = pooling.proposal_refusals(pool_queries.proposal(pool, change.kind, now, said))
    return ",".join(reason.code for reason in reasons)


def _share(change: Change, pool: Pool) -> None:
    Pool.objects.filter(merchant_id=change.merchant_id, id=pool.id).update(share=change.share)


def _reach(change: Change, pool: Pool) -> None:
    members = Member.present.filter(merchant_id=change.merchant_id, pool_id=pool.id, store_id=change.store_id or 0)
    members.update(extra_fen=change.amount_fen, extra_until=change.ends_at)


def _move(change: Change, pool: Pool) -> None:
    giving, taking = (Account("q:own:free", each) for each in _stores(change))
    assert change.amount_fen
    move("limits.move", change.merchant_id, Line(taking, giving, change.amount_fen))


_APPLY = {"share": _share, "reach": _reach, "move": _move}


def _stores(change: Change) -> tuple[int, int]:
    assert change.store_id
    assert change.to_store_id
    return change.store_id, change.to_store_id


def _reject(by: Actor, change: Change, why: str) -> str:
    states.move_change("reject", Change, _key(change), note=why)
    approvals.void(by=by, merchant_id=change.merchant_id, subject=f"limit_change/{change.id}", reason="rejected")
    _record("rejected", by, change, reason=why)
    return "rejected"


def _key(change: Change) -> dict[str, int]:
    return {"merchant_id": change.merchant_id, "id": change.id}


def _row(change: Change) -> Any:
    return Change.objects.filter(**_key(change))


def _record(what: str, by: Actor, change: Change, **more: Any) -> None:
    history.record(
        f"limit_change.{what}",
        by=by,
        merchant_id=change.merchant_id,
        subject=f"limit_change/{change.id}",
        pool_id=change.pool_id,
        kind=change.kind,
        **more,
    )
