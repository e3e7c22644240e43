"""The worker: looks for whatever is due, in rounds. All work is state rows, so a lost round loses nothing."""

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TypeVar

import psycopg
from django.db import Error, connection

from houfu.approvals import actions as approvals
from houfu.channels import actions as channels
from houfu.channels import queries as channel_queries
from houfu.channels import registry
from houfu.channels.models import Notice
from houfu.channels.weather import actions as weather
from houfu.kernel import clock, crash, isolation
from houfu.kernel.errors import Refused
from houfu.limits import actions as limits
from houfu.merchants import queries as merchants
from houfu.merchants.models import ChannelAccount
from houfu.orders import actions as orders
from houfu.orders import queries as order_queries
from houfu.orders.steps import Step
from houfu.payouts import actions as payouts
from houfu.payouts import tasks as payout_tasks
from houfu.people.actor import system
from houfu.policies import queries as policies
from houfu.reconciliation import actions as reconciliation
from houfu.reconciliation import queries as reconciliation_queries
from houfu.risk import actions as risk
from houfu.risk import queries as risk_queries

T = TypeVar("T")
log = logging.getLogger("houfu.worker")
BATCH = 2000
NAME = f"{socket.gethostname()}-{os.getpid()}"
BY = system("worker")


def _each(things: Iterable[T], do: Callable[[T], int]) -> int:
    """Do something for each thing and add up what it says; one that is refused does not stop the others."""
    done = 0
    for thing in things:
        try:
            done += do(thing)
        except Refused as refusal:
            log.warning("%s: %s", thing, refusal)
    return done


def tend_orders() -> int:
    """Let time do its work on orders: proof counts, money matures, payments fall due, the unshipped expire."""
    at = clock.now()
    expired_before = at - timedelta(days=policies.at(at).orders.authorisation_days)

    def tend(merchant_id: int) -> int:
        done = orders.confirm_receipts(by=BY, merchant_id=merchant_id, at=at)
        while count := orders.mature_due(by=BY, merchant_id=merchant_id, at=at, limit=BATCH):
            done += count
        if late := [Step(lot.id, lot.payment_due_at) for lot in order_queries.unpaid(merchant_id, at, BATCH)]:
            done += len(orders.fall_due(by=BY, merchant_id=merchant_id, steps=late))
        if gone := [Step(order_id, at) for order_id in order_queries.expired(merchant_id, expired_before, BATCH)]:
            done += len(orders.expire(by=BY, merchant_id=merchant_id, steps=gone))
        return done

    return _each(order_queries.merchants_with_work(at, expired_before), tend)


def tell_channels() -> int:
    """Tell channels of receipts and refunds."""
    return _each(channel_queries.accounts_untold(), channels.tell)


def follow_notices() -> int:
    """Ask the channels about what their notices were about, and conclude from the answers (I-12)."""
    return _each(channel_queries.waiting_notices(), _follow)


def _follow(notice: Notice) -> int:
    crash.point("notice.before")
    if notice.kind == "transfer":
        payout_tasks.ask_about(notice.merchant_id, notice.ref)
    else:
        account = merchants.channel_account(notice.merchant_id, notice.channel_account_id)
        found = registry.channel(account.channel).settlement(account.principal, notice.ref)
        if found:
            step = Step(found.order_id, found.at, amount_fen=found.gross_fen, fee_fen=found.fee_fen)
            orders.settle(by=BY, merchant_id=notice.merchant_id, steps=[step], settled_by="query")
    crash.point("notice.after")
    channels.notice_handled(merchant_id=notice.merchant_id, channel_account_id=notice.channel_account_id, id=notice.id)
    return 1


def take_statements() -> int:
    """Take in the statements of the days that are over, and with them look at breaks again."""

    def take(account: ChannelAccount) -> int:
        days = reconciliation_queries.days_to_fetch(account)
        changed = sum(reconciliation.take_in(by=BY, account=account, day=day) for day in days)
        return changed + reconciliation.look_again(by=BY, account=account)

    return _each(reconciliation_queries.accounts_behind(), take)


def look_around() -> int:
    """Look at the merchants to whom something has happened, and remind people of their cases (K1, K5, K6)."""
    found = _each(risk_queries.to_look_at(clock.now()), lambda merchant_id: risk.look(by=BY, merchant_id=merchant_id))
    return found + risk.remind(by=BY)


CHORES: tuple[Callable[[], int], ...] = (
    follow_notices,
    take_statements,
    tend_orders,
    tell_channels,
    lambda: payout_tasks.run_due(BY),
    lambda: payout_tasks.follow_people(BY),
    lambda: payout_tasks.work_off(NAME),
    lambda: limits.mark_overdue(by=BY),
    lambda: weather.look(by=BY),
    lambda: limits.expire_adjustments(by=BY),
    lambda: limits.tell_turns(by=BY),
    lambda: payouts.note_late(by=BY),
    lambda: approvals.lapse(by=BY),
    look_around,
)


def round_() -> int:
    """Do every chore once and return how much was done; one that fails is left for the next round."""
    done = 0
    for chore in CHORES:
        try:
            with isolation.acting(BY):
                done += chore()
        except (Refused, Error) as error:
            log.warning("%s", error)
            if isinstance(error, Error):
                connection.close()
    return done


def serve(stop: threading.Event, pause: float) -> None:
    """Work in rounds until told to stop; a notification of new work ends the pause between two.

    Args:
        pause: seconds to wait for a notification when a round found nothing to do.
    """
    while not stop.is_set():
        if round_() == 0:
            _wait(pause, stop)


def _wait(pause: float, stop: threading.Event) -> None:
    try:
        connection.ensure_connection()
        connection.connection.execute("LISTEN houfu_work")
        for _ in connection.connection.notifies(timeout=pause, stop_after=1):
            return
    except (Error, psycopg.Error) as error:
        log.warning("cannot listen: %s", error)
        connection.close()
        stop.wait(pause)
