"""Roles lent for a while, roles that are lost, and the chore that looks after both."""

from datetime import timedelta

import pytest

from houfu.approvals import actions, queries
from houfu.approvals.models import Delegation, Signature
from houfu.approvals.queries import NotApproved
from houfu.approvals.tests.signing import everything, refused
from houfu.kernel import clock as clocks
from houfu.kernel.errors import Forbidden, NotFound
from houfu.people import actions as people
from houfu.people.models import Staff
from houfu.testing.company import open_company
from houfu.testing.world import WORKER

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def own():
    """A company of the test's own: what it lends concerns nobody else."""
    return open_company()


def lend(company, lender, delegate, days=5, **more):
    return actions.delegate(
        by=company.people[lender],
        merchant_id=company.m,
        delegate_staff_id=company.people[delegate].staff_id,
        ends_at=clocks.now() + timedelta(days=days),
        **more,
    )


def test_a_delegate_signs_in_the_lent_role_and_counts_as_both(own):
    lent = lend(own, "zhou", "zhao")
    request = own.ask("owner", "legal")
    assert [row.id for row in queries.inbox(own.zhao, own.m)] == [request.id]
    own.sign("zhao", request)
    signature = queries.signatures(request)[0]
    assert (signature.role, signature.delegation_id) == ("owner", lent.id)
    assert signature.stands_for == sorted([own.zhou.person, own.zhao.person])
    own.sign("sun", request)
    assert own.prove(request, chain=["owner", "legal"])


def test_a_delegate_and_who_lent_the_role_are_one_in_a_chain(own):
    lend(own, "zhou", "sun")
    lend(own, "li", "zhao")
    by_delegate, by_lender = own.ask("owner", "owner"), own.ask("owner", "legal")
    own.hire("wu", "owner")
    own.sign("sun", by_delegate)
    assert refused(actions.SignatureRefused, lambda: own.sign("zhou", by_delegate)) == ["counted_already"]
    own.sign("zhou", by_lender)
    assert refused(actions.SignatureRefused, lambda: own.sign("sun", by_lender)) == ["counted_for_delegator"]
    own.sign("zhao", by_lender)
    assert (own.signed(by_lender), own.state(by_lender)) == (["zhou", "zhao"], ("approved", 2))


def test_nobody_has_their_own_request_signed_by_their_delegate(own):
    asked, edited = own.ask("legal", by=own.zhou), own.ask("legal", editors=[own.zhou.person])
    lend(own, "zhou", "sun")
    for request in (asked, edited):
        assert refused(actions.SignatureRefused, lambda r=request: own.sign("sun", r)) == ["delegate_of_requester"]
        assert request.id not in {row.id for row in queries.inbox(own.sun, own.m)}
        no = {"merchant_id": own.m, "id": request.id, "note": "不同意"}
        assert refused(actions.SignatureRefused, lambda no=no: actions.reject(by=own.sun, **no)) == [
            "delegate_of_requester"
        ]
        own.sign("li", request)
        assert own.prove(request)


def test_lent_on_and_on_everybody_in_the_row_is_counted(own):
    lend(own, "zhou", "sun")
    lend(own, "sun", "zhao")
    request = own.ask("legal", by=own.zhou)
    assert refused(actions.SignatureRefused, lambda: own.sign("zhao", request)) == ["delegate_of_requester"]
    passed_on = own.ask("owner")
    assert refused(actions.SignatureRefused, lambda: own.sign("zhao", passed_on)) == ["role_missing"]


@pytest.mark.parametrize(
    ("lender", "delegate", "days", "reasons"),
    [
        ("zhou", "manager", 5, ["delegate_cannot_approve"]),
        ("zhou", "zhou", 5, ["delegate_same_person"]),
        ("zhou", "same", 5, ["delegate_same_person"]),
        ("zhou", "sun", 31, ["delegation_window"]),
        ("zhou", "sun", 0, ["delegation_window"]),
        ("zhou", "sun", -1, ["delegation_window"]),
        ("zhou", "gone", 5, ["delegate_cannot_approve"]),
        ("zhou", "manager", 31, ["delegate_cannot_approve", "delegation_window"]),
    ],
)
def test_what_cannot_be_lent(own, lender, delegate, days, reasons):
    if delegate == "same":
        own.hire("zhou", "owner", identity="33010619900101125X")
        own.hire("same", "legal", identity="33010619900101125X")
    if delegate == "gone":
        own.hire("gone", "legal")
        people.disable(by=own.shop.owner, merchant_id=own.m, id=own.gone.staff_id, reason="left")
    assert refused(actions.DelegationRefused, lambda: lend(own, lender, delegate, days)) == reasons
    assert not Delegation.objects.filter(merchant_id=own.m).exists()


def test_thirty_days_and_one_colleague_are_the_most(own):
    lend(own, "zhou", "sun", days=30)
    refused(actions.DelegationRefused, lambda: lend(own, "zhou", "li"))
    with pytest.raises(Forbidden):
        lend(own, "manager", "sun")
    assert Delegation.objects.filter(merchant_id=own.m).count() == 1


def test_a_delegation_holds_from_its_start_until_its_end(own):
    start, end = clocks.now() + timedelta(hours=1), clocks.now() + timedelta(days=1)
    lend(own, "zhou", "zhao", days=1, starts_at=start)
    request = own.ask("owner")
    for at, reasons in [
        (start - timedelta(microseconds=1), ["role_missing"]),
        (start, []),
        (end - timedelta(microseconds=1), []),
        (end, ["role_missing"]),
    ]:
        with clocks.standing_at(clocks.SteppedClock(at)):
            found = queries.challenge(own.zhao, own.m, request.id).reasons
            assert [reason.code for reason in found] == reasons
    with clocks.standing_at(clocks.SteppedClock(end - timedelta(microseconds=1))):
        own.sign("zhao", request)
    with clocks.standing_at(clocks.SteppedClock(end)):
        assert own.prove(request)
        assert actions.lapse(by=WORKER) >= 1
        lent = Delegation.objects.get(merchant_id=own.m)
        assert (lent.ended_at, lent.ended_by) == (end, WORKER.label)
        assert own.told(f"delegation/{lent.id}") == ["delegation.made", "delegation.lapsed"]
        assert own.prove(request)


def test_a_role_is_taken_back_by_those_whom_it_concerns(own):
    lent = lend(own, "zhao", "sun")
    with pytest.raises(Forbidden):
        actions.end_delegation(by=own.li, merchant_id=own.m, id=lent.id)
    with pytest.raises(NotFound):
        actions.end_delegation(by=own.zhao, merchant_id=own.m, id=lent.id + 10_000)
    request = own.ask("supervisor")
    assert actions.end_delegation(by=own.sun, merchant_id=own.m, id=lent.id).ended_at == clocks.now()
    assert refused(actions.SignatureRefused, lambda: own.sign("sun", request)) == ["role_missing"]
    assert actions.end_delegation(by=own.zhou, merchant_id=own.m, id=lent.id).ended_by == own.sun.label
    again = lend(own, "zhao", "li")
    assert actions.end_delegation(by=own.zhou, merchant_id=own.m, id=again.id).ended_by == own.zhou.label


def test_a_lapsed_delegation_gives_way_to_the_next_without_a_chore(own):
    lend(own, "zhou", "zhao", days=1)
    with clocks.standing_at(clocks.SteppedClock(clocks.now() + timedelta(days=1))):
        lend(own, "zhou", "qian")
        assert [each.delegate_person for each in queries.delegations(own.zhou, own.m)] == [own.qian.person]
        assert len(queries.delegations(own.zhou, own.m, ended=True)) == 2


@pytest.mark.parametrize("how", ["demoted", "disabled", "recovered"])
def test_who_has_lost_what_they_lent_lends_nothing(own, how):
    lent, request = lend(own, "zhao", "sun"), own.ask("supervisor")
    if how == "demoted":
        own.change("zhao", "finance")
    elif how == "disabled":
        people.disable(by=own.shop.owner, merchant_id=own.m, id=own.zhao.staff_id, reason="left")
    else:
        until = clocks.now() + timedelta(hours=72)
        Staff.objects.filter(merchant_id=own.m, id=own.zhao.staff_id).update(approvals_blocked_until=until)
    assert refused(actions.SignatureRefused, lambda: own.sign("sun", request)) == ["role_missing"]
    actions.lapse(by=WORKER)
    lent = Delegation.objects.get(merchant_id=own.m, id=lent.id)
    assert (lent.ended_at is None) == (how == "recovered")


@pytest.mark.parametrize("how", ["demoted", "disabled", "lender demoted"])
def test_whoever_loses_the_role_loses_the_signature_and_the_step_is_asked_again(own, how):
    if how == "lender demoted":
        lend(own, "zhao", "zhou")
        own.hire("wu", "owner")
    signer = "zhou" if how == "lender demoted" else "zhao"
    request = own.ask("supervisor", "legal", "finance")
    own.sign(signer, request)
    own.sign("sun", request)
    if how == "disabled":
        people.disable(by=own.shop.owner, merchant_id=own.m, id=own.zhao.staff_id, reason="left")
    else:
        own.change("zhao", "auditor")
    with clocks.standing_at(clocks.SteppedClock(clocks.now() + timedelta(minutes=5))):
        actions.lapse(by=WORKER)
        assert own.state(request) == ("open", 0)
        struck = Signature.objects.filter(merchant_id=own.m, request_id=request.id).order_by("step")
        assert [each.struck_for for each in struck] == ["role_lost", "step_before_struck"]
        own.sign("qian", request)
        own.sign("sun", request)
        assert own.signed(request) == ["qian", "sun"]
    verbs = own.told(f"approval/{request.id}")
    assert verbs.count("approval.signature_struck") == 2


def test_who_signs_next_finds_a_lost_step_before_any_chore_does(own):
    request = own.ask("supervisor", "legal")
    own.sign("zhao", request)
    own.change("zhao", "auditor")
    before = everything(own.m)
    assert refused(actions.SignatureRefused, lambda: own.sign("sun", request)) == ["not_their_turn"]
    assert everything(own.m) == before
    own.sign("qian", request)
    assert (own.signed(request), own.state(request)) == (["qian"], ("open", 1))


def test_what_is_approved_is_not_proven_once_a_signer_has_lost_the_role(own):
    request = own.ask("supervisor", "legal")
    own.sign("zhao", request)
    own.sign("sun", request)
    assert own.prove(request)
    own.change("zhao", "auditor")
    assert refused(NotApproved, lambda: own.prove(request)) == ["signer_lost_role"]
    people.disable(by=own.shop.owner, merchant_id=own.m, id=own.sun.staff_id, reason="left")
    assert refused(NotApproved, lambda: own.prove(request)) == ["signer_lost_role", "signer_lost_role"]
    assert actions.void(by=WORKER, merchant_id=own.m, subject=request.subject, reason="signer_lost_role")
    assert own.state(request) == ("void", 2)


def test_the_next_signer_is_reminded_each_day_anew(own):
    request = own.ask("supervisor", "legal", expires_at=clocks.now() + timedelta(days=10))

    def reminded_by(hours):
        with clocks.standing_at(clocks.SteppedClock(request.opened_at + timedelta(hours=hours))):
            actions.lapse(by=WORKER)
            actions.lapse(by=WORKER)
        return own.told(f"approval/{request.id}").count("approval.reminded")

    assert [reminded_by(hours) for hours in (1, 23.9, 24, 25, 47, 48)] == [0, 0, 1, 1, 1, 2]
    with clocks.standing_at(clocks.SteppedClock(request.opened_at + timedelta(hours=50))):
        own.sign("zhao", request)
    assert [reminded_by(hours) for hours in (60, 73, 74)] == [2, 2, 3]
