"""Risk over HTTP: staff are told the class of a reason and nothing else; people deal with cases and appeals."""

import json
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client

from houfu.kernel import clock as clocks
from houfu.kernel.errors import Unauthenticated
from houfu.limits import actions as limits
from houfu.orders import actions as orders
from houfu.people import queries as people
from houfu.people import rules as people_rules
from houfu.risk import actions as risk
from houfu.risk import queries, rules
from houfu.risk.models import Alert, Case, Hold
from houfu.risk.tests.people import LI, ZHAO, staff
from houfu.testing.world import OPERATOR, WORKER, open_shop, pool

pytestmark = pytest.mark.usefixtures("db")
ALL_STAFF = frozenset[str]().union(
    *(scopes for role, scopes in people_rules.ROLES.items() if role not in ("risk_officer", "operator"))
)


@pytest.fixture
def call(monkeypatch):
    """Call the API as somebody."""
    known = {}

    def actor_of(token, *_):
        if token not in known:
            raise Unauthenticated()
        return known[token]

    monkeypatch.setattr(people, "actor_of", actor_of)
    http = Client(raise_request_exception=False)

    def as_somebody(by, method, path, body=None):
        token = uuid4().hex
        known[token] = by
        answer = http.generic(
            method, f"/v1{path}", b"" if body is None else json.dumps(body), "application/json",
            headers={"Authorization": f"Bearer {token}"},
        )  # fmt: skip
        return answer.status_code, json.loads(answer.content) if answer.content else None

    return as_somebody


def eventful_shop(clock):
    """A shop with a held payout, a frozen store, an alert of usage, lost points, a package and an appeal."""
    shop = open_shop(stores=2, own_limit_fen=10_000)
    pool(shop, share=9, grant_fen=1_000_000)
    shop.place_in([(shop.store, 10_000), (shop.store, 7_777)], ["E1", "E2"])
    shop.receive("E1", "E2")
    orders.dispute(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps("E2", ref="D"))
    limits.grant(by=OPERATOR, merchant_id=shop.merchant_id, store_id=shop.stores[1], amount_fen=1)
    for _ in range(6):
        facts = risk.PayoutFacts(
            store_id=shop.store,
            beneficiary_id=1,
            amount_fen=54_321,
            person="wang",
            device="SECRETDEVICE",
            ip="192.0.2.7",
        )
        risk.judge(by=shop.owner, merchant_id=shop.merchant_id, subject=f"payout/{uuid4()}", facts=facts)
    clock.at = clocks.shanghai(2025, 12, 1)
    risk.look(by=WORKER, merchant_id=shop.merchant_id)
    case = risk.open_case(by=LI, merchant_id=shop.merchant_id, subject=f"store/{shop.store}", reason_class="disputes")
    risk.investigate(by=LI, merchant_id=shop.merchant_id, id=case.id)
    risk.add_evidence(by=LI, merchant_id=shop.merchant_id, id=case.id, kind="note", text="SECRETEVIDENCE was seen")
    risk.decide(by=LI, merchant_id=shop.merchant_id, id=case.id, outcome="freeze", note="SECRETNOTE of the officer")
    risk.make_package(by=LI, merchant_id=shop.merchant_id, case_id=case.id)
    risk.appeal(by=shop.owner, merchant_id=shop.merchant_id, case_id=case.id, grounds="one broken batch")
    assert queries.score(LI, shop.merchant_id).points == -20
    return shop, case.id


SECRETS = (
    "SECRET", "192.0.2.7",
    *(f'"{name}"' for name in ("counts", "applied", "numbers", "concerns", "shared_orders", *rules.RULES)),
    *{f'"{name}"' for rule in rules.RULES.values() for name in rule.numbers},
)  # fmt: skip


def test_no_answer_tells_staff_more_than_the_class_of_a_reason(clock, call):
    shop, case_id = eventful_shop(clock)
    decision = queries.decisions(LI, shop.merchant_id)[0]
    filled = {
        "{case_id}": str(case_id), "{decision_id}": str(decision.id), "{store_id}": str(shop.store),
        "{order_id}": "E1", "{version}": "2023-11-01", "{year}": "2025", "{merchant_id}": str(shop.merchant_id),
        "{payout_id}": str(uuid4()),
    }  # fmt: skip
    by = replace(staff(shop, "owner", "wu"), scopes=ALL_STAFF)  # whatever any of them may do
    told = {}
    for path, methods in Client().get("/v1/openapi.json").json()["paths"].items():
        if "get" not in methods:
            continue
        for name, value in filled.items():
            path = path.replace(name, value)
        status, answer = call(by, "GET", path.removeprefix("/v1"))
        text = json.dumps(answer, ensure_ascii=False)
        assert [secret for secret in SECRETS if secret in text] == [], (path, text)
        told[path.removeprefix("/v1")] = status
    assert told["/risk/holds"] == told["/policies/in-force"] == told["/history"] == 200
    closed = {path for path, status in told.items() if path.startswith("/risk/") and status == 403}
    assert closed == {
        "/risk/alerts", "/risk/cases", f"/risk/cases/{case_id}", f"/risk/cases/{case_id}/packages", "/risk/decisions",
        f"/risk/decisions/{decision.id}", f"/risk/decisions/{decision.id}/replay", "/risk/rules", "/risk/inbox",
        "/risk/backtests",
    }  # fmt: skip


def test_staff_are_told_what_is_held_frozen_and_lost_by_class(clock, call):
    shop, case_id = eventful_shop(clock)
    auditor = staff(shop, "auditor", "kong")
    _, holds = call(auditor, "GET", "/risk/holds")
    assert [set(hold) for hold in holds["items"]] == [
        {"subject", "store_id", "reason_class", "state", "placed_at", "ended_at"}
    ]
    assert holds["items"][0]["reason_class"] == "device"
    _, measures = call(auditor, "GET", "/risk/measures")
    assert [(m["case_id"], m["outcome"], m["reason_class"]) for m in measures["items"]] == [
        (case_id, "freeze", "disputes")
    ]
    _, score = call(auditor, "GET", "/risk/score")
    assert (score["points"], {event["reason_class"] for event in score["events"]}) == (-20, {"sharing", "disputes"})
    elsewhere = staff(shop, "regional_manager", "meng", frozenset({shop.stores[1]}))
    for path in ("/risk/holds", "/risk/measures", "/risk/appeals"):
        assert call(elsewhere, "GET", path)[1]["items"] == [], path
    verbs = {link["verb"] for link in call(auditor, "GET", "/history?limit=500")[1]["items"]}
    assert {"hold.placed", "score.moved", "store.frozen", "appeal.submitted"} <= verbs
    assert not any(verb.startswith(("alert.", "case.", "package.")) for verb in verbs)


def test_the_merchants_risk_officer_is_told_everything_of_that_merchant(clock, call):
    shop, case_id = eventful_shop(clock)
    other = open_shop(own_limit_fen=0)
    sun = staff(shop, "risk_officer", "sun")
    alerts = call(sun, "GET", "/risk/alerts")[1]["items"]
    assert {alert["rule"] for alert in alerts} >= {"device_frequency", "shared_volume", "dispute_rate"}
    decisions = call(sun, "GET", "/risk/decisions?limit=500")[1]["items"]
    assert {decision["kind"] for decision in decisions} >= {"payout", "month"}
    for decision in decisions:
        assert call(sun, "GET", f"/risk/decisions/{decision['id']}")[1] == decision
        assert call(sun, "GET", f"/risk/decisions/{decision['id']}/replay")[1]["same"]
    assert call(sun, "GET", f"/risk/cases/{case_id}")[1]["evidence"][0]["text"].startswith("SECRETEVIDENCE")
    assert "risk" in call(sun, "GET", "/policies/in-force")[1]
    assert {each["rule"] for each in call(sun, "GET", "/risk/rules")[1]} == set(rules.RULES)
    verbs = {link["verb"] for link in call(sun, "GET", "/history?limit=500")[1]["items"]}
    assert {"alert.raised", "case.opened", "package.made"} <= verbs
    stranger = staff(other, "risk_officer", "bao")
    for path in ("alerts", "cases", f"cases/{case_id}", "holds", "decisions", "score", "appeals", "inbox"):
        status, problem = call(stranger, "GET", f"/risk/{path}?merchant_id={shop.merchant_id}")
        assert (status, problem["code"]) == (404, "not_found"), path


def test_a_case_from_the_inbox_to_its_end(clock, call):
    shop, _ = eventful_shop(clock)
    hold = Hold.objects.get(merchant_id=shop.merchant_id)
    whose = f"?merchant_id={shop.merchant_id}"
    inbox = call(LI, "GET", f"/risk/inbox{whose}")[1]
    assert [case["id"] for case in inbox] == [hold.case_id]
    path = f"/risk/cases/{hold.case_id}"
    assert call(LI, "POST", f"{path}:investigate{whose}")[1]["assignee"] == "li"
    until = (clock.now() + timedelta(days=3)).isoformat()
    assert call(LI, "POST", f"{path}:wait{whose}", {"note": "asked the shop", "until": until})[1]["state"] == "waiting"
    assert call(LI, "POST", f"{path}:resume{whose}")[1]["state"] == "investigating"
    said = {"kind": "statement", "text": "it is the till of the shop"}
    assert call(LI, "POST", f"{path}/evidence{whose}", said)[1]["no"] == 2
    status, decided = call(LI, "POST", f"{path}:decide{whose}", {"outcome": "clear", "note": "it is the till"})
    assert (status, decided["state"], decided["outcome"]) == (200, "decided", "clear")
    assert queries.hold_state(shop.merchant_id, hold.subject) == "released"
    assert call(LI, "POST", f"{path}:close{whose}")[1]["state"] == "closed"
    assert call(LI, "POST", f"{path}:investigate{whose}")[1]["code"] == "illegal_move"
    assert call(LI, "POST", f"{path}:reopen{whose}", {"note": "a second till"})[1]["state"] == "investigating"
    made = call(LI, "POST", f"{path}/packages{whose}")[1]
    assert len(made["digest"]) == 64
    assert call(LI, "POST", f"/risk/packages/{made['id']}:release{whose}", {"note": "complete"})[1]["code"] == (
        "risk_package_second_person"
    )
    released = call(ZHAO, "POST", f"/risk/packages/{made['id']}:release{whose}", {"note": "complete"})[1]
    assert released["state"] == "released"


def test_alerts_and_appeals_over_http(clock, call):
    shop, case_id = eventful_shop(clock)
    whose = f"?merchant_id={shop.merchant_id}"
    alert = Alert.objects.get(merchant_id=shop.merchant_id, rule="shared_volume")
    assert call(LI, "POST", f"/risk/alerts/{alert.id}:acknowledge{whose}")[1]["state"] == "acknowledged"
    assert call(LI, "POST", f"/risk/alerts/{alert.id}:escalate{whose}")[1]["case_id"]
    appeal = call(shop.owner, "GET", "/risk/appeals")[1]["items"][0]
    again = call(shop.owner, "POST", "/risk/appeals", {"grounds": "really", "case_id": case_id})
    assert (again[0], again[1]["code"]) == (409, "risk_appeal_one_a_month")
    path = f"/risk/appeals/{appeal['id']}"
    assert call(LI, "POST", f"{path}:take-up{whose}")[1]["code"] == "risk_appeal_other_person"
    assert call(ZHAO, "POST", f"{path}:take-up{whose}")[1]["state"] == "in_review"
    assert call(ZHAO, "POST", f"{path}:overturn{whose}", {"note": "replaced"})[1]["state"] == "overturned"
    assert Case.objects.get(merchant_id=shop.merchant_id, id=case_id).outcome == "clear"
    event = call(shop.owner, "GET", "/risk/score")[1]["events"][0]
    filed = call(shop.owner, "POST", "/risk/appeals", {"grounds": "one buyer", "score_event_id": event["id"]})[1]
    assert (filed["state"], filed["subject"]) == ("submitted", f"merchant/{shop.merchant_id}")


def test_rules_over_http(fresh_db, clock, call):
    clock.move(days=1)
    draft = {"parameters": {"device_payouts": 3}, "why": "three are many"}
    path = "/risk/rules/device_frequency/versions"
    status, version = call(LI, "POST", path, draft)
    assert (status, version["version"], version["state"]) == (201, 2, "draft")
    assert call(LI, "POST", f"{path}/2:watch")[0] == 204
    days = {"first": "2025-11-10", "last": "2025-11-10"}
    assert call(LI, "POST", f"{path}/2/backtests", {**days, "first": "2025-11-31"})[0] == 422
    assert call(LI, "POST", f"{path}/2/backtests", days)[1]["result"]["hits"] == 0
    assert call(LI, "POST", f"{path}/2:promote")[1]["code"] == "risk_rule_second_person"
    assert call(ZHAO, "POST", f"{path}/2:promote")[0] == 204
    assert call(ZHAO, "POST", f"{path}/2:retire")[0] == 204
    assert len(call(LI, "GET", "/risk/backtests")[1]) == 1
    assert call(LI, "POST", "/risk/rules/none/versions", draft)[1]["code"] == "risk_rule_invalid"


def test_listings_go_on_where_the_page_before_has_ended(call):
    shop = open_shop(own_limit_fen=0)
    facts = risk.PayoutFacts(store_id=shop.store, beneficiary_id=1, amount_fen=9, device="D")
    for n in range(9):
        risk.judge(by=shop.owner, merchant_id=shop.merchant_id, subject=f"payout/{n}", facts=facts)
    for listing, place, many in (
        ("decisions", "id", 9),
        ("holds", "subject", 4),
        ("alerts", "id", 4),
        ("cases", "id", 4),
    ):
        seen, cursor = [], ""
        while True:
            answer = call(LI, "GET", f"/risk/{listing}?merchant_id={shop.merchant_id}&limit=3&cursor={cursor}")[1]
            seen += [row[place] for row in answer["items"]]
            if not (cursor := answer["next_cursor"]):
                break
        assert (len(seen), len(set(seen))) == (many, many), listing
