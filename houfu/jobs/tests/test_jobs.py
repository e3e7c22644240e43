"""Long work as rows: asked for, taken step by step, called off, failed with a code, killed and gone on with."""

from uuid import uuid4

import pytest

from houfu.history import queries as history
from houfu.jobs import actions, queries, rules, runner
from houfu.jobs.models import Job, Piece
from houfu.jobs.tests.ground import ask, content, counting, finish, open_shop, records, sell
from houfu.kernel import crash
from houfu.kernel.errors import Forbidden, IllegalMove, NotFound
from houfu.people import actions as people
from houfu.people import queries as people_queries
from houfu.people.actor import operator
from houfu.site import worker
from houfu.testing.threads import in_threads
from houfu.testing.world import OPERATOR

pytestmark = pytest.mark.usefixtures("fresh_db")


def begin(shop, by=None, kind="count.numbers", **arguments):
    return actions.ask(by=by or shop.owner, merchant_id=shop.merchant_id, kind=kind, arguments=arguments)


def turn(job):
    runner.take_turn(job.merchant_id, job.id)
    return queries.job(job.merchant_id, job.id)


def told(job):
    return [link.verb for link in reversed(history.links(job.merchant_id, subject=f"job/{job.id}"))]


class Died(BaseException):
    """Stands for kill -9: nothing of the product catches it."""


def die_at(monkeypatch, name):
    left = [name]

    def point(here):
        if here in left:
            left.remove(here)
            raise Died(here)

    monkeypatch.setattr(crash, "point", point)


def test_a_job_goes_step_by_step_and_says_how_far_it_is():
    counting(until=3)
    job = begin(open_shop())
    assert (job.state, job.done, job.total) == ("waiting", 0, None)
    assert [(found.state, found.done, found.total) for found in (turn(job), turn(job), turn(job))] == [
        ("running", 1, 3), ("running", 2, 3), ("done", 3, 3),
    ]  # fmt: skip
    found = queries.job(job.merchant_id, job.id)
    assert (found.outcome, found.place, found.mark) == ({"counted": 3}, None, None)
    assert told(job) == ["job.asked", "job.done"]


def test_asked_again_under_its_id_it_is_the_same_job_and_with_other_content_it_is_refused():
    counting()
    shop, id_ = open_shop(), uuid4()
    said = {"by": shop.owner, "merchant_id": shop.merchant_id, "kind": "count.numbers", "id": id_}
    first = actions.ask(**said, arguments={"a": 1})
    assert actions.ask(**said, arguments={"a": 1}).id == first.id
    with pytest.raises(actions.IdReused):
        actions.ask(**said, arguments={"a": 2})
    with pytest.raises(actions.IdReused):
        actions.ask(**said | {"by": shop.assistant}, arguments={"a": 1})
    assert Job.objects.count() == 1


def test_who_may_not_do_it_may_not_have_it_done():
    shop = open_shop()
    clerk = shop.hire("clerk")
    counting("count.links", needs=frozenset({"history:read"}))
    counting("count.whole", whole=True)
    for kind, refusal in (("count.links", Forbidden), ("count.whole", Forbidden)):
        with pytest.raises(refusal):
            begin(shop, clerk, kind)
    with pytest.raises(NotFound):
        begin(open_shop(), shop.owner)
    assert not Job.objects.exists()


def test_a_right_that_is_lost_meanwhile_ends_the_job_with_the_code():
    counting("count.links", needs=frozenset({"history:read"}))
    shop = open_shop()
    job = begin(shop, shop.assistant, "count.links")
    turn(job)
    people.change(
        by=shop.owner, merchant_id=shop.merchant_id, id=shop.assistant.staff_id,
        settings=people.Settings("clerk", frozenset(shop.stores)),
    )  # fmt: skip
    found = turn(job)
    assert (found.state, found.code, found.done, found.place) == ("failed", "forbidden", 1, None)
    assert told(job) == ["job.asked", "job.failed"]


def test_who_has_left_has_nothing_more_done():
    counting()
    shop = open_shop()
    _, token = people.create_key(
        by=OPERATOR, merchant_id=shop.merchant_id, name="erp", person="erp", scopes=["orders:read"]
    )
    key = people_queries.actor_of(token)
    jobs = [begin(shop, shop.assistant), begin(shop, key)]
    people.disable(by=shop.owner, merchant_id=shop.merchant_id, id=shop.assistant.staff_id, reason="离职")
    people.revoke_key(by=OPERATOR, merchant_id=shop.merchant_id, id=int(key.label.split("/")[1]))
    assert [(found.state, found.code) for found in map(finish, jobs)] == [("failed", "job_rights_lost")] * 2


@pytest.mark.parametrize("by", ["staff", "key", "operator"])
def test_a_step_is_taken_as_who_asked(by):
    seen = []
    counting(each=lambda by, n: seen.append(by))
    shop = open_shop()
    _, token = people.create_key(
        by=OPERATOR, merchant_id=shop.merchant_id, name="erp", person="erp", scopes=["orders:read"]
    )
    asker = {"staff": shop.owner, "key": people_queries.actor_of(token), "operator": operator("li")}[by]
    finish(begin(shop, asker))
    assert {(each.label, each.merchant_id, each.scopes) for each in seen} == {
        (asker.label, asker.merchant_id, asker.scopes)
    }


def test_a_store_managers_step_sees_the_stores_that_they_are_bound_to():
    shop = open_shop(stores=2)
    bound = shop.hire("store_manager", stores=shop.stores[:1])
    theirs = [decision.id for decision in shop.place(1_000, 1_000)]
    shop.place(1_000, store=shop.stores[1])
    job = ask(shop, bound)
    finish(job)
    assert {row["id"] for row in records(content(queries.job(job.merchant_id, job.id), bound))} == set(theirs)


def test_called_off_it_stops_and_its_file_so_far_is_gone(monkeypatch):
    monkeypatch.setattr("houfu.jobs.exports.PAGE", 2)
    shop = sell(5)
    job = ask(shop)
    turn(job)
    assert Piece.objects.filter(job_id=job.id).exists()
    cancelled = actions.cancel(by=shop.owner, merchant_id=shop.merchant_id, id=job.id)
    assert (cancelled.state, cancelled.file_bytes, cancelled.place) == ("cancelled", 0, None)
    assert not Piece.objects.filter(job_id=job.id).exists()
    assert not runner.take_turn(job.merchant_id, job.id)
    with pytest.raises(IllegalMove):
        actions.cancel(by=shop.owner, merchant_id=shop.merchant_id, id=job.id)
    assert told(job) == ["job.asked", "job.cancelled"]


def test_called_off_in_the_middle_of_a_step_the_step_is_undone(monkeypatch):
    """The step had written its piece already when the job was cancelled over another connection."""
    shop = sell(3)
    job = ask(shop)

    def point(here):
        if here == "job.before_commit":
            in_threads(lambda _: actions.cancel(by=shop.owner, merchant_id=shop.merchant_id, id=job.id), range(1))

    monkeypatch.setattr(crash, "point", point)
    found = turn(job)
    assert (found.state, found.steps) == ("cancelled", 0)
    assert not Piece.objects.filter(job_id=job.id).exists()


def test_others_jobs_are_called_off_by_who_decides_on_the_staff_alone():
    counting()
    shop = open_shop()
    auditor = shop.hire("auditor")
    job = begin(shop, shop.assistant)
    with pytest.raises(Forbidden):
        actions.cancel(by=auditor, merchant_id=shop.merchant_id, id=job.id)
    assert queries.job(job.merchant_id, job.id).state == "waiting"
    assert actions.cancel(by=shop.owner, merchant_id=shop.merchant_id, id=job.id).state == "cancelled"


@pytest.mark.parametrize("point", ["job.after_begin", "job.before_commit", "job.after_step"])
@pytest.mark.parametrize("format_", ["csv", "xlsx"])
def test_killed_at_any_point_it_goes_on_and_the_file_is_the_same(monkeypatch, point, format_):
    monkeypatch.setattr("houfu.jobs.exports.PAGE", 2)
    shop = sell(5)
    whole = ask(shop, format=format_)
    finish(whole)
    job = ask(shop, format=format_)
    turn(job)
    die_at(monkeypatch, point)
    with pytest.raises(Died):
        turn(job)
    ended = finish(job)
    assert (ended.state, ended.done, ended.total) == ("done", 5, 5)
    assert content(ended, shop.owner) == content(queries.job(whole.merchant_id, whole.id), shop.owner)


def test_two_runners_that_both_believe_in_themselves_take_each_step_once(monkeypatch):
    """One was held up in the middle of a step, which another has taken meanwhile."""
    counting(until=2)
    job = begin(open_shop())
    met = []

    def point(here):
        if here == "job.before_commit" and not met:
            met.append(here)
            in_threads(lambda _: turn(job), range(1))

    monkeypatch.setattr(crash, "point", point)
    found = turn(job)
    assert (found.state, found.steps, found.done) == ("running", 1, 1)
    assert turn(job).state == "done"


def test_what_fails_however_often_it_is_tried_is_given_up(caplog):
    def fail(by, n):
        raise ZeroDivisionError

    counting(each=fail)
    job = begin(open_shop())
    tries = 0
    while runner.take_turn(job.merchant_id, job.id):
        tries += 1
    found = queries.job(job.merchant_id, job.id)
    assert (found.state, found.code, tries) == ("failed", "job_gave_up", rules.TRIES)
    assert "ZeroDivisionError" in caplog.text


def test_every_merchant_has_its_turn_however_long_the_work_of_another(monkeypatch):
    order = []
    counting("count.long", until=50, each=lambda by, n: order.append("long"))
    counting("count.short", until=1, each=lambda by, n: order.append("short"))
    large, small = open_shop(), open_shop()
    jobs = [begin(large, kind="count.long"), begin(large, kind="count.long"), begin(small, kind="count.short")]
    working = runner.Runner()
    working.round_()
    assert sorted(order) == ["long", "short"]
    while working.round_():
        pass
    assert {queries.job(job.merchant_id, job.id).state for job in jobs} == {"done"}


def test_one_runner_works_at_a_time():
    counting(until=1)
    job = begin(open_shop())
    first = runner.Runner()
    first.round_()
    assert queries.job(job.merchant_id, job.id).state == "done"
    begin(open_shop())
    assert in_threads(lambda _: runner.Runner().round_(), range(1)) == [0]
    assert first.round_() == 1


def test_twenty_jobs_of_a_merchant_are_enough_and_one_that_ends_makes_room():
    counting(until=1)
    shop = open_shop()
    jobs = [begin(shop, no=n) for n in range(rules.ROOM)]
    with pytest.raises(actions.NoRoom):
        begin(shop)
    assert Job.objects.count() == rules.ROOM
    finish(jobs[7])
    assert begin(shop).place == jobs[7].place


def test_two_who_ask_at_once_both_have_a_place():
    counting()
    shop = open_shop()
    places = in_threads(lambda n: begin(shop, no=n).place, range(6))
    assert sorted(places) == [1, 2, 3, 4, 5, 6]


def test_a_file_is_kept_for_a_day_and_then_thrown_away(clock):
    shop = sell(2)
    job = ask(shop)
    finish(job)
    clock.move(hours=23)
    assert runner.Runner().round_() == 0
    assert actions.hand_over(by=shop.owner, merchant_id=shop.merchant_id, id=job.id).file_bytes > 0
    clock.move(hours=1)
    with pytest.raises(actions.FileGone):
        actions.hand_over(by=shop.owner, merchant_id=shop.merchant_id, id=job.id)
    assert runner.Runner().round_() == 1
    found = queries.job(job.merchant_id, job.id)
    assert (found.state, found.place, found.expires_at) == ("done", None, None)
    assert not Piece.objects.filter(job_id=job.id).exists()
    assert told(job) == ["job.asked", "job.done", "job.handed_over", "job.expired"]


def test_a_file_that_grows_too_large_ends_its_job(monkeypatch):
    monkeypatch.setattr(rules, "FILE_MAX", 300)
    shop = sell(5)
    job = ask(shop)
    found = finish(job)
    assert (found.state, found.code, found.file_bytes) == ("failed", "job_file_too_large", 0)
    assert not Piece.objects.filter(job_id=job.id).exists()


def test_jobs_are_listed_the_latest_first_and_to_those_who_may_see_them(clock):
    counting()
    counting("count.links", needs=frozenset({"history:read"}))
    shop, other = open_shop(stores=2), open_shop()
    bound = [shop.hire("clerk", stores=[store]) for store in shop.stores]
    asked = []
    for by, kind in ((shop.owner, "count.links"), (bound[0], "count.numbers"), (shop.owner, "count.numbers")):
        clock.move(minutes=1)
        asked.append(begin(shop, by, kind).id)
    begin(other)

    def listed(by, **how):
        return [job.id for job in queries.jobs(by, shop.merchant_id, **how)]

    assert listed(shop.owner) == asked[::-1]
    assert listed(shop.owner, limit=1) == asked[2:]
    last = queries.job(shop.merchant_id, asked[2])
    assert listed(shop.owner, after=(last.asked_at, last.id)) == asked[1::-1]
    assert listed(bound[0]) == [asked[1]]
    assert listed(bound[1]) == []
    with pytest.raises(NotFound):
        queries.jobs(other.owner, shop.merchant_id)
    for by in (bound[1], other.owner):
        with pytest.raises(NotFound):
            queries.access_job(by, shop.merchant_id, asked[1])


def test_the_worker_that_sends_money_takes_no_step_of_a_job():
    counting()
    job = begin(open_shop())
    worker.round_()
    assert queries.job(job.merchant_id, job.id).state == "waiting"


def test_a_clock_that_is_set_back_stops_nothing(clock):
    counting(until=2)
    job = begin(open_shop())
    turn(job)
    clock.move(days=-1)
    assert finish(job).state == "done"
