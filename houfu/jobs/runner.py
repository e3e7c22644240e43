"""The runner: a process of its own that takes the steps of jobs, so that no long work can hold up a payout.

Each round takes one step for every merchant that has a job; a merchant with a million rows to export costs another
no more than a step. Between two steps nothing is held but rows: whoever kills the runner loses the step under way,
and the next one goes on from the mark. One runner works at a time, by a lock of its database session, which dies
with it; should two believe that they do, the count of steps lets one of them through.
"""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from uuid import UUID

import psycopg
from django.db import Error, connection, connections

from houfu.jobs import actions, kinds, queries
from houfu.jobs.kinds import Part
from houfu.jobs.models import Job
from houfu.kernel import crash, db, isolation
from houfu.kernel.db import OutcomeUnknown
from houfu.kernel.errors import Busy, NotFound, Refused, Unauthenticated
from houfu.people import queries as people
from houfu.people.actor import EVERYBODY, Actor, system

log = logging.getLogger("houfu.jobs")
BY = system("jobs")
TELL_EVERY = 1.0  # seconds between two words about how far a step is
LOCK = 0x686F7566756A6F62  # "houfujob": held by the one runner that works


def take_turn(merchant_id: int, id: UUID) -> bool:
    """Take the next step of a job and say whether it is to go on.

    A refusal ends the job for its code; a fault of the database, or of ours, is tried again a few times.

    Raises:
        Error, OutcomeUnknown: the database could not be spoken to.
    """
    with isolation.acting(BY):
        job = actions.begin(by=BY, merchant_id=merchant_id, id=id)
        if job is None:
            return False
        crash.point("job.after_begin")
        try:
            asker = _asker(job)
            actions.step(by=asker, job=job, part=_at_once(asker, job))
            crash.point("job.after_step")
        except (Busy, actions.Overtaken) as again:
            log.warning("job %s: %s", id, again)
        except OutcomeUnknown:
            raise
        except Refused as refusal:
            actions.fail(by=BY, job=job, code=refusal.code)
        except Error as error:
            if connection.connection is None or connection.connection.closed:
                raise
            log.warning("job %s: %s", id, error)  # such as a statement that took too long
        except Exception:
            log.exception("job %s of merchant %s", id, merchant_id)
        return queries.job(merchant_id, id).ended_at is None


def finish(merchant_id: int, id: UUID) -> Job:
    """Take all the steps of a job here and now, as a command does that waits for it, and return how it ended."""
    while take_turn(merchant_id, id):
        pass
    return queries.job(merchant_id, id)


def _at_once(by: Actor, job: Job) -> Part | None:
    """Do work that is not divided into steps, and return what came of it; None for work that is.

    It may hold a transaction of its own while it says how far it is, so that is said over another connection.
    """
    work = kinds.found(job.kind)
    if work.at_once is None:
        return None
    work.require(by, job.merchant_id, job.asked)
    with ThreadPoolExecutor(1) as aside:
        last = time.monotonic()

        def tell(done: int, of: int) -> None:
            nonlocal last
            if time.monotonic() - last >= TELL_EVERY:
                aside.submit(actions.tell, by=BY, job=job, done=done, of=of).result()
                last = time.monotonic()

        try:
            with isolation.acting(by):
                return work.at_once(by, job.merchant_id, job.asked, tell)
        finally:
            aside.submit(connections.close_all).result()


def _asker(job: Job) -> Actor:
    """Return who asked for a job, with the rights that they have now, and the duty that the job is.

    Raises:
        RightsLost: they have none any more.
    """
    duty = EVERYBODY if job.by_platform and kinds.found(job.kind).everybody else None
    try:
        return replace(people.again(0 if job.by_platform else job.merchant_id, job.asked_by), duty=duty)
    except (Unauthenticated, NotFound) as gone:
        raise actions.RightsLost() from gone


@dataclass
class Runner:
    """Gives merchants their turns, until it is told to stop."""

    stopping: threading.Event = field(default_factory=threading.Event)
    _held: object = None  # the session that has the lock

    def serve(self, pause: float) -> None:
        """Work until told to stop; the step under way is finished.

        Args:
            pause: seconds between two looks when there is nothing to do, and nobody asks for anything.
        """
        while not self.stopping.is_set():
            try:
                with isolation.acting(BY):
                    done = self.round_()
            except (Refused, Error) as error:
                _give_up(error)
                done = 0
            if not done:
                self._wait(pause)

    def round_(self) -> int:
        """Throw away what has expired, and take one step for every merchant; return how much was done."""
        if not self._is_mine():
            return 0
        done = actions.expire(by=BY)
        for merchant_id, id in queries.turns():
            if self.stopping.is_set() or not self._is_mine():
                break
            try:
                take_turn(merchant_id, id)
            except (Refused, Error) as error:  # another merchant's turn may fare better
                _give_up(error)
            done += 1
        return done

    def _is_mine(self) -> bool:
        """Say whether this is the runner that works: whose present session holds the lock."""
        connection.ensure_connection()
        if self._held is not connection.connection:
            mine = db.rows("SELECT pg_try_advisory_lock(%s) AS mine", [LOCK])[0].mine
            self._held = connection.connection if mine else None
        return self._held is not None

    def _wait(self, pause: float) -> None:
        """Wait until somebody asks for something, or the pause is over."""
        try:
            connection.ensure_connection()
            connection.connection.execute(f"LISTEN {actions.CHANNEL}")
            for _ in connection.connection.notifies(timeout=pause, stop_after=1):
                return
        except (Error, psycopg.Error) as error:
            _give_up(error)
            self.stopping.wait(pause)


def _give_up(error: Exception) -> None:
    """After a fault of the database, come back over another connection, which has to take the lock anew."""
    log.warning("%s", error)
    if not isinstance(error, Refused):
        connection.close()
