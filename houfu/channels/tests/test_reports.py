"""Telling the channel of receipts and refunds: in any number of tries, each counted once."""

import pytest

from houfu.channels import actions, queries, registry
from houfu.channels.port import ChannelDown
from houfu.merchants import queries as merchants
from houfu.orders import actions as orders
from houfu.testing.world import open_shop

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def shop(channel):
    return open_shop()


def account_of(shop):
    return merchants.channel_account(shop.merchant_id, shop.account_id)


def untold(shop):
    return [(each.kind, each.order_id, each.ref, each.amount_fen) for each in queries.untold(account_of(shop), 100)]


def test_a_receipt_is_told_once_and_the_channel_collects(channel, shop):
    shop.place(60_000)
    shop.receive()
    assert untold(shop) == [("receipt", shop.placed[0], "", 60_000)]
    assert account_of(shop) in queries.accounts_untold()
    assert [actions.tell(account_of(shop)), actions.tell(account_of(shop))] == [1, 0]
    assert account_of(shop) not in queries.accounts_untold()
    channel.move(days=1)
    channel.work()
    assert channel.balance(shop.principal) == 60_000 - 360


def test_a_refund_is_told_under_its_number_and_lowers_what_is_collected(channel, shop):
    shop.place(60_000)
    shop.receive()
    steps = shop.steps(ref="R1", amount_fen=10_000) + shop.steps(ref="R2", amount_fen=5_000)
    orders.refund(by=shop.owner, merchant_id=shop.merchant_id, steps=steps)
    assert sorted(untold(shop)) == [
        ("receipt", shop.placed[0], "", 60_000), ("refund", shop.placed[0], "R1", 10_000),
        ("refund", shop.placed[0], "R2", 5_000),
    ]  # fmt: skip
    assert actions.tell(account_of(shop)) == 3
    channel.move(days=1)
    channel.work()
    assert channel.balance(shop.principal) == 45_000 - 270


def test_what_the_channel_did_not_take_is_told_again(channel, shop):
    shop.place(10_000, 20_000, 30_000)
    shop.receive()
    channel.script(reports="half")
    assert actions.tell(account_of(shop)) == 1
    assert len(untold(shop)) == 2
    channel.script(reports="all")
    assert actions.tell(account_of(shop)) == 2
    assert untold(shop) == []


def test_a_crash_between_telling_and_noting_tells_again_and_changes_nothing(channel, shop):
    shop.place(60_000)
    shop.receive()
    told = queries.untold(account_of(shop), 100)
    assert registry.channel("simulator").report(shop.principal, told) == 1
    assert actions.tell(account_of(shop)) == 1
    channel.move(days=1)
    channel.work()
    assert channel.balance(shop.principal) == 60_000 - 360


def test_a_channel_that_is_down_is_told_later(channel, shop):
    shop.place(60_000)
    shop.receive()
    port, channel.port = channel.port, 1
    channel.connect()
    channel.port = port
    with pytest.raises(ChannelDown):
        actions.tell(account_of(shop))
    assert len(untold(shop)) == 1
    channel.connect()
    assert actions.tell(account_of(shop)) == 1


def test_the_oldest_are_told_first_and_no_more_than_asked_for(channel, shop):
    shop.place(10_000)
    first = list(shop.placed)
    shop.receive()
    channel.move(minutes=1)
    shop.place(20_000)
    shop.receive()
    assert actions.tell(account_of(shop), limit=1) == 1
    assert [each.order_id for each in queries.untold(account_of(shop), 9)] == shop.placed != first
    assert actions.tell(account_of(shop)) == 1
