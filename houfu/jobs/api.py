"""Jobs over HTTP: asking for an export, how far it is, calling it off, having its file."""

from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Router, Status
from pydantic import Field

from houfu.jobs import actions, exports, queries
from houfu.jobs.models import Job
from houfu.jobs.tables import Language
from houfu.kernel.http import PROBLEMS, Id, In, Limit, Out, Page, actor, after, mine, page, writes
from houfu.people.actor import Actor
from houfu.people.sign_in.auth import require_recent

router = Router(tags=["jobs"])


class NewExport(In):
    what: str = Field(max_length=40, description="orders, payouts, limits, entries or history")
    format: exports.Format = "xlsx"
    filters: dict[str, Any] = Field(
        default={}, description="as the listing takes them, with instants `since` and `until`"
    )
    reason: str = Field(max_length=200, description="what the file is for; the history keeps it")
    language: Language = Field(default="zh-Hans", description="of the heads of the columns")
    id: Id | None = Field(default=None, description="chosen by the caller, so that asking again asks once")


class FileOut(Out):
    name: str
    media_type: str
    bytes: int
    expires_at: datetime


class JobOut(Out):
    """Long work: how far it is, what came of it, and why not where it failed (`code`)."""

    id: UUID
    kind: str
    arguments: dict[str, Any]
    reason: str
    asked_by: str
    asked_at: datetime
    state: str
    done: int = Field(description="how much is done, in rows where it is an export")
    of: int | None = Field(description="how much there is in all, as far as is known")
    result: Any
    code: str
    ended_at: datetime | None
    file: FileOut | None

    @staticmethod
    def resolve_arguments(job: Job) -> dict[str, Any]:
        return job.asked

    @staticmethod
    def resolve_of(job: Job) -> int | None:
        return job.total

    @staticmethod
    def resolve_result(job: Job) -> Any:
        return job.outcome

    @staticmethod
    def resolve_file(job: Job) -> FileOut | None:
        if job.expires_at is None or job.file_name is None or job.media_type is None:
            return None
        return FileOut(name=job.file_name, media_type=job.media_type, bytes=job.file_bytes, expires_at=job.expires_at)


@router.post("/exports", response={201: JobOut, **PROBLEMS})
def export(request: HttpRequest, body: NewExport) -> Any:
    """Ask for a listing as a file; what it shows is what you may see while it is made."""
    require_recent(request)
    return Status(201, exports.ask(by=actor(request), merchant_id=mine(request), **body.dict()))


@router.get("/jobs", response={200: Page[JobOut], **PROBLEMS})
def jobs(request: HttpRequest, state: str = "", cursor: str = "", limit: Limit = 100) -> Any:
    """List the jobs that you may see, the latest first: your own, and all of those that you could have asked for if
    you are bound to no store."""
    place = after(cursor, "jobs")
    found = queries.jobs(
        actor(request),
        mine(request),
        state=state,
        after=(datetime.fromisoformat(place[0]), UUID(place[1])) if place else None,
        limit=limit + 1,
    )
    return page(found, limit, "jobs", lambda job: [job.asked_at.isoformat(), job.id])


@router.get("/jobs/{uuid:id}", response={200: JobOut, **PROBLEMS})
def job(request: HttpRequest, id: UUID) -> Any:
    """Return a job and how far it is."""
    return queries.access_job(actor(request), mine(request), id)


@router.post("/jobs/{uuid:id}:cancel", response={200: JobOut, **PROBLEMS})
def cancel(request: HttpRequest, id: UUID) -> Any:
    """Call off a job that has not ended: your own, or anybody's if you decide on the staff."""
    return actions.cancel(by=actor(request), merchant_id=mine(request), id=id)


@router.get("/jobs/{uuid:id}/file", response={200: None, **PROBLEMS})
@writes
def file(request: HttpRequest, id: UUID) -> Any:
    """Return the file that a job has made; who has had it, and what for, stays in the history."""
    require_recent(request)
    return handed_over(actor(request), mine(request), id)


def handed_over(by: Actor, merchant_id: int, id: UUID) -> StreamingHttpResponse:
    """Hand over a job's file piece by piece, after noting who has it."""
    found = actions.hand_over(by=by, merchant_id=merchant_id, id=id)
    answer = StreamingHttpResponse(queries.pieces(by, found), content_type=found.media_type)
    answer["Content-Length"] = str(found.file_bytes)
    answer["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(found.file_name or '')}"
    answer["Cache-Control"] = "private, no-store"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer
