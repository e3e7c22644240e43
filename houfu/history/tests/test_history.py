"""One chain of links per merchant: written by whoever acts, in the order of commits, and read back as it was said."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection

from houfu.history import actions as history
from houfu.history import queries
from houfu.kernel import db
from houfu.people.actor import operator
from houfu.testing.threads import in_threads
from houfu.testing.world import open_shop

pytestmark = pytest.mark.usefixtures("db")
LI = operator("li")


@pytest.fixture
def merchant():
    return open_shop(own_limit_fen=0).merchant_id


@pytest.fixture
def other():
    return open_shop(own_limit_fen=0).merchant_id


@db.action
def say(*merchants, verb="test.said", **detail):
    for merchant_id in merchants:
        history.record(verb, by=LI, merchant_id=merchant_id, subject="x/1", **detail)


def said(merchant_id):
    """Return the links of the tests' own making, the oldest first."""
    return [link for link in reversed(queries.links(merchant_id)) if link.subject == "x/1"]


def broken(*merchants):
    return [each for each in queries.broken_links() if each["merchant_id"] in merchants]


def test_what_happened_is_read_back_as_it_was_said(merchant, clock):
    detail = {"text": "额度 \u2028 \x00 \\ \"'", "fen": 10**13, "list": [1, None, {"a": True}], "empty": {}}
    clock.move(microseconds=1)
    say(merchant, **detail)
    (link,) = said(merchant)
    assert (link.actor, link.verb, link.at, link.detail) == ("operator/li", "test.said", clock.now(), detail)
    assert broken(merchant) == []


def test_the_links_of_one_action_go_each_to_its_merchants_chain_in_their_order(merchant, other):
    before = len(queries.links(merchant)), len(queries.links(other))
    db.action(lambda: [say(m, n=n) for n, m in enumerate((merchant, other, merchant, merchant, other))])()
    assert [link.detail["n"] for link in said(merchant)] == [0, 2, 3]
    assert [link.detail["n"] for link in said(other)] == [1, 4]
    assert [link.seq for link in said(merchant)] == [before[0] + n for n in (1, 2, 3)]
    assert [link.seq for link in said(other)] == [before[1] + n for n in (1, 2)]
    assert broken(merchant, other) == []


def test_chains_of_two_merchants_who_hear_the_same_at_the_same_time_have_nothing_in_common(clock):
    """Not even their first links, before which there is nothing."""
    newcomers = [10**15 + n for n in (1, 2)]
    for _ in range(3):
        say(*newcomers, text="same")
    chains = [[bytes(link.hash) for link in said(merchant_id)] for merchant_id in newcomers]
    assert len(chains[0]) == len(chains[1]) == 3
    assert not set(chains[0]) & set(chains[1])


@pytest.mark.parametrize(
    ("one", "another"),
    [
        (("ab", "c"), ("a", "bc")),
        (("1:a", ""), ("1", ":a")),
        (("", "3:abc"), ("3:abc", "")),
        (("额", "度"), ("额度", "")),
    ],
)
def test_no_two_links_read_alike(one, another):
    """Where a field ends is part of what is hashed."""
    hashed = "SELECT history_hash_v1('', 1, 1, now(), %s, %s, '', '', NULL) AS hash"
    assert db.rows(hashed, one)[0].hash != db.rows(hashed, another)[0].hash


def test_links_are_listed_the_newest_first_and_of_one_subject(merchant):
    for n in range(5):
        say(merchant, n=n)
    newest = queries.links(merchant, subject="x/1", limit=2)
    assert [link.detail["n"] for link in newest] == [4, 3]
    older = queries.links(merchant, subject="x/1", before_seq=newest[-1].seq, limit=10)
    assert [link.detail["n"] for link in older] == [2, 1, 0]
    assert queries.links(merchant, subject="x/2") == []


@pytest.mark.parametrize("verb", ["said", "test.", "Test.Said", "test said", "a.b.c", ""])
def test_a_verb_that_is_not_a_noun_and_a_past_ends_the_action(merchant, verb):
    with pytest.raises(IntegrityError):
        say(merchant, verb=verb)
    assert said(merchant) == []
    assert broken(merchant) == []


def test_eight_who_write_one_history_at_once_leave_one_chain_without_a_gap(merchant):
    before = len(queries.links(merchant))

    def write(writer):
        for n in range(5):
            say(merchant, writer=writer, n=n)

    assert in_threads(write, range(8)) == [None] * 8
    links = said(merchant)
    assert [link.seq for link in links] == list(range(before + 1, before + 41))
    for writer in range(8):
        assert [link.detail["n"] for link in links if link.detail["writer"] == writer] == [0, 1, 2, 3, 4]
    assert broken(merchant) == []


def test_those_who_write_two_histories_in_opposite_orders_do_not_block_each_other(merchant, other):
    pairs = [(merchant, other), (other, merchant)] * 4
    assert in_threads(lambda pair: [say(*pair) for _ in range(4)] and None, pairs) == [None] * 8
    assert len(said(merchant)) == len(said(other)) == 32
    assert broken(merchant, other) == []


@pytest.mark.parametrize("role", ["houfu_app", "houfu_verify", "NONE"])
@pytest.mark.parametrize(
    "statement",
    ["UPDATE history_link SET actor = 'x'", "DELETE FROM history_link", "TRUNCATE history_link"],
)
def test_no_role_changes_a_link_not_even_the_owner(merchant, role, statement):
    say(merchant)
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {role}")
        try:
            with pytest.raises(DatabaseError) as refused:
                cursor.execute(statement)
        finally:
            cursor.execute("SET ROLE houfu_app")
    assert refused.value.__cause__.sqlstate == ("HF002" if role == "NONE" else "42501")
    assert len(said(merchant)) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO history_link SELECT merchant_id, seq + 1000, at, actor, verb, subject, detail, rows_digest, hash"
        " FROM history_link",
        "UPDATE history_head SET seq = seq - 1",
        "DELETE FROM history_head",
        "ALTER TABLE history_link DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
    ],
)
def test_the_running_product_writes_history_by_its_function_alone(merchant, statement):
    say(merchant)
    with connection.cursor() as cursor, pytest.raises(DatabaseError) as refused:
        cursor.execute(statement)
    assert refused.value.__cause__.sqlstate == "42501"
    assert broken(merchant) == []


def test_the_instant_of_a_link_is_hashed_in_utc_whatever_the_session_says(merchant, clock):
    say(merchant)
    clock.move(hours=8)
    with connection.cursor() as cursor:
        cursor.execute("SET timezone = 'Asia/Shanghai'")
        try:
            say(merchant)
            assert broken(merchant) == []
        finally:
            cursor.execute("SET timezone = 'UTC'")
    assert broken(merchant) == []
    first, second = said(merchant)
    assert second.at - first.at == timedelta(hours=8)
