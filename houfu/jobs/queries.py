"""Reading jobs; `access_job` is the only way to a single one that is somebody's to see."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from houfu.jobs import rules
from houfu.jobs.kinds import Arguments, canonical
from houfu.jobs.models import Job, Piece
from houfu.jobs.states import OPEN
from houfu.kernel import db, isolation
from houfu.kernel.errors import NotFound
from houfu.people.actor import Actor


def is_own(by: Actor, job: Job) -> bool:
    """Say whether an actor has asked for a job."""
    return rules.own(by.label, by.merchant_id is None, job.asked_by, job.by_platform)


def access_job(by: Actor, merchant_id: int, id: UUID) -> Job:
    """Return a job, if the actor has asked for it or sees the whole merchant, and may still do what it needed.

    Raises:
        NotFound: there is none, or it is not theirs to see.
    """
    found = Job.objects.filter(merchant_id=merchant_id, id=id).first()
    if found is None or by.merchant_id not in (None, merchant_id):
        raise NotFound()
    if not rules.visible(
        scopes=by.scopes, stores=by.stores, own=is_own(by, found), needs=found.needs, job_stores=found.stores
    ):
        raise NotFound()
    return found


def jobs(
    by: Actor, merchant_id: int, *, state: str = "", kind: str = "", arguments: Arguments | None = None,
    after: tuple[datetime, UUID] | None = None, limit: int = 100,
) -> list[Job]:  # fmt: skip
    """Return the jobs of a merchant that the actor may see, the latest asked for first.

    Args:
        arguments: with which they were asked for, to the letter.
    """
    if by.merchant_id not in (None, merchant_id):
        raise NotFound()
    found = Job.objects.filter(merchant_id=merchant_id, needs__contained_by=sorted(by.scopes))
    if by.stores is not None:
        found = found.filter(
            asked_by=by.label, by_platform=by.merchant_id is None, stores__contained_by=sorted(by.stores)
        )
    if state:
        found = found.filter(state=state)
    if kind:
        found = found.filter(kind=kind)
    if arguments is not None:
        found = found.filter(arguments=canonical(arguments))
    if after:
        found = found.extra(where=["(asked_at, id) < (%s, %s)"], params=list(after))
    return db.page(found.order_by("-asked_at", "-id"), limit)


def job(merchant_id: int, id: UUID) -> Job:
    """Return a job that the caller knows to be there."""
    return Job.objects.get(merchant_id=merchant_id, id=id)


def turns() -> list[tuple[int, UUID]]:
    """Return whose turn it is, merchant and job: of every merchant its longest waiting job."""
    found = db.rows(
        "SELECT DISTINCT ON (merchant_id) merchant_id, id FROM jobs_job WHERE state = ANY (%s)"
        " ORDER BY merchant_id, asked_at, id",
        [list(OPEN)],
    )
    return [(row.merchant_id, row.id) for row in found]


def expired(at: datetime, limit: int) -> list[tuple[int, UUID]]:
    """Return jobs of all merchants whose files are to go."""
    found = Job.objects.filter(expires_at__lte=at).order_by("expires_at")[:limit]
    return [(job.merchant_id, job.id) for job in found]


def pieces(by: Actor, job: Job) -> Iterator[bytes]:
    """Yield a job's file piece by piece, each read when it is wanted; one piece is all that is held at a time.

    Raises:
        NotFound: the file went while it was read.
    """
    left = job.file_bytes
    for no in range(job.steps):
        if left == 0:
            return
        with isolation.acting(by):
            content = Piece.objects.filter(merchant_id=job.merchant_id, job_id=job.id, no=no).values_list("content")
            found = content.first()
        if found is not None:
            left -= len(found[0])
            yield bytes(found[0])
    if left:
        raise NotFound()
