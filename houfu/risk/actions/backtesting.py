"""Back-tests: what a version would have said to what has been, against the one that acts (K8)."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from houfu.history import actions as history
from houfu.kernel import clock, db, ids
from houfu.kernel.errors import Invalid
from houfu.ledger import queries as ledger
from houfu.ledger.actions import Account
from houfu.limits import queries as limits
from houfu.people.actor import Actor
from houfu.policies import queries as policies
from houfu.policies.pack import Policy
from houfu.risk import counting, queries, rules
from houfu.risk.models import Backtest

AT_ONCE = 1000
SHOWN = 50


@db.refuse_on("risk_backtest_days")
class BadDays(Invalid):
    """A back-test runs over days that are over, the first of them not after the last, a year of them at most."""

    code = "risk_backtest_days"


class Case(NamedTuple):
    """One thing that both versions are asked about."""

    subject: str
    day: date
    amount_fen: int
    facts: rules.Facts


class Tally:
    """Counts what a version hits."""

    def __init__(self, versions: Sequence[rules.Version]) -> None:
        self.versions = versions
        self.judged = 0
        self.hits: dict[int, list[Case]] = {version.version: [] for version in versions}

    def take(self, case: Case, version: rules.Version) -> bool:
        hit = version.of.hits(case.facts, version.numbers)
        if hit:
            self.hits[version.version].append(case)
        return hit

    def figures(self, version: int) -> dict[str, Any]:
        found = self.hits[version]
        days: dict[str, dict[str, int]] = {}
        for case in found:
            day = days.setdefault(case.day.isoformat(), {"hits": 0, "amount_fen": 0})
            day["hits"] += 1
            day["amount_fen"] += case.amount_fen
        amount_fen = sum(case.amount_fen for case in found)
        return {"version": version, "hits": len(found), "amount_fen": amount_fen, "by_day": dict(sorted(days.items()))}


@db.action
def backtest(*, by: Actor, rule: str, version: int, first: date, last: date) -> Backtest:
    """Ask a version about what was recorded from `first` to `last`, and keep the figures; nothing else follows.

    Payouts are counted anew from what was observed; days and months from the orders as they are known now; usage at
    the end of each hour in which limits moved. Numbers that the version does not state are those of the pack in force.

    Raises:
        BadDays: nothing was run.
    """
    by.require("platform:write")
    candidate = queries.access_version(rule, version)
    now = clock.now()
    if not first <= last < clock.business_day(now) or (last - first).days > 366:
        raise BadDays(first=first.isoformat(), last=last.isoformat())
    policy = policies.at(now)
    active = queries.active_version(rule)
    asked = [queries.resolved(candidate, policy)]
    if active and active.version != version:
        asked.append(queries.resolved(active, policy))
    tally = Tally(asked)
    for merchant_id in queries.merchant_ids():
        _ask(by, merchant_id, tally, first, last)
    test_id = ids.new()
    Backtest.objects.bulk_create(
        [
            Backtest(
                id=test_id,
                rule=rule,
                version=version,
                first_day=first,
                last_day=last,
                result=msgspec.json.encode(_result(tally, policy)).decode(),
                run_by=by.person,
                run_at=now,
            )
        ]
    )
    history.record(
        "rule.backtested",
        by=by,
        merchant_id=history.PLATFORM,
        subject=f"risk_rule/{rule}/{version}",
        backtest=str(test_id),
    )
    return Backtest.objects.get(id=test_id)


def _result(tally: Tally, policy: Policy) -> dict[str, Any]:
    candidate = tally.versions[0]
    result = {
        "judged": tally.judged,
        "policy": policy.version,
        "numbers": candidate.numbers,
        "effect": candidate.effect,
        **tally.figures(candidate.version),
    }
    if len(tally.versions) > 1:
        active = tally.versions[1]
        new = {case.subject: case for case in tally.hits[candidate.version]}
        old = {case.subject: case for case in tally.hits[active.version]}
        result["active"] = tally.figures(active.version)
        result["added"] = _listed([case for subject, case in new.items() if subject not in old])
        result["removed"] = _listed([case for subject, case in old.items() if subject not in new])
    return result


def _listed(cases: list[Case]) -> dict[str, Any]:
    amount_fen = sum(case.amount_fen for case in cases)
    return {"hits": len(cases), "amount_fen": amount_fen, "subjects": [case.subject for case in cases[:SHOWN]]}


def _ask(by: Actor, merchant_id: int, tally: Tally, first: date, last: date) -> None:
    """Ask every version about a merchant's history, case by case."""
    about = tally.versions[0].of.about
    if about is rules.Usage:
        _ask_usage(by, merchant_id, tally, first, last)
        return
    sources = {rules.Payout: _payouts, rules.StoreDay: _store_days, rules.Month: _months}
    wanted = sorted({name for version in tally.versions for name in version.of.wants(version.numbers)})
    for case in sources[about](merchant_id, wanted, first, last):
        tally.judged += 1
        for version in tally.versions:
            tally.take(case, version)


def _payouts(merchant_id: int, wanted: list[str], first: date, last: date) -> Iterator[Case]:
    """Yield the payouts of a merchant as they were first judged, with what is wanted counted anew."""
    start, end, after = clock.start_of(first), clock.start_of(last + timedelta(days=1)), 0
    while rows := queries.payouts_judged(merchant_id, start, end, after, AT_ONCE):
        after = rows[-1].id
        counted = counting.observed(merchant_id, [row.id for row in rows], wanted)
        for row in rows:
            facts = rules.read_facts(row.facts)
            assert isinstance(facts, rules.Payout)
            counts = {**facts.counts, **counted[row.id]}
            day = clock.business_day(row.at)
            yield Case(
                f"{merchant_id}/{row.subject}", day, row.amount_fen, msgspec.structs.replace(facts, counts=counts)
            )


def _store_days(merchant_id: int, wanted: list[str], first: date, last: date) -> Iterator[Case]:
    day = first
    while day <= last:
        for store_id, counts in counting.of_orders(merchant_id, day, [*wanted, "volume/1"]).items():
            facts = rules.StoreDay(store_id=store_id, counts=counts)
            yield Case(f"{merchant_id}/store/{store_id}/{day}", day, counts["volume/1"], facts)
        day += timedelta(days=1)


def _months(merchant_id: int, wanted: list[str], first: date, last: date) -> Iterator[Case]:
    """Yield the months that lie in the days as a whole."""
    month = first if first.day == 1 else rules.next_month(first)
    while rules.next_month(month) <= last + timedelta(days=1):
        facts = counting.of_month(merchant_id, month)
        if facts.orders:
            yield Case(f"{merchant_id}/month/{month:%Y-%m}", month, facts.shared_fen, facts)
        month = rules.next_month(month)


def _ask_usage(by: Actor, merchant_id: int, tally: Tally, first: date, last: date) -> None:
    """Let limits move as they moved, hour by hour, and count what crosses each version's lines."""
    start, end = clock.start_of(first), clock.start_of(last + timedelta(days=1))
    above = {version.version: dict[str, bool]() for version in tally.versions}
    for hour, stands in _hours(merchant_id, start, end):
        day = clock.business_day(hour)
        for subject, _, used_fen, limit_fen in limits.usages(by, merchant_id, stands, hour):
            tally.judged += 1
            for version in tally.versions:
                was = above[version.version].get(subject, False)
                facts = rules.Usage(subject=subject, used_fen=used_fen, limit_fen=limit_fen, alerting=was)
                name = f"{merchant_id}/{subject}/{hour:%Y-%m-%dT%H}"
                tally.take(Case(name, day, used_fen, facts), version)
                above[version.version][subject] = rules.alerting(facts, version.numbers)


def _hours(merchant_id: int, start: datetime, end: datetime) -> Iterator[tuple[datetime, dict[Account, int]]]:
    """Yield each hour in which limits moved, with the balances at its end."""
    moves = queries.quota_moves(merchant_id, start, end)
    if not moves:
        return
    stands = ledger.balances_at(merchant_id, start)
    hour = moves[0].hour
    for move in moves:
        if move.hour != hour:
            yield hour, stands
            hour = move.hour
        account = Account(move.kind, move.owner)
        stands[account] = stands.get(account, 0) + move.fen
    yield hour, stands
