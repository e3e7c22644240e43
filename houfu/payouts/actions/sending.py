"""Sending: one attempt, one number, and what every answer allows to conclude (I-08, I-09, I-10, I-12)."""

from datetime import datetime, timedelta
from itertools import count
from typing import NamedTuple
from uuid import UUID

from houfu.channels import rules as channel_rules
from houfu.channels.port import Answer, Dedupe, Transfer, Verdict
from houfu.history import actions as history
from houfu.kernel import clock, crash, db, fence, ids
from houfu.ledger import actions as ledger
from houfu.merchants import queries as merchants
from houfu.orders import actions as orders
from houfu.payouts import books, queries, rules, states
from houfu.payouts.actions import beneficiaries, requests, waiting
from houfu.payouts.models import Attempt, Beneficiary, Payout
from houfu.people.actor import Actor

VERB = {
    Verdict.PROCESSING: "accept",
    Verdict.PAID: "pay",
    Verdict.DENIED: "fail",
    Verdict.UNKNOWN: "lose_sight",
    Verdict.RETURNED: "give_back",
}
SENT = {"submitting", "submitted", "unknown"}
db.retry_on("payouts_request_no_once")  # two payouts of equal content at once: the next try counts the other


class Errand(NamedTuple):
    """What a worker has to send or to ask about."""

    merchant_id: int
    payout_id: UUID
    channel: str
    transfer: Transfer


def errand(payout: Payout) -> Errand:
    """Return what is to be sent, or asked about, for a payout, exactly as it was fixed.

    Raises:
        VaultClosed: the account number cannot be read here.
    """
    account = merchants.channel_account(payout.merchant_id, payout.channel_account_id)
    beneficiary = Beneficiary.objects.get(merchant_id=payout.merchant_id, id=payout.beneficiary_id)
    sent = queries.attempt(payout.merchant_id, payout.id)
    transfer = Transfer(
        principal=account.principal,
        request_no=sent.request_no if sent else _request_no(payout),
        amount_fen=payout.net_fen,
        fee_fen=payout.fee_fen,
        payee=beneficiaries.payee(beneficiary),
        purpose=payout.purpose,
        at=sent.sent_at if sent else clock.now(),
    )
    return Errand(payout.merchant_id, payout.id, account.channel, transfer)


def _request_no(payout: Payout) -> str:
    """Return the first number of a payout's content that no other payout has: equal parts of a lot look the same."""
    merchant_id = payout.merchant_id
    parts = [(a.order_id, a.amount_fen, a.generation) for a in queries.allocations(merchant_id, payout.id)]
    numbers = (rules.request_no(merchant_id, payout.store_id, payout.beneficiary_id, parts, n) for n in count())
    return next(no for no in numbers if not Attempt.objects.filter(merchant_id=merchant_id, request_no=no).exists())


@db.action
def begin(*, by: Actor, merchant_id: int, id: UUID, worker: str) -> bool:
    """Take a due payout for sending: fix its number and move its money into transit. True for one caller ever.

    One that may not go any more ends here, and one whose store does not work at present waits. The number is
    committed here, before the first byte leaves; whoever finds it committed may only ask.

    Raises:
        CopiedInstance: this database is a copy and sends nothing.
        InsufficientBalance: the channel's balance does not hold the money; nothing moved.
    """
    fence.check()
    payout = _held(merchant_id, id)
    now = clock.now()
    if payout.state != "scheduled" or payout.due_at > now:
        return False
    if waiting.store_rests(payout):
        postpone(merchant_id=merchant_id, id=id)
        return False
    if code := waiting.last_look(payout):
        requests.give_up(by=by, payout=payout, verb="cancel", code=code, sent=False)
        return False
    states.move("begin", Payout, _key(payout), next_action_at=now + channel_rules.LEASE)
    Attempt.objects.create(
        merchant_id=merchant_id, payout_id=id, request_no=_request_no(payout), worker=worker, sent_at=now
    )
    ledger.post(
        merchant_id,
        ids.new(),
        "payouts.send",
        now,
        books.send(payout.channel_account_id, payout.net_fen, payout.fee_fen),
    )
    history.record("payout.begun", by=by, merchant_id=merchant_id, subject=f"payout/{id}", worker=worker)
    crash.point("begin.before_commit")
    return True


@db.action
def turn_down(*, by: Actor, merchant_id: int, id: UUID, code: str) -> None:
    """End a scheduled payout that must not be sent, such as to an account that was closed meanwhile (P6)."""
    payout = _held(merchant_id, id)
    if payout.state == "scheduled":
        requests.give_up(by=by, payout=payout, verb="cancel", code=code, sent=False)


@db.action
def postpone(*, merchant_id: int, id: UUID) -> None:
    """Look at a payout again later: what its next step needs is not to be had now."""
    payout = _held(merchant_id, id)
    if payout.next_action_at is not None:
        Payout.objects.filter(**_key(payout)).update(
            next_action_at=channel_rules.look_again(clock.now(), payout.tries), tries=payout.tries + 1
        )


@db.action
def record(*, by: Actor, merchant_id: int, id: UUID, answer: Answer, dedupe: Dedupe, window: timedelta) -> str:
    """Conclude from an answer what it allows, and return the payout's state after it.

    The same answer any number of times, and answers in any order, end in the same state (I-10): what is paid stays
    paid unless it came back, what failed stays failed.

    Args:
        dedupe, window: the channel's ways, which decide what "not found" means.
    """
    payout = _held(merchant_id, id)
    now = clock.now()
    sent = queries.attempt(merchant_id, id)
    if sent is None:
        return payout.state
    verdict = channel_rules.conclude(answer.verdict, dedupe, sent.sent_at, window, now)
    if verdict is Verdict.RETURNED and payout.state in SENT:
        _pay(by, payout, now, answer)
        payout = _held(merchant_id, id)
    verb = VERB[verdict]
    if payout.state not in states.PAYOUT[verb][0]:
        if payout.state in SENT:
            postpone(merchant_id=merchant_id, id=id)
        return payout.state
    if verdict is Verdict.PAID:
        _pay(by, payout, now, answer)
    elif verdict is Verdict.DENIED:
        requests.give_up(by=by, payout=payout, verb="fail", code=answer.code or answer.verdict.value, sent=True)
    elif verdict is Verdict.RETURNED:
        _give_back(by, payout, now, answer)
    else:
        states.move(
            verb,
            Payout,
            _key(payout),
            code=answer.code,
            tries=payout.tries + 1,
            next_action_at=channel_rules.look_again(now, payout.tries),
        )
        history.record(
            f"payout.{'accepted' if verb == 'accept' else 'lost_sight_of'}",
            by=by,
            merchant_id=merchant_id,
            subject=f"payout/{id}",
            code=answer.code,
        )
    crash.point("record.before_commit")
    return states.PAYOUT[verb][1]


def _pay(by: Actor, payout: Payout, now: datetime, answer: Answer) -> None:
    states.move("pay", Payout, _key(payout), code="", final_at=now, next_action_at=None)
    order_ids = [part.order_id for part in queries.allocations(payout.merchant_id, payout.id)]
    open_elsewhere = queries.open_elsewhere(payout.merchant_id, payout.id, order_ids)
    orders.close(
        by=by,
        merchant_id=payout.merchant_id,
        at=now,
        order_ids=[order_id for order_id in order_ids if order_id not in open_elsewhere],
    )
    ledger.post(
        payout.merchant_id,
        ids.new(),
        "payouts.pay",
        now,
        books.pay(payout.store_id, payout.channel_account_id, payout.net_fen, payout.fee_fen),
    )
    history.record(
        "payout.paid",
        by=by,
        merchant_id=payout.merchant_id,
        subject=f"payout/{payout.id}",
        channel_no=answer.channel_no,
    )


def _give_back(by: Actor, payout: Payout, now: datetime, answer: Answer) -> None:
    """Take back what the beneficiary's bank returned; the account must be verified anew before it is used again."""
    states.move("give_back", Payout, _key(payout), code=answer.code or "returned", final_at=now)
    parts = [
        orders.Part(a.order_id, a.amount_fen, a.generation) for a in queries.allocations(payout.merchant_id, payout.id)
    ]
    orders.reopen(by=by, merchant_id=payout.merchant_id, order_ids=[part.order_id for part in parts], at=now)
    orders.free(merchant_id=payout.merchant_id, parts=parts, sent=True)
    ledger.post(
        payout.merchant_id,
        ids.new(),
        "payouts.give_back",
        now,
        books.give_back(payout.store_id, payout.channel_account_id, payout.net_fen, payout.fee_fen),
    )
    orders.offset_deficits(by=by, merchant_id=payout.merchant_id, store_ids=[payout.store_id], at=now)
    requests.return_waiver(payout)
    beneficiaries.suspend(by=by, merchant_id=payout.merchant_id, id=payout.beneficiary_id)
    history.record(
        "payout.returned", by=by, merchant_id=payout.merchant_id, subject=f"payout/{payout.id}", code=answer.code
    )


@db.action
def note_late(*, by: Actor) -> int:
    """Say once of every manual payout that it has not arrived by the time promised (P2), and return how many."""
    late = Payout.objects.select_for_update().filter(
        kind="manual", final_at=None, late_noted_at=None, arrives_by__lt=clock.now()
    )
    found = list(late.order_by("merchant_id", "id"))
    for payout in found:
        Payout.objects.filter(**_key(payout)).update(late_noted_at=clock.now())
        history.record(
            "payout.late", by=by, merchant_id=payout.merchant_id, subject=f"payout/{payout.id}", state=payout.state
        )
    return len(found)


def _held(merchant_id: int, id: UUID) -> Payout:
    return Payout.objects.select_for_update().get(merchant_id=merchant_id, id=id)


def _key(payout: Payout) -> dict[str, object]:
    return {"merchant_id": payout.merchant_id, "id": payout.id}
