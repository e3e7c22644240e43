"""Pure decisions about limits: how legs are released, what a loan may be, what restoration has been earned."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

from houfu.kernel.errors import Reason
from houfu.kernel.money import FEN_MAX, share_down, yuan
from houfu.ledger.actions import Account, Line


class Legs(NamedTuple):
    """How much of an order's exposure stands on each source, in the order of drawing (G6)."""

    own_fen: int = 0
    pool_fen: int = 0
    temp_fen: int = 0
    tolerance_fen: int = 0

    @property
    def total_fen(self) -> int:
        return sum(self)

    def less(self, other: "Legs") -> "Legs":
        return Legs(*(mine - theirs for mine, theirs in zip(self, other, strict=True)))


def last_first(legs: Legs, amount_fen: int) -> Legs:
    """Return what each source gets back when `amount_fen` of an order's exposure ends: last source first (G6)."""
    freed = []
    for leg_fen in reversed(legs):
        part = min(leg_fen, amount_fen)
        amount_fen -= part
        freed.append(part)
    return Legs(*reversed(freed))


SOURCES = ("own", "pool", "temp", "tolerance")


def _home(source: str, store_id: int, pool_id: int | None) -> Account:
    """Return the account that a source's quota comes from and goes back to."""
    if source == "tolerance":
        return Account("q:grant:tolerance", store_id)
    if source == "pool":
        assert pool_id is not None
        return Account("q:pool:free", pool_id)
    return Account(f"q:{source}:free", store_id)


def release(legs: Legs, phase: str, store_id: int, pool_id: int | None) -> Iterator[Line]:
    """Yield the lines that give legs back to their sources from "held" or "drawn"."""
    for source, leg_fen in zip(SOURCES, legs, strict=True):
        if leg_fen:
            yield Line(_home(source, store_id, pool_id), Account(f"q:{source}:{phase}", store_id), leg_fen)


def receive(legs: Legs, store_id: int) -> Iterator[Line]:
    """Yield the lines that turn held legs into drawn ones."""
    for source, leg_fen in zip(SOURCES, legs, strict=True):
        if leg_fen:
            yield Line(Account(f"q:{source}:drawn", store_id), Account(f"q:{source}:held", store_id), leg_fen)


def lose(legs: Legs, store_id: int, pool_id: int | None) -> Iterator[Line]:
    """Yield the lines of a write-off: own limit becomes reduced, shared limit is lost, the rest goes back."""
    if legs.own_fen:
        yield Line(Account("q:reduced", store_id), Account("q:own:drawn", store_id), legs.own_fen)
    if legs.pool_fen:
        assert pool_id is not None
        yield Line(Account("q:lost:pool", pool_id), Account("q:pool:drawn", store_id), legs.pool_fen)
    yield from release(legs._replace(own_fen=0, pool_fen=0), "drawn", store_id, pool_id)


class LoanFacts(NamedTuple):
    """What decides about a temporary loan."""

    amount_fen: int
    open_loan: bool
    overdue: bool
    store_state: str


def loan_refusals(facts: LoanFacts, largest_fen: int) -> list[Reason]:
    """Return every reason against a temporary loan (L1)."""
    reasons = []
    if not 0 < facts.amount_fen <= largest_fen:
        reasons.append(
            Reason(
                "loan_amount",
                "L1",
                {"amount_fen": facts.amount_fen, "largest_fen": largest_fen},
                f"Ask for at most {yuan(largest_fen)} yuan.",
            )
        )
    if facts.overdue:
        reasons.append(Reason("loan_overdue", "L1", {}, "Let settled orders repay the overdue loan first."))
    elif facts.open_loan:
        reasons.append(Reason("loan_open", "L1", {}, "Let settled orders repay the open loan first."))
    if facts.store_state != "active":
        reasons.append(Reason(f"store_{facts.store_state}", "K4", {}, "Have the store unfrozen first."))
    return reasons


class Repayment(NamedTuple):
    """How a loan is repaid: unused limit goes back, and own limit takes over what orders have drawn of it."""

    unused_fen: int
    taken_over_fen: int


def repayment(
    outstanding_fen: int, settled_fen: int, temp_free_fen: int, temp_used_fen: int, own_free_fen: int
) -> Repayment:
    """Return what settled orders repay of a loan, never more than they brought in (L1)."""
    due_fen = min(outstanding_fen, settled_fen)
    unused_fen = min(due_fen, temp_free_fen)
    return Repayment(unused_fen, min(due_fen - unused_fen, temp_used_fen, own_free_fen))


def restorable(completed: int, booked_fen: int, reduced_fen: int, orders: int, restores_fen: int, lot_fen: int) -> int:
    """Return what may be booked back now: whole lots that were earned, never above the original limit (L2).

    Args:
        completed: orders completed since the limit was reduced.
        booked_fen: what they restored already.
        reduced_fen: what is missing to the original limit.
    """
    earned_fen = completed // orders * restores_fen - booked_fen
    return min(earned_fen, reduced_fen) // lot_fen * lot_fen


def overdue(due_at: datetime, at: datetime) -> bool:
    """Say whether a loan is overdue at an instant (L1)."""
    return due_at < at


class Room(NamedTuple):
    """What of a pool may be used at an instant, never below what is in use, and what of that is not in use."""

    usable_fen: int
    room_fen: int


def room(holds_fen: int, free_fen: int, cap_fen: int | None) -> Room:
    """Return the room in a pool (L4, L5, G10): nothing is taken from open orders when its cap falls below them.

    Args:
        holds_fen: everything it holds; what was lost stays used.
        cap_fen: what may be used at that instant; None where nothing caps it.
    """
    used_fen = holds_fen - free_fen
    room_fen = free_fen if cap_fen is None else max(0, min(free_fen, cap_fen - used_fen))
    return Room(used_fen + room_fen, room_fen)


def effective_limit(own_fen: int, pool_used_fen: int, pool_room_fen: int, share: int, loan_fen: int) -> int:
    """Return what a store could carry now without tolerance: own limit, its reach into the pool, its loan (O6)."""
    reach_fen = max(0, min(pool_room_fen, share * own_fen - pool_used_fen))
    return own_fen + pool_used_fen + reach_fen + loan_fen


def tolerance_band(effective_fen: int, tolerance_permille: int) -> int:
    """Return the band above the effective limit (O6)."""
    return share_down(effective_fen, tolerance_permille - 1000, 1000)


def take_over(phase: str, store_id: int, amount_fen: int) -> tuple[Line, Line]:
    """Return the lines by which own limit takes over an order's lent leg in a phase ("held" or "drawn")."""
    return (
        Line(Account(f"q:own:{phase}", store_id), Account("q:own:free", store_id), amount_fen),
        Line(Account("q:grant:temp", store_id), Account(f"q:temp:{phase}", store_id), amount_fen),
    )


# What moves by itself (L4–L6) ----------------------------------------------------------------------------------------


class AdjustmentFacts(NamedTuple):
    """What decides about a proposal to let more or less of a pool be used for a while."""

    kind: str
    amount_fen: int
    valid_from: datetime
    valid_until: datetime
    reason: str
    observed_at: datetime | None
    is_dynamic: bool
    is_closed: bool


def adjustment_refusals(facts: AdjustmentFacts, now: datetime, stale: timedelta) -> list[Reason]:
    """Return every reason against an adjustment (L4, L6).

    Args:
        stale: how old data of the weather may be; at exactly that age it is too old.
    """
    reasons = []
    if facts.kind not in ("weather", "forecast", "manual"):
        reasons.append(Reason("adjustment_kind", "L4", {"kind": facts.kind}, "Say weather, forecast or manual."))
    if not 0 < abs(facts.amount_fen) <= FEN_MAX:
        reasons.append(
            Reason("adjustment_amount", "L4", {"amount_fen": facts.amount_fen}, "Name an amount other than zero.")
        )
    if facts.valid_from >= facts.valid_until:
        reasons.append(Reason("adjustment_window", "L4", {}, "Let it end after it begins."))
    elif facts.valid_until <= now:
        reasons.append(over())
    if not 2 <= len(facts.reason.strip()) <= 500:
        reasons.append(no_reason())
    if facts.kind == "weather" and (facts.observed_at is None or facts.observed_at > now):
        reasons.append(
            Reason("adjustment_without_data", "L6", {}, "Name the instant of the data, not after now, as observed_at.")
        )
    elif facts.kind == "weather" and facts.observed_at is not None and facts.observed_at + stale <= now:
        figures = {"stale_hours": int(stale.total_seconds() // 3600)}
        reasons.append(Reason("weather_stale", "L6", figures, "Look at the weather again first."))
    if facts.is_closed:
        reasons.append(closed())
    if not facts.is_dynamic:
        reasons.append(not_dynamic())
    return reasons


def amount_refusals(**amounts_fen: int | None) -> list[Reason]:
    """Return a reason for each amount of a dynamic pool that is none; None is what is not said."""
    return [
        Reason("dynamic_amount", "L4", {name: fen}, f"Let {name} be from zero to {yuan(FEN_MAX)} yuan.")
        for name, fen in amounts_fen.items()
        if fen is not None and not 0 <= fen <= FEN_MAX
    ]


def closed() -> Reason:
    return Reason("pool_closed", "L4", {}, "A closed pool is not used any more.")


def not_dynamic() -> Reason:
    return Reason("pool_not_dynamic", "L4", {}, "Let the pool be dynamic first.")


def over() -> Reason:
    return Reason("adjustment_over", "L4", {}, "Propose one for a time that is still to come.")


def no_reason() -> Reason:
    return Reason("reason_missing", "L4", {}, "Say why in 2 to 500 characters.")


def accepted_by_rule(kind: str, amount_fen: int, auto_fen: int) -> bool:
    """Say whether nobody needs to accept an adjustment: weather and forecast, up to the amount of the settings."""
    return kind in ("weather", "forecast") and abs(amount_fen) <= auto_fen


def observed_at(source: Mapping[str, Any]) -> datetime | None:
    """Return the instant of the data that a proposal stands on, if it names one with its offset."""
    try:
        found = datetime.fromisoformat(str(source.get("observed_at")))
    except ValueError:
        return None
    return found if found.tzinfo else None


def read_place(said: str | None) -> tuple[str | None, list[Reason]]:
    """Return a place in its one form, two decimals each of latitude and longitude (about a kilometre)."""
    if said is None:
        return None, []
    try:
        latitude, longitude = (float(part) for part in said.split(","))
    except ValueError:
        latitude = longitude = 999.0
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return None, [Reason("place_unknown", "L6", {"place": said}, "Write latitude and longitude as 30.27,120.16.")]
    return f"{latitude:.2f},{longitude:.2f}", []


class Band(NamedTuple):
    """What may be used of a pool from `opens` until before `closes`, past midnight where that comes first (L5)."""

    name: str
    opens: time
    closes: time
    limit_fen: int

    def spans(self) -> list[tuple[int, int]]:
        """Return the minutes of the day that it covers, as [from, until)."""
        opens, closes = (each.hour * 60 + each.minute for each in (self.opens, self.closes))
        return [(opens, closes)] if opens < closes else [(opens, 24 * 60), (0, closes)]


class PolicyBand(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def opens(self) -> str: ...
    @property
    def closes(self) -> str: ...
    @property
    def limit_fen(self) -> int: ...


def of_policy(band: PolicyBand) -> dict[str, Any]:
    """Return a band of the policy as one says it."""
    return {"name": band.name, "opens": band.opens, "closes": band.closes, "limit_fen": band.limit_fen}


def said(band: Band) -> dict[str, Any]:
    """Return a band as one says it."""
    return {**band._asdict(), "opens": f"{band.opens:%H:%M}", "closes": f"{band.closes:%H:%M}"}


def read_bands(said: Sequence[Mapping[str, Any]]) -> tuple[list[Band], list[Reason]]:
    """Return a table of bands by the times at which they open, and every reason against it (L5)."""
    bands, reasons = [], []
    if len(said) > 24:
        reasons.append(Reason("bands_too_many", "L5", {"bands": len(said)}, "A day has at most 24 bands."))
    for each in said:
        try:
            opens, closes = (datetime.strptime(each[key], "%H:%M").time() for key in ("opens", "closes"))  # noqa: DTZ007
            band = Band(str(each["name"]), opens, closes, each["limit_fen"])
        except (KeyError, TypeError, ValueError):
            reasons.append(Reason("band_form", "L5", {}, "Give each band name, opens, closes (05:00) and limit_fen."))
            continue
        if band.opens == band.closes:
            reasons.append(Reason("band_window", "L5", {"name": band.name}, "Let it close later than it opens."))
        if type(band.limit_fen) is not int or not 0 <= band.limit_fen <= FEN_MAX or not 1 <= len(band.name) <= 60:
            reasons.append(Reason("band_form", "L5", {"name": band.name}, "Name it, and cap it at zero fen or more."))
        bands.append(band)
    bands.sort(key=lambda band: band.opens)
    if len({band.name for band in bands}) < len(bands):
        reasons.append(Reason("band_name_twice", "L5", {}, "Give each band a name of its own."))
    covered = sorted(span for band in bands for span in band.spans())
    if any(before[1] > after[0] for before, after in pairwise(covered)):
        reasons.append(Reason("bands_overlap", "L5", {}, "Let a band open when the one before has closed."))
    return bands, reasons


def bands_accepted_by_rule(before: Sequence[Band], after: Sequence[Band], auto_fen: int) -> bool:
    """Say whether nobody needs to accept a table: the same bands, none moved by more than the settings allow."""
    if [band[:3] for band in before] != [band[:3] for band in after] or not after:
        return False
    return all(abs(old.limit_fen - new.limit_fen) <= auto_fen for old, new in zip(before, after, strict=True))
