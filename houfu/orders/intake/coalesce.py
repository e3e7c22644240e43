"""Coalescing: orders that wait at the same time are decided together, a thousand by one call instead of one by one."""

import asyncio
import logging
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from houfu.kernel.db import OutcomeUnknown
from houfu.kernel.errors import Busy, Refused
from houfu.orders.actions import Asked, Decision
from houfu.orders.intake.threads import Threads

log = logging.getLogger("houfu.intake")
Decide = Callable[[Sequence[Asked]], Sequence[Decision]]
Outcome = Decision | Exception
Answered = Callable[[list[Outcome]], None]
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


class Request:
    """Orders asked for in one breath, and what became of them so far."""

    __slots__ = ("_answered", "_asked", "_left", "_open", "_outcomes", "over")

    def __init__(self, asked: Sequence[Asked], answered: Answered, open_: "Open") -> None:
        self._asked, self._answered, self._open, self._left = asked, answered, open_, len(asked)
        self._outcomes: list[Outcome | None] = [None] * len(asked)
        self.over = False
        open_.add(self)

    def put(self, place: int, outcome: Outcome) -> None:
        self._outcomes[place] = outcome
        self._left -= 1
        if not self._left:
            self._answer()

    def give_up(self) -> None:
        """Answer with what there is; the time is over for the rest."""
        pairs = zip(self._asked, self._outcomes, strict=True)
        self._outcomes = [had or IntakeDeadline(id=asked.order.id) for asked, had in pairs]
        self._answer()

    def forget(self) -> None:
        """Nobody waits any more: what has not had its turn is not decided."""
        if not self.over:
            self.over = True
            self._open.drop(self)

    def _answer(self) -> None:
        if not self.over:
            self.forget()
            self._answered(self._outcomes)  # type: ignore[arg-type]  # none of them is open any more


class Open:
    """The requests that are not answered yet, the oldest first. All wait equally long, so one timer serves them all.

    Args:
        patience: seconds after which a request is answered with what there is.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._ends: OrderedDict[Request, float] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, request: Request) -> None:
        loop = asyncio.get_running_loop()
        self._ends[request] = loop.time() + self._patience
        if self._timer is None:
            self._timer = loop.call_later(self._patience, self._ring)

    def drop(self, request: Request) -> None:
        del self._ends[request]

    def _ring(self) -> None:
        """Answer whoever has waited long enough, and set the timer for the next."""
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._ends:
            request, ends = next(iter(self._ends.items()))
            if ends > loop.time():
                self._timer = loop.call_at(ends, self._ring)
                return
            request.give_up()


class _Waiting(NamedTuple):
    asked: Asked
    request: Request
    place: int


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
    _queues: OrderedDict[int, deque[_Waiting]] = field(default_factory=OrderedDict)
    _count: int = 0
    _busy: int = 0
    _flying: Counter[int] = field(default_factory=Counter)
    _woken: bool = False
    _lingering: asyncio.TimerHandle | None = None
    _closing: bool = False

    def __post_init__(self) -> None:
        self._threads = Threads(self.lanes, "decide")
        self._open = Open(self.patience)
        self._help = min(HELP, self.batch // 2)
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def waiting(self) -> int:
        """How many orders wait for their turn."""
        return self._count

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is being decided."""
        return self._idle.is_set()

    async def ask(self, asked: Asked) -> Decision:
        """Have an order decided.

        Raises:
            IntakeFull, IntakeClosing: it was not taken.
            IntakeDeadline: it was, but its decision did not come in time.
            Refused: it is not well formed, or not its asker's to ask.
        """
        (outcome,) = await self.ask_all([asked])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def ask_all(self, asked: Sequence[Asked]) -> list[Outcome]:
        """Have orders decided, those that wait longest first, and return what became of each.

        Raises:
            IntakeFull, IntakeClosing: none of them was taken.
        """
        if not asked and not self._closing:
            return []
        answer: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        request = self.put(asked, lambda outcomes: None if answer.done() else answer.set_result(outcomes))
        try:
            return await answer
        finally:
            request.forget()

    def put(self, asked: Sequence[Asked], answered: Answered) -> Request:
        """Take orders and return at once; `answered` is told what became of each, later, in the same thread.

        Raises:
            IntakeFull, IntakeClosing: none of them was taken.
        """
        if self._closing:
            raise IntakeClosing()
        if self._count + len(asked) > max(self.queue, len(asked)):
            raise IntakeFull(waiting=self._count)
        request = Request(asked, answered, self._open)
        for place, each in enumerate(asked):
            waiting = self._queues.get(each.order.merchant_id)
            if waiting is None:
                waiting = self._queues[each.order.merchant_id] = deque()
            waiting.append(_Waiting(each, request, place))
        self._count += len(asked)
        self._idle.clear()
        self._wake()
        return request

    def refuse_more(self) -> None:
        """Take no more orders from now on; those that wait are decided."""
        self._closing = True

    async def close(self) -> None:
        """Take no more, and return once all that waits has its answer."""
        self.refuse_more()
        await self._idle.wait()
        self._threads.close()

    def _wake(self) -> None:
        """See to it that a free lane begins when it is worth it, with all that arrives in this turn of the loop."""
        if not self._count or self._busy == self.lanes:
            return
        loop = asyncio.get_running_loop()
        if not self._busy or self._count >= self._help:
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
        if self._busy == self.lanes:
            return
        taken = self._take()
        if taken:
            self._busy += 1
            merchants = {asked.order.merchant_id for asked, _, _ in taken}
            self._flying.update(merchants)
            self._threads.submit(self._work, asyncio.get_running_loop(), taken, merchants)
        self._wake()
        self._rest()

    def _choose(self) -> list[int]:
        """Choose for whom a call is: of the merchants that wait, those whom no lane works for, or else all.

        Once more waits than a batch, a lane leaves their share to the others that are free.
        """
        chosen = [merchant_id for merchant_id in self._queues if merchant_id not in self._flying] or list(self._queues)
        return chosen if self._count <= self.batch else chosen[: -(-len(self._queues) // (self.lanes - self._busy))]

    def _take(self) -> list[_Waiting]:
        """Take what one call decides: a like share of every merchant that it is for, in turn."""
        taken: list[_Waiting] = []
        chosen = self._choose()
        limit = min(room(self.batch, len(chosen)), max(self._help, -(-self._count // (self.lanes - self._busy))))
        while chosen and len(taken) < limit:
            share = max(1, (limit - len(taken)) // len(chosen))
            left = []
            for merchant_id in chosen:
                waiting = self._queues.pop(merchant_id)
                for _ in range(min(share, len(waiting), limit - len(taken))):
                    each = waiting.popleft()
                    self._count -= 1
                    if not each.request.over:  # else whoever asked has gone, or waited too long
                        taken.append(each)
                if waiting:
                    self._queues[merchant_id] = waiting
                    left.append(merchant_id)
                if len(taken) == limit:
                    break
            chosen = left
        return taken

    def _work(self, loop: asyncio.AbstractEventLoop, taken: Sequence[_Waiting], merchants: set[int]) -> None:
        loop.call_soon_threadsafe(self._end, taken, merchants, self._decided(taken))

    def _end(self, taken: Sequence[_Waiting], merchants: set[int], outcomes: Sequence[Outcome]) -> None:
        self._busy -= 1
        self._flying -= Counter(merchants)
        for (_, request, place), outcome in zip(taken, outcomes, strict=True):
            request.put(place, outcome)
        self._wake()
        self._rest()

    def _rest(self) -> None:
        if not self._count and not self._busy:
            self._idle.set()

    def _decided(self, taken: Sequence[_Waiting]) -> list[Outcome]:
        """Decide a batch in this thread; one bad order among them is found by halving and fails alone.

        A lost connection leaves it open whether the batch was committed: the same ids are asked again, for as long as
        somebody waits.
        """
        asked = [each.asked for each in taken]
        while True:
            try:
                return list(self.decide(asked))
            except (OutcomeUnknown, Busy) as refusal:
                if all(each.request.over for each in taken):
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
