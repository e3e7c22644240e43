"""An action is one transaction: wholly done, or refused with nothing left, and tried again where that helps."""

import os
import threading

import psycopg
import pytest
from django.db import DatabaseError, connections, transaction

from houfu.history import actions as history
from houfu.history import queries as histories
from houfu.kernel import db
from houfu.kernel.errors import Busy, Forbidden
from houfu.merchants import actions as merchants
from houfu.merchants.models import Merchant
from houfu.testing.threads import in_threads
from houfu.testing.world import OPERATOR, new_uscc

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def first():
    return register()


@pytest.fixture
def second():
    return register()


def register():
    return merchants.register(by=OPERATOR, name="-", uscc=new_uscc()).merchant_id


def name_of(merchant_id):
    return Merchant.objects.get(merchant_id=merchant_id).name


def verbs(merchant_id):
    return [link.verb for link in reversed(histories.links(merchant_id))]


def write(merchant_id, letter):
    """Lengthen a merchant's name by a letter."""
    db.rows("UPDATE merchants_merchant SET name = name || %s WHERE merchant_id = %s", [letter, merchant_id])


def note(merchant_id):
    history.record("test.done", by=OPERATOR, merchant_id=merchant_id, subject="x/1")


@db.action
def rename(merchant_id, letter):
    write(merchant_id, letter)
    note(merchant_id)


def test_an_action_is_done_with_its_history(first):
    rename(first, "a")
    assert name_of(first) == "-a"
    assert verbs(first) == ["merchant.registered", "test.done"]


def test_a_refusal_leaves_nothing(first):
    @db.action
    def refused():
        write(first, "a")
        note(first)
        raise Forbidden()

    with pytest.raises(Forbidden):
        refused()
    assert name_of(first) == "-"
    assert verbs(first) == ["merchant.registered"]


def test_a_refusal_of_the_second_action_undoes_the_first_within_one(first, second):
    @db.action
    def both():
        rename(first, "a")
        rename(second, "b" * 300)

    with pytest.raises(merchants.BadField):
        both()
    assert (name_of(first), name_of(second)) == ("-", "-")
    assert verbs(first) == verbs(second) == ["merchant.registered"]


def test_an_action_that_goes_on_after_a_refusal_inside_it_is_not_taken_for_done(first):
    @db.action
    def stubborn():
        with pytest.raises(Forbidden):
            refuse()
        return "done"

    @db.action
    def refuse():
        write(first, "a")
        raise Forbidden()

    with pytest.raises(RuntimeError, match="stubborn went on"):
        stubborn()
    assert name_of(first) == "-"


def test_actions_that_wait_for_each_other_are_both_done_in_the_end(first, second):
    """40P01: whoever is chosen as the victim of a deadlock runs again as a whole."""
    both_hold_one, tries = threading.Barrier(2), []

    @db.action
    def cross(merchant_ids):
        tries.append(merchant_ids)
        write(merchant_ids[0], "a")
        note(merchant_ids[0])
        if tries.count(merchant_ids) == 1:
            both_hold_one.wait()
        write(merchant_ids[1], "b")

    assert in_threads(cross, [(first, second), (second, first)]) == [None, None]
    assert len(tries) >= 3
    assert {name_of(first), name_of(second)} == {"-ab", "-ba"}
    assert verbs(first) == verbs(second) == ["merchant.registered", "test.done"]


def test_actions_that_could_not_be_put_in_an_order_are_both_done_in_the_end(first):
    """40001: at REPEATABLE READ the second writer runs again on what the first has committed."""
    both_have_read, tries = threading.Barrier(2), []

    @db.action
    def append(letter):
        db.rows("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        tries.append(letter)
        before = name_of(first)
        if len(tries) <= 2:
            both_have_read.wait()
        Merchant.objects.filter(merchant_id=first).update(name=before + letter)

    assert in_threads(append, "ab") == [None, None]
    assert name_of(first) in ("-ab", "-ba")
    assert len(tries) == 3


def test_what_stays_busy_is_said_to_be_busy_after_five_tries(first):
    tries = []

    @db.action
    def stale():
        tries.append(len(tries))
        write(first, "a")
        raise db.Again()

    with pytest.raises(Busy):
        stale()
    assert tries == [0, 1, 2, 3, 4]
    assert name_of(first) == "-"


def test_a_try_that_failed_leaves_nothing_to_be_gathered_by_the_next(first):
    tries = []

    @db.action
    def second_time_lucky():
        note(first)
        tries.append(1)
        if len(tries) < 3:
            raise db.Again()

    second_time_lucky()
    assert verbs(first) == ["merchant.registered", "test.done"]


def test_what_was_gathered_goes_last_so_that_nobody_waits_for_a_history(first, second):
    """While one action that has noted something is still at work, another writes to the same merchant's history."""
    noted, written = threading.Event(), threading.Event()

    def slow():
        @db.action
        def run():
            note(first)
            noted.set()
            assert written.wait(30)
            assert verbs(first) == ["merchant.registered", "test.done"]  # the other's
            write(second, "a")

        run()

    def quick():
        assert noted.wait(30)
        rename(first, "b")
        written.set()

    assert in_threads(lambda do: do(), [slow, quick]) == [None, None]
    assert verbs(first) == ["merchant.registered", "test.done", "test.done"]


def test_nothing_is_gathered_or_called_outside_an_action(first):
    with pytest.raises(RuntimeError):
        note(first)
    with pytest.raises(RuntimeError):
        db.call("history_append_v1")
    with transaction.atomic(), pytest.raises(RuntimeError):  # a transaction alone would forget to write it
        note(first)
    assert verbs(first) == ["merchant.registered"]


def lengthened(merchant_id, letter):
    return db.call("kernel_test_lengthen", merchant_id, letter)


@pytest.fixture
def lengthen(db):
    """An SQL function that lengthens a merchant's name by a letter, and refuses beyond three."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION kernel_test_lengthen(_id bigint, _letter text) RETURNS void LANGUAGE plpgsql"
            " AS $$ BEGIN UPDATE merchants_merchant SET name = name || _letter WHERE merchant_id = _id;"
            " IF (SELECT length(name) > 3 FROM merchants_merchant WHERE merchant_id = _id) THEN"
            " RAISE 'again' USING ERRCODE = '40001'; END IF; END $$;"
            " GRANT EXECUTE ON FUNCTION kernel_test_lengthen TO houfu_app"
        )
    yield
    with connections["owner"].cursor() as cursor:
        cursor.execute("DROP FUNCTION kernel_test_lengthen")


@pytest.mark.usefixtures("lengthen")
def test_an_action_of_one_call_is_done_with_that_call(first):
    tries = []

    @db.one_call
    def lengthen(letter):
        tries.append(letter)
        return lengthened(first, letter)

    lengthen("a")
    assert name_of(first) == "-a"
    lengthen("b")
    with pytest.raises(Busy):
        lengthen("c")
    assert tries == ["a", "b", *"ccccc"]
    assert name_of(first) == "-ab"


@pytest.mark.usefixtures("lengthen")
def test_an_action_of_one_call_makes_no_second_call_and_gathers_nothing(first):
    @db.one_call
    def twice():
        lengthened(first, "a")
        lengthened(first, "b")

    @db.one_call
    def noting():
        note(first)

    for wrong in (twice, noting):
        with pytest.raises(RuntimeError):
            wrong()
    with pytest.raises(RuntimeError):
        lengthened(first, "c")
    assert name_of(first) == "-a"
    assert verbs(first) == ["merchant.registered"]


@pytest.mark.usefixtures("lengthen")
def test_an_action_of_one_call_within_another_ends_with_it(first):
    @db.one_call
    def lengthen(letter):
        return lengthened(first, letter)

    @db.action
    def both():
        lengthen("a")
        note(first)
        raise Forbidden()

    with pytest.raises(Forbidden):
        both()
    assert name_of(first) == "-"
    assert verbs(first) == ["merchant.registered"]


@pytest.mark.parametrize("when", ["before a statement", "before the commit"])
def test_a_connection_lost_on_the_way_is_unknown_and_not_failed(first, when):
    @db.action
    def cut_off():
        write(first, "a")
        pid = db.rows("SELECT pg_backend_pid() AS pid")[0].pid
        with psycopg.connect(os.environ["HOUFU_TEST_ADMIN"]) as admin:
            admin.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
        if when == "before a statement":
            write(first, "b")

    with pytest.raises(db.OutcomeUnknown):
        cut_off()
    rename(first, "c")  # and the next has a connection again
    assert name_of(first) == "-c"


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        ("SELECT %s::text::bigint", db.OutOfRange),
        ("SELECT (length(%s) + 9223372036854775807)::bigint * 2", db.OutOfRange),
        ("UPDATE merchants_merchant SET name = %s WHERE name = '-' AND false", None),
        ("SELECT 1 / (length(%s) - 1)", DatabaseError),
    ],
)
def test_the_word_of_the_database_is_translated_where_it_has_a_meaning(statement, refusal):
    @db.action
    def say():
        return db.rows(statement, ["x"])

    if refusal is None:
        assert say() == []
    else:
        with pytest.raises(refusal):
            say()


def test_what_has_no_meaning_of_ours_keeps_its_own_cause():
    """Whoever reads the log must see what the database said."""
    with pytest.raises(DatabaseError) as refused:
        db.action(lambda: db.rows("SELECT no_such_column"))()
    assert refused.value.__cause__.sqlstate == "42703"


class Listing:
    """Rows of which reading any says how they are looked for."""

    def __getitem__(self, rows):
        return [_bitmaps()] * rows.stop


def _bitmaps():
    return db.rows("SHOW enable_bitmapscan")[0].enable_bitmapscan


def test_a_page_is_read_along_its_index_and_what_comes_after_it_as_the_planner_likes():
    assert (db.page(Listing(), 2), _bitmaps()) == (["off", "off"], "on")
    with transaction.atomic():
        assert (db.page(Listing(), 1), _bitmaps()) == (["off"], "on")
