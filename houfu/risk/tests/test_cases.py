"""Alerts and cases: looked at by people, decided by another person than the one who asked, remembered word by word."""

from datetime import timedelta
from uuid import uuid4

import pytest

from houfu.history import queries as history
from houfu.kernel.errors import Forbidden, IllegalMove, NotFound
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor, PersonNeeded
from houfu.risk import actions as risk
from houfu.risk import queries
from houfu.risk.actions.cases import CaseOpen, OutcomeInvalid, OwnRequest, SaysTooLittle
from houfu.risk.models import Alert, Hold
from houfu.risk.tests.people import LI, ZHAO, staff
from houfu.testing.threads import in_threads
from houfu.testing.world import WORKER, open_shop

pytestmark = pytest.mark.usefixtures("db")


def ask(shop, device="D", person="wang", store=0):
    facts = risk.PayoutFacts(
        store_id=store or shop.store, beneficiary_id=1, amount_fen=100, device=device, person=person
    )
    return risk.judge(by=shop.owner, merchant_id=shop.merchant_id, subject=f"payout/{uuid4()}", facts=facts)


def held(shop):
    """Have a payout held, and return its hold."""
    while ask(shop).outcome == "allow":
        pass
    return Hold.objects.filter(merchant_id=shop.merchant_id).order_by("-id").first()


def decided(shop, case_id, outcome, by=LI, note="looked at it"):
    risk.investigate(by=by, merchant_id=shop.merchant_id, id=case_id)
    return risk.decide(by=by, merchant_id=shop.merchant_id, id=case_id, outcome=outcome, note=note)


def store_case(shop):
    case = risk.open_case(by=LI, merchant_id=shop.merchant_id, subject=f"store/{shop.store}", reason_class="disputes")
    return case.id


def store_state(shop):
    return merchants.store(shop.merchant_id, shop.store).state


@pytest.mark.parametrize(
    ("outcome", "state"), [("clear", "released"), ("report", "confirmed"), ("restrict", "confirmed")]
)
def test_a_held_payout_goes_on_only_where_its_case_clears_it(outcome, state):
    shop = open_shop(own_limit_fen=0)
    hold = held(shop)
    decided(shop, hold.case_id, outcome)
    assert queries.hold_state(shop.merchant_id, hold.subject) == state
    facts = risk.PayoutFacts(store_id=shop.store, beneficiary_id=1, amount_fen=100, device="D")
    again = risk.judge(by=shop.owner, merchant_id=shop.merchant_id, subject=hold.subject, facts=facts)
    assert again.outcome == ("allow" if outcome == "clear" else "hold")


def test_who_asked_does_not_decide_whatever_their_role():
    shop = open_shop(own_limit_fen=0)
    hold = held(shop)
    wang = staff(shop, "risk_officer", "wang")
    risk.investigate(by=wang, merchant_id=shop.merchant_id, id=hold.case_id)
    with pytest.raises(OwnRequest):
        risk.decide(by=wang, merchant_id=shop.merchant_id, id=hold.case_id, outcome="clear", note="mine is fine")
    assert queries.hold_state(shop.merchant_id, hold.subject) == "held"
    officer = staff(shop, "risk_officer", "sun")
    risk.decide(by=officer, merchant_id=shop.merchant_id, id=hold.case_id, outcome="clear", note="the till")
    assert queries.hold_state(shop.merchant_id, hold.subject) == "released"


def test_two_who_decide_at_once_decide_once():
    shop = open_shop(own_limit_fen=0)
    hold = held(shop)
    risk.investigate(by=LI, merchant_id=shop.merchant_id, id=hold.case_id)

    def decide(outcome):
        return risk.decide(by=LI, merchant_id=shop.merchant_id, id=hold.case_id, outcome=outcome, note="looked at")

    outcomes = in_threads(decide, ["clear", "report"] * 4)
    assert sum(isinstance(outcome, IllegalMove) for outcome in outcomes) == 7


def test_a_freeze_is_a_decision_and_ends_with_another():
    shop = open_shop(own_limit_fen=0)
    case_id = store_case(shop)
    decided(shop, case_id, "freeze")
    store = merchants.store(shop.merchant_id, shop.store)
    assert (store.state, store.frozen_for) == ("frozen", "disputes")
    risk.close(by=LI, merchant_id=shop.merchant_id, id=case_id)
    assert store_state(shop) == "frozen"
    risk.reopen(by=ZHAO, merchant_id=shop.merchant_id, id=case_id, note="new papers")
    assert store_state(shop) == "frozen"
    risk.decide(by=ZHAO, merchant_id=shop.merchant_id, id=case_id, outcome="clear", note="papers are right")
    assert store_state(shop) == "active"


def test_a_store_frozen_by_two_cases_stays_so_until_both_let_go():
    shop = open_shop(own_limit_fen=0)
    first = store_case(shop)
    decided(shop, first, "freeze")
    second = store_case(shop)
    decided(shop, second, "freeze")
    for case_id, state in ((first, "frozen"), (second, "active")):
        risk.reopen(by=LI, merchant_id=shop.merchant_id, id=case_id, note="again")
        risk.decide(by=LI, merchant_id=shop.merchant_id, id=case_id, outcome="clear", note="nothing left")
        assert store_state(shop) == state


@pytest.mark.parametrize("measure", ["freeze", "restrict"])
def test_measures_are_the_platforms_alone(measure):
    shop = open_shop(own_limit_fen=0)
    case_id = store_case(shop)
    officer = staff(shop, "risk_officer", "sun")
    risk.investigate(by=officer, merchant_id=shop.merchant_id, id=case_id)
    with pytest.raises(Forbidden):
        risk.decide(by=officer, merchant_id=shop.merchant_id, id=case_id, outcome=measure, note="too many")
    risk.decide(by=LI, merchant_id=shop.merchant_id, id=case_id, outcome=measure, note="too many")
    risk.reopen(by=officer, merchant_id=shop.merchant_id, id=case_id, note="ours, please")
    with pytest.raises(Forbidden):
        risk.decide(by=officer, merchant_id=shop.merchant_id, id=case_id, outcome="clear", note="ours is fine")
    assert queries.access_case(LI, shop.merchant_id, case_id).outcome == measure


def test_each_payout_of_a_restricted_store_is_held():
    shop = open_shop(stores=2, own_limit_fen=0)
    case_id = store_case(shop)
    assert ask(shop, device="").outcome == "allow"
    decided(shop, case_id, "restrict")
    verdict = ask(shop, device="")
    assert (verdict.outcome, verdict.reason_class) == ("hold", "restriction")
    assert ask(shop, device="", store=shop.stores[1]).outcome == "allow"
    risk.reopen(by=LI, merchant_id=shop.merchant_id, id=case_id, note="again")
    risk.decide(by=LI, merchant_id=shop.merchant_id, id=case_id, outcome="clear", note="nothing left")
    assert ask(shop, device="").outcome == "allow"


def test_what_is_no_outcome_or_needs_a_store_is_refused():
    shop = open_shop(own_limit_fen=0)
    case = risk.open_case(
        by=LI, merchant_id=shop.merchant_id, subject=f"merchant/{shop.merchant_id}", reason_class="usage"
    )
    risk.investigate(by=LI, merchant_id=shop.merchant_id, id=case.id)
    for outcome, note, refusal in (
        ("forgive", "why not", OutcomeInvalid),
        ("freeze", "no store", OutcomeInvalid),
        ("clear", "?", SaysTooLittle),
    ):
        with pytest.raises(refusal):
            risk.decide(by=LI, merchant_id=shop.merchant_id, id=case.id, outcome=outcome, note=note)
    assert queries.access_case(LI, shop.merchant_id, case.id).state == "investigating"


def test_no_job_and_no_key_deals_with_cases():
    shop = open_shop(own_limit_fen=0)
    hold = held(shop)
    key = Actor("key/1", "sun", shop.merchant_id, frozenset({"risk:write"}), kind="key")
    for by in (WORKER, key):
        with pytest.raises(PersonNeeded):
            risk.investigate(by=by, merchant_id=shop.merchant_id, id=hold.case_id)


def test_a_subject_has_one_open_case_and_must_exist():
    shop, other = open_shop(own_limit_fen=0), open_shop(own_limit_fen=0)
    store_case(shop)
    with pytest.raises(CaseOpen):
        store_case(shop)
    for subject in (f"store/{other.store}", f"merchant/{other.merchant_id}", "payout/1", "store/x"):
        with pytest.raises(NotFound):
            risk.open_case(by=LI, merchant_id=shop.merchant_id, subject=subject, reason_class="usage")


def test_another_merchants_cases_are_not_there():
    shop, other = open_shop(own_limit_fen=0), open_shop(own_limit_fen=0)
    case_id = store_case(shop)
    sun = staff(other, "risk_officer", "sun")
    with pytest.raises(NotFound):
        risk.investigate(by=sun, merchant_id=shop.merchant_id, id=case_id)
    assert queries.inbox(sun) == []
    assert case_id in {case.id for case in queries.inbox(LI, shop.merchant_id)}


def in_use(shop, fen):
    """Let a store's orders stand on so much of its limit, and look."""
    shop.place(fen)
    return risk.look(by=WORKER, merchant_id=shop.merchant_id)


def test_an_alert_is_acknowledged_and_dismissed_with_a_reason():
    shop = open_shop(own_limit_fen=1000)
    in_use(shop, 700)
    alert = Alert.objects.get(merchant_id=shop.merchant_id)
    where = {"by": LI, "merchant_id": shop.merchant_id, "id": alert.id}
    with pytest.raises(IllegalMove):
        risk.dismiss(**where, note="nobody has looked at it yet")
    risk.acknowledge(**where)
    with pytest.raises(SaysTooLittle):
        risk.dismiss(**where, note="")
    dismissed = risk.dismiss(**where, note="the season has begun")
    assert (dismissed.state, dismissed.handled_by, dismissed.note) == ("dismissed", "li", "the season has begun")
    with pytest.raises(IllegalMove):
        risk.escalate(**where)
    assert not queries.cases(LI, shop.merchant_id)


def test_an_alert_that_is_escalated_has_a_case_about_its_store():
    shop = open_shop(own_limit_fen=1000)
    in_use(shop, 700)
    alert = Alert.objects.get(merchant_id=shop.merchant_id)
    risk.acknowledge(by=LI, merchant_id=shop.merchant_id, id=alert.id)
    escalated = risk.escalate(by=LI, merchant_id=shop.merchant_id, id=alert.id)
    [case] = queries.cases(LI, shop.merchant_id)
    assert (escalated.state, escalated.case_id) == ("escalated", case.id)
    assert (case.subject, case.reason_class, case.state) == (f"store/{shop.store}", "usage", "open")


def test_evidence_is_written_once_and_numbered(clock):
    shop = open_shop(own_limit_fen=0)
    case_id = store_case(shop)
    texts = [f"the till was moved, says {n}" for n in range(8)]

    def add(text):
        return risk.add_evidence(by=LI, merchant_id=shop.merchant_id, id=case_id, kind="statement", text=text).no

    assert sorted(in_threads(add, texts)) == list(range(1, 9))
    assert {entry.text for entry in queries.evidence(shop.merchant_id, case_id)} == set(texts)
    with pytest.raises(SaysTooLittle):
        risk.add_evidence(by=LI, merchant_id=shop.merchant_id, id=case_id, kind="rumour", text="they say so")


def test_a_deadline_is_remembered_before_it_and_once_it_has_passed(clock):
    shop = open_shop(own_limit_fen=0)
    case_id = store_case(shop)

    def told():
        risk.remind(by=WORKER)
        links = history.links(shop.merchant_id, subject=f"case/{case_id}")
        return [link.verb for link in reversed(links) if link.verb in ("case.reminded", "case.overdue")]

    assert told() == []
    clock.move(hours=47, minutes=59, seconds=59)
    assert told() == []
    clock.move(seconds=1)
    assert told() == ["case.reminded"]
    assert told() == ["case.reminded"]
    clock.move(hours=24)
    assert told() == ["case.reminded", "case.overdue"]
    assert told() == ["case.reminded", "case.overdue"]
    case = queries.access_case(LI, shop.merchant_id, case_id)
    assert case.overdue_at == clock.now()
    risk.investigate(by=LI, merchant_id=shop.merchant_id, id=case_id)
    until = clock.now() + timedelta(days=5)
    risk.wait(by=LI, merchant_id=shop.merchant_id, id=case_id, note="asked for papers", until=until)
    assert queries.access_case(LI, shop.merchant_id, case_id).overdue_at is None
    risk.resume(by=LI, merchant_id=shop.merchant_id, id=case_id)
    risk.decide(by=LI, merchant_id=shop.merchant_id, id=case_id, outcome="clear", note="papers are right")
    clock.move(days=9)
    assert told() == ["case.reminded", "case.overdue"]
