"""Limits: granted, reduced, pooled, lent and restored. Drawing is decided in sql/limits_draw_v1.sql."""

from collections.abc import Mapping
from datetime import timedelta

from houfu.history import actions as history
from houfu.kernel import clock, db, ids
from houfu.kernel.errors import Invalid, NotFound, Refused
from houfu.ledger import actions as ledger
from houfu.ledger.actions import Account, Line
from houfu.limits import queries, rules, states
from houfu.limits.models import Loan, Member, Pool, Recovery
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor
from houfu.policies import queries as policies

OPERATOR = Account("q:grant:operator", 0)


class PoolCapReached(Refused):
    """A pool holds no more than the policy allows (G4)."""

    code = "limits_pool_cap"


class BadShare(Invalid):
    """The share of a pool lies between the ratios that the policy allows (G5)."""

    code = "limits_pool_share"


@db.refuse_on("limits_pool_one_per_group")
class PoolExists(Refused):
    """The group has a pool already."""

    code = "limits_pool_one_per_group"


@db.refuse_on("limits_member_of_one_pool")
class MemberAlready(Refused):
    """The store is a member of a pool already."""

    code = "limits_member_of_one_pool"


class NotInGroup(Refused):
    """Only stores of the pool's group may join it (G2)."""

    code = "limits_store_not_in_group"


class LoanRefused(Refused):
    """This temporary loan is refused; the reasons say why."""

    code = "limits_loan_refused"


@db.refuse_on("limits_loan_one_open")
class LoanOpen(Refused):
    """The store has an open temporary loan (L1)."""

    code = "limits_loan_one_open"


@db.refuse_on("limits_note_says_why")
class NoteTooShort(Invalid):
    """A tolerance note says why in 4 to 500 characters (O6)."""

    code = "limits_note_says_why"


@db.action
def grant(*, by: Actor, merchant_id: int, store_id: int, amount_fen: int) -> None:
    """Give a store own limit.

    Args:
        amount_fen: what is added to its own limit, above zero.
    """
    by.require("platform:write")
    merchants.access_store(by, "limits:write", merchant_id, store_id)
    _move("limits.grant", merchant_id, Line(Account("q:own:free", store_id), OPERATOR, amount_fen))
    history.record("limit.granted", by=by, merchant_id=merchant_id, subject=f"store/{store_id}", amount_fen=amount_fen)


@db.action
def reduce(*, by: Actor, merchant_id: int, store_id: int, amount_fen: int, reason: str) -> None:
    """Take own limit that is not in use; completed orders will earn it back (L2).

    Raises:
        InsufficientBalance: less than that is free.
    """
    by.require("platform:write")
    merchants.access_store(by, "limits:write", merchant_id, store_id)
    _move(
        "limits.reduce", merchant_id, Line(Account("q:reduced", store_id), Account("q:own:free", store_id), amount_fen)
    )
    begin_recovery(merchant_id, store_id)
    history.record(
        "limit.reduced",
        by=by,
        merchant_id=merchant_id,
        subject=f"store/{store_id}",
        amount_fen=amount_fen,
        reason=reason,
    )


@db.action
def open_pool(*, by: Actor, merchant_id: int, group_id: int, share: int) -> Pool:
    """Open the shared limit of a group; it holds nothing until members contribute or the operator grants.

    Args:
        share: the k of the ratio own : shared = 1 : k (G5).

    Raises:
        BadShare, PoolExists: no pool was opened.
    """
    by.require("limits:write", merchant_id)
    by.require_whole()
    pools = policies.at(clock.now()).pools
    if not pools.share_min <= share <= pools.share_max:
        raise BadShare(share=share, least=pools.share_min, most=pools.share_max)
    if group_id not in {group.id for group in merchants.groups(by, merchant_id)}:
        raise NotFound()
    pool_id = db.rows(
        "INSERT INTO limits_pool (merchant_id, group_id, share, state, opened_at)"
        " VALUES (%s, %s, %s, 'active', %s) RETURNING id",
        [merchant_id, group_id, share, clock.now()],
    )[0].id
    history.record("pool.opened", by=by, merchant_id=merchant_id, subject=f"pool/{pool_id}", share=share)
    return queries.access_pool(by, "limits:read", merchant_id, pool_id)


@db.action
def join_pool(*, by: Actor, merchant_id: int, pool_id: int, store_id: int, contribution_fen: int = 0) -> None:
    """Make a store a member of its group's pool and move part of its own limit there.

    Raises:
        NotInGroup, MemberAlready, PoolCapReached, InsufficientBalance: nothing moved.
    """
    pool = queries.access_pool(by, "limits:write", merchant_id, pool_id)
    store = merchants.lock_store(by, "limits:write", merchant_id, store_id)
    if store.group_id != pool.group_id:
        raise NotInGroup(store_id=store_id)
    # A draw that is being decided holds this account; it must not see the store half in the pool.
    ledger.lock(merchant_id, [Account("q:own:free", store_id)])
    Member.objects.create(
        merchant_id=merchant_id,
        store_id=store_id,
        pool_id=pool_id,
        contributed_fen=contribution_fen,
        joined_at=clock.now(),
    )
    if contribution_fen:
        _fill(merchant_id, pool_id, Account("q:own:free", store_id), contribution_fen)
    history.record(
        "pool.joined",
        by=by,
        merchant_id=merchant_id,
        subject=f"pool/{pool_id}",
        store_id=store_id,
        contribution_fen=contribution_fen,
    )


@db.action
def grant_pool(*, by: Actor, merchant_id: int, pool_id: int, amount_fen: int) -> None:
    """Give a pool limit of the operator's own.

    Raises:
        PoolCapReached: the pool would hold more than the policy allows (G4).
    """
    by.require("platform:write")
    queries.access_pool(by, "limits:write", merchant_id, pool_id)
    _fill(merchant_id, pool_id, OPERATOR, amount_fen)
    history.record("pool.granted", by=by, merchant_id=merchant_id, subject=f"pool/{pool_id}", amount_fen=amount_fen)


@db.action
def freeze_pool(*, by: Actor, merchant_id: int, id: int) -> None:
    """Stop new draws from a pool; what is drawn stays until its orders end."""
    queries.access_pool(by, "limits:write", merchant_id, id)
    states.move_pool("freeze", Pool, {"merchant_id": merchant_id, "id": id})
    history.record("pool.frozen", by=by, merchant_id=merchant_id, subject=f"pool/{id}")


@db.action
def unfreeze_pool(*, by: Actor, merchant_id: int, id: int) -> None:
    """Let a frozen pool be drawn from again."""
    queries.access_pool(by, "limits:write", merchant_id, id)
    states.move_pool("unfreeze", Pool, {"merchant_id": merchant_id, "id": id})
    history.record("pool.unfrozen", by=by, merchant_id=merchant_id, subject=f"pool/{id}")


@db.action
def lend(*, by: Actor, merchant_id: int, store_id: int, amount_fen: int) -> Loan:
    """Lend a store limit for a few days: limit, not cash, to be repaid by its settled orders (L1).

    Raises:
        LoanRefused: with every reason at once; nothing was lent.
    """
    store = merchants.lock_store(by, "limits:write", merchant_id, store_id)
    now = clock.now()
    policy = policies.at(now).loans
    open_loan = queries.open_loan(merchant_id, store_id)
    facts = rules.LoanFacts(
        amount_fen=amount_fen,
        open_loan=open_loan is not None,
        overdue=open_loan is not None and rules.overdue(open_loan.due_at, now),
        store_state=store.state,
    )
    if reasons := rules.loan_refusals(facts, policy.amount_fen):
        raise LoanRefused(*reasons)
    due_at = now + timedelta(days=policy.days)
    loan_id = db.rows(
        "INSERT INTO limits_loan (merchant_id, store_id, amount_fen, state, opened_at, due_at)"
        " VALUES (%s, %s, %s, 'open', %s, %s) RETURNING id",
        [merchant_id, store_id, amount_fen, now, due_at],
    )[0].id
    _move(
        "limits.lend",
        merchant_id,
        Line(Account("q:temp:free", store_id), Account("q:grant:temp", store_id), amount_fen),
    )
    history.record(
        "loan.opened",
        by=by,
        merchant_id=merchant_id,
        subject=f"loan/{loan_id}",
        store_id=store_id,
        amount_fen=amount_fen,
        due_at=due_at.isoformat(),
    )
    return Loan.objects.get(merchant_id=merchant_id, id=loan_id)


@db.action
def note_tolerance(*, by: Actor, merchant_id: int, store_id: int, note: str) -> None:
    """Open the band above a store's limit for a while, by its manager's note (O6)."""
    merchants.access_store(by, "limits:write", merchant_id, store_id)
    now = clock.now()
    until = now + timedelta(hours=policies.at(now).orders.tolerance_note_hours)
    db.rows(
        "INSERT INTO limits_note (merchant_id, store_id, person, note, valid_from, valid_until)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        [merchant_id, store_id, by.person, note, now, until],
    )
    history.record(
        "limit.tolerance_noted",
        by=by,
        merchant_id=merchant_id,
        subject=f"store/{store_id}",
        note=note,
        until=until.isoformat(),
    )


@db.action
def mark_overdue(*, by: Actor) -> int:
    """Mark the loans that fell due unpaid, and return how many; draws are refused from the due instant on anyway."""
    fallen = list(queries.loans_fallen_due(clock.now()))
    for loan in fallen:
        Loan.objects.filter(merchant_id=loan.merchant_id, id=loan.id).update(state="overdue")
        history.record(
            "loan.overdue",
            by=by,
            merchant_id=loan.merchant_id,
            subject=f"loan/{loan.id}",
            store_id=loan.store_id,
            outstanding_fen=loan.amount_fen - loan.repaid_fen,
        )
    return len(fallen)


def repay_loan(*, by: Actor, merchant_id: int, store_id: int, settled_fen: int, lent_fen: int) -> rules.Repayment:
    """Repay a store's open loan from orders that have just settled, within their action (L1).

    The unused part goes back here; the caller lets own limit take over what its orders have drawn of the loan.

    Args:
        settled_fen: what the settled orders brought in.
        lent_fen: what orders that the caller holds stand on of the loan.
    """
    loan = (
        Loan.objects.select_for_update()
        .filter(merchant_id=merchant_id, store_id=store_id)
        .exclude(state="repaid")
        .first()
    )
    if loan is None:
        return rules.Repayment(0, 0)
    accounts = [Account(kind, store_id) for kind in ("q:temp:free", "q:own:free")]
    free_fen, own_fen = ledger.lock(merchant_id, accounts).values()
    outstanding_fen = loan.amount_fen - loan.repaid_fen
    repaid = rules.repayment(outstanding_fen, settled_fen, free_fen, lent_fen, own_fen)
    if total_fen := sum(repaid):
        verb = "repay_rest" if total_fen == outstanding_fen else "repay_part"
        state = states.LOAN[verb][1] if loan.state != "overdue" or verb == "repay_rest" else "overdue"
        Loan.objects.filter(merchant_id=merchant_id, id=loan.id).update(
            state=state, repaid_fen=loan.repaid_fen + total_fen
        )
        if repaid.unused_fen:
            _move(
                "limits.repay",
                merchant_id,
                Line(Account("q:grant:temp", store_id), Account("q:temp:free", store_id), repaid.unused_fen),
            )
        history.record(
            "loan.repaid" if state == "repaid" else "loan.partly_repaid",
            by=by,
            merchant_id=merchant_id,
            subject=f"loan/{loan.id}",
            store_id=store_id,
            amount_fen=total_fen,
        )
    return repaid


def begin_recovery(merchant_id: int, store_id: int) -> None:
    """Start to count completed orders for a store whose limit was reduced, if they are not counted already (L2)."""
    db.rows(
        "INSERT INTO limits_recovery (merchant_id, store_id) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        [merchant_id, store_id],
    )


def restore(*, by: Actor, merchant_id: int, completed: Mapping[int, int]) -> None:
    """Count completed orders by store, within the action that settles them, and book back what they earned (L2)."""
    policy = policies.at(clock.now()).restoration
    counted = Recovery.objects.select_for_update().filter(merchant_id=merchant_id, store_id__in=list(completed))
    for recovery in counted.order_by("store_id"):
        store_id = recovery.store_id
        done = recovery.completed + completed[store_id]
        reduced_fen = ledger.lock(merchant_id, [Account("q:reduced", store_id)])[Account("q:reduced", store_id)]
        booked_fen = rules.restorable(
            done, recovery.booked_fen, reduced_fen, policy.orders, policy.restores_fen, policy.lot_fen
        )
        row = Recovery.objects.filter(merchant_id=merchant_id, store_id=store_id)
        if booked_fen == reduced_fen:
            row.delete()
        else:
            row.update(completed=done, booked_fen=recovery.booked_fen + booked_fen)
        if booked_fen:
            _move(
                "limits.restore",
                merchant_id,
                Line(Account("q:own:free", store_id), Account("q:reduced", store_id), booked_fen),
            )
            history.record(
                "limit.restored",
                by=by,
                merchant_id=merchant_id,
                subject=f"store/{store_id}",
                amount_fen=booked_fen,
                completed=done,
            )


def _fill(merchant_id: int, pool_id: int, source: Account, amount_fen: int) -> None:
    """Move quota into a pool while its cap allows (G4)."""
    cap_fen = policies.at(clock.now()).pools.limit_fen
    filled = db.rows(
        "UPDATE limits_pool SET limit_fen = limit_fen + %s"
        " WHERE merchant_id = %s AND id = %s AND limit_fen + %s <= %s RETURNING limit_fen",
        [amount_fen, merchant_id, pool_id, amount_fen, cap_fen],
    )
    if not filled:
        raise PoolCapReached(cap_fen=cap_fen, amount_fen=amount_fen)
    _move("limits.fill_pool", merchant_id, Line(Account("q:pool:free", pool_id), source, amount_fen))


def _move(verb: str, merchant_id: int, *lines: Line) -> None:
    """Move quota as an event of its own."""
    ledger.post(merchant_id, ids.new(), verb, clock.now(), lines)
