"""What no merchant's policy covers is on a list, each with its reason; everything else is covered (I-16)."""

import pytest
from django.db import DatabaseError, transaction

from houfu.kernel import db, isolation
from houfu.policies.models import Pack
from houfu.site.upkeep import SHARED_TABLES
from houfu.testing.world import open_shop

pytestmark = pytest.mark.usefixtures("db")

# Tables without a merchant that say the same to everybody, and are the platform's alone to write, if anybody's.
EVERYBODYS = {
    "calendars_day": "public holidays",
    "calendars_year": "which years are known",
    "django_content_type": "names of models",
    "django_migrations": "what this database was made by",
    "kernel_instance": "whose database this is",
    "kernel_move": "which steps states may take",
    "ledger_kind": "the chart of accounts",
    "people_face_accuracy": "how often a face engine was right",
    "policies_pack": "the numbers in force",
    "risk_rule": "the rules in force, by which every merchant's payouts are judged within their own transactions",
}
SHARED = {
    "payouts_waiver": "how many fee-free payouts the platform has given (P7)",
    "people_memory": "attempts that count and codes that were used, under digests",
    "people_person": "one person at two merchants is one (S4), known by a keyed digest alone",
}
LOGINS = {
    "account_emailaddress": "empty; the library looks into it",
    "auth_user": "names to sign in by, and passwords",
    "django_session": "who is signed in",
    "mfa_authenticator": "factors",
    "usersessions_usersession": "who is signed in, from where",
}
CLOSED = {
    "account_emailconfirmation": "unused, of a library",
    "auth_group": "unused, of a library",
    "auth_group_permissions": "unused, of a library",
    "auth_permission": "unused, of a library",
    "auth_user_groups": "unused, of a library",
    "auth_user_user_permissions": "unused, of a library",
    "buyers_hold": "houfu_engine alone: what orders hold of buyers' lines (O5)",
    "buyers_line": "houfu_engine alone: what buyers may owe (O5)",
    "buyers_score": "houfu_engine alone: scores of buyers (O5)",
    "kernel_context_key": "houfu_engine alone reads it",
}
PLATFORMS = {"risk_backtest": "what a rule would have said to all merchants"}


def names(statement):
    return {row[0] for row in db.rows(statement)}


def test_a_table_without_a_merchant_is_on_the_list():
    found = names(
        "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')"
        " AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'merchant_id')"
    )
    assert found == {*EVERYBODYS, *SHARED, *LOGINS, *CLOSED, *PLATFORMS}
    assert set(SHARED) == set(SHARED_TABLES)


def test_what_is_closed_is_closed_and_what_is_everybodys_the_platform_alone_writes():
    as_app = {
        kind: names(
            "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'"
            f" AND (has_any_column_privilege('houfu_app', c.oid, '{privileges}')"
            f" OR has_table_privilege('houfu_app', c.oid, '{privileges}, DELETE'))"
        )
        for kind, privileges in (("any", "SELECT, INSERT, UPDATE"), ("write", "INSERT, UPDATE"))
    }
    assert as_app["any"].isdisjoint(CLOSED)
    guarded = names(
        "SELECT c.relname FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE polname = 'platform_v1'"
    )
    assert guarded == as_app["write"] & {*EVERYBODYS, *PLATFORMS}


def test_what_is_everybodys_a_merchant_reads_and_cannot_write():
    shop = open_shop()
    with isolation.acting(shop.owner):
        assert Pack.objects.exists()
        for statement in (
            "INSERT INTO calendars_year VALUES (2099, 'x', now())",
            "INSERT INTO policies_pack VALUES ('x', now(), 'x', 'out of thin air', '{}', '', now())",
        ):
            with pytest.raises(DatabaseError, match="row-level security"):
                db.rows(statement)


def test_a_policy_is_asked_once_a_statement_and_leaves_the_index_in_use():
    """An answer for each row would cost more than the row: the plan asks before it looks."""
    with transaction.atomic():
        db.rows("SET LOCAL enable_seqscan = off")  # a table of a few rows is read whole, if it may be
        said = db.rows("EXPLAIN SELECT 1 FROM people_api_key WHERE merchant_id = 1 AND id = 1")
    plan = [row[0].strip() for row in said]
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
