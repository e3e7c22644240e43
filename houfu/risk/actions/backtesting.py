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


class Hits(msgspec.Struct):
    """What a version hit, by day."""

    hits: int = 0
    amount_fen: int = 0
    by_day: dict[str, dict[str, int]] = {}

    def take(self, case: Case) -> None:
        day = self.by_day.setdefault(case.day.isoformat(), {"hits": 0, "amount_fen": 0})
        day["hits"] += 1
        day["amount_fen"] += case.amount_fen
        self.hits += 1
        self.amount_fen += case.amount_fen


class Listed(msgspec.Struct):
    """What one of two versions hit alone, the first of it by name."""

    hits: int = 0
    amount_fen: int = 0
    subjects: list[str] = []

    def take(self, case: Case) -> None:
        self.hits += 1
        self.amount_fen += case.amount_fen
        if len(self.subjects) < SHOWN:
            self.subjects.append(case.subject)


class Tally(msgspec.Struct):
    """What a back-test has found so far, in JSON small enough to go on from.

    Args:
        policy: version of the pack whose numbers both versions take where they state none.
        versions: the one that is asked and, if it is another, the one that acts.
        after: the last merchant whose history was asked about.
    """

    policy: str
    versions: list[int]
    after: int = 0
    judged: int = 0
    found: list[Hits] = []
    added: Listed = msgspec.field(default_factory=Listed)
    removed: Listed = msgspec.field(default_factory=Listed)

    def take(self, case: Case, hit: Sequence[bool]) -> None:
        """Count what the versions said of a case."""
        self.judged += 1
        for found, so in zip(self.found, hit, strict=True):
            if so:
                found.take(case)
        if len(hit) > 1 and hit[0] != hit[1]:
            (self.added if hit[0] else self.removed).take(case)


def begun(rule: str, version: int, first: date, last: date) -> Tally:
    """Return a back-test that has asked about nothing yet.

    Raises:
        NotFound, BadDays: it cannot be run.
    """
    queries.access_version(rule, version)
    now = clock.now()
    if not first <= last < clock.business_day(now) or (last - first).days > 366:
        raise BadDays(first=first.isoformat(), last=last.isoformat())
    active = queries.active_version(rule)
    versions = [version, *([active.version] if active and active.version != version else [])]
    return Tally(policies.at(now).version, versions, found=[Hits() for _ in versions])


def asked(tally: Tally, by: Actor, rule: str, merchant_id: int, first: date, last: date) -> None:
    """Ask about a merchant's history."""
    policy = policies.version(tally.policy)
    versions = [queries.resolved(queries.access_version(rule, each), policy) for each in tally.versions]
    _ask(by, merchant_id, versions, tally, first, last)
    tally.after = merchant_id


@db.action
def keep(*, by: Actor, rule: str, first: date, last: date, tally: Tally) -> Backtest:
    """Keep what a back-test has found."""
    by.require("platform:write")
    test_id, version = ids.new(), tally.versions[0]
    Backtest.objects.bulk_create(
        [
            Backtest(
                id=test_id,
                rule=rule,
                version=version,
                first_day=first,
                last_day=last,
                result=msgspec.json.encode(_result(rule, tally)).decode(),
                run_by=by.person,
                run_at=clock.now(),
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


@db.action
def backtest(*, by: Actor, rule: str, version: int, first: date, last: date) -> Backtest:
    """Ask a version about what was recorded from `first` to `last`, and keep the figures; nothing else follows.

    Payouts are counted anew from what was observed; days and months from the orders as they are known now; usage at
    the end of each hour in which limits moved. Numbers that the version does not state are those of the pack in force.

    Raises:
        BadDays: nothing was run.
    """
    by.require("platform:write")
    tally = begun(rule, version, first, last)
    for merchant_id in queries.merchant_ids():
        asked(tally, by, rule, merchant_id, first, last)
    return keep(by=by, rule=rule, first=first, last=last, tally=tally)


def _result(rule: str, tally: Tally) -> dict[str, Any]:
    candidate = queries.resolved(queries.access_version(rule, tally.versions[0]), policies.version(tally.policy))
    figures = [
        {"version": version, **msgspec.to_builtins(found), "by_day": dict(sorted(found.by_day.items()))}
        for version, found in zip(tally.versions, tally.found, strict=True)
    ]
    result = {
        "judged": tally.judged, "policy": tally.policy, "numbers": candidate.numbers, "effect": candidate.effect,
        **figures[0],
    }  # fmt: skip
    if len(figures) > 1:
        result |= {"active": figures[1], **msgspec.to_builtins({"added": tally.added, "removed": tally.removed})}
    return result


def _ask(by: Actor, merchant_id: int, versions: Sequence[rules.Version], tally: Tally, first: date, last: date) -> None:
    """Ask every version about a merchant's history, case by case."""
    about = versions[0].of.about
    if about is rules.Usage:
        _ask_usage(by, merchant_id, versions, tally, first, last)
        return
    sources = {rules.Payout: _payouts, rules.StoreDay: _store_days, rules.Month: _months}
    wanted = sorted({name for version in versions for name in version.of.wants(version.numbers)})
    for case in sources[about](merchant_id, wanted, first, last):
        tally.take(case, [version.of.hits(case.facts, version.numbers) for version in versions])


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


def _ask_usage(
    by: Actor, merchant_id: int, versions: Sequence[rules.Version], tally: Tally, first: date, last: date
) -> None:
    """Let limits move as they moved, hour by hour, and count what crosses each version's lines."""
    start, end = clock.start_of(first), clock.start_of(last + timedelta(days=1))
    above = [dict[str, bool]() for _ in versions]
    for hour, stands in _hours(merchant_id, start, end):
        day = clock.business_day(hour)
        for subject, _, used_fen, limit_fen in limits.usages(by, merchant_id, stands, hour):
            hit = []
            for version, was in zip(versions, above, strict=True):
                facts = rules.Usage(
                    subject=subject, used_fen=used_fen, limit_fen=limit_fen, alerting=was.get(subject, False)
                )
                hit.append(version.of.hits(facts, version.numbers))
                was[subject] = rules.alerting(facts, version.numbers)
            name = f"{merchant_id}/{subject}/{hour:%Y-%m-%dT%H}"
            tally.take(Case(name, day, used_fen, facts), hit)


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
