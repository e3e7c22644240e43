"""houfu risk: rules, alerts, cases, appeals and scores."""

import json
from datetime import datetime
from typing import Any

import click

from houfu.kernel.terminal import AT, emit, fields, json_option, operator_option
from houfu.people.actor import operator
from houfu.risk import actions, queries

ALERT = "id rule version concerns reason_class state times raised_at case_id handled_by note"
CASE = "merchant_id id subject reason_class state outcome assignee due_at overdue_at decided_by note"
HOLD = "subject store_id reason_class state case_id placed_at ended_at"
APPEAL = "id subject case_id score_event_id month state submitted_by reviewer note"
VERSION = "rule version state effect parameters drafted_by promoted_by why"
PACKAGE = "id case_id state made_by made_at reviewed_by reviewed_at"
DAY = click.DateTime(["%Y-%m-%d"])
note_option = click.option("--note", required=True, help="Why, in a sentence.")


@click.group("risk")
def cli() -> None:
    """What the rules find, and what people make of it. Cases, alerts and appeals are named by merchant and number."""


@cli.command("rules")
@operator_option
@json_option
def rules_(operator_: str, as_json: bool) -> None:
    """List the versions of every rule. Example: houfu risk rules --json"""
    emit([fields(row, VERSION) for row in queries.rule_versions(operator(operator_))], as_json)


@cli.command()
@click.argument("rule")
@click.option("--set", "numbers", multiple=True, metavar="NAME=NUMBER", help="A number in the place of the pack's.")
@click.option("--effect", default="", help="alert, hold or score; the rule's own unless given.")
@click.option("--why", required=True, help="Why it is proposed.")
@operator_option
@json_option
def draft(rule: str, numbers: tuple[str, ...], effect: str, why: str, operator_: str, as_json: bool) -> None:
    """Propose a version. Example: houfu risk draft device_frequency --set device_payouts=3 --why "three are many" """
    parameters = {}
    for each in numbers:
        name, _, number = each.partition("=")
        if not (number.isascii() and number.isdigit()):
            raise click.BadParameter(f"{each!r} is not NAME=NUMBER")
        parameters[name] = int(number)
    drafted = actions.draft(by=operator(operator_), rule=rule, parameters=parameters, why=why, effect=effect)
    emit(fields(drafted, VERSION), as_json)


@cli.command()
@click.argument("rule")
@click.argument("version", type=int)
@operator_option
def watch(rule: str, version: int, operator_: str) -> None:
    """Let a draft look on in shadow. Example: houfu risk watch device_frequency 2"""
    actions.watch(by=operator(operator_), rule=rule, version=version)


@cli.command()
@click.argument("rule")
@click.argument("version", type=int)
@operator_option
def promote(rule: str, version: int, operator_: str) -> None:
    """Let a back-tested version act, as a second person. Example: houfu risk promote device_frequency 2 --as zhao"""
    actions.promote(by=operator(operator_), rule=rule, version=version)


@cli.command()
@click.argument("rule")
@click.argument("version", type=int)
@operator_option
def retire(rule: str, version: int, operator_: str) -> None:
    """Take a version out of use. Example: houfu risk retire device_frequency 2"""
    actions.retire(by=operator(operator_), rule=rule, version=version)


@cli.command()
@click.option("--rule", required=True)
@click.option("--version", type=int, help="The newest, unless given.")
@click.option("--from", "first", type=DAY, required=True, help="The first day.")
@click.option("--to", "last", type=DAY, required=True, help="The last day.")
@operator_option
@json_option
def backtest(rule: str, version: int | None, first: datetime, last: datetime, operator_: str, as_json: bool) -> None:
    """Ask a version about what was recorded, and keep the figures.

    Example: houfu risk backtest --rule device_frequency --from 2025-11-01 --to 2025-11-30 --json
    """
    by = operator(operator_)
    asked = version or queries.newest_version(rule)
    found = actions.backtest(by=by, rule=rule, version=asked, first=first.date(), last=last.date())
    emit({"id": str(found.id), **json.loads(found.result)}, as_json)


@cli.command()
@click.option("--rule", default="", help="Of one rule alone.")
@operator_option
@json_option
def backtests(rule: str, operator_: str, as_json: bool) -> None:
    """List the back-tests on record. Example: houfu risk backtests --rule device_frequency"""
    shown = []
    for row in queries.backtests(operator(operator_), rule):
        result = json.loads(row.result)
        figures = {name: result[name] for name in ("judged", "hits", "amount_fen")}
        shown.append({**fields(row, "id rule version first_day last_day run_by run_at"), **figures})
    emit(shown, as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@click.option("--state", default="", help="open, acknowledged, dismissed or escalated.")
@operator_option
@json_option
def alerts(merchant_id: int, state: str, operator_: str, as_json: bool) -> None:
    """List alerts, newest first. Example: houfu risk alerts 1 --state open"""
    emit([fields(row, ALERT) for row in queries.alerts(operator(operator_), merchant_id, state=state)], as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@click.argument("alert_id", type=int)
@operator_option
@json_option
def acknowledge(merchant_id: int, alert_id: int, operator_: str, as_json: bool) -> None:
    """Say that somebody looks at an alert. Example: houfu risk acknowledge 1 4"""
    alert = actions.acknowledge(by=operator(operator_), merchant_id=merchant_id, id=alert_id)
    emit(fields(alert, ALERT), as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@click.argument("alert_id", type=int)
@note_option
@operator_option
@json_option
def dismiss(merchant_id: int, alert_id: int, note: str, operator_: str, as_json: bool) -> None:
    """End an alert from which nothing follows. Example: houfu risk dismiss 1 4 --note "known fair abroad" """
    alert = actions.dismiss(by=operator(operator_), merchant_id=merchant_id, id=alert_id, note=note)
    emit(fields(alert, ALERT), as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@click.argument("alert_id", type=int)
@operator_option
@json_option
def escalate(merchant_id: int, alert_id: int, operator_: str, as_json: bool) -> None:
    """Make an alert a case. Example: houfu risk escalate 1 4"""
    alert = actions.escalate(by=operator(operator_), merchant_id=merchant_id, id=alert_id)
    emit(fields(alert, ALERT), as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@click.option("--state", default="", help="held, released or confirmed.")
@operator_option
@json_option
def holds(merchant_id: int, state: str, operator_: str, as_json: bool) -> None:
    """List what is held. Example: houfu risk holds 1 --state held"""
    emit([fields(row, HOLD) for row in queries.holds(operator(operator_), merchant_id, state=state)], as_json)


@cli.command()
@click.option("--merchant", "merchant_id", type=int, help="Of one merchant alone.")
@operator_option
@json_option
def inbox(merchant_id: int | None, operator_: str, as_json: bool) -> None:
    """List the cases that wait for a decision, the most pressing first. Example: houfu risk inbox"""
    emit([fields(row, CASE) for row in queries.inbox(operator(operator_), merchant_id)], as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@click.option("--state", default="", help="open, investigating, waiting, decided or closed.")
@operator_option
@json_option
def cases(merchant_id: int, state: str, operator_: str, as_json: bool) -> None:
    """List cases, newest first. Example: houfu risk cases 1 --json"""
    emit([fields(row, CASE) for row in queries.cases(operator(operator_), merchant_id, state=state)], as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@click.argument("case_id", type=int)
@operator_option
@json_option
def case(merchant_id: int, case_id: int, operator_: str, as_json: bool) -> None:
    """Show a case with what was found in it. Example: houfu risk case 1 2 --json"""
    found = queries.access_case(operator(operator_), merchant_id, case_id)
    entries = [fields(row, "no kind text person at") for row in queries.evidence(merchant_id, case_id)]
    emit({**fields(found, CASE), "evidence": entries}, as_json)


@cli.command("open")
@click.argument("merchant_id", type=int)
@click.argument("subject")
@click.option("--reason-class", required=True, help="What staff may know of it.")
@operator_option
@json_option
def open_(merchant_id: int, subject: str, reason_class: str, operator_: str, as_json: bool) -> None:
    """Open a case about a store or the merchant. Example: houfu risk open 1 store/3 --reason-class disputes"""
    by = operator(operator_)
    opened = actions.open_case(by=by, merchant_id=merchant_id, subject=subject, reason_class=reason_class)
    emit(fields(opened, CASE), as_json)


@cli.command()
@click.argument("step", type=click.Choice(["investigate", "wait", "resume", "decide", "close", "reopen"]))
@click.argument("merchant_id", type=int)
@click.argument("case_id", type=int)
@click.option("--outcome", type=click.Choice(["clear", "restrict", "freeze", "report"]), help="For decide.")
@click.option("--note", default="", help="Why; for wait, decide and reopen.")
@click.option("--until", type=AT, help="For wait.")
@operator_option
@json_option
def move(
    step: str,
    merchant_id: int,
    case_id: int,
    outcome: str | None,
    note: str,
    until: datetime | None,
    operator_: str,
    as_json: bool,
) -> None:
    """Take a case one step on. Example: houfu risk move decide 1 2 --outcome clear --note "the device is the till" """
    named: dict[str, Any] = {"by": operator(operator_), "merchant_id": merchant_id, "id": case_id}
    if step in ("wait", "reopen"):
        named["note"] = note
    if step == "wait":
        if until is None:
            raise click.UsageError("wait needs --until")
        named["until"] = until
    if step == "decide":
        if outcome is None:
            raise click.UsageError("decide needs --outcome")
        named |= {"outcome": outcome, "note": note}
    emit(fields(getattr(actions, step)(**named), CASE), as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@click.argument("case_id", type=int)
@click.option("--kind", type=click.Choice(["note", "document", "statement", "message"]), default="note")
@click.option("--text", required=True)
@operator_option
@json_option
def evidence(merchant_id: int, case_id: int, kind: str, text: str, operator_: str, as_json: bool) -> None:
    """Add an entry to a case. Example: houfu risk evidence 1 2 --kind statement --text "the manager says …" """
    by = operator(operator_)
    added = actions.add_evidence(by=by, merchant_id=merchant_id, id=case_id, kind=kind, text=text)
    emit(fields(added, "no kind text person at"), as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@operator_option
@json_option
def appeals(merchant_id: int, operator_: str, as_json: bool) -> None:
    """List appeals, newest first. Example: houfu risk appeals 1"""
    emit([fields(row, APPEAL) for row in queries.appeals(operator(operator_), merchant_id)], as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@click.option("--case", "case_id", type=int)
@click.option("--score-event", "score_event_id", type=int)
@click.option("--grounds", required=True)
@operator_option
@json_option
def appeal(
    merchant_id: int, case_id: int | None, score_event_id: int | None, grounds: str, operator_: str, as_json: bool
) -> None:
    """Object for a merchant. Example: houfu risk appeal 1 --case 2 --grounds "the returns were one broken batch" """
    filed = actions.appeal(
        by=operator(operator_),
        merchant_id=merchant_id,
        case_id=case_id,
        score_event_id=score_event_id,
        grounds=grounds,
    )
    emit(fields(filed, APPEAL), as_json)


@cli.command()
@click.argument("step", type=click.Choice(["take-up", "uphold", "overturn", "rule-out"]))
@click.argument("merchant_id", type=int)
@click.argument("appeal_id", type=int)
@click.option("--note", default="", help="Why; for every step but take-up.")
@operator_option
@json_option
def review(step: str, merchant_id: int, appeal_id: int, note: str, operator_: str, as_json: bool) -> None:
    """Review an appeal as another person. Example: houfu risk review overturn 1 3 --note "a wrong address" --as zhao"""
    named: dict[str, Any] = {"by": operator(operator_), "merchant_id": merchant_id, "id": appeal_id}
    if step != "take-up":
        named["note"] = note
    emit(fields(getattr(actions, step.replace("-", "_"))(**named), APPEAL), as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@operator_option
@json_option
def score(merchant_id: int, operator_: str, as_json: bool) -> None:
    """Show a merchant's internal score and its events. Example: houfu risk score 1 --json"""
    found = queries.score(operator(operator_), merchant_id)
    events = [fields(row, "id rule points month counters_id at") for row in found.events]
    emit({"points": found.points, "events": events}, as_json)


@cli.command()
@click.argument("merchant_id", type=int)
@click.option("--subject", default="", help="Of one thing alone, such as payout/…")
@operator_option
@json_option
def decisions(merchant_id: int, subject: str, operator_: str, as_json: bool) -> None:
    """List decisions, newest first, and whether each comes out the same again. Example: houfu risk decisions 1"""
    shown = []
    for row in queries.decisions(operator(operator_), merchant_id, subject=subject):
        record: dict[str, Any] = {"facts": json.loads(row.facts), "applied": json.loads(row.applied)} if as_json else {}
        named = fields(row, "id kind subject at policy outcome reason_class")
        shown.append({**named, "replays": queries.replay(row).same, **record})
    emit(shown, as_json)


@cli.command()
@click.argument("step", type=click.Choice(["make", "show", "release", "reject"]))
@click.argument("merchant_id", type=int)
@click.argument("number", type=int)
@click.option("--note", default="", help="Why; for release and reject.")
@operator_option
@json_option
def package(step: str, merchant_id: int, number: int, note: str, operator_: str, as_json: bool) -> None:
    """Make an evidence package of a case, or review one by its number. Example: houfu risk package make 1 2 --json"""
    by = operator(operator_)
    if step == "make":
        found = actions.make_package(by=by, merchant_id=merchant_id, case_id=number)
    elif step == "show":
        found = queries.access_package(by, merchant_id, number)
    else:
        verb = actions.release_package if step == "release" else actions.reject_package
        found = verb(by=by, merchant_id=merchant_id, id=number, note=note)
    digest = bytes(found.digest).hex()
    emit({**fields(found, PACKAGE), "digest": digest, "document": json.loads(found.document)}, as_json)
