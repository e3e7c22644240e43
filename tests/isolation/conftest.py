"""Two merchants with a row in every table, and a stranger's statement that runs as the role of the product."""

import os
import time
from contextlib import contextmanager
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from houfu.kernel import isolation
from houfu.testing.plugin import own_database

A, B = 1, 2
# A value of each type, from which rows can be made once checks, triggers and foreign keys are out of the way.
VALUES = {
    "bigint": "1", "integer": "merchant", "smallint": "1", "text": "'x' || merchant", "boolean": "true",
    "date": "'2025-11-10'",
    "timestamp with time zone": "'2025-11-10 10:00+08'", "uuid": "'00000000-0000-0000-0000-000000000001'",
    "bytea": "'xmerchant'", "text[]": "'{x}'", "bigint[]": "'{1}'", "jsonb": "'{}'", "json": "'{}'", "numeric": "1",
    "interval": "'1 day'", "double precision": "1", "inet": "'127.0.0.1'", "bytea[]": "'{}'", "integer[]": "'{1}'",
    "cidr[]": "'{}'", "time without time zone": "'10:00'",
}  # fmt: skip
COLUMNS = """
    SELECT a.attname, format_type(a.atttypid, NULL) FROM pg_attribute a
    WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
      AND a.attname <> 'merchant_id' ORDER BY a.attnum
"""
KEPT = """
    SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'merchant_id'
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1
"""
IDENTITIES = """
    SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attidentity <> ''
    WHERE c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE 'django%'
"""


class Grounds:
    """A database to be attacked.

    Args:
        url: a stranger's address: a login that may be houfu_app and nothing else.
        admin: whoever sees everything.
        tables: every table of merchants.
    """

    def __init__(self, url, admin):
        self.url, self.admin = url, admin
        self.tables = [name for (name,) in admin.execute(KEPT).fetchall()]
        self.session = psycopg.connect(url, autocommit=True)

    def row(self, table, merchant):
        """Return a row of a table as (columns, values), both as SQL."""
        found = self.admin.execute(COLUMNS, [table]).fetchall()
        columns = sql.SQL(", ").join(sql.Identifier(name) for name, _ in [("merchant_id", ""), *found])
        values = [str(merchant), *(VALUES[type_].replace("merchant", str(merchant)) for _, type_ in found)]
        return columns, sql.SQL(", ").join(sql.SQL(value) for value in values)

    def insert(self, table, merchant, more=""):
        columns, values = self.row(table, merchant)
        return sql.SQL("INSERT INTO {} ({}) VALUES ({}) " + more).format(sql.Identifier(table), columns, values)

    def word(self, merchant=A, *, pid=None, now=None):
        pid = pid or self.session.info.backend_pid
        by = isolation.Party("key/1", merchant)
        return isolation.word(by, pid, now or time.time())

    def attempt(self, statement, word=None):
        """Run a statement, or several, as A or under another word; return the last one's rows or how many it changed.

        Where it was refused, that is the SQLSTATE. Nothing of it stays.
        """
        statements = statement if isinstance(statement, list) else [statement]
        try:
            with self.session.transaction(force_rollback=True):
                self.session.execute(sql.SQL("SET LOCAL houfu.ctx = {}").format(word or self.word()))
                for each in statements:
                    done = self.session.execute(each)
                return done.fetchall() if done.description else done.rowcount
        except psycopg.Error as error:
            return error.sqlstate

    def of_b(self, merchant=B):
        """Return all that B has, in one digest."""
        rows = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}, t::text FROM {} t WHERE merchant_id = {}").format(name, sql.Identifier(name), merchant)
            for name in self.tables
        )
        text = sql.SQL("SELECT md5(string_agg(x::text, '|' ORDER BY x::text)) FROM ({}) x").format(rows)
        return self.admin.execute(text).fetchone()[0]


@contextmanager
def stranger(url):
    """Have a database attacked through a login that may be houfu_app and nothing else."""
    login = f"houfu_stranger_{uuid4().hex[:8]}"
    admin_url = os.environ["HOUFU_TEST_ADMIN"].rsplit("/", 1)[0] + "/" + url.rsplit("/", 1)[1]
    address = f"postgresql://{login}:{login}@{admin_url.split('@')[1]}"
    with psycopg.connect(admin_url, autocommit=True) as admin:
        role = sql.Identifier(login)
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE houfu_app").format(role, login))
        there = Grounds(address, admin)
        try:
            there.session.execute("SET ROLE houfu_app")
            yield there
        finally:
            there.session.close()
            admin.execute(sql.SQL("DROP ROLE {}").format(role))


@pytest.fixture(scope="module")
def grounds():
    """A and B with a row in every table; grants, checks and triggers are away, so that the policies stand alone."""
    with own_database() as url, stranger(url) as there:
        _fill(there)
        yield there


def _fill(there):
    checks = there.admin.execute(
        "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'c'"
        " AND connamespace = 'public'::regnamespace"
    )
    for table, name in checks.fetchall():
        there.admin.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(sql.SQL(table), sql.Identifier(name)))
    for table, column in there.admin.execute(IDENTITIES).fetchall():
        drop = sql.SQL("ALTER TABLE {} ALTER {} DROP IDENTITY").format(sql.Identifier(table), sql.Identifier(column))
        there.admin.execute(drop)
    there.admin.execute("SET session_replication_role = replica")
    for table in there.tables:
        for merchant in (A, B):
            there.admin.execute(there.insert(table, merchant))
        there.admin.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(sql.Identifier(table)))
        grant = "GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO houfu_app"
        there.admin.execute(sql.SQL(grant).format(sql.Identifier(table)))
    there.admin.execute("SET session_replication_role = origin")
