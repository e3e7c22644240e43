"""Judging: what the rules in force say to a payout, written down with all that it was said on (K2, K3)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec

from houfu.history import actions as history
from houfu.kernel import clock, db, ids
from houfu.people.actor import Actor
from houfu.policies import queries as policies
from houfu.policies.pack import Policy
from houfu.risk import counting, origin, queries, rules
from houfu.risk.models import Decision, Hold, Observation
from houfu.risk.rules import PayoutFacts

KINDS: dict[type[rules.Facts], str] = {
    rules.Payout: "payout",
    rules.Usage: "usage",
    rules.StoreDay: "orders",
    rules.Month: "month",
}


class Asked(NamedTuple):
    """A payout to be judged, as "payout/<id>", and what is said of it."""

    subject: str
    facts: PayoutFacts


@dataclass(frozen=True)
class Verdict:
    """What became of a payout: "allow" or "hold", and of a held one the class of the reason, which staff may know."""

    outcome: str
    reason_class: str
    decision_id: UUID


class Judged(NamedTuple):
    """Facts that were judged: about which subject, by which versions, with what outcome."""

    subject: str
    store_id: int | None
    facts: rules.Facts
    applied: list[rules.Applied]
    found: rules.Outcome
    decision_id: UUID


@db.action
def judge(*, by: Actor, merchant_id: int, subject: str, facts: PayoutFacts) -> Verdict:
    """Judge a payout in the caller's transaction, after its store is held: see what it comes from, decide, alert, hold.

    A subject that was held before keeps what came of that: it goes on once it was released.

    Args:
        subject: "payout/<id>".
    """
    return judge_each(by=by, merchant_id=merchant_id, asked=[Asked(subject, facts)])[0]


@db.action
def judge_each(*, by: Actor, merchant_id: int, asked: Sequence[Asked]) -> list[Verdict]:
    """Judge several payouts of a merchant in their order, as a run has them, and return what became of each."""
    queries.lock_keys(merchant_id, {key for each in asked for key in _keys(each)})
    standing = {
        hold.subject: Verdict("allow" if hold.state == "released" else "hold", hold.reason_class, hold.decision_id)
        for hold in Hold.objects.filter(merchant_id=merchant_id, subject__in=[each.subject for each in asked])
    }
    fresh = [each for each in asked if each.subject not in standing]
    verdicts = {**standing, **(_judge_fresh(by, merchant_id, fresh) if fresh else {})}
    return [verdicts[each.subject] for each in asked]


def _keys(asked: Asked) -> list[str]:
    """Return what a payout is counted by: nobody else may be counted by the same meanwhile."""
    facts = asked.facts
    found = [f"payee/{facts.beneficiary_id}", f"subject/{asked.subject}"]
    found += [f"device/{facts.device}"] if facts.device else []
    return [*found, f"person/{facts.person}"] if facts.person else found


def _judge_fresh(by: Actor, merchant_id: int, asked: Sequence[Asked]) -> dict[str, Verdict]:
    now = clock.now()  # after the locks: whoever counted before us has a number below ours (I-18)
    policy = policies.at(now)
    seen = _observe(merchant_id, now, asked)
    versions = queries.versions(rules.Payout, policy)
    wanted = sorted({name for version in versions for name in version.of.wants(version.numbers)})
    counts = counting.observed(merchant_id, [row.id for row in seen.values()], wanted)
    restricted = queries.restricted_stores([(merchant_id, each.facts.store_id) for each in asked])
    judged = []
    for subject, facts in asked:
        row = seen[subject]
        counted = {**counts[row.id], "restricted": int((merchant_id, facts.store_id) in restricted)}
        said = msgspec.structs.replace(facts, ip="")  # the address stays with the observation, which forgets it
        found = rules.Payout(asked=said, country=row.country, network=row.network, counts=counted)
        judged.append((subject, facts.store_id, found))
    decided = decide_on(merchant_id, now, policy, versions, judged)
    for each in decided:
        act_on(by, merchant_id, now, policy, each)
    return {
        each.subject: Verdict("hold", each.found.reason_class, each.decision_id)
        if each.found.outcome == "hold"
        else Verdict("allow", "", each.decision_id)
        for each in decided
    }


def _observe(merchant_id: int, now: datetime, asked: Sequence[Asked]) -> dict[str, Observation]:
    """Write down where payouts come from, once for each, and return the rows by subject."""
    subjects = [each.subject for each in asked]
    there = set(
        Observation.objects.filter(merchant_id=merchant_id, subject__in=subjects).values_list("subject", flat=True)
    )
    rows = [
        (
            subject, facts.store_id, facts.beneficiary_id, facts.person, facts.device, facts.ip,
            origin.country(facts.ip), origin.network(facts.ip), facts.amount_fen,
        )
        for subject, facts in asked
        if subject not in there
    ]  # fmt: skip
    if rows:
        db.rows(
            "INSERT INTO risk_observation (merchant_id, at, subject, store_id, beneficiary_id, person, device, ip,"
            " country, network, amount_fen) SELECT %s, %s, subject, store, payee, person, device, ip, country, network,"
            " fen FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[],"
            " %s::text[], %s::bigint[])"
            " WITH ORDINALITY r (subject, store, payee, person, device, ip, country, network, fen, no)"
            " ORDER BY no",
            [merchant_id, now, *(list(column) for column in zip(*rows, strict=True))],
        )
    found = Observation.objects.filter(merchant_id=merchant_id, subject__in=subjects)
    return {row.subject: row for row in found}


def decide_on(
    merchant_id: int,
    now: datetime,
    policy: Policy,
    versions: Sequence[rules.Version],
    facts: Iterable[tuple[str, int | None, rules.Facts]],
) -> list[Judged]:
    """Apply versions to facts and write each decision down, within the current action.

    Args:
        facts: of each its subject, its store if it has one, and itself.
    """
    judged = []
    for subject, store_id, found in facts:
        applied = rules.apply(found, versions)
        judged.append(Judged(subject, store_id, found, applied, rules.outcome(applied), ids.new()))
    Decision.objects.bulk_create(
        Decision(
            merchant_id=merchant_id,
            id=each.decision_id,
            kind=KINDS[type(each.facts)],
            subject=each.subject,
            at=now,
            policy=policy.version,
            facts=rules.written(each.facts),
            applied=rules.written(each.applied),
            outcome=each.found.outcome,
            reason_class=each.found.reason_class,
        )
        for each in judged
    )
    return judged


def act_on(by: Actor, merchant_id: int, now: datetime, policy: Policy, judged: Judged) -> None:
    """Do what the active versions that hit ask for: hold with a case, and alert. Those in shadow ask for nothing."""
    case_id = None
    if judged.found.outcome == "hold":
        case_id = _hold(by, merchant_id, now, policy, judged)
    for each in judged.applied:
        if each.hit and each.mode == "active":
            _alert(by, merchant_id, now, judged, each, case_id if each.effect == "hold" else None)


def _hold(by: Actor, merchant_id: int, now: datetime, policy: Policy, judged: Judged) -> int:
    assert isinstance(judged.facts, rules.Payout)
    case_id = open_case_row(
        by,
        merchant_id,
        now,
        policy,
        subject=judged.subject,
        store_id=judged.store_id,
        person=judged.facts.asked.person,
        reason_class=judged.found.reason_class,
    )
    db.rows(
        "INSERT INTO risk_hold (merchant_id, subject, store_id, case_id, decision_id, reason_class, state, placed_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, 'held', %s)",
        [merchant_id, judged.subject, judged.store_id, case_id, judged.decision_id, judged.found.reason_class, now],
    )
    history.record(
        "hold.placed",
        by=by,
        merchant_id=merchant_id,
        subject=judged.subject,
        reason_class=judged.found.reason_class,
    )
    return case_id


def open_case_row(
    by: Actor,
    merchant_id: int,
    now: datetime,
    policy: Policy,
    *,
    subject: str,
    store_id: int | None,
    person: str,
    reason_class: str,
) -> int:
    """Open a case within the current action, or return the one about this subject that waits for a decision.

    Args:
        person: the natural person who must not decide it, if any.
    """
    there = db.rows(
        "SELECT id FROM risk_case WHERE merchant_id = %s AND subject = %s AND state = ANY (%s)",
        [merchant_id, subject, list(queries.UNDECIDED)],
    )
    if there:
        return int(there[0].id)
    due_at = now + timedelta(hours=policy.risk.case_hours)
    case_id: int = db.rows(
        "INSERT INTO risk_case (merchant_id, subject, store_id, person, reason_class, state, opened_by, opened_at,"
        " due_at) VALUES (%s, %s, %s, %s, %s, 'open', %s, %s, %s) RETURNING id",
        [merchant_id, subject, store_id, person, reason_class, by.label, now, due_at],
    )[0].id
    history.record(
        "case.opened",
        by=by,
        merchant_id=merchant_id,
        subject=f"case/{case_id}",
        about=subject,
        reason_class=reason_class,
        due_at=due_at.isoformat(),
    )
    return case_id


def _alert(
    by: Actor, merchant_id: int, now: datetime, judged: Judged, applied: rules.Applied, case_id: int | None
) -> None:
    """Raise an alert, or count on the one that waits about the same; what is held has its case already."""
    concerns = rules.RULES[applied.rule].concerns(judged.facts)
    raised = db.rows(
        "INSERT INTO risk_alert (merchant_id, rule, version, concerns, store_id, reason_class, decision_id, case_id,"
        " state, raised_at, last_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (merchant_id, rule, concerns) WHERE state IN ('open', 'acknowledged')"
        " DO UPDATE SET times = risk_alert.times + 1, last_at = excluded.last_at RETURNING id, times",
        [
            merchant_id, applied.rule, applied.version, concerns, judged.store_id, applied.reason_class,
            judged.decision_id, case_id, "escalated" if case_id else "open", now, now,
        ],
    )[0]  # fmt: skip
    if raised.times == 1:
        history.record(
            "alert.raised",
            by=by,
            merchant_id=merchant_id,
            subject=f"alert/{raised.id}",
            reason_class=applied.reason_class,
        )
