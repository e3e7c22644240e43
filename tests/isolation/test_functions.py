"""Functions with more rights than their caller: over columns, never over merchants (I-16)."""

import pytest
from django.db import DatabaseError, connections, transaction

from houfu.kernel import clock, isolation
from houfu.site.upkeep import ENGINE_FUNCTIONS, SHARED_TABLES
from houfu.testing.plugin import MONDAY_TEN, own_database
from houfu.testing.world import open_shop
from tests.isolation.conftest import stranger

PLATFORMS = ("buyers_look_v1", "buyers_score_v1", "buyers_unknown_v1")  # refused to every merchant


@pytest.fixture(scope="module")
def shops():
    """A and B with orders, and a stranger's session."""
    with own_database() as url, clock.standing_at(clock.SteppedClock(MONDAY_TEN)):
        a, b = open_shop(), open_shop()
        for shop in (a, b):
            shop.place(10_000, 20_000)
        with stranger(url) as there:
            yield there, a, b


def calls(a, b):
    """Return what A may try with each function: for B alone, and for B beside itself."""
    at = "'2025-11-10 10:00+08'::timestamptz"
    id_ = "gen_random_uuid()"
    packs = "(SELECT array_agg(p.digest ORDER BY p.effective_from) FROM policies_pack p)"

    def authorise(merchants, ofs, ids, stores):
        n = len(ids)
        return (
            f"SELECT state, reasons FROM orders_authorise_v1({at}, {packs}, ARRAY[{', '.join([id_] * len(merchants))}],"
            f" ARRAY{merchants}::bigint[], array_fill('x'::text, ARRAY[{len(merchants)}]),"
            f" array_fill('p'::text, ARRAY[{len(merchants)}]), array_fill(1200::bigint, ARRAY[{len(merchants)}]),"
            f" array_fill(NULL::bigint, ARRAY[{len(merchants)}]),"
            f" ARRAY{ofs}::integer[], ARRAY{ids}::text[], ARRAY{stores}::bigint[], array_fill(1::bigint, ARRAY[{n}]),"
            f" array_fill(NULL::text, ARRAY[{n}]), array_fill({at}, ARRAY[{n}]), '{{}}'::bytea[])"
        )

    def accounts(name, merchants):
        n = len(merchants)
        kinds, owners = f"array_fill('q:own:free'::text, ARRAY[{n}])", f"ARRAY{[b.store] * n}::bigint[]"
        return f"SELECT * FROM {name}(ARRAY{merchants}::bigint[], {kinds}, {owners})"

    def append(merchants):
        n = len(merchants)
        text = f"array_fill('x'::text, ARRAY[{n}])"
        return (
            f"SELECT history_append_v1(ARRAY{merchants}::bigint[], array_fill({at}, ARRAY[{n}]), {text},"
            f" array_fill('a.b'::text, ARRAY[{n}]), {text}, array_fill('{{}}'::text, ARRAY[{n}]),"
            f" array_fill(NULL::bytea, ARRAY[{n}]))"
        )

    def post(merchants):
        n = len(merchants)
        return (
            f"SELECT ledger_post_v1(ARRAY{merchants}::bigint[], array_fill({id_}, ARRAY[{n}]),"
            f" array_fill('x'::text, ARRAY[{n}]), array_fill({at}, ARRAY[{n}]),"
            f" array_fill('q:own:held'::text, ARRAY[{n}]), ARRAY{[b.store] * n}::bigint[],"
            f" array_fill('q:own:free'::text, ARRAY[{n}]), ARRAY{[b.store] * n}::bigint[],"
            f" array_fill(1::bigint, ARRAY[{n}]))"
        )

    def free(merchants, ids):
        return f"SELECT * FROM orders_free_lines_v1(ARRAY{merchants}::bigint[], ARRAY{ids}::text[])"

    score = f"sha256('x'), 600, {at}, 'platform', '', 1, NULL, NULL, 'p', 'x', {at}"
    me, them = a.merchant_id, b.merchant_id
    return {
        "buyers_look_v1": ["SELECT * FROM buyers_look_v1(sha256('x'))"],
        "buyers_score_v1": [f"SELECT * FROM buyers_score_v1({score})"],
        "buyers_unknown_v1": [f"SELECT * FROM buyers_unknown_v1({at}, 10)"],
        "orders_free_lines_v1": [free([them], [b.placed[0]]), free([me, them], [a.placed[0], b.placed[0]])],
        "history_append_v1": [append([them]), append([me, them])],
        "ledger_lock_v1": [accounts("ledger_lock_v1", [them]), accounts("ledger_lock_v1", [me, them])],
        "ledger_open_v1": [accounts("ledger_open_v1", [them]), accounts("ledger_open_v1", [me, them])],
        "ledger_post_v1": [post([them]), post([me, them])],
        "orders_authorise_v1": [
            authorise([them], [1], ["new"], [b.store]),
            authorise([them], [1], [b.placed[0]], [b.store]),
            authorise([me, them], [1, 2], ["new", "new"], [a.store, b.store]),
            authorise([me], [1], ["new"], [b.store]),
        ],
        "kernel_merchant_v1": ["SELECT kernel_merchant_v1()"],
    }


def test_every_function_with_more_rights_is_tried(shops):
    there, a, b = shops
    found = there.admin.execute(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"
    ).fetchall()
    assert {name for (name,) in found} == set(ENGINE_FUNCTIONS) == set(calls(a, b))


def test_none_of_them_writes_to_b_or_tells_of_it(shops):
    there, a, b = shops
    before = there.of_b(b.merchant_id)
    told = {
        call: there.attempt(call, there.word(a.merchant_id)) for name in ENGINE_FUNCTIONS for call in calls(a, b)[name]
    }
    allowed = ["42501", "HF101"]  # refused by a policy; no such account, as where there is none
    for call, outcome in told.items():
        if "kernel_merchant" in call:
            assert outcome == [(a.merchant_id,)]
        elif "orders_authorise" in call and outcome not in allowed:
            [(states, reasons)] = outcome
            assert (states[-1], reasons[-1]) == ("refused", "store_unknown"), call
        else:
            assert outcome in allowed, (call, outcome)
    assert there.of_b(b.merchant_id) == before


def test_the_same_calls_work_for_b_itself(shops):
    """Or the refusals above would say nothing."""
    there, a, b = shops
    for name in ENGINE_FUNCTIONS:
        outcome = there.attempt(calls(a, b)[name][0], there.word(None if name in PLATFORMS else b.merchant_id))
        assert not isinstance(outcome, str), (name, outcome)


def test_the_helpers_of_those_functions_are_bound_by_the_callers_policies(shops):
    there, a, b = shops
    word = there.word(a.merchant_id)
    them, store = b.merchant_id, b.store
    assert there.attempt(f"SELECT * FROM limits_facts_v1('{{{them}}}', '{{{store}}}')", word) == []
    assert there.attempt(f"SELECT * FROM limits_reach_v1({them}, '{{{store}}}', NULL, now(), now())", word) == []
    assert there.attempt(f"SELECT * FROM limits_pool_usable_v1({them}, 1, now(), 5)", word) == []
    assert there.attempt(f"SELECT * FROM limits_pool_turns_v1({them}, 1, now(), now())", word) == []
    plan = f"SELECT * FROM limits_plan_v1('{{{them}}}', '{{{store}}}', '{{1}}', '{{2025-11-10}}', '{{NULL}}')"
    assert there.attempt(plan, word) == []
    assert there.attempt(plan, there.word(them)) != []


def test_a_function_nobody_has_listed_stops_the_migration(shops):
    def migrate(*statements):
        with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            isolation.apply(cursor, ENGINE_FUNCTIONS, SHARED_TABLES)
            transaction.set_rollback(True, using="owner")

    definer = "CREATE FUNCTION {}() RETURNS void LANGUAGE plpgsql SECURITY DEFINER {} AS 'BEGIN {} END'"
    fixed, enter = "SET search_path = public, pg_temp", "PERFORM kernel_enter_v1();"
    migrate()
    for statements in (
        [definer.format("unlisted_v1", fixed, enter)],
        ["DROP FUNCTION ledger_open_v1", definer.format("ledger_open_v1", "", enter)],
        ["DROP FUNCTION ledger_open_v1", definer.format("ledger_open_v1", fixed, "")],
        ["DROP FUNCTION ledger_open_v1", definer.format("ledger_open_v1", fixed, "NULL; " + enter)],
        ["CREATE MATERIALIZED VIEW all_orders AS SELECT * FROM orders_order"],
    ):
        with pytest.raises(DatabaseError) as refused:
            migrate(*statements)
        assert refused.value.__cause__.sqlstate == "HF005", statements


def test_a_new_table_and_a_new_view_are_taken_under_the_policies_without_being_named(shops):
    there, a, _ = shops
    with connections["owner"].cursor() as cursor:
        cursor.execute("CREATE TABLE fresh_table (merchant_id bigint, id bigint, PRIMARY KEY (merchant_id, id))")
        cursor.execute("CREATE VIEW fresh_view AS SELECT * FROM fresh_table")
        with transaction.atomic(using="owner"):
            isolation.apply(cursor, ENGINE_FUNCTIONS, SHARED_TABLES)
    there.admin.execute("INSERT INTO fresh_table VALUES (%s, 1), (0, 1)", [a.merchant_id])
    for name in ("fresh_table", "fresh_view"):
        seen = there.attempt(f"SELECT merchant_id FROM {name}", there.word(a.merchant_id))
        assert seen == [(a.merchant_id,)]
    with connections["owner"].cursor() as cursor:
        cursor.execute("DROP VIEW fresh_view; DROP TABLE fresh_table")
