"""The rule book: versions of rules drafted, watched in shadow, back-tested, promoted and retired (K8)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from houfu.history import actions as history
from houfu.kernel import clock, db
from houfu.kernel.errors import Invalid, Refused
from houfu.people.actor import Actor
from houfu.risk import queries, rules, states
from houfu.risk.models import Backtest, RuleVersion

SHIPPED_BY = "houfu"


class BadVersion(Invalid):
    """A version names a rule that is built in, an effect that the rule may have, and numbers that it decides by."""

    code = "risk_rule_invalid"


@db.refuse_on("risk_rule_why")
class WhyMissing(Invalid):
    """A version says in 4 to 500 characters why it is proposed."""

    code = "risk_rule_why"


@db.refuse_on("risk_rule_second_person")
class DraftedBySame(Refused):
    """Whoever drafted a version does not promote it (K8)."""

    code = "risk_rule_second_person"


@db.refuse_on("risk_rule_backtested")
class NotBacktested(Refused):
    """A version is back-tested, while it is in shadow, before it is promoted (K8)."""

    code = "risk_rule_backtested"


@db.refuse_on("risk_rule_pkey", "risk_rule_one_active")
class VersionRaced(Refused):
    """Somebody else has drafted or promoted a version of this rule at the same time."""

    code = "risk_rule_raced"


@db.action
def load_shipped(*, by: Actor) -> None:
    """Enter the first version of each rule that is built in and that the database does not know yet."""
    known = set(RuleVersion.objects.values_list("rule", flat=True))
    for name, rule in rules.RULES.items():
        if name not in known:
            _insert(name, 1, rule.ships, rule.effects[0], {}, "Comes with the product.", SHIPPED_BY)


@db.action
def draft(*, by: Actor, rule: str, parameters: Mapping[str, int], why: str, effect: str = "") -> RuleVersion:
    """Propose a version of a rule; it looks at nothing yet.

    Args:
        parameters: numbers that it decides by in the place of the pack's, by their names there.
        effect: what it does when it hits; what the rule does by itself, unless given.

    Raises:
        BadVersion: it is no version of a rule that there is.
    """
    by.require("platform:write")
    by.require_person()
    of = rules.RULES.get(rule)
    if of is None or (effect and effect not in of.effects) or not set(parameters) <= set(of.numbers):
        raise BadVersion(
            rules=list(rules.RULES), effects=list(of.effects) if of else [], numbers=list(of.numbers) if of else []
        )
    if wrong := [name for name, number in parameters.items() if not 0 <= number <= 10**13]:
        raise BadVersion(numbers=wrong)
    taken = RuleVersion.objects.filter(rule=rule).order_by("-version").first()
    version = taken.version + 1 if taken else 1
    _insert(rule, version, "draft", effect or of.effects[0], parameters, why, by.person)
    _record("rule.drafted", by, rule, version)
    return queries.access_version(rule, version)


def _insert(
    rule: str, version: int, state: str, effect: str, parameters: Mapping[str, int], why: str, person: str
) -> None:
    RuleVersion.objects.bulk_create(
        [
            RuleVersion(
                rule=rule,
                version=version,
                state=state,
                effect=effect,
                parameters=msgspec.json.encode(dict(parameters), order="deterministic").decode(),
                why=why,
                drafted_by=person,
                drafted_at=clock.now(),
            )
        ]
    )


@db.action
def watch(*, by: Actor, rule: str, version: int) -> None:
    """Let a draft look at everything in shadow: what it would say is recorded, and nothing follows from it."""
    by.require("platform:write")
    queries.access_version(rule, version)
    states.move_rule("watch", RuleVersion, {"rule": rule, "version": version})
    _record("rule.watched", by, rule, version)


@db.action
def promote(*, by: Actor, rule: str, version: int) -> None:
    """Let a version act that was watched in shadow and back-tested; the one before it retires.

    Raises:
        NotBacktested, DraftedBySame, VersionRaced: the version before still acts.
    """
    by.require("platform:write")
    by.require_person()
    queries.access_version(rule, version)
    tested = Backtest.objects.filter(rule=rule, version=version).order_by("-run_at").first()
    if tested is None:
        raise NotBacktested()
    before = queries.active_version(rule)
    if before:
        states.move_rule("retire", RuleVersion, {"rule": rule, "version": before.version})
    states.move_rule(
        "promote",
        RuleVersion,
        {"rule": rule, "version": version},
        backtest_id=tested.id,
        promoted_by=by.person,
        promoted_at=clock.now(),
    )
    _record("rule.promoted", by, rule, version, backtest=str(tested.id), before=before.version if before else None)


@db.action
def retire(*, by: Actor, rule: str, version: int) -> None:
    """Take a version out of use; a rule without an active one says nothing."""
    by.require("platform:write")
    by.require_person()
    queries.access_version(rule, version)
    states.move_rule("retire", RuleVersion, {"rule": rule, "version": version})
    _record("rule.retired", by, rule, version)


def _record(verb: str, by: Actor, rule: str, version: int, **detail: Any) -> None:
    history.record(verb, by=by, merchant_id=history.PLATFORM, subject=f"risk_rule/{rule}/{version}", **detail)
