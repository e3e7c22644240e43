"""The law of the database, for whoever gets past the rules, and the gate, for whoever gets past the database."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import Error, connection, connections, transaction

from houfu.approvals import actions, queries
from houfu.approvals.models import Request
from houfu.approvals.queries import NotApproved
from houfu.kernel import clock as clocks
from houfu.testing.company import answer, open_company
from houfu.testing.world import WORKER


@pytest.fixture
def company(fresh_db):
    """A company in a database of its own: what is written here past the rules holds nowhere else."""
    return open_company()


def insert(company, request, name, **changes):
    """Write a signature past every rule of Python."""
    by = company.people[name]
    row = {
        "merchant_id": company.m, "request_id": request.id, "step": 0, "role": "supervisor", "staff_id": by.staff_id,
        "person": by.person, "stands_for": [by.person], "credential_id": b"c", "authenticator_data": b"a",
        "client_data": b"d", "signature": uuid4().bytes, "signed_at": clocks.now(), **changes,
    }  # fmt: skip
    with transaction.atomic(), connection.cursor() as cursor:
        columns, places = ", ".join(row), ", ".join(["%s"] * len(row))
        cursor.execute(f"INSERT INTO approvals_signature ({columns}) VALUES ({places})", list(row.values()))


def law(do):
    """Do what a law of the database forbids, and return the name of the law."""
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


def test_an_answer_serves_once_in_all_requests(company):
    first, second = company.ask("supervisor"), company.ask("supervisor")
    insert(company, first, "zhao", signature=b"one")
    assert law(lambda: insert(company, second, "zhao", signature=b"one")) == "approvals_assertion_once"


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


@pytest.mark.parametrize(
    ("column", "shift", "proven"),
    [
        ("added_at", "1 microsecond", False),
        ("added_at", "0", True),
        ("removed_at", "0", False),
        ("removed_at", "1 microsecond", True),
    ],
)
def test_a_signature_is_proven_by_a_passkey_that_was_valid_when_it_signed(company, column, shift, proven):
    request = company.ask("supervisor")
    company.sign("zhao", request)
    with connections["owner"].cursor() as cursor:
        statement = f"UPDATE people_passkey SET {column} = added_at + interval '{shift}' WHERE staff_id = %s"
        cursor.execute(statement, [company.zhao.staff_id])
    try:
        company.prove(request)
        found = []
    except NotApproved as refusal:
        found = [reason.code for reason in refusal.reasons]
    assert found == ([] if proven else ["signature_not_genuine"])


def test_whom_a_signer_counted_as_is_looked_up_again_and_not_believed(company):
    ends_at = clocks.now() + timedelta(days=1)
    actions.delegate(by=company.li, merchant_id=company.m, delegate_staff_id=company.zhao.staff_id, ends_at=ends_at)
    request = company.ask("supervisor")
    company.sign("zhao", request)
    assert company.prove(request)
    with connections["owner"].cursor() as cursor:
        cursor.execute("UPDATE approvals_signature SET stands_for = ARRAY[person] WHERE request_id = %s", [request.id])
        cursor.execute("UPDATE approvals_request SET person = %s WHERE id = %s", [company.li.person, request.id])
    with pytest.raises(NotApproved) as refusal:
        company.prove(request)
    assert [reason.code for reason in refusal.value.reasons] == ["persons_not_distinct"]
