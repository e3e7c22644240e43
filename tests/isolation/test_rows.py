"""As the role of the product, in A's name: no statement reads, changes, counts or finds out about a row of B (I-16)."""

from psycopg import sql

from tests.isolation.conftest import A, B

REFUSED = "42501"  # insufficient_privilege, by a policy or for want of a grant


def each(grounds, text, expected, **more):
    """Run a statement on every table and return where it came out otherwise."""
    found = {
        table: grounds.attempt(sql.SQL(text).format(table=sql.Identifier(table), **more)) for table in grounds.tables
    }
    return {table: outcome for table, outcome in found.items() if outcome != expected}


def test_there_are_rows_to_be_had(grounds):
    assert len(grounds.tables) >= 30
    counts = {
        table: grounds.admin.execute(
            sql.SQL("SELECT count(*) FROM {} WHERE merchant_id IN (1, 2)").format(sql.Identifier(table))
        ).fetchone()[0]
        for table in grounds.tables
    }
    assert set(counts.values()) == {2}


def test_a_reads_its_own_row_and_no_other(grounds):
    assert each(grounds, "SELECT merchant_id FROM {table}", [(A,)]) == {}
    assert each(grounds, "SELECT 1 FROM {table} WHERE merchant_id = 2", []) == {}
    assert each(grounds, "SELECT 1 FROM {table} WHERE merchant_id = 2 FOR UPDATE", []) == {}
    assert each(grounds, "SELECT count(*) FROM {table}", [(1,)]) == {}


def test_a_changes_nothing_of_b(grounds):
    before = grounds.of_b()
    assert each(grounds, "UPDATE {table} SET merchant_id = merchant_id WHERE merchant_id = 2", 0) == {}
    assert each(grounds, "DELETE FROM {table} WHERE merchant_id = 2", 0) == {}
    assert (
        each(
            grounds,
            "MERGE INTO {table} t USING (VALUES (2)) b (id) ON t.merchant_id = b.id WHEN MATCHED THEN DELETE",
            0,
        )
        == {}
    )
    assert each(grounds, "TRUNCATE {table}", REFUSED) == {}
    assert grounds.of_b() == before


def test_a_gives_nothing_to_b(grounds):
    assert each(grounds, "UPDATE {table} SET merchant_id = 2", REFUSED) == {}
    assert each(grounds, "UPDATE {table} SET merchant_id = 3", REFUSED) == {}
    found = {table: grounds.attempt(grounds.insert(table, 3)) for table in grounds.tables}
    assert set(found.values()) == {REFUSED}


def test_a_key_that_b_has_is_refused_like_one_that_nobody_has(grounds):
    """The policy speaks before the index: trying a key does not tell whether it is there."""
    for more in ("", "ON CONFLICT DO NOTHING"):
        for table in grounds.tables:
            assert grounds.attempt(grounds.insert(table, B, more)) == REFUSED, table
            assert grounds.attempt(grounds.insert(table, 3, more)) == REFUSED, table


def test_a_reference_to_a_row_of_b_finds_nothing(grounds):
    """A foreign key is followed past the policies, but within A's own merchant_id: it finds none of B's."""
    grounds.admin.execute(
        "INSERT INTO merchants_group (merchant_id, id, name, channel_account_id, created_at)"
        " VALUES (2, 77, '-', 1, now()) ON CONFLICT DO NOTHING"
    )
    to = "UPDATE limits_pool SET group_id = {} WHERE merchant_id = 1"
    assert [grounds.attempt(to.format(group_id)) for group_id in (1, 77, 78)] == [1, "23503", "23503"]
    grounds.admin.execute("DELETE FROM merchants_group WHERE id = 77")


def test_copying_out_gives_a_its_own_and_copying_in_is_no_way(grounds):
    for table in grounds.tables:
        with grounds.session.transaction(force_rollback=True), grounds.session.cursor() as cursor:
            cursor.execute(sql.SQL("SET LOCAL houfu.ctx = {}").format(grounds.word()))
            with cursor.copy(
                sql.SQL("COPY (SELECT merchant_id FROM {}) TO STDOUT").format(sql.Identifier(table))
            ) as out:
                assert b"".join(bytes(part) for part in out).split() == [b"1"], table
    assert each(grounds, "COPY {table} FROM STDIN", "0A000") == {}


def test_an_expression_that_fails_on_a_row_of_b_never_sees_it(grounds):
    """What could tell of a row by failing, or by how long it takes, is not asked before the policy."""
    assert each(grounds, "SELECT 1 FROM {table} WHERE 1 / (merchant_id - 2) > 5", []) == {}
    assert each(grounds, "UPDATE {table} SET merchant_id = 1 WHERE 1 / (merchant_id - 2) > 5", 0) == {}


def test_the_platform_sees_both_and_merchants_together_are_no_word(grounds):
    assert grounds.attempt("SELECT merchant_id FROM orders_order ORDER BY 1", grounds.word(None)) == [(A,), (B,)]


def test_what_the_catalogue_tells_is_not_whose_rows_there_are(grounds):
    """Samples of values and last numbers stay closed; sizes of whole tables are all there is."""
    grounds.admin.execute("ANALYZE")
    assert (
        grounds.attempt("SELECT tablename FROM pg_stats WHERE schemaname = 'public' AND attname = 'merchant_id'") == []
    )
    assert grounds.attempt("SELECT 1 FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL") == []
    assert grounds.attempt("SELECT 1 FROM pg_statistic") == REFUSED
