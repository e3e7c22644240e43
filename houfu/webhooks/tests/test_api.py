"""Webhooks over HTTP and at the command line."""

import json
import time
from datetime import timedelta

import pytest
from click.testing import CliRunner
from django.test import Client

from houfu.cli.webhooks import cli
from houfu.kernel.errors import Refused
from houfu.people import actions as people
from houfu.people import queries as people_queries
from houfu.testing.world import MERCHANT_SCOPES, OPERATOR
from houfu.webhooks import actions, queries
from houfu.webhooks.tests.ground import URL, Told, happen, hush, listen, sender, shop

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def ours():
    hush()
    return shop()


@pytest.fixture
def http(ours, monkeypatch):
    """The API, called by the owner in person."""
    monkeypatch.setattr(people_queries, "actor_of", lambda token, ip="": ours.owner)
    monkeypatch.setattr(people_queries, "proofs", lambda session: [{"method": "mfa", "at": time.time()}])
    return Caller("owner")


class Caller:
    def __init__(self, token):
        self.http = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {token}"})

    def __call__(self, method, path, body=None):
        content = b"" if body is None else json.dumps(body)
        answer = self.http.generic(method, f"/v1{path}", content, "application/json")
        return answer.status_code, json.loads(answer.content) if answer.content else None


def test_the_life_of_an_endpoint_over_http(ours, http, clock):
    status, made = http("POST", "/webhooks", {"url": URL, "verbs": ["payout.*"]})
    assert (status, made["secret"][:6], made["public_key"][:5]) == (201, "whsec_", "whpk_")
    id_ = made["endpoint"]["id"]
    assert made["endpoint"]["public_keys"] == [made["public_key"]]
    assert "secret" not in json.dumps(http("GET", f"/webhooks/{id_}")[1])
    assert http("GET", "/webhooks")[1] == [http("GET", f"/webhooks/{id_}")[1]]
    assert http("POST", f"/webhooks/{id_}:test") == (202, None)
    happen(ours, "payout.paid", "payout.late")
    told = Told({"hooks.example.com": lambda post: "delivered" if post.body["type"] != "payout.late" else "timed_out"})
    sender(told).work_off()
    status, log = http("GET", f"/webhooks/{id_}/deliveries?limit=2")
    assert [(row["verb"], row["outcome"], row["status"], row["attempts"]) for row in log["items"]] == [
        ("payout.late", "timed_out", None, 1), ("payout.paid", "delivered", 204, 1)
    ]  # fmt: skip
    rest = http("GET", f"/webhooks/{id_}/deliveries?limit=2&cursor={log['next_cursor']}")[1]
    assert [row["verb"] for row in rest["items"]] == ["endpoint.tested"]
    assert [row["verb"] for row in http("GET", f"/webhooks/{id_}/deliveries?state=pending")[1]["items"]] == [
        "payout.late"
    ]
    assert log["items"][1]["webhook_id"] == told.posts[1].id
    delivery = log["items"][1]["id"]
    tried = http("GET", f"/webhook-deliveries/{delivery}/attempts")[1]
    assert [(each["no"], each["outcome"], each["status"]) for each in tried] == [(1, "delivered", 204)]
    assert http("POST", f"/webhook-deliveries/{delivery}:replay") == (202, None)
    assert http("POST", f"/webhook-deliveries/{delivery}:replay")[1]["code"] == "illegal_move"
    clock.move(hours=1)
    begin, end = (clock.now() - timedelta(days=1)).isoformat(), clock.now().isoformat()
    sender(told).work_off()
    assert http("POST", f"/webhooks/{id_}:replay", {"from": begin, "to": end}) == (200, {"deliveries": 2})
    assert http("PATCH", f"/webhooks/{id_}", {"verbs": ["*"]})[1]["verbs"] == ["*"]
    status, keys = http("POST", f"/webhooks/{id_}:rotate", {})
    assert (status, http("GET", f"/webhooks/{id_}")[1]["public_keys"][0]) == (200, keys["public_key"])
    assert http("POST", f"/webhooks/{id_}:rotate", {"overlap_hours": 1})[1]["code"] == "webhooks_key_one_retiring"
    assert http("POST", f"/webhooks/{id_}:disable")[1]["disabled_for"] == "asked"
    assert http("POST", f"/webhooks/{id_}:enable", {"skip": True})[1]["state"] == "active"
    assert http("DELETE", f"/webhooks/{id_}") == (204, None)
    assert http("GET", "/webhooks") == (200, [])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"url": "https://127.0.0.1/", "verbs": ["*"]}, "webhooks_url_refused"),
        ({"url": URL, "verbs": ["payout"]}, "webhooks_endpoint_verbs"),
        ({"url": URL, "verbs": ["a.b\u0000"]}, "invalid"),
        ({"url": URL, "verbs": []}, "invalid"),
        ({"url": URL, "verbs": "*"}, "invalid"),
        ({"url": URL}, "invalid"),
        ({"url": 7, "verbs": ["*"]}, "invalid"),
        ({"url": URL, "verbs": ["*"], "secret": "whsec_x"}, "invalid"),
    ],
)
def test_what_cannot_be_added_is_refused_and_says_why(ours, http, body, code):
    status, problem = http("POST", "/webhooks", body)
    assert (status, problem["code"]) == (422, code)
    assert http("GET", "/webhooks") == (200, [])


def test_where_messages_go_is_decided_by_who_has_just_proven_who_they_are(ours, http, monkeypatch):
    ear = listen(ours)
    monkeypatch.setattr(people_queries, "proofs", lambda session: [{"method": "mfa", "at": time.time() - 301}])
    for method, path, body in (
        ("POST", "/webhooks", {"url": URL, "verbs": ["*"]}), ("PATCH", f"/webhooks/{ear.id}", {"verbs": ["*"]}),
        ("POST", f"/webhooks/{ear.id}:rotate", {}), ("DELETE", f"/webhooks/{ear.id}", None),
    ):  # fmt: skip
        assert http(method, path, body)[1]["code"] == "step_up_needed"
    assert [row["id"] for row in http("GET", "/webhooks")[1]] == [ear.id]
    assert len(queries.public_keys(ours.merchant_id, ear.id)) == 1


def test_a_key_reads_the_log_and_changes_nothing(ours):
    ear = listen(ours)
    scopes = sorted(MERCHANT_SCOPES)
    assert "webhooks:write" not in scopes
    _, token = people.create_key(by=OPERATOR, merchant_id=ours.merchant_id, name="erp", person="wang", scopes=scopes)
    key = Caller(token)
    assert [row["id"] for row in key("GET", "/webhooks")[1]] == [ear.id]
    assert key("GET", f"/webhooks/{ear.id}/deliveries")[0] == 200
    for method, path, body in (
        ("POST", "/webhooks", {"url": URL, "verbs": ["*"]}), ("DELETE", f"/webhooks/{ear.id}", None),
        ("POST", f"/webhooks/{ear.id}:rotate", {}), ("PATCH", f"/webhooks/{ear.id}", {"url": URL}),
    ):  # fmt: skip
        assert key(method, path, body)[1]["code"] == "forbidden"
    assert ear.row.state == "active"


def test_whoever_is_bound_to_stores_and_whoever_is_no_person_decides_nothing(ours):
    from dataclasses import replace

    ear = listen(ours)
    bound = replace(ours.owner, stores=frozenset({ours.store}))
    for by, code in ((bound, "whole_merchant_needed"), (replace(ours.owner, kind="key"), "person_needed")):
        for verb in ("test", "disable", "rotate", "remove"):
            with pytest.raises(Refused) as refused:
                getattr(actions, verb)(by=by, merchant_id=ours.merchant_id, id=ear.id)
            assert refused.value.code == code
    assert ear.row.state == "active"


def test_of_another_merchant_nothing_is_there(ours, http):
    theirs = listen(shop())
    happen(theirs.shop, "payout.paid")
    actions.follow()
    delivery = theirs.log[0].id
    for method, path, body in (
        ("GET", f"/webhooks/{theirs.id}", None), ("GET", f"/webhooks/{theirs.id}/deliveries", None),
        ("DELETE", f"/webhooks/{theirs.id}", None), ("POST", f"/webhooks/{theirs.id}:test", None),
        ("POST", f"/webhooks/{theirs.id}:rotate", {}), ("GET", f"/webhook-deliveries/{delivery}/attempts", None),
        ("POST", f"/webhook-deliveries/{delivery}:replay", None),
    ):  # fmt: skip
        assert http(method, path, body)[0] == 404
    assert theirs.row.state == "active"


# The command ----------------------------------------------------------------------------------------------------------


def houfu(*arguments):
    done = CliRunner().invoke(cli, [str(each) for each in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout) if "--json" in arguments else done.stdout


def test_the_life_of_an_endpoint_at_the_command_line(ours, clock):
    m = ours.merchant_id
    made = houfu("add", m, URL, "--verb", "payout.*", "--json")
    id_ = made["id"]
    assert made["secret"].startswith("whsec_")
    assert [row["id"] for row in houfu("list", m, "--json")] == [id_]
    assert houfu("change", m, id_, "--verb", "payout.paid", "--json")["verbs"] == ["payout.paid"]
    houfu("test", m, id_)
    happen(ours, "payout.paid")
    sender(Told()).work_off()
    log = houfu("deliveries", m, id_, "--json")
    assert [(row["verb"], row["state"]) for row in log] == [
        ("payout.paid", "delivered"),
        ("endpoint.tested", "delivered"),
    ]
    assert [row["outcome"] for row in houfu("attempts", m, log[0]["id"], "--json")] == ["delivered"]
    assert houfu("replay", m, id_, "--delivery", log[0]["id"], "--json") == {"deliveries": 1}
    sender(Told()).work_off()
    assert houfu("replay", m, id_, "--from", "2025-11-01T00:00:00", "--to", "2025-12-01", "--json") == {"deliveries": 2}
    assert houfu("rotate", m, id_, "--overlap-hours", "0", "--json")["secret"] != made["secret"]
    houfu("disable", m, id_)
    houfu("enable", m, id_, "--skip")
    houfu("remove", m, id_)
    assert houfu("list", m, "--json") == []


@pytest.mark.parametrize("said", [[], ["--delivery", "1", "--from", "2025-11-01"]])
def test_a_replay_is_of_one_delivery_or_of_a_time(ours, said):
    ear = listen(ours)
    done = CliRunner().invoke(cli, ["replay", str(ours.merchant_id), str(ear.id), *said])
    assert done.exit_code == 2
