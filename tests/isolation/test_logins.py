"""Tables of sign-in know no merchant: a row is of the merchant of whose login it is (I-16)."""

import pytest

from tests.isolation.conftest import A, B

REFUSED = "42501"
TABLES = ("auth_user", "mfa_authenticator", "usersessions_usersession", "django_session")
MINE = {"auth_user": "id", "mfa_authenticator": "user_id", "usersessions_usersession": "user_id"}


@pytest.fixture
def logins(grounds):
    """A and B with a login each, of the same number as they; it is signed in and has a factor."""
    for user in (A, B):
        grounds.admin.execute(
            "INSERT INTO auth_user VALUES (%s, 'x', NULL, false, %s, '', '', '', false, true, now())"
            " ON CONFLICT DO NOTHING",
            [user, f"name{user}"],
        )
        for statement in (sessions(user), session(user), factor(user)):
            grounds.admin.execute(statement + " ON CONFLICT DO NOTHING")
    return grounds


def sessions(user, number=0):
    return (
        "INSERT INTO usersessions_usersession"
        " (id, user_id, session_key, created_at, ip, last_seen_at, user_agent, data)"
        f" VALUES ({number or user}, {user}, 's{number or user}', now(), '127.0.0.1', now(), '', '{{}}')"
    )


def session(number):
    return f"INSERT INTO django_session VALUES ('s{number}', 'x', now())"


def factor(user, number=0):
    return (
        "INSERT INTO mfa_authenticator (id, user_id, type, data, created_at) VALUES"
        f" ({number or user}, {user}, 'totp', '{{}}', '2025-11-10 10:00+08')"
    )


def test_a_sees_its_own_logins_and_their_sessions_alone(logins):
    for table, column in MINE.items():
        assert logins.attempt(f"SELECT {column} FROM {table}") == [(A,)], table
    assert logins.attempt("SELECT session_key FROM django_session") == [("s1",)]


def test_a_changes_and_ends_nothing_of_b(logins):
    for table, column in MINE.items():
        assert logins.attempt(f"UPDATE {table} SET {column} = {column} WHERE {column} = {B}") in (0, REFUSED), table
    assert logins.attempt("UPDATE auth_user SET password = 'mine'") == 1
    for table in TABLES[1:]:
        assert logins.attempt(f"DELETE FROM {table}") == 1, table


def test_a_gives_itself_no_session_and_no_factor_of_b(logins):
    assert logins.attempt(sessions(B, 3)) == REFUSED
    assert logins.attempt(session(3)) == REFUSED
    assert logins.attempt(factor(B, 3)) == REFUSED
    assert logins.attempt(f"UPDATE usersessions_usersession SET user_id = {B}") == REFUSED
    assert logins.attempt(f"UPDATE mfa_authenticator SET user_id = {B}") == REFUSED
    assert logins.attempt("INSERT INTO auth_user SELECT 3, password, last_login, false, 'n', '', '', '', false, true,"
                          " now() FROM auth_user") == REFUSED  # fmt: skip


def test_on_nobodys_behalf_no_login_is_seen_and_sign_in_sees_all(logins):
    for table in TABLES:
        assert logins.attempt(f"SELECT 1 FROM {table}", "nobody") == "HF003", table
        assert logins.attempt(f"SELECT count(*) FROM {table}", logins.word(None)) == [(2,)], table
