"""The processes' side: whoever is in force in a thread, and the word that goes with each of its transactions."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import DatabaseError, connection, connections, transaction

from houfu.kernel import db, isolation, postgres
from houfu.kernel.errors import Busy
from houfu.merchants.models import Merchant, Store
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
