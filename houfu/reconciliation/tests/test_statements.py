"""Statements against the books: booked once, agreed with, or a break with its code until what is missing comes."""

from datetime import timedelta
from itertools import count

import pytest

from houfu.channels.port import Answer, ChannelDown, Dedupe, Line, Verdict
from houfu.kernel import clock
from houfu.kernel.errors import NotFound
from houfu.merchants import queries as merchants
from houfu.orders import actions as orders
from houfu.payouts import actions as payouts
from houfu.payouts import queries as payout_queries
from houfu.payouts import tasks
from houfu.reconciliation import actions, queries
from houfu.reconciliation.models import Statement
from houfu.site import worker
from houfu.testing.world import WORKER, open_shop

numbers = count(1)
FEE = 360  # what the simulated channel keeps of 600 yuan


@pytest.fixture
def shop(platform, channel):
    return open_shop()


@pytest.fixture
def lone(proven_db, channel):
    """A shop whose account is the only one of which the worker takes statements."""
    return open_shop()


def account_of(shop):
    return merchants.channel_account(shop.merchant_id, shop.account_id)


def today():
    return clock.business_day(clock.now())


def line(kind, ref, amount_fen, *, fee_fen=0, no=None):
    return Line(no or f"L{next(numbers)}", kind, ref, amount_fen, fee_fen, clock.now())


def book(shop, *lines, day=None):
    """Let a statement of today show these lines, and return what the books say to each."""
    found = actions.book(by=WORKER, account=account_of(shop), day=day or today(), lines=lines)
    return [found[each.no] for each in lines if each.no in found]


def breaks(shop):
    return [(each.kind, each.ref, each.code) for each in queries.breaks(shop.owner, shop.merchant_id)]


def received(shop, amount_fen=60_000, **what):
    shop.place(amount_fen, **what)
    shop.receive()
    return shop.placed[0]


def sent(channel, shop, behaviour="ok", amount_fen=30_000):
    """Earn money, send a payout under which the channel behaves so, and return the payout and its number."""
    if not shop.fen("claim:matured"):
        received(shop, 90_000)
        worker.tell_channels()
        channel.move(days=1)
        channel.work()
        take_in(shop, days=1)
        channel.move(days=1)
        shop.mature()
    channel.script(transfers=[behaviour])
    payout = shop.ask(amount_fen)
    tasks.work_off("worker")
    return payout, payout_queries.attempt(shop.merchant_id, payout.id).request_no


def take_in(shop, *, days=0):
    """Take in today's statement, and those of so many days before it."""
    first = today() - timedelta(days=days)
    account = account_of(shop)
    return [actions.take_in(by=WORKER, account=account, day=first + timedelta(days=n)) for n in range(days + 1)]


def state(shop, payout):
    return payout_queries.access_payout(shop.owner, "payouts:read", shop.merchant_id, payout.id).state


# Taken in twice ------------------------------------------------------------------------------------------------------


def test_a_statement_taken_in_again_books_nothing_again(channel, shop):
    payout, _ = sent(channel, shop)
    assert state(shop, payout) == "paid"
    assert take_in(shop) == [2]  # the transfer and its fee
    before = shop.books()
    assert take_in(shop, days=2) == [0, 0, 0]
    assert (shop.books(), breaks(shop)) == (before, [])
    assert channel.balance(shop.principal) == shop.fen("cash:channel", shop.account_id)


def test_a_line_settles_its_order_once(shop):
    order_id = received(shop)
    first = line("settlement", order_id, 60_000, fee_fen=FEE)
    assert book(shop, first) == [("booked", "")]
    before = shop.books()
    assert book(shop, first) == []
    assert (shop.books(), shop.fen("claim:settled")) == (before, 60_000 - FEE)


def test_what_a_query_had_settled_agrees_with_its_line(shop):
    """O3."""
    order_id = received(shop)
    shop.settle_by_query({order_id: 60_000}, fee_fen=FEE)
    before = shop.books()
    assert book(shop, line("settlement", order_id, 60_000, fee_fen=FEE)) == [("agrees", "")]
    assert shop.books() == before


def test_a_long_statement_is_booked_in_lanes_and_what_is_said_of_an_order_in_one(shop, monkeypatch):
    monkeypatch.setattr(actions, "BATCH", 3)
    ids = [received(shop, 1_000 + n) for n in range(12)]
    lines = [line("settlement", id, 1_000 + n, fee_fen=1) for n, id in enumerate(ids)]
    twice = [line("settlement", id, 1_000 + n, fee_fen=1) for n, id in enumerate(ids[:4])]
    statement = {"by": WORKER, "account": account_of(shop), "day": today(), "lines": [*lines, *twice]}
    assert actions.book_all(**statement) == 16
    assert sorted(breaks(shop)) == sorted(("settlement", id, "line_repeated") for id in ids[:4])
    assert shop.fen("claim:settled") == sum(1_000 + n - 1 for n in range(12))
    before = shop.books()
    assert actions.book_all(**statement) == 4  # the breaks are judged again, and stay
    assert (shop.books(), len(breaks(shop))) == (before, 4)


# Breaks --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("amount_fen", "fee_fen", "code"), [
    (59_999, FEE, "settlement_amount_differs"), (60_001, FEE, "settlement_amount_differs"),
    (60_000, 60_001, "settlement_fee_invalid"), (60_000, -1, "settlement_fee_invalid"),
])  # fmt: skip
def test_another_amount_than_the_orders_is_a_break(shop, amount_fen, fee_fen, code):
    order_id, before = received(shop), shop.books()
    assert book(shop, line("settlement", order_id, amount_fen, fee_fen=fee_fen)) == [("break", code)]
    assert (shop.books(), breaks(shop)) == (before, [("settlement", order_id, code)])


@pytest.mark.parametrize(("amount_fen", "fee_fen", "code"), [
    (60_001, FEE, "order_event_reused"), (60_000, FEE + 1, "settlement_fee_differs"),
])  # fmt: skip
def test_another_amount_than_the_query_said_is_a_break(shop, amount_fen, fee_fen, code):
    order_id = received(shop)
    shop.settle_by_query({order_id: 60_000}, fee_fen=FEE)
    before = shop.books()
    assert book(shop, line("settlement", order_id, amount_fen, fee_fen=fee_fen)) == [("break", code)]
    assert (shop.books(), breaks(shop)) == (before, [("settlement", order_id, code)])


def test_what_the_books_do_not_know_is_a_break(shop):
    shop.place(60_000)
    before = shop.books()
    assert book(
        shop,
        line("settlement", "D-NOBODYS", 60_000),
        line("settlement", shop.placed[0], 60_000),
        line("transfer", "HF-NOBODYS", 30_000),
        line("transfer_fee", "HF-NOBODYS", 240),
        line("return", "HF-NOBODYS", 30_000),
        line("refund", f"{shop.placed[0]}/R1", 10_000),
    ) == [
        ("break", "order_unknown"), ("break", "illegal_move"), ("break", "payout_unknown"), ("break", "payout_unknown"),
        ("break", "payout_unknown"), ("break", "refund_unknown"),
    ]  # fmt: skip
    assert shop.books() == before


def test_a_refund_agrees_with_that_of_its_order_and_number(shop):
    first, second = received(shop), received(shop, 70_000)
    book(shop, line("settlement", first, 60_000), line("settlement", second, 70_000))
    steps = [*shop.steps(first, ref="R1", amount_fen=10_000), *shop.steps(second, ref="R1", amount_fen=20_000)]
    orders.refund(by=shop.owner, merchant_id=shop.merchant_id, steps=steps)
    before = shop.books()
    assert book(
        shop,
        line("refund", f"{first}/R1", 10_000),
        line("refund", f"{second}/R1", 19_999),
        line("refund", f"{second}/R2", 20_000),
    ) == [("agrees", ""), ("break", "refund_amount_differs"), ("break", "refund_unknown")]
    assert shop.books() == before


def test_a_line_that_says_what_another_has_said_is_a_break(channel, shop):
    """Two lines for one transfer are two executions; nobody may overlook that (I-13)."""
    payout, number = sent(channel, shop)
    take_in(shop)
    order_id, matured = received(shop), shop.fen("claim:matured")
    assert book(
        shop,
        line("settlement", order_id, 60_000, fee_fen=FEE),
        line("settlement", order_id, 60_000, fee_fen=FEE),
        line("transfer", number, payout.net_fen),
        line("transfer_fee", number, payout.fee_fen),
    ) == [("booked", ""), *[("break", "line_repeated")] * 3]
    assert book(shop, line("settlement", order_id, 60_000, fee_fen=FEE)) == [("break", "line_repeated")]
    assert (shop.fen("claim:settled"), shop.fen("claim:matured")) == (60_000 - FEE, matured)


def test_of_two_lines_for_one_order_the_one_that_fits_is_booked(shop):
    order_id = received(shop)
    assert book(shop, line("settlement", order_id, 59_000), line("settlement", order_id, 60_000)) == [
        ("break", "settlement_amount_differs"), ("booked", ""),
    ]  # fmt: skip


def test_a_channel_that_shows_its_lines_twice_makes_no_break(channel, shop):
    payout, _ = sent(channel, shop, "duplicate_statement_lines")
    assert take_in(shop) == [2]
    assert (state(shop, payout), breaks(shop)) == ("paid", [])


@pytest.mark.parametrize(("kind", "off_by"), [("transfer", 1), ("transfer", -1), ("transfer_fee", 1), ("return", -1)])
def test_another_amount_than_the_payouts_is_a_break(channel, shop, kind, off_by):
    payout, number = sent(channel, shop)
    take_in(shop)
    right = {"transfer": payout.net_fen, "transfer_fee": payout.fee_fen, "return": payout.amount_fen}[kind]
    before = shop.books()
    found = book(shop, line(kind, number, right + off_by))
    assert found == [("break", "payout_amount_differs" if kind == "return" else "line_repeated")]
    assert (state(shop, payout), shop.books()) == ("paid", before)


def test_money_that_moved_for_a_payout_that_failed_here_is_a_break(channel, shop):
    payout, number = sent(channel, shop, "denied")
    assert state(shop, payout) == "failed"
    before = shop.books()
    assert book(shop, line("transfer", number, payout.net_fen)) == [("break", "payout_failed")]
    assert (state(shop, payout), shop.books()) == ("failed", before)


# Breaks that heal ----------------------------------------------------------------------------------------------------


def test_a_break_heals_when_the_missing_step_arrives(shop):
    shop.place(60_000)
    order_id = shop.placed[0]
    early = line("settlement", order_id, 60_000, fee_fen=FEE)
    assert book(shop, early) == [("break", "illegal_move")]
    assert actions.look_again(by=WORKER, account=account_of(shop)) == 0
    shop.receive()
    assert actions.look_again(by=WORKER, account=account_of(shop)) == 1
    assert (breaks(shop), shop.fen("claim:settled")) == ([], 60_000 - FEE)
    assert actions.look_again(by=WORKER, account=account_of(shop)) == 0
    assert book(shop, early) == []


def test_breaks_of_days_that_are_closed_are_looked_at_with_the_next_statement(channel, lone):
    order_id = received(lone)
    orders.refund(by=lone.owner, merchant_id=lone.merchant_id, steps=lone.steps(ref="R1", amount_fen=10_000))
    book(lone, line("settlement", order_id, 45_000))
    channel.move(days=1)
    worker.take_statements()
    assert breaks(lone) == [("settlement", order_id, "settlement_amount_differs")]
    orders.refund(by=lone.owner, merchant_id=lone.merchant_id, steps=lone.steps(ref="R2", amount_fen=5_000))
    assert worker.take_statements() == 0  # no day is behind: nobody is asked, and nothing looked at
    assert breaks(lone) != []
    channel.move(days=1)
    assert worker.take_statements() == 1
    assert (breaks(lone), lone.fen("claim:settled")) == ([], 45_000)


def test_a_payout_that_was_not_known_yet_heals_too(channel, shop):
    payout, number = sent(channel, shop, {"name": "processing_then_paid", "seconds": 60})
    other = line("transfer", number, payout.net_fen + 1)
    assert book(shop, other) == [("break", "payout_amount_differs")]
    assert state(shop, payout) == "submitted"
    assert book(shop, line("transfer", number, payout.net_fen)) == [("booked", "")]
    assert (state(shop, payout), breaks(shop)) == ("paid", [("transfer", number, "payout_amount_differs")])
    channel.move(seconds=60)
    channel.work()


# Payouts concluded by a line -----------------------------------------------------------------------------------------


def test_a_payout_left_unknown_is_concluded_by_its_line(channel, lone):
    payout, _ = sent(channel, lone, "ok_then_timeout")
    assert state(lone, payout) == "unknown"
    assert lone.fen("cash:transit", lone.account_id) == payout.net_fen
    channel.move(days=1)
    assert worker.take_statements() == 2
    assert (state(lone, payout), breaks(lone)) == ("paid", [])
    assert (lone.fen("cash:transit", lone.account_id), lone.fen("claim:reserved")) == (0, 0)
    assert channel.executions(lone.principal) == 1


def test_a_return_that_nobody_told_of_is_found_in_the_statement(channel, lone):
    payout, _ = sent(channel, lone, {"name": "paid_then_returned", "days": 1, "notice": "never"})
    matured = lone.fen("claim:matured")
    channel.move(days=1)
    channel.work()
    channel.move(days=1)
    assert worker.take_statements() == 3
    assert (state(lone, payout), breaks(lone)) == ("returned", [])
    assert lone.fen("claim:matured") == matured + payout.amount_fen


def test_a_payout_that_was_paid_and_returned_unseen_is_concluded_as_returned(channel, shop):
    payout, number = sent(channel, shop, "ok_then_timeout")
    matured = shop.fen("claim:matured")
    assert book(shop, line("return", number, payout.amount_fen), line("transfer", number, payout.net_fen)) == [
        ("booked", ""), ("agrees", ""),
    ]  # fmt: skip
    assert (state(shop, payout), shop.fen("claim:reserved")) == ("returned", 0)
    assert shop.fen("claim:matured") == matured + payout.amount_fen


def test_a_line_is_proof_while_the_worker_that_sent_is_still_at_it(channel, shop):
    sent(channel, shop)
    payout = shop.ask(10_000)
    payouts.begin(by=WORKER, merchant_id=shop.merchant_id, id=payout.id, worker="gone")
    number = payout_queries.attempt(shop.merchant_id, payout.id).request_no
    assert book(shop, line("transfer", number, payout.net_fen)) == [("booked", "")]
    late = Answer(Verdict.UNKNOWN, "timeout")
    args = {"by": WORKER, "merchant_id": shop.merchant_id, "id": payout.id, "dedupe": Dedupe.STRICT}
    assert payouts.record(**args, answer=late, window=timedelta(minutes=5)) == "paid"


# Which days are fetched ----------------------------------------------------------------------------------------------


def test_an_open_day_is_fetched_again_until_it_is_final(channel, lone):
    sent(channel, lone)
    day = today()
    assert take_in(lone) == [2]
    assert Statement.objects.get(merchant_id=lone.merchant_id, day=day).final is False
    sent(channel, lone, amount_fen=10_000)
    channel.move(days=1)
    assert day in queries.days_to_fetch(account_of(lone))
    assert worker.take_statements() == 2
    kept = Statement.objects.get(merchant_id=lone.merchant_id, day=day)
    assert (kept.final, kept.lines) == (True, 4)
    assert queries.days_to_fetch(account_of(lone)) == []


def test_every_day_from_the_first_to_yesterday_is_fetched_once(channel, lone):
    assert queries.days_to_fetch(account_of(lone)) == []
    first = today()
    channel.move(days=3)
    assert queries.days_to_fetch(account_of(lone)) == [first + timedelta(days=n) for n in range(3)]
    assert account_of(lone) in queries.accounts_behind()
    worker.take_statements()
    assert queries.days_to_fetch(account_of(lone)) == queries.accounts_behind() == []
    asked = channel.calls("get_statement")
    worker.take_statements()
    assert channel.calls("get_statement") == asked


def test_a_channel_that_is_down_is_asked_again(channel, lone):
    channel.move(days=1)
    port, channel.port = channel.port, 1
    channel.connect()
    channel.port = port
    with pytest.raises(ChannelDown):
        take_in(lone)
    assert worker.take_statements() == 0
    assert len(queries.days_to_fetch(account_of(lone))) == 1
    channel.connect()
    worker.take_statements()
    assert queries.days_to_fetch(account_of(lone)) == []


# Who may see ---------------------------------------------------------------------------------------------------------


def test_statements_and_breaks_are_their_merchants_and_come_page_by_page(channel, lone):
    other = open_shop()
    book(lone, *(line("settlement", f"D-{n}", 100, no=f"{n}") for n in range(3)))
    channel.move(days=2)
    worker.take_statements()
    for read in (queries.breaks, queries.statements):
        with pytest.raises(NotFound):
            read(other.owner, lone.merchant_id)
        assert read(other.owner, other.merchant_id)[2:] == []
    found = queries.breaks(lone.owner, lone.merchant_id)
    assert [each.no for each in found] == ["0", "1", "2"]
    start = (found[0].day, found[0].channel_account_id, found[0].no)
    assert [each.no for each in queries.breaks(lone.owner, lone.merchant_id, after=start, limit=1)] == ["1"]
    days = queries.statements(lone.owner, lone.merchant_id)
    assert [each.day for each in days] == [today() - timedelta(days=1), today() - timedelta(days=2)]
    before = (days[0].day, days[0].channel_account_id)
    assert [each.day for each in queries.statements(lone.owner, lone.merchant_id, before=before)] == [days[1].day]
