"""What the worker does for payouts: run days, sending, asking. The state rows decide; every step may be lost."""

import logging
from dataclasses import replace
from datetime import date, time
from itertools import groupby
from operator import itemgetter

from houfu.calendars import queries as calendars
from houfu.channels import registry
from houfu.channels import rules as channel_rules
from houfu.channels.port import Answer, Channel, PayeeState, Verdict
from houfu.kernel import clock, crash
from houfu.kernel.errors import Busy, Refused
from houfu.payouts import actions, queries, run_queries
from houfu.payouts.actions.sending import Errand, errand
from houfu.payouts.models import Payout
from houfu.payouts.states import WAITING
from houfu.people.actor import Actor, system
from houfu.policies import queries as policies

log = logging.getLogger("houfu.payouts")

TOGETHER = 1000  # stores that a run decides at once
FUTILE = 3  # calls in a row that said nothing, after which a channel is left alone for this round (I-23)


def run_due(by: Actor) -> int:
    """Run the latest run day that has come, for every merchant not run for it yet (P1).

    A run day that was missed is caught up once; those before it are not.

    Returns:
        How many payouts it made.
    """
    at = clock.now()
    automatic = policies.at(at).payouts.automatic
    latest = calendars.calendar(at).latest_run(at, automatic.weekdays, time.fromisoformat(automatic.at))
    if latest is None:
        return 0
    waiting = run_queries.waiting_for_run(latest)
    return sum(_run(by, latest.day, waiting[first : first + TOGETHER]) for first in range(0, len(waiting), TOGETHER))


def _run(by: Actor, run_day: date, stores: list[tuple[int, int]]) -> int:
    """Run stores at once or, where that is refused, merchant by merchant; one refused alone waits for the next look."""
    try:
        return len(actions.run(by=by, run_day=run_day, stores=stores))
    except Refused as refusal:
        merchants = [list(theirs) for _, theirs in groupby(stores, key=itemgetter(0))]
        if len(merchants) == 1:
            log.warning("merchant %s cannot be run: %s", stores[0][0], refusal)
            return 0
        return sum(_run(by, run_day, theirs) for theirs in merchants)


def follow_people(by: Actor) -> int:
    """Let payouts and accounts go on, or end, about which people have decided; return how many."""
    decided, confirmed = queries.decided(), queries.confirmed()
    for merchant_id, id in decided:
        actions.follow(by=by, merchant_id=merchant_id, id=id)
    for merchant_id, beneficiary_id in confirmed:
        actions.follow_confirmation(by=by, merchant_id=merchant_id, id=beneficiary_id)
    return len(decided) + len(confirmed)


def work_off(worker: str, limit: int = 200) -> int:
    """Send what is due and ask about what is open, up to `limit` payouts; return how many were looked at."""
    futile: dict[str, int] = {}
    due = queries.with_work(clock.now(), limit)
    for payout in due:
        try:
            name = errand(payout).channel
            if futile.get(name, 0) >= FUTILE:
                _put_off(payout)
                continue
            answer = _attend(payout, worker)
        except Refused as refusal:
            log.warning("payout %s cannot go on: %s", payout.id, refusal)
            _put_off(payout)
            continue
        futile[name] = futile.get(name, 0) + 1 if answer and answer.verdict is Verdict.UNKNOWN else 0
    return len(due)


def _put_off(payout: Payout) -> None:
    """Look at a payout again later; one that another worker holds is that worker's and does not stop the rest."""
    try:
        actions.postpone(merchant_id=payout.merchant_id, id=payout.id)
    except Busy:
        log.info("payout %s is being worked on", payout.id)


def _attend(payout: Payout, worker: str) -> Answer | None:
    """Take the next step of one payout and return what the channel answered, if it was asked."""
    by = system(worker)
    if payout.state in WAITING:
        actions.follow(by=by, merchant_id=payout.merchant_id, id=payout.id)
        return None
    todo = errand(payout)
    channel = registry.channel(todo.channel)
    if payout.state == "scheduled":
        account = _payee_state(by, payout, todo, channel)
        if account is not PayeeState.NORMAL:
            return Answer(Verdict.UNKNOWN) if account is PayeeState.UNKNOWN else None
        crash.point("send.before_begin")
        if not actions.begin(by=by, merchant_id=payout.merchant_id, id=payout.id, worker=worker):
            return None
        crash.point("send.after_begin")
        todo = errand(payout)
        answer = channel.transfer(todo.transfer)
        crash.point("send.after_answer")
    else:
        answer = ask(channel, todo)
    _record(by, todo, channel, answer)
    crash.point("send.after_record")
    return answer


def ask(channel: Channel, todo: Errand) -> Answer:
    """Ask about a payout; send the same number again where that is harmless and the channel has not got it (I-08)."""
    crash.point("ask.before_query")
    answer = channel.query(todo.transfer)
    crash.point("ask.after_query")
    if channel_rules.may_repeat(answer.verdict, channel.dedupe):
        crash.point("ask.before_repeat")
        answer = channel.transfer(replace(todo.transfer, at=clock.now()))
        crash.point("ask.after_repeat")
    return answer


def ask_about(merchant_id: int, request_no: str) -> str | None:
    """Ask about the payout of a number, as a notice has given reason to, and return its state."""
    payout = queries.by_request_no(merchant_id, request_no)
    if payout is None:
        return None
    todo = errand(payout)
    channel = registry.channel(todo.channel)
    return _record(system("worker"), todo, channel, channel.query(todo.transfer))


def _record(by: Actor, todo: Errand, channel: Channel, answer: Answer) -> str:
    crash.point("record.before")
    return actions.record(
        by=by,
        merchant_id=todo.merchant_id,
        id=todo.payout_id,
        answer=answer,
        dedupe=channel.dedupe,
        window=channel.acceptance_window,
    )


def _payee_state(by: Actor, payout: Payout, todo: Errand, channel: Channel) -> PayeeState:
    """Ask the channel right before sending whether the account can receive money, and act on what it says (P6)."""
    state = channel.payee_state(todo.transfer.principal, todo.transfer.payee)
    if state is PayeeState.UNKNOWN:
        actions.postpone(merchant_id=payout.merchant_id, id=payout.id)
        return state
    actions.note_channel_state(by=by, merchant_id=payout.merchant_id, id=payout.beneficiary_id, state=state)
    if state is not PayeeState.NORMAL:
        actions.turn_down(by=by, merchant_id=payout.merchant_id, id=payout.id, code=f"beneficiary_{state.value}")
    return state
