"""The console's two languages. Chinese is written where it is shown; English comes from each room's `en.toml`.

No gettext: what has to be complete is complete when every `t` of a template or a page has its line, which a test sees.
"""

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.utils import translation

from houfu.kernel.errors import Reason, Refused
from houfu.kernel.money import yuan

HOUSE = Path(__file__).parents[1]
LANGUAGES = {"zh-hans": "中文", "en": "English"}
DEFAULT = "zh-hans"


@lru_cache(maxsize=1)
def english() -> dict[str, str]:
    """Return the English of everything that is said in Chinese."""
    found: dict[str, str] = {}
    for file in sorted(HOUSE.glob("*/en.toml")):
        found |= tomllib.loads(file.read_text("utf-8"))
    return found


@lru_cache(maxsize=1)
def labels() -> dict[str, dict[str, dict[str, str]]]:
    """Return what codes are called, by group and code: `zh`, `en` and perhaps a `tone`."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for file in sorted(HOUSE.glob("*/labels.toml")):
        for group, codes in tomllib.loads(file.read_text("utf-8")).items():
            found.setdefault(group, {}).update(codes)
    return found


def in_english() -> bool:
    """Say whether this thread speaks English; it speaks Chinese otherwise."""
    return translation.get_language() == "en"


def t(said: str, **figures: Any) -> str:
    """Return a text in the reader's language.

    Args:
        said: the text in Chinese; `{name}` stands for a figure.
    """
    text = english().get(said, said) if in_english() else said
    return text.format_map(figures) if figures else text


def label(group: str, code: Any) -> str:
    """Return what a code is called, such as the state of an order; the code itself where it has no name."""
    known = labels().get(group, {}).get(str(code))
    return known["en" if in_english() else "zh"] if known else str(code)


def tone(group: str, code: Any) -> str:
    """Return the tone in which a code is shown: good, warn, bad, info or calm."""
    return labels().get(group, {}).get(str(code), {}).get("tone", "calm")


def figures_shown(figures: dict[str, Any]) -> dict[str, Any]:
    """Return figures as they are read: amounts in yuan, lists with commas."""
    return {name: _shown(name, value) for name, value in figures.items()}


def _shown(name: str, value: Any) -> Any:
    if name.endswith("_fen") and isinstance(value, int):
        return yuan(value)
    if isinstance(value, list | tuple):
        return "、".join(map(str, value))
    return value


class _Known(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return "…"


def reason_shown(reason: Reason) -> dict[str, Any]:
    """Return a reason as it is read: what stands against it and what would cure it, in the reader's language."""
    known = labels().get("reason", {}).get(reason.code, {})
    figures = _Known(figures_shown(reason.figures))
    if in_english():
        title, cure = known.get("en", reason.code.replace("_", " ").capitalize()), reason.cure
    else:
        title, cure = known.get("zh", reason.code), known.get("cure", reason.cure).format_map(figures)
    return {"code": reason.code, "rule": reason.rule, "title": title, "cure": cure, "figures": dict(figures)}


def refusal_shown(refusal: Refused) -> dict[str, Any]:
    """Return a refusal as it is read, with every reason that came with it."""
    known = labels().get("refusal", {}).get(refusal.code, {})
    return {
        "code": refusal.code,
        "title": refusal.message if in_english() else known.get("zh", refusal.message),
        "reasons": [reason_shown(each) for each in refusal.reasons],
        "details": figures_shown(refusal.details),
    }
