"""Approvals as a client meets them: what waits, what is shown, signing, saying no; and as an operator at a terminal."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from click.testing import CliRunner
from django.test import Client

from houfu.approvals import actions
from houfu.approvals.cli import cli
from houfu.kernel import clock as clocks
from houfu.kernel.errors import NotFound
from houfu.people import actions as people
from houfu.people import queries as people_queries
from houfu.testing.company import open_company
from houfu.testing.passkeys import b64, unb64
from houfu.testing.web import running_web, signed_in
from houfu.testing.world import OPERATOR, new_identity

pytestmark = pytest.mark.usefixtures("db")


class Caller:
    """A program with a key."""

    def __init__(self, company, scopes=("history:read",)):
        _, token = people.create_key(by=OPERATOR, merchant_id=company.m, name="erp", person="x", scopes=scopes)
        self.http = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {token}"})

    def __call__(self, method, path, body=None):
        content = json.dumps(body) if body is not None else ""
        answer = self.http.generic(method, f"/v1{path}", content, "application/json")
        return answer.status_code, json.loads(answer.content) if answer.content else None


@pytest.fixture
def as_(company, monkeypatch):
    """Come as a member of the staff, as a session would let them."""
    key_actor, who = people_queries.actor_of, {}
    monkeypatch.setattr(people_queries, "actor_of", lambda *said: who.get("actor") or key_actor(*said))

    def come(name, company=company):
        caller = Caller(company)

        def call(*request):
            who["actor"] = company.people[name]
            try:
                return caller(*request)
            finally:
                who.clear()

        return call

    return come


def assertion(key, challenge):
    """Return what a passkey answers, as a page sends it."""
    said = key.sign_bytes(unb64(challenge))
    response = said["response"]
    return {
        "credential_id": said["rawId"],
        "authenticator_data": response["authenticatorData"],
        "client_data": response["clientDataJSON"],
        "signature": response["signature"],
    }


def test_from_the_inbox_to_the_signature(company, as_):
    request = company.ask("owner", "legal")
    zhou, sun = as_("zhou"), as_("sun")
    status, inbox = zhou("GET", "/approvals/inbox?limit=500")
    assert (status, [row["id"] for row in inbox["items"]]) == (200, [str(request.id)])
    status, shown = zhou("GET", f"/approvals/{request.id}")
    assert (status, shown["turn_of"], shown["reasons"], shown["shown"]["version"]) == (200, "owner", [], 1)
    given = assertion(company.keys["zhou"], shown["challenge"])
    status, signed = zhou("POST", f"/approvals/{request.id}:sign", {"assertion": given})
    assert (status, signed["state"], signed["turn"]) == (200, "open", 1)
    status, problem = zhou("POST", f"/approvals/{request.id}:sign", {"assertion": given})
    assert (status, problem["code"]) == (409, "approval_refused")
    assert [r["code"] for r in problem["reasons"]] == ["counted_already", "not_their_turn", "assertion_counter_back"]
    shown = sun("GET", f"/approvals/{request.id}")[1]
    assert [(s["role"], s["method"]) for s in shown["signatures"]] == [("owner", "passkey")]
    given = assertion(company.keys["sun"], shown["challenge"])
    assert sun("POST", f"/approvals/{request.id}:sign", {"assertion": given})[1]["state"] == "approved"
    assert company.prove(request)


def test_at_a_real_browser_the_passkey_that_signs_in_signs_the_approval_too(company):
    member, invitation = people.invite(
        by=company.shop.owner, merchant_id=company.m, name="韩梅梅", identity=new_identity(),
        settings=people.Settings("legal"),
    )  # fmt: skip
    with running_web() as address:
        browser, key = signed_in(address, invitation, f"han-{member.id}@shop.example", "korrekt-pferd-batterie")
        request = company.ask("legal")
        status, shown = browser("GET", f"/v1/approvals/{request.id}")
        assert (status, shown["passkeys"]) == (200, [{"credential_id": b64(key.credential_id), "rp_id": "localhost"}])
        elsewhere, key.origin = key.origin, "http://localhost.evil.example"
        astray = assertion(key, shown["challenge"])
        key.origin = elsewhere
        given = assertion(key, shown["challenge"])
        path = f"/v1/approvals/{request.id}:sign"
        for wrong, code in [
            (astray, "assertion_other_origin"),
            ({**given, "signature": "AA"}, "assertion_signature_wrong"),
        ]:
            status, problem = browser("POST", path, {"assertion": wrong})
            assert (status, [reason["code"] for reason in problem["reasons"]]) == (409, [code])
        browser.origin = "https://evil.example"
        assert browser("POST", path, {"assertion": given})[0] == 403
        browser.origin = address
        assert browser("POST", path, {"assertion": given})[1]["state"] == "approved"
        other = company.ask("legal")
        key.counter -= 2
        behind = assertion(key, browser("GET", f"/v1/approvals/{other.id}")[1]["challenge"])
        problem = browser("POST", f"/v1/approvals/{other.id}:sign", {"assertion": behind})[1]
        assert [reason["code"] for reason in problem["reasons"]] == ["assertion_counter_back"]
    assert company.prove(request)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "approval_proof_missing"),
        ({"code": "123456"}, "approval_refused"),
        ({"assertion": {}}, "invalid"),
        (
            {"assertion": {"credential_id": "é", "authenticator_data": "", "client_data": "", "signature": ""}},
            "invalid",
        ),
        (
            {"assertion": {"credential_id": "AA==", "authenticator_data": "", "client_data": "", "signature": ""}},
            "invalid",
        ),
        (
            {"assertion": {"credential_id": "AB", "authenticator_data": "", "client_data": "", "signature": ""}},
            "invalid",
        ),
        ({"assertion": {"credential_id": 5, "authenticator_data": "", "client_data": "", "signature": ""}}, "invalid"),
        (
            {"assertion": {"credential_id": "A", "authenticator_data": "", "client_data": "", "signature": ""}},
            "invalid",
        ),
        ({"code": 123456}, "invalid"),
        ({"signature": "x"}, "invalid"),
    ],
)
def test_what_is_no_proof(company, as_, body, code):
    request = company.ask("legal")
    assert as_("sun")("POST", f"/approvals/{request.id}:sign", body)[1]["code"] == code
    assert company.state(request) == ("open", 0)


def test_a_no_a_withdrawal_and_what_a_key_may_see(company, as_):
    refused, withdrawn = company.ask("legal"), company.ask("legal")
    status, said = as_("sun")("POST", f"/approvals/{refused.id}:reject", {"note": "发票不符"})
    assert (status, said["state"], said["note"]) == (200, "rejected", "发票不符")
    assert as_("manager")("POST", f"/approvals/{withdrawn.id}:withdraw")[1]["state"] == "withdrawn"
    key = Caller(company)
    rows = key("GET", f"/approvals?subject={refused.subject}")[1]["items"]
    assert [(row["state"], row["closed_by"]) for row in rows] == [("rejected", company.sun.label)]
    shown = key("GET", f"/approvals/{refused.id}")[1]
    assert [reason["code"] for reason in shown["reasons"]] == ["role_missing"]
    assert key("POST", f"/approvals/{refused.id}:reject", {"note": "发票不符"})[1]["code"] == "forbidden"
    assert key("GET", "/approvals/inbox")[1]["code"] == "forbidden"
    assert key("GET", f"/approvals/{uuid4()}")[0] == 404
    assert Caller(company, scopes=["orders:read"])("GET", f"/approvals/{refused.id}")[0] == 404


def test_listings_go_on_where_a_page_ends(as_):
    company = open_company()
    wanted = {str(company.ask("legal").id) for _ in range(5)}
    li = as_("li", company)
    for path in ("/approvals", "/approvals/inbox"):
        seen, cursor = [], ""
        while cursor is not None:
            answer = li("GET", f"{path}?limit=2&cursor={cursor}")[1]
            seen += [row["id"] for row in answer["items"]]
            cursor = answer["next_cursor"]
        assert (len(seen), set(seen)) == (5, wanted)


def test_lending_a_role_and_taking_it_back(company, as_):
    qian = as_("qian")
    asked = {"delegate_staff_id": company.li.staff_id, "ends_at": (clocks.now() + timedelta(days=2)).isoformat()}
    status, lent = qian("POST", "/delegations", asked)
    assert (status, lent["role"], lent["delegate_person"]) == (201, "supervisor", company.li.person)
    assert qian("POST", "/delegations", asked)[1]["code"] == "approval_delegation_refused"
    assert lent["id"] in {row["id"] for row in as_("sun")("GET", "/delegations")[1]}
    assert qian("POST", f"/delegations/{lent['id']}:end")[1]["ended_by"] == company.qian.label
    assert lent["id"] not in {row["id"] for row in qian("GET", "/delegations")[1]}
    assert lent["id"] in {row["id"] for row in qian("GET", "/delegations?ended=true")[1]}


def test_only_an_owner_lets_codes_sign(company, as_):
    assert as_("sun")("PUT", "/approval-profile", {"totp_allowed": True})[1]["code"] == "forbidden"
    assert as_("zhou")("PUT", "/approval-profile", {"totp_allowed": False})[0] == 204


def test_an_operator_looks_at_a_terminal(company):
    request = company.ask("legal")
    company.sign("sun", request)
    m = str(company.m)

    def houfu(*arguments):
        done = CliRunner().invoke(cli, [*arguments, "--json"])
        return done.exception or json.loads(done.output)

    [listed] = houfu("list", m, "--subject", request.subject)
    assert (listed["id"], listed["state"]) == (str(request.id), "approved")
    shown = houfu("show", m, str(request.id))
    assert (shown["shown"]["subject"], shown["signatures"][0]["person"]) == (request.subject, company.sun.person)
    assert isinstance(houfu("show", m, str(uuid4())), NotFound)
    ends_at = clocks.now() + timedelta(days=1)
    actions.delegate(by=company.sun, merchant_id=company.m, delegate_staff_id=company.li.staff_id, ends_at=ends_at)
    assert company.sun.person in {row["person"] for row in houfu("delegations", m)}
