"""Back-tests as jobs: the same figures as at once, a few merchants a step, nothing kept of one that was called off."""

import json

import pytest

from houfu.history.actions import PLATFORM
from houfu.jobs import actions as jobs
from houfu.jobs import runner
from houfu.jobs.models import Job
from houfu.kernel.errors import Forbidden, NotFound
from houfu.people import actions as people
from houfu.people.actions import Settings
from houfu.risk import actions as risk
from houfu.risk import work
from houfu.risk.actions.backtesting import BadDays
from houfu.risk.models import Backtest
from houfu.risk.tests.people import LI, ZHAO
from houfu.risk.tests.test_rulebook import DAYS, drafted, history_of_payouts
from houfu.testing.world import OPERATOR, at_work, new_identity, open_shop

pytestmark = pytest.mark.usefixtures("fresh_db")
RULE = "device_frequency"


def ask(version, by=LI, **days):
    return work.ask(by=by, rule=RULE, version=version, **(days or DAYS))


@pytest.fixture
def three_merchants(clock, monkeypatch):
    """Two merchants with payouts and one without, one asked about in each step."""
    monkeypatch.setattr(work, "AT_ONCE", 1)
    history_of_payouts(clock)
    open_shop()
    clock.move(days=-5)
    return history_of_payouts(clock)


def test_a_job_finds_what_asking_at_once_finds(three_merchants):
    version = drafted(device_payouts=3, device_hours=12)
    at_once = json.loads(risk.backtest(by=LI, rule=RULE, version=version, **DAYS).result)
    ended = runner.finish(PLATFORM, ask(version).id)
    assert (ended.state, ended.done, ended.steps) == ("done", 3, 4)
    kept = Backtest.objects.get(id=ended.outcome["backtest"])
    assert json.loads(kept.result) == at_once
    assert at_once["judged"] == 16
    assert (kept.version, kept.first_day, kept.last_day, kept.run_by) == (version, *DAYS.values(), "li")


def test_somebody_of_the_platform_asks_for_all_merchants_as_it_is_their_duty(three_merchants):
    settings = Settings("operator", None)
    member, _ = people.invite(by=OPERATOR, merchant_id=0, name="李", identity=new_identity(), settings=settings)
    by = at_work(member)
    assert by.reach == "0"
    assert runner.finish(PLATFORM, ask(1, by).id).state == "done"
    assert json.loads(Backtest.objects.get().result)["judged"] == 16


def test_what_is_called_off_keeps_nothing(three_merchants):
    job = ask(drafted(device_payouts=3))
    assert runner.take_turn(PLATFORM, job.id)
    assert Job.objects.get(merchant_id=PLATFORM, id=job.id).done == 1
    jobs.cancel(by=LI, merchant_id=PLATFORM, id=job.id)
    assert not runner.take_turn(PLATFORM, job.id)
    assert not Backtest.objects.exists()


def test_a_version_promoted_meanwhile_does_not_change_what_is_compared(three_merchants):
    version, other = drafted(device_payouts=3), drafted(device_payouts=1)
    job = ask(version)
    assert runner.take_turn(PLATFORM, job.id)
    risk.backtest(by=LI, rule=RULE, version=other, **DAYS)
    risk.promote(by=ZHAO, rule=RULE, version=other)
    found = json.loads(Backtest.objects.get(id=runner.finish(PLATFORM, job.id).outcome["backtest"]).result)
    assert found["active"]["version"] == 1


def test_what_cannot_be_tried_is_not_asked_for(three_merchants):
    with pytest.raises(BadDays):
        ask(1, first=DAYS["last"], last=DAYS["first"])
    with pytest.raises(NotFound):
        ask(99)
    with pytest.raises(Forbidden):
        ask(1, by=three_merchants.owner)
    assert not Job.objects.exists()


def test_the_tests_of_a_version_are_found_again(three_merchants):
    first, second = drafted(device_payouts=3), drafted(device_payouts=4)
    jobs_ = [ask(first), ask(second)]
    assert [[job.id for job in work.asked(LI, RULE, version)] for version in (first, second)] == [
        [job.id] for job in jobs_
    ]
