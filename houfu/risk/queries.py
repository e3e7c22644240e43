"""Reading risk. Figures, rules and alerts are for those who may `risk:write`; staff see reason classes alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from houfu.kernel import db
from houfu.kernel.errors import NotFound
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor
from houfu.policies.pack import Policy
from houfu.risk import rules
from houfu.risk.models import Alert, Appeal, Backtest, Case, Decision, Evidence, Hold, Package, RuleVersion, ScoreEvent

T = TypeVar("T")
UNDECIDED = ("open", "investigating", "waiting")


def hold_state(merchant_id: int, subject: str) -> str:
    """Return whether a subject, such as "payout/…", is "held", "released", "confirmed", or "" if it never was held.

    A released one may go on; a confirmed one never will.
    """
    return hold_states(merchant_id, [subject]).get(subject, "")


def hold_states(merchant_id: int, subjects: Iterable[str]) -> dict[str, str]:
    """Return the states of those of the subjects that were ever held."""
    found = Hold.objects.filter(merchant_id=merchant_id, subject__in=list(subjects))
    return dict(found.values_list("subject", "state"))


def states_of(subjects: Sequence[tuple[int, str]]) -> dict[tuple[int, str], str]:
    """Return the states of those of the subjects, given as merchant and name, that were ever held."""
    found = db.rows(
        "SELECT merchant_id, subject, state FROM risk_hold"
        " JOIN unnest(%s::bigint[], %s::text[]) w (merchant_id, subject) USING (merchant_id, subject)",
        [[merchant_id for merchant_id, _ in subjects], [subject for _, subject in subjects]],
    )
    return {(row.merchant_id, row.subject): row.state for row in found}


def restricted_stores(stores: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return those of the stores, given as merchant and id, that a case restricts."""
    found = db.rows(
        "SELECT DISTINCT c.merchant_id, c.store_id FROM risk_case c"
        " JOIN unnest(%s::bigint[], %s::bigint[]) w (merchant_id, store_id) USING (merchant_id, store_id)"
        " WHERE c.outcome = 'restrict'",
        [[merchant_id for merchant_id, _ in stores], [store_id for _, store_id in stores]],
    )
    return {(row.merchant_id, row.store_id) for row in found}


def versions(about: type[rules.Facts], policy: Policy) -> list[rules.Version]:
    """Return the versions that look at such facts, active or in shadow, each with all of its numbers."""
    names = [name for name, rule in rules.RULES.items() if rule.about is about]
    found = RuleVersion.objects.filter(state__in=["active", "shadow"], rule__in=names)
    return [resolved(each, policy) for each in found.order_by("rule", "version")]


def resolved(version: RuleVersion, policy: Policy) -> rules.Version:
    """Return a version with the pack's numbers, and its own in the place of those that it states."""
    numbers = {**rules.RULES[version.rule].numbers_of(policy.risk), **parameters(version)}
    return rules.Version(version.rule, version.version, version.state, version.effect, numbers)


def parameters(version: RuleVersion) -> dict[str, int]:
    """Return the numbers that a version states itself."""
    return msgspec.json.decode(version.parameters, type=dict[str, int])


def lock_keys(merchant_id: int, keys: Iterable[str]) -> None:
    """Hold what is counted by until the action ends, in one order: whoever counts the same waits (I-21)."""
    db.rows(
        "SELECT pg_advisory_xact_lock(key) FROM (SELECT DISTINCT hashtextextended(k, %s) AS key"
        " FROM unnest(%s::text[]) k ORDER BY 1) sorted",
        [merchant_id, sorted(keys)],
    )


def access_decision(by: Actor, merchant_id: int, id: UUID) -> Decision:
    """Return a decision with all that it was made on."""
    by.require("risk:write", merchant_id)
    return _one(Decision.objects.filter(merchant_id=merchant_id, id=id).first())


def decisions(
    by: Actor, merchant_id: int, *, subject: str = "", after: tuple[datetime, UUID] | None = None, limit: int = 100
) -> list[Decision]:
    """Return decisions about a merchant's things, newest first."""
    by.require("risk:write", merchant_id)
    found = Decision.objects.filter(merchant_id=merchant_id)
    if subject:
        found = found.filter(subject=subject)
    if after:
        found = found.extra(where=["(at, id) < (%s, %s)"], params=list(after))
    return list(found.order_by("-at", "-id")[:limit])


@dataclass(frozen=True)
class Replay:
    """A decision made again from its record alone."""

    outcome: str
    reason_class: str
    applied: list[rules.Applied]
    same: bool


def replay(decision: Decision) -> Replay:
    """Make a decision again on the facts, versions and numbers that it recorded (I-20)."""
    recorded = rules.read_applied(decision.applied)
    applied = rules.again(rules.read_facts(decision.facts), recorded)
    found = rules.outcome(applied)
    same = applied == recorded and (found.outcome, found.reason_class) == (decision.outcome, decision.reason_class)
    return Replay(found.outcome, found.reason_class, applied, same)


def alerts(by: Actor, merchant_id: int, *, state: str = "", before: int | None = None, limit: int = 100) -> list[Alert]:
    """Return a merchant's alerts, newest first."""
    by.require("risk:write", merchant_id)
    found = Alert.objects.filter(merchant_id=merchant_id)
    if state:
        found = found.filter(state=state)
    if before is not None:
        found = found.filter(id__lt=before)
    return list(found.order_by("-id")[:limit])


def access_alert(by: Actor, merchant_id: int, id: int) -> Alert:
    """Return an alert."""
    by.require("risk:write", merchant_id)
    return _one(Alert.objects.filter(merchant_id=merchant_id, id=id).first())


def holds(by: Actor, merchant_id: int, *, state: str = "", before: int | None = None, limit: int = 100) -> list[Hold]:
    """Return what is or was held of a merchant's stores that the actor may see, newest first."""
    by.require("risk:read", merchant_id)
    found = Hold.objects.filter(merchant_id=merchant_id)
    if by.stores is not None:
        found = found.filter(store_id__in=by.stores)
    if state:
        found = found.filter(state=state)
    if before is not None:
        found = found.filter(id__lt=before)
    return list(found.order_by("-id")[:limit])


def access_case(by: Actor, merchant_id: int, id: int, *, lock: bool = False) -> Case:
    """Return a case, held until the action ends if so asked."""
    by.require("risk:write", merchant_id)
    found = Case.objects.select_for_update(no_key=True) if lock else Case.objects.all()
    return _one(found.filter(merchant_id=merchant_id, id=id).first())


def cases(by: Actor, merchant_id: int, *, state: str = "", before: int | None = None, limit: int = 100) -> list[Case]:
    """Return a merchant's cases, newest first."""
    by.require("risk:write", merchant_id)
    found = Case.objects.filter(merchant_id=merchant_id)
    if state:
        found = found.filter(state=state)
    if before is not None:
        found = found.filter(id__lt=before)
    return list(found.order_by("-id")[:limit])


def inbox(by: Actor, merchant_id: int | None = None, *, limit: int = 100) -> list[Case]:
    """Return the cases that wait for a decision, the most pressing first: a merchant's, or for the platform all."""
    by.require("risk:write", merchant_id)
    whose = merchant_id if merchant_id is not None else by.merchant_id
    found = Case.objects.filter(state__in=UNDECIDED)
    if whose is not None:
        found = found.filter(merchant_id=whose)
    return list(found.order_by("due_at", "merchant_id", "id")[:limit])


def evidence(merchant_id: int, case_id: int) -> list[Evidence]:
    """Return what was found in a case, the earliest first."""
    return list(Evidence.objects.filter(merchant_id=merchant_id, case_id=case_id).order_by("no"))


def measures(by: Actor, merchant_id: int, *, before: int | None = None, limit: int = 100) -> list[Case]:
    """Return the decided cases that bear on a merchant, so that it can object to them; staff see reason and outcome."""
    by.require("risk:read", merchant_id)
    found = Case.objects.filter(merchant_id=merchant_id, state__in=("decided", "closed"))
    found = found.filter(outcome__in=("restrict", "freeze"))
    if by.stores is not None:
        found = found.filter(store_id__in=by.stores)
    if before is not None:
        found = found.filter(id__lt=before)
    return list(found.order_by("-id")[:limit])


def appeals(by: Actor, merchant_id: int, *, before: int | None = None, limit: int = 100) -> list[Appeal]:
    """Return a merchant's appeals, newest first."""
    by.require("risk:read", merchant_id)
    found = Appeal.objects.filter(merchant_id=merchant_id)
    if by.stores is not None:
        found = found.filter(subject__in=[f"store/{id}" for id in by.stores])
    if before is not None:
        found = found.filter(id__lt=before)
    return list(found.order_by("-id")[:limit])


def access_appeal(by: Actor, merchant_id: int, id: int, *, lock: bool = False) -> Appeal:
    """Return an appeal, held until the action ends if so asked."""
    by.require("risk:read", merchant_id)
    found = Appeal.objects.select_for_update() if lock else Appeal.objects.all()
    return _one(found.filter(merchant_id=merchant_id, id=id).first())


@dataclass(frozen=True)
class Score:
    """A merchant's internal score as it is kept, and the events whose sum it is."""

    points: int
    events: list[ScoreEvent]


def score(by: Actor, merchant_id: int) -> Score:
    """Return a merchant's internal score with what it is made of (K5, K6)."""
    by.require("risk:read", merchant_id)
    kept = db.rows("SELECT points FROM risk_score WHERE merchant_id = %s", [merchant_id])
    events = ScoreEvent.objects.filter(merchant_id=merchant_id).order_by("id")
    return Score(kept[0].points if kept else 0, list(events))


def packages(by: Actor, merchant_id: int, case_id: int) -> list[Package]:
    """Return the evidence packages of a case, newest first."""
    access_case(by, merchant_id, case_id)
    return list(Package.objects.filter(merchant_id=merchant_id, case_id=case_id).order_by("-id"))


def access_package(by: Actor, merchant_id: int, id: int) -> Package:
    """Return an evidence package."""
    by.require("risk:write", merchant_id)
    return _one(Package.objects.filter(merchant_id=merchant_id, id=id).first())


def rule_versions(by: Actor) -> list[RuleVersion]:
    """Return every version of every rule."""
    by.require("risk:write")
    return sorted(RuleVersion.objects.all(), key=lambda row: (rules.ORDER.index(row.rule), row.version))


def access_version(rule: str, version: int) -> RuleVersion:
    """Return a version of a rule."""
    return _one(RuleVersion.objects.filter(rule=rule, version=version).first())


def newest_version(rule: str) -> int:
    """Return the number of a rule's newest version.

    Raises:
        NotFound: there is no such rule.
    """
    return _one(RuleVersion.objects.filter(rule=rule).order_by("-version").first()).version


def active_version(rule: str) -> RuleVersion | None:
    """Return the version of a rule that acts, if any does."""
    return RuleVersion.objects.filter(rule=rule, state="active").first()


SAMPLE = 200  # of a merchant's latest decisions


def applied_lately(by: Actor, since: datetime, limit: int = 5000) -> dict[tuple[str, int], tuple[int, int, int]]:
    """Return how often each version was asked, hit, and acted lately, over all merchants, by rule and version.

    What a version in shadow says is recorded and counts as a hit; nothing follows from it (K8).

    Args:
        since: the earliest decision; of each merchant the latest `SAMPLE` are looked at.
        limit: how many decisions at most in all.
    """
    by.require("risk:write")
    found = db.rows(
        "SELECT d.applied FROM merchants_merchant m CROSS JOIN LATERAL (SELECT applied FROM risk_decision d"
        " WHERE d.merchant_id = m.merchant_id AND d.at >= %s ORDER BY d.at DESC LIMIT %s) d LIMIT %s",
        [since, SAMPLE, limit],
    )
    counts: dict[tuple[str, int], tuple[int, int, int]] = {}
    for row in found:
        for each in rules.read_applied(row.applied):
            asked, hits, acted = counts.get((each.rule, each.version), (0, 0, 0))
            acts = each.hit and each.mode == "active"
            counts[each.rule, each.version] = asked + 1, hits + each.hit, acted + acts
    return counts


def backtests(by: Actor, rule: str = "") -> list[Backtest]:
    """Return the back-tests on record, newest first."""
    by.require("risk:write")
    found = Backtest.objects.filter(rule=rule) if rule else Backtest.objects.all()
    return list(found.order_by("-run_at", "-id"))


@dataclass(frozen=True)
class Place:
    """How far a merchant was looked at."""

    seq: int
    day: date
    month: date


def place(merchant_id: int) -> Place | None:
    """Return how far a merchant was looked at, held until the action ends."""
    found: list[Place] = db.rows(
        "SELECT seq, day, month FROM risk_look WHERE merchant_id = %s FOR UPDATE", [merchant_id], into=Place
    )
    return found[0] if found else None


def history_end(merchant_id: int) -> int:
    """Return the number of the last thing that happened to a merchant."""
    found = db.rows("SELECT seq FROM history_head WHERE merchant_id = %s", [merchant_id])
    return int(found[0].seq) if found else 0


def to_look_at(at: datetime) -> list[int]:
    """Return the merchants to whom something has happened since they were looked at, or whose day has ended."""
    day, month = rules.last_ended(at)
    found = db.rows(
        "SELECT m.merchant_id FROM merchants_merchant m LEFT JOIN risk_look l USING (merchant_id)"
        " LEFT JOIN history_head h USING (merchant_id)"
        " WHERE l.merchant_id IS NULL OR h.seq > l.seq OR l.day < %s OR l.month < %s ORDER BY 1",
        [day, month],
    )
    return [row.merchant_id for row in found]


def usage_states(merchant_id: int) -> dict[tuple[str, int], bool]:
    """Return whether each limit was above its line when it was last looked at, by subject and version."""
    found = db.rows("SELECT subject, version, alerting FROM risk_usage WHERE merchant_id = %s", [merchant_id])
    return {(row.subject, row.version): row.alerting for row in found}


def merchant_ids() -> list[int]:
    """Return every merchant."""
    return [row.merchant_id for row in db.rows("SELECT merchant_id FROM merchants_merchant ORDER BY 1")]


def payouts_judged(merchant_id: int, start: datetime, end: datetime, after: int, limit: int) -> list[Any]:
    """Return payouts observed from `start` until before `end`, in their order, with the facts first judged on."""
    return db.rows(
        "SELECT o.id, o.subject, o.at, o.amount_fen, d.facts FROM risk_observation o CROSS JOIN LATERAL ("
        " SELECT facts FROM risk_decision d WHERE d.merchant_id = o.merchant_id AND d.subject = o.subject"
        " AND d.kind = 'payout' ORDER BY d.at, d.id LIMIT 1) d"
        " WHERE o.merchant_id = %s AND o.at >= %s AND o.at < %s AND o.id > %s ORDER BY o.id LIMIT %s",
        [merchant_id, start, end, after, limit],
    )


def quota_moves(merchant_id: int, start: datetime, end: datetime) -> list[Any]:
    """Return by how much each account of quota moved in each hour after `start`, until `end`."""
    return db.rows(
        """
        SELECT date_trunc('hour', t.at) AS hour, a.kind, a.owner,
               sum(CASE WHEN (h.debit) = (a.grows_by = 'debit') THEN e.amount_fen ELSE -e.amount_fen END)::bigint AS fen
        FROM ledger_transfer t JOIN ledger_entry e
             ON (e.merchant_id, e.transfer_id, e.unit) = (t.merchant_id, t.id, t.unit)
        CROSS JOIN LATERAL (VALUES (e.debit_id, true), (e.credit_id, false)) AS h (account_id, debit)
        JOIN ledger_account a ON a.merchant_id = e.merchant_id AND a.id = h.account_id
        WHERE t.merchant_id = %s AND t.unit = 'CNY.Q' AND t.at > %s AND t.at < %s
        GROUP BY 1, 2, 3 ORDER BY 1
        """,
        [merchant_id, start, end],
    )


def store_of(merchant_id: int, subject: str) -> int | None:
    """Return the store that a case's subject names; None where it is the merchant itself.

    Raises:
        NotFound: it is neither.
    """
    noun, _, id = subject.partition("/")
    if noun == "store" and id.isascii() and id.isdigit() and len(id) < 19:
        return merchants.store(merchant_id, int(id)).id
    if subject == f"merchant/{merchant_id}":
        return None
    raise NotFound()


def _one(found: T | None) -> T:
    if found is None:
        raise NotFound()
    return found
