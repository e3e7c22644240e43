"""Appeals: one a month for each subject, reviewed by somebody else; points that are lost and given back."""

import pytest
from django.db import IntegrityError

from houfu.kernel import clock as clocks
from houfu.kernel import db as database
from houfu.kernel.errors import Forbidden, IllegalMove, Invalid, NotFound
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor, PersonNeeded, WholeMerchantNeeded
from houfu.policies import queries as policies
from houfu.risk import actions as risk
from houfu.risk import queries, rules
from houfu.risk.actions.appeals import (
    AppealedThisMonth,
    GroundsMissing,
    NothingToAppeal,
    ReviewedBySame,
    add_points,
)
from houfu.risk.actions.judging import decide_on
from houfu.risk.models import Appeal, ScoreEvent
from houfu.risk.tests.people import CHEN, LI, ZHAO, staff
from houfu.testing.threads import in_threads
from houfu.testing.world import WORKER, open_shop

pytestmark = pytest.mark.usefixtures("db")


def frozen(shop, store=0, outcome="freeze", by=LI):
    """Have a store frozen by a case, and return the case."""
    subject = f"store/{store or shop.store}"
    case = risk.open_case(by=by, merchant_id=shop.merchant_id, subject=subject, reason_class="disputes")
    risk.investigate(by=by, merchant_id=shop.merchant_id, id=case.id)
    return risk.decide(by=by, merchant_id=shop.merchant_id, id=case.id, outcome=outcome, note="too many disputes").id


def appeal(shop, case_id=None, by=None, **what):
    return risk.appeal(
        by=by or shop.owner, merchant_id=shop.merchant_id, case_id=case_id, grounds="one broken batch", **what
    )


def lose(shop, month, points=-15):
    """Take points, and return the event."""
    decided = risk_decision(shop, month)

    @database.action
    def take():
        add_points(
            WORKER, shop.merchant_id, clocks.now(), "dispute_rate", "disputes", points,
            month=month, decision_id=decided,
        )  # fmt: skip

    take()
    return ScoreEvent.objects.filter(merchant_id=shop.merchant_id).order_by("-id").first()


def risk_decision(shop, month):
    """Write down a decision about a month, and return its id."""
    facts = rules.Month(orders=9, volume_fen=9, shared_orders=9, shared_fen=9, disputes=9)

    @database.action
    def decide():
        return decide_on(
            shop.merchant_id, clocks.now(), policies.at(clocks.now()), [], [(f"month/{month:%Y-%m}", None, facts)]
        )[0].decision_id

    return decide()


def store_state(shop):
    return merchants.store(shop.merchant_id, shop.store).state


def test_an_appeal_that_is_won_ends_the_freeze():
    shop = open_shop(own_limit_fen=0)
    filed = appeal(shop, frozen(shop))
    assert (filed.state, filed.subject) == ("submitted", f"store/{shop.store}")
    risk.take_up(by=ZHAO, merchant_id=shop.merchant_id, id=filed.id)
    assert store_state(shop) == "frozen"
    won = risk.overturn(by=ZHAO, merchant_id=shop.merchant_id, id=filed.id, note="the batch was replaced")
    assert (won.state, won.reviewer) == ("overturned", "zhao")
    assert store_state(shop) == "active"
    assert queries.measures(LI, shop.merchant_id) == []


def test_an_appeal_that_is_lost_changes_nothing():
    shop = open_shop(own_limit_fen=0)
    filed = appeal(shop, frozen(shop))
    risk.take_up(by=ZHAO, merchant_id=shop.merchant_id, id=filed.id)
    risk.uphold(by=ZHAO, merchant_id=shop.merchant_id, id=filed.id, note="three batches in fact")
    assert store_state(shop) == "frozen"
    with pytest.raises(IllegalMove):
        risk.overturn(by=ZHAO, merchant_id=shop.merchant_id, id=filed.id, note="on second thoughts")


def test_neither_who_decided_nor_who_objects_reviews():
    shop = open_shop(own_limit_fen=0)
    case_id = frozen(shop, by=LI)
    filed = appeal(shop, case_id, by=CHEN)
    for person in (LI, CHEN):
        with pytest.raises(ReviewedBySame):
            risk.take_up(by=person, merchant_id=shop.merchant_id, id=filed.id)
    risk.take_up(by=ZHAO, merchant_id=shop.merchant_id, id=filed.id)
    with pytest.raises(ReviewedBySame):
        risk.overturn(by=LI, merchant_id=shop.merchant_id, id=filed.id, note="I was too hard")
    with pytest.raises(Forbidden):
        risk.overturn(by=staff(shop, "risk_officer", "sun"), merchant_id=shop.merchant_id, id=filed.id, note="ours")
    assert store_state(shop) == "frozen"


def test_one_appeal_a_month_by_shanghais_calendar(clock):
    shop = open_shop(stores=2, own_limit_fen=0)
    clock.at = clocks.shanghai(2025, 11, 30, 23, 59, 59)
    case_id = frozen(shop)
    filed = appeal(shop, case_id)
    risk.take_up(by=ZHAO, merchant_id=shop.merchant_id, id=filed.id)
    risk.rule_out(by=ZHAO, merchant_id=shop.merchant_id, id=filed.id, note="not signed")
    with pytest.raises(AppealedThisMonth):
        appeal(shop, case_id)
    other = frozen(shop, store=shop.stores[1])
    assert appeal(shop, other).subject == f"store/{shop.stores[1]}"
    clock.move(seconds=1)  # 1 December there, 30 November in UTC
    assert appeal(shop, case_id).month == clocks.business_day(clock.now())
    with pytest.raises(AppealedThisMonth):
        appeal(shop, case_id)


def test_eight_appeals_at_once_are_one():
    shop = open_shop(own_limit_fen=0)
    case_id = frozen(shop)
    outcomes = in_threads(lambda _: appeal(shop, case_id), range(8))
    assert sum(isinstance(outcome, AppealedThisMonth) for outcome in outcomes) == 7
    assert Appeal.objects.filter(merchant_id=shop.merchant_id).count() == 1


def test_the_database_itself_keeps_appeals_apart():
    shop = open_shop(own_limit_fen=0)
    appeal(shop, frozen(shop))

    @database.action
    def again():
        database.rows(
            "INSERT INTO risk_appeal (merchant_id, subject, case_id, month, no, state, grounds, submitted_by,"
            " submitted_at) SELECT merchant_id, subject, case_id, month, no, 'submitted', grounds, submitted_by,"
            " submitted_at FROM risk_appeal WHERE merchant_id = %s",
            [shop.merchant_id],
        )

    with pytest.raises(AppealedThisMonth):
        again()


def test_there_must_be_something_to_appeal():
    shop, other = open_shop(stores=2, own_limit_fen=0), open_shop(own_limit_fen=0)
    cleared = frozen(shop, outcome="clear")
    with pytest.raises(NothingToAppeal):
        appeal(shop, cleared)
    measured = frozen(shop)
    with pytest.raises(NotFound):
        appeal(shop, frozen(other))
    with pytest.raises(NotFound):
        appeal(shop, measured, by=staff(shop, "finance", "qian", frozenset({shop.stores[1]})))
    with pytest.raises(Invalid):
        appeal(shop)
    with pytest.raises(GroundsMissing):
        risk.appeal(by=shop.owner, merchant_id=shop.merchant_id, case_id=measured, grounds="!")
    key = Actor("key/1", "wang", shop.merchant_id, shop.owner.scopes, kind="key")
    with pytest.raises(PersonNeeded):
        appeal(shop, measured, by=key)
    assert queries.appeals(LI, shop.merchant_id) == []


def test_points_that_are_appealed_are_given_back_once(clock):
    shop = open_shop(own_limit_fen=0)
    october, november = clock.now().date().replace(month=10, day=1), clock.now().date().replace(day=1)
    lost = lose(shop, october)
    kept = lose(shop, november, -5)
    assert queries.score(LI, shop.merchant_id).points == -20
    with pytest.raises(WholeMerchantNeeded):
        appeal(shop, score_event_id=lost.id, by=staff(shop, "finance", "qian", frozenset({shop.store})))
    filed = appeal(shop, score_event_id=lost.id)
    risk.take_up(by=ZHAO, merchant_id=shop.merchant_id, id=filed.id)
    risk.overturn(by=ZHAO, merchant_id=shop.merchant_id, id=filed.id, note="they were one buyer's")
    score = queries.score(LI, shop.merchant_id)
    assert (score.points, [event.points for event in score.events]) == (-5, [-15, -5, 15])
    clock.move(days=31)
    for event in (lost, score.events[-1]):
        with pytest.raises(NothingToAppeal):
            appeal(shop, score_event_id=event.id)
    assert appeal(shop, score_event_id=kept.id).state == "submitted"


def test_points_are_lost_once_a_month_whoever_takes_them(clock):
    shop = open_shop(own_limit_fen=0)
    october = clock.now().date().replace(month=10, day=1)
    lose(shop, october)
    with pytest.raises(IntegrityError):
        lose(shop, october)
    assert queries.score(LI, shop.merchant_id).points == -15
