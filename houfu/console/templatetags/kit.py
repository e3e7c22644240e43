"""The kit's tags: words, amounts, times, status tags, icons, charts, and what explains a figure."""

import json
import tomllib
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from django import template
from django.http import QueryDict
from django.utils.html import format_html, json_script
from django.utils.safestring import SafeString, mark_safe

from houfu.console import assets, words
from houfu.kernel.clock import SHANGHAI
from houfu.kernel.errors import Reason
from houfu.kernel.money import yuan as in_yuan

register = template.Library()
ICONS = tomllib.loads((Path(__file__).parents[1] / "icons.toml").read_text("utf-8"))


@register.simple_tag
def t(said: str, **figures: Any) -> str:
    """Say a text, written here in Chinese."""
    return words.t(said, **figures)


@register.filter
def word(said: str) -> str:
    """Say a text that a variable holds."""
    return words.t(said)


@register.simple_tag
def label(group: str, code: Any) -> str:
    """Call a code by its name."""
    return words.label(group, code)


@register.simple_tag
def tag(group: str, code: Any) -> SafeString:
    """Show a state as a tag in its tone."""
    return format_html('<span class="tag {}">{}</span>', words.tone(group, code), words.label(group, code))


@register.filter
def yuan(fen: int | None) -> str:
    """Write fen as yuan; a dash where there is none."""
    return "—" if fen is None else in_yuan(fen)


@register.filter
def whole_yuan(fen: int) -> str:
    """Write fen as whole yuan where there are no cents."""
    text = in_yuan(fen)
    return text.removesuffix(".00")


@register.filter
def percent(permille: int) -> str:
    """Write per mille as per cent."""
    return f"{permille / 10:g}%"


@register.filter
def when(at: datetime | str | None) -> str:
    """Write an instant as Shanghai's clocks show it."""
    if isinstance(at, str):
        at = datetime.fromisoformat(at)
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M") if at else "—"


@register.filter
def day(at: datetime | date | None) -> str:
    """Write a day."""
    if at is None:
        return "—"
    return (at.astimezone(SHANGHAI) if isinstance(at, datetime) else at).strftime("%Y-%m-%d")


@register.filter
def clock_time(at: datetime) -> str:
    """Write an instant's time of day."""
    return at.astimezone(SHANGHAI).strftime("%H:%M")


@register.filter
def of(mapping: dict[Any, Any], key: Any) -> Any:
    """Return what a mapping has for a key, or nothing."""
    return mapping.get(key, "")


@register.simple_tag
def icon(name: str) -> SafeString:
    """Draw an icon; it says nothing to who listens."""
    return mark_safe(f'<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">{ICONS[name]}</svg>')  # noqa: S308  ours


@register.simple_tag
def asset(name: str) -> str:
    """Return the address of a file that browsers load."""
    return assets.url(name)


@register.simple_tag
def meter(used: int, most: int, lent: int = 0, warn_permille: int = 700) -> SafeString:
    """Draw how much of a whole is in use; the words beside it say the same."""
    share = min(1000, used * 1000 // most) if most > 0 else (1000 if used else 0)
    tone = "bad" if share >= 1000 else "warn" if share >= warn_permille else ""
    beyond = min(1000 - share, lent * 1000 // most) if most > 0 else 0
    return format_html(
        '<svg class="meter {}" viewBox="0 0 1000 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="used" width="{}" height="8"/><rect class="lent" x="{}" width="{}" height="8"/></svg>',
        tone, share, share, beyond,
    )  # fmt: skip


@register.simple_tag
def share(used: int, most: int) -> str:
    """Write a part of a whole as per cent, rounded down to a tenth."""
    return f"{used * 1000 // most / 10:g}%" if most > 0 else "—"


@register.inclusion_tag("console/parts/why.html")
def why(title: str, says: str, rule: str = "", version: str = "", href: str = "", **figures: Any) -> dict[str, Any]:
    """Explain a figure: what it is made of, by which rule, in which version of the policy.

    Args:
        title, says: in Chinese, as `t` takes them.
        href: where its orders are listed.
        figures: parts that it is made of, by name; `_fen` is written in yuan. Names are labels of the group "figure".
    """
    shown = words.figures_shown(figures)
    return {
        "id": f"why-{uuid4().hex[:8]}", "title": words.t(title), "says": words.t(says), "rule": rule,
        "version": version, "href": href, "figures": [(words.label("figure", name), v) for name, v in shown.items()],
    }  # fmt: skip


@register.inclusion_tag("console/parts/chart.html")
def chart(option: dict[str, Any], says: str, size: str = "") -> dict[str, Any]:
    """Draw a chart of ECharts from its option, with what it shows in words, and its figures as a table to be read.

    Args:
        says: what it shows, in one sentence, in the reader's language.
        size: "low", "tall" or nothing.
    """
    return {"id": f"chart-{uuid4().hex[:8]}", "option": option, "says": says, "size": size, "rows": _rows(option)}


def _rows(option: dict[str, Any]) -> list[list[Any]]:
    axes = [option[name] for name in ("xAxis", "yAxis") if isinstance(option.get(name), dict)]
    axis = next((each for each in axes if each.get("data")), None)
    series: Sequence[dict[str, Any]] = option.get("series", [])
    head = ["", *(each.get("name", "") for each in series)]
    return [head, *([name, *(s["data"][n] for s in series)] for n, name in enumerate(axis["data"]))] if axis else []


@register.filter
def script_json(value: Any, id: str) -> SafeString:
    """Write data for a script, harmless in HTML."""
    return json_script(json.loads(json.dumps(value, default=str)), id)


@register.inclusion_tag("console/parts/reasons.html")
def reasons(found: Iterable[Reason], title: str = "") -> dict[str, Any]:
    """Show reasons against something, each with its rule and its cure."""
    return {"reasons": [words.reason_shown(each) for each in found], "title": title}


@register.inclusion_tag("console/parts/pager.html", takes_context=True)
def pager(context: template.Context, page: dict[str, Any], target: str = "#list") -> dict[str, Any]:
    """Lead to the next page of a listing, and back to its beginning."""
    query: QueryDict = context["request"].GET.copy()
    turned = bool(query.pop("cursor", None))
    first = query.urlencode()
    if page["next_cursor"]:
        query["cursor"] = page["next_cursor"]
    return {
        "path": context["request"].path, "first": first, "next": query.urlencode() if page["next_cursor"] else "",
        "turned": turned, "count": len(page["items"]), "target": target,
    }  # fmt: skip


@register.inclusion_tag("console/parts/field.html")
def field(
    name: str, label: str, kind: str = "text", value: Any = "", *, hint: str = "", options: Any = (),
    needed: bool = True, placeholder: str = "", autocomplete: str = "off", unit: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Show a field of a form with its label.

    Args:
        label, hint, placeholder: in Chinese, as `t` takes them.
        kind: text, password, amount, number, date, select, textarea, search, check or file (sent as `NAME_name[]` and
            `NAME_content[]`, in base64).
        options: of a select, as (value, text in the reader's language).
    """
    return {
        "name": name, "label": words.t(label), "kind": kind, "value": value, "hint": words.t(hint) if hint else "",
        "options": [(str(v), text) for v, text in options], "chosen": str(value), "needed": needed,
        "placeholder": words.t(placeholder) if placeholder else "", "autocomplete": autocomplete,
        "unit": words.t(unit) if unit else "",
    }  # fmt: skip


@register.inclusion_tag("console/parts/empty.html")
def empty(said: str, icon: str = "box") -> dict[str, Any]:
    """Say that there is nothing here yet."""
    return {"said": words.t(said), "icon": icon}


@register.inclusion_tag("console/parts/steps.html")
def steps(done: Sequence[str], now: str = "", to_come: Sequence[str] = (), failed: str = "") -> dict[str, Any]:
    """Show how far something has come; each step is a text in the reader's language."""
    return {"done": done, "now": now, "to_come": to_come, "failed": failed}


@register.inclusion_tag("console/parts/timeline.html")
def timeline(entries: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Show what happened, in time: entries with `at`, `title`, and perhaps `text` and `tone`."""
    return {"entries": entries}


@register.inclusion_tag("console/parts/export.html", takes_context=True)
def export_menu(context: template.Context, path: str) -> dict[str, Any]:
    """Offer a listing, as it is filtered now, as CSV and as XLSX."""
    query: QueryDict = context["request"].GET.copy()
    query.pop("cursor", None)
    return {"path": path, "query": query.urlencode()}
