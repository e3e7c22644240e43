"""Many at once, on real connections: each step is signed once, and what races ends in one way or the other."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import Error, connection, connections, transaction

from houfu.approvals import actions, queries
from houfu.approvals.models import Request, Signature
from houfu.approvals.queries import NotApproved
from houfu.approvals.tests.company import open_company
from houfu.approvals.tests.signing import answer
from houfu.kernel import clock as clocks
from houfu.kernel import db
from houfu.kernel.errors import Refused
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


# The law of the database, for whoever gets past the rules -------------------------------------------------------------


def insert(company, request, name, **changes):
    """Write a signature past every rule of Python."""
    by = company.people[name]
    row = {
        "merchant_id": company.m, "request_id": request.id, "step": 0, "role": "supervisor", "staff_id": by.staff_id,
        "person": by.person, "stands_for": [by.person], "credential_id": b"c", "authenticator_data": b"a",
        "client_data": b"d", "signature": uuid4().bytes, "sign_count": 0, "signed_at": clocks.now(), **changes,
    }  # fmt: skip
    with transaction.atomic(), connection.cursor() as cursor:
        columns, places = ", ".join(row), ", ".join(["%s"] * len(row))
        cursor.execute(f"INSERT INTO approvals_signature ({columns}) VALUES ({places})", list(row.values()))


def law(do):
    with pytest.raises(Error) as broken:
        do()
    return broken.value.__cause__.diag.constraint_name or broken.value.__cause__.sqlstate


def test_the_database_lets_no_unlawful_signature_in(company):
    two = company.ask("supervisor", "supervisor", editors=[company.li.person])
    insert(company, two, "zhao")
    Request.objects.filter(merchant_id=company.m, id=two.id).update(turn=1)
    zhao, manager = company.zhao.person, company.manager.person
    for name, changes, name_of_law in [
        ("qian", {"step": 0}, "approvals_in_order"),
        ("qian", {"step": 2}, "approvals_in_order"),
        ("qian", {"step": 1, "role": "legal"}, "approvals_in_order"),
        ("zhao", {"step": 1}, "approvals_person_once"),
        ("qian", {"step": 1, "stands_for": [company.qian.person, zhao]}, "approvals_person_once"),
        ("li", {"step": 1}, "approvals_not_own"),
        ("manager", {"step": 1}, "approvals_not_own"),
        ("qian", {"step": 1, "stands_for": [company.qian.person, manager]}, "approvals_not_own"),
        ("qian", {"step": 1, "stands_for": []}, "approvals_signature_stands_for"),
        ("qian", {"step": 1, "signed_at": two.expires_at}, "approvals_request_open"),
        ("qian", {"step": 1, "signature": None}, "approvals_signature_whole"),
        ("qian", {"step": 1, "seal": b"s"}, "approvals_signature_whole"),
        ("qian", {"step": 1, "delegation_id": 10**9}, "approvals_signature_delegation"),
        ("qian", {"step": 1, "request_id": uuid4()}, "approvals_request_open"),
    ]:
        found = law(lambda name=name, changes=changes: insert(company, two, name, **changes))
        assert found == name_of_law, (name, changes)
    insert(company, two, "qian", step=1)
    assert [each.step for each in queries.signatures(two)] == [0, 1]


def test_an_answer_and_a_count_serve_once_in_all_requests(company):
    first, second = company.ask("supervisor"), company.ask("supervisor")
    insert(company, first, "zhao", signature=b"one", sign_count=7)
    assert law(lambda: insert(company, second, "zhao", signature=b"one")) == "approvals_assertion_once"
    assert law(lambda: insert(company, second, "zhao", sign_count=7)) == "approvals_count_once"
    insert(company, second, "zhao", sign_count=8)


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        (
            "UPDATE approvals_request SET state = 'approved', closed_at = now(), next_look_at = NULL",
            "approvals_request_turn",
        ),
        ("UPDATE approvals_request SET state = 'approved', turn = 1", "approvals_request_closed"),
        ("UPDATE approvals_request SET turn = 1", "approvals_request_turn"),
        ("UPDATE approvals_request SET turn = -1", "approvals_request_turn"),
        ("UPDATE approvals_request SET state = 'void'", "approvals_request_closed"),
    ],
)
def test_a_request_is_approved_only_at_the_end_of_its_chain(company, statement, broken):
    request = company.ask("supervisor")

    def do():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement + " WHERE merchant_id = %s AND id = %s", [company.m, request.id])

    assert law(do) == broken


def test_an_end_is_an_end_for_the_owner_of_the_tables_too(company):
    request = company.ask("supervisor")
    company.sign("zhao", request)
    actions.void(by=WORKER, merchant_id=company.m, subject=request.subject, reason="changed")
    for statement, broken in [
        ("UPDATE approvals_request SET state = 'approved' WHERE id = %s", "HF001"),
        ("DELETE FROM approvals_request WHERE id = %s", "HF002"),
        ("DELETE FROM approvals_signature WHERE request_id = %s", "HF002"),
    ]:

        def do(statement=statement):
            with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
                cursor.execute(statement, [request.id])

        assert law(do) == broken


def test_the_application_cannot_rewrite_what_was_signed(company):
    request = company.ask("supervisor")
    company.sign("zhao", request)
    for column in (
        "person = 'person/0'",
        "stands_for = '{}'",
        "signature = 'x'",
        "signed_at = now()",
        "role = 'owner'",
    ):
        with pytest.raises(Exception, match="permission denied"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE approvals_signature SET {column} WHERE request_id = %s", [request.id])
    for column in ("payload = '{}'", "chain = '{owner}'", "person = ''", "editors = '{}'", "version = 2"):
        with pytest.raises(Exception, match="permission denied"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE approvals_request SET {column} WHERE id = %s", [request.id])
    assert company.prove(request)


def test_rows_changed_behind_the_applications_back_prove_nothing(company):
    def spoilt(statement, **more):
        request = company.ask("supervisor")
        company.sign("zhao", request)
        with connections["owner"].cursor() as cursor:
            cursor.execute(statement, {"id": request.id, "qian": company.qian.staff_id, **more})
        with pytest.raises(NotApproved) as refusal:
            company.prove(request)
        return [reason.code for reason in refusal.value.reasons]

    by_another = answer(company.keys["zhao"], b"\0" * 32)
    other = {"client": by_another.client_data, "signed": by_another.signature, "data": by_another.authenticator_data}
    of = "UPDATE approvals_signature SET {} WHERE request_id = %(id)s"
    on = "UPDATE approvals_request SET {} WHERE id = %(id)s"
    forged = "client_data = %(client)s, signature = %(signed)s, authenticator_data = %(data)s"
    assert spoilt(of.format(forged), **other) == ["signature_not_genuine"]
    assert spoilt(of.format("staff_id = %(qian)s")) == ["signature_not_genuine"]
    assert spoilt(on.format("payload = '{}'")) == ["payload_differs"]
    assert spoilt(on.format("expires_at = expires_at + interval '1 day'")) == ["signature_not_genuine"]
    assert spoilt(of.format("signed_at = signed_at - interval '1 day'")) == ["signature_not_genuine"]
    assert spoilt(of.format("struck_at = now(), struck_for = 'x'")) == ["chain_incomplete"]
    assert spoilt(on.format(f"person = '{company.zhao.person}'")) == ["persons_not_distinct"]
    assert spoilt(on.format(f"editors = '{{{company.zhao.person}}}'")) == ["persons_not_distinct"]
    assert spoilt(on.format("chain = '{supervisor,supervisor}', turn = 2")) == ["chain_incomplete"]
