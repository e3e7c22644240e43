"""Returns: what of parts is to come back for refunds, taken off or asked back through the channel (L8, O7)."""

from datetime import datetime, timedelta
from typing import NamedTuple

from houfu.channels import rules as channel_rules
from houfu.channels.port import Answer, Dedupe, Receiver, TakeBack, Verdict
from houfu.history import actions as history
from houfu.kernel import clock, crash, db, fence, ids
from houfu.ledger import actions as ledger
from houfu.ledger.actions import Account, Line
from houfu.merchants import queries as merchants
from houfu.orders import actions as orders
from houfu.orders import queries as order_queries
from houfu.people.actor import Actor
from houfu.splits import books, queries, rules, states
from houfu.splits.actions import parties
from houfu.splits.models import Attempt, Part, Return, Split

VERB = {
    Verdict.PROCESSING: "accept",
    Verdict.PAID: "bring_back",
    Verdict.DENIED: "fail",
    Verdict.UNKNOWN: "lose_sight",
}
SAID = {"accept": "accepted", "bring_back": "done", "fail": "failed", "lose_sight": "lost_sight_of"}


class Errand(NamedTuple):
    """What a worker has to ask back or to ask about."""

    merchant_id: int
    return_id: int
    channel: str
    wanted: TakeBack


def errand(back: Return) -> Errand:
    """Return what is to be asked about for a return that was begun, exactly as it was fixed.

    Raises:
        VaultClosed: the account number cannot be read here.
    """
    split = Split.objects.get(merchant_id=back.merchant_id, id=back.split_id)
    account = merchants.channel_account(back.merchant_id, split.channel_account_id)
    sent, given = (
        queries.attempt(back.merchant_id, return_id=back.id),
        queries.attempt(back.merchant_id, split_id=split.id),
    )
    assert sent
    assert given
    party = queries.party(back.merchant_id, _part(back).party_id)
    receiver = Receiver(parties.payee(party), back.amount_fen)
    wanted = TakeBack(account.principal, sent.request_no, given.request_no, receiver, sent.sent_at)
    return Errand(back.merchant_id, back.id, account.channel, wanted)


@db.action
def recall(*, by: Actor, merchant_id: int, order_id: str) -> int:
    """Spread what refunds of an order are to bring back over its parties, and return how many returns that makes."""
    _hold_splits(merchant_id, order_id)
    return spread(by, merchant_id, order_id)


def spread(by: Actor, merchant_id: int, order_id: str) -> int:
    """Spread refunds that have not been spread, within the current action, which holds the order's splits.

    Every party bears as much as it has of what all of them have. What was not sent yet is taken off at once.
    """
    order_queries.lock_order(merchant_id, order_id)  # no refund comes between looking and judging
    made = 0
    for refund in queries.unasked_refunds(merchant_id, order_id):
        splits = {split.id: split for split in queries.splits_of(merchant_id, order_id)}
        held = [part for part in queries.parts(merchant_id, splits) if part.held_fen]
        for part, fen in zip(held, rules.spread(refund.recalled_fen, [p.held_fen for p in held]), strict=True):
            if fen:
                _make(by, splits[part.split_id], part, refund.ref, fen)
                made += 1
    return made


def _make(by: Actor, split: Split, part: Part, refund_ref: str, fen: int) -> None:
    now = clock.now()
    state = "waiting" if part.state == "owed" else "scheduled"
    if part.sent_fen is None:
        state = "taken_off"
        _update(part, off_fen=part.off_fen + fen)
        line = books.take_off(split.store_id, part.party_id, fen)
        ledger.lock(split.merchant_id, [Account("recall", split.store_id)])  # what parties are owed is locked last
        ledger.post(split.merchant_id, ids.new(), "splits.take_off", now, [line])
    else:
        _update(part, recalled_fen=part.recalled_fen + fen)
    return_id = db.rows(
        "INSERT INTO splits_return (merchant_id, split_id, place, order_id, refund_ref, amount_fen, state, made_at,"
        " next_action_at, final_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [split.merchant_id, split.id, part.place, split.order_id, refund_ref, fen, state, now,
         now if state == "scheduled" else None, now if state == "taken_off" else None],
    )[0].id  # fmt: skip
    subject = f"split_return/{return_id}"
    history.record(
        f"split_return.{state}", by=by, merchant_id=split.merchant_id, subject=subject, order_id=split.order_id
    )


def schedule(part: Part, now: datetime) -> None:
    """Let what waits of a part be asked back now that it was paid, within the current action."""
    for back in _waiting(part):
        states.move_return("schedule", Return, _key(back), next_action_at=now)


def take_off(part: Part, now: datetime) -> None:
    """End what waits of a part that its party will not get, within the current action, which moves the money."""
    for back in _waiting(part):
        states.move_return("take_off", Return, _key(back), final_at=now)


def _waiting(part: Part) -> list[Return]:
    key = {"merchant_id": part.merchant_id, "split_id": part.split_id, "place": part.place}
    return list(Return.objects.filter(**key, state="waiting").order_by("id"))


@db.action
def begin_return(*, by: Actor, merchant_id: int, id: int, worker: str) -> bool:
    """Take a due return for sending, and fix its number. True for one caller ever.

    Raises:
        CopiedInstance: this database is a copy and sends nothing.
    """
    fence.check()
    back = _held(merchant_id, id)
    now = clock.now()
    if back.state != "scheduled" or back.next_action_at is None or back.next_action_at > now:
        return False
    states.move_return("begin", Return, _key(back), next_action_at=now + channel_rules.LEASE)
    number = rules.request_no("return", merchant_id, back.split_id, back.place, back.refund_ref, back.amount_fen)
    Attempt.objects.create(merchant_id=merchant_id, request_no=number, return_id=id, worker=worker, sent_at=now)
    history.record("split_return.begun", by=by, merchant_id=merchant_id, subject=f"split_return/{id}", worker=worker)
    crash.point("split.before_begin_commits")
    return True


@db.action
def postpone_return(*, merchant_id: int, id: int) -> None:
    """Look at a return again later: what its next step needs is not to be had now."""
    back = _held(merchant_id, id)
    if back.next_action_at is not None:
        again = channel_rules.look_again(clock.now(), back.tries)
        Return.objects.filter(**_key(back)).update(next_action_at=again, tries=min(back.tries + 1, 1000))


@db.action
def record_return(*, by: Actor, merchant_id: int, id: int, answer: Answer, dedupe: Dedupe, window: timedelta) -> str:
    """Conclude from an answer what may be concluded, and return the return's state (I-09, I-10).

    A definite denial makes it the store's deficit, which the next maturities repay (O7).
    """
    back = _held(merchant_id, id)
    sent = queries.attempt(merchant_id, return_id=id)
    if sent is None or back.state not in queries.SENT:
        return back.state
    now = clock.now()
    verdict = channel_rules.conclude(answer.verdict, dedupe, sent.sent_at, window, now)
    verb = VERB.get(verdict, "lose_sight")
    again = channel_rules.look_again(now, back.tries)
    if back.state not in states.RETURN[verb][0]:
        Return.objects.filter(**_key(back)).update(next_action_at=again, tries=min(back.tries + 1, 1000))
        return back.state
    if verb in ("bring_back", "fail"):
        _end(by, back, verb, answer.code, now)
    else:
        states.move_return(
            verb, Return, _key(back), code=answer.code, tries=min(back.tries + 1, 1000), next_action_at=again
        )
    subject = f"split_return/{id}"
    history.record(f"split_return.{SAID[verb]}", by=by, merchant_id=merchant_id, subject=subject, code=answer.code)
    crash.point("split.before_record_commits")
    return states.RETURN[verb][1]


def _end(by: Actor, back: Return, verb: str, code: str, now: datetime) -> None:
    split = Split.objects.get(merchant_id=back.merchant_id, id=back.split_id)
    states.move_return(verb, Return, _key(back), code=code, final_at=now, next_action_at=None)
    line: Line = books.keep(split.store_id, back.amount_fen)
    if verb == "bring_back":
        part = _part(back)
        _update(part, returned_fen=part.returned_fen + back.amount_fen)
        line = books.bring_back(split.store_id, split.channel_account_id, back.amount_fen)
    ledger.post(back.merchant_id, ids.new(), f"splits.{verb}", now, [line])
    orders.offset_deficits(by=by, merchant_id=back.merchant_id, store_ids=[split.store_id], at=now)


def _hold_splits(merchant_id: int, order_id: str) -> None:
    list(Split.objects.select_for_update().filter(merchant_id=merchant_id, order_id=order_id).order_by("id"))


def _held(merchant_id: int, id: int) -> Return:
    """Return a return and hold it, and its split before it, until the action ends."""
    back = Return.objects.get(merchant_id=merchant_id, id=id)
    list(Split.objects.select_for_update().filter(merchant_id=merchant_id, id=back.split_id))
    return Return.objects.select_for_update().get(merchant_id=merchant_id, id=id)


def _part(back: Return) -> Part:
    return Part.objects.get(merchant_id=back.merchant_id, split_id=back.split_id, place=back.place)


def _update(part: Part, **changes: int) -> None:
    Part.objects.filter(merchant_id=part.merchant_id, split_id=part.split_id, place=part.place).update(**changes)


def _key(back: Return) -> dict[str, object]:
    return {"merchant_id": back.merchant_id, "id": back.id}
