"""Every write to jobs: asking, taking a step, ending, handing over what came of it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from houfu.history import actions as history
from houfu.jobs import kinds, queries, rules
from houfu.jobs.models import Job, Piece
from houfu.jobs.states import OPEN, move_job
from houfu.kernel import clock, crash, db
from houfu.kernel.errors import Forbidden, IllegalMove, Refused
from houfu.people.actor import Actor

CHANNEL = "houfu_jobs"


@db.refuse_on("jobs_job_room")
class NoRoom(Refused):
    """Twenty jobs of a merchant may be open or keep a file; wait for one to end, cancel one, or let a file expire."""

    code = "jobs_job_room"


db.retry_on("jobs_job_place")  # somebody took it just before


@db.refuse_on("jobs_job_arguments", "jobs_job_reason", "jobs_job_result", "jobs_job_mark")
class TooMuch(Refused):
    """Arguments, reason or result of a job are longer than what is kept of them."""

    code = "job_too_long"
    status = 422


class IdReused(Refused):
    """A job of this id exists that asked for something else, or was asked for by somebody else."""

    code = "job_id_reused"
    status = 422


class FileTooLarge(Refused):
    """The file would be larger than what is kept; ask for a shorter period or for less."""

    code = "job_file_too_large"


class FileGone(Refused):
    """There is no file: the job makes none, has not ended well, or its file has expired; ask for it anew."""

    code = "job_file_gone"


class RightsLost(Forbidden):
    """Whoever asked for this has left, or their key has ended, since."""

    code = "job_rights_lost"


class GaveUp(Refused):
    """A step of this job did not end well however often it was tried."""

    code = "job_gave_up"


class Overtaken(Refused):
    """The job was moved on meanwhile by somebody else; what this step did was undone."""

    code = "job_overtaken"


@db.action
def ask(
    *, by: Actor, merchant_id: int, kind: str, arguments: Mapping[str, Any], reason: str = "", id: UUID | None = None
) -> Job:
    """Ask for long work; it is done step by step, with the rights that `by` has at each.

    Args:
        arguments: JSON, as the kind wants it.
        reason: why, in the asker's words.
        id: chosen by the caller, so that asking again asks once.

    Raises:
        UnknownKind, Forbidden, NotFound, WholeMerchantNeeded, NoRoom, TooMuch, IdReused: nothing is waiting.
    """
    work = kinds.found(kind)
    work.require(by, merchant_id, arguments)
    said = kinds.canonical(arguments)
    id = id or uuid4()
    there = Job.objects.filter(merchant_id=merchant_id, id=id).first()
    if there:
        if not queries.is_own(by, there) or (there.kind, there.arguments, there.reason) != (kind, said, reason):
            raise IdReused(id=str(id))
        return there
    taken = set(Job.objects.filter(merchant_id=merchant_id, place__isnull=False).values_list("place", flat=True))
    file = work.file(arguments) if work.file else None
    job = Job(
        merchant_id=merchant_id,
        id=id,
        kind=kind,
        arguments=said,
        reason=reason,
        needs=sorted(work.needs(arguments)),
        stores=None if by.stores is None else sorted(by.stores),
        asked_by=by.label,
        by_platform=by.merchant_id is None,
        asked_at=clock.now(),
        place=min(set(range(1, rules.ROOM + 2)) - taken),
        file_name=file.name if file else None,
        media_type=file.media_type if file else None,
    )
    job.save(force_insert=True)
    _record("asked", by, job, kind=kind, arguments=dict(arguments), reason=reason)
    db.rows("SELECT pg_notify(%s, 'asked')", [CHANNEL])
    return job


@db.action
def cancel(*, by: Actor, merchant_id: int, id: UUID) -> Job:
    """Call off a job that has not ended; the step that is being taken is undone, and its file so far is thrown away.

    Raises:
        NotFound, Forbidden, IllegalMove: it goes on.
    """
    job = queries.access_job(by, merchant_id, id)
    if not queries.is_own(by, job):
        by.require(rules.ENDS_OTHERS, merchant_id)
    _end("cancel", job)
    _record("cancelled", by, job, kind=job.kind)
    return queries.job(merchant_id, id)


@db.action
def begin(*, by: Actor, merchant_id: int, id: UUID) -> Job | None:
    """Note that a step of a job is being tried, and return the job; None where it has ended meanwhile.

    A step that was tried too often ends the job: whatever kills a process at a step does so a few times only.
    """
    key = {"merchant_id": merchant_id, "id": id}
    job = Job.objects.select_for_update(no_key=True).get(**key)
    if job.state not in OPEN:
        return None
    if job.state == "waiting":
        move_job("start", Job, key)
    if job.tries >= rules.TRIES:
        _fail(by, job, GaveUp.code)
        return None
    Job.objects.filter(**key).update(tries=job.tries + 1)
    return queries.job(merchant_id, id)


@db.action
def tell(*, by: Actor, job: Job, done: int, of: int) -> None:
    """Say how far a step is that is being taken at once.

    Raises:
        Overtaken: the job was cancelled, or another process has taken this step.
    """
    key = {"merchant_id": job.merchant_id, "id": job.id, "steps": job.steps, "state": "running"}
    if Job.objects.filter(**key).update(done=done, total=max(done, of)) != 1:
        raise Overtaken()


@db.action
def step(*, by: Actor, job: Job, part: kinds.Part | None = None) -> None:
    """Take the next step of a job as whoever asked for it; what it did and how far the job is are one transaction.

    Args:
        by: who asked, with the rights that they have now.
        part: what has come of the work, where it is done at once and not by steps.

    Raises:
        Overtaken: the job was cancelled, or another process has taken this step.
        Forbidden, NotFound, WholeMerchantNeeded: they may not do this any more.
        FileTooLarge: beyond what is kept.
    """
    work = kinds.found(job.kind)
    work.require(by, job.merchant_id, job.asked)
    if part is None:
        assert work.run is not None
        part = work.run(by, job.merchant_id, job.asked, job.marked)
    size = job.file_bytes + len(part.content)
    if size > rules.FILE_MAX:
        raise FileTooLarge(bytes=size, most=rules.FILE_MAX)
    if part.content:
        Piece(merchant_id=job.merchant_id, job_id=job.id, no=job.steps, content=part.content).save(force_insert=True)
    total = part.of if part.of is None else max(part.of, part.done)
    changes = {"steps": job.steps + 1, "tries": 0, "done": part.done, "total": total, "file_bytes": size}
    key = {"merchant_id": job.merchant_id, "id": job.id, "steps": job.steps}
    crash.point("job.before_commit")
    if part.mark is not None:
        mark = kinds.canonical(part.mark)
        if Job.objects.filter(**key, state="running").update(**changes, mark=mark) != 1:
            raise Overtaken()
        return
    now = clock.now()
    kept = {"expires_at": now + rules.KEPT} if job.file_name else {"place": None}
    result = None if part.result is None else kinds.canonical(part.result)
    try:
        move_job("finish", Job, key, **changes, **kept, ended_at=now, mark=None, result=result)
    except IllegalMove as moved:
        raise Overtaken() from moved
    _record("done", by, job, kind=job.kind, done=part.done, bytes=size)


@db.action
def fail(*, by: Actor, job: Job, code: str) -> None:
    """End a job whose step was refused, for the refusal's code; not where it has ended, or gone on, meanwhile."""
    there = Job.objects.select_for_update(no_key=True).get(merchant_id=job.merchant_id, id=job.id)
    if (there.state, there.steps) == ("running", job.steps):
        _fail(by, there, code)


@db.action
def hand_over(*, by: Actor, merchant_id: int, id: UUID) -> Job:
    """Return a job whose file is about to be read, after noting in the history who has it.

    Raises:
        NotFound, FileGone: there is nothing to hand over.
    """
    job = queries.access_job(by, merchant_id, id)
    if job.expires_at is None or job.expires_at <= clock.now():
        raise FileGone(state=job.state)
    _record("handed_over", by, job, kind=job.kind, arguments=job.asked, reason=job.reason, bytes=job.file_bytes)
    return job


@db.action
def expire(*, by: Actor, limit: int = 100) -> int:
    """Throw away the files whose time is over, of all merchants, and return how many those were."""
    found = queries.expired(clock.now(), limit)
    for merchant_id, id in found:
        job = Job.objects.select_for_update(no_key=True).get(merchant_id=merchant_id, id=id)
        if job.expires_at is None:
            continue
        _throw_away(job)
        Job.objects.filter(merchant_id=merchant_id, id=id).update(expires_at=None, place=None)
        _record("expired", by, job, kind=job.kind)
    return len(found)


def _fail(by: Actor, job: Job, code: str) -> None:
    _end("fail", job, code=code)
    _record("failed", by, job, kind=job.kind, code=code)


def _end(verb: str, job: Job, **changes: Any) -> None:
    """End a job from which nothing comes."""
    move_job(
        verb, Job, {"merchant_id": job.merchant_id, "id": job.id}, place=None, ended_at=clock.now(), mark=None,
        file_bytes=0, **changes,
    )  # fmt: skip
    _throw_away(job)


def _throw_away(job: Job) -> None:
    Piece.objects.filter(merchant_id=job.merchant_id, job_id=job.id).delete()


def _record(what: str, by: Actor, job: Job, **detail: Any) -> None:
    history.record(f"job.{what}", by=by, merchant_id=job.merchant_id, subject=f"job/{job.id}", **detail)
