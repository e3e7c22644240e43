"""States move along the table of moves, whoever asks: by the door, or past it in plain SQL."""

import pytest
from django.db import DatabaseError, connection

from houfu.kernel import db, states
from houfu.kernel.errors import IllegalMove
from houfu.merchants.models import Store
from houfu.merchants.states import STORE
from houfu.site.upkeep import MACHINES
from houfu.testing.threads import in_threads
from houfu.testing.world import open_shop

pytestmark = pytest.mark.usefixtures("db")
ALL = ("active", "frozen", "closed")
DOOR = states.table(open=("shut ajar", "open"), shut=("open", "shut"))


@pytest.fixture
def store():
    """The key of a store that is active."""
    shop = open_shop(own_limit_fen=0)
    return {"merchant_id": shop.merchant_id, "id": shop.store}


def state_of(store):
    return Store.objects.get(**store).state


@db.action
def step(verb, store, **changes):
    states.apply(STORE, verb, Store, store, **changes)


def by_hand(store, state):
    """Write a state past the door, as the role that runs the product, and what the state's own CHECK asks for."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("houfu_worker",)
        cursor.execute(
            "UPDATE merchants_store SET state = %s, frozen_for = CASE WHEN %s = 'frozen' THEN 'x' END"
            " WHERE merchant_id = %s AND id = %s",
            [state, state, store["merchant_id"], store["id"]],
        )


def test_a_table_of_moves_names_every_pair():
    assert states.pairs(DOOR) == {("shut", "open"), ("ajar", "open"), ("open", "shut")}


def test_the_drawing_is_the_table():
    assert list(states.diagram(DOOR)) == [
        "stateDiagram-v2",
        "    ajar --> open: open",
        "    shut --> open: open",
        "    open --> shut: shut",
    ]


def test_a_legal_step_is_taken_with_its_changes(store):
    step("freeze", store, frozen_for="frequency")
    found = Store.objects.get(**store)
    assert (found.state, found.frozen_for) == ("frozen", "frequency")


def test_a_step_that_the_state_does_not_allow_is_refused_and_nothing_changes(store):
    with pytest.raises(IllegalMove) as refused:
        step("unfreeze", store, name="other")
    assert refused.value.details == {"step": "unfreeze", "state": "active", **{k: str(v) for k, v in store.items()}}
    found = Store.objects.get(**store)
    assert (found.state, found.name) == ("active", "1 号店")


def test_a_row_that_is_not_there_takes_no_step(store):
    with pytest.raises(IllegalMove) as refused:
        step("freeze", {**store, "id": 0}, frozen_for="x")
    assert refused.value.details["state"] is None


def test_of_those_who_take_a_step_at_once_one_takes_it(store):
    outcomes = in_threads(lambda _: step("freeze", store, frozen_for="x"), range(8))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["IllegalMove"] * 7 + ["NoneType"]
    assert state_of(store) == "frozen"


@pytest.mark.parametrize("source", ALL)
@pytest.mark.parametrize("target", ALL)
def test_the_database_refuses_the_edges_that_the_table_does_not_have(store, source, target):
    if source != "active":
        by_hand(store, source)
    if source == target or (source, target) in states.pairs(STORE):
        by_hand(store, target)
        assert state_of(store) == target
    else:
        with pytest.raises(DatabaseError) as refused:
            by_hand(store, target)
        assert refused.value.__cause__.sqlstate == "HF001"
        assert state_of(store) == source


def test_one_illegal_edge_among_many_rows_stops_them_all():
    shop = open_shop(stores=3, own_limit_fen=0)
    closed = {"merchant_id": shop.merchant_id, "id": shop.stores[2]}
    by_hand(closed, "closed")
    with connection.cursor() as cursor, pytest.raises(DatabaseError):
        cursor.execute(
            "UPDATE merchants_store SET state = 'frozen', frozen_for = 'x' WHERE merchant_id = %s", [shop.merchant_id]
        )
    found = Store.objects.filter(merchant_id=shop.merchant_id).order_by("id")
    assert [store.state for store in found] == ["active", "active", "closed"]


def test_the_database_keeps_the_very_tables_of_the_rooms():
    kept = db.rows("SELECT machine, source, target FROM kernel_move")
    assert {tuple(row) for row in kept} == {(machine, *pair) for machine, pairs in MACHINES.items() for pair in pairs}


def test_every_table_with_a_machine_has_its_guard():
    guarded = db.rows(
        "SELECT encode(tgargs, 'escape') AS machine FROM pg_trigger JOIN pg_proc p ON p.oid = tgfoid"
        " WHERE proname IN ('kernel_refuse_move_v1', 'risk_refuse_move_v1') AND tgenabled = 'O'"
    )
    assert sorted(row.machine.removesuffix("\\000") for row in guarded) == sorted(MACHINES)


def test_the_product_cannot_add_a_move_for_itself():
    for statement in (
        "INSERT INTO kernel_move VALUES ('store', 'closed', 'active')",
        "UPDATE kernel_move SET target = 'active'",
        "DELETE FROM kernel_move",
        "TRUNCATE kernel_move",
        "ALTER TABLE merchants_store DISABLE TRIGGER ALL",
    ):
        with connection.cursor() as cursor, pytest.raises(DatabaseError):
            cursor.execute(statement)
