"""What every page shares: how it is shown, what a form said, which store is chosen, where the next page begins."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from houfu.console.words import t
from houfu.kernel import clock, db
from houfu.kernel.errors import Invalid, Reason, Refused
from houfu.kernel.http import actor, page, strict_json
from houfu.kernel.money import FEN_MAX, BadAmount, parse_yuan

Row = TypeVar("Row")
View = TypeVar("View", bound=Callable[..., HttpResponse])
PER_PAGE = 50
STORE_COOKIE, LANGUAGE_COOKIE, THEME_COOKIE = "houfu-store", "houfu-language", "houfu-theme"


@dataclass(frozen=True)
class Entry:
    """An entry of the menu.

    Args:
        url: of the page; also what tells it apart.
        scopes: one of which is needed to see it; none means that everybody does.
        whole: whether it is for who is bound to no store.
    """

    section: str
    label: str
    url: str
    icon: str
    scopes: frozenset[str] = frozenset()
    whole: bool = False


def public(view: View) -> View:
    """Mark a page that is shown to anybody."""
    view.public = True  # type: ignore[attr-defined]
    return view


def asked_by_htmx(request: HttpRequest) -> bool:
    """Say whether a part of a page asks, not the address bar."""
    return request.headers.get("HX-Request") == "true"


def in_drawer(request: HttpRequest) -> bool:
    """Say whether the answer goes into the drawer."""
    return request.headers.get("HX-Target", "").endswith("#drawer-body")


def show(
    request: HttpRequest, template: str, /, title: str, *, crumbs: Sequence[tuple[str, str]] = (), **context: Any
) -> HttpResponse:
    """Return a page in the shell, or the same page in the drawer where that asks for it.

    Args:
        template: begins with `{% extends frame %}` and fills the block `content`.
        title: of the window and the end of the breadcrumb.
        crumbs: what lies above it, as (label, address).
    """
    frame = "console/drawer.html" if in_drawer(request) else "console/shell.html"
    said = {"frame": frame, "title": title, "crumbs": crumbs, "in_drawer": in_drawer(request), **context}
    return render(request, template, said)


def part(request: HttpRequest, template: str, /, **context: Any) -> HttpResponse:
    """Return a part of a page."""
    return render(request, template, context)


def done(said: str, *, go: str = "", **events: Any) -> HttpResponse:
    """Answer a form that was taken: tell so, and show what stands now.

    Args:
        said: what the toast says.
        go: the address to go to; the page is loaded anew where it is empty.
    """
    response = HttpResponse(status=204)
    response["X-Houfu-Toast"] = said.encode("utf-8").hex()  # a header has no Chinese in it
    if go:
        response["X-Houfu-Go"] = go
    return response


def said(request: HttpRequest) -> dict[str, Any]:
    """Return what a form of ours said, as JSON: texts, and lists of texts where a name stands more than once.

    Raises:
        Invalid: it is nothing that our pages send.
    """
    try:
        read = strict_json(request.body or b"{}")
    except ValueError as error:
        raise Invalid(said="JSON") from error
    if not isinstance(read, dict):
        raise Invalid(said="an object")
    return read


class FieldMissing(Invalid):
    """A field of the form is empty or unreadable; the reasons name it."""

    code = "console_field_invalid"


@db.refuse_on("25006")
class FormNeeded(Refused):
    """This is done by sending a form; looking at its address changes nothing."""

    code = "console_form_needed"
    status = 409


def day_of(said: str) -> date | None:
    """Return the day that a filter names, if it names one."""
    try:
        return date.fromisoformat(said)
    except ValueError:
        return None


@dataclass
class Form:
    """What a form said, read field by field; whatever is wrong is told together."""

    values: dict[str, Any]
    wrong: list[Reason] = field(default_factory=list)

    @classmethod
    def of(cls, request: HttpRequest) -> "Form":
        """Read the form that a request carries."""
        return cls(request.GET.dict() if request.method == "GET" else said(request))

    def text(self, name: str, called: str, *, needed: bool = True, longest: int = 500) -> str:
        """Return a text."""
        given = self.values.get(name, "")
        value = given.strip() if isinstance(given, str) else ""
        if needed and not value:
            self._wrong(name, t("请填写{called}。", called=called))
        if len(value) > longest:
            self._wrong(name, t("{called}最多 {longest} 个字。", called=called, longest=longest))
        return value

    def number(self, name: str, called: str, *, least: int = 0, most: int = FEN_MAX, needed: bool = True) -> int:
        """Return a whole number; 0 where nothing is said and nothing is needed."""
        value = str(self.values.get(name, "")).strip()
        if not value and not needed:
            return 0
        if not (value.isascii() and value.isdigit()) or not least <= int(value) <= most:
            self._wrong(name, t("{called}应为 {least} 至 {most} 的整数。", called=called, least=least, most=most))
            return 0
        return int(value)

    def fen(self, name: str, called: str, *, needed: bool = True) -> int:
        """Return an amount that is written in yuan, in fen; 0 where nothing is said and nothing is needed."""
        value = str(self.values.get(name, "")).strip()
        if not value and not needed:
            return 0
        try:
            found = parse_yuan(value)
        except BadAmount:
            found = -1
        if found <= 0:
            self._wrong(name, t("{called}应为大于零的金额，最多两位小数。", called=called))
            return 0
        return found

    def uuid(self, name: str) -> UUID:
        """Return an id."""
        try:
            return UUID(str(self.values.get(name, "")))
        except ValueError:
            self._wrong(name, t("页面已过期，请刷新后重试。"))
            return UUID(int=0)

    def day(self, name: str, called: str, *, needed: bool = True) -> date | None:
        """Return a day; None where nothing is said and nothing is needed, and where it is no day."""
        value = self.text(name, called, needed=needed)
        found = day_of(value)
        if value and found is None:
            self._wrong(name, t("{called}应为日期，如 2025-11-10。", called=called))
        return found

    def instant(self, name: str, called: str, *, needed: bool = True) -> datetime | None:
        """Return an instant that is said as Shanghai's clocks show it; None as `day` has it."""
        value = self.text(name, called, needed=needed)
        try:
            return datetime.fromisoformat(value).replace(tzinfo=clock.SHANGHAI) if value else None
        except ValueError:
            self._wrong(name, t("{called}应为日期和时间，如 2025-11-10T10:00。", called=called))
            return None

    def many(self, name: str) -> list[str]:
        """Return all that was chosen of a name."""
        value = self.values.get(name, [])
        return [str(each) for each in value] if isinstance(value, list) else [str(value)] if value else []

    def settle(self) -> None:
        """Refuse what was wrong, all of it at once.

        Raises:
            FieldMissing: with a reason for each field.
        """
        if self.wrong:
            raise FieldMissing(*self.wrong)

    def _wrong(self, name: str, cure: str) -> None:
        self.wrong.append(Reason("field_invalid", "", {"field": name}, cure))


def chosen_store(request: HttpRequest) -> int | None:
    """Return the store that the filter, or else the switch in the bar, has chosen; None for all that one may see."""
    asked = request.GET.get("store", request.COOKIES.get(STORE_COOKIE, ""))
    store_id = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 18 else None
    return store_id if store_id is not None and actor(request).sees(store_id) else None


def paged(
    rows: Sequence[Row], listing: str, place: Callable[[Row], Sequence[Any]], per_page: int = PER_PAGE
) -> dict[str, Any]:
    """Return the rows of a page and the cursor of the next, from one row more than a page has."""
    return page(rows, per_page, listing, place)


def fresh_id() -> str:
    """Return an id for what a form will ask for, so that sending it twice asks once."""
    return str(uuid4())
