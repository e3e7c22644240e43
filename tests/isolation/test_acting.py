"""The processes' side: whoever is in force in a thread, and the word that goes with each of its transactions."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.test import RequestFactory

from houfu.kernel import clock as clocks
from houfu.kernel import db, isolation, postgres
from houfu.kernel.errors import Busy
from houfu.merchants.models import Merchant, Store
from houfu.orders.actions import NewOrder, authorise
from houfu.people import actions as people
from houfu.people import queries
from houfu.people.actor import SIGN_IN
from houfu.people.sign_in.sessions import opened
from houfu.site.acting import ActingMiddleware
from houfu.testing.world import OPERATOR, open_shop

pytestmark = pytest.mark.usefixtures("db")
NOBODY = "HF003"


def test_one_connection_serves_two_merchants_a_thousand_times():
    shops = [open_shop(), open_shop()]
    pid = db_pid()
    for number in range(1000):
        shop = shops[number % 2]
        with isolation.acting(shop.owner):
            seen = set(Store.objects.values_list("merchant_id", flat=True))
        assert seen == {shop.merchant_id}
    assert db_pid() == pid


def db_pid():
    return db.rows("SELECT pg_backend_pid() AS pid")[0].pid


def test_nothing_of_a_word_outlives_its_transaction():
    with isolation.acting(open_shop().owner):
        with transaction.atomic():
            assert db_word().startswith(str(isolation.in_force().merchant_id))
        Merchant.objects.count()
    with isolation.acting(None):
        assert db_word() == ""


def db_word():
    return db.rows("SELECT coalesce(current_setting('houfu.ctx', true), '') AS said")[0].said


def test_on_nobodys_behalf_nothing_is_read_written_or_called():
    shop = open_shop()
    with isolation.acting(None):
        with pytest.raises(DatabaseError) as refused:
            Merchant.objects.count()
        assert refused.value.__cause__.sqlstate == NOBODY
        with pytest.raises(db.NobodyInForce):
            db.action(lambda: db.rows("UPDATE merchants_store SET name = 'x'"))()
        with pytest.raises(db.NobodyInForce):
            db.action(lambda: db.call("ledger_open_v1", [shop.merchant_id], ["cash:bank"], [9]))()
    assert Store.objects.get(merchant_id=shop.merchant_id).name != "x"


def test_an_action_is_its_actors_whoever_was_in_force():
    mine, other = open_shop(), open_shop()

    @db.action
    def look(*, by):
        return set(Merchant.objects.values_list("merchant_id", flat=True))

    with isolation.acting(other.owner):
        assert look(by=mine.owner) == {mine.merchant_id}
        assert {mine.merchant_id, other.merchant_id} <= look(by=OPERATOR)
        assert set(Merchant.objects.values_list("merchant_id", flat=True)) == {other.merchant_id}


def test_threads_do_not_share_whoever_is_in_force():
    with isolation.acting(OPERATOR), ThreadPoolExecutor(1) as pool:
        assert pool.submit(isolation.in_force).result() is None


def test_a_name_with_anything_in_it_goes_into_the_word():
    for label in ("operator/李四", "o'brien|2|9999999999", "a\\b", '"; DROP TABLE x; --', ""):
        with isolation.acting(isolation.Party(label, None)):
            assert Merchant.objects.count() >= 0


def test_what_failed_leaves_no_transaction_open():
    with pytest.raises(DatabaseError):
        db.rows("SELECT 1 / 0")
    assert connection.connection.info.transaction_status.name == "IDLE"
    assert db.rows("SELECT 1 AS one")[0].one == 1


def test_a_clock_that_was_stepped_is_learned_anew(monkeypatch):
    """The database's clock jumps an hour: the word comes too late once, and the next connection knows."""
    connection.ensure_connection()
    monkeypatch.setattr(connections["default"], "_ahead", connection._ahead - 3600)
    tries = []

    @db.action
    def count(*, by):
        tries.append(1)
        return Merchant.objects.count()

    assert count(by=OPERATOR) >= 0
    assert len(tries) == 2


def test_a_clock_that_cannot_be_learned_is_busy(monkeypatch):
    monkeypatch.setattr(isolation, "LIFE", -5)

    @db.action
    def count(*, by):
        return Merchant.objects.count()

    with pytest.raises(Busy):
        count(by=OPERATOR)
    monkeypatch.undo()
    connection.close()


@contextmanager
def ways():
    """Count what is sent to the server meanwhile."""
    sent = []
    execute = psycopg.Cursor.execute
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", lambda *a, **k: (sent.append(a[1]), execute(*a, **k))[1])
        yield sent


def test_a_call_that_is_its_own_transaction_takes_one_way_and_its_word_with_it():
    shop = open_shop()
    shop.place(100)  # what is looked up once is known now
    order = NewOrder(shop.merchant_id, "one-way", shop.store, 100, clocks.now())
    with ways() as sent:
        (decision,) = authorise(by=shop.owner, orders=[order])
    assert (decision.state, len(sent)) == ("authorised", 1)
    assert db_word_outside() == ""


def db_word_outside():
    with isolation.acting(None):
        return db_word()


def test_a_call_that_is_its_own_transaction_is_its_merchants_alone():
    mine, other = open_shop(), open_shop()

    @db.one_call
    def open_account(merchant_id):
        return db.call("ledger_open_v1", [merchant_id], ["cash:bank"], [7])

    with isolation.acting(mine.owner):
        open_account(mine.merchant_id)
        with pytest.raises(DatabaseError) as refused:
            open_account(other.merchant_id)
    assert refused.value.__cause__.sqlstate == "42501"
    with isolation.acting(None), pytest.raises(db.NobodyInForce):
        open_account(mine.merchant_id)
    found = db.rows("SELECT merchant_id FROM ledger_account WHERE kind = 'cash:bank' AND owner = 7")
    assert {row.merchant_id for row in found} & {mine.merchant_id, other.merchant_id} == {mine.merchant_id}


def test_sign_in_is_in_force_at_its_own_doors_alone():
    seen = {}

    def answer(request):
        seen[request.path] = isolation.in_force()
        isolation.enter(OPERATOR)

    serve = ActingMiddleware(answer)
    before = isolation.in_force()
    for path in ("/auth/app/v1/auth/login", "/v1/orders", "/v1/auth/"):
        serve(RequestFactory().get(path))
        assert isolation.in_force() is before
    assert seen == {"/auth/app/v1/auth/login": SIGN_IN, "/v1/orders": None, "/v1/auth/": None}


def test_whose_key_or_session_it_is_is_found_without_anybody_in_force():
    shop = open_shop()
    _, token = people.create_key(
        by=OPERATOR, merchant_id=shop.merchant_id, name="e", person="w", scopes=["orders:read"]
    )
    with isolation.acting(None):
        assert queries.actor_of(token).merchant_id == shop.merchant_id
        assert opened("no such token") is None
        assert isolation.in_force() is None


def test_a_folder_with_another_key_does_not_start(monkeypatch):
    isolation.check()
    monkeypatch.setattr(isolation, "_key", lambda: bytes(32))
    with pytest.raises(isolation.ContextKeyDiffers):
        isolation.check()


def test_nothing_is_written_while_reading():
    shop = open_shop()
    with pytest.raises(DatabaseError) as refused, db.reading():
        Store.objects.filter(merchant_id=shop.merchant_id).update(name="x")
    assert refused.value.__cause__.sqlstate == "25006"
    with db.reading():
        assert Store.objects.get(merchant_id=shop.merchant_id).name != "x"


@pytest.mark.parametrize("version", ["150013", "160009", "170005", "140020"])
def test_a_release_with_known_faults_is_refused(version):
    class Old:
        def execute(self, _):
            return self

        def fetchall(self):
            return [
                ("fsync", "on"),
                ("full_page_writes", "on"),
                ("synchronous_commit", "on"),
                ("server_version_num", version),
            ]

    with pytest.raises(postgres.UnsafePostgres):
        postgres.refuse_unsafe(Old())


@pytest.mark.parametrize("version", ["150014", "160010", "170006", "180000", "190001"])
def test_a_release_without_them_is_taken(version):
    class New:
        def execute(self, _):
            return self

        def fetchall(self):
            return [
                ("fsync", "on"),
                ("full_page_writes", "on"),
                ("synchronous_commit", "on"),
                ("server_version_num", version),
            ]

    postgres.refuse_unsafe(New())
