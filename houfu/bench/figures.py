"""Figures: a median and its spread, quantiles of what was timed, and goals beside what was found."""

from collections.abc import Sequence
from statistics import median
from typing import Any


def spread(values: Sequence[float], digits: int = 0) -> dict[str, float]:
    """Return the median of several rounds, the least and the most."""
    return {
        "median": _rounded(median(values), digits),
        "least": _rounded(min(values), digits),
        "most": _rounded(max(values), digits),
    }


def milliseconds(laps: Sequence[float]) -> dict[str, float]:
    """Return p50 and p99 of seconds, in milliseconds."""
    ordered = sorted(laps)
    return {
        "p50": round(ordered[len(ordered) // 2] * 1000, 2),
        "p99": round(ordered[min(len(ordered) * 99 // 100, len(ordered) - 1)] * 1000, 2),
    }


def ratio(of: Sequence[float], to: Sequence[float]) -> dict[str, float]:
    """Return the ratio to a peer: of each pair of neighbouring rounds, as the machine was the same for both."""
    return spread([a / b for a, b in zip(of, to, strict=True)], 3)


def at_least(id: str, what: str, goal: float, found: float) -> dict[str, Any]:
    """Return a goal that more is better for."""
    return {
        "id": id,
        "what": what,
        "goal": goal,
        "better": "more",
        "found": _rounded(found, 3),
        "reached": found >= goal,
    }


def at_most(id: str, what: str, goal: float, found: float) -> dict[str, Any]:
    """Return a goal that less is better for."""
    return {
        "id": id,
        "what": what,
        "goal": goal,
        "better": "less",
        "found": _rounded(found, 3),
        "reached": found <= goal,
    }


def _rounded(value: float, digits: int) -> float:
    return round(value, digits) if digits else round(value)
