"""The whole way with a channel that behaves as it likes: at most once, and an end that agrees with it (I-08, I-09)."""

import pytest

from houfu.channels import actions as channels
from houfu.channels.port import Bond, Payee
from houfu.channels.simulator.server.behaviours import SPLIT_DONE
from houfu.kernel import clock as clocks
from houfu.kernel import crash
from houfu.merchants import queries as merchants
from houfu.orders import actions as orders
from houfu.reconciliation import actions as reconciliation
from houfu.splits import actions as splits
from houfu.splits import queries, tasks
from houfu.splits.models import Binding
from houfu.splits.rules import Wanted
from houfu.splits.tests.ground import Chain
from houfu.testing.world import WORKER

POINTS = (
    "split.before_begin", "split.before_begin_commits", "split.after_begin", "wire.answer_begins", "split.after_answer",
    "split.before_record", "split.before_record_commits", "split.after_record", "split.before_repeat",
)  # fmt: skip


DEDUPES = ("strict", "racy", "none")


class Died(BaseException):
    """The process is gone; nothing catches it."""


def open_chain(channel, *, dedupe="strict"):
    """Have an order of 100,000 credited by the channel, of which a mill gets 60,000 and a carrier 10,000."""
    channel.connect(dedupe, timeout=5)
    channel.script(dedupe=dedupe, fee_permille=0)
    chain = Chain(cap_permille=None)
    channel.top_up(chain.shop.principal, 200_000)
    chain.mill, chain.sf = (
        chain.confirm(chain.register(r, f"{r}@{chain.shop.principal}")) for r in ("supplier", "carrier")
    )
    for party in (chain.mill, chain.sf):
        splits.bind(by=chain.finance, merchant_id=chain.m, id=party.id, channel_account_id=chain.shop.account_id)
    tasks.ask_channels(WORKER)
    tasks.ask_channels(WORKER)
    chain.rule(Wanted(chain.mill.id, permille=600), Wanted(chain.sf.id, permille=100))
    chain.shop.place(100_000)
    (chain.order,) = chain.shop.placed
    chain.shop.receive(chain.order)
    channels.tell(chain.account)
    channel.move(days=1)
    channel.work()
    assert chain.shop.settle_by_query({chain.order: 100_000})[0].outcome == "done"
    channel.connect(dedupe, timeout=0.15)
    return chain


def work(name="worker"):
    tasks.recall_refunds(WORKER)
    tasks.work_off(name)


def until_final(channel, chain, rows):
    """Work on as time passes until nothing is under way any more."""
    for seconds in (11, 31, 61, 61, 121, 301, 601, 601, 3700, 601, 601):
        if all(row.final_at for row in rows()):
            return
        channel.move(seconds=seconds)
        channel.work()
        channel.http.post("/control/release")
        work()
    assert all(row.final_at for row in rows()), [row.state for row in rows()]


def paid(chain):
    return sum(fen for _, fen, state in chain.parts(chain.order) if state == "paid")


def judge(channel, chain):
    """Whatever happened: at most once, and what the books say is what the channel did."""
    executions = [
        row for row in channel.http.get("/control/executions").json() if row["principal"] == chain.shop.principal
    ]
    assert all(row["times"] == 1 for row in executions)
    cash = chain.fen("cash:channel", chain.shop.account_id) + 200_000
    assert channel.balance(chain.shop.principal) == cash
    assert chain.fen("cash:transit", chain.shop.account_id) == 0
    assert chain.fen("claim:settled") + paid(chain) == 100_000


def test_the_channel_binds_says_its_cap_and_splits(channel):
    chain = open_chain(channel)
    assert queries.cap(chain.m, chain.shop.account_id) == 900
    work()
    assert chain.split(chain.order).state == "done"
    assert chain.parts(chain.order) == [(chain.mill.id, 60_000, "paid"), (chain.sf.id, 10_000, "paid")]
    judge(channel, chain)


@pytest.mark.parametrize(("behaviour", "dedupe"), [(b, DEDUPES[n % 3]) for n, b in enumerate(sorted(SPLIT_DONE))])
def test_however_the_channel_behaves_it_ends_alike_on_both_sides(channel, behaviour, dedupe):
    chain = open_chain(channel, dedupe=dedupe)
    channel.script(splits=[{"name": behaviour, "seconds": 120}])
    work()
    until_final(channel, chain, lambda: queries.splits_of(chain.m, chain.order))
    judge(channel, chain)
    done = SPLIT_DONE[behaviour]
    if done == "never" and dedupe != "strict":  # the number is never sent again, and in the end nothing was given
        done = "denied"
    assert paid(chain) == (0 if done in ("denied", "denied_later") else 60_000 if behaviour == "partial" else 70_000)


@pytest.mark.parametrize("behaviour", ["ok", "ok_then_timeout", "timeout_not_done", "denied", "processing_then_paid"])
def test_a_refund_is_asked_back_however_the_channel_behaves(channel, behaviour):
    chain = open_chain(channel)
    work()
    channel.script(split_returns=[{"name": behaviour, "seconds": 120}])
    chain.sell(200_000)  # so that the books have the cash that is refunded
    chain.refund(chain.order, 50_000)
    work()
    until_final(channel, chain, lambda: queries.returns_of(chain.m, chain.order))
    states = [back.state for back in queries.returns_of(chain.m, chain.order)]
    assert states == ["failed" if behaviour == "denied" else "returned", "returned"]
    assert (chain.fen("recall"), chain.fen("deficit")) == (0, 30_000 if behaviour == "denied" else 0)


@pytest.mark.parametrize("behaviour", ["ok", "timeout_not_done"])
@pytest.mark.parametrize("point", POINTS)
def test_a_worker_dies_at_every_point(channel, monkeypatch, point, behaviour):
    """Another takes over: whatever was not concluded is only asked about, and never given twice."""
    chain = open_chain(channel)
    channel.script(splits=[{"name": behaviour}])

    def die(reached):
        if reached == point:
            raise Died

    met = False
    with monkeypatch.context() as patched:
        patched.setattr(crash, "point", die)
        try:
            for _ in range(3):
                work()
                channel.move(seconds=61)
                channel.http.post("/control/release")
        except Died:
            met = True
    assert met or (point == "split.before_repeat" and behaviour == "ok")
    channel.move(seconds=61)
    work("another")
    until_final(channel, chain, lambda: queries.splits_of(chain.m, chain.order))
    judge(channel, chain)
    assert paid(chain) == 70_000


def test_an_account_that_the_channel_refuses_gets_nothing(channel):
    channel.connect()
    chain = Chain()
    party = chain.confirm(chain.register(account="refused@mill.example"))
    channel.script(refuses_relations=["refused@mill.example"])
    splits.bind(by=chain.finance, merchant_id=chain.m, id=party.id, channel_account_id=chain.shop.account_id)
    tasks.ask_channels(WORKER)
    assert Binding.objects.get(merchant_id=chain.m, party_id=party.id).state == "refused"


def test_one_that_is_released_is_released_there_too(channel):
    from houfu.channels import registry

    chain = open_chain(channel)
    splits.release(by=chain.finance, merchant_id=chain.m, id=chain.mill.id, channel_account_id=chain.shop.account_id)
    tasks.ask_channels(WORKER)
    assert Binding.objects.get(merchant_id=chain.m, party_id=chain.mill.id).state == "released"
    work()
    assert chain.parts(chain.order)[0] == (chain.mill.id, 0, "denied")
    adapter = registry.channel("simulator")
    payee = Payee("alipay", "nobody@mill.example", "某某")
    assert adapter.release(chain.shop.principal, payee) is Bond.RELEASED


def test_the_statement_explains_every_part_and_what_came_back(channel):
    """I-13: each line agrees with the books, also one whose answer was never heard."""
    chain = open_chain(channel)
    channel.script(splits=["ok_then_timeout"])
    work()
    assert chain.split(chain.order).state == "unknown"
    account = merchants.channel_account(chain.m, chain.shop.account_id)
    day = clocks.business_day(clocks.now())
    reconciliation.take_in(by=WORKER, account=account, day=day)
    assert chain.split(chain.order).state == "done"
    orders.refund(
        by=chain.shop.owner, merchant_id=chain.m, steps=chain.shop.steps(chain.order, amount_fen=20_000, ref="R1")
    )
    channels.tell(account)
    work()
    channel.move(days=1)
    reconciliation.take_in(by=WORKER, account=account, day=day)
    from houfu.reconciliation.models import Line

    lines = {(x.kind, x.outcome) for x in Line.objects.filter(merchant_id=chain.m)}
    assert {kind for kind, _ in lines} == {"settlement", "split", "refund", "split_return"}
    assert {outcome for _, outcome in lines} <= {"booked", "agrees"}
    assert channel.balance(chain.shop.principal) == chain.fen("cash:channel", chain.shop.account_id) + 200_000


def test_what_the_channel_says_of_a_line_must_be_ours(channel):
    from houfu.channels.port import Line

    chain = open_chain(channel)
    work()
    account = merchants.channel_account(chain.m, chain.shop.account_id)
    number = queries.attempt(chain.m, split_id=chain.split(chain.order).id).request_no
    now = clocks.now()
    lines = [
        Line("1", "split", f"{number}/1", 60_000, 0, now), Line("2", "split", f"{number}/2", 9_999, 0, now),
        Line("3", "split", f"{number}/3", 1, 0, now), Line("4", "split_return", number, 1, 0, now),
    ]  # fmt: skip
    found = reconciliation.book(by=WORKER, account=account, day=clocks.business_day(now), lines=lines)
    assert [found[n].code for n in "1234"] == ["", "split_amount_differs", "split_unknown", "split_return_unknown"]


def test_no_point_is_one_that_the_code_does_not_pass():
    from pathlib import Path

    import houfu

    text = "\n".join(path.read_text() for path in Path(houfu.__file__).parent.rglob("*.py"))
    assert [name for name in POINTS if f'crash.point("{name}")' not in text] == []
