"""Judging payouts: what is counted, what hits, what is held, and what was recorded gives the same again."""

from datetime import timedelta
from uuid import uuid4

import pytest

from houfu.kernel import clock as clocks
from houfu.kernel import db as database
from houfu.policies import queries as policies
from houfu.risk import actions as risk
from houfu.risk import queries, rules
from houfu.risk.models import Alert, Case, Decision, Hold, Observation
from houfu.testing.threads import in_threads
from houfu.testing.world import OPERATOR, open_shop

pytestmark = pytest.mark.usefixtures("db")


def ask(shop, *, device="", person="wang", payee=1, ip="", fen=100_000, subject="", store=0):
    """Judge a payout that a person asks for."""
    return risk.judge(
        by=shop.owner,
        merchant_id=shop.merchant_id,
        subject=subject or f"payout/{uuid4()}",
        facts=risk.PayoutFacts(
            store_id=store or shop.store, beneficiary_id=payee, amount_fen=fen, person=person, device=device, ip=ip
        ),
    )


def traces(shop):
    """Count what risk has written of a merchant."""
    return {m.__name__: m.objects.filter(merchant_id=shop.merchant_id).count() for m in (Alert, Case, Hold)}


def test_the_sixth_payout_from_a_device_within_three_days_is_held_and_alerted(clock):
    shop = open_shop(own_limit_fen=0)
    outcomes = [ask(shop, device="D").outcome for _ in range(6)]
    assert outcomes == ["allow"] * 5 + ["hold"]
    hold = Hold.objects.get(merchant_id=shop.merchant_id)
    case = Case.objects.get(merchant_id=shop.merchant_id)
    alert = Alert.objects.get(merchant_id=shop.merchant_id)
    assert (hold.reason_class, hold.state, hold.case_id) == ("device", "held", case.id)
    assert (case.state, case.subject, case.due_at) == ("open", hold.subject, clock.now() + timedelta(hours=72))
    assert (alert.rule, alert.concerns, alert.state, alert.case_id) == (
        "device_frequency", "device/D", "escalated", case.id,
    )  # fmt: skip
    assert queries.hold_state(shop.merchant_id, hold.subject) == "held"


@pytest.mark.parametrize(("before", "outcome"), [(4, "allow"), (5, "hold"), (6, "hold")])
def test_five_from_a_device_are_allowed_and_the_next_is_not(before, outcome):
    shop = open_shop(own_limit_fen=0)
    for _ in range(before):
        ask(shop, device="D")
    assert ask(shop, device="D").outcome == outcome


def test_the_three_days_roll(clock):
    shop = open_shop(own_limit_fen=0)
    for _ in range(5):
        ask(shop, device="D")
    clock.move(hours=71, minutes=59, seconds=59)
    assert ask(shop, device="D").outcome == "hold"
    clock.move(seconds=1)  # the five are 72 hours old now, the held one counts
    assert ask(shop, device="D").outcome == "allow"


def test_what_is_not_known_is_not_counted():
    shop = open_shop(own_limit_fen=0)
    assert {ask(shop, person="").outcome for _ in range(20)} == {"allow"}
    assert traces(shop) == {"Alert": 0, "Case": 0, "Hold": 0}


def test_one_merchants_devices_are_not_anothers():
    ours, theirs = open_shop(own_limit_fen=0), open_shop(own_limit_fen=0)
    for _ in range(5):
        ask(theirs, device="D")
    assert ask(ours, device="D").outcome == "allow"


def test_a_person_who_asks_for_more_than_is_usual_is_held_whatever_the_device():
    shop = open_shop(own_limit_fen=0)
    outcomes = [ask(shop, device=f"D{n}").outcome for n in range(16)]
    assert outcomes == ["allow"] * 15 + ["hold"]
    assert Hold.objects.get(merchant_id=shop.merchant_id).reason_class == "frequency"


def test_a_new_account_from_a_new_device_is_held_once_the_merchant_has_a_past():
    shop = open_shop(own_limit_fen=0)
    assert [ask(shop, device="D", payee=1).outcome for _ in range(3)] == ["allow"] * 3
    assert ask(shop, device="D", payee=2).outcome == "allow"
    assert ask(shop, device="E", payee=2).outcome == "allow"
    verdict = ask(shop, device="F", payee=3)
    assert (verdict.outcome, verdict.reason_class) == ("hold", "beneficiary")


def test_eight_at_once_from_a_device_are_counted_one_after_another():
    shop = open_shop(own_limit_fen=0)
    outcomes = in_threads(lambda _: ask(shop, device="D", person="").outcome, range(8))
    assert sorted(outcomes) == ["allow"] * 5 + ["hold"] * 3


def test_a_run_is_judged_as_if_one_after_another():
    shop = open_shop(own_limit_fen=0)
    facts = risk.PayoutFacts(store_id=shop.store, beneficiary_id=1, amount_fen=5, device="D")
    asked = [risk.Asked(f"payout/{n}", facts) for n in range(8)]
    verdicts = risk.judge_each(by=shop.owner, merchant_id=shop.merchant_id, asked=asked)
    assert [verdict.outcome for verdict in verdicts] == ["allow"] * 5 + ["hold"] * 3


def test_judging_a_payout_again_sees_it_once_and_keeps_to_what_people_made_of_it():
    shop = open_shop(own_limit_fen=0)
    for _ in range(2):
        ask(shop, device="D", subject="payout/one")
    assert Observation.objects.filter(merchant_id=shop.merchant_id).count() == 1
    for n in range(5):
        ask(shop, device="D", subject=f"payout/{n}")
    assert ask(shop, device="D", subject="payout/4").outcome == "hold"
    assert Hold.objects.filter(merchant_id=shop.merchant_id).count() == 1


def test_a_refusal_afterwards_leaves_no_trace():
    shop = open_shop(own_limit_fen=0)

    @database.action
    def refused():
        ask(shop, device="D")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        refused()
    assert not Observation.objects.filter(merchant_id=shop.merchant_id).exists()
    assert not Decision.objects.filter(merchant_id=shop.merchant_id).exists()


def test_every_decision_gives_the_same_again_from_its_record_alone(clock):
    shop = open_shop(own_limit_fen=0)
    for n in range(9):
        ask(shop, device="DE"[n % 5 == 4], payee=n % 3, person="wang" if n % 2 else "zhao")
        clock.move(hours=5)
    decisions = queries.decisions(OPERATOR, shop.merchant_id)
    assert {decision.outcome for decision in decisions} == {"allow", "hold"}
    for decision in decisions:
        again = queries.replay(decision)
        assert again.same
        assert (again.outcome, again.reason_class) == (decision.outcome, decision.reason_class)


def test_a_record_that_was_altered_does_not_replay():
    shop = open_shop(own_limit_fen=0)
    ask(shop, device="D")
    (decision,) = queries.decisions(OPERATOR, shop.merchant_id)
    decision.facts = decision.facts.replace('"device/72":1', '"device/72":6')
    assert queries.replay(decision).outcome == "hold"
    assert not queries.replay(decision).same


def test_facts_and_what_was_applied_are_written_in_one_way_only():
    shop = open_shop(own_limit_fen=0)
    ask(shop, device="D")
    (decision,) = queries.decisions(OPERATOR, shop.merchant_id)
    assert rules.written(rules.read_facts(decision.facts)) == decision.facts
    assert rules.written(rules.read_applied(decision.applied)) == decision.applied
    assert decision.policy == policies.at(clocks.now()).version
