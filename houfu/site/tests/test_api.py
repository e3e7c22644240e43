"""The API as a client meets it: keys, bodies, answers, problems, repeated requests."""

import json
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.urls import resolve

from houfu.ledger import queries as ledger
from houfu.payouts import actions as payouts
from houfu.people import actions as people
from houfu.people.actor import KEY_SCOPES
from houfu.site.api import api
from houfu.testing.bodies import BAD_ORDERS
from houfu.testing.world import MERCHANT_SCOPES, OPERATOR, new_uscc, open_shop

pytestmark = pytest.mark.usefixtures("db")


class Caller:
    """A program with a key."""

    def __init__(self, merchant_id, scopes=MERCHANT_SCOPES):
        _, token = people.create_key(
            by=OPERATOR, merchant_id=merchant_id, name="erp", person="wang", scopes=sorted(scopes)
        )
        self.http = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {token}"})

    def __call__(self, method, path, body=None, **headers):
        content = body if isinstance(body, bytes | None) else json.dumps(body)
        answer = self.http.generic(method, f"/v1{path}", content or b"", "application/json", headers=headers)
        return answer.status_code, json.loads(answer.content) if answer.content else None


def platform():
    return Caller(0, set(KEY_SCOPES))


def test_from_a_new_merchant_to_a_payout_over_http(clock):
    root = platform()
    status, merchant = root("POST", "/merchants", {"name": "杭州某某服饰有限公司", "uscc": new_uscc()})
    assert status == 201
    m = merchant["merchant_id"]
    assert root("POST", f"/merchants/{m}/verification", {"document": "营业执照"})[0] == 200
    asked = {"name": "erp", "person": "wang", "scopes": sorted(MERCHANT_SCOPES)}
    assert root("POST", f"/merchants/{m}/keys", asked)[1]["code"] == "access_needed"  # a key would show all of it
    erp = Caller(m)
    account = erp("POST", "/channel-accounts", {"channel": "simulator", "principal": f"P{m}", "maturity_days": 1})[1]
    store = erp("POST", "/stores", {"code": "S1", "name": "一号店", "channel_account_id": account["id"]})[1]["id"]
    status, limit = root("POST", f"/merchants/{m}/stores/{store}/grants", {"amount_fen": 5_000_000})
    assert (status, limit["effective_fen"]) == (200, 5_000_000)
    status, decision = erp("POST", "/orders", {"id": "D1", "store_id": store, "amount_fen": 2_800_000})
    assert (status, decision["state"], decision["own_fen"]) == (201, "authorised", 2_800_000)
    assert erp("POST", "/orders", {"id": "D1", "store_id": store, "amount_fen": 2_800_000})[0] == 200
    for kind in ("shipped", "received"):
        assert erp("POST", "/orders/D1/events", {"kind": kind})[1]["outcome"] == "done"
    assert erp("GET", "/orders/D1")[1]["state"] == "received"
    assert erp("GET", f"/stores/{store}/limit")[1]["exposure_fen"] == 2_800_000
    account = {"kind": "alipay", "purpose_class": "goods_settlement", "holder": "某某", "account": "pay@shop.example"}
    status, problem = erp("POST", "/beneficiaries", account)
    assert (status, problem["code"]) == (403, "forbidden")  # accounts are for people alone (4.11)
    registered = payouts.register(by=OPERATOR, merchant_id=m, **account)
    [payee] = erp("GET", "/beneficiaries")[1]
    assert (payee["id"], payee["account_tail"]) == (registered.id, "mple")
    asked = {"store_id": store, "beneficiary_id": payee["id"], "amount_fen": 9_999, "purpose": "wages"}
    status, check = erp("POST", "/payouts:check", asked)
    assert [r["code"] for r in check["reasons"]] == [
        "below_minimum", "cover_too_thin", "purpose_denied", "beneficiary_not_verified",
    ]  # fmt: skip
    status, problem = erp("POST", "/payouts", {**asked, "id": str(uuid4())})
    assert (status, problem["code"], len(problem["reasons"])) == (409, "payout_refused", 4)
    assert erp("GET", "/payouts")[1] == {"items": [], "next_cursor": None}
    status, problem = root("POST", f"/merchants/{m}/beneficiaries/{payee['id']}/verification", {"document": "x"})
    assert (status, problem["code"]) == (403, "person_needed")
    status, trace = erp("GET", "/orders/D1/trace")
    assert [event["verb"] for event in trace["events"]] == ["shipped", "received"]
    assert {link["verb"] for link in erp("GET", "/history?limit=500")[1]["items"]} >= {"orders.authorised"}


def test_every_listing_answers_an_empty_merchant():
    erp = Caller(open_shop(own_limit_fen=0).merchant_id)
    for path in (
        "/merchant", "/merchants", "/channel-accounts", "/stores", "/groups", "/loans", "/pools", "/orders",
        "/approvals", "/delegations",
        "/beneficiaries", "/payouts", "/runs", "/balances", "/history", "/policies", "/policies/in-force",
        "/policies/2023-11-01", "/calendar/2026", "/payout-window", "/statements", "/breaks", "/health",
        "/payout-run-days?first=2026-02-01&last=2026-03-01", "/balances?at=2025-11-09T00:00:00%2B08:00",
    ):  # fmt: skip
        assert erp("GET", path)[0] == 200, path


def test_every_operation_is_reached_under_its_own_address():
    """`/pools/7:freeze` is not the pool called "7:freeze"."""
    for path, operations in api.get_openapi_schema()["paths"].items():
        address = path
        for parameter in next(iter(operations.values())).get("parameters", []):
            some = "7" if parameter["schema"].get("type") == "integer" else str(uuid4())
            address = address.replace(f"{{{parameter['name']}}}", some)
        names = {operation["operationId"].split("_api_")[-1] for operation in operations.values()}
        assert resolve(address).url_name in names, path


def test_a_page_ends_with_the_cursor_of_the_next():
    shop = open_shop()
    shop.place(*range(1000, 1007))
    erp = Caller(shop.merchant_id)
    seen, cursor = [], ""
    while True:
        answer = erp("GET", f"/orders?limit=3&cursor={cursor}")[1]
        seen += [order["id"] for order in answer["items"]]
        cursor = answer["next_cursor"]
        if not cursor:
            break
    assert seen == sorted(shop.placed, reverse=True)
    first = erp("GET", "/orders?limit=3")[1]["next_cursor"]
    assert erp("GET", f"/history?cursor={first}")[1]["code"] == "cursor_invalid"
    assert erp("GET", f"/orders?cursor=A{first[1:]}x")[1]["code"] == "cursor_invalid"


@pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer hf_1_1_nothing", "Bearer hf_x_1_y", "Basic abc"])
def test_without_a_valid_key_nothing_is_told(authorization):
    answer = Client(headers={"Authorization": authorization}).get("/v1/orders")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer["Content-Type"] == "application/problem+json"


def test_a_revoked_or_expired_key_opens_nothing(clock):
    shop = open_shop()
    key, token = people.create_key(
        by=shop.owner, merchant_id=shop.merchant_id, name="a", person="b", scopes=["orders:read"], days=30
    )
    http = Client(headers={"Authorization": f"Bearer {token}"})
    assert http.get("/v1/orders").status_code == 200
    clock.move(days=30)
    assert http.get("/v1/orders").status_code == 401
    clock.move(days=-1)
    people.revoke_key(by=shop.owner, merchant_id=shop.merchant_id, id=key.id)
    assert http.get("/v1/orders").status_code == 401


def test_another_merchants_things_look_as_if_they_were_not_there():
    ours, theirs = open_shop(), open_shop()
    theirs.place(5_000, ids=["THEIRS"])
    erp = Caller(ours.merchant_id)
    for method, path, body in [
        ("GET", "/orders/THEIRS", None),
        ("GET", "/orders/THEIRS/trace", None),
        ("GET", f"/stores/{theirs.store}", None),
        ("GET", f"/stores/{theirs.store}/limit", None),
        ("POST", "/orders", {"id": "X", "store_id": theirs.store, "amount_fen": 100}),
        ("POST", "/orders/THEIRS/events", {"kind": "shipped"}),
        ("GET", f"/payouts/{uuid4()}", None),
        ("GET", f"/merchants/{theirs.merchant_id}/keys", None),
    ]:
        status, problem = erp(method, path, body)
        assert (status, problem["code"]) == (404, "not_found"), path
    assert theirs.fen("q:own:held") == 5_000


def test_a_scope_that_is_missing_is_said():
    shop = open_shop()
    erp = Caller(shop.merchant_id, {"orders:read"})
    status, problem = erp("POST", "/orders", {"id": "X", "store_id": shop.store, "amount_fen": 100})
    assert (status, problem["code"], problem["details"]) == (403, "forbidden", {"scope": "orders:write"})
    assert shop.fen("q:own:held") == 0


def test_no_merchants_key_can_reach_the_platform():
    shop = open_shop()
    erp = Caller(shop.merchant_id)
    assert erp("POST", "/merchants", {"name": "x", "uscc": new_uscc()})[0] == 403
    grant = f"/merchants/{shop.merchant_id}/stores/{shop.store}/grants"
    assert erp("POST", grant, {"amount_fen": 1})[0] == 403
    keys = f"/merchants/{shop.merchant_id}/keys"
    assert erp("POST", keys, {"name": "x", "person": "y", "scopes": ["platform:write"]})[0] == 403
    assert erp("POST", "/merchants/0/keys", {"name": "x", "person": "y", "scopes": ["orders:read"]})[0] == 404
    root = platform()
    _, problem = root("POST", keys, {"name": "x", "person": "y", "scopes": ["platform:write"]})
    assert problem["code"] == "access_needed"
    assert root("GET", "/orders")[1]["code"] == "merchant_key_needed"


@pytest.mark.parametrize("body", BAD_ORDERS)
def test_a_body_of_the_wrong_form_is_refused_with_a_code_and_moves_nothing(body):
    shop = open_shop()
    status, problem = Caller(shop.merchant_id)("POST", "/orders", body.replace(b'_id": 1,', b'_id": %d,' % shop.store))
    assert status in (400, 404, 422), problem
    assert problem["code"] in ("invalid", "order_invalid", "at_in_future", "not_found", "out_of_range")
    assert shop.fen("q:own:held") == 0


def test_a_filter_that_does_not_exist_is_refused():
    erp = Caller(open_shop().merchant_id)
    assert erp("GET", "/orders?stroe_id=5")[1]["details"]["fields"][0]["field"] == "query.stroe_id"
    assert erp("GET", "/orders?state=a&state=b")[0] == 422
    assert erp("GET", "/orders?limit=501")[0] == 422
    assert erp("GET", "/nothing")[0] == 404


def test_a_repeated_request_gets_the_first_answer_and_happens_once():
    shop = open_shop()
    erp = Caller(shop.merchant_id)
    lend = {"amount_fen": 100_000}
    path = f"/stores/{shop.store}/loans"
    first = erp("POST", path, lend, **{"Idempotency-Key": "K1"})
    assert first[0] == 201
    assert erp("POST", path, lend, **{"Idempotency-Key": "K1"}) == first
    assert erp("POST", path, {"amount_fen": 1}, **{"Idempotency-Key": "K1"})[1]["code"] == "idempotency_key_reused"
    assert erp("POST", path, lend, **{"Idempotency-Key": "K2"})[1]["code"] == "limits_loan_refused"
    assert erp("POST", path, lend, **{"Idempotency-Key": "x" * 256})[0] in (409, 422)
    assert ledger.balances(shop.merchant_id, kinds=["q:temp:free"]) == {("q:temp:free", shop.store): 100_000}


def test_the_key_of_a_refused_request_may_be_used_again():
    shop = open_shop()
    erp = Caller(shop.merchant_id)
    path = f"/stores/{shop.store}/loans"
    assert erp("POST", path, {"amount_fen": 500_001}, **{"Idempotency-Key": "K1"})[0] == 409
    assert erp("POST", path, {"amount_fen": 500_000}, **{"Idempotency-Key": "K1"})[0] == 201


def test_two_requests_with_one_key_at_once_happen_once():
    from houfu.testing.threads import in_threads

    shop = open_shop()
    erp = Caller(shop.merchant_id)
    body = {"amount_fen": 1_000}
    path = f"/stores/{shop.store}/loans"
    answers = in_threads(lambda _: erp("POST", path, body, **{"Idempotency-Key": "K"}), range(8))
    assert {status for status, _ in answers} <= {201, 409, 503}
    assert {problem["code"] for status, problem in answers if status == 409} <= {"idempotency_in_flight"}
    assert erp("POST", path, body, **{"Idempotency-Key": "K"})[0] == 201  # all of them may have been told to come again
    assert shop.fen("q:temp:free") == 1_000


def test_the_description_names_every_operation_with_its_problems():
    description = Client().get("/v1/openapi.json").json()
    assert description["openapi"].startswith("3.1")
    operations = [(path, operation) for path, methods in description["paths"].items() for operation in methods.values()]
    assert len(operations) > 50
    for path, operation in operations:
        assert operation["summary"], path
        if path != "/v1/health":
            assert "409" in operation["responses"], path


def test_nothing_is_left_open_by_a_refusal():
    erp = Caller(open_shop().merchant_id)
    erp("POST", "/orders", {"id": "X", "store_id": 0, "amount_fen": 100})
    assert not connection.in_atomic_block
