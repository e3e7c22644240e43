"""Posting to a real TLS listener: pinned addresses, names, deadlines, caps; and nothing to where nothing may go."""

import socket
import threading
import time

import pytest

from houfu.webhooks.addresses import target
from houfu.webhooks.tests.listener import ADDRESS, HOST, OK, Net, listening
from houfu.webhooks.wire import OUTCOMES

NEVER = threading.Event()  # what the slow wait for
HEADERS = {"webhook-id": "msg_1", "content-type": "application/json"}
URL = target(f"https://{HOST}/houfu?x=1", ports=(), trial=False)


def post(wire, body=b"{}", line=None, to=URL):
    answer, line = wire.post(to, HEADERS, body, line)
    assert answer.outcome in OUTCOMES
    return answer, line


def outcome(respond, seconds=5.0, **options):
    with listening(respond, **options) as listener:
        answer, line = post(Net(ports={ADDRESS: listener.port}).wire(seconds))
        if line:
            line.close()
        return answer.outcome, answer.status


def test_a_message_arrives_whole_at_the_pinned_address_under_the_right_name():
    with listening() as listener:
        net = Net(ports={ADDRESS: listener.port})
        answer, line = post(net.wire(), body="收到".encode())
        line.close()
        [(head, body)] = listener.requests
        assert (answer.outcome, answer.status, body) == ("delivered", 204, "收到".encode())
        assert head[0] == "POST /houfu?x=1 HTTP/1.1"
        assert {f"host: {HOST}", "webhook-id: msg_1", "content-length: 6"} <= {line.lower() for line in head}
        assert (net.asked, net.dialled, listener.names) == ([HOST], [(ADDRESS, 443)], [HOST])


def test_one_line_serves_message_after_message_and_the_name_is_looked_up_once():
    with listening() as listener:
        net, line = Net(ports={ADDRESS: listener.port}), None
        for n in range(5):
            answer, line = post(net.wire(), body=str(n).encode(), line=line)
            assert answer.outcome == "delivered"
        line.close()
        assert (listener.connections, len(net.asked)) == (1, 1)
        assert [body for _, body in listener.requests] == [b"0", b"1", b"2", b"3", b"4"]


def test_a_line_that_was_closed_meanwhile_is_opened_again():
    def answer_and_close(line):
        line.sendall(OK)
        return "close"

    with listening(answer_and_close) as listener:
        net, line = Net(ports={ADDRESS: listener.port}), None
        for n in range(3):
            answer, line = post(net.wire(), body=str(n).encode(), line=line)
            assert answer.outcome == "delivered"
        line.close()
        assert [body for _, body in listener.requests] == [b"0", b"1", b"2"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, "delivered"), (202, "delivered"), (301, "not_accepted"), (307, "not_accepted"), (400, "not_accepted"),
     (410, "gone"), (429, "not_accepted"), (500, "not_accepted"), (503, "not_accepted")],
)  # fmt: skip
def test_only_2xx_is_a_yes(status, expected):
    said = f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nLocation: https://evil.example.com/\r\n\r\n".encode()
    assert outcome(said) == (expected, status)


def test_a_redirect_is_not_followed():
    with listening(b"HTTP/1.1 302 X\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n") as listener:
        net = Net(ports={ADDRESS: listener.port})
        _, line = post(net.wire())
        line.close()
        assert (net.asked, net.dialled) == ([HOST], [(ADDRESS, 443)])


@pytest.mark.parametrize(
    "respond",
    [
        lambda line: NEVER.wait(2),  # says nothing
        lambda line: [line.sendall(b"H") or NEVER.wait(0.05) for _ in range(60)],  # a byte at a time
        lambda line: [line.sendall(b"HTTP/1.1 100 Continue\r\n\r\n") or NEVER.wait(0.01) for _ in range(200)],
    ],
    ids=["silent", "dripping", "always_continue"],
)
def test_whoever_answers_too_slowly_is_left_after_the_time_for_all_of_it(respond):
    began = time.monotonic()
    assert outcome(respond, seconds=0.4)[0] in {"timed_out", "answer_unreadable"}
    assert time.monotonic() - began < 1.5


def test_a_name_that_does_not_resolve_in_time_costs_no_more_than_the_time():
    net = Net({HOST: lambda times: NEVER.wait(1) or [ADDRESS]})
    assert post(net.wire(0.2))[0].outcome == "timed_out"
    assert net.dialled == []


def test_of_a_large_answer_no_more_than_the_cap_is_read():
    sent = []

    def pour(line):
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(1500):
            line.sendall(b"x" * 65536)
            sent.append(65536)

    assert outcome(pour) == ("delivered", 200)
    assert sum(sent) < 20_000_000  # what buffers hold, not what was offered


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"SSH-2.0-x\r\n\r\n", "answer_unreadable"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n", "answer_unreadable"),
        (b"HTTP/1.1 two hundred\r\n\r\n", "answer_unreadable"),
    ],
)
def test_what_is_not_http_is_no_answer(said, expected):
    assert outcome(said) == (expected, None)


def test_a_line_cut_before_an_answer_is_no_answer():
    assert outcome(lambda line: "close") == ("unreachable", None)


def test_a_certificate_must_hold_for_the_name():
    assert outcome(OK, dns="other.example.com") == ("tls_failed", None)
    assert outcome(OK, seconds=0.5, tls=False)[0] in {"tls_failed", "timed_out"}


def test_a_certificate_of_an_authority_that_is_not_trusted_is_refused():
    from houfu.webhooks.wire import Wire

    with listening() as listener:
        net = Net(ports={ADDRESS: listener.port})
        answer, line = post(Wire(net.resolve, net.dial))
        assert (answer.outcome, line, listener.requests) == ("tls_failed", None, [])


INSIDE = [
    ["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"], ["100.100.100.200"], ["::1"], ["fd00:ec2::254"], ["0" + ".0" * 3],

    ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"], ["2002:7f00:1::"], ["fe80::1%lo"], ["168.63.129.16"],
    [ADDRESS, "127.0.0.1"], ["127.0.0.1", ADDRESS], [ADDRESS, "fc00::1"], [],
]  # fmt: skip


@pytest.mark.parametrize("found", INSIDE)
def test_a_name_with_any_address_that_is_not_public_is_connected_to_nowhere(found):
    with listening(tls=False) as canary:
        net = Net({HOST: found}, ports=dict.fromkeys([*found, ADDRESS], canary.port))
        answer, line = post(net.wire())
        assert (answer.outcome, line, net.dialled, canary.connections) == ("address_refused", None, [], 0)


def test_a_name_that_changes_its_address_after_the_look_is_still_connected_to_where_it_was_seen():
    """Rebinding: every look gives another answer, and there is one look for each connection."""
    with listening() as listener, listening(tls=False) as canary:
        names = {HOST: lambda times: [ADDRESS] if times % 2 else ["127.0.0.1"]}
        net = Net(names, ports={ADDRESS: listener.port, "127.0.0.1": canary.port})
        outcomes = []
        for _ in range(6):
            answer, line = post(net.wire())
            outcomes.append(answer.outcome)
            if line:
                line.close()
        assert outcomes == ["delivered", "address_refused"] * 3
        assert (len(net.asked), canary.connections) == (6, 0)


def test_where_one_address_takes_no_connection_the_next_is_tried():
    with listening() as listener, socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # taken, and listened at by nobody
        pass_to = {"93.184.216.35": deaf.getsockname()[1], ADDRESS: listener.port}
        answer, line = post(Net({HOST: ["93.184.216.35", ADDRESS]}, ports=pass_to).wire())
        line.close()
        assert answer.outcome == "delivered"
