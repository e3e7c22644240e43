"""Exports: a listing as a file. Each room says of its own listings how they are read and what stands in the columns.

One step writes one page, so an export of a million rows holds five thousand of them at a time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from houfu.jobs import actions, csv_file, kinds, tables, xlsx_file
from houfu.jobs.kinds import Arguments, File, Part
from houfu.jobs.models import Job
from houfu.jobs.tables import Column, Language
from houfu.kernel import clock
from houfu.kernel.errors import Invalid
from houfu.people.actor import Actor

PAGE = 5000  # rows of a step
Format = Literal["csv", "xlsx"]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class Filters(msgspec.Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """What of a listing is wanted: from `since` on, up to but without `until`."""

    since: Instant | None = None
    until: Instant | None = None


class UnknownExport(Invalid):
    """There is no such listing to export."""

    code = "export_unknown"


class ReasonMissing(Invalid):
    """Say in a few words what the file is for: it takes personal data out of the house, and the history keeps why."""

    code = "export_reason_missing"


@dataclass(frozen=True)
class Export:
    """A listing that can be exported.

    Args:
        what: its name, such as "orders".
        title: in Chinese, as the file is called.
        filters: what may be asked of it: those of the listing itself.
        needs: the scopes that filters ask for.
        columns: what stands in the file.
        page: the next rows, for an actor at a merchant, with filters, after a place (None at first), at most so many.
        place: where a row stands, in JSON; the next page begins after it.
        count: how many rows there are in all.
        whole: whether it is a matter of the whole merchant.
    """

    what: str
    title: str
    filters: type[Filters]
    needs: Callable[[Any], frozenset[str]]
    columns: Sequence[Column]
    page: Callable[[Actor, int, Any, Any, int], Sequence[Any]]
    place: Callable[[Any], Any]
    count: Callable[[Actor, int, Any], int]
    whole: bool = False


_exports: dict[str, Export] = {}


def register(export: Export) -> Export:
    """Let a listing be exported from now on."""
    _exports[export.what] = export
    kinds.kind(
        f"export.{export.what}",
        run=lambda *asked: _step(export, *asked),
        needs=lambda arguments: export.needs(_filters(export, arguments["filters"])),
        whole=export.whole,
        file=lambda arguments: _file(export, arguments),
    )
    return export


def known() -> list[str]:
    """Return the names of what can be exported."""
    return sorted(_exports)


def filters_of(what: str) -> tuple[str, ...]:
    """Return the names of the filters that an export takes.

    Raises:
        UnknownExport: there is none.
    """
    if what not in _exports:
        raise UnknownExport(what=what, known=known())
    return _exports[what].filters.__struct_fields__


def ask(
    *,
    by: Actor,
    merchant_id: int,
    what: str,
    format: Format,  # noqa: A002  what people call it
    filters: Mapping[str, Any],
    reason: str,
    language: Language = "zh-Hans",
    id: UUID | None = None,
) -> Job:
    """Ask for a listing as a file; the job that makes it keeps it for a day.

    Args:
        filters: as the listing takes them.
        reason: what it is for; the history keeps it.
        language: of the heads of the columns.
        id: chosen by the caller, so that asking again asks once.

    Raises:
        UnknownExport, ReasonMissing, Invalid, and what `jobs.ask` refuses with: nothing is waiting.
    """
    if what not in _exports:
        raise UnknownExport(what=what, known=known())
    if not reason.strip():
        raise ReasonMissing()
    said = msgspec.to_builtins(_filters(_exports[what], filters))
    return actions.ask(
        by=by,
        merchant_id=merchant_id,
        kind=f"export.{what}",
        arguments={"format": format, "filters": said, "language": language},
        reason=reason.strip(),
        id=id,
    )


def _filters(export: Export, said: Mapping[str, Any]) -> Filters:
    try:
        return msgspec.convert(dict(said), export.filters)
    except msgspec.ValidationError as error:
        raise Invalid(fields=[{"field": "filters", "said": str(error)}]) from error


def _file(export: Export, arguments: Arguments) -> File:
    day = clock.business_day(clock.now()).isoformat()
    kind = csv_file if arguments["format"] == "csv" else xlsx_file
    name = f"{export.what if arguments['language'] == 'en' else export.title}-{day}.{arguments['format']}"
    return File(name, kind.MEDIA_TYPE)


def _step(export: Export, by: Actor, merchant_id: int, arguments: Arguments, mark: Any) -> Part:
    """Write the next page."""
    filters = _filters(export, arguments["filters"])
    heads = tables.heads(export.columns, arguments["language"])
    first = mark is None
    mark = mark or {"place": None, "done": 0, "of": export.count(by, merchant_id, filters), "book": None}
    found = export.page(by, merchant_id, filters, mark["place"], PAGE)
    rows = tables.cells(export.columns, found)
    done, last = mark["done"] + len(found), len(found) < PAGE
    book = None
    if arguments["format"] == "csv":
        content = (csv_file.BOM.encode() + csv_file.lines([heads]) if first else b"") + csv_file.lines(rows)
    else:
        book = xlsx_file.Book(heads) if first else msgspec.convert(mark["book"], xlsx_file.Book)
        content = book.write(rows) + (book.finish() if last else b"")
    if last:
        return Part(None, done, done, content, {"rows": done})
    after = {"place": export.place(found[-1]), "done": done, "of": mark["of"], "book": msgspec.to_builtins(book)}
    return Part(after, done, mark["of"], content)
