"""Forecasts and what if, at the command line and over HTTP."""

import json
from datetime import timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
from click.testing import CliRunner
from django.test import Client

from houfu.cli.limit import limit
from houfu.insight import actions
from houfu.insight.cli import ChangeUnreadable, cli
from houfu.insight.tests.test_forecast import a_pool_in_use, daily, sell
from houfu.kernel import clock as clocks
from houfu.kernel.errors import NotFound, Unauthenticated
from houfu.limits import actions as limits
from houfu.people import queries as people
from houfu.policies.pack import PackInvalid
from houfu.testing.world import open_shop

pytestmark = pytest.mark.usefixtures("db")


def run(command, *words):
    """Run a command and return its exit code and the JSON that it prints; a refusal is raised."""
    done = CliRunner().invoke(command, [*map(str, words), "--json"], catch_exceptions=False)
    return done.exit_code, json.loads(done.stdout)


@pytest.fixture
def call(monkeypatch):
    """Call the API as somebody."""
    known = {}

    def actor_of(token, *_):
        if token not in known:
            raise Unauthenticated()
        return known[token]

    monkeypatch.setattr(people, "actor_of", actor_of)
    http = Client(raise_request_exception=False)

    def as_somebody(by, method, path, body=None):
        token = uuid4().hex
        known[token] = by
        said = b"" if body is None else json.dumps(body)
        answer = http.generic(
            method, f"/v1{path}", said, "application/json", headers={"Authorization": f"Bearer {token}"}
        )
        return answer.status_code, json.loads(answer.content)

    return as_somebody


def test_a_back_test_at_the_command_line():
    shop = open_shop(own_limit_fen=10**9)
    sell(shop, daily(70, 9, 20))
    code, [found] = run(cli, "backtest", "--merchant", shop.merchant_id, "--days", 14)
    assert (code, found["merchant_id"], found["origins"]) == (0, shop.merchant_id, 7)
    assert {score["model"] for score in found["scores"]} == {"seasonal_naive_168", "profile_1"}
    done = CliRunner().invoke(cli, ["backtest", "--merchant", str(shop.merchant_id)], catch_exceptions=False)
    assert "against_naive" in done.stdout
    assert "merchant" in done.stderr  # how far it is


def test_of_several_merchants_one_of_whom_little_is_known_does_not_stop_the_others(fresh_db):
    known, unknown = open_shop(own_limit_fen=10**9), open_shop()
    sell(known, daily(70, 9, 20))
    unknown.place(1_000)
    code, found = run(cli, "backtest")
    assert code == 0
    assert [each.get("refused") for each in found] == [None, "insight_too_little_past"]
    with pytest.raises(NotFound):
        run(cli, "backtest", "--merchant", 10**9)


def test_what_if_by_a_pack_that_is_no_more_than_a_file(tmp_path, clock):
    shop = open_shop(own_limit_fen=100_000)
    limits.note_tolerance(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store, note="双十一备货已到")
    shop.place_in([(shop.store, 100_000), (shop.store, 30_000)], ["P1", "P2"])
    pack = tmp_path / "new.toml"
    pack.write_text(
        'version = "2027-01-01"\neffective_from = 2027-01-01T00:00:00+08:00\ntitle = "A wider band"\n'
        'source = "The operator\'s own trial."\n[orders]\ntolerance_permille = 1500\n'
    )
    code, [found] = run(limit, "whatif", "--merchant", shop.merchant_id, "--policy", pack)
    assert (code, found["policy"], found["taken_only_now"]["orders"]) == (0, "2027-01-01", 1)
    code, [found] = run(limit, "whatif", "--merchant", shop.merchant_id, "--policy", "2023-11-01")
    assert (code, found["reproduced"], found["then"] == found["now"]) == (0, True, True)
    pack.write_text("version = 1")
    with pytest.raises(PackInvalid):
        run(limit, "whatif", "--merchant", shop.merchant_id, "--policy", pack)
    with pytest.raises(NotFound):
        run(limit, "whatif", "--merchant", shop.merchant_id, "--policy", "1999-01-01")


@pytest.mark.parametrize("change", ["S1=+40000", "*=+40000"])
def test_what_if_by_another_limit(change, clock):
    shop = open_shop(own_limit_fen=100_000)
    shop.place_in([(shop.store, 140_000)], ["W1"])
    code, [found] = run(limit, "whatif", "--merchant", shop.merchant_id, "--limit-change", change)
    assert (code, found["taken_only_now"]) == (0, {"orders": 1, "fen": 140_000})
    code, [found] = run(limit, "whatif", "--merchant", shop.merchant_id, "--limit-change", f"{shop.store}=39999")
    assert found["taken_only_now"]["orders"] == 0


@pytest.mark.parametrize("change", ["S1", "S1=", "S1=1.5", "S9=+1", "=5"])
def test_a_change_that_cannot_be_read_is_refused(change):
    shop = open_shop()
    shop.place(1_000)
    with pytest.raises(ChangeUnreadable):
        run(limit, "whatif", "--merchant", shop.merchant_id, "--limit-change", change)


def test_a_base_that_does_not_come_out_again_is_no_answer(monkeypatch):
    monkeypatch.setattr(actions, "what_if", lambda **_: {"merchant_id": 1, "reproduced": False})
    shop = open_shop()
    assert run(limit, "whatif", "--merchant", shop.merchant_id)[0] == 1


def test_forecasts_over_http(call):
    shop = open_shop(stores=2, own_limit_fen=10**9)
    sell(shop, daily(70, 9, 20))
    sell(shop, daily(70, 12), store=shop.stores[1], prefix="E")
    status, found = call(shop.owner, "GET", "/forecasts?grain=day&hours=72")
    assert (status, found["model"]) == (200, "profile_1")
    assert [period["store_id"] for period in found["periods"]] == [None] * 2 + [shop.store] * 2 + [shop.stores[1]] * 2
    assert found["periods"][0]["mean_orders"] == pytest.approx(6, rel=0.05)
    clerk = shop.hire("clerk", stores=[shop.stores[1]])
    status, found = call(clerk, "GET", f"/forecasts?grain=day&store_id={shop.store}")
    assert (status, found["code"]) == (404, "not_found")
    status, found = call(clerk, "GET", "/forecasts?grain=day&hours=48")
    assert {period["store_id"] for period in found["periods"]} == {None, shop.stores[1]}
    assert found["periods"][0]["mean_orders"] == pytest.approx(2, rel=0.05)  # what their stores add up to, and no more
    for wrong in ("grain=week", "hours=0", "hours=337", "days=2"):
        assert call(shop.owner, "GET", f"/forecasts?{wrong}")[0] == 422


def test_proposals_over_http(call, monkeypatch):
    shop, pool_id = a_pool_in_use()
    monkeypatch.setattr(limits, "propose_bands", lambda **_: SimpleNamespace(id=1))
    status, found = call(shop.owner, "POST", "/forecasts:propose", {"pool_id": pool_id})
    assert (status, found["kind"]) == (200, "bands")
    assert found["amounts_fen"] == {"morning_market": 100_000, "evening": 200_000}
    day = (clocks.business_day(clocks.now()) + timedelta(days=1)).isoformat()
    status, found = call(shop.owner, "POST", "/forecasts:propose", {"pool_id": pool_id, "day": day})
    assert (status, found["kind"], found["amounts_fen"]) == (200, "forecast", {day: 0})
    status, found = call(shop.owner, "POST", "/forecasts:propose", {"pool_id": pool_id, "day": "2025-11-10"})
    assert (status, found["code"]) == (422, "insight_day_not_ahead")
    status, _ = call(shop.owner, "POST", "/forecasts:propose", {"pool_id": pool_id, "day": "tomorrow"})
    assert status == 422
