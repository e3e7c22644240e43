"""Notices: kept if they are the channel's and for us, each once; a reason to ask and never a proof (I-12)."""

from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from django.test import Client

from houfu.channels import actions, queries
from houfu.channels.models import Notice
from houfu.channels.port import NoticeRejected
from houfu.channels.simulator import signing
from houfu.channels.simulator.server.behaviours import NOTICES
from houfu.kernel import clock
from houfu.payouts import queries as payouts
from houfu.payouts import tasks
from houfu.site import worker
from houfu.testing.channel import running_simulator
from houfu.testing.world import open_shop


@dataclass(frozen=True)
class Letter:
    """A notice on its way to us."""

    headers: dict[str, str]
    body: bytes


def write(channel, principal, *, kind="transfer", ref="HF1", id="N1", key="channel.key", body=None, at=None):
    """Write a notice as the channel does."""
    body = f'{{"kind": "{kind}", "ref": "{ref}"}}'.encode() if body is None else body
    timestamp = at or signing.stamp(clock.now())
    text = signing.notice_text(id, timestamp, principal, body)
    headers = {
        signing.NOTICE_ID: id,
        signing.TIMESTAMP: timestamp,
        signing.PRINCIPAL: principal,
        signing.SIGNATURE: signing.sign(signing.private_key(channel.home / key), text),
    }
    return Letter(headers, body)


def take(letter):
    """Take a notice and return whether it was new, or the code of its refusal."""
    try:
        return actions.take_notice("simulator", letter.headers, letter.body)
    except NoticeRejected as refused:
        return refused.code


def kept(shop):
    return [(n.kind, n.ref) for n in Notice.objects.filter(merchant_id=shop.merchant_id).order_by("id")]


@pytest.fixture
def shop(channel):
    return open_shop()


@pytest.fixture
def letterbox(clock, tmp_path):
    """A simulated channel that sends its notices, and the box into which they fall."""
    box = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            box.append(Letter(dict(self.headers.items()), body))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *said):
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            notify = f"http://127.0.0.1:{server.server_address[1]}/"
            with running_simulator(tmp_path, "--notify", notify) as channel:
                yield channel, box
        finally:
            server.shutdown()


def test_of_all_that_the_channel_can_send_only_the_genuine_is_kept_and_once(fresh_db, letterbox):
    channel, box = letterbox
    channel.reset()
    clock.install(channel.hands)
    shop = open_shop()
    channel.top_up(shop.principal, 10_000_000)
    shop.earn(900_000)
    payouts_by_variant = {}
    for variant in NOTICES:
        channel.script(transfers=[{"name": "ok", "notice": variant}])
        payouts_by_variant[variant] = shop.ask(10_000)
        tasks.work_off("worker")
    found = {}
    for _ in range(2):
        channel.work()
        for letter in box:
            found.setdefault(_variant(shop, payouts_by_variant, letter), []).append(take(letter))
        box.clear()
        channel.move(hours=26)
    assert found == {
        "once": [True],
        "many": [True] + [False] * 6,
        "reordered": [True],
        "before_answer": [True],
        "late": [True],
        "foreign": ["notice_rejected"],
        "replayed": [True, False],
        "forged": ["notice_rejected"],
    }
    assert len(kept(shop)) == 6


def _variant(shop, payouts_by_variant, letter):
    for variant, payout in payouts_by_variant.items():
        if payouts.attempt(shop.merchant_id, payout.id).request_no in letter.body.decode():
            return variant
    raise AssertionError(letter)


def _with(letter, **headers):
    return Letter({**letter.headers, **{f"x-{name.replace('_', '-')}": value for name, value in headers.items()}},
                  letter.body)  # fmt: skip


@pytest.mark.parametrize("alter", [
    lambda letter: Letter(letter.headers, letter.body.replace(b"HF1", b"HF2")),
    lambda letter: Letter(letter.headers, letter.body + b" "),
    lambda letter: _with(letter, notice_id="N2"),
    lambda letter: _with(letter, principal="2088"),
    lambda letter: _with(letter, timestamp=signing.stamp(clock.now()).replace("+00:00", "Z")),
    lambda letter: _with(letter, signature=""),
    lambda letter: _with(letter, signature="bm90aGluZw=="),
    lambda letter: _with(letter, signature="签名"),
    lambda letter: Letter({}, letter.body),
])  # fmt: skip
def test_an_altered_notice_is_refused_and_keeps_nothing(channel, shop, alter):
    letter = write(channel, shop.principal)
    assert take(alter(letter)) == "notice_rejected"
    assert kept(shop) == []
    assert [take(letter), take(letter), kept(shop)] == [True, False, [("transfer", "HF1")]]


def test_a_notice_signed_with_a_key_that_is_not_the_channels_any_more_is_refused(channel, shop):
    assert take(write(channel, shop.principal, key="old.key")) == "notice_rejected"
    assert take(write(channel, shop.principal, key="client.key")) == "notice_rejected"
    assert kept(shop) == []


def test_a_notice_for_a_principal_that_is_nobodys_here_is_refused(channel, shop):
    assert take(write(channel, f"not-{shop.principal}")) == "notice_rejected"
    assert kept(shop) == []


@pytest.mark.parametrize(("seconds", "outcome"), [
    (600, True), (601, "notice_rejected"), (-600, True), (-601, "notice_rejected"),
])  # fmt: skip
def test_an_old_notice_is_refused_though_it_is_genuine(channel, shop, seconds, outcome):
    letter = write(channel, shop.principal)
    channel.move(seconds=seconds)
    assert take(letter) == outcome


@pytest.mark.parametrize("body", [b"{}", b"[]", b"7", b"paid", b"\xb3\xc9\xb9\xa6", b'{"kind": "rebate", "ref": "R"}'])
def test_a_genuine_notice_that_says_nothing_we_know_is_refused(channel, shop, body):
    assert take(write(channel, shop.principal, body=body)) == "notice_rejected"
    assert kept(shop) == []


def test_a_notice_without_a_time_zone_is_refused(channel, shop):
    assert take(write(channel, shop.principal, at="2025-11-10T10:00:00")) == "notice_rejected"


def test_the_same_number_of_notice_from_two_principals_is_two_notices(channel, shop):
    other = open_shop()
    assert [take(write(channel, each.principal)) for each in (shop, other)] == [True, True]


def test_notices_come_in_over_http_without_a_key(channel, shop):
    http = Client(raise_request_exception=False)

    def post(name, letter):
        path = f"/v1/channels/{name}/notices"
        answer = http.generic("POST", path, letter.body, "application/json", headers=letter.headers)
        return answer.status_code, answer.json()

    letter = write(channel, shop.principal)
    assert [post("simulator", letter), post("simulator", letter)] == [(200, {"new": True}), (200, {"new": False})]
    status, problem = post("simulator", Letter(letter.headers, b"{}"))
    assert (status, problem["code"]) == (401, "notice_rejected")
    status, problem = post("telegraph", letter)
    assert (status, problem["code"]) == (409, "channel_not_configured")


# A notice alone moves no money --------------------------------------------------------------------------------------


def sent(channel, shop, behaviour):
    """Send a payout under which the channel behaves so, and return it with its number."""
    channel.top_up(shop.principal, 1_000_000)
    shop.earn(60_000)
    channel.script(transfers=[behaviour])
    payout = shop.ask(30_000)
    tasks.work_off("worker")
    return payout, payouts.attempt(shop.merchant_id, payout.id).request_no


def state(shop, payout):
    return payouts.access_payout(shop.owner, "payouts:read", shop.merchant_id, payout.id).state


def test_a_notice_of_a_transfer_waits_for_a_query(fresh_db, channel):
    shop = open_shop()
    payout, number = sent(channel, shop, {"name": "processing_then_paid", "seconds": 60, "notice": "never"})
    before = shop.books()
    take(write(channel, shop.principal, ref=number))
    assert (state(shop, payout), shop.books()) == ("submitted", before)
    assert worker.follow_notices() == 1
    assert (state(shop, payout), shop.books()) == ("submitted", before)  # the channel says: not yet
    channel.move(seconds=60)
    channel.work()
    take(write(channel, shop.principal, ref=number, id="N2"))
    assert (state(shop, payout), shop.books()) == ("submitted", before)
    asked = channel.calls("get_transfer")
    assert worker.follow_notices() == 1
    assert (state(shop, payout), channel.calls("get_transfer")) == ("paid", asked + 1)
    assert queries.waiting_notices() == []


def test_a_notice_that_no_query_confirms_moves_nothing(fresh_db, channel):
    shop = open_shop()
    payout, number = sent(channel, shop, {"name": "processing_then_paid", "seconds": 9999})
    before = shop.books()
    for answer in ("wrong_amount", "bad_signature", "error_500_done"):
        channel.script(queries=[answer])
        take(write(channel, shop.principal, ref=number, id=f"N-{answer}"))
        assert worker.follow_notices() == 1
        assert (state(shop, payout), shop.books()) == ("unknown", before)


def test_a_notice_of_a_number_that_is_not_ours_is_put_aside(fresh_db, channel):
    shop = open_shop()
    take(write(channel, shop.principal, ref="HF-NOBODYS"))
    take(write(channel, shop.principal, kind="settlement", ref="D-NOBODYS", id="N2"))
    assert worker.follow_notices() == 2
    assert (queries.waiting_notices(), shop.fen("claim:settled")) == ([], 0)


def test_a_notice_of_a_settlement_waits_for_a_query(fresh_db, channel):
    """O3."""
    shop = open_shop()
    shop.place(60_000)
    shop.receive()
    worker.tell_channels()
    take(write(channel, shop.principal, kind="settlement", ref=shop.placed[0]))
    before = shop.books()
    assert worker.follow_notices() == 1
    assert shop.books() == before  # the channel says: not credited yet
    channel.move(days=1)
    channel.work()
    take(write(channel, shop.principal, kind="settlement", ref=shop.placed[0], id="N2"))
    assert shop.books() == before
    assert worker.follow_notices() == 1
    assert (shop.fen("claim:pending"), shop.fen("claim:settled")) == (0, 60_000 - 360)


def test_a_notice_waits_while_the_channel_is_down(fresh_db, channel):
    shop = open_shop()
    shop.place(60_000)
    shop.receive()
    take(write(channel, shop.principal, kind="settlement", ref=shop.placed[0]))
    port, channel.port = channel.port, 1
    channel.connect()
    channel.port = port
    assert worker.follow_notices() == 0
    assert [notice.ref for notice in queries.waiting_notices()] == shop.placed
    channel.connect()
    assert worker.follow_notices() == 1
