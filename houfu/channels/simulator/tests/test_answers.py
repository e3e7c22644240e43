"""What is believed of the channel's answers: only what is signed, fresh and about this very transfer (I-09, I-12)."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from houfu.channels.port import ChannelDown, PayeeState, Report, Verdict
from houfu.channels.simulator.server.behaviours import DONE
from houfu.channels.simulator.tests.conftest import HANGS, PAYEE, adapter, new_transfer
from houfu.kernel import clock

# What the first answer to a transfer is worth, by the channel's behaviour, and how often it is executed in the end.
WORTH = {
    "ok": (Verdict.PAID, "", 1),
    "ok_then_timeout": (Verdict.UNKNOWN, "timeout", 1),
    "timeout_not_done": (Verdict.UNKNOWN, "timeout", 0),
    "error_500_done": (Verdict.UNKNOWN, "http_500", 1),
    "error_500_not_done": (Verdict.UNKNOWN, "http_500", 0),
    "processing_then_paid": (Verdict.PROCESSING, "", 1),
    "processing_then_denied": (Verdict.PROCESSING, "", 0),
    "paid_then_returned": (Verdict.PAID, "", 1),
    "not_found_while_in_flight": (Verdict.UNKNOWN, "http_500", 1),
    "denied": (Verdict.DENIED, "denied_by_bank", 0),
    "wrong_amount": (Verdict.UNKNOWN, "amount_fen", 1),
    "wrong_payee": (Verdict.UNKNOWN, "payee_account", 1),
    "wrong_currency": (Verdict.UNKNOWN, "currency", 1),
    "bad_signature": (Verdict.UNKNOWN, "signature", 1),
    "missing_signature": (Verdict.UNKNOWN, "signature", 1),
    "old_key_signature": (Verdict.UNKNOWN, "signature", 1),
    "skewed_stamp": (Verdict.UNKNOWN, "stamp", 1),
    "slow_loris": (Verdict.UNKNOWN, "timeout", 1),
    "reset_mid_body": (Verdict.UNKNOWN, "connection", 1),
    "broken_json": (Verdict.UNKNOWN, "unreadable", 1),
    "gbk_text": (Verdict.UNKNOWN, "unreadable", 1),
    "too_many_requests": (Verdict.UNKNOWN, "http_429", 0),
    "maintenance": (Verdict.UNKNOWN, "http_503", 0),
    "duplicate_statement_lines": (Verdict.PAID, "", 1),
}


@pytest.mark.parametrize("behaviour", DONE)
def test_an_answer_is_worth_what_it_proves(channel, behaviour):
    verdict, code, executed = WORTH[behaviour]
    transfer = new_transfer(channel)
    channel.script(transfers=[{"name": behaviour, "seconds": 60}])
    ours = adapter(channel, timeout=0.3 if behaviour in HANGS else 5)
    answer = ours.transfer(transfer)
    assert (answer.verdict, answer.code) == (verdict, code)
    assert channel.executions(transfer.principal) == (executed if DONE[behaviour] != "later" else 0)
    channel.move(seconds=60)
    channel.work()
    assert channel.executions(transfer.principal) == executed
    found = ours.query(transfer).verdict
    if DONE[behaviour] == "never":
        assert found is Verdict.NOT_FOUND
    else:
        assert found is (Verdict.PAID if executed else Verdict.DENIED)
    ours.close()


@pytest.mark.parametrize(("part", "other", "code"), [
    ("principal", "P-of-somebody-else", "principal"),
    ("request_no", "HF-ANOTHER", "request_no"),
    ("amount_fen", 99_999, "amount_fen"),
    ("amount_fen", "100000", "amount_fen"),
    ("amount_fen", None, "amount_fen"),
    ("fee_fen", 799, "fee_fen"),
    ("currency", "USD", "currency"),
    ("payee_account", "6222020200112234", "payee_account"),
    ("status", "executed", "status"),
    ("at", "yesterday", "unreadable"),
    ("at", "2025-11-10T10:00:00", "unreadable"),
])  # fmt: skip
def test_an_answer_that_differs_in_one_part_is_not_believed_however_well_signed(channel, relay, part, other, code):
    relay, port = relay
    ours, transfer = adapter(channel, port=port), new_transfer(channel)
    relay.spoil = lambda content: json.dumps({**json.loads(content), part: other}).encode()
    for answer in (ours.transfer(transfer), ours.query(transfer)):
        assert (answer.verdict, answer.code) == (Verdict.UNKNOWN, code)
    relay.spoil = lambda content: content
    answer = ours.query(transfer)
    assert (answer.verdict, answer.channel_no != "") == (Verdict.PAID, True)
    ours.close()


def test_the_answer_to_one_request_is_none_to_another(channel, relay):
    """A signature covers that of the request, so that an earlier "paid" cannot be shown for a later payout."""
    relay, port = relay
    ours, transfer = adapter(channel, port=port), new_transfer(channel)
    assert ours.transfer(transfer).verdict is Verdict.PAID
    relay.replay = [relay.passed[0], relay.passed[0]]
    channel.move(seconds=1)
    assert ours.query(transfer).code == "signature"
    assert ours.transfer(replace(transfer, request_no="HF-OTHER")).code == "signature"
    assert ours.query(transfer).verdict is Verdict.PAID
    ours.close()


@pytest.mark.parametrize("stamp", ["2025-11-10T02:00:00", "now", "", "2025-11-10T02:10:00.000001+00:00"])
def test_an_answer_without_a_fresh_stamp_is_not_believed(channel, relay, stamp):
    relay, port = relay
    ours, transfer = adapter(channel, port=port), new_transfer(channel)
    relay.stamp = stamp
    assert (ours.transfer(transfer).verdict, ours.transfer(transfer).code) == (Verdict.UNKNOWN, "stamp")
    ours.close()


def test_a_transfer_of_another_content_is_not_found_in_what_the_channel_has(channel):
    ours, transfer = adapter(channel), new_transfer(channel)
    ours.transfer(transfer)
    assert ours.query(replace(transfer, amount_fen=transfer.amount_fen + 1)).code == "amount_fen"
    assert ours.query(replace(transfer, fee_fen=0)).code == "fee_fen"
    assert ours.query(replace(transfer, payee=replace(PAYEE, account="6222020200112234"))).code == "payee_account"
    assert ours.query(replace(transfer, request_no="HF-OTHER")).verdict is Verdict.NOT_FOUND
    assert ours.query(replace(transfer, principal="P-OTHER")).verdict is Verdict.NOT_FOUND
    ours.close()


def test_a_channel_without_money_or_with_a_closed_account_denies(channel):
    ours = adapter(channel)
    poor = replace(new_transfer(channel), amount_fen=10_000_000)
    assert (ours.transfer(poor).verdict, ours.query(poor).code) == (Verdict.DENIED, "balance_not_enough")
    closed = replace(new_transfer(channel), payee=replace(PAYEE, account="closed@example.test"))
    channel.script(payees={"closed@example.test": "closed"})
    assert (ours.transfer(closed).verdict, ours.query(closed).code) == (Verdict.DENIED, "payee_closed")
    assert channel.executions(poor.principal) + channel.executions(closed.principal) == 0
    ours.close()


@pytest.mark.parametrize("seconds", [301, -301])
def test_a_request_signed_for_another_time_is_not_taken(channel, seconds):
    ours, transfer = adapter(channel), new_transfer(channel)
    late = replace(transfer, at=clock.now() - timedelta(seconds=seconds))
    assert (ours.transfer(late).verdict, ours.transfer(late).code) == (Verdict.UNKNOWN, "stale_request")
    assert channel.executions(transfer.principal) == 0
    ours.close()


def test_nobody_at_home_concludes_nothing(channel):
    transfer, nowhere = new_transfer(channel), adapter(channel, port=1)
    assert (nowhere.transfer(transfer).verdict, nowhere.query(transfer).code) == (Verdict.UNKNOWN, "connection")
    assert nowhere.payee_state(transfer.principal, PAYEE) is PayeeState.UNKNOWN
    with pytest.raises(ChannelDown):
        nowhere.statement(transfer.principal, clock.business_day(clock.now()))
    with pytest.raises(ChannelDown):
        nowhere.settlement(transfer.principal, "D1")
    with pytest.raises(ChannelDown):
        nowhere.report(transfer.principal, [Report("receipt", "D1", "", 100, clock.now())])
    nowhere.close()


@pytest.mark.parametrize("state", ["normal", "restricted", "closed", "asleep"])
def test_an_account_is_in_the_state_that_the_channel_says_if_there_is_such_a_one(channel, state):
    """P6."""
    ours = adapter(channel)
    channel.script(payees={f"{state}@example.test": state})
    found = ours.payee_state("P1", replace(PAYEE, account=f"{state}@example.test"))
    assert found.value == ("unknown" if state == "asleep" else state)
    ours.close()


# Statements, settlements, reports ------------------------------------------------------------------------------------


def test_a_statement_is_open_until_its_day_is_over_and_leaves_out_what_was_put_in(channel):
    ours, transfer = adapter(channel), new_transfer(channel)
    ours.transfer(transfer)
    today = clock.business_day(clock.now())
    statement = ours.statement(transfer.principal, today)
    lines = [(line.kind, line.ref, line.amount_fen) for line in statement.lines]
    assert lines == [("transfer", transfer.request_no, 100_000), ("transfer_fee", transfer.request_no, 800)]
    assert statement.final is False
    channel.move(hours=14)
    assert ours.statement(transfer.principal, today).final is True
    ours.close()


def test_a_line_shown_twice_counts_once(channel):
    ours, transfer = adapter(channel), new_transfer(channel)
    channel.script(transfers=["duplicate_statement_lines"])
    ours.transfer(transfer)
    lines = ours.statement(transfer.principal, clock.business_day(clock.now())).lines
    assert [line.kind for line in lines] == ["transfer", "transfer_fee"]
    ours.close()


def test_a_number_of_a_refund_may_have_any_characters(channel):
    ours, ref = adapter(channel), '退货, "R1"\n2'
    ours.report("P-C1", [Report("receipt", "D1", "", 50_000, clock.now())])
    channel.move(days=1)
    channel.work()
    ours.report("P-C1", [Report("refund", "D1", ref, 10_000, clock.now())])
    lines = ours.statement("P-C1", clock.business_day(clock.now())).lines
    assert [(line.kind, line.ref, line.amount_fen) for line in lines] == [
        ("settlement", "D1", 50_000), ("refund", f"D1/{ref}", 10_000),
    ]  # fmt: skip
    ours.close()


@pytest.mark.parametrize("spoil", [
    lambda text: text + text.splitlines()[2].replace("100000", "200000") + "\n",  # one number for two lines
    lambda text: text.replace(",100000,", ",many,"),
    lambda text: text + "7,transfer,HF\n",
    lambda text: text.replace("+00:00", ""),
    lambda text: text.replace("transfer_fee", '"transfer_fee'),
    lambda text: text.replace("#open", "#done"),
    lambda text: text.replace("fee_fen,at", "at,fee_fen"),
    lambda text: "",
])  # fmt: skip
def test_a_statement_that_cannot_be_read_is_none(channel, relay, spoil):
    relay, port = relay
    ours, transfer = adapter(channel, port=port), new_transfer(channel)
    ours.transfer(transfer)
    channel.top_up(transfer.principal, 1)
    relay.spoil = lambda content: spoil("\n".join(_without_top_up(content.decode()))).encode()
    with pytest.raises(ChannelDown):
        ours.statement(transfer.principal, clock.business_day(clock.now()))
    ours.close()


def _without_top_up(text):
    return [*(row for row in text.splitlines() if ",top_up," not in row), ""]


def test_a_settlement_is_asked_for_by_order(channel, relay):
    """O3: not known, not credited yet, credited."""
    relay, port = relay
    ours = adapter(channel, port=port)
    assert ours.settlement("P-S1", "D1") is None
    assert ours.report("P-S1", [Report("receipt", "D1", "", 100_000, clock.now())]) == 1
    assert ours.settlement("P-S1", "D1") is None
    channel.move(days=1)
    channel.work()
    found = ours.settlement("P-S1", "D1")
    assert (found.order_id, found.gross_fen, found.fee_fen) == ("D1", 100_000, 600)
    for spoilt in ({"order_id": "D2"}, {"gross_fen": "many"}, {"at": None}, {"gross_fen": None}):
        relay.spoil = lambda content, spoilt=spoilt: json.dumps({**json.loads(content), **spoilt}).encode()
        with pytest.raises(ChannelDown):
            ours.settlement("P-S1", "D1")
    ours.close()


@pytest.mark.parametrize("taken", [3, -1, "1", None])
def test_a_channel_cannot_have_taken_more_reports_than_it_was_told(channel, relay, taken):
    relay, port = relay
    ours = adapter(channel, port=port)
    relay.spoil = lambda content: json.dumps({"taken": taken}).encode()
    with pytest.raises(ChannelDown):
        ours.report("P-R1", [Report("receipt", f"D{n}", "", 100, clock.now()) for n in range(2)])
    ours.close()


def test_a_report_told_again_changes_nothing_and_one_that_differs_is_refused(channel):
    ours = adapter(channel)
    receipt = Report("receipt", "D1", "", 50_000, clock.now())
    assert [ours.report("P-R2", [receipt]), ours.report("P-R2", [receipt])] == [1, 1]
    with pytest.raises(ChannelDown):
        ours.report("P-R2", [replace(receipt, amount_fen=50_001)])
    channel.move(days=1)
    channel.work()
    assert channel.balance("P-R2") == 50_000 - 300
    ours.close()
