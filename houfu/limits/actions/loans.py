"""Temporary loans of limit: lent, overdue, repaid by settled orders (L1)."""

from datetime import timedelta

from houfu.history import actions as history
from houfu.kernel import clock, db
from houfu.kernel.errors import Refused
from houfu.ledger import actions as ledger
from houfu.ledger.actions import Account, Line
from houfu.limits import queries, rules, states
from houfu.limits.actions.quota import move
from houfu.limits.models import Loan
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor
from houfu.policies import queries as policies


class LoanRefused(Refused):
    """This temporary loan is refused; the reasons say why."""

    code = "limits_loan_refused"


@db.refuse_on("limits_loan_one_open")
class LoanOpen(Refused):
    """The store has an open temporary loan (L1)."""

    code = "limits_loan_one_open"


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
    move(
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
            move(
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
