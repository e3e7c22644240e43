"""A batch that fits is decided set-based, any other one order after another under locks: the answers are the same."""

import itertools
from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from houfu.kernel import db, ids
from houfu.kernel.clock import SteppedClock, now, shanghai, standing_at
from houfu.limits import actions as limits
from houfu.orders import actions as orders
from houfu.testing.threads import in_threads
from houfu.testing.world import OPERATOR, file_pool, open_shop, pool

pytestmark = pytest.mark.usefixtures("platform", "clock")
QUOTA = ("q:own:free", "q:own:held", "q:pool:held", "q:temp:free", "q:temp:held", "q:tolerance:held")
NUMBERS = itertools.count()
TOO_MUCH = 10**12  # fits nowhere, so that its whole batch is decided under locks


def open_twin(own_fen, grant_fen, share, loan_fen):
    shop = open_shop(stores=3, own_limit_fen=own_fen)
    pool(shop, share=share, grant_fen=grant_fen)
    if loan_fen:
        limits.lend(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store, amount_fen=loan_fen)
    return shop


def legs(shop, batch, *more):
    """Decide orders of (place of the store, amount) and return what each stands on."""
    rows = [(shop.stores[place], fen) for place, fen in batch] + [(shop.store, fen) for fen in more]
    names = [f"T{next(NUMBERS)}" for _ in rows]
    found = shop.place_in(rows, names)
    return [(d.own_fen, d.pool_fen, d.temp_fen, d.tolerance_fen) for d in found][: len(batch)]


ORDERS = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 40_000)), min_size=1, max_size=12)


@settings(max_examples=30, deadline=None)
@given(
    own=st.integers(1, 60_000), grant=st.integers(0, 200_000), share=st.integers(1, 9),
    loan=st.sampled_from((0, 5_000, 100_000)), batches=st.lists(ORDERS, min_size=1, max_size=3),
)  # fmt: skip
def test_both_ways_give_the_same_answers(own, grant, share, loan, batches):
    one, other = open_twin(own, grant, share, loan), open_twin(own, grant, share, loan)
    for batch in batches:
        assert legs(one, batch) == legs(other, batch, TOO_MUCH)
        assert [one.fen(kind, s) for kind in QUOTA for s in one.stores] == [
            other.fen(kind, s) for kind in QUOTA for s in other.stores
        ]


# What caps a pool, on a day whose orders come in from nine to twelve: half past ten is when most of it changes.
MINUTES = st.integers(0, 179)
TIMED = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 12_000), MINUTES), min_size=1, max_size=12)
NINE = shanghai(2025, 11, 11, 9)
CAPS = st.fixed_dictionaries({
    "base": st.none() | st.integers(0, 40_000),
    "floating": st.integers(0, 20_000),
    "adjustments": st.lists(
        st.tuples(st.integers(-30_000, 30_000).filter(bool), MINUTES, st.integers(1, 120)), max_size=3
    ),
    "bands": st.none() | st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40_000)), max_size=3),
})  # fmt: skip


def cap(shop, caps):
    """Let a pool be capped by settings, adjustments and bands, as of the day before nine."""
    pool_id = db.rows("SELECT id FROM limits_pool WHERE merchant_id = %s", [shop.merchant_id])[0].id
    key = {"by": OPERATOR, "merchant_id": shop.merchant_id, "pool_id": pool_id}
    if caps["base"] is not None:
        limits.set_dynamic(**key, base_fen=caps["base"], floating_fen=caps["floating"], auto_fen=10**6)
        for fen, start, minutes in caps["adjustments"]:
            begins = NINE + timedelta(minutes=start)
            limits.propose(
                **key, kind="forecast", amount_fen=fen, valid_from=begins, reason="预测",
                valid_until=begins + timedelta(minutes=minutes), source={},
            )  # fmt: skip
    if caps["bands"] is not None:
        by_half_hour = dict(caps["bands"])
        bands = [
            {"name": str(n), "opens": f"{9 + n // 2:02}:{n % 2 * 3}0",
             "closes": f"{9 + (n + 1) // 2:02}:{(n + 1) % 2 * 3}0", "limit_fen": fen}
            for n, fen in by_half_hour.items()
        ]  # fmt: skip
        made = limits.propose_bands(**key, bands=bands, reason="时段", source={})
        limits.accept_bands(by=OPERATOR, merchant_id=shop.merchant_id, id=made.id)


def timed(shop, batch, *more):
    """Decide orders of (place of the store, amount, minutes after nine), and return what each stands on."""
    rows = [*batch, *((0, fen, 0) for fen in more)]
    wanted = [
        orders.NewOrder(shop.merchant_id, f"T{next(NUMBERS)}", shop.stores[s], fen, NINE + timedelta(minutes=at))
        for s, fen, at in rows
    ]
    found = orders.authorise(by=shop.owner, orders=wanted)
    return [(d.own_fen, d.pool_fen, d.temp_fen, d.tolerance_fen) for d in found][: len(batch)]


@settings(max_examples=25, deadline=None)
@given(
    own=st.integers(1, 8_000), grant=st.integers(0, 100_000), share=st.integers(1, 9), caps=CAPS,
    loan=st.sampled_from((0, 5_000)), batches=st.lists(TIMED, min_size=1, max_size=3), ordered=st.booleans(),
)  # fmt: skip
def test_both_ways_give_the_same_answers_while_what_may_be_used_changes(
    own, grant, share, loan, caps, batches, ordered
):
    """L4, L5: each order by its own instant, whatever order they are told in."""
    with standing_at(SteppedClock(NINE - timedelta(hours=3))) as clock:
        one, other = open_twin(own, grant, share, loan), open_twin(own, grant, share, loan)
        for shop in (one, other):
            cap(shop, caps)
        clock.move(hours=7)
        for batch in batches:
            told = sorted(batch, key=lambda each: each[2]) if ordered else batch
            assert timed(one, told) == timed(other, told, TOO_MUCH)
            assert [one.fen(kind, s) for kind in QUOTA for s in one.stores] == [
                other.fen(kind, s) for kind in QUOTA for s in other.stores
            ]


@settings(max_examples=10, deadline=None)
@given(
    beyond=st.integers(-2, 2), split=st.lists(st.integers(1, 30_000_000), max_size=4), before=st.booleans(),
    filed=st.sampled_from((None, -1, 0, 1)),
)  # fmt: skip
def test_both_ways_stop_at_the_filing_gate(beyond, split, before, filed):
    """G10: the gate of each order's own instant, and from its filing on none."""
    gate_fen = 50_000_000
    at = shanghai(2023, 9, 1) - timedelta(microseconds=int(before))
    amounts = [*split, max(gate_fen + beyond - sum(split), 1)]
    with standing_at(SteppedClock(at)):
        twins = [open_twin(10_000_000, gate_fen + 20_000_000, 9, 0) for _ in range(2)]
        answers = []
        for shop, more in zip(twins, ((), (TOO_MUCH,)), strict=True):
            file_pool(shop, None if filed is None else at + timedelta(microseconds=filed))
            answers.append(legs(shop, [(0, 10_000_000), *((0, fen) for fen in amounts)], *more))
    assert answers[0] == answers[1]
    taken = sum(answer[1] for answer in answers[0])
    open_gate = before or filed in (-1, 0)
    assert taken <= (gate_fen + 20_000_000 if open_gate else gate_fen)
    if sum(amounts) <= taken or (not open_gate and beyond <= 0 and sum(split) < gate_fen):
        assert taken == sum(amounts)


@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_stores_that_stand_on_their_pool_alone_stop_at_the_filing_gate_together(beyond):
    """G10: the quick way knows the gate where no store has own limit left."""
    gate_fen, own_fen = 50_000_000, 10_000_000
    one, other = (open_twin(own_fen, gate_fen + 20_000_000, 9, 0) for _ in range(2))
    batch = [(0, 20_000_000), (1, 20_000_000), (2, 10_000_000 + beyond)]
    for shop in (one, other):
        assert legs(shop, [(place, own_fen) for place in range(3)]) == [(own_fen, 0, 0, 0)] * 3
    answers = legs(one, batch)
    assert answers == legs(other, batch, TOO_MUCH)
    assert sum(answer[1] for answer in answers) == (gate_fen + beyond if beyond <= 0 else 40_000_000)


@settings(max_examples=60, deadline=None)
@given(caps=CAPS, filed=st.none() | MINUTES, first=st.integers(-5, 185), long=st.integers(0, 60), day=st.booleans())
def test_one_instant_speaks_for_all_between_which_nothing_turns(caps, filed, first, long, day):
    """L4, L5, G10: what a batch asks once for its pool is the same for each minute of it, unless it is said to turn."""
    with standing_at(SteppedClock(NINE - timedelta(hours=3))):
        shop = open_twin(1_000, 40_000, 9, 0)
        cap(shop, caps)
    (own,) = db.rows("SELECT id, dynamic FROM limits_pool WHERE merchant_id = %s", [shop.merchant_id])
    if filed is not None:
        file_pool(shop, NINE + timedelta(minutes=filed))
    long = 1_440 if day else long
    (found,) = db.rows(
        "SELECT t.turns, v.kinds FROM limits_pool_turns_v1(%(merchant)s, %(pool)s, %(from)s, %(until)s) t,"
        " (SELECT count(DISTINCT to_jsonb(u)) AS kinds FROM generate_series(%(from)s, %(until)s, interval '1 minute') g"
        "  CROSS JOIN limits_pool_usable_v1(%(merchant)s, %(pool)s, g, 50) u) v",
        {"merchant": shop.merchant_id, "pool": own.id, "from": NINE + timedelta(minutes=first),
         "until": NINE + timedelta(minutes=first + long)},
    )  # fmt: skip
    assert found.turns or found.kinds == 1
    if filed is None and not own.dynamic:
        assert not found.turns  # nothing that it has ever turns


def test_a_capped_pool_is_planned_for_unless_its_cap_changes_between_the_demands():
    """L5: the quick way is gone with a capped pool too."""
    with standing_at(SteppedClock(NINE - timedelta(hours=3))):
        shop = open_twin(1_000, 9_000, 9, 0)
        cap(shop, {"base": 500, "floating": 0, "adjustments": [], "bands": [(0, 400)]})

    def planned(*demands):
        count = len(demands)
        columns = [[shop.merchant_id] * count, [shop.store] * count, *map(list, zip(*demands, strict=True))]
        columns[3] = [NINE + timedelta(minutes=at) for at in columns[3]]
        found = db.rows(
            "SELECT * FROM limits_plan_v1(%s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[],"
            " array_fill(NULL::bigint, ARRAY[%s]))",
            [*columns, count],
        )
        return found[0].pool_fen if found else None

    assert planned((1_000, 0), (400, 29)) == [0, 400]
    assert planned((1_000, 0), (401, 29)) is None
    assert planned((1_000, 30), (500, 59)) == [0, 500]
    assert planned((1_000, 30), (501, 59)) is None
    assert planned((1_000, 0), (100, 29), (100, 30)) is None  # 400 and 500: decided one after another
    assert planned((900, 29), (100, 30)) == [0, 0]  # nobody reaches into the pool


def test_what_caps_a_pool_is_proved_after_the_last_lock():
    """L4: a plan made before less could be used is found out."""
    shop = open_twin(1_000, 9_000, 9, 0)
    pool_id = db.rows("SELECT id FROM limits_pool WHERE merchant_id = %s", [shop.merchant_id])[0].id
    assert book(shop, 1_000, 500, 0, pool_id)[1] == 500
    limits.set_dynamic(by=OPERATOR, merchant_id=shop.merchant_id, pool_id=pool_id, base_fen=499)
    with pytest.raises(DatabaseError) as refused:
        book(shop, 1_000, 500, 0, pool_id)
    assert refused.value.__cause__.sqlstate == "HF203"
    assert book(shop, 1_000, 499, 0, pool_id)[1] == 499


def test_a_plan_that_fits_is_found_without_locks_and_one_that_does_not_is_none():
    shop = open_twin(10_000, 50_000, 2, 0)

    def planned(*amounts):
        count = len(amounts)
        columns = ([shop.merchant_id] * count, [shop.store] * count, list(amounts))
        return db.rows(
            "SELECT * FROM limits_plan_v1(%s::bigint[], %s::bigint[], %s::bigint[], array_fill(now(), ARRAY[%s]),"
            " array_fill(NULL::bigint, ARRAY[%s]))",
            [*columns, count, count],
        )

    (plan,) = planned(6_000, 6_000)
    assert (plan.own_fen, plan.pool_fen, plan.temp_fen) == ([6_000, 4_000], [0, 2_000], [0, 0])
    assert len(planned(30_000)) == 1
    assert planned(30_001) == []


def test_two_batches_at_once_that_fit_alone_but_not_together_take_no_more_than_there_is():
    shop = open_twin(1_000, 9_000, 9, 0)
    batches = [[f"C{shop.merchant_id}-{b}-{n}" for n in range(10)] for b in range(6)]
    outcomes = in_threads(lambda names: shop.place_in([(shop.store, 250)] * 10, names), batches)
    taken = sum(decision.state == "authorised" for outcome in outcomes for decision in outcome)
    assert taken * 250 == 10_000  # the band above needs a note that nobody wrote
    assert shop.fen("q:own:free") == 0
    assert shop.fen("q:pool:held") == 9_000


def book(shop, own, pool_fen, temp, pool_id):
    """Take a plan's limits for one order of the first store, as if it had been made a moment ago; return what is held.

    No order stands on it, so it is undone in the end.
    """
    with transaction.atomic():
        db.call(
            "limits_book_v1", [ids.new()], [shop.merchant_id], [shop.store], [now()], [own], [pool_fen], [temp], [0],
            [pool_id], [None], True,
        )  # fmt: skip
        held = [shop.fen(f"q:{source}:held") for source in ("own", "pool", "temp")]
        transaction.set_rollback(True)
        return held


@pytest.mark.parametrize(
    ("own", "pool_fen", "temp", "fits"),
    [
        (1_000, 500, 0, True),
        (900, 600, 0, False),  # own limit is left
        (1_000, 2_001, 0, False),  # beyond the ratio
        (1_000, 1_000, 100, False),  # on the loan, though the pool has room
        (1_000, 2_000, 100, True),
    ],
)
def test_a_plan_that_does_not_hold_any_more_is_found_out_and_moves_nothing(own, pool_fen, temp, fits):
    """G5, G6: what was planned without locks is proved after the last of them."""
    shop = open_twin(1_000, 9_000, 2, 5_000)
    pool_id = db.rows("SELECT id FROM limits_pool WHERE merchant_id = %s", [shop.merchant_id])[0].id
    before = shop.books()
    if fits:
        assert book(shop, own, pool_fen, temp, pool_id) == [own, pool_fen, temp]
        return
    with pytest.raises(DatabaseError) as refused:
        book(shop, own, pool_fen, temp, pool_id)
    assert refused.value.__cause__.sqlstate == "HF203"
    assert shop.books() == before
