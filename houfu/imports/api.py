"""Imports over HTTP: files taken in, what they would do, having it done, what came of it."""

from base64 import b64decode
from binascii import Error as Base64Error
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import Field, field_validator

from houfu.imports import queries, work
from houfu.jobs.api import JobOut
from houfu.kernel.http import PROBLEMS, Id, In, Limit, Out, actor, mine

router = Router(tags=["imports"])


class FileIn(In):
    name: str = Field(min_length=1, max_length=work.NAME_MAX)
    content: str = Field(description="the file's bytes in base64; all files of a request may have 15 MB together")

    @field_validator("content")
    @classmethod
    def _is_base64(cls, said: str) -> str:
        try:
            b64decode(said, validate=True)
        except Base64Error as error:
            raise ValueError("no base64") from error
        return said


class NewImport(In):
    files: list[FileIn] = Field(min_length=1, max_length=20)
    mapping: str = Field(default="events", max_length=40, description="one that is shipped")
    mapping_text: str = Field(default="", max_length=20_000, description="in its place, a mapping's TOML")


class StartIn(In):
    id: Id | None = Field(default=None, description="of the job, chosen by the caller, so that asking again asks once")


class ImportOut(Out):
    """Files of order events; `reading` was broken off, `working` waits to be started or is under way."""

    id: int
    state: str
    files: list[str]
    mapping: str
    started_at: datetime


class StepsOut(Out):
    kind: str
    outcome: str = Field(description="waits until it is done; then done, same, declined or refused")
    code: str
    steps: int
    fen: int


class ReportOut(ImportOut):
    steps: list[StepsOut]
    bad_lines: int
    bent_lines: int
    stores_unknown: list[str] = Field(description="codes of stores that the files name and the merchant does not have")
    job: JobOut | None = Field(description="that was asked for last to do its steps")


class RemarkOut(Out):
    file: str
    line: int
    code: str
    detail: str
    bad: bool = Field(description="whether the line could not be used; it was bent to fit otherwise")


@router.post("/imports", response={201: ImportOut, **PROBLEMS})
def take(request: HttpRequest, body: NewImport) -> Any:
    """Read files into steps that wait to be started; the same files under the same mapping are the same import."""
    uploads = [work.Upload(each.name, b64decode(each.content)) for each in body.files]
    text = work.mapping_text(body.mapping, body.mapping_text)
    return Status(201, work.take(by=actor(request), merchant_id=mine(request), uploads=uploads, mapping_text=text))


@router.get("/imports", response={200: list[ImportOut], **PROBLEMS})
def imports(request: HttpRequest) -> Any:
    """List the imports of your merchant, the latest first."""
    return queries.imports(actor(request), mine(request))


@router.get("/imports/{int:import_id}", response={200: ReportOut, **PROBLEMS})
def report(request: HttpRequest, import_id: int) -> Any:
    """Say what an import's steps would do, or what became of them."""
    by, merchant_id = actor(request), mine(request)
    found = queries.access_import(by, merchant_id, import_id)
    said = {name: getattr(found, name) for name in ("id", "files", "mapping", "started_at")}
    unknown = queries.stores_unknown(found)
    return {**queries.report(by, found), **said, "stores_unknown": unknown, "job": work.latest(by, found)}


@router.get("/imports/{int:import_id}/remarks", response={200: list[RemarkOut], **PROBLEMS})
def remarks(request: HttpRequest, import_id: int, limit: Limit = 100) -> Any:
    """Return the first lines that could not be used, or were bent to fit."""
    return queries.remarks(queries.access_import(actor(request), mine(request), import_id), limit)


@router.post("/imports/{int:import_id}:start", response={201: JobOut, **PROBLEMS})
def start(request: HttpRequest, import_id: int, body: StartIn) -> Any:
    """Have an import's steps done by a job; asked again while it is under way, it is the same job."""
    return Status(201, work.ask(by=actor(request), merchant_id=mine(request), import_id=import_id, id=body.id))
