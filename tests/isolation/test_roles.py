"""What each role of the database may do: strangers' processes pay nothing out, and a dump is whole or fails."""

import os
import subprocess
import sys
from uuid import uuid4

import httpx2
import psycopg
import pytest
from psycopg import sql

from houfu.kernel import postgres
from houfu.orders.intake.tests.house import House
from houfu.site import settings
from houfu.testing.plugin import own_database

MONEY = ("payouts_attempt", "payouts_run")
# What is sealed again when a key changes, the keys themselves, and what is forgotten: for worker and commands alone.
KEYS = {
    "risk_observation.ip",
    "kernel_answer.body_sealed", "kernel_data_key.kek", "kernel_data_key.state", "kernel_data_key.wrapped",
    "payouts_beneficiary.account_sealed", "splits_party.account_sealed",
    "webhooks_key.private_sealed", "webhooks_key.secret_sealed",
}  # fmt: skip


@pytest.fixture(scope="module")
def admin():
    with own_database() as url:
        name = url.rsplit("/", 1)[1]
        with psycopg.connect(os.environ["HOUFU_TEST_ADMIN"].rsplit("/", 1)[0] + "/" + name, autocommit=True) as found:
            yield found


def may(admin, role, right, table):
    asked = "SELECT has_any_column_privilege(%s, %s, %s)"
    return admin.execute(asked, [role, table, right]).fetchone()[0]


@pytest.mark.parametrize("table", MONEY)
def test_the_worker_alone_writes_what_money_is_sent_by(admin, table):
    assert may(admin, "houfu_worker", "INSERT", table)
    assert not may(admin, "houfu_app", "INSERT", table)
    assert not may(admin, "houfu_app", "UPDATE", table)


def test_a_statement_of_a_strangers_process_cannot_become_the_workers(admin):
    login = f"houfu_stranger_{uuid4().hex[:8]}"
    role = sql.Identifier(login)
    admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE houfu_app").format(role, login))
    address = admin.info
    try:
        with psycopg.connect(
            host=address.host, port=address.port, dbname=address.dbname, user=login, password=login, autocommit=True
        ) as session:
            for statement in ("SET ROLE houfu_worker", "INSERT INTO payouts_attempt DEFAULT VALUES"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute(statement)
    finally:
        admin.execute(sql.SQL("DROP ROLE {}").format(role))


def test_the_worker_is_the_product_and_nothing_more(admin):
    member_of = admin.execute(
        "SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid"
        " WHERE m.member = 'houfu_worker'::regrole"
    ).fetchall()
    assert member_of == [("houfu_app",)]
    more = admin.execute(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'"
        " AND has_column_privilege('houfu_worker', c.oid, a.attnum, 'UPDATE')"
        " AND NOT has_column_privilege('houfu_app', c.oid, a.attnum, 'UPDATE')"
    ).fetchall()
    assert {f"{table}.{column}" for table, column in more} == KEYS


@pytest.mark.parametrize(("said", "role"), [("web", "houfu_app"), ("", "houfu_worker")])
def test_a_process_comes_in_as_what_it_is(monkeypatch, said, role):
    monkeypatch.setenv("HOUFU_AS", said)
    monkeypatch.setenv("DATABASE_URL", "postgresql://web@example/x")
    monkeypatch.setenv("HOUFU_WORKER_DATABASE_URL", "postgresql://jobs@example/x")
    found = settings._databases()["default"]
    assert found["OPTIONS"]["options"].endswith(f"role={role}")
    assert found["USER"] == ("web" if said else "jobs")


def test_whoever_serves_the_web_comes_in_as_the_web():
    said = "import sys; away = sys.modules['houfu.site.upkeep'] = type(sys)('x'); away.check = int\n"
    said += "import houfu.site.wsgi\nfrom django.conf import settings\nprint(settings.DATABASES['default']['OPTIONS'])"
    printed = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True).stdout
    assert "role=houfu_app" in printed


def test_the_web_process_has_no_use_for_the_workers_login(tmp_path, monkeypatch):
    with own_database() as url:
        monkeypatch.setenv("HOUFU_WORKER_DATABASE_URL", "postgresql://worker@127.0.0.1:1/nowhere")
        house = House(url, tmp_path)
        with house.process("web") as (_, address):
            assert httpx2.get(f"{address}/v1/health", trust_env=False).json()["status"] == "ok"


# Dumps ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def logins(admin):
    """A login that goes past policies and one that does not, both reading everything that they are shown."""
    made = {}
    for kind, right in (("backup", "BYPASSRLS"), ("reader", "NOBYPASSRLS")):
        login = made[kind] = f"houfu_{kind}_{uuid4().hex[:8]}"
        statement = sql.SQL("CREATE ROLE {} LOGIN " + right + " PASSWORD {} IN ROLE pg_read_all_data")
        admin.execute(statement.format(sql.Identifier(login), login))
        admin.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
                sql.Identifier(admin.info.dbname), sql.Identifier(login)
            )
        )
    where = f"@{admin.info.host}:{admin.info.port}/{admin.info.dbname}"
    yield {kind: f"postgresql://{login}:{login}{where}" for kind, login in made.items()}
    for login in made.values():
        admin.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(login)))
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))


def test_a_dump_holds_every_merchants_rows(admin, logins, tmp_path):
    for merchant in (7, 8):
        admin.execute("INSERT INTO people_profile VALUES (%s, false, true, 'tests', now())", [merchant])
    postgres.dump(logins["backup"], tmp_path / "all.dump")
    restore = [str(postgres._bin() / "pg_restore"), "--data-only", "--table=people_profile", "--file=-"]
    text = subprocess.run([*restore, str(tmp_path / "all.dump")], capture_output=True, text=True, check=True).stdout
    assert "7\tf\tt\ttests" in text
    assert "8\tf\tt\ttests" in text
    assert (tmp_path / "all.dump").stat().st_mode & 0o077 == 0


def test_a_dump_that_policies_would_cut_short_fails(logins, tmp_path):
    with pytest.raises(postgres.DumpFailed) as refused:
        postgres.dump(logins["reader"], tmp_path / "part.dump")
    assert "row-level security" in refused.value.details["said"]
    assert not (tmp_path / "part.dump").exists()
