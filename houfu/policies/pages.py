"""Pages of the rules: every number in force with its meaning, what is coming, and what differs between two packs."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.urls import path

from houfu.console import words
from houfu.console.pages import show
from houfu.console.words import label, t
from houfu.kernel import clock
from houfu.kernel.http import actor
from houfu.kernel.money import yuan
from houfu.policies import pack, queries
from houfu.policies.models import Pack

HOME = "/console/rules"
UNITS = {
    "_hours": "{n} 小时", "_days": "{n} 天", "_minutes": "{n} 分钟", "_seconds": "{n} 秒", "_years": "{n} 年",
    "_workdays": "{n} 个工作日",
}  # fmt: skip
ROLES = ("approvers", "signatories", "confirmers", "reviewers")


def listing(request: HttpRequest) -> HttpResponse:
    """Show the numbers in force, part by part, and the packs that there are."""
    by = _reader(request)
    packs = queries.packs()
    now = clock.now()
    in_force = max((each for each in packs if each.effective_from <= now), key=lambda each: each.effective_from)
    chosen = next((each for each in packs if each.version == request.GET.get("version")), in_force)
    return show(
        request,
        "policies/rules.html",
        t("规则一览"),
        pack=chosen,
        in_force=in_force,
        packs=[{"of": each, "state": _state(each, in_force)} for each in reversed(packs)],
        coming=[
            {"of": each, "changes": changes(packs[n - 1], each, by)} for n, each in enumerate(packs)
            if n and each.effective_from > now
        ],
        parts=_parts(chosen, packs, by),
        may_publish="platform:write" in by.scopes and by.merchant_id is None,
        may_try="limits:read" in by.scopes and by.merchant_id is not None,
    )  # fmt: skip


def compared(request: HttpRequest) -> HttpResponse:
    """Show what differs between two packs."""
    by = _reader(request)
    packs = queries.packs()
    by_version = {each.version: each for each in packs}
    new = by_version.get(request.GET.get("new", ""), packs[-1])
    old = by_version.get(request.GET.get("old", ""), packs[max(0, packs.index(new) - 1)])
    return show(
        request, "policies/compared.html", t("版本对比"), crumbs=[(t("规则一览"), HOME)],
        old=old, new=new, versions=[(each.version, each.version) for each in reversed(packs)],
        changes=changes(old, new, by),
    )  # fmt: skip


def _reader(request: HttpRequest) -> Any:
    by = actor(request)
    by.require("policies:read")
    return by


def _state(each: Pack, in_force: Pack) -> str:
    if each.version == in_force.version:
        return "in_force"
    return "coming" if each.effective_from > in_force.effective_from else "past"


def document(of: Pack, by: Any) -> dict[str, Any]:
    """Return a pack's numbers as somebody may see them: those of risk are for those who deal with it."""
    return seen(json.loads(of.document), by)


def seen(said: dict[str, Any], by: Any) -> dict[str, Any]:
    """Return a document without what somebody may not see."""
    hidden = pack.HEAD if "risk:write" in by.scopes else (*pack.HEAD, "risk")
    return {name: value for name, value in said.items() if name not in hidden}


def changes(old: Pack, new: Pack, by: Any) -> list[dict[str, Any]]:
    """Return what differs between two packs, each number with its meaning and its rule."""
    return differing(document(old, by), document(new, by))


def differing(old: dict[str, Any], new: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what differs between two documents."""
    return [_differs(*each) for each in pack.diff(old, new)]


def differing_at(found: Sequence[pack.Change], by: Any) -> list[dict[str, Any]]:
    """Return the changes of a draft that somebody may see."""
    hidden = () if "risk:write" in by.scopes else ("risk.",)
    return [_differs(*each) for each in found if not each[0].startswith(hidden)]


def _differs(path_: str, before: Any, after_: Any) -> dict[str, Any]:
    return {**_named(path_), "old": shown(path_, before), "new": shown(path_, after_)}


def _parts(chosen: Pack, packs: list[Pack], by: Any) -> list[dict[str, Any]]:
    """Return a pack's numbers by part, each with the version that has set it last."""
    said = seen(msgspec.to_builtins(pack.decode(chosen.document)), by)
    set_by = _set_by(chosen, packs)
    return [
        {
            "code": name,
            "rows": [
                {**_named(path_), "value": shown(path_, value), "since": set_by.get(path_, "")}
                for path_, value in _flat(said[name], f"{name}.")
            ],
        }
        for name in words.labels()["policy_part"]
        if name in said
    ]


def _set_by(chosen: Pack, packs: list[Pack]) -> dict[str, str]:
    """Return which version has set each number of a pack last."""
    found: dict[str, str] = {}
    before: dict[str, Any] = {}
    for each in packs:
        after_ = json.loads(each.document)
        found |= {path_: each.version for path_, _, _ in pack.diff(before, after_)}
        before = after_
        if each.version == chosen.version:
            break
    return found


def _flat(part: dict[str, Any], path_: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in part.items():
        found += _flat(value, f"{path_}{name}.") if isinstance(value, dict) else [(f"{path_}{name}", value)]
    return found


def _named(path_: str) -> dict[str, Any]:
    rule = words.labels()["policy"].get(path_, {}).get("rule", "")
    return {"path": path_, "name": label("policy", path_), "rule": "" if rule == "—" else rule}


def shown(path_: str, value: Any) -> str:
    """Write a number of a pack with its unit, in the reader's language."""
    name = path_.rpartition(".")[2]
    if value is None:
        return t("不设")
    if isinstance(value, (list, tuple)):
        return _list_shown(path_, name, value)
    if name.endswith("_fen"):
        return t("{yuan} 元", yuan=yuan(value))
    if name.endswith("permille"):
        return f"{value / 1000:g}×" if name == "coverage_permille" else f"{value / 10:g}%"
    if name.endswith("permyriad"):
        return f"{value / 100:g}%"
    if name == "reach":
        return label("reach", value)
    if name in ("days", "months"):
        return t("{n} 天", n=value) if name == "days" else t("{n} 个月", n=value)
    unit = next((each for suffix, each in UNITS.items() if name.endswith(suffix)), "")
    return t(unit, n=value) if unit else str(value)


def _list_shown(path_: str, name: str, value: Sequence[Any]) -> str:
    if not value:
        return t("无")
    if isinstance(value[0], dict):
        return "；".join(_row_shown(each) for each in value)
    if name.endswith(ROLES):
        return " → ".join(label("role", each) for each in value)
    if name.endswith("purposes"):
        return "、".join(label("purpose", each) for each in value)
    if name == "weekdays":
        return "、".join(label("weekday", each) for each in value)
    joined = (
        "–".join(map(str, value)) if len(value) == 2 and name != "structuring_hours" else "、".join(map(str, value))
    )
    unit = next((each for suffix, each in UNITS.items() if name.endswith(suffix)), "")
    return t(unit, n=joined) if unit else joined


def _row_shown(row: dict[str, Any]) -> str:
    if "score" in row:
        return t("≥ {score} 分 {yuan} 元", score=row["score"], yuan=yuan(row["line_fen"]))
    said = {"name": label("band", row["name"]), "opens": row["opens"], "closes": row["closes"]}
    return t("{name} {opens}–{closes} {yuan} 元", **said, yuan=yuan(row["limit_fen"]))


urlpatterns: list[Any] = [path("rules", listing), path("rules/compared", compared)]
