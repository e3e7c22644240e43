"""The steps of an import as a job, a batch a step: it can be watched, left, called off, and goes on where it stood."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from houfu.imports import actions, files, mapping, queries
from houfu.imports.models import Import
from houfu.jobs import actions as jobs
from houfu.jobs import kinds
from houfu.jobs import queries as job_queries
from houfu.jobs.kinds import Arguments, Part
from houfu.jobs.models import Job
from houfu.jobs.states import OPEN
from houfu.kernel.errors import Refused
from houfu.people.actor import Actor

NAME_MAX = 200  # bytes of a file's name
_UNSAFE = re.compile(r"[/\\\x00-\x1f\ud800-\udfff]")


class NothingLeft(Refused):
    """Every step of this import has been done; see its report."""

    code = "import_done"


class NotRead(Refused):
    """The files of this import were not read to their end; send them again."""

    code = "import_not_read"


@dataclass(frozen=True)
class Upload:
    """A file as it was sent."""

    name: str
    content: bytes


def take(*, by: Actor, merchant_id: int, uploads: Sequence[Upload], mapping_text: str) -> Import:
    """Read files that were sent into steps that wait to be done; see `actions.begin`.

    Raises:
        MappingInvalid, FileUnreadable, TablesMissing: nothing was kept but the attempt.
    """
    with TemporaryDirectory(prefix="houfu-import-") as folder:
        paths = [_put(Path(folder) / str(number), upload) for number, upload in enumerate(uploads)]
        return actions.begin(
            by=by, merchant_id=merchant_id, paths=paths, mapping_text=mapping_text, progress=lambda *told: None
        )


def _put(folder: Path, upload: Upload) -> Path:
    """Write a file into a folder of its own, so that two may have one name."""
    if upload.name in ("", ".", "..") or _UNSAFE.search(upload.name) or len(upload.name.encode()) > NAME_MAX:
        raise files.FileUnreadable(file=upload.name[:NAME_MAX], said="no name of a file")
    folder.mkdir()
    path = folder / upload.name
    path.write_bytes(upload.content)
    return path


def ask(*, by: Actor, merchant_id: int, import_id: int, id: UUID | None = None) -> Job:
    """Ask for the steps of an import to be done; one that is being done already is not asked for twice.

    Raises:
        NothingLeft, NotRead, NotFound, and what `jobs.ask` refuses with: nothing waits.
    """
    TAKE_IN.require(by, merchant_id, {})
    found = queries.access_import(by, merchant_id, import_id)
    if found.state == "done":
        raise NothingLeft()
    if found.state == "reading":
        raise NotRead()
    if (there := latest(by, found)) and there.state in OPEN:
        return there
    return jobs.ask(by=by, merchant_id=merchant_id, kind=TAKE_IN.name, arguments={"import": import_id}, id=id)


def latest(by: Actor, found: Import) -> Job | None:
    """Return the job that was asked for last to do the steps of an import, if somebody may see one."""
    return next(
        iter(job_queries.jobs(by, found.merchant_id, kind=TAKE_IN.name, arguments={"import": found.id}, limit=1)), None
    )


def mapping_text(named: str, own: str) -> str:
    """Return the text of a mapping: their own, or one that is shipped.

    Raises:
        MappingInvalid: there is none of this name.
    """
    if own.strip():
        return own
    if named not in mapping.shipped():
        raise mapping.MappingInvalid(mapping=named, known=sorted(mapping.shipped()))
    return (mapping.SHIPPED / f"{named}.toml").read_text("utf-8")


def _step(by: Actor, merchant_id: int, arguments: Arguments, mark: Any) -> Part:
    """Do the next batches of an import's steps, which are of a day and a kind each, up to one batch in all."""
    found = queries.access_import(by, merchant_id, arguments["import"])
    mark = mark or {"done": 0, "of": queries.steps_left(found)}
    done, of, ahead = mark["done"], mark["of"], actions.BATCH
    while ahead > 0:
        batch = actions.work(by=by, found=found)
        if not batch:
            return Part(None, done, done, result={"import": found.id, "steps": done})
        done, ahead = done + batch, ahead - batch
    return Part({"done": done, "of": of}, done, of)


TAKE_IN = kinds.kind("import.orders", run=_step, needs=lambda _: frozenset({"orders:read", "orders:write"}), whole=True)
