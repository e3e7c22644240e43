"""Before a payout is sent, and when it does not arrive: due, receivable, covered, called off, late (P2, P6)."""

import pytest

from houfu.channels import registry
from houfu.channels.port import Verdict
from houfu.history.models import Link
from houfu.kernel import clock
from houfu.kernel.errors import IllegalMove
from houfu.kernel.fence import CopiedInstance
from houfu.ledger.actions import InsufficientBalance
from houfu.orders import actions as orders
from houfu.payouts import actions, queries, tasks
from houfu.payouts.models import Beneficiary
from houfu.payouts.tests.shops import (
    FAILED,
    NOT_DONE,
    again,
    begun,
    earn,
    number,
    record,
    send,
    stands,
    state,
)
from houfu.testing.world import WORKER


class Died(BaseException):
    """The process is gone; nothing catches it."""


def test_a_payout_is_not_sent_before_it_is_due(channel, shop):
    channel.hands.set(clock.shanghai(2025, 11, 10, 21))
    payout = shop.ask(100_000)
    assert actions.begin(by=WORKER, merchant_id=shop.merchant_id, id=payout.id, worker="w") is False
    again(channel, hours=11, minutes=59)
    assert (state(shop, payout), channel.executions(shop.principal)) == ("scheduled", 0)
    again(channel, minutes=1)
    assert state(shop, payout) == "paid"


@pytest.mark.parametrize("said", ["restricted", "closed"])
def test_an_account_that_cannot_receive_is_not_sent_to(channel, shop, said):
    """P6: asked right before sending, whatever was known when the payout was asked for."""
    payee = shop.payee(account=f"622299{clock.now().microsecond:06d}{said}")
    channel.script(payees={f"622299{clock.now().microsecond:06d}{said}": said})
    payout, sent = shop.ask(100_000), channel.calls("post_transfer")
    tasks.work_off("worker")
    found = queries.access_payout(shop.owner, "payouts:read", shop.merchant_id, payout.id)
    assert (found.state, found.code, stands(shop)) == ("cancelled", f"beneficiary_{said}", FAILED)
    assert channel.calls("post_transfer") == sent
    assert Beneficiary.objects.get(merchant_id=shop.merchant_id, id=payee.id).channel_state == said


def test_an_account_about_which_the_channel_says_nothing_clear_is_asked_about_again(channel, shop):
    account = "622288000000"
    shop.payee(account=account)
    channel.script(payees={account: "asleep"})
    payout = send(shop)
    assert (state(shop, payout), number(shop, payout), stands(shop)) == ("scheduled", None, (500_000, 100_000, 0))
    channel.script(payees={account: "normal"})
    again(channel, seconds=10)
    assert state(shop, payout) == "paid"


def test_a_channel_that_is_down_is_asked_three_times_a_round_and_its_payouts_wait(channel, shop, monkeypatch):
    """I-23."""
    payouts = [shop.ask(10_000 + n) for n in range(8)]
    port, channel.port = channel.port, 1
    channel.connect()
    channel.port = port
    tried = []
    there = registry.channel("simulator")
    real = there.payee_state
    monkeypatch.setattr(there, "payee_state", lambda *said: (tried.append(said), real(*said))[1])
    assert tasks.work_off("worker") == 8
    assert len(tried) == tasks.FUTILE == 3
    assert {state(shop, payout) for payout in payouts} == {"scheduled"}
    assert tasks.work_off("worker") == 0
    channel.connect(timeout=1)
    again(channel, seconds=10)
    assert {state(shop, payout) for payout in payouts} == {"paid"}


def test_money_that_the_channel_does_not_hold_waits_for_it(channel, shop):
    """A refund took it from there before it was sent: nothing moves until other orders have brought as much."""
    payout, sold = shop.ask(400_000), shop.placed[0]
    orders.refund(
        by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(sold, ref="R1", amount_fen=600_000)
    )  # fmt: skip
    before = shop.books()
    with pytest.raises(InsufficientBalance):
        actions.begin(by=WORKER, merchant_id=shop.merchant_id, id=payout.id, worker="w")
    tasks.work_off("worker")
    assert (state(shop, payout), number(shop, payout), shop.books()) == ("scheduled", None, before)
    earn(channel, shop, 450_000)
    again(channel, seconds=10)
    assert state(shop, payout) == "paid"


def test_a_copy_of_an_instance_sends_nothing(channel, shop, monkeypatch, tmp_path):
    """I-26."""
    payout = shop.ask(100_000)
    monkeypatch.setattr("django.conf.settings.HOME", tmp_path)
    with pytest.raises(CopiedInstance):
        actions.begin(by=WORKER, merchant_id=shop.merchant_id, id=payout.id, worker="w")
    monkeypatch.undo()
    assert (state(shop, payout), number(shop, payout)) == ("scheduled", None)
    tasks.work_off("worker")
    assert state(shop, payout) == "paid"


def test_a_payout_is_called_off_until_it_is_begun_and_not_afterwards(channel, shop):
    first, second = shop.ask(100_000), begun(shop)
    actions.cancel(by=shop.owner, merchant_id=shop.merchant_id, id=first.id)
    with pytest.raises(IllegalMove):
        actions.cancel(by=shop.owner, merchant_id=shop.merchant_id, id=second.id)
    actions.turn_down(by=WORKER, merchant_id=shop.merchant_id, id=second.id, code="beneficiary_closed")
    assert (state(shop, first), state(shop, second), stands(shop)) == ("cancelled", "submitting", NOT_DONE)
    record(shop, second, Verdict.PAID)


def test_a_payout_that_has_not_arrived_in_time_is_told_once(channel, shop):
    """P2: within two hours."""
    channel.script(transfers=[{"name": "processing_then_paid", "seconds": 9000}])
    payout = send(shop)
    channel.move(hours=2)
    assert actions.note_late(by=WORKER) == 0
    channel.move(microseconds=1)
    assert [actions.note_late(by=WORKER), actions.note_late(by=WORKER)] == [1, 0]
    assert [link.subject for link in Link.objects.filter(merchant_id=shop.merchant_id, verb="payout.late")] == [
        f"payout/{payout.id}"
    ]
    again(channel, hours=1)
    assert state(shop, payout) == "paid"
