"""Sending: in order, at least once, again for three days; nobody waits for somebody who is dead."""

import threading
import time
from collections import Counter
from contextlib import suppress
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import OperationalError, connection, connections

from houfu.kernel import clock as clocks
from houfu.kernel import crash, db, fence
from houfu.kernel.fence import CopiedInstance
from houfu.verify import queries as verify
from houfu.webhooks import actions, queries, rules
from houfu.webhooks import sender as senders
from houfu.webhooks.tests.ground import Told, happen, hush, listen, notes, sender, shop
from houfu.webhooks.tests.listener import ADDRESS, HOST, Net, listening

PAID = ["payout.paid"]


@pytest.fixture(autouse=True)
def _books(platform, clock):
    """A database for these tests alone, in which nothing is left untold or stuck after any of them."""
    yield
    assert verify.run("i23").findings == []


@pytest.fixture
def ours():
    hush()
    return shop()


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def work(told):
    at_work = sender(told)
    yield at_work.work_off
    at_work._lines.shutdown()


def attempts(ear, delivery=0):
    """The outcomes of the attempts at an endpoint's deliveries, the first delivery first."""
    row = list(reversed(ear.log))[delivery]
    return [each.outcome for each in queries.attempts(ear.shop.owner, ear.shop.merchant_id, row.id)]


def days_pass(clock, work, days, step=timedelta(minutes=7)):
    """Let time go by with the sender at work."""
    end = clock.now() + timedelta(days=days)
    while clock.now() < end:
        clock.at += step
        work()


def test_everything_is_told_once_in_the_order_of_the_chain(ours, told, work):
    ear = listen(ours, verbs=["payout.*"])
    happen(ours, *(f"payout.{name}" for name in "abcdefghij"), subject="payout/7", store_id=3)
    happen(ours, "orders.received", "payout.z")
    work()
    assert told.to() == [f"payout.{name}" for name in "abcdefghijz"]
    first = told.posts[0].body
    assert first["data"] == {
        "merchant_id": ours.merchant_id,
        "seq": first["data"]["seq"],
        "subject": "payout/7",
        "store_id": 3,
    }
    assert set(ear.states) == {"delivered"}
    assert len({post.id for post in told.posts}) == 11
    work()
    assert len(told.posts) == 11


def test_every_endpoint_is_told_of_its_own_merchant_alone(ours, told, work):
    other = shop()
    listen(ours, verbs=PAID)
    listen(ours, url="https://second.example.com/", verbs=PAID)
    listen(other, url="https://other.example.com/", verbs=PAID)
    happen(ours, *PAID, subject="payout/ours")
    happen(other, *PAID, subject="payout/theirs")
    work()
    subjects = {(post.host, post.body["data"]["subject"]) for post in told.posts}
    assert subjects == {
        ("hooks.example.com", "payout/ours"), ("second.example.com", "payout/ours"),
        ("other.example.com", "payout/theirs"),
    }  # fmt: skip


def test_a_chain_longer_than_one_look_is_told_whole(ours, told, work, monkeypatch):
    monkeypatch.setattr(actions, "LINKS", 3)
    listen(ours, verbs=["payout.*"])
    happen(ours, *(["payout.paid", "orders.received"] * 7))
    work()
    assert told.to() == PAID * 7


def test_what_is_not_accepted_is_sent_again_under_the_same_id_with_another_time(ours, told, work, clock):
    answers = iter(["not_accepted", "timed_out", "delivered"])
    told.says["hooks.example.com"] = lambda post: next(answers)
    ear = listen(ours, verbs=PAID)
    happen(ours, *PAID)
    work()
    assert (len(told.posts), ear.states, ear.row.failures) == (1, ["pending"], 1)
    clock.move(seconds=3)
    work()
    assert len(told.posts) == 1
    clock.move(seconds=3)
    work()
    clock.move(seconds=40)
    work()
    assert attempts(ear) == ["not_accepted", "timed_out", "delivered"]
    assert (ear.states, ear.row.failures, ear.row.delivered_at) == (["delivered"], 0, clock.now())
    assert len({post.id for post in told.posts}) == 1
    assert len({post.raw for post in told.posts}) == 1
    assert len({post.headers["webhook-timestamp"] for post in told.posts}) == 3


def test_one_message_that_is_never_accepted_does_not_stop_the_others_nor_the_endpoint(ours, told, work, clock):
    told.says["hooks.example.com"] = lambda post: "not_accepted" if post.body["type"] == "payout.bad" else "delivered"
    ear = listen(ours, verbs=["payout.*"])
    happen(ours, "payout.bad", "payout.paid")
    for _ in range(75):
        work()
        clock.move(hours=1)
        happen(ours, "payout.paid")
    work()
    assert told.to().count("payout.paid") == 76
    assert (ear.row.state, ear.states[0], set(ear.states[1:])) == ("active", "given_up", {"delivered"})
    [(subject, detail)] = notes(ours, "delivery.given_up")
    assert (subject, detail) == (f"delivery/{ear.log[-1].id}", {"endpoint": ear.id, "outcome": "not_accepted"})
    assert notes(ours, "endpoint.disabled") == []


def test_whoever_takes_nothing_for_three_days_is_disabled_and_the_history_says_so(ours, told, work, clock):
    told.says["hooks.example.com"] = "unreachable"
    ear = listen(ours, verbs=PAID)
    second = listen(ours, url="https://second.example.com/", verbs=["endpoint.*"])
    happen(ours, *PAID)
    began = clock.now()
    while ear.row.state == "active":
        days_pass(clock, work, 0.25, timedelta(minutes=15))
        assert clock.now() < began + timedelta(days=4)
    tried = attempts(ear)
    assert 10 <= len(tried) <= 18
    assert timedelta(days=3) <= ear.log[0].ended_at - began <= timedelta(days=3, hours=2)
    assert (ear.row.disabled_for, ear.states) == ("unreachable", ["given_up"])
    [(subject, detail)] = notes(ours, "endpoint.disabled")
    assert (subject, detail["reason"], detail["outcome"]) == (f"endpoint/{ear.id}", "unreachable", "unreachable")
    work()
    assert told.to("second.example.com")[-1] == "endpoint.disabled"
    assert second.row.state == "active"
    happen(ours, *PAID)
    before = len(told.to())
    days_pass(clock, work, 1, timedelta(hours=1))
    assert len(told.to()) == before


def test_what_was_owed_to_a_disabled_endpoint_is_sent_once_it_is_enabled(ours, told, work, clock):
    told.says["hooks.example.com"] = "unreachable"
    ear = listen(ours, verbs=PAID)
    happen(ours, *PAID, *PAID, *PAID)
    while ear.row.state == "active":
        days_pass(clock, work, 0.25, timedelta(hours=1))
    assert sorted(ear.states) == ["given_up", "pending", "pending"]
    told.says.clear()
    ear.do("enable")
    happen(ours, *PAID)
    work()
    assert sorted(ear.states) == ["delivered", "delivered", "delivered", "given_up"]
    actions.replay(by=ours.owner, merchant_id=ours.merchant_id, delivery_id=ear.log[-1].id)
    work()
    assert set(ear.states) == {"delivered"}


def test_who_says_gone_is_told_no_more_at_once(ours, told, work):
    told.says["hooks.example.com"] = "gone"
    ear = listen(ours, verbs=PAID)
    happen(ours, *PAID, *PAID)
    work()
    assert (ear.row.state, ear.row.disabled_for, len(told.posts)) == ("disabled", "gone", 1)


def test_a_dead_endpoint_is_left_alone_more_and_more(ours, told, work, clock):
    """I-23: while it is down, what is owed to it does not multiply the calls."""
    told.says["hooks.example.com"] = "timed_out"
    ear = listen(ours, verbs=PAID)
    happen(ours, *(PAID * 100))
    days_pass(clock, work, 1, timedelta(minutes=10))
    assert 20 < len(told.posts) < 60
    assert ear.row.rests_until - clock.now() <= rules.LONGEST_REST * 1.2
    told.says.clear()
    days_pass(clock, work, 0.06, timedelta(seconds=60))
    assert set(ear.states[-50:]) == {"delivered"}


# Replays -------------------------------------------------------------------------------------------------------------


def test_a_replay_sends_one_delivery_again_and_keeps_every_attempt(ours, told, work, clock):
    ear = listen(ours, verbs=PAID)
    happen(ours, *PAID)
    work()
    delivery = ear.log[0]
    clock.move(days=9)
    actions.replay(by=ours.owner, merchant_id=ours.merchant_id, delivery_id=delivery.id)
    told.says["hooks.example.com"] = "not_accepted"
    work()
    told.says.clear()
    clock.move(seconds=7)
    work()
    assert len({post.id for post in told.posts}) == 1
    assert attempts(ear) == ["delivered", "not_accepted", "delivered"]
    assert ear.states == ["delivered"]


def test_a_time_is_replayed_for_what_was_sent_and_for_what_never_was(ours, told, work, clock):
    happen(ours, "payout.paid", "orders.received")  # before there was anybody to tell
    clock.move(hours=1)
    begin = clock.now()
    happen(ours, "payout.paid", subject="payout/before")
    ear = listen(ours, verbs=PAID)
    happen(ours, "payout.paid", "orders.received", subject="payout/after")
    work()
    clock.move(hours=1)
    end = clock.now()
    happen(ours, "payout.paid")
    work()
    assert len(told.posts) == 2
    assert ear.do("replay_range", from_=begin, to=end) == 2
    assert ear.do("replay_range", from_=begin, to=end) == 0  # pending already
    work()
    assert [post.body["data"]["subject"] for post in told.posts[2:]] == ["payout/before", "payout/after"]
    assert told.posts[3].id == told.posts[0].id
    assert [detail["deliveries"] for _, detail in notes(ours, "endpoint.replayed")] == [2]


# Death and company ----------------------------------------------------------------------------------------------------


class Died(BaseException):
    """The process is gone; nothing catches it."""


@pytest.mark.parametrize(
    ("where", "meeting"), [("webhook.before_post", 3), ("webhook.after_post", 3), ("webhook.before_conclude", 1)]
)
def test_whoever_kills_the_sender_loses_nothing_and_repeats_only_what_was_not_concluded(
    ours, told, monkeypatch, where, meeting
):
    ear = listen(ours, verbs=["payout.*"])
    happen(ours, *(f"payout.{name}" for name in "abcdef"))
    met = []

    def point(name):
        met.extend([name] if name == where else [])
        if len(met) == meeting:
            raise Died

    monkeypatch.setattr(crash, "point", point)
    first = sender(told)
    with suppress(Died):  # where a line dies, its process does: what it had to report is lost
        first.round_()
        first._lines.shutdown()
        if where == "webhook.before_conclude":
            first._hear(60)
    concluded = ear.states.count("delivered")
    monkeypatch.undo()
    first._lines.shutdown()
    connection.close()  # takes the dead sender's lock with it
    second = sender(told)
    second.work_off()
    second._lines.shutdown()
    assert len(met) == meeting
    assert ear.states == ["delivered"] * 6
    times = Counter(post.body["type"] for post in told.posts)
    assert sorted(times) == [f"payout.{name}" for name in "abcdef"]
    assert max(times.values()) <= 2
    assert times.total() <= 12 - concluded
    assert len({(post.body["type"], post.id) for post in told.posts}) == 6


def test_one_sender_works_at_a_time_and_another_takes_over_when_it_is_gone(ours, told):
    listen(ours, verbs=PAID)
    first, second = sender(told), sender(told)
    first.work_off()
    happen(ours, *PAID)
    seen = []

    def other():
        try:
            seen.append(second.round_())
        finally:
            connections.close_all()

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert (seen, told.posts) == ([0], [])
    connection.close()
    second.work_off()
    assert told.to() == PAID
    for each in (first, second):
        each._lines.shutdown()


def test_after_a_lost_connection_the_lock_is_taken_anew(ours, told):
    listen(ours, verbs=PAID)
    at_work = sender(told)
    at_work.work_off()
    happen(ours, *PAID)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone()
    thread = threading.Thread(target=_kill, args=(pid,))
    thread.start()
    thread.join()
    serving = threading.Event()
    told.says["hooks.example.com"] = lambda post: (serving.set(), at_work.stopping.set(), "delivered")[2]
    at_work.serve(0.01)
    assert serving.is_set()
    assert told.to() == PAID
    locks = "SELECT count(*) AS held FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
    assert db.rows(locks)[0].held == 1


def test_an_answer_that_could_not_be_kept_is_asked_for_again(ours, told):
    """The database goes while a message is under way: its endpoint is not forgotten."""
    ear = listen(ours, verbs=PAID)
    happen(ours, *PAID)
    at_work = sender(told)
    at_work.work_off()
    happen(ours, *PAID)
    [pid] = [row.pid for row in db.rows("SELECT pg_backend_pid() AS pid")]

    def answer(post):
        if len(told.posts) == 2:
            _kill(pid)
        else:
            at_work.stopping.set()
        return "delivered"

    told.says["hooks.example.com"] = answer
    at_work.serve(0.01)
    assert told.to() == PAID * 3
    assert told.posts[1].id == told.posts[2].id
    assert ear.states == ["delivered"] * 2
    assert at_work._busy == {}


def test_a_turn_that_could_not_be_prepared_comes_again(ours, told, work, monkeypatch):
    ear = listen(ours, verbs=PAID)
    happen(ours, *PAID)
    real, fails = queries.messages, [True]

    def messages(*asked):
        if fails.pop() if fails else False:
            raise OperationalError("gone")
        return real(*asked)

    monkeypatch.setattr(queries, "messages", messages)
    with pytest.raises(OperationalError):
        work()
    work()
    assert ear.states == ["delivered"]


def _kill(pid):
    import os

    import psycopg

    with psycopg.connect(os.environ["HOUFU_TEST_ADMIN"], autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])


def test_a_copy_of_an_instance_tells_nobody_anything(ours, told, monkeypatch, tmp_path):
    """I-26."""
    ear = listen(ours, verbs=PAID)
    happen(ours, *PAID)
    monkeypatch.setattr(settings, "HOME", tmp_path)
    with pytest.raises(CopiedInstance):
        sender(told).round_()
    assert (told.posts, ear.log) == ([], [])
    fence.adopt()
    at_work = sender(told)
    at_work.work_off()
    at_work._lines.shutdown()
    assert attempts(ear) == ["keys_closed"]  # this folder has another key


def test_without_the_key_nothing_is_sent_and_it_counts_as_a_failure(ours, told, work, monkeypatch, tmp_path):
    ear = listen(ours, verbs=PAID)
    happen(ours, *PAID)
    (tmp_path / "instance.json").write_text((settings.HOME / "instance.json").read_text())
    monkeypatch.setattr(settings, "HOME", tmp_path)
    work()
    assert (told.posts, attempts(ear), ear.states) == ([], ["keys_closed"], ["pending"])


def test_a_url_that_is_not_allowed_any_more_is_told_nothing(ours, told, work, monkeypatch):
    monkeypatch.setattr(settings, "WEBHOOK_PORTS", {8443})
    ear = listen(ours, url="https://hooks.example.com:8443/", verbs=PAID)
    happen(ours, *PAID)
    monkeypatch.setattr(settings, "WEBHOOK_PORTS", set())
    work()
    assert (told.posts, attempts(ear)) == ([], ["url_refused"])


# Fairness -------------------------------------------------------------------------------------------------------------


def test_the_dead_do_not_hold_up_the_living(ours, clock):
    """Twenty-four endpoints that answer nothing and one that lives: the living is told at once, every time."""
    release = threading.Event()
    told = Told()

    def hang(post):
        release.wait(30)
        return "timed_out"

    at_work = sender(told)
    live = listen(ours, url="https://live.example.com/", verbs=PAID)
    live.do("test")
    at_work.work_off()  # it is known to live
    dead = [shop() for _ in range(3)]
    for number, each in enumerate(dead):
        for n in range(8):
            told.says[f"dead{number}-{n}.example.com"] = hang
            listen(each, url=f"https://dead{number}-{n}.example.com/", verbs=PAID)
        happen(each, *(PAID * 5))
    at_work.round_()
    assert list(at_work._busy.values()) == [True] * senders.LINES[True]
    for n in range(1, 4):
        happen(ours, *PAID)
        deadline = time.monotonic() + 20
        while told.to("live.example.com").count("payout.paid") < n and time.monotonic() < deadline:
            at_work.round_()
    assert told.to("live.example.com").count("payout.paid") == 3
    release.set()
    at_work.work_off()
    assert len({post.host for post in told.posts}) == 25
    at_work._lines.shutdown()


def test_a_slow_endpoint_has_a_doubtful_ones_turn(ours):
    ear = listen(ours)
    actions.follow()
    due = lambda doubtful: queries.due([], doubtful=doubtful, limit=9)  # noqa: E731
    place = (ours.merchant_id, ear.id)
    assert (due(True), due(False)) == ([place], [])
    for latency, doubtful in ((rules.SLOW_MS - 1, False), (rules.SLOW_MS, True)):
        db.rows("UPDATE webhooks_endpoint SET latency_ms = %s", [latency])
        assert (due(doubtful), due(not doubtful)) == ([place], [])
    assert queries.due([place], doubtful=True, limit=9) == []


def test_turns_go_round(ours, told, work, clock, monkeypatch):
    """Whoever has much to be told waits for the others after each turn."""
    for name in ("a", "b"):
        listen(ours, url=f"https://{name}.example.com/", verbs=PAID)
    happen(ours, *PAID)
    work()
    told.posts.clear()
    happen(ours, *(PAID * 20))
    monkeypatch.setattr(senders, "LINES", {False: 1, True: 1})
    for name in ("a", "b"):
        told.says[f"{name}.example.com"] = lambda post: (clock.move(milliseconds=1), "delivered")[1]
    work()
    order = [post.host[0] for post in told.posts]
    assert order == ["a"] * 8 + ["b"] * 8 + ["a"] * 8 + ["b"] * 8 + ["a"] * 4 + ["b"] * 4


# Over a real wire ---------------------------------------------------------------------------------------------------


def test_over_a_real_wire_from_the_chain_to_a_verified_message(ours):
    from standardwebhooks import Webhook

    ear = listen(ours, url=f"https://{HOST}/houfu", verbs=PAID)
    with clocks.standing_at(clocks.SystemClock()), listening() as listener:
        happen(ours, *PAID, *PAID)
        at_work = sender(Net(ports={ADDRESS: listener.port}).wire())
        at_work.work_off()
        assert len(listener.requests) == 2
        at_work._lines.shutdown()
        for head, body in listener.requests:
            headers = dict(line.split(": ", 1) for line in head[1:])
            assert Webhook(ear.signer.secret_text).verify(body, headers)["type"] == "payout.paid"
        assert listener.connections == 1
    assert [(each.status, each.outcome) for each in ear.log] == [(204, "delivered")] * 2


def test_a_name_that_leads_inside_is_never_connected_to_however_often_it_is_tried(ours, clock):
    with listening(tls=False) as canary:
        net = Net({HOST: ["127.0.0.1"]}, ports={"127.0.0.1": canary.port})
        ear = listen(ours, url=f"https://{HOST}/houfu", verbs=PAID)
        happen(ours, *PAID)
        at_work = sender(net.wire())
        days_pass(clock, at_work.work_off, 4, timedelta(hours=2))
        at_work._lines.shutdown()
        assert (ear.row.state, set(attempts(ear))) == ("disabled", {"address_refused"})
        assert (canary.connections, net.dialled) == (0, [])


def test_a_trial_tells_a_listener_on_this_machine_in_clear(ours, work):
    from houfu.webhooks.wire import Wire

    with listening(tls=False) as listener:
        ear = listen(ours, url=f"http://127.0.0.1:{listener.port}/x", verbs=PAID)
        happen(ours, *PAID)
        at_work = sender(Wire())
        at_work.work_off()
        at_work._lines.shutdown()
        assert len(listener.requests) == 1
    assert ear.states == ["delivered"]
