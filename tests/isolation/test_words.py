"""The word by which a transaction names its merchant: nobody can make one up, change it, or use another's."""

import time

import psycopg
import pytest

from houfu.kernel import isolation
from tests.isolation.conftest import A, B

NOBODY, LATE = "HF003", "HF004"
SEEN = "SELECT merchant_id FROM orders_order"


def sealed(grounds, merchant, **more):
    return grounds.word(merchant, **more).split("|")


def forged(grounds):
    """Return words that open nothing, each with what it tries."""
    mine, theirs = sealed(grounds, A), sealed(grounds, B)
    return {
        "none at all": "",
        "a merchant alone": "2",
        "everything": "*",
        "no seal": "|".join(mine[:3]),
        "an empty seal": "|".join([*mine[:3], ""]),
        "another merchant under A's seal": "|".join(["2", *mine[1:]]),
        "all merchants under A's seal": "|".join(["*", *mine[1:]]),
        "another's name under A's seal": "|".join([mine[0], "operator/li", *mine[2:]]),
        "a longer life": "|".join([*mine[:2], str(int(mine[2]) + 60), mine[3]]),
        "a seal cut short": "|".join([*mine[:3], mine[3][:-1]]),
        "half a seal": "|".join([*mine[:3], mine[3][:32]]),
        "a seal in capitals": "|".join([*mine[:3], mine[3].upper()]),
        "a field too many": "|".join([*mine, "x"]),
        "two words": "|".join([*mine, *theirs]),
        "another session's": grounds.word(B, pid=grounds.session.info.backend_pid + 1),
        "the platform's, of another session": grounds.word(None, pid=grounds.session.info.backend_pid + 1),
        "made with an empty key": "2|key/1|9999999999|b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad",
    }


def test_a_forged_word_opens_nothing(grounds):
    found = {what: grounds.attempt(SEEN, word or " ") for what, word in forged(grounds).items()}
    assert {what: outcome for what, outcome in found.items() if outcome != NOBODY} == {}


def test_a_forged_word_moves_nothing_either(grounds):
    before = grounds.of_b()
    for word in forged(grounds).values():
        assert grounds.attempt("DELETE FROM orders_order", word or " ") == NOBODY
        call = "SELECT ledger_open_v1('{2}', '{cash:bank}', '{1}')"
        assert grounds.attempt(call, word or " ") == NOBODY
    assert grounds.of_b() == before


def test_a_word_is_void_when_its_time_is_over(grounds):
    assert grounds.attempt(SEEN, grounds.word(A, now=time.time() - isolation.LIFE - 1)) == LATE
    assert grounds.attempt(SEEN, grounds.word(A, now=time.time() - isolation.LIFE + 5)) == [(A,)]


def test_a_transaction_that_began_in_time_is_not_cut_off(grounds):
    """Its beginning counts: what runs for minutes would end in the middle otherwise."""
    word = grounds.word(A, now=time.time() - isolation.LIFE + 2)
    slept = grounds.attempt("SELECT merchant_id FROM orders_order, pg_sleep(3)", word)
    assert slept == [(A,)]


@pytest.mark.parametrize("statement", ["SET houfu.ctx = ''", "RESET houfu.ctx", "SELECT 1"])
def test_no_word_opens_nothing(grounds, statement):
    """After a transaction's word has gone, PostgreSQL says '' where it once knew none."""
    assert grounds.attempt(SEEN) == [(A,)]
    grounds.session.execute(statement)
    with pytest.raises(psycopg.Error) as refused:
        grounds.session.execute(SEEN)
    assert refused.value.sqlstate == NOBODY


def test_a_session_that_never_had_a_word_sees_nothing(grounds):
    with psycopg.connect(grounds.url, autocommit=True) as session:
        session.execute("SET ROLE houfu_app")
        with pytest.raises(psycopg.Error) as refused:
            session.execute(SEEN)
    assert refused.value.sqlstate == NOBODY


def test_a_word_put_in_by_a_statement_chooses_nobody_else(grounds):
    """What an injected expression can do: call set_config, in the middle of the statement it is part of."""
    for word in forged(grounds).values():
        outcome = grounds.attempt(f"SELECT merchant_id FROM orders_order, set_config('houfu.ctx', '{word}', true)")
        assert outcome in ([(A,)], NOBODY)
        outcome = grounds.attempt([f"SELECT set_config('houfu.ctx', '{word}', false)", SEEN])
        assert outcome == NOBODY
    grounds.session.execute("RESET houfu.ctx")


def test_what_the_engine_notes_for_itself_opens_nothing_to_its_caller(grounds):
    before = grounds.of_b()
    for entered in ("2", "-1"):
        note = f"SELECT set_config('houfu.entered', '{entered}', false)"
        assert grounds.attempt([note, SEEN]) == [(A,)]
        outcome = grounds.attempt([note, "SELECT ledger_open_v1('{2}', '{cash:bank}', '{9}')"])
        assert outcome == "42501"
    assert grounds.attempt("SELECT kernel_enter_v1()") == "42501"
    assert grounds.of_b() == before
    grounds.session.execute("RESET houfu.entered")


@pytest.mark.parametrize("role", ["houfu_engine", "houfu_verify", "houfu_owner", "postgres"])
def test_no_other_role_can_be_put_on(grounds, role):
    assert grounds.attempt(f"SET LOCAL ROLE {role}") in ("42501", "22023")
    assert grounds.attempt(f"SELECT set_config('role', '{role}', true)") in ("42501", "22023")
    assert grounds.attempt(f"SET SESSION AUTHORIZATION {role}") in ("42501", "22023")


@pytest.mark.parametrize("statement", ["RESET ROLE", "SELECT set_config('role', 'none', true)"])
def test_without_its_role_a_login_sees_no_more(grounds, statement):
    assert grounds.attempt([statement, SEEN]) == [(A,)]
    assert grounds.attempt([statement, "SET row_security = off", SEEN]) == "42501"


def test_the_key_lies_where_the_role_of_the_processes_cannot_look(grounds):
    assert grounds.attempt("SELECT 1 FROM kernel_context_key") == "42501"
    assert grounds.attempt("SELECT inner_pad FROM kernel_context_key") == "42501"
    assert grounds.attempt("COPY kernel_context_key TO STDOUT") == "42501"
    assert grounds.attempt("DELETE FROM kernel_context_key") == "42501"
    stored = grounds.admin.execute("SELECT inner_pad, outer_pad FROM kernel_context_key").fetchone()
    assert [len(pad) for pad in stored] == [64, 64]
    assert stored[0] != bytes([0x36]) * 64
    sources = grounds.attempt("SELECT prosrc FROM pg_proc WHERE prosrc ILIKE '%hmac%' OR prosrc LIKE '%outer_pad%'")
    assert not any(stored[0].hex() in source for (source,) in sources)


def test_a_word_overheard_elsewhere_opens_nothing_here(grounds):
    """A login may see what its other sessions run, words included."""
    with psycopg.connect(grounds.url, autocommit=True) as other:
        other.execute("SET ROLE houfu_app")
        word = grounds.word(B, pid=other.info.backend_pid)
        other.execute(f"BEGIN; SET LOCAL houfu.ctx = '{word}'")
        assert other.execute(SEEN).fetchall() == [(B,)]
        heard = grounds.attempt(
            ["RESET ROLE", f"SELECT query FROM pg_stat_activity WHERE pid = {other.info.backend_pid}"]
        )
        assert len(heard) == 1
        assert grounds.attempt(SEEN, word) == NOBODY
