"""The sender: a process of its own that tells endpoints what they are owed.

Rows decide what is owed; nothing is noted before a message leaves, so whoever kills the sender loses nothing: what was
not concluded is sent again under the same id. One sender works at a time; another waits for its lock.
"""

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from django.db import Error, connection

from houfu.kernel import clock, crash, db, fence
from houfu.kernel.errors import Refused
from houfu.people.actor import system
from houfu.webhooks import actions, queries, signing
from houfu.webhooks.addresses import Target, UrlRefused
from houfu.webhooks.queries import Message
from houfu.webhooks.wire import DELIVERED, Answer, Line, Wire

log = logging.getLogger("houfu.sender")
BY = system("sender")
LOCK = 0x776562686F6F6B73  # "webhooks": held by the one sender that works
# Turns at a time, of endpoints that are well and of doubtful ones, which failed last, are slow or unproven: neither can
# take the other's lines.
LINES = {False: 20, True: 12}
TURN = 8  # messages of a turn at most
TURN_SECONDS = 5.0
REPORTS = 256  # concluded at once

Place = tuple[int, int]


@dataclass(frozen=True)
class _Turn:
    """What one endpoint is told in one go, in order."""

    place: Place
    target: Target
    signers: Sequence[signing.Signer]
    messages: Sequence[Message]


@dataclass(frozen=True)
class _Said:
    """What a line has to report: an answer, or the end of its turn."""

    place: Place
    delivery_id: int = 0
    answer: Answer | None = None


@dataclass
class Sender:
    """Gives endpoints their turns. The database is touched by one thread, the network by the others."""

    wire: Wire = field(default_factory=Wire)
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._lines = ThreadPoolExecutor(sum(LINES.values()), "line")
        self._said: SimpleQueue[_Said] = SimpleQueue()
        self._busy: dict[Place, bool] = {}  # whose turn it is, and whether it is doubtful
        self._mine = False

    def serve(self, pause: float) -> None:
        """Work until told to stop; turns under way are concluded.

        Args:
            pause: seconds between two looks when nothing is going on.
        """
        while not self.stopping.is_set():
            try:
                done = self.round_()
            except (Refused, Error) as error:
                log.warning("%s", error)
                self._let_go(error)
                done = 0
            if not done:
                self._listen(pause)
        self._lines.shutdown(wait=True)
        while self._said.qsize():
            self._listen(0)

    def round_(self) -> int:
        """Follow the chains, start turns and conclude what has been answered; return how much was done.

        Raises:
            CopiedInstance: this is a copy, which tells nobody anything (I-26).
        """
        if not self._is_mine():
            return 0
        fence.check()
        done = actions.follow() + self._start(doubtful=False) + self._start(doubtful=True)
        return done + self._hear(0)

    def work_off(self) -> None:
        """Do all that is due now, and wait for every answer."""
        while self.round_() or self._busy:
            while self._busy:
                self._hear(60)

    def _start(self, *, doubtful: bool) -> int:
        free = LINES[doubtful] - list(self._busy.values()).count(doubtful)
        started = 0
        for place in queries.due(list(self._busy), doubtful=doubtful, limit=free) if free > 0 else ():
            self._busy[place] = doubtful
            started += 1
            try:
                turn = self._turn(place)
            except BaseException:
                del self._busy[place]
                raise
            if turn:
                self._lines.submit(self._tell, turn)
        return started

    def _turn(self, place: Place) -> _Turn | None:
        """Prepare a turn; where that cannot be, its first message is reported as failed."""
        merchant_id, endpoint_id = place
        messages = queries.messages(merchant_id, endpoint_id, TURN)
        if not messages:  # somebody disabled it meanwhile
            self._said.put(_Said(place))
            return None
        try:
            target = actions.url_of(queries.endpoint(merchant_id, endpoint_id).url)
            return _Turn(place, target, queries.signers(merchant_id, endpoint_id), messages)
        except Refused as refusal:
            outcome = "url_refused" if isinstance(refusal, UrlRefused) else "keys_closed"
            self._said.put(_Said(place, messages[0].delivery_id, Answer(outcome, None, 0)))
            self._said.put(_Said(place))
            return None

    def _tell(self, turn: _Turn) -> None:
        """Send the messages of a turn one after another; the first that fails ends it."""
        line: Line | None = None
        ends = time.monotonic() + TURN_SECONDS
        try:
            for message in turn.messages:
                headers = signing.headers(turn.signers, message.webhook_id, int(clock.now().timestamp()), message.body)
                headers |= {"content-type": "application/json", "user-agent": "Houfu"}
                crash.point("webhook.before_post")
                answer, line = self.wire.post(turn.target, headers, message.body, line)
                crash.point("webhook.after_post")
                self._said.put(_Said(turn.place, message.delivery_id, answer))
                if answer.outcome != DELIVERED or time.monotonic() > ends or self.stopping.is_set():
                    break
        except Exception:
            log.exception("endpoint %s of merchant %s", turn.place[1], turn.place[0])
        finally:
            if line:
                line.close()
            self._said.put(_Said(turn.place))

    def _hear(self, seconds: float) -> int:
        """Take what the lines have reported and keep all of it at once; return how many reports that were.

        Args:
            seconds: how long to wait for the first.
        """
        reports = []
        with suppress(Empty):
            reports.append(self._said.get(timeout=seconds) if seconds else self._said.get_nowait())
            while len(reports) < REPORTS:
                reports.append(self._said.get_nowait())
        ended = [actions.Ended(said.place[0], said.delivery_id, said.answer) for said in reports if said.answer]
        try:
            if ended:
                crash.point("webhook.before_conclude")
                actions.conclude(by=BY, ended=ended)
        finally:  # what could not be kept is due still, and is sent again
            for said in reports:
                if said.answer is None:
                    del self._busy[said.place]
        return len(reports)

    def _listen(self, pause: float) -> None:
        """Wait for a report, which is kept, or for the pause to be over."""
        try:
            self._hear(pause)
        except (Refused, Error) as error:
            log.warning("%s", error)
            self._let_go(error)
            self.stopping.wait(pause)

    def _is_mine(self) -> bool:
        """Say whether this is the sender that works: whose connection holds the lock."""
        if not self._mine:
            self._mine = bool(db.rows("SELECT pg_try_advisory_lock(%s) AS mine", [LOCK])[0].mine)
        return self._mine

    def _let_go(self, error: Exception) -> None:
        """After a fault of the database, come back over another connection, which has to take the lock anew."""
        if isinstance(error, Error) or getattr(error, "code", "") == "outcome_unknown":
            connection.close()
            self._mine = False
