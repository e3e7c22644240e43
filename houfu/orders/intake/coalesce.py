"""Coalescing: orders that wait at the same time are decided together, a thousand by one call instead of one by one."""

import asyncio
import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from houfu.kernel.db import OutcomeUnknown
from houfu.kernel.errors import Busy, Refused
from houfu.orders.actions import Asked, Decision
from houfu.orders.intake.threads import Threads

log = logging.getLogger("houfu.intake")
Decide = Callable[[Sequence[Asked]], Sequence[Decision]]
Outcome = Decision | Exception
Tell = Callable[[Outcome, int], None]
DEEP = 12  # orders of each merchant that a call of many takes: what it costs for a merchant is paid once for them
HELP = 64  # orders for which another lane begins, or half a batch; fewer are not worth a call of their own
WIDE = 6  # times a batch that a call takes at most because it is of many


def room(batch: int, merchants: int) -> int:
    """Return how many orders one call takes when it is for so many merchants.

    Args:
        batch: how many it takes for one.
    """
    return min(max(batch, DEEP * merchants), WIDE * batch)


class IntakeFull(Refused):
    """More orders wait than can be decided soon; nothing was taken, send this one again after a moment."""

    code = "intake_full"
    status = 429


class IntakeDeadline(Refused):
    """This order was not decided in time; ask again by its id, which gives the answer if there is one."""

    code = "intake_deadline"
    status = 503


class IntakeClosing(Refused):
    """This process is about to end and takes no more orders; nothing was taken."""

    code = "intake_closing"
    status = 503


class IntakeFailed(Refused):
    """Something went wrong on our side; ask again by the order's id, which gives the answer if there is one."""

    code = "intake_failed"
    status = 500


class Waiting:
    """An order that waits for its decision, and whoever is to be told: nobody once they were, or have gone.

    Args:
        ends: when it has waited too long, by the loop's clock.
        place: among those that were asked for in one breath.
    """

    __slots__ = ("asked", "ends", "place", "tell")

    def __init__(self, asked: Asked, tell: Tell, ends: float, place: int = 0) -> None:
        self.asked, self.ends, self.place = asked, ends, place
        self.tell: Tell | None = tell

    def forget(self) -> None:
        """Nobody waits any more: if it has not had its turn, it is not decided."""
        self.tell = None


class _Together:
    """Orders asked for in one breath, answered once all of them are told of."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._outcomes: list[Any] = [None] * count
        self.answer: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()

    def put(self, outcome: Outcome, place: int) -> None:
        self._outcomes[place] = outcome
        self._left -= 1
        if not self._left and not self.answer.done():
            self.answer.set_result(self._outcomes)


@dataclass(eq=False, slots=True)
class _Flight:
    """Orders that a lane decides now, and of which merchants they are."""

    taken: list[Waiting]
    merchants: set[int]


@dataclass
class Coalescer:
    """Gathers orders and decides them in a few lanes, each a thread with a database connection of its own.

    While a lane is at work, orders gather; when it comes free it takes what waits, from every merchant in turn, and of
    many merchants more at a time (`room`). Lanes that are free divide what waits, as long as each has `HELP` of it, and
    another one begins once as many wait, or somebody has waited for `linger`: while one lane waits for the database,
    the other computes; two calls of few orders cost more than one of both. Where it can, a lane works for merchants
    that no other lane works for, as two would wait for each other's limits.

    Args:
        decide: decides orders in one transaction and may be asked again: the same ids get their first answers.
        lanes: how many calls run at once.
        batch: how many orders one call takes at most for one merchant, and `WIDE` times as many for many.
        queue: how many may wait before more are refused.
        patience: seconds after which an order is no longer waited for.
        linger: seconds that an order waits at most while a lane is free.
        pause: seconds before a database that was lost is asked again.
    """

    decide: Decide
    lanes: int = 2
    batch: int = 1000
    queue: int = 20_000
    patience: float = 10
    linger: float = 0.02
    pause: float = 0.2
    _queues: OrderedDict[int, deque[Waiting]] = field(default_factory=OrderedDict)
    _count: int = 0
    _flights: list[_Flight] = field(default_factory=list)
    _woken: bool = False
    _lingering: asyncio.TimerHandle | None = None
    _late: asyncio.TimerHandle | None = None
    _closing: bool = False

    def __post_init__(self) -> None:
        self._threads = Threads(self.lanes, "decide")
        self._help = min(HELP, self.batch // 2)
        self._rested = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many orders wait for their turn."""
        return self._count

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is being decided."""
        return not self._count and not self._flights

    async def ask(self, asked: Asked) -> Decision:
        """Have an order decided.

        Raises:
            IntakeFull, IntakeClosing: it was not taken.
            IntakeDeadline: it was, but its decision did not come in time.
            Refused: it is not well formed, or not its asker's to ask.
        """
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        waiting = self.put(asked, lambda outcome, _: None if answer.done() else answer.set_result(outcome))
        try:
            outcome = await answer
        except asyncio.CancelledError:
            waiting.forget()
            raise
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def ask_all(self, asked: Sequence[Asked]) -> list[Outcome]:
        """Have orders decided, those that wait longest first, and return what became of each.

        Raises:
            IntakeFull, IntakeClosing: none of them was taken.
        """
        self._admit(len(asked))
        if not asked:
            return []
        together = _Together(len(asked))
        ends = asyncio.get_running_loop().time() + self.patience
        all_ = [Waiting(each, together.put, ends, place) for place, each in enumerate(asked)]
        self._line_up(all_)
        try:
            return await together.answer
        except asyncio.CancelledError:
            for each in all_:
                each.forget()
            raise

    def put(self, asked: Asked, tell: Tell) -> Waiting:
        """Take an order and return at once; `tell` is called with what became of it and 0, later, in the same thread.

        Raises:
            IntakeFull, IntakeClosing: it was not taken.
        """
        self._admit(1)
        waiting = Waiting(asked, tell, asyncio.get_running_loop().time() + self.patience)
        self._line_up([waiting])
        return waiting

    def refuse_more(self) -> None:
        """Take no more orders from now on; those that wait are decided."""
        self._closing = True

    async def close(self) -> None:
        """Take no more, and return once all that waits has its answer."""
        self.refuse_more()
        if not self.idle:
            await self._rested.wait()
        self._threads.close()

    def _admit(self, count: int) -> None:
        """Refuse more than can be decided soon; of an empty queue, whatever comes in one breath is admitted."""
        if self._closing:
            raise IntakeClosing()
        if self._count + count > max(self.queue, count):
            raise IntakeFull(waiting=self._count)

    def _line_up(self, all_: Sequence[Waiting]) -> None:
        for waiting in all_:
            merchant_id = waiting.asked.order.merchant_id
            queue = self._queues.get(merchant_id)
            if queue is None:
                queue = self._queues[merchant_id] = deque()
            queue.append(waiting)
        self._count += len(all_)
        if not self._woken and len(self._flights) < self.lanes:
            self._wake()
        if self._late is None:
            self._late = asyncio.get_running_loop().call_at(all_[0].ends, self._tell_late)

    def _tell_late(self) -> None:
        """Answer whoever has waited too long, the oldest first, and come again when the next has.

        All wait equally long, so the first in each queue is its oldest. It comes a hundred times within that at most.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        late = [each for flight in self._flights for each in flight.taken if each.ends <= now]
        for merchant_id, queue in list(self._queues.items()):
            while queue and queue[0].ends <= now:
                late.append(queue.popleft())
                self._count -= 1
            if not queue:
                del self._queues[merchant_id]
        for each in sorted(late, key=lambda each: each.ends):
            _told(each, IntakeDeadline(id=each.asked.order.id))
        ends = [each.ends for flight in self._flights for each in flight.taken if each.tell]
        ends += [queue[0].ends for queue in self._queues.values()]
        self._late = loop.call_at(max(min(ends), now + self.patience / 100), self._tell_late) if ends else None

    def _wake(self) -> None:
        """See to it that a free lane begins when it is worth it, with all that arrives in this turn of the loop."""
        if not self._count or len(self._flights) == self.lanes:
            return
        loop = asyncio.get_running_loop()
        if not self._flights or self._count >= self._help:
            self._stop_lingering()
            if not self._woken:
                self._woken = True
                loop.call_soon(self._begin)
        elif not self._woken and self._lingering is None:
            self._lingering = loop.call_later(self.linger, self._begin)

    def _stop_lingering(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None

    def _begin(self) -> None:
        self._woken = False
        self._stop_lingering()
        if len(self._flights) == self.lanes:
            return
        taken = self._take()
        if taken:
            flight = _Flight(taken, {each.asked.order.merchant_id for each in taken})
            self._flights.append(flight)
            self._threads.submit(self._work, asyncio.get_running_loop(), flight)
        self._wake()
        self._rest()

    def _choose(self) -> list[int]:
        """Choose for whom a call is: of the merchants that wait, those whom no lane works for, or else all.

        Once more waits than a batch, a lane leaves their share to the others that are free.
        """
        worked_for = set().union(*(flight.merchants for flight in self._flights))
        chosen = [merchant_id for merchant_id in self._queues if merchant_id not in worked_for] or list(self._queues)
        return chosen if self._count <= self.batch else chosen[: -(-len(self._queues) // self._free)]

    @property
    def _free(self) -> int:
        return self.lanes - len(self._flights)

    def _take(self) -> list[Waiting]:
        """Take what one call decides: a like share of every merchant that it is for, in turn."""
        taken: list[Waiting] = []
        chosen = self._choose()
        limit = min(room(self.batch, len(chosen)), max(self._help, -(-self._count // self._free)))
        while chosen and len(taken) < limit:
            share = max(1, (limit - len(taken)) // len(chosen))
            left = []
            for merchant_id in chosen:
                queue = self._queues.pop(merchant_id)
                first = [queue.popleft() for _ in range(min(share, len(queue), limit - len(taken)))]
                self._count -= len(first)
                taken += [each for each in first if each.tell]  # else whoever asked has gone
                if queue:
                    self._queues[merchant_id] = queue
                    left.append(merchant_id)
                if len(taken) == limit:
                    break
            chosen = left
        return taken

    def _work(self, loop: asyncio.AbstractEventLoop, flight: _Flight) -> None:
        loop.call_soon_threadsafe(self._end, flight, self._decided(flight.taken))

    def _end(self, flight: _Flight, outcomes: Sequence[Outcome]) -> None:
        self._flights.remove(flight)
        for each, outcome in zip(flight.taken, outcomes, strict=True):
            _told(each, outcome)
        self._wake()
        self._rest()

    def _rest(self) -> None:
        if self._closing and self.idle:
            self._rested.set()

    def _decided(self, taken: Sequence[Waiting]) -> list[Outcome]:
        """Decide a batch in this thread; one bad order among them is found by halving and fails alone.

        A lost connection leaves it open whether the batch was committed: the same ids are asked again, for as long as
        somebody waits.
        """
        asked = [each.asked for each in taken]
        while True:
            try:
                return list(self.decide(asked))
            except (OutcomeUnknown, Busy) as refusal:
                if not any(each.tell for each in taken):
                    return [refusal] * len(taken)
                log.warning("%s orders are asked for again: %s", len(taken), refusal)
                threading.Event().wait(self.pause)
            except Exception as error:
                if len(taken) == 1:
                    if isinstance(error, Refused):
                        return [error]
                    log.exception("an order could not be decided")
                    return [IntakeFailed(id=asked[0].order.id)]
                half = len(taken) // 2
                return self._decided(taken[:half]) + self._decided(taken[half:])


def _told(waiting: Waiting, outcome: Outcome) -> None:
    """Tell whoever waits for an order, once."""
    tell = waiting.tell
    if tell is not None:
        waiting.tell = None
        tell(outcome, waiting.place)
