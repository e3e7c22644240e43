"""Balances move in one place, wholly or not at all, and what has moved stays written."""

from contextlib import suppress
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import DatabaseError, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from houfu.kernel import clock, db
from houfu.kernel.errors import Refused
from houfu.ledger import actions as ledger
from houfu.ledger import queries
from houfu.ledger.actions import Account, Line
from houfu.testing.plugin import own_database
from houfu.testing.threads import in_threads
from houfu.testing.world import open_shop

pytestmark = pytest.mark.usefixtures("db")
GRANT = Account("q:grant:operator", 0)


@pytest.fixture(scope="module", autouse=True)
def apart():
    """A database for these books, under which nothing stands that they tell of."""
    with own_database():
        yield


def own(store):
    return Account("q:own:free", store)


@pytest.fixture
def books(db):
    """A merchant with no balance at all."""
    return open_shop(own_limit_fen=0).merchant_id


@db.action
def post(merchant_id, *lines, id=None, at=None):
    ledger.post(merchant_id, id or uuid4(), "test.moved", at or clock.now(), lines)


def test_what_one_account_gains_the_other_loses(books):
    post(books, Line(own(1), GRANT, 500), Line(own(2), own(1), 200))
    assert queries.balances(books) == {own(1): 300, own(2): 200, GRANT: -500}


def test_the_same_transfer_again_moves_nothing(books):
    once = uuid4()
    for _ in range(3):
        post(books, Line(own(1), GRANT, 500), id=once)
    assert queries.balances(books)[own(1)] == 500


def test_the_same_id_with_other_lines_is_an_error_of_its_own(books):
    once = uuid4()
    post(books, Line(own(1), GRANT, 500), id=once)
    with pytest.raises(ledger.TransferIdReused):
        post(books, Line(own(1), GRANT, 501), id=once)
    assert queries.balances(books)[own(1)] == 500


@pytest.mark.parametrize(
    ("lines", "refusal"),
    [
        ([Line(own(1), GRANT, 5), Line(Account("q:reduced", 1), own(1), 6)], ledger.InsufficientBalance),
        ([Line(own(1), Account("claim:matured", 1), 5)], ledger.UnitsMayNotMeet),
        ([Line(own(1), GRANT, 5), Line(Account("cash:channel", 1), own(1), 5)], ledger.UnitsMayNotMeet),
        ([Line(own(1), own(1), 5)], ledger.BadLine),
        ([Line(own(1), GRANT, -5)], ledger.BadLine),
        ([Line(own(1), GRANT, 10**13 + 1)], ledger.BadLine),
        ([Line(own(1), GRANT, 5), Line(Account("q:nothing", 1), GRANT, 5)], ledger.UnknownKind),
    ],
)
def test_a_transfer_that_breaks_a_law_is_refused_and_nothing_moves(books, lines, refusal):
    with pytest.raises(refusal):
        post(books, *lines)
    assert not any(queries.balances(books).values())


def test_no_law_of_units_can_be_walked_around_in_one_batch(books):
    """W1: quota cannot be turned into money, however the arrays are mixed."""
    with pytest.raises(Refused):
        post(books, Line(Account("cash:channel", 1), own(1), 5), Line(own(1), GRANT, 5))
    assert not any(queries.balances(books).values())


@pytest.mark.parametrize("role", ["houfu_app", "houfu_owner", "houfu_verify"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entry SET amount_fen = 1",
        "DELETE FROM ledger_entry",
        "TRUNCATE ledger_entry",
        "DELETE FROM ledger_transfer",
        "UPDATE ledger_transfer SET verb = 'x'",
        "UPDATE history_link SET actor = 'x'",
        "TRUNCATE history_link",
        "DELETE FROM orders_event",
        "DELETE FROM payouts_attempt",
    ],
)
def test_no_role_that_runs_can_change_what_was_written(books, role, statement):
    post(books, Line(own(1), GRANT, 5))
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE" if role == "houfu_owner" else f"SET ROLE {role}")
        try:
            with pytest.raises(DatabaseError):
                cursor.execute(statement)
        finally:
            cursor.execute("SET ROLE houfu_app")


def test_the_runtime_role_cannot_touch_a_balance(books):
    with connection.cursor() as cursor, pytest.raises(DatabaseError):
        cursor.execute("UPDATE ledger_account SET balance_fen = 10")
    with connection.cursor() as cursor, pytest.raises(DatabaseError):
        cursor.execute("INSERT INTO ledger_account SELECT * FROM ledger_account")


def test_a_balance_for_ten_is_given_ten_times_to_fifty(books):
    post(books, Line(own(1), GRANT, 10))
    outcomes = in_threads(lambda _: post(books, Line(own(2), own(1), 1)), range(50))
    assert sum(outcome is None for outcome in outcomes) == 10
    assert {type(outcome) for outcome in outcomes if outcome} == {ledger.InsufficientBalance}
    assert queries.balances(books)[own(2)] == 10


def test_twenty_at_once_with_one_id_post_once(books):
    once = UUID(int=7)
    outcomes = in_threads(lambda _: post(books, Line(own(1), GRANT, 3), id=once), range(20))
    assert outcomes == [None] * 20
    assert queries.balances(books)[own(1)] == 3


def test_transfers_that_cross_do_not_deadlock(books):
    post(books, *(Line(own(n), GRANT, 1000) for n in range(1, 7)))
    pairs = [(a, b) for a in range(1, 7) for b in range(1, 7) if a != b]
    outcomes = in_threads(lambda pair: post(books, Line(own(pair[0]), own(pair[1]), 1)), pairs)
    assert outcomes == [None] * len(pairs)
    assert all(queries.balances(books)[own(n)] == 1000 for n in range(1, 7))


def test_balances_of_any_instant_are_rebuilt_from_entries(books, clock):
    seen = []
    for amount in (100, 250, 40):
        post(books, Line(own(1), GRANT, amount))
        seen.append((clock.now(), queries.balances(books)[own(1)]))
        clock.move(hours=5)
    for at, balance in seen:
        assert queries.balances_at(books, at)[own(1)] == balance
        assert queries.balances_at(books, at + timedelta(hours=4))[own(1)] == balance
    assert queries.balances_at(books, seen[0][0] - timedelta(seconds=1)) == {}


lines = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 300)), min_size=1, max_size=6)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(lines, max_size=8))
def test_whatever_is_tried_the_sum_stays_zero_and_no_floor_breaks(books, transfers):
    for transfer in transfers:
        with suppress(Refused):
            post(books, *(Line(own(a), own(b) if b else GRANT, fen) for a, b, fen in transfer))
    found = queries.balances(books)
    assert sum(found.values()) == 0
    assert all(fen >= 0 for account, fen in found.items() if account != GRANT)


def test_an_action_is_needed_to_move_anything(books):
    with pytest.raises(RuntimeError):
        ledger.post(books, uuid4(), "test.moved", clock.now(), [Line(own(1), GRANT, 5)])
    assert queries.balances(books) == {}


def test_the_database_keeps_the_law_by_name_for_whoever_has_a_connection(books):
    """Even around the product: an account below its floor is refused by the database itself."""
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE")
        post(books, Line(own(1), GRANT, 5))
        try:
            with pytest.raises(DatabaseError) as refused:
                cursor.execute(
                    "UPDATE ledger_account SET balance_fen = -1 WHERE merchant_id = %s AND kind = 'q:own:free'", [books]
                )
        finally:
            cursor.execute("SET ROLE houfu_app")
    assert isinstance(refused.value.__cause__, psycopg.Error)
    assert refused.value.__cause__.diag.constraint_name == "ledger_account_floor"


@pytest.mark.parametrize(
    ("change", "law"),
    [
        ({"transfer_id": UUID(int=9)}, "ledger_entry_of_transfer"),
        ({"unit": "CNY"}, "ledger_entry_debit_unit"),
        ({"debit_id": 10**15}, "ledger_entry_debit_unit"),
        ({"credit_id": 10**15}, "ledger_entry_credit_unit"),
        ({"credit_id": "money"}, "ledger_entry_credit_unit"),
        ({"debit_id": "money"}, "ledger_entry_debit_unit"),
    ],
)
def test_no_entry_is_written_without_its_transfer_and_accounts_in_one_unit(books, change, law):
    """I-02, W1: the database refuses it of whoever writes it."""
    post(
        books, Line(own(1), GRANT, 5), Line(Account("cash:channel", 1), Account("claim:matured", 1), 5), id=UUID(int=8)
    )
    (entry,) = db.rows("SELECT * FROM ledger_entry WHERE merchant_id = %s AND unit = 'CNY.Q'", [books])
    (money,) = db.rows("SELECT id FROM ledger_account WHERE merchant_id = %s AND kind = 'cash:channel'", [books])
    row = {**entry._asdict(), "no": 2, **{name: money.id if v == "money" else v for name, v in change.items()}}
    statement = f"INSERT INTO ledger_entry ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})"
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE")
        try:
            with pytest.raises(DatabaseError) as refused:
                cursor.execute(statement, [*row.values()])
        finally:
            cursor.execute("SET ROLE houfu_app")
    assert refused.value.__cause__.diag.constraint_name == law


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ledger_account",
        "TRUNCATE ledger_account",
        "UPDATE ledger_account SET unit = 'CNY'",
        "UPDATE ledger_account SET id = id",
    ],
)
def test_an_account_never_goes_and_stays_what_it_was_opened_as(books, statement):
    post(books, Line(own(1), GRANT, 5))
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE")
        try:
            with pytest.raises(DatabaseError):
                cursor.execute(statement)
        finally:
            cursor.execute("SET ROLE houfu_app")
    assert queries.balances(books)[own(1)] == 5


def test_transfers_of_many_merchants_that_are_partly_there_move_what_is_new(books):
    """One call, as authorising makes it: of three transfers one is there already, and one moves both units."""
    other = open_shop(own_limit_fen=0).merchant_id
    there, fresh, both = (UUID(int=books * 16 + n) for n in range(3))
    post(books, Line(own(1), GRANT, 7), id=there)

    @db.action
    def call(amounts=(7, 3, 2, 2)):
        return db.call(
            "ledger_post_v1", [books, other, other, other], [there, fresh, both, both], ["test.moved"] * 4,
            [clock.now()] * 4, ["q:own:free", "q:own:free", "q:own:free", "cash:channel"], [1, 1, 2, 1],
            ["q:grant:operator"] * 3 + ["claim:matured"], [0, 0, 0, 1], list(amounts),
        )[0].ledger_post_v1  # fmt: skip

    assert call() == 3
    assert call() == 0
    with pytest.raises(ledger.TransferIdReused):
        call((7, 3, 2, 1))
    assert queries.balances(books) == {own(1): 7, GRANT: -7}
    assert queries.balances(other) == {
        own(1): 3, own(2): 2, GRANT: -5, Account("cash:channel", 1): 2, Account("claim:matured", 1): 2,
    }  # fmt: skip
