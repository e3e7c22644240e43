"""Looking at what time and trade bring up: usage of limits, stores' days, merchants' months (K1, K5, K6)."""

from datetime import date, datetime, timedelta

from houfu.kernel import clock, db
from houfu.kernel.errors import NotFound
from houfu.limits import queries as limits
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor
from houfu.policies import queries as policies
from houfu.policies.pack import Policy
from houfu.risk import counting, queries, rules
from houfu.risk.actions.appeals import add_points
from houfu.risk.actions.judging import Judged, act_on, decide_on

DAYS_AT_ONCE = 31


@db.action
def look(*, by: Actor, merchant_id: int) -> int:
    """Look at a merchant's limits, at the days and months that have ended since, and return how much was found.

    Each day and each month is judged once, also when they are caught up with; usage alerts once per crossing.
    """
    now = clock.now()
    seen = _hold_place(by, merchant_id, now)
    seq = queries.history_end(merchant_id)  # read before the limits: what moves meanwhile is looked at next time
    found = _usage(by, merchant_id, now)
    day, month = rules.last_ended(now)
    until = min(day, seen.day + timedelta(days=DAYS_AT_ONCE))
    for each in _days(seen.day, until):
        found += _store_days(by, merchant_id, now, each)
    for each in _months(seen.month, month):
        found += _month(by, merchant_id, now, each)
    db.rows(
        "UPDATE risk_look SET seq = %s, day = %s, month = %s WHERE merchant_id = %s",
        [seq, max(seen.day, until), max(seen.month, month), merchant_id],
    )
    return found


def _hold_place(by: Actor, merchant_id: int, now: datetime) -> queries.Place:
    """Hold how far the merchant was looked at; one who was never looked at begins with the day it was registered."""
    if place := queries.place(merchant_id):
        return place
    merchant = merchants.access_merchant(by, "merchants:read", merchant_id)
    day, month = rules.last_ended(merchant.created_at)
    db.rows("INSERT INTO risk_look VALUES (%s, 0, %s, %s) ON CONFLICT DO NOTHING", [merchant_id, day, month])
    begun = queries.place(merchant_id)
    if begun is None:
        raise NotFound()
    return begun


def _days(after: date, until: date) -> list[date]:
    return [after + timedelta(days=n) for n in range(1, (until - after).days + 1)]


def _months(after: date, until: date) -> list[date]:
    found, month = [], rules.next_month(after)
    while month <= until:
        found.append(month)
        month = rules.next_month(month)
    return found


def _usage(by: Actor, merchant_id: int, now: datetime) -> int:
    """Compare every limit's usage with the two lines of each version, and write down what has crossed them (K1)."""
    policy = policies.at(now)
    before = queries.usage_states(merchant_id)
    usages = limits.usages(by, merchant_id)
    found = 0
    for version in queries.versions(rules.Usage, policy):
        for subject, store_id, used_fen, limit_fen in usages:
            above = before.get((subject, version.version), False)
            facts = rules.Usage(subject=subject, used_fen=used_fen, limit_fen=limit_fen, alerting=above)
            is_above = rules.alerting(facts, version.numbers)
            if is_above == above:
                continue
            db.rows(
                "INSERT INTO risk_usage VALUES (%s, %s, %s, %s, %s) ON CONFLICT (merchant_id, subject, version)"
                " DO UPDATE SET alerting = excluded.alerting, since = excluded.since",
                [merchant_id, subject, version.version, is_above, now],
            )
            if is_above:
                found += _judge(by, merchant_id, now, policy, [version], [(subject, store_id, facts)])
    return found


def _store_days(by: Actor, merchant_id: int, now: datetime, day: date) -> int:
    """Judge the orders of each store that had any on a day."""
    policy = policies.at(clock.start_of(day + timedelta(days=1)))
    versions = queries.versions(rules.StoreDay, policy)
    wanted = [name for version in versions for name in version.of.wants(version.numbers)]
    counted = counting.of_orders(merchant_id, day, wanted)
    facts: list[tuple[str, int | None, rules.Facts]] = [
        (f"store/{store_id}/{day}", store_id, rules.StoreDay(store_id=store_id, counts=counts))
        for store_id, counts in counted.items()
    ]
    return _judge(by, merchant_id, now, policy, versions, facts)


def _month(by: Actor, merchant_id: int, now: datetime, month: date) -> int:
    """Judge a merchant's month: how much was shared, how much of that is disputed (K5, K6)."""
    facts = counting.of_month(merchant_id, month)
    if not facts.orders:
        return 0
    policy = policies.at(clock.start_of(rules.next_month(month)))
    versions = queries.versions(rules.Month, policy)
    return _judge(by, merchant_id, now, policy, versions, [(f"month/{month:%Y-%m}", None, facts)], month)


def _judge(
    by: Actor,
    merchant_id: int,
    now: datetime,
    policy: Policy,
    versions: list[rules.Version],
    facts: list[tuple[str, int | None, rules.Facts]],
    month: date | None = None,
) -> int:
    """Decide, alert and take points; return how many of the facts had a hit that acts."""
    judged = decide_on(merchant_id, now, policy, versions, facts)
    for each in judged:
        act_on(by, merchant_id, now, policy, each)
        _take_points(by, merchant_id, now, each, month)
    return sum(each.found.outcome != "allow" for each in judged)


def _take_points(by: Actor, merchant_id: int, now: datetime, judged: Judged, month: date | None) -> None:
    for each in judged.applied:
        points = each.numbers.get(rules.RULES[each.rule].points, 0)
        if each.hit and each.mode == "active" and each.effect == "score" and points:
            add_points(
                by,
                merchant_id,
                now,
                each.rule,
                each.reason_class,
                -points,
                month=month,
                decision_id=judged.decision_id,
            )
