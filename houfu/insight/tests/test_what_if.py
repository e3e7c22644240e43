"""A past lived through again: as it was it comes out as it was, as supposed it comes out otherwise, and nobody's books
move by it."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from houfu.insight import actions
from houfu.insight.actions import Supposed
from houfu.kernel import clock as clocks
from houfu.kernel import db, ids
from houfu.kernel.errors import Forbidden, NotFound, Refused
from houfu.ledger import actions as ledger
from houfu.ledger.actions import Account, Line
from houfu.limits import actions as limits
from houfu.merchants import actions as merchants
from houfu.orders import actions as orders
from houfu.people.actor import WholeMerchantNeeded
from houfu.policies import queries as policies
from houfu.testing.world import OPERATOR, WORKER, open_shop, pool

pytestmark = pytest.mark.usefixtures("db")


def tables():
    """Return how many rows every table has, and by which transaction the latest was written: any write shows."""
    names = db.rows(
        "SELECT oid::regclass::text AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        " AND has_table_privilege(oid, 'SELECT') ORDER BY 1"
    )
    parts = [f"SELECT '{t.name}', count(*), max(xmin::text::bigint) FROM {t.name}" for t in names]
    return db.rows(" UNION ALL ".join(parts), into=lambda *row: row)


def tried(shop, **supposed):
    return actions.what_if(by=OPERATOR, merchant_id=shop.merchant_id, supposed=Supposed(**supposed))


def other_policy(**parts):
    """Return the policy in force with other numbers, such as orders={"tolerance_permille": 2000}."""
    policy = policies.at(clocks.now())
    changed = {name: structs.replace(getattr(policy, name), **numbers) for name, numbers in parts.items()}
    return structs.replace(policy, version="supposed", **changed)


def a_busy_past(clock):
    """Every way in which limit is given, drawn and given back, and a few orders that found none."""
    shop = open_shop(stores=3, own_limit_fen=1_000_000)
    one, two, three = shop.stores
    pool_id = pool(shop, share=1, grant_fen=300_000, contribution_fen=100_000)
    clock.move(hours=1)
    shop.place_in([(one, 800_000), (one, 300_000), (two, 900_000), (three, 5_000_000)], ["A1", "A2", "A3", "A4"])
    clock.move(hours=2)
    limits.note_tolerance(by=shop.owner, merchant_id=shop.merchant_id, store_id=one, note="双十一备货已到")
    shop.place_in([(one, 600_000), (one, 600_000), (two, 50_000)], ["B1", "B2", "B3"])
    limits.lend(by=OPERATOR, merchant_id=shop.merchant_id, store_id=two, amount_fen=400_000)
    clock.move(hours=1)
    shop.place_in([(two, 350_000), (two, 90_000), (three, 200_000)], ["C1", "C2", "C3"])
    orders.cancel(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps("B3"))
    orders.refund(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps("A1", ref="R1", amount_fen=150_000))
    shop.receive("A1", "A3", "C1")
    clock.move(days=1)
    shop.settle({"A3": 900_000, "A1": 650_000})
    limits.freeze_pool(by=shop.owner, merchant_id=shop.merchant_id, id=pool_id)
    shop.place_in([(one, 950_000), (two, 700_000), (three, 900_000)], ["D1", "D2", "D3"])
    limits.unfreeze_pool(by=shop.owner, merchant_id=shop.merchant_id, id=pool_id)
    merchants.freeze_store(by=OPERATOR, merchant_id=shop.merchant_id, id=three, reason="disputes")
    shop.place_in([(three, 10_000), (one, 10_000)], ["E1", "E2"])
    merchants.unfreeze_store(by=OPERATOR, merchant_id=shop.merchant_id, id=three)
    limits.reduce(by=OPERATOR, merchant_id=shop.merchant_id, store_id=three, amount_fen=100_000, reason="逾期")
    small = [f"F{n}" for n in range(60)]
    shop.place_in([(three, 1_000)] * 60, small)
    shop.receive(*small)
    shop.settle(dict.fromkeys(small, 1_000))
    clock.move(days=20)
    orders.fall_due(by=WORKER, merchant_id=shop.merchant_id, steps=shop.steps("C1"))
    orders.write_off(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps("C1"))
    shop.place_in([(one, 400_000), (two, 2_000_000), (three, 100_000)], ["G1", "G2", "G3"])
    clock.move(hours=3)
    return shop


def test_the_past_as_it_was_comes_out_as_it_was(clock):
    shop = a_busy_past(clock)
    reasons = {row.reasons[0] for row in declined(shop)}
    assert reasons >= {"limit_exceeded", "tolerance_note_missing", "store_frozen"}
    found = tried(shop)
    assert (found["reproduced"], found["differences"], found["not_done_then"]) == (True, 0, {})
    assert found["orders"] == 78
    assert found["then"] == found["now"]
    assert found["then"]["orders_refused"] == len(declined(shop))
    assert found["then"]["tolerance_fen"] > 0
    assert found["taken_only_now"] == found["refused_only_now"] == {"orders": 0, "fen": 0}


def declined(shop):
    return db.rows(
        "SELECT id, reasons, amount_fen FROM orders_order WHERE merchant_id = %s AND reasons IS NOT NULL",
        [shop.merchant_id],
    )


def test_a_pool_s_members_and_changes_come_out_as_they_were(clock):
    """Probation, suspension, leaving, another ratio, a reach beyond it, sharing switched off, winding down."""
    shop = open_shop(stores=3, own_limit_fen=100_000)
    one, two, three = shop.stores
    pool_id = pool(shop, share=2, grant_fen=500_000, contribution_fen=10_000)
    at = {"by": shop.owner, "merchant_id": shop.merchant_id}
    number = iter(range(100))

    def ask(*amounts):
        clock.move(hours=1)
        wanted = [(store, fen) for fen in amounts for store in shop.stores]
        return shop.place_in(wanted, [f"M{next(number)}" for _ in wanted])

    def end():
        steps = shop.steps(*shop.placed)
        orders.cancel(by=shop.owner, merchant_id=shop.merchant_id, steps=steps)

    ask(150_000)
    end()
    limits.suspend_member(**at, pool_id=pool_id, store_id=two, reason="盘点中")
    ask(150_000)
    end()
    limits.resume_member(**at, pool_id=pool_id, store_id=two)
    limits.leave_pool(**at, pool_id=pool_id, store_id=three)
    ask(150_000)
    end()
    limits.join_pool(**at, pool_id=pool_id, store_id=three, contribution_fen=20_000)
    ask(95_000, 100_000)
    end()
    merchants.set_sharing(**at, id=one, sharing=False)
    ask(110_000)
    end()
    merchants.set_sharing(**at, id=one, sharing=True)
    limits.freeze_pool(**at, id=pool_id)
    ask(110_000)
    end()
    limits.unfreeze_pool(**at, id=pool_id)
    limits.wind_down(**at, pool_id=pool_id)
    ask(95_000, 10_000)
    found = tried(shop)
    assert (found["first_differences"], found["not_done_then"]) == ([], {})
    assert 0 < found["then"]["orders_refused"] < found["orders"]


def test_nothing_of_it_stays(clock):
    shop = a_busy_past(clock)
    before, books, now = tables(), shop.books(), clocks.now()
    tried(shop, policy=other_policy(orders={"tolerance_permille": 2000}), changes_fen={shop.store: 10**9})
    assert (tables(), shop.books(), clocks.now()) == (before, books, now)


def test_it_leaves_nothing_where_it_breaks_off(clock, monkeypatch):
    shop = a_busy_past(clock)
    before = tables()

    def broken(**_):
        raise RuntimeError("broken off")

    monkeypatch.setattr("houfu.limits.actions.repay_loan", broken)
    with pytest.raises(RuntimeError, match="broken off"):
        tried(shop)
    assert tables() == before


def test_the_database_lets_a_double_see_nobody_else(clock, monkeypatch):
    """What keeps merchants apart keeps the run apart, whatever it tries."""
    shop = a_busy_past(clock)
    seen = []

    def look(self, hands, progress):
        seen.extend(db.rows("SELECT merchant_id FROM orders_order UNION ALL SELECT merchant_id FROM ledger_account"))
        db.rows("UPDATE orders_order SET refunded_fen = 1 WHERE merchant_id = %s", [shop.merchant_id])
        self.decisions = {}

    monkeypatch.setattr("houfu.insight.replay.Replay.run", look)
    before = tables()
    assert tried(shop)["orders"] == 0
    assert (seen, tables()) == ([], before)


def test_a_higher_limit_takes_what_was_refused(clock):
    shop = open_shop(own_limit_fen=100_000)
    clock.move(hours=1)
    shop.place_in([(shop.store, 90_000), (shop.store, 50_000)], ["H1", "H2"])
    clock.move(hours=2)
    shop.place_in([(shop.store, 5_000)], ["H3"])
    found = tried(shop, changes_fen={shop.store: 50_000})
    assert found["taken_only_now"] == {"orders": 1, "fen": 50_000}
    assert (found["then"]["orders_refused"], found["now"]["orders_refused"]) == (1, 0)
    assert (found["then"]["refused_fen"], found["then"]["refused_by_reason"]) == (50_000, {"limit_exceeded": 1})
    assert (found["then"]["peak_exposure_fen"], found["now"]["peak_exposure_fen"]) == (95_000, 145_000)
    assert (found["then"]["exposure_fen_hours"], found["now"]["exposure_fen_hours"]) == (180_000, 280_000)
    assert [(store["code"], store["now"]["orders_taken"]) for store in found["stores"]] == [("S1", 3)]


def test_a_lower_limit_comes_into_force_as_far_as_it_is_free(clock):
    shop = open_shop(own_limit_fen=100_000)
    shop.place_in([(shop.store, 60_000)], ["L1"])
    clock.move(hours=1)
    begins = clocks.now()
    shop.place_in([(shop.store, 30_000)], ["L2"])
    orders.cancel(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps("L1"))
    shop.place_in([(shop.store, 60_000)], ["L3"])
    found = tried(shop, changes_fen={shop.store: -70_000}, begins=begins)
    assert found["refused_only_now"] == {"orders": 2, "fen": 90_000}
    assert found["orders"] == 2  # what lies before counts for nothing, and is lived through as it was
    assert found["now"]["peak_exposure_fen"] == 60_000  # and what it left open is there


def test_what_would_have_been_taken_gives_its_limit_back_as_its_store_s_orders_did(clock):
    shop = open_shop(own_limit_fen=100_000)
    shop.place_in([(shop.store, 10_000)] * 5, [f"K{n}" for n in range(5)])
    clock.move(hours=10)
    orders.cancel(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(*shop.placed))
    shop.place_in([(shop.store, 150_000)], ["M1"])  # refused, and with 100,000 more taken for ten hours
    clock.move(hours=9)
    shop.place_in([(shop.store, 90_000)], ["M2"])
    clock.move(hours=2)
    shop.place_in([(shop.store, 5_000)], ["M3"])
    found = tried(shop, changes_fen={shop.store: 100_000})
    assert found["taken_only_now"] == {"orders": 1, "fen": 150_000}
    assert found["refused_only_now"] == {"orders": 1, "fen": 90_000}
    assert found["now"]["orders_refused"] == 1


def test_another_policy_decides_from_its_instant_on(clock):
    shop = open_shop(own_limit_fen=100_000)
    limits.note_tolerance(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store, note="双十一备货已到")
    shop.place_in([(shop.store, 100_000), (shop.store, 30_000)], ["P1", "P2"])
    clock.move(hours=1)
    begins = clocks.now()
    shop.place_in([(shop.store, 30_000)], ["P3"])
    shop.place_in([(shop.store, 30_000)], ["P4"])
    generous = other_policy(orders={"tolerance_permille": 1500})
    found = tried(shop, policy=generous, begins=begins)
    assert (found["policy"], found["orders"]) == ("supposed", 2)
    assert found["taken_only_now"] == {"orders": 1, "fen": 30_000}
    assert found["now"]["tolerance_fen"] == 30_000
    assert tried(shop, policy=generous)["taken_only_now"]["orders"] == 1  # P2; then the band is used up but for 20,000
    assert tried(shop, policy=generous, ends=begins)["orders"] == 2
    assert policies.at(clocks.now()).version != "supposed"


def test_what_a_policy_would_have_refused_is_counted_and_left_out(clock):
    shop = open_shop(own_limit_fen=100_000)
    limits.lend(by=OPERATOR, merchant_id=shop.merchant_id, store_id=shop.store, amount_fen=50_000)
    shop.place_in([(shop.store, 140_000)], ["N1"])
    found = tried(shop, policy=other_policy(loans={"amount_fen": 40_000}))
    assert (found["not_done_then"], found["not_done_now"]) == ({}, {"loan.opened": 1})
    assert found["refused_only_now"] == {"orders": 1, "fen": 140_000}


def test_quota_moved_by_something_that_the_history_does_not_tell_of_is_moved_again(clock):
    shop = open_shop(own_limit_fen=100_000)
    clock.move(hours=1)
    _move_quota(by=OPERATOR, merchant_id=shop.merchant_id, store_id=shop.store, fen=-60_000)
    clock.move(hours=1)
    shop.place_in([(shop.store, 70_000)], ["Q1"])
    clock.move(hours=1)
    _move_quota(by=OPERATOR, merchant_id=shop.merchant_id, store_id=shop.store, fen=60_000)
    clock.move(hours=1)
    shop.place_in([(shop.store, 70_000)], ["Q2"])
    found = tried(shop)
    assert (found["reproduced"], found["then"]["orders_refused"], found["then"]["orders_taken"]) == (True, 1, 1)


@db.action
def _move_quota(*, by, merchant_id, store_id, fen):
    free, granted = Account("q:own:free", store_id), Account("q:grant:operator", 0)
    line = Line(free, granted, fen) if fen > 0 else Line(granted, free, -fen)
    ledger.post(merchant_id, ids.new(), "limits.convert", clocks.now(), [line])


def test_an_order_that_another_room_declined_stays_declined(fresh_db):
    shop = open_shop(own_limit_fen=100_000)
    shop.place_in([(shop.store, 500_000)], ["O1"])
    _say_otherwise(shop.merchant_id, "O1", ["buyer_line_exceeded"])
    found = tried(shop, changes_fen={shop.store: 10**8})
    assert (found["declined_for_other_reasons"], found["orders"]) == (1, 0)


def test_what_does_not_come_out_as_it_is_recorded_is_shown(fresh_db):
    shop = open_shop(own_limit_fen=100_000)
    shop.place_in([(shop.store, 500_000), (shop.store, 50_000)], ["R1", "R2"])
    _say_otherwise(shop.merchant_id, "R1", ["store_frozen"])
    found = tried(shop)
    assert (found["reproduced"], found["differences"]) == (False, 1)
    assert found["first_differences"] == [
        {
            "order_id": "R1",
            "then": {"reasons": ["store_frozen"], "legs_fen": [0, 0, 0, 0]},
            "now": {"reasons": ["limit_exceeded"], "legs_fen": [0, 0, 0, 0]},
        }
    ]


def _say_otherwise(merchant_id, order_id, reasons):
    """Alter the record of a decision, as only its owner could."""
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "UPDATE orders_order SET reasons = %s WHERE merchant_id = %s AND id = %s", [reasons, merchant_id, order_id]
        )


def test_it_is_for_those_who_see_the_whole_merchant(clock):
    shop, other = open_shop(stores=2), open_shop()
    supposed = Supposed()
    with pytest.raises(WholeMerchantNeeded):
        actions.what_if(by=shop.hire("store_manager"), merchant_id=shop.merchant_id, supposed=supposed)
    with pytest.raises(NotFound):
        actions.what_if(by=other.owner, merchant_id=shop.merchant_id, supposed=supposed)
    nobody = replace(shop.owner, scopes=frozenset({"orders:read"}))
    with pytest.raises(Forbidden):
        actions.what_if(by=nobody, merchant_id=shop.merchant_id, supposed=supposed)
    with pytest.raises(actions.NoOrders):
        actions.what_if(by=shop.owner, merchant_id=shop.merchant_id, supposed=supposed)
    with pytest.raises(actions.StoreUnknown):
        tried(shop, changes_fen={other.store: 1})


VERBS = ["place", "place", "place", "cancel", "settle", "refund", "grant", "reduce", "note", "lend", "wait"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(VERBS),
        st.integers(0, 2),
        st.integers(1, 400_000),
    ),
    min_size=5,
    max_size=40,
)


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_under_the_same_policy_nothing_changes_whatever_has_happened(clock, steps):
    shop = open_shop(stores=3, own_limit_fen=500_000)
    pool(shop, share=2, grant_fen=300_000, contribution_fen=50_000)
    open_orders: list[tuple[str, int]] = []
    for number, (verb, place, fen) in enumerate(steps):
        store = shop.stores[place]
        with suppress(Refused):
            _step(shop, clock, verb, store, fen, f"X{number}", open_orders)
    shop.place_in([(store, 100_000) for store in shop.stores], ["Z1", "Z2", "Z3"])
    found = tried(shop, policy=policies.at(clocks.now()))
    assert (found["first_differences"], found["not_done_then"]) == ([], {})
    assert found["now"] == found["then"]
    assert found["then"]["orders_taken"] + found["then"]["orders_refused"] == found["orders"] >= 3


def _step(shop, clock, verb, store, fen, name, open_orders):
    merchant = {"merchant_id": shop.merchant_id}
    if verb == "place":
        wanted = [(store, fen), (store, fen // 3 + 1)]
        for answer, (_, amount) in zip(shop.place_in(wanted, [name, name + "b"]), wanted, strict=True):
            if not answer.reasons:
                open_orders.append((answer.id, amount))
    elif verb == "wait":
        clock.move(seconds=fen * 3)
    elif verb in ("grant", "reduce"):
        more = {"reason": "逾期"} if verb == "reduce" else {}
        getattr(limits, verb)(by=OPERATOR, **merchant, store_id=store, amount_fen=fen, **more)
    elif verb == "note":
        limits.note_tolerance(by=shop.owner, **merchant, store_id=store, note="双十一备货已到")
    elif verb == "lend":
        limits.lend(by=OPERATOR, **merchant, store_id=store, amount_fen=fen)
    elif open_orders:
        order_id, amount = open_orders.pop(fen % len(open_orders))
        if verb == "cancel":
            orders.cancel(by=shop.owner, **merchant, steps=shop.steps(order_id))
        elif verb == "refund" and amount > 1:
            part = min(fen, amount - 1)
            orders.refund(by=shop.owner, **merchant, steps=shop.steps(order_id, ref="R", amount_fen=part))
            open_orders.append((order_id, amount - part))
        else:
            shop.receive(order_id)
            shop.settle({order_id: amount})


def test_time_that_is_looked_at_counts_from_where_it_begins_to_where_it_ends(clock):
    shop = open_shop(own_limit_fen=100_000)
    shop.place_in([(shop.store, 10_000)], ["T1"])
    clock.move(hours=10)
    shop.place_in([(shop.store, 20_000)], ["T2"])
    begins, ends = clocks.now() - timedelta(hours=1), clocks.now() + timedelta(hours=2)
    clock.move(hours=10)
    shop.place_in([(shop.store, 40_000)], ["T3"])
    found = tried(shop, begins=begins, ends=ends)["then"]
    assert found["orders_taken"] == 1
    assert found["exposure_fen_hours"] == 10_000 * 1 + 30_000 * 2
    assert found["peak_exposure_fen"] == 30_000


def test_a_dynamic_pool_with_bands_comes_out_as_it_was(clock):
    shop = open_shop(own_limit_fen=10_000)
    pool_id = pool(shop, share=9, grant_fen=90_000)
    at = {"by": shop.owner, "merchant_id": shop.merchant_id}
    limits.set_dynamic(**at, pool_id=pool_id, base_fen=20_000, floating_fen=30_000)
    shop.place_in([(shop.store, 25_000), (shop.store, 12_000)], ["Y1", "Y2"])
    clock.move(hours=1)
    made = limits.propose(
        **at,
        pool_id=pool_id,
        kind="forecast",
        amount_fen=20_000,
        valid_from=clocks.now(),
        valid_until=clocks.now() + timedelta(hours=5),
        reason="busy",
        source={},
    )
    limits.accept_adjustment(**at, id=made.id)
    shop.place_in([(shop.store, 20_000), (shop.store, 12_000)], ["Y3", "Y4"])
    clock.move(hours=6)
    shop.place_in([(shop.store, 2_000)], ["Y5"])
    bands = limits.propose_bands(
        **at,
        pool_id=pool_id,
        bands=[{"name": "night", "opens": "20:00", "closes": "23:00", "limit_fen": 0}],
        reason="night",
        source={},
    )
    limits.accept_bands(**at, id=bands.id)
    orders.cancel(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps("Y3"))
    clock.move(hours=4)
    shop.place_in([(shop.store, 15_000)], ["Y6"])
    found = tried(shop)
    assert (found["first_differences"], found["not_done_then"]) == ([], {})
    assert 0 < found["then"]["orders_refused"] < found["orders"]
