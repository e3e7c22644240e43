"""What a run of decisions amounts to: orders taken and refused, and the exposure that they carried. Pure."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from houfu.limits.rules import Legs

MICROSECOND = timedelta(microseconds=1)


@dataclass
class Side:
    """What became of the orders of a store, or of all stores, within the time that is looked at.

    Exposure counts in fen × microseconds until it is shown, so that nothing is rounded on the way.
    """

    taken: int = 0
    taken_fen: int = 0
    refused: int = 0
    refused_fen: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    tolerance_fen: int = 0
    open_fen: int = 0
    open_tolerance_fen: int = 0
    peak_fen: int = 0
    peak_tolerance_fen: int = 0
    fen_microseconds: int = 0
    since: datetime | None = None

    def pass_to(self, at: datetime, begins: datetime | None) -> None:
        """Let time pass until an instant; what lay open before `begins` counts from there on."""
        if begins is not None and at < begins:
            return
        if self.since is None:
            self.since = begins if begins is not None else at
            self.peak_fen, self.peak_tolerance_fen = self.open_fen, self.open_tolerance_fen
        if at > self.since:
            self.fen_microseconds += self.open_fen * ((at - self.since) // MICROSECOND)
            self.since = at

    def open(self, legs: Legs) -> None:
        """Let an order's exposure begin."""
        self.open_fen += legs.total_fen
        self.open_tolerance_fen += legs.tolerance_fen
        if self.since is not None:
            self.peak_fen = max(self.peak_fen, self.open_fen)
            self.peak_tolerance_fen = max(self.peak_tolerance_fen, self.open_tolerance_fen)

    def close(self, legs: Legs) -> None:
        """Let an order's exposure end, or part of it."""
        self.open_fen -= legs.total_fen
        self.open_tolerance_fen -= legs.tolerance_fen

    def decide(self, amount_fen: int, reasons: Sequence[str], legs: Legs) -> None:
        """Count a decision."""
        if reasons:
            self.refused += 1
            self.refused_fen += amount_fen
            self.reasons.update(reasons)
        else:
            self.taken += 1
            self.taken_fen += amount_fen
            self.tolerance_fen += legs.tolerance_fen

    def figures(self) -> dict[str, Any]:
        """Return it as it is reported; fen-hours rounded down."""
        return {
            "orders_taken": self.taken,
            "taken_fen": self.taken_fen,
            "orders_refused": self.refused,
            "refused_fen": self.refused_fen,
            "refused_by_reason": dict(sorted(self.reasons.items())),
            "peak_exposure_fen": self.peak_fen,
            "exposure_fen_hours": self.fen_microseconds // 3_600_000_000,
            "tolerance_fen": self.tolerance_fen,
            "peak_tolerance_fen": self.peak_tolerance_fen,
        }


@dataclass
class Measure:
    """Sides by store, and of the whole merchant, while time passes.

    Args:
        begins, ends: the time that is looked at; None for all that there is.
    """

    begins: datetime | None = None
    ends: datetime | None = None
    whole: Side = field(default_factory=Side)
    stores: dict[int, Side] = field(default_factory=lambda: defaultdict(Side))
    now: datetime | None = None

    def pass_to(self, at: datetime) -> None:
        """Let time pass; it never goes back, whatever order things were recorded in."""
        if self.ends is not None:
            at = min(at, self.ends)
        if self.now is None or at > self.now:
            self.now = at

    def decide(self, store_id: int, at: datetime, amount_fen: int, reasons: Sequence[str], legs: Legs) -> None:
        """Count a decision and let its exposure begin."""
        self.pass_to(at)
        counts = (self.begins is None or at >= self.begins) and (self.ends is None or at < self.ends)
        for side in self._sides(store_id):
            if counts:
                side.decide(amount_fen, reasons, legs)
            side.open(legs)

    def close(self, store_id: int, at: datetime, legs: Legs) -> None:
        """Let exposure end."""
        self.pass_to(at)
        for side in self._sides(store_id):
            side.close(legs)

    def end(self) -> None:
        """Let time pass to its end for every store."""
        for store_id in list(self.stores):
            self._sides(store_id)

    def _sides(self, store_id: int) -> tuple[Side, Side]:
        sides = self.whole, self.stores[store_id]
        for side in sides:
            if self.now is not None:
                side.pass_to(self.now, self.begins)
        return sides
