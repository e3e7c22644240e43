"""The form 《跨店资金管理备案表》 of a large pool: raised once, written, reviewed, submitted, accepted (G10)."""

from datetime import timedelta
from typing import Any

from houfu.approvals import actions as approvals
from houfu.approvals import queries as approval_queries
from houfu.history import actions as history
from houfu.kernel import clock, db, ids
from houfu.kernel.errors import Invalid
from houfu.limits import pool_queries, states
from houfu.limits.models import Filing, Pool
from houfu.people.actor import Actor
from houfu.policies import queries as policies


@db.refuse_on("limits_filing_reference", "limits_filing_acceptance")
class BadReference(Invalid):
    """A filing is submitted, and accepted, under a number of 1 to 100 characters."""

    code = "limits_filing_reference"


def watch(by: Actor, pool: Pool) -> bool:
    """Raise the filing of a pool that the caller holds, where it is due and was not raised before (G10, I-22)."""
    now = clock.now()
    policy = policies.at(now)
    figure_fen = policy.pools.filing_above_fen
    if figure_fen is None or pool.limit_fen <= figure_fen or pool.state not in ("active", "frozen"):
        return False
    raised = db.rows(
        "INSERT INTO limits_filing (merchant_id, pool_id, state, policy, limit_fen, figure_fen, triggered_at)"
        " VALUES (%s, %s, 'triggered', %s, %s, %s, %s)"
        " ON CONFLICT ON CONSTRAINT limits_filing_once DO NOTHING RETURNING id",
        [pool.merchant_id, pool.id, policy.version, pool.limit_fen, figure_fen, now],
    )
    if raised:
        said = {"pool_id": pool.id, "limit_fen": pool.limit_fen, "figure_fen": figure_fen, "policy": policy.version}
        _record("triggered", by, pool.merchant_id, raised[0].id, **said)
    return bool(raised)


@db.action
def raise_filing(*, by: Actor, merchant_id: int, pool_id: int) -> bool:
    """Raise the filing of a pool that a new policy asks for, and return whether it was (G10)."""
    return watch(by, pool_queries.lock_pool(merchant_id, pool_id))


@db.action
def draft_filing(*, by: Actor, merchant_id: int, id: int) -> Filing:
    """Begin to write a filing's form; what it says of the pool is computed when it goes to review."""
    filing = _held(by, merchant_id, id)
    states.move_filing("draft", Filing, _key(filing))
    _record("drafting", by, merchant_id, id)
    return _now(filing)


@db.action
def review_filing(*, by: Actor, merchant_id: int, id: int, purpose: str, contact: str) -> Filing:
    """Write the form with the pool's facts as they are now, and ask those who review it.

    Args:
        purpose: what the pool is for, in the merchant's words.
        contact: who answers for it.
    """
    filing, now = _held(by, merchant_id, id), clock.now()
    policy = policies.at(now)
    pool = pool_queries.lock_pool(merchant_id, filing.pool_id)
    form = {**pool_queries.filing_facts(pool, filing), "purpose": purpose, "contact": contact}
    text, digest = pool_queries.written(form)
    version = filing.version + 1
    states.move_filing("review", Filing, _key(filing), form=text, version=version, note="")
    approvals.open(
        by=by,
        merchant_id=merchant_id,
        id=ids.new(),
        subject=f"filing/{id}",
        version=version,
        payload=form,
        chain=policy.pools.filing_reviewers,
        expires_at=now + timedelta(hours=policy.staff.approval_hours),
    )
    _record("in_review", by, merchant_id, id, version=version, digest=digest)
    return _now(filing)


@db.action
def follow_review(*, by: Actor, merchant_id: int, id: int) -> str:
    """Take a form back to its writer whose reviewers will not sign it; return its state."""
    filing = pool_queries.lock_filing(merchant_id, id)
    request = approval_queries.latest(merchant_id, f"filing/{id}")
    if filing.state != "in_review" or request is None or request.state in ("open", "approved"):
        return filing.state
    states.move_filing("redraft", Filing, _key(filing), note=request.note or request.state)
    _record("drafting", by, merchant_id, id, reason=request.note or request.state)
    return "drafting"


@db.action
def submit_filing(*, by: Actor, merchant_id: int, id: int, reference: str) -> Filing:
    """Say that the reviewed form was handed in, and under which number.

    Raises:
        NotApproved: its reviewers have not signed it as it stands.
    """
    filing = _held(by, merchant_id, id)
    if filing.state == "in_review":
        approval_queries.prove(merchant_id, f"filing/{id}", filing.version, pool_queries.read(filing.form or "{}"))
    states.move_filing("submit", Filing, _key(filing), reference=reference.strip(), submitted_at=clock.now())
    _record("submitted", by, merchant_id, id, reference=reference.strip())
    return _now(filing)


@db.action
def accept_filing(*, by: Actor, merchant_id: int, id: int, acceptance: str) -> Filing:
    """Say that a filing was accepted, and under which number: what the pool holds above the figure is usable from now.

    Args:
        acceptance: the number of the acceptance.
    """
    by.require("platform:write")
    filing, now = _held(by, merchant_id, id), clock.now()
    states.move_filing("accept", Filing, _key(filing), acceptance=acceptance.strip(), accepted_at=now)
    Pool.objects.filter(merchant_id=merchant_id, id=filing.pool_id).update(filed_at=now)
    _record("accepted", by, merchant_id, id, acceptance=acceptance.strip(), pool_id=filing.pool_id)
    return _now(filing)


@db.action
def return_filing(*, by: Actor, merchant_id: int, id: int, note: str) -> Filing:
    """Say that a filing came back, and why; it is written anew."""
    by.require("platform:write")
    filing = _held(by, merchant_id, id)
    states.move_filing("send_back", Filing, _key(filing), note=note)
    _record("returned", by, merchant_id, id, note=note)
    return _now(filing)


def _held(by: Actor, merchant_id: int, id: int) -> Filing:
    pool_queries.access_filing(by, "limits:write", merchant_id, id)
    return pool_queries.lock_filing(merchant_id, id)


def _key(filing: Filing) -> dict[str, int]:
    return {"merchant_id": filing.merchant_id, "id": filing.id}


def _now(filing: Filing) -> Filing:
    return Filing.objects.get(**_key(filing))


def _record(what: str, by: Actor, merchant_id: int, id: int, **more: Any) -> None:
    history.record(f"filing.{what}", by=by, merchant_id=merchant_id, subject=f"filing/{id}", **more)
