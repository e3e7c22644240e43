"""Shops whose money lies at the simulated channel, working on their payouts, and looking at them."""

from datetime import timedelta

from houfu.channels.port import Answer, Dedupe
from houfu.payouts import actions, queries, tasks
from houfu.testing.world import WORKER

WINDOW = timedelta(minutes=5)
FEE, NET = 800, 99_200  # of a payout of 1,000.00 yuan
# What of 6,000.00 yuan is payable, set aside and in transit, after 1,000.00 were asked for.
NOT_DONE = (500_000, 100_000, NET)
PAID, FAILED = (500_000, 0, 0), (600_000, 0, 0)


def earn(channel, shop, *amounts_fen, store=None):
    """Let a shop earn matured money that the channel has too, and return the orders."""
    channel.top_up(shop.principal, sum(amounts_fen))
    return shop.earn(*amounts_fen, store=store)


def state(shop, payout):
    return queries.access_payout(shop.owner, "payouts:read", shop.merchant_id, payout.id).state


def number(shop, payout):
    """Return the number under which a payout was sent; None if it was not."""
    sent = queries.attempt(shop.merchant_id, payout.id)
    return sent.request_no if sent else None


def send(shop, amount_fen=100_000):
    """Ask for a payout and let a worker send it."""
    payout = shop.ask(amount_fen)
    tasks.work_off("worker")
    return payout


def begun(shop, amount_fen=100_000):
    """Ask for a payout and let a worker begin it, who is then gone."""
    payout = shop.ask(amount_fen)
    assert actions.begin(by=WORKER, merchant_id=shop.merchant_id, id=payout.id, worker="gone")
    return payout


def stands(shop):
    """Return what is payable, set aside and on its way."""
    return shop.fen("claim:matured"), shop.fen("claim:reserved"), shop.fen("cash:transit", shop.account_id)


def again(channel, **later):
    """Let time pass, the channel work and the worker ask."""
    channel.move(**later)
    channel.work()
    tasks.work_off("worker")


def record(shop, payout, verdict, *, dedupe=Dedupe.STRICT, code=""):
    answer = Answer(verdict, code)
    return actions.record(
        by=WORKER, merchant_id=shop.merchant_id, id=payout.id, answer=answer, dedupe=dedupe, window=WINDOW
    )
