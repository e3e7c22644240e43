"""When a face engine may vouch for somebody (S8). Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from houfu.kernel.errors import Reason

LEAST_PAIRS = 500  # of each kind: with fewer, one error moves the figure by more than the bar is fine


@dataclass(frozen=True)
class Accuracy:
    """How often an engine was right about pairs of photos of which the answer is known.

    Args:
        same_pairs: of one person.
        other_pairs: of two persons.
        false_accepts: pairs of two persons that it took for one.
        false_rejects: pairs of one person that it took for two.
        unseen: pairs of which it saw no face in a photo; they count as wrong.
    """

    same_pairs: int
    other_pairs: int
    false_accepts: int
    false_rejects: int
    unseen: int

    @property
    def permyriad(self) -> int:
        """The share of pairs it was right about, rounded down."""
        pairs = self.same_pairs + self.other_pairs
        wrong = self.false_accepts + self.false_rejects + self.unseen
        return (pairs - wrong) * 10_000 // pairs if pairs else 0


def tally(scored: Iterable[tuple[bool, int | None]], accepts_from: int) -> Accuracy:
    """Count how often an engine was right.

    Args:
        scored: for each pair, whether it is one person and the score; None where no face was seen.
        accepts_from: the score from which the engine takes two photos for one person's.
    """
    pairs, accepts, rejects, unseen = {True: 0, False: 0}, 0, 0, 0
    for same, score in scored:
        pairs[same] += 1
        if score is None:
            unseen += 1
        elif same:
            rejects += score < accepts_from
        else:
            accepts += score >= accepts_from
    return Accuracy(pairs[True], pairs[False], accepts, rejects, unseen)


def refusals(measured: Accuracy | None, bar_permyriad: int) -> list[Reason]:
    """Return every reason why an engine may not vouch for anybody.

    Args:
        measured: its newest measurement, of the very files that are here now; None where there is none.
        bar_permyriad: the accuracy that the policy asks for.
    """
    if measured is None:
        return [Reason("face_not_measured", "S8", {}, "Measure it on labelled pairs: houfu people face-measure.")]
    figures = {"accuracy_permyriad": measured.permyriad, "bar_permyriad": bar_permyriad}
    found = []
    fewest = min(measured.same_pairs, measured.other_pairs)
    if fewest < LEAST_PAIRS:
        counts = {"same_pairs": measured.same_pairs, "other_pairs": measured.other_pairs, "least": LEAST_PAIRS}
        found.append(
            Reason("face_pairs_too_few", "S8", counts, f"Measure on {LEAST_PAIRS} pairs of each kind at least.")
        )
    if measured.permyriad < bar_permyriad:
        found.append(Reason("face_below_bar", "S8", figures, "Use a passkey, or an engine that reaches the bar."))
    return found
