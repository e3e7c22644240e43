"""Everything that may be done to risk, verb by verb."""

from houfu.risk.actions.appeals import appeal, overturn, rule_out, take_up, uphold
from houfu.risk.actions.backtesting import backtest
from houfu.risk.actions.cases import (
    acknowledge,
    add_evidence,
    close,
    decide,
    dismiss,
    escalate,
    investigate,
    open_case,
    remind,
    reopen,
    resume,
    wait,
)
from houfu.risk.actions.judging import Asked, Verdict, judge, judge_each
from houfu.risk.actions.looking import look
from houfu.risk.actions.packages import digest_of, make_package, reject_package, release_package
from houfu.risk.actions.rulebook import draft, load_shipped, promote, retire, watch
from houfu.risk.rules import PayoutFacts

__all__ = [
    "Asked",
    "PayoutFacts",
    "Verdict",
    "acknowledge",
    "add_evidence",
    "appeal",
    "backtest",
    "close",
    "decide",
    "digest_of",
    "dismiss",
    "draft",
    "escalate",
    "investigate",
    "judge",
    "judge_each",
    "load_shipped",
    "look",
    "make_package",
    "open_case",
    "overturn",
    "promote",
    "reject_package",
    "release_package",
    "remind",
    "reopen",
    "resume",
    "retire",
    "rule_out",
    "take_up",
    "uphold",
    "wait",
    "watch",
]
