"""What can go right and wrong with a transfer, by name."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

# Does the channel execute the transfer when it hears of it? "later" ones are executed by the clock.
DONE = {
    "ok": "now",
    "ok_then_timeout": "now",  # the answer is held back until the client hangs up
    "timeout_not_done": "never",
    "error_500_done": "now",
    "error_500_not_done": "never",
    "processing_then_paid": "later",
    "processing_then_denied": "denied_later",
    "paid_then_returned": "now",  # and comes back some days afterwards
    "not_found_while_in_flight": "later",  # a query does not find it until it is executed
    "denied": "denied",
    "wrong_amount": "now",
    "wrong_payee": "now",
    "wrong_currency": "now",
    "bad_signature": "now",
    "missing_signature": "now",
    "old_key_signature": "now",  # signed with a key that is no longer the channel's
    "skewed_stamp": "now",  # the answer is dated a day off
    "slow_loris": "now",  # the answer comes a byte at a time
    "reset_mid_body": "now",  # the connection is cut within the answer
    "broken_json": "now",
    "gbk_text": "now",  # the answer is in GBK, though it says UTF-8
    "too_many_requests": "never",
    "maintenance": "never",
    "duplicate_statement_lines": "now",  # the statement shows its lines twice
}
# What can become of a split or of asking a part back; no notice is sent of either.
SPLIT_DONE = {
    **{name: done for name, done in DONE.items() if name not in ("paid_then_returned", "duplicate_statement_lines")},
    "partial": "now",  # the first receiver gets its part, the others are denied theirs
}
NOTICES = ("once", "never", "many", "reordered", "before_answer", "late", "foreign", "replayed", "forged")


@dataclass(frozen=True)
class Behaviour:
    """How one transfer fares.

    Args:
        name: one of DONE, or of SPLIT_DONE.
        seconds: until a "later" one is executed or denied.
        days: until a paid one is returned.
        notice: one of NOTICES.
    """

    name: str = "ok"
    seconds: float = 0
    days: int = 1
    notice: str = "once"

    @property
    def done(self) -> str:
        return {**SPLIT_DONE, **DONE}[self.name]


def read(said: str | dict[str, Any], known: Mapping[str, str] = DONE) -> Behaviour:
    """Read a behaviour from a script: its name, or a table with its parameters.

    Raises:
        ValueError: no such behaviour, notice or parameter.
    """
    stated = {"name": said} if isinstance(said, str) else dict(said)
    if unknown := stated.keys() - {f.name for f in fields(Behaviour)}:
        raise ValueError(f"unknown parameters: {sorted(unknown)}")
    behaviour = Behaviour(**stated)
    if behaviour.name not in known or behaviour.notice not in NOTICES:
        raise ValueError(f"unknown behaviour: {behaviour}")
    return behaviour


def by_seed(seed: int, count: int) -> Behaviour:
    """Choose the behaviour at the `count`-th call for a transfer: the same seed chooses the same ones."""
    dice = random.Random(f"{seed}/{count}")  # noqa: S311  a simulation
    return Behaviour(
        dice.choice(sorted(DONE)),
        seconds=dice.choice((0, 30, 3600)),
        days=dice.randint(1, 3),
        notice=dice.choice(NOTICES),
    )
