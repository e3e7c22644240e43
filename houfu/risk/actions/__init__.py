"""Everything that may be done to risk, verb by verb."""

from houfu.risk.actions.judging import Asked, Verdict, judge, judge_each
from houfu.risk.actions.rulebook import draft, load_shipped, promote, retire, watch
from houfu.risk.rules import PayoutFacts

__all__ = [
    "Asked",
    "PayoutFacts",
    "Verdict",
    "draft",
    "judge",
    "judge_each",
    "load_shipped",
    "promote",
    "retire",
    "watch",
]
