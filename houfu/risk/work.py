"""Back-tests of rules as jobs, some merchants a step: watched, left, called off, they go on where they stood."""

from datetime import date
from typing import Any
from uuid import UUID

import msgspec

from houfu.history.actions import PLATFORM
from houfu.jobs import actions as jobs
from houfu.jobs import kinds
from houfu.jobs import queries as job_queries
from houfu.jobs.kinds import Arguments, Part
from houfu.jobs.models import Job
from houfu.people.actor import Actor
from houfu.risk import queries
from houfu.risk.actions import backtesting

AT_ONCE = 20  # merchants of a step


def ask(*, by: Actor, rule: str, version: int, first: date, last: date, id: UUID | None = None) -> Job:
    """Ask for a back-test; what it finds is kept beside the version when the job has ended (K8).

    Raises:
        NotFound, BadDays, and what `jobs.ask` refuses with: nothing waits.
    """
    BACK_TEST.require(by, PLATFORM, {})
    backtesting.begun(rule, version, first, last)
    said = {"rule": rule, "version": version, "first": first.isoformat(), "last": last.isoformat()}
    return jobs.ask(by=by, merchant_id=PLATFORM, kind=BACK_TEST.name, arguments=said, id=id)


def asked(by: Actor, rule: str, version: int, limit: int = 20) -> list[Job]:
    """Return the back-tests of a version among those that were asked for last."""
    found = job_queries.jobs(by, PLATFORM, kind=BACK_TEST.name, limit=limit)
    return [job for job in found if (job.asked["rule"], job.asked["version"]) == (rule, version)]


def _step(by: Actor, merchant_id: int, said: Arguments, mark: Any) -> Part:
    """Ask about the history of the next merchants; after the last, keep what was found."""
    rule, first, last = said["rule"], *(date.fromisoformat(said[name]) for name in ("first", "last"))
    if mark is None:
        mark = {"done": 0, "tally": msgspec.to_builtins(backtesting.begun(rule, said["version"], first, last))}
    tally = msgspec.convert(mark["tally"], backtesting.Tally)
    left = [each for each in queries.merchant_ids() if each > tally.after]
    done, of = mark["done"], mark["done"] + len(left)
    for each in left[:AT_ONCE]:
        backtesting.asked(tally, by, rule, each, first, last)
        done += 1
    if left:
        return Part({"done": done, "tally": msgspec.to_builtins(tally)}, done, of)
    kept = backtesting.keep(by=by, rule=rule, first=first, last=last, tally=tally)
    return Part(None, done, done, result={"backtest": str(kept.id)})


BACK_TEST = kinds.kind("risk.backtest", run=_step, needs=lambda _: frozenset({"platform:write"}), everybody=True)
