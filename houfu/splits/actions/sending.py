"""Sending splits: one attempt, one number, and what every answer allows to conclude (I-08, I-09, I-10, I-12)."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import QuerySet

from houfu.channels import port
from houfu.channels import rules as channel_rules
from houfu.channels.port import Answer, Dedupe, Receiver, SplitAnswer, Verdict
from houfu.history import actions as history
from houfu.kernel import clock, crash, db, fence, ids
from houfu.ledger import actions as ledger
from houfu.ledger.actions import Line
from houfu.merchants import queries as merchants
from houfu.orders import actions as orders
from houfu.people.actor import Actor
from houfu.splits import books, queries, rules, states
from houfu.splits.actions import parties, returns
from houfu.splits.models import Attempt, Binding, Part, Split


class Errand(NamedTuple):
    """What a worker has to send or to ask about."""

    merchant_id: int
    split_id: int
    channel: str
    split: port.Split


def errand(split: Split) -> Errand:
    """Return what is to be asked about for a split that was begun, exactly as it was fixed.

    Raises:
        VaultClosed: the account numbers cannot be read here.
    """
    account = merchants.channel_account(split.merchant_id, split.channel_account_id)
    sent = queries.attempt(split.merchant_id, split_id=split.id)
    assert sent
    receivers = tuple(
        Receiver(parties.payee(queries.party(split.merchant_id, part.party_id)), part.sent_fen or 0)
        for part in queries.sent_parts(split.merchant_id, split.id)
    )
    wanted = port.Split(account.principal, sent.request_no, split.order_id, receivers, sent.sent_at)
    return Errand(split.merchant_id, split.id, account.channel, wanted)


@db.action
def begin(*, by: Actor, merchant_id: int, id: int, worker: str) -> bool:
    """Take a due split for sending: fix what it gives to whom, and its number. True for one caller ever.

    Parts of parties that may get nothing any more are the store's again, refunded parts are taken off, and a split of
    which nothing is left ends here; one whose store does not work at present waits. The number is committed here,
    before the first byte leaves; whoever finds it committed may only ask.

    Raises:
        CopiedInstance: this database is a copy and sends nothing.
        InsufficientBalance: the channel's balance does not hold the money; nothing moved.
    """
    fence.check()
    split = held(merchant_id, id)
    now = clock.now()
    if split.state != "scheduled" or split.next_action_at is None or split.next_action_at > now:
        return False
    if merchants.store(merchant_id, split.store_id).state != "active":
        postpone(merchant_id=merchant_id, id=id)
        return False
    returns.spread(by, split.merchant_id, split.order_id)
    for part in queries.parts(merchant_id, [id]):
        if part.state == "owed" and (code := _last_look(split, part)):
            _deny(by, split, part, code, now)
    going = [part for part in queries.parts(merchant_id, [id]) if part.state == "owed"]
    if not going:
        states.move("cancel", Split, _key(split), code="nothing_to_send", final_at=now, next_action_at=None)
        history.record("split.cancelled", by=by, merchant_id=merchant_id, subject=f"split/{id}")
        return False
    content = [(part.party_id, part.amount_fen - part.off_fen) for part in going]
    for part, (_, fen) in zip(going, content, strict=True):
        _part(part).update(sent_fen=fen)
    states.move("begin", Split, _key(split), next_action_at=now + channel_rules.LEASE)
    number = rules.request_no("split", merchant_id, split.order_id, split.no, *content)
    Attempt.objects.create(merchant_id=merchant_id, request_no=number, split_id=id, worker=worker, sent_at=now)
    total_fen = sum(fen for _, fen in content)
    ledger.post(merchant_id, ids.new(), "splits.send", now, [books.send(split.channel_account_id, total_fen)])
    history.record("split.begun", by=by, merchant_id=merchant_id, subject=f"split/{id}", worker=worker)
    crash.point("split.before_begin_commits")
    return True


def _last_look(split: Split, part: Part) -> str:
    """Return the code of what forbids to send a part that is about to go."""
    if part.amount_fen == part.off_fen:
        return "taken_off"
    if queries.party(split.merchant_id, part.party_id).state != "confirmed":
        return "party_not_confirmed"
    bound = Binding.objects.filter(
        merchant_id=split.merchant_id, party_id=part.party_id, channel_account_id=split.channel_account_id
    )
    return "" if bound.filter(state="bound").exists() else "party_unbound"


@db.action
def postpone(*, merchant_id: int, id: int) -> None:
    """Look at a split again later: what its next step needs is not to be had now."""
    split = held(merchant_id, id)
    if split.next_action_at is not None:
        again = channel_rules.look_again(clock.now(), split.tries)
        Split.objects.filter(**_key(split)).update(next_action_at=again, tries=min(split.tries + 1, 1000))


@db.action
def record(*, by: Actor, merchant_id: int, id: int, answer: SplitAnswer, dedupe: Dedupe, window: timedelta) -> str:
    """Conclude from an answer what may be concluded of each part, and return the split's state.

    The same answer any number of times, and answers in any order, end in the same state (I-10): a part that was paid or
    denied stays so.

    Args:
        dedupe, window: the channel's ways, which decide what "not found" means.
    """
    split = held(merchant_id, id)
    sent = queries.attempt(merchant_id, split_id=id)
    if sent is None or split.state not in queries.SENT:
        return split.state
    now = clock.now()
    whole = channel_rules.conclude(answer.whole.verdict, dedupe, sent.sent_at, window, now)
    returns.spread(by, merchant_id, split.order_id)
    _judge(by, split, whole, answer, now)
    after = queries.sent_parts(merchant_id, id)
    if any(part.state == "owed" for part in after):
        return _stays(by, split, whole, answer.whole.code, now)
    verb = "finish" if any(part.state == "paid" for part in after) else "fail"
    codes = sorted({part.code for part in after if part.state == "denied"})
    code = ",".join(codes)[:200]
    states.move(verb, Split, _key(split), code=code, final_at=now, next_action_at=None)
    said = "done" if verb == "finish" else "failed"
    history.record(
        f"split.{said}", by=by, merchant_id=merchant_id, subject=f"split/{id}", code=code, order_id=split.order_id
    )
    crash.point("split.before_record_commits")
    return said


def _judge(by: Actor, split: Split, whole: Verdict, answer: SplitAnswer, now: datetime) -> None:
    """Pay or deny the parts about which the answer is definite."""
    parts = queries.sent_parts(split.merchant_id, split.id)
    said: Sequence[Answer] = answer.parts
    if whole is Verdict.DENIED and not said:
        said = [Answer(Verdict.DENIED, answer.whole.code)] * len(parts)
    for part, each in zip(parts, said, strict=False):
        if part.state == "owed" and each.verdict is Verdict.PAID:
            _pay(by, split, part, now)
        elif part.state == "owed" and each.verdict is Verdict.DENIED:
            _deny(by, split, part, each.code or "denied", now)


def _stays(by: Actor, split: Split, whole: Verdict, code: str, now: datetime) -> str:
    """Keep that a split is under way, or out of sight, and ask again later."""
    verb = "accept" if whole is Verdict.PROCESSING else "lose_sight"
    again = channel_rules.look_again(now, split.tries)
    if split.state not in states.SPLIT[verb][0]:
        Split.objects.filter(**_key(split)).update(next_action_at=again, tries=min(split.tries + 1, 1000))
        return split.state
    states.move(verb, Split, _key(split), code=code, tries=min(split.tries + 1, 1000), next_action_at=again)
    said = "accepted" if verb == "accept" else "lost_sight_of"
    history.record(f"split.{said}", by=by, merchant_id=split.merchant_id, subject=f"split/{split.id}", code=code)
    crash.point("split.before_record_commits")
    return states.SPLIT[verb][1]


def _pay(by: Actor, split: Split, part: Part, now: datetime) -> None:
    _part(part).update(state="paid")
    post(split.merchant_id, "splits.pay", now, [books.pay(split.channel_account_id, part.party_id, part.sent_fen or 0)])
    returns.schedule(part, now)


def _deny(by: Actor, split: Split, part: Part, code: str, now: datetime) -> None:
    """Give a part that its party will not get back to the store, less what was refunded of it meanwhile (I-09)."""
    merchant_id, fen = split.merchant_id, part.held_fen
    _part(part).update(state="denied", code=code)
    claim = "claim:settled"
    if fen:
        claim = orders.unsplit(by=by, merchant_id=merchant_id, order_id=split.order_id, amount_fen=fen, at=now)
    returns.take_off(part, now)
    lines = [*books.deny(split.store_id, part.party_id, claim, fen, part.recalled_fen)]
    lines.append(books.unsend(split.channel_account_id, part.sent_fen or 0))
    post(merchant_id, "splits.deny", now, lines)
    orders.offset_deficits(by=by, merchant_id=merchant_id, store_ids=[split.store_id], at=now)


def post(merchant_id: int, verb: str, at: datetime, lines: Iterable[Line]) -> None:
    """Move money with what parties are owed locked last: settlements take it after their stores' accounts."""
    moved = [line for line in lines if line.amount_fen]
    if not moved:
        return
    first = {account for line in moved for account in (line.debit, line.credit) if account.kind != "payable:party"}
    ledger.lock(merchant_id, sorted(first))
    ledger.post(merchant_id, ids.new(), verb, at, moved)


def held(merchant_id: int, id: int) -> Split:
    """Return a split and hold it until the action ends."""
    return Split.objects.select_for_update().get(merchant_id=merchant_id, id=id)


def _key(split: Split) -> dict[str, object]:
    return {"merchant_id": split.merchant_id, "id": split.id}


def _part(part: Part) -> QuerySet[Part]:
    return Part.objects.filter(merchant_id=part.merchant_id, split_id=part.split_id, place=part.place)
