"""Payouts that wait for people: who must agree, what is judged as one, what is held, and the last look."""

from datetime import timedelta
from uuid import uuid4

import pytest

from houfu.approvals import actions as approvals
from houfu.approvals import queries as approval_queries
from houfu.kernel.errors import Forbidden, IllegalMove, NotFound
from houfu.merchants import actions as merchants
from houfu.payouts import actions, queries, tasks
from houfu.payouts.actions.beneficiaries import SecondPersonNeeded
from houfu.payouts.actions.requests import PayoutRefused
from houfu.payouts.models import Beneficiary, Payout
from houfu.payouts.tests.shops import earn
from houfu.people import actions as people
from houfu.people.actions import Settings
from houfu.people.actor import KEY_SCOPES, Actor, operator
from houfu.people.face import actions as face
from houfu.people.tests.test_face import GOOD, allowing, engine_of
from houfu.risk import actions as risk
from houfu.risk.models import Hold
from houfu.testing.threads import in_threads
from houfu.testing.world import OPERATOR, WORKER, open_shop, pool, proved


@pytest.fixture
def shop(platform, channel):
    """A shop of two stores, with 30,000.00 yuan to pay out in each; its test leaves no payout open."""
    channel.connect(timeout=1)
    shop = open_shop(stores=2)
    shop.payee()
    for store in shop.stores:
        earn(channel, shop, 3_000_000, store=store)
    yield shop
    assert not Payout.objects.filter(final_at=None).exists()


def state(payout):
    return Payout.objects.get(merchant_id=payout.merchant_id, id=payout.id).state


def code(payout):
    return Payout.objects.get(merchant_id=payout.merchant_id, id=payout.id).code


def rounds(count=3):
    """Let the worker do what is due."""
    for _ in range(count):
        tasks.follow_people(WORKER)
        tasks.work_off("worker")


def refused(shop, amount_fen, **what):
    with pytest.raises(PayoutRefused) as refusal:
        shop.request(amount_fen, **what)
    return [reason.code for reason in refusal.value.reasons]


def reject(shop, subject):
    """Let the next of those who must agree say no."""
    request = approval_queries.latest(shop.merchant_id, subject)
    by, _ = shop.signer(request.chain[request.turn])
    approvals.reject(by=by, merchant_id=shop.merchant_id, id=request.id, note="发票不符")


def decide(shop, payout, outcome):
    """Let compliance decide about a held payout."""
    officer = shop.hire("risk_officer", "沈洁")
    hold = Hold.objects.get(merchant_id=shop.merchant_id, subject=f"payout/{payout.id}")
    risk.investigate(by=officer, merchant_id=shop.merchant_id, id=hold.case_id)
    risk.decide(by=officer, merchant_id=shop.merchant_id, id=hold.case_id, outcome=outcome, note="看过凭证")


@pytest.mark.parametrize(
    ("role", "fen", "chain"),
    [("clerk", 500_000, []), ("store_manager", 1_900_000, ["supervisor"]), ("finance", 50_000, ["owner", "legal"])],
)
def test_a_payout_goes_once_everybody_has_agreed(shop, role, fen, chain):
    """S1, S2, S4."""
    payout = shop.request(fen, by=shop.asker(role))
    for step in range(len(chain)):
        rounds()
        assert state(payout) == "pending_approval"
        assert shop.fen("claim:reserved") == fen
        shop.agree(f"payout/{payout.id}", 1)
        assert approval_queries.latest(shop.merchant_id, f"payout/{payout.id}").turn == step + 1
    rounds()
    assert (state(payout), payout.chain) == ("paid", chain)


def test_a_regional_manager_is_reviewed_by_legal_and_pays_out_of_every_store(shop):
    """S3, S8."""
    manager = shop.hire("regional_manager")
    assert refused(shop, 1_500_000, by=manager, store=shop.stores[1]) == ["step_up_needed"]
    payout = shop.request(1_500_000, by=proved(manager), store=shop.stores[1])
    assert payout.chain == ["legal"]
    shop.agree(f"payout/{payout.id}")
    rounds()
    assert state(payout) == "paid"


def test_a_face_that_an_engine_vouched_for_stands_for_a_passkey(shop, channel):
    """S8: of the comparison only result, score and reference are kept, and it holds as long as a passkey's proof."""
    manager = allowing(shop).hire("regional_manager")
    person = {"by": shop.owner, "merchant_id": shop.merchant_id, "staff_id": manager.staff_id}
    face.check(**person, engine=engine_of(GOOD, None), shown=b"a", on_file=b"b")
    assert refused(shop, 50_000, by=manager) == ["step_up_needed"]
    assert face.check(**person, engine=engine_of(GOOD, None), shown=b"a", on_file=b"a").passed
    payout = shop.request(50_000, by=manager)
    actions.cancel(by=manager, merchant_id=shop.merchant_id, id=payout.id)
    channel.move(minutes=6)
    assert refused(shop, 50_000, by=manager) == ["step_up_needed"]


def test_a_store_manager_reaches_the_stores_of_the_group_and_a_clerk_their_own(shop):
    """S1, S2, G9: what lies beyond looks as if it were not there."""
    clerk, manager = (shop.hire(role, stores=shop.stores[:1]) for role in ("clerk", "store_manager"))
    other = shop.stores[1]
    for by in (clerk, proved(manager)):
        with pytest.raises(NotFound):
            shop.request(100_000, by=by, store=other)
    pool(shop)
    with pytest.raises(NotFound):
        shop.request(100_000, by=clerk, store=other)
    assert refused(shop, 100_000, by=manager, store=other) == ["step_up_needed"]
    payout = shop.request(100_000, by=proved(manager), store=other)
    assert actions.cancel(by=manager, merchant_id=shop.merchant_id, id=payout.id).state == "cancelled"


def test_who_says_no_gives_the_money_back(shop):
    before = shop.books()
    payout = shop.request(50_000)
    shop.agree(f"payout/{payout.id}", 1)
    reject(shop, f"payout/{payout.id}")
    rounds()
    assert (state(payout), code(payout)) == ("rejected", "approval_rejected")
    assert shop.books() == before


def test_an_approval_that_does_not_come_lapses_with_the_payout(shop, channel):
    before = shop.books()
    payout = shop.request(50_000)
    channel.move(hours=72)
    while approvals.lapse(by=WORKER):  # others wait here too, and each round has its share
        pass
    rounds()
    assert (state(payout), code(payout)) == ("expired", "approval_expired")
    assert shop.books() == before


def test_cancelling_takes_the_question_back_too(shop):
    payout = shop.request(50_000)
    actions.cancel(by=shop.owner, merchant_id=shop.merchant_id, id=payout.id)
    assert approval_queries.latest(shop.merchant_id, f"payout/{payout.id}").state == "void"


def test_the_last_look_verifies_every_signature_again(shop):
    """I-14: an approver who has lost the role by the time of sending has not approved."""
    before = shop.books()
    payout = shop.ask(50_000)
    legal, _ = shop.signer("legal")
    people.change(by=shop.owner, merchant_id=shop.merchant_id, id=legal.staff_id, settings=Settings("auditor"))
    rounds()
    assert (state(payout), code(payout)) == ("cancelled", "not_approved")
    assert shop.books() == before


def test_who_asked_must_still_be_there_when_it_goes(shop):
    clerk = shop.hire("clerk")
    payout = shop.request(50_000, by=clerk)
    people.disable(by=shop.owner, merchant_id=shop.merchant_id, id=clerk.staff_id, reason="离职")
    rounds()
    assert (state(payout), code(payout)) == ("cancelled", "requester_disabled")


def test_an_account_that_was_revoked_meanwhile_gets_nothing(shop):
    payout = shop.ask(50_000)
    actions.revoke(by=shop.owner, merchant_id=shop.merchant_id, id=shop.beneficiary_id)
    rounds()
    assert (state(payout), code(payout)) == ("cancelled", "beneficiary_not_verified")


def test_payouts_of_a_frozen_store_wait_until_it_works_again(shop, channel):
    """K4."""
    payout = shop.ask(50_000)
    merchants.freeze_store(by=OPERATOR, merchant_id=shop.merchant_id, id=shop.store, reason="frequency")
    rounds()
    assert state(payout) == "scheduled"
    merchants.unfreeze_store(by=OPERATOR, merchant_id=shop.merchant_id, id=shop.store)
    channel.move(minutes=10)
    rounds()
    assert state(payout) == "paid"


# What is judged as one -----------------------------------------------------------------------------------------------


def test_the_clerk_who_splits_is_held_and_only_compliance_sees_why(shop):
    """P9: the fourth of 1,499 makes 5,996 of them, which a supervisor agrees to and compliance looks at."""
    clerk = shop.hire("clerk")
    first, second, third = (shop.request(149_900, by=clerk) for _ in range(3))
    fourth = shop.request(149_900, by=clerk)
    assert [p.state for p in (first, second, third)] == ["scheduled"] * 3
    assert (fourth.state, fourth.chain, fourth.hold_class) == ("pending_approval", ["supervisor"], "frequency")
    with pytest.raises(Forbidden):
        queries.joined(clerk, shop.merchant_id, fourth.id)
    officer = shop.hire("risk_officer")
    assert {(row.joined_id, *row.shares) for row in queries.joined(officer, shop.merchant_id, fourth.id)} == {
        (p.id, "person", "beneficiary", "store") for p in (first, second, third)
    }
    shop.agree(f"payout/{fourth.id}")
    rounds()
    assert [state(p) for p in (first, second, third, fourth)] == ["paid"] * 3 + ["risk_hold"]
    decide(shop, fourth, "clear")
    rounds()
    assert state(fourth) == "paid"


def test_what_compliance_does_not_let_go_is_given_back(shop):
    clerk = shop.hire("clerk")
    shop.request(400_000, by=clerk)
    held = shop.request(100_001, by=clerk)
    shop.agree(f"payout/{held.id}")
    rounds()
    assert state(held) == "risk_hold"
    decide(shop, held, "report")
    rounds()
    assert (state(held), code(held), shop.fen("claim:reserved")) == ("rejected", "risk_confirmed", 0)


@pytest.mark.parametrize("way", ["account", "device", "store", "midnight"])
def test_no_way_of_splitting_makes_two_of_one(shop, channel, way):
    """P9: over two accounts of one person, from one device, out of two stores, and across midnight."""
    identity = f"3301{uuid4().int % 10**14:014d}"
    first = shop.hire("clerk", identity=identity)
    second = first
    if way == "account":
        second = shop.hire("clerk", identity=identity)
    if way == "device":
        first, second = (Actor(**{**vars(shop.hire("clerk")), "device": "d1"}) for _ in range(2))
    shop.request(300_000, by=first)
    if way == "midnight":
        channel.move(hours=16)
    held = shop.request(200_001, by=second, store=shop.stores[1] if way == "store" else None)
    assert held.hold_class == "frequency"
    for payout in Payout.objects.filter(merchant_id=shop.merchant_id, final_at=None):
        actions.cancel(by=shop.owner, merchant_id=shop.merchant_id, id=payout.id)


def test_a_daily_count_is_not_overrun_from_several_places_at_once(shop):
    """S5, I-21: eight requests at once, five go in, and nothing of the others is left."""
    clerk = shop.hire("clerk")

    def ask(_):
        try:
            return shop.request(10_000, by=clerk)
        except PayoutRefused as refusal:
            return [reason.code for reason in refusal.reasons]

    outcomes = in_threads(ask, range(8))
    assert sorted(type(o).__name__ for o in outcomes) == ["Payout"] * 5 + ["list"] * 3
    assert all(o == ["daily_count_reached"] for o in outcomes if isinstance(o, list))
    assert shop.fen("claim:reserved") == 50_000
    rounds()


def test_what_was_given_back_counts_no_more(shop):
    """S5, I-21."""
    clerk = shop.hire("clerk", daily_count=1)
    payout = shop.request(500_000, by=clerk)
    assert "daily_count_reached" in refused(shop, 10_000, by=clerk)
    actions.cancel(by=clerk, merchant_id=shop.merchant_id, id=payout.id)
    again = shop.request(500_000, by=clerk)
    assert again.hold_class == ""
    rounds()
    assert state(again) == "paid"


def test_a_key_asks_above_every_tier_and_a_key_agrees_to_nothing(shop):
    """4.11: whoever is nobody of the staff has no tier of their own."""
    key = Actor("key/1", "erp", shop.merchant_id, frozenset(KEY_SCOPES), kind="key")
    payout = shop.request(10_000, by=key)
    assert payout.chain == ["owner", "legal"]
    with pytest.raises(Forbidden):
        approvals.reject(by=key, merchant_id=shop.merchant_id, id=payout.id, note="no reason")
    shop.agree(f"payout/{payout.id}")
    rounds()
    assert state(payout) == "paid"


# Accounts ------------------------------------------------------------------------------------------------------------


def register(shop, by):
    return actions.register(
        by=by, merchant_id=shop.merchant_id, kind="alipay", purpose_class="freight", holder="某某物流",
        account=f"{uuid4().hex}@example.test",
    )  # fmt: skip


def account_state(payee):
    return Beneficiary.objects.get(merchant_id=payee.merchant_id, id=payee.id).state


def test_an_account_is_confirmed_by_a_second_person_of_the_merchant(shop):
    """P6, I-14."""
    payee = register(shop, shop.owner)
    verify = {"by": OPERATOR, "merchant_id": shop.merchant_id, "id": payee.id, "document": "开户许可证"}
    with pytest.raises(IllegalMove):
        actions.verify(**verify)
    shop.agree(f"beneficiary/{payee.id}")
    rounds()
    assert account_state(payee) == "confirmed"
    assert actions.verify(**verify).state == "verified"


def test_an_account_nobody_confirms_is_revoked(shop):
    payee = register(shop, shop.owner)
    reject(shop, f"beneficiary/{payee.id}")
    rounds()
    assert account_state(payee) == "revoked"


def test_what_the_platform_registers_another_person_verifies(shop):
    payee = register(shop, OPERATOR)
    assert payee.state == "confirmed"
    with pytest.raises(SecondPersonNeeded):
        actions.verify(by=OPERATOR, merchant_id=shop.merchant_id, id=payee.id, document="开户许可证")
    assert account_state(payee) == "confirmed"
    verified = actions.verify(by=operator("han"), merchant_id=shop.merchant_id, id=payee.id, document="开户许可证")
    assert verified.state == "verified"


def test_keys_and_clerks_touch_no_account(shop):
    for by in (shop.hire("clerk"), Actor("key/1", "erp", shop.merchant_id, frozenset(KEY_SCOPES), kind="key")):
        with pytest.raises(Forbidden):
            register(shop, by)
        with pytest.raises(Forbidden):
            actions.revoke(by=by, merchant_id=shop.merchant_id, id=shop.beneficiary_id)


def test_a_store_that_compliance_restricts_is_left_out_of_runs(shop, channel):
    """K4: and what is asked for by hand is held."""
    case = risk.open_case(
        by=OPERATOR, merchant_id=shop.merchant_id, subject=f"store/{shop.store}", reason_class="frequency"
    )
    risk.investigate(by=OPERATOR, merchant_id=shop.merchant_id, id=case.id)
    risk.decide(by=OPERATOR, merchant_id=shop.merchant_id, id=case.id, outcome="restrict", note="先看一看")
    for store in shop.stores:
        actions.stand(by=shop.owner, merchant_id=shop.merchant_id, store_id=store,
                      beneficiary_id=shop.beneficiary_id, purpose="goods_settlement")  # fmt: skip
    channel.move(days=2)
    tasks.run_due(WORKER)
    found = {run.store_id: run.reasons for run in queries.runs(shop.owner, shop.merchant_id)}
    assert found == {shop.stores[0]: ["store_restricted"], shop.stores[1]: []}
    rounds()


def test_expiry_never_comes_before_a_payout_could_go(shop, channel):
    """A payout asked for on the eve of a holiday can be agreed to after it."""
    channel.move(days=4, hours=11)  # Friday, 21:00
    payout = shop.request(50_000)
    request = approval_queries.latest(shop.merchant_id, f"payout/{payout.id}")
    assert request.expires_at - payout.due_at >= timedelta(days=1)
    actions.cancel(by=shop.owner, merchant_id=shop.merchant_id, id=payout.id)
