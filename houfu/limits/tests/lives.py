"""More of what may happen: to a pool and its members, between platforms, by application, and to buyers' lines.

Models as in `histories`, which this builds on; how it is done to the product is in `deeds`.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from houfu.kernel.clock import business_day, start_of
from houfu.limits.tests.histories import LARGEST, OPERATOR, Conversion, History, Member

UNKNOWN = 10**12
LOT = 50_000  # L2
LENT = 500_000  # what every emergency was lent that restoration may be applied for (L1)
LINES = {700: 500_000, 650: 300_000, 600: 150_000, 550: 50_000, 0: 0}  # O5


# Members --------------------------------------------------------------------------------------------------------------


def wish_store(dice: Random, h: History, now: datetime) -> int:
    return dice.choice(h.stores)


def wish_join(dice: Random, h: History, now: datetime) -> tuple[int, int]:
    outside = [store for store in h.stores if store not in h.members]
    store = dice.choice(outside * 4 + h.stores)
    free = h.fen("own:free", store)
    return store, dice.choice((0, free, free // 2, free // 3, free + 1))


def model_join(h: History, wish: tuple[int, int], now: datetime) -> str:
    store, fen = wish
    if h.state != "active":
        return "limits_pool_not_open"
    if store in h.members:
        return "limits_join_refused"
    if fen and h.limit + fen > LARGEST:
        return "limits_pool_cap"
    if fen > h.fen("own:free", store):
        return "ledger_account_floor"
    h.members[store] = Member("probation", fen, now + timedelta(days=30))
    h.limit += fen
    h.books.move(fen, ("q:own:free", store), ("q:pool:free", h.pool))
    return ""


def model_leave(h: History, store: int, now: datetime) -> str:
    member = h.members.get(store)
    if member is None:
        return "not_found"
    if h.state not in ("active", "frozen"):
        return "limits_pool_not_open"
    if h.fen("pool:held", store) + h.fen("pool:drawn", store):
        return "limits_member_still_draws"
    if member.contributed > h.free:
        return "ledger_account_floor"
    h.limit -= member.contributed
    h.books.move(member.contributed, ("q:pool:free", h.pool), ("q:own:free", store))
    del h.members[store]
    return ""


def model_suspend(h: History, store: int, now: datetime) -> str:
    if store not in h.members:
        return "not_found"
    if h.members[store].state == "suspended":
        return "illegal_move"
    h.members[store].state = "suspended"
    return ""


def model_resume(h: History, store: int, now: datetime) -> str:
    if store not in h.members:
        return "not_found"
    member = h.members[store]
    if member.state != "suspended":
        return "illegal_move"
    member.state = "probation" if member.probation_until and now < member.probation_until else "active"
    return ""


def model_wind_down(h: History, wish: None, now: datetime) -> str:
    if h.state not in ("active", "frozen"):
        return "illegal_move"
    h.state = "winding_down"
    model_close(h)
    return ""


def closable(h: History) -> bool:
    return h.state == "winding_down" and h.free + h.fen("lost:pool", h.pool) == h.limit


def model_close(h: History) -> None:
    """Give back what is there: the operator bears a loss first, the members the rest pro rata."""
    if not closable(h):
        return
    lost = h.fen("lost:pool", h.pool)
    h.books.move(h.granted - min(lost, h.granted), ("q:pool:free", h.pool), OPERATOR)
    rest, put_in = lost - min(lost, h.granted), sum(member.contributed for member in h.members.values())
    borne = {store: rest * h.members[store].contributed // put_in if put_in else 0 for store in sorted(h.members)}
    for store in borne:
        if sum(borne.values()) < rest and borne[store] < h.members[store].contributed:
            borne[store] += 1
    for store, part in borne.items():
        h.books.move(h.members[store].contributed - part, ("q:pool:free", h.pool), ("q:own:free", store))
    h.members.clear()
    h.state, h.limit, h.granted = "closed", lost, 0


# Changes that somebody signs ------------------------------------------------------------------------------------------


def wish_share(dice: Random, h: History, now: datetime) -> int:
    return dice.choice([*range(1, 10), 0, 10, h.share])


def model_share(h: History, share: int, now: datetime) -> str:
    if not 1 <= share <= 9:
        return "limits_pool_share"
    if h.state != "active" or share == h.share:
        return "limits_change_refused"
    h.share = share
    return ""


def wish_reach(dice: Random, h: History, now: datetime) -> tuple[int, int, datetime]:
    fen = dice.choice((h.limit, h.limit // 2, h.limit // 5, h.limit + 1))
    return dice.choice(h.stores), max(1, fen), now + timedelta(hours=dice.randint(6, 60))


def model_reach(h: History, wish: tuple[int, int, datetime], now: datetime) -> str:
    store, fen, ends_at = wish
    member = h.members.get(store)
    if h.state != "active" or member is None or member.state == "suspended" or fen > h.limit:
        return "limits_change_refused"
    member.extra, member.extra_until = fen, ends_at
    return ""


def wish_move(dice: Random, h: History, now: datetime) -> tuple[int, int, int]:
    giving, taking = dice.sample(h.stores, 2)
    free = h.fen("own:free", giving)
    return giving, taking, max(1, dice.choice((free, free // 2, free // 7, free + 1)))


def model_move(h: History, wish: tuple[int, int, int], now: datetime) -> str:
    giving, taking, fen = wish
    if h.state != "active" or fen > h.fen("own:free", giving):
        return "limits_change_refused"
    h.books.move(fen, ("q:own:free", giving), ("q:own:free", taking))
    return ""


# Restoration by application -------------------------------------------------------------------------------------------


def wish_apply(dice: Random, h: History, now: datetime) -> tuple[int, int]:
    """Ask for whole lots mostly, now and then for more than is missing, or not in lots."""
    store = dice.choice([s for s in h.emergencies if h.fen("reduced", s) >= LOT] or h.stores)
    most = min(h.fen("reduced", store), LENT) // LOT * LOT
    return store, max(1, dice.choice((most, most, LOT, most + LOT, most + 1)))


def model_apply(h: History, wish: tuple[int, int], now: datetime) -> str:
    store, fen = wish
    if store not in h.emergencies:
        return "not_found"
    _, apply_until, over = h.emergencies[store]
    reduced = h.fen("reduced", store)
    if (now >= apply_until and not over) or fen % LOT or fen > min(reduced, LENT) // LOT * LOT:
        return "limits_restoration_refused"
    if over:
        return "limits_restoration_refused" if now >= apply_until else "illegal_move"
    h.emergencies[store] = (h.emergencies[store][0], apply_until, True)
    h.books.move(fen, ("q:reduced", store), ("q:own:free", store))
    completed, booked = h.recovery[store]
    if fen == reduced:
        del h.recovery[store]
    else:
        h.recovery[store] = (completed, booked + fen)
    return ""


# Between platforms ----------------------------------------------------------------------------------------------------


def wish_convert(dice: Random, h: History, now: datetime) -> tuple[int, int, int]:
    stores = [dice.choice(h.stores), h.abroad]
    dice.shuffle(stores)
    free = h.fen("own:free", stores[0])
    return stores[0], stores[1], max(1, dice.choice((free, free // 2, free // 5, free // 5, free + 1, 1)))


def model_convert(h: History, wish: tuple[int, int, int], now: datetime) -> str:
    """Keep it back; the id under which it is known follows from the product's answer (L7)."""
    giving, taking, fen = wish
    given = fen * 8 // 10
    if fen > h.fen("own:free", giving) or not given:
        return "limits_conversion_refused"
    lately = sum(at > now - timedelta(hours=24) for at in h.books.converted)
    abnormal = lately >= 2 or fen * 2 > h.own(giving)
    held_until = now + timedelta(hours=48 if abnormal else 0)
    h.books.converted.append(now)
    h.conversions[h.latest] = Conversion(giving, taking, fen, given, held_until, held_until + timedelta(hours=72))
    h.books.move(fen, ("q:own:free", giving), ("q:conv", h.latest))
    return ""


def wish_conversion(dice: Random, h: History, now: datetime) -> int:
    """Name one, mostly of those that wait and may be confirmed."""
    fit = [id_ for id_, each in h.conversions.items() if each.state == "asked" and each.held_until <= now]
    return dice.choice(fit * 6 + [*h.conversions] + [UNKNOWN])


def wish_refusal(dice: Random, h: History, now: datetime) -> int:
    """Name one, mostly of those that are not decided."""
    return dice.choice([id_ for id_, each in h.conversions.items() if each.state == "asked"] * 8 + [UNKNOWN])


def model_confirm(h: History, id_: int, now: datetime) -> str:
    if id_ not in h.conversions:
        return "not_found"
    each = h.conversions[id_]
    if each.state != "asked" or now < each.held_until:
        return "limits_conversion_refused"
    each.state, each.decided_at = "active", now
    h.books.move(each.given, ("q:conv", id_), ("q:own:free", each.taking))
    h.books.move(each.fen - each.given, ("q:conv", id_), ("q:haircut", id_))
    return ""


def model_refuse(h: History, id_: int, now: datetime) -> str:
    if id_ not in h.conversions:
        return "not_found"
    if h.conversions[id_].state != "asked":
        return "illegal_move"
    let_go(h, id_)
    return ""


def let_go(h: History, id_: int) -> None:
    each = h.conversions[id_]
    each.state = "over"
    h.books.move(each.fen, ("q:conv", id_), ("q:own:free", each.giving))


def true_up(h: History, now: datetime) -> None:
    """Let what nobody confirmed lapse; then bring back what is unused of the months that are over, earliest first."""
    ended_at = start_of(business_day(now).replace(day=1))
    for id_, each in h.conversions.items():
        if each.state == "asked" and each.lapses_at <= now:
            let_go(h, id_)
    backs, taken = [], dict[int, int]()
    for id_, each in sorted(h.conversions.items()):
        if each.state == "returning" or (each.decided_at and each.state == "active" and each.decided_at < ended_at):
            free = h.fen("own:free", each.taking) - taken.get(each.taking, 0)
            back = min(each.given - each.returned, free)
            taken[each.taking] = taken.get(each.taking, 0) + back
            backs.append((id_, each, back))
    for id_, each, back in backs:
        each.returned += back
        haircut = (each.fen - each.given) * each.returned // each.given - each.haircut_back
        each.haircut_back += haircut
        each.state = "over" if each.returned == each.given else "returning"
        h.books.move(back, ("q:own:free", each.taking), ("q:own:free", each.giving))
        h.books.move(haircut, ("q:haircut", id_), ("q:own:free", each.giving))


# Buyers ---------------------------------------------------------------------------------------------------------------


def wish_score(dice: Random, h: History, now: datetime) -> tuple[int, datetime]:
    return dice.choice([*LINES]), now + timedelta(hours=dice.choice((0, 0, 0, 1)))


def model_score(h: History, wish: tuple[int, datetime], now: datetime) -> str:
    score, scored_at = wish
    if scored_at > now or not h.buyer:
        return "buyers_score_invalid"
    h.line = LINES[score]
    h.over = max(h.owed - h.line, 0)
    return ""


# What time does -------------------------------------------------------------------------------------------------------


def let_time_pass(histories: Sequence[History], now: datetime) -> None:
    """Do what the worker does with all of them."""
    for h in histories:
        for member in h.members.values():
            if member.state == "probation" and member.probation_until and member.probation_until <= now:
                member.state = "active"
        if h.conversions:
            true_up(h, now)


def known(perform: Callable[[str], Any]) -> list[tuple[str, float, Any, Any, Any, Any, bool]]:
    """Return name, weight, wish, model, how it is done and when it can be done (strictly or not), of all here."""

    def nothing(dice: Random, h: History, now: datetime) -> None:
        return None

    def always(h: History) -> bool:
        return True

    def outside(h: History) -> bool:
        return len(h.members) < len(h.stores) and h.state == "active"

    def suspended(h: History) -> bool:
        return any(member.state == "suspended" for member in h.members.values())

    def has_members(h: History) -> bool:
        return bool(h.members)

    def converting(h: History) -> bool:
        return any(each.state == "asked" for each in h.conversions.values())

    def restorable(h: History) -> bool:
        return any(h.fen("reduced", store) >= LOT for store in h.emergencies)

    def bought(h: History) -> bool:
        return bool(h.buyer)

    rows = [
        ("join", 4, wish_join, model_join, outside),
        ("leave", 4, wish_store, model_leave, has_members),
        ("suspend", 2, wish_store, model_suspend, has_members),
        ("resume", 3, wish_store, model_resume, suspended),
        ("wind_down", 4, nothing, model_wind_down, always),
        ("share", 0.4, wish_share, model_share, always),
        ("reach", 0.4, wish_reach, model_reach, has_members),
        ("move", 0.4, wish_move, model_move, always),
        ("apply", 1.5, wish_apply, model_apply, restorable),
        ("convert", 2, wish_convert, model_convert, always),
        ("confirm", 12, wish_conversion, model_confirm, converting),
        ("refuse_conversion", 20, wish_refusal, model_refuse, converting),
        ("score", 3, wish_score, model_score, bought),
    ]
    return [
        (name, weight, wish, model, perform(name), ready, ready in (converting, restorable))
        for name, weight, wish, model, ready in rows
    ]
