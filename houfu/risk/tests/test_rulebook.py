"""Versions of rules: drafted, watched in shadow, back-tested on what was, promoted by a second person (K8)."""

import json
from uuid import uuid4

import pytest

from houfu.kernel import clock as clocks
from houfu.kernel.errors import Forbidden, IllegalMove, NotFound
from houfu.orders import actions as orders
from houfu.orders.steps import Step
from houfu.people.actor import PersonNeeded
from houfu.risk import actions as risk
from houfu.risk import queries, rules
from houfu.risk.actions.backtesting import BadDays
from houfu.risk.actions.rulebook import BadVersion, DraftedBySame, NotBacktested, WhyMissing
from houfu.risk.models import Alert, Backtest, Decision, Hold, RuleVersion
from houfu.risk.tests.people import LI, ZHAO, staff
from houfu.testing.threads import in_threads
from houfu.testing.world import WORKER, open_shop

pytestmark = pytest.mark.usefixtures("fresh_db")
DAYS = {"first": clocks.shanghai(2025, 11, 10).date(), "last": clocks.shanghai(2025, 11, 14).date()}


def ask(shop, device="D", payee=1, fen=100):
    facts = risk.PayoutFacts(store_id=shop.store, beneficiary_id=payee, amount_fen=fen, device=device)
    return risk.judge(by=shop.owner, merchant_id=shop.merchant_id, subject=f"payout/{uuid4()}", facts=facts).outcome


def drafted(rule="device_frequency", effect="", **parameters):
    """Draft a version and let it look on; return its number."""
    version = risk.draft(by=LI, rule=rule, parameters=parameters, why="fewer than five", effect=effect).version
    risk.watch(by=LI, rule=rule, version=version)
    return version


def backtest(version, rule="device_frequency"):
    return json.loads(risk.backtest(by=LI, rule=rule, version=version, **DAYS).result)


def state(version, rule="device_frequency"):
    return queries.access_version(rule, version).state


def test_a_version_in_shadow_is_asked_and_recorded_and_never_acts():
    shop = open_shop(own_limit_fen=0)
    version = drafted(device_payouts=1)
    assert [ask(shop), ask(shop)] == ["allow", "allow"]
    assert not Hold.objects.exists()
    assert not Alert.objects.exists()
    decision = Decision.objects.order_by("-id").first()
    said = {(each.version, each.mode): each.hit for each in rules.read_applied(decision.applied)
            if each.rule == "device_frequency"}  # fmt: skip
    assert said == {(1, "active"): False, (version, "shadow"): True}
    assert (decision.outcome, decision.reason_class) == ("allow", "")


def test_a_draft_is_not_even_asked():
    shop = open_shop(own_limit_fen=0)
    risk.draft(by=LI, rule="device_frequency", parameters={"device_payouts": 1}, why="fewer than five")
    ask(shop)
    [decision] = Decision.objects.all()
    assert {each.version for each in rules.read_applied(decision.applied)} == {1}


def test_promotion_needs_a_shadow_a_back_test_and_a_second_person(clock):
    shop = open_shop(own_limit_fen=0)
    ask(shop)
    draft = risk.draft(by=LI, rule="device_frequency", parameters={"device_payouts": 1}, why="fewer than five")
    clock.move(days=5)
    version = draft.version
    with pytest.raises(NotBacktested):
        risk.promote(by=ZHAO, rule="device_frequency", version=version)
    backtest(version)
    with pytest.raises(IllegalMove):
        risk.promote(by=ZHAO, rule="device_frequency", version=version)
    risk.watch(by=LI, rule="device_frequency", version=version)
    with pytest.raises(DraftedBySame):
        risk.promote(by=LI, rule="device_frequency", version=version)
    assert (state(1), state(version)) == ("active", "shadow")
    risk.promote(by=ZHAO, rule="device_frequency", version=version)
    assert (state(1), state(version)) == ("retired", "active")
    assert [ask(shop), ask(shop)] == ["allow", "hold"]


def test_what_was_decided_before_a_promotion_replays_as_it_was(clock):
    shop = open_shop(own_limit_fen=0)
    assert [ask(shop) for _ in range(6)][-1] == "hold"
    version = drafted(device_payouts=1)
    clock.move(days=5)
    backtest(version)
    risk.promote(by=ZHAO, rule="device_frequency", version=version)
    assert all(queries.replay(decision).same for decision in Decision.objects.all())


def test_eight_who_promote_at_once_leave_one_active(clock):
    versions = [drafted(device_payouts=n) for n in range(1, 9)]
    clock.move(days=5)
    for version in versions:
        backtest(version)
    in_threads(lambda v: risk.promote(by=ZHAO, rule="device_frequency", version=v), versions)
    assert RuleVersion.objects.filter(rule="device_frequency", state="active").count() == 1


def test_the_effect_of_a_version_is_its_own(clock):
    shop = open_shop(own_limit_fen=0)
    version = drafted(device_payouts=1, effect="alert")
    clock.move(days=5)
    backtest(version)
    risk.promote(by=ZHAO, rule="device_frequency", version=version)
    assert [ask(shop) for _ in range(4)] == ["allow"] * 4
    alert = Alert.objects.get()
    assert (alert.state, alert.times, alert.version) == ("open", 3, version)


def test_a_retired_rule_says_nothing():
    shop = open_shop(own_limit_fen=0)
    risk.retire(by=LI, rule="device_frequency", version=1)
    assert {ask(shop) for _ in range(8)} == {"allow"}


@pytest.mark.parametrize(
    ("rule", "effect", "parameters"),
    [
        ("astrology", "", {}),
        ("usage_line", "hold", {}),
        ("device_frequency", "", {"usage_alert_permille": 1}),
        ("device_frequency", "", {"device_payouts": -1}),
    ],
)
def test_a_version_is_of_a_rule_that_there_is(rule, effect, parameters):
    with pytest.raises(BadVersion):
        risk.draft(by=LI, rule=rule, parameters=parameters, why="why not", effect=effect)
    assert RuleVersion.objects.filter(version=2).count() == 0


def test_rules_are_the_platforms_and_peoples():
    shop = open_shop(own_limit_fen=0)
    sun = staff(shop, "risk_officer", "sun")
    with pytest.raises(Forbidden):
        risk.draft(by=sun, rule="device_frequency", parameters={}, why="ours is better")
    with pytest.raises(PersonNeeded):
        risk.draft(by=WORKER, rule="device_frequency", parameters={}, why="I am a job")
    with pytest.raises(WhyMissing):
        risk.draft(by=LI, rule="device_frequency", parameters={}, why="")
    with pytest.raises(NotFound):
        risk.watch(by=LI, rule="device_frequency", version=7)
    assert len(queries.rule_versions(sun)) == len(rules.RULES)


def history_of_payouts(clock):
    """Three days: on the 10th four payouts from D, on the 11th two from D and one from E, on the 14th one from D."""
    shop = open_shop(own_limit_fen=0)
    for amounts, device in (([100, 200, 300, 400], "D"), ([1000, 2000], "D"), ([7], "E"), ([9000], "D")):
        if amounts == [1000, 2000]:
            clock.move(days=1)
        if amounts == [9000]:
            clock.move(days=3)
        for fen in amounts:
            ask(shop, device=device, fen=fen)
    clock.move(days=1)
    return shop


def test_a_back_test_says_what_would_have_been_held_and_what_is_new(clock):
    shop = history_of_payouts(clock)
    before = (Hold.objects.count(), Alert.objects.count(), Decision.objects.count())
    found = backtest(drafted(device_payouts=3))
    assert {name: found[name] for name in ("judged", "hits", "amount_fen", "numbers")} == {
        "judged": 8, "hits": 3, "amount_fen": 3400, "numbers": {"device_payouts": 3, "device_hours": 72},
    }  # fmt: skip
    assert found["by_day"] == {
        "2025-11-10": {"hits": 1, "amount_fen": 400}, "2025-11-11": {"hits": 2, "amount_fen": 3000},
    }  # fmt: skip
    assert (found["active"]["hits"], found["active"]["amount_fen"]) == (1, 2000)
    assert (found["added"]["hits"], found["added"]["amount_fen"]) == (2, 1400)
    assert found["removed"] == {"hits": 0, "amount_fen": 0, "subjects": []}
    assert all(subject.startswith(f"{shop.merchant_id}/payout/") for subject in found["added"]["subjects"])
    assert (Hold.objects.count(), Alert.objects.count(), Decision.objects.count()) == before


def test_a_back_test_counts_anew_with_the_versions_own_hours(clock):
    history_of_payouts(clock)
    found = backtest(drafted(device_payouts=3, device_hours=12))
    assert (found["hits"], found["amount_fen"]) == (1, 400)
    assert (found["removed"]["hits"], found["removed"]["amount_fen"]) == (1, 2000)


def test_a_back_test_of_the_version_that_acts_finds_what_it_did(clock):
    history_of_payouts(clock)
    held = set(Hold.objects.values_list("subject", flat=True))
    found = backtest(1)
    assert (found["hits"], found["amount_fen"]) == (len(held), 2000)
    assert "active" not in found


def test_only_days_that_are_over_are_backtest(clock):
    for first, last in ((10, 10), (9, 8), (11, 12)):
        with pytest.raises(BadDays):
            risk.backtest(
                by=LI, rule="device_frequency", version=1,
                first=clocks.shanghai(2025, 11, first).date(), last=clocks.shanghai(2025, 11, last).date(),
            )  # fmt: skip
    assert Backtest.objects.count() == 0


def test_rules_about_orders_are_tested_on_the_orders(clock):
    shop = open_shop(own_limit_fen=100_000_000)
    for place in range(3):
        ids = [f"O{place}-{n}" for n in range(10)]
        shop.place_in([(shop.store, 1_000)] * 10, ids)
        steps = [Step(id, clock.now(), amount_fen=1_000, ref="R") for id in ids[: place + 1]]
        orders.refund(by=shop.owner, merchant_id=shop.merchant_id, steps=steps)
        clock.move(days=1)
    clock.move(days=2)
    found = backtest(drafted("return_rate", return_permille=100, orders_least=10, orders_days=1), "return_rate")
    assert found["judged"] == 3
    assert found["by_day"] == {
        "2025-11-11": {"hits": 1, "amount_fen": 10_000}, "2025-11-12": {"hits": 1, "amount_fen": 10_000},
    }  # fmt: skip
    assert (found["active"]["hits"], found["added"]["hits"]) == (0, 2)


def test_rules_about_usage_are_tested_on_the_limits_as_they_moved(clock):
    shop = open_shop(own_limit_fen=1_000)
    for fen in (640, 70, 100, 50):  # 64, 71, 81 and 86 %
        shop.place(fen)
        clock.move(hours=1)
    clock.move(days=5)
    found = backtest(drafted("usage_line", usage_alert_permille=800, usage_calm_permille=780), "usage_line")
    assert (found["judged"], found["hits"], found["amount_fen"]) == (4, 1, 810)
    assert (found["active"]["hits"], found["active"]["amount_fen"]) == (1, 710)
    assert (found["added"]["hits"], found["removed"]["hits"]) == (1, 1)


def test_rules_about_months_are_tested_on_whole_months(clock):
    shop = open_shop(own_limit_fen=1_000)
    shop.place(640)
    clock.at = clocks.shanghai(2026, 1, 2)
    version = drafted("shared_volume", shared_volume_permille=0)
    for last, judged in ((29, 0), (30, 1)):
        made = risk.backtest(
            by=LI, rule="shared_volume", version=version,
            first=clocks.shanghai(2025, 10, 15).date(), last=clocks.shanghai(2025, 11, last).date(),
        )  # fmt: skip
        assert json.loads(made.result)["judged"] == judged
