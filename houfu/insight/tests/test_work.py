"""What-ifs and back-tests as jobs: asked for, done by the runner as who asked, seen to move, called off, too large."""

import json
from datetime import timedelta

import pytest

from houfu.insight import actions, work
from houfu.insight.actions import Supposed
from houfu.insight.tests.test_doors import call  # noqa: F401  a fixture
from houfu.insight.tests.test_forecast import daily, sell
from houfu.insight.tests.test_what_if import a_busy_past, tables
from houfu.jobs import actions as jobs
from houfu.jobs import kinds, queries, runner
from houfu.jobs.models import Job
from houfu.kernel import clock as clocks
from houfu.kernel.errors import Forbidden, NotFound
from houfu.people import actions as people
from houfu.people.actor import WholeMerchantNeeded
from houfu.policies import queries as policies
from houfu.policies.pack import PackInvalid
from houfu.site import kinds as all_kinds
from houfu.testing.world import OPERATOR, open_shop

pytestmark = pytest.mark.usefixtures("fresh_db")


def ask(shop, by=None, **supposed):
    return work.ask_what_if(by=by or shop.owner, merchant_id=shop.merchant_id, **supposed)


def finish(job):
    return runner.finish(job.merchant_id, job.id)


def small():
    """Return a shop of which one order was refused."""
    shop = open_shop(own_limit_fen=100_000)
    shop.place_in([(shop.store, 90_000), (shop.store, 50_000)], ["H1", "H2"])
    return shop


def test_both_kinds_can_be_asked_for():
    assert {kind.name for kind in all_kinds.WORK} == {
        "import.orders",
        "insight.whatif",
        "insight.backtest",
        "risk.backtest",
    }


def test_a_job_says_what_the_command_says_and_touches_nothing_but_its_own_row(clock):
    shop = a_busy_past(clock)
    change = {shop.store: 500_000}
    said = actions.what_if(by=OPERATOR, merchant_id=shop.merchant_id, supposed=Supposed(changes_fen=change))
    before = [row for row in tables() if not row[0].startswith(("jobs_", "history_"))]
    books, now = shop.books(), clocks.now()
    job = finish(ask(shop, changes_fen=change))
    assert (job.state, job.code, job.done) == ("done", "", job.total)
    found = job.outcome
    assert found["reproduced"] is True
    assert found["taken_only_now"]["orders"] > 0
    for name in ("orders", "then", "now", "taken_only_now", "refused_only_now", "not_done_now"):
        assert found[name] == json.loads(json.dumps(said[name])), name
    assert sorted(store["code"] for store in found["stores"]) == ["S1", "S2", "S3"]
    assert [row for row in tables() if not row[0].startswith(("jobs_", "history_"))] == before
    assert (shop.books(), clocks.now()) == (books, now)


def test_a_policy_and_a_period_are_kept_as_they_were_asked_for(clock):
    shop = small()
    now = clocks.now()
    job = finish(ask(shop, policy="2023-11-01", begins=now - timedelta(days=1), ends=now + timedelta(days=1)))
    assert (job.state, job.outcome["policy"], job.outcome["orders"]) == ("done", "2023-11-01", 2)
    job = finish(ask(shop, begins=now + timedelta(days=1)))
    assert job.outcome["orders"] == 0


def test_a_pack_that_is_not_loaded_is_lived_through_as_if_it_were(clock):
    """T5: where tolerance reaches further, the order that was refused is taken."""
    shop = small()
    draft = """
        version = "2027-01-01"
        effective_from = 2027-01-01T00:00:00+08:00
        title = "Wider"
        source = "decided in December"
        [orders]
        tolerance_permille = 2000
    """
    job = finish(ask(shop, draft=draft))
    assert (job.state, job.outcome["policy"], job.outcome["reproduced"]) == ("done", "2027-01-01", True)
    job = finish(ask(shop, draft=draft.replace("tolerance_permille = 2000", "")))
    assert job.outcome["then"]["orders_taken"] == job.outcome["now"]["orders_taken"]
    assert [each.version for each in policies.packs()][-1] == "2023-11-01"


def test_how_far_it_is_is_told_while_it_is_not_yet_done(monkeypatch):
    monkeypatch.setattr(runner, "TELL_EVERY", 0.0)
    shop = small()
    seen, before = [], runner.actions.tell

    def tell(**said):
        before(**said)
        seen.append((said["done"], said["of"]))

    monkeypatch.setattr(runner.actions, "tell", tell)
    job = finish(ask(shop))
    assert job.state == "done"
    assert seen == sorted(seen)
    assert seen[-1] == (job.done, job.total)


def test_called_off_meanwhile_it_stops_and_stays_called_off(monkeypatch):
    monkeypatch.setattr(runner, "TELL_EVERY", 0.0)
    shop = small()
    job = ask(shop)
    went_on, before = [], runner.actions.tell

    def tell(**said):
        jobs.cancel(by=shop.owner, merchant_id=shop.merchant_id, id=job.id)
        monkeypatch.setattr(runner.actions, "tell", before)
        before(**said)
        went_on.append(said)

    monkeypatch.setattr(runner.actions, "tell", tell)
    found = finish(job)
    assert (found.state, found.outcome, went_on) == ("cancelled", None, [])


def test_a_past_that_is_too_long_is_refused_when_it_is_asked_for_and_when_it_has_grown(monkeypatch):
    shop = small()
    job = ask(shop)
    monkeypatch.setattr(work, "MOST_ORDERS", 1)
    with pytest.raises(work.TooManyOrders) as refused:
        ask(shop)
    assert refused.value.details == {"orders": 2, "most": 1}
    found = finish(job)
    assert (found.state, found.code) == ("failed", "insight_too_many_orders")
    assert Job.objects.count() == 1


def test_what_cannot_be_tried_is_not_asked_for():
    shop, other, empty = small(), open_shop(stores=2), open_shop()
    now = clocks.now()
    with pytest.raises(actions.StoreUnknown):
        ask(shop, changes_fen={other.store: 1})
    with pytest.raises(work.PeriodEmpty):
        ask(shop, begins=now, ends=now)
    with pytest.raises(NotFound):
        ask(shop, policy="1999-01-01")
    with pytest.raises(work.PolicyTwice):
        ask(shop, policy="2023-11-01", draft="x")
    with pytest.raises(PackInvalid):
        ask(shop, draft="[payouts")
    with pytest.raises(actions.NoOrders):
        ask(empty)
    with pytest.raises(NotFound):
        ask(shop, other.owner)
    with pytest.raises(WholeMerchantNeeded):
        ask(other, other.hire("store_manager"))
    assert not Job.objects.exists()


def test_rights_that_are_lost_meanwhile_end_it():
    shop = small()
    job = ask(shop, shop.assistant)
    people.change(
        by=shop.owner, merchant_id=shop.merchant_id, id=shop.assistant.staff_id,
        settings=people.Settings("clerk", frozenset(shop.stores)),
    )  # fmt: skip
    found = finish(job)
    assert found.state == "failed"
    assert found.code == WholeMerchantNeeded.code


def test_a_kind_is_done_by_steps_or_at_once_and_not_both():
    with pytest.raises(RuntimeError):
        kinds.kind("count.neither", needs=lambda _: frozenset())


def test_of_many_stores_those_stay_for_which_most_differs():
    def store(id_, then, now):
        return {"store_id": id_, "then": {"refused_fen": then}, "now": {"refused_fen": now}}

    stores = [store(n, 100, 100) for n in range(work.STORES_SHOWN + 2)] + [store(999, 500, 0)]
    found = work.shortened({"orders": 1, "stores": stores})
    assert (found["stores"][0]["store_id"], len(found["stores"]), found["stores_left_out"]) == (
        999, work.STORES_SHOWN, 3,
    )  # fmt: skip


def test_a_back_test_as_a_job():
    shop = open_shop(own_limit_fen=10**9)
    sell(shop, daily(70, 9, 20))
    job = finish(work.ask_back_test(by=shop.owner, merchant_id=shop.merchant_id, days=14))
    assert (job.state, job.done, job.outcome["origins"]) == ("done", 7, 7)
    assert {score["model"] for score in job.outcome["scores"]} == {"seasonal_naive_168", "profile_1"}
    job = finish(work.ask_back_test(by=shop.owner, merchant_id=shop.merchant_id, days=14, ahead_hours=168))
    assert job.outcome["origins"] == 2
    unknown = open_shop()
    job = finish(work.ask_back_test(by=unknown.owner, merchant_id=unknown.merchant_id))
    assert (job.state, job.code) == ("failed", "insight_too_little_past")


def test_over_http(call):  # noqa: F811
    shop = small()
    body = {"limit_changes": [{"store_id": shop.store, "change_fen": 50_000}], "begins": "2025-11-01T00:00:00+08:00"}
    status, asked = call(shop.owner, "POST", "/whatifs", body)
    assert (status, asked["kind"], asked["state"]) == (201, "insight.whatif", "waiting")
    runner.finish(shop.merchant_id, queries.jobs(shop.owner, shop.merchant_id, kind="insight.whatif")[0].id)
    status, found = call(shop.owner, "GET", f"/jobs/{asked['id']}")
    assert (found["state"], found["result"]["taken_only_now"]) == ("done", {"orders": 1, "fen": 50_000})
    status, asked = call(shop.owner, "POST", "/forecasts:backtest", {"days": 14})
    assert (status, asked["kind"]) == (201, "insight.backtest")
    for wrong in ({"days": 1}, {"model": "guess"}):
        assert call(shop.owner, "POST", "/forecasts:backtest", wrong)[0] == 422
    for wrong in ({"begins": "2025-11-01T00:00:00"}, {"limit_changes": [{"store_id": 10**9, "change_fen": 1}]}):
        assert call(shop.owner, "POST", "/whatifs", wrong)[0] == 422
    with pytest.raises(Forbidden):
        ask(shop, shop.hire("clerk", stores=[shop.store]))
