"""houfu pool, filing and emergency, as an operator meets them; and what a program gets over HTTP."""

import json

import pytest
from click.testing import CliRunner
from django.test import Client

from houfu.kernel.errors import Refused
from houfu.limits import actions as limits
from houfu.limits import pools_cli, tasks
from houfu.merchants import actions as merchants
from houfu.merchants.cli import store
from houfu.people import actions as people
from houfu.testing.world import MERCHANT_SCOPES, OPERATOR, WORKER, open_shop, pool

pytestmark = pytest.mark.usefixtures("db")
GROUPS = {"pool": pools_cli.pool, "filing": pools_cli.filing, "emergency": pools_cli.emergency, "store": store}


def houfu(*words, as_json=True):
    """Run a command as li and return what it printed, read as JSON."""
    noun, *rest = map(str, words)
    options = ["--as", "li", *(["--json"] if as_json else [])]
    answer = CliRunner().invoke(GROUPS[noun], [*rest, *options])
    if isinstance(answer.exception, Refused):
        raise answer.exception
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.output) if as_json else answer.output


def agree(shop, subject):
    shop.agree(subject)
    tasks.tend(WORKER)


def test_a_pool_from_the_draft_to_its_end():
    shop = open_shop(stores=2, own_limit_fen=10_000)
    m, (a, b) = shop.merchant_id, shop.stores
    group = merchants.form_group(
        by=shop.owner, merchant_id=m, name="华东", channel_account_id=shop.account_id, store_ids=shop.stores
    )
    for store_id in shop.stores:
        houfu("store", "share", m, store_id, "--on", as_json=False)
    opened = houfu("pool", "open", m, group.id, "--share", 2)["id"]
    for store_id in shop.stores:
        houfu("pool", "join", m, opened, store_id, "--contribution", "10", as_json=False)
    assert len(houfu("pool", "ask", m, opened)["digest"]) == 64
    agree(shop, f"pool/{opened}")
    houfu("pool", "grant", m, opened, "500", as_json=False)
    [shown] = houfu("pool", "list", m)
    assert (shown["state"], shown["limit_fen"], shown["granted_fen"]) == ("active", 52_000, 50_000)
    assert [each["state"] for each in shown["members"]] == ["active", "active"]

    ratio = houfu("pool", "share", m, opened, 3, "--reason", "旺季备货")
    move = houfu("pool", "move", m, opened, a, b, "20", "--reason", "跨店调货")
    reach = houfu("pool", "reach", m, opened, a, "50", "--until", "2025-11-12", "--reason", "旺季备货")
    for change in (ratio, move, reach):
        agree(shop, f"limit_change/{change['id']}")
    assert [each["state"] for each in houfu("pool", "changes", m)] == ["effective"] * 3
    assert houfu("pool", "list", m)[0]["share"] == 3
    assert (shop.fen("q:own:free", a), shop.fen("q:own:free", b)) == (7_000, 11_000)

    houfu("pool", "suspend", m, opened, a, "--reason", "盘点", as_json=False)
    houfu("pool", "resume", m, opened, a, as_json=False)
    houfu("pool", "freeze", m, opened, as_json=False)
    houfu("pool", "unfreeze", m, opened, as_json=False)
    houfu("pool", "leave", m, opened, a, as_json=False)
    assert houfu("pool", "wind-down", m, opened)["state"] == "closed"
    assert (shop.fen("q:own:free", a), shop.fen("q:own:free", b)) == (8_000, 12_000)


def test_a_filing_from_its_draft_to_its_acceptance():
    shop = open_shop()
    m = shop.merchant_id
    pool_id = pool(shop, grant_fen=50_000_001)
    [filing] = houfu("filing", "list", m)
    at = (m, filing["id"])
    for note in ("缺章", ""):
        houfu("filing", "draft", *at, as_json=False)
        houfu("filing", "review", *at, "--purpose", "共用备货额度", "--contact", "王芳", as_json=False)
        agree(shop, f"filing/{filing['id']}")
        houfu("filing", "submit", *at, "BA-1", as_json=False)
        if note:
            houfu("filing", "return", *at, note, as_json=False)
    houfu("filing", "accept", *at, "OK-1", as_json=False)
    shown = houfu("filing", "show", *at)
    assert (shown["state"], shown["form"]["pool_id"], shown["acceptance"]) == ("accepted", pool_id, "OK-1")
    assert houfu("pool", "list", m)[0]["filed_at"] is not None


def test_an_emergency_shows_its_steps(clock):
    shop = open_shop(own_limit_fen=1_000_000)
    m = shop.merchant_id
    limits.reduce(by=OPERATOR, merchant_id=m, store_id=shop.store, amount_fen=100_000, reason="逾期")
    begun = houfu("emergency", "begin", m, shop.store, "5000")
    assert [step["state"] for step in begun["steps"]] == ["done", "now", "ahead", "ahead"]
    shop.place(1_000, 1_000, 1_000)
    shop.receive()
    shop.settle(dict.fromkeys(shop.placed, 1_000))
    clock.move(days=1)
    applied = houfu("emergency", "apply", m, begun["id"], "500")
    assert (applied["state"], [step["state"] for step in applied["steps"]]) == (
        "in_review", ["done", "done", "done", "now"],
    )  # fmt: skip
    agree(shop, f"emergency/{begun['id']}")
    assert houfu("emergency", "show", m, begun["id"])["state"] == "restored"
    assert [each["state"] for each in houfu("emergency", "list", m)] == ["restored"]


def test_a_program_reads_papers_changes_and_steps():
    shop = open_shop(stores=2, own_limit_fen=1_000_000)
    m = shop.merchant_id
    pool_id = pool(shop, share=2, grant_fen=50_000_001)
    _, token = people.create_key(
        by=OPERATOR, merchant_id=m, name="erp", person="erp", scopes=sorted(MERCHANT_SCOPES - {"risk:write"})
    )
    http = Client(headers={"Authorization": f"Bearer {token}"})

    def ask(method, path, body=None):
        said = http.generic(method, f"/v1{path}", json.dumps(body) if body else "", "application/json")
        return said.status_code, json.loads(said.content)

    status, paper = ask("GET", f"/pools/{pool_id}/paper")
    assert (status, paper["version"], paper["document"]["share"], len(paper["digest"])) == (200, 1, 2, 64)
    for share in (3, 4):
        status, said = ask("POST", f"/pools/{pool_id}/shares", {"share": share, "reason": "旺季备货"})
        assert (status, said.get("chain", said.get("code"))) == (
            (201, ["owner"]) if share == 3 else (409, "limits_change_under_way")
        )
    _, first = ask("GET", "/pool-changes?limit=1")
    assert (len(first["items"]), first["next_cursor"]) == (1, None)
    assert ask("GET", f"/pool-changes/{first['items'][0]['id']}")[1] == first["items"][0]
    assert ask("GET", "/filings")[1]["items"][0]["form"] is None
    status, begun = ask("POST", f"/stores/{shop.store}/emergencies", {"amount_fen": 100_000})
    assert (status, begun["steps"][1]) == (201, {
        "name": "repayments", "state": "now", "missing": {"orders": 3}, "since": begun["begun_at"],
        "until": begun["steps"][1]["until"],
    })  # fmt: skip
    status, refused = ask("POST", f"/emergencies/{begun['id']}:apply", {"amount_fen": 50_000})
    assert (status, [each["code"] for each in refused["reasons"]]) == (409, ["restoration_not_open", "beyond_original"])
