"""Coalescing, at a desk that decides when it is told to: what is decided together, in which turn, and how it ends."""

import asyncio
import threading
from datetime import UTC, datetime

import pytest

from houfu.kernel.db import OutcomeUnknown
from houfu.kernel.errors import Invalid
from houfu.orders.actions import Asked, Decision, NewOrder
from houfu.orders.intake.coalesce import (
    HELP,
    Coalescer,
    IntakeClosing,
    IntakeDeadline,
    IntakeFailed,
    IntakeFull,
    room,
)
from houfu.people.actor import Actor

AT = datetime(2025, 11, 10, 2, tzinfo=UTC)
BY = Actor("key/1", "wang", 1, frozenset({"orders:write"}))


def order(id, merchant_id=1):
    return Asked(BY, NewOrder(merchant_id, id, 1, 100, AT))


class Desk:
    """Decides batches once it is open; orders called bad… spoil the batch that they are in."""

    def __init__(self, *, is_open=True, losses=0):
        self.open, self.begun = threading.Event(), threading.Semaphore(0)
        self.batches, self.losses = [], losses
        if is_open:
            self.open.set()

    def __call__(self, asked):
        self.begun.release()
        assert self.open.wait(10)
        ids = [each.order.id for each in asked]
        self.batches.append(ids)
        if self.losses:
            self.losses -= 1
            raise OutcomeUnknown()
        for id in ids:
            if id.startswith("bad"):
                raise Invalid(id=id)
            if id.startswith("broken"):
                raise ZeroDivisionError
        return [Decision(id, "authorised", False, 100, 0, 0, 0, ()) for id in ids]

    async def has_begun(self, times=1):
        for _ in range(times):
            assert await asyncio.to_thread(self.begun.acquire, timeout=10)


def scenario(steps):
    """Run the steps of a test within ten seconds."""
    return asyncio.run(asyncio.wait_for(steps, 10))


async def settled():
    """Let everything that is ready happen."""
    for _ in range(5):
        await asyncio.sleep(0)


def asking(coalescer, *ids, merchant_id=1):
    return [asyncio.create_task(coalescer.ask(order(id, merchant_id))) for id in ids]


async def busy(coalescer, desk):
    """Occupy every lane."""
    tasks = []
    for lane in range(coalescer.lanes):
        tasks += asking(coalescer, f"first{lane}")
        await desk.has_begun()
    return tasks


def test_an_order_alone_does_not_wait_for_others():
    async def steps():
        desk = Desk()
        coalescer = Coalescer(desk)
        assert (await coalescer.ask(order("D1"))).state == "authorised"
        await coalescer.close()
        assert desk.batches == [["D1"]]

    scenario(steps())


def test_what_arrives_while_all_lanes_are_busy_is_decided_by_one_call():
    async def steps():
        desk = Desk(is_open=False)
        coalescer = Coalescer(desk, lanes=2, linger=0)
        tasks = await busy(coalescer, desk)
        tasks += asking(coalescer, *(f"D{n}" for n in range(50)))
        await settled()
        desk.open.set()
        decisions = await asyncio.gather(*tasks)
        await coalescer.close()
        assert sorted(len(batch) for batch in desk.batches) == [1, 1, 50]
        assert [each.id for each in decisions] == ["first0", "first1", *(f"D{n}" for n in range(50))]

    scenario(steps())


def test_a_call_takes_no_more_than_a_batch():
    async def steps():
        desk = Desk(is_open=False)
        coalescer = Coalescer(desk, lanes=1, batch=20)
        tasks = await busy(coalescer, desk)
        tasks += asking(coalescer, *(f"D{n}" for n in range(50)))
        await settled()
        desk.open.set()
        await asyncio.gather(*tasks)
        await coalescer.close()
        assert [len(batch) for batch in desk.batches] == [1, 20, 20, 10]

    scenario(steps())


def test_a_second_lane_helps_at_once_when_half_a_batch_waits():
    async def steps():
        desk = Desk(is_open=False)
        coalescer = Coalescer(desk, lanes=2, batch=10, linger=1000)
        tasks = asking(coalescer, "first")
        await desk.has_begun()
        tasks += asking(coalescer, *(f"D{n}" for n in range(4)))
        await settled()
        assert not desk.begun.acquire(blocking=False)  # four are not worth a call of their own yet
        tasks += asking(coalescer, "D4")
        await desk.has_begun()
        desk.open.set()
        await asyncio.gather(*tasks)
        await coalescer.close()
        assert sorted(desk.batches, key=len) == [["first"], ["D0", "D1", "D2", "D3", "D4"]]

    scenario(steps())


@pytest.mark.parametrize(
    ("count", "calls"), [(2 * HELP, [HELP, HELP]), (2 * HELP + 1, [HELP, HELP + 1]), (HELP, [HELP])]
)
def test_lanes_that_are_free_divide_what_is_worth_a_call_for_each(count, calls):
    async def steps():
        desk = Desk(is_open=False)
        coalescer = Coalescer(desk, lanes=2, linger=1000)
        tasks = asking(coalescer, *(f"D{n}" for n in range(count)))
        await desk.has_begun(len(calls))
        desk.open.set()
        await asyncio.gather(*tasks)
        await coalescer.close()
        assert sorted(map(len, desk.batches)) == calls
        assert sorted(id for batch in desk.batches for id in batch) == sorted(f"D{n}" for n in range(count))

    scenario(steps())


def test_a_second_lane_helps_a_single_order_that_has_lingered():
    async def steps():
        desk = Desk(is_open=False)
        coalescer = Coalescer(desk, lanes=2, linger=0.001)
        tasks = asking(coalescer, "first")
        await desk.has_begun()
        tasks += asking(coalescer, "D1")
        await desk.has_begun()
        desk.open.set()
        await asyncio.gather(*tasks)
        await coalescer.close()

    scenario(steps())


def test_a_merchant_with_few_orders_does_not_wait_for_one_with_many():
    async def steps():
        desk = Desk(is_open=False)
        coalescer = Coalescer(desk, lanes=1, batch=36)
        tasks = await busy(coalescer, desk)
        tasks += asking(coalescer, *(f"A{n}" for n in range(40)), merchant_id=1)
        tasks += asking(coalescer, "B0", merchant_id=2) + asking(coalescer, "C0", "C1", "C2", merchant_id=3)
        await settled()
        desk.open.set()
        await asyncio.gather(*tasks)
        await coalescer.close()
        assert {"B0", "C0", "C1", "C2", "A0", "A31"} <= set(desk.batches[1])
        assert [len(batch) for batch in desk.batches] == [1, 36, 8]

    scenario(steps())


def test_lanes_work_for_different_merchants_where_several_wait():
    async def steps():
        desk = Desk(is_open=False)
        coalescer = Coalescer(desk, lanes=2, batch=4, linger=0)
        tasks = asking(coalescer, "A0", merchant_id=1)
        await desk.has_begun()
        tasks += asking(coalescer, "A1", "A2", merchant_id=1) + asking(coalescer, "B0", merchant_id=2)
        await desk.has_begun()
        await settled()
        desk.open.set()
        await asyncio.gather(*tasks)
        await coalescer.close()
        assert sorted(desk.batches) == [["A0"], ["A1", "A2"], ["B0"]]

    scenario(steps())


def test_of_more_than_a_batch_each_lane_takes_its_share_of_the_merchants():
    async def steps():
        desk = Desk(is_open=False)
        coalescer = Coalescer(desk, lanes=2, batch=4)
        tasks = [task for n in range(12) for task in asking(coalescer, f"M{n % 6}-{n}", merchant_id=n % 6)]
        await desk.has_begun(2)
        await settled()
        desk.open.set()
        await asyncio.gather(*tasks)
        await coalescer.close()
        one, other = ({id.split("-")[0] for id in batch} for batch in desk.batches)
        assert (one | other, one & other) == ({f"M{n}" for n in range(6)}, set())
        assert [len(batch) for batch in desk.batches] == [6, 6]  # more than for one merchant

    scenario(steps())


def test_a_call_for_many_takes_more_but_not_without_end():
    assert [room(1000, merchants) for merchants in (1, 125, 126, 400, 500, 9999)] == [
        1000,
        1500,
        1512,
        4800,
        6000,
        6000,
    ]


def test_the_orders_of_a_merchant_are_decided_in_the_order_they_came():
    async def steps():
        desk = Desk(is_open=False)
        coalescer = Coalescer(desk, lanes=1, batch=7)
        tasks = await busy(coalescer, desk)
        for n in range(30):
            tasks += asking(coalescer, f"M{n % 3}-{n}", merchant_id=n % 3)
        await settled()
        desk.open.set()
        await asyncio.gather(*tasks)
        await coalescer.close()
        for merchant in range(3):
            decided = [id for batch in desk.batches for id in batch if id.startswith(f"M{merchant}-")]
            assert decided == [f"M{n % 3}-{n}" for n in range(30) if n % 3 == merchant]

    scenario(steps())


def test_a_full_queue_refuses_and_takes_again_once_there_is_room():
    async def steps():
        desk = Desk(is_open=False)
        coalescer = Coalescer(desk, lanes=1, queue=3)
        tasks = await busy(coalescer, desk)
        tasks += asking(coalescer, "D1", "D2", "D3")
        await settled()
        with pytest.raises(IntakeFull) as refused:
            await coalescer.ask(order("D4"))
        assert refused.value.details == {"waiting": 3}
        desk.open.set()
        await asyncio.gather(*tasks)
        await coalescer.ask(order("D5"))
        await coalescer.close()
        assert "D4" not in {id for batch in desk.batches for id in batch}

    scenario(steps())


def test_an_order_that_is_late_is_said_to_be_and_decided_all_the_same():
    async def steps():
        desk = Desk(is_open=False)
        coalescer = Coalescer(desk, patience=0)
        with pytest.raises(IntakeDeadline) as refused:
            await coalescer.ask(order("D1"))
        assert refused.value.details == {"id": "D1"}
        desk.open.set()
        await coalescer.close()
        assert desk.batches == [["D1"]]

    scenario(steps())


def test_whoever_waits_too_long_is_told_so_in_the_order_in_which_they_came():
    """One timer serves all: it goes on to the next when it has rung for one, and leaves out who has gone."""

    async def steps():
        desk = Desk(is_open=False)
        coalescer = Coalescer(desk, lanes=1, patience=0.01)
        told = []
        for id in ("D1", "D2", "D3", "D4"):
            (task,) = asking(coalescer, id)
            task.add_done_callback(lambda task, id=id: told.append((id, task.cancelled())))
            await settled()
            if id == "D2":
                task.cancel()
        while len(told) < 4:
            await asyncio.sleep(0)
        assert told == [("D2", True), ("D1", False), ("D3", False), ("D4", False)]
        desk.open.set()
        await coalescer.close()
        assert desk.batches == [["D1"]]  # the others had not had their turn when they were told

    scenario(steps())


def test_what_was_told_that_it_is_late_leaves_the_queue_to_others():
    async def steps():
        desk = Desk(is_open=False)
        coalescer = Coalescer(desk, lanes=1, queue=2, patience=0.01)
        tasks = asking(coalescer, "first")
        await desk.has_begun()
        for _ in range(2):
            tasks += asking(coalescer, "A1", merchant_id=1) + asking(coalescer, "B1", merchant_id=2)
            assert {type(each) for each in await asyncio.gather(*tasks, return_exceptions=True)} == {IntakeDeadline}
            assert coalescer.waiting == 0
        coalescer.patience = 1000
        tasks = asking(coalescer, "A2", merchant_id=1) + asking(coalescer, "B2", merchant_id=2)
        await settled()
        desk.open.set()
        assert [each.id for each in await asyncio.gather(*tasks)] == ["A2", "B2"]
        await coalescer.close()
        assert desk.batches == [["first"], ["A2", "B2"]]

    scenario(steps())


def test_of_orders_asked_for_in_one_breath_each_is_said_to_be_late():
    async def steps():
        desk = Desk(is_open=False)
        coalescer = Coalescer(desk, lanes=1, batch=2, patience=0)
        outcomes = await coalescer.ask_all([order(f"D{n}") for n in range(3)])
        desk.open.set()
        await coalescer.close()
        assert [(type(each), each.details) for each in outcomes] == [
            (IntakeDeadline, {"id": f"D{n}"}) for n in range(3)
        ]

    scenario(steps())


@pytest.mark.parametrize("ask", [lambda c: c.ask(order("D1")), lambda c: c.ask_all([order("D1"), order("D2")])])
def test_an_order_whose_asker_has_gone_before_its_turn_is_not_decided(ask):
    async def steps():
        desk = Desk(is_open=False)
        coalescer = Coalescer(desk, lanes=1)
        tasks = await busy(coalescer, desk)
        gone = asyncio.create_task(ask(coalescer))
        await settled()
        gone.cancel()
        desk.open.set()
        await asyncio.gather(*tasks)
        await coalescer.close()
        assert desk.batches == [["first0"]]

    scenario(steps())


@pytest.mark.parametrize("ask", [lambda c: c.ask(order("D1")), lambda c: c.ask_all([order("D1")])])
def test_whoever_goes_at_the_moment_of_the_answer_disturbs_nobody(ask):
    async def steps():
        faults = []
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
        desk = Desk(is_open=False)
        coalescer = Coalescer(desk, lanes=1)
        task = asyncio.create_task(ask(coalescer))
        await desk.has_begun()
        desk.open.set()
        coalescer._threads.shutdown(wait=True)  # the answer is on its way to the loop, which has not looked yet
        task.cancel()
        await settled()
        assert (task.cancelled(), coalescer.idle, faults) == (True, True, [])

    scenario(steps())


@pytest.mark.parametrize(("poison", "refusal"), [("bad", Invalid), ("broken", IntakeFailed)])
def test_a_bad_order_fails_alone_and_its_neighbours_are_decided(poison, refusal):
    async def steps():
        desk = Desk()
        coalescer = Coalescer(desk)
        ids = [f"D{n}" for n in range(10)]
        ids[3] = ids[8] = poison
        outcomes = await coalescer.ask_all([order(id) for id in ids])
        await coalescer.close()
        for id, outcome in zip(ids, outcomes, strict=True):
            assert isinstance(outcome, refusal) if id == poison else outcome.id == id
        assert desk.batches[-1] != desk.batches[0]

    scenario(steps())


def test_after_a_lost_connection_the_same_batch_is_asked_again():
    async def steps():
        desk = Desk(losses=3)
        coalescer = Coalescer(desk, pause=0)
        outcomes = await coalescer.ask_all([order("D1"), order("D2")])
        await coalescer.close()
        assert [each.state for each in outcomes] == ["authorised", "authorised"]
        assert desk.batches == [["D1", "D2"]] * 4

    scenario(steps())


def test_a_database_that_stays_away_is_not_asked_for_longer_than_somebody_waits():
    async def steps():
        desk = Desk(losses=10**9)
        coalescer = Coalescer(desk, pause=0.001, patience=0.02)
        with pytest.raises(IntakeDeadline):
            await coalescer.ask(order("D1"))
        await coalescer.close()
        assert 1 <= len(desk.batches) < 100

    scenario(steps())


def test_closing_takes_no_more_and_decides_what_waits():
    async def steps():
        desk = Desk(is_open=False)
        coalescer = Coalescer(desk, lanes=1)
        tasks = await busy(coalescer, desk)
        tasks += asking(coalescer, "D1", "D2")
        await settled()
        closing = asyncio.create_task(coalescer.close())
        await settled()
        with pytest.raises(IntakeClosing):
            await coalescer.ask(order("D3"))
        assert not closing.done()
        desk.open.set()
        await closing
        assert [task.result().id for task in tasks] == ["first0", "D1", "D2"]
        assert desk.batches == [["first0"], ["D1", "D2"]]

    scenario(steps())
