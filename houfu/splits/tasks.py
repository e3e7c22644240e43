"""What the worker does for splits: asking channels, following people, sending. The state rows decide; every step may be
lost."""

import logging
from collections.abc import Callable
from dataclasses import replace

from houfu.channels import registry
from houfu.channels import rules as channel_rules
from houfu.channels.port import Answer, Bond, Channel, Verdict
from houfu.kernel import clock, crash
from houfu.kernel.errors import Busy, Refused
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor, system
from houfu.splits import actions, queries
from houfu.splits.actions import parties, partners, returns, sending
from houfu.splits.models import Binding, Return, Split

log = logging.getLogger("houfu.splits")
FUTILE = 3  # calls in a row that said nothing, after which a channel is left alone for this round (I-23)


def follow_people(by: Actor) -> int:
    """Let parties, contracts and rules hold, or end, about which people have decided; return how many."""
    decided, agreed = queries.decided_parties(), queries.decided_rules()
    for merchant_id, id_ in decided:
        actions.follow_confirmation(by=by, merchant_id=merchant_id, id=id_)
    for merchant_id, id_ in agreed:
        actions.follow_agreement(by=by, merchant_id=merchant_id, id=id_)
    return len(decided) + len(agreed)


def ask_channels(by: Actor, limit: int = 200) -> int:
    """Ask channels to bind and release parties, and for their caps; return how much was asked."""
    due, caps = queries.bindings_due(clock.now(), limit), queries.caps_to_ask(clock.now())
    for binding in due:
        try:
            _ask_bond(by, binding)
        except Refused as refusal:
            log.warning("binding %s cannot be asked for: %s", binding.id, refusal)
            actions.note_bond(by=by, merchant_id=binding.merchant_id, id=binding.id, bond=Bond.UNKNOWN)
    asked = 0
    for account in caps:
        try:
            permille = registry.channel(account.channel).max_ratio(account.principal)
            actions.note_cap(by=by, account=account, permille=permille)
            asked += 1
        except Refused as refusal:
            log.warning("the cap of account %s is not known: %s", account.id, refusal)
    return len(due) + asked


def _ask_bond(by: Actor, binding: Binding) -> None:
    account = merchants.channel_account(binding.merchant_id, binding.channel_account_id)
    party = queries.party(binding.merchant_id, binding.party_id)
    channel, payee = registry.channel(account.channel), parties.payee(party)
    if binding.state == "asked":
        bond = channel.bind(account.principal, payee, party.relation)
    else:
        bond = channel.release(account.principal, payee)
    actions.note_bond(by=by, merchant_id=binding.merchant_id, id=binding.id, bond=bond)


def recall_refunds(by: Actor, limit: int = 500) -> int:
    """Spread refunds over the parties of their orders, and return of how many orders."""
    found = queries.orders_to_recall(limit)
    for merchant_id, order_id in found:
        try:
            actions.recall(by=by, merchant_id=merchant_id, order_id=order_id)
        except Refused as refusal:
            log.warning("refunds of order %s wait: %s", order_id, refusal)
    return len(found)


def tell_partners(by: Actor) -> int:
    """Put into the history which limits that partners watch have changed, and return how many."""
    watched = partners.watched().items()
    return sum(actions.tell_limits(by=by, merchant_id=m, store_ids=store_ids) for m, store_ids in watched)


def work_off(worker: str, limit: int = 200) -> int:
    """Send what is due and ask about what is open, splits and returns; return how many were looked at."""
    futile: dict[str, int] = {}
    due = queries.splits_due(clock.now(), limit)
    for split in due:
        _attend(split, split.channel_account_id, futile, _attend_split, actions.postpone, worker)
    back = queries.returns_due(clock.now(), limit)
    for each in back:
        account_id = Split.objects.get(merchant_id=each.merchant_id, id=each.split_id).channel_account_id
        _attend(each, account_id, futile, _attend_return, actions.postpone_return, worker)
    return len(due) + len(back)


def _attend(
    row: Split | Return,
    account_id: int,
    futile: dict[str, int],
    attend: Callable[..., Verdict | None],
    postpone: Callable[..., None],
    worker: str,
) -> None:
    """Take the next step of one row, unless its channel says nothing in this round."""
    name = merchants.channel_account(row.merchant_id, account_id).channel
    verdict: Verdict | None = None
    try:
        if futile.get(name, 0) >= FUTILE:
            postpone(merchant_id=row.merchant_id, id=row.id)
            return
        verdict = attend(row, registry.channel(name), worker)
    except Busy:
        log.info("%s is being worked on", row)
        return
    except Refused as refusal:
        log.warning("%s cannot go on: %s", row, refusal)
        postpone(merchant_id=row.merchant_id, id=row.id)
        return
    futile[name] = futile.get(name, 0) + 1 if verdict is Verdict.UNKNOWN else 0


def _attend_split(split: Split, channel: Channel, worker: str) -> Verdict | None:
    by, key = system(worker), {"merchant_id": split.merchant_id, "id": split.id}
    if split.state == "scheduled":
        crash.point("split.before_begin")
        if not actions.begin(by=by, worker=worker, **key):
            return None
        crash.point("split.after_begin")
        todo = sending.errand(split)
        answer = channel.split(todo.split)
        crash.point("split.after_answer")
    else:
        todo = sending.errand(split)
        answer = channel.query_split(todo.split)
        if channel_rules.may_repeat(answer.whole.verdict, channel.dedupe):
            crash.point("split.before_repeat")
            answer = channel.split(replace(todo.split, at=clock.now()))
    crash.point("split.before_record")
    actions.record(by=by, answer=answer, dedupe=channel.dedupe, window=channel.acceptance_window, **key)
    crash.point("split.after_record")
    return answer.whole.verdict


def _attend_return(back: Return, channel: Channel, worker: str) -> Verdict | None:
    by, key = system(worker), {"merchant_id": back.merchant_id, "id": back.id}
    if back.state == "scheduled":
        crash.point("split.before_begin")
        if not actions.begin_return(by=by, worker=worker, **key):
            return None
        crash.point("split.after_begin")
        todo = returns.errand(back)
        answer: Answer = channel.take_back(todo.wanted)
        crash.point("split.after_answer")
    else:
        todo = returns.errand(back)
        answer = channel.query_take_back(todo.wanted)
        if channel_rules.may_repeat(answer.verdict, channel.dedupe):
            crash.point("split.before_repeat")
            answer = channel.take_back(replace(todo.wanted, at=clock.now()))
    crash.point("split.before_record")
    actions.record_return(by=by, answer=answer, dedupe=channel.dedupe, window=channel.acceptance_window, **key)
    crash.point("split.after_record")
    return answer.verdict
