"""Several at once: a split is begun by one, and money goes one way once (I-08, I-10)."""

from houfu.channels.port import Verdict
from houfu.splits import actions as splits
from houfu.splits import queries
from houfu.splits.rules import Wanted
from houfu.testing.threads import in_threads
from houfu.testing.world import WORKER
from houfu.verify import queries as verify


def test_of_eight_workers_one_begins_a_split(chain):
    chain.rule(Wanted(chain.party().id, permille=500))
    split = chain.split(chain.sell(10_000))
    begun = in_threads(
        lambda name: splits.begin(by=WORKER, merchant_id=chain.m, id=split.id, worker=f"w{name}"), range(8)
    )
    assert sorted(map(str, begun)) == ["False"] * 7 + ["True"]
    assert chain.fen("cash:transit", chain.shop.account_id) == 5_000


def test_answers_a_refund_and_a_settlement_at_once_leave_whole_books(chain):
    mill = chain.party()
    chain.rule(Wanted(mill.id, permille=500))
    first, second = chain.sell(10_000), chain.sell(90_000)
    chain.send(first, whole=Verdict.UNKNOWN)
    chain.shop.place(20_000)
    (third,) = chain.shop.placed
    chain.shop.receive(third)
    doings = [
        lambda: chain.answer(first, Verdict.DENIED),
        lambda: chain.answer(first, Verdict.DENIED),
        lambda: chain.refund(first, 4_000),
        lambda: chain.recall(first),
        lambda: chain.shop.settle({third: 20_000}),
        lambda: chain.send(second, Verdict.PAID),
    ]
    outcomes = in_threads(lambda do: do(), doings)
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    chain.recall(first)
    assert (chain.fen("recall"), chain.lot(first).left_fen) == (0, 6_000)
    assert chain.fen("payable:party", mill.id) == 10_000
    assert queries.splits_of(chain.m, second)[0].state == "done"
    assert verify.run().findings == []
