"""A plan made without locks, and the proof it is given after the last lock, against what is decided under locks.

Each stands behind the other: were one wrong, answers would still be right, but nothing would be left behind it.
"""

import itertools
from datetime import timedelta

import pytest
from django.db import Error, transaction
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from houfu.kernel import db, ids
from houfu.kernel.clock import SteppedClock, shanghai, standing_at
from houfu.limits import actions as limits
from houfu.limits.models import Member
from houfu.merchants import actions as merchants
from houfu.orders import actions as orders
from houfu.testing.world import OPERATOR, file_pool, open_shop, pool, signed_pool

pytestmark = pytest.mark.usefixtures("platform", "clock")
NINE = shanghai(2025, 11, 11, 9)
NUMBERS = itertools.count()
OWN = 1_000  # fen of own limit that each store has


def place(shop, demands):
    """Decide orders of (place of the store, amount) before the day begins."""
    wanted = [
        orders.NewOrder(shop.merchant_id, f"P{next(NUMBERS)}", shop.stores[s], fen, NINE - timedelta(hours=1))
        for s, fen in demands
    ]
    return orders.authorise(by=shop.owner, orders=wanted)


def columns(shop, demands):
    """Return demands of (place of the store, amount, minutes after nine) as columns."""
    stores, amounts, minutes = zip(*demands, strict=True)
    return (
        [shop.merchant_id] * len(demands), [shop.stores[s] for s in stores], list(amounts),
        [NINE + timedelta(minutes=at) for at in minutes],
    )  # fmt: skip


def planned(shop, demands, gate_fen):
    """Return what each demand would stand on by the plan: own, pool, temporary and which pool; None without a plan."""
    found = db.rows(
        "SELECT * FROM limits_plan_v1(%s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[],"
        " array_fill(%s::bigint, ARRAY[%s]))",
        [*columns(shop, demands), gate_fen, len(demands)],
    )
    return list(zip(*found[0], strict=True)) if found else None


def exact(shop, demands, gate_fen):
    """Return the same by the way under locks; None where something does not fit, or needs tolerance."""
    with transaction.atomic():
        (found,) = db.call(
            "limits_draw_v1", [0] * len(demands), *columns(shop, demands), [gate_fen] * len(demands), None, None, None
        )
        transaction.set_rollback(True)
    if any(found.reasons):
        return None
    return list(zip(found.own_fen, found.pool_fen, found.temp_fen, found.pool_id, strict=True))


def proved(shop, demands, gate_fen, pool_id):
    """Whether demands may stand on a pool alone, by the proof after the last lock; nothing is kept."""
    merchant, stores, amounts, instants = columns(shop, demands)
    none, batch = [0] * len(demands), [ids.new()] * len(demands)
    try:
        with transaction.atomic():
            db.call(
                "limits_book_v1", batch, merchant, stores, instants, none, amounts, none, none,
                [pool_id] * len(demands), [gate_fen] * len(demands), True,
            )  # fmt: skip
            transaction.set_rollback(True)
    except Error as error:
        if not {error.__cause__.sqlstate, error.__cause__.diag.constraint_name} & {"HF203", "ledger_account_floor"}:
            raise
        return False
    return True


def only_pool(shop):
    return db.rows("SELECT id FROM limits_pool WHERE merchant_id = %s ORDER BY id", [shop.merchant_id])[0].id


DEMANDS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from((1, 300, 999, 1_000, 1_001, 2_000)), st.integers(0, 59)),
    min_size=1, max_size=6,
)  # fmt: skip
STATES = st.fixed_dictionaries({
    "share": st.integers(1, 3),
    "grant": st.sampled_from((100, 1_500, 4_000, 9_000)),
    "gone": st.sampled_from(((0, 1, 2), (0, 1, 2), (0, 1), ())),  # stores whose own limit is used up
    "drawn": DEMANDS | st.just([]),  # before
    "loan": st.sampled_from((0, 0, 500)),  # of the first store
    "apart": st.sampled_from((None, None, 1)),  # a store that has stopped to share
    "reaches": st.sampled_from((None, None, 2)),  # a store that somebody lets reach beyond the ratio
    "base": st.sampled_from((None, None, 500, 2_500)),  # what caps the pool
    "filed": st.sampled_from((None, -10, 30)),  # minutes after nine
    "gate": st.sampled_from((None, None, 2_000)),
})  # fmt: skip
PLAIN = {
    "share": 3, "grant": 9_000, "gone": (0, 1, 2), "drawn": [], "loan": 0, "apart": None, "reaches": None, "base": None,
    "filed": None, "gate": None,
}  # fmt: skip


def set_up(state):
    """Open a shop of three stores that share a pool, in some state, at eight."""
    shop = open_shop(stores=3, own_limit_fen=OWN)
    pool_id = pool(shop, share=state["share"], grant_fen=state["grant"])
    key = {"by": OPERATOR, "merchant_id": shop.merchant_id}
    if state["loan"]:
        limits.lend(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store, amount_fen=state["loan"])
    if state["gone"]:
        place(shop, [(s, OWN) for s in state["gone"]])
    if state["drawn"]:
        place(shop, [(s, fen) for s, fen, _ in state["drawn"]])
    if state["base"] is not None:
        limits.set_dynamic(**key, pool_id=pool_id, base_fen=state["base"], floating_fen=0, auto_fen=10**6)
    if state["filed"] is not None:
        file_pool(shop, NINE + timedelta(minutes=state["filed"]))
    if state["apart"] is not None:
        apart = shop.stores[state["apart"]]
        merchants.set_sharing(by=shop.owner, merchant_id=shop.merchant_id, id=apart, sharing=False)
    if state["reaches"] is not None:
        Member.objects.filter(merchant_id=shop.merchant_id, store_id=shop.stores[state["reaches"]]).update(
            extra_fen=700, extra_until=NINE + timedelta(minutes=30)
        )
    return shop


@settings(max_examples=60, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(state=STATES, demands=DEMANDS)
@example(state=PLAIN, demands=[(0, 1_000, 0), (1, 2_000, 0)])
@example(state={**PLAIN, "share": 1}, demands=[(0, 1_001, 0)])  # beyond the ratio
@example(state={**PLAIN, "reaches": 2}, demands=[(2, 1_000, 0)])
@example(state={**PLAIN, "base": 500}, demands=[(0, 1_000, 0)])
@example(state={**PLAIN, "base": 500, "grant": 1_500}, demands=[(0, 300, 0), (1, 999, 0)])
@example(state={**PLAIN, "filed": 30, "gate": 2_000}, demands=[(0, 2_000, 0), (1, 1_000, 59)])
@example(state={**PLAIN, "apart": 1}, demands=[(0, 300, 0), (1, 300, 0)])
@example(state={**PLAIN, "grant": 1_500}, demands=[(0, 1_000, 0), (1, 1_000, 0)])
@example(state={**PLAIN, "gate": 2_000}, demands=[(0, 1_000, 0), (1, 1_001, 0)])
def test_a_plan_and_its_proof_say_what_is_decided_under_locks(state, demands):
    """G5, G6, G9, G10, L5: whatever they let through, the way under locks lets through on the same sources."""
    with standing_at(SteppedClock(NINE - timedelta(hours=1))) as clock:
        shop = set_up(state)
        clock.move(hours=2)
        decided = exact(shop, demands, state["gate"])
        plan = planned(shop, demands, state["gate"])
        assert plan in (None, decided)
        pool_id = only_pool(shop)
        if proved(shop, demands, state["gate"], pool_id):
            assert decided == [(0, fen, 0, pool_id) for _, fen, _ in demands]


@pytest.mark.parametrize("demands", [[(0, 3_000, 0)], [(0, 1_000, 0), (1, 2_000, 5), (0, 2_000, 3), (2, 1, 0)]])
def test_what_fits_into_the_pool_alone_is_planned_and_proved(demands):
    with standing_at(SteppedClock(NINE)):
        shop = set_up(PLAIN)
        pool_id = only_pool(shop)
        assert planned(shop, demands, None) == [(0, fen, 0, pool_id) for _, fen, _ in demands]
        assert proved(shop, demands, None, pool_id)


def test_stores_of_two_pools_stand_on_their_own_each():
    with standing_at(SteppedClock(NINE)):
        shop = open_shop(stores=3, own_limit_fen=OWN)
        pools = []
        for stores in (shop.stores[:2], shop.stores[2:]):
            group = merchants.form_group(
                by=shop.owner, merchant_id=shop.merchant_id, name=f"{len(stores)}店",
                channel_account_id=shop.account_id, store_ids=stores,
            )  # fmt: skip
            pools.append(signed_pool(shop, group.id, stores, share=2, grant_fen=2_000))
        place(shop, [(s, OWN) for s in range(3)])
        demands = [(0, 1_500, 0), (2, 500, 0)]
        assert planned(shop, demands, None) == [(0, 1_500, 0, pools[0]), (0, 500, 0, pools[1])]
        assert exact(shop, demands, None) == planned(shop, demands, None)
        assert not proved(shop, demands, None, pools[0])
        assert proved(shop, demands[:1], None, pools[0])


def test_a_store_that_has_own_limit_again_does_not_draw_on_the_pool_first():
    """G6: what was planned while it had none is found out."""
    with standing_at(SteppedClock(NINE)):
        shop = set_up({**PLAIN, "gone": (0, 1)})
        pool_id = only_pool(shop)
        assert proved(shop, [(0, 300, 0), (1, 300, 0)], None, pool_id)
        assert not proved(shop, [(0, 300, 0), (2, 300, 0)], None, pool_id)
