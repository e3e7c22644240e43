"""Many at once, on real connections: each step is signed once, and what races ends in one way or the other."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction

from houfu.approvals import actions, queries
from houfu.approvals.models import Request, Signature
from houfu.approvals.queries import NotApproved
from houfu.kernel import clock as clocks
from houfu.kernel import db
from houfu.kernel.errors import Refused
from houfu.testing.company import open_company
from houfu.testing.plugin import MONDAY_TEN
from houfu.testing.threads import in_threads
from houfu.testing.world import WORKER

pytestmark = pytest.mark.usefixtures("db")
APPROVERS = [f"approver{n}" for n in range(8)]


@pytest.fixture(scope="module")
def crowd():
    """A company with eight people in each of two roles."""
    with clocks.standing_at(clocks.SteppedClock(MONDAY_TEN)):
        company = open_company()
        for name in APPROVERS:
            company.hire(name, "supervisor")
            company.hire(f"legal_{name}", "legal")
        return company


def at_once(*doings):
    return in_threads(lambda do: do(), doings)


def signing(company, name, request):
    """Return the signing of a request, its answer given beforehand, as eight people do who look at the same screen."""
    given = company.answer(name, request)
    return lambda: actions.sign(by=company.people[name], merchant_id=company.m, id=request.id, assertion=given)


def refusals(outcomes):
    return [outcome for outcome in outcomes if isinstance(outcome, Refused)]


@pytest.mark.parametrize(
    "chain", [("supervisor",), ("supervisor", "legal"), ("supervisor", "supervisor", "supervisor")]
)
def test_eight_approvers_at_once_sign_each_step_exactly_once(crowd, chain):
    for _ in range(3):
        request = crowd.ask(*chain)
        outcomes = at_once(*(signing(crowd, name, request) for name in APPROVERS))
        steps = sum(role == "supervisor" for role in chain)
        assert len(refusals(outcomes)) == 8 - steps
        assert [type(each) for each in outcomes if not isinstance(each, Refused)] == [Request] * steps
        assert crowd.state(request) == ("approved" if steps == len(chain) else "open", steps)
        assert len({each.person for each in queries.signatures(request)}) == steps
        if steps < len(chain):
            outcomes = at_once(*(signing(crowd, f"legal_{name}", request) for name in APPROVERS))
            assert len(refusals(outcomes)) == 7
        assert crowd.prove(request, chain=chain)
        assert crowd.told(f"approval/{request.id}").count("approval.approved") == 1


def test_one_person_who_clicks_eight_times_signs_once(crowd):
    request = crowd.ask("supervisor", "supervisor")
    outcomes = at_once(*(signing(crowd, "zhao", request) for _ in range(8)))
    assert len(refusals(outcomes)) == 7
    assert crowd.state(request) == ("open", 1)


def test_one_answer_sent_eight_times_serves_once(crowd):
    request = crowd.ask("supervisor", "supervisor")
    outcomes = at_once(*[signing(crowd, "zhao", request)] * 8)
    assert len(refusals(outcomes)) == 7
    assert Signature.objects.filter(merchant_id=crowd.m, request_id=request.id).count() == 1


ENDS = {
    "void": lambda c, r: actions.void(by=WORKER, merchant_id=c.m, subject=r.subject, reason="changed"),
    "withdrawn": lambda c, r: actions.withdraw(by=c.manager, merchant_id=c.m, id=r.id),
    "rejected": lambda c, r: actions.reject(by=c.qian, merchant_id=c.m, id=r.id, note="不同意"),
    "replaced": lambda c, r: c.ask("supervisor", subject=r.subject, version=2),
}


@pytest.mark.parametrize("end", ENDS)
def test_signing_races_with_every_end_and_nothing_is_proven_after_it(crowd, end):
    for _ in range(4):
        request = crowd.ask("supervisor")
        signed, ended = at_once(signing(crowd, "zhao", request), lambda r=request: ENDS[end](crowd, r))
        state = crowd.state(request)[0]
        if end in ("void", "replaced"):  # these end what is approved, too
            assert state == "void"
            assert not isinstance(ended, Exception)
        else:
            assert isinstance(signed, Refused) != isinstance(ended, Refused)
            assert state == ("approved" if isinstance(signed, Request) else end)
        if state == "approved":
            assert crowd.prove(request)
        else:
            with pytest.raises(NotApproved):
                crowd.prove(request)


def test_signing_races_with_losing_the_role(crowd):
    for n in range(4):
        name, request = f"mover{n}", crowd.ask("supervisor")
        crowd.hire(name, "supervisor")
        at_once(signing(crowd, name, request), lambda name=name: crowd.change(name, "auditor"))
        with pytest.raises(NotApproved):
            crowd.prove(request)


def test_proving_holds_off_a_void_until_the_submission_has_committed(crowd):
    request = crowd.ask("supervisor")
    crowd.sign("zhao", request)
    order, proven = [], threading.Event()
    waiting = "SELECT pid FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"

    def submit():
        with transaction.atomic():
            crowd.prove(request)
            proven.set()
            assert any(db.rows(waiting) for _ in range(100_000))
            order.append("submitted")

    def call_off():
        proven.wait()
        ENDS["void"](crowd, request)
        order.append("void")

    at_once(submit, call_off)
    assert order == ["submitted", "void"]
    with pytest.raises(NotApproved):
        crowd.prove(request)


def test_the_same_request_asked_for_eight_times_at_once_is_one(crowd):
    said = {"id": uuid4(), "subject": f"payout/{uuid4()}", "expires_at": clocks.now() + timedelta(days=1)}
    outcomes = at_once(*[lambda: crowd.ask("legal", **said)] * 8)
    assert {outcome.id for outcome in outcomes} == {said["id"]}
    assert crowd.told(f"approval/{said['id']}") == ["approval.opened"]


def test_of_several_requests_for_one_subject_one_stands(crowd):
    subject = f"payout/{uuid4()}"
    outcomes = at_once(*(lambda v=v: crowd.ask("legal", subject=subject, version=v) for v in range(1, 9)))
    live = Request.objects.filter(merchant_id=crowd.m, subject=subject).exclude(state="void")
    assert [row.version for row in live] == [max(row.version for row in outcomes if isinstance(row, Request))]
