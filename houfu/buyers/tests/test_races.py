"""I-03: however many stores of however many merchants draw on one line at once, it is never exceeded; real threads."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from houfu.buyers.tests.ground import LINE_FEN, held, line, new_buyer, open_sharing, reasons, score_, sell
from houfu.kernel.errors import Refused
from houfu.limits import actions as limits
from houfu.orders import actions as orders
from houfu.testing.threads import in_threads
from houfu.testing.world import OPERATOR, pool
from houfu.verify import queries as verify

pytestmark = pytest.mark.usefixtures("platform", "clock")


def taken(outcomes):
    assert not [o for o in outcomes if isinstance(o, Exception)], outcomes
    return [d for outcome in outcomes for d in outcome if d.state == "authorised"]


@pytest.mark.slow
@pytest.mark.parametrize("exact", [False, True])
def test_stores_of_several_merchants_at_once_never_exceed_a_line(exact):
    """50,000 fen of line, 24 threads that want 3,000 fen ten times each; what fits nowhere is decided under locks."""
    shops, buyer = [open_sharing(stores=2) for _ in range(4)], new_buyer(550)
    tasks = [(shop, shop.stores[n % 2], f"{shop.merchant_id}-{n}") for shop in shops for n in range(6)]

    def draw(task):
        shop, store, name = task
        rows = [(buyer, 3_000, store)] * 10 + ([(None, 10**12, store)] if exact else [])
        return sell(shop, *rows, ids=[f"R{exact}-{name}-{n}" for n in range(len(rows))])

    got = taken(in_threads(draw, tasks))
    assert len(got) == 16
    assert held(buyer) == 48_000


@pytest.mark.slow
def test_lines_held_and_let_go_of_crosswise_neither_deadlock_nor_get_lost():
    """Batches name several buyers in opposite orders while others' orders end and scores change."""
    shops, buyers = [open_sharing() for _ in range(3)], [new_buyer(600) for _ in range(4)]

    def work(n):
        dice, shop = random.Random(n), shops[n % 3]
        for turn in range(6):
            rows = [(buyer, dice.randrange(1, 60_000)) for buyer in dice.sample(buyers, 4)]
            ids = [f"X{n}-{turn}-{m}" for m in range(4)]
            there = [d.id for d in sell(shop, *rows, ids=ids) if d.state == "authorised"]
            if there:
                part = dice.sample(there, dice.randrange(len(there)) + 1)
                steps = shop.steps(*part)
                (orders.cancel if turn % 2 else orders.ship)(by=shop.owner, merchant_id=shop.merchant_id, steps=steps)
            if turn == 3:
                score_(buyers[n % 4], dice.choice([550, 600, 650]), later=n + 1)

    outcomes = in_threads(work, range(9))
    assert [o for o in outcomes if o is not None and not isinstance(o, Refused)] == []
    assert [o for o in outcomes if o is not None] == []
    assert verify.run("i03").findings == []


@pytest.mark.slow
def test_an_order_asked_for_twice_at_once_holds_once():
    shop, buyer = open_sharing(), new_buyer(550)
    outcomes = in_threads(lambda _: sell(shop, (buyer, 20_000), ids=[f"twice-{buyer}"]), range(8))
    assert sorted(d.repeated for d in taken(outcomes)) == [False] + [True] * 7
    assert held(buyer) == 20_000


ROWS = st.lists(
    st.tuples(st.integers(-1, 2), st.integers(1, 60_000), st.integers(0, 1)), min_size=1, max_size=10
)  # fmt: skip


def twin(own, share_fen):
    shop = open_sharing(stores=2, own_limit_fen=own)
    pool(shop, share=2, grant_fen=share_fen)
    return shop, [new_buyer(550), new_buyer(550), new_buyer(None)]


@settings(max_examples=25, deadline=None)
@given(own=st.integers(10_000, 90_000), share=st.integers(0, 90_000), batches=st.lists(ROWS, min_size=1, max_size=3))
def test_both_ways_of_deciding_a_batch_give_the_same_answers(own, share, batches):
    """G6, O5: what fits is decided without locks, all else order by order; an order of 10¹² fen fits nowhere."""
    (one, ones), (other, others) = twin(own, share), twin(own, share)
    for batch in batches:
        answers = []
        for shop, buyers, more in ((one, ones, []), (other, others, [(None, 10**12)])):
            rows = [(buyers[b] if b >= 0 else None, fen, shop.stores[s]) for b, fen, s in batch]
            found = sell(shop, *rows, *more)[: len(batch)]
            answers.append([(d.state, d.reasons, d.own_fen, d.pool_fen, d.tolerance_fen) for d in found])
        assert answers[0] == answers[1]
        assert [held(b) for b in ones[:2]] == [held(b) for b in others[:2]]


ENDS = ("cancel", "refund", "settle", "expire")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("sell"), st.integers(0, 1), st.integers(0, 2), st.integers(1, 40_000)),
        st.tuples(st.just("end"), st.sampled_from(ENDS), st.integers(0, 20), st.integers(1, 99)),
        st.tuples(st.just("score"), st.integers(0, 2), st.sampled_from([0, 550, 600]), st.just(0)),
    ),
    min_size=1, max_size=14,
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_what_buyers_hold_is_what_their_open_orders_stand_on(steps):
    """Conservation over buyers: a model of plain sums, and the books of two merchants, after every step."""
    shops, buyers = [open_sharing(), open_sharing()], [new_buyer(550) for _ in range(3)]
    open_fen, limit = {}, dict.fromkeys(buyers, LINE_FEN[550])
    for number, (what, first, second, third) in enumerate(steps):
        if what == "sell":
            shop, buyer = shops[first], buyers[second]
            fits = sum(fen for (_, b, _), fen in open_fen.items() if b == buyer) + third <= limit[buyer]
            assert reasons(sell(shop, (buyer, third))) == ["" if fits else "buyer_line_exceeded"]
            if fits:
                open_fen[first, buyer, shop.placed[0]] = third
        elif what == "score":
            limit[buyers[first]] = score_(buyers[first], second, later=number + 1).limit_fen
        elif open_fen:
            key = sorted(open_fen)[second % len(open_fen)]
            shop, id, fen = shops[key[0]], key[2], open_fen.pop(key)
            at = {"by": OPERATOR, "merchant_id": shop.merchant_id}
            if first == "refund":
                part = max(1, fen * third // 100)
                orders.refund(**at, steps=shop.steps(id, ref=f"R{number}", amount_fen=part))
                if part < fen:
                    open_fen[key] = fen - part
            elif first == "settle":
                shop.receive(id)
                shop.settle({id: fen})
                if held(key[1]) != sum(f for (_, b, _), f in open_fen.items() if b == key[1]):
                    pytest.fail("settled, and held on")
            else:
                {"cancel": orders.cancel, "expire": orders.expire}[first](**at, steps=shop.steps(id))
        for buyer in buyers:
            assert held(buyer) == sum(fen for (_, b, _), fen in open_fen.items() if b == buyer)
            assert line(buyer).limit_fen == limit[buyer]
    assert verify.run("i03").findings == []


def test_a_loan_and_a_line_are_drawn_on_together():
    shop, buyer = open_sharing(own_limit_fen=5_000), new_buyer(550)
    limits.lend(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store, amount_fen=60_000)
    [first, second] = sell(shop, (buyer, 45_000), (buyer, 10_000))
    assert (first.own_fen, first.temp_fen, second.reasons) == (5_000, 40_000, ("buyer_line_exceeded",))
    assert held(buyer) == 45_000
