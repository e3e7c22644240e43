"""Packs: loaded once, merged over what held before, refused where they do not state what they must."""

import json
import re
from datetime import timedelta

import msgspec
import pytest
from click.testing import CliRunner
from django.db import DatabaseError, connection

from houfu.history import actions as histories
from houfu.history import queries as history
from houfu.kernel import clock
from houfu.policies import actions, pack, queries
from houfu.policies.actions import SHIPPED, OutOfOrder, SourceMissing, TooLate, VersionReused
from houfu.policies.cli import cli
from houfu.policies.pack import PackInvalid
from houfu.testing.threads import in_threads
from houfu.testing.world import OPERATOR

NEW_YEAR = clock.shanghai(2027, 1, 1)
NEXT = """
version = "2027-01-01"
effective_from = 2027-01-01T00:00:00+08:00
title = "Smaller payouts"
source = "The operator's own rule, decided in December."

[payouts]
minimum_fen = 5_000
"""
BASE = (SHIPPED / "2000-01-01.toml").read_text()


def load(text):
    return actions.load(by=OPERATOR, text=text)


def versions():
    return [each.version for each in queries.packs()]


def happened():
    return [link.verb for link in history.links(histories.PLATFORM)]


@pytest.fixture
def nothing_moves(db):
    """Whatever the test tries, packs and history are the same afterwards."""
    before = versions(), happened()
    yield
    assert (versions(), happened()) == before


def test_a_pack_states_what_changes_and_everything_else_stays(fresh_db):
    before = queries.at(NEW_YEAR)
    loaded = load(NEXT)
    after = queries.at(NEW_YEAR)
    assert (after.version, after.payouts.minimum_fen) == ("2027-01-01", 5_000)
    assert msgspec.structs.replace(after.payouts, minimum_fen=10_000) == before.payouts
    for part in ("orders", "buyers", "staff", "pools", "loans", "restoration", "dynamic", "risk", "compliance"):
        assert getattr(after, part) == getattr(before, part)
    assert queries.at(NEW_YEAR - timedelta(microseconds=1)) == before
    link = history.links(histories.PLATFORM)[0]
    assert (link.verb, link.subject) == ("policy.loaded", "policy/2027-01-01")
    assert link.detail["digest"] == bytes(loaded.digest).hex()


def test_a_pack_loaded_again_changes_nothing(fresh_db):
    first = load(NEXT)
    told = happened()
    assert load(NEXT + "\n# a remark\n").digest == first.digest
    assert happened() == told


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_a_shipped_pack_that_was_changed_is_refused_under_its_version(nothing_moves, path):
    text = path.read_text()
    assert load(text).version == path.stem
    with pytest.raises(VersionReused):
        load(re.sub(r"(_fen = \d)", r"\g<1>0", text, count=1))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("minimum_fen = 5_000", "minimum_fen = 5_001"),
        ("minimum_fen = 5_000", ""),
        ("2027-01-01T00:00:00+08:00", "2027-01-02T00:00:00+08:00"),
        ("Smaller payouts", "Small payouts"),
    ],
)
def test_a_version_means_one_content_for_good(fresh_db, old, new):
    load(NEXT)
    before = versions(), happened(), queries.at(NEW_YEAR)
    with pytest.raises(VersionReused):
        load(NEXT.replace(old, new))
    assert (versions(), happened(), queries.at(NEW_YEAR)) == before


@pytest.mark.parametrize(
    "instant", ["1999-12-31T00:00:00+08:00", "2023-10-01T00:00:00+08:00", "2023-11-01T00:00:00+08:00"]
)
def test_the_past_is_not_rewritten(nothing_moves, instant):
    with pytest.raises(OutOfOrder):
        load(NEXT.replace("2027-01-01T00:00:00+08:00", instant))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("minimum_fen", "minimum"),  # unknown
        ("[payouts]", "[payout]"),
        ("[payouts]", "[payouts.waiver]\nfen = 1\n[payouts]"),
        ("5_000", "-1"),  # out of range
        ("5_000", "100_000_000_000_001"),
        ("5_000", "99999999999999999999999999"),
        ("5_000", "50.5"),  # of another form
        ("5_000", '"5000"'),
        ("5_000", "true"),
        ("5_000", "nan"),
        ("5_000", "[5_000]"),
        ("minimum_fen = 5_000", "coverage_permille = 999"),
        ("minimum_fen = 5_000", 'manual.opens = "9:00"'),
        ("minimum_fen = 5_000", 'manual.opens = "21:00"'),  # at odds with another
        ("minimum_fen = 5_000", "automatic.weekdays = []"),
        ("minimum_fen = 5_000", "automatic.weekdays = [8]"),
        ("minimum_fen = 5_000", "automatic.arrival_workdays = [3, 1]"),
        ("minimum_fen = 5_000", "automatic.arrival_workdays = [1]"),
        ("minimum_fen = 5_000", 'purposes = ["wages"]'),
        ("[payouts]\nminimum_fen = 5_000", "[staff]\ndaily_count = [5, 1]"),
        ("[payouts]\nminimum_fen = 5_000", "[pools]\nshare_max = 0"),
        ("[payouts]\nminimum_fen = 5_000", "[restoration]\nlot_fen = 1"),
        ("[payouts]\nminimum_fen = 5_000", "[risk]\nusage_calm_permille = 800"),
        ("[payouts]\nminimum_fen = 5_000", "[buyers]\nlines = [{score = 1, line_fen = 2}, {score = 2, line_fen = 1}]"),
        ("T00:00:00+08:00", "T00:00:00"),  # without an offset it is anybody's midnight
        ("2027-01-01T00:00:00+08:00", "2027-01-01"),
        ('version = "2027-01-01"', ""),
        ('version = "2027-01-01"', "version = 2027"),
        ('version = "2027-01-01"', 'version = "一月"'),
        ('title = "Smaller payouts"', 'titel = "Smaller payouts"'),
        ("[payouts]", "[payouts"),
    ],
)
def test_a_pack_with_anything_wrong_is_refused_whole(nothing_moves, old, new):
    assert old in NEXT
    with pytest.raises(PackInvalid):
        load(NEXT.replace(old, new, 1))


def test_a_pack_names_its_source(nothing_moves):
    with pytest.raises(SourceMissing):
        load(NEXT.replace("The operator's own rule, decided in December.", "rumour"))


def test_checking_says_every_number_that_would_differ_and_keeps_nothing(nothing_moves):
    draft = actions.check(NEXT + "[payouts.automatic]\nfee_permille = 2\n")
    assert (draft.before.version, draft.loaded, draft.policy.payouts.minimum_fen) == ("2023-11-01", None, 5_000)
    assert sorted(draft.changes) == [("payouts.automatic.fee_permille", 6, 2), ("payouts.minimum_fen", 10_000, 5_000)]


def test_checking_says_that_a_pack_is_loaded(nothing_moves):
    text = (SHIPPED / "2023-11-01.toml").read_text()
    draft = actions.check(text)
    assert (draft.loaded.version, draft.before.version) == ("2023-11-01", "2023-09-01")
    assert ("payouts.waiver.count", None, 1_000_000) in draft.changes


def test_a_pack_is_published_before_it_takes_effect(fresh_db, clock):
    """T5: what comes can be seen coming."""
    before = versions(), happened()
    clock.at = NEW_YEAR
    with pytest.raises(TooLate) as refused:
        actions.publish(by=OPERATOR, text=NEXT)
    assert refused.value.details == {"effective_from": "2027-01-01T00:00:00+08:00"}
    assert (versions(), happened()) == before
    clock.at = NEW_YEAR - timedelta(microseconds=1)
    published = actions.publish(by=OPERATOR, text=NEXT)
    assert (versions()[-1], happened()[0]) == ("2027-01-01", "policy.loaded")
    clock.at = NEW_YEAR + timedelta(days=1)
    assert actions.publish(by=OPERATOR, text=NEXT).digest == published.digest


def keys_of_the_first_pack():
    """Every number that the first pack states, by its dotted path."""
    return [path for path, _, _ in pack.diff({}, pack.read(BASE)) if path not in ("version", "effective_from")]


@pytest.mark.parametrize("path", keys_of_the_first_pack())
def test_a_first_pack_that_leaves_out_any_number_is_refused(path):
    optional = {"staff.clerk.monthly_fen", "staff.store_manager.monthly_fen"}
    optional |= {f"staff.{tier}.per_payout_fen" for tier in ("clerk", "store_manager", "regional_manager")}
    document = pack.read(BASE)
    *parents, key = path.split(".")
    part = document
    for parent in parents:
        part = part[parent]
    del part[key]
    if path in optional:  # a tier may be without a cap (S4, S6)
        assert pack.decode(pack.canonical(document))
    else:
        with pytest.raises(PackInvalid) as refused:
            pack.decode(pack.canonical(document))
        assert key in refused.value.details["said"]


def test_a_pack_is_written_once_even_for_the_owner(nothing_moves):
    for role in ("houfu_app", "NONE"):
        for statement in (
            "UPDATE policies_pack SET effective_from = now()",
            "DELETE FROM policies_pack",
            "TRUNCATE policies_pack",
        ):
            with connection.cursor() as cursor:
                cursor.execute(f"SET ROLE {role}")
                try:
                    with pytest.raises(DatabaseError):
                        cursor.execute(statement)
                finally:
                    cursor.execute("SET ROLE houfu_app")


def test_every_shipped_pack_is_loaded_and_a_start_loads_none_again(nothing_moves):
    assert versions() == [path.stem for path in sorted(SHIPPED.glob("*.toml"))]
    actions.load_shipped(by=OPERATOR)


def run(*words):
    answer = CliRunner().invoke(cli, [*words, "--json"], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.output)


def test_show_gives_every_number_in_force_at_an_instant(db):
    assert run("show", "--at", "2023-08-31T23:59:59")["version"] == "2000-01-01"
    assert run("show", "--at", "2023-09-01")["pools"]["filing_above_fen"] == 50_000_000
    assert run("show", "2000-01-01") == json.loads(queries.access_pack("2000-01-01").document)
    assert run("show")["version"] == "2023-11-01"
    lines = CliRunner().invoke(cli, ["show", "2023-11-01"]).output.splitlines()
    assert any(line.split() == ["payouts.waiver.count", "1000000"] for line in lines)


def test_diff_gives_what_changes_and_nothing_else(db):
    assert [each for each in run("diff", "2023-09-01", "2023-11-01") if each["path"].count(".")] == [
        {"path": "compliance.look_through.months", "old": None, "new": 3},
        {"path": "compliance.look_through.shared_fen", "old": None, "new": 200_000_000},
        {"path": "payouts.waiver.count", "old": None, "new": 1_000_000},
        {"path": "payouts.waiver.minimum_fen", "old": None, "new": 5_000_000},
    ]
    back = run("diff", "2023-09-01", "2000-01-01")
    assert {"path": "pools.filing_above_fen", "old": 50_000_000, "new": None} in back
    assert run("diff", "2023-09-01", "2023-09-01") == []


def test_check_gives_what_a_file_would_change(db, tmp_path):
    (tmp_path / "next.toml").write_text(NEXT)
    found = run("check", str(tmp_path / "next.toml"))
    assert (found["version"], found["before"]) == ("2027-01-01", "2023-11-01")
    assert found["changes"] == [{"path": "payouts.minimum_fen", "old": 10_000, "new": 5_000}]
    assert versions()[-1] == "2023-11-01"


def test_list_marks_the_one_in_force(db, clock):
    clock.at = NEW_YEAR.replace(year=2023, month=10)
    assert {each["version"]: each["in_force"] for each in run("list")} == {
        "2000-01-01": False,
        "2023-09-01": True,
        "2023-11-01": False,
    }


def test_a_supposed_policy_judges_from_its_instant_on_and_in_its_thread_alone():
    since, before = clock.shanghai(2025, 1, 1), clock.shanghai(2024, 12, 31)
    policy = msgspec.structs.replace(queries.at(since), version="supposed")
    real = queries.at(since).version
    with queries.supposing(policy, since):
        assert [queries.at(at).version for at in (before, since)] == [real, "supposed"]
        assert [found.version for found in queries.at_each([since, before])] == ["supposed", real]
        assert queries.known_packs().at_each([since])[0] is policy
        assert set(in_threads(lambda _: queries.at(since).version, range(2))) == {real}
        assert "supposed" not in {pack.version for pack in queries.packs()}
    assert queries.at(since).version == real


def test_a_drafted_pack_is_merged_and_checked_and_not_kept():
    text = (
        'version = "2090-01-01"\neffective_from = 2090-01-01T00:00:00+08:00\ntitle = "Wider"\n'
        'source = "The operator\'s own trial."\n[orders]\ntolerance_permille = 1500\n'
    )
    policy = queries.drafted(text)
    now = queries.at(clock.shanghai(2025, 1, 1))
    assert (policy.version, policy.orders.tolerance_permille, policy.loans) == ("2090-01-01", 1500, now.loans)
    assert "2090-01-01" not in {pack.version for pack in queries.packs()}
    with pytest.raises(PackInvalid):
        queries.drafted(text.replace("1500", "900"))
