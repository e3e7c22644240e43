"""The script of the simulated channel: what it takes, what it refuses, what a seed chooses, how it dedupes."""

from collections import Counter
from dataclasses import replace

import pytest

from houfu.channels.port import Verdict
from houfu.channels.simulator.server import behaviours
from houfu.channels.simulator.server.behaviours import DONE, NOTICES, Behaviour
from houfu.channels.simulator.tests.conftest import HANGS, adapter, new_transfer
from houfu.channels.simulator.tests.test_answers import WORTH
from houfu.testing.channel import running_simulator
from houfu.testing.threads import in_threads


@pytest.mark.parametrize("name", DONE)
def test_every_behaviour_is_taken_by_name_or_with_its_parameters(channel, name):
    channel.script(transfers=[name, {"name": name, "seconds": 30, "days": 2, "notice": "late"}], default=name)
    said = channel.http.put("/control/script", json={}).json()
    assert [behaviours.read(each) for each in said["transfers"]] == [
        Behaviour(name), Behaviour(name, seconds=30, days=2, notice="late"),
    ]  # fmt: skip


@pytest.mark.parametrize("said", [
    {"transfers": ["pays_twice"]}, {"default": "pays_twice"}, {"transfers": [{"name": "ok", "hours": 1}]},
    {"transfers": [{"name": "ok", "notice": "shouted"}]}, {"pace": "slow"}, {"transfers": [7]},
])  # fmt: skip
def test_what_is_not_a_script_is_refused_and_changes_nothing(channel, said):
    before = channel.http.put("/control/script", json={}).json()
    answer = channel.http.put("/control/script", json=said)
    assert (answer.status_code, answer.json()["code"]) == (422, "script_invalid")
    assert channel.http.put("/control/script", json={}).json() == before


def test_what_there_is_not_cannot_be_directed(channel):
    assert channel.http.post("/control/weather").status_code == 404


def test_a_seed_chooses_the_same_behaviours_every_time():
    first = [behaviours.by_seed(7, count) for count in range(400)]
    assert first == [behaviours.by_seed(7, count) for count in range(400)]
    assert first != [behaviours.by_seed(8, count) for count in range(400)]
    assert {each.name for each in first} == set(DONE)
    assert {each.notice for each in first} == set(NOTICES)


def test_a_channel_left_to_its_seed_follows_it_call_by_call(clock, tmp_path):
    """A call that is not executed counts too; else the same behaviour would meet every call from then on."""
    with running_simulator(tmp_path, "--seed", "7") as channel:
        clock.at = channel.hands.now()
        channel.script(random=True)
        ours, hasty = adapter(channel), adapter(channel, timeout=0.2)
        for count in range(1, 13):
            transfer = new_transfer(channel)
            expected = behaviours.by_seed(7, count)
            answer = (hasty if expected.name in HANGS else ours).transfer(transfer)
            assert (answer.verdict, answer.code) == WORTH[expected.name][:2], expected
            assert channel.executions(transfer.principal) == (expected.done == "now")
        ours.close()
        hasty.close()


# Deduping ------------------------------------------------------------------------------------------------------------


def test_a_strict_channel_executes_a_number_once_and_refuses_it_for_other_content(channel):
    ours, transfer = adapter(channel), new_transfer(channel)
    first = ours.transfer(transfer)
    assert ours.transfer(transfer) == first
    answers = in_threads(lambda _: ours.transfer(transfer), range(4))
    assert {answer.verdict for answer in answers} == {Verdict.PAID}
    other = ours.transfer(replace(transfer, amount_fen=99_999))
    assert (other.verdict, other.code) == (Verdict.UNKNOWN, "request_no_reused")
    assert channel.executions(transfer.principal) == 1
    ours.close()


def test_a_racy_channel_may_execute_two_that_come_at_once_and_dedupes_later_ones(channel):
    channel.script(dedupe="racy")
    ours = adapter(channel)
    times = Counter()
    for _ in range(20):
        transfer = new_transfer(channel)
        in_threads(lambda _, transfer=transfer: ours.transfer(transfer), range(2))
        before = channel.executions(transfer.principal)
        ours.transfer(transfer)
        assert channel.executions(transfer.principal) == before
        times[before] += 1
        if times[2]:
            break
    assert times[2] == 1
    ours.close()


def test_a_channel_that_does_not_dedupe_executes_whatever_comes(channel):
    channel.script(dedupe="none")
    ours, transfer = adapter(channel), new_transfer(channel)
    assert [ours.transfer(transfer).verdict for _ in range(3)] == [Verdict.PAID] * 3
    assert channel.executions(transfer.principal) == 3
    ours.close()
