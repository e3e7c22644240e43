"""Taking statements in: what is new is booked, what was booked must agree, the rest is a break (O3, I-12, I-13)."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import groupby, islice
from typing import NamedTuple

from django.db import connections

from houfu.channels import port, registry
from houfu.channels.port import Answer, Dedupe, SplitAnswer, Verdict
from houfu.history import actions as history
from houfu.kernel import clock, crash, db
from houfu.merchants.models import ChannelAccount
from houfu.orders.models import Event
from houfu.orders.steps import Step
from houfu.payouts import actions as payouts
from houfu.payouts import queries as payout_queries
from houfu.payouts.states import FINAL
from houfu.people.actor import Actor
from houfu.reconciliation import queries
from houfu.splits import actions as splits
from houfu.splits import queries as split_queries
from houfu.splits.models import Return

BATCH = 2000
LANES = 2
db.retry_on("reconciliation_line_once")  # two that take in one statement at once: the next try finds what is kept


class Finding(NamedTuple):
    """What the books say to a line."""

    outcome: str
    code: str = ""


AGREES = Finding("agrees")
BOOKED = Finding("booked")


def take_in(*, by: Actor, account: ChannelAccount, day: date) -> int:
    """Fetch a day's statement and book it batch by batch; taking it in again books nothing twice.

    Returns:
        How many lines were new, or were breaks before and are none now.

    Raises:
        ChannelDown: the channel gave no statement that can be believed.
    """
    statement = registry.channel(account.channel).statement(account.principal, day)
    changed = book_all(by=by, account=account, day=day, lines=statement.lines)
    _note_statement(by=by, account=account, statement=statement)
    return changed


def book_all(*, by: Actor, account: ChannelAccount, day: date, lines: Sequence[port.Line]) -> int:
    """Book lines of a statement batch by batch, and return how many were judged: new ones, and breaks.

    More than a batch are booked in lanes side by side; all that is said of one order or payout is in one of them.
    """
    if len(lines) <= BATCH:
        return _book_lane(by, account, day, lines)
    lanes: list[list[port.Line]] = [[] for _ in range(LANES)]
    for line in lines:
        lanes[hash(line.ref.partition("/")[0]) % LANES].append(line)

    def work(lane: Sequence[port.Line]) -> int:
        try:
            return _book_lane(by, account, day, lane)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(LANES, "statement") as threads:
        return sum(threads.map(work, lanes))


def _book_lane(by: Actor, account: ChannelAccount, day: date, lines: Iterable[port.Line]) -> int:
    rest, changed = iter(lines), 0
    while batch := list(islice(rest, BATCH)):
        changed += len(book(by=by, account=account, day=day, lines=batch))
        crash.point("statement.after_batch")
    return changed


def look_again(*, by: Actor, account: ChannelAccount) -> int:
    """Judge the breaks of an account anew, and return how many are none now: what was missing may have come."""
    healed = 0
    for day, lines in groupby(queries.open_breaks(account), key=lambda line: line.day):
        again = [port.Line(x.no, x.kind, x.ref, x.amount_fen, x.fee_fen, x.at) for x in lines]
        found = book(by=by, account=account, day=day, lines=again)
        healed += sum(finding.outcome != "break" for finding in found.values())
    return healed


@db.action
def book(*, by: Actor, account: ChannelAccount, day: date, lines: Sequence[port.Line]) -> dict[str, Finding]:
    """Judge those lines of a statement that are new or were breaks, and keep and return what was found, by number."""
    known = queries.known(account, day, [line.no for line in lines], [line.ref for line in lines])
    open_lines = [line for line in lines if line.no not in known.agreed]
    found = _judge(by, account, open_lines, known.said)
    db.call(
        "reconciliation_keep_v1",
        account.merchant_id,
        account.id,
        day,
        known.broken,
        [line.no for line in open_lines],
        [line.kind for line in open_lines],
        [line.ref for line in open_lines],
        [line.amount_fen for line in open_lines],
        [line.fee_fen for line in open_lines],
        [line.at for line in open_lines],
        [found[line.no].outcome for line in open_lines],
        [found[line.no].code for line in open_lines],
    )
    crash.point("statement.before_commit")
    return found


def _judge(
    by: Actor, account: ChannelAccount, lines: Sequence[port.Line], taken: set[tuple[str, str]]
) -> dict[str, Finding]:
    """Judge lines; of those that say the same thing one agrees, and every other is a break (I-13).

    Args:
        taken: kind and reference of what other lines have said before.
    """
    fresh = [line for line in lines if (line.kind, line.ref) not in taken]
    settlements = dict(_settlements(by, account, [line for line in fresh if line.kind == "settlement"]))
    found = {}
    for line in lines:
        if (line.kind, line.ref) in taken:
            found[line.no] = Finding("break", "line_repeated")
            continue
        if line.kind == "settlement":
            found[line.no] = settlements[line.no]
        else:
            found[line.no] = _other(by, account, line)
        if found[line.no].outcome != "break":
            taken.add((line.kind, line.ref))
    return found


def _settlements(by: Actor, account: ChannelAccount, lines: Sequence[port.Line]) -> Iterable[tuple[str, Finding]]:
    steps = [Step(line.ref, line.at, amount_fen=line.amount_fen, fee_fen=line.fee_fen) for line in lines]
    if not steps:
        return
    outcomes = splits.settle(by=by, merchant_id=account.merchant_id, steps=steps, settled_by="statement")
    same = [line.ref for line, outcome in zip(lines, outcomes, strict=True) if outcome.outcome == "same"]
    booked = Event.objects.filter(merchant_id=account.merchant_id, verb="settled", order_id__in=same)
    fees = dict(booked.values_list("order_id", "fee_fen"))
    for line, outcome in zip(lines, outcomes, strict=True):
        if outcome.outcome == "refused":
            yield line.no, Finding("break", outcome.code)
        elif fees.get(line.ref, line.fee_fen) != line.fee_fen:
            yield line.no, Finding("break", "settlement_fee_differs")
        else:
            yield line.no, BOOKED if outcome.outcome == "done" else AGREES


def _other(by: Actor, account: ChannelAccount, line: port.Line) -> Finding:
    if line.kind == "refund":
        return _refund(account, line)
    if line.kind == "split":
        return _split(by, account, line)
    return _split_return(by, account, line) if line.kind == "split_return" else _payout(by, account, line)


def _refund(account: ChannelAccount, line: port.Line) -> Finding:
    order_id, _, ref = line.ref.partition("/")
    event = Event.objects.filter(merchant_id=account.merchant_id, order_id=order_id, verb="refunded", ref=ref).first()
    if event is None:
        return Finding("break", "refund_unknown")
    return AGREES if event.fen == line.amount_fen else Finding("break", "refund_amount_differs")


def _payout(by: Actor, account: ChannelAccount, line: port.Line) -> Finding:
    """Judge a line about a payout; a statement is proof, so an open payout is concluded by it."""
    payout = payout_queries.by_request_no(account.merchant_id, line.ref)
    if payout is None:
        return Finding("break", "payout_unknown")
    expected_fen = payout.fee_fen if line.kind == "transfer_fee" else payout.net_fen
    if line.kind == "return":
        expected_fen = payout.amount_fen
    if line.amount_fen != expected_fen:
        return Finding("break", "payout_amount_differs")
    if line.kind == "transfer_fee":
        return AGREES
    verdict = Verdict.RETURNED if line.kind == "return" else Verdict.PAID
    before = payout.state
    after = payouts.record(
        by=by,
        merchant_id=account.merchant_id,
        id=payout.id,
        answer=Answer(verdict, code="statement", at=line.at),
        dedupe=Dedupe.NONE,
        window=clock.NEVER,
    )
    if after not in ("paid", "returned"):
        return Finding("break", f"payout_{after}")
    return AGREES if before in FINAL and before == after else BOOKED


def _split(by: Actor, account: ChannelAccount, line: port.Line) -> Finding:
    """Judge a line about a party's part; a statement is proof, so an open part is concluded by it."""
    number, _, place = line.ref.partition("/")
    sent = split_queries.by_request_no(account.merchant_id, number)
    parts = split_queries.sent_parts(account.merchant_id, sent.split_id) if sent and sent.split_id else []
    nth = int(place) if place.isascii() and place.isdigit() and len(place) < 3 else 0
    if sent is None or sent.split_id is None or not 1 <= nth <= len(parts):
        return Finding("break", "split_unknown")
    before = parts[nth - 1]
    if line.amount_fen != before.sent_fen:
        return Finding("break", "split_amount_differs")
    if before.state == "owed":
        said = [Answer(Verdict.UNKNOWN)] * len(parts)
        said[nth - 1] = Answer(Verdict.PAID, code="statement", at=line.at)
        splits.record(
            by=by,
            merchant_id=account.merchant_id,
            id=sent.split_id,
            answer=SplitAnswer(Answer(Verdict.PROCESSING, code="statement"), tuple(said)),
            dedupe=Dedupe.NONE,
            window=clock.NEVER,
        )
        return BOOKED
    return AGREES if before.state == "paid" else Finding("break", "split_not_paid")


def _split_return(by: Actor, account: ChannelAccount, line: port.Line) -> Finding:
    """Judge a line about a part that came back."""
    sent = split_queries.by_request_no(account.merchant_id, line.ref)
    if sent is None or sent.return_id is None:
        return Finding("break", "split_return_unknown")
    back = Return.objects.get(merchant_id=account.merchant_id, id=sent.return_id)
    if line.amount_fen != back.amount_fen:
        return Finding("break", "split_return_amount_differs")
    after = splits.record_return(
        by=by,
        merchant_id=account.merchant_id,
        id=back.id,
        answer=Answer(Verdict.PAID, code="statement", at=line.at),
        dedupe=Dedupe.NONE,
        window=clock.NEVER,
    )
    if after != "returned":
        return Finding("break", "split_not_returned")
    return AGREES if back.state == "returned" else BOOKED


@db.action
def _note_statement(*, by: Actor, account: ChannelAccount, statement: port.Statement) -> None:
    count = len(statement.lines)
    db.rows(
        "INSERT INTO reconciliation_statement VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (merchant_id, channel_account_id, day) DO UPDATE SET final = excluded.final,"
        " lines = excluded.lines, fetched_at = excluded.fetched_at",
        [account.merchant_id, account.id, statement.day, statement.final, count, clock.now()],
    )
    if count:
        history.record(
            "statement.taken_in",
            by=by,
            merchant_id=account.merchant_id,
            lines=count,
            subject=f"statement/{account.id}/{statement.day}",
            final=statement.final,
        )
