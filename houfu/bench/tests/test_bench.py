"""Each benchmark with tiny numbers: it ends, its figures are there and the books hold. Its speed is not judged."""

import json
import os
import tempfile

import psycopg
import pytest
from click.testing import CliRunner

from houfu.bench import callers, figures, volume
from houfu.bench.cli import _show, cli
from houfu.bench.scene import uscc

OTHER_LEDGER = """
CREATE TABLE account (id text, name text, moved bigint DEFAULT 0);
CREATE FUNCTION pgledger_create_account(name text, currency text) RETURNS SETOF account LANGUAGE sql
    AS $$ INSERT INTO account VALUES ('a' || name, name) RETURNING * $$;
CREATE TYPE transfer_request AS (from_account_id text, to_account_id text, amount numeric);
CREATE FUNCTION pgledger_create_transfers(requests transfer_request[]) RETURNS SETOF account LANGUAGE sql
    AS $$ UPDATE account SET moved = moved + 1 WHERE id = requests[1].from_account_id RETURNING * $$;
"""


@pytest.fixture(autouse=True)
def nothing_left(monkeypatch, tmp_path):
    """Benchmarks make their databases on the tests' server, and leave neither these nor files behind."""
    monkeypatch.setenv("DATABASE_URL", os.environ["HOUFU_TEST_ADMIN"])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    with psycopg.connect(os.environ["HOUFU_TEST_ADMIN"]) as admin:
        ours = [f"houfu_bench_{os.getpid()}_%"]  # another test process may be at it too
        assert admin.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", ours).fetchall() == []
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("houfu")] == []


def bench(*words):
    """Run a benchmark and return its figures, once the books were proved."""
    answer = CliRunner().invoke(cli, [*map(str, words), "--json"])
    assert answer.exit_code == 0, f"{answer.output}\n{answer.exception!r}"
    found = json.loads(answer.stdout)
    assert found["bench"] == words[0]
    assert (found["verify"]["findings"], found["verify"]["checks"] >= 20) == (0, True)
    assert found["machine"]["settings"]["fsync"] == "on"
    return found


def goals(found):
    return [goal["id"] for goal in found["goals"]]


def test_orders_of_one_pool_are_decided_beside_all_peers(tmp_path):
    (tmp_path / "ledger.sql").write_text(OTHER_LEDGER)
    found = bench(
        "authorise",
        "--stores",
        3,
        "--orders",
        400,
        "--batch",
        40,
        "--seconds",
        1,
        "--pgledger",
        tmp_path / "ledger.sql",
    )
    assert (found["stores"], found["orders"], goals(found)) == (3, 400, ["F1", "F1", "F1"])
    assert set(found["peers"]) == set(found["ratios"]) == {"copy", "unnest", "one_by_one", "pgledger"}
    for timed in (found["ours"], *found["peers"].values()):
        assert 0 < timed["per_second"]["least"] <= timed["per_second"]["median"] <= timed["per_second"]["most"]
        assert 0 < timed["batch_ms"]["p50"] <= timed["batch_ms"]["p99"]
    assert found["sustained"]["orders"] % 40 == 0


def test_orders_of_many_merchants_are_compared_with_those_of_one_pool():
    found = bench(
        "authorise", "--pool", "spread", "--merchants", 20, "--orders", 100, "--batch", 20, "--connections", 1
    )
    assert (found["stores"], goals(found)) == (20, ["F6"])
    assert set(found["ratios"]) == {"copy", "unnest", "one_by_one", "hot"}
    assert found["orders_a_call"] == 120  # six batches, as there are merchants enough


@pytest.mark.slow
def test_callers_over_http_are_answered_one_by_one():
    found = bench("intake", "--callers", 4, "--seconds", 1, "--pool", "spread", "--merchants", 3)
    assert (set(found["answers"]), found["declined"], found["lost"]) == ({"201"}, 0, 0)
    assert goals(found) == ["F3", "F3"]
    assert found["decided"] == found["answers"]["201"] > 0


@pytest.mark.parametrize(("by", "goal"), [("line", ["F4"]), ("call", ["F2", "F2"])])
def test_the_door_is_measured_by_lines_and_by_calls_too(by, goal):
    found = bench("intake", "--by", by, "--callers", 3, "--seconds", 1)
    assert (found["by"], goals(found), found["declined"]) == (by, goal, 0)
    assert found["decided"] > 0


def test_growth_is_looked_at_at_each_power_of_ten():
    found = bench("grow", "--to", 1000, "--first", 100)
    assert [step["orders"] for step in found["steps"]] == [100, 1000]
    assert set(found["steps"][-1]) == {"orders", "batch", "page", "deep_page"}
    assert goals(found) == ["F7", "F7", "F7"]


@pytest.mark.parametrize(
    ("words", "what", "least", "goal"),
    [
        (("settle", "--lines", 30), "lines", 30, ["F8"]),
        (("run", "--stores", 12), "stores", 12, ["F9"]),
        (("verify", "--entries", 40), "entries", 40, ["F10"]),
        (("history", "--links", 40), "links", 40, []),
    ],
)
def test_a_job_is_timed_over_as_much_as_it_was_given(words, what, least, goal, monkeypatch):
    if words[0] == "history":
        monkeypatch.delenv("DATABASE_URL")  # on an embedded server of its own
    found = bench(*words)
    assert found[what] >= least
    assert found["seconds"]["median"] >= 0
    assert goals(found) == goal
    assert [each["reached"] for each in found["goals"] if each["id"] != "F10"] in ([], [None])


def test_an_export_is_timed_in_both_formats():
    found = bench("export", "--rows", 30)
    assert found["rows"] == 30
    assert all(found[format_]["steps"] == 1 and found[format_]["bytes"] > 1000 for format_ in ("csv", "xlsx"))


def test_a_goal_is_not_reached_by_a_smaller_job_but_may_be_missed_by_it():
    assert volume._job("F8", "lines", 10, 1000, [1.0, 2.0, 9.0])["goals"][0]["reached"] is None
    assert volume._job("F8", "lines", 1000, 1000, [1.0])["goals"][0]["reached"] is True
    assert volume._job("F8", "lines", 10, 1000, [61.0])["goals"][0]["reached"] is False


def test_figures_are_medians_with_their_spread():
    assert figures.spread([3, 1, 2]) == {"median": 2, "least": 1, "most": 3}
    assert figures.ratio([10, 30, 20], [10, 10, 40]) == {"median": 1.0, "least": 0.5, "most": 3.0}
    assert figures.milliseconds([n / 1000 for n in range(200, 0, -1)]) == {"p50": 101, "p99": 199}
    assert figures.at_least("F1", "", 5, 5)["reached"]
    assert not figures.at_most("F1", "", 5, 5.1)["reached"]


@pytest.mark.parametrize(
    ("head", "body", "whole"),
    [
        (b"HTTP/1.1 201 Created\r\nContent-Length: 2", b"{}", True),
        (b"HTTP/1.1 201 Created\r\ncontent-length: 3\r\nx: y", b"{}", False),
        (b"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked", b"2\r\n{}\r\n", False),
        (b"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked", b"2\r\n{}\r\n0\r\n\r\n", True),
    ],
)
def test_an_answer_is_read_to_its_end(head, body, whole):
    assert callers._whole(head, body) is whole


def test_books_that_do_not_hold_end_with_one(capsys):
    with pytest.raises(SystemExit) as ended:
        _show({"verify": {"findings": 1}, "goals": []}, as_json=True)
    assert ended.value.code == 1
    assert json.loads(capsys.readouterr().out)["verify"] == {"findings": 1}


def test_a_login_that_may_not_create_databases_is_refused(monkeypatch):
    login = os.environ["HOUFU_TEST_URL"] + "/postgres"
    monkeypatch.setenv("DATABASE_URL", login)
    with psycopg.connect(os.environ["HOUFU_TEST_ADMIN"]) as admin:
        may = admin.execute("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = 'houfu_owner'").fetchone()
    assert may == (False,)
    answer = CliRunner().invoke(cli, ["settle", "--lines", "1"])
    assert answer.exception.code == "bench_may_not_create"


def test_codes_of_invented_merchants_are_valid(db):
    from houfu.kernel import db as door

    rows = door.rows(
        "SELECT merchants_uscc_valid_v1(code) AS valid FROM unnest(%s::text[]) code", [[uscc(n) for n in range(40)]]
    )
    assert all(row.valid for row in rows)
