"""What no merchant's policy covers is on a list, each with its reason; everything else is covered (I-16)."""

import pytest

from houfu.kernel import db

pytestmark = pytest.mark.usefixtures("db")

# Tables without a merchant: they say the same to everybody, or only houfu_engine reads them.
EVERYBODYS = {
    "calendars_day": "public holidays",
    "calendars_year": "which years are known",
    "django_migrations": "what this database was made by",
    "kernel_context_key": "closed to all but houfu_engine",
    "kernel_instance": "whose database this is",
    "kernel_move": "which steps states may take",
    "ledger_kind": "the chart of accounts",
    "payouts_waiver": "how many fee-free payouts the platform has given (P7)",
    "policies_pack": "the numbers in force",
}


def names(statement):
    return {row[0] for row in db.rows(statement)}


def test_a_table_without_a_merchant_is_on_the_list():
    found = names(
        "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')"
        " AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'merchant_id')"
    )
    assert found == set(EVERYBODYS)


def test_a_policy_is_asked_once_a_statement_and_leaves_the_index_in_use():
    """An answer for each row would cost more than the row: the plan asks before it looks."""
    plan = [row[0].strip() for row in db.rows("EXPLAIN SELECT 1 FROM people_api_key WHERE merchant_id = 1 AND id = 1")]
    assert "Index Cond: ((merchant_id = 1) AND (id = 1))" in plan
    assert len([line for line in plan if line.startswith("InitPlan")]) == 1
    assert [line for line in plan if "kernel_merchant_v1" in line] == []


def test_nothing_is_granted_to_everybody():
    found = names(
        "SELECT c.relname FROM pg_class c, aclexplode(c.relacl) a"
        " WHERE c.relnamespace = 'public'::regnamespace AND a.grantee = 0"
        " UNION SELECT p.proname FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a"
        " WHERE p.pronamespace = 'public'::regnamespace AND a.grantee = 0 AND p.prorettype <> 'trigger'::regtype"
    )
    assert found == set()


def test_the_last_number_drawn_is_nobodys_to_read():
    """Numbers are drawn for all merchants together: whoever reads the last one learns how much others do."""
    found = names(
        "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace"
        " AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege('houfu_app', c.oid, 'SELECT, USAGE, UPDATE') END"
    )
    assert found == set()
