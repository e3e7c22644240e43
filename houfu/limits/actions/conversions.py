"""Conversions of own limit between platforms: asked for, confirmed by a second person, trued up, brought back (L7)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from houfu.history import actions as history
from houfu.kernel import clock, db
from houfu.kernel.errors import Invalid, Refused
from houfu.ledger import actions as ledger
from houfu.ledger.actions import Account, Line
from houfu.limits import conversion_queries as queries
from houfu.limits import conversions as rules
from houfu.limits import states
from houfu.limits.actions.quota import move
from houfu.limits.models import Conversion
from houfu.merchants import queries as merchants
from houfu.people.actor import Actor
from houfu.policies import queries as policies


class ConversionRefused(Refused):
    """This conversion is refused; the reasons say why, all of them (L7)."""

    code = "limits_conversion_refused"


@db.refuse_on("limits_conversion_note", "limits_conversion_parts", "limits_conversion_two_stores")
class BadConversion(Invalid):
    """A conversion is of 1 to 10¹³ fen between two stores; whoever refuses it says why in 4 to 500 characters."""

    code = "limits_conversion_invalid"


@db.action
def convert(*, by: Actor, merchant_id: int, from_store_id: int, to_store_id: int, amount_fen: int) -> Conversion:
    """Ask to convert own limit of a store that is not in use into some of a store on another platform.

    The limit is kept back at once; a second person hands it on by `confirm_conversion`. What is abnormal is held first.

    Args:
        amount_fen: what the first store gives up; the other gets 0.8 of it, rounded down.

    Raises:
        ConversionRefused: with every reason at once; nothing moved.
    """
    merchants.access_store(by, "limits:write", merchant_id, from_store_id)
    merchants.access_store(by, "limits:write", merchant_id, to_store_id)
    by.require_whole()
    if from_store_id == to_store_id or amount_fen < 1:
        raise BadConversion()
    merchants.lock_merchant(merchant_id)  # what is asked for within a day is counted one after another
    merchants.lock_stores(sorted((merchant_id, id) for id in (from_store_id, to_store_id)))
    giving, taking = (merchants.store(merchant_id, id) for id in (from_store_id, to_store_id))
    now = clock.now()
    policy = policies.at(now)
    found = queries.recognised(merchant_id, giving.channel_account_id, taking.channel_account_id)
    facts = queries.facts(giving, taking, amount_fen, found is not None, now)
    if reasons := rules.refusals(facts, policy.cross_platform):
        raise ConversionRefused(*reasons)
    assert found is not None
    why = rules.abnormal(facts, policy.cross_platform)
    held_until = now + timedelta(hours=policy.cross_platform.abnormal_hold_hours if why else 0)
    given_fen = rules.given(amount_fen, policy.cross_platform)
    id = db.rows(
        "INSERT INTO limits_conversion (merchant_id, recognition_id, from_store_id, to_store_id, amount_fen, given_fen,"
        " haircut_fen, state, abnormal, policy, asked_by, person, asked_at, held_until, lapses_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [
            merchant_id,
            found.id,
            from_store_id,
            to_store_id,
            amount_fen,
            given_fen,
            amount_fen - given_fen,
            "held" if why else "asked",
            why,
            policy.version,
            by.label,
            by.person,
            now,
            held_until,
            held_until + timedelta(hours=policy.cross_platform.confirm_hours),
        ],
    )[0].id
    move("limits.convert", merchant_id, *rules.kept(id, from_store_id, amount_fen))
    asked = Conversion.objects.get(merchant_id=merchant_id, id=id)
    stores = {"from_store_id": from_store_id, "to_store_id": to_store_id}
    _say("held" if why else "asked", by, asked, **stores, amount_fen=amount_fen, given_fen=given_fen, abnormal=why)
    return asked


@db.action
def confirm_conversion(*, by: Actor, merchant_id: int, id: int) -> Conversion:
    """Hand a conversion on, as a second person; what is held, not before its hours are over (G9, L7).

    Raises:
        ConversionRefused: with every reason; it is as it was.
    """
    by.require("limits:write", merchant_id)
    by.require_person()
    recognition_id = queries.access_conversion(by, "limits:write", merchant_id, id).recognition_id
    holds = queries.lock_recognition(merchant_id, recognition_id).state == "recognised"
    [asked] = queries.lock_conversions(merchant_id, id=id)
    now = clock.now()
    if reasons := rules.unconfirmable(asked.state, asked.person, by.person, asked.held_until, now, holds):
        raise ConversionRefused(*reasons)
    _decide("confirm", by, asked, now, "")
    lines = rules.handed_on(id, asked.to_store_id, asked.given_fen, asked.haircut_fen)
    move("limits.convert", merchant_id, *lines)
    _say("confirmed", by, asked, given_fen=asked.given_fen, haircut_fen=asked.haircut_fen)
    return Conversion.objects.get(merchant_id=merchant_id, id=id)


@db.action
def refuse_conversion(*, by: Actor, merchant_id: int, id: int, note: str) -> Conversion:
    """Refuse a conversion, or call it off; what was kept back goes home whole.

    Raises:
        BadConversion: it was not said why; IllegalMove: it is decided already.
    """
    queries.access_conversion(by, "limits:write", merchant_id, id)
    if len(note.strip()) < 4:
        raise BadConversion(note="at least 4 characters")
    [asked] = queries.lock_conversions(merchant_id, id=id)
    _let_go("refuse", by, asked, note.strip())
    return Conversion.objects.get(merchant_id=merchant_id, id=id)


@db.action
def tend_conversions(*, by: Actor, merchant_id: int, at: datetime) -> int:
    """Let time do its work on a merchant's conversions, and return how many it moved (L7).

    What nobody confirmed lapses. What was unused when a month ended goes back, once for each conversion and month; what
    was in use then goes back as soon as it is released.
    """
    month, ended_at = queries.closed_month(at)
    lapsing = queries.lock_conversions(merchant_id, state__in=queries.UNDECIDED, lapses_at__lte=at)
    due = queries.lock_conversions(merchant_id, state="active", decided_at__lt=ended_at)
    returning = queries.lock_conversions(merchant_id, state="returning")
    for asked in lapsing:
        _let_go("lapse", by, asked, "")
    backs = _bring_back(merchant_id, sorted([*due, *returning], key=lambda each: each.id))
    for each in due:
        _true_up(by, each, backs[each.id], month, at)
    for each in returning:
        if backs[each.id].fen:
            _back_again(by, each, backs[each.id])
    return len(lapsing) + len(due) + sum(backs[each.id].fen > 0 for each in returning)


def _bring_back(merchant_id: int, conversions: Iterable[Conversion]) -> dict[int, rules.Back]:
    """Post what comes back of conversions, the earliest first where two share a store, and return it by id."""
    conversions = list(conversions)
    if not conversions:
        return {}
    accounts: list[Account] = []
    for each in conversions:
        accounts += [Account("q:own:free", each.to_store_id), Account("q:own:free", each.from_store_id)]
        accounts += [Account("q:haircut", each.id), Account("q:conv", each.id)]
    stands = ledger.lock(merchant_id, accounts)
    lines: list[Line] = []
    backs = {}
    for each in conversions:
        part = rules.back(
            each.given_fen,
            each.haircut_fen,
            each.returned_fen,
            each.haircut_back_fen,
            stands[Account("q:own:free", each.to_store_id)],
        )
        # What one sends home is not there for the next to take from, or two would take it round in a circle.
        stands[Account("q:own:free", each.to_store_id)] -= part.fen
        backs[each.id] = part
        lines += rules.sent_back(each.id, each.from_store_id, each.to_store_id, part)
    move("limits.true_up", merchant_id, *lines)
    return backs


def _true_up(by: Actor, each: Conversion, part: rules.Back, month: Any, at: datetime) -> None:
    in_use_fen = each.given_fen - each.returned_fen - part.fen
    db.rows(
        "INSERT INTO limits_true_up (merchant_id, conversion_id, month, unused_fen, in_use_fen, haircut_fen, at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [each.merchant_id, each.id, month, part.fen, in_use_fen, part.haircut_fen, at],
    )
    _move("true_up" if in_use_fen else "true_up_whole", each, **_after(each, part))
    figures = {"unused_fen": part.fen, "in_use_fen": in_use_fen, "haircut_fen": part.haircut_fen}
    _say("trued_up", by, each, month=f"{month:%Y-%m}", **figures)


def _back_again(by: Actor, each: Conversion, part: rules.Back) -> None:
    changes = _after(each, part)
    if changes["returned_fen"] == each.given_fen:
        _move("bring_back", each, **changes)
    else:
        Conversion.objects.filter(merchant_id=each.merchant_id, id=each.id, state="returning").update(**changes)
    _say("brought_back", by, each, amount_fen=part.fen, haircut_fen=part.haircut_fen)


def _after(each: Conversion, part: rules.Back) -> dict[str, int]:
    back_fen = each.haircut_back_fen + part.haircut_fen
    return {"returned_fen": each.returned_fen + part.fen, "haircut_back_fen": back_fen}


def _let_go(verb: str, by: Actor, asked: Conversion, note: str) -> None:
    _decide(verb, by, asked, clock.now(), note)
    lines = rules.let_go(asked.id, asked.from_store_id, asked.amount_fen)
    move("limits.let_go", asked.merchant_id, *lines)
    _say({"refuse": "refused", "lapse": "lapsed"}[verb], by, asked, note=note)


def _decide(verb: str, by: Actor, asked: Conversion, at: datetime, note: str) -> None:
    _move(verb, asked, decided_by=by.label, decided_person=by.person, decided_at=at, note=note)


def _move(verb: str, each: Conversion, **changes: object) -> None:
    states.move_conversion(verb, Conversion, {"merchant_id": each.merchant_id, "id": each.id}, **changes)


def _say(what: str, by: Actor, each: Conversion, **detail: Any) -> None:
    history.record(f"conversion.{what}", by=by, merchant_id=each.merchant_id, subject=f"conversion/{each.id}", **detail)
