"""Whoever owns the database can alter what is written; whoever verifies the chains finds that it was altered."""

import json

import pytest
from click.testing import CliRunner
from django.db import connection

from houfu.history import actions as history
from houfu.history import queries
from houfu.history.cli import cli
from houfu.kernel import db
from houfu.people.actor import operator
from houfu.verify import queries as verifier

ALTERED, MISSING, HEAD = "link_altered", "link_missing", "head_differs"
ONE, TWO = 5, 6


@pytest.fixture
def chains(fresh_db):
    """Five links for each of two merchants, and the checkpoint that was kept elsewhere afterwards."""
    for n in range(1, 6):
        say(n, ONE, TWO)
    assert queries.broken_links(list(queries.heads())) == []
    return list(queries.heads())


@db.action
def say(n, *merchants):
    for merchant_id in merchants:
        history.record("test.said", by=operator("li"), merchant_id=merchant_id, subject=f"x/{n}", n=n)


def as_owner(*statements):
    """Do what only somebody with the owner's password can do, the guards taken off and put back."""
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE NONE")
        cursor.execute("ALTER TABLE history_link DISABLE TRIGGER ALL")
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("ALTER TABLE history_link ENABLE TRIGGER ALL")
        cursor.execute("SET ROLE houfu_app")


def faults(checkpoints=None):
    """Return what does not hold, and see that `houfu verify`, which shares nothing with it, finds the same."""
    found = queries.broken_links(checkpoints)
    independent = verifier.run("i15_history_is_unbroken").findings
    assert bool(independent) == any(each["fault"] != "checkpoint_missing" for each in found)
    return [(each["merchant_id"], each["seq"], each["fault"]) for each in found]


# Makes every hash of a merchant's chain right again, and its head; somebody thorough would.
COVER_UP = """
DO $$ DECLARE link record; before bytea := '\\x'; BEGIN
    FOR link IN SELECT * FROM history_link WHERE merchant_id = 5 ORDER BY seq LOOP
        before := history_hash_v1(before, link.merchant_id, link.seq, link.at, link.actor, link.verb, link.subject,
                                  link.detail, link.rows_digest);
        UPDATE history_link SET hash = before WHERE merchant_id = 5 AND seq = link.seq;
    END LOOP;
    UPDATE history_head SET hash = before,
        seq = (SELECT coalesce(max(seq), 0) FROM history_link WHERE merchant_id = 5) WHERE merchant_id = 5;
END $$
"""


@pytest.mark.parametrize(
    ("seq", "change"),
    [
        (1, "actor = 'operator/wang'"),
        (3, "at = at + interval '1 microsecond'"),
        (3, "actor = 'operator/wang'"),
        (3, "verb = 'test.heard'"),
        (3, "subject = 'x/33'"),
        (3, "detail = '{\"n\":4}'"),
        (3, "detail = '{\"n\": 3}'"),  # the same to a program, another text
        (3, "rows_digest = '\\x00'"),
        (5, "actor = 'operator/wang'"),
    ],
)
def test_an_altered_link_is_found(chains, seq, change):
    as_owner(f"UPDATE history_link SET {change} WHERE merchant_id = {ONE} AND seq = {seq}")
    assert faults() == [(ONE, seq, ALTERED)]


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (
            ["UPDATE history_link SET hash = '\\x00' WHERE (merchant_id, seq) = (5, 3)"],
            [(ONE, 3, ALTERED), (ONE, 4, ALTERED)],
        ),
        (["DELETE FROM history_link WHERE (merchant_id, seq) = (5, 1)"], [(ONE, 2, MISSING)]),
        (["DELETE FROM history_link WHERE (merchant_id, seq) = (5, 3)"], [(ONE, 4, MISSING)]),
        (["DELETE FROM history_link WHERE (merchant_id, seq) = (5, 5)"], [(ONE, 5, HEAD)]),
        (["DELETE FROM history_link WHERE merchant_id = 5 AND seq > 2"], [(ONE, 5, HEAD)]),
        (["DELETE FROM history_link WHERE merchant_id = 5"], [(ONE, 5, HEAD)]),
        (  # reordered: the third and the fourth change places
            [
                "UPDATE history_link SET seq = 99 WHERE (merchant_id, seq) = (5, 3)",
                "UPDATE history_link SET seq = 3 WHERE (merchant_id, seq) = (5, 4)",
                "UPDATE history_link SET seq = 4 WHERE (merchant_id, seq) = (5, 99)",
            ],
            [(ONE, 3, ALTERED), (ONE, 4, ALTERED), (ONE, 5, ALTERED)],
        ),
        (  # removed, and those after it moved up
            [
                "DELETE FROM history_link WHERE (merchant_id, seq) = (5, 4)",
                "UPDATE history_link SET seq = 4 WHERE (merchant_id, seq) = (5, 5)",
                "UPDATE history_head SET seq = 4 WHERE merchant_id = 5",
            ],
            [(ONE, 4, ALTERED)],
        ),
        (  # added at the end, without the head knowing
            ["INSERT INTO history_link SELECT 5, 6, at, actor, verb, subject, detail, NULL, hash"
             " FROM history_link WHERE (merchant_id, seq) = (5, 5)"],
            [(ONE, 5, HEAD), (ONE, 6, ALTERED)],
        ),
        (["UPDATE history_head SET hash = '\\x00' WHERE merchant_id = 5"], [(ONE, 5, HEAD)]),
        (["UPDATE history_head SET seq = 4 WHERE merchant_id = 5"], [(ONE, 4, HEAD)]),
        (["UPDATE history_head SET seq = 6 WHERE merchant_id = 5"], [(ONE, 6, HEAD)]),
        (["DELETE FROM history_head WHERE merchant_id = 5"], [(ONE, 5, "head_missing")]),
        (  # the chains of two merchants change owners, heads and all
            [
                f"UPDATE {table} SET merchant_id = {new} WHERE merchant_id = {old}"
                for table in ("history_link", "history_head") for old, new in ((5, 99), (6, 5), (99, 6))
            ],
            [(merchant_id, seq, ALTERED) for merchant_id in (ONE, TWO) for seq in range(1, 6)],
        ),
    ],
)  # fmt: skip
def test_links_removed_added_or_put_elsewhere_and_heads_rewritten_are_found(chains, statements, expected):
    as_owner(*statements)
    assert faults() == expected


@pytest.mark.parametrize(
    "statements",
    [
        ["DELETE FROM history_link WHERE (merchant_id, seq) = (5, 5)", COVER_UP],  # the tail cut
        ["DELETE FROM history_link WHERE merchant_id = 5 AND seq > 1", COVER_UP],
        ["DELETE FROM history_link WHERE merchant_id = 5", "DELETE FROM history_head WHERE merchant_id = 5"],
        ["UPDATE history_link SET detail = '{}' WHERE (merchant_id, seq) = (5, 1)", COVER_UP],  # rewritten throughout
        ["UPDATE history_link SET actor = 'operator/wang' WHERE (merchant_id, seq) = (5, 5)", COVER_UP],
    ],
)
def test_what_was_covered_up_throughout_is_found_by_a_checkpoint_alone(chains, statements):
    as_owner(*statements)
    assert faults() == []
    assert faults(chains) == [(ONE, 5, "checkpoint_missing")]


def test_a_tail_cut_and_grown_again_is_found_by_a_checkpoint(chains):
    as_owner("DELETE FROM history_link WHERE merchant_id = 5 AND seq > 3", COVER_UP)
    say(4, ONE)
    say(6, ONE)
    assert faults() == []
    assert faults(chains) == [(ONE, 5, "checkpoint_missing")]


def test_a_chain_that_has_only_grown_still_holds_its_checkpoints(chains):
    say(6, ONE, TWO)
    assert faults(chains) == []
    assert faults(list(queries.heads())) == []


def test_one_merchants_end_is_no_checkpoint_for_another(chains):
    ends = {merchant_id: digest for merchant_id, _, digest in chains}
    assert faults([(ONE, 5, ends[TWO])]) == [(ONE, 5, "checkpoint_missing")]
    assert faults([(ONE, 4, ends[ONE])]) == [(ONE, 4, "checkpoint_missing")]


def test_at_a_terminal_chains_are_verified_against_ends_kept_in_a_file(chains, tmp_path):
    def run(*words):
        return CliRunner().invoke(cli, [*words], catch_exceptions=False)

    ends = tmp_path / "ends"
    ends.write_text(run("checkpoint").output)
    assert {json.loads(line)["merchant_id"] for line in ends.read_text().splitlines()} >= {0, ONE, TWO}
    answer = run("verify", "--checkpoints", str(ends))
    assert (answer.exit_code, answer.output) == (0, f"{len(chains)} chains hold\n")
    as_owner("DELETE FROM history_link WHERE (merchant_id, seq) = (5, 5)", COVER_UP)
    assert run("verify").exit_code == 0
    answer = run("verify", "--checkpoints", str(ends), "--json")
    assert answer.exit_code == 1
    assert json.loads(answer.output) == [{"merchant_id": ONE, "seq": 5, "fault": "checkpoint_missing"}]
