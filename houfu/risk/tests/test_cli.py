"""houfu risk, as an operator meets it."""

import json
from uuid import uuid4

import pytest
from click.testing import CliRunner

from houfu.kernel.errors import Refused
from houfu.risk import actions as risk
from houfu.risk.cli import cli
from houfu.risk.models import Alert
from houfu.testing.world import WORKER, open_shop

pytestmark = pytest.mark.usefixtures("fresh_db")


def houfu(*words, by="li", as_json=True):
    """Run `houfu risk …` and return what it printed, read as JSON."""
    options = ["--as", by, *(["--json"] if as_json else [])]
    answer = CliRunner().invoke(cli, [*map(str, words), *options])
    if isinstance(answer.exception, Refused):
        raise answer.exception
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.output) if as_json else answer.output


def test_a_held_payout_from_the_inbox_to_a_released_package():
    shop = open_shop(own_limit_fen=0)
    m = shop.merchant_id
    for _ in range(6):
        facts = risk.PayoutFacts(store_id=shop.store, beneficiary_id=1, amount_fen=9, device="D", person="wang")
        risk.judge(by=shop.owner, merchant_id=m, subject=f"payout/{uuid4()}", facts=facts)
    [case] = houfu("inbox")
    [hold] = houfu("holds", m, "--state", "held")
    assert (case["subject"], hold["case_id"], hold["reason_class"]) == (hold["subject"], case["id"], "device")
    houfu("move", "investigate", m, case["id"])
    houfu("move", "wait", m, case["id"], "--note", "asked the shop", "--until", "2025-11-12T10:00:00")
    houfu("move", "resume", m, case["id"])
    houfu("evidence", m, case["id"], "--kind", "statement", "--text", "it is nobody's till")
    houfu("move", "decide", m, case["id"], "--outcome", "report", "--note", "nobody's till")
    shown = houfu("case", m, case["id"])
    assert (shown["outcome"], [entry["kind"] for entry in shown["evidence"]]) == ("report", ["note", "statement"])
    package = houfu("package", "make", m, case["id"])
    with pytest.raises(Refused):
        houfu("package", "release", m, package["id"])
    assert houfu("package", "release", m, package["id"], by="zhao")["state"] == "released"
    assert houfu("package", "show", m, package["id"])["digest"] == package["digest"]
    assert {decision["replays"] for decision in houfu("decisions", m)} == {True}
    assert houfu("holds", m)[0]["state"] == "confirmed"
    houfu("move", "close", m, case["id"])
    assert [row["state"] for row in houfu("cases", m)] == ["closed"]


def test_alerts_measures_and_appeals():
    shop = open_shop(own_limit_fen=1000)
    m = shop.merchant_id
    shop.place(900)
    risk.look(by=WORKER, merchant_id=m)
    [alert] = houfu("alerts", m, "--state", "open")
    houfu("acknowledge", m, alert["id"])
    assert houfu("dismiss", m, alert["id"], "--note", "the season")["state"] == "dismissed"
    case = houfu("open", m, f"store/{shop.store}", "--reason-class", "disputes")
    houfu("move", "investigate", m, case["id"])
    houfu("move", "decide", m, case["id"], "--outcome", "freeze", "--note", "many disputes")
    filed = houfu("appeal", m, "--case", case["id"], "--grounds", "one batch", by="wu")
    houfu("review", "take-up", m, filed["id"], by="zhao")
    houfu("review", "overturn", m, filed["id"], "--note", "one batch indeed", by="zhao")
    assert [row["state"] for row in houfu("appeals", m)] == ["overturned"]
    assert houfu("score", m) == {"points": 0, "events": []}
    assert houfu("cases", m)[0]["outcome"] == "clear"


def test_an_alert_that_becomes_a_case():
    shop = open_shop(own_limit_fen=1000)
    shop.place(900)
    risk.look(by=WORKER, merchant_id=shop.merchant_id)
    alert = Alert.objects.get()
    houfu("acknowledge", shop.merchant_id, alert.id)
    assert houfu("escalate", shop.merchant_id, alert.id)["case_id"] == houfu("inbox")[0]["id"]


def test_a_rule_from_its_draft_to_its_end(clock):
    clock.move(days=2)
    drafted = houfu("draft", "device_frequency", "--set", "device_payouts=3", "--why", "three are many")
    assert (drafted["version"], drafted["parameters"]) == (2, '{"device_payouts":3}')
    CliRunner().invoke(cli, ["watch", "device_frequency", "2"], catch_exceptions=False)
    words = ("backtest", "--rule", "device_frequency", "--from", "2025-11-10", "--to", "2025-11-11")
    found = houfu(*words)
    assert (found["judged"], found["hits"], found["active"]["version"]) == (0, 0, 1)
    CliRunner().invoke(cli, ["promote", "device_frequency", "2", "--as", "zhao"], catch_exceptions=False)
    CliRunner().invoke(cli, ["retire", "device_frequency", "2", "--as", "zhao"], catch_exceptions=False)
    states = {row["version"]: row["state"] for row in houfu("rules") if row["rule"] == "device_frequency"}
    assert states == {1: "retired", 2: "retired"}
    assert [row["rule"] for row in houfu("backtests")] == ["device_frequency"]
    assert "device_frequency" in houfu("rules", as_json=False)


@pytest.mark.parametrize(
    "words",
    [
        ["draft", "device_frequency", "--set", "device_payouts=many", "--why", "who knows"],
        ["move", "wait", "1", "1", "--note", "for what"],
        ["move", "decide", "1", "1", "--note", "on what"],
    ],
)
def test_what_is_missing_is_said_before_anything_happens(words):
    assert CliRunner().invoke(cli, words).exit_code == 2
