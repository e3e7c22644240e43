"""States: what may happen, from where. Each room has its table of moves; one door applies them."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Model

from houfu.kernel.errors import IllegalMove

Moves = Mapping[str, tuple[frozenset[str], str]]


def table(**moves: tuple[str, str]) -> Moves:
    """Write a table of moves, each as `verb=("from other_from", "to")`."""
    return {verb: (frozenset(sources.split()), target) for verb, (sources, target) in moves.items()}


def pairs(moves: Moves) -> set[tuple[str, str]]:
    """Return every (source, target) that a table allows, as the database keeps it (I-10)."""
    return {(source, target) for sources, target in moves.values() for source in sources}


def apply(moves: Moves, verb: str, model: type[Model], key: Mapping[str, Any], **changes: Any) -> None:
    """Move one row by a guarded UPDATE whose row count decides.

    Args:
        moves: the room's table.
        verb: the step to take.
        model: the table of the row, with a `state` column.
        key: columns that name exactly one row.
        changes: further columns to set with the step.

    Raises:
        IllegalMove: when the row is missing or in no state that allows the step.
    """
    sources, target = moves[verb]
    changed = model._default_manager.filter(**key, state__in=sources).update(state=target, **changes)
    if changed != 1:
        state = model._default_manager.filter(**key).values_list("state", flat=True).first()
        raise IllegalMove(step=verb, state=state, **{name: str(value) for name, value in key.items()})


def diagram(moves: Moves) -> Iterable[str]:
    """Yield the table as lines of a Mermaid state diagram, so that no drawing can disagree with it."""
    yield "stateDiagram-v2"
    for verb, (sources, target) in moves.items():
        for source in sorted(sources):
            yield f"    {source} --> {target}: {verb}"
