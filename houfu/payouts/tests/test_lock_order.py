"""Whoever concludes a payout takes its locks in the one order of docs/locks.md: lots, then accounts."""

import threading
from datetime import timedelta

import pytest
from django.db import transaction

from houfu.channels.port import Answer, Dedupe, Verdict
from houfu.kernel import db as database
from houfu.ledger import actions as ledger
from houfu.ledger.actions import Account
from houfu.payouts import actions as payouts
from houfu.payouts import queries
from houfu.testing.threads import in_threads
from houfu.testing.world import WORKER, open_shop

CLAIMS = ("claim:matured", "claim:reserved")


@pytest.mark.parametrize(("verdict", "state"), [(Verdict.PAID, "paid"), (Verdict.DENIED, "failed")])
def test_a_conclusion_that_waits_for_a_lot_holds_no_account_yet(db, verdict, state):
    shop = open_shop()
    shop.earn(600_000)
    payout = shop.ask(100_000)
    payouts.begin(by=WORKER, merchant_id=shop.merchant_id, id=payout.id, worker="w1")
    held = threading.Event()

    def conclude() -> str:
        held.wait()
        return payouts.record(
            by=WORKER,
            merchant_id=shop.merchant_id,
            id=payout.id,
            answer=Answer(verdict),
            dedupe=Dedupe.STRICT,
            window=timedelta(minutes=5),
        )

    def ask_for_more() -> str:
        """Hold the lot as a second request would, and then want the store's claims."""
        with transaction.atomic():
            database.rows("SELECT FROM orders_lot WHERE merchant_id = %s FOR NO KEY UPDATE", [shop.merchant_id])
            held.set()
            assert any(_somebody_waits_for_us() for _ in range(10_000))
            database.rows("SET LOCAL lock_timeout = '100ms'")
            return str(len(ledger.lock(shop.merchant_id, [Account(kind, shop.store) for kind in CLAIMS])))

    assert in_threads(lambda do: do(), [conclude, ask_for_more]) == [state, "2"]
    assert queries.access_payout(shop.owner, "payouts:read", shop.merchant_id, payout.id).state == state


def _somebody_waits_for_us() -> bool:
    waiting = "SELECT pid FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
    return bool(database.rows(waiting))
